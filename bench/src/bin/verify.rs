//! What one verify costs inside the program, beside what it can't do without: one SHA-256 of a secret of 36 bytes, and
//! six reads of 64 bytes at random places of a table of as many entries. Rounds are interleaved.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tokenhouse_authority::verify::{self, Verdict};
use tokenhouse_authority::{Ctx, Settings as Verify, install, orgs::NewOrg, pulse};
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::decide::Ask;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::secret::{Form, make};
use tokenhouse_model::{
    Account, NEVER, Reach, Scopes, Secret, SecretText, Surface, Token, TokenKind, TokenState, Uuid, id,
};
use tokenhouse_store::{Checkpoints, Location, MasterKey, Settings, Store, Tx, accounts, tokens};

const ROUNDS: usize = 7;
const TOKENS_OF_ACCOUNT: usize = 20;
const VERIFIES: usize = 400_000;

/// A quick sequence of places; the same for everything that is measured.
struct Places(u64);

impl Places {
    fn next(&mut self, of: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % of as u64).expect("an index")
    }
}

async fn opened(folder: &std::path::Path, random: &Random) -> (Store, Arc<Ctx>) {
    let clock = Clock::system();
    let location = Location::parse(&format!("sqlite://{}", folder.join("bench.db").display())).expect("a location");
    let key = MasterKey::create(&folder.join("master.key"), random).expect("a key");
    Store::create(&location, &key, &clock, random).await.expect("a schema");
    let settings = Settings {
        location,
        journal: folder.join("journal"),
        checkpoints: Checkpoints::default(),
        readers: 2,
        misses: 2,
    };
    let store = Store::open(&settings, key, clock.clone(), random.clone()).await.expect("a store");
    let settings = Verify { memory: 512 << 20, misses: 2, ..Verify::default() };
    (store.clone(), Arc::new(Ctx::new(store, clock, random.clone(), settings)))
}

/// Accounts with so many live tokens in all; their secrets in the form of a UUID, which has 36 bytes.
async fn fill(store: &Store, org: Uuid, count: usize, random: &Random) -> Vec<Presented> {
    let mut secrets = Vec::with_capacity(count);
    while secrets.len() < count {
        let mut made = Vec::new();
        for _ in 0..100 {
            let account = account(org, random);
            for _ in 0..TOKENS_OF_ACCOUNT {
                let text = make(Form::Uuid, TokenKind::Service, random);
                made.push((account.clone(), token(&account, random), text));
            }
        }
        secrets.extend(made.iter().map(|(.., text)| Presented::new(text.expose().as_bytes())));
        let write = async move |tx: &mut Tx<'_>| {
            let mut last = Uuid::nil();
            for (account, token, text) in &made {
                if account.id != last {
                    accounts::insert(tx.conn(), account).await?;
                    last = account.id;
                }
                tokens::insert(tx.conn(), token).await?;
                tokens::insert_secret(tx.conn(), &secret(token, text)).await?;
            }
            Ok(())
        };
        store.write(write).await.expect("rows");
    }
    secrets.truncate(count);
    secrets
}

fn account(org: Uuid, random: &Random) -> Account {
    let id = id::new(1_800_000_000_000, random);
    let identifier = format!("sa::{id}");
    Account {
        id,
        org_id: org,
        identity_id: Uuid::nil(),
        kind: AccountKind::Service,
        identifier_fold: identifier.clone(),
        identifier,
        description: String::new(),
        state: AccountState::Active,
        created_at: 1,
        created_by: Uuid::nil(),
        updated_at: 1,
        tombstone: Uuid::nil(),
    }
}

fn token(account: &Account, random: &Random) -> Token {
    let id = id::new(1_800_000_000_000, random);
    Token {
        id,
        short_id: id.simple().to_string(),
        org_id: account.org_id,
        owner_id: account.id,
        kind: TokenKind::Service,
        name: "a script of somebody".to_owned(),
        name_fold: "a script of somebody".to_owned(),
        state: TokenState::Active,
        scopes: Scopes::All,
        reach: Reach::ALL,
        addresses: AddressRules::default(),
        created_at: 1,
        created_by: Uuid::nil(),
        created_through: Uuid::nil(),
        updated_at: 1,
        not_before: 0,
        expires_at: NEVER,
        idle_limit: NEVER,
        last_used_at: 0,
        last_used_address: String::new(),
        revoked_at: 0,
    }
}

fn secret(token: &Token, text: &SecretText) -> Secret {
    Secret {
        id: token.id,
        token_id: token.id,
        org_id: token.org_id,
        digest: text.digest(),
        last4: text.last4(),
        created_at: 1,
        good_until: NEVER,
        sealed: Vec::new(),
    }
}

/// Nanoseconds of one `work`, which is done so often.
fn each(times: usize, mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..times {
        work();
    }
    begun.elapsed().as_nanos() as f64 / times as f64
}

/// Nanoseconds of one verify of secrets taken at random.
async fn verify_each(ctx: &Ctx, secrets: &[Presented], good: bool, seed: u64) -> f64 {
    let (mut places, ask) = (Places(seed), Ask::on(Surface::Verify, None));
    let begun = Instant::now();
    for _ in 0..VERIFIES {
        let verdict = verify::verify(ctx, &secrets[places.next(secrets.len())], &ask).await.expect("a verdict");
        assert_eq!(matches!(black_box(verdict), Verdict::Good(_)), good);
    }
    begun.elapsed().as_nanos() as f64 / VERIFIES as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let count: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let random = Random::system();
    let (store, ctx) = opened(folder.path(), &random).await;
    let new = NewOrg { name: "bench".to_owned(), admin: "a@bench.test".to_owned() };
    let made = install::install(&ctx, new, false).await;
    let org = made.expect("an installation").org_id;
    let secrets = Arc::new(fill(&store, org, count, &random).await);
    pulse::join(&ctx).await.expect("a pulse");
    let ask = Ask::on(Surface::Verify, None);
    let junk: Vec<Presented> = (0..count.min(50_000))
        .map(|_| Presented::new(make(Form::Uuid, TokenKind::Service, &random).expose().as_bytes()))
        .collect();
    for secret in secrets.iter().chain(&junk) {
        verify::verify(&ctx, secret, &ask).await.expect("a verdict");
    }
    let filled = verify::filled(&ctx);
    println!(
        "{count} live tokens of {} accounts, all remembered: {} secrets, {} holders, {} unknown",
        count / TOKENS_OF_ACCOUNT,
        filled.secrets,
        filled.holders,
        filled.unknown
    );
    println!("memory, as weighed: {:.1} MB", filled.bytes as f64 / 1e6);

    // The table of 64-byte entries, each saying which one is to be read next.
    let mut places = Places(7);
    let table: Vec<[u64; 8]> = (0..count).map(|_| [places.next(count) as u64; 8]).collect();
    let counted = ctx.clone();
    let one = secrets[0].clone();
    let count_once = || {
        allocation_counter::measure(|| {
            let verdict = futures::executor::block_on(verify::verify(&counted, &one, &ask));
            drop(black_box(verdict));
        })
    };
    // The first time makes what the thread itself keeps, and notes the token as used since the last flush.
    count_once();
    let allocations = count_once();

    let (mut hash, mut reads, mut good, mut bad, mut pair) = (vec![], vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS as u64 {
        let mut places = Places(round + 1);
        hash.push(each(VERIFIES, || {
            let secret = &secrets[places.next(secrets.len())];
            black_box(Sha256::digest(secret.bytes()));
        }));
        let (mut places, mut at) = (Places(round + 1), 0);
        reads.push(each(VERIFIES, || {
            at = (at + places.next(count)) % count;
            for _ in 0..6 {
                at = usize::try_from(table[at][3]).expect("an index");
            }
            black_box(at);
        }));
        let (own, list) = (ctx.clone(), secrets.clone());
        good.push(tokio::spawn(async move { verify_each(&own, &list, true, round + 1).await }).await.expect("figures"));
        bad.push(verify_each(&ctx, &junk, false, round + 1).await);
        let threads = [1, 2].map(|seed| {
            let (ctx, secrets) = (ctx.clone(), secrets.clone());
            std::thread::spawn(move || futures::executor::block_on(verify_each(&ctx, &secrets, true, seed)))
        });
        let both: Vec<f64> = threads.into_iter().map(|thread| thread.join().expect("figures")).collect();
        pair.push(2.0 / both.iter().map(|nanos| 1.0 / nanos).sum::<f64>());
    }
    let (hash, reads, good, bad, pair) = (median(hash), median(reads), median(good), median(bad), median(pair));
    let line = |what: &str, nanos: f64| println!("{what:<52} {nanos:>8.0} ns");
    line("SHA-256 of 36 bytes", hash);
    line(&format!("six dependent random reads of 64 bytes of {count}"), reads);
    line("verify, good, one thread", good);
    line("verify, repeated unknown secret, one thread", bad);
    line("verify, good, each of two threads", pair);
    println!("{:<52} {:>8.2}   (aim: at most 1)", "verify / (SHA-256 + six reads)", good / (hash + reads));
    println!("{:<52} {:>8.2}   (aim: at most 1.2)", "unknown, repeated / good", bad / good);
    println!("{:<52} {:>8.2}", "two threads / one thread, verifies per second", 2.0 * good / pair);
    println!("{:<52} {:>8}   (aim: 0)", "allocations of one verify", allocations.count_total);
    pulse::leave(&ctx).await;
}
