//! Load: clients that change things through all nodes, and clients that ask all nodes about them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{RwLock, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Client, Refused, Request};
use crate::history::{Outcome, SubjectId, Way};

/// Clients that change things.
const CHANGERS: usize = 3;
/// Clients that ask, of each node.
const ASKERS: usize = 2;
/// How long each rests between two requests: the machine must not be the bottleneck, or all nodes are slow alike.
const REST: Duration = Duration::from_millis(20);
/// Live tokens that a changer holds at most; the policy allows 20, and some may be made without an answer.
const MOST: usize = 6;

/// A token that a changer made.
struct Held {
    id: String,
    secret: String,
    subject: SubjectId,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    On,
    Off,
    /// What was asked last may have happened or not. Ending it for good settles that.
    Unknown,
}

/// Something that can be given and taken again and again.
struct Switch {
    subject: SubjectId,
    what: &'static str,
    on: (&'static str, String, Value),
    off: (&'static str, String, Value),
    is_on: bool,
}

/// A client that changes things. Nobody else changes what it made.
struct Changer {
    client: Client,
    account: String,
    tokens: Vec<Held>,
    switches: Vec<Switch>,
}

/// The load on the nodes.
pub struct Load {
    over: Arc<AtomicBool>,
    changes: Arc<RwLock<()>>,
    questions: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Makes what it works on, and begins.
    pub async fn begin(client: &Client) -> Self {
        let (over, changes, questions) = (Arc::default(), Arc::new(RwLock::new(())), Arc::new(Semaphore::new(ALL)));
        let mut load = Self { over, changes, questions, tasks: JoinSet::new() };
        let making = (0..CHANGERS).map(|number| Changer::new(client.other(number as i64), number));
        for changer in futures::future::join_all(making).await {
            let (over, gate) = (load.over.clone(), load.changes.clone());
            load.tasks.spawn(changer.work(over, gate));
        }
        for number in 0..client.urls.len() * ASKERS {
            let (over, gate, client) = (load.over.clone(), load.questions.clone(), client.other(100 + number as i64));
            load.tasks.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let _may = gate.acquire().await;
                    let (die, node) = (client.die(1 << 20), number % client.urls.len());
                    if let Some((subject, secret, permission)) = client.history.pick(die) {
                        client.ask(node, subject, &secret, permission).await;
                    }
                    sleep(REST).await;
                }
            });
        }
        load
    }

    /// Holds changes back, once those on their way have ended, for as long as what this gives back lives.
    pub async fn hold_changes(&self) -> impl Sized + use<> {
        self.changes.clone().write_owned().await
    }

    /// As [`Load::hold_changes`], for changes and questions.
    pub async fn hold(&self) -> impl Sized + use<> {
        let changes = self.hold_changes().await;
        let questions = self.questions.clone().acquire_many_owned(u32::try_from(ALL).unwrap()).await;
        (changes, questions)
    }

    /// Ends it. A task that panicked ends the test.
    pub async fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

/// More than there are askers.
const ALL: usize = 64;

/// One permission of the administrator's for each way to hold it.
const PERMISSIONS: [&str; 4] = ["ingestion", "alerts_management", "events_management", "dashboard_management"];

impl Changer {
    async fn new(client: Client, number: usize) -> Self {
        let account = async |name: &str| {
            let body = json!({"kind": "service", "identifier": format!("sa::{name}-{number}")});
            client.make(number % client.urls.len(), "POST", "/v1/accounts", body).await.text("id")
        };
        let mut changer =
            Self { account: account("tokens").await, client: client.clone(), tokens: vec![], switches: vec![] };
        let node = number % client.urls.len();
        let secret =
            async |owner: &str| client.make(node, "POST", "/v1/tokens", json!({"owner": owner})).await.text("secret");

        let whole = account("whole").await;
        let subject = client.history.add(format!("account {whole}"), &secret(&whole).await, None);
        let path = |what: &str| format!("/v1/accounts/{whole}/{what}");
        let (on, off) = (("POST", path("activate"), json!({})), ("POST", path("deactivate"), json!({})));
        changer.switches.push(Switch { subject, what: "account", on, off, is_on: true });

        // One account that gets four permissions in four ways.
        let holder = account("holder").await;
        let token = secret(&holder).await;
        let [by_role, by_group, by_edit, direct] = PERMISSIONS;
        let role = async |name: &str, permissions: Value| {
            let body = json!({"name": format!("{name} {number}"), "permissions": permissions});
            client.make(node, "POST", "/v1/roles", body).await.text("id")
        };
        let assigned = role("assigned", json!([by_role])).await;
        let joined = role("joined", json!([by_group])).await;
        let edited = role("edited", json!([])).await;
        let group =
            client.make(node, "POST", "/v1/groups", json!({"name": format!("group {number}")})).await.text("id");
        client.make(node, "PUT", &format!("/v1/groups/{group}/roles/{joined}"), json!({})).await;
        client.make(node, "PUT", &format!("/v1/accounts/{holder}/roles/{edited}"), json!({})).await;
        let put_and_delete = |path: String| (("PUT", path.clone(), json!({})), ("DELETE", path, Value::Null));
        let edit = format!("/v1/roles/{edited}");
        let edit = |permissions| ("PATCH", edit.clone(), json!({"permissions": permissions}));
        let ways = [
            ("role", by_role, put_and_delete(format!("/v1/accounts/{holder}/roles/{assigned}"))),
            ("group", by_group, put_and_delete(format!("/v1/groups/{group}/members/{holder}"))),
            ("role's permissions", by_edit, (edit(vec![by_edit]), edit(vec![]))),
            ("permission", direct, put_and_delete(format!("/v1/accounts/{holder}/permissions/{direct}"))),
        ];
        for (what, permission, (on, off)) in ways {
            let subject = client.history.add(format!("{what} of {holder}"), &token, Some(permission));
            changer.switches.push(Switch { subject, what, on, off, is_on: false });
        }
        changer
    }

    async fn work(mut self, over: Arc<AtomicBool>, gate: Arc<RwLock<()>>) {
        while !over.load(Ordering::Relaxed) {
            let may = gate.read().await;
            self.act().await;
            drop(may);
            sleep(REST).await;
        }
    }

    async fn act(&mut self) {
        let node = self.client.die(self.client.urls.len());
        let chosen = if self.tokens.is_empty() { 0 } else { self.client.die(self.tokens.len()) };
        let state = self.tokens.get(chosen).map(|token| token.state);
        match (self.client.die(20), state) {
            (_, Some(State::Unknown)) => self.revoke(node, chosen).await,
            (0..6, _) | (_, None) if self.tokens.len() < MOST => self.issue(node).await,
            (0..10, Some(_)) => self.revoke(node, chosen).await,
            (10..12, Some(State::On)) => self.rotate(node, chosen).await,
            (12..15, Some(state)) => self.switch_token(node, chosen, state).await,
            _ => self.switch(node).await,
        }
    }

    /// Two in three wait for the confirmation.
    fn waits(&self) -> bool {
        self.client.die(3) > 0
    }

    async fn issue(&mut self, node: usize) {
        let body = json!({"owner": self.account});
        let (path, effects) = ("/v1/tokens".to_owned(), &[]);
        let request = Request { what: "issue", method: "POST", path, body, effects };
        match self.client.change(node, &request, self.waits()).await {
            Ok(done) => {
                let (id, secret) = (done.answer.text("id"), done.answer.text("secret"));
                let subject = self.client.history.add(format!("token {id}"), &secret, None);
                self.client.history.note(subject, done.gives);
                self.tokens.push(Held { id, secret, subject, state: State::On });
            }
            // Tokens that were issued without an answer fill the limit.
            Err(Refused::No(409, code)) if code == "limit_reached" => self.sweep(node).await,
            Err(Refused::No(status, code)) => self.client.history.surprise(format!("issue: {status} {code}")),
            Err(Refused::NotNow | Refused::Unknown) => {}
        }
    }

    /// Revokes tokens that nobody has the secret of.
    async fn sweep(&self, node: usize) {
        let path = format!("/v1/tokens?owner={}&limit=1000", self.account);
        let listed = self.client.make(node, "GET", &path, Value::Null).await;
        for token in listed["items"].as_array().unwrap() {
            let id = token["id"].as_str().unwrap();
            if token["state"] != "revoked" && !self.tokens.iter().any(|known| known.id == id) {
                let path = format!("/v1/tokens/{id}/revoke");
                let request = Request { what: "revoke", method: "POST", path, body: json!({}), effects: &[] };
                let _ = self.client.change(node, &request, false).await;
            }
        }
    }

    async fn on_token(
        &mut self,
        node: usize,
        chosen: usize,
        what: &'static str,
        way: Way,
    ) -> Option<Result<crate::client::Acknowledged, Refused>> {
        let token = self.tokens.get_mut(chosen)?;
        let path = format!("/v1/tokens/{}/{what}", token.id);
        let effects = [(token.subject, way)];
        let request = Request { what, method: "POST", path, body: json!({}), effects: &effects };
        let before = std::mem::replace(&mut token.state, State::Unknown);
        let wait = self.waits();
        let told = self.client.change(node, &request, wait).await;
        match &told {
            Err(Refused::NotNow) => self.tokens[chosen].state = before,
            // It was lost with the history; else it would be there.
            Err(Refused::No(404, _)) => {
                let lost = self.tokens.swap_remove(chosen);
                self.gone(lost.subject, what);
            }
            Err(Refused::No(409, _)) => self.gone(self.tokens[chosen].subject, what),
            _ => {}
        }
        Some(told)
    }

    /// A token is not as it was acknowledged. That is lawful only where something about it is not known: history that
    /// was lost may have held even its beginning.
    fn gone(&self, subject: SubjectId, what: &str) {
        self.client.history.with(|known| {
            let about = &known.subjects[subject];
            if !about.changes.iter().any(|change| change.outcome == Outcome::Unknown) {
                known.surprises.push(format!("{what} was refused, though it is lawful after {:?}", about.changes));
            }
        });
    }

    async fn revoke(&mut self, node: usize, chosen: usize) {
        if let Some(Ok(_)) = self.on_token(node, chosen, "revoke", Way::Takes).await {
            self.tokens.swap_remove(chosen);
        }
    }

    async fn rotate(&mut self, node: usize, chosen: usize) {
        if let Some(Ok(done)) = self.on_token(node, chosen, "rotate", Way::Takes).await {
            let token = &mut self.tokens[chosen];
            token.secret = done.answer.text("secret");
            token.subject = self.client.history.add(format!("token {}, rotated", token.id), &token.secret, None);
            token.state = State::On;
            self.client.history.note(token.subject, done.gives);
        }
    }

    async fn switch_token(&mut self, node: usize, chosen: usize, state: State) {
        let (what, way, then) = match state {
            State::On => ("deactivate", Way::Takes, State::Off),
            _ => ("reactivate", Way::Gives, State::On),
        };
        if let Some(Ok(_)) = self.on_token(node, chosen, what, way).await {
            self.tokens[chosen].state = then;
        }
    }

    async fn switch(&mut self, node: usize) {
        let at = self.client.die(self.switches.len());
        let switch = &self.switches[at];
        let (way, (method, path, body)) =
            if switch.is_on { (Way::Takes, switch.off.clone()) } else { (Way::Gives, switch.on.clone()) };
        let effects = [(switch.subject, way)];
        let request = Request { what: switch.what, method, path, body, effects: &effects };
        match self.client.change(node, &request, self.waits()).await {
            Ok(_) => self.switches[at].is_on = way == Way::Gives,
            // Asking again is lawful, whatever became of it.
            Err(Refused::NotNow | Refused::Unknown) => {}
            Err(Refused::No(status, code)) => {
                let what = self.switches[at].what;
                self.client.history.surprise(format!("{what}: {status} {code}"));
            }
        }
    }
}
