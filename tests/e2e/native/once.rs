//! `Idempotency-Key`: a repeated request gets the first one's answer, and makes nothing twice.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokenhouse_authority::housekeeping;
use tokenhouse_e2e::{Answer, House, both};

async fn keyed(house: &House, token: &str, path: &str, key: &str, body: Value) -> Answer {
    house.send(house.request("POST", path).bearer_auth(token).header("idempotency-key", key).json(&body)).await
}

async fn issue(house: &House, token: &str, key: &str, name: &str) -> Answer {
    keyed(house, token, "/v1/tokens", key, json!({"name": name})).await
}

async fn tokens(house: &House, token: &str) -> usize {
    house.get(token, "/v1/tokens?limit=1000").await.expect(200)["items"].as_array().unwrap().len()
}

both! {
    async fn the_same_request_twice_makes_one_token_and_tells_the_same(house) {
        let before = tokens(house, &house.admin).await;
        let first = issue(house, &house.admin, "k1", "ci").await.expect(201);
        let revision = house.revision().await;
        let again = issue(house, &house.admin, "k1", "ci").await.expect(201);
        assert_eq!(first.body, again.body);
        assert_eq!(house.revision().await, revision);
        assert_eq!(tokens(house, &house.admin).await, before + 1);
        assert_eq!(house.verdict(&again.text("secret")).await, "good");
        let other = issue(house, &house.admin, "k2", "ci").await.expect(201);
        assert_ne!(other.text("id"), first.text("id"));
    }

    async fn a_key_keeps_to_its_request(house) {
        issue(house, &house.admin, "k", "ci").await.expect(201);
        let before = house.revision().await;
        issue(house, &house.admin, "k", "other").await.refused(422, "idempotency_mismatch");
        keyed(house, &house.admin, "/v1/groups", "k", json!({"name": "ci"})).await.refused(422, "idempotency_mismatch");
        keyed(house, &house.admin, "/v1/tokens/self/rotate", "k", json!({"name": "ci"}))
            .await
            .refused(400, "malformed");
        keyed(house, &house.admin, "/v1/tokens/self/rotate", "k", json!({})).await.refused(422, "idempotency_mismatch");
        let request = house.request("PUT", "/v1/policy").bearer_auth(&house.admin).header("idempotency-key", "k");
        let policy = house.get(&house.admin, "/v1/policy").await.body;
        house.send(request.json(&policy)).await.refused(422, "idempotency_mismatch");
        assert_eq!(house.revision().await, before);
        // One template, two subjects: the path counts too.
        let (one, _) = house.issue(&house.admin, json!({})).await;
        let (two, _) = house.issue(&house.admin, json!({})).await;
        keyed(house, &house.admin, &format!("/v1/tokens/{one}/deactivate"), "d", json!({})).await.expect(200);
        let other = keyed(house, &house.admin, &format!("/v1/tokens/{two}/deactivate"), "d", json!({})).await;
        other.refused(422, "idempotency_mismatch");
        assert_eq!(house.get(&house.admin, &format!("/v1/tokens/{two}")).await["state"], "active");
    }

    async fn nobody_meets_anothers_keys(house) {
        let (_, person) = house.person("a@example.test", &["member"]).await;
        let (_, neighbour) = house.neighbour("second").await;
        let (_, second_token) = house.issue(&house.admin, json!({})).await;
        let mut ids = Vec::new();
        for caller in [house.admin.as_str(), &person, &neighbour, &second_token] {
            ids.push(issue(house, caller, "shared", "ci").await.expect(201).text("id"));
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
        // Nor by asking something else under it: that would tell that the key is in use.
        let (_, third) = house.issue(&house.admin, json!({})).await;
        keyed(house, &third, "/v1/groups", "shared", json!({"name": "g"})).await.expect(201);
    }

    async fn the_answer_is_gone_once_its_secret_was_used(house) {
        let first = issue(house, &house.admin, "k", "ci").await.expect(201);
        house.get(&first.text("secret"), "/v1/whoami").await.expect(200);
        house.flush().await;
        let before = house.revision().await;
        for _ in 0..2 {
            let gone = issue(house, &house.admin, "k", "ci").await.refused(409, "idempotency_gone");
            assert_eq!(gone.text("token_id"), first.text("id"));
            assert!(!gone.raw.contains(&first.text("secret")));
        }
        issue(house, &house.admin, "k", "other").await.refused(422, "idempotency_mismatch");
        assert_eq!(house.revision().await, before);
    }

    async fn the_answer_is_gone_once_its_secret_was_verified(house) {
        let first = issue(house, &house.admin, "k", "ci").await.expect(201);
        assert_eq!(house.verdict(&first.text("secret")).await, "good");
        house.flush().await;
        let gone = issue(house, &house.admin, "k", "ci").await.refused(409, "idempotency_gone");
        assert_eq!(gone.text("token_id"), first.text("id"));
    }

    async fn a_secret_in_constant_use_asks_for_its_answers_end_once(house) {
        let first = issue(house, &house.admin, "k", "ci").await.expect(201).text("secret");
        let rung = async |house: &House| {
            tokio::time::timeout(Duration::from_millis(50), housekeeping::bell(&house.ctx)).await.is_ok()
        };
        house.verdict(&first).await;
        // The house's own credentials are young as well.
        while rung(house).await {
            housekeeping::forget_young(&house.ctx).await.unwrap();
        }
        for _ in 0..3 {
            assert_eq!(house.verdict(&first).await, "good");
            assert!(!rung(house).await);
        }
    }

    async fn the_answer_is_gone_once_its_token_was_revoked_or_rotated(house) {
        for end in ["revoke", "rotate"] {
            let first = issue(house, &house.admin, end, "ci").await.expect(201);
            house.post(&house.admin, &format!("/v1/tokens/{}/{end}", first.text("id")), json!({})).await.expect(200);
            let gone = issue(house, &house.admin, end, "ci").await.refused(409, "idempotency_gone");
            assert_eq!(gone.text("token_id"), first.text("id"));
        }
    }

    async fn a_rotation_is_repeated_until_its_new_secret_is_used(house) {
        let (id, _) = house.issue(&house.admin, json!({})).await;
        house.wait(86_400);
        let path = format!("/v1/tokens/{id}/rotate");
        let first = keyed(house, &house.admin, &path, "r", json!({})).await.expect(200);
        let again = keyed(house, &house.admin, &path, "r", json!({})).await.expect(200);
        assert_eq!(first.body, again.body);
        assert_eq!(house.verdict(&again.text("secret")).await, "good");
        house.flush().await;
        let gone = keyed(house, &house.admin, &path, "r", json!({})).await.refused(409, "idempotency_gone");
        assert_eq!(gone.text("token_id"), id);
    }

    async fn a_lost_answer_to_ones_own_rotation_is_told_again_during_the_overlap(house) {
        let (_, mine) = house.issue(&house.admin, json!({})).await;
        let body = json!({"overlap_seconds": 60});
        let first = keyed(house, &mine, "/v1/tokens/self/rotate", "r", body.clone()).await.expect(200);
        let again = keyed(house, &mine, "/v1/tokens/self/rotate", "r", body.clone()).await.expect(200);
        assert_eq!(first.text("secret"), again.text("secret"));
        house.wait(60);
        keyed(house, &mine, "/v1/tokens/self/rotate", "r", body).await.refused(401, "unauthenticated");
    }

    async fn after_ten_minutes_a_key_is_new(house) {
        let first = issue(house, &house.admin, "k", "ci").await.expect(201);
        house.wait(599);
        assert_eq!(issue(house, &house.admin, "k", "ci").await.expect(201).text("id"), first.text("id"));
        house.wait(1);
        let second = issue(house, &house.admin, "k", "ci").await.expect(201);
        assert_ne!(second.text("id"), first.text("id"));
        assert_eq!(issue(house, &house.admin, "k", "ci").await.expect(201).text("secret"), second.text("secret"));
    }

    async fn a_bad_key_is_refused_before_anything_else(house) {
        let before = house.revision().await;
        let long = "k".repeat(129);
        for bad in ["", " ", "a b", "tab\there", "é", long.as_str()] {
            let answer = issue(house, &house.admin, bad, "ci").await.refused(400, "invalid_field");
            assert_eq!(answer["field"], "Idempotency-Key");
        }
        assert_eq!(house.revision().await, before);
        for good in ["!", "~", &"k".repeat(128), "\"quoted\"", "%00", "';--"] {
            issue(house, &house.admin, good, "ci").await.expect(201);
        }
        let request = house.request("GET", "/v1/whoami").bearer_auth(&house.admin).header("idempotency-key", "a b");
        house.send(request).await.expect(200);
    }

    async fn a_dead_callers_replay_is_refused(house) {
        let (id, session) = house.person("a@example.test", &["member"]).await;
        issue(house, &session, "k", "ci").await.expect(201);
        house.post(&house.admin, &format!("/v1/accounts/{id}/deactivate"), json!({})).await.expect(200);
        issue(house, &session, "k", "ci").await.refused(401, "unauthenticated");
        house.post(&house.admin, &format!("/v1/accounts/{id}/activate"), json!({})).await.expect(200);
        issue(house, &session, "k", "ci").await.expect(201);
        house.delete(&session, "/v1/session").await.expect(200);
        issue(house, &session, "k", "ci").await.refused(401, "unauthenticated");
    }

    async fn eight_at_once_under_one_key_make_one_token(house) {
        let before = tokens(house, &house.admin).await;
        let answers = join_all((0..8).map(|_| issue(house, &house.admin, "k", "ci"))).await;
        let first = &answers[0];
        for answer in &answers {
            assert_eq!(answer.clone().expect(201).body, first.body);
        }
        assert_eq!(tokens(house, &house.admin).await, before + 1);
    }

    async fn a_refused_attempt_leaves_its_key_free(house) {
        house.post(&house.admin, "/v1/groups", json!({"name": "taken"})).await.expect(201);
        let body = json!({"name": "taken"});
        keyed(house, &house.admin, "/v1/groups", "k", body.clone()).await.refused(409, "duplicate");
        keyed(house, &house.admin, "/v1/groups", "k", body.clone()).await.refused(409, "duplicate");
        house.delete(&house.admin, "/v1/groups/taken").await.expect(200);
        let made = keyed(house, &house.admin, "/v1/groups", "k", body.clone()).await.expect(201);
        let again = keyed(house, &house.admin, "/v1/groups", "k", body).await.expect(201);
        assert_eq!(made.body, again.body);
        keyed(house, &house.admin, "/v1/groups", "m", json!("nonsense")).await.refused(400, "malformed");
        keyed(house, &house.admin, "/v1/groups", "m", json!({"name": "fine"})).await.expect(201);
    }

    async fn repeating_a_change_without_a_secret_tells_the_same_receipt(house) {
        let made =
            keyed(house, &house.admin, "/v1/accounts", "a", json!({"kind": "service", "identifier": "ci"})).await;
        let id = made.expect(201).text("id");
        let delete = || house.request("DELETE", &format!("/v1/accounts/{id}")).bearer_auth(&house.admin);
        let first = house.send(delete().header("idempotency-key", "d")).await.expect(200);
        let again = house.send(delete().header("idempotency-key", "d")).await.expect(200);
        assert_eq!(first.body, again.body);
        house.send(delete()).await.refused(404, "not_found");
    }

    async fn kept_answers_survive_a_restart_sealed(house) {
        let first = issue(house, &house.admin, "k", "ci").await.expect(201);
        house.restart().await;
        let again = issue(house, &house.admin, "k", "ci").await.expect(201);
        assert_eq!(first.text("secret"), again.text("secret"));
        assert_eq!(first["receipt"], again["receipt"]);
    }
}
