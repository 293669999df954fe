//! Walking the ledger from outside: `tokenhouse ledger verify`.

use std::path::Path;

use tokenhouse_model::chain::{Fault, Walk};
use tokenhouse_model::event::{Body, EventKind};
use tokenhouse_model::{Error, Result};

use crate::conn::Location;
use crate::journal::{Entry, Journal};
use crate::keys::{MasterKey, unhex};
use crate::{DATABASE_ID, ledger, schema};

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

/// Walks the chain from its beginning and compares it with the journal, changing nothing.
///
/// # Errors
/// `unavailable`, `conflict` for a database that is not ours.
pub async fn walk(location: &Location, journal: &Path, key: &MasterKey) -> Result<Findings> {
    let mut single = location.connect(false).await?;
    let mut conn = single.conn();
    if schema::state(&mut conn).await? == schema::State::Empty {
        return Err(Error::not_found("installation in this database"));
    }
    conn.begin_snapshot().await?;
    let database = schema::setting(&mut conn, DATABASE_ID).await?.unwrap_or_default();
    let head = ledger::head(&mut conn).await?;
    let contents = Journal::at(journal, &database, key.clone()).read()?;
    let mut found = Findings { unreadable: contents.unreadable, ..Findings::default() };
    let mut restores: Vec<(i64, i64)> = Vec::new();
    let mut entries = contents.entries;
    entries.sort_by_key(|entry| entry.revision);
    let mut entries = entries.into_iter().peekable();
    let mut unmatched: Vec<Entry> = Vec::new();
    let mut walk = Walk::default();
    'walk: loop {
        let events = ledger::after(&mut conn, walk.revision, 1000).await?;
        if events.is_empty() {
            break;
        }
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
                let kept = body.details.get("kept_revision").and_then(serde_json::Value::as_i64).unwrap_or(0);
                restores.push((event.epoch, kept));
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
    unmatched.extend(entries);
    for entry in unmatched {
        let recorded = restores.iter().any(|(epoch, kept)| entry.epoch < *epoch && entry.revision > *kept);
        if recorded {
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
