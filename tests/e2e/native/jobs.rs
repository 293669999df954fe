//! `/v1/jobs`, and the jobs themselves: one node at a time, fenced, held when time jumped.

mod doubt;

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use tokenhouse_authority::jobs::{self, CHUNK};
use tokenhouse_authority::{Ctx, housekeeping};
use tokenhouse_e2e::{Backend, Database, House, Program, both, both_programs};
use tokenhouse_model::env::Clock;
use tokenhouse_model::job::{JobKind, JobState, Lease};
use tokenhouse_model::{Error, ErrorKind};

const DAY: i64 = 86_400_000;

/// Somebody's connection beside the program's.
enum Beside {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Beside {
    async fn open(database: &Database) -> Self {
        match database.backend {
            Backend::Sqlite => Self::Sqlite(SqliteConnection::connect(&database.url).await.unwrap()),
            Backend::Postgres => Self::Postgres(PgConnection::connect(&database.url).await.unwrap()),
        }
    }

    async fn run(&mut self, sql: &'static str) {
        match self {
            Self::Sqlite(conn) => conn.execute(sql).await.map(|_| ()).unwrap(),
            Self::Postgres(conn) => conn.execute(sql).await.map(|_| ()).unwrap(),
        }
    }

    async fn number(&mut self, sql: &'static str) -> i64 {
        match self {
            Self::Sqlite(conn) => conn.fetch_one(sql).await.unwrap().get(0),
            Self::Postgres(conn) => conn.fetch_one(sql).await.unwrap().get(0),
        }
    }

    /// Begins a transaction that keeps every node from writing.
    async fn lock(&mut self) {
        match self {
            Self::Sqlite(_) => self.run("BEGIN IMMEDIATE").await,
            Self::Postgres(_) => {
                self.run("BEGIN").await;
                self.run("SELECT * FROM ledger_head FOR UPDATE").await;
            }
        }
    }
}

/// How many rows are stored of those that [`use_of`] wrote; the test's own use is counted as well.
async fn stored(database: &Database) -> i64 {
    let sql = "SELECT COUNT(*) FROM usage_day WHERE outcome LIKE 'old%' OR outcome LIKE 'young%'";
    Beside::open(database).await.number(sql).await
}

/// Writes so many rows of use on this day and the hundred days before.
async fn use_of(database: &Database, name: &str, day: i64, rows: i64) {
    let nobody = match database.backend {
        Backend::Sqlite => "zeroblob(16)",
        Backend::Postgres => "'00000000-0000-0000-0000-000000000000'::uuid",
    };
    let many =
        format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {rows} - 1) SELECT i FROM n");
    let sql = format!(
        "INSERT INTO usage_day (token_id, day, outcome, uses, last_at, addresses)
            SELECT {nobody}, {day} - i % 100, '{name}' || i, 1, 1, '' FROM ({many}) AS many"
    );
    database.execute(&sql).await;
}

/// Writes so many rows of use that are old by the house's clock, and one that is just young enough to stay.
async fn use_of_old(house: &House, rows: i64) {
    let day = house.clock.shown(0) / DAY - 35;
    use_of(&house.database, "old", day - 1, rows).await;
    use_of(&house.database, "young", day, 1).await;
}

/// The one job, as it is listed.
async fn job(house: &House) -> Value {
    let list = house.get(&house.admin, "/v1/jobs").await.expect(200);
    assert_eq!((list["items"].as_array().unwrap().len(), &list["next"]), (1, &Value::Null));
    list["items"][0].clone()
}

async fn confirm(house: &House) -> tokenhouse_e2e::Answer {
    let id = JobKind::Forget.id();
    house.post(&house.admin, &format!("/v1/jobs/{id}/confirm"), json!({})).await
}

async fn take(node: &Arc<Ctx>) -> Option<Lease> {
    jobs::look(node).await.unwrap();
    jobs::take(node, JobKind::Forget).await.unwrap()
}

#[track_caller]
fn shut_out<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
}

both! {
    async fn what_is_old_is_forgotten_every_hour_and_counted(house) {
        assert_eq!(house.get(&house.admin, "/v1/jobs").await.expect(200).body, json!({"items": [], "next": null}));
        let request = house.request("POST", "/v1/tokens").bearer_auth(&house.admin).header("Idempotency-Key", "x");
        house.send(request.json(&json!({}))).await.expect(201);
        let answers = async || Beside::open(&house.database).await.number("SELECT COUNT(*) FROM once").await;
        assert_eq!(answers().await, 1);
        house.wait(601);
        use_of_old(house, 1203).await;
        jobs::tend(&house.ctx).await.unwrap();
        assert_eq!((answers().await, stored(&house.database).await), (0, 1));
        let now = house.clock.now();
        assert_eq!(job(house).await, json!({
            "id": JobKind::Forget.id(), "kind": "forget", "state": "waiting", "progress": 1204, "total": 1204,
            "created_at": now, "updated_at": now, "due_at": now + 3_600_000, "ran_at": now, "fence": 1,
        }));
        // Not before the hour is over, and then again.
        use_of(&house.database, "older", 100, 2).await;
        for minutes in [9, 9, 9, 9, 9, 9] {
            house.wait(minutes * 60);
            jobs::tend(&house.ctx).await.unwrap();
            assert_eq!(stored(&house.database).await, 3);
        }
        house.wait(6 * 60);
        jobs::tend(&house.ctx).await.unwrap();
        assert_eq!(stored(&house.database).await, 1);
        let job = job(house).await;
        assert_eq!((&job["progress"], &job["total"], &job["fence"]), (&2.into(), &2.into(), &2.into()));
    }

    async fn two_nodes_never_have_a_job_at_once(house) {
        let other = house.node(&house.clock).await;
        for node in [&house.ctx, &other] {
            jobs::look(node).await.unwrap();
        }
        for round in 1..=10 {
            let (one, two) = tokio::join!(take(&house.ctx), take(&other));
            assert_eq!(one.is_some() as u8 + two.is_some() as u8, 1, "{one:?} {two:?}");
            let (node, lease) = one.map_or((&other, two), |one| (&house.ctx, Some(one)));
            assert_eq!(lease.unwrap().fence, round);
            assert_eq!(jobs::run(node, &lease.unwrap()).await.unwrap().state, JobState::Waiting);
            for _ in 0..7 {
                // No further than what is no jump.
                house.wait(9 * 60);
                jobs::look(&house.ctx).await.unwrap();
                jobs::look(&other).await.unwrap();
            }
        }
        // Both want to, all the time: each row is counted once.
        use_of_old(house, 2600).await;
        let (one, two) = tokio::join!(jobs::tend(&house.ctx), jobs::tend(&other));
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        let job = job(house).await;
        assert_eq!((&job["state"], &job["progress"], &job["fence"]), (&"waiting".into(), &2600.into(), &11.into()));
        assert_eq!(stored(&house.database).await, 1);
        housekeeping::close(&other).await;
    }

    async fn a_node_whose_lease_was_taken_changes_nothing_any_more(house) {
        let other = house.node(&house.clock).await;
        use_of_old(house, 1700).await;
        let lease = take(&house.ctx).await.unwrap();
        assert_eq!(jobs::chunk(&house.ctx, &lease).await.unwrap().progress, CHUNK);
        assert_eq!(take(&other).await, None);
        // Renewed by what it did, it lasts another minute from then on.
        house.wait(59);
        assert_eq!(take(&other).await, None);
        assert_eq!(jobs::chunk(&house.ctx, &lease).await.unwrap().progress, 2 * CHUNK);
        house.wait(59);
        assert_eq!(take(&other).await, None);
        house.wait(1);
        let taken = take(&other).await.unwrap();
        assert_eq!((taken.fence, stored(&house.database).await), (lease.fence + 1, 701));
        for _ in 0..3 {
            shut_out(jobs::chunk(&house.ctx, &lease).await);
            shut_out(jobs::run(&house.ctx, &lease).await);
            assert_eq!(take(&house.ctx).await, None);
        }
        assert_eq!(stored(&house.database).await, 701);
        // It goes on where the first one was, and the first one can't follow it.
        let ended = jobs::run(&other, &taken).await.unwrap();
        assert_eq!((ended.progress, ended.total, ended.state), (1700, 1700, JobState::Waiting));
        shut_out(jobs::chunk(&house.ctx, &lease).await);
        shut_out(jobs::chunk(&other, &taken).await);
        housekeeping::close(&other).await;
    }

    async fn a_node_that_wakes_in_the_middle_of_a_transaction_finds_the_fence(house) {
        use_of_old(house, 1700).await;
        let lease = take(&house.ctx).await.unwrap();
        jobs::chunk(&house.ctx, &lease).await.unwrap();
        let left = stored(&house.database).await;
        // It waits for the database, while somebody else takes its job.
        let mut beside = Beside::open(&house.database).await;
        beside.lock().await;
        let mut work = Box::pin(jobs::chunk(&house.ctx, &lease));
        let waited = tokio::time::timeout(std::time::Duration::from_millis(300), &mut work).await;
        assert!(waited.is_err(), "{waited:?}");
        beside.run("UPDATE job SET fence = fence + 1").await;
        beside.run("COMMIT").await;
        shut_out(work.await);
        assert_eq!(stored(&house.database).await, left);
    }

    async fn an_earlier_run_of_the_same_node_is_shut_out_too(house) {
        use_of_old(house, 1700).await;
        let first = take(&house.ctx).await.unwrap();
        jobs::chunk(&house.ctx, &first).await.unwrap();
        let second = take(&house.ctx).await.unwrap();
        assert_eq!((second.node, second.fence), (first.node, first.fence + 1));
        shut_out(jobs::chunk(&house.ctx, &first).await);
        assert_eq!(jobs::run(&house.ctx, &second).await.unwrap().progress, 1700);
    }

    async fn a_run_that_was_left_half_way_goes_on(house) {
        let other = house.node(&house.clock).await;
        use_of_old(house, 2345).await;
        let lease = take(&house.ctx).await.unwrap();
        for done in [500, 1000] {
            jobs::chunk(&house.ctx, &lease).await.unwrap();
            let job = job(house).await;
            let found = (&job["state"], &job["progress"], &job["total"], &job["node"]);
            assert_eq!(found, (&"running".into(), &done.into(), &2345.into(), &json!(lease.node)));
            assert_eq!(stored(&house.database).await, 2346 - done);
        }
        // The node is gone without a word.
        jobs::tend(&other).await.unwrap();
        assert_eq!(stored(&house.database).await, 1346);
        house.wait(60);
        jobs::tend(&other).await.unwrap();
        let job = job(house).await;
        let found = (&job["state"], &job["progress"], &job["total"], &job["fence"]);
        assert_eq!(found, (&"waiting".into(), &2345.into(), &2345.into(), &2.into()));
        assert_eq!(stored(&house.database).await, 1);
        housekeeping::close(&other).await;
    }

    async fn a_node_that_stops_gives_back_what_it_has(house) {
        use_of_old(house, 1700).await;
        let lease = take(&house.ctx).await.unwrap();
        jobs::chunk(&house.ctx, &lease).await.unwrap();
        house.restart().await;
        let found = job(house).await;
        assert_eq!((&found["state"], &found["progress"], &found["node"]), (&"running".into(), &500.into(), &Value::Null));
        // At once: nobody waits for the end of a lease.
        jobs::tend(&house.ctx).await.unwrap();
        let found = job(house).await;
        assert_eq!((&found["state"], &found["progress"]), (&"waiting".into(), &1700.into()));
    }

    async fn jobs_are_the_operators(house) {
        jobs::tend(&house.ctx).await.unwrap();
        let path = format!("/v1/jobs/{}/confirm", JobKind::Forget.id());
        let (_, neighbour) = house.neighbour("second").await;
        let (_, operator) = house.service("operator", &["operator"]).await;
        // Who manages the tokens of his org sees its jobs, of which there are none.
        let none = json!({"items": [], "next": null});
        assert_eq!(house.get(&neighbour, "/v1/jobs").await.expect(200).body, none);
        let (_, member) = house.service("member", &["member"]).await;
        house.get(&member, "/v1/jobs").await.refused(403, "missing_permission");
        for (method, path) in [("POST", path.as_str())] {
            let refused = house.send(house.request(method, path).bearer_auth(&neighbour)).await;
            assert_eq!(refused.refused(403, "missing_permission")["permission"], "house:orgs");
            house.send(house.request(method, path)).await.refused(401, "unauthenticated");
        }
        house.send(house.request("GET", "/v1/jobs")).await.refused(401, "unauthenticated");
        house.get(&operator, "/v1/jobs").await.expect(200);
        house.post(&operator, &path, json!({})).await.refused(409, "unlawful_state");
        for id in ["00000000-0000-7000-8000-00000000dead", "forget"] {
            house.post(&operator, &format!("/v1/jobs/{id}/confirm"), json!({})).await.refused(404, "not_found");
        }
        house.get(&operator, "/v1/jobs?limit=0").await.refused(400, "invalid_field");
    }
}

/// The one job of a program, once it is there.
async fn job_of(program: &Program) -> Value {
    program.get(&program.admin, "/v1/jobs").await.expect(200)["items"][0].clone()
}

both_programs! {
    async fn a_program_that_is_killed_half_way_goes_on_when_it_is_back(program) {
        // Its first run, at its start, had nothing to do.
        while job_of(program).await["state"] != "waiting" {
            tokio::task::yield_now().await;
        }
        program.stop().await;
        const ROWS: i64 = 60_000;
        use_of(&program.database, "old", 10_000, ROWS).await;
        let due = "UPDATE job SET body = '{\"due_at\":0,\"ran_at\":0,\"held\":null}'";
        program.database.execute(due).await;
        program.start().await;
        let begun = loop {
            let job = job_of(program).await;
            if job["progress"].as_i64() > Some(0) {
                break job;
            }
        };
        program.kill().await;
        assert_eq!((&begun["state"], &begun["total"]), (&"running".into(), &ROWS.into()));
        let left = stored(&program.database).await;
        assert!((1..ROWS).contains(&left), "{left}");
        // What was counted is what is gone: both were written in one transaction.
        let counted = Beside::open(&program.database).await.number("SELECT progress FROM job").await;
        assert_eq!(counted, ROWS - left);
        // Its lease lasts a minute, for which no test waits.
        program.database.execute("UPDATE job SET lease_until = 0").await;
        program.start().await;
        let ended = loop {
            let job = job_of(program).await;
            if job["state"] == "waiting" {
                break job;
            }
        };
        let (progress, fence) = (&ended["progress"], ended["fence"].as_i64().unwrap());
        assert_eq!((progress, fence), (&ROWS.into(), begun["fence"].as_i64().unwrap() + 1));
        assert_eq!(stored(&program.database).await, 0);
    }
}
