//! A whole house for a test: a database of its own, the real router on a real socket, a clock that the test moves.

mod answer;
mod database;
mod leaks;
mod program;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use reqwest::Method;
use serde_json::{Value, json};
use tokenhouse_authority::orgs::NewOrg;
use tokenhouse_authority::{Ctx, groups, housekeeping, install, pulse};
use tokenhouse_http::{Entrance, Wire};
use tokenhouse_model::Uuid;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_store::{Checkpoints, MasterKey, Settings, Store};
use tokio::task::JoinHandle;

pub use answer::Answer;
pub use database::{Backend, Database, server as postgres};
pub use leaks::{log_lines, logs};
pub use program::{Copy, Program, Ran, binary};

/// Runs a test on SQLite and, where `TOKENHOUSE_TEST_POSTGRES` names a server, on PostgreSQL. When it is over, logs,
/// journal and database are searched for every secret that the test was given.
#[macro_export]
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($house:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body($house: &mut $crate::House) $body

            async fn on(backend: $crate::Backend) {
                let Some(mut house) = $crate::House::open(backend).await else { return };
                body(&mut house).await;
                house.close().await;
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

/// The password of every person that the tests make.
pub const PASSWORD: &str = "correct horse battery";
/// The e-mail address of the first administrator.
pub const ADMIN: &str = "admin@example.test";

/// A house under test.
pub struct House {
    /// Where it listens, e.g. `http://127.0.0.1:40123`.
    pub url: String,
    /// The first administrator's token, which reaches everything.
    pub admin: String,
    /// His password.
    pub password: String,
    /// The first org.
    pub org: String,
    /// Its clock. It stands still until the test moves it.
    pub clock: Clock,
    /// Its database.
    pub database: Database,
    /// The folder of master key and journal.
    pub folder: tempfile::TempDir,
    /// For what HTTP does not show.
    pub ctx: Arc<Ctx>,
    /// How it reads requests.
    pub wire: Wire,
    client: reqwest::Client,
    serving: JoinHandle<()>,
    secrets: Arc<Mutex<Vec<String>>>,
}

impl House {
    /// A new house on a database of its own; `None` on PostgreSQL where the tests were given none.
    pub async fn open(backend: Backend) -> Option<Self> {
        Self::open_with(backend, Wire::default()).await
    }

    /// As [`House::open`], reading requests in another way.
    pub async fn open_with(backend: Backend, wire: Wire) -> Option<Self> {
        logs();
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(backend, folder.path()).await?;
        let clock = Clock::manual(1_800_000_000_000);
        let key = MasterKey::create(&folder.path().join("master.key"), &Random::system()).unwrap();
        Store::create(&database.location, &key, &clock, &Random::system()).await.unwrap();
        let ctx = context(&database, folder.path(), &clock).await.unwrap();
        let new = NewOrg { name: "first".to_owned(), admin: ADMIN.to_owned() };
        let made = install::install(&ctx, new, false).await.unwrap();
        let (admin, password) = (made.token.expose().to_owned(), made.password.expose().to_owned());
        let secrets = Arc::new(Mutex::new(vec![admin.clone(), password.clone()]));
        let (url, serving) = serve(ctx.clone(), wire.clone()).await;
        let client = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(1)).build().unwrap();
        let org = made.org_id.to_string();
        Some(Self { url, admin, password, org, clock, database, folder, ctx, client, wire, serving, secrets })
    }

    /// Another node on the same database, with a journal and memory of its own.
    pub async fn another_node(&self, name: &str, settings: tokenhouse_authority::Settings) -> Node {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(self.folder.path().join("master.key"), folder.path().join("master.key")).unwrap();
        let settings = tokenhouse_authority::Settings { name: name.to_owned(), ..settings };
        let ctx = context_with(&self.database, folder.path(), &self.clock, settings).await.unwrap();
        let (url, serving) = serve(ctx.clone(), self.wire.clone()).await;
        Node { url, ctx, serving, client: self.client.clone(), admin: self.admin.clone(), _folder: folder }
    }

    /// Stops and starts the house on what is in its folder and database now.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start().await.unwrap();
    }

    /// Another node on the same database, by a clock of its own. It serves nothing.
    pub async fn node(&self, clock: &Clock) -> Arc<Ctx> {
        context(&self.database, self.folder.path(), clock).await.unwrap()
    }

    /// Stops the house; its database and folder stay.
    pub async fn stop(&mut self) {
        self.serving.abort();
        housekeeping::close(&self.ctx).await;
    }

    /// Starts it again.
    ///
    /// # Errors
    /// What refuses to start.
    pub async fn start(&mut self) -> tokenhouse_model::Result<()> {
        self.ctx = context(&self.database, self.folder.path(), &self.clock).await?;
        (self.url, self.serving) = serve(self.ctx.clone(), self.wire.clone()).await;
        Ok(())
    }

    /// Writes counted uses now, as the server does every few seconds.
    pub async fn flush(&self) {
        housekeeping::flush_uses(&self.ctx).await.unwrap();
    }

    /// Moves the clock.
    pub fn wait(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
    }

    /// Notes a secret that must not be found anywhere afterwards.
    pub fn secret(&self, text: &str) {
        self.secrets.lock().unwrap().push(text.to_owned());
    }

    /// Ends the test: everything is searched for every secret that was handed out.
    pub async fn close(mut self) {
        self.stop().await;
        let secrets = self.secrets.lock().unwrap().clone();
        leaks::search(&secrets, &self.database, self.folder.path()).await;
        self.database.remove().await;
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// A request that the test finishes itself.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.url))
    }

    /// Sends a request and reads its answer whole. Whoever is told that nothing was done and that he may come again, as
    /// happens on a busy machine, does so a few times, like every client.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let mut next = Some(request);
        let mut patience = 5;
        let answer = loop {
            let request = next.take().unwrap();
            next = request.try_clone().filter(|_| patience > 0);
            let answer = Answer::read(request.send().await.unwrap()).await;
            if next.is_none() || answer.status != 503 || answer.header("retry-after").is_empty() {
                break answer;
            }
            patience -= 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        for name in ["secret", "password", "apiToken", "access_token", "refresh_token", "id_token", "clientSecret"] {
            if let Some(secret) = answer.body.get(name).and_then(Value::as_str) {
                self.secret(secret);
            }
        }
        self.note_token_ids(&answer.body);
        answer
    }

    /// Where the Wavefront dialect tells a token's secret it stands as its id: a version 4 beside our version 7.
    fn note_token_ids(&self, body: &Value) {
        match body {
            Value::Array(items) => items.iter().for_each(|item| self.note_token_ids(item)),
            Value::Object(members) => {
                let id = members.get("tokenID").and_then(Value::as_str);
                let v4 = |id: &&str| Uuid::try_parse(id).is_ok_and(|id| id.get_version_num() == 4);
                if let Some(secret) = id.filter(v4) {
                    self.secret(secret);
                }
                members.values().for_each(|value| self.note_token_ids(value));
            }
            _ => {}
        }
    }

    async fn with(&self, method: &str, token: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await
    }

    /// GET
    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.with("GET", token, path, None).await
    }

    /// POST
    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.with("POST", token, path, Some(body)).await
    }

    /// PUT
    pub async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        self.with("PUT", token, path, Some(body)).await
    }

    /// PATCH
    pub async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        self.with("PATCH", token, path, Some(body)).await
    }

    /// DELETE
    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        self.with("DELETE", token, path, None).await
    }

    /// Makes a person with these roles and gives back account id and a session token of his.
    pub async fn person(&self, email: &str, roles: &[&str]) -> (String, String) {
        self.secret(PASSWORD);
        let body = json!({"kind": "user", "identifier": email, "password": PASSWORD});
        let id = self.post(&self.admin, "/v1/accounts", body).await.expect(201).text("id");
        self.give(&id, roles).await;
        (id, self.sign_in(email, PASSWORD).await)
    }

    /// Makes a service account with these roles and gives back its id and a token of its.
    pub async fn service(&self, name: &str, roles: &[&str]) -> (String, String) {
        let body = json!({"kind": "service", "identifier": format!("sa::{name}")});
        let id = self.post(&self.admin, "/v1/accounts", body).await.expect(201).text("id");
        self.give(&id, roles).await;
        let token = self.post(&self.admin, "/v1/tokens", json!({"owner": id})).await.expect(201).text("secret");
        (id, token)
    }

    async fn give(&self, account: &str, roles: &[&str]) {
        for role in roles {
            self.put(&self.admin, &format!("/v1/accounts/{account}/roles/{role}"), json!({})).await.expect(200);
        }
    }

    /// Signs in and gives back the session token.
    pub async fn sign_in(&self, email: &str, password: &str) -> String {
        let body = json!({"email": email, "password": password});
        self.post("", "/v1/session", body).await.expect(201).text("secret")
    }

    /// Issues a token with another one: its id and its secret.
    pub async fn issue(&self, with: &str, ask: Value) -> (String, String) {
        let answer = self.post(with, "/v1/tokens", ask).await.expect(201);
        (answer.text("id"), answer.text("secret"))
    }

    /// What verify says of a credential: `good`, or the reason.
    pub async fn verdict(&self, token: &str) -> String {
        let answer = self.post(&self.admin, "/v1/verify", json!({"token": token})).await.expect(200);
        if answer["active"] == true { "good".to_owned() } else { answer.text("reason") }
    }

    /// The ledger's events after a revision, as far as one page goes.
    pub async fn events(&self, after: i64) -> Vec<Value> {
        let answer = self.get(&self.admin, &format!("/v1/ledger?after={after}&limit=1000")).await.expect(200);
        answer["items"].as_array().unwrap().clone()
    }

    /// The last revision of the ledger: it stays as it is while nothing changes.
    pub async fn revision(&self) -> i64 {
        tokenhouse_authority::verify::applied(&self.ctx)
    }

    /// Makes another org and gives back its id and a session of its administrator, `admin@NAME.test`.
    pub async fn neighbour(&self, name: &str) -> (String, String) {
        let admin = format!("admin@{name}.test");
        let made = self.post(&self.admin, "/v1/orgs", json!({"name": name, "admin": admin})).await.expect(201);
        (made.text("id"), self.sign_in(&admin, &made.text("password")).await)
    }

    /// The installation's id, after which the journal's folder is named.
    pub async fn database_id(&self) -> String {
        let mut folders = std::fs::read_dir(self.journal()).unwrap();
        folders.next().unwrap().unwrap().file_name().into_string().unwrap()
    }
}

/// Another node of a house.
pub struct Node {
    /// Where it listens.
    pub url: String,
    /// For what HTTP does not show.
    pub ctx: Arc<Ctx>,
    serving: JoinHandle<()>,
    client: reqwest::Client,
    admin: String,
    _folder: tempfile::TempDir,
}

impl Node {
    /// POST with the administrator's token.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.admin).json(&body);
        Answer::read(request.send().await.unwrap()).await
    }

    /// What it says of a credential: `good`, or the reason.
    pub async fn verdict(&self, token: &str) -> String {
        let answer = self.post("/v1/verify", json!({"token": token})).await.expect(200);
        if answer["active"] == true { "good".to_owned() } else { answer.text("reason") }
    }

    /// Stops it as an operator would.
    pub async fn stop(self) {
        self.serving.abort();
        housekeeping::close(&self.ctx).await;
    }
}

async fn context(database: &Database, folder: &Path, clock: &Clock) -> tokenhouse_model::Result<Arc<Ctx>> {
    context_with(database, folder, clock, tokenhouse_authority::Settings::default()).await
}

async fn context_with(
    database: &Database,
    folder: &Path,
    clock: &Clock,
    verify: tokenhouse_authority::Settings,
) -> tokenhouse_model::Result<Arc<Ctx>> {
    let key = MasterKey::read(&folder.join("master.key"))?;
    let settings = Settings {
        location: database.location.clone(),
        journal: folder.join("journal"),
        checkpoints: Checkpoints::default(),
        readers: 4,
        misses: 4,
    };
    let store = Store::open(&settings, key, clock.clone(), Random::system()).await?;
    let ctx = Arc::new(Ctx::new(store, clock.clone(), Random::system(), verify));
    groups::settle(&ctx).await?;
    pulse::join(&ctx).await?;
    Ok(ctx)
}

async fn serve(ctx: Arc<Ctx>, wire: Wire) -> (String, JoinHandle<()>) {
    listening(tokenhouse_http::entrance(ctx, wire)).await
}

/// Serves on a free port: the address, and the task that does it.
pub async fn listening(entrance: Entrance) -> (String, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer =
        async move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| entrance.answer(peer, request).await;
    let service = Router::new().fallback(answer).into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    (url, serving)
}
