//! `/v1/accounts`

use futures::future::join_all;
use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, PASSWORD, both};

async fn create(house: &House, kind: &str, identifier: &str) -> Answer {
    house.post(&house.admin, "/v1/accounts", json!({"kind": kind, "identifier": identifier})).await
}

async fn identifiers(house: &House, query: &str) -> Vec<String> {
    let answer = house.get(&house.admin, &format!("/v1/accounts?{query}")).await.expect(200);
    let mut found: Vec<String> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["identifier"].as_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

async fn through(house: &House, account: &str) -> Value {
    let answer = house.get(&house.admin, &format!("/v1/accounts/{account}/permissions")).await.expect(200);
    let held = answer["permissions"].as_array().unwrap().iter();
    held.map(|held| (held["permission"].as_str().unwrap().to_owned(), held["through"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

async fn may(house: &House, token: &str) -> Value {
    house.get(token, "/v1/whoami").await.expect(200)["permissions"].clone()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

both! {
    async fn a_service_account_gets_its_prefix_and_one_spelling(house) {
        for (given, kept) in [
            ("Deployer", "sa::deployer"),
            ("sa::CI", "sa::ci"),
            ("SA::Upper", "sa::upper"),
            ("  sa::spaced  ", "sa::spaced"),
            ("re\u{301}sume\u{301}", "sa::résumé"),
            ("STRASSE-ß", "sa::strasse-ß"),
            ("sa::a@b.test", "sa::a@b.test"),
            ("x';--", "sa::x';--"),
        ] {
            let made = create(house, "service", given).await.expect(201);
            assert_eq!(made["identifier"], kept);
            assert_eq!(
                (&made["kind"], &made["state"], &made["tokens"]),
                (&json!("service"), &json!("active"), &json!(0))
            );
            assert_eq!((&made["roles"], &made["permissions"]), (&json!([]), &json!([])));
            assert_eq!(names(&made["groups"]), ["Service Accounts"]);
            assert_eq!(made["org_id"], house.org.as_str());
            assert_eq!(made["receipt"]["revision"], house.revision().await);
            assert_eq!(made["receipt"]["journaled"], true);
            let found = house.get(&house.admin, &format!("/v1/accounts/{kept}")).await.expect(200);
            assert_eq!((&found["id"], &found["created_by"]), (&made["id"], &made["created_by"]));
        }
        let upper = house.get(&house.admin, "/v1/accounts/SA::DEPLOYER").await.expect(200);
        assert_eq!(upper["identifier"], "sa::deployer");
    }

    async fn a_person_is_found_and_signs_in_by_any_spelling_of_the_address(house) {
        house.secret(PASSWORD);
        let body =
            json!({"kind": "user", "identifier": " Ann@Example.TEST ", "password": PASSWORD, "description": "Ann"});
        let made = house.post(&house.admin, "/v1/accounts", body).await.expect(201);
        assert_eq!((&made["identifier"], &made["kind"]), (&json!("ann@example.test"), &json!("user")));
        assert_eq!(house.get(&house.admin, "/v1/accounts/ANN%40example.test").await.expect(200)["id"], made["id"]);
        house.sign_in("ANN@EXAMPLE.test", PASSWORD).await;
        assert!(!made.raw.contains(PASSWORD));
    }

    async fn an_identifier_is_taken_once_whatever_its_spelling(house) {
        create(house, "service", "ci").await.expect(201);
        create(house, "user", "ann@example.test").await.expect(201);
        let before = house.revision().await;
        for same in ["ci", "CI", "sa::ci", "Sa::Ci", " ci "] {
            create(house, "service", same).await.refused(409, "duplicate");
        }
        create(house, "user", "ANN@example.TEST").await.refused(409, "duplicate");
        assert_eq!(house.revision().await, before);
    }

    async fn eight_at_once_make_one_account(house) {
        let answers = join_all((0..8).map(|_| create(house, "service", "race"))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        answers
            .into_iter()
            .filter(|answer| answer.status != 201)
            .for_each(|answer| drop(answer.refused(409, "duplicate")));
        assert_eq!(identifiers(house, "prefix=sa::race").await, ["sa::race"]);
    }

    async fn what_is_no_identifier_is_refused(house) {
        let before = house.revision().await;
        for wrong in ["", " ", "ann", "@x.test", "ann@", "a b@x.test", "a@b@c", "@", "sa::ci", "sa::ci@x.test"] {
            assert_eq!(
                create(house, "user", wrong).await.refused(400, "invalid_field")["field"],
                "identifier",
                "{wrong}"
            );
        }
        for wrong in ["", " ", "sa::", "SA:: ", "a b", "a/b", "sa::a/b", "sa::a b"] {
            assert_eq!(
                create(house, "service", wrong).await.refused(400, "invalid_field")["field"],
                "identifier",
                "{wrong}"
            );
        }
        assert_eq!(create(house, "app", "client").await.refused(400, "invalid_field")["field"], "kind");
        let robot = json!({"kind": "service", "identifier": "ci", "password": PASSWORD});
        assert_eq!(
            house.post(&house.admin, "/v1/accounts", robot).await.refused(400, "invalid_field")["field"],
            "password"
        );
        let short = json!({"kind": "user", "identifier": "a@b.test", "password": "ninechars"});
        assert_eq!(
            house.post(&house.admin, "/v1/accounts", short).await.refused(400, "invalid_field")["field"],
            "password"
        );
        let long = json!({"kind": "user", "identifier": "a@b.test", "password": "x".repeat(1025)});
        assert_eq!(house.post(&house.admin, "/v1/accounts", long).await.refused(400, "invalid_field")["limit"], 1024);
        assert_eq!(house.revision().await, before);
    }

    async fn lists_are_narrowed_by_kind_state_and_prefix(house) {
        for name in ["ci", "ci-two", "c_i", "c%i", "x"] {
            create(house, "service", name).await.expect(201);
        }
        create(house, "user", "ci@example.test").await.expect(201);
        house.post(&house.admin, "/v1/accounts/sa::x/deactivate", json!({})).await.expect(200);
        assert_eq!(identifiers(house, "kind=service&prefix=sa::ci").await, ["sa::ci", "sa::ci-two"]);
        assert_eq!(identifiers(house, "prefix=SA::CI-").await, ["sa::ci-two"]);
        assert_eq!(identifiers(house, "prefix=sa::c%25").await, ["sa::c%i"]);
        assert_eq!(identifiers(house, "prefix=sa::c_").await, ["sa::c_i"]);
        assert_eq!(identifiers(house, "kind=user").await, ["admin@example.test", "ci@example.test"]);
        assert_eq!(identifiers(house, "state=inactive").await, ["sa::x"]);
        assert_eq!(identifiers(house, "kind=service&state=active&prefix=sa::x").await, [""; 0]);
        assert_eq!(identifiers(house, "kind=app").await, [""; 0]);
        assert_eq!(identifiers(house, "").await.len(), 7);
    }

    async fn a_description_changes_alone(house) {
        let (id, _) = house.service("ci", &["member"]).await;
        let path = format!("/v1/accounts/{id}");
        let changed = house.patch(&house.admin, &path, json!({"description": "builds"})).await.expect(200);
        assert_eq!((&changed["description"], &changed["roles"][0]["name"]), (&json!("builds"), &json!("member")));
        let before = house.revision().await;
        house.patch(&house.admin, &path, json!({"description": "builds"})).await.expect(200);
        for wrong in [json!({}), json!({"identifier": "sa::other"}), json!({"description": null})] {
            house.patch(&house.admin, &path, wrong).await.refused(400, "malformed");
        }
        assert_eq!(house.revision().await, before);
        assert_eq!(house.get(&house.admin, &path).await["description"], "builds");
    }

    async fn a_deactivated_accounts_tokens_stop_at_once_and_work_again(house) {
        let (id, token) = house.service("ci", &["member"]).await;
        let (dead_id, dead) = house.issue(&house.admin, json!({"owner": id})).await;
        house.post(&house.admin, &format!("/v1/tokens/{dead_id}/revoke"), json!({})).await.expect(200);
        let off = house.post(&house.admin, &format!("/v1/accounts/{id}/deactivate"), json!({})).await.expect(200);
        assert_eq!(off["state"], "inactive");
        assert_eq!(house.verdict(&token).await, "account_inactive");
        house.get(&token, "/v1/whoami").await.refused(401, "unauthenticated");
        house.post(&house.admin, "/v1/tokens", json!({"owner": id})).await.refused(409, "unlawful_state");
        let before = house.revision().await;
        house.post(&house.admin, "/v1/accounts/sa::ci/deactivate", json!({})).await.expect(200);
        assert_eq!(house.revision().await, before);
        let on = house.post(&house.admin, &format!("/v1/accounts/{id}/activate"), json!({})).await.expect(200);
        assert_eq!((&on["state"], &on["roles"][0]["name"]), (&json!("active"), &json!("member")));
        house.get(&token, "/v1/whoami").await.expect(200);
        assert_eq!(house.verdict(&dead).await, "revoked");
        let before = house.revision().await;
        house.post(&house.admin, &format!("/v1/accounts/{id}/activate"), json!({})).await.expect(200);
        assert_eq!(house.revision().await, before);
    }

    async fn a_deleted_account_is_gone_with_its_tokens_and_its_name_is_free(house) {
        let (id, token) = house.service("ci", &["member"]).await;
        house.issue(&house.admin, json!({"owner": id})).await;
        house.post(&house.admin, "/v1/groups", json!({"name": "builders"})).await.expect(201);
        house.put(&house.admin, "/v1/groups/builders/members/sa::ci", json!({})).await.expect(200);
        let gone = house.delete(&house.admin, "/v1/accounts/sa::ci").await.expect(200);
        assert_eq!((&gone["id"], &gone["touched"]), (&json!(id), &json!(2)));
        assert_eq!(house.verdict(&token).await, "revoked");
        house.get(&token, "/v1/whoami").await.refused(401, "unauthenticated");
        assert_eq!(house.get(&house.admin, "/v1/groups/builders").await["members"], 0);
        assert_eq!(identifiers(house, "prefix=sa::ci").await, [""; 0]);

        let before = house.revision().await;
        for path in [format!("/v1/accounts/{id}"), "/v1/accounts/sa::ci".to_owned()] {
            house.get(&house.admin, &path).await.refused(404, "not_found");
            house.delete(&house.admin, &path).await.refused(404, "not_found");
            house.post(&house.admin, &format!("{path}/activate"), json!({})).await.refused(404, "not_found");
            house.put(&house.admin, &format!("{path}/roles/member"), json!({})).await.refused(404, "not_found");
        }
        house.post(&house.admin, "/v1/tokens", json!({"owner": id})).await.refused(404, "not_found");
        assert_eq!(house.revision().await, before);

        let again = create(house, "service", "ci").await.expect(201);
        assert_ne!(again["id"], id.as_str());
        assert_eq!((&again["roles"], &again["tokens"]), (&json!([]), &json!(0)));
        // The group that it joins by itself, and none of those that the deleted one was in.
        assert_eq!(names(&again["groups"]), ["Service Accounts"]);
        assert_eq!(house.verdict(&token).await, "revoked");
        house.delete(&house.admin, "/v1/accounts/sa::ci").await.expect(200);
        assert_ne!(create(house, "service", "ci").await.expect(201)["id"], again["id"]);
    }

    async fn a_deleted_person_can_neither_act_nor_sign_in(house) {
        let (id, session) = house.person("ann@example.test", &["member"]).await;
        house.delete(&house.admin, &format!("/v1/accounts/{id}")).await.expect(200);
        house.get(&session, "/v1/whoami").await.refused(401, "unauthenticated");
        let sign_in = json!({"email": "ann@example.test", "password": PASSWORD});
        house.post("", "/v1/session", sign_in).await.refused(401, "unauthenticated");
        let again = create(house, "user", "ann@example.test").await.expect(201);
        assert_ne!(again["id"], id.as_str());
        assert_eq!(again["roles"], json!([]));
        house.get(&session, "/v1/whoami").await.refused(401, "unauthenticated");
    }

    async fn nobody_switches_off_or_deletes_himself(house) {
        let before = house.revision().await;
        let own = house.get(&house.admin, "/v1/whoami").await["account"]["id"].as_str().unwrap().to_owned();
        for name in [own.as_str(), "admin@example.test", "ADMIN@example.test"] {
            let path = format!("/v1/accounts/{name}");
            house.delete(&house.admin, &path).await.refused(409, "unlawful_state");
            house.post(&house.admin, &format!("{path}/deactivate"), json!({})).await.refused(409, "unlawful_state");
        }
        assert_eq!(house.revision().await, before);
    }

    async fn what_an_account_holds_names_through_what(house) {
        let (id, token) = house.service("ci", &["member"]).await;
        house
            .post(&house.admin, "/v1/roles", json!({"name": "watcher", "permissions": ["house:ledger", "house:read"]}))
            .await
            .expect(201);
        house.post(&house.admin, "/v1/groups", json!({"name": "Builders"})).await.expect(201);
        house.put(&house.admin, "/v1/groups/builders/roles/watcher", json!({})).await.expect(200);
        house.put(&house.admin, "/v1/groups/builders/permissions/house:policy", json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/groups/builders/members/{id}"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/house:verify"), json!({})).await.expect(200);
        let mut held = through(house, "sa::ci").await;
        held["house:read"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        assert_eq!(
            held,
            json!({
                "house:ledger": ["group:Builders role:watcher"],
                "house:policy": ["group:Builders"],
                "house:read": ["group:Builders role:watcher", "role:member"],
                "house:tokens.issue": ["role:member"],
                "house:verify": ["direct"],
            })
        );
        let mut effective: Vec<String> =
            may(house, &token).await.as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned()).collect();
        effective.sort();
        assert_eq!(effective, held.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
        // One may see one's own without the permission to see others.
        let (weak, weak_token) = house.service("weak", &[]).await;
        house.get(&weak_token, &format!("/v1/accounts/{weak}/permissions")).await.expect(200);
        house.get(&weak_token, &format!("/v1/accounts/{id}/permissions")).await.refused(403, "missing_permission");
    }

    async fn a_role_and_a_permission_end_by_themselves(house) {
        let (id, token) = house.service("ci", &[]).await;
        let (role, permission) =
            (format!("/v1/accounts/{id}/roles/member"), format!("/v1/accounts/{id}/permissions/house:verify"));
        let now = 1_800_000_000_000_i64;
        for at in [now, now - 1, 0, -1, i64::MIN] {
            let answer = house.put(&house.admin, &role, json!({"expires_at": at})).await.refused(400, "invalid_field");
            assert_eq!(answer["field"], "expires_at");
        }
        let given = house.put(&house.admin, &role, json!({"expires_at": now + 60_000})).await.expect(200);
        assert_eq!(
            (&given["roles"][0]["name"], &given["roles"][0]["expires_at"]),
            (&json!("member"), &json!(now + 60_000))
        );
        let given = house.put(&house.admin, &permission, json!({"expires_at": now + 120_000})).await.expect(200);
        assert_eq!(given["permissions"], json!([{"permission": "house:verify", "expires_at": now + 120_000}]));
        assert_eq!(may(house, &token).await, json!(["house:tokens.issue", "house:verify", "house:read"]));
        house.wait(59);
        house.get(&token, "/v1/accounts").await.expect(200);
        house.wait(1);
        house.get(&token, "/v1/accounts").await.refused(403, "missing_permission");
        assert_eq!(may(house, &token).await, json!(["house:verify"]));
        assert_eq!(house.get(&house.admin, &format!("/v1/accounts/{id}")).await["roles"], json!([]));
        // Given again, without end, over the one that ended.
        house.put(&house.admin, &role, json!({})).await.expect(200);
        house.wait(60);
        assert_eq!(may(house, &token).await, json!(["house:tokens.issue", "house:read"]));
        assert_eq!(
            through(house, &id).await,
            json!({"house:read": ["role:member"], "house:tokens.issue": ["role:member"]})
        );
        house.delete(&house.admin, &role).await.expect(200);
        let before = house.revision().await;
        house.delete(&house.admin, &role).await.expect(200);
        house.delete(&house.admin, &permission).await.expect(200);
        assert_eq!(may(house, &token).await, json!([]));
        house.put(&house.admin, &format!("/v1/accounts/{id}/roles/nothing"), json!({})).await.refused(404, "not_found");
        assert!(house.revision().await <= before + 1);
    }

    async fn a_password_set_by_an_administrator_ends_what_the_old_one_opened(house) {
        let (id, session) = house.person("ann@example.test", &["member"]).await;
        let (_, lasting) = house.issue(&session, json!({})).await;
        let path = format!("/v1/accounts/{id}/password");
        let new = "another good password";
        house.secret(new);
        house.put(&house.admin, &path, json!({"password": "too short"})).await.refused(400, "invalid_field");
        house.get(&session, "/v1/whoami").await.expect(200);
        let set = house.put(&house.admin, &path, json!({"password": new})).await.expect(200);
        assert!(!set.raw.contains(new));
        assert_eq!(house.verdict(&session).await, "revoked");
        house.get(&lasting, "/v1/whoami").await.expect(200);
        house
            .post("", "/v1/session", json!({"email": "ann@example.test", "password": PASSWORD}))
            .await
            .refused(401, "unauthenticated");
        house.sign_in("ann@example.test", new).await;
        house.service("ci", &[]).await;
        let robot = house.put(&house.admin, "/v1/accounts/sa::ci/password", json!({"password": new})).await;
        robot.refused(400, "invalid_field");
    }

    async fn who_changes_his_own_password_must_know_the_present_one(house) {
        let (id, session) = house.person("ann@example.test", &["member"]).await;
        let other = house.sign_in("ann@example.test", PASSWORD).await;
        let path = format!("/v1/accounts/{id}/password");
        let new = "another good password";
        house.secret(new);
        assert_eq!(
            house.put(&session, &path, json!({"password": new})).await.refused(400, "invalid_field")["field"],
            "current"
        );
        house
            .put(&session, &path, json!({"password": new, "current": "a wrong password"}))
            .await
            .refused(401, "unauthenticated");
        house.get(&other, "/v1/whoami").await.expect(200);
        house.put(&session, &path, json!({"password": new, "current": PASSWORD})).await.expect(200);
        house.get(&session, "/v1/whoami").await.expect(200);
        assert_eq!(house.verdict(&other).await, "revoked");
        house.sign_in("ann@example.test", new).await;
        let (_, bob) = house.person("bob@example.test", &["member"]).await;
        house
            .put(&bob, &path, json!({"password": "stolen password", "current": new}))
            .await
            .refused(403, "missing_permission");
        house.sign_in("ann@example.test", new).await;
    }

    async fn an_administrator_cannot_set_the_password_of_someone_who_is_elsewhere_too(house) {
        let (_, neighbour) = house.neighbour("second").await;
        let joined = json!({"kind": "user", "identifier": "admin@example.test"});
        let id = house.post(&neighbour, "/v1/accounts", joined).await.expect(201).text("id");
        let known = json!({"kind": "user", "identifier": "ann@example.test", "password": PASSWORD});
        house.secret(PASSWORD);
        house.post(&house.admin, "/v1/accounts", known.clone()).await.expect(201);
        house.post(&neighbour, "/v1/accounts", known).await.refused(400, "invalid_field");
        let path = format!("/v1/accounts/{id}/password");
        house.put(&neighbour, &path, json!({"password": "a stolen password"})).await.refused(403, "forbidden");
        house.sign_in("admin@example.test", &house.password.clone()).await;
    }

    async fn another_orgs_account_is_not_there(house) {
        let (id, token) = house.service("ci", &["member"]).await;
        let (_, neighbour) = house.neighbour("second").await;
        let before = house.revision().await;
        for name in [id.as_str(), "sa::ci"] {
            let path = format!("/v1/accounts/{name}");
            house.get(&neighbour, &path).await.refused(404, "not_found");
            house.get(&neighbour, &format!("{path}/permissions")).await.refused(404, "not_found");
            house.patch(&neighbour, &path, json!({"description": "mine"})).await.refused(404, "not_found");
            house.delete(&neighbour, &path).await.refused(404, "not_found");
            house
                .put(&neighbour, &format!("{path}/password"), json!({"password": PASSWORD}))
                .await
                .refused(404, "not_found");
            house.put(&neighbour, &format!("{path}/roles/member"), json!({})).await.refused(404, "not_found");
            house.delete(&neighbour, &format!("{path}/roles/member")).await.refused(404, "not_found");
            house.put(&neighbour, &format!("{path}/permissions/house:read"), json!({})).await.refused(404, "not_found");
            for switch in ["activate", "deactivate"] {
                house.post(&neighbour, &format!("{path}/{switch}"), json!({})).await.refused(404, "not_found");
            }
        }
        assert_eq!(house.revision().await, before);
        house.get(&token, "/v1/whoami").await.expect(200);
        // The same name is free there.
        house.post(&neighbour, "/v1/accounts", json!({"kind": "service", "identifier": "ci"})).await.expect(201);
    }

    async fn every_change_needs_the_permission(house) {
        let (id, _) = house.service("ci", &[]).await;
        let (_, member) = house.person("ann@example.test", &["member"]).await;
        let before = house.revision().await;
        let path = format!("/v1/accounts/{id}");
        for (answer, permission) in [
            (
                house.post(&member, "/v1/accounts", json!({"kind": "service", "identifier": "x"})).await,
                "house:accounts",
            ),
            (house.patch(&member, &path, json!({"description": "x"})).await, "house:accounts"),
            (house.delete(&member, &path).await, "house:accounts"),
            (house.post(&member, &format!("{path}/deactivate"), json!({})).await, "house:accounts"),
            (house.post(&member, &format!("{path}/activate"), json!({})).await, "house:accounts"),
            (house.put(&member, &format!("{path}/roles/member"), json!({})).await, "house:roles"),
            (house.delete(&member, &format!("{path}/roles/member")).await, "house:roles"),
            (house.put(&member, &format!("{path}/permissions/house:read"), json!({})).await, "house:roles"),
        ] {
            assert_eq!(answer.refused(403, "missing_permission")["permission"], permission);
        }
        assert_eq!(house.revision().await, before);
        let (_, weak) = house.service("weak", &[]).await;
        assert_eq!(
            house.get(&weak, "/v1/accounts").await.refused(403, "missing_permission")["permission"],
            "house:read"
        );
    }
}
