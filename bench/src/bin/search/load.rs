//! A million tokens, written by the functions by which the program writes them.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokenhouse_authority::orgs::NewOrg;
use tokenhouse_authority::{Caller, Ctx, Settings as Verify, install, pulse, verify};
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::{Account, NEVER, Reach, Scopes, Surface, Token, TokenKind, TokenState, Uuid, id, name};
use tokenhouse_store::{Checkpoints, Location, MasterKey, Settings, Store, Tx, accounts, tokens};

/// As many accounts own the tokens.
pub const ACCOUNTS: usize = 60_000;
/// One day, in milliseconds.
pub const DAY: i64 = 86_400_000;
/// The time of the making, from which on the house stands still.
pub const NOW: i64 = 1_800_000_000_000;
/// Rows of one transaction.
const BATCH: usize = 2_000;

const WHAT: [&str; 14] = [
    "deploy",
    "ci",
    "terraform",
    "grafana",
    "backup",
    "billing export",
    "nightly",
    "Monitoring",
    "ingest",
    "proxy",
    "laptop",
    "jenkins",
    "argo",
    "",
];
const WHERE: [&str; 6] = ["prod", "staging", "dev", "eu-west", "us-east", "lab"];
const TEAMS: [&str; 12] =
    ["build", "data", "platform", "search", "payments", "mobile", "sre", "web", "risk", "ops", "media", "edge"];

/// A house full of tokens.
pub struct Loaded {
    pub ctx: Arc<Ctx>,
    pub caller: Caller,
    pub took: String,
    pub tokens: usize,
}

/// The same numbers in every run.
pub struct Places(pub u64);

impl Places {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % bound as u64).expect("an index")
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// The identifier of the account of this number.
pub fn identifier(number: usize) -> String {
    let team = TEAMS[number % TEAMS.len()];
    if number % 2 == 0 { format!("sa::{team}-{number:05}") } else { format!("{team}.person{number:05}@example.test") }
}

/// The name of a token: one in 25,000 is of its own kind.
pub fn token_name(number: usize, places: &mut Places) -> String {
    if number % 25_000 == 77 {
        return format!("zeppelin {}", number / 25_000);
    }
    match (places.of(&WHAT), places.below(3)) {
        ("", _) => String::new(),
        (what, 0) => what.to_owned(),
        (what, 1) => format!("{what}-{}", places.of(&WHERE)),
        (what, _) => format!("{what} {}-{:04}", places.of(&WHERE), places.below(10_000)),
    }
}

impl Loaded {
    /// Opens what an earlier run left in the folder, or makes it.
    pub async fn open(database: &str, folder: &Path, postgres: &str, count: usize) -> Self {
        let home = folder.join(format!("{database}-{count}"));
        std::fs::create_dir_all(&home).expect("a folder");
        let schema = format!("bench_search_{count}");
        let url = if database == "SQLite" {
            format!("sqlite://{}", home.join("bench.db").display())
        } else {
            let (base, _) = postgres.rsplit_once('/').expect("a URL with a database");
            format!("{base}/{schema}")
        };
        let (note, random, clock) = (home.join("token"), Random::system(), Clock::manual(NOW));
        let begun = Instant::now();
        let made = note.exists();
        if !made {
            if database != "SQLite" {
                let mut conn = PgConnection::connect(postgres).await.expect("a connection");
                for text in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
                    conn.execute(AssertSqlSafe(format!("{text} {schema}"))).await.expect("a database");
                }
            }
            let key = MasterKey::create(&home.join("master.key"), &random).expect("a key");
            let location = Location::parse(&url).expect("a location");
            Store::create(&location, &key, &clock, &random).await.expect("a schema");
        }
        let settings = Settings {
            location: Location::parse(&url).expect("a location"),
            journal: home.join("journal"),
            checkpoints: Checkpoints::default(),
            readers: 4,
            misses: 2,
        };
        let key = MasterKey::read(&home.join("master.key")).expect("the key");
        let store = Store::open(&settings, key, clock.clone(), random.clone()).await.expect("a store");
        let ctx = Arc::new(Ctx::new(store.clone(), clock, random.clone(), Verify::default()));
        if !made {
            let new = NewOrg { name: "bench".to_owned(), admin: "admin@bench.test".to_owned() };
            let installed = install::install(&ctx, new).await.expect("an installation");
            fill(&store, installed.org_id, count, &random, database).await;
            if database != "SQLite" {
                // What autovacuum does within minutes.
                let mut conn = PgConnection::connect(&url).await.expect("a connection");
                conn.execute("VACUUM ANALYZE").await.expect("a clean database");
            }
            std::fs::write(&note, installed.token.expose()).expect("a note");
        }
        pulse::join(&ctx).await.expect("a pulse");
        let token = std::fs::read(&note).expect("the token");
        let presented = Presented::new(&token);
        let caller = verify::caller(&ctx, &presented, Surface::Native, None, "bench").await.expect("the administrator");
        let took =
            if made { "made before".to_owned() } else { format!("made in {:.0} s", begun.elapsed().as_secs_f64()) };
        Self { ctx, caller, took, tokens: count }
    }

    pub async fn close(self) {
        tokenhouse_authority::housekeeping::close(&self.ctx).await;
    }
}

async fn fill(store: &Store, org: Uuid, count: usize, random: &Random, database: &str) {
    let made: Vec<Account> = (0..ACCOUNTS).map(|number| account(org, number, random)).collect();
    for batch in made.chunks(BATCH) {
        let batch = batch.to_vec();
        let write = async move |tx: &mut Tx<'_>| {
            for account in &batch {
                accounts::insert(tx.conn(), account).await?;
            }
            Ok(())
        };
        store.write(write).await.expect("accounts");
    }
    let mut places = Places(11);
    let (begun, mut done) = (Instant::now(), 0);
    while done < count {
        let upto = count.min(done + BATCH);
        let mut batch = Vec::with_capacity(BATCH + BATCH / 20);
        for number in done..upto {
            let owner = &made[places.below(ACCOUNTS)];
            batch.push(token(owner, number, count, &mut places, random, false));
            // One in twenty more that was revoked, which nobody finds.
            if number % 20 == 0 {
                batch.push(token(owner, number, count, &mut places, random, true));
            }
        }
        let write = async move |tx: &mut Tx<'_>| {
            for (token, used) in &batch {
                tokens::insert(tx.conn(), token).await?;
                if *used > 0 {
                    tokens::used(tx.conn(), token.id, *used, "192.0.2.1").await?;
                }
            }
            Ok(())
        };
        store.write(write).await.expect("tokens");
        done = upto;
        bar(database, done, count, begun);
    }
    eprintln!();
}

/// Shows how far it is.
fn bar(what: &str, done: usize, all: usize, begun: Instant) {
    let (filled, spent) = (done * 40 / all, begun.elapsed().as_secs_f64());
    let left = spent / done as f64 * (all - done) as f64;
    eprint!("\r{what:<11} [{:<40}] {done:>8} of {all}, {left:>4.0} s left ", "#".repeat(filled));
    let _ = std::io::stderr().flush();
}

fn account(org: Uuid, number: usize, random: &Random) -> Account {
    let text = identifier(number);
    let created_at = NOW - 1200 * DAY + number as i64 * 1000;
    Account {
        id: id::new(created_at, random),
        org_id: org,
        identity_id: Uuid::nil(),
        kind: if number % 2 == 0 { AccountKind::Service } else { AccountKind::User },
        identifier_fold: text.clone(),
        identifier: text,
        description: format!("of {}", TEAMS[number % TEAMS.len()]),
        state: if number % 40 == 0 { AccountState::Inactive } else { AccountState::Active },
        created_at,
        created_by: Uuid::nil(),
        updated_at: created_at,
        tombstone: Uuid::nil(),
    }
}

/// A token, made over three years, and when it was used last: a third never, most of the others lately.
fn token(
    owner: &Account,
    number: usize,
    count: usize,
    places: &mut Places,
    random: &Random,
    revoked: bool,
) -> (Token, i64) {
    let created_at = NOW - 1100 * DAY + (number as i64 * 1000) / (count as i64 / 1000).max(1) * (DAY / 1000) * 11 / 10;
    let text = token_name(number, places);
    let used = match places.below(6) {
        0 | 1 => 0,
        2 => created_at + (NOW - created_at) / 1000 * places.below(1000) as i64,
        _ => NOW - places.below(30 * 86_400_000) as i64,
    };
    let token = Token {
        id: id::new(created_at, random),
        short_id: id::short(random),
        org_id: owner.org_id,
        owner_id: owner.id,
        kind: if owner.kind == AccountKind::Service { TokenKind::Service } else { TokenKind::User },
        name_fold: name::fold(&text),
        name: text,
        state: if revoked { TokenState::Revoked } else { TokenState::Active },
        scopes: Scopes::All,
        reach: Reach::ALL,
        addresses: AddressRules::default(),
        created_at,
        created_by: owner.id,
        created_through: Uuid::nil(),
        updated_at: created_at,
        not_before: 0,
        expires_at: NEVER,
        idle_limit: NEVER,
        last_used_at: 0,
        last_used_address: String::new(),
        revoked_at: if revoked { NOW } else { 0 },
    };
    (token, used)
}
