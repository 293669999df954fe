//! Between orgs: nothing of one is there for another, and a suspended one stands still.

use serde_json::json;
use tokenhouse_e2e::{ADMIN, both};

use super::robot;

both! {
    async fn ids_of_another_org_are_not_found(house) {
        let (account, _) = robot(house, "ci", &[]).await;
        let (token, secret) = house.issue(&house.admin, json!({"owner": account})).await;
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        let ask = json!({"name": "r", "permissions": ["house:read"]});
        let role = house.post(&house.admin, "/v1/roles", ask).await.expect(201).text("id");
        let (_, there) = house.neighbour("second").await;
        let own = house.post(&there, "/v1/groups", json!({"name": "own"})).await.expect(201).text("id");
        let mine = house
            .post(&there, "/v1/accounts", json!({"kind": "service", "identifier": "sa::mine"}))
            .await
            .expect(201)
            .text("id");
        let before = house.revision().await;
        let requests = [
            ("GET", format!("/v1/orgs/{}", house.org)),
            ("GET", format!("/v1/accounts/{account}")),
            ("GET", "/v1/accounts/sa::ci".to_owned()),
            ("DELETE", format!("/v1/accounts/{account}")),
            ("POST", format!("/v1/accounts/{account}/activate")),
            ("POST", format!("/v1/accounts/{account}/deactivate")),
            ("GET", format!("/v1/accounts/{account}/permissions")),
            ("PUT", format!("/v1/accounts/{account}/roles/member")),
            ("DELETE", format!("/v1/accounts/{account}/roles/member")),
            ("PUT", format!("/v1/accounts/{mine}/roles/{role}")),
            ("DELETE", format!("/v1/accounts/{mine}/roles/{role}")),
            ("PUT", format!("/v1/accounts/{account}/permissions/house:read")),
            ("DELETE", format!("/v1/accounts/{account}/permissions/house:read")),
            ("GET", format!("/v1/groups/{group}")),
            ("GET", "/v1/groups/g".to_owned()),
            ("PATCH", format!("/v1/groups/{group}")),
            ("DELETE", format!("/v1/groups/{group}")),
            ("GET", format!("/v1/groups/{group}/members")),
            ("PUT", format!("/v1/groups/{group}/members/{mine}")),
            ("PUT", format!("/v1/groups/{own}/members/{account}")),
            ("DELETE", format!("/v1/groups/{group}/members/{account}")),
            ("DELETE", format!("/v1/groups/{own}/members/{account}")),
            ("PUT", format!("/v1/groups/{group}/roles/member")),
            ("PUT", format!("/v1/groups/{own}/roles/{role}")),
            ("DELETE", format!("/v1/groups/{own}/roles/{role}")),
            ("PUT", format!("/v1/groups/{group}/permissions/house:read")),
            ("GET", format!("/v1/roles/{role}")),
            ("GET", "/v1/roles/r".to_owned()),
            ("PATCH", format!("/v1/roles/{role}")),
            ("DELETE", format!("/v1/roles/{role}")),
            ("GET", format!("/v1/tokens/{token}")),
            ("GET", format!("/v1/tokens?owner={account}")),
            ("PATCH", format!("/v1/tokens/{token}")),
            ("GET", format!("/v1/tokens/{token}/usage")),
            ("POST", format!("/v1/tokens/{token}/deactivate")),
            ("POST", format!("/v1/tokens/{token}/reactivate")),
            ("POST", format!("/v1/tokens/{token}/rotate")),
            ("POST", format!("/v1/tokens/{token}/revoke")),
        ];
        for (method, path) in requests {
            let answer = house.send(house.request(method, &path).bearer_auth(&there).json(&json!({}))).await;
            assert_eq!(
                (answer.status, answer["code"].as_str()),
                (404, Some("not_found")),
                "{method} {path}: {}",
                answer.raw
            );
        }
        let password = json!({"password": "a fresh password"});
        house.put(&there, &format!("/v1/accounts/{account}/password"), password).await.refused(404, "not_found");
        house
            .patch(&there, &format!("/v1/accounts/{account}"), json!({"description": "x"}))
            .await
            .refused(404, "not_found");
        house.post(&there, "/v1/tokens", json!({"owner": account})).await.refused(404, "not_found");
        house.post(&there, "/v1/tokens", json!({"owner": "sa::ci"})).await.refused(404, "not_found");
        assert_eq!(house.revision().await, before);
        let answer = house.post(&there, "/v1/verify", json!({"token": secret})).await.expect(200);
        assert_eq!(answer.body, json!({"active": false, "reason": "unknown"}));
    }

    async fn lists_and_the_ledger_show_nothing_of_another_org(house) {
        robot(house, "ci", &[]).await;
        let (second, there) = house.neighbour("second").await;
        for path in ["/v1/accounts", "/v1/tokens", "/v1/groups"] {
            let answer = house.get(&there, path).await.expect(200);
            for item in answer["items"].as_array().unwrap() {
                assert_eq!(item["org_id"], second.as_str(), "{path}");
            }
            assert!(!answer.raw.contains("sa::ci") && !answer.raw.contains(ADMIN), "{path}: {}", answer.raw);
        }
        let orgs = house.get(&there, "/v1/orgs").await.expect(200);
        assert_eq!(orgs["items"].as_array().unwrap().len(), 1);
        assert_eq!(orgs["items"][0]["id"], second.as_str());
        let ledger = house.get(&there, "/v1/ledger?limit=1000").await.expect(200);
        assert!(!ledger.raw.contains("sa::ci") && !ledger.raw.contains(&house.org), "{}", ledger.raw);
    }

    async fn only_an_operator_touches_orgs(house) {
        let (second, there) = house.neighbour("second").await;
        let (_, session) = house.person("a@example.test", &["administrator", "org_owner", "admin"]).await;
        for attacker in [&there, &session] {
            let requests = [
                ("POST", "/v1/orgs".to_owned(), json!({"name": "third", "admin": "x@third.test"})),
                ("POST", format!("/v1/orgs/{second}/resume"), json!({})),
                ("PATCH", format!("/v1/orgs/{second}"), json!({"name": "mine"})),
            ];
            for (method, path, body) in requests {
                let answer = house.send(house.request(method, &path).bearer_auth(attacker).json(&body)).await;
                assert_eq!(answer.refused(403, "missing_permission")["permission"], "house:orgs");
            }
        }
        let suspend = format!("/v1/orgs/{second}/suspend");
        house.post(&session, &suspend, json!({})).await.refused(403, "missing_permission");
        house.post(&there, &suspend, json!({})).await.refused(409, "unlawful_state");
        // Who makes an org makes its administrator, and so must hold all that that one gets.
        let bare = robot(house, "bare", &["house:orgs"]).await.1;
        let ask = json!({"name": "third", "admin": "x@third.test"});
        house.post(&bare, "/v1/orgs", ask.clone()).await.refused(403, "not_covered");
        house.post(&bare, &suspend, json!({})).await.expect(200);
        house.post(&house.admin, "/v1/orgs", ask).await.expect(201);
    }

    async fn a_suspended_org_stands_still_and_comes_back_whole(house) {
        let admin = json!({"name": "second", "admin": "admin@second.test"});
        let made = house.post(&house.admin, "/v1/orgs", admin).await.expect(201);
        let (second, password) = (made.text("id"), made.text("password"));
        let session = house.sign_in("admin@second.test", &password).await;
        let (_, token) = house.issue(&session, json!({})).await;
        house
            .post(&house.admin, &format!("/v1/orgs/{}/suspend", house.org), json!({}))
            .await
            .refused(409, "unlawful_state");
        for _ in 0..2 {
            let answer = house.post(&house.admin, &format!("/v1/orgs/{second}/suspend"), json!({})).await.expect(200);
            assert_eq!(answer["state"], "suspended");
        }
        for secret in [&session, &token] {
            house.get(secret, "/v1/whoami").await.refused(401, "unauthenticated");
            house.post(secret, "/v1/tokens", json!({})).await.refused(401, "unauthenticated");
            house.post(secret, &format!("/v1/orgs/{second}/resume"), json!({})).await.refused(401, "unauthenticated");
        }
        let sign_in = json!({"email": "admin@second.test", "password": password});
        house.post("", "/v1/session", sign_in.clone()).await.refused(401, "unauthenticated");
        house.get(&house.admin, "/v1/whoami").await.expect(200);
        house.post(&house.admin, &format!("/v1/orgs/{second}/resume"), json!({})).await.expect(200);
        house.get(&token, "/v1/whoami").await.expect(200);
        house.post("", "/v1/session", sign_in).await.expect(201);
    }
}
