//! What clients send, in all the forms in which they send it (wavefront.md 1 and 2).

use serde_json::{Value, json};
use tokenhouse_e2e::both;

use super::{own, refused, wrapped};

const OWN: &str = "/api/v2/apitoken";

both! {
    async fn a_token_comes_in_either_header_with_or_without_a_scheme(house) {
        let token = own(house, "").await;
        let upper = format!("BEARER  {token}");
        let lower = format!("bearer {token}");
        for (name, value) in [
            ("x-auth-token", token.as_str()),
            ("X-AUTH-TOKEN", lower.as_str()),
            ("authorization", lower.as_str()),
            ("authorization", upper.as_str()),
        ] {
            wrapped(house.send(house.request("GET", OWN).header(name, value)).await);
        }
        // The same one twice is one; two different ones are refused, whichever is good.
        wrapped(house.send(house.request("GET", OWN).header("x-auth-token", &token).bearer_auth(&token)).await);
        let two = house.request("GET", OWN).header("x-auth-token", &token).bearer_auth(&house.admin);
        refused(&house.send(two).await, 400, "two different credentials in one request");
    }

    async fn what_is_no_credential_is_401_and_a_query_is_no_place_for_one(house) {
        let unknown = "00000000-0000-4000-8000-000000000000";
        refused(&house.get("", OWN).await, 401, "a credential is required");
        let query = format!("{OWN}?token={}", house.admin);
        refused(&house.get("", &query).await, 401, "a credential is required");
        for bad in [unknown, "x", "th_u_000000000000000000000000000000000000"] {
            refused(&house.get(bad, OWN).await, 401, "the credential is not valid");
        }
        let empty = house.request("GET", OWN).header("x-auth-token", "");
        refused(&house.send(empty).await, 401, "the credential is not valid");
        let basic = house.request("GET", OWN).header("authorization", "Basic YTpi");
        refused(&house.send(basic).await, 400, "the Authorization header must be Bearer here");
        let challenge = house.get("", OWN).await;
        assert_eq!(challenge.header("www-authenticate"), "Bearer realm=\"tokenhouse\"");
        let challenge = house.get(unknown, OWN).await;
        assert_eq!(challenge.header("www-authenticate"), "Bearer realm=\"tokenhouse\", error=\"invalid_token\"");
    }

    async fn a_token_of_another_surface_does_not_work_here(house) {
        let (_, native) = house.issue(&house.admin, json!({"reach": ["native", "verify"]})).await;
        refused(&house.get(&native, OWN).await, 401, "the credential is not valid");
        // And one that was made here works nowhere else but where it is verified.
        let own = own(house, "").await;
        house.get(&own, "/v1/whoami").await.refused(401, "unauthenticated");
        assert_eq!(house.verdict(&own).await, "good");
    }

    async fn an_optional_body_may_be_anything_that_says_nothing(house) {
        let bodies: [(Option<&str>, Option<&str>); 7] = [
            (None, None),
            (Some(""), Some("application/json")),
            (Some("{}"), Some("application/json")),
            (Some("null"), Some("text/plain")),
            (Some(" null\n"), None),
            (Some("{}"), Some("application/x-www-form-urlencoded")),
            (Some("{\"tokenName\":null,\"unknown\":[1]}"), Some("application/json; charset=UTF-8")),
        ];
        for (body, typed) in bodies {
            let mut request = house.request("POST", OWN).bearer_auth(&house.admin);
            if let Some(typed) = typed {
                request = request.header("content-type", typed);
            }
            if let Some(body) = body {
                request = request.body(body);
            }
            let list = wrapped(house.send(request).await);
            assert_eq!(list.as_array().unwrap().last().unwrap()["tokenName"], Value::Null, "{body:?}");
        }
        // Without a length, in chunks.
        let chunks = futures::stream::iter([Ok::<_, std::io::Error>("{\"token"), Ok("Name\":\"c\"}")]);
        let chunked = house.request("POST", OWN).bearer_auth(&house.admin);
        let list = wrapped(house.send(chunked.body(reqwest::Body::wrap_stream(chunks))).await);
        assert_eq!(list.as_array().unwrap().last().unwrap()["tokenName"], "c");
        // A type on a GET, a body on a DELETE.
        let typed = house.request("GET", OWN).bearer_auth(&house.admin).header("content-type", "application/json");
        let list = wrapped(house.send(typed).await);
        let id = list.as_array().unwrap().last().unwrap()["tokenID"].as_str().unwrap().to_owned();
        let delete = house.request("DELETE", &format!("{OWN}/{id}")).bearer_auth(&house.admin).body("{}");
        wrapped(house.send(delete).await);
    }

    async fn a_body_that_cannot_be_read_changes_nothing_and_is_not_repeated(house) {
        let before = house.revision().await;
        let secret = own(house, "").await;
        let before = before.max(house.revision().await);
        let bodies = ["{", "[]", "\"x\"", "{\"tokenName\":7}", "\u{0}", "tokenName=x", "{}{}", "nul", "[[[[[[[["];
        let other = format!("{{\"tokenName\":{{\"{secret}\":1}}}}");
        for body in bodies.into_iter().chain([other.as_str()]) {
            let request = house.request("POST", OWN).bearer_auth(&house.admin).body(body.to_owned());
            let answer = house.send(request).await.expect(400);
            assert_eq!(answer["status"]["result"], "ERROR", "{body}");
            assert!(!answer.raw.contains(&secret));
        }
        let large = house.request("POST", OWN).bearer_auth(&house.admin).body(" ".repeat(2 << 20));
        refused(&house.send(large).await, 413, "the body must have at most 1048576 bytes");
        assert_eq!(house.revision().await, before);
    }

    async fn leading_slashes_are_one_and_what_is_encoded_is_decoded_once(house) {
        for path in ["//api/v2/apitoken", "///api/v2/apitoken?x=1"] {
            wrapped(house.get(&house.admin, path).await);
        }
        refused(&house.get(&house.admin, "//api/v2/nothing").await, 404, "nothing is served at this path");
        // Slashes within are the client's own doing.
        refused(&house.get(&house.admin, "/api/v2//apitoken").await, 404, "nothing is served at this path");
        let body = json!({"kind": "service", "identifier": "sa::a+b%2b"});
        house.post(&house.admin, "/v1/accounts", body).await.expect(201);
        for encoded in ["sa::a+b%252b", "sa%3A%3Aa%2Bb%252B"] {
            wrapped(house.get(&house.admin, &format!("/api/v2/apitoken/serviceaccount/{encoded}")).await);
        }
        for other in ["sa::a%20b%252b", "sa::a+b%2b", "sa%253A%253Aa+b%252b"] {
            let path = format!("/api/v2/apitoken/serviceaccount/{other}");
            refused(&house.get(&house.admin, &path).await, 404, "service account does not exist");
        }
        let broken = house.get(&house.admin, "/api/v2/apitoken/serviceaccount/%ff").await;
        refused(&broken, 400, "the path can't be read");
    }

    async fn words_of_a_path_come_before_what_a_caller_could_name(house) {
        // There is no GET of one's own token by id, so these are the lists that they are called after.
        wrapped(house.get(&house.admin, "/api/v2/apitoken/customertokens").await);
        let message = "this path is served, but not with this method";
        refused(&house.get(&house.admin, "/api/v2/apitoken/0190f3c4-0000-7000-8000-000000000000").await, 405, message);
        refused(&house.get(&house.admin, "/api/v2/apitoken/customertokens/revoke").await, 405, message);
        refused(&house.delete(&house.admin, "/api/v2/apitoken/customertokens").await, 405, message);
    }

    async fn every_failure_of_a_layer_speaks_the_dialect_too(house) {
        let key = house.request("POST", OWN).bearer_auth(&house.admin).header("idempotency-key", "");
        let message = "Idempotency-Key must be 1 to 128 visible ASCII characters";
        refused(&house.send(key).await, 400, message);
        refused(&house.post(&house.admin, "/api/v2/apitoken?wait=x", json!({})).await, 400, "wait must be nodes");
        house.get(&house.admin, "/v1/nothing").await.refused(404, "not_found");
    }
}
