//! Nobody mints a token above himself.

use serde_json::{Value, json};
use tokenhouse_e2e::both;

use super::{effective, hold, limited, robot};

both! {
    async fn a_scoped_token_cannot_mint_an_unscoped_one(house) {
        let scoped = limited(house, json!({"scopes": ["house:tokens.issue", "house:read"]})).await;
        let before = house.revision().await;
        for ask in [json!({}), json!({"scopes": null}), json!({"name": "all", "lifetime_seconds": 5})] {
            house.post(&scoped, "/v1/tokens", ask).await.refused(403, "not_covered");
        }
        let ask = json!({"scopes": ["house:read", "house:accounts"]});
        let refused = house.post(&scoped, "/v1/tokens", ask).await.refused(403, "not_covered");
        assert_eq!(refused["permission"], "house:accounts");
        assert_eq!(house.revision().await, before);
        let (_, child) = house.issue(&scoped, json!({"scopes": ["house:tokens.issue"]})).await;
        assert_eq!(effective(house, &child).await, ["house:tokens.issue"]);
        house.post(&child, "/v1/tokens", json!({"scopes": ["house:read"]})).await.refused(403, "not_covered");
    }

    async fn a_token_scoped_to_all_that_there_is_today_cannot_mint_one_that_grows(house) {
        let (id, session) = house.person("a@example.test", &["member"]).await;
        let everything = effective(house, &session).await;
        let (_, scoped) = house.issue(&session, json!({"scopes": everything})).await;
        house.post(&scoped, "/v1/tokens", json!({})).await.refused(403, "forbidden");
        let (_, child) = house.issue(&scoped, json!({"scopes": everything})).await;
        hold(house, &id, &["house:ledger"]).await;
        house.get(&session, "/v1/ledger").await.expect(200);
        for token in [&scoped, &child] {
            let refused = house.get(token, "/v1/ledger").await.refused(403, "missing_permission");
            assert_eq!(refused["permission"], "house:ledger");
        }
    }

    async fn a_scoped_token_takes_no_secret_of_an_unscoped_one_and_gives_it_no_life(house) {
        let (_, session) = house.person("a@example.test", &["member"]).await;
        let everything = effective(house, &session).await;
        let end = house.clock.now() + 60_000;
        let (whole, _) = house.issue(&session, json!({"expires_at": end})).await;
        let (_, scoped) = house.issue(&session, json!({"scopes": everything})).await;
        let path = format!("/v1/tokens/{whole}");
        house.post(&scoped, &format!("{path}/rotate"), json!({})).await.refused(403, "forbidden");
        house.patch(&scoped, &path, json!({"expires_at": null})).await.refused(403, "forbidden");
        house.patch(&scoped, &path, json!({"expires_at": end + 1})).await.refused(403, "forbidden");
        // Less life and no life are free.
        house.patch(&scoped, &path, json!({"expires_at": end - 1})).await.expect(200);
        house.post(&scoped, &format!("{path}/deactivate"), json!({})).await.expect(200);
        house.post(&scoped, &format!("{path}/reactivate"), json!({})).await.refused(403, "forbidden");
        assert_eq!(house.get(&session, &path).await["state"], "inactive");
        house.post(&scoped, &format!("{path}/revoke"), json!({})).await.expect(200);
    }

    async fn scopes_that_the_owner_does_not_hold_are_refused(house) {
        let (_, session) = house.person("a@example.test", &["member"]).await;
        for scope in ["house:ledger", "token_management", "csp:org_owner", "external/billing/owner"] {
            let refused = house.post(&session, "/v1/tokens", json!({"scopes": [scope]})).await;
            assert_eq!(refused.refused(400, "invalid_field")["field"], "scopes");
        }
        let refused = house.post(&session, "/v1/tokens", json!({"scopes": ["house:everything"]})).await;
        refused.refused(400, "invalid_field");
        // None at all is a token that is someone and may do nothing.
        let (_, nothing) = house.issue(&session, json!({"scopes": []})).await;
        assert!(effective(house, &nothing).await.is_empty());
        house.post(&nothing, "/v1/tokens", json!({"scopes": []})).await.refused(403, "missing_permission");
    }

    async fn no_route_leads_to_the_token_of_a_stronger_service_account(house) {
        let (strong, _) = house.service("strong", &["administrator"]).await;
        let (_, weak) = robot(house, "weak", &["house:tokens", "house:tokens.issue"]).await;
        let end = house.clock.now() + 60_000;
        let (id, secret) = house.issue(&house.admin, json!({"owner": strong, "expires_at": end})).await;
        let path = format!("/v1/tokens/{id}");
        house.post(&weak, &format!("{path}/deactivate"), json!({})).await.expect(200);
        let attempts = [
            ("/v1/tokens".to_owned(), json!({"owner": strong})),
            ("/v1/tokens".to_owned(), json!({"owner": "sa::strong"})),
            ("/v1/tokens".to_owned(), json!({"owner": strong, "scopes": ["house:tokens", "house:accounts"]})),
            (format!("{path}/reactivate"), json!({})),
        ];
        for (path, body) in attempts {
            let refused = house.post(&weak, &path, body).await.refused(403, "not_covered");
            assert_eq!(refused["permission"], "house:accounts");
        }
        house.post(&house.admin, &format!("{path}/reactivate"), json!({})).await.expect(200);
        house.post(&weak, &format!("{path}/rotate"), json!({"overlap_seconds": 60})).await.refused(403, "not_covered");
        house.patch(&weak, &path, json!({"expires_at": null})).await.refused(403, "not_covered");
        assert_eq!(house.verdict(&secret).await, "good");
        // What he holds himself he may give to it, and what is there he may end.
        let (_, fair) = house.issue(&weak, json!({"owner": strong, "scopes": ["house:tokens.issue"]})).await;
        assert_eq!(effective(house, &fair).await, ["house:tokens.issue"]);
        house.patch(&weak, &path, json!({"expires_at": end - 1})).await.expect(200);
        house.post(&weak, &format!("{path}/revoke"), json!({})).await.expect(200);
        assert_eq!(house.verdict(&secret).await, "revoked");
    }

    async fn a_service_account_that_grew_is_covered_anew(house) {
        let (account, _) = robot(house, "ci", &["house:read"]).await;
        let manager = robot(house, "manager", &["house:tokens", "house:read"]).await.1;
        let (id, _) = house.issue(&manager, json!({"owner": account})).await;
        hold(house, &account, &["house:policy"]).await;
        house.post(&manager, "/v1/tokens", json!({"owner": account})).await.refused(403, "not_covered");
        house.post(&manager, &format!("/v1/tokens/{id}/rotate"), json!({})).await.refused(403, "not_covered");
    }

    async fn nobody_issues_for_another_person(house) {
        let (person, session) = house.person("a@example.test", &["member"]).await;
        let accounts = robot(house, "accounts", &["user_management", "house:tokens.issue"]).await.1;
        let rest = ["house:tokens", "house:tokens.issue", "house:accounts", "house:read"];
        let tokens = robot(house, "tokens", &rest).await.1;
        for attacker in [&house.admin, &accounts, &tokens] {
            for owner in [person.as_str(), "a@example.test", "A@Example.TEST"] {
                let ask = json!({"owner": owner, "scopes": []});
                house.post(attacker, "/v1/tokens", ask).await.refused(403, "forbidden");
            }
        }
        let (own, secret) = house.issue(&session, json!({})).await;
        let all = house.get(&house.admin, &format!("/v1/tokens?owner={person}&kind=session")).await.expect(200);
        let sitting = all["items"][0]["id"].as_str().unwrap().to_owned();
        for attacker in [&house.admin, &tokens] {
            let refused = house.post(attacker, &format!("/v1/tokens/{own}/rotate"), json!({})).await;
            refused.refused(403, "forbidden");
            house
                .post(attacker, &format!("/v1/tokens/{sitting}/rotate"), json!({}))
                .await
                .refused(409, "unlawful_state");
        }
        assert_eq!(house.verdict(&secret).await, "good");
        assert_eq!(house.verdict(&session).await, "good");
    }

    async fn a_person_is_no_service_accounts_owner_by_default(house) {
        let (account, _) = robot(house, "ci", &[]).await;
        let (_, member) = house.person("a@example.test", &["member"]).await;
        let refused = house.post(&member, "/v1/tokens", json!({"owner": account})).await;
        assert_eq!(refused.refused(403, "missing_permission")["permission"], "house:tokens");
    }

    async fn what_a_token_is_cannot_be_patched(house) {
        let (id, _) = house.issue(&house.admin, json!({"scopes": ["house:read"], "cidrs": ["10.0.0.0/8"]})).await;
        let before = house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200);
        let changes = [
            json!({"cidrs": []}),
            json!({"scopes": null}),
            json!({"reach": ["native"]}),
            json!({"owner": "sa::x"}),
            json!({"kind": "session"}),
            json!({"state": "active"}),
            json!({"not_before": 0}),
            json!({"idle_seconds": null}),
        ];
        for change in changes {
            house.patch(&house.admin, &format!("/v1/tokens/{id}"), change).await.refused(400, "malformed");
        }
        assert_eq!(house.get(&house.admin, &format!("/v1/tokens/{id}")).await.body, before.body);
    }

    async fn who_lost_the_right_to_issue_cannot_bring_his_old_tokens_back(house) {
        let (person, session) = house.person("a@example.test", &["member"]).await;
        let (id, _) = house.issue(&session, json!({"expires_at": house.clock.now() + 60_000})).await;
        let path = format!("/v1/tokens/{id}");
        house.post(&house.admin, &format!("{path}/deactivate"), json!({})).await.expect(200);
        house.delete(&house.admin, &format!("/v1/accounts/{person}/roles/member")).await.expect(200);
        let attempts: [(&str, String, Value); 3] = [
            ("POST", format!("{path}/reactivate"), json!({})),
            ("PATCH", path.clone(), json!({"expires_at": null})),
            ("POST", "/v1/tokens".to_owned(), json!({})),
        ];
        for (method, path, body) in attempts {
            let answer = house.send(house.request(method, &path).bearer_auth(&session).json(&body)).await;
            assert_eq!(answer.refused(403, "missing_permission")["permission"], "house:tokens.issue");
        }
        house.post(&session, &format!("{path}/rotate"), json!({})).await.refused(409, "unlawful_state");
        house.post(&session, &format!("{path}/revoke"), json!({})).await.expect(200);
    }
}
