//! When nothing can be told.

use axum::http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn said(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

#[tokio::test]
async fn strange_answers_are_503() {
    type Make = fn() -> Response<Body>;
    let strange: [(&str, Make); 19] = [
        ("garbage", || said(200, "application/json", "{\"active\":true")),
        ("empty", || said(200, "application/json", "")),
        ("null", || said(200, "application/json", "null")),
        ("a list", || said(200, "application/json", "[true]")),
        ("active as text", || said(200, "application/json", good_but(json!({"active": "true"})).to_string())),
        ("active twice", || {
            said(
                200,
                "application/json",
                "{\"active\":false,\"active\":true,\"org_id\":\"o\",\"jti\":\"j\",\"kind\":\"k\"}",
            )
        }),
        ("no token", || said(200, "application/json", "{\"active\":true}")),
        ("not JSON", || said(200, "text/html", good().to_string())),
        ("no type", || Response::new(Body::from(good().to_string()))),
        ("huge", || said(200, "application/json", good_but(json!({"name": "a".repeat(300_000)})).to_string())),
        ("201", || said(201, "application/json", good().to_string())),
        ("401", || said(401, "application/json", good().to_string())),
        ("403", || said(403, "application/json", good().to_string())),
        ("404", || said(404, "application/json", good().to_string())),
        ("400", || said(400, "application/json", good().to_string())),
        ("500", || said(500, "application/json", good().to_string())),
        ("503", || said(503, "application/json", good().to_string())),
        ("half an epoch", || said(200, "application/json", good_but(json!({"epoch": null})).to_string())),
        ("stale", || said(200, "application/json", good_but(json!({"stale_ms": 1})).to_string())),
    ];
    for (what, answer) in strange {
        let house = StandIn::new(move |_| std::future::ready(answer())).await;
        let verifier = house.builder().build().unwrap();
        assert_eq!(ask(&verifier).await, UNKNOWN, "{what}");
        let layer = verifier.layer();
        let request =
            http::Request::get("/").header("authorization", "Bearer a-credential").body(Body::empty()).unwrap();
        let response = through(layer, request).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{what}");
        assert_eq!(response.headers()["retry-after"], "1", "{what}");
        assert!(!response.headers().contains_key("www-authenticate"), "{what}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = StandIn::saying(good()).await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/oauth2/introspect", elsewhere.url);
        let house = StandIn::new(move |_| {
            let response = Response::builder().status(status).header("location", to.clone());
            std::future::ready(response.body(Body::empty()).unwrap())
        })
        .await;
        assert_eq!(ask(&house.builder().build().unwrap()).await, UNKNOWN, "{status}");
    }
    assert_eq!(elsewhere.asked().len(), 0);
}

#[tokio::test]
async fn nothing_that_went_wrong_is_kept() {
    let house = StandIn::new(async |question: Question| match question["token"].as_str() {
        "a-credential" => said(503, "application/json", ""),
        _ => Json(good()).into_response(),
    })
    .await;
    let verifier = house.builder().staleness(Duration::from_secs(3600)).build().unwrap();
    assert_eq!(ask(&verifier).await, UNKNOWN);
    assert_eq!(ask(&verifier).await, UNKNOWN);
    assert_eq!(house.asked().len(), 2);
}

#[tokio::test]
async fn the_wait_is_what_tokenhouse_says_within_a_bound() {
    for (said, expected) in [("7", 7), ("100000", 60), ("soon", 1), ("-1", 1)] {
        let house = StandIn::new(move |_| {
            let response = Response::builder().status(503).header("retry-after", said);
            std::future::ready(response.body(Body::empty()).unwrap())
        })
        .await;
        let verifier = house.builder().build().unwrap();
        assert_eq!(ask(&verifier).await, Err(Refusal::Unknown(Duration::from_secs(expected))));
    }
}

#[tokio::test]
async fn slow_silent_and_endless_answers_end_at_the_timeout() {
    let quick = |url: &str| {
        Verifier::builder(url, Credential::text("own-credential")).timeout(Duration::from_millis(100)).build().unwrap()
    };
    let house = StandIn::new(|_| std::future::pending()).await;
    assert_eq!(ask(&quick(&house.url)).await, UNKNOWN);
    // A body that begins and does not end.
    let house = StandIn::new(async |_| {
        let begun = futures::stream::iter([Ok::<_, Infallible>("{\"active\":")]);
        let body = futures::StreamExt::chain(begun, futures::stream::pending());
        said(200, "application/json", Body::from_stream(body))
    })
    .await;
    assert_eq!(ask(&quick(&house.url)).await, UNKNOWN);
    // Whoever waits for a turn does not wait longer.
    let house = StandIn::new(|_| std::future::pending()).await;
    let busy = house.builder().timeout(Duration::from_millis(100)).at_once(1).build().unwrap();
    let both = tokio::join!(busy.verify("one", None, None), busy.verify("two", None, None));
    assert_eq!(both, (UNKNOWN, UNKNOWN));
}

/// Answers each connection with these bytes, and closes it. Tells how many came.
async fn raw(bytes: &'static [u8]) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            *counted.lock().unwrap() += 1;
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(bytes).await;
        }
    });
    (url, count)
}

#[tokio::test]
async fn broken_connections_are_503() {
    for bytes in [
        b"".as_slice(),
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"active\":true",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let (url, count) = raw(bytes).await;
        let verifier = Verifier::builder(url, Credential::text("own-credential")).build().unwrap();
        assert_eq!(ask(&verifier).await, UNKNOWN);
        assert!(*count.lock().unwrap() <= 3, "asked {} times", count.lock().unwrap());
    }
    // Nobody listens there any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let verifier = Verifier::builder(url, Credential::text("own-credential")).build().unwrap();
    assert_eq!(ask(&verifier).await, UNKNOWN);
}

#[tokio::test]
async fn an_answer_from_before_a_receipt_is_not_taken() {
    for answer in [good(), bad("revoked"), good_but(json!({"revision": null, "epoch": null}))] {
        let house = StandIn::saying(answer).await;
        let verifier = house.builder().build().unwrap();
        verifier.receipts().note(1, 8);
        assert_eq!(ask(&verifier).await, UNKNOWN);
    }
    let house = StandIn::saying(good_but(json!({"epoch": 2, "revision": 1}))).await;
    let verifier = house.builder().build().unwrap();
    verifier.receipts().note(1, 8);
    assert!(ask(&verifier).await.is_ok(), "a higher epoch has everything of the lower one");
}

#[tokio::test]
async fn the_services_own_credential_is_read_again_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let house = StandIn::new(async |question: Question| match question["authorization"].as_str() {
        "Bearer second" => Json(good()).into_response(),
        _ => said(401, "application/json", "{}"),
    })
    .await;
    let verifier = Verifier::builder(&house.url, Credential::file(&file)).build().unwrap();
    assert_eq!(ask(&verifier).await, UNKNOWN);
    assert_eq!(house.asked().len(), 1, "the same credential is not tried twice");
    std::fs::write(&file, "second").unwrap();
    assert!(ask(&verifier).await.is_ok());
    assert!(ask(&verifier).await.is_ok());
    assert_eq!(house.asked().len(), 4);
    // A file without one, or none at all.
    for text in ["", "two words", &"a".repeat(5000), "a\r\nb"] {
        std::fs::write(&file, text).unwrap();
        let verifier = Verifier::builder(&house.url, Credential::file(&file)).build().unwrap();
        assert_eq!(ask(&verifier).await, UNKNOWN);
    }
    let verifier = Verifier::builder(&house.url, Credential::file(folder.path().join("none"))).build().unwrap();
    assert_eq!(ask(&verifier).await, UNKNOWN);
    assert_eq!(house.asked().len(), 4);
}

#[tokio::test]
async fn addresses_and_settings_that_can_not_be_are_refused() {
    let build = |url: &str| Verifier::builder(url, Credential::text("t")).build();
    for wrong in [
        "",
        "tokens.example.com",
        "ftp://tokens.example.com",
        "http://tokens.example.com",
        "http://192.0.2.1",
        "https://user@tokens.example.com",
        "https://user:secret@tokens.example.com",
        "https://tokens.example.com?a=b",
        "https://tokens.example.com#a",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
    ] {
        let error = build(wrong).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
    for right in [
        "https://tokens.example.com",
        "https://tokens.example.com/below/",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://localhost",
    ] {
        assert!(build(right).is_ok(), "{right}");
    }
    let with = || Verifier::builder("http://tokens.example.com", Credential::text("t")).plain_http();
    assert!(with().build().is_ok());
    assert!(with().timeout(Duration::ZERO).build().is_err());
    assert!(with().at_once(0).build().is_err());
    assert!(with().realm("a\"b").build().is_err());
    assert!(with().authority("no certificate").build().is_err());
    for wrong in ["", "two words", "a\nb"] {
        assert!(Verifier::builder("https://tokens.example.com", Credential::text(wrong)).build().is_err());
    }
}
