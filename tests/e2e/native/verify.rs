//! `/v1/verify`

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

async fn ask(house: &House, token: &str, more: Value) -> Answer {
    let mut body = json!({"token": token});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.post(&house.admin, "/v1/verify", body).await.expect(200)
}

/// `good`, or the reason; a refusal tells nothing else.
async fn verdict(house: &House, token: &str, more: Value) -> String {
    let answer = ask(house, token, more).await;
    if answer["active"] == true {
        return "good".to_owned();
    }
    assert_eq!(answer.body.as_object().unwrap().len(), 2, "{}", answer.raw);
    answer.text("reason")
}

both! {
    async fn a_good_answer_tells_who_and_what_and_until_when(house) {
        let (account, _) = house.service("ci", &["member", "verifier"]).await;
        let (id, secret) = house
            .issue(
                &house.admin,
                json!({"owner": account, "name": "deploy", "scopes": ["house:verify"], "lifetime_seconds": 60}),
            )
            .await;
        let answer = ask(house, &secret, json!({})).await;
        assert_eq!(
            answer.body,
            json!({
                "active": true, "org_id": house.org, "account_id": account, "identifier": "sa::ci", "token_id": id,
                "kind": "service", "name": "deploy", "permissions": ["house:verify"], "expires_at": 1_800_000_060_000_i64,
            })
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        let mine = ask(house, &house.admin, json!({})).await;
        assert_eq!((&mine["identifier"], &mine["kind"]), (&json!("admin@example.test"), &json!("user")));
        assert!(mine.body.get("expires_at").is_none());
        let session = house.sign_in("admin@example.test", &house.password.clone()).await;
        assert_eq!(ask(house, &session, json!({})).await["kind"], "session");
    }

    async fn every_reason_is_told_to_the_api_server(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        let now = 1_800_000_000_000_i64;
        let make = async |more: Value| {
            let mut body = json!({"owner": account});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            house.issue(&house.admin, body).await
        };
        let post = async |path: String| house.post(&house.admin, &path, json!({})).await.expect(200);
        let (off, inactive) = make(json!({})).await;
        post(format!("/v1/tokens/{off}/deactivate")).await;
        let (turned, rotated) = make(json!({})).await;
        let fresh = post(format!("/v1/tokens/{turned}/rotate")).await.text("secret");
        let (dead, revoked) = make(json!({})).await;
        post(format!("/v1/tokens/{dead}/revoke")).await;
        let (_, early) = make(json!({"not_before": now + 60_000})).await;
        let (_, short) = make(json!({"expires_at": now + 30_000})).await;
        let (_, idle) = make(json!({"idle_seconds": 3600})).await;
        let (_, here) = make(json!({"reach": ["native"]})).await;
        let (_, bound) = make(json!({"cidrs": ["192.0.2.0/24"]})).await;
        for (token, more, expected) in [
            ("junk", json!({}), "malformed"),
            ("th_u_0000000000000000000000000000000000000", json!({}), "malformed"),
            ("00000000-0000-4000-8000-000000000000", json!({}), "unknown"),
            ("a.b.c", json!({}), "malformed"),
            (&inactive, json!({}), "deactivated"),
            (&rotated, json!({}), "rotated"),
            (&fresh, json!({}), "good"),
            (&revoked, json!({}), "revoked"),
            (&early, json!({}), "not_yet_valid"),
            (&here, json!({}), "out_of_reach"),
            (&here, json!({"surface": "native"}), "good"),
            (&bound, json!({}), "address_unknown"),
            (&bound, json!({"client_ip": "198.51.100.1"}), "address"),
            (&fresh, json!({"permission": "house:tokens"}), "permission_missing"),
            (&fresh, json!({"permission": "house:read"}), "good"),
            (&short, json!({}), "good"),
        ] {
            assert_eq!(verdict(house, token, more).await, expected, "{expected}");
        }
        house.wait(30);
        assert_eq!(verdict(house, &short, json!({})).await, "expired");
        house.wait(30);
        assert_eq!(verdict(house, &early, json!({})).await, "good");
        house.wait(3540);
        assert_eq!(verdict(house, &idle, json!({})).await, "idle");
        post(format!("/v1/accounts/{account}/deactivate")).await;
        assert_eq!(verdict(house, &fresh, json!({})).await, "account_inactive");
    }

    async fn an_address_decides_where_a_token_is_bound(house) {
        let (_, bound) =
            house.issue(&house.admin, json!({"cidrs": ["192.0.2.0/24", "2001:db8::/32", "203.0.113.7"]})).await;
        for (address, expected) in [
            ("192.0.2.0", "good"),
            ("192.0.2.255", "good"),
            ("192.0.3.0", "address"),
            ("192.0.1.255", "address"),
            ("203.0.113.7", "good"),
            ("203.0.113.8", "address"),
            ("2001:db8::1", "good"),
            ("2001:db9::1", "address"),
            ("::ffff:192.0.2.9", "good"),
            ("::ffff:198.51.100.9", "address"),
            ("::", "address"),
            ("127.0.0.1", "address"),
        ] {
            assert_eq!(verdict(house, &bound, json!({"client_ip": address})).await, expected, "{address}");
        }
        for wrong in [
            "",
            "192.0.2",
            "192.0.2.0/24",
            "192.0.2.1:80",
            "[2001:db8::1]",
            " 192.0.2.1",
            "localhost",
            "fe80::1%eth0",
            "0300.0.2.1",
        ] {
            let answer = house.post(&house.admin, "/v1/verify", json!({"token": bound, "client_ip": wrong})).await;
            assert_eq!(answer.refused(400, "invalid_field")["field"], "client_ip", "{wrong}");
        }
        // The token's holder comes from elsewhere himself.
        house.get(&bound, "/v1/whoami").await.refused(401, "unauthenticated");
    }

    async fn an_overlap_tells_when_each_secret_ends(house) {
        let (id, old) = house.issue(&house.admin, json!({})).await;
        let rotated = house
            .post(&house.admin, &format!("/v1/tokens/{id}/rotate"), json!({"overlap_seconds": 60}))
            .await
            .expect(200);
        assert_eq!(ask(house, &old, json!({})).await["expires_at"], 1_800_000_060_000_i64);
        assert!(ask(house, &rotated.text("secret"), json!({})).await.body.get("expires_at").is_none());
        house.wait(60);
        assert_eq!(verdict(house, &old, json!({})).await, "rotated");
    }

    async fn a_service_permission_is_passed_through(house) {
        let (account, token) = house.service("ci", &[]).await;
        let wanted = json!({"permission": "external/shop/refund"});
        assert_eq!(verdict(house, &token, wanted.clone()).await, "permission_missing");
        let path = format!("/v1/accounts/{account}/permissions/external%2Fshop%2Frefund");
        house.put(&house.admin, &path, json!({})).await.expect(200);
        assert_eq!(verdict(house, &token, wanted.clone()).await, "good");
        house.delete(&house.admin, &path).await.expect(200);
        assert_eq!(verdict(house, &token, wanted).await, "permission_missing");
        let wrong = house.post(&house.admin, "/v1/verify", json!({"token": token, "permission": "refund"})).await;
        assert_eq!(wrong.refused(400, "invalid_field")["field"], "permission");
    }

    async fn another_orgs_token_is_unknown_whatever_its_state(house) {
        let (org, neighbour) = house.neighbour("second").await;
        let (id, token) = house.issue(&neighbour, json!({})).await;
        let (_, bound) = house.issue(&neighbour, json!({"cidrs": ["192.0.2.0/24"]})).await;
        assert_eq!(verdict(house, &token, json!({})).await, "unknown");
        assert_eq!(verdict(house, &bound, json!({})).await, "unknown");
        assert_eq!(verdict(house, &token, json!({"permission": "external/a/b"})).await, "unknown");
        house.post(&neighbour, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(verdict(house, &token, json!({})).await, "unknown");
        house.post(&house.admin, &format!("/v1/orgs/{org}/suspend"), json!({})).await.expect(200);
        assert_eq!(verdict(house, &neighbour, json!({})).await, "unknown");
    }

    async fn asking_needs_the_permission(house) {
        let (_, verifier) = house.service("api", &["verifier"]).await;
        let (_, weak) = house.service("weak", &["member"]).await;
        let question = json!({"token": house.admin});
        assert_eq!(house.post(&verifier, "/v1/verify", question.clone()).await.expect(200)["active"], true);
        let refused = house.post(&weak, "/v1/verify", question.clone()).await.refused(403, "missing_permission");
        assert_eq!(refused["permission"], "house:verify");
        house.post("", "/v1/verify", question.clone()).await.refused(401, "unauthenticated");
        // Not even about oneself: whoami tells that.
        house.post(&weak, "/v1/verify", json!({"token": weak})).await.refused(403, "missing_permission");
        house.post(&verifier, "/v1/verify", json!({})).await.refused(400, "malformed");
        house.delete(&house.admin, "/v1/accounts/sa::api").await.expect(200);
        house.post(&verifier, "/v1/verify", question).await.refused(401, "unauthenticated");
    }

    async fn asking_counts_as_use_of_the_asked_and_a_refusal_does_not(house) {
        let (account, token) = house.service("ci", &[]).await;
        let (id, bound) = house.issue(&house.admin, json!({"owner": account, "cidrs": ["192.0.2.0/24"]})).await;
        verdict(house, &bound, json!({"client_ip": "198.51.100.1"})).await;
        house.flush().await;
        assert!(house.get(&house.admin, &format!("/v1/tokens/{id}")).await.body.get("last_used_at").is_none());
        verdict(house, &bound, json!({"client_ip": "192.0.2.7"})).await;
        house.flush().await;
        let shown = house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200);
        assert_eq!(
            (&shown["last_used_at"], &shown["last_used_address"]),
            (&json!(1_800_000_000_000_i64), &json!("192.0.2.7"))
        );
        let usage = house.get(&house.admin, &format!("/v1/tokens/{id}/usage")).await.expect(200);
        let outcomes: Vec<_> = usage["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|day| (day["outcome"].as_str().unwrap(), day["count"].as_i64().unwrap()))
            .collect();
        assert!(outcomes.contains(&("good", 1)) && outcomes.contains(&("address", 1)), "{outcomes:?}");
        assert_eq!(house.verdict(&token).await, "good");
    }

    async fn verify_changes_nothing(house) {
        let (_, token) = house.service("ci", &[]).await;
        let before = house.revision().await;
        for question in [token.as_str(), "junk", ""] {
            verdict(house, question, json!({})).await;
        }
        house.flush().await;
        assert_eq!(house.revision().await, before);
    }
}
