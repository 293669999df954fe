//! One node: the real program as a process, its own way to the database, its own wall clock.

use std::path::PathBuf;
use std::time::Duration;

use tokenhouse_e2e::{Answer, Program};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, free_port};
use crate::proxy::Proxy;

/// How long a node may take to be ready again once nothing is in its way.
pub const RECOVERY: Duration = Duration::from_secs(15);

/// A node.
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where it listens; the same after a restart.
    pub url: String,
    /// The network between it and the database.
    pub proxy: Proxy,
    /// Its process.
    pub program: Program,
    clock: PathBuf,
    client: reqwest::Client,
}

impl Node {
    /// A node that serves, with these settings beside the usual ones.
    pub async fn start(name: &str, cluster: &Cluster, first: &Program, settings: &[(&str, String)]) -> Self {
        let proxy = Proxy::start(cluster.primary.address).await;
        let database = format!("postgres://tokenhouse@{}/postgres?sslmode=disable", proxy.address);
        let mut program = first.beside(&database);
        program.listen = format!("127.0.0.1:{}", free_port());
        let clock = program.folder.path().join("clock");
        std::fs::write(&clock, "+0").unwrap();
        program.environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        program.environment.push(("TOKENHOUSE__NODE__NAME".to_owned(), name.to_owned()));
        if program.environment.iter().any(|(name, _)| name == "LD_PRELOAD") {
            program.environment.push(("FAKETIME_TIMESTAMP_FILE".to_owned(), clock.display().to_string()));
        }
        // A file that may grow no more must be an error, not the end.
        "trap '' XFSZ".clone_into(&mut program.before);
        program.start().await;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
        Self { name: name.to_owned(), url: program.url.clone(), proxy, program, clock, client }
    }

    /// Sends its process a signal.
    pub async fn signal(&self, name: &str) {
        let pid = self.program.pid().to_string();
        let sent = Command::new("kill").args([format!("-{name}"), pid]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Steps its wall clock, in seconds against the true time.
    pub fn step_clock(&self, seconds: i64) {
        // Written beside and moved: it is read at any moment.
        let new = self.clock.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}")).unwrap();
        std::fs::rename(new, &self.clock).unwrap();
    }

    /// Lets none of its files grow beyond this many bytes, or any number.
    pub async fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let arguments = ["--pid".to_owned(), self.program.pid().to_string(), format!("--fsize={limit}:unlimited")];
        assert!(Command::new("prlimit").args(arguments).status().await.unwrap().success());
    }

    /// Starts it again after it was killed. While the database is away that may take several attempts.
    pub async fn restart(&mut self) {
        let begun = Instant::now();
        while let Err(log) = self.program.try_start().await {
            assert!(begun.elapsed() < RECOVERY, "{} does not start again: {}", self.name, end(&log));
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Asks it something without a credential; `None` if no answer came.
    pub async fn look(&self, path: &str) -> Option<Answer> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.ok()?;
        Some(Answer::read(answer).await)
    }

    /// Whether it says that it is ready, fully or degraded.
    pub async fn ready(&self) -> bool {
        self.look("/healthz/ready").await.is_some_and(|answer| answer.status == 200)
    }

    /// Waits until it is ready, and tells how long that took; `None` if it took too long.
    pub async fn recovered(&self) -> Option<Duration> {
        let begun = Instant::now();
        while begun.elapsed() < RECOVERY {
            if self.ready().await {
                return Some(begun.elapsed());
            }
            sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// A number among its metrics; 0 where it is not told.
    pub async fn metric(&self, name: &str) -> f64 {
        let Some(answer) = self.look("/metrics").await else { return 0.0 };
        let line = answer.raw.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().last());
        line.map_or(0.0, |number| number.parse().unwrap())
    }

    /// The end of its log.
    pub fn log_end(&self) -> String {
        end(&self.program.log())
    }
}

/// The last lines of a log that are not about a request or its being asked whether it is ready.
fn end(log: &str) -> String {
    let lines = log.replace("}{", "}\n{");
    let quiet = ["tokenhouse_http::record", "tokenhouse_http::health"];
    let told = lines.lines().rev().filter(|line| !quiet.iter().any(|target| line.contains(target)));
    let mut told: Vec<&str> = told.take(30).collect();
    told.reverse();
    told.join("\n")
}

/// What makes a node's wall clock one that can be stepped; `None` where the library for it is not installed.
pub fn faketime() -> Option<Vec<(&'static str, String)>> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let library = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists())?;
    let on = || "1".to_owned();
    Some(vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_NO_CACHE", on()),
        // Only the wall clock of the program: not the clock that never jumps, nor the times of files.
        ("FAKETIME_DONT_FAKE_MONOTONIC", on()),
        ("NO_FAKE_STAT", on()),
    ])
}
