//! Durable issues, rotations and revocations per second through HTTP, beside the database's own single-row commits on
//! one connection in the same run. Rounds are interleaved, so that a machine that slows down slows all of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokenhouse_bench::changes::{change, issue, revoke_beside_job};
use tokenhouse_bench::database::Probe;
use tokenhouse_bench::server::{self, Server};

const ROUNDS: usize = 5;
const CLIENTS: usize = 32;
/// Tokens are made for a job to revoke for so many times the time of a measurement.
const FOR_THE_JOB: u32 = 5;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(program), Some(postgres)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: rates PROGRAM POSTGRES_URL [SECONDS]");
        std::process::exit(2);
    };
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let program = PathBuf::from(program);
    let size = std::fs::metadata(&program).expect("the program").len();
    println!("program   {:.1} MB", size as f64 / 1e6);
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite://{}", folder.path().join("bench.db").display());
    for (name, url) in [("SQLite", sqlite), ("PostgreSQL", server::fresh_database(&postgres).await)] {
        measure(name, &program, &url, folder.path(), Duration::from_secs_f64(seconds)).await;
    }
}

async fn measure(name: &str, program: &Path, url: &str, folder: &Path, time: Duration) {
    let data = folder.join(name);
    let server = Server::start(program, url, &data).await;
    println!("\n{name}");
    println!("  exec to ready        {:>8.1} ms", server.ready.as_secs_f64() * 1000.0);
    println!("  memory at rest       {:>8.1} MB", server.memory_mb());
    server.lift_limits().await;
    let mut probe = Probe::open(url, folder).await;
    let mut rates: Vec<(&str, Vec<f64>)> = [
        "commits, 1 connection",
        "issue, 1 client",
        "issue, 32 clients",
        "rotate, 1 client",
        "rotate, 32 clients",
        "revoke, 1 client",
        "revoke, 32 clients",
    ]
    .into_iter()
    .map(|what| (what, Vec::new()))
    .collect();
    for _ in 0..ROUNDS {
        let mut round = vec![probe.commits(time).await];
        let mut tokens = Vec::new();
        for clients in [1, CLIENTS] {
            let (rate, made) = issue(&server, "", clients, time).await;
            round.push(rate);
            tokens.extend(made);
        }
        let (rotated, revoked) = tokens.split_at(tokens.len() / 2);
        for clients in [1, CLIENTS] {
            round.push(change(&server, "rotate", rotated, clients, time).await);
        }
        let (one, many) = revoked.split_at(revoked.len() / 8);
        round.push(change(&server, "revoke", one, 1, time).await);
        round.push(change(&server, "revoke", many, CLIENTS, time).await);
        for (all, rate) in rates.iter_mut().zip(round) {
            all.1.push(rate);
        }
    }
    let base = median(&mut rates[0].1.clone());
    println!("  {:<22} {:>9} {:>9} {:>9} {:>7}", "per second", "median", "least", "most", "ratio");
    for (what, all) in &mut rates {
        let middle = median(all);
        let (least, most) = (all.first().copied().unwrap_or(0.0), all.last().copied().unwrap_or(0.0));
        println!("  {what:<22} {middle:>9.0} {least:>9.0} {most:>9.0} {:>7.2}", middle / base);
    }
    beside_a_job(&server, time).await;
    println!("  memory afterwards    {:>8.1} MB", server.memory_mb());
    server.stop().await;
}

/// One client revokes one token after the other, first alone and then beside a job that revokes many.
async fn beside_a_job(server: &Server, time: Duration) {
    let (_, single) = issue(server, "", CLIENTS, time).await;
    let (_, going) = issue(server, "going", CLIENTS, time * FOR_THE_JOB).await;
    let beside = revoke_beside_job(server, "going", &single, time).await;
    println!("  {:<22} {:>9} {:>9} {:>9} {:>7}", "a single revoke, ms", "p50", "p99", "worst", "of");
    for (what, took) in [("alone", &beside.alone), ("beside a job", &beside.meanwhile)] {
        let within =
            |part: f64| took.get((took.len().saturating_sub(1) as f64 * part).round() as usize).unwrap_or(&0.0);
        println!("  {what:<22} {:>9.2} {:>9.2} {:>9.2} {:>7}", within(0.5), within(0.99), within(1.0), took.len());
    }
    assert_eq!(beside.revoked, going.len() as u64);
    println!("  the job                {:>9.0} tokens per second", beside.revoked as f64 / beside.job.as_secs_f64());
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}
