//! Following the ledger. What the rules are good for is shown in `tests/protocol`.

use crate::Receipt;
use crate::chain::GENESIS;
use crate::follow::{Acknowledged, Beat, By, Follow, Position, confirmed, patience};

const S: i64 = 1_000;

fn place(revision: i64) -> Position {
    Position { epoch: 2, revision, hash: [7; 32] }
}

fn beat(sent: i64, asked: Position) -> Beat {
    Beat { sent, asked, there: Some(asked.hash), head: asked.revision, freshness: S }
}

#[test]
fn a_node_that_is_held_back_counts_no_earlier_heartbeat() {
    let mut follow = Follow::held(place(5), 100);
    assert_eq!(follow.heard(&beat(99, place(5))), Ok(()));
    assert!(!follow.fresh(99) && !follow.fresh(100));
    assert_eq!(follow.heard(&beat(100, place(5))), Ok(()));
    assert!(follow.fresh(100) && follow.fresh(100 + S - 1) && !follow.fresh(100 + S));
}

#[test]
fn a_node_that_is_held_back_still_notices_a_loss() {
    let mut follow = Follow::held(place(5), 100);
    let lost = Beat { there: None, head: 4, ..beat(50, place(5)) };
    assert!(follow.heard(&lost).is_err());
}

#[test]
fn a_memory_begins_at_its_head() {
    assert_eq!(Follow::from(place(5)).begun(), 5);
    assert_eq!(Follow::from(Position { epoch: 1, revision: 0, hash: GENESIS }).begun(), 0);
}

#[test]
fn no_rows_are_not_every_node() {
    let receipt = Receipt { epoch: 1, revision: 5, journaled: true };
    let (covers, behind) = (Acknowledged { epoch: 1, applied: 5 }, Acknowledged { epoch: 1, applied: 4 });
    assert_eq!(confirmed(&receipt, &[], 0, S), None);
    assert_eq!(confirmed(&receipt, &[], patience(S), S), Some(By::Time));
    assert_eq!(confirmed(&receipt, &[covers], 0, S), Some(By::Nodes));
    assert_eq!(confirmed(&receipt, &[covers, behind], 0, S), None);
}
