//! How a revocation reaches every node: a model that a checker goes through in every order of things that can happen.
//!
//! The argument stands in `docs/decisions.md`; this is what checks it. The rules themselves are not written down here a
//! second time: whatever a node decides (how far it has applied the ledger, whether it is fresh, whether what it read
//! still holds, whether history was lost, whether a receipt is confirmed) it decides by `tokenhouse_model::follow`, the
//! values that the program runs on, with the ledger's real hash chain. Here stand the database, the clocks, and what
//! can go wrong between them.
//!
//! # What is in it
//!
//! - **The database** ([`database`]): the ledger, one token that is good until it is revoked, a row for each node. A
//!   transaction that writes a row reads before it is seen: the two are steps of their own.
//! - **Nodes** ([`node`]): each with a boot-time clock of its own, a [`Follow`](tokenhouse_model::follow::Follow), an
//!   era, the mark of the token, an entry in memory, a fill, a heartbeat, and requests in hand. They start, are killed,
//!   are stopped, drop their memory, are started again under another id.
//! - **The revocation** ([`world::Change`]): committed, answered by its node, confirmed by the rows or by time.
//! - **Trouble**: a failover to a synchronous standby while the old primary can still be read; an asynchronous standby
//!   that is promoted and has not everything; rows that are taken away; S that is changed; a clock that is 1 % slower.
//! - **Stops, delays and partitions** are no steps. Every step may be put off while time and everybody else move on, or
//!   never come; a node that is stopped, or does not reach the database, or whose COMMIT was done without its knowing,
//!   is one whose next step does not come yet. The checker tries all of that.
//!
//! # What is proved
//!
//! Within the bounds of each run (`tests/scopes.rs`), with all rules in force, in every state:
//!
//! 1. [`Breach::LateYes`]: no request that arrived after the receipt was confirmed is answered yes; nor one that arrived
//!    at the node that made the change after that node answered it. One database that loses nothing is needed, and
//!    clocks of which no two differ by more than 1 %.
//! 2. If history is lost, [`Breach::FromLostHistory`]: a node that has noticed it says nothing from what it had read
//!    in that history. [`Breach::ConfirmedButGone`]: no receipt is confirmed whose event the database does not have.
//! 3. If in addition every node reads the journal in which the revocation stands, [`Breach::Relapse`]: a node that had
//!    applied the revocation never says yes again.
//! 4. If each node reads its own journal only, but the one that made the revocation notices the loss within S,
//!    [`Breach::Unreplayed`]: a node that has noticed the loss says yes to no request that arrived after the
//!    revocation had been confirmed.
//!
//! Every rule is needed: [`Mutation`] leaves them out one by one, and the checker finds what goes wrong
//! (`tests/mutations.rs`); where a second rule stands behind one, it says which.
//!
//! # What is not proved
//!
//! - After a loss the guarantee itself does not hold: `tests/limits.rs` finds it broken. Nor does a revocation come back
//!   while the only node that has it in its journal is away.
//! - Bounds are bounds: two nodes (three in one run), one token, one revocation, at most two other events, a few steps
//!   of time. What goes wrong only with more is not found. Two requests at most are in hand at a node.
//! - That nothing is waited for in vain. It is only shown that nodes become fresh (again) in some order of things.
//! - That the program does what the steps here do: marks before it publishes, reads its clock after the request came,
//!   holds the lock it should. That is for the tests of `authority` and for the runs with real nodes in `tests/e2e`.
//! - An operator's leave to serve stale answers: those stand outside the guarantee.
//!
//! # What is one step here and more in the program
//!
//! Each time because the order that is left out can only wrong a node less:
//!
//! - A request arrives at the moment at which the clock is read for it. Had it arrived earlier, a yes would more often
//!   have been right.
//! - t0 is read at the moment at which the heartbeat's transaction reads the head. Earlier, it would make fresh for
//!   less long.
//! - An event is read and applied in one step, one at a time. The ledger only grows, so one that was read earlier is the
//!   same event.
//! - A node that serves nobody applies everything and has its heartbeat committed in one step. Slower, it would only put
//!   off the confirmation.
//! - A heartbeat, or a request before the revocation, that would change nothing is left out.

pub mod database;
pub mod node;
mod requests;
pub mod scope;
mod steps;
pub mod world;

pub use scope::{Breach, Journal, Mutation, Place, Scope};
pub use world::{Action, Note, Protocol, Source, State, Step, World};
