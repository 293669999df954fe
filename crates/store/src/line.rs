//! Connections of one's own that are made again when they break: for the heartbeat and for the feed, so that neither
//! waits behind requests, and a broken one is never asked twice.

use std::sync::Arc;

use tokenhouse_model::chain::Hash;
use tokenhouse_model::event::Recorded;
use tokenhouse_model::follow::Position;
use tokenhouse_model::{ErrorKind, Millis, Result, Uuid};
use tokio::sync::Mutex;

use crate::conn::{Conn, Location, Single};
use crate::ledger::{self, Head};
use crate::nodes::{self, Freshness, Node};
use crate::schema;

/// Who may write to a SQLite file next. SQLite wakes nobody who waits for its lock, so a busy writer would starve the
/// heartbeat; within one process they take turns here, first come, first served.
pub(crate) type Turn = Arc<Mutex<()>>;

/// A connection that is taken for a use and put back after it; one whose use was cut short is gone.
#[derive(Debug)]
struct Line {
    location: Location,
    single: Option<Single>,
}

impl Line {
    async fn take(&mut self) -> Result<Single> {
        match self.single.take() {
            Some(single) => Ok(single),
            None => self.location.connect(false).await,
        }
    }
}

/// How long a heartbeat waits for a file that somebody else has locked, in milliseconds.
const BRIEFLY: &str = "PRAGMA busy_timeout = 150";

/// The connection of the heartbeat.
#[derive(Debug)]
pub struct Heart {
    line: Line,
    turn: Option<Turn>,
}

/// What a committed heartbeat read.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Whether the node was registered before. If not, its row was seen by nobody until this heartbeat was committed: a
    /// receipt may have been confirmed without it meanwhile.
    pub registered: bool,
    /// The head of the ledger.
    pub head: Head,
    /// The event at the revision that was asked about; `None` if there is none.
    pub there: Option<Head>,
    /// S, and what it was before.
    pub freshness: Freshness,
    /// The database's time; `None` where the database is a file of this machine.
    pub database: Option<Millis>,
    /// Every registered node, this one included.
    pub nodes: Vec<Node>,
}

impl Heart {
    pub(crate) fn new(location: Location, turn: Turn) -> Self {
        let turn = matches!(location, Location::Sqlite(_)).then_some(turn);
        Self { line: Line { location, single: None }, turn }
    }

    /// Writes this node's row, registering it if it has none, removes `gone` ones, and reads what there is to hear, all
    /// in one transaction. To be dropped when it takes too long: the next one connects anew.
    ///
    /// Where the database does not have the event that the node says it has applied, with this hash, nothing is
    /// committed: others must not take for an acknowledgement what another history was told.
    ///
    /// # Errors
    /// `unavailable`. Whether it was committed is not known then, and does not matter.
    pub async fn beat(&mut self, node: &Node, hash: Hash, gone: &[Node]) -> Result<Heard> {
        let _turn = match &self.turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let mut single = self.line.take().await?;
        let mut conn = single.conn();
        let writes = Self::begin(&mut conn).await?;
        let heard = Self::say(&mut conn, node, gone, writes).await?;
        let same = node.applied == 0 || heard.there.as_ref().is_some_and(|there| there.link() == hash);
        conn.raw(if same && writes { "COMMIT" } else { "ROLLBACK" }).await?;
        self.line.single = Some(single);
        Ok(heard)
    }

    /// Begins, and tells whether this heartbeat can be written. A file that somebody else has locked can still be read,
    /// and what is read of it is all that there is: no other primary could be behind it. So reading keeps a node fresh
    /// there; its acknowledgements wait.
    async fn begin(conn: &mut Conn<'_>) -> Result<bool> {
        if !conn.is_sqlite() {
            return conn.raw("BEGIN").await.map(|()| true);
        }
        conn.raw(BRIEFLY).await?;
        match conn.raw("BEGIN IMMEDIATE").await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Unavailable => conn.raw("BEGIN").await.map(|()| false),
            Err(error) => Err(error),
        }
    }

    async fn say(conn: &mut Conn<'_>, node: &Node, gone: &[Node], writes: bool) -> Result<Heard> {
        let mut registered = writes && nodes::beat(conn, node).await?;
        for node in gone.iter().filter(|_| writes) {
            nodes::remove(conn, node).await?;
        }
        // S before the head: one that is raised in between must not count for what was read before.
        let freshness = nodes::freshness(conn).await?;
        let head = ledger::head(conn).await?;
        let there = ledger::place(conn, node.applied).await?;
        let (database, nodes) = (schema::time(conn).await?, nodes::all(conn).await?);
        if !writes {
            registered = nodes.iter().any(|there| there.id == node.id);
        }
        Ok(Heard { registered, freshness, head, there, database, nodes })
    }

    /// Takes this node's row away: it answers no more.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn leave(&mut self, id: Uuid) -> Result<()> {
        let _turn = match &self.turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let mut single = self.line.take().await?;
        nodes::leave(&mut single.conn(), id).await
    }
}

/// The connection of the feed.
#[derive(Debug)]
pub struct Feed {
    line: Line,
}

impl Feed {
    pub(crate) fn new(location: Location) -> Self {
        Self { line: Line { location, single: None } }
    }

    /// Events after this revision, at most so many. To be dropped when it takes too long.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn after(&mut self, revision: i64, limit: i64) -> Result<Vec<Recorded>> {
        let mut single = self.line.take().await?;
        let events = ledger::after(&mut single.conn(), revision, limit).await?;
        self.line.single = Some(single);
        Ok(events)
    }
}

/// Who follows the ledger in this process. It is told what this node commits before anyone is answered.
pub trait Follower: std::fmt::Debug + Send + Sync {
    /// Up to where it follows.
    fn stands(&self) -> Standing;

    /// Takes events that were committed, in the order of the ledger, the last of them by this node.
    fn committed(&self, events: &[Recorded]);

    /// The database does not have what was followed.
    fn lost(&self);
}

/// How far someone follows the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It follows nothing yet.
    Nowhere,
    /// Up to here.
    At(Position),
    /// History was lost and what was taken away is not yet taken away again: until then nothing else is written.
    Repairing,
}
