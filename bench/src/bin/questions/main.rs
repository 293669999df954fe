//! Questions about credentials per second, over HTTP, beside a bare server in the same run. Server on the first core,
//! client on the second; rounds are interleaved, so that a machine that slows down slows both.

mod bare;
mod generator;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use generator::{Generator, Run, Template};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::json;
use table::{Bar, Figure, middle};
use tokenhouse_bench::load::{self, Loaded};
use tokenhouse_bench::server::{Server, free_address, on_core};
use tokio::process::{Child, Command};

/// Interleaved rounds.
const ROUNDS: usize = 5;
/// Connections that ask.
const CONNECTIONS: usize = 64;
/// The most tokens in use.
const IN_USE: usize = 100_000;
/// The part of the peak at which the open loop asks.
const OPEN_AT: f64 = 0.7;

const USAGE: &str = "usage: questions PROGRAM [SECONDS [FOLDER [TOKENS...]]]";

/// What is measured, and how.
struct Plan {
    program: PathBuf,
    /// Of one measurement.
    time: Duration,
    folder: PathBuf,
    apart: bool,
}

/// A question, as ours and as the bare server answers it.
struct Asked {
    name: &'static str,
    ours: Template,
    bare: Template,
    bar: Bar,
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("bare").is_some() {
        let listen = arguments.next().expect("an address");
        let sizes: Vec<usize> = arguments.map(|size| size.parse().expect("a size")).collect();
        return bare::serve(&listen, sizes.try_into().expect("three sizes"));
    }
    let Some(program) = arguments.next().map(PathBuf::from) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(4.0);
    let thrown = tempfile::tempdir().expect("a folder");
    let kept = arguments.next().filter(|text| !text.is_empty()).map(PathBuf::from);
    let sizes: Vec<usize> = arguments.map(|text| text.parse().expect("a number of tokens")).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 1_000_000] } else { sizes };
    let apart = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    if apart {
        let mut second = CpuSet::new();
        second.set(1);
        sched_setaffinity(None, &second).expect("the second core");
    }
    let folder = kept.unwrap_or_else(|| thrown.path().to_owned());
    let plan = Plan { program, time: Duration::from_secs_f64(seconds), folder, apart };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for size in sizes {
        let figures = runtime.block_on(plan.measure(size));
        table::print(&format!("{size} stored tokens"), &figures);
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
        let asked = questions(&asker, &secrets[0]);

        // Each once: nothing of them is remembered.
        let cold = self.generator(&address, &asked[0].ours, &secrets).each_once();
        figures.push(Figure::alone("cold verify, 64 connections", "/s", vec![cold.rate], Bar::None));
        figures.push(Figure::alone("cold verify, p99", "ms", vec![cold.within(0.99)], Bar::None));
        let sizes: Vec<usize> = asked
            .iter()
            .map(|asked| self.generator(&address, &asked.ours, &secrets).closed(Duration::from_millis(300)).body)
            .collect();
        let (mut beside, beside_at) = self.bare(&sizes);
        let mut rates: Vec<(Vec<f64>, Vec<f64>)> = asked.iter().map(|_| Default::default()).collect();
        for _ in 0..ROUNDS {
            for (asked, (ours, bare)) in asked.iter().zip(&mut rates) {
                bare.push(self.peak(&beside_at, &asked.bare, &secrets).rate);
                ours.push(self.peak(&address, &asked.ours, &secrets).rate);
            }
        }
        for (asked, (ours, bare)) in asked.iter().zip(rates) {
            let ratios = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare).collect();
            let peak = middle(&ours);
            figures.push(Figure { name: asked.name.to_owned(), unit: "/s", values: ours, ratios, bar: asked.bar });
            figures.push(Figure::alone(format!("  the bare server for {}", asked.name), "/s", bare, Bar::None));
            let mut late = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let run = self.generator(&address, &asked.ours, &secrets).open_loop(peak * OPEN_AT, self.time);
                late.0.push(run.within(0.5));
                late.1.push(run.within(0.99));
            }
            figures.push(Figure::alone("  p50 at 70 % of the peak, open loop", "ms", late.0, Bar::None));
            figures.push(Figure::alone("  p99 at 70 % of the peak, open loop", "ms", late.1, Bar::AtMost(1.0)));
        }
        beside.kill().await.expect("an end");
        figures.push(Figure::alone("memory at rest", "MB", vec![rest], Bar::None));
        let bar = if size == 1_000_000 { Bar::AtMost(150.0) } else { Bar::None };
        figures.push(Figure::alone("memory, all in use remembered", "MB", vec![server.memory_mb()], bar));
        figures.extend(self.starts(server, &url, &home, &token).await);
        figures
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

    fn bare(&self, sizes: &[usize]) -> (Child, String) {
        let (listen, program) = (free_address(), std::env::current_exe().expect("this program"));
        let mut command: Command = on_core(&program, self.core());
        command.arg("bare").arg(&listen).args(sizes.iter().map(ToString::to_string)).kill_on_drop(true);
        let child = command.spawn().expect("the bare server");
        while std::net::TcpStream::connect(&listen).is_err() {
            std::thread::yield_now();
        }
        (child, listen)
    }

    fn generator<'a>(&self, address: &str, template: &'a Template, secrets: &'a [String]) -> Generator<'a> {
        Generator::open(address, CONNECTIONS, template, secrets)
    }

    fn peak(&self, address: &str, template: &Template, secrets: &[String]) -> Run {
        self.generator(address, template, secrets).closed(self.time)
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

/// What is asked, in the order of the bare server's sizes.
fn questions(asker: &str, secret: &str) -> Vec<Asked> {
    let post = |path: &str, kind: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: bench.test\r\nauthorization: Bearer {asker}\r\n\
            content-type: application/{kind}\r\ncontent-length: LENGTH"
        )
    };
    let get = |path: &str, more: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: bench.test\r\n{more}authorization: Bearer SECRET")
    };
    let (form, json) = ("token=SECRET", "{\"token\":\"SECRET\"}");
    let introspect = post("/oauth2/introspect", "x-www-form-urlencoded");
    let gateway = format!("x-tokenhouse-gate: Bearer {asker}\r\n");
    vec![
        Asked {
            name: "introspection",
            ours: Template::new(&introspect, form, secret),
            bare: Template::new(&post("/form", "x-www-form-urlencoded"), form, secret),
            bar: Bar::Ratio(0.75),
        },
        Asked {
            name: "native verify",
            ours: Template::new(&post("/v1/verify", "json"), json, secret),
            bare: Template::new(&post("/json", "json"), json, secret),
            bar: Bar::None,
        },
        Asked {
            name: "gate",
            ours: Template::new(&get("/gate", &gateway), "", secret),
            bare: Template::new(&get("/get", &gateway), "", secret),
            bar: Bar::Ratio(0.80),
        },
    ]
}
