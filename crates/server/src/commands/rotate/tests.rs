use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path as Segment, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::*;

/// A server with one token, as far as rotation goes: it keeps answers by key, and can lose them on the way.
#[derive(Default)]
struct House {
    good: Vec<String>,
    answers: HashMap<String, (String, Value)>,
    asked: Vec<(String, Value)>,
    rotations: usize,
    /// Do it, but lose the answer, so many times.
    lose: usize,
    refuse: Option<(u16, &'static str)>,
}

type Shared = Arc<Mutex<House>>;

fn problem(status: u16, code: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "code": code, "detail": code }))).into_response()
}

fn bearer(headers: &HeaderMap) -> String {
    headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned()
}

async fn whoami(State(house): State<Shared>, headers: HeaderMap) -> Response {
    match house.lock().unwrap().good.contains(&bearer(&headers)) {
        true => Json(json!({ "token": {} })).into_response(),
        false => problem(401, "unauthenticated"),
    }
}

async fn rotate_it(
    State(house): State<Shared>,
    Segment(id): Segment<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let mut house = house.lock().unwrap();
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    house.asked.push((key.clone(), body.clone()));
    if !house.good.contains(&bearer(&headers)) {
        return problem(401, "unauthenticated");
    }
    if let Some((status, code)) = house.refuse {
        return problem(status, code);
    }
    let request = format!("{id} {body}");
    if let Some((before, answer)) = house.answers.get(&key) {
        if answer.is_null() {
            return problem(409, "idempotency_gone");
        }
        return if *before == request {
            Json(answer.clone()).into_response()
        } else {
            problem(422, "idempotency_mismatch")
        };
    }
    house.rotations += 1;
    let secret = format!("th_s_new{}", house.rotations);
    if body["overlap_seconds"] == 0 {
        house.good.clear();
    }
    house.good.push(secret.clone());
    let answer = json!({ "id": "t1", "name": "ci", "secret": secret });
    house.answers.insert(key, (request, answer.clone()));
    if house.lose > 0 {
        house.lose -= 1;
        return problem(503, "outcome_unknown");
    }
    Json(answer).into_response()
}

struct Stage {
    house: Shared,
    folder: tempfile::TempDir,
    connection: Connection,
}

impl Stage {
    async fn new() -> Self {
        let house = Shared::default();
        house.lock().unwrap().good.push("th_s_old".to_owned());
        let routes = Router::new()
            .route("/v1/whoami", get(whoami))
            .route("/v1/tokens/{id}/rotate", post(rotate_it))
            .with_state(Arc::clone(&house));
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = socket.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(socket, routes).await });
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "th_s_old\n").unwrap();
        fs::set_permissions(folder.path().join("token"), fs::Permissions::from_mode(0o600)).unwrap();
        let url = format!("http://{address}");
        let connection =
            Connection { url, token_file: None, token: None, wait: false, repeat_for: Duration::from_secs(2) };
        Self { house, folder, connection }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn left(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count() - 1
    }

    async fn rotate(&self) -> Result<(), Failure> {
        self.rotate_with(None).await
    }

    async fn rotate_with(&self, overlap: Option<u64>) -> Result<(), Failure> {
        let rotate = Rotate { id: None, itself: true, overlap, write: Some(self.file()), keep_mode: false };
        run(&rotate, &self.connection, Output { json: true }).await
    }
}

#[tokio::test]
async fn a_script_replaces_its_own_token_again_and_again() {
    let stage = Stage::new().await;
    for turn in 1..=3 {
        stage.rotate().await.unwrap();
        assert_eq!(stage.text(), format!("th_s_new{turn}\n"));
        assert_eq!(stage.left(), 0);
    }
    let house = stage.house.lock().unwrap();
    assert_eq!(house.asked[0].1, json!({ "overlap_seconds": 60 }));
    assert_ne!(house.asked[0].0, house.asked[1].0, "each rotation has its own key");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let stage = Stage::new().await;
    stage.house.lock().unwrap().lose = 1;
    stage.rotate().await.unwrap();
    assert_eq!(stage.text(), "th_s_new1\n");
    let house = stage.house.lock().unwrap();
    assert_eq!((house.rotations, house.asked.len()), (1, 2));
    assert_eq!(house.asked[0], house.asked[1]);
}

#[tokio::test]
async fn a_run_that_broke_off_before_the_answer_is_finished_by_the_next() {
    let stage = Stage::new().await;
    // The server did it, and the process was killed before it read the answer.
    stage.house.lock().unwrap().refuse = Some((503, "unavailable"));
    let failure = stage.rotate().await.unwrap_err();
    assert_eq!(failure.exit(), 6);
    assert!(failure.to_string().contains("Run the same command again"), "{failure}");
    assert_eq!(stage.text(), "th_s_old\n");
    assert_eq!(stage.left(), 1, "the record of the attempt, and no secret");
    stage.house.lock().unwrap().refuse = None;
    // Another overlap would be another request: what was begun is repeated as it was.
    stage.rotate_with(Some(3600)).await.unwrap();
    assert_eq!(stage.text(), "th_s_new1\n");
    let house = stage.house.lock().unwrap();
    assert!(house.asked.iter().all(|asked| *asked == house.asked[0]));
    assert_eq!(stage.left(), 0);
}

#[tokio::test]
async fn a_run_that_broke_off_before_the_rename_is_finished_by_the_next() {
    let stage = Stage::new().await;
    let mut attempt = Attempt::open(&stage.file()).unwrap();
    attempt.begin("self", 60, "k".to_owned()).unwrap();
    drop(attempt);
    let waiting = beside(&stage.file(), "new");
    fs::write(&waiting, "th_s_written\n").unwrap();
    fs::set_permissions(&waiting, fs::Permissions::from_mode(0o600)).unwrap();
    {
        let mut house = stage.house.lock().unwrap();
        house.good = vec!["th_s_written".to_owned()]; // the old one ended meanwhile
    }
    stage.rotate().await.unwrap();
    assert_eq!(stage.text(), "th_s_written\n");
    assert_eq!(stage.left(), 0);
    assert_eq!(stage.house.lock().unwrap().rotations, 0);
}

#[tokio::test]
async fn an_unfinished_file_that_proves_nothing_is_thrown_away() {
    for left in ["\n\n\n\n", "th_s_wri"] {
        let stage = Stage::new().await;
        let mut attempt = Attempt::open(&stage.file()).unwrap();
        attempt.begin("self", 60, "k".to_owned()).unwrap();
        drop(attempt);
        fs::write(beside(&stage.file(), "new"), left).unwrap();
        stage.rotate().await.unwrap();
        assert_eq!(stage.text(), "th_s_new1\n");
        assert_eq!(stage.house.lock().unwrap().asked[0].0, "k");
        assert_eq!(stage.left(), 0);
    }
}

#[tokio::test]
async fn a_strangers_file_is_never_taken_or_overwritten() {
    let stage = Stage::new().await;
    let waiting = beside(&stage.file(), "new");
    fs::write(&waiting, "th_s_precious\n").unwrap();
    let failure = stage.rotate().await.unwrap_err();
    assert_eq!(failure.exit(), 5, "{failure}");
    assert_eq!(fs::read_to_string(&waiting).unwrap(), "th_s_precious\n");
    assert_eq!(stage.text(), "th_s_old\n");
    assert!(stage.house.lock().unwrap().asked.is_empty(), "the server was not asked");
}

#[tokio::test]
async fn an_answer_that_is_gone_is_followed_by_a_new_rotation() {
    let stage = Stage::new().await;
    let mut attempt = Attempt::open(&stage.file()).unwrap();
    attempt.begin("self", 60, "gone".to_owned()).unwrap();
    drop(attempt);
    stage.house.lock().unwrap().answers.insert("gone".to_owned(), (String::new(), Value::Null));
    stage.rotate().await.unwrap();
    assert_eq!(stage.text(), "th_s_new1\n");
    assert_eq!(stage.left(), 0);
}

#[tokio::test]
async fn a_refusal_changes_nothing_and_leaves_nothing() {
    let stage = Stage::new().await;
    stage.house.lock().unwrap().refuse = Some((403, "missing_permission"));
    assert_eq!(stage.rotate().await.unwrap_err().exit(), 4);
    assert_eq!((stage.text().as_str(), stage.left()), ("th_s_old\n", 0));
}

#[tokio::test]
async fn a_server_that_is_away_leaves_the_old_token_in_place() {
    let mut stage = Stage::new().await;
    stage.connection.url = "http://127.0.0.1:9".to_owned();
    stage.connection.repeat_for = Duration::from_millis(300);
    assert_eq!(stage.rotate().await.unwrap_err().exit(), 6);
    assert_eq!((stage.text().as_str(), stage.left()), ("th_s_old\n", 1));
}

#[tokio::test]
async fn a_folder_that_can_not_be_written_is_found_before_the_server_is_asked() {
    let stage = Stage::new().await;
    let missing = stage.folder.path().join("none/token");
    let rotate = Rotate { id: None, itself: true, overlap: None, write: Some(missing), keep_mode: false };
    assert!(run(&rotate, &stage.connection, Output { json: true }).await.is_err());
    assert!(stage.house.lock().unwrap().asked.is_empty());
}

#[test]
fn the_client_gives_up_before_the_old_secret_ends() {
    // Otherwise the last repetition could no longer prove who it is.
    assert!(crate::client::REPEAT_FOR < Duration::from_secs(SELF_OVERLAP));
}
