//! The one database: the ledger with its real chain, and the rows of the nodes.

use tokenhouse_model::chain::{self, GENESIS};
use tokenhouse_model::follow::{Acknowledged, Link, Position};

/// An event of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Where it stands.
    pub link: Link,
    /// Whether it revokes the token. There is one token, and nothing makes it good again.
    pub revokes: bool,
}

/// The row of a registered node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// What its last committed heartbeat told.
    pub told: Acknowledged,
    /// When that was; noted only where rows are taken away.
    pub at: u8,
}

/// What is committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    /// The ledger.
    pub events: Vec<Event>,
    /// The rows, by the number of the node's life.
    pub rows: Vec<Option<Row>>,
    /// Whether S was changed.
    pub changed: bool,
    /// How often history was lost.
    pub history: u8,
}

impl Database {
    /// An empty ledger, and so many rows that can be.
    pub fn new(rows: usize) -> Self {
        Self { events: Vec::new(), rows: vec![None; rows], changed: false, history: 0 }
    }

    /// The head.
    pub fn head(&self) -> Position {
        self.events.last().map_or(Position { epoch: 1, revision: 0, hash: GENESIS }, |event| at(&event.link))
    }

    /// The event of this revision.
    pub fn event(&self, revision: i64) -> Option<&Event> {
        self.events.get(usize::try_from(revision.checked_sub(1)?).ok()?)
    }

    /// Whether the token is good.
    pub fn good(&self) -> bool {
        !self.events.iter().any(|event| event.revokes)
    }

    /// Writes the next event. Bodies are salted: that of another history never has the same hash.
    pub fn write(&mut self, epoch: i64, revokes: bool) -> Position {
        let head = self.head();
        let mut body_hash = [self.history; 32];
        body_hash[0] = u8::from(revokes);
        let revision = head.revision + 1;
        let hash = chain::link(&head.hash, epoch, revision, &body_hash);
        let link = Link { epoch, revision, body_hash, hash };
        self.events.push(Event { link, revokes });
        at(&link)
    }
}

/// The place of an event.
fn at(link: &Link) -> Position {
    Position { epoch: link.epoch, revision: link.revision, hash: link.hash }
}
