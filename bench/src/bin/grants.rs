//! What an access token costs inside the program, made and verified, beside the bare signature of the same library.
//! Rounds are interleaved. Each grant is made to sign: an access token that is given a second time is measured by itself.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenhouse_authority::api_tokens::{self, NewApiToken};
use tokenhouse_authority::apps::{self, NewApp};
use tokenhouse_authority::grants::{self, Client, ClientGrant, Exchange, IdToken, Terms};
use tokenhouse_authority::verify::{self, Verdict};
use tokenhouse_authority::{Ctx, Settings as Verify, install, keys, orgs::NewOrg, pulse};
use tokenhouse_bench::signatures::Bare;
use tokenhouse_model::app::{self, AppTerms};
use tokenhouse_model::asked::{Asked, ServiceRoles};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::decide::Ask;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::jwt::Typ;
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Kinds, SecretText, Surface};
use tokenhouse_store::{Checkpoints, Location, MasterKey, Settings, Store};

const ROUNDS: usize = 5;
/// Of one measurement.
const SLICE: Duration = Duration::from_millis(400);
/// Access tokens that are verified for the first time in one measurement.
const FRESH: usize = 300;

/// How often a second something is done in a slice.
async fn rate(mut work: impl AsyncFnMut(u64)) -> f64 {
    let (begun, mut times) = (Instant::now(), 0);
    while begun.elapsed() < SLICE {
        work(times).await;
        times += 1;
    }
    times as f64 / begun.elapsed().as_secs_f64()
}

async fn opened(folder: &std::path::Path) -> Arc<Ctx> {
    let (clock, random) = (Clock::system(), Random::system());
    let location = Location::parse(&format!("sqlite://{}", folder.join("bench.db").display())).expect("a location");
    let key = MasterKey::create(&folder.join("master.key"), &random).expect("a key");
    Store::create(&location, &key, &clock, &random).await.expect("a schema");
    let journal = folder.join("journal");
    let settings = Settings { location, journal, checkpoints: Checkpoints::default(), readers: 2, misses: 2 };
    let store = Store::open(&settings, key, clock.clone(), random.clone()).await.expect("a store");
    Arc::new(Ctx::new(store, clock, random, Verify::default()))
}

fn asked() -> Asked {
    let organization = ServiceRoles { all: false, roles: vec!["org_owner".to_owned(), "developer".to_owned()] };
    Asked { organization, services: BTreeMap::new(), ..Asked::default() }
}

fn terms(audience: Option<&str>, algorithm: Algorithm) -> Terms<'_> {
    Terms { scope: None, audience, algorithm, typ: Typ::AccessToken, id_token: IdToken::Never }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let ctx = opened(folder.path()).await;
    let new = NewOrg { name: "bench".to_owned(), admin: "a@bench.test".to_owned() };
    let made = install::install(&ctx, new, false).await.expect("an installation");
    pulse::join(&ctx).await.expect("a pulse");
    keys::tend(&ctx).await.expect("keys");
    let admin = Presented::new(made.token.expose().as_bytes());
    let caller = verify::caller(&ctx, &admin, Surface::Native, None, "").await.expect("a caller");
    let new = NewApiToken { name: String::new(), asked: asked(), life: None, notice_days: 0 };
    let api = api_tokens::create(&ctx, &caller, new).await.expect("an api token").value.secret.expect("its value");
    let api = Presented::new(api.expose().as_bytes());
    let terms_of_app = AppTerms {
        display_name: "app".to_owned(),
        asked: asked(),
        life: app::LIFE,
        overlap: app::OVERLAP,
        owner_only: false,
        allowed_orgs: Vec::new(),
        other: serde_json::Map::new(),
    };
    let id = Some("bench".to_owned());
    let new = NewApp { id, secret: None, description: String::new(), terms: terms_of_app };
    let app = apps::create(&ctx, &caller, new).await.expect("an app").value.secret.expect("its secret");
    let secrets = [app];

    let exchange = async |audience: Option<&str>, algorithm| {
        let wanted = terms(audience, algorithm);
        let ask = Exchange { presented: &api, surface: Surface::Verify, address: None, kinds: Kinds::ANY, wanted };
        grants::exchange(&ctx, &ask).await.expect("an access token")
    };
    let client = async |audience: Option<&str>, algorithm| {
        let (surface, wanted) = (Surface::Verify, terms(audience, algorithm));
        let client = Client { id: "bench", secrets: &secrets, surface, address: None };
        let ask = ClientGrant { client, org: None, wanted };
        grants::client(&ctx, &ask).await.expect("an access token")
    };
    let bare = Bare::default();
    let ask = Ask::on(Surface::Verify, None);
    let verified = async |presented: &Presented| {
        let verdict = verify::verify(&ctx, presented, &ask).await.expect("a verdict");
        assert!(matches!(black_box(verdict), Verdict::Good(_)));
    };
    let other = |audience: u64| format!("https://{audience}.example");
    let presented = |text: &SecretText| Presented::new(text.expose().as_bytes());

    let mut figures: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut serial = 0;
    for _ in 0..ROUNDS {
        for algorithm in Algorithm::ALL.iter().copied() {
            let text = exchange(Some("https://text.example"), algorithm).await.text;
            let signed = text.expose().rsplit_once('.').expect("a JWT").0.as_bytes().to_vec();
            let mut note = |what: &str, figure: f64| {
                figures.entry(format!("{algorithm} {what}")).or_default().push(figure);
            };
            note("1 bare", rate(async |_| bare.sign(algorithm, &signed)).await);
            serial += 1 << 32;
            note("2 exchange", rate(async |at| drop(exchange(Some(&other(serial + at)), algorithm).await)).await);
            serial += 1 << 32;
            note("3 client", rate(async |at| drop(client(Some(&other(serial + at)), algorithm).await)).await);
            note("4 again", rate(async |_| drop(exchange(None, algorithm).await)).await);
            serial += 1 << 32;
            let mut fresh = Vec::with_capacity(FRESH);
            for at in 0..FRESH as u64 {
                fresh.push(presented(&exchange(Some(&other(serial + at)), algorithm).await.text));
            }
            let begun = Instant::now();
            for one in &fresh {
                verified(one).await;
            }
            note("5 first", FRESH as f64 / begun.elapsed().as_secs_f64());
            note("6 repeated", rate(async |at| verified(&fresh[at as usize % FRESH]).await).await);
        }
        let opaque = rate(async |_| verified(&admin).await).await;
        figures.entry("opaque".to_owned()).or_default().push(opaque);
    }
    let median = |name: &str| {
        let mut all = figures[name].clone();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!(
        "{:<8} {:>12} {:>10} {:>6} {:>10} {:>6} {:>12} {:>12} {:>12}",
        "a second", "signatures", "exchange", "ratio", "client", "ratio", "given again", "first verify", "repeated"
    );
    for algorithm in Algorithm::ALL {
        let of = |what: &str| median(&format!("{algorithm} {what}"));
        let (bare, exchange, client) = (of("1 bare"), of("2 exchange"), of("3 client"));
        println!(
            "{:<8} {:>12.0} {:>10.0} {:>6.2} {:>10.0} {:>6.2} {:>12.0} {:>12.0} {:>12.0}",
            algorithm.as_str(),
            bare,
            exchange,
            exchange / bare,
            client,
            client / bare,
            of("4 again"),
            of("5 first"),
            of("6 repeated")
        );
    }
    println!("an opaque token, repeated: {:.0} verifies a second", median("opaque"));
    pulse::leave(&ctx).await;
}
