//! A client of all nodes that notes everything it asks and is told.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokenhouse_e2e::Answer;
use tokenhouse_model::env::Random;
use tokio::time::sleep;

use crate::history::{Change, History, Moment, Outcome, Question, Said, SubjectId, Way};
use crate::node::RECOVERY;

/// How long a question or a change is waited for: longer than a node is ever stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a request.
enum Told {
    Answered(Answer),
    /// It was never sent.
    NotSent,
    /// It was sent, and no whole answer came.
    Nothing,
}

/// A client. Its copies share the history and the connections.
#[derive(Clone)]
pub struct Client {
    /// The nodes' addresses.
    pub urls: Vec<String>,
    /// Who changes things: the administrator.
    pub admin: String,
    /// Who asks: a service account that may verify.
    pub asker: String,
    /// What happened.
    pub history: Arc<History>,
    /// S plus 1 % plus 50 ms.
    pub patience: Duration,
    /// Dice.
    pub random: Random,
    http: reqwest::Client,
}

impl Client {
    /// A client that begins a history.
    pub fn new(urls: Vec<String>, admin: &str, freshness: Duration, seed: i64) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let patience = freshness + freshness / 100 + Duration::from_millis(50);
        let (admin, asker, history) = (admin.to_owned(), String::new(), Arc::new(History::begin()));
        Self { urls, admin, asker, history, patience, random: Random::fixed(seed), http }
    }

    /// The same client with its own dice.
    pub fn other(&self, number: i64) -> Self {
        let seed = i64::from_be_bytes(self.random.bytes());
        Self { random: Random::fixed(seed.wrapping_add(number)), ..self.clone() }
    }

    /// A number below this one.
    pub fn die(&self, below: usize) -> usize {
        usize::try_from(u32::from_be_bytes(self.random.bytes())).unwrap() % below
    }

    async fn send(&self, node: usize, method: &str, token: &str, path: &str, body: &Value) -> Told {
        let url = format!("{}{path}", self.urls[node]);
        let request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        match request.send().await {
            Ok(response) => {
                let answer = Answer::read(response).await;
                if answer.body.is_null() { Told::Nothing } else { Told::Answered(answer) }
            }
            Err(error) if error.is_connect() => Told::NotSent,
            Err(_) => Told::Nothing,
        }
    }

    /// A request that must succeed, for what stands around a test: a node that can't do it now is asked again.
    pub async fn make(&self, node: usize, method: &str, path: &str, body: Value) -> Answer {
        let begun = self.history.now();
        loop {
            match self.send(node, method, &self.admin, path, &body).await {
                Told::Answered(answer) if answer.status < 300 => return answer,
                Told::Answered(answer)
                    if answer.body["code"] == "unavailable" && self.history.now() - begun < RECOVERY =>
                {
                    sleep(Duration::from_millis(100)).await;
                }
                Told::Answered(answer) => panic!("{method} {path}: {} {}", answer.status, answer.raw),
                Told::NotSent | Told::Nothing => panic!("{method} {path}: no answer"),
            }
        }
    }

    /// Asks a node about a subject, and notes what it said.
    pub async fn ask(&self, node: usize, subject: SubjectId, secret: &str, permission: Option<&str>) -> Question {
        let mut body = json!({"token": secret});
        if let Some(permission) = permission {
            body["permission"] = json!(permission);
        }
        let sent = self.history.now();
        let told = self.send(node, "POST", &self.asker, "/v1/verify", &body).await;
        let answered = self.history.now();
        let said = match told {
            Told::NotSent | Told::Nothing => Said::Nothing,
            Told::Answered(answer) => match (answer.status, answer.body["active"].as_bool()) {
                (200, Some(true)) => Said::Yes,
                (200, Some(false)) => Said::No(answer.text("reason")),
                (503, _) if !answer.header("retry-after").is_empty() => Said::NotNow(503),
                (status, _) => {
                    let said = format!("node {node} at {sent:?}: verify answered {status}: {}", answer.raw);
                    self.history.surprise(said);
                    Said::NotNow(status)
                }
            },
        };
        let question = Question { subject, node, sent, answered, said };
        self.history.asked(question.clone());
        question
    }

    /// Changes something, noting what that does to each of the subjects. `Ok` with the answer if it was acknowledged,
    /// `Err` with whether its outcome is unknown, or with a status if it was refused.
    pub async fn change(&self, node: usize, change: &Request<'_>, wait: bool) -> Result<Acknowledged, Refused> {
        let path = if wait { format!("{}?wait=nodes", change.path) } else { change.path.clone() };
        let begun = self.history.now();
        let (what, sent, answered, outcome) = (change.what, begun, Moment::MAX, Outcome::Unknown);
        let effect = |way| Change { what, way, node, sent, answered, outcome };
        for (subject, way) in change.effects {
            self.history.note(*subject, effect(*way));
        }
        let told = self.send(node, change.method, &self.admin, &path, &change.body).await;
        let answered = self.history.now();
        if let Told::Answered(answer) = &told
            && answer.status > 299
        {
            let said = format!("{} through node {node}, answered {answered:?}: {}", change.what, answer.raw);
            let subjects = change.effects.iter().map(|(subject, _)| *subject);
            self.history.with(|known| subjects.for_each(|id| known.subjects[id].refusals.push(said.clone())));
        }
        let (outcome, result) = self.judge(node, change, told, begun, answered);
        if let (Ok(answer), true) = (&result, wait) {
            let at = match answer.body["receipt"]["confirmed"]["by"].as_str() {
                Some("nodes") => 0,
                Some(_) => 1,
                None => 2,
            };
            self.history.with(|known| known.confirmed[at] += 1);
        }
        for (subject, _) in change.effects {
            self.history.end(*subject, answered, outcome);
        }
        self.history.with(|known| match outcome {
            Outcome::Done { .. } => known.done += 1,
            Outcome::Nothing => known.nothing += 1,
            Outcome::Unknown => known.unknown += 1,
        });
        result.map(|answer| {
            let made = |way| Change { answered, outcome, ..effect(way) };
            Acknowledged { answer, gives: made(Way::Gives) }
        })
    }

    /// Revokes a token through a node; the receipt, if it was acknowledged.
    pub async fn revoke(&self, node: usize, id: &str, subject: SubjectId, wait: bool) -> Option<Value> {
        let path = format!("/v1/tokens/{id}/revoke");
        let effects = [(subject, Way::Takes)];
        let request = Request { what: "revoke", method: "POST", path, body: json!({}), effects: &effects };
        let done = self.change(node, &request, wait).await.ok()?;
        Some(done.answer.body["receipt"].clone())
    }

    fn judge(
        &self,
        node: usize,
        change: &Request<'_>,
        told: Told,
        begun: Moment,
        answered: Moment,
    ) -> (Outcome, Result<Answer, Refused>) {
        let answer = match told {
            Told::Answered(answer) => answer,
            Told::NotSent => {
                self.history.with(|known| *known.reasons.entry("nobody listens".to_owned()).or_default() += 1);
                return (Outcome::Nothing, Err(Refused::NotNow));
            }
            Told::Nothing => return (Outcome::Unknown, Err(Refused::Unknown)),
        };
        let code = answer.body["code"].as_str().unwrap_or_default();
        match (answer.status, code) {
            (200 | 201, _) => {
                let receipt = &answer.body["receipt"];
                let by_time = answered + self.patience;
                let confirmed = if receipt["confirmed"].is_object() { answered } else { by_time };
                let number = |name: &str| receipt[name].as_i64().unwrap();
                let journaled = receipt["journaled"].as_bool().unwrap();
                let (epoch, revision) = (number("epoch"), number("revision"));
                (Outcome::Done { epoch, revision, journaled, confirmed }, Ok(answer))
            }
            (503, "unavailable") => {
                let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
                self.history.with(|known| *known.reasons.entry(detail).or_default() += 1);
                (Outcome::Nothing, Err(Refused::NotNow))
            }
            (503, "outcome_unknown") => (Outcome::Unknown, Err(Refused::Unknown)),
            (404 | 409, code) => (Outcome::Nothing, Err(Refused::No(answer.status, code.to_owned()))),
            (status, _) => {
                let (what, raw) = (change.what, &answer.raw);
                self.history.surprise(format!("node {node} at {begun:?}: {what} was answered {status}: {raw}"));
                (Outcome::Unknown, Err(Refused::Unknown))
            }
        }
    }
}

/// A change to be made, and what it does to which subjects.
pub struct Request<'a> {
    pub what: &'static str,
    pub method: &'a str,
    pub path: String,
    pub body: Value,
    pub effects: &'a [(SubjectId, Way)],
}

/// A change that was acknowledged.
#[derive(Debug)]
pub struct Acknowledged {
    /// Its answer.
    pub answer: Answer,
    /// The same change as the beginning of a subject that it made.
    pub gives: Change,
}

/// Why a change was not acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing was changed; later perhaps.
    NotNow,
    /// Nobody knows.
    Unknown,
    /// Nothing was changed, for this reason.
    No(u16, String),
}
