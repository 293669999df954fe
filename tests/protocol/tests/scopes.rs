//! The bounds of the runs. Each is as small as it can be for what it shows: time in steps that are just longer than
//! what is waited for, one node that answers, and one that does nothing but revoke and keep up.
//!
//! That is not less than it seems. A node is wronged by what the database and its own clock show it; of other nodes it
//! sees nothing, and those which keep up are the ones that put off a confirmation the least.

use tokenhouse_model::follow::MILLISECOND;
use tokenhouse_protocol::{Breach, Journal, Place, Scope};

/// A step that is longer than S plus 1 % plus 50 ms where S is 1 s: all waiting is over after one.
const LONG: i64 = 1_061;
/// A step of half that: a heartbeat makes fresh for two steps, a confirmation waits three.
const HALF: i64 = 505;

/// Clocks that tick twice in S.
pub fn times() -> Scope {
    Scope::of(&[Place::revoking(), Place::serving(1)], HALF, 5)
}

/// S is the longest that can be set, the answering node's clock is 1 % slower, and the step falls between the two ends
/// of S.
pub fn drift() -> Scope {
    let slow = Place { slow: true, ..Place::serving(1) };
    Scope { freshness: 10_000 * MILLISECOND, ..Scope::of(&[Place::revoking(), slow], 10_075, 3) }
}

/// The same with S of a second and steps of 505 ms, so that two of them are just what S takes by the slower clock.
pub fn drift_to_the_point() -> Scope {
    Scope::of(&[Place::revoking(), Place { slow: true, ..Place::serving(1) }], HALF, 4)
}

/// S is changed, from one number of milliseconds to another.
pub fn changed_freshness(from: i64, to: i64) -> Scope {
    Scope { freshness: from * MILLISECOND, changes_to: Some(to * MILLISECOND), ticks: 3, ..times() }
}

/// Two requests at a time, so that one joins the other's fill.
pub fn fills() -> Scope {
    Scope::of(&[Place::revoking(), Place::serving(2)], LONG, 2)
}

/// One node alone, which answers and revokes.
pub fn alone() -> Scope {
    Scope::of(&[Place { revokes: true, ..Place::serving(2) }], LONG, 2)
}

/// Two nodes that answer; one of them revokes.
pub fn two() -> Scope {
    Scope::of(&[Place { revokes: true, ..Place::serving(1) }, Place::serving(1)], LONG, 1)
}

/// Three nodes; the third starts at any time.
pub fn three() -> Scope {
    let third = Place { joined: false, ..Place::serving(0) };
    Scope::of(&[Place::revoking(), Place::serving(1), third], LONG, 2)
}

/// The answering node starts at any time.
pub fn joins() -> Scope {
    Scope::of(&[Place::revoking(), Place { joined: false, ..Place::serving(1) }], LONG, 2)
}

/// The answering node is killed or stopped, and started again; rows of silent nodes are taken away.
pub fn lives() -> Scope {
    Scope { reaps: true, ..Scope::of(&[Place::revoking(), Place { restarts: 1, ..Place::serving(1) }], LONG, 2) }
}

/// There is another event too, and the answering node may drop its memory and begin again at the head.
pub fn drops() -> Scope {
    Scope { others: 1, ..Scope::of(&[Place::revoking(), Place { drops: 1, ..Place::serving(1) }], LONG, 1) }
}

/// The database fails over to a synchronous standby while the old one can still be read, even by a node that writes to
/// the new one: a pool keeps its connections.
pub fn fails_over() -> Scope {
    Scope { fails_over: true, ..Scope::of(&[Place::revoking(), Place::serving(2)], LONG, 1) }
}

/// The same; the nodes start before or after it.
pub fn fails_over_early() -> Scope {
    let places = [Place { joined: false, ..Place::revoking() }, Place { joined: false, drops: 1, ..Place::serving(1) }];
    Scope { fails_over: true, ..Scope::of(&places, LONG, 1) }
}

/// History is lost; every node reads every journal.
pub fn loses() -> Scope {
    let promises = vec![Breach::FromLostHistory, Breach::Relapse, Breach::ConfirmedButGone];
    Scope { loses: Some(Journal::Shared), promises, ..Scope::of(&[Place::revoking(), Place::serving(1)], LONG, 2) }
}

/// History is lost in which other things had happened, so that revisions of the lost one are higher than of the new.
pub fn loses_more() -> Scope {
    let promises = vec![Breach::FromLostHistory];
    Scope { others: 2, loses: Some(Journal::Own), promises, ..Scope::of(&[Place::serving(1)], LONG, 1) }
}

/// History is lost; each node reads its own journal, and the one that revoked is there within S.
pub fn loses_promptly() -> Scope {
    let promises = vec![Breach::FromLostHistory, Breach::Unreplayed, Breach::ConfirmedButGone];
    Scope { loses: Some(Journal::Own), prompt: true, promises, ..loses() }
}
