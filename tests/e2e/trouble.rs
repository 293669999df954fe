//! The database is locked, full, gone or swamped: 503, nothing changed, nothing lost, and it comes back by itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use tokenhouse_e2e::{Answer, Backend, House, Program, both};
use tokenhouse_model::ErrorKind;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_store::{Checkpoints, MasterKey, Settings, Store, Tx};
use tokio::io::AsyncWriteExt as _;

/// Somebody else's hold on the ledger's end.
enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Lock {
    async fn take(house: &House) -> Self {
        match house.database.backend {
            Backend::Sqlite => {
                let mut conn = SqliteConnection::connect(&house.database.url).await.unwrap();
                conn.execute("BEGIN IMMEDIATE").await.unwrap();
                Self::Sqlite(conn)
            }
            Backend::Postgres => {
                let mut conn = PgConnection::connect(&house.database.url).await.unwrap();
                conn.execute("BEGIN").await.unwrap();
                conn.execute("SELECT * FROM ledger_head FOR UPDATE").await.unwrap();
                Self::Postgres(conn)
            }
        }
    }

    async fn release(self) {
        match self {
            Self::Sqlite(mut conn) => conn.execute("ROLLBACK").await.map(|_| ()).unwrap(),
            Self::Postgres(mut conn) => conn.execute("ROLLBACK").await.map(|_| ()).unwrap(),
        }
    }
}

#[track_caller]
fn not_now(answer: &Answer) {
    let code = answer.body["code"].as_str().unwrap_or_default();
    assert!(answer.status == 503 && ["unavailable", "outcome_unknown"].contains(&code), "{}", answer.raw);
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

both! {
    async fn a_locked_database_refuses_changes_and_answers_questions(house) {
        let (id, secret) = house.issue(&house.admin, json!({"name": "stays"})).await;
        let revision = house.revision().await;
        let lock = Lock::take(house).await;
        let path = format!("/v1/tokens/{id}/revoke");
        // Many wait together. One after another each would wait two seconds for the lock, and the last of them would
        // have been given up long before: outcome unknown.
        let changes = (0..40).map(|_| house.post(&house.admin, &path, json!({})));
        for answer in futures::future::join_all(changes).await {
            let answer = answer.refused(503, "unavailable");
            not_now(&answer);
        }
        assert_eq!(house.verdict(&secret).await, "good");
        assert_eq!(house.get("", "/healthz/ready").await.expect(200)["status"], "ready");
        assert_eq!(house.revision().await, revision);
        lock.release().await;
        house.post(&house.admin, &path, json!({})).await.expect(200);
        assert_eq!(house.verdict(&secret).await, "revoked");
        assert_eq!(house.revision().await, revision + 1);
    }

    async fn clients_that_hang_up_leave_nothing_open(house) {
        let address = house.url.strip_prefix("http://").unwrap().to_owned();
        let whole = |path: &str, body: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                house.admin,
                body.len()
            )
        };
        let issue = whole("/v1/tokens", "{\"name\": \"of one who hung up\"}");
        let read = issue.replacen("POST /v1/tokens", "GET /v1/accounts", 1);
        let verify = whole("/v1/verify", &json!({"token": house.admin}).to_string());
        for number in 0..60 {
            let request = [&issue, &read, &verify][number % 3];
            let length = if number % 2 == 0 { request.len() } else { request.len() - 1 - number };
            let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
            stream.write_all(&request.as_bytes()[..length]).await.unwrap();
            if number % 4 == 0 {
                tokio::task::yield_now().await;
            }
            drop(stream);
        }
        // A change that was read whole is carried out, whoever waits for it; then somebody else has the turn.
        house.post(&house.admin, "/v1/tokens", json!({})).await.expect(201);
        Lock::take(house).await.release().await;
        if house.database.backend == Backend::Postgres {
            let mut conn = PgConnection::connect(&house.database.url).await.unwrap();
            let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND pid <> pg_backend_pid() AND xact_start < now() - interval '1 second'";
            assert_eq!(conn.fetch_one(open).await.unwrap().get::<i64, _>(0), 0);
        }
        for _ in 0..20 {
            house.get(&house.admin, "/v1/accounts").await.expect(200);
        }
    }
}

/// A store alone, whose writer can be held up.
async fn store(folder: &std::path::Path) -> Store {
    let key = MasterKey::create(&folder.join("master.key"), &Random::system()).unwrap();
    let location = tokenhouse_store::Location::Sqlite(folder.join("tokenhouse.db"));
    let (clock, random) = (Clock::system(), Random::system());
    Store::create(&location, &key, &clock, &random).await.unwrap();
    let journal = folder.join("journal");
    let settings = Settings { location, journal, checkpoints: Checkpoints::default(), readers: 1, misses: 1 };
    Store::open(&settings, key, clock, random).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_carries_out_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let (started, gate) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (tell, wait, holding) = (started.clone(), gate.clone(), store.clone());
    let held = tokio::spawn(async move {
        let hold = async move |_: &mut Tx<'_>| {
            tell.notify_one();
            wait.notified().await;
            Ok(())
        };
        holding.write(hold).await
    });
    started.notified().await;
    let mut waiting: Vec<_> = (0..3000).map(|_| Box::pin(store.write(async |_: &mut Tx<'_>| Ok(())))).collect();
    let refused = waiting.iter_mut().filter_map(|write| futures::FutureExt::now_or_never(write.as_mut()));
    let refused: Vec<_> = refused.map(|answer| answer.unwrap_err().kind()).collect();
    assert_eq!(refused, vec![ErrorKind::Unavailable; 3000 - 2048]);
    gate.notify_one();
    assert!(held.await.unwrap().is_ok());
    for write in waiting.into_iter().take(2048) {
        write.await.unwrap();
    }
    store.write(async |_: &mut Tx<'_>| Ok(())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_connections_that_are_cut_under_load_lose_nothing_confirmed() {
    let Some(house) = House::open(Backend::Postgres).await else { return };
    let mut conn = PgConnection::connect(&house.database.url).await.unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let mut accounts = Vec::new();
    for number in 0..8 {
        accounts.push(house.service(&format!("load-{number}"), &[]).await.0);
    }
    let load = async |account: String| {
        let (mut good, mut dead, mut failed) = (Vec::new(), Vec::new(), 0);
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            let issued = house.post(&house.admin, "/v1/tokens", json!({"owner": account})).await;
            if issued.status != 201 {
                not_now(&issued);
                failed += 1;
                continue;
            }
            let (id, secret) = (issued.text("id"), issued.text("secret"));
            let ended = house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await;
            if ended.status == 200 {
                dead.push(secret);
            } else {
                not_now(&ended);
                failed += 1;
                good.push(id);
            }
            if good.len() > 10 {
                break;
            }
        }
        (good, dead, failed)
    };
    let cut = async {
        let mut cut = 0;
        while cut < 40 {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'tokenhouse'";
            cut += conn.fetch_all(sql).await.unwrap().len();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (told, ()) = futures::future::join(futures::future::join_all(accounts.into_iter().map(load)), cut).await;
    // Connections that were cut while they rested cost one failed request at most; then all is as before.
    house.get(&house.admin, "/v1/whoami").await.expect(200);
    for (good, dead, _) in &told {
        for id in good {
            house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200);
        }
        for secret in dead {
            assert_eq!(house.verdict(secret).await, "revoked");
        }
    }
    assert!(told.iter().any(|(_, dead, _)| !dead.is_empty()));
    let key = MasterKey::read(&house.folder.path().join("master.key")).unwrap();
    let found = tokenhouse_store::inspect::walk(&house.database.location, &house.journal(), &key).await.unwrap();
    assert_eq!(found.faults, Vec::<String>::new());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_changes_keeps_what_was_confirmed_and_recovers() {
    let mut program = Program::init(Backend::Sqlite).await.unwrap();
    // No file may grow beyond this, which the database's write-ahead log soon does; the signal must not kill.
    "trap '' XFSZ; ulimit -S -f 1500".clone_into(&mut program.before);
    program.start().await;
    let mut secrets = Vec::new();
    let refused = loop {
        let made = program.send("POST", &program.admin, "/v1/tokens", json!({"name": "x".repeat(100)})).await;
        if made.status != 201 {
            break made;
        }
        let (id, secret) = (made.text("id"), made.text("secret"));
        let ended = program.send("POST", &program.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await;
        if ended.status != 200 {
            break ended;
        }
        secrets.push(secret);
        assert!(secrets.len() < 5000, "the disk never gets full");
    };
    not_now(&refused);
    assert!(!secrets.is_empty());
    for _ in 0..3 {
        not_now(&program.send("POST", &program.admin, "/v1/tokens", json!({})).await);
        assert_eq!(program.verdict(secrets.last().unwrap()).await, "revoked");
    }
    // Space again.
    let limit = format!("prlimit --pid {} --fsize=unlimited:unlimited", program.pid());
    assert!(tokio::process::Command::new("bash").arg("-c").arg(limit).status().await.unwrap().success());
    let (id, secret) = program.issue(json!({})).await;
    program.send("POST", &program.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    secrets.push(secret);
    ":".clone_into(&mut program.before);
    program.stop().await;
    program.start().await;
    for secret in &secrets {
        assert_eq!(program.verdict(secret).await, "revoked");
    }
    assert_eq!(program.verify_ledger().await.0, 0);
    program.close().await;
}
