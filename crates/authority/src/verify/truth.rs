//! How far this node follows the ledger: the one place that advances it, and where requests wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenhouse_model::event::Recorded;
use tokenhouse_model::follow::{Beat, Boot, FRESHNESS, Follow, Link, Lost, MILLISECOND, Position, Step, patience};
use tokenhouse_model::{Error, Millis, Result, Uuid};
use tokenhouse_store::nodes::Node;
use tokenhouse_store::{Follower, Heard, Standing, ledger};
use tokio::sync::{Notify, watch};

use super::board::Board;
use super::memory::Memory;
use super::touch::{Touched, touched};

/// Places for marks, as a power of two: 2 MB.
const MARK_BITS: u32 = 18;
/// A node that is further behind than this drops its memory and begins at the head.
const MOST_BEHIND: i64 = 4096;
/// How long a request waits for the feed.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a node's row must stand still before it is taken away, at least; three times S if that is longer.
const GONE_AFTER: Boot = 10_000 * MILLISECOND;

/// Where this node is in its life.
#[derive(Debug)]
enum Phase {
    /// Not registered: nothing is answered.
    Nowhere,
    Following(Follow),
    /// The database lost history that this node had applied.
    Repairing,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// S, in nanoseconds, as of the last heartbeat.
    freshness: Boot,
    /// The longest S that another node may be going by, in nanoseconds.
    longest: Boot,
    /// Why the last heartbeat failed.
    failing: Option<String>,
    /// How far the machine's wall clock is ahead of the database's, in milliseconds.
    clock_ahead: Millis,
    /// When the last heartbeat that was committed was sent.
    beat: Option<Boot>,
    /// Other nodes: how often they had beaten, and since when it is that often.
    others: HashMap<Uuid, (i64, Boot)>,
}

/// How this node stands, for health, metrics and the list of nodes.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// Whether it is registered and not repairing.
    pub following: bool,
    /// The revision up to which the ledger is applied.
    pub applied: i64,
    /// The highest revision that was heard of.
    pub head: i64,
    /// When the last committed heartbeat was sent, by the boot-time clock, in nanoseconds.
    pub beat: Option<Boot>,
    /// S, in milliseconds.
    pub freshness: Millis,
    /// Why the last heartbeat failed.
    pub failing: Option<String>,
    /// How far the machine's wall clock is ahead of the database's, in milliseconds.
    pub clock_ahead: Millis,
    /// How often history was found to be lost since the start.
    pub lost: u64,
    /// Heartbeats that were committed since the start.
    pub beats: u64,
    /// Those of them that came more than S/2 after the one before.
    pub late: u64,
}

/// The truth as far as this node knows it.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) board: Board,
    pub(crate) memory: Memory,
    state: Mutex<State>,
    lost: AtomicU64,
    /// Heartbeats that were committed, and those of them that came more than S/2 after the one before.
    beats: AtomicU64,
    late: AtomicU64,
    /// Sent whenever the board changed.
    changed: watch::Sender<()>,
    /// A heartbeat is wanted now.
    pub(crate) wants_beat: Notify,
    /// New events are wanted now.
    pub(crate) wants_events: Notify,
}

impl Truth {
    /// Nothing yet, with a memory of at most so many bytes.
    pub(crate) fn new(memory: u64) -> Self {
        let state = State {
            phase: Phase::Nowhere,
            freshness: FRESHNESS * MILLISECOND,
            longest: FRESHNESS * MILLISECOND,
            failing: None,
            clock_ahead: 0,
            beat: None,
            others: HashMap::new(),
        };
        Self {
            board: Board::new(MARK_BITS),
            memory: Memory::new(memory),
            state: Mutex::new(state),
            lost: AtomicU64::new(0),
            beats: AtomicU64::new(0),
            late: AtomicU64::new(0),
            changed: watch::Sender::new(()),
            wants_beat: Notify::new(),
            wants_events: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what is followed now, and wakes who waits for it.
    fn publish(&self, follow: &Follow) {
        self.board.publish(follow.applied().revision, follow.fresh_until());
        self.changed.send_replace(());
    }

    /// Drops the memory. The board first: what is read from now on is of the new life.
    fn forget(&self) {
        self.board.forget();
        self.memory.clear();
    }

    /// Takes the first committed heartbeat: this node is registered and begins at the head, with nothing in memory. It
    /// is fresh with the first heartbeat that is sent at `held` or later.
    pub(crate) fn join(&self, sent: Boot, heard: &Heard, held: Boot) {
        self.begin(&mut self.state(), sent, heard, held);
    }

    /// Begins at the head with nothing in memory.
    fn begin(&self, state: &mut State, sent: Boot, heard: &Heard, held: Boot) {
        self.forget();
        let head = heard.head.position();
        let follow = Follow::held(head, held);
        self.board.begin(follow.begun());
        state.phase = Phase::Following(follow);
        self.hear(state, sent, head, Some(head.hash), heard);
    }

    /// Takes a committed heartbeat that was sent when this node stood at `asked`.
    pub(crate) fn heard(&self, sent: Boot, asked: Position, heard: &Heard) {
        let mut state = self.state();
        let there = heard.there.as_ref().map(ledger::Head::link);
        self.hear(&mut state, sent, asked, there, heard);
    }

    fn hear(&self, state: &mut State, sent: Boot, asked: Position, there: Option<[u8; 32]>, heard: &Heard) {
        let freshness = heard.freshness.millis.saturating_mul(MILLISECOND);
        state.freshness = freshness;
        state.longest = heard.freshness.longest().saturating_mul(MILLISECOND);
        let before = state.beat.replace(sent);
        self.beats.fetch_add(1, Ordering::Relaxed);
        if before.is_some_and(|before| sent.saturating_sub(before) > freshness / 2) {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        state.failing = None;
        let Phase::Following(follow) = &mut state.phase else { return };
        let head = heard.head.revision;
        if !heard.registered {
            // It makes nothing fresh: nobody who confirmed a receipt until now knew of this node. The next one does.
            self.wants_beat.notify_one();
            return;
        }
        match follow.heard(&Beat { sent, asked, there, head, freshness }) {
            Ok(()) if head - follow.applied().revision > MOST_BEHIND => {
                tracing::info!(applied = follow.applied().revision, head, "far behind: the memory is dropped");
                self.begin(state, sent, heard, Boot::MIN);
            }
            Ok(()) => self.publish(follow),
            Err(lost) => self.lose(state, lost),
        }
    }

    /// Takes events in the order of the ledger: what they touch is marked, then they count as applied.
    pub(crate) fn take(&self, events: &[Recorded]) {
        let mut state = self.state();
        let Phase::Following(follow) = &mut state.phase else { return };
        let applied = follow.applied().revision;
        for event in events.iter().filter(|event| event.revision > applied) {
            let everything = match touched(event) {
                Touched::Everything => true,
                Touched::Keys(keys) => {
                    keys.into_iter().for_each(|key| self.board.touch(key, event.revision));
                    false
                }
            };
            let step = Link::of(event).ok_or(Lost { applied });
            match step.and_then(|link| follow.apply(&link)) {
                Ok(Step::Applied | Step::Known) if everything => {
                    self.forget();
                    self.board.begin(event.revision);
                }
                Ok(Step::Applied | Step::Known) => {}
                // This node's own, after another's that is not here yet: marked already, applied with the feed.
                Ok(Step::Ahead) => self.wants_events.notify_one(),
                Err(lost) => return self.lose(&mut state, lost),
            }
        }
        self.publish(follow);
    }

    fn lose(&self, state: &mut State, lost: Lost) {
        tracing::error!(
            applied = lost.applied,
            "history was lost: the database does not have what this node had applied; nothing is answered until what \
             was taken away in it is taken away again"
        );
        self.lost.fetch_add(1, Ordering::Relaxed);
        state.phase = Phase::Repairing;
        self.forget();
        self.changed.send_replace(());
        self.wants_beat.notify_one();
    }

    /// Notes that no heartbeat got through.
    pub(crate) fn failed(&self, error: &Error) {
        let cause = error.cause().map_or_else(|| error.to_string(), ToString::to_string);
        let before = self.state().failing.replace(cause.clone());
        if before.is_none() {
            tracing::warn!(%cause, "no heartbeat gets through");
        }
    }

    /// Notes how far the wall clock is from the database's.
    pub(crate) fn clock_ahead(&self, millis: Millis) {
        self.state().clock_ahead = millis;
    }

    /// Answers nothing any more.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.phase = Phase::Nowhere;
        self.forget();
        self.changed.send_replace(());
    }

    /// Where this node stands; `None` unless it follows.
    pub(crate) fn position(&self) -> Option<Position> {
        match &self.state().phase {
            Phase::Following(follow) => Some(follow.applied()),
            Phase::Nowhere | Phase::Repairing => None,
        }
    }

    /// How this node stands.
    pub(crate) fn pulse(&self) -> Pulse {
        let state = self.state();
        let (following, applied, head) = match &state.phase {
            Phase::Following(follow) => (true, follow.applied().revision, follow.head()),
            Phase::Nowhere | Phase::Repairing => (false, self.board.applied(), self.board.applied()),
        };
        Pulse {
            following,
            applied,
            head,
            beat: state.beat,
            freshness: state.freshness / MILLISECOND,
            failing: state.failing.clone(),
            clock_ahead: state.clock_ahead,
            lost: self.lost.load(Ordering::Relaxed),
            beats: self.beats.load(Ordering::Relaxed),
            late: self.late.load(Ordering::Relaxed),
        }
    }

    /// S, in nanoseconds, as of the last heartbeat.
    pub(crate) fn freshness(&self) -> Boot {
        self.state().freshness
    }

    /// Which of the other nodes have not beaten for so long that they can't be fresh any more.
    pub(crate) fn gone(&self, own: Uuid, nodes: &[Node], now: Boot) -> Vec<Node> {
        let mut state = self.state();
        let limit = GONE_AFTER.max(patience(state.longest).saturating_mul(3));
        state.others.retain(|id, _| nodes.iter().any(|node| node.id == *id));
        let still = |node: &&Node| {
            let (beats, since) = state.others.entry(node.id).or_insert((node.beats, now));
            if *beats != node.beats {
                (*beats, *since) = (node.beats, now);
            }
            now - *since > limit
        };
        nodes.iter().filter(|node| node.id != own).filter(still).cloned().collect()
    }

    /// Waits until `there`, shared by all who wait; not longer than it is worth.
    ///
    /// # Errors
    /// `unavailable`.
    pub(crate) async fn until(&self, there: impl Fn(&Board) -> bool) -> Result<()> {
        let mut changed = self.changed.subscribe();
        let wait = async {
            while !there(&self.board) {
                // Lives as long as `self`.
                let _ = changed.changed().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.map_err(|_| Error::unavailable("this node is not sure of the present state; try again"))
    }
}

impl Follower for Truth {
    fn stands(&self) -> Standing {
        match &self.state().phase {
            Phase::Nowhere => Standing::Nowhere,
            Phase::Following(follow) => Standing::At(follow.applied()),
            Phase::Repairing => Standing::Repairing,
        }
    }

    fn committed(&self, events: &[Recorded]) {
        self.take(events);
    }

    fn lost(&self) {
        let mut state = self.state();
        if let Phase::Following(follow) = &state.phase {
            let lost = Lost { applied: follow.applied().revision };
            self.lose(&mut state, lost);
        }
    }
}
