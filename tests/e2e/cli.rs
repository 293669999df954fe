//! The program as people and scripts run it: the real binary, against a real server.

mod apps;
mod bulk;
mod commands;
mod exits;
mod import;
mod init;
mod keys;
mod ledger;
mod quickstart;
mod rotate;
mod secrets;
mod serve;
mod settings;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokenhouse_e2e::{Backend, Database, House};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// Runs a test on each database, in a folder of its own, without a house.
macro_rules! places {
    ($(async fn $name:ident($place:ident) $body:block)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            for backend in [tokenhouse_e2e::Backend::Sqlite, tokenhouse_e2e::Backend::Postgres] {
                let Some($place) = $crate::cli::Place::new(backend).await else { continue };
                $body
                $place.database.remove().await;
            }
        }
    )+};
}
pub(crate) use places;

/// The program, built beside the tests.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("tokenhouse");
    assert!(path.is_file(), "{} is missing: cargo build -p tokenhouse-server", path.display());
    path
}

/// The program in a folder, with no variables but these: what the developer has set must not count.
fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(program());
    command.args(line.split(' ')).current_dir(folder).env_clear().env("HOME", folder).kill_on_drop(true);
    command
}

/// How a run ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    async fn of(mut command: Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever reads no input may have ended already.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
        let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
        let output = output.expect("the program hangs").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The same, if it ended with this exit code.
    #[track_caller]
    fn exit(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// What it printed, as exactly one JSON document on one line.
    #[track_caller]
    fn json(self) -> Value {
        let ran = self.exit(0);
        assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// The problem document on standard error.
    #[track_caller]
    fn problem(&self) -> Value {
        serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The cell of a table, found by the words that its row begins with.
    #[track_caller]
    fn cell(&self, title: &str) -> &str {
        let row = self.out.lines().find_map(|line| line.trim_start().strip_prefix(title));
        row.unwrap_or_else(|| panic!("no {title} in {self:?}")).trim()
    }
}

/// The command line of somebody who has a token.
struct Cli {
    url: String,
    token: String,
    folder: TempDir,
}

impl Cli {
    fn of(house: &House) -> Self {
        Self::at(&house.url, &house.admin)
    }

    fn at(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), token: token.to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = command(self.folder.path(), line);
        command.env("TOKENHOUSE_URL", &self.url);
        if !self.token.is_empty() {
            command.env("TOKENHOUSE_TOKEN", &self.token);
        }
        command
    }

    async fn run(&self, line: &str) -> Ran {
        self.feed(line, "").await
    }

    /// Runs it with something on standard input.
    async fn feed(&self, line: &str, input: &str) -> Ran {
        Ran::of(self.command(line), input).await
    }

    /// What `--json` prints.
    async fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} --json")).await.json()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }
}

/// A folder and a database that the program has still to make something of.
struct Place {
    folder: TempDir,
    database: Database,
}

impl Place {
    async fn new(backend: Backend) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(backend, folder.path()).await?;
        Some(Self { folder, database })
    }

    /// Runs a line in which `DB` stands for the database.
    async fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line), "").await
    }

    fn command(&self, line: &str) -> Command {
        command(self.folder.path(), &line.replace("DB", &self.database.url))
    }

    /// All that the database holds.
    async fn content(&self) -> Vec<u8> {
        if self.database.backend == Backend::Sqlite {
            self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        }
        self.database.bytes().await
    }

    /// Makes the installation.
    async fn init(&self) -> Value {
        self.run("init --database DB --data data --org Acme --admin admin@acme.example --json").await.json()
    }

    async fn serve(&self, more: &str) -> Serving {
        let line = format!("serve --database DB --data data --listen 127.0.0.1:0{more}");
        Serving::start(self.command(&line)).await
    }

    /// The command line of the administrator whom `init` made.
    fn cli(&self, server: &Serving, made: &Value) -> Cli {
        Cli::at(&server.url, made["token"].as_str().unwrap())
    }
}

/// The program as a server.
struct Serving {
    child: Child,
    url: String,
    logs: TempDir,
}

impl Serving {
    /// Starts it and waits until it says that it serves.
    async fn start(mut command: Command) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let file = |name| std::fs::File::create(logs.path().join(name)).unwrap();
        let child = command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap();
        let mut serving = Self { child, url: String::new(), logs };
        let said = serving.until(|serving| {
            let log = serving.log();
            let ended = serving.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended at once: {log}");
            let (_, rest) = log.split_once("serving url=\"")?;
            rest.split_once('"').map(|(url, _)| url.to_owned())
        });
        serving.url = said.await;
        serving
    }

    /// Looks again and again for something that comes about by itself.
    async fn until<T>(&mut self, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        for _ in 0..1500 {
            if let Some(found) = look(self) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it does not come about: {}", self.log());
    }

    fn out(&self) -> String {
        std::fs::read_to_string(self.logs.path().join("out")).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.logs.path().join("err")).unwrap()
    }

    fn address(&self) -> &str {
        self.url.split("//").nth(1).unwrap()
    }

    async fn terminate(&self) {
        shell(&format!("kill -TERM {}", self.child.id().unwrap())).await.exit(0);
    }

    /// Waits for its end.
    async fn ended(mut self) -> Ran {
        let status = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.expect("it does not end");
        Ran { code: status.unwrap().code().unwrap_or(-1), out: self.out(), err: self.log() }
    }

    async fn stop(self) -> Ran {
        self.terminate().await;
        self.ended().await
    }
}

/// Runs a line as a person would paste it.
async fn shell(line: &str) -> Ran {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line);
    Ran::of(command, "").await
}

/// A port that is taken as long as this is held.
fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Nobody listens here.
fn nobody() -> String {
    format!("http://{}", taken().1)
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What lies in a folder, hidden files too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
