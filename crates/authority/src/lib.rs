//! The operations: everything that one can ask of Tokenhouse, exactly once, as free functions in noun modules.
//!
//! An operation decides and records inside one transaction of the writer: it decides its caller again from fresh rows,
//! asks the rules of `model`, writes rows and ledger events, and answers with a receipt. `verify` answers whether a
//! credential is good. Nothing here knows SQL, HTTP or sockets, and nothing of `store` is given on.

pub mod accounts;
pub mod caller;
pub mod groups;
pub mod housekeeping;
pub mod install;
pub mod jobs;
pub mod ledger;
mod once;
pub mod orgs;
pub mod passwords;
pub mod policies;
pub mod roles;
pub mod sessions;
pub mod tokens;
pub mod verify;
pub mod views;

use tokenhouse_model::env::{Clock, Random};
use tokenhouse_store::Store;

pub use caller::{Caller, Once};
pub use once::Outcome;
pub use tokenhouse_model as model;

use jobs::Jobs;
use passwords::Guard;
use verify::Verifier;

/// What every operation needs: rows, time, randomness, what verify remembers, the bounds on password guessing, and
/// what it knows of its time.
#[derive(Debug)]
pub struct Ctx {
    store: Store,
    clock: Clock,
    random: Random,
    verifier: Verifier,
    guard: Guard,
    jobs: Jobs,
}

impl Ctx {
    /// The context over an open store.
    pub fn new(store: Store, clock: Clock, random: Random) -> Self {
        let jobs = Jobs::new(&clock, &random);
        Self { store, clock, random, verifier: Verifier::default(), guard: Guard::default(), jobs }
    }

    /// Now, in epoch milliseconds.
    pub fn now(&self) -> tokenhouse_model::Millis {
        self.clock.now()
    }

    /// Where random bytes come from.
    pub fn random(&self) -> &Random {
        &self.random
    }
}
