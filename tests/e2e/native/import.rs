//! `/v1/tokens/import`: tokens that move in, and who may bring which.

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};
use tokenhouse_model::SecretText;

mod grafana;
mod restore;
mod rules;

/// A secret as another system would have made it, which must be found nowhere afterwards.
fn foreign(house: &House, number: u64) -> String {
    let bytes = SecretText::new(format!("of test {number}")).digest().to_hex();
    let text = format!("legacy_{}", &bytes[..48]);
    house.secret(&text);
    text
}

/// A UUID v4.
fn uuid(house: &House, number: u64) -> String {
    let hex = SecretText::new(format!("uuid {number}")).digest().to_hex();
    let text = format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30]);
    house.secret(&text);
    text
}

fn sha256(text: &str) -> String {
    SecretText::new(text.to_owned()).digest().to_hex()
}

async fn import(house: &House, with: &str, rows: Value) -> Answer {
    house.post(with, "/v1/tokens/import", json!({"tokens": rows})).await
}

/// Imports one row: `imported`, `present`, or the code of the refusal.
async fn one(house: &House, with: &str, row: Value) -> String {
    let answer = import(house, with, json!([row])).await.expect(200);
    told(&answer, 0)
}

fn told(answer: &Answer, at: usize) -> String {
    let row = &answer["tokens"][at];
    row["code"].as_str().or(row["outcome"].as_str()).unwrap().to_owned()
}

both! {
    async fn a_script_that_holds_an_imported_token_never_notices(house) {
        let (robot, _) = house.service("ci", &["member"]).await;
        let (text, wavefront) = (foreign(house, 1), uuid(house, 2));
        assert_eq!(house.verdict(&text).await, "unknown");
        assert_eq!(house.verdict(&wavefront).await, "unknown");
        let now = house.clock.now();
        let rows = json!([
            {"token": text, "owner": "sa::ci", "name": "deploy", "created_at": now - 5000, "last_used_at": now - 1000,
             "expires_at": now + 60_000, "addresses": []},
            {"token": wavefront, "owner": robot, "reach": ["wavefront", "verify"]},
        ]);
        let answer = import(house, &house.admin, rows).await.expect(200);
        assert_eq!((&answer["imported"], &answer["refused"]), (&json!(2), &json!(0)), "{}", answer.raw);
        assert_eq!(house.verdict(&text).await, "good");
        assert_eq!(house.verdict(&wavefront).await, "good");
        let path = format!("/v1/tokens/{}", answer["tokens"][0]["id"].as_str().unwrap());
        let shown = house.get(&house.admin, &path).await.expect(200);
        let expected = json!([
            "deploy", "service", now - 5000, now + 60_000, ["verify"], null, "active", text[text.len() - 4..],
        ]);
        let got = json!([
            shown["name"], shown["kind"], shown["created_at"], shown["expires_at"], shown["reach"], shown["scopes"],
            shown["state"], shown["secrets"][0]["last4"],
        ]);
        assert_eq!(got, expected);
        // Where it was made for it works as it did; where it was not, it does not.
        let mine = house.get(&wavefront, "/api/v2/apitoken").await.expect(200);
        assert_eq!(mine["response"].as_array().unwrap().len(), 3, "{}", mine.raw);
        house.get(&text, "/api/v2/apitoken").await.expect(401);
        house.get(&text, "/v1/whoami").await.expect(401);
        house.wait(60);
        assert_eq!(house.verdict(&text).await, "expired");
    }

    async fn a_token_moves_in_by_its_digest_alone(house) {
        let (_, session) = house.person("ana@example.test", &["member"]).await;
        let text = foreign(house, 3);
        let row = json!({"sha256": sha256(&text), "bits": 192, "owner": "ana@example.test", "name": "laptop",
            "permissions": ["house:read"], "last4": "wxyz"});
        let answer = import(house, &house.admin, json!([row])).await.expect(200);
        assert_eq!(told(&answer, 0), "imported");
        let verified = house.post(&house.admin, "/v1/verify", json!({"token": text})).await.expect(200);
        assert_eq!((&verified["active"], &verified["permissions"]), (&json!(true), &json!(["house:read"])));
        assert_eq!((&verified["identifier"], &verified["kind"]), (&json!("ana@example.test"), &json!("user")));
        // It is the person's own, as if she had made it.
        let mine = house.get(&session, "/v1/tokens").await.expect(200);
        let mine = mine["items"].as_array().unwrap().iter().find(|item| item["name"] == "laptop").unwrap().clone();
        assert_eq!(mine["secrets"][0]["last4"], "wxyz");
        house.post(&session, &format!("/v1/tokens/{}/revoke", mine["id"].as_str().unwrap()), json!({})).await.expect(200);
        assert_eq!(house.verdict(&text).await, "revoked");
    }

    async fn the_same_import_again_changes_nothing(house) {
        house.service("ci", &[]).await;
        let rows: Vec<Value> = (10..30).map(|n| json!({"token": foreign(house, n), "owner": "sa::ci", "name": n.to_string()})).collect();
        // One of its own token is there already: of twenty nineteen fit.
        let first = import(house, &house.admin, json!(rows)).await.expect(200);
        assert_eq!((&first["imported"], &first["refused"]), (&json!(19), &json!(1)));
        assert_eq!(told(&first, 19), "limit_reached");
        let before = house.revision().await;
        let again = import(house, &house.admin, json!(rows)).await.expect(200);
        assert_eq!((&again["imported"], &again["present"], &again["refused"]), (&json!(0), &json!(19), &json!(1)));
        for at in 0..19 {
            assert_eq!(again["tokens"][at]["id"], first["tokens"][at]["id"]);
        }
        assert_eq!(house.revision().await, before);
    }

    async fn half_of_an_import_is_completed_by_the_whole(house) {
        house.service("ci", &[]).await;
        let rows: Vec<Value> = (0..10).map(|n| json!({"token": foreign(house, 100 + n), "owner": "sa::ci"})).collect();
        import(house, &house.admin, json!(rows[..4])).await.expect(200);
        house.restart().await;
        let whole = import(house, &house.admin, json!(rows)).await.expect(200);
        assert_eq!((&whole["imported"], &whole["present"]), (&json!(6), &json!(4)));
        for row in &rows {
            assert_eq!(house.verdict(row["token"].as_str().unwrap()).await, "good");
        }
    }

    async fn a_dry_run_decides_everything_and_changes_nothing(house) {
        let (id, _) = house.service("ci", &[]).await;
        let text = foreign(house, 40);
        let rows = json!([{"token": text, "owner": "sa::ci"}, {"token": text, "owner": "sa::ci"}, {"owner": "sa::ci"},
            {"token": foreign(house, 41), "owner": "sa::nobody"}]);
        let before = house.revision().await;
        let answer = house.post(&house.admin, "/v1/tokens/import", json!({"tokens": rows, "dry_run": true})).await.expect(200);
        assert_eq!((&answer["dry_run"], &answer["imported"], &answer["refused"]), (&json!(true), &json!(1), &json!(3)));
        assert!(answer["tokens"][0].get("id").is_none());
        let codes: Vec<String> = (0..4).map(|at| told(&answer, at)).collect();
        assert_eq!(codes, ["imported", "duplicate", "malformed", "unknown_owner"]);
        assert_eq!(house.revision().await, before);
        assert!(house.events(before).await.is_empty());
        assert_eq!(house.get(&house.admin, &format!("/v1/tokens?owner={id}")).await.expect(200)["items"].as_array().unwrap().len(), 1);
        assert_eq!(house.verdict(&text).await, "unknown");
    }

    async fn bad_rows_are_refused_one_by_one_and_stop_nothing(house) {
        let (robot, _) = house.service("ci", &[]).await;
        let (off, _) = house.service("off", &[]).await;
        house.post(&house.admin, &format!("/v1/accounts/{off}/deactivate"), json!({})).await.expect(200);
        let (gone, _) = house.service("gone", &[]).await;
        house.delete(&house.admin, &format!("/v1/accounts/{gone}")).await.expect(200);
        let (neighbour, _) = house.neighbour("other").await;
        let now = house.clock.now();
        let good = |n: u64| json!({"token": foreign(house, 50 + n), "owner": "sa::ci"});
        let with = |n: u64, members: Value| {
            let mut row = good(n);
            row.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            row
        };
        let rows = [
            (good(0), "imported"),
            (json!({}), "malformed"),
            (with(1, json!({"nonsense": 1})), "malformed"),
            (with(0, json!({"name": "again"})), "duplicate"),
            (json!({"token": "correct-horse-battery-staple", "owner": "sa::ci"}), "weak"),
            (with(2, json!({"owner": "sa::none"})), "unknown_owner"),
            (with(3, json!({"owner": gone})), "unknown_owner"),
            (with(4, json!({"owner": neighbour})), "unknown_owner"),
            (with(5, json!({"owner": "admin@other.test"})), "unknown_owner"),
            (with(6, json!({"owner": off})), "unlawful_state"),
            (with(7, json!({"expires_at": now - 1})), "expired"),
            (with(8, json!({"created_at": now + 1})), "malformed"),
            (with(9, json!({"permissions": ["house:orgs"]})), "invalid_field"),
            (with(10, json!({"name": "x".repeat(200)})), "malformed"),
            (with(11, json!({"addresses": ["10.0.0.1/8"]})), "malformed"),
            // What a refused row has is free for a right one.
            (with(2, json!({"name": "found its owner"})), "imported"),
            (good(12), "imported"),
            (with(13, json!({"disabled": true})), "imported"),
        ];
        let before = house.revision().await;
        let answer = import(house, &house.admin, rows.iter().map(|(row, _)| row.clone()).collect()).await.expect(200);
        for (at, (row, expected)) in rows.iter().enumerate() {
            assert_eq!(told(&answer, at), *expected, "{row} {}", answer["tokens"][at]);
        }
        assert_eq!((&answer["imported"], &answer["refused"]), (&json!(4), &json!(14)));
        // One event for all of them, without a name of a secret.
        let events = house.events(before).await;
        assert_eq!((events.len(), &events[0]["kind"], &events[0]["details"]["count"]), (1, &json!("token.imported"), &json!(4)));
        assert_eq!(events[0]["details"]["tokens"][&robot].as_array().unwrap().len(), 4);
        assert_eq!(house.verdict(rows[17].0["token"].as_str().unwrap()).await, "deactivated");
        for row in [&rows[7].0, &rows[10].0] {
            assert_eq!(house.verdict(row["token"].as_str().unwrap()).await, "unknown");
        }
    }

    async fn what_is_no_import_is_refused_as_a_whole(house) {
        let rows: Vec<Value> = (0..501).map(|_| json!({})).collect();
        import(house, &house.admin, json!(rows)).await.refused(400, "invalid_field");
        for body in [json!({}), json!({"tokens": {}}), json!({"tokens": [1]}), json!({"tokens": [], "dryrun": true})] {
            house.post(&house.admin, "/v1/tokens/import", body).await.refused(400, "malformed");
        }
        let before = house.revision().await;
        let none = import(house, &house.admin, json!([])).await.expect(200);
        assert_eq!((&none["imported"], &none["tokens"]), (&json!(0), &json!([])));
        assert_eq!(house.revision().await, before);
        let most: Vec<Value> = (0..500).map(|n| json!({"token": foreign(house, 10_000 + n), "owner": "sa::none"})).collect();
        assert_eq!(import(house, &house.admin, json!(most)).await.expect(200)["refused"], 500);
    }

    async fn what_died_here_does_not_move_in_again(house) {
        house.service("ci", &[]).await;
        let text = foreign(house, 60);
        let row = json!({"token": text, "owner": "sa::ci"});
        let answer = import(house, &house.admin, json!([row])).await.expect(200);
        let id = answer["tokens"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(house.verdict(&text).await, "good");
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(house.verdict(&text).await, "revoked");
        assert_eq!(one(house, &house.admin, row.clone()).await, "dead");
        let by_digest = json!({"sha256": sha256(&text), "bits": 200, "owner": "sa::ci"});
        assert_eq!(one(house, &house.admin, by_digest).await, "dead");
        assert_eq!(house.verdict(&text).await, "revoked");
        // A replaced secret is as dead as a revoked one.
        let rotated = foreign(house, 61);
        let row = json!({"token": rotated, "owner": "sa::ci"});
        let answer = import(house, &house.admin, json!([row])).await.expect(200);
        let id = answer["tokens"][0]["id"].as_str().unwrap().to_owned();
        house.post(&house.admin, &format!("/v1/tokens/{id}/rotate"), json!({})).await.expect(200);
        assert_eq!(one(house, &house.admin, row).await, "dead");
        assert_eq!(house.verdict(&rotated).await, "rotated");
    }

    async fn a_secret_is_of_one_token_only(house) {
        house.service("one", &[]).await;
        house.service("two", &[]).await;
        let text = foreign(house, 70);
        assert_eq!(one(house, &house.admin, json!({"token": text, "owner": "sa::one", "name": "a"})).await, "imported");
        for row in [json!({"token": text, "owner": "sa::two", "name": "a"}), json!({"token": text, "owner": "sa::one", "name": "b"})] {
            assert_eq!(one(house, &house.admin, row).await, "duplicate");
        }
        let (_, neighbour) = house.neighbour("other").await;
        house.post(&neighbour, "/v1/accounts", json!({"kind": "service", "identifier": "sa::one"})).await.expect(201);
        assert_eq!(one(house, &neighbour, json!({"token": text, "owner": "sa::one", "name": "a"})).await, "duplicate");
        // One of our own is no exception.
        let (_, own) = house.issue(&house.admin, json!({})).await;
        assert_eq!(one(house, &house.admin, json!({"token": own, "owner": "sa::one"})).await, "duplicate");
    }

    async fn two_nodes_import_the_same_at_once_and_nothing_is_twice(house) {
        let (id, _) = house.service("ci", &[]).await;
        let rows: Vec<Value> = (200..215).map(|n| json!({"token": foreign(house, n), "owner": "sa::ci"})).collect();
        let other = house.another_node("second", Default::default()).await;
        // A node that remembers that there is no such secret learns that there is.
        let text = rows[3]["token"].as_str().unwrap();
        assert_eq!((house.verdict(text).await, other.verdict(text).await), ("unknown".into(), "unknown".into()));
        let body = json!({"tokens": rows});
        let (one, two) = tokio::join!(import(house, &house.admin, json!(rows)), other.post("/v1/tokens/import?wait=nodes", body));
        let (one, two) = (one.expect(200), two.expect(200));
        assert_eq!(one.number("imported") + two.number("imported"), 15);
        assert_eq!(one.number("present") + two.number("present"), 15);
        let page = house.get(&house.admin, &format!("/v1/tokens?owner={id}&limit=100")).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 16);
        let revision = house.revision().await;
        let ask = json!({"token": text, "at_least": revision});
        assert_eq!(other.post("/v1/verify", ask).await.expect(200)["active"], true);
        assert_eq!(house.verdict(text).await, "good");
        other.stop().await;
    }

    async fn a_repeated_request_gets_the_first_answer(house) {
        house.service("ci", &[]).await;
        let ask = json!({"tokens": [{"token": foreign(house, 80), "owner": "sa::ci"}, {"owner": "sa::ci"}]});
        let send = || house.request("POST", "/v1/tokens/import").bearer_auth(&house.admin).header("Idempotency-Key", "k1").json(&ask);
        let first = house.send(send()).await.expect(200);
        let again = house.send(send()).await.expect(200);
        assert_eq!((first.body, told(&again, 0)), (again.body.clone(), "imported".to_owned()));
    }
}
