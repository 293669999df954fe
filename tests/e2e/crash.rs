//! The program is killed at random moments under load, and started again: what it confirmed is there, and what it
//! ended is dead. `TOKENHOUSE_CRASH_ROUNDS` says how often, `TOKENHOUSE_CRASH_SEED` repeats a run's choices.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokenhouse_e2e::{Backend, Program};
use tokenhouse_model::env::Random;
use tokio::time::sleep;

const CLIENTS: usize = 8;
/// Live tokens that a client holds at most; the policy allows 20.
const MOST: usize = 6;
const ROLES: [&str; 3] = ["auditor", "verifier", "member"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    Dead,
    /// The answer to what was asked last did not come.
    Unknown,
}

/// One client, the service account whose tokens it works on, and what it was told.
struct Client {
    account: String,
    random: Random,
    /// Secrets of each live token, the last one in force.
    tokens: BTreeMap<String, Vec<(String, State)>>,
    /// Secrets that were confirmed dead.
    dead: Vec<String>,
    roles: BTreeMap<&'static str, State>,
    confirmed: usize,
}

impl Client {
    async fn new(program: &Program, number: usize, seed: i64) -> Self {
        let body = json!({"kind": "service", "identifier": format!("sa::client-{number}")});
        let made = program.send("POST", &program.admin, "/v1/accounts", body).await.expect(201);
        let random = Random::fixed(seed.wrapping_mul(31).wrapping_add(i64::try_from(number).unwrap()));
        let roles = ROLES.map(|role| (role, State::Dead)).into();
        Self { account: made.text("id"), random, tokens: BTreeMap::new(), dead: Vec::new(), roles, confirmed: 0 }
    }

    fn choose(&self, of: usize) -> usize {
        usize::from(u16::from_be_bytes(self.random.bytes())) % of
    }

    /// Works until no answer comes.
    async fn work(&mut self, program: &Program) {
        while self.act(program).await.is_some() {
            self.confirmed += 1;
        }
    }

    async fn act(&mut self, program: &Program) -> Option<()> {
        let chosen = (!self.tokens.is_empty()).then(|| self.choose(self.tokens.len()));
        let chosen = chosen.and_then(|at| self.tokens.keys().nth(at).cloned());
        match (self.choose(10), chosen) {
            (0..3, _) if self.tokens.len() < MOST => self.issue(program).await,
            (0..6, Some(token)) => self.rotate(program, token).await,
            (6..8, Some(token)) => self.revoke(program, token).await,
            _ => self.role(program).await,
        }
    }

    async fn issue(&mut self, program: &Program) -> Option<()> {
        let ask = json!({"owner": self.account});
        let made = program.attempt("POST", &program.admin, "/v1/tokens", Some(ask)).await?.expect(201);
        self.tokens.insert(made.text("id"), vec![(made.text("secret"), State::Good)]);
        Some(())
    }

    async fn rotate(&mut self, program: &Program, token: String) -> Option<()> {
        let secrets = self.tokens.get_mut(&token).unwrap();
        let last = secrets.last_mut().unwrap();
        last.1 = State::Unknown;
        let path = format!("/v1/tokens/{token}/rotate");
        let rotated = program.attempt("POST", &program.admin, &path, Some(json!({}))).await?.expect(200);
        last.1 = State::Dead;
        secrets.push((rotated.text("secret"), State::Good));
        Some(())
    }

    async fn revoke(&mut self, program: &Program, token: String) -> Option<()> {
        self.tokens.get_mut(&token).unwrap().last_mut().unwrap().1 = State::Unknown;
        let path = format!("/v1/tokens/{token}/revoke");
        program.attempt("POST", &program.admin, &path, Some(json!({}))).await?.expect(200);
        self.dead.extend(self.tokens.remove(&token).unwrap().into_iter().map(|(secret, _)| secret));
        Some(())
    }

    async fn role(&mut self, program: &Program) -> Option<()> {
        let role = ROLES[self.choose(ROLES.len())];
        let state = self.roles.get_mut(role).unwrap();
        let (method, then) = if *state == State::Dead { ("PUT", State::Good) } else { ("DELETE", State::Dead) };
        *state = State::Unknown;
        let path = format!("/v1/accounts/{}/roles/{role}", self.account);
        let body = (method == "PUT").then(|| json!({}));
        program.attempt(method, &program.admin, &path, body).await?.expect(200);
        *state = then;
        Some(())
    }

    /// Compares what this client was told with what is there, and takes over what it was not told.
    async fn check(&mut self, program: &Program) {
        for secret in &self.dead {
            assert_ne!(program.verdict(secret).await, "good", "revoked");
        }
        for (id, secrets) in std::mem::take(&mut self.tokens) {
            let mut now = Vec::new();
            for (secret, told) in secrets {
                let good = program.verdict(&secret).await == "good";
                match told {
                    State::Good => assert!(good, "a confirmed secret of {id} is lost"),
                    State::Dead => assert!(!good, "a secret of {id} that was rotated away is good"),
                    State::Unknown => {}
                }
                now.push((secret, if good { State::Good } else { State::Dead }));
            }
            // Its last secret is dead though nobody said so: it was revoked or rotated, and its secret is not known.
            if now.last().unwrap().1 == State::Good {
                self.tokens.insert(id, now);
            } else {
                program.send("POST", &program.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
                self.dead.extend(now.into_iter().map(|(secret, _)| secret));
            }
        }
        let account = program.get(&program.admin, &format!("/v1/accounts/{}", self.account)).await.expect(200);
        let held = account["roles"].as_array().unwrap();
        for (role, told) in &mut self.roles {
            let there = held.iter().any(|one| one["name"] == *role);
            assert!(*told == State::Unknown || (*told == State::Good) == there, "{role}: {told:?}, {there}");
            *told = if there { State::Good } else { State::Dead };
        }
        self.sweep(program).await;
    }

    /// Revokes tokens that were issued without an answer: nobody has their secret.
    async fn sweep(&self, program: &Program) {
        let path = format!("/v1/tokens?owner={}&state=active", self.account);
        let listed = program.get(&program.admin, &path).await.expect(200);
        let ids: Vec<&str> =
            listed["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        for known in self.tokens.keys() {
            assert!(ids.contains(&known.as_str()), "{known} is not listed");
        }
        for id in ids.into_iter().filter(|id| !self.tokens.contains_key(*id)) {
            program.send("POST", &program.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment how long to run")]
fn setting(name: &str) -> Option<i64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

async fn survive(backend: Backend) {
    let Some(mut program) = Program::init(backend).await else { return };
    let seed = setting("TOKENHOUSE_CRASH_SEED").unwrap_or_else(|| i64::from_be_bytes(Random::system().bytes()));
    println!("TOKENHOUSE_CRASH_SEED={seed}");
    let when = Random::fixed(seed);
    program.start().await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(Client::new(&program, number, seed).await);
    }
    for round in 0..setting("TOKENHOUSE_CRASH_ROUNDS").unwrap_or(5) {
        let pid = program.pid();
        let millis = 100 + u64::from(u16::from_be_bytes(when.bytes())) % 500;
        let killer = async {
            sleep(Duration::from_millis(millis)).await;
            let killed = tokio::process::Command::new("bash").arg("-c").arg(format!("kill -KILL {pid}")).status();
            assert!(killed.await.unwrap().success());
        };
        let work = futures::future::join_all(clients.iter_mut().map(|client| client.work(&program)));
        futures::future::join(work, killer).await;
        program.kill().await;

        program.start().await;
        futures::future::join_all(clients.iter_mut().map(|client| client.check(&program))).await;
        let (code, found) = program.verify_ledger().await;
        assert_eq!((code, &found["whole"], &found["epoch"]), (0, &json!(true), &json!(1)), "round {round}: {found}");
        assert_eq!(found["restored"], Value::from(0), "round {round}: {found}");
    }
    let confirmed: usize = clients.iter().map(|client| client.confirmed).sum();
    assert!(confirmed > CLIENTS, "the clients got nothing done");
    program.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_loses_nothing_confirmed_on_sqlite() {
    survive(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_loses_nothing_confirmed_on_postgres() {
    survive(Backend::Postgres).await;
}
