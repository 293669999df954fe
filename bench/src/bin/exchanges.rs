//! Access tokens per second over HTTP: given for an api token and for an app's secret, and verified by introspection, beside
//! the bare signatures of the same library on the server's core. Server on the first core, client on the second; rounds
//! are interleaved.
//!
//! An access token is given again to who asks for the same, so each request is made to differ from the one before it: by
//! its audience, or at the exchange of VMware Cloud Services by its scope. What is given again is measured by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};
use tokenhouse_bench::generator::{Generator, Template};
use tokenhouse_bench::server::Server;
use tokenhouse_bench::signatures::Bare;
use tokenhouse_model::signing::Algorithm;

const ROUNDS: usize = 5;
/// Connections that ask.
const CONNECTIONS: usize = 16;
/// Audiences, so that one is seldom asked for twice in a row.
const AUDIENCES: usize = 50_000;
/// Permissions whose subsets are asked for: as many scopes as two to the power of it.
const PERMISSIONS: u32 = 11;
/// Access tokens that are verified for the first time in one measurement.
const FRESH: usize = 500;

const USAGE: &str = "usage: exchanges PROGRAM [SECONDS]";
const CSP: &str = "/csp/gateway/am/api";

/// Binds this program to one core, where there is more than one.
fn to_core(core: usize) {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > core) || core == 0 {
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only).expect("a core");
    }
}

/// A form that is posted; `SECRET` stands for what differs.
fn form(path: &str, more: &str, body: &str, example: &str) -> Template {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench.test\r\n{more}content-type: application/x-www-form-urlencoded\r\n\
         content-length: LENGTH"
    );
    Template::new(&head, body, example)
}

struct Bench {
    server: Server,
    address: String,
    client: reqwest::Client,
    /// The value of an api token, and an app's id and secret.
    api: String,
    app: (String, String),
    audiences: Vec<String>,
    scopes: Vec<String>,
    time: Duration,
}

impl Bench {
    async fn start(program: PathBuf, folder: &std::path::Path, time: Duration, apart: bool) -> Self {
        let database = format!("sqlite://{}", folder.join("bench.db").display());
        let server = Server::start(&program, &database, folder).await;
        let token = server.token.clone();
        server.stop().await;
        let server = Server::serve(&program, &database, folder, token, apart.then_some(0)).await;
        let roles = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<Value>>();
        let services = ["aoa:dashboards", "aoa:alerts", "aoa:events", "aoa:metrics", "aoa:proxies", "aoa:sources"];
        let scopes = json!({
            "organizationScopes": {"roles": roles(&["org_owner", "developer"])},
            "servicesScopes": [{
                "serviceDefinitionId": "a0a00000-0000-4000-8000-000000000001", "roles": roles(&services),
            }],
        });
        let account = server.get(&format!("{CSP}/loggedin/user")).await;
        let account = account["userId"].as_str().expect("an account").to_owned();
        for role in services {
            server.put(&format!("/v1/accounts/{account}/roles/{role}")).await;
        }
        let path = format!("{CSP}/loggedin/user/api-tokens");
        let api = server.post(&path, json!({"allowedScopes": scopes})).await["apiToken"]
            .as_str()
            .expect("a value")
            .to_owned();
        let org = server.get(&format!("{CSP}/loggedin/user/default-org")).await;
        let path = format!("{CSP}/orgs/{}/oauth-apps", org["id"].as_str().expect("an org"));
        let ask = json!({
            "displayName": "bench", "description": "", "grantTypes": ["client_credentials"],
            "allowedScopes": {"organizationScopes": {"roles": roles(&["org_owner", "developer"])}},
        });
        let app = server.post(&path, ask).await;
        let text = |name: &str| app[name].as_str().expect("text").to_owned();
        let app = (text("clientId"), text("clientSecret"));
        let address = server.url.trim_start_matches("http://").to_owned();
        let audiences = (0..AUDIENCES).map(|number| format!("{number:08}")).collect();
        let client = reqwest::Client::new();
        let mut bench = Self { server, address, client, api, app, audiences, scopes: Vec::new(), time };
        bench.scopes = bench.subsets().await;
        bench
    }

    /// Scopes that the api token can be narrowed to, padded to one length: spaces more are none.
    async fn subsets(&self) -> Vec<String> {
        let all = self.granted("").await["scope"].as_str().expect("a scope").to_owned();
        let names: Vec<&str> = all.split(' ').filter(|name| name.len() < 60).take(PERMISSIONS as usize).collect();
        assert_eq!(names.len(), PERMISSIONS as usize, "{all}");
        let longest = names.join("+").len();
        let subset = |number: u32| {
            let picked = names.iter().enumerate().filter(|(at, _)| number >> at & 1 == 1).map(|(_, name)| *name);
            let text = picked.collect::<Vec<_>>().join("+");
            format!("{text:+<longest$}")
        };
        (1..1 << PERMISSIONS).map(subset).collect()
    }

    /// What an exchange of the api token answers, once there are keys to sign with.
    async fn granted(&self, more: &str) -> Value {
        let body = format!("grant_type=refresh_token&refresh_token={}{more}", self.api);
        let url = format!("{}/oauth2/token", self.server.url);
        loop {
            let request = self.client.post(&url).header("content-type", "application/x-www-form-urlencoded");
            let answer = request.body(body.clone()).send().await.expect("an answer");
            if answer.status() != 503 {
                assert!(answer.status().is_success(), "{}", answer.status());
                return answer.json().await.expect("JSON");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How often a second this is answered.
    fn rate(&self, template: &Template, differing: &[String]) -> f64 {
        Generator::open(&self.address, CONNECTIONS, template, differing).closed(self.time).rate
    }

    fn exchange(&self, algorithm: Algorithm, audience: &str) -> Template {
        let body = format!("grant_type=refresh_token&refresh_token={}&algorithm={algorithm}{audience}", self.api);
        form("/oauth2/token", "", &body, &self.audiences[0])
    }

    fn client(&self, algorithm: Algorithm, audience: &str) -> Template {
        let (id, secret) = &self.app;
        let body = format!(
            "grant_type=client_credentials&client_id={id}&client_secret={secret}&algorithm={algorithm}{audience}"
        );
        form("/oauth2/token", "", &body, &self.audiences[0])
    }

    fn csp(&self, scope: &str) -> Template {
        let body = format!("api_token={}{scope}", self.api);
        form(&format!("{CSP}/auth/api-tokens/authorize"), "", &body, &self.scopes[0])
    }

    /// New access tokens of one length.
    async fn fresh(&self, algorithm: Algorithm, round: usize) -> Vec<String> {
        let mut all = Vec::with_capacity(FRESH);
        for number in 0..FRESH {
            let more = format!("&algorithm={algorithm}&audience=https://{round}-{number:08}.example");
            all.push(self.granted(&more).await["access_token"].as_str().expect("text").to_owned());
        }
        all
    }

    /// Bare signatures of such a text, on the server's core.
    fn bare(&self, bare: &Bare, algorithm: Algorithm, text: &str) -> f64 {
        let signed = text.rsplit_once('.').expect("a JWT").0.as_bytes();
        to_core(0);
        let (begun, mut times) = (Instant::now(), 0_u32);
        while begun.elapsed() < self.time {
            bare.sign(algorithm, signed);
            times += 1;
        }
        let rate = f64::from(times) / begun.elapsed().as_secs_f64();
        to_core(1);
        rate
    }

    async fn round(&self, bare: &Bare, round: usize, figures: &mut BTreeMap<String, Vec<f64>>) {
        let mut note = |what: String, figure: f64| figures.entry(what).or_default().push(figure);
        let (audience, same) = ("&audience=https://SECRET.example", [String::new()]);
        let asker = format!("authorization: Bearer {}\r\n", self.server.token);
        for algorithm in Algorithm::ALL.iter().copied() {
            let fresh = self.fresh(algorithm, round).await;
            note(format!("{algorithm} bare"), self.bare(bare, algorithm, &fresh[0]));
            note(format!("{algorithm} exchange"), self.rate(&self.exchange(algorithm, audience), &self.audiences));
            note(format!("{algorithm} client"), self.rate(&self.client(algorithm, audience), &self.audiences));
            note(format!("{algorithm} exchange again"), self.rate(&self.exchange(algorithm, ""), &same));
            note(format!("{algorithm} client again"), self.rate(&self.client(algorithm, ""), &same));
            let introspection = form("/oauth2/introspect", &asker, "token=SECRET", &fresh[0]);
            let first = Generator::open(&self.address, CONNECTIONS, &introspection, &fresh).each_once();
            note(format!("{algorithm} first"), first.rate);
            note(format!("{algorithm} repeated"), self.rate(&introspection, &fresh));
        }
        note("csp exchange".to_owned(), self.rate(&self.csp("&scope=SECRET"), &self.scopes));
        note("csp exchange again".to_owned(), self.rate(&self.csp(""), &same));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next().map(PathBuf::from) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let apart = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut figures = BTreeMap::new();
    runtime.block_on(async {
        let bench = Bench::start(program, folder.path(), Duration::from_secs_f64(seconds), apart).await;
        to_core(1);
        let bare = Bare::default();
        for round in 0..ROUNDS {
            bench.round(&bare, round, &mut figures).await;
        }
        bench.server.stop().await;
    });
    let median = |name: &str| {
        let mut all = figures[name].clone();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!(
        "| | signatures | exchange | ratio | client credentials | ratio | exchange again | client again | first verify | repeated verify |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for algorithm in Algorithm::ALL {
        let of = |what: &str| median(&format!("{algorithm} {what}"));
        let (bare, exchange, client) = (of("bare"), of("exchange"), of("client"));
        println!(
            "| {algorithm} | {bare:.0} | {exchange:.0} | {:.2} | {client:.0} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} |",
            exchange / bare,
            client / bare,
            of("exchange again"),
            of("client again"),
            of("first"),
            of("repeated"),
        );
    }
    let csp = median("csp exchange");
    println!(
        "| RS256, VMware Cloud Services' exchange | | {csp:.0} | {:.2} | | | {:.0} | | | |",
        csp / median("RS256 bare"),
        median("csp exchange again"),
    );
}
