//! Several nodes on one database: what one takes away is dead on the others, and the receipt says when.

use std::time::Duration;

use serde_json::{Value, json};
use tokenhouse_authority::{Settings, pulse, verify};
use tokenhouse_e2e::{House, Node, both};

/// How often this node has read the database for verify.
fn readings(house: &House) -> u64 {
    verify::counters(&house.ctx)[0]
}

/// Waits until a condition holds that must come true by itself.
async fn soon<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} does not come true");
}

async fn other(house: &House) -> Node {
    house.another_node("other", Settings::default()).await
}

both! {
    async fn what_is_taken_away_here_is_dead_there_once_it_is_confirmed(house) {
        let node = other(house).await;
        let (service, token) = house.service("robot", &["auditor", "verifier"]).await;
        let admin = house.admin.clone();
        let path = format!("/v1/accounts/{service}");
        let asks = json!({"token": token, "permission": "house:ledger"});
        // What is done here, what it answers there before and after, and how it is undone.
        let cases: [(&str, String, Value, &str, &str, String); 4] = [
            ("POST", format!("{path}/deactivate"), json!({}), "account_inactive", "POST", format!("{path}/activate")),
            ("DELETE", format!("{path}/roles/auditor"), json!({}), "permission_missing", "PUT", format!("{path}/roles/auditor")),
            ("POST", "/v1/tokens/ID/deactivate".to_owned(), json!({}), "deactivated", "POST", "/v1/tokens/ID/reactivate".to_owned()),
            ("POST", "/v1/tokens/ID/revoke".to_owned(), json!({}), "revoked", "", String::new()),
        ];
        let id = node.post("/v1/verify", json!({"token": token})).await.expect(200).text("token_id");
        for (method, path, body, reason, back, undo) in cases {
            let good = node.post("/v1/verify", asks.clone()).await.expect(200);
            assert_eq!(good["active"], true, "before {path}");
            let path = path.replace("ID", &id);
            let done = house.send(house.request(method, &format!("{path}?wait=nodes")).bearer_auth(&admin).json(&body)).await.expect(200);
            let confirmed = &done["receipt"]["confirmed"];
            assert_eq!(confirmed["by"], "nodes", "{done:?}");
            let names: Vec<&str> = confirmed["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
            assert_eq!(names, ["node", "other"]);
            assert!(confirmed["nodes"].as_array().unwrap().iter().all(|node| node["milliseconds"].is_i64()));
            let dead = node.post("/v1/verify", asks.clone()).await.expect(200);
            assert_eq!((&dead["active"], &dead["reason"]), (&json!(false), &json!(reason)), "after {path}");
            if !back.is_empty() {
                let undone = house.request(back, &format!("{}?wait=nodes", undo.replace("ID", &id))).bearer_auth(&admin).json(&json!({}));
                house.send(undone).await.expect(200);
            }
        }
        node.stop().await;
    }

    async fn rotation_suspension_and_policy_reach_the_other_node(house) {
        let node = other(house).await;
        let (id, old) = house.issue(&house.admin, json!({})).await;
        assert_eq!(node.verdict(&old).await, "good");
        let rotated = house.post(&house.admin, &format!("/v1/tokens/{id}/rotate?wait=nodes"), json!({})).await.expect(200);
        let new = rotated.text("secret");
        assert_eq!((node.verdict(&old).await.as_str(), node.verdict(&new).await.as_str()), ("rotated", "good"));
        let (org, their) = house.neighbour("next").await;
        let whoami = || async { house.send(reqwest::Client::new().get(format!("{}/v1/whoami", node.url)).bearer_auth(&their)).await };
        whoami().await.expect(200);
        house.post(&house.admin, &format!("/v1/orgs/{org}/suspend?wait=nodes"), json!({})).await.expect(200);
        whoami().await.refused(401, "unauthenticated");
        house.post(&house.admin, &format!("/v1/orgs/{org}/resume?wait=nodes"), json!({})).await.expect(200);
        whoami().await.expect(200);
        let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
        policy["kinds"]["user"]["max_lifetime_seconds"] = json!(60);
        policy.as_object_mut().unwrap().remove("receipt");
        assert_eq!(node.verdict(&new).await, "good");
        house.wait(61);
        house.put(&house.admin, "/v1/policy?wait=nodes", policy).await.expect(200);
        assert_eq!(node.post("/v1/verify", json!({"token": new})).await.status, 401, "the administrator's token ended too");
        node.stop().await;
    }

    async fn a_repeated_question_reads_nothing_whether_the_credential_exists_or_not(house) {
        let (_, token) = house.issue(&house.admin, json!({})).await;
        let junk = "5f0c6e0a-8a53-4d5c-9d0e-1c2b3a495867";
        for secret in [token.as_str(), junk] {
            house.verdict(secret).await;
            let before = readings(house);
            for _ in 0..5 {
                house.verdict(secret).await;
            }
            assert_eq!(readings(house), before, "{secret}");
        }
    }

    async fn many_who_ask_the_same_at_once_make_one_reading(house) {
        let (_, token) = house.issue(&house.admin, json!({})).await;
        house.verdict("junk").await;
        let before = readings(house);
        let house = &*house;
        let asked = futures::future::join_all((0..32).map(|_| house.verdict(&token))).await;
        assert!(asked.iter().all(|verdict| verdict == "good"));
        assert!(readings(house) - before < 8, "{} readings for one secret", readings(house) - before);
    }

    async fn an_answer_can_be_asked_to_be_no_older_than_a_receipt(house) {
        let node = other(house).await;
        let (id, token) = house.issue(&house.admin, json!({})).await;
        let revoked = house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        let (epoch, revision) = (&revoked["receipt"]["epoch"], revoked["receipt"]["revision"].as_i64().unwrap());
        let ask = |at_least: i64| json!({"token": token, "at_least": at_least, "epoch": epoch});
        assert_eq!(node.post("/v1/verify", ask(revision)).await.expect(200)["reason"], "revoked");
        node.post("/v1/verify", ask(0)).await.expect(200);
        node.post("/v1/verify", ask(revision + 1)).await.refused(400, "invalid_field");
        node.post("/v1/verify", json!({"token": token, "at_least": 1, "epoch": 9})).await.refused(400, "invalid_field");
        node.post("/v1/verify", json!({"token": token, "at_least": -1})).await.refused(400, "invalid_field");
        node.post("/v1/verify", json!({"token": token, "epoch": 1})).await.refused(400, "invalid_field");
        node.stop().await;
    }

    async fn wait_is_for_nodes_and_nothing_else(house) {
        for bad in ["wait=all", "wait=", "wait=nodes&wait=nodes"] {
            house.post(&house.admin, &format!("/v1/tokens?{bad}"), json!({})).await.refused(400, "invalid_field");
        }
        let issued = house.post(&house.admin, "/v1/tokens", json!({})).await.expect(201);
        assert_eq!(issued["receipt"].get("confirmed"), None);
    }

    async fn nodes_are_listed_and_leave(house) {
        let node = other(house).await;
        let listed = house.get(&house.admin, "/v1/nodes").await.expect(200);
        let names: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
        assert_eq!((names, &listed["freshness_ms"]), (vec!["node", "other"], &json!(1000)));
        node.stop().await;
        let listed = house.get(&house.admin, "/v1/nodes").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        let (_, person) = house.person("ann@example.test", &["administrator"]).await;
        house.get(&person, "/v1/nodes").await.refused(403, "missing_permission");
        house.patch(&person, "/v1/nodes", json!({"freshness_ms": 500})).await.refused(403, "missing_permission");
    }

    async fn the_freshness_is_set_for_all_nodes_and_not_twice_in_a_row(house) {
        for bad in [99, 10_001, -1] {
            house.patch(&house.admin, "/v1/nodes", json!({"freshness_ms": bad})).await.refused(400, "invalid_field");
        }
        house.patch(&house.admin, "/v1/nodes", json!({"freshness_ms": 500})).await.expect(200);
        house.patch(&house.admin, "/v1/nodes", json!({"freshness_ms": 600})).await.refused(409, "unlawful_state");
        house.wait(2);
        house.patch(&house.admin, "/v1/nodes", json!({"freshness_ms": 600})).await.expect(200);
        assert_eq!(house.get(&house.admin, "/v1/nodes").await.expect(200)["freshness_ms"], 600);
        soon("every node goes by it", || async { verify::pulse(&house.ctx).freshness == 600 }).await;
    }

    async fn a_node_that_left_answers_nothing(house) {
        pulse::leave(&house.ctx).await;
        let refused = house.get(&house.admin, "/v1/whoami").await;
        assert_eq!(refused.header("retry-after"), "1");
        refused.refused(503, "unavailable");
        house.get("", "/healthz/ready").await.expect(503);
    }

    async fn a_token_that_rests_here_but_is_used_there_is_not_idle(house) {
        let node = other(house).await;
        let (_, token) = house.issue(&house.admin, json!({"idle_seconds": 3600})).await;
        assert_eq!(house.verdict(&token).await, "good");
        for _ in 0..3 {
            house.wait(1800);
            assert_eq!(node.verdict(&token).await, "good");
            tokenhouse_authority::housekeeping::flush_uses(&node.ctx).await.unwrap();
        }
        assert_eq!(house.verdict(&token).await, "good", "used on another node half an hour ago at most");
        house.wait(3601);
        assert_eq!((house.verdict(&token).await, node.verdict(&token).await), ("idle".to_owned(), "idle".to_owned()));
        node.stop().await;
    }

    async fn without_heartbeats_a_node_stops_answering_unless_it_may_be_stale_and_then_says_so(house) {
        let (_, token) = house.issue(&house.admin, json!({})).await;
        let lenient = house.another_node("lenient", Settings { stale: 60_000, ..Settings::default() }).await;
        assert_eq!((house.verdict(&token).await.as_str(), lenient.verdict(&token).await.as_str()), ("good", "good"));
        house.database.execute("ALTER TABLE node RENAME TO node_away").await;
        soon("the strict node is not ready", || async { house.get("", "/healthz/ready").await.status == 503 }).await;
        let refused = house.post(&house.admin, "/v1/verify", json!({"token": token})).await;
        assert_eq!(refused.header("retry-after"), "1");
        refused.refused(503, "unavailable");
        soon("the lenient node says how old its answer may be", || async {
            lenient.post("/v1/verify", json!({"token": token})).await.expect(200)["stale_ms"].as_i64().is_some_and(|age| age >= 1000)
        }).await;
        // What it does not remember it does not guess.
        let junk = json!({"token": "5f0c6e0a-8a53-4d5c-9d0e-1c2b3a495868"});
        lenient.post("/v1/verify", junk).await.refused(503, "unavailable");
        assert!(verify::counters(&lenient.ctx)[3] > 0, "stale answers are counted");
        house.database.execute("ALTER TABLE node_away RENAME TO node").await;
        soon("both answer as before", || async {
            let answer = lenient.post("/v1/verify", json!({"token": token})).await;
            answer.status == 200 && answer.body.get("stale_ms").is_none() && house.get("", "/healthz/ready").await.status == 200
        }).await;
        lenient.stop().await;
    }

    async fn history_lost_while_running_is_noticed_and_what_it_took_away_is_taken_away_again(house) {
        let (id, token) = house.issue(&house.admin, json!({})).await;
        let (_, kept) = house.issue(&house.admin, json!({})).await;
        let before = house.revision().await;
        house.database.execute("CREATE TABLE kept_head AS SELECT * FROM ledger_head").await;
        house.database.execute("CREATE TABLE kept_token AS SELECT * FROM token").await;
        house.database.execute("CREATE TABLE kept_secret AS SELECT * FROM secret").await;
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(house.verdict(&token).await, "revoked");
        // What a standby that lagged behind knows, put in the primary's place under the running node.
        let restore = format!(
            "BEGIN; DELETE FROM ledger_event WHERE revision > {before}; DELETE FROM ledger_head;
            INSERT INTO ledger_head SELECT * FROM kept_head; DELETE FROM secret; DELETE FROM token;
            INSERT INTO token SELECT * FROM kept_token; INSERT INTO secret SELECT * FROM kept_secret; COMMIT");
        house.database.execute(&restore).await;
        soon("the loss is noticed", || async { verify::pulse(&house.ctx).lost == 1 }).await;
        soon("the node answers again", || async { house.get("", "/healthz/ready").await.status == 200 }).await;
        assert_eq!((house.verdict(&token).await.as_str(), house.verdict(&kept).await.as_str()), ("revoked", "good"));
        let replayed = house.events(before).await;
        assert_eq!((&replayed[0]["kind"], &replayed[0]["epoch"]), (&json!("house.journal_replayed"), &json!(2)));
        let revoked = house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(revoked["receipt"]["epoch"], 2);
    }
}
