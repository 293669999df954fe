//! The writer's transaction: an operation's hold on it, and what was written in it so far.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokenhouse_model::env::Random;
use tokenhouse_model::event::{Actor, Event, Recorded, Removal};
use tokenhouse_model::{Error, Millis, Result, chain};

use crate::conn::Conn;
use crate::journal::Entry;
use crate::writer::Turn;
use crate::{fault, ledger};

/// An operation's hold on the writer's transaction.
#[derive(Debug)]
pub struct Tx<'c> {
    conn: Conn<'c>,
    now: Millis,
    epoch: i64,
    /// Epoch and revision of the ledger's end before this operation.
    head: (i64, i64),
    events: Vec<(Actor, Event)>,
}

impl<'c> Tx<'c> {
    /// The verbs of its connection.
    pub fn conn(&mut self) -> &mut Conn<'c> {
        &mut self.conn
    }

    /// The time of this transaction, the same for all that it writes.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Epoch and revision at which the last event recorded so far will stand, should this be committed.
    pub fn position(&self) -> (i64, i64) {
        let more = i64::try_from(self.events.len()).unwrap_or(0);
        (self.head.0, self.head.1 + more)
    }

    /// Begins a new epoch with the events of this operation: history was lost.
    pub(crate) fn raise_epoch(&mut self, epoch: i64) {
        self.epoch = epoch;
    }

    /// Records what this operation changed.
    pub fn record(&mut self, actor: &Actor, event: Event) {
        self.events.push((actor.clone(), event));
    }
}

/// What a transaction has written so far.
pub(crate) struct Draft {
    pub(crate) head: ledger::Head,
    pub(crate) now: Millis,
    pub(crate) events: Vec<Recorded>,
    pub(crate) removals: Vec<Entry>,
}

impl Draft {
    /// Puts events at the end of the chain.
    pub(crate) fn take(&mut self, written: Written, random: &Random) -> Result<()> {
        self.head.epoch = self.head.epoch.max(written.epoch);
        for (actor, event) in written.events {
            let mut recorded = Recorded {
                revision: self.head.revision + 1,
                epoch: self.head.epoch,
                at: self.now,
                org_id: event.org_id,
                kind: event.kind,
                subject: event.subject,
                actor_account: actor.account,
                actor_token: actor.token,
                address: actor.address,
                request_id: actor.request_id,
                body: serde_json::to_string(&event.body).map_err(Error::internal)?,
                salt: random.bytes::<16>().to_vec(),
                body_hash: Vec::new(),
                hash: Vec::new(),
            };
            recorded.body_hash = chain::body_hash(&recorded).to_vec();
            recorded.hash =
                chain::link(&self.head.link(), recorded.epoch, recorded.revision, &recorded.body_hash).to_vec();
            self.head.revision = recorded.revision;
            self.head.hash.clone_from(&recorded.hash);
            self.head.at = self.now;
            let removals: Vec<Removal> = event.body.removals;
            if !removals.is_empty() {
                self.removals.push(Entry::of(&recorded, removals));
            }
            self.events.push(recorded);
        }
        Ok(())
    }
}

/// What an operation wants written into the ledger.
pub(crate) struct Written {
    epoch: i64,
    events: Vec<(Actor, Event)>,
}

/// Runs one operation within a savepoint. The outer error means that the whole transaction is lost.
pub(crate) async fn one(
    conn: &mut Conn<'_>,
    turn: &mut dyn Turn,
    now: Millis,
    head: (i64, i64),
) -> Result<Result<Written>> {
    conn.raw("SAVEPOINT turn").await?;
    let before = conn.changed;
    let mut tx = Tx { conn: conn.reborrow(), now, epoch: 0, head, events: Vec::new() };
    let outcome = AssertUnwindSafe(turn.run(&mut tx)).catch_unwind().await;
    let Tx { conn: mut used, epoch, events, .. } = tx;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::internal("an operation panicked")),
    };
    match outcome {
        Ok(()) => {
            used.raw("RELEASE SAVEPOINT turn").await?;
            let (changed, retryable) = (used.changed, used.retryable);
            conn.absorb(changed, retryable);
            Ok(Ok(Written { epoch, events }))
        }
        Err(error) => {
            let retryable = used.retryable;
            conn.absorb(before, retryable);
            // Trouble of the database is everybody's; a retry starts over.
            if fault::of_database(&error) || retryable {
                return Err(error);
            }
            conn.raw("ROLLBACK TO SAVEPOINT turn").await?;
            conn.raw("RELEASE SAVEPOINT turn").await?;
            Ok(Err(error))
        }
    }
}
