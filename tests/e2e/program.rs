//! The real program as a process of its own: it can be killed, starved, and set before another copy of its database.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::{ADMIN, Answer, Backend, Database, database, leaks};

/// As [`both!`](crate::both), for tests that need the program itself. It is initialized and serves.
#[macro_export]
macro_rules! both_programs {
    ($($(#[$meta:meta])* async fn $name:ident($program:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body($program: &mut $crate::Program) $body

            async fn on(backend: $crate::Backend) {
                let Some(mut program) = $crate::Program::init(backend).await else { return };
                program.start().await;
                body(&mut program).await;
                program.close().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                on($crate::Backend::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                on($crate::Backend::Postgres).await;
            }
        }
    )+};
}

/// The program under test.
pub struct Program {
    /// Where it listens.
    pub url: String,
    /// The first administrator's token, which reaches everything.
    pub admin: String,
    /// His password.
    pub password: String,
    /// Its database.
    pub database: Database,
    /// The folder of master key and journal.
    pub folder: tempfile::TempDir,
    /// Settings of its environment.
    pub environment: Vec<(String, String)>,
    /// What the shell does before it becomes the server, e.g. `ulimit`.
    pub before: String,
    /// The address that it is told to listen on.
    pub listen: String,
    client: reqwest::Client,
    serving: Option<Child>,
    log: Arc<Mutex<String>>,
    secrets: Mutex<Vec<String>>,
    copies: Vec<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

/// A copy of a database.
#[derive(Clone, Debug)]
pub enum Copy {
    /// The file and its write-ahead log.
    Files(Vec<(PathBuf, Vec<u8>)>),
    /// A database of this name on the server.
    Named(String),
}

impl Program {
    /// A new installation, made by `tokenhouse init`; `None` on PostgreSQL where the tests were given none.
    pub async fn init(backend: Backend) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(backend, folder.path()).await?;
        Some(Self::init_on(database, folder).await)
    }

    fn of(database: Database, folder: tempfile::TempDir) -> Self {
        Self {
            url: String::new(),
            admin: String::new(),
            password: String::new(),
            database,
            folder,
            environment: Vec::new(),
            before: ":".to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            client: reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap(),
            serving: None,
            log: Arc::default(),
            secrets: Mutex::default(),
            copies: Vec::new(),
        }
    }

    /// As [`Program::init`], on this empty database and with this folder.
    pub async fn init_on(database: Database, folder: tempfile::TempDir) -> Self {
        let mut program = Self::of(database, folder);
        let made = program.run(&["init", "--org", "first", "--admin", ADMIN, "--json"]).await;
        assert_eq!(made.code, 0, "{}", made.err);
        let made: Value = serde_json::from_str(&made.out).unwrap();
        for (name, to) in [("token", &mut program.admin), ("password", &mut program.password)] {
            made[name].as_str().unwrap().clone_into(to);
        }
        program.secrets.get_mut().unwrap().extend([program.admin.clone(), program.password.clone()]);
        program
    }

    /// A further node of the same installation, which does not run yet: the same master key, a folder and a journal of
    /// its own, and its own way to the database.
    pub fn beside(&self, url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(self.folder.path().join("master.key"), folder.path().join("master.key")).unwrap();
        let mut program = Self::of(Database::at(url), folder);
        program.admin.clone_from(&self.admin);
        program.password.clone_from(&self.password);
        program
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn place(&self) -> [String; 4] {
        let data = self.folder.path().display().to_string();
        ["--database".to_owned(), self.database.url.clone(), "--data".to_owned(), data]
    }

    /// Runs a command that works on the database.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(binary());
        command.args(arguments).args(self.place()).envs(self.environment.iter().cloned());
        let ended = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: ended.status.code().unwrap_or(-1), out: text(ended.stdout), err: text(ended.stderr) }
    }

    /// What `tokenhouse ledger verify --json` says, and its exit code.
    pub async fn verify_ledger(&self) -> (i32, Value) {
        let ran = self.run(&["ledger", "verify", "--json"]).await;
        (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}")))
    }

    /// Serves, and waits until it does.
    ///
    /// # Panics
    /// With its log, if it ends before.
    pub async fn start(&mut self) {
        if let Err(log) = self.try_start().await {
            panic!("it does not serve: {log}");
        }
    }

    /// As [`Program::start`].
    ///
    /// # Errors
    /// Its log, if it ends before it serves.
    pub async fn try_start(&mut self) -> Result<(), String> {
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("{}; exec \"$0\" \"$@\"", self.before)).arg(binary());
        command.args(["serve", "--listen", &self.listen]).args(self.place());
        command.env("TOKENHOUSE__LOG__FORMAT", "json").envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        loop {
            let Some(line) = lines.next_line().await.unwrap() else { return Err(self.log()) };
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            self.log.lock().unwrap().push_str(&line);
            if said["message"] == "serving" {
                said["url"].as_str().unwrap().clone_into(&mut self.url);
                break;
            }
        }
        let log = self.log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.lock().unwrap().push_str(&line);
            }
        });
        self.serving = Some(child);
        Ok(())
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.serving.as_ref().and_then(Child::id).unwrap()
    }

    /// Asks it to stop and waits; it must end well.
    pub async fn stop(&mut self) {
        let terminated = Command::new("bash").arg("-c").arg(format!("kill -TERM {}", self.pid())).status().await;
        assert!(terminated.unwrap().success());
        let ended = self.serving.take().unwrap().wait().await.unwrap();
        assert_eq!(ended.code(), Some(0), "{}", self.log());
    }

    /// Kills it.
    pub async fn kill(&mut self) {
        self.serving.take().unwrap().kill().await.unwrap();
    }

    /// Ends the test: everything is searched for every secret that was handed out.
    pub async fn close(mut self) {
        if self.serving.is_some() {
            self.stop().await;
        }
        let secrets = self.secrets.lock().unwrap().clone();
        std::fs::write(self.folder.path().join("log"), self.log()).unwrap();
        leaks::search(&secrets, &self.database, self.folder.path()).await;
        for name in &self.copies {
            server(&format!("DROP DATABASE {name}")).await;
        }
        self.database.remove().await;
    }

    /// Sends a request; `None` if no whole answer came.
    pub async fn attempt(&self, method: &str, token: &str, path: &str, body: Option<Value>) -> Option<Answer> {
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), self.url.clone() + path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = Answer::read(request.send().await.ok()?).await;
        for name in ["secret", "password"] {
            if let Some(secret) = answer.body[name].as_str() {
                self.secrets.lock().unwrap().push(secret.to_owned());
            }
        }
        (!answer.body.is_null()).then_some(answer)
    }

    /// GET
    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.attempt("GET", token, path, None).await.unwrap()
    }

    /// POST, PUT, PATCH or DELETE
    pub async fn send(&self, method: &str, token: &str, path: &str, body: Value) -> Answer {
        self.attempt(method, token, path, Some(body)).await.unwrap()
    }

    /// Issues a token with the administrator's: its id and its secret.
    pub async fn issue(&self, ask: Value) -> (String, String) {
        let answer = self.send("POST", &self.admin, "/v1/tokens", ask).await.expect(201);
        (answer.text("id"), answer.text("secret"))
    }

    /// What verify says of a credential: `good`, or the reason.
    pub async fn verdict(&self, token: &str) -> String {
        let answer = self.send("POST", &self.admin, "/v1/verify", json!({"token": token})).await.expect(200);
        if answer["active"] == true { "good".to_owned() } else { answer.text("reason") }
    }

    /// Copies the database. The program must not run; having ended well it leaves a SQLite database in one file.
    pub async fn copy(&mut self) -> Copy {
        assert!(self.serving.is_none());
        match self.database.backend {
            Backend::Sqlite => Copy::Files(
                files(&self.database.file())
                    .filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?)))
                    .collect(),
            ),
            Backend::Postgres => {
                let name = format!("{}_copy_{}", self.name(), self.copies.len());
                self.copies.push(name.clone());
                server(&format!("CREATE DATABASE {name} TEMPLATE {}", self.name())).await;
                Copy::Named(name)
            }
        }
    }

    /// Puts a copy in the database's place. The program must not run.
    pub async fn restore(&self, copy: &Copy) {
        assert!(self.serving.is_none());
        match copy {
            Copy::Files(copied) => {
                for path in files(&self.database.file()) {
                    let _ = std::fs::remove_file(path);
                }
                for (path, bytes) in copied {
                    std::fs::write(path, bytes).unwrap();
                }
            }
            Copy::Named(copy) => {
                self.database.remove().await;
                server(&format!("CREATE DATABASE {} TEMPLATE {copy}", self.name())).await;
            }
        }
    }

    fn name(&self) -> &str {
        self.database.url.rsplit_once('/').unwrap().1
    }
}

/// The program, which was built beside the tests.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(Path::parent).unwrap().join("tokenhouse");
    assert!(built.exists(), "{} is missing; run: cargo build -p tokenhouse-server", built.display());
    built
}

fn files(database: &Path) -> impl Iterator<Item = PathBuf> {
    let path = database.display().to_string();
    ["", "-wal", "-shm"].into_iter().map(move |ending| PathBuf::from(format!("{path}{ending}")))
}

async fn server(sql: &str) {
    let mut conn = PgConnection::connect(&database::server().unwrap()).await.unwrap();
    conn.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}
