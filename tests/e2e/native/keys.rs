//! `/v1/keys`, and where the public halves are published.

use serde_json::{Value, json};
use tokenhouse_authority::{Settings, keys, pulse};
use tokenhouse_e2e::{House, both, both_programs};

const AUTH: &str = "/csp/gateway/am/api/auth";

/// Keys as `algorithm state`, in the order in which they sign.
async fn states(house: &House) -> Vec<String> {
    let listed = house.get(&house.admin, "/v1/keys").await.expect(200);
    let items = listed["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|key| format!("{} {}", key["algorithm"].as_str().unwrap(), key["state"].as_str().unwrap()))
        .collect()
}

async fn of(house: &House, algorithm: &str, state: &str) -> String {
    let listed = house.get(&house.admin, "/v1/keys").await.expect(200);
    let items = listed["items"].as_array().unwrap();
    let key = items.iter().find(|key| key["algorithm"] == algorithm && key["state"] == state);
    key.expect("such a key")["id"].as_str().unwrap().to_owned()
}

/// The ids of the published keys.
async fn published(house: &House) -> Vec<String> {
    kids(&house.get("", "/oauth2/jwks").await.expect(200).body)
}

fn kids(set: &Value) -> Vec<String> {
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

both! {
    async fn there_is_a_key_for_each_algorithm_and_everybody_can_read_its_public_half(house) {
        assert_eq!(house.get("", "/oauth2/jwks").await.expect(200).body, json!({"keys": []}));
        house.get("", &format!("{AUTH}/token-public-key")).await.expect(503);
        keys::tend(&house.ctx).await.unwrap();
        keys::tend(&house.ctx).await.unwrap();
        let mut made = states(house).await;
        made.sort();
        assert_eq!(made, ["ES256 signing", "EdDSA signing", "RS256 signing"]);
        let answer = house.get("", "/oauth2/jwks").await.expect(200);
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        for path in ["/.well-known/jwks.json".to_owned(), format!("{AUTH}/keys"), format!("{AUTH}/token-public-key?format=jwks")] {
            assert_eq!(house.get("", &path).await.expect(200).body, answer.body, "{path}");
        }
        let keys = answer["keys"].as_array().unwrap();
        for key in keys {
            let (members, lengths): (&[&str], &[usize]) = match key["alg"].as_str().unwrap() {
                "RS256" => (&["n", "e"], &[342, 4]),
                "ES256" => (&["x", "y"], &[43, 43]),
                _ => (&["x"], &[43]),
            };
            assert_eq!(key["use"], "sig");
            for (member, length) in members.iter().zip(lengths) {
                assert_eq!(key[member].as_str().unwrap().len(), *length, "{key}");
            }
            assert!(key.get("d").is_none() && key.get("p").is_none(), "a private member: {key}");
        }
        let one = house.get("", &format!("{AUTH}/token-public-key")).await.expect(200);
        assert_eq!((&one["alg"], &one["issuer"]), (&json!("SHA256withRSA"), &json!("http://localhost")));
        let pem = one["value"].as_str().unwrap();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{pem}");
        assert!(pem.ends_with("\n-----END PUBLIC KEY-----\n") && pem.lines().all(|line| line.len() <= 64), "{pem}");
        assert_eq!(house.get("", &format!("{AUTH}/token-public-key?format=pem")).await.expect(200).body, one.body);
    }

    async fn a_new_key_signs_an_hour_after_it_was_published_and_the_old_one_is_believed_for_five_more(house) {
        keys::tend(&house.ctx).await.unwrap();
        let old = of(house, "ES256", "signing").await;
        let made = house.post(&house.admin, "/v1/keys/rotate", json!({"algorithm": "ES256"})).await.expect(201);
        assert_eq!((&made["state"], made["receipt"]["revision"].is_i64()), (&json!("next"), true));
        assert_eq!(made["signs_from"].as_i64().unwrap() - made["created_at"].as_i64().unwrap(), 3_600_000);
        let new = made.text("id");
        assert!(published(house).await.contains(&new), "published before it signs");
        house.post(&house.admin, "/v1/keys/rotate", json!({"algorithm": "ES256"})).await.refused(409, "unlawful_state");
        house.wait(3_601);
        assert_eq!(of(house, "ES256", "signing").await, new);
        assert_eq!(of(house, "ES256", "verifying").await, old);
        assert!(published(house).await.contains(&old));
        house.wait(5 * 3600 + 60);
        assert_eq!(of(house, "ES256", "retired").await, old);
        assert!(!published(house).await.contains(&old));
        keys::tend(&house.ctx).await.unwrap();
    }

    async fn a_key_that_signs_and_is_ended_is_replaced_at_once(house) {
        keys::tend(&house.ctx).await.unwrap();
        let old = of(house, "EdDSA", "signing").await;
        house.wait(1);
        let ended = house.post(&house.admin, &format!("/v1/keys/{old}/retire"), json!({})).await.expect(200);
        assert_eq!(ended["state"], "verifying");
        let new = of(house, "EdDSA", "signing").await;
        assert_ne!(new, old);
        assert!(published(house).await.contains(&old), "what it signed is believed until it is over");
        let before = house.revision().await;
        house.post(&house.admin, &format!("/v1/keys/{old}/retire"), json!({})).await.expect(200);
        assert_eq!(house.revision().await, before, "ending it again changes nothing");
        // One that does not sign yet never will.
        let next = house.post(&house.admin, "/v1/keys/rotate", json!({"algorithm": "EdDSA"})).await.expect(201).text("id");
        let ended = house.post(&house.admin, &format!("/v1/keys/{next}/retire"), json!({})).await.expect(200);
        assert_eq!(ended["state"], "retired");
        assert!(!published(house).await.contains(&next));
        house.wait(3_601);
        assert_eq!(of(house, "EdDSA", "signing").await, new);
        let hurried = json!({"algorithm": "EdDSA", "at_once": true});
        let made = house.post(&house.admin, "/v1/keys/rotate", hurried).await.expect(201);
        assert_eq!((made.text("state").as_str(), of(house, "EdDSA", "signing").await), ("signing", made.text("id")));
    }

    async fn a_compromised_key_is_forgotten_on_every_node_once_it_is_confirmed(house) {
        keys::tend(&house.ctx).await.unwrap();
        let node = house.another_node("other", Settings::default()).await;
        let there = async || kids(&reqwest::get(format!("{}/oauth2/jwks", node.url)).await.unwrap().json().await.unwrap());
        house.wait(1);
        for old in [of(house, "RS256", "signing").await, of(house, "ES256", "signing").await] {
            assert!(there().await.contains(&old));
            let done = house.post(&house.admin, &format!("/v1/keys/{old}/retire?wait=nodes"), json!({"compromised": true})).await;
            let done = done.expect(200);
            assert_eq!((&done["state"], &done["receipt"]["confirmed"]["by"]), (&json!("compromised"), &json!("nodes")));
            assert!(!there().await.contains(&old) && !published(house).await.contains(&old));
            assert_eq!(there().await.len(), 3, "another signs in its place");
        }
        // A node that does not follow the ledger may have missed the next one.
        pulse::leave(&node.ctx).await;
        assert_eq!(reqwest::get(format!("{}/oauth2/jwks", node.url)).await.unwrap().status(), 503);
        let kinds: Vec<Value> = house.events(0).await.into_iter().map(|event| event["kind"].clone()).collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "signing_key.compromised").count(), 2, "{kinds:?}");
        node.stop().await;
    }

    async fn keys_are_replaced_by_themselves_after_as_many_days_as_the_house_says(house) {
        keys::tend(&house.ctx).await.unwrap();
        assert_eq!(house.get(&house.admin, "/v1/keys").await.expect(200)["rotate_days"], 90);
        house.patch(&house.admin, "/v1/keys", json!({"rotate_days": 2})).await.expect(200);
        let before = house.revision().await;
        house.patch(&house.admin, "/v1/keys", json!({"rotate_days": 2})).await.expect(200);
        assert_eq!(house.revision().await, before, "the same again changes nothing");
        house.wait(2 * 86_400 - 3_600);
        let other = house.node(&house.clock).await;
        let (one, two) = tokio::join!(keys::tend(&house.ctx), keys::tend(&other));
        one.and(two).unwrap();
        let mut all = states(house).await;
        all.sort();
        assert_eq!(all, ["ES256 next", "ES256 signing", "EdDSA next", "EdDSA signing", "RS256 next", "RS256 signing"]);
        house.patch(&house.admin, "/v1/keys", json!({"rotate_days": 0})).await.expect(200);
        house.wait(30 * 86_400);
        keys::tend(&house.ctx).await.unwrap();
        assert_eq!(states(house).await.len(), 6);
        for wrong in [-1, 3651] {
            house.patch(&house.admin, "/v1/keys", json!({"rotate_days": wrong})).await.refused(400, "invalid_field");
        }
    }

    async fn only_an_operator_sees_and_changes_them(house) {
        keys::tend(&house.ctx).await.unwrap();
        let key = of(house, "RS256", "signing").await;
        let (_, admin) = house.neighbour("next").await;
        let (_, robot) = house.service("robot", &["administrator"]).await;
        for token in [&admin, &robot] {
            house.get(token, "/v1/keys").await.refused(403, "missing_permission");
            house.patch(token, "/v1/keys", json!({"rotate_days": 1})).await.refused(403, "missing_permission");
            house.post(token, "/v1/keys/rotate", json!({"algorithm": "RS256"})).await.refused(403, "missing_permission");
            house.post(token, &format!("/v1/keys/{key}/retire"), json!({})).await.refused(403, "missing_permission");
        }
        house.get("", "/v1/keys").await.refused(401, "unauthenticated");
        for id in ["nonsense", "01900000-0000-7000-8000-000000000000"] {
            house.post(&house.admin, &format!("/v1/keys/{id}/retire"), json!({})).await.refused(404, "not_found");
        }
        house.post(&house.admin, "/v1/keys/rotate", json!({"algorithm": "HS256"})).await.refused(400, "invalid_field");
        house.post(&house.admin, "/v1/keys/rotate", json!({"algorithm": "none"})).await.refused(400, "invalid_field");
    }
}

both_programs! {
    async fn a_restored_database_does_not_bring_a_compromised_key_back(program) {
        let admin = program.admin.clone();
        let listed = program.get(&admin, "/v1/keys").await.expect(200);
        let leaked = listed["items"][0]["id"].as_str().unwrap().to_owned();
        program.stop().await;
        let copy = program.copy().await;
        program.start().await;
        let path = format!("/v1/keys/{leaked}/retire");
        program.send("POST", &admin, &path, json!({"compromised": true})).await.expect(200);
        program.stop().await;
        program.restore(&copy).await;
        program.start().await;
        let listed = program.get(&admin, "/v1/keys").await.expect(200);
        let states: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
        // Another was made at the start.
        assert_eq!(states, ["compromised", "signing", "signing", "signing"]);
        let known = program.get("", "/oauth2/jwks").await.expect(200);
        assert!(!known.raw.contains(&leaked), "{}", known.raw);
    }
}
