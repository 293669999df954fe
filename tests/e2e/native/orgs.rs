//! `/v1/orgs`

use serde_json::json;
use tokenhouse_e2e::{Answer, House, both};

async fn make(house: &House, name: &str, admin: &str) -> Answer {
    house.post(&house.admin, "/v1/orgs", json!({"name": name, "admin": admin})).await
}

both! {
    async fn a_new_org_has_an_administrator_with_a_one_time_password(house) {
        let made = make(house, " Second ", "Boss@Second.test").await.expect(201);
        assert_eq!(
            (&made["name"], &made["state"], &made["onboarded"]),
            (&json!("Second"), &json!("active"), &json!(false))
        );
        let session = house.sign_in("boss@second.test", &made.text("password")).await;
        let me = house.get(&session, "/v1/whoami").await.expect(200);
        assert_eq!((&me["org"]["id"], &me["account"]["id"]), (&made["id"], &made["admin"]));
        let roles: Vec<_> =
            me["account"]["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
        assert!(roles.contains(&"administrator") && !roles.contains(&"operator"), "{roles:?}");
        let shown = house.get(&house.admin, &format!("/v1/orgs/{}", made.text("id"))).await.expect(200);
        assert!(shown.body.get("password").is_none());
        house.post(&session, "/v1/accounts", json!({"kind": "service", "identifier": "ci"})).await.expect(201);
    }

    async fn a_known_person_administers_a_second_org_with_his_own_password(house) {
        let made = make(house, "second", "admin@example.test").await.expect(201);
        assert_eq!(made["password"], json!(null));
        let password = house.password.clone();
        let body = json!({"email": "admin@example.test", "password": password, "org": made["id"]});
        let there = house.post("", "/v1/session", body).await.expect(201);
        assert_eq!(there["org_id"], made["id"]);
        let here = house.sign_in("admin@example.test", &password).await;
        assert_eq!(house.get(&here, "/v1/whoami").await["org"]["id"], house.org.as_str());
        // What he is at home counts for nothing there.
        house
            .post(&there.text("secret"), "/v1/orgs", json!({"name": "third", "admin": "x@y.test"}))
            .await
            .refused(403, "missing_permission");
    }

    async fn an_orgs_name_is_unique_and_bounded(house) {
        let (second, _) = house.neighbour("second").await;
        let before = house.revision().await;
        for taken in ["second", "SECOND", " Second ", "first"] {
            make(house, taken, "x@y.test").await.refused(409, "duplicate");
        }
        let path = format!("/v1/orgs/{second}");
        house.patch(&house.admin, &path, json!({"name": "First"})).await.refused(409, "duplicate");
        for wrong in ["", "  "] {
            assert_eq!(make(house, wrong, "x@y.test").await.refused(400, "invalid_field")["field"], "name");
            house.patch(&house.admin, &path, json!({"name": wrong})).await.refused(400, "invalid_field");
        }
        assert_eq!(make(house, "third", "nobody").await.refused(400, "invalid_field")["field"], "admin");
        assert_eq!(house.revision().await, before);
        let renamed = house.patch(&house.admin, &path, json!({"name": "SECOND"})).await.expect(200);
        assert_eq!(renamed["name"], "SECOND");
        house.patch(&house.admin, &path, json!({"name": "other"})).await.expect(200);
        make(house, "second", "x@y.test").await.expect(201);
    }

    async fn suspending_stops_every_credential_and_resuming_starts_it(house) {
        let (org, session) = house.neighbour("second").await;
        let made =
            house.post(&session, "/v1/accounts", json!({"kind": "service", "identifier": "ci"})).await.expect(201);
        let (_, service) = house.issue(&session, json!({"owner": made["id"]})).await;
        let (_, user) = house.issue(&session, json!({})).await;
        let (dead, revoked) = house.issue(&session, json!({})).await;
        house.post(&session, &format!("/v1/tokens/{dead}/revoke"), json!({})).await.expect(200);
        let password = "the administrator's own";
        house.secret(password);
        let admin = house.get(&session, "/v1/whoami").await["account"]["id"].as_str().unwrap().to_owned();
        house
            .put(&house.admin, &format!("/v1/accounts/{admin}/password"), json!({"password": password}))
            .await
            .refused(404, "not_found");

        let path = format!("/v1/orgs/{org}");
        assert_eq!(
            house.post(&house.admin, &format!("{path}/suspend"), json!({})).await.expect(200)["state"],
            "suspended"
        );
        for token in [&session, &service, &user] {
            house.get(token, "/v1/whoami").await.refused(401, "unauthenticated");
            house.post(token, "/v1/groups", json!({"name": "late"})).await.refused(401, "unauthenticated");
        }
        let before = house.revision().await;
        house.post(&house.admin, &format!("{path}/suspend"), json!({})).await.expect(200);
        assert_eq!(house.revision().await, before);
        house.get(&house.admin, "/v1/whoami").await.expect(200);
        assert_eq!(house.post(&house.admin, &format!("{path}/resume"), json!({})).await.expect(200)["state"], "active");
        for token in [&session, &service, &user] {
            house.get(token, "/v1/whoami").await.expect(200);
        }
        house.get(&revoked, "/v1/whoami").await.refused(401, "unauthenticated");
        let before = house.revision().await;
        house.post(&house.admin, &format!("{path}/resume"), json!({})).await.expect(200);
        assert_eq!(house.revision().await, before);
    }

    async fn nobody_signs_in_to_a_suspended_org(house) {
        let made = make(house, "second", "boss@second.test").await.expect(201);
        let (path, password) = (format!("/v1/orgs/{}", made.text("id")), made.text("password"));
        house.post(&house.admin, &format!("{path}/suspend"), json!({})).await.expect(200);
        let body = json!({"email": "boss@second.test", "password": password});
        house.post("", "/v1/session", body).await.refused(401, "unauthenticated");
        house.post(&house.admin, &format!("{path}/resume"), json!({})).await.expect(200);
        house.sign_in("boss@second.test", &password).await;
    }

    async fn an_operator_cannot_suspend_his_own_org(house) {
        let before = house.revision().await;
        let path = format!("/v1/orgs/{}/suspend", house.org);
        house.post(&house.admin, &path, json!({})).await.refused(409, "unlawful_state");
        assert_eq!(house.revision().await, before);
        house.get(&house.admin, "/v1/whoami").await.expect(200);
    }

    async fn only_an_operator_touches_orgs(house) {
        let (org, neighbour) = house.neighbour("second").await;
        let before = house.revision().await;
        for answer in [
            house.post(&neighbour, "/v1/orgs", json!({"name": "third", "admin": "x@y.test"})).await,
            house.patch(&neighbour, &format!("/v1/orgs/{org}"), json!({"name": "mine"})).await,
            house.patch(&neighbour, &format!("/v1/orgs/{}", house.org), json!({"name": "mine"})).await,
            house.post(&neighbour, &format!("/v1/orgs/{}/suspend", house.org), json!({})).await,
            house.post(&neighbour, &format!("/v1/orgs/{}/resume", house.org), json!({})).await,
        ] {
            assert_eq!(answer.refused(403, "missing_permission")["permission"], "house:orgs");
        }
        house.get(&neighbour, &format!("/v1/orgs/{}", house.org)).await.refused(404, "not_found");
        assert_eq!(house.get(&neighbour, &format!("/v1/orgs/{org}")).await.expect(200)["name"], "second");
        let listed = house.get(&neighbour, "/v1/orgs").await.expect(200);
        assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &json!(org)));
        assert_eq!(house.get(&house.admin, "/v1/orgs").await["items"].as_array().unwrap().len(), 2);
        for unknown in ["00000000-0000-7000-8000-000000000000", "7", "first"] {
            house.get(&house.admin, &format!("/v1/orgs/{unknown}")).await.refused(404, "not_found");
            house.post(&house.admin, &format!("/v1/orgs/{unknown}/suspend"), json!({})).await.refused(404, "not_found");
        }
        assert_eq!(house.revision().await, before);
        // A scoped token of the operator is none.
        let (_, scoped) = house.issue(&house.admin, json!({"scopes": ["house:read"]})).await;
        house
            .post(&scoped, "/v1/orgs", json!({"name": "third", "admin": "x@y.test"}))
            .await
            .refused(403, "missing_permission");
    }

    async fn nothing_of_another_org_is_seen(house) {
        let (account, secret) = house.service("ci", &[]).await;
        let (token, _) = house.issue(&house.admin, json!({"name": "hidden"})).await;
        house.post(&house.admin, "/v1/groups", json!({"name": "hidden"})).await.expect(201);
        house.post(&house.admin, "/v1/roles", json!({"name": "hidden"})).await.expect(201);
        let (org, neighbour) = house.neighbour("second").await;
        for path in ["accounts", "groups", "roles", "tokens", "ledger", "orgs"] {
            let seen = house.get(&neighbour, &format!("/v1/{path}?limit=1000")).await.expect(200).raw;
            for foreign in [house.org.as_str(), &account, &token, "hidden", "sa::ci", "admin@example.test"] {
                assert!(!seen.contains(foreign), "{path} shows {foreign}");
            }
        }
        for path in [
            format!("/v1/tokens/{token}"),
            format!("/v1/tokens/{token}/usage"),
            format!("/v1/tokens?owner={account}"),
            format!("/v1/accounts/{account}"),
        ] {
            house.get(&neighbour, &path).await.refused(404, "not_found");
        }
        for change in ["deactivate", "reactivate", "revoke", "rotate"] {
            house.post(&neighbour, &format!("/v1/tokens/{token}/{change}"), json!({})).await.refused(404, "not_found");
        }
        house.post(&neighbour, "/v1/tokens", json!({"owner": account})).await.refused(404, "not_found");
        house.get(&secret, "/v1/whoami").await.expect(200);
        // Nor does the operator, in his own org, see into the other one.
        let seen = house.get(&house.admin, "/v1/accounts").await.expect(200).raw;
        assert!(!seen.contains(&org) && !seen.contains("admin@second.test"));
    }
}
