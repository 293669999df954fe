//! What is wrong before a body is read: credentials, request ids, paths, HTTP itself.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::post_text;

/// Sends bytes as they are and reads the answer: status, head in lower case, body.
async fn raw(house: &House, bytes: Vec<u8>) -> (u16, String, Value) {
    let address = house.url.strip_prefix("http://").unwrap().to_owned();
    let exchange = move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        // A server that refuses early may stop reading.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let text = tokio::task::spawn_blocking(exchange).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or_default())
}

/// A request by the administrator, written by hand.
fn by_hand(house: &House, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{line} HTTP/1.1\r\nHost: house.test\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{headers}\r\n",
        house.admin
    );
    [head.as_bytes(), body].concat()
}

async fn with_header(house: &House, name: &str, value: &[u8]) -> Answer {
    let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
    house.send(house.request("GET", "/v1/whoami").header(name, value)).await
}

both! {
    async fn a_body_over_the_limit_is_413(house) {
        let before = house.revision().await;
        let limit = 1024 * 1024;
        let over = vec![b' '; limit + 1];
        post_text(house, over.clone()).await.refused(413, "body_too_large");
        let request = house.request("POST", "/v1/accounts").bearer_auth(&house.admin).header("idempotency-key", "k");
        let request = request.header("content-type", "application/json").body(over);
        house.send(request).await.refused(413, "body_too_large");
        for key in ["", "Idempotency-Key: k\r\n"] {
            let headers = format!("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n{key}");
            let chunk = [format!("{:x}\r\n", limit + 1).into_bytes(), vec![b' '; limit + 1], b"\r\n0\r\n\r\n".to_vec()]
                .concat();
            let (status, head, body) = raw(house, by_hand(house, "POST /v1/accounts", &headers, &chunk)).await;
            assert_eq!((status, &body["code"]), (413, &json!("body_too_large")), "{head}");
        }
        // Exactly at the limit it is read: blanks and then nothing are no JSON.
        post_text(house, vec![b' '; limit]).await.refused(400, "malformed");
        assert_eq!(house.revision().await, before);
    }

    async fn unknown_paths_are_404_and_wrong_methods_405(house) {
        let admin = &house.admin;
        for path in [
            "/v1",
            "/v1/",
            "/v2/whoami",
            "/v1/whoami/",
            "/v1/whoami/x",
            "/v1//whoami",
            "/V1/whoami",
            "/v1/accounts/",
            "/nothing",
            "/v1%2Fwhoami",
        ] {
            for token in [admin.as_str(), ""] {
                house.get(token, path).await.refused(404, "not_found");
            }
        }
        house.post(admin, "/v1/nothing", json!({})).await.refused(404, "not_found");
        for (method, path) in [
            ("DELETE", "/v1/whoami"),
            ("PUT", "/v1/accounts"),
            ("PATCH", "/v1/tokens"),
            ("GET", "/v1/session"),
            ("GET", "/v1/verify"),
            ("POST", "/v1/ledger"),
            ("DELETE", "/v1/ledger"),
            ("POST", "/healthz/ready"),
            ("BREW", "/v1/whoami"),
        ] {
            house.send(house.request(method, path).bearer_auth(admin)).await.refused(405, "method_not_allowed");
        }
    }

    async fn junk_credentials_are_401(house) {
        let (long, longer) = ("a".repeat(16 * 1024 + 1), "a".repeat(60_000));
        let cut = &house.admin[..house.admin.len() - 1];
        let mut wrong = house.admin.clone();
        let last = wrong.pop().unwrap();
        wrong.push(if last == 'a' { 'b' } else { 'a' });
        let upper = house.admin.to_uppercase();
        let more = format!("{}x", house.admin);
        for junk in [
            "x",
            "null",
            cut,
            wrong.as_str(),
            upper.as_str(),
            more.as_str(),
            "th_u_",
            "th_u_000000000000000000000000000000000000",
            "a.b.c",
            "00000000-0000-4000-8000-000000000000",
            "0000000000000000000000",
            &"A".repeat(64),
            &long,
            &longer,
            "'--",
            "%00",
        ] {
            let answer = house.get(junk, "/v1/whoami").await.refused(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"tokenhouse\", error=\"invalid_token\"");
            assert_eq!(answer["detail"], "the credential is not valid");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        with_header(house, "x-auth-token", b"junk").await.refused(401, "unauthenticated");
        with_header(house, "x-auth-token", b"\xff\xfe").await.refused(401, "unauthenticated");
        with_header(house, "authorization", b"Bearer \xff\xfe").await.refused(401, "unauthenticated");
        let none = house.get("", "/v1/whoami").await.refused(401, "unauthenticated");
        assert_eq!(none.header("www-authenticate"), "Bearer realm=\"tokenhouse\"");
        for unreadable in ["Bearer", "Bearer ", "Basic dTpw", "Digest x", "Bearer a b", "x", "Token abc"] {
            with_header(house, "authorization", unreadable.as_bytes()).await.refused(400, "malformed");
        }
        for spelling in ["bearer", "BEARER", "Bearer  "] {
            with_header(house, "authorization", format!("{spelling} {}", house.admin).as_bytes()).await.expect(200);
        }
    }

    async fn a_credential_of_a_megabyte_harms_nobody(house) {
        let junk = "a".repeat(1024 * 1024);
        let head =
            format!("GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {junk}\r\n\r\n");
        let (status, _, _) = raw(house, head.into_bytes()).await;
        // The HTTP library may close the connection while the header is still on its way; then no answer is seen.
        assert!([401, 431, 0].contains(&status), "{status}");
        let answer = house.post(&house.admin, "/v1/verify", json!({"token": "a".repeat(1_000_000)})).await.expect(200);
        assert_eq!(answer["reason"], "malformed");
        house.get(&house.admin, "/v1/whoami").await.expect(200);
    }

    async fn two_different_credentials_are_refused_and_the_same_twice_is_one(house) {
        let (_, other) = house.issue(&house.admin, json!({})).await;
        let admin = house.admin.clone();
        let get = || house.request("GET", "/v1/whoami");
        house.send(get().bearer_auth(&admin).header("x-auth-token", &other)).await.refused(400, "two_credentials");
        house.send(get().bearer_auth(&admin).header("x-auth-token", "junk")).await.refused(400, "two_credentials");
        house.send(get().bearer_auth("junk").header("x-auth-token", &admin)).await.refused(400, "two_credentials");
        house.send(get().bearer_auth(&admin).bearer_auth(&other)).await.refused(400, "two_credentials");
        house
            .send(get().header("x-auth-token", &other).header("x-auth-token", &admin))
            .await
            .refused(400, "two_credentials");
        house.send(get().bearer_auth(&admin).header("x-auth-token", "")).await.refused(400, "two_credentials");
        house.send(get().bearer_auth(&admin).header("x-auth-token", &admin)).await.expect(200);
        house.send(get().bearer_auth(&admin).bearer_auth(&admin)).await.expect(200);
        house.send(get().header("x-auth-token", format!("Bearer {admin}"))).await.expect(200);
        house.send(get().bearer_auth(&admin).header("authorization", "Basic dTpw")).await.refused(400, "malformed");
    }

    async fn a_request_id_is_taken_over_only_if_it_is_well_formed(house) {
        let ask = async |id: &[u8]| {
            with_header(house, "x-request-id", id).await.refused(401, "unauthenticated").text("request_id")
        };
        let longest = "a".repeat(64);
        for good in ["a", "trace-1.2_3", "0", longest.as_str()] {
            assert_eq!(ask(good.as_bytes()).await, good);
        }
        let over = "a".repeat(65);
        for bad in ["", " ", "a b", "a\"b", "<script>", "a/b", "a,b", "{}", over.as_str(), "é"] {
            let made = ask(bad.as_bytes()).await;
            assert!(made.len() == 16 && made.bytes().all(|b| b.is_ascii_hexdigit()), "{made}");
        }
        let made = ask(b"\xff").await;
        assert_ne!(made, ask(b"\xff").await);
        for path in ["/v1/whoami", "/healthz/live", "/metrics", "/nothing", "/v1/openapi.json"] {
            let request = house.request("GET", path).bearer_auth(&house.admin).header("x-request-id", "mine");
            assert_eq!(house.send(request).await.header("x-request-id"), "mine", "{path}");
        }
    }

    async fn broken_http_gets_no_5xx_and_stops_nobody(house) {
        for line in [
            "GET /v1/accounts/%FF",
            "GET /v1/accounts/%C3%28",
            "GET /v1/accounts/%",
            "GET /v1/accounts/%zz",
            "GET /v1/../v1/whoami",
            "GET /%2e%2e/v1/whoami",
            "GET /v1/./whoami",
            "GET //v1/whoami",
            "GET http://other.test/v1/whoami/x",
            "GET *",
            "GET \u{0}",
            "\u{1} /",
            "OPTIONS *",
        ] {
            let (status, head, _) = raw(house, by_hand(house, line, "", b"")).await;
            assert!((400..500).contains(&status), "{line}: {head}");
        }
        let (status, _, _) =
            raw(house, by_hand(house, "POST /v1/accounts", "Content-Length: 5\r\nContent-Length: 7\r\n", b"{}")).await;
        assert!(status == 400 || status == 0, "{status}");
        for headers in
            ["Content-Length: -1\r\n", "Content-Length: x\r\n", "Transfer-Encoding: gibberish\r\n", "Bad Header: x\r\n"]
        {
            let (status, head, _) = raw(house, by_hand(house, "POST /v1/accounts", headers, b"{}")).await;
            assert_eq!(status, 400, "{headers} {head}");
        }
        house.get(&house.admin, "/v1/whoami").await.expect(200);
    }
}
