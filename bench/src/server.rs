//! The program under measurement, as a process of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::process::{Child, Command};

/// A new database on this server, for this run alone.
pub async fn fresh_database(server: &str) -> String {
    let name = format!("bench_{}", std::process::id());
    let mut conn = PgConnection::connect(server).await.expect("the server");
    conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))).await.expect("a database");
    let (base, _) = server.rsplit_once('/').expect("a URL");
    format!("{base}/{name}")
}

/// An address that is free at the moment.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").to_string()
}

/// A command, on this core alone if one is named.
pub fn on_core(program: &Path, core: Option<usize>) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// The processor time that a process has used.
pub fn processor(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which may hold anything: state, ten numbers, then ticks of 10 ms for itself and in the kernel.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// A running server.
pub struct Server {
    pub url: String,
    pub token: String,
    /// From exec to the first answer that says ready.
    pub ready: Duration,
    process: Child,
    client: reqwest::Client,
}

impl Server {
    /// Makes an installation and serves it.
    pub async fn start(program: &Path, database: &str, data: &Path) -> Self {
        let folder = data.to_str().expect("a path");
        let init =
            ["init", "--database", database, "--data", folder, "--org", "bench", "--admin", "a@bench.test", "--json"];
        let made = Command::new(program).args(init).output().await.expect("init");
        let made: Value = serde_json::from_slice(&made.stdout).expect("one JSON object");
        let token = made["token"].as_str().expect("a token").to_owned();
        Self::serve(program, database, data, token, None).await
    }

    /// Serves an installation that is there; on one core alone if it is named.
    pub async fn serve(program: &Path, database: &str, data: &Path, token: String, core: Option<usize>) -> Self {
        let (listen, data) = (free_address(), data.to_str().expect("a path"));
        let begun = Instant::now();
        let process = on_core(program, core)
            .args(["serve", "--database", database, "--data", data, "--listen", &listen])
            .env("TOKENHOUSE__LOG__LEVEL", "warn")
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("serve");
        let (client, url) = (reqwest::Client::new(), format!("http://{listen}"));
        let ready = loop {
            match client.get(format!("{url}/healthz/ready")).send().await {
                Ok(answer) if answer.status().is_success() => break begun.elapsed(),
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        Self { url, token, ready, process, client }
    }

    /// A request that must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    /// What is there.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// A change without a body.
    pub async fn put(&self, path: &str) {
        let request = self.client.put(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&json!({}));
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    /// Lets one account have as many tokens as the measurement makes.
    pub async fn lift_limits(&self) {
        let url = format!("{}/v1/policy", self.url);
        let mut policy = self.get("/v1/policy").await;
        policy["kinds"]["user"]["limit"] = json!(1_000_000);
        let answer = self.client.put(&url).bearer_auth(&self.token).json(&policy).send().await.expect("an answer");
        assert!(answer.status().is_success());
    }

    /// Its id as a process.
    pub fn id(&self) -> u32 {
        self.process.id().expect("a running server")
    }

    /// The processor time that it has used.
    pub fn processor(&self) -> Duration {
        processor(self.id())
    }

    /// Resident memory.
    pub fn memory_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<f64>().ok()).unwrap_or(0.0) / 1000.0
    }

    /// Stops it as an operator would.
    pub async fn stop(self) {
        self.end("-TERM").await;
    }

    /// Ends it with a signal.
    pub async fn end(mut self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.id().to_string()]).status().await;
        let _ = self.process.wait().await;
    }
}
