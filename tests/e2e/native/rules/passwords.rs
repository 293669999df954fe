//! A password opens every org of its person: who may set it.

use serde_json::json;
use tokenhouse_e2e::{ADMIN, PASSWORD, both};

use super::robot;

const FRESH: &str = "a fresh password";

both! {
    async fn a_password_is_set_only_by_who_covers_its_person(house) {
        house.secret(FRESH);
        let (strong, session) = house.person("strong@example.test", &["member", "auditor"]).await;
        let path = format!("/v1/accounts/{strong}/password");
        let weak = robot(house, "weak", &["house:accounts", "house:read"]).await.1;
        let refused = house.put(&weak, &path, json!({"password": FRESH})).await.refused(403, "not_covered");
        assert_eq!(refused["permission"], "house:tokens.issue");
        let peer = robot(house, "peer", &["house:tokens.issue", "house:read", "house:ledger"]).await.1;
        let refused = house.put(&peer, &path, json!({"password": FRESH})).await.refused(403, "missing_permission");
        assert_eq!(refused["permission"], "house:accounts");
        // An administrator's own token that carries less counts as less.
        let (_, scoped) = house.issue(&house.admin, json!({"scopes": ["house:accounts"]})).await;
        house.put(&scoped, &path, json!({"password": FRESH})).await.refused(403, "not_covered");
        house.get(&session, "/v1/whoami").await.expect(200);
        house.put(&house.admin, &path, json!({"password": FRESH})).await.expect(200);
        house.get(&session, "/v1/whoami").await.refused(401, "unauthenticated");
        let old = json!({"email": "strong@example.test", "password": PASSWORD});
        house.post("", "/v1/session", old).await.refused(401, "unauthenticated");
        house.sign_in("strong@example.test", FRESH).await;
    }

    async fn the_first_administrators_password_is_above_everybody_elses_reach(house) {
        house.secret(FRESH);
        let (_, other) = house.person("other@example.test", &["administrator", "org_owner", "admin"]).await;
        let path = format!("/v1/accounts/{ADMIN}/password");
        house.put(&other, &path, json!({"password": FRESH})).await.refused(403, "not_covered");
        house.sign_in(ADMIN, &house.password.clone()).await;
    }

    async fn nobody_but_himself_sets_the_password_of_someone_in_two_orgs(house) {
        house.secret(FRESH);
        let (id, session) = house.person("both@example.test", &["member"]).await;
        let (second, neighbour) = house.neighbour("second").await;
        let ask = json!({"kind": "user", "identifier": "both@example.test"});
        let there = house.post(&neighbour, "/v1/accounts", ask).await.expect(201).text("id");
        let body = json!({"password": FRESH});
        house.put(&house.admin, &format!("/v1/accounts/{id}/password"), body.clone()).await.refused(403, "forbidden");
        house.put(&neighbour, &format!("/v1/accounts/{there}/password"), body.clone()).await.refused(403, "forbidden");
        // Nor by making the account anew with a password.
        house.delete(&neighbour, &format!("/v1/accounts/{there}")).await.expect(200);
        let ask = json!({"kind": "user", "identifier": "both@example.test", "password": FRESH});
        let refused = house.post(&neighbour, "/v1/accounts", ask).await;
        assert_eq!(refused.refused(400, "invalid_field")["field"], "password");
        let own = json!({"password": FRESH, "current": PASSWORD});
        house.put(&session, &format!("/v1/accounts/{id}/password"), own).await.expect(200);
        house.sign_in("both@example.test", FRESH).await;
        let wrong_org = json!({"email": "both@example.test", "password": FRESH, "org": second});
        house.post("", "/v1/session", wrong_org).await.refused(401, "unauthenticated");
    }

    async fn ones_own_password_takes_the_present_one(house) {
        house.secret(FRESH);
        let (id, session) = house.person("a@example.test", &["member"]).await;
        let (_, token) = house.issue(&session, json!({})).await;
        let elsewhere = house.sign_in("a@example.test", PASSWORD).await;
        let path = format!("/v1/accounts/{id}/password");
        for holder in [&session, &token] {
            let refused = house.put(holder, &path, json!({"password": FRESH})).await;
            assert_eq!(refused.refused(400, "invalid_field")["field"], "current");
            let wrong = json!({"password": FRESH, "current": "not the password"});
            house.put(holder, &path, wrong).await.refused(401, "unauthenticated");
        }
        house.put(&session, &path, json!({"password": FRESH, "current": PASSWORD})).await.expect(200);
        // The session that did it stays, the others are over; a token that was issued is no session.
        house.get(&session, "/v1/whoami").await.expect(200);
        house.get(&elsewhere, "/v1/whoami").await.refused(401, "unauthenticated");
        house.get(&token, "/v1/whoami").await.expect(200);
    }

    async fn a_service_account_has_no_password(house) {
        house.secret(FRESH);
        let (id, own) = robot(house, "ci", &[]).await;
        let path = format!("/v1/accounts/{id}/password");
        house.put(&house.admin, &path, json!({"password": FRESH})).await.refused(400, "invalid_field");
        let answer = house.put(&own, &path, json!({"password": FRESH, "current": PASSWORD})).await;
        answer.refused(401, "unauthenticated");
        let ask = json!({"kind": "service", "identifier": "sa::other", "password": FRESH});
        house.post(&house.admin, "/v1/accounts", ask).await.refused(400, "invalid_field");
    }
}
