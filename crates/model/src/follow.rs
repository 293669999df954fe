//! Following the ledger: how far a node has applied it, and until when it may answer from memory (design 4).
//!
//! Everything here is a value: the program drives it with real clocks and a real database, the model of the protocol
//! (`tests/protocol`) with every order of things that can happen.

use serde::{Deserialize, Serialize};

use crate::chain::{self, Hash};
use crate::event::Recorded;
use crate::{Millis, Receipt};

/// A moment of the boot-time clock of one machine, in nanoseconds. It counts suspension and is never set.
pub type Boot = i64;

/// Nanoseconds in a millisecond.
pub const MILLISECOND: Boot = 1_000_000;
/// S where the cluster was given none, in milliseconds.
pub const FRESHNESS: Millis = 1_000;
/// The least and the most that S can be, in milliseconds.
pub const FRESHNESS_BOUNDS: std::ops::RangeInclusive<Millis> = 100..=10_000;

/// A place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The epoch of the event there; that of the head before the first event.
    pub epoch: i64,
    /// Its revision.
    pub revision: i64,
    /// The hash of the chain up to it.
    pub hash: Hash,
}

/// What of an event says where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The epoch in which it was written.
    pub epoch: i64,
    /// Its revision.
    pub revision: i64,
    /// The salted hash of its body.
    pub body_hash: Hash,
    /// The hash of the chain up to it.
    pub hash: Hash,
}

impl Link {
    /// The link of a stored event; `None` where its hashes are no hashes.
    pub fn of(event: &Recorded) -> Option<Self> {
        Some(Self {
            epoch: event.epoch,
            revision: event.revision,
            body_hash: event.body_hash.as_slice().try_into().ok()?,
            hash: event.hash.as_slice().try_into().ok()?,
        })
    }
}

/// What a committed heartbeat told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Beat {
    /// t0: read before the heartbeat was sent.
    pub sent: Boot,
    /// Where the node stood when it sent it.
    pub asked: Position,
    /// The hash that the database has at that revision; `None` if it has no such event.
    pub there: Option<Hash>,
    /// The head's revision, read in the heartbeat's transaction.
    pub head: i64,
    /// S, read in the same transaction, in nanoseconds.
    pub freshness: Boot,
}

/// The database does not have the history that this node has applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lost {
    /// The last revision that this node had applied.
    pub applied: i64,
}

/// What became of an event that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// It was the next one.
    Applied,
    /// It was applied before.
    Known,
    /// Events before it are missing yet.
    Ahead,
}

/// How far a node follows the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Follow {
    applied: Position,
    /// The revision at which this memory began.
    begun: i64,
    /// Heartbeats that were sent before this moment make nothing fresh.
    held: Boot,
    /// The highest head that was heard of.
    head: i64,
    /// Below this moment answers from memory are true.
    fresh_until: Boot,
    /// Heartbeats whose head is not applied yet: that head, and until when they will make fresh.
    awaiting: Vec<(i64, Boot)>,
}

/// Heartbeats that may wait for their head; of more, the oldest is forgotten.
const MOST_AWAITING: usize = 8;

impl Follow {
    /// A node that just registered with an empty memory at this head; fresh with its first heartbeat.
    pub fn from(head: Position) -> Self {
        Self::held(head, Boot::MIN)
    }

    /// A node that lost history, replayed its journal and begins again at this head: fresh with the first heartbeat
    /// that it sends at `until` or later, which is [`patience`] after the replay. By then every node that is alive has
    /// noticed too and replayed its own journal; and a heartbeat that was on its way meanwhile counts for nothing.
    pub fn held(head: Position, until: Boot) -> Self {
        let revision = head.revision;
        let (fresh_until, awaiting) = (Boot::MIN, Vec::new());
        Self { applied: head, begun: revision, held: until, head: revision, fresh_until, awaiting }
    }

    /// The revision at which this memory began: it knows of no event up to there, so nothing that was read as of an
    /// earlier one may be believed. It is the mark of everything that no event touched since.
    pub fn begun(&self) -> i64 {
        self.begun
    }

    /// Up to where it has applied the ledger.
    pub fn applied(&self) -> Position {
        self.applied
    }

    /// The highest revision that it has heard of.
    pub fn head(&self) -> i64 {
        self.head
    }

    /// Below this moment answers from memory are true.
    pub fn fresh_until(&self) -> Boot {
        self.fresh_until
    }

    /// Whether a request may be answered from memory: `read` is the boot-time clock, read after the request arrived.
    pub fn fresh(&self, read: Boot) -> bool {
        read < self.fresh_until
    }

    /// Takes a heartbeat that was committed.
    ///
    /// # Errors
    /// [`Lost`] where the database does not have what this node had applied. Nothing may be answered then.
    pub fn heard(&mut self, beat: &Beat) -> Result<(), Lost> {
        // Before the first event there is nothing that could be lost.
        let same = beat.there == Some(beat.asked.hash) || beat.asked.revision == 0;
        if !same || beat.head < beat.asked.revision {
            self.fresh_until = Boot::MIN;
            return Err(Lost { applied: self.applied.revision });
        }
        self.head = self.head.max(beat.head);
        if beat.sent < self.held {
            return Ok(());
        }
        if self.awaiting.len() >= MOST_AWAITING {
            self.awaiting.remove(0);
        }
        self.awaiting.push((beat.head, beat.sent.saturating_add(beat.freshness)));
        self.settle();
        Ok(())
    }

    /// Takes the next event. What it touches must be marked before anyone can see that it is applied.
    ///
    /// # Errors
    /// [`Lost`] where it does not follow from what was applied: history was replaced.
    pub fn apply(&mut self, link: &Link) -> Result<Step, Lost> {
        self.head = self.head.max(link.revision);
        if link.revision <= self.applied.revision {
            return Ok(Step::Known);
        }
        if link.revision > self.applied.revision + 1 {
            return Ok(Step::Ahead);
        }
        if chain::link(&self.applied.hash, link.epoch, link.revision, &link.body_hash) != link.hash {
            self.fresh_until = Boot::MIN;
            return Err(Lost { applied: self.applied.revision });
        }
        self.applied = Position { epoch: link.epoch, revision: link.revision, hash: link.hash };
        self.settle();
        Ok(Step::Applied)
    }

    /// A heartbeat counts once everything up to the head that it returned is applied.
    fn settle(&mut self) {
        let applied = self.applied.revision;
        for (_, until) in self.awaiting.extract_if(.., |(head, _)| *head <= applied) {
            self.fresh_until = self.fresh_until.max(until);
        }
    }
}

/// As of when something was read into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The life of the memory in which the reading began; a memory that is dropped begins another.
    pub era: u64,
    /// The head's revision in the snapshot of the reading.
    pub revision: i64,
}

impl Tag {
    /// The fill rule: whether what was read is still true in this era, where `mark` is the revision of the last
    /// applied event that touched it, and [`Follow::begun`] where there was none. To be asked before caching, before
    /// answering, and at every hit.
    pub fn holds(self, era: u64, mark: i64) -> bool {
        self.era == era && mark <= self.revision
    }
}

/// A node as its heartbeat row shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Acknowledged {
    /// The epoch in which it stands.
    pub epoch: i64,
    /// The revision up to which it has applied the ledger.
    pub applied: i64,
}

impl Acknowledged {
    /// Whether it has applied what this receipt is about.
    pub fn covers(self, receipt: &Receipt) -> bool {
        self.applied >= receipt.revision && self.epoch >= receipt.epoch
    }
}

/// Why a receipt is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Every registered node has acknowledged it.
    Nodes,
    /// So much time went by that no node can answer from before.
    Time,
}

/// How long after COMMIT returned a receipt is confirmed whatever nodes say: S plus 1 % plus 50 ms, in nanoseconds.
pub fn patience(freshness: Boot) -> Boot {
    freshness.saturating_add(freshness / 100).saturating_add(50 * MILLISECOND)
}

/// Whether a receipt is confirmed: `nodes` are all registered nodes, read after COMMIT returned; `elapsed` is how long
/// ago that was by the boot-time clock. No rows at all say nothing: they come from a database that is not the one in
/// which the asking node is registered.
pub fn confirmed(receipt: &Receipt, nodes: &[Acknowledged], elapsed: Boot, freshness: Boot) -> Option<By> {
    if !nodes.is_empty() && nodes.iter().all(|node| node.covers(receipt)) {
        return Some(By::Nodes);
    }
    (elapsed >= patience(freshness)).then_some(By::Time)
}
