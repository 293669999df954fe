//! Walking the ledger from outside: `tokenhouse ledger verify`.

use std::path::Path;

use tokenhouse_model::chain::{Fault, Walk};
use tokenhouse_model::event::{Body, EventKind, Recorded};
use tokenhouse_model::hex::unhex;
use tokenhouse_model::{Error, ErrorKind, Result};

use crate::conn::{Conn, Location};
use crate::journal::{Entry, Journal};
use crate::keys::MasterKey;
use crate::{DATABASE_ID, MASTER_KEY_ID, ledger, schema};

/// What a walk over the whole ledger found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The epoch of the ledger's end.
    pub epoch: i64,
    /// The last revision.
    pub revision: i64,
    /// Events whose body was redacted.
    pub redacted: u64,
    /// Journal entries that were compared.
    pub compared: usize,
    /// The last revision that the journal vouches for.
    pub vouched: i64,
    /// Journal entries from history that was lost in a restore and recorded as such.
    pub restored: usize,
    /// Journal lines that can't be read.
    pub unreadable: usize,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

/// A restore that the ledger records. It excuses what it lost only if the journal vouches for it: otherwise whoever
/// rewrites the ledger would write that excuse too.
struct Restore {
    epoch: i64,
    revision: i64,
    /// Epoch and revision of the last entry that was kept.
    kept: (i64, i64),
}

impl Restore {
    fn lost(&self, entry: &Entry) -> bool {
        entry.epoch < self.epoch && (entry.epoch, entry.revision) > self.kept
    }
}

/// Walks the chain from its beginning and compares it with the journal, changing nothing.
///
/// # Errors
/// `unavailable`, `conflict` for a database that is not ours or of another master key.
pub async fn walk(location: &Location, journal: &Path, key: &MasterKey) -> Result<Findings> {
    let mut single = location.peek().await?;
    let mut conn = single.conn();
    if schema::state(&mut conn).await? == schema::State::Empty {
        return Err(Error::not_found("installation in this database"));
    }
    conn.begin_snapshot().await?;
    let database = schema::setting(&mut conn, DATABASE_ID).await?.unwrap_or_default();
    // Under another key every line of the journal would look forged.
    key.must_be(&schema::setting(&mut conn, MASTER_KEY_ID).await?.unwrap_or_default())?;
    let head = ledger::head(&mut conn).await?;
    let contents = Journal::at(journal, &database, key.clone()).read()?;
    let mut found = Findings { unreadable: contents.unreadable, ..Findings::default() };
    let mut restores: Vec<Restore> = Vec::new();
    let mut entries = contents.entries;
    entries.sort_by_key(|entry| entry.revision);
    let mut entries = entries.into_iter().peekable();
    let mut unmatched: Vec<Entry> = Vec::new();
    let mut walk = Walk::default();
    'walk: loop {
        let events = match page(&mut conn, walk.revision).await? {
            Ok(events) if events.is_empty() => break,
            Ok(events) => events,
            Err(fault) => {
                found.faults.push(fault);
                break;
            }
        };
        for event in &events {
            if let Err(fault) = walk.step(event) {
                found.faults.push(fault.to_string());
                if matches!(fault, Fault::Missing(_) | Fault::Broken(_) | Fault::Edited(_)) {
                    break 'walk;
                }
            }
            found.epoch = event.epoch;
            if event.kind == EventKind::JournalReplayed
                && let Ok(body) = serde_json::from_str::<Body>(&event.body)
            {
                let number = |name| body.details.get(name).and_then(serde_json::Value::as_i64).unwrap_or(0);
                let kept = (number("kept_epoch"), number("kept_revision"));
                restores.push(Restore { epoch: event.epoch, revision: event.revision, kept });
            }
            while let Some(entry) = entries.next_if(|entry| entry.revision <= event.revision) {
                if entry.revision == event.revision
                    && entry.epoch == event.epoch
                    && unhex(&entry.hash).is_some_and(|hash| hash == walk.hash)
                {
                    found.compared += 1;
                    found.vouched = event.revision;
                } else {
                    unmatched.push(entry);
                }
            }
        }
    }
    found.revision = walk.revision;
    found.redacted = walk.redacted;
    let broken = !found.faults.is_empty();
    if !broken && (head.revision != walk.revision || head.link() != walk.hash) {
        found.faults.push(format!(
            "the head says revision {}, but the events end at {}: events were removed from the end",
            head.revision, walk.revision
        ));
    }
    if found.redacted > 0 {
        // The chain stands a redaction, but nothing in this version makes one: somebody hides an edit.
        let number = found.redacted;
        found.faults.push(format!("the content of {number} events was taken away, so what they say can't be checked"));
    }
    unmatched.extend(entries);
    for entry in unmatched {
        if restores.iter().any(|restore| restore.revision <= found.vouched && restore.lost(&entry)) {
            found.restored += 1;
        } else if entry.revision > walk.revision {
            if !broken {
                found.faults.push(format!(
                    "the ledger was cut: the journal vouches for revision {} of epoch {}, the ledger ends at {}",
                    entry.revision, entry.epoch, walk.revision
                ));
                break;
            }
        } else {
            found
                .faults
                .push(format!("the event at revision {} is not the one that the journal vouches for", entry.revision));
            break;
        }
    }
    conn.end_snapshot().await?;
    Ok(found)
}

/// Events that are read at once.
const PAGE: i64 = 1000;

/// The next events; where one of them holds what can't even be read, those before it, or what is wrong with it.
async fn page(conn: &mut Conn<'_>, after: i64) -> Result<Result<Vec<Recorded>, String>> {
    match ledger::after(conn, after, PAGE).await {
        Err(error) if error.kind() == ErrorKind::Internal => {}
        read => return read.map(Ok),
    }
    let mut events = Vec::new();
    for revision in after + 1..=after + PAGE {
        let fault = match ledger::event(conn, revision).await {
            Ok(Some(event)) => {
                events.push(event);
                continue;
            }
            Ok(None) => Fault::Missing(revision),
            Err(error) if error.kind() == ErrorKind::Internal => Fault::Edited(revision),
            Err(error) => return Err(error),
        };
        return Ok(if events.is_empty() { Err(fault.to_string()) } else { Ok(events) });
    }
    Ok(Ok(events))
}
