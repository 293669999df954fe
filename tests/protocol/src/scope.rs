//! How much of the world a run of the checker looks at, and which rule it leaves out.

use tokenhouse_model::follow::{Boot, MILLISECOND, patience};

/// A rule that is left out, to see that it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// What a fill read is answered without asking whether it still holds.
    AnswerUnchecked,
    /// What a fill read is put into memory without asking.
    CacheUnchecked,
    /// What is in memory is answered without asking.
    HitUnchecked,
    /// Who joined another's fill takes its outcome as it is.
    JoinUnchecked,
    /// t0 is read when the heartbeat has been committed.
    T0AtCommit,
    /// t0 is read when the heartbeat's answer arrives.
    T0AtAnswer,
    /// A reading of the head makes fresh, without a heartbeat that is committed.
    PlainReading,
    /// A heartbeat makes fresh at once, whatever is not applied yet.
    HeadIgnored,
    /// The heartbeat tells the head that is known, not what is applied.
    AcknowledgeEarly,
    /// An event counts as applied before what it touches is marked.
    AppliedBeforeMarked,
    /// Memory is filled before the node is registered and knows where it begins.
    FillBeforeRegistering,
    /// What no event has touched counts as never touched, also before the memory began.
    BeginningForgotten,
    /// The heartbeat that makes the node's row makes it fresh as well.
    RowMadeByHeartbeat,
    /// The heartbeat that registers a node makes it fresh as well. Its memory is empty then.
    RegisteringMakesFresh,
    /// The confirming node takes what it knows itself for what its row says.
    OwnRowFromMemory,
    /// Nodes of one name share one row.
    SharedRow,
    /// A node takes its row away while it still answers.
    LeaveTooEarly,
    /// A row is taken away while its node may still be fresh.
    ReapTooEarly,
    /// No rows at all count as "every node".
    EmptyRowsConfirm,
    /// A receipt is confirmed S after COMMIT returned, without any margin.
    NoMargin,
    /// A receipt is confirmed S plus 50 ms after COMMIT returned, without the 1 %.
    FiftyOnly,
    /// A receipt is confirmed S plus 1 % after COMMIT returned, without the 50 ms.
    HundredthOnly,
    /// After S was lowered, the wait is by the new one at once.
    LoweredAtOnce,
    /// The wait is by an S that was read before the change was committed.
    FreshnessRemembered,
    /// The wait is counted from when COMMIT was sent.
    CountedFromSending,
    /// The clock is read before the request arrives.
    ClockBeforeArrival,
    /// A change is answered before its own node has applied it.
    AnswerBeforeApplying,
    /// A memory that is dropped begins no other era.
    EraKept,
    /// The era is noted when a fill begins, not when the clock is read.
    EraNotedWithFill,
    /// The era is noted when a fill comes back.
    EraNotedAtEnd,
    /// A node that lost history answers again as soon as it has replayed its journal.
    NotHeldBack,
    /// A node that lost history does not replay its journal.
    NotReplayed,
    /// A receipt is confirmed without looking whether its event is still there.
    EventNotLookedFor,
}

/// Something that must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    /// A request that arrived after the receipt was confirmed was answered yes; or one that arrived at the committing
    /// node after the change was answered there.
    LateYes,
    /// After a node had noticed that history was lost, it said yes from what it read in that history.
    FromLostHistory,
    /// A node that had applied the revocation said yes.
    Relapse,
    /// A node that noticed the loss said yes, though the revocation had been confirmed.
    Unreplayed,
    /// A receipt was confirmed whose event the database did not have.
    ConfirmedButGone,
}

/// Who can read what one node wrote into its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Journal {
    /// Only the node itself.
    Own,
    /// All nodes: they share the folder.
    Shared,
}

/// A node's place in a run.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// How many requests it can have in hand at a time. One that serves nobody is there for its heartbeats only.
    pub requests: usize,
    /// Whether its clock is 1 % slower than the others'.
    pub slow: bool,
    /// Whether it is registered from the beginning.
    pub joined: bool,
    /// Whether the revocation may be made here.
    pub revokes: bool,
    /// How often it may crash, or leave, and be started anew.
    pub restarts: u8,
    /// How often it may find itself too far behind, drop its memory and begin again at the head.
    pub drops: u8,
}

impl Place {
    /// A node that answers so many requests at a time.
    pub const fn serving(requests: usize) -> Self {
        Self { requests, slow: false, joined: true, revokes: false, restarts: 0, drops: 0 }
    }

    /// A node that serves nobody and makes the revocation.
    pub const fn revoking() -> Self {
        Self { revokes: true, ..Self::serving(0) }
    }
}

/// The bounds of a run.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The nodes.
    pub places: Vec<Place>,
    /// S.
    pub freshness: Boot,
    /// To what S is changed once, if it is.
    pub changes_to: Option<Boot>,
    /// By how much time moves on in one step.
    pub tick: Boot,
    /// How many such steps there are.
    pub ticks: u8,
    /// Whether the clocks of those that are not slow are 1 % quick.
    pub quick: bool,
    /// How many events come that touch something else.
    pub others: u8,
    /// Whether rows of silent nodes are taken away.
    pub reaps: bool,
    /// Whether the database fails over to a synchronous standby, while the old one can still be read.
    pub fails_over: bool,
    /// Whether an asynchronous standby is promoted, and who reads whose journal then.
    pub loses: Option<Journal>,
    /// Whether the node that made the revocation notices a loss within S.
    pub prompt: bool,
    /// What must never happen.
    pub promises: Vec<Breach>,
    /// The rules that are left out.
    pub without: Vec<Mutation>,
}

impl Scope {
    /// These nodes, S = 1 s, and time in steps of `tick` milliseconds.
    pub fn of(places: &[Place], tick: i64, ticks: u8) -> Self {
        Self {
            places: places.to_vec(),
            freshness: 1_000 * MILLISECOND,
            changes_to: None,
            tick: tick * MILLISECOND,
            ticks,
            quick: false,
            others: 0,
            reaps: false,
            fails_over: false,
            loses: None,
            prompt: false,
            promises: vec![Breach::LateYes],
            without: Vec::new(),
        }
    }

    /// The same without some rules.
    #[must_use]
    pub fn without(mut self, mutations: &[Mutation]) -> Self {
        self.without = mutations.to_vec();
        self
    }

    /// Whether a rule is left out.
    pub fn lacks(&self, mutation: Mutation) -> bool {
        self.without.contains(&mutation)
    }

    /// S as it stands in the database.
    pub fn freshness(&self, changed: bool) -> Boot {
        self.changes_to.filter(|_| changed).unwrap_or(self.freshness)
    }

    /// The S that a confirmation waits for: the longer of what it is and what it was.
    pub fn freshness_to_wait_for(&self, changed: bool) -> Boot {
        if self.lacks(Mutation::LoweredAtOnce) {
            self.freshness(changed)
        } else if self.lacks(Mutation::FreshnessRemembered) {
            self.freshness
        } else {
            self.freshness.max(self.freshness(changed))
        }
    }

    /// How long after COMMIT returned a receipt is confirmed whatever nodes say.
    pub fn patience(&self, freshness: Boot) -> Boot {
        if self.lacks(Mutation::NoMargin) {
            freshness
        } else if self.lacks(Mutation::FiftyOnly) {
            freshness + 50 * MILLISECOND
        } else if self.lacks(Mutation::HundredthOnly) {
            freshness + freshness / 100
        } else {
            patience(freshness)
        }
    }

    /// The boot-time clock of a node. Each machine was started at another time, and one may run slow.
    pub fn clock(&self, node: usize, now: u8) -> Boot {
        let started = 3_600_000 * MILLISECOND * (3 - Boot::try_from(node).unwrap_or(0));
        let passed = Boot::from(now) * self.tick;
        let rate = if self.places[node].slow { -1 } else { Boot::from(self.quick) };
        started + passed * 100 / (100 - rate)
    }
}
