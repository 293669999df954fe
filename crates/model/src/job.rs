//! Jobs: work of the house that takes more than one transaction, done by one node at a time (design 3, 6).
//!
//! A node holds a job by a lease with a fence. The lease says until when others keep away; the fence is a number that
//! grows whenever the job changes hands, so a node that slept through the end of its lease is known by its old number.
//! Jobs delete by the clock, so they stop when the clock can't be believed, until somebody confirms that it is right.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::Actor;
use crate::follow::{Boot, MILLISECOND};
use crate::macros::words;
use crate::search::{Condition, TokenField};
use crate::{Error, Millis, Result};

/// Time that was off by more than this, in milliseconds, holds the jobs.
pub const JUMP: Millis = 600_000;
/// How long a lease lasts from its last renewal, in milliseconds.
pub const LEASE: Millis = 60_000;

words! {
    /// What a job does.
    pub enum JobKind ("kind") {
        /// Deletes kept answers that expired, use that is too old, and jobs that ended long ago. It comes back every hour.
        Forget = "forget",
        /// Revokes the tokens that a search finds. Somebody asked for it, and it ends.
        RevokeTokens = "revoke_tokens",
    }
}

impl JobKind {
    /// The kinds that the house does by itself. Each has one row.
    pub const HOUSE: &'static [Self] = &[Self::Forget];

    /// The id of its one row, the same in every installation; nil for a kind that has one for everybody who asks.
    pub const fn id(self) -> Uuid {
        match self {
            Self::Forget => Uuid::from_u128(0x0000_0000_0000_7000_8001_0000_0000_0001),
            Self::RevokeTokens => Uuid::nil(),
        }
    }

    /// From the begin of one run to the next, in milliseconds; 0 for a kind that has one run.
    pub const fn every(self) -> Millis {
        match self {
            Self::Forget => 3_600_000,
            Self::RevokeTokens => 0,
        }
    }
}

words! {
    /// How a job is.
    pub enum JobState ("state") {
        /// For its time.
        Waiting = "waiting",
        /// A node does it, or did until it died.
        Running = "running",
        /// It does nothing until somebody confirms it.
        Held = "held",
        /// All that was asked for is done.
        Done = "done",
        /// Somebody stopped it. What it did stays done.
        Cancelled = "cancelled",
        /// It could not go on. What it did stays done.
        Failed = "failed",
    }
}

impl JobState {
    /// Whether nothing comes after it.
    pub const fn ended(self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Held => false,
            Self::Done | Self::Cancelled | Self::Failed => true,
        }
    }
}

words! {
    /// Why a job could not go on.
    pub enum Failed ("reason") {
        /// Whoever asked for it may no longer do that, or is no longer there.
        Refused = "refused",
        /// Finding what is left takes too long.
        TooSlow = "too_slow",
    }
}

/// What somebody asked for: revoke every token that meets the conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The conditions.
    pub conditions: Vec<Condition<TokenField>>,
    /// Tokens that were made after this are left alone.
    pub until: Millis,
    /// Where the rest begins; `None` at the begin.
    pub cursor: Option<String>,
    /// Tokens that were found, but ended in another way before their turn came.
    pub skipped: i64,
    /// Why it failed, if it did.
    pub failed: Option<Failed>,
    /// Who asked, by which token, from where.
    pub asker: Actor,
}

words! {
    /// Why a clock is not believed.
    pub enum Why ("reason") {
        /// It was set, or the machine's time stood still: the boot-time clock tells another tale.
        TimeJumped = "time_jumped",
        /// When the node started, it was before the last event of the ledger.
        BehindLedger = "clock_behind_ledger",
        /// It is before the last run of the job.
        BehindLastRun = "clock_behind_last_run",
    }
}

/// What both clocks of a node show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Epoch milliseconds as shown, which may go back.
    pub now: Millis,
    /// The boot-time clock.
    pub boot: Boot,
}

/// By how much `now` moved more (or, negative, less) than time went by, in milliseconds, if that is a jump.
pub fn jumped(before: Moment, after: Moment) -> Option<Millis> {
    let moved = after.now.saturating_sub(before.now);
    let passed = after.boot.saturating_sub(before.boot) / MILLISECOND;
    off(moved.saturating_sub(passed))
}

fn off(by: Millis) -> Option<Millis> {
    (by.saturating_abs() > JUMP).then_some(by)
}

/// A reason not to believe the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What was seen.
    pub why: Why,
    /// How far the clock is ahead of what was expected, in milliseconds; negative if it is behind.
    pub by: Millis,
}

/// What a node knows of its time: the last moment that it saw, and a doubt that does not stand in the rows yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeWatch {
    last: Option<Moment>,
    doubt: Option<Doubt>,
}

impl TimeWatch {
    /// Whether it saw any moment yet.
    pub fn begun(&self) -> bool {
        self.last.is_some()
    }

    /// Takes the first moment, to be compared with the time of the last event in the ledger.
    pub fn begin(&mut self, seen: Moment, ledger: Millis) {
        let by = seen.now.saturating_sub(ledger);
        if let Some(by) = off(by).filter(|by| *by < 0) {
            self.doubt = Some(Doubt { why: Why::BehindLedger, by });
        }
        self.last = Some(seen);
    }

    /// Takes the next moment. A doubt stays until [`TimeWatch::told`].
    pub fn feed(&mut self, seen: Moment) -> Option<Doubt> {
        if let Some(by) = self.last.and_then(|last| jumped(last, seen)) {
            self.doubt = Some(Doubt { why: Why::TimeJumped, by });
        }
        self.last = Some(seen);
        self.doubt
    }

    /// This doubt stands in the rows now: the jobs are held there, for every node.
    pub fn told(&mut self, doubt: Doubt) {
        self.doubt = self.doubt.filter(|later| *later != doubt);
    }

    /// Whether a job may go by the time that was last seen.
    pub fn steady(&self) -> bool {
        self.begun() && self.doubt.is_none()
    }
}

/// Why a job is held, by whom, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Why.
    pub why: Why,
    /// How far the clock was ahead of what was expected, in milliseconds; negative if it was behind.
    pub by: Millis,
    /// When, by the clock that is not believed.
    pub at: Millis,
    /// The node whose clock it is.
    pub node: Uuid,
}

impl Held {
    /// How far the clock was off, in whole seconds.
    pub fn seconds(&self) -> i64 {
        self.by.saturating_add(500 * self.by.signum()) / 1000
    }
}

/// What a job's row says beside its columns. It is stored as one JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// When its next run is due.
    pub due_at: Millis,
    /// When its last run ended; 0 if none did.
    pub ran_at: Millis,
    /// Why it is held, while it is.
    pub held: Option<Held>,
    /// What somebody asked for; `None` for a job of the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<Task>>,
}

/// A job as it stands in the database. Its times are those that clocks show, which are not those of the ledger: after a
/// clock was wrong the ledger's time stands still until the clock comes up to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// The org whose job it is; nil for the house's.
    pub org_id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// How it is.
    pub state: JobState,
    /// The rest.
    pub body: Body,
    /// Rows done in this run, or in the last one.
    pub progress: i64,
    /// Rows that there were to do when the run began, as far as they were counted.
    pub total: i64,
    /// Who asked for it; nil for the house.
    pub created_by: Uuid,
    /// When it was made.
    pub created_at: Millis,
    /// When its row changed last.
    pub updated_at: Millis,
    /// The node that has it; nil if none.
    pub lease_node: Uuid,
    /// Until when other nodes keep away.
    pub lease_until: Millis,
    /// Grows whenever the job changes hands.
    pub fence: i64,
}

/// A node's hold on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: Uuid,
    /// The node.
    pub node: Uuid,
    /// The fence at which it took the job.
    pub fence: i64,
}

impl Job {
    /// A job of the house that is due now.
    pub fn new(kind: JobKind, now: Millis) -> Self {
        Self {
            id: kind.id(),
            org_id: Uuid::nil(),
            kind,
            state: JobState::Waiting,
            body: Body { due_at: now, ..Body::default() },
            progress: 0,
            total: 0,
            created_by: Uuid::nil(),
            created_at: now,
            updated_at: now,
            lease_node: Uuid::nil(),
            lease_until: 0,
            fence: 0,
        }
    }

    /// A job that somebody in an org asks for, which is due now. `total` is how many rows there are, as far as they were
    /// counted.
    pub fn asked(kind: JobKind, id: Uuid, org_id: Uuid, task: Task, now: Millis, total: i64) -> Self {
        let created_by = task.asker.account;
        let job = Self::new(kind, now);
        let body = Body { task: Some(Box::new(task)), ..job.body };
        Self { id, org_id, body, total, created_by, ..job }
    }

    /// Why this clock can't be believed as far as this job can tell: some node wrote the row later than now. One that is
    /// held tells nothing, because it may have been written by the clock that was wrong.
    pub fn doubt(&self, now: Millis) -> Option<Doubt> {
        let by = off(now.saturating_sub(self.updated_at)).filter(|by| *by < 0 && self.state != JobState::Held)?;
        Some(Doubt { why: Why::BehindLastRun, by })
    }

    /// Whether there is anything to do: its time has come, or a run was left half-way.
    pub fn due(&self, now: Millis) -> bool {
        match self.state {
            JobState::Waiting => self.body.due_at <= now,
            JobState::Running => true,
            JobState::Held | JobState::Done | JobState::Cancelled | JobState::Failed => false,
        }
    }

    /// Whether this node may take it: nobody has it any more, or the node itself has.
    pub fn free(&self, node: Uuid, now: Millis) -> bool {
        self.lease_until <= now || self.lease_node == node
    }

    /// Taken by this node, if it may: with a higher fence, so that whoever had it before is shut out. A run that was
    /// left half-way goes on; for a new one `total` rows were counted.
    pub fn take(&self, node: Uuid, now: Millis, total: i64) -> Option<Self> {
        if !self.due(now) || !self.free(node, now) || self.doubt(now).is_some() {
            return None;
        }
        // What somebody asked for has one run, however often it is held and confirmed on the way.
        let resumed = self.state == JobState::Running || self.body.task.is_some();
        let (progress, total) = if resumed { (self.progress, self.total) } else { (0, total) };
        let due_at = if resumed { self.body.due_at } else { now.saturating_add(self.kind.every()) };
        let body = Body { due_at, ..self.body.clone() };
        let (state, lease_node, fence) = (JobState::Running, node, self.fence + 1);
        Some(Self { state, body, progress, total, lease_node, fence, ..self.clone() }.renew(now))
    }

    /// The lease of the node that has it.
    pub fn lease(&self) -> Lease {
        Lease { job: self.id, node: self.lease_node, fence: self.fence }
    }

    /// Refuses a node whose lease is over because the job was taken, held or ended since.
    ///
    /// # Errors
    /// `unlawful_state`.
    pub fn check(&self, lease: &Lease) -> Result<()> {
        if self.state != JobState::Running || self.lease() != *lease {
            return Err(Error::state("the job is no longer this node's; nothing was changed"));
        }
        Ok(())
    }

    /// With the lease prolonged.
    #[must_use]
    pub fn renew(self, now: Millis) -> Self {
        Self { lease_until: now.saturating_add(LEASE), updated_at: now, ..self }
    }

    /// With so many rows more done. More may be there than were counted.
    #[must_use]
    pub fn advance(self, rows: i64) -> Self {
        let progress = self.progress.saturating_add(rows);
        Self { progress, total: self.total.max(progress), ..self }
    }

    /// At the end of a run: given back, waiting for the next.
    #[must_use]
    pub fn end(self, now: Millis) -> Self {
        Self { body: Body { ran_at: now, ..self.body }, total: self.progress, ..self }.set_down(JobState::Waiting, now)
    }

    /// Ended for good: whoever has it is shut out.
    #[must_use]
    pub fn finish(self, state: JobState, failed: Option<Failed>, now: Millis) -> Self {
        let task = self.body.task.map(|task| Box::new(Task { failed, ..*task }));
        let total = if state == JobState::Done { self.progress } else { self.total };
        let body = Body { ran_at: now, held: None, task, ..self.body };
        Self { body, total, fence: self.fence + 1, ..self }.set_down(state, now)
    }

    /// Stopped by somebody. Repeating it changes nothing.
    ///
    /// # Errors
    /// `unlawful_state` for one that ended in another way; `forbidden` for a job of the house.
    pub fn cancel(self, now: Millis) -> Result<Self> {
        if self.body.task.is_none() {
            return Err(Error::forbidden("a job of the house can't be cancelled"));
        }
        match self.state {
            JobState::Cancelled => Ok(self),
            state if state.ended() => Err(Error::state("the job has ended: there is nothing to cancel")),
            _ => Ok(self.finish(JobState::Cancelled, None, now)),
        }
    }

    /// Given back half-way: another node may go on at once.
    #[must_use]
    pub fn release(self, now: Millis) -> Self {
        self.set_down(JobState::Running, now)
    }

    /// Held: whoever has it is shut out.
    #[must_use]
    pub fn hold(self, held: Held) -> Self {
        let job = self.set_down(JobState::Held, held.at);
        Self { body: Body { held: Some(held), ..job.body }, fence: job.fence + 1, ..job }
    }

    /// Confirmed: due at once, from the begin, by the clock that was confirmed.
    ///
    /// # Errors
    /// `unlawful_state` for a job that is not held: nothing can be confirmed beforehand.
    pub fn confirm(self, now: Millis) -> Result<Self> {
        if self.state != JobState::Held {
            return Err(Error::state("the job is not held: there is nothing to confirm"));
        }
        let body = Body { due_at: now, held: None, ..self.body };
        Ok(Self { body, fence: self.fence + 1, ..self }.set_down(JobState::Waiting, now))
    }

    fn set_down(self, state: JobState, now: Millis) -> Self {
        Self { state, updated_at: now, lease_node: Uuid::nil(), lease_until: 0, ..self }
    }
}
