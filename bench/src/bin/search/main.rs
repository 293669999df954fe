//! How long a search among a million tokens takes, asked of the operation inside the program: what the server does for a
//! request beyond reading it, deciding its caller and writing the answer.

mod cases;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cases::{Case, Found};
use tokenhouse_bench::load::{self, Loaded};

/// The fewest and the most times that one case is asked.
const TIMES: (usize, usize) = (30, 2000);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(postgres) = arguments.next() else {
        eprintln!("usage: search POSTGRES_URL [SECONDS [FOLDER [TOKENS [SQLite | PostgreSQL]]]]");
        std::process::exit(2);
    };
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let kept = arguments.next().filter(|text| !text.is_empty()).map(PathBuf::from);
    let tokens: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let only = arguments.next();
    let thrown = tempfile::tempdir().expect("a folder");
    let folder = kept.unwrap_or_else(|| thrown.path().to_owned());
    for name in ["SQLite", "PostgreSQL"].into_iter().filter(|name| only.as_deref().is_none_or(|only| only == *name)) {
        let loaded = Loaded::open(name, &folder, &postgres, tokens).await;
        println!("\n{name}: {tokens} tokens of {} accounts that can be found, {}", load::ACCOUNTS, loaded.took);
        measure(&loaded, Duration::from_secs_f64(seconds)).await;
        loaded.close().await;
    }
}

async fn measure(loaded: &Loaded, time: Duration) {
    println!("  {:<58} {:>8} {:>8} {:>8} {:>6} {:>6} {:>8}", "ms", "median", "p99", "most", "times", "items", "total");
    for Case { name, mut ask } in cases::all(loaded) {
        let (mut took, mut found) = (Vec::new(), Found::default());
        let begun = Instant::now();
        for round in 0..TIMES.1 {
            let started = Instant::now();
            let answer = ask(round).await;
            took.push(started.elapsed().as_secs_f64() * 1000.0);
            // The first one warms up.
            if round == 0 {
                took.clear();
            }
            found = answer;
            let slow = found.refused && round >= 2;
            if slow || (begun.elapsed() > time && round >= TIMES.0) {
                break;
            }
        }
        took.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let index = ((took.len() as f64 - 1.0) * part).round();
            took.get(index as usize).copied().unwrap_or(0.0)
        };
        let (median, p99, most) = (at(0.5), at(0.99), at(1.0));
        let (items, total) = if found.refused { ("-".to_owned(), "-".to_owned()) } else { found.words() };
        println!("  {name:<58} {median:>8.2} {p99:>8.2} {most:>8.2} {:>6} {items:>6} {total:>8}", took.len());
    }
}
