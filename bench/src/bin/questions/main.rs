//! Questions about credentials per second, over HTTP, beside a bare server in the same run. Server on the first core,
//! client on the second; rounds are interleaved, so that a machine that slows down slows both.

mod bare;
mod grpc;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::json;
use table::{Bar, Figure, middle};
use tokenhouse_bench::changes::{change, issue};
use tokenhouse_bench::generator::{Generator, Run, Template};
use tokenhouse_bench::load::{self, Loaded};
use tokenhouse_bench::server::{Server, free_address, on_core, processor};
use tokio::process::{Child, Command};

/// Interleaved rounds.
const ROUNDS: usize = 5;
/// In a round the two servers take turns so often, so that what slows the machine down slows both.
const SLICES: u32 = 20;
/// Clients that change things.
const CLIENTS: usize = 32;
/// Connections that ask.
const CONNECTIONS: usize = 64;
/// Connections that ask about what is not remembered.
const COLD: usize = 8;
/// The most tokens in use.
const IN_USE: usize = 100_000;
/// The part of the peak at which the open loop asks.
const OPEN_AT: f64 = 0.7;

const USAGE: &str = "usage: questions PROGRAM [SECONDS [FOLDER [FIGURES [QUESTION [TOKENS...]]]]]";

/// What is measured, and how.
struct Plan {
    program: PathBuf,
    /// Of one measurement.
    time: Duration,
    folder: PathBuf,
    apart: bool,
    /// The one question that is measured; all, unless it is named.
    only: Option<String>,
}

/// A question, as ours and as the bare server answers it.
struct Asked {
    name: &'static str,
    ours: Sent,
    bare: Sent,
    bar: Bar,
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("bare").is_some() {
        let listen = arguments.next().expect("an address");
        return bare::serve(&listen, arguments.next().and_then(|size| size.parse().ok()).expect("a size"));
    }
    let Some(program) = arguments.next().map(PathBuf::from) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(4.0);
    let thrown = tempfile::tempdir().expect("a folder");
    // What is empty was not named.
    let mut named = || arguments.next().filter(|text| !text.is_empty());
    let (kept, file, only) = (named().map(PathBuf::from), named(), named());
    let sizes: Vec<usize> = arguments.map(|text| text.parse().expect("a number of tokens")).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 1_000_000] } else { sizes };
    let apart = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    if apart {
        let mut second = CpuSet::new();
        second.set(1);
        sched_setaffinity(None, &second).expect("the second core");
    }
    let folder = kept.unwrap_or_else(|| thrown.path().to_owned());
    let plan = Plan { program, time: Duration::from_secs_f64(seconds), folder, apart, only };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut all = Vec::new();
    for size in sizes {
        let figures = runtime.block_on(plan.measure(size));
        table::print(&format!("{size} stored tokens"), &figures);
        all.push(json!({"tokens": size, "figures": figures}));
        // After each: a run of half an hour that breaks off is not for nothing.
        if let Some(file) = &file {
            std::fs::write(file, json!(all).to_string()).expect("a file");
        }
    }
}

impl Plan {
    fn core(&self) -> Option<usize> {
        self.apart.then_some(0)
    }

    async fn measure(&self, size: usize) -> Vec<Figure> {
        let loaded = Loaded::open("SQLite", &self.folder, "", size).await;
        let (url, home, token) = (loaded.url.clone(), loaded.home.clone(), loaded.token.clone());
        eprintln!("{size} tokens, {}", loaded.took);
        loaded.close().await;
        let secrets = load::in_use(&url, IN_USE.min(size / 2), size).await;
        let mut figures = Vec::new();
        let server = self.serve(&url, &home, &token).await;
        let rest = server.memory_mb();
        let asker = asker(&server).await;
        let address = server.url.trim_start_matches("http://").to_owned();
        let asked = questions(&asker, &secrets);
        let asked: Vec<Asked> =
            asked.into_iter().filter(|asked| self.only.iter().all(|only| only == asked.name)).collect();

        // Each once: nothing of them is remembered.
        let introspection = introspection(&asker, &secrets[0]);
        let cold = Generator::open(&address, COLD, &introspection, &secrets).each_once();
        let mut unsure = cold.unsure;
        figures.push(Figure::alone("cold verify, 8 connections", "/s", vec![cold.rate], Bar::None));
        figures.push(Figure::alone("cold verify, p99", "ms", vec![cold.within(0.99)], Bar::None));
        for asked in &asked {
            let mut ours = asked.ours.client(&address, &secrets);
            let size = ours.closed(Duration::from_millis(300)).await.body;
            let (mut beside, beside_at) = self.bare(size);
            let mut bare = asked.bare.client(&beside_at, &secrets);
            let beside_id = beside.id().expect("a running server");
            let mut rounds = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                let before = [server.processor(), processor(beside_id)];
                let mut answered = [0, 0];
                for _ in 0..SLICES {
                    let runs = [ours.closed(self.time / SLICES).await, bare.closed(self.time / SLICES).await];
                    unsure += runs[0].unsure;
                    answered = [0, 1].map(|at| answered[at] + runs[at].took.len());
                }
                let spent = [server.processor() - before[0], processor(beside_id) - before[1]];
                for (at, rounds) in rounds.iter_mut().enumerate() {
                    let answered = answered[at] as f64;
                    rounds.push((answered / self.time.as_secs_f64(), answered / spent[at].as_secs_f64()));
                }
            }
            let [ours_rounds, bare_rounds] = rounds;
            let (rates, busy): (Vec<f64>, Vec<f64>) = ours_rounds.into_iter().unzip();
            let (bare_rates, bare_busy): (Vec<f64>, Vec<f64>) = bare_rounds.into_iter().unzip();
            let peak = middle(&rates);
            figures.push(Figure::beside(asked.name, rates, &bare_rates, asked.bar));
            figures.push(Figure::beside("  per second of the processor", busy, &bare_busy, Bar::None));
            let bare_peak = middle(&bare_rates);
            figures.push(Figure::alone(format!("  the bare server for {}", asked.name), "/s", bare_rates, Bar::None));
            let share = "at 70 % of its peak, open loop";
            let (mut p50, mut late) = (Vec::new(), [Vec::new(), Vec::new()]);
            for _ in 0..ROUNDS {
                let Some(run) = ours.open_loop(peak * OPEN_AT, self.time) else { break };
                let Some(beside) = bare.open_loop(bare_peak * OPEN_AT, self.time) else { break };
                unsure += run.unsure;
                p50.push(run.within(0.5));
                late[0].push(run.within(0.99));
                late[1].push(beside.within(0.99));
            }
            beside.kill().await.expect("an end");
            if !p50.is_empty() {
                let [ours_late, bare_late] = late;
                figures.push(Figure::alone(format!("  p50 {share}"), "ms", p50, Bar::None));
                figures.push(Figure::alone(format!("  p99 {share}"), "ms", ours_late, Bar::AtMost(1.0)));
                figures.push(Figure::alone(format!("  the bare server's p99 {share}"), "ms", bare_late, Bar::None));
            }
        }
        figures.push(Figure::alone("answered 503 in all of the above", "", vec![unsure as f64], Bar::None));
        figures.push(Figure::alone("memory at rest", "MB", vec![rest], Bar::None));
        let bar = if size == 1_000_000 { Bar::AtMost(150.0) } else { Bar::None };
        figures.push(Figure::alone("memory, all in use remembered", "MB", vec![server.memory_mb()], bar));
        if self.only.is_none() {
            figures.extend(self.changes(&server).await);
        }
        figures.extend(self.starts(server, &url, &home, &token).await);
        figures
    }

    /// Changes per second among so many tokens.
    async fn changes(&self, server: &Server) -> [Figure; 3] {
        server.lift_limits().await;
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let (issued, made) = issue(server, "", CLIENTS, self.time).await;
            let (rotated, revoked) = made.split_at(made.len() / 2);
            let rotated = change(server, "rotate", rotated, CLIENTS, self.time).await;
            let revoked = change(server, "revoke", revoked, CLIENTS, self.time).await;
            rates.iter_mut().zip([issued, rotated, revoked]).for_each(|(all, rate)| all.push(rate));
        }
        let [issued, rotated, revoked] = rates;
        [("issue, 32 clients", issued), ("rotate, 32 clients", rotated), ("revoke, 32 clients", revoked)]
            .map(|(name, rates)| Figure::alone(name, "/s", rates, Bar::None))
    }

    /// From exec to ready, after each way of ending.
    async fn starts(&self, server: Server, url: &str, home: &Path, token: &str) -> [Figure; 2] {
        let (mut running, mut gently, mut killed) = (server, Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            running.end("-TERM").await;
            running = self.serve(url, home, token).await;
            gently.push(running.ready.as_secs_f64() * 1000.0);
            running.end("-KILL").await;
            running = self.serve(url, home, token).await;
            killed.push(running.ready.as_secs_f64() * 1000.0);
        }
        running.end("-TERM").await;
        [
            Figure::alone("exec to ready after SIGTERM", "ms", gently, Bar::None),
            Figure::alone("exec to ready after SIGKILL", "ms", killed, Bar::None),
        ]
    }

    async fn serve(&self, url: &str, home: &Path, token: &str) -> Server {
        Server::serve(&self.program, url, home, token.to_owned(), self.core()).await
    }

    /// The bare server, whose answers have this size.
    fn bare(&self, size: usize) -> (Child, String) {
        let (listen, program) = (free_address(), std::env::current_exe().expect("this program"));
        let mut command: Command = on_core(&program, self.core());
        let child = command.arg("bare").arg(&listen).arg(size.to_string()).kill_on_drop(true).spawn();
        while std::net::TcpStream::connect(&listen).is_err() {
            std::thread::yield_now();
        }
        (child.expect("the bare server"), listen)
    }
}

/// How a question is sent.
enum Sent {
    Http(Template),
    Grpc { gateway: String },
}

impl Sent {
    fn client<'a>(&'a self, address: &str, secrets: &'a [String]) -> Client<'a> {
        match self {
            Self::Http(template) => Client::Http(Generator::open(address, CONNECTIONS, template, secrets)),
            Self::Grpc { gateway } => {
                Client::Grpc(Box::new(grpc::Questions::new(gateway, secrets)), address.to_owned())
            }
        }
    }
}

/// Whoever sends it.
enum Client<'a> {
    Http(Generator<'a>),
    Grpc(Box<grpc::Questions<'a>>, String),
}

impl Client<'_> {
    async fn closed(&mut self, time: Duration) -> Run {
        match self {
            Self::Http(generator) => generator.closed(time),
            Self::Grpc(questions, address) => questions.closed(address, time).await,
        }
    }

    /// Over HTTP/1.1 only.
    fn open_loop(&mut self, rate: f64, time: Duration) -> Option<Run> {
        match self {
            Self::Http(generator) => Some(generator.open_loop(rate, time)),
            Self::Grpc(..) => None,
        }
    }
}

/// A service account's token with which an API asks.
async fn asker(server: &Server) -> String {
    let account = json!({"kind": "service", "identifier": format!("sa::bench-{}", std::process::id())});
    let account = server.post("/v1/accounts", account).await;
    let account = account["id"].as_str().expect("an id").to_owned();
    server.put(&format!("/v1/accounts/{account}/roles/verifier")).await;
    let token = server.post("/v1/tokens", json!({"owner": account})).await;
    token["secret"].as_str().expect("a secret").to_owned()
}

fn post(path: &str, kind: &str, asker: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench.test\r\nauthorization: Bearer {asker}\r\n\
        content-type: application/{kind}\r\ncontent-length: LENGTH"
    )
}

const FORM: &str = "x-www-form-urlencoded";

fn introspection(asker: &str, secret: &str) -> Template {
    Template::new(&post("/oauth2/introspect", FORM, asker), "token=SECRET", secret)
}

/// What is asked.
fn questions(asker: &str, secrets: &[String]) -> Vec<Asked> {
    let (secret, json) = (secrets[0].as_str(), "{\"token\":\"SECRET\"}");
    let get = |path: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: bench.test\r\nx-tokenhouse-gate: Bearer {asker}\r\n\
            authorization: Bearer SECRET"
        );
        Sent::Http(Template::new(&head, "", secret))
    };
    let form = Template::new(&post("/form", FORM, asker), "token=SECRET", secret);
    let json = |path: &str| Sent::Http(Template::new(&post(path, "json", asker), json, secret));
    let grpc = || Sent::Grpc { gateway: asker.to_owned() };
    vec![
        Asked {
            name: "introspection",
            ours: Sent::Http(introspection(asker, secret)),
            bare: Sent::Http(form),
            bar: Bar::Ratio(0.75),
        },
        Asked { name: "gate", ours: get("/gate"), bare: get("/get"), bar: Bar::Ratio(0.80) },
        Asked { name: "native verify", ours: json("/v1/verify"), bare: json("/json"), bar: Bar::None },
        Asked { name: "gate over gRPC", ours: grpc(), bare: grpc(), bar: Bar::None },
    ]
}
