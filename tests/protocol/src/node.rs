//! A node: what it follows, what it remembers, and what it has on its way.

use tokenhouse_model::follow::{Beat, Boot, Follow, Position, Tag};

/// What a fill read in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Snapshot {
    /// The era that was noted when the fill began.
    pub era: u64,
    /// The head's revision in the snapshot.
    pub revision: i64,
    /// Whether the token was good.
    pub good: bool,
    /// In which history it was read. No node can see this.
    pub history: u8,
}

impl Snapshot {
    /// As of when it was read.
    pub fn tag(&self) -> Tag {
        Tag { era: self.era, revision: self.revision }
    }
}

/// A fill under way. Who leads it is one of the requests, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fill {
    /// The era when it began, or began again.
    pub era: u64,
    /// What came back.
    pub read: Option<Snapshot>,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The clock was read after it arrived, and the node was fresh.
    Cleared,
    /// It leads the fill.
    Leading,
    /// It joined the fill before anything came back.
    Joined,
    /// It joined the fill, and this came back.
    Holding(Snapshot),
}

/// A request in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    /// It arrived when the answer could no longer be yes.
    pub late: bool,
    /// The era when the clock was read for it.
    pub era: u64,
    /// How far it is.
    pub phase: Phase,
}

/// A heartbeat under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flight {
    /// Its transaction has read what it reads, and is not committed. `makes`: there was no row of the node.
    Open { beat: Beat, makes: bool },
    /// It is committed; its answer is under way. `counts`: it may make the node fresh.
    Answer { beat: Beat, counts: bool },
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// How often it was started. A life has a row of its own.
    pub life: u8,
    /// How often it dropped its memory because it was behind.
    pub drops: u8,
    /// The transaction that registers it is open; when it was sent, and the head that it read.
    pub joining: Option<(Boot, Position)>,
    /// None: it runs not, is not registered yet, or has noticed that history was lost.
    pub follow: Option<Follow>,
    /// The life of its memory.
    pub era: u64,
    /// The mark of the token.
    pub mark: i64,
    /// A mark that is yet to be set, where the rule about it is left out.
    pub unmarked: Option<i64>,
    /// What it remembers of the token.
    pub entry: Option<Snapshot>,
    /// Its fill.
    pub fill: Option<Fill>,
    /// Its heartbeat.
    pub flight: Option<Flight>,
    /// When the last heartbeat that it heard of was sent, and the head that it told: not to beat twice to no use.
    pub heard: Option<(Boot, i64)>,
    /// Requests in hand, sorted: which of two equal ones is which does not matter.
    pub requests: Vec<Request>,
    /// It has noticed that history was lost and has not replayed its journal yet.
    pub lost: bool,
    /// The history that it knows to be lost is older than this. No node can see this.
    pub noticed: u8,
    /// It has applied the revocation in this life. No node can see this.
    pub knew: bool,
}

impl Node {
    /// One that does not run.
    pub fn off(life: u8) -> Self {
        Self {
            life,
            drops: 0,
            joining: None,
            follow: None,
            era: 1,
            mark: 0,
            unmarked: None,
            entry: None,
            fill: None,
            flight: None,
            heard: None,
            requests: Vec::new(),
            lost: false,
            noticed: 0,
            knew: false,
        }
    }

    /// Begins to follow. What is still in memory is not looked for: its era tells that it is nothing worth.
    pub fn begin(&mut self, follow: Follow, mark: i64) {
        self.mark = mark;
        self.follow = Some(follow);
        self.unmarked = None;
        self.heard = None;
    }

    /// Notices that history was lost: until the journal is replayed nothing is answered.
    pub fn notice(&mut self, history: u8) {
        self.follow = None;
        self.lost = true;
        self.noticed = history;
    }

    /// The fill rule, with what this node knows now.
    pub fn holds(&self, snapshot: &Snapshot) -> bool {
        snapshot.tag().holds(self.era, self.mark)
    }

    /// Revision up to which it has applied the ledger.
    pub fn applied(&self) -> Option<i64> {
        self.follow.as_ref().map(|follow| follow.applied().revision)
    }
}
