//! `/v1/ledger`

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

/// The administrator's account and token.
async fn me(house: &House) -> (Value, Value) {
    let me = house.get(&house.admin, "/v1/whoami").await.expect(200);
    (me["account"]["id"].clone(), me["token"]["id"].clone())
}

both! {
    async fn every_change_is_an_event_that_names_actor_subject_address_and_request(house) {
        let (account, token) = me(house).await;
        let (org, _) = house.neighbour("second").await;
        let new = |name: &str| json!({"kind": "service", "identifier": name});
        let id = house.post(&house.admin, "/v1/accounts", new("ci")).await.expect(201).text("id");
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        let role = house
            .post(&house.admin, "/v1/roles", json!({"name": "r", "permissions": ["house:read"]}))
            .await
            .expect(201)
            .text("id");
        let (issued, _) = house.issue(&house.admin, json!({"owner": id})).await;
        let policy = house.get(&house.admin, "/v1/policy").await.body;
        let mut wide = policy.clone();
        wide["widen_reach"] = json!(true);
        let none = json!({});
        for (method, path, body, kind, subject) in [
            ("PATCH", format!("/v1/orgs/{org}"), json!({"name": "third"}), "org.renamed", &org),
            ("POST", format!("/v1/orgs/{org}/suspend"), none.clone(), "org.suspended", &org),
            ("POST", format!("/v1/orgs/{org}/resume"), none.clone(), "org.resumed", &org),
            ("PUT", "/v1/policy".to_owned(), wide, "policy.changed", &house.org),
            ("PATCH", format!("/v1/accounts/{id}"), json!({"description": "d"}), "account.updated", &id),
            ("POST", format!("/v1/accounts/{id}/deactivate"), none.clone(), "account.deactivated", &id),
            ("POST", format!("/v1/accounts/{id}/activate"), none.clone(), "account.activated", &id),
            ("PUT", format!("/v1/accounts/{id}/roles/{role}"), none.clone(), "role.assigned", &id),
            ("DELETE", format!("/v1/accounts/{id}/roles/{role}"), none.clone(), "role.unassigned", &id),
            ("PUT", format!("/v1/accounts/{id}/permissions/house:read"), none.clone(), "permission.granted", &id),
            ("DELETE", format!("/v1/accounts/{id}/permissions/house:read"), none.clone(), "permission.revoked", &id),
            ("PATCH", format!("/v1/groups/{group}"), json!({"name": "h"}), "group.updated", &group),
            ("PUT", format!("/v1/groups/{group}/members/{id}"), none.clone(), "group.member_added", &group),
            ("DELETE", format!("/v1/groups/{group}/members/{id}"), none.clone(), "group.member_removed", &group),
            ("PUT", format!("/v1/groups/{group}/roles/{role}"), none.clone(), "role.assigned", &group),
            ("DELETE", format!("/v1/groups/{group}"), none.clone(), "group.deleted", &group),
            ("PATCH", format!("/v1/roles/{role}"), json!({"permissions": []}), "role.updated", &role),
            ("DELETE", format!("/v1/roles/{role}"), none.clone(), "role.deleted", &role),
            ("PATCH", format!("/v1/tokens/{issued}"), json!({"name": "n"}), "token.renamed", &issued),
            (
                "PATCH",
                format!("/v1/tokens/{issued}"),
                json!({"expires_at": 1_900_000_000_000_i64}),
                "token.expiry_changed",
                &issued,
            ),
            ("POST", format!("/v1/tokens/{issued}/deactivate"), none.clone(), "token.deactivated", &issued),
            ("POST", format!("/v1/tokens/{issued}/reactivate"), none.clone(), "token.reactivated", &issued),
            ("POST", format!("/v1/tokens/{issued}/rotate"), none.clone(), "token.rotated", &issued),
            ("POST", format!("/v1/tokens/{issued}/revoke"), none.clone(), "token.revoked", &issued),
            ("DELETE", format!("/v1/accounts/{id}"), none.clone(), "account.deleted", &id),
        ] {
            let before = house.revision().await;
            let request =
                house.request(method, &path).bearer_auth(&house.admin).header("x-request-id", "traced").json(&body);
            let answer = house.send(request).await.expect(200);
            let events = house.events(before).await;
            assert_eq!(events.len(), 1, "{method} {path}");
            let event = &events[0];
            assert_eq!((&event["kind"], &event["subject"]), (&json!(kind), &json!(subject)), "{method} {path}");
            assert_eq!(event["subject_kind"], kind.split('.').next().unwrap());
            assert_eq!((&event["actor_account"], &event["actor_token"]), (&account, &token));
            assert_eq!((&event["address"], &event["request_id"]), (&json!("127.0.0.1"), &json!("traced")));
            assert_eq!((&event["at"], &event["redacted"]), (&json!(1_800_000_000_000_i64), &json!(false)));
            assert_eq!(
                (&answer["receipt"]["revision"], &answer["receipt"]["epoch"]),
                (&event["revision"], &event["epoch"])
            );
            assert_eq!(event["revision"], before + 1);
            assert_eq!(event["hash"].as_str().unwrap().len(), 64);
        }
    }

    async fn what_is_made_is_recorded_with_its_receipt(house) {
        let (account, token) = me(house).await;
        for (path, body, kinds) in [
            ("/v1/accounts", json!({"kind": "service", "identifier": "ci"}), vec!["account.created"]),
            ("/v1/groups", json!({"name": "g"}), vec!["group.created"]),
            ("/v1/roles", json!({"name": "r"}), vec!["role.created"]),
            ("/v1/tokens", json!({"name": "t"}), vec!["token.issued"]),
            (
                "/v1/orgs",
                json!({"name": "second", "admin": "a@b.test"}),
                vec!["org.created", "group.created", "group.created", "account.created"],
            ),
        ] {
            let before = house.revision().await;
            let made = house.post(&house.admin, path, body).await.expect(201);
            let events = house.events(before).await;
            assert_eq!(events.iter().map(|event| event["kind"].as_str().unwrap()).collect::<Vec<_>>(), kinds);
            assert_eq!(events[0]["subject"], made["id"]);
            assert!(events.iter().all(|event| event["actor_account"] == account && event["actor_token"] == token));
            assert_eq!(made["receipt"]["revision"], events.last().unwrap()["revision"]);
            assert!(events.iter().all(|event| event["request_id"] == made.header("x-request-id")));
        }
    }

    async fn signing_in_is_the_persons_own_act(house) {
        let (id, _) = house.person("ann@example.test", &["member"]).await;
        let before = house.revision().await;
        let session = house.sign_in("ann@example.test", tokenhouse_e2e::PASSWORD).await;
        let me = house.get(&session, "/v1/whoami").await.expect(200);
        house.delete(&session, "/v1/session").await.expect(200);
        let events = house.events(before).await;
        assert_eq!(events.len(), 2);
        assert_eq!(
            (&events[0]["kind"], &events[0]["actor_account"], events[0].get("actor_token")),
            (&json!("token.issued"), &json!(id), None)
        );
        assert_eq!((&events[1]["kind"], &events[1]["actor_token"]), (&json!("token.revoked"), &me["token"]["id"]));
        assert!(
            events.iter().all(|event| event["subject"] == me["token"]["id"] && event["org_id"] == house.org.as_str())
        );
    }

    async fn reading_and_failing_leave_no_event(house) {
        let (_, weak) = house.service("weak", &[]).await;
        let before = house.revision().await;
        for path in ["whoami", "accounts", "groups", "roles", "tokens", "orgs", "policy", "ledger"] {
            house.get(&house.admin, &format!("/v1/{path}")).await.expect(200);
        }
        house
            .post(&weak, "/v1/accounts", json!({"kind": "service", "identifier": "x"}))
            .await
            .refused(403, "missing_permission");
        house
            .post(&house.admin, "/v1/accounts", json!({"kind": "service", "identifier": "weak"}))
            .await
            .refused(409, "duplicate");
        house.get("junk", "/v1/ledger").await.refused(401, "unauthenticated");
        assert_eq!(house.revision().await, before);
        assert_eq!(house.events(before).await, Vec::<Value>::new());
    }

    async fn an_org_sees_its_own_events_alone(house) {
        let (org, neighbour) = house.neighbour("second").await;
        house.issue(&house.admin, json!({"name": "hidden"})).await;
        house.post(&neighbour, "/v1/groups", json!({"name": "theirs"})).await.expect(201);
        let answer = house.get(&neighbour, "/v1/ledger?limit=1000").await.expect(200);
        let events = answer["items"].as_array().unwrap();
        assert!(events.len() >= 4 && events.iter().all(|event| event["org_id"] == org.as_str()), "{}", answer.raw);
        assert!(!answer.raw.contains("hidden"));
        // The operator sees the whole installation's.
        let all = house.events(0).await;
        assert_eq!(i64::try_from(all.len()).unwrap(), house.revision().await);
        assert!(all.iter().any(|event| event["org_id"] == org.as_str()));
        assert_eq!(all[0]["kind"], "house.initialized");
        assert!(all[0].get("org_id").is_none());
    }

    async fn pages_follow_one_another_without_gap_or_repetition(house) {
        for n in 0..7 {
            house.issue(&house.admin, json!({"name": format!("t{n}")})).await;
        }
        let all = house.events(0).await;
        let revisions: Vec<i64> = all.iter().map(|event| event["revision"].as_i64().unwrap()).collect();
        assert_eq!(revisions, (1..=house.revision().await).collect::<Vec<_>>());
        for limit in [1, 3, revisions.len()] {
            let (mut met, mut after) = (Vec::new(), Some(0));
            while let Some(from) = after {
                let page = house.get(&house.admin, &format!("/v1/ledger?after={from}&limit={limit}")).await.expect(200);
                let items = page["items"].as_array().unwrap();
                assert!(items.len() <= limit);
                met.extend(items.iter().map(|event| event["revision"].as_i64().unwrap()));
                after = page["next"].as_i64();
            }
            assert_eq!(met, revisions);
        }
        let none = house.get(&house.admin, &format!("/v1/ledger?after={}", i64::MAX)).await.expect(200);
        assert_eq!((&none["items"], &none["next"]), (&json!([]), &json!(null)));
        for bad in ["after=-1", "limit=0", "limit=1001", "limit=-1"] {
            house.get(&house.admin, &format!("/v1/ledger?{bad}")).await.refused(400, "invalid_field");
        }
    }

    async fn reading_needs_the_permission(house) {
        let (_, auditor) = house.service("auditor", &["auditor"]).await;
        let (_, member) = house.service("member", &["member"]).await;
        house.get(&auditor, "/v1/ledger").await.expect(200);
        let refused = house.get(&member, "/v1/ledger").await.refused(403, "missing_permission");
        assert_eq!(refused["permission"], "house:ledger");
        house.get("", "/v1/ledger").await.refused(401, "unauthenticated");
        house.delete(&house.admin, "/v1/ledger").await.refused(405, "method_not_allowed");
        house.put(&house.admin, "/v1/ledger", json!({})).await.refused(405, "method_not_allowed");
    }

    async fn what_was_said_stays_said(house) {
        house.service("ci", &["member"]).await;
        let before = house.events(0).await;
        house.delete(&house.admin, "/v1/accounts/sa::ci").await.expect(200);
        house.wait(3600);
        house.restart().await;
        let after = house.events(0).await;
        assert_eq!(after[..before.len()], before[..]);
    }
}
