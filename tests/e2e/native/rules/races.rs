//! Requests that meet: the writer decides each caller anew, in the order of the ledger.

use futures::future::join_all;
use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::{effective, robot};

/// Lets these requests and that one at the end run at once. The others begin in the middle of one another's way.
async fn during(
    house: &House,
    many: Vec<(&str, String, Value)>,
    with: &str,
    last: (&str, String),
) -> (Vec<Answer>, Answer) {
    let flood = many
        .iter()
        .map(async |(method, path, body)| house.send(house.request(method, path).bearer_auth(with).json(body)).await);
    let last = async {
        tokio::task::yield_now().await;
        house.send(house.request(last.0, &last.1).bearer_auth(&house.admin).json(&json!({}))).await.expect(200)
    };
    futures::future::join(join_all(flood), last).await
}

/// What someone would do who has a moment left.
fn looting(account: &str) -> Vec<(&'static str, String, Value)> {
    let mut many = Vec::new();
    for number in 0..12 {
        many.push(("POST", "/v1/tokens".to_owned(), json!({"name": format!("n{number}")})));
        let account_ask = json!({"kind": "service", "identifier": format!("sa::back{number}")});
        many.push(("POST", "/v1/accounts".to_owned(), account_ask));
        many.push(("POST", "/v1/groups".to_owned(), json!({"name": format!("g{number}")})));
        many.push((
            "PUT",
            format!("/v1/accounts/{account}/roles/member"),
            json!({"expires_at": 1_900_000_000_000_i64 + number}),
        ));
    }
    many
}

/// Every success stands before the loss in the ledger, and nothing of this token's after it.
async fn nothing_after(house: &House, before: i64, flood: &[Answer], token: &str, loss: i64, refused: (u16, &str)) {
    for answer in flood {
        if answer.status < 300 {
            assert!(answer["receipt"]["revision"].as_i64().unwrap() < loss, "{}", answer.raw);
        } else {
            assert_eq!((answer.status, answer["code"].as_str().unwrap()), refused, "{}", answer.raw);
        }
    }
    for event in house.events(before).await {
        let after = event["revision"].as_i64().unwrap() > loss;
        assert!(!after || event["actor_token"] != token, "{event}");
    }
}

both! {
    async fn a_dead_administrators_token_does_nothing_after_its_revocation(house) {
        let (victim, _) = robot(house, "victim", &[]).await;
        let (_, session) = house.person("admin2@example.test", &["administrator"]).await;
        for _ in 0..4 {
            let (id, secret) = house.issue(&session, json!({})).await;
            let before = house.revision().await;
            let revoke = ("POST", format!("/v1/tokens/{id}/revoke"));
            let (flood, revoked) = during(house, looting(&victim), &secret, revoke).await;
            let loss = revoked["receipt"]["revision"].as_i64().unwrap();
            nothing_after(house, before, &flood, &id, loss, (401, "unauthenticated")).await;
            let (late, _) = during(house, looting(&victim), &secret, ("POST", format!("/v1/tokens/{id}/revoke"))).await;
            assert!(late.iter().all(|answer| answer.status == 401));
            clear(house, "admin2@example.test").await;
        }
    }

    async fn an_administrator_who_loses_his_role_does_nothing_with_it_afterwards(house) {
        let (victim, _) = robot(house, "victim", &[]).await;
        let (id, session) = house.person("admin2@example.test", &["administrator"]).await;
        let own = house.get(&session, "/v1/tokens/self").await.expect(200).text("id");
        let before = house.revision().await;
        let take = ("DELETE", format!("/v1/accounts/{id}/roles/administrator"));
        let (flood, taken) = during(house, looting(&victim), &session, take).await;
        let loss = taken["receipt"]["revision"].as_i64().unwrap();
        nothing_after(house, before, &flood, &own, loss, (403, "missing_permission")).await;
        house.post(&session, "/v1/groups", json!({"name": "late"})).await.refused(403, "missing_permission");
    }

    async fn a_switched_off_or_deleted_administrator_does_nothing_afterwards(house) {
        let (victim, _) = robot(house, "victim", &[]).await;
        for (email, method, end) in [("one@example.test", "POST", "/deactivate"), ("two@example.test", "DELETE", "")] {
            let (account, session) = house.person(email, &["administrator"]).await;
            let own = house.get(&session, "/v1/tokens/self").await.expect(200).text("id");
            let before = house.revision().await;
            let over = (method, format!("/v1/accounts/{account}{end}"));
            let (flood, ended) = during(house, looting(&victim), &session, over).await;
            let loss = ended["receipt"]["revision"].as_i64().unwrap();
            // What an earlier round made is a duplicate now.
            let flood: Vec<_> = flood.into_iter().filter(|answer| answer["code"] != "duplicate").collect();
            nothing_after(house, before, &flood, &own, loss, (401, "unauthenticated")).await;
            house.post(&session, "/v1/tokens", json!({})).await.refused(401, "unauthenticated");
        }
    }

    async fn of_sixteen_issues_that_race_for_the_twentieth_place_one_wins(house) {
        let (account, token) = robot(house, "ci", &["house:tokens.issue"]).await;
        for number in 1..19 {
            house.issue(&token, json!({"name": format!("n{number}")})).await;
        }
        let both = [&token, &house.admin];
        let racing = (0..16).map(async |number| {
            house.post(both[number % 2], "/v1/tokens", json!({"owner": account, "name": "twentieth"})).await
        });
        let (won, lost): (Vec<_>, Vec<_>) = join_all(racing).await.into_iter().partition(|answer| answer.status == 201);
        assert_eq!((won.len(), lost.len()), (1, 15));
        for answer in lost {
            assert_eq!(answer.refused(409, "limit_reached")["limit"], 20);
        }
        let listed = house.get(&token, "/v1/tokens?limit=1000").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 20);
        // One place, freed twice at once, is one place.
        let id = won[0].text("id");
        join_all((0..4).map(|_| house.post(&token, "/v1/tokens/self/deactivate", json!({})))).await;
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        house.post(&house.admin, "/v1/tokens", json!({"owner": account})).await.expect(201);
        house.post(&house.admin, "/v1/tokens", json!({"owner": account})).await.refused(409, "limit_reached");
    }

    async fn of_rotations_that_race_one_secret_stays(house) {
        let (id, old) = house.issue(&house.admin, json!({})).await;
        let path = format!("/v1/tokens/{id}/rotate");
        let raced = join_all((0..8).map(|_| house.post(&house.admin, &path, json!({})))).await;
        let mut good = 0;
        for answer in &raced {
            assert_eq!(answer.status, 200, "{}", answer.raw);
            good += usize::from(house.verdict(&answer.text("secret")).await == "good");
        }
        assert_eq!((good, house.verdict(&old).await.as_str()), (1, "rotated"));
        // By itself, at once: the first wins, the others come with a secret that is dead by then.
        let (_, own) = house.issue(&house.admin, json!({})).await;
        let raced = join_all((0..8).map(|_| house.post(&own, "/v1/tokens/self/rotate", json!({})))).await;
        let (won, lost): (Vec<_>, Vec<_>) = raced.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1);
        lost.into_iter().for_each(|answer| drop(answer.refused(401, "unauthenticated")));
        assert_eq!(house.verdict(&won[0].text("secret")).await, "good");
    }

    async fn whatever_races_a_revocation_the_token_is_dead_after_it(house) {
        for _ in 0..4 {
            let (id, secret) = house.issue(&house.admin, json!({})).await;
            let path = format!("/v1/tokens/{id}");
            let mut many = Vec::new();
            for number in 0..6 {
                many.push(("POST", format!("{path}/deactivate"), json!({})));
                many.push(("POST", format!("{path}/reactivate"), json!({})));
                many.push(("POST", format!("{path}/rotate"), json!({"overlap_seconds": 60})));
                many.push(("PATCH", path.clone(), json!({"expires_at": 1_900_000_000_000_i64 + number})));
            }
            let admin = house.admin.clone();
            let (flood, _) = during(house, many, &admin, ("POST", format!("{path}/revoke"))).await;
            assert!(flood.iter().all(|answer| [200, 409].contains(&answer.status)));
            let mut secrets: Vec<String> =
                flood.iter().filter_map(|a| a["secret"].as_str().map(str::to_owned)).collect();
            secrets.push(secret);
            for secret in &secrets {
                assert_eq!(house.verdict(secret).await, "revoked");
            }
            let shown = house.get(&house.admin, &path).await.expect(200);
            assert_eq!((&shown["state"], &shown["secrets"]), (&json!("revoked"), &json!([])));
        }
    }

    async fn a_role_that_is_given_and_taken_at_once_is_there_or_not_but_never_torn(house) {
        let (account, token) = robot(house, "ci", &[]).await;
        let path = format!("/v1/accounts/{account}/roles/auditor");
        let racing = (0..16).map(async |number| match number % 2 {
            0 => house.put(&house.admin, &path, json!({})).await,
            _ => house.delete(&house.admin, &path).await,
        });
        let raced = join_all(racing).await;
        assert!(raced.iter().all(|answer| answer.status == 200));
        let events = house.events(0).await;
        let last = events.iter().rev().find(|event| event["subject"] == account.as_str()).unwrap();
        let held = effective(house, &token).await;
        assert_eq!(held.is_empty(), last["kind"] == "role.unassigned", "{held:?} after {last}");
    }
}

/// Revokes what an account issued, and takes away what it made, so that the next round starts the same.
async fn clear(house: &House, owner: &str) {
    let tokens = house.get(&house.admin, &format!("/v1/tokens?owner={owner}&kind=user&limit=1000")).await.expect(200);
    for token in tokens["items"].as_array().unwrap() {
        house
            .post(&house.admin, &format!("/v1/tokens/{}/revoke", token["id"].as_str().unwrap()), json!({}))
            .await
            .expect(200);
    }
    for (list, prefix) in [("accounts", "sa::back"), ("groups", "g")] {
        let items = house.get(&house.admin, &format!("/v1/{list}?limit=1000")).await.expect(200);
        for item in items["items"].as_array().unwrap() {
            let name = item["identifier"].as_str().or(item["name"].as_str()).unwrap();
            if name.starts_with(prefix) {
                house.delete(&house.admin, &format!("/v1/{list}/{}", item["id"].as_str().unwrap())).await.expect(200);
            }
        }
    }
}
