//! What bad input gets: a clear problem document, and nothing changed.

mod wire;

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

async fn post_text(house: &House, text: impl Into<reqwest::Body>) -> Answer {
    let request = house.request("POST", "/v1/accounts").bearer_auth(&house.admin);
    house.send(request.header("content-type", "application/json").body(text)).await
}

fn new_account(member: &str, value: Value) -> Value {
    let mut body = json!({"kind": "service", "identifier": "sa::fine"});
    body[member] = value;
    body
}

both! {
    async fn a_body_that_is_no_json_is_malformed_and_changes_nothing(house) {
        let before = house.revision().await;
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep_member = format!(r#"{{"kind":{deep}}}"#);
        for text in [
            "{",
            "}",
            "nonsense",
            "[]",
            "null",
            "true",
            "7",
            "\"text\"",
            "{\"kind\":}",
            "{'kind':'service'}",
            "{}{}",
            "{\"kind\"",
            r#"{"kind":"service","identifier":"sa::a",}"#,
            r#"{"kind":"service","identifier":"sa::a"} x"#,
            r#"{"kind":"service","kind":"service","identifier":"sa::a"}"#,
            r#"{"kind":"service","identifier":"\ud800"}"#,
            r#"{"kind":"service","identifier":"\x00"}"#,
            r#"{"kind":NaN,"identifier":"sa::a"}"#,
            "{\"kind\":\"service\",\"identifier\":\"sa::raw\ncontrol\"}",
            deep.as_str(),
            deep_member.as_str(),
            "\u{feff}{}",
        ] {
            post_text(house, text.to_owned()).await.refused(400, "malformed");
        }
        for bytes in [b"{\"kind\":\"service\",\"identifier\":\"sa::\xff\"}".to_vec(), vec![0xff; 100], vec![0; 100]] {
            post_text(house, bytes).await.refused(400, "malformed");
        }
        assert_eq!(house.revision().await, before);
    }

    async fn members_of_the_wrong_type_or_unknown_ones_are_refused(house) {
        let before = house.revision().await;
        for wrong in [json!(7), json!(null), json!(true), json!(1.5), json!([]), json!({}), json!(["service"])] {
            for member in ["kind", "identifier", "description"] {
                let answer = house.post(&house.admin, "/v1/accounts", new_account(member, wrong.clone())).await;
                answer.refused(400, "malformed");
            }
        }
        let unknown = house.post(&house.admin, "/v1/accounts", new_account("colour", json!("red"))).await;
        assert!(unknown.refused(400, "malformed").text("detail").contains("colour"));
        for wrong in [json!("soon"), json!(1e300), json!(1.5), json!(-1.5), json!({})] {
            house.post(&house.admin, "/v1/tokens", json!({"expires_at": wrong})).await.refused(400, "malformed");
        }
        house.post(&house.admin, "/v1/tokens", json!({"scopes": "house:read"})).await.refused(400, "malformed");
        assert_eq!(house.revision().await, before);
    }

    async fn numbers_out_of_bounds_are_refused(house) {
        let before = house.revision().await;
        for number in ["9223372036854775808", "-9223372036854775809", "1e400", "99999999999999999999999999999"] {
            let request = house.request("POST", "/v1/tokens").bearer_auth(&house.admin);
            let text = format!(r#"{{"lifetime_seconds":{number}}}"#);
            let answer = house.send(request.header("content-type", "application/json").body(text)).await;
            answer.refused(400, "malformed");
        }
        for ask in [
            json!({"expires_at": i64::MIN}),
            json!({"expires_at": -1}),
            json!({"expires_at": 0}),
            json!({"lifetime_seconds": i64::MIN}),
            json!({"lifetime_seconds": 0}),
            json!({"lifetime_seconds": -5}),
            json!({"idle_seconds": -1}),
            json!({"idle_seconds": i64::MIN}),
            json!({"idle_seconds": 3599}),
            json!({"not_before": -1}),
            json!({"not_before": i64::MAX}),
            json!({"not_before": 1_800_000_100_000_i64, "expires_at": 1_800_000_100_000_i64}),
        ] {
            house.post(&house.admin, "/v1/tokens", ask).await.refused(400, "invalid_field");
        }
        let (id, _) = house.issue(&house.admin, json!({"lifetime_seconds": i64::MAX})).await;
        let after = house.revision().await;
        assert_eq!(after, before + 1, "a life without bounds is one without end");
        for overlap in [-1, i64::MIN, i64::MAX, 2_592_001] {
            let path = format!("/v1/tokens/{id}/rotate");
            house.post(&house.admin, &path, json!({"overlap_seconds": overlap})).await.refused(400, "invalid_field");
        }
        assert_eq!(house.revision().await, after);
    }

    async fn unknown_words_of_closed_sets_are_refused_naming_the_field(house) {
        let before = house.revision().await;
        let admin = &house.admin;
        for (answer, field) in [
            (house.post(admin, "/v1/accounts", new_account("kind", json!("robot"))).await, "kind"),
            (house.post(admin, "/v1/accounts", new_account("kind", json!("Service"))).await, "kind"),
            (house.post(admin, "/v1/accounts", new_account("kind", json!(""))).await, "kind"),
            (house.post(admin, "/v1/tokens", json!({"reach": ["moon"]})).await, "reach"),
            (house.post(admin, "/v1/tokens", json!({"reach": []})).await, "reach"),
            (house.post(admin, "/v1/tokens", json!({"scopes": ["house:everything"]})).await, "permission"),
            (house.post(admin, "/v1/tokens", json!({"cidrs": ["10.0.0.0/33"]})).await, "cidrs"),
            (house.post(admin, "/v1/roles", json!({"name": "r", "permissions": ["root"]})).await, "permission"),
            (house.post(admin, "/v1/verify", json!({"token": "x", "surface": "moon"})).await, "reach"),
            (house.get(admin, "/v1/accounts?kind=robot").await, "kind"),
            (house.get(admin, "/v1/accounts?state=asleep").await, "state"),
            (house.get(admin, "/v1/tokens?kind=robot").await, "kind"),
            (house.get(admin, "/v1/tokens?state=asleep").await, "state"),
        ] {
            assert_eq!(answer.refused(400, "invalid_field").text("field"), field);
        }
        assert_eq!(house.revision().await, before);
    }

    async fn a_text_over_its_limit_is_refused_with_the_limit(house) {
        let before = house.revision().await;
        let (admin, long) = (&house.admin, |length| "é".repeat(length));
        for (answer, field, limit) in [
            (house.post(admin, "/v1/tokens", json!({"name": long(129)})).await, "name", 128),
            (house.post(admin, "/v1/tokens", json!({"name": long(400_000)})).await, "name", 128),
            (house.post(admin, "/v1/groups", json!({"name": long(129)})).await, "name", 128),
            (
                house.post(admin, "/v1/groups", json!({"name": "g", "description": long(1025)})).await,
                "description",
                1024,
            ),
            (house.post(admin, "/v1/roles", json!({"name": long(129)})).await, "name", 128),
            (house.post(admin, "/v1/orgs", json!({"name": long(129), "admin": "a@b.test"})).await, "name", 128),
            (house.patch(admin, &format!("/v1/orgs/{}", house.org), json!({"name": long(129)})).await, "name", 128),
            (house.post(admin, "/v1/accounts", new_account("identifier", json!(long(255)))).await, "identifier", 254),
            (house.post(admin, "/v1/accounts", new_account("identifier", json!(long(251)))).await, "identifier", 254),
            (
                house.post(admin, "/v1/accounts", new_account("description", json!(long(1025)))).await,
                "description",
                1024,
            ),
            (
                house
                    .post(
                        admin,
                        "/v1/roles",
                        json!({"name": "r", "permissions": [format!("external/{}/x", long(200))]}),
                    )
                    .await,
                "permission",
                200,
            ),
        ] {
            let answer = answer.refused(400, "invalid_field");
            assert_eq!((answer.text("field").as_str(), answer.number("limit")), (field, limit));
            assert!(answer.text("detail").contains(&limit.to_string()), "{}", answer.raw);
        }
        assert_eq!(house.revision().await, before);
        house.post(admin, "/v1/groups", json!({"name": long(128), "description": long(1024)})).await.expect(201);
        house.post(admin, "/v1/accounts", new_account("identifier", json!(long(250)))).await.expect(201);
        house.issue(admin, json!({"name": long(128)})).await;
    }

    async fn control_and_direction_characters_are_refused(house) {
        let before = house.revision().await;
        let admin = &house.admin;
        for bad in [
            '\0', '\u{1}', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{2028}',
            '\u{feff}',
        ] {
            let text = format!("na{bad}me");
            for (path, body) in [
                ("/v1/tokens", json!({"name": text})),
                ("/v1/groups", json!({"name": text})),
                ("/v1/groups", json!({"name": "fine", "description": text})),
                ("/v1/roles", json!({"name": text})),
                ("/v1/roles", json!({"name": "fine", "permissions": [format!("external/{text}/x")]})),
                ("/v1/orgs", json!({"name": text, "admin": "a@b.test"})),
                ("/v1/orgs", json!({"name": "fine", "admin": format!("a{bad}b@c.test")})),
                ("/v1/accounts", new_account("identifier", json!(text))),
                ("/v1/accounts", new_account("description", json!(text))),
                ("/v1/accounts", json!({"kind": "user", "identifier": format!("a{bad}b@c.test")})),
            ] {
                house.post(admin, path, body).await.refused(400, "invalid_field");
            }
        }
        assert_eq!(house.revision().await, before);
    }

    async fn hostile_words_in_places_that_are_only_looked_up_name_nothing(house) {
        let before = house.revision().await;
        let admin = &house.admin;
        let (id, _) = house.issue(admin, json!({})).await;
        for word in
            ["%00", "a%00b", "%E2%80%AE", "%27%20OR%201%3D1--", "..%2F..%2Fmetrics", "%2e%2e", "%25", "%252F", "*", "~"]
        {
            for path in ["accounts", "groups", "roles", "tokens", "orgs"] {
                house.get(admin, &format!("/v1/{path}/{word}")).await.refused(404, "not_found");
            }
            house.delete(admin, &format!("/v1/accounts/{word}")).await.refused(404, "not_found");
            house.put(admin, &format!("/v1/accounts/sa::x/roles/{word}"), json!({})).await.refused(404, "not_found");
            house.put(admin, &format!("/v1/groups/{word}/members/{word}"), json!({})).await.refused(404, "not_found");
            house.post(admin, &format!("/v1/tokens/{word}/revoke"), json!({})).await.refused(404, "not_found");
            house.get(admin, &format!("/v1/tokens?owner={word}")).await.refused(404, "not_found");
        }
        for owner in ["\0", "a\0b", "", "'; DROP TABLE token; --", "\u{202e}"] {
            house.post(admin, "/v1/tokens", json!({"owner": owner})).await.refused(404, "not_found");
        }
        for email in ["\0", "a\0@b.test", "' OR '1'='1"] {
            let body = json!({"email": email, "password": "wrong password"});
            house.post("", "/v1/session", body).await.refused(401, "unauthenticated");
        }
        for token in ["\0", "th_u_\0", "", "\u{202e}"] {
            assert_eq!(house.verdict(token).await, "malformed");
        }
        assert_eq!(house.revision().await, before + 1);
        house.get(admin, &format!("/v1/tokens/{id}")).await.expect(200);
    }

    async fn permissions_that_are_none_can_neither_be_given_nor_taken(house) {
        let (id, _) = house.service("ci", &[]).await;
        let before = house.revision().await;
        for word in
            ["root", "house:", "HOUSE:READ", "%00", "external%2Fx", "external%2F%2Fx", "external%2Fa%2Fb%00", "%20"]
        {
            let path = format!("/v1/accounts/{id}/permissions/{word}");
            house.put(&house.admin, &path, json!({})).await.refused(400, "invalid_field");
        }
        for word in ["%00", "external%2Fa%2Fb%00", "%20"] {
            let path = format!("/v1/accounts/{id}/permissions/{word}");
            house.delete(&house.admin, &path).await.refused(400, "invalid_field");
        }
        // What nobody can have is not missed.
        house.delete(&house.admin, &format!("/v1/accounts/{id}/permissions/root")).await.expect(200);
        assert_eq!(house.revision().await, before);
    }

    async fn a_body_of_another_type_is_415(house) {
        let before = house.revision().await;
        let text = r#"{"kind":"service","identifier":"sa::typed"}"#;
        let post = || house.request("POST", "/v1/accounts").bearer_auth(&house.admin).body(text);
        house.send(post()).await.refused(415, "unsupported_media_type");
        for wrong in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "json",
            "",
            "application/jsonp",
            "application/json+x",
        ] {
            house.send(post().header("content-type", wrong)).await.refused(415, "unsupported_media_type");
        }
        assert_eq!(house.revision().await, before);
        house.send(post().header("content-type", "Application/JSON; charset=utf-8")).await.expect(201);
    }

    async fn an_unknown_or_unreadable_query_is_refused(house) {
        let secret = &house.admin;
        for query in [
            "colour=red",
            "kinds=user",
            "limit=ten",
            "limit=-1",
            "limit=99999999999",
            "limit=1.5",
            "limit=",
            "limit=1&limit=2",
            "Kind=user",
        ] {
            house.get(secret, &format!("/v1/accounts?{query}")).await.refused(400, "malformed");
        }
        // Nor does a log repeat what stands in a query: the end of this test searches them.
        for path in ["accounts", "tokens", "groups", "ledger"] {
            house.get(secret, &format!("/v1/{path}?{secret}=1")).await.refused(400, "malformed");
            house.get(secret, &format!("/v1/{path}?limit={secret}")).await.refused(400, "malformed");
        }
        house.get(secret, "/v1/ledger?after=-1").await.refused(400, "invalid_field");
        house.get(secret, "/v1/ledger?after=99999999999999999999").await.refused(400, "malformed");
    }

    async fn what_looks_like_a_secret_is_never_repeated(house) {
        let (_, secret) = house.issue(&house.admin, json!({})).await;
        let admin = house.admin.clone();
        let mut unknown = json!({"kind": "service", "identifier": "sa::a"});
        unknown[&secret] = json!(1);
        let quoted = format!("{secret}\" and {secret}");
        let answers = [
            house.post(&admin, "/v1/accounts", unknown).await,
            house.post(&admin, "/v1/accounts", json!({"kind": secret, "identifier": "sa::a"})).await,
            house.post(&admin, "/v1/tokens", json!({"expires_at": secret})).await,
            house.post(&admin, "/v1/tokens", json!({"expires_at": quoted})).await,
            house.post(&admin, "/v1/tokens", json!({"cidrs": [secret]})).await,
            house.post(&admin, "/v1/tokens", json!({"scopes": [secret]})).await,
            house.post(&admin, "/v1/tokens", json!({"reach": [secret]})).await,
            house.post(&admin, "/v1/tokens", json!({"owner": secret})).await,
            house.post(&admin, "/v1/verify", json!({"token": "x", "client_ip": secret})).await,
            house.post(&admin, "/v1/verify", json!({"token": "x", "permission": secret})).await,
            house.post(&admin, "/v1/verify", json!({"token": [secret]})).await,
            house.post(&admin, "/v1/verify", json!(secret)).await,
            house.get(&admin, &format!("/v1/tokens/{secret}")).await,
            house.get(&admin, &format!("/v1/accounts/{secret}")).await,
            house.get(&admin, &format!("/v1/{secret}")).await,
            house.get(&admin, &format!("/v1/tokens?cursor={secret}")).await,
            house.get(&admin, &format!("/v1/tokens?kind={secret}")).await,
            house.get(&admin, &format!("/v1/tokens?{secret}={secret}")).await,
            house.put(&admin, &format!("/v1/accounts/{}/permissions/{secret}", house.org), json!({})).await,
            house
                .send(
                    house
                        .request("POST", "/v1/tokens")
                        .bearer_auth(&admin)
                        .header("idempotency-key", format!("{secret} {secret}")),
                )
                .await,
            house
                .send(
                    house
                        .request("POST", "/v1/tokens")
                        .bearer_auth(&admin)
                        .header("content-type", secret.as_str())
                        .body("x"),
                )
                .await,
            post_text(house, format!("{{\"kind\": {secret}}}")).await,
        ];
        for answer in answers {
            assert!((400..500).contains(&answer.status), "{}", answer.raw);
            assert!(!answer.raw.contains(&secret), "{}", answer.raw);
            assert!(!answer.headers.values().any(|value| value.to_str().unwrap_or_default().contains(&secret)));
        }
    }

    async fn every_refusal_is_a_problem_document(house) {
        let (_, weak) = house.service("weak", &[]).await;
        let admin = &house.admin;
        for (answer, status, code, title) in [
            (house.get(admin, "/v1/orgs/7").await, 404, "not_found", "Not there"),
            (house.get(&weak, "/v1/ledger").await, 403, "missing_permission", "A permission is missing"),
            (
                house.post(admin, "/v1/accounts", json!({"kind": "service", "identifier": "sa::weak"})).await,
                409,
                "duplicate",
                "There already",
            ),
        ] {
            let answer = answer.refused(status, code);
            assert_eq!(answer["type"], format!("https://tokenhouse.dev/problems/{code}"));
            assert_eq!(answer["title"], title);
            assert!(!answer.text("detail").is_empty());
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        let missing = house.get(&weak, "/v1/ledger").await;
        assert_eq!(missing["permission"], "house:ledger");
    }
}
