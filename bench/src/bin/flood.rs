//! What a flood of junk does to good traffic: the same requests at the same rate, alone, beside connections that ask
//! about secrets that do not exist as fast as they can, and beside what a repeated unknown secret costs. Rounds are
//! interleaved, so that a machine that slows down slows all of them.
//!
//! Good traffic is an open loop: a request is due at its time whether the one before was answered or not, and its
//! latency counts from that time. Its threads block, because timers of an async runtime have steps of a millisecond.

#![expect(clippy::disallowed_methods, reason = "what loads the server has threads of its own, which may sleep")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tokenhouse_bench::line::{Line, Request};
use tokenhouse_bench::server::{self, Server};
use tokenhouse_model::TokenKind;
use tokenhouse_model::env::Random;
use tokenhouse_model::secret::{Form, make};

const ROUNDS: usize = 5;
/// Good tokens that are asked about in turn.
const TOKENS: usize = 200;
/// Good requests per second in all, and the connections that they come over.
const RATE: f64 = 300.0;
const LINES: usize = 4;

const USAGE: &str = "usage: flood PROGRAM POSTGRES_URL [SECONDS] [--junk CONNECTIONS] [--apart]";

/// What is measured, and how.
struct Plan {
    program: PathBuf,
    postgres: String,
    /// Of one round.
    time: Duration,
    /// Connections that send junk.
    junk: usize,
    /// The server on the first core, the client on the second.
    apart: bool,
}

impl Plan {
    fn read() -> Option<Self> {
        let (mut plain, mut junk, mut apart) = (Vec::new(), 8, false);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--apart" => apart = true,
                "--junk" => junk = arguments.next()?.parse().ok()?,
                _ => plain.push(argument),
            }
        }
        let mut plain = plain.into_iter();
        let (program, postgres) = (PathBuf::from(plain.next()?), plain.next()?);
        let seconds = plain.next().map_or(Some(4.0), |text| text.parse().ok())?;
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        plain.next().is_none().then_some(Self { program, postgres, time, junk, apart })
    }
}

/// The rounds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Good traffic alone.
    Quiet,
    /// Good traffic beside the flood.
    Flooded,
    /// The same traffic, asking about one unknown secret again and again.
    Repeats,
}

const KINDS: [(Kind, &str); 3] = [(Kind::Quiet, "quiet"), (Kind::Flooded, "flooded"), (Kind::Repeats, "repeats")];

/// The figures of rounds: a name and one value for each round.
const FIGURES: [&str; 11] = [
    "p50 since due, ms",
    "p99 since due, ms",
    "p99 since sent, ms",
    "p99 of the client's own delay in sending, ms",
    "not answered 200, of good traffic",
    "junk answered 200, per second",
    "junk answered 503, per second",
    "database readings per second",
    "heartbeats per second",
    "heartbeats later than S/2",
    "processor time per request, microseconds",
];
const P50: usize = 0;
const P99: usize = 1;
const SENT: usize = 2;
const LATE: usize = 9;
const COST: usize = 10;

fn main() {
    let Some(plan) = Plan::read() else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!(
        "{RATE} good requests per second over {LINES} connections; junk over {}; rounds of {} s; {}",
        plan.junk,
        plan.time.as_secs_f64(),
        if plan.apart { "server on core 0, client on core 1" } else { "client and server share all cores" }
    );
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite://{}", folder.path().join("flood.db").display());
    for (name, sqlite) in [("SQLite", Some(sqlite)), ("PostgreSQL", None)] {
        // What the client starts stands where the client stands.
        stand(plan.apart.then_some("0"));
        let server = runtime.block_on(async {
            let url = match sqlite {
                Some(url) => url,
                None => server::fresh_database(&plan.postgres).await,
            };
            Server::start(&plan.program, &url, &folder.path().join(name)).await
        });
        stand(plan.apart.then_some("1"));
        println!("\n{name}, ready after {:.0} ms", server.ready.as_secs_f64() * 1000.0);
        measure(&plan, &runtime, &server);
        runtime.block_on(server.stop());
    }
}

/// Puts this process, with what it starts from now on, on one core.
fn stand(core: Option<&str>) {
    let Some(core) = core else { return };
    let id = std::process::id().to_string();
    let put = std::process::Command::new("taskset").args(["-acp", core, &id]).output().expect("taskset");
    assert!(put.status.success(), "taskset: {}", String::from_utf8_lossy(&put.stderr));
}

fn measure(plan: &Plan, runtime: &tokio::runtime::Runtime, server: &Server) {
    let address = server.url.trim_start_matches("http://").to_owned();
    let (asker, junk_asker, good) = runtime.block_on(async {
        server.lift_limits().await;
        let mut secrets = Vec::new();
        for _ in 0..TOKENS + 2 {
            let answer = server.post("/v1/tokens", json!({})).await;
            secrets.push(answer["secret"].as_str().expect("a secret").to_owned());
        }
        (secrets.remove(0), secrets.remove(0), secrets)
    });
    let good: Vec<Request> = good.iter().map(|secret| Request::verify(&asker, secret)).collect();
    let mut line = Line::open(&address);
    for request in &good {
        let (status, body) = line.ask(request);
        assert!(status == 200 && says(body, true), "{status}: {}", String::from_utf8_lossy(body));
    }
    println!("  resident memory, all good tokens remembered {:>8.1} MB", server.memory_mb());

    // What the server does without being asked, so that it is not counted as part of a request.
    let begun = (Instant::now(), processor_seconds(server));
    thread::sleep(plan.time);
    let idle = (processor_seconds(server) - begun.1) / begun.0.elapsed().as_secs_f64();
    println!("  processor time while nobody asks            {:>8.1} ms per second", idle * 1000.0);

    let mut rounds: [[Vec<f64>; FIGURES.len()]; KINDS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (at, (kind, _)) in KINDS.iter().enumerate() {
            let repeated = [Request::verify(&asker, &junk(&Random::system()))];
            let (status, body) = line.ask(&repeated[0]);
            assert!(status == 200 && says(body, false), "{status}: {}", String::from_utf8_lossy(body));
            let requests = if *kind == Kind::Repeats { &repeated[..] } else { &good };
            let flood = (*kind == Kind::Flooded).then_some((junk_asker.as_str(), plan.junk));
            // What the last round left to do is done before this one begins.
            thread::sleep(Duration::from_millis(300));
            let before = (Counters::read(&mut line), processor_seconds(server));
            let round = round(&address, requests, *kind != Kind::Repeats, flood, plan.time);
            let spent = processor_seconds(server) - before.1;
            let counted = Counters::read(&mut line).since(&before.0);
            let seconds = round.took.as_secs_f64();
            let answered = round.latencies.len() + round.known + round.busy;
            let figures = [
                quantile(&round.latencies, 0.5) * 1000.0,
                quantile(&round.latencies, 0.99) * 1000.0,
                quantile(&round.answered, 0.99) * 1000.0,
                quantile(&round.late, 0.99) * 1000.0,
                round.failed as f64,
                round.known as f64 / seconds,
                round.busy as f64 / seconds,
                counted.readings / seconds,
                counted.beats / seconds,
                counted.late,
                (spent - idle * seconds) * 1e6 / answered as f64,
            ];
            rounds[at].iter_mut().zip(figures).for_each(|(all, figure)| all.push(figure));
        }
    }
    println!("  resident memory afterwards                  {:>8.1} MB\n", server.memory_mb());
    print(&mut rounds);
}

/// Prints the table and the ratios that are aimed at.
fn print(rounds: &mut [[Vec<f64>; FIGURES.len()]; KINDS.len()]) {
    print!("  {:<46}", "median (least to most) of the rounds");
    KINDS.iter().for_each(|(_, name)| print!(" {name:>24}"));
    println!();
    let mut medians = [[0.0; FIGURES.len()]; KINDS.len()];
    for (figure, name) in FIGURES.iter().enumerate() {
        print!("  {name:<46}");
        for (kind, figures) in rounds.iter_mut().enumerate() {
            let all = &mut figures[figure];
            all.sort_by(f64::total_cmp);
            medians[kind][figure] = all[all.len() / 2];
            let shown = format!("{:.2} ({:.2} to {:.2})", all[all.len() / 2], all[0], all[all.len() - 1]);
            print!(" {shown:>24}");
        }
        println!();
    }
    let late: f64 = rounds.iter().flat_map(|figures| &figures[LATE]).sum();
    let [quiet, flooded, repeats] = medians;
    let line = |what: &str, value: f64, aim: &str| println!("  {what:<46} {value:>24.2}   ({aim})");
    println!();
    line("p99 flooded / quiet", flooded[P99] / quiet[P99], "aim: at most 1.5");
    line("p99 flooded / quiet, since sent", flooded[SENT] / quiet[SENT], "without the client's own delay");
    line("p50 repeated unknown / good", repeats[P50] / quiet[P50], "aim: at most 1.2");
    line("processor time, repeated unknown / good", repeats[COST] / quiet[COST], "aim: at most 1.2");
    line("late heartbeats of all rounds", late, "aim: 0");
}

/// What one round came to; times in seconds.
#[derive(Default)]
struct Round {
    latencies: Vec<f64>,
    /// From sending to the answer, and from being due to sending where nothing stood in the way.
    answered: Vec<f64>,
    late: Vec<f64>,
    /// Good requests that were answered otherwise than they should be.
    failed: usize,
    /// Junk that was answered, and that was sent away.
    known: usize,
    busy: usize,
    took: Duration,
}

/// The traffic of one round: these requests in turn at the fixed rate, and a flood beside them.
fn round(address: &str, requests: &[Request], active: bool, flood: Option<(&str, usize)>, time: Duration) -> Round {
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    thread::scope(|scope| {
        let (asker, count) = flood.unwrap_or_default();
        let over = &over;
        let flood: Vec<_> = (0..count).map(|_| scope.spawn(move || flooded(address, asker, over))).collect();
        let good: Vec<_> =
            (0..LINES).map(|at| scope.spawn(move || due(address, requests, active, at, begun, time))).collect();
        let mut whole = Round::default();
        for thread in good {
            let part = thread.join().expect("good traffic");
            whole.latencies.extend(part.latencies);
            whole.answered.extend(part.answered);
            whole.late.extend(part.late);
            whole.failed += part.failed;
        }
        over.store(true, Ordering::Relaxed);
        whole.took = begun.elapsed();
        for thread in flood {
            let (known, busy) = thread.join().expect("the flood");
            whole.known += known;
            whole.busy += busy;
        }
        whole
    })
}

/// One connection of the fixed rate.
fn due(address: &str, requests: &[Request], active: bool, at: usize, begun: Instant, time: Duration) -> Round {
    let (mut line, mut round) = (Line::open(address), Round::default());
    for turn in (at..).step_by(LINES) {
        let due = Duration::from_secs_f64(turn as f64 / RATE);
        if due >= time {
            break;
        }
        if let Some(early) = due.checked_sub(begun.elapsed()) {
            thread::sleep(early);
            round.late.push((begun.elapsed() - due).as_secs_f64());
        }
        let sent = Instant::now();
        let (status, body) = line.ask(&requests[turn % requests.len()]);
        round.failed += usize::from(status != 200 || !says(body, active));
        round.answered.push(sent.elapsed().as_secs_f64());
        round.latencies.push((begun.elapsed() - due).as_secs_f64());
    }
    round
}

/// One connection of the flood: how much was answered, and how much sent away.
fn flooded(address: &str, asker: &str, over: &AtomicBool) -> (usize, usize) {
    let (mut line, random, mut known, mut busy) = (Line::open(address), Random::system(), 0, 0);
    while !over.load(Ordering::Relaxed) {
        match line.ask(&Request::verify(asker, &junk(&random))) {
            (200, body) if says(body, false) => known += 1,
            (503, _) => busy += 1,
            (status, body) => panic!("junk: {status} {}", String::from_utf8_lossy(body)),
        }
    }
    (known, busy)
}

/// A well-formed secret that nobody has.
fn junk(random: &Random) -> String {
    make(Form::Uuid, TokenKind::Service, random).expose().to_owned()
}

/// Whether an answer says that a credential is good, or that it is not.
fn says(body: &[u8], active: bool) -> bool {
    let text: &[u8] = if active { b"\"active\":true" } else { b"\"active\":false" };
    body.windows(text.len()).any(|part| part == text)
}

/// Of what the server counts.
struct Counters {
    readings: f64,
    beats: f64,
    late: f64,
}

impl Counters {
    fn read(line: &mut Line) -> Self {
        let (status, body) = line.ask(&Request::get("/metrics"));
        assert_eq!(status, 200);
        let text = String::from_utf8_lossy(body);
        let value = |name: &str| {
            let name = format!("tokenhouse_{name}_total ");
            let value = text.lines().find_map(|line| line.strip_prefix(&*name)).and_then(|text| text.parse().ok());
            value.expect("a counter")
        };
        Self { readings: value("verify_readings"), beats: value("heartbeats"), late: value("heartbeats_late") }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            readings: self.readings - before.readings,
            beats: self.beats - before.beats,
            late: self.late - before.late,
        }
    }
}

/// What the server's threads have run so far.
fn processor_seconds(server: &Server) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("the server's threads");
    let run = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    threads.filter_map(run).sum::<f64>() / 1e9
}

/// NaN where there are no figures: a client that was always behind never waited until a request was due.
fn quantile(figures: &[f64], part: f64) -> f64 {
    if figures.is_empty() {
        return f64::NAN;
    }
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}
