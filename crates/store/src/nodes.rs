//! Rows of the nodes that are registered, and S, which is the same for all of them.

use serde::{Deserialize, Serialize};
use tokenhouse_model::follow::{Acknowledged, FRESHNESS, FRESHNESS_BOUNDS};
use tokenhouse_model::{Error, Millis, Result, Uuid};

use crate::conn::Conn;
use crate::schema;
use crate::sql::{Bind as _, args, row, statements};

/// A registered node, as its last heartbeat tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Made anew at each start.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// When it started, in epoch milliseconds.
    pub started_at: Millis,
    /// When it last beat by its own `now`, in epoch milliseconds; for people only.
    pub beat_at: Millis,
    /// How many heartbeats it has committed.
    pub beats: i64,
    /// The epoch in which it stands.
    pub epoch: i64,
    /// The revision up to which it has applied the ledger.
    pub applied: i64,
}

row!(Node: "node" { id, name, started_at, beat_at, beats, epoch, applied });

impl Node {
    /// What it has acknowledged.
    pub fn acknowledged(&self) -> Acknowledged {
        Acknowledged { epoch: self.epoch, applied: self.applied }
    }
}

statements! {
    REGISTER = "INSERT INTO node (id, name, started_at, beat_at, beats, epoch, applied)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    BEAT = "UPDATE node SET beat_at = $2, beats = $3, epoch = $4, applied = $5 WHERE id = $1";
    ALL = "SELECT id, name, started_at, beat_at, beats, epoch, applied FROM node ORDER BY name, id LIMIT 1000";
    LEAVE = "DELETE FROM node WHERE id = $1";
    /// Only as it was seen: one that beat since lives.
    REMOVE = "DELETE FROM node WHERE id = $1 AND beats = $2";
}

/// Writes a node's heartbeat, registering it if it has no row. Tells whether it had one.
pub(crate) async fn beat(conn: &mut Conn<'_>, node: &Node) -> Result<bool> {
    let args = args![node.id, node.beat_at, node.beats, node.epoch, node.applied];
    if conn.run(&BEAT, args).await? > 0 {
        return Ok(true);
    }
    conn.insert(&REGISTER, node).await.map(|()| false)
}

/// Every registered node, by name.
///
/// # Errors
/// `unavailable`.
pub async fn all(conn: &mut Conn<'_>) -> Result<Vec<Node>> {
    conn.all(&ALL, args![]).await
}

/// Takes a node's row away.
pub(crate) async fn leave(conn: &mut Conn<'_>, id: Uuid) -> Result<()> {
    conn.run(&LEAVE, args![id]).await.map(|_| ())
}

/// Takes the row of a node away that has not beaten since it was read so.
pub(crate) async fn remove(conn: &mut Conn<'_>, node: &Node) -> Result<()> {
    conn.run(&REMOVE, args![node.id, node.beats]).await.map(|_| ())
}

/// The name of the setting that holds S.
const SETTING: &str = "freshness";

/// S, and what it was before: a node may still be answering by the longer of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// S, in milliseconds.
    pub millis: Millis,
    /// What it was before, in milliseconds.
    pub before: Millis,
    /// When it was changed, in epoch milliseconds.
    pub changed_at: Millis,
}

impl Freshness {
    /// The longest that a node may be going by, in milliseconds.
    pub fn longest(self) -> Millis {
        self.millis.max(self.before)
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self { millis: FRESHNESS, before: FRESHNESS, changed_at: 0 }
    }
}

/// S and what it was before.
///
/// # Errors
/// `unavailable`; `internal` where the setting holds something else.
pub async fn freshness(conn: &mut Conn<'_>) -> Result<Freshness> {
    let Some(text) = schema::setting(conn, SETTING).await? else { return Ok(Freshness::default()) };
    let stored: Freshness = serde_json::from_str(&text).map_err(Error::internal)?;
    if FRESHNESS_BOUNDS.contains(&stored.millis) && FRESHNESS_BOUNDS.contains(&stored.before) {
        Ok(stored)
    } else {
        Err(Error::internal("the stored freshness is out of its bounds"))
    }
}

/// Sets S.
///
/// # Errors
/// `unavailable`.
pub async fn set_freshness(conn: &mut Conn<'_>, freshness: Freshness) -> Result<()> {
    let text = serde_json::to_string(&freshness).map_err(Error::internal)?;
    schema::change(conn, SETTING, &text).await
}
