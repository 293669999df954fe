//! The wire under the dialect: connections that are kept, and paths with a slash too many.

use std::time::Duration;

use tokenhouse_e2e::both;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Reads one answer off a connection, and gives back its first line.
async fn answer(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let (mut ends, mut length) = (None, 0);
    while ends.is_none_or(|ends| seen.len() < ends + length) {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "the connection ended: {}", String::from_utf8_lossy(&seen));
        seen.extend(&piece[..count]);
        if let Some(at) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..at]).to_lowercase();
            let told = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            (ends, length) = (Some(at + 4), told.expect("a length").parse().unwrap());
        }
    }
    String::from_utf8_lossy(&seen).lines().next().unwrap().to_owned()
}

both! {
    async fn a_body_that_nobody_asked_for_may_come_late_and_the_connection_stays(house) {
        let unknown = "00000000-0000-4000-8000-000000000000";
        let good = house.admin.clone();
        // Each answer is said before the handler, or without its looking at the body.
        for (token, line, says) in [
            (good.as_str(), format!("DELETE /api/v2/apitoken/{unknown}"), "HTTP/1.1 404 Not Found"),
            (good.as_str(), "GET /api/v2/apitoken".to_owned(), "HTTP/1.1 200 OK"),
            (unknown, "POST /api/v2/apitoken".to_owned(), "HTTP/1.1 401 Unauthorized"),
            (good.as_str(), "POST /api/v2/nothing".to_owned(), "HTTP/1.1 404 Not Found"),
            (good.as_str(), "GET /v1/whoami".to_owned(), "HTTP/1.1 200 OK"),
            // Questions about credentials come in by a way of their own.
            (unknown, "POST /v1/verify".to_owned(), "HTTP/1.1 401 Unauthorized"),
            (good.as_str(), "POST /oauth2/introspect".to_owned(), "HTTP/1.1 415 Unsupported Media Type"),
            (good.as_str(), "POST /gate".to_owned(), "HTTP/1.1 401 Unauthorized"),
        ] {
            let mut stream = TcpStream::connect(house.url.trim_start_matches("http://")).await.unwrap();
            for _ in 0..3 {
                let head = format!("{line} HTTP/1.1\r\nHost: x\r\nX-AUTH-TOKEN: {token}\r\nContent-Length: 2\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.write_all(b"{}").await.unwrap();
                assert_eq!(answer(&mut stream).await, says, "{line}");
            }
        }
    }

    async fn doubled_slashes_are_for_this_dialect_only(house) {
        house.get(&house.admin, "//api/v2/apitoken").await.expect(200);
        house.get("", "//api/v2/swagger.json?x=1").await.expect(200);
        for path in ["//v1/whoami", "//metrics", "//healthz/live", "//reports", "//"] {
            house.get(&house.admin, path).await.expect(404);
        }
    }
}
