//! `/v1/tokens`: a token's life through HTTP.

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

/// Does something to a token as the administrator.
async fn step(house: &House, id: &str, what: &str, body: Value) -> Answer {
    house.post(&house.admin, &format!("/v1/tokens/{id}/{what}"), body).await
}

async fn read(house: &House, id: &str) -> Answer {
    house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200)
}

/// A token of the administrator in this standing.
async fn standing(house: &House, state: &str) -> (String, String) {
    let (id, secret) = house.issue(&house.admin, json!({"lifetime_seconds": 60})).await;
    match state {
        "inactive" => drop(step(house, &id, "deactivate", json!({})).await.expect(200)),
        "expired" => house.wait(60),
        "revoked" => drop(step(house, &id, "revoke", json!({})).await.expect(200)),
        _ => {}
    }
    assert_eq!(read(house, &id).await["state"], state);
    (id, secret)
}

both! {
    async fn every_field_of_an_issue_is_told_back_and_kept(house) {
        let now = house.clock.now();
        let ask = json!({
            "name": "ci \u{1F511} <b>", "scopes": ["house:read", "house:verify", "house:read"],
            "reach": ["verify", "native"], "cidrs": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"],
            "not_before": now + 1000, "expires_at": now + 60_000, "idle_seconds": 3600,
        });
        let answer = house.post(&house.admin, "/v1/tokens", ask).await.expect(201);
        let secret = answer.text("secret");
        assert!(secret.starts_with("th_u_") && secret.len() == 41, "the form of a user token's secret");
        let me = house.get(&house.admin, "/v1/whoami").await.expect(200);
        let expected = json!({
            "id": answer["id"], "org_id": house.org, "kind": "user", "owner": me["account"]["id"],
            "owner_identifier": "admin@example.test", "name": "ci \u{1F511} <b>", "state": "active",
            "scopes": ["house:verify", "house:read"], "reach": ["native", "verify"],
            "cidrs": ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"],
            "created_at": now, "created_by": me["account"]["id"],
            "created_through": me["token"]["id"], "not_before": now + 1000, "expires_at": now + 60_000,
            "idle_seconds": 3600, "secrets": [{
                "id": answer["secrets"][0]["id"], "last4": secret[37..], "created_at": now,
            }],
        });
        let shown = read(house, &answer.text("id")).await;
        assert_eq!(shown.body, expected);
        assert!(!shown.raw.contains(&secret));
        let mut issued = answer.body;
        issued.as_object_mut().unwrap().retain(|name, _| name != "secret" && name != "receipt");
        assert_eq!(issued, expected);
    }

    async fn a_bare_issue_is_a_token_of_ones_own_that_carries_all_and_does_not_end(house) {
        let answer = house.post(&house.admin, "/v1/tokens", json!({})).await.expect(201);
        assert_eq!((&answer["name"], &answer["scopes"], &answer["cidrs"]), (&json!(""), &Value::Null, &json!([])));
        for absent in ["expires_at", "not_before", "idle_seconds", "last_used_at", "revoked_at"] {
            assert!(answer.body.get(absent).is_none(), "{absent}");
        }
        house.wait(1_000_000_000);
        assert_eq!(house.verdict(&answer.text("secret")).await, "good");
    }

    async fn an_issue_that_makes_no_sense_is_refused_by_its_field(house) {
        let now = house.clock.now();
        let wrong = [
            (json!({"name": "x".repeat(129)}), "name"),
            (json!({"name": "a\u{0}b"}), "name"),
            (json!({"name": "\u{202E}gnp"}), "name"),
            (json!({"expires_at": now}), "expires_at"),
            (json!({"expires_at": -1}), "expires_at"),
            (json!({"expires_at": i64::MIN}), "expires_at"),
            (json!({"not_before": now + 10, "expires_at": now + 10}), "expires_at"),
            (json!({"not_before": i64::MAX}), "expires_at"),
            (json!({"not_before": -1}), "not_before"),
            (json!({"lifetime_seconds": 0}), "lifetime_seconds"),
            (json!({"lifetime_seconds": i64::MIN}), "lifetime_seconds"),
            (json!({"lifetime_seconds": 1, "expires_at": now + 1000}), "lifetime_seconds"),
            (json!({"idle_seconds": 3599}), "idle_seconds"),
            (json!({"idle_seconds": -1}), "idle_seconds"),
            (json!({"cidrs": ["10.0.0.1/8"]}), "cidrs"),
            (json!({"cidrs": [""]}), "cidrs"),
            (json!({"cidrs": vec!["10.0.0.0/8"; 65]}), "cidrs"),
            (json!({"reach": []}), "reach"),
            (json!({"scopes": [""]}), "permission"),
            (json!({"scopes": ["x".repeat(100_000)]}), "permission"),
        ];
        let before = house.revision().await;
        for (ask, field) in wrong {
            let refused = house.post(&house.admin, "/v1/tokens", ask.clone()).await.refused(400, "invalid_field");
            assert_eq!(refused["field"], field, "{ask}");
        }
        for ask in [
            json!({"name": 7}),
            json!({"lifetime_seconds": 1.5}),
            json!({"expires_at": "soon"}),
            json!([]),
            json!({"kind": "org"}),
        ] {
            house.post(&house.admin, "/v1/tokens", ask).await.refused(400, "malformed");
        }
        house.post(&house.admin, "/v1/tokens", json!({"owner": "sa::nobody"})).await.refused(404, "not_found");
        assert_eq!(house.revision().await, before);
        // The largest numbers that make sense are no trouble: never, or long after us.
        house.issue(&house.admin, json!({"lifetime_seconds": i64::MAX, "idle_seconds": i64::MAX})).await;
        house.issue(&house.admin, json!({"expires_at": i64::MAX - 1, "name": "x".repeat(128)})).await;
    }

    async fn lists_show_ones_own_or_with_the_permission_all(house) {
        let (person, session) = house.person("a@example.test", &["member"]).await;
        let (own, _) = house.issue(&session, json!({"name": "own"})).await;
        let (robot, _) = house.service("ci", &[]).await;
        let ids = async |token: &str, query: &str| -> Vec<String> {
            let answer = house.get(token, &format!("/v1/tokens?limit=1000{query}")).await.expect(200);
            answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
        };
        let his = ids(&session, "").await;
        assert_eq!(his.len(), 2);
        assert_eq!(ids(&session, &format!("&owner={person}")).await, his);
        assert_eq!(ids(&session, "&kind=user").await, [own.as_str()]);
        house.get(&session, &format!("/v1/tokens?owner={robot}")).await.refused(403, "missing_permission");
        let all = ids(&house.admin, "").await;
        assert_eq!(all.len(), 4);
        assert_eq!(ids(&house.admin, "&owner=a@example.test").await, his);
        assert_eq!(ids(&house.admin, "&owner=sa::ci&kind=service").await.len(), 1);
        step(house, &own, "revoke", json!({})).await.expect(200);
        assert_eq!(ids(&house.admin, "&state=revoked").await, [own]);
        assert_eq!(ids(&house.admin, "&state=active").await.len(), 3);
        for wrong in
            ["?kind=x", "?state=x", "?limit=0", "?limit=1001", "?cursor=x", "?colour=red", "?kind=user&kind=user"]
        {
            assert_eq!(house.get(&house.admin, &format!("/v1/tokens{wrong}")).await.status, 400, "{wrong}");
        }
    }

    async fn names_and_ends_change_and_an_unchanged_one_is_no_event(house) {
        let now = house.clock.now();
        let (id, secret) = house.issue(&house.admin, json!({"name": "old", "lifetime_seconds": 60})).await;
        let path = format!("/v1/tokens/{id}");
        let answer =
            house.patch(&house.admin, &path, json!({"name": "new", "expires_at": now + 90_000})).await.expect(200);
        assert_eq!((answer.text("name").as_str(), answer.number("expires_at")), ("new", now + 90_000));
        let before = house.revision().await;
        house.patch(&house.admin, &path, json!({"name": "new", "expires_at": now + 90_000})).await.expect(200);
        house.patch(&house.admin, &path, json!({})).await.expect(200);
        assert_eq!(house.revision().await, before);
        for past in [now, now - 1, 0, -1] {
            let refused = house.patch(&house.admin, &path, json!({"expires_at": past})).await;
            assert_eq!(refused.refused(400, "invalid_field")["field"], "expires_at");
        }
        let long = json!({"name": "x".repeat(129)});
        house.patch(&house.admin, &path, long).await.refused(400, "invalid_field");
        let answer = house.patch(&house.admin, &path, json!({"expires_at": null})).await.expect(200);
        assert!(answer.body.get("expires_at").is_none());
        house.wait(1000);
        assert_eq!(house.verdict(&secret).await, "good");
    }

    async fn a_token_switched_off_stops_and_switched_on_works_again(house) {
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        for _ in 0..2 {
            assert_eq!(step(house, &id, "deactivate", json!({})).await.expect(200)["state"], "inactive");
            assert_eq!(house.verdict(&secret).await, "deactivated");
        }
        house.get(&secret, "/v1/whoami").await.refused(401, "unauthenticated");
        house.post(&secret, "/v1/tokens/self/reactivate", json!({})).await.refused(401, "unauthenticated");
        let before = house.revision().await;
        for _ in 0..2 {
            assert_eq!(step(house, &id, "reactivate", json!({})).await.expect(200)["state"], "active");
            assert_eq!(house.verdict(&secret).await, "good");
        }
        assert_eq!(house.revision().await, before + 1);
    }

    async fn the_old_secret_lives_for_the_overlap_and_a_third_rotation_ends_the_oldest_at_once(house) {
        let (id, first) = house.issue(&house.admin, json!({})).await;
        house.wait(1);
        let rotated = step(house, &id, "rotate", json!({"overlap_seconds": 60})).await.expect(200);
        let second = rotated.text("secret");
        assert_ne!(first, second);
        let known = rotated["secrets"].as_array().unwrap();
        assert_eq!(known.len(), 2);
        assert_eq!(
            (&known[0]["last4"], &known[0]["good_until"]),
            (&json!(first[37..]), &json!(house.clock.now() + 60_000))
        );
        assert_eq!((&known[1]["last4"], known[1].get("good_until")), (&json!(second[37..]), None));
        house.wait(59);
        assert_eq!(house.verdict(&first).await, "good");
        house.wait(1);
        assert_eq!(house.verdict(&first).await, "rotated");
        let third = step(house, &id, "rotate", json!({"overlap_seconds": 600})).await.expect(200).text("secret");
        assert_eq!(house.verdict(&second).await, "good");
        let fourth = step(house, &id, "rotate", json!({"overlap_seconds": 600})).await.expect(200);
        assert_eq!(fourth["secrets"].as_array().unwrap().len(), 2);
        for (secret, verdict) in [(&second, "rotated"), (&third, "good"), (&fourth.text("secret"), "good")] {
            assert_eq!(house.verdict(secret).await, verdict);
        }
        // Without an overlap the one that was on its way out goes, too.
        let fifth = step(house, &id, "rotate", json!({})).await.expect(200);
        for (secret, verdict) in
            [(&third, "rotated"), (&fourth.text("secret"), "rotated"), (&fifth.text("secret"), "good")]
        {
            assert_eq!(house.verdict(secret).await, verdict);
        }
        for wrong in [-1, 2_592_001, i64::MAX, i64::MIN] {
            let refused = step(house, &id, "rotate", json!({"overlap_seconds": wrong})).await;
            assert_eq!(refused.refused(400, "invalid_field")["field"], "overlap_seconds");
        }
        assert_eq!(house.verdict(&fifth.text("secret")).await, "good");
        step(house, &id, "rotate", json!({"overlap_seconds": 2_592_000})).await.expect(200);
    }

    async fn an_overlap_keeps_nothing_alive_that_ends_by_itself(house) {
        let (id, first) = house.issue(&house.admin, json!({"lifetime_seconds": 10})).await;
        let second = step(house, &id, "rotate", json!({"overlap_seconds": 600})).await.expect(200).text("secret");
        house.wait(10);
        assert_eq!([house.verdict(&first).await, house.verdict(&second).await], ["expired", "expired"]);
    }

    async fn revoking_is_for_good_and_may_be_repeated(house) {
        let (id, first) = house.issue(&house.admin, json!({})).await;
        let second = step(house, &id, "rotate", json!({"overlap_seconds": 600})).await.expect(200).text("secret");
        let revoked = step(house, &id, "revoke", json!({})).await.expect(200);
        assert_eq!((&revoked["state"], &revoked["secrets"]), (&json!("revoked"), &json!([])));
        assert_eq!(revoked.number("revoked_at"), house.clock.now());
        let revision = house.revision().await;
        house.wait(5);
        let again = step(house, &id, "revoke", json!({})).await.expect(200);
        assert_eq!(again["revoked_at"], revoked["revoked_at"]);
        assert_eq!(house.revision().await, revision);
        for secret in [&first, &second] {
            assert_eq!(house.verdict(secret).await, "revoked");
            house.get(secret, "/v1/whoami").await.refused(401, "unauthenticated");
        }
        house.restart().await;
        assert_eq!(house.verdict(&first).await, "revoked");
    }

    async fn self_is_the_token_that_asks(house) {
        let (id, secret) = house.issue(&house.admin, json!({"scopes": [], "lifetime_seconds": 600})).await;
        assert_eq!(house.get(&secret, "/v1/tokens/self").await.expect(200).text("id"), id);
        house.patch(&secret, "/v1/tokens/self", json!({"name": "me"})).await.expect(200);
        // It may not prolong itself without the right to issue, but replace its secret and end itself.
        house.patch(&secret, "/v1/tokens/self", json!({"expires_at": null})).await.refused(403, "missing_permission");
        let rotated = house.post(&secret, "/v1/tokens/self/rotate", json!({"overlap_seconds": 30})).await.expect(200);
        assert_eq!((rotated.text("id"), rotated.text("name").as_str()), (id.clone(), "me"));
        let fresh = rotated.text("secret");
        for holder in [&secret, &fresh] {
            assert_eq!(house.get(holder, "/v1/whoami").await.expect(200)["token"]["id"], id.as_str());
        }
        house.wait(30);
        house.get(&secret, "/v1/whoami").await.refused(401, "unauthenticated");
        house.post(&fresh, "/v1/tokens/self/revoke", json!({})).await.expect(200);
        house.get(&fresh, "/v1/tokens/self").await.refused(401, "unauthenticated");
        assert_eq!(house.verdict(&fresh).await, "revoked");
    }

    async fn a_token_is_good_from_its_beginning_to_just_before_its_end(house) {
        let now = house.clock.now();
        let ask = json!({"not_before": now + 10_000, "expires_at": now + 20_000});
        let (id, secret) = house.issue(&house.admin, ask).await;
        let expected = [
            (0, "not_yet_valid"),
            (9_999, "not_yet_valid"),
            (1, "good"),
            (9_999, "good"),
            (1, "expired"),
            (1_000_000, "expired"),
        ];
        for (wait, verdict) in expected {
            house.clock.advance(wait);
            assert_eq!(house.verdict(&secret).await, verdict, "at {}", house.clock.now() - now);
        }
        assert_eq!(read(house, &id).await["state"], "expired");
        house.get(&secret, "/v1/whoami").await.refused(401, "unauthenticated");
    }

    async fn a_token_falls_asleep_unless_it_is_used(house) {
        let (_, secret) = house.issue(&house.admin, json!({"idle_seconds": 3600})).await;
        house.wait(3599);
        assert_eq!(house.verdict(&secret).await, "good");
        // The use counts at once, flushed or not, and over a restart once it is flushed.
        house.wait(3599);
        assert_eq!(house.verdict(&secret).await, "good");
        house.flush().await;
        house.restart().await;
        house.wait(3599);
        assert_eq!(house.verdict(&secret).await, "good");
        // A refusal is no use.
        house.wait(3600);
        for _ in 0..2 {
            assert_eq!(house.verdict(&secret).await, "idle");
            house.flush().await;
        }
        house.get(&secret, "/v1/whoami").await.refused(401, "unauthenticated");
    }

    async fn a_use_by_a_dead_secret_or_from_elsewhere_keeps_nothing_awake(house) {
        let (id, old) = house.issue(&house.admin, json!({"idle_seconds": 3600, "cidrs": ["10.0.0.0/8"]})).await;
        let secret = step(house, &id, "rotate", json!({})).await.expect(200).text("secret");
        house.wait(1800);
        assert_eq!(house.verdict(&old).await, "rotated");
        assert_eq!(house.verdict(&secret).await, "address_unknown");
        house.flush().await;
        house.wait(1800);
        assert_eq!(house.verdict(&secret).await, "idle");
    }

    async fn what_may_still_happen_to_a_token_is_decided_by_its_standing(house) {
        let moves = ["rename", "change", "deactivate", "reactivate", "rotate", "revoke"];
        let table = [
            ("active", [true, true, true, true, true, true]),
            ("inactive", [true, true, true, true, false, true]),
            ("expired", [true, false, false, false, false, true]),
            ("revoked", [false, false, false, false, false, true]),
        ];
        for (state, lawful) in table {
            for (what, lawful) in moves.iter().zip(lawful) {
                let (id, _) = standing(house, state).await;
                let path = format!("/v1/tokens/{id}");
                let before = read(house, &id).await.body;
                let answer = match *what {
                    "rename" => house.patch(&house.admin, &path, json!({"name": "new"})).await,
                    "change" => house.patch(&house.admin, &path, json!({"expires_at": house.clock.now() + 5})).await,
                    other => step(house, &id, other, json!({})).await,
                };
                if lawful {
                    assert_eq!(answer.status, 200, "{what} {state}: {}", answer.raw);
                } else {
                    answer.refused(409, "unlawful_state");
                    assert_eq!(read(house, &id).await.body, before, "{what} {state}");
                }
                step(house, &id, "revoke", json!({})).await.expect(200);
            }
        }
    }

    async fn a_session_is_only_switched_and_revoked(house) {
        let (_, session) = house.person("a@example.test", &["member"]).await;
        let id = house.get(&session, "/v1/tokens/self").await.expect(200).text("id");
        let path = format!("/v1/tokens/{id}");
        house.patch(&session, &path, json!({"name": "new"})).await.refused(409, "unlawful_state");
        house.patch(&session, &path, json!({"expires_at": null})).await.refused(409, "unlawful_state");
        house.post(&session, &format!("{path}/rotate"), json!({})).await.refused(409, "unlawful_state");
        house.post(&session, &format!("{path}/reactivate"), json!({})).await.expect(200);
        step(house, &id, "deactivate", json!({})).await.expect(200);
        assert_eq!(house.verdict(&session).await, "deactivated");
        step(house, &id, "reactivate", json!({})).await.expect(200);
        house.post(&session, &format!("{path}/revoke"), json!({})).await.expect(200);
        house.get(&session, "/v1/whoami").await.refused(401, "unauthenticated");
    }

    async fn deactivated_tokens_count_for_the_limit_and_revoked_and_expired_ones_do_not(house) {
        let (_, session) = house.person("a@example.test", &["member"]).await;
        let mut ids = Vec::new();
        for _ in 0..19 {
            ids.push(house.issue(&session, json!({})).await.0);
        }
        house.issue(&session, json!({"lifetime_seconds": 60})).await;
        let full = async || {
            let refused = house.post(&session, "/v1/tokens", json!({})).await.refused(409, "limit_reached");
            assert_eq!(refused["limit"], 20);
        };
        full().await;
        house.post(&session, &format!("/v1/tokens/{}/deactivate", ids[0]), json!({})).await.expect(200);
        full().await;
        house.wait(60);
        house.issue(&session, json!({})).await;
        full().await;
        house.post(&session, &format!("/v1/tokens/{}/revoke", ids[0]), json!({})).await.expect(200);
        house.issue(&session, json!({})).await;
        full().await;
        // The limit is the owner's and the kind's: others have their own, and sessions none.
        house.issue(&house.admin, json!({})).await;
        house.sign_in("a@example.test", tokenhouse_e2e::PASSWORD).await;
    }

    async fn a_receipt_names_the_ledgers_event(house) {
        let me = house.get(&house.admin, "/v1/whoami").await.expect(200);
        let mut answers =
            vec![("token.issued", house.post(&house.admin, "/v1/tokens", json!({"name": "n"})).await.expect(201))];
        let id = answers[0].1.text("id");
        let path = format!("/v1/tokens/{id}");
        answers.push(("token.renamed", house.patch(&house.admin, &path, json!({"name": "m"})).await));
        answers.push((
            "token.expiry_changed",
            house.patch(&house.admin, &path, json!({"expires_at": house.clock.now() + 60_000})).await,
        ));
        for (kind, what) in [
            ("token.deactivated", "deactivate"),
            ("token.reactivated", "reactivate"),
            ("token.rotated", "rotate"),
            ("token.revoked", "revoke"),
        ] {
            answers.push((kind, step(house, &id, what, json!({})).await));
        }
        for (kind, answer) in answers {
            let answer = if kind == "token.issued" { answer } else { answer.expect(200) };
            let revision = answer["receipt"]["revision"].as_i64().unwrap();
            assert_eq!(answer["receipt"]["journaled"], true);
            let event = house.events(revision - 1).await.remove(0);
            assert_eq!((&event["revision"], &event["epoch"]), (&json!(revision), &answer["receipt"]["epoch"]));
            assert_eq!((&event["kind"], &event["subject"]), (&json!(kind), &json!(id)));
            assert_eq!((&event["actor_account"], &event["actor_token"]), (&me["account"]["id"], &me["token"]["id"]));
            assert_eq!(event["request_id"], answer.header("x-request-id"));
            assert_eq!((&event["at"], &event["address"]), (&json!(house.clock.now()), &json!("127.0.0.1")));
        }
    }

    async fn no_answer_about_tokens_may_be_stored_on_the_way(house) {
        let issued = house.post(&house.admin, "/v1/tokens", json!({})).await.expect(201);
        let id = issued.text("id");
        let path = format!("/v1/tokens/{id}");
        let answers = [
            step(house, &id, "rotate", json!({})).await,
            read(house, &id).await,
            house.get(&house.admin, "/v1/tokens").await,
            house.get(&house.admin, &format!("{path}/usage")).await,
            house.patch(&house.admin, &path, json!({"name": "n"})).await,
            step(house, &id, "deactivate", json!({})).await,
            step(house, &id, "rotate", json!({})).await,
            step(house, &id, "revoke", json!({})).await,
            house.get("", &path).await,
            house.get("junk", &path).await,
            issued,
        ];
        for answer in answers {
            assert_eq!(answer.header("cache-control"), "no-store", "{}", answer.raw);
        }
    }

    async fn an_id_that_is_none_is_not_found(house) {
        for id in [
            "x",
            "self2",
            "00000000-0000-0000-0000-000000000000",
            "0191c1b1-0000-7000-8000-00000000dead",
            "%00",
            "SELF",
        ] {
            house.get(&house.admin, &format!("/v1/tokens/{id}")).await.refused(404, "not_found");
            step(house, id, "revoke", json!({})).await.refused(404, "not_found");
        }
        // A secret in the place of an id is no id, and is not repeated.
        let (_, secret) = house.issue(&house.admin, json!({})).await;
        let answer = house.get(&house.admin, &format!("/v1/tokens/{secret}")).await.refused(404, "not_found");
        assert!(!answer.raw.contains(&secret));
    }
}
