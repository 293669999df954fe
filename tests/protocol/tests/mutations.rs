//! Each rule is left out once, and the checker finds what goes wrong then.

use tokenhouse_protocol::Breach::{ConfirmedButGone, FromLostHistory, LateYes, Relapse, Unreplayed};
use tokenhouse_protocol::Mutation::{self, *};
use tokenhouse_protocol::Scope;

use crate::{caught, kept, scopes};

macro_rules! caught {
    ($($(#[$why:meta])* $test:ident: $without:expr, $scope:expr, $breach:expr;)*) => {
        $($(#[$why])* #[test] fn $test() { caught(&$without, $scope, $breach); })*
    };
}

// --- the fill rule ---

caught! {
    /// The reading began after the request, yet it came from a primary that is none any more.
    answer_before_the_check: [AnswerUnchecked], scopes::fails_over_early(), LateYes;
    /// It came from a fill that began before the request did.
    join_without_the_check: [JoinUnchecked], scopes::fills(), LateYes;
    hit_without_the_check: [HitUnchecked], scopes::fills(), LateYes;
    /// By itself it does no harm, see below: what is in memory is checked at every look.
    cache_without_the_check: [CacheUnchecked, HitUnchecked], scopes::fills(), LateYes;
    applied_published_before_the_mark_is_set: [AppliedBeforeMarked], scopes::times(), LateYes;
    beginning_of_memory_forgotten: [BeginningForgotten], scopes::fails_over_early(), LateYes;
    /// By itself it does no harm, see below: nothing holds that was read before memory began.
    fill_before_registering: [FillBeforeRegistering, BeginningForgotten], scopes::joins(), LateYes;
    era_kept: [EraKept], scopes::loses_more(), FromLostHistory;
    era_kept_by_a_node_that_was_behind: [EraKept, BeginningForgotten], scopes::drops(), LateYes;
    era_noted_when_the_fill_comes_back: [EraNotedAtEnd], scopes::loses_more(), FromLostHistory;
    era_noted_when_the_fill_begins: [EraNotedWithFill], scopes::loses_promptly(), Unreplayed;
}

// --- freshness ---

caught! {
    t0_taken_after_the_heartbeat_was_committed: [T0AtCommit], scopes::times(), LateYes;
    t0_taken_when_the_answer_came: [T0AtAnswer], scopes::times(), LateYes;
    clock_read_before_the_request_arrived: [ClockBeforeArrival], scopes::times(), LateYes;
    /// From a primary that is none any more.
    fresh_by_a_plain_reading: [PlainReading], scopes::fails_over_early(), LateYes;
    /// From the one database, but nobody knows any more that there is such a node.
    fresh_by_a_plain_reading_without_a_row: [PlainReading], scopes::lives(), LateYes;
    fresh_before_the_head_is_applied: [HeadIgnored], scopes::times(), LateYes;
    /// The same, and at once: memory is empty then, but an old primary can fill it.
    fresh_by_registering: [RegisteringMakesFresh], scopes::fails_over_early(), LateYes;
    /// It is not seen until it is committed: a receipt can be confirmed between what it read and that.
    fresh_by_the_heartbeat_that_makes_the_row: [RowMadeByHeartbeat], scopes::lives(), LateYes;
}

// --- confirmation ---

caught! {
    acknowledged_before_applied_advances: [AcknowledgeEarly], scopes::times(), LateYes;
    confirmed_after_s_without_a_margin: [NoMargin], scopes::drift(), LateYes;
    confirmed_after_s_and_fifty_milliseconds: [FiftyOnly], scopes::drift(), LateYes;
    wait_counted_from_when_commit_was_sent: [CountedFromSending], scopes::times(), LateYes;
    lowered_s_believed_at_once: [LoweredAtOnce], scopes::changed_freshness(1_000, 100), LateYes;
    s_remembered_from_before_the_commit: [FreshnessRemembered], scopes::changed_freshness(100, 1_000), LateYes;
    /// An old primary has this node's row, and not that of one which started since.
    own_row_taken_from_memory: [OwnRowFromMemory, EventNotLookedFor], scopes::fails_over_early(), LateYes;
    row_shared_by_two_nodes: [SharedRow], scopes::times(), LateYes;
    row_reaped_while_its_node_may_be_fresh: [ReapTooEarly], scopes::lives(), LateYes;
    row_taken_away_before_the_last_answer: [LeaveTooEarly], scopes::lives(), LateYes;
    /// By itself it does no harm, see below: a database that has no rows has not the event either.
    no_rows_taken_for_every_node: [EmptyRowsConfirm, EventNotLookedFor], scopes::fails_over_early(), LateYes;
    answered_before_its_own_node_has_applied_it: [AnswerBeforeApplying], scopes::alone(), LateYes;
}

// --- lost history ---

caught! {
    journal_not_replayed: [NotReplayed], scopes::loses(), Relapse;
    not_held_back_after_a_loss: [NotHeldBack], scopes::loses_promptly(), Unreplayed;
    event_not_looked_for: [EventNotLookedFor], scopes::loses(), ConfirmedButGone;
}

// --- rules behind which another one stands: one alone may be left out ---

fn spare(without: &[Mutation], scope: Scope) {
    kept(&format!("without {without:?}"), scope.without(without), &["a yes", "all are fresh after it"]);
}

/// What is put into memory is checked again at every look.
#[test]
fn caching_without_the_check_is_made_good_at_the_hit() {
    spare(&[CacheUnchecked], scopes::fills());
}

/// What was read before memory began does not hold.
#[test]
fn filling_before_registering_is_made_good_by_the_beginning_of_memory() {
    spare(&[FillBeforeRegistering], scopes::joins());
}

/// The receipt's event is looked for in the same reading.
#[test]
fn no_rows_are_made_good_by_looking_for_the_event() {
    spare(&[EmptyRowsConfirm], scopes::fails_over_early());
}

/// The 1 % is enough for clocks that differ by 1 %, and can be read to the nanosecond.
#[test]
fn fifty_milliseconds_are_for_coarse_clocks_only() {
    spare(&[HundredthOnly], scopes::drift_to_the_point());
}
