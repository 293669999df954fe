//! The operations: everything that one can ask of Tokenhouse, exactly once, as free functions in noun modules.
//!
//! An operation decides and records inside one transaction of the writer: it decides its caller again from fresh rows,
//! asks the rules of `model`, writes rows and ledger events, and answers with a receipt. `verify` answers whether a
//! credential is good. Nothing here knows SQL, HTTP or sockets, and nothing of `store` is given on.

pub mod accounts;
pub mod api_tokens;
pub mod apps;
pub mod caller;
pub mod failures;
pub mod grants;
pub mod groups;
pub mod holdings;
pub mod housekeeping;
pub mod install;
pub mod integrations;
pub mod jobs;
pub mod keys;
pub mod ledger;
pub mod members;
pub mod nodes;
mod once;
pub mod orgs;
pub mod passwords;
pub mod policies;
pub mod pulse;
pub mod reports;
pub mod roles;
pub mod saved;
mod search;
pub mod sessions;
pub mod tokens;
pub mod verify;
pub mod views;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::{Millis, Uuid};
use tokenhouse_store::Store;

pub use caller::{Caller, Once};
pub use once::Outcome;
pub use tokenhouse_model as model;

use failures::{Failures, Limits};
use jobs::Jobs;
use keys::Rings;
use passwords::Guard;
use pulse::Running;
use verify::uses::Uses;
use verify::{Fills, Truth};

/// How a node verifies.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What people call this node.
    pub name: String,
    /// The most that verify remembers, in bytes.
    pub memory: u64,
    /// How many look-ups of what it does not remember may run at once: one connection each.
    pub misses: usize,
    /// For how long, in milliseconds, answers may be given from memory while the database is away. Such answers say
    /// so and stand outside the guarantee. 0 for never.
    pub stale: Millis,
    /// How many bad credentials are refused as such.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { name: "node".to_owned(), memory: 128 << 20, misses: 4, stale: 0, limits: Limits::default() }
    }
}

/// What every operation needs: rows, time, randomness, what verify remembers, the bounds on guessing, and
/// what it knows of its time.
#[derive(Debug)]
pub struct Ctx {
    store: Store,
    clock: Clock,
    random: Random,
    settings: Settings,
    /// By which name this node issues, once that is known.
    issuer: OnceLock<String>,
    /// This node's id, made anew at each start.
    node: Uuid,
    truth: Arc<Truth>,
    fills: Fills,
    uses: Uses,
    /// Answers that were given without the database.
    stale: AtomicU64,
    pulse: OnceLock<Running>,
    guard: Guard,
    failures: Failures,
    jobs: Jobs,
    rings: Rings,
    minted: grants::Minted,
    chosen: verify::Chosen,
    searches: search::Turns,
}

impl Ctx {
    /// The context over an open store. It changes things; it verifies nothing before [`pulse::join`].
    pub fn new(store: Store, clock: Clock, random: Random, settings: Settings) -> Self {
        Self {
            node: tokenhouse_model::id::new(clock.now(), &random),
            jobs: Jobs::default(),
            truth: Arc::new(Truth::new(settings.memory)),
            fills: Fills::new(settings.misses),
            uses: Uses::default(),
            stale: AtomicU64::new(0),
            pulse: OnceLock::new(),
            guard: Guard::default(),
            failures: Failures::default(),
            rings: Rings::default(),
            minted: grants::Minted::default(),
            chosen: verify::Chosen::new(random.bytes()),
            searches: search::Turns::of(&store),
            issuer: OnceLock::new(),
            store,
            clock,
            random,
            settings,
        }
    }

    /// Says by which name this node issues access tokens: the address by which clients reach it, without a slash at the
    /// end. Said once, before it serves.
    pub fn issue_as(&self, url: &str) {
        // The first word holds: what was issued by it must be recognized.
        let _ = self.issuer.set(url.to_owned());
    }

    /// By which name this node issues; a node that was told none is its own machine's.
    pub fn issuer(&self) -> &str {
        self.issuer.get().map_or("http://localhost", String::as_str)
    }

    /// Now, in epoch milliseconds.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Where random bytes come from.
    pub fn random(&self) -> &Random {
        &self.random
    }
}
