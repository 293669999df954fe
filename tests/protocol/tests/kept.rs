//! With all rules in force every promise is kept, in every order of things.

use crate::{kept, scopes};

#[test]
fn clocks_that_tick_twice_in_s() {
    let sometimes = [
        "a yes",
        "a no from memory",
        "a fill is read again",
        "confirmed by nodes",
        "confirmed by time",
        "all are fresh after it",
    ];
    kept("times", scopes::times(), &sometimes);
}

#[test]
fn a_clock_that_is_slower_by_a_hundredth() {
    kept("drift", scopes::drift(), &["a yes", "confirmed by nodes", "confirmed by time", "all are fresh after it"]);
}

#[test]
fn a_freshness_that_is_lowered() {
    kept("lowered", scopes::changed_freshness(1_000, 100), &["a yes", "confirmed by nodes", "confirmed by time"]);
}

#[test]
fn a_freshness_that_is_raised() {
    kept("raised", scopes::changed_freshness(100, 1_000), &["a yes", "confirmed by nodes", "confirmed by time"]);
}

#[test]
fn requests_that_join_a_fill() {
    kept("fills", scopes::fills(), &["a yes", "a fill is read again", "a joiner reads again", "a no from memory"]);
}

#[test]
fn one_node_alone() {
    let sometimes = ["a yes", "a no from memory", "a joiner reads again", "confirmed by nodes", "confirmed by time"];
    kept("alone", scopes::alone(), &sometimes);
}

#[test]
fn two_nodes_that_answer() {
    let sometimes = [
        "a yes",
        "a no from memory",
        "a fill is read again",
        "confirmed by nodes",
        "confirmed by time",
        "all are fresh after it",
    ];
    kept("two", scopes::two(), &sometimes);
}

#[test]
fn three_nodes() {
    kept("three", scopes::three(), &["a yes", "confirmed by nodes", "confirmed by time", "all are fresh after it"]);
}

#[test]
fn a_node_that_starts_in_between() {
    kept("joins", scopes::joins(), &["a yes", "confirmed by nodes", "confirmed by time", "all are fresh after it"]);
}

#[test]
fn a_node_that_is_killed_or_stopped_and_started_again() {
    let sometimes = [
        "a yes",
        "confirmed by nodes",
        "confirmed by time",
        "a node in its second life is fresh",
        "a row is gone while its node runs",
        "all are fresh after it",
    ];
    kept("lives", scopes::lives(), &sometimes);
}

#[test]
fn a_node_that_drops_its_memory() {
    let sometimes = ["a yes", "a node that began again is fresh", "confirmed by nodes", "confirmed by time"];
    kept("drops", scopes::drops(), &sometimes);
}

#[test]
fn a_failover_around_which_nodes_start() {
    let sometimes = [
        "a yes",
        "a no from memory",
        "fresh after a failover",
        "a node that began again is fresh",
        "confirmed by nodes",
        "confirmed by time",
    ];
    kept("fails over early", scopes::fails_over_early(), &sometimes);
}

#[test]
fn a_failover_while_the_old_primary_can_be_read() {
    let sometimes = [
        "a yes",
        "a no from memory",
        "fresh after a failover",
        "a joiner reads again",
        "confirmed by nodes",
        "confirmed by time",
    ];
    kept("fails over", scopes::fails_over(), &sometimes);
}

#[test]
fn a_loss_with_a_journal_that_all_share() {
    let sometimes = [
        "a yes",
        "a loss is noticed",
        "a no after a loss",
        "all are fresh after a loss",
        "confirmed by nodes",
        "confirmed by time",
    ];
    kept("loses", scopes::loses(), &sometimes);
}

#[test]
fn a_loss_of_more_than_the_new_history_has() {
    kept("loses more", scopes::loses_more(), &["a yes", "a loss is noticed", "all are fresh after a loss"]);
}

#[test]
fn a_loss_that_the_revoking_node_notices_within_s() {
    let sometimes = ["a yes", "a loss is noticed", "a no after a loss", "all are fresh after a loss"];
    kept("loses promptly", scopes::loses_promptly(), &sometimes);
}
