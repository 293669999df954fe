//! What is lost is lost at once, for tokens that were issued before, too.

use serde_json::json;
use tokenhouse_e2e::{House, PASSWORD, both};

use super::{effective, hold, robot};

/// Whether a token can still read the ledger.
async fn reads(house: &House, token: &str) -> bool {
    let answer = house.get(token, "/v1/ledger?limit=1").await;
    if answer.status == 200 {
        return true;
    }
    assert_eq!(answer.refused(403, "missing_permission")["permission"], "house:ledger");
    false
}

both! {
    async fn role_loss_takes_effect_at_once_for_tokens_issued_earlier(house) {
        let (account, whole) = robot(house, "ci", &["house:tokens.issue"]).await;
        let ask = json!({"name": "reader", "permissions": ["house:ledger"]});
        let role = house.post(&house.admin, "/v1/roles", ask).await.expect(201).text("id");
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        let direct = format!("/v1/accounts/{account}/roles/{role}");
        let permission = format!("/v1/accounts/{account}/permissions/house:ledger");
        let in_group = format!("/v1/groups/{group}/roles/{role}");
        let of_group = format!("/v1/groups/{group}/permissions/house:ledger");
        let member = format!("/v1/groups/{group}/members/{account}");
        house.put(&house.admin, &direct, json!({})).await.expect(200);
        let (_, scoped) = house.issue(&whole, json!({"scopes": ["house:ledger", "house:tokens.issue"]})).await;
        // Each way to hold it, and what takes it away.
        let ways: [(Vec<&String>, &String); 6] = [
            (vec![&direct], &direct),
            (vec![&permission], &permission),
            (vec![&in_group, &member], &member),
            (vec![&member], &in_group),
            (vec![&of_group], &of_group),
            (vec![&direct, &permission], &direct),
        ];
        for (give, take) in ways {
            for path in give {
                house.put(&house.admin, path, json!({})).await.expect(200);
            }
            assert!(reads(house, &whole).await && reads(house, &scoped).await, "before {take}");
            house.delete(&house.admin, take).await.expect(200);
            // The last way holds it twice: one of two is not enough to lose it.
            let still = take == &direct && effective(house, &whole).await.contains(&"house:ledger".to_owned());
            assert_eq!((reads(house, &whole).await, reads(house, &scoped).await), (still, still), "after {take}");
        }
        assert!(reads(house, &whole).await);
        house.delete(&house.admin, &permission).await.expect(200);
        assert!(!reads(house, &whole).await);
        let refused = house.post(&whole, "/v1/tokens", json!({"scopes": ["house:ledger"]})).await;
        refused.refused(400, "invalid_field");
    }

    async fn a_role_that_shrinks_or_goes_and_a_group_that_goes_take_along_what_they_gave(house) {
        let ask = json!({"name": "reader", "permissions": ["house:ledger"]});
        let role = house.post(&house.admin, "/v1/roles", ask).await.expect(201).text("id");
        let path = format!("/v1/roles/{role}");
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        house.put(&house.admin, &format!("/v1/groups/{group}/roles/{role}"), json!({})).await.expect(200);
        let (one, first) = robot(house, "one", &[]).await;
        let (two, second) = robot(house, "two", &[]).await;
        house.put(&house.admin, &format!("/v1/accounts/{one}/roles/{role}"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/groups/{group}/members/{two}"), json!({})).await.expect(200);
        house.patch(&house.admin, &path, json!({"permissions": ["house:read"]})).await.expect(200);
        assert!(!reads(house, &first).await && !reads(house, &second).await);
        house.patch(&house.admin, &path, json!({"permissions": ["house:ledger"]})).await.expect(200);
        assert!(reads(house, &first).await && reads(house, &second).await);
        house.delete(&house.admin, &format!("/v1/groups/{group}")).await.expect(200);
        assert!(reads(house, &first).await && !reads(house, &second).await);
        house.delete(&house.admin, &path).await.expect(200);
        assert!(!reads(house, &first).await);
        // The same names made again are others, and give nothing.
        let ask = json!({"name": "reader", "permissions": ["house:ledger"]});
        house.post(&house.admin, "/v1/roles", ask).await.expect(201);
        house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201);
        assert!(!reads(house, &first).await && !reads(house, &second).await);
    }

    async fn a_switched_off_accounts_tokens_stop_and_start_with_it(house) {
        let (id, session) = house.person("a@example.test", &["member"]).await;
        let (_, token) = house.issue(&session, json!({})).await;
        let path = format!("/v1/accounts/{id}");
        house.post(&house.admin, &format!("{path}/deactivate"), json!({})).await.expect(200);
        for secret in [&session, &token] {
            assert_eq!(house.verdict(secret).await, "account_inactive");
            house.get(secret, "/v1/whoami").await.refused(401, "unauthenticated");
        }
        let again = json!({"email": "a@example.test", "password": PASSWORD});
        house.post("", "/v1/session", again.clone()).await.refused(401, "unauthenticated");
        house.post(&house.admin, &format!("{path}/activate"), json!({})).await.expect(200);
        assert_eq!(house.verdict(&token).await, "good");
        house.post("", "/v1/session", again).await.expect(201);
    }

    async fn no_token_is_issued_for_a_switched_off_account(house) {
        let (id, _) = robot(house, "ci", &[]).await;
        house.post(&house.admin, &format!("/v1/accounts/{id}/deactivate"), json!({})).await.expect(200);
        house.post(&house.admin, "/v1/tokens", json!({"owner": id})).await.refused(409, "unlawful_state");
    }

    async fn a_deleted_account_made_again_is_a_stranger(house) {
        let (old, token) = robot(house, "ci", &["house:tokens.issue"]).await;
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        house.put(&house.admin, &format!("/v1/groups/{group}/roles/auditor"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/groups/{group}/members/{old}"), json!({})).await.expect(200);
        let (id, second) = house.issue(&token, json!({})).await;
        house.delete(&house.admin, "/v1/accounts/sa::ci").await.expect(200);
        let (new, fresh) = robot(house, "ci", &[]).await;
        assert_ne!(new, old);
        assert!(effective(house, &fresh).await.is_empty());
        for dead in [&token, &second] {
            assert_eq!(house.verdict(dead).await, "revoked");
            house.get(dead, "/v1/whoami").await.refused(401, "unauthenticated");
        }
        house
            .post(&house.admin, &format!("/v1/tokens/{id}/reactivate"), json!({}))
            .await
            .refused(409, "unlawful_state");
        // The dead one's id is nobody's.
        for (method, rest) in [
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("POST", "/activate"),
            ("POST", "/deactivate"),
            ("PUT", "/permissions/house:read"),
            ("PUT", "/roles/member"),
        ] {
            let path = format!("/v1/accounts/{old}{rest}");
            let body = if method == "PATCH" { json!({"description": ""}) } else { json!({}) };
            let answer = house.send(house.request(method, &path).bearer_auth(&house.admin).json(&body)).await;
            answer.refused(404, "not_found");
        }
        house
            .put(&house.admin, &format!("/v1/groups/{group}/members/{old}"), json!({}))
            .await
            .refused(404, "not_found");
        house.post(&house.admin, "/v1/tokens", json!({"owner": old})).await.refused(404, "not_found");
        assert_eq!(house.get(&house.admin, &format!("/v1/groups/{group}")).await["members"], 0);
    }

    async fn a_deleted_person_made_again_is_a_stranger_with_his_password(house) {
        let (old, session) = house.person("a@example.test", &["member"]).await;
        let (_, token) = house.issue(&session, json!({})).await;
        house.delete(&house.admin, &format!("/v1/accounts/{old}")).await.expect(200);
        let sign_in = json!({"email": "a@example.test", "password": PASSWORD});
        house.post("", "/v1/session", sign_in).await.refused(401, "unauthenticated");
        let ask = json!({"kind": "user", "identifier": "A@example.test"});
        let new = house.post(&house.admin, "/v1/accounts", ask).await.expect(201).text("id");
        assert_ne!(new, old);
        let fresh = house.sign_in("a@example.test", PASSWORD).await;
        assert!(effective(house, &fresh).await.is_empty());
        hold(house, &new, &["house:read"]).await;
        for dead in [&session, &token] {
            assert_eq!(house.verdict(dead).await, "revoked");
        }
    }
}
