//! What stands outside the database: the journal that the writer appends to, and whether that works.

use std::sync::{Mutex, PoisonError};

use tokenhouse_model::event::Recorded;
use tokenhouse_model::{Millis, Result};

use crate::journal::{Entry, JournalWriter};
use crate::ledger::Head;

/// Entries that are remembered while the journal can't be written; beyond it the next start catches up.
const MOST_PENDING: usize = 100_000;

/// When a checkpoint is due.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints {
    /// After so many events.
    pub events: i64,
    /// After so many milliseconds, if anything happened.
    pub millis: Millis,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { events: 1000, millis: 60_000 }
    }
}

/// The journal in use.
#[derive(Debug)]
pub(crate) struct Outside {
    due: Checkpoints,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    writer: JournalWriter,
    /// What could not be written yet.
    pending: Vec<Entry>,
    failure: Option<String>,
    /// Revision and time of the last checkpoint.
    checkpoint: (i64, Millis),
}

impl Outside {
    pub(crate) fn new(writer: JournalWriter, due: Checkpoints, head: &Head) -> Self {
        let state = State { writer, pending: Vec::new(), failure: None, checkpoint: (head.revision, head.at) };
        Self { due, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is whole between any two statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a transaction took away, and a checkpoint when one is due. Tells whether all of it is on the disk.
    pub(crate) fn keep(&self, head: &Head, events: &[Recorded], removals: &[Entry]) -> bool {
        if events.is_empty() {
            return true;
        }
        let mut state = self.state();
        let (revision, at) = state.checkpoint;
        let due = head.revision - revision >= self.due.events || head.at - at >= self.due.millis;
        if removals.is_empty() && !due && state.pending.is_empty() {
            return true;
        }
        state.pending.extend_from_slice(removals);
        if due {
            state.checkpoint = (head.revision, head.at);
            state.pending.push(Entry::checkpoint(head.epoch, head.revision, &head.hash, head.at));
        }
        let written = state.flush();
        written || removals.is_empty()
    }

    /// Writes a checkpoint at this head if the last one is older, whatever is due.
    pub(crate) fn checkpoint(&self, head: &Head) -> Result<()> {
        let mut state = self.state();
        if head.revision > state.checkpoint.0 {
            state.checkpoint = (head.revision, head.at);
            state.pending.push(Entry::checkpoint(head.epoch, head.revision, &head.hash, head.at));
        }
        state.flush();
        state.failure.clone().map_or(Ok(()), |failure| Err(tokenhouse_model::Error::internal(failure)))
    }

    /// Writes what could not be written yet, if that is possible now.
    pub(crate) fn flush(&self) {
        self.state().flush();
    }

    /// Why the journal can't be written, while it can't.
    pub(crate) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }
}

impl State {
    fn flush(&mut self) -> bool {
        if self.pending.is_empty() {
            return self.failure.is_none();
        }
        match self.writer.append(&self.pending) {
            Ok(()) => {
                self.pending.clear();
                if self.failure.take().is_some() {
                    tracing::info!("the journal can be written again");
                }
                true
            }
            Err(error) => {
                let cause = error.cause().map_or_else(|| error.to_string(), ToString::to_string);
                tracing::error!(%cause, "the journal can't be written: revocations stand in the database alone");
                self.failure = Some(cause);
                self.pending.truncate(MOST_PENDING);
                false
            }
        }
    }
}
