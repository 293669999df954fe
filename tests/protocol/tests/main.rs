//! The runs of the checker. `cargo test -p tokenhouse-protocol -- --nocapture` prints how many states each went
//! through.

mod kept;
mod limits;
mod mutations;
mod scopes;

use stateright::{Checker as _, HasDiscoveries, Model as _};
use tokenhouse_protocol::{Breach, Mutation, Note, Protocol, Scope, State};

const PROMISE: &str = "no promise is broken";

/// Goes through every state: no promise is broken in any of them, and all of this happens in some of them.
fn kept(name: &str, scope: Scope, sometimes: &[&'static str]) {
    let protocol = Protocol { scope, sometimes: sometimes.to_vec() };
    let checker = protocol.checker().spawn_bfs().join();
    println!("{name}: {} states, all of them seen, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
    assert!(checker.is_done());
}

/// Goes on until a promise is broken, and says which. The path is the shortest one.
fn broken(name: &str, scope: Scope) -> Breach {
    let protocol = Protocol { scope, sometimes: Vec::new() };
    let checker = protocol.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let path = checker.assert_any_discovery(PROMISE);
    let State::Noted(Note::Broken(breach)) = *path.last_state() else { panic!("{:?}", path.last_state()) };
    println!("{name}: {} states until {breach:?}:", checker.unique_state_count());
    for action in path.into_actions() {
        println!("    {action:?}");
    }
    breach
}

/// Without these rules this promise is broken.
fn caught(without: &[Mutation], scope: Scope, breach: Breach) {
    assert_eq!(broken(&format!("without {without:?}"), scope.without(without)), breach);
}
