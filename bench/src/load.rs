//! A million tokens, as the program would have written them over three years.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tokenhouse_authority::orgs::NewOrg;
use tokenhouse_authority::{Caller, Ctx, Settings as Verify, install, pulse, verify};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::secret::{Form, make};
use tokenhouse_model::{NEVER, Surface, TokenKind};
use tokenhouse_store::{Checkpoints, Location, MasterKey, Settings, Store};

/// As many accounts own the tokens.
pub const ACCOUNTS: usize = 60_000;
/// One day, in milliseconds.
pub const DAY: i64 = 86_400_000;
/// The time of the making, from which on the house stands still.
pub const NOW: i64 = 1_790_000_000_000;
/// When the first account was made, and the first token.
const FIRST: i64 = NOW - 1_200 * DAY;
const START: i64 = NOW - 1_100 * DAY;
/// Rows of one statement.
const BATCH: usize = 20_000;

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
    /// Its database.
    pub url: String,
    /// The folder of key and journal.
    pub home: PathBuf,
    /// The administrator's token.
    pub token: String,
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
}

/// The identifier of the account of this number.
pub fn identifier(number: usize) -> String {
    let team = TEAMS[number % TEAMS.len()];
    if number.is_multiple_of(2) {
        format!("sa::{team}-{number:05}")
    } else {
        format!("{team}.person{number:05}@example.test")
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
        // A server that was thrown away took its database with it.
        let there = database == "SQLite" || PgConnection::connect(&url).await.is_ok();
        let made = note.exists() && there;
        if !made {
            std::fs::remove_dir_all(&home).expect("an empty folder");
            std::fs::create_dir_all(&home).expect("a folder");
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
        let ctx = Arc::new(Ctx::new(store, clock, random.clone(), Verify::default()));
        if !made {
            let new = NewOrg { name: "bench".to_owned(), admin: "admin@bench.test".to_owned() };
            let installed = install::install(&ctx, new, false).await.expect("an installation");
            fill(&url, count, database).await;
            std::fs::write(&note, installed.token.expose()).expect("a note");
        }
        pulse::join(&ctx).await.expect("a pulse");
        let token = std::fs::read(&note).expect("the token");
        let presented = Presented::new(&token);
        let caller = verify::caller(&ctx, &presented, Surface::Native, None, "bench").await.expect("the administrator");
        let took =
            if made { "made before".to_owned() } else { format!("made in {:.0} s", begun.elapsed().as_secs_f64()) };
        let token = String::from_utf8(token).expect("text");
        Self { url, home, token, ctx, caller, took, tokens: count }
    }

    pub async fn close(self) {
        tokenhouse_authority::housekeeping::close(&self.ctx).await;
    }
}

/// A connection of the bench's own: it writes many rows at once.
enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Conn {
    async fn open(url: &str) -> Self {
        if url.starts_with("sqlite") {
            let mut conn = SqliteConnection::connect(url).await.expect("the file");
            conn.execute("PRAGMA synchronous = OFF").await.expect("a setting");
            Self::Sqlite(conn)
        } else {
            Self::Postgres(PgConnection::connect(url).await.expect("a connection"))
        }
    }

    async fn run(&mut self, sql: String) {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(conn) => conn.execute(sql).await.map(|_| ()),
            Self::Postgres(conn) => conn.execute(sql).await.map(|_| ()),
        }
        .expect("rows");
    }

    /// An id as the program makes it: UUIDv7 of a time, here with a number instead of chance.
    fn id(&self, millis: &str, number: &str) -> String {
        let number = format!("(1152921504606846976 + {number} * 1000003)");
        match self {
            Self::Sqlite(_) => {
                format!("unhex(printf('%012x', {millis}) || '7abc8' || substr(printf('%x', {number}), 2))")
            }
            Self::Postgres(_) => {
                format!("CAST(lpad(to_hex({millis}), 12, '0') || '7abc8' || substr(to_hex({number}), 2) AS UUID)")
            }
        }
    }
}

/// One of these words, by a number.
fn one_of(words: &[&str], number: &str) -> String {
    let cases = words.iter().enumerate().map(|(at, word)| format!("WHEN {at} THEN '{word}'")).collect::<Vec<_>>();
    format!("CASE {number} % {} {} END", words.len(), cases.join(" "))
}

/// Statements of a thousand rows and more: the same columns and the same copies for searching as the program writes.
async fn fill(url: &str, count: usize, database: &str) {
    let mut conn = Conn::open(url).await;
    // What the first token and its owner, which the program wrote, have like all others.
    let first = "(SELECT t.org_id, t.scopes, t.reach, t.addresses, a.tombstone AS nobody FROM token t
        JOIN account a ON a.id = t.owner_id WHERE t.name = 'first token') f";
    let numbers = |from: usize, to: usize| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT CAST({from} AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {})",
            to - 1
        )
    };
    let (team, id) = (one_of(&TEAMS, "i"), conn.id(&format!("{FIRST} + i"), "i"));
    let owners = format!(
        "{} INSERT INTO account (id, org_id, identity_id, kind, identifier, identifier_fold, description, description_fold,
            state, created_at, created_by, updated_at, tombstone)
        SELECT {id}, f.org_id, f.nobody, CASE WHEN i % 2 = 0 THEN 'service' ELSE 'user' END, x.name, x.name,
            'of ' || x.team, 'of ' || x.team, CASE WHEN i % 40 = 0 THEN 'inactive' ELSE 'active' END, {FIRST} + i,
            f.nobody, {FIRST} + i, f.nobody
        FROM {first} CROSS JOIN (SELECT i, {team} AS team, CASE WHEN i % 2 = 0
            THEN 'sa::' || {team} || '-' || substr(CAST(100000 + i AS TEXT), 2)
            ELSE {team} || '.person' || substr(CAST(100000 + i AS TEXT), 2) || '@example.test' END AS name FROM n) x",
        numbers(0, ACCOUNTS)
    );
    conn.run(owners).await;
    let begun = Instant::now();
    let step = 1_100 * DAY / count as i64;
    // A number that looks like chance, of each token.
    let (what, place) = (one_of(&WHAT, "(h / 3)"), one_of(&WHERE, "(h / 42)"));
    let id = conn.id("x.made", "x.i");
    for from in (0..count).step_by(BATCH) {
        let to = count.min(from + BATCH);
        // One in 21 was revoked, and nobody finds it.
        let tokens = format!(
            "{} INSERT INTO token (id, short_id, org_id, owner_id, kind, name, name_fold, state, scopes, reach, addresses,
                created_at, created_by, created_through, updated_at, not_before, expires_at, idle_limit, last_used_at,
                last_used_address, revoked_at, owner_fold, owner_type)
            SELECT {id}, 'b' || x.i, f.org_id, a.id, a.kind, x.name, LOWER(x.name),
                CASE WHEN x.i % 21 = 20 THEN 'revoked' ELSE 'active' END, f.scopes, f.reach, f.addresses,
                x.made, a.id, f.nobody, x.made, 0, {NEVER}, {NEVER},
                CASE WHEN x.h % 3 = 0 THEN 0 WHEN x.h % 2 = 0 THEN {NOW} - (x.h * x.h % 2592000) * 1000
                    ELSE x.made + ({NOW} - x.made) / 65521 * x.h END,
                '', CASE WHEN x.i % 21 = 20 THEN {NOW} ELSE 0 END, a.identifier_fold,
                CASE WHEN a.kind = 'service' AND a.state = 'inactive' THEN 'inactive_service' ELSE a.kind END
            FROM (SELECT i, h, {START} + i * {step} AS made, CASE WHEN i % 25000 = 77 THEN 'zeppelin ' || (i / 25000)
                ELSE CASE h % 3 WHEN 0 THEN w ELSE w || '-' || {place} || CASE h % 3 WHEN 1 THEN ''
                ELSE '-' || substr(CAST(10000 + h % 10000 AS TEXT), 2) END END END AS name
                FROM (SELECT i, h, {what} AS w FROM (SELECT i, (i * 48271) % 65521 AS h FROM n) y) z) x
            CROSS JOIN {first}
            JOIN account a ON a.org_id = f.org_id AND a.tombstone = f.nobody
                AND a.created_at = {FIRST} + (x.i * 7919) % {ACCOUNTS}",
            numbers(from, to)
        );
        conn.run(tokens).await;
        bar(database, to, count, begun);
    }
    eprintln!();
    // Each with a secret: nobody knows what it is the digest of.
    let (digest, nothing) = match &conn {
        Conn::Sqlite(_) => ("randomblob(32)", "x''"),
        Conn::Postgres(_) => ("sha256(convert_to(short_id, 'UTF8'))", "CAST('' AS BYTEA)"),
    };
    conn.run(format!(
        "INSERT INTO secret (id, token_id, org_id, digest, last4, created_at, good_until, sealed)
        SELECT id, id, org_id, {digest}, 'abcd', created_at, CASE WHEN state = 'revoked' THEN {NOW} ELSE {NEVER} END, {nothing}
        FROM token WHERE name <> 'first token'"
    ))
    .await;
    match &mut conn {
        Conn::Sqlite(_) => {
            conn.run("INSERT INTO account_text (id, identifier) SELECT id, identifier_fold FROM account".to_owned())
                .await;
            conn.run("INSERT INTO token_text (id, name) SELECT id, name_fold FROM token WHERE name <> ''".to_owned())
                .await;
        }
        // What autovacuum does within minutes.
        Conn::Postgres(_) => conn.run("VACUUM ANALYZE".to_owned()).await,
    }
}

/// Shows how far it is.
fn bar(what: &str, done: usize, all: usize, begun: Instant) {
    let (filled, spent) = (done * 40 / all, begun.elapsed().as_secs_f64());
    let left = spent / done as f64 * (all - done) as f64;
    eprint!("\r{what:<11} [{:<40}] {done:>8} of {all}, {left:>4.0} s left ", "#".repeat(filled));
    let _ = std::io::stderr().flush();
}

/// Gives so many of the living tokens secrets that are known here, the same in every run: in the form of the house's own.
/// As many as there are, if there are fewer.
pub async fn in_use(url: &str, count: usize, of: usize) -> Vec<String> {
    let random = Random::fixed(7);
    let mut conn = SqliteConnection::connect(url).await.expect("the file");
    // Evenly from old to young; a little more than wanted, because some are revoked or their owners switched off.
    let every = (of * 9 / 10 / count).max(1);
    // Those that an earlier measurement issued in this database are not among them: some have two secrets.
    let living = "SELECT t.id FROM token t JOIN account a ON a.id = t.owner_id
        WHERE t.state = 'active' AND a.state = 'active' AND t.name <> 'first token' AND t.created_at <= $3
        AND CAST(substr(t.short_id, 2) AS INTEGER) % $1 = 0 ORDER BY t.id LIMIT $2";
    let limit = i64::try_from(count).expect("a limit");
    let every = i64::try_from(every).expect("a step");
    let ids: Vec<(Vec<u8>,)> =
        sqlx::query_as(living).bind(every).bind(limit).bind(NOW).fetch_all(&mut conn).await.expect("tokens");
    let secrets: Vec<_> = ids.iter().map(|_| make(Form::House, TokenKind::Service, &random)).collect();
    conn.execute("PRAGMA synchronous = OFF").await.expect("a setting");
    conn.execute("BEGIN").await.expect("a transaction");
    for ((id,), secret) in ids.iter().zip(&secrets) {
        let set = sqlx::query("UPDATE secret SET digest = $2 WHERE token_id = $1");
        set.bind(id).bind(secret.digest().0.to_vec()).execute(&mut conn).await.expect("a secret");
    }
    conn.execute("COMMIT").await.expect("a commit");
    conn.close().await.expect("an end");
    secrets.iter().map(|secret| secret.expose().to_owned()).collect()
}
