//! Rows of the ledger: its head and its events.

use std::sync::LazyLock;

use tokenhouse_model::chain::{GENESIS, Hash};
use tokenhouse_model::event::Recorded;
use tokenhouse_model::follow::Position;
use tokenhouse_model::{Error, Millis, Result, Uuid};

use crate::conn::Conn;
use crate::sql::{Bind as _, Row, Statement, args, row, statements};

row!(Recorded: "ledger_event" {
    revision, epoch, at, org_id, kind, subject, actor_account, actor_token, address, request_id, body, salt, body_hash, hash
});

/// Where the ledger ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Raised when history was lost.
    pub epoch: i64,
    /// The last event's position.
    pub revision: i64,
    /// The hash of the chain up to it; empty before the first event.
    pub hash: Vec<u8>,
    /// When the last event was written.
    pub at: Millis,
}

row!(Head: "" { epoch, revision, hash, at });

impl Head {
    /// As a place to follow from.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, revision: self.revision, hash: self.link() }
    }

    /// The hash from which the next event follows.
    pub fn link(&self) -> Hash {
        self.hash.as_slice().try_into().unwrap_or(GENESIS)
    }
}

macro_rules! columns {
    () => {
        "revision, epoch, at, org_id, kind, subject, actor_account, actor_token, address, request_id, body, salt, body_hash, hash"
    };
}

statements! {
    /// Takes the turn: on PostgreSQL the row's lock makes every other node wait, as BEGIN IMMEDIATE does on SQLite.
    TAKE_HEAD = "UPDATE ledger_head SET turns = turns + 1 WHERE id = 1 RETURNING epoch, revision, hash, at";
    HEAD = "SELECT epoch, revision, hash, at FROM ledger_head WHERE id = 1";
    SET_HEAD = "UPDATE ledger_head SET epoch = $1, revision = $2, hash = $3, at = $4 WHERE id = 1";
    PLACE = "SELECT epoch, revision, hash, at FROM ledger_event WHERE revision = $1";
    BY_REVISION = concat!("SELECT ", columns!(), " FROM ledger_event WHERE revision = $1");
    AFTER = concat!("SELECT ", columns!(), " FROM ledger_event WHERE revision > $1 ORDER BY revision LIMIT $2");
    AFTER_OF_ORG = concat!("SELECT ", columns!(), " FROM ledger_event WHERE org_id = $1 AND revision > $2
        ORDER BY revision LIMIT $3");
}

/// One statement for each power of two of events up to a batch of 64.
static INSERTS: LazyLock<[Statement; 7]> = LazyLock::new(|| {
    [0, 1, 2, 3, 4, 5, 6].map(|power| {
        let width = Recorded::COLUMNS.len();
        let rows: Vec<String> = (0..1_usize << power)
            .map(|row| {
                let places: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
                format!("({})", places.join(", "))
            })
            .collect();
        let text = format!("INSERT INTO ledger_event ({}) VALUES {}", columns!(), rows.join(", "));
        Statement::new("INSERT_EVENTS", text.leak())
    })
});

/// The statements that are made.
pub(crate) fn inserts() -> &'static [Statement] {
    INSERTS.as_slice()
}

/// Takes the head for this transaction.
pub(crate) async fn take(conn: &mut Conn<'_>) -> Result<Head> {
    let head = conn.one(&TAKE_HEAD, args![]).await?;
    head.ok_or_else(|| Error::internal("the ledger has no head"))
}

/// The head as it is.
///
/// # Errors
/// `unavailable`.
pub async fn head(conn: &mut Conn<'_>) -> Result<Head> {
    let head = conn.one(&HEAD, args![]).await?;
    head.ok_or_else(|| Error::internal("the ledger has no head"))
}

/// Where the event of this revision stands.
///
/// # Errors
/// `unavailable`.
pub async fn place(conn: &mut Conn<'_>, revision: i64) -> Result<Option<Head>> {
    conn.one(&PLACE, args![revision]).await
}

/// Moves the head.
pub(crate) async fn set_head(conn: &mut Conn<'_>, head: &Head) -> Result<()> {
    conn.run(&SET_HEAD, args![head.epoch, head.revision, head.hash, head.at]).await.map(|_| ())
}

/// Appends events, as few statements as their number allows.
pub(crate) async fn append(conn: &mut Conn<'_>, events: &[Recorded]) -> Result<()> {
    let mut rest = events;
    while !rest.is_empty() {
        let power = rest.len().ilog2().min(6);
        let (Some(statement), Some((now, later))) = (inserts().get(power as usize), rest.split_at_checked(1 << power))
        else {
            break;
        };
        let args: Vec<_> = now.iter().flat_map(Row::args).collect();
        conn.run(statement, &args).await?;
        rest = later;
    }
    Ok(())
}

/// The event of this revision.
///
/// # Errors
/// `unavailable`.
pub async fn event(conn: &mut Conn<'_>, revision: i64) -> Result<Option<Recorded>> {
    conn.one(&BY_REVISION, args![revision]).await
}

/// Events after this revision.
///
/// # Errors
/// `unavailable`.
pub async fn after(conn: &mut Conn<'_>, revision: i64, limit: i64) -> Result<Vec<Recorded>> {
    conn.all(&AFTER, args![revision, limit]).await
}

/// An org's events after this revision.
///
/// # Errors
/// `unavailable`.
pub async fn after_of_org(conn: &mut Conn<'_>, org: Uuid, revision: i64, limit: i64) -> Result<Vec<Recorded>> {
    conn.all(&AFTER_OF_ORG, args![org, revision, limit]).await
}
