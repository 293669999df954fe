//! What is not promised. These tests find it happen, so that nobody claims it.

use tokenhouse_protocol::{Breach, Scope};

use crate::{broken, scopes};

/// The guarantee needs a database that loses nothing it has confirmed.
#[test]
fn an_asynchronous_standby_can_bring_a_revoked_token_back() {
    let scope = Scope { promises: vec![Breach::LateYes], ..scopes::loses() };
    assert_eq!(broken("asynchronous", scope), Breach::LateYes);
}

/// Where each node has its own journal, a revocation comes back with the node that made it, and not before.
#[test]
fn a_revocation_stays_lost_while_the_node_that_made_it_is_away() {
    let scope = Scope { prompt: false, ..scopes::loses_promptly() };
    assert_eq!(broken("away", scope), Breach::Unreplayed);
}

/// Two clocks that differ by 2 % are too much: 1 % is for the two together.
#[test]
fn clocks_that_differ_by_two_hundredths_are_too_much() {
    let scope = Scope { quick: true, ..scopes::drift() };
    assert_eq!(broken("two hundredths", scope), Breach::LateYes);
}
