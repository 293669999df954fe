//! `POST /report` and the proxies' paths: data on its way to the service behind us.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::json;
use tokenhouse_e2e::{Backend, House, both};
use tokio::sync::Mutex;

use super::{holder, own, refused};

/// What the service behind us got.
#[derive(Clone, Debug)]
struct Got {
    method: String,
    target: String,
    headers: axum::http::HeaderMap,
    body: Vec<u8>,
}

type Inbox = Arc<Mutex<Vec<Got>>>;

/// A service that keeps what it gets and answers 202 with a header of its own.
async fn service() -> (String, Inbox) {
    let inbox = Inbox::default();
    let take = async |State(inbox): State<Inbox>, request: Request| {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let target = parts.uri.to_string();
        inbox.lock().await.push(Got { method: parts.method.to_string(), target, headers: parts.headers, body });
        let answer = Response::builder().status(StatusCode::ACCEPTED).header("set-cookie", "a=b");
        answer.header("content-type", "text/plain").body(Body::from("taken")).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/base/", listener.local_addr().unwrap());
    let router = Router::new().fallback(take).with_state(inbox.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, inbox)
}

/// A house that passes data on to this address, with this token.
async fn open(url: &str, token: &str) -> (House, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{token}\n")).unwrap();
    let upstream = tokenhouse_server::upstream::Upstream::new(url, file.path()).unwrap();
    let wire = tokenhouse_http::Wire { upstream: Some(Arc::new(upstream)), ..Default::default() };
    (House::open_with(Backend::Sqlite, wire).await.unwrap(), file)
}

both! {
    async fn where_nothing_is_behind_us_it_is_said(house) {
        let token = own(house, "").await;
        let message = "no upstream is configured (wavefront.upstream), so the data was not taken";
        let ask = house.request("POST", "/report?f=wavefront").bearer_auth(&token).body("cpu 1 source=a");
        refused(&house.send(ask).await, 503, message);
        let ask = house.request("POST", "/api/v2/wfproxy/checkin").bearer_auth(&token).body("{}");
        refused(&house.send(ask).await, 503, message);
        // Whether he may is asked first.
        let other = holder(house, "p@example.test", &[]).await;
        let ask = house.request("POST", "/report").bearer_auth(&other).body("x");
        refused(&house.send(ask).await, 403, "the permission Direct Data Ingestion (ingestion) is required");
        let ask = house.request("POST", "/api/v2/wfproxy/checkin").bearer_auth(&other).body("x");
        refused(&house.send(ask).await, 403, "the permission Proxies (agent_management) is required");
        refused(&house.send(house.request("POST", "/report").body("x")).await, 401, "a credential is required");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_goes_on_as_it_came_with_our_credential_and_without_the_callers() {
    let (url, inbox) = service().await;
    let (house, file) = open(&url, "upstream-token-1").await;
    let token = own(&house, "").await;
    // More than any body that is read whole, compressed, in chunks.
    let body: Vec<u8> = (0..3_000_000_u32).map(|byte| (byte % 251) as u8).collect();
    let chunks = futures::stream::iter(
        body.chunks(60_000).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect::<Vec<_>>(),
    );
    let ask = house.request("POST", "//report?f=wavefront&token=abc&x=%2F").bearer_auth(&token);
    let ask = ask.header("content-encoding", "gzip").header("content-type", "application/octet-stream");
    let ask = ask.header("cookie", "c=d").header("x-forwarded-for", "10.0.0.1").header("x-auth-token", &token);
    let answer = house.send(ask.body(reqwest::Body::wrap_stream(chunks))).await;
    assert_eq!((answer.status, answer.raw.as_str()), (202, "taken"));
    assert_eq!((answer.header("content-type"), answer.header("set-cookie")), ("text/plain", ""));
    let got = inbox.lock().await.pop().unwrap();
    assert_eq!((got.method.as_str(), got.target.as_str()), ("POST", "/base/report?f=wavefront&x=%2F"));
    assert!(got.body == body, "{} bytes instead of {}", got.body.len(), body.len());
    assert_eq!(got.headers["authorization"], "Bearer upstream-token-1");
    assert_eq!(got.headers["content-encoding"], "gzip");
    for name in ["cookie", "x-forwarded-for", "x-auth-token"] {
        assert!(!got.headers.contains_key(name), "{name}");
    }
    // The token may be replaced while we run.
    std::fs::write(file.path(), "upstream-token-2").unwrap();
    let ask =
        house.request("POST", "/api/v2/wfproxy/checkin?proxyId=1&token=x").bearer_auth(&token).json(&json!({"a": 1}));
    assert_eq!(house.send(ask).await.status, 202);
    let got = inbox.lock().await.pop().unwrap();
    assert_eq!(got.target, "/base/api/v2/wfproxy/checkin?proxyId=1");
    assert_eq!(got.headers["authorization"], "Bearer upstream-token-2");
    assert_eq!(got.body, b"{\"a\":1}");
    // An empty file proves nothing.
    std::fs::write(file.path(), "").unwrap();
    let ask = house.request("POST", "/report").bearer_auth(&token).body("x");
    refused(&house.send(ask).await, 503, "the upstream can't be used; the data was not taken");
    house.secret("upstream-token-1");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_is_503_and_not_success() {
    let (house, _file) = open("http://127.0.0.1:9/", "t").await;
    let token = own(&house, "").await;
    let ask = house.request("POST", "/report").bearer_auth(&token).body("x");
    let answer = house.send(ask).await;
    refused(&answer, 503, "the upstream can't be reached; the data may not have been taken");
    assert_eq!(answer.header("retry-after"), "1");
    house.close().await;
}
