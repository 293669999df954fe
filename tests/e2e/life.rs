//! A token's life against a model of it: whatever happens in whatever order, verify says of every secret that was ever
//! handed out what the model says.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokenhouse_e2e::{Backend, House};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Something that is done. Tokens are named by a number, taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Issue {
        life: Option<i64>,
        idle: bool,
    },
    Rotate {
        token: usize,
        overlap: i64,
    },
    Deactivate(usize),
    Reactivate(usize),
    Revoke(usize),
    /// Ends so many seconds from now; never if none.
    End {
        token: usize,
        after: Option<i64>,
    },
    Wait(i64),
    Owner {
        on: bool,
    },
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    let seconds = prop::sample::select(vec![1_i64, 2, 5, 30, 600, 3599, 3600, 7200]);
    let token = any::<usize>();
    let life = prop::option::of(seconds.clone());
    let overlap = prop_oneof![Just(0), seconds.clone()];
    prop_oneof![
        3 => (life.clone(), any::<bool>()).prop_map(|(life, idle)| Step::Issue { life, idle }),
        4 => (token, overlap).prop_map(|(token, overlap)| Step::Rotate { token, overlap }),
        2 => token.prop_map(Step::Deactivate),
        3 => token.prop_map(Step::Reactivate),
        1 => token.prop_map(Step::Revoke),
        2 => (token, life).prop_map(|(token, after)| Step::End { token, after }),
        4 => seconds.prop_map(Step::Wait),
        1 => any::<bool>().prop_map(|on| Step::Owner { on }),
        1 => Just(Step::Flush),
    ]
}

/// A token as the model has it. Times in seconds since the case began.
#[derive(Debug)]
struct Model {
    id: String,
    /// Each secret and when it stops.
    secrets: Vec<(String, i64)>,
    ends: i64,
    idle: bool,
    last_use: i64,
    on: bool,
    revoked: bool,
}

const NEVER: i64 = i64::MAX;

impl Model {
    /// What is to be said of its secret of this number.
    fn verdict(&self, secret: usize, now: i64, owner: bool) -> &'static str {
        if self.revoked {
            return "revoked";
        }
        if !self.on {
            return "deactivated";
        }
        if self.secrets[secret].1 <= now {
            return "rotated";
        }
        if self.ends <= now {
            return "expired";
        }
        if self.idle && self.last_use + 3600 <= now {
            return "idle";
        }
        if owner { "good" } else { "account_inactive" }
    }

    /// Whether its state allows a change of what it is, other than its end.
    fn alive(&self, now: i64) -> bool {
        !self.revoked && now < self.ends
    }
}

/// The house, one service account in it, and the model of that account's tokens.
struct Case<'h> {
    house: &'h House,
    account: String,
    owner: bool,
    now: i64,
    began: i64,
    tokens: Vec<Model>,
}

impl Case<'_> {
    async fn send(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.house.post(&self.house.admin, path, body).await;
        (answer.status, answer.body)
    }

    /// How many places are taken: tokens that are neither revoked nor expired.
    fn taken(&self) -> usize {
        self.tokens.iter().filter(|token| token.alive(self.now)).count()
    }

    async fn issue(&mut self, life: Option<i64>, idle: bool) -> (u16, u16) {
        let mut ask = json!({"owner": self.account});
        if let Some(life) = life {
            ask["lifetime_seconds"] = json!(life);
        }
        if idle {
            ask["idle_seconds"] = json!(3600);
        }
        let expected = if !self.owner || self.taken() >= 20 { 409 } else { 201 };
        let (status, body) = self.send("/v1/tokens", ask).await;
        if status == 201 {
            let secret = body["secret"].as_str().unwrap().to_owned();
            self.tokens.push(Model {
                id: body["id"].as_str().unwrap().to_owned(),
                secrets: vec![(secret, NEVER)],
                ends: life.map_or(NEVER, |life| self.now + life),
                idle,
                last_use: self.now,
                on: true,
                revoked: false,
            });
        }
        (status, expected)
    }

    /// Does a step; the status that came and the one that the model expects.
    async fn run(&mut self, step: &Step) -> (u16, u16) {
        let now = self.now;
        let at = |number: usize| number.checked_rem(self.tokens.len());
        let lawful = |yes: bool| if yes { 200 } else { 409 };
        match *step {
            Step::Issue { life, idle } => self.issue(life, idle).await,
            Step::Wait(seconds) => {
                self.now += seconds;
                self.house.wait(seconds);
                (200, 200)
            }
            Step::Flush => {
                self.house.flush().await;
                (200, 200)
            }
            Step::Owner { on } => {
                let what = if on { "activate" } else { "deactivate" };
                self.owner = on;
                (self.send(&format!("/v1/accounts/{}/{what}", self.account), json!({})).await.0, 200)
            }
            Step::Rotate { token, overlap } => {
                let Some(at) = at(token) else { return (200, 200) };
                let path = format!("/v1/tokens/{}/rotate", self.tokens[at].id);
                let (status, body) = self.send(&path, json!({"overlap_seconds": overlap})).await;
                let token = &mut self.tokens[at];
                let expected = lawful(token.alive(now) && token.on);
                if status == 200 {
                    let newest = token.secrets.len() - 1;
                    token.secrets.iter_mut().for_each(|(_, until)| *until = now.min(*until));
                    token.secrets[newest].1 = now + overlap;
                    token.secrets.push((body["secret"].as_str().unwrap().to_owned(), NEVER));
                }
                (status, expected)
            }
            Step::Deactivate(token) | Step::Reactivate(token) => {
                let Some(at) = at(token) else { return (200, 200) };
                let on = matches!(step, Step::Reactivate(_));
                let what = if on { "reactivate" } else { "deactivate" };
                let status = self.send(&format!("/v1/tokens/{}/{what}", self.tokens[at].id), json!({})).await.0;
                let token = &mut self.tokens[at];
                let expected = lawful(token.alive(now));
                token.on = if expected == 200 { on } else { token.on };
                (status, expected)
            }
            Step::Revoke(token) => {
                let Some(at) = at(token) else { return (200, 200) };
                let status = self.send(&format!("/v1/tokens/{}/revoke", self.tokens[at].id), json!({})).await.0;
                self.tokens[at].revoked = true;
                (status, 200)
            }
            Step::End { token, after } => {
                let Some(at) = at(token) else { return (200, 200) };
                let end = after.map_or(Value::Null, |after| json!(self.began + (now + after) * 1000));
                let path = format!("/v1/tokens/{}", self.tokens[at].id);
                let status = self.house.patch(&self.house.admin, &path, json!({"expires_at": end})).await.status;
                let token = &mut self.tokens[at];
                let expected = lawful(token.alive(now));
                if expected == 200 {
                    token.ends = after.map_or(NEVER, |after| now + after);
                }
                (status, expected)
            }
        }
    }

    /// Asks about every secret that there ever was; a good answer is a use.
    async fn check(&mut self) -> Result<(), TestCaseError> {
        for token in &mut self.tokens {
            for number in 0..token.secrets.len() {
                let expected = token.verdict(number, self.now, self.owner);
                let said = self.house.verdict(&token.secrets[number].0).await;
                prop_assert_eq!(said, expected, "secret {} at {} of {:?}", number, self.now, token);
                if expected == "good" {
                    token.last_use = self.now;
                }
            }
        }
        Ok(())
    }
}

async fn live(house: &House, name: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    let (account, _) = house.service(name, &[]).await;
    // The token that every service account of these tests begins with would take a place.
    let first = house.get(&house.admin, &format!("/v1/tokens?owner={account}")).await.expect(200);
    let first = first["items"][0]["id"].as_str().unwrap().to_owned();
    house.post(&house.admin, &format!("/v1/tokens/{first}/revoke"), json!({})).await.expect(200);
    let began = house.clock.now();
    let mut case = Case { house, account, owner: true, now: 0, began, tokens: Vec::new() };
    for step in steps {
        let (came, expected) = case.run(step).await;
        prop_assert_eq!(came, expected, "{:?} at {} of {:?}", step, case.now, case.tokens);
        case.check().await?;
    }
    Ok(())
}

async fn against_the_model(backend: Backend, cases: u32) {
    let Some(house) = House::open(backend).await else { return };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let number = std::cell::Cell::new(0);
    let steps = prop::collection::vec(step(), 1..=30);
    let run = block_in_place(|| {
        TestRunner::new(config).run(&steps, |steps| {
            number.set(number.get() + 1);
            Handle::current().block_on(live(&house, &format!("life{}", number.get()), &steps))
        })
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_a_token_verify_says_what_the_model_says_on_sqlite() {
    against_the_model(Backend::Sqlite, 24).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_a_token_verify_says_what_the_model_says_on_postgresql() {
    against_the_model(Backend::Postgres, 8).await;
}
