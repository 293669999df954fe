//! Wavefront's Accounts permission: the one exception, within wavefront permissions and over who holds nothing else.

use serde_json::json;
use tokenhouse_e2e::{PASSWORD, both};

use super::{effective, hold, robot};

const ACCOUNTS: &[&str] = &["user_management"];

both! {
    async fn it_gives_wavefront_permissions_that_it_does_not_hold(house) {
        let keeper = robot(house, "keeper", ACCOUNTS).await.1;
        let (account, token) = robot(house, "ci", &[]).await;
        house
            .put(&keeper, &format!("/v1/accounts/{account}/permissions/alerts_management"), json!({}))
            .await
            .expect(200);
        let ask = json!({"name": "dash", "permissions": ["dashboard_management", "events_management"]});
        let role = house.post(&keeper, "/v1/roles", ask).await.expect(201).text("id");
        house.put(&keeper, &format!("/v1/accounts/{account}/roles/{role}"), json!({})).await.expect(200);
        assert_eq!(effective(house, &token).await, ["dashboard_management", "alerts_management", "events_management"]);
        let (_, minted) = house.issue(&keeper, json!({"owner": account})).await;
        assert_eq!(effective(house, &minted).await, effective(house, &token).await);
    }

    async fn it_gives_nothing_of_another_namespace(house) {
        let (own, keeper) = robot(house, "keeper", ACCOUNTS).await;
        let (other, _) = robot(house, "ci", &[]).await;
        let ask = json!({"name": "mixed", "permissions": ["alerts_management", "house:read"]});
        house.post(&keeper, "/v1/roles", ask).await.expect(201);
        for account in [&own, &other] {
            for what in [
                "permissions/house:read",
                "permissions/house:tokens.issue",
                "permissions/csp:org_member",
                "permissions/splunk:read_only",
                "permissions/external%2Fbilling%2Freader",
                "roles/mixed",
                "roles/member",
                "roles/org_member",
                "roles/read_only",
            ] {
                let path = format!("/v1/accounts/{account}/{what}");
                house.put(&keeper, &path, json!({})).await.refused(403, "not_covered");
            }
        }
        assert_eq!(effective(house, &keeper).await, ACCOUNTS);
    }

    async fn it_gives_nothing_to_who_holds_anything_else(house) {
        let keeper = robot(house, "keeper", ACCOUNTS).await.1;
        for (name, other) in [("one", "house:read"), ("two", "csp:org_owner"), ("three", "splunk:admin")] {
            let (account, token) = robot(house, name, &[other]).await;
            let path = format!("/v1/accounts/{account}/permissions/alerts_management");
            house.put(&keeper, &path, json!({})).await.refused(403, "not_covered");
            house
                .put(&keeper, &format!("/v1/accounts/{account}/permissions/user_management"), json!({}))
                .await
                .expect(200);
            house.delete(&keeper, &format!("/v1/accounts/{account}/permissions/user_management")).await.expect(200);
            house.post(&keeper, "/v1/tokens", json!({"owner": account})).await.refused(403, "not_covered");
            let ask = json!({"owner": account, "scopes": [other]});
            house.post(&keeper, "/v1/tokens", ask).await.refused(403, "not_covered");
            assert_eq!(effective(house, &token).await, [other]);
        }
    }

    async fn it_gives_nothing_to_a_group_with_one_member_who_holds_anything_else(house) {
        let keeper = robot(house, "keeper", ACCOUNTS).await.1;
        let (plain, _) = robot(house, "plain", &[]).await;
        let (mixed, _) = robot(house, "mixed", &["house:read"]).await;
        let group = house.post(&keeper, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        let path = format!("/v1/groups/{group}");
        house.put(&keeper, &format!("{path}/members/{plain}"), json!({})).await.expect(200);
        house.put(&keeper, &format!("{path}/permissions/alerts_management"), json!({})).await.expect(200);
        // The group gives now more than the keeper holds, so the mixed one stays out.
        house.put(&keeper, &format!("{path}/members/{mixed}"), json!({})).await.refused(403, "not_covered");
        house.put(&house.admin, &format!("{path}/members/{mixed}"), json!({})).await.expect(200);
        house
            .put(&keeper, &format!("{path}/permissions/events_management"), json!({}))
            .await
            .refused(403, "not_covered");
        house.delete(&keeper, &format!("{path}/members/{mixed}")).await.expect(200);
        house.put(&keeper, &format!("{path}/permissions/events_management"), json!({})).await.expect(200);
    }

    async fn it_makes_no_role_grow(house) {
        let keeper = robot(house, "keeper", ACCOUNTS).await.1;
        let role =
            house.post(&keeper, "/v1/roles", json!({"name": "r", "permissions": []})).await.expect(201).text("id");
        let (account, token) = robot(house, "mixed", &["house:read"]).await;
        house.put(&house.admin, &format!("/v1/accounts/{account}/roles/{role}"), json!({})).await.expect(200);
        let grown = json!({"permissions": ["alerts_management"]});
        house.patch(&keeper, &format!("/v1/roles/{role}"), grown).await.refused(403, "not_covered");
        assert_eq!(effective(house, &token).await, ["house:read"]);
    }

    async fn it_sets_passwords_only_of_who_holds_nothing_else(house) {
        let keeper = robot(house, "keeper", ACCOUNTS).await.1;
        let (plain, _) = house.person("plain@example.test", &[]).await;
        hold(house, &plain, &["alerts_management"]).await;
        let (mixed, session) = house.person("mixed@example.test", &["member"]).await;
        let fresh = "a fresh password";
        house.secret(fresh);
        house.put(&keeper, &format!("/v1/accounts/{plain}/password"), json!({"password": fresh})).await.expect(200);
        house.sign_in("plain@example.test", fresh).await;
        let path = format!("/v1/accounts/{mixed}/password");
        house.put(&keeper, &path, json!({"password": fresh})).await.refused(403, "not_covered");
        house.get(&session, "/v1/whoami").await.expect(200);
        house.sign_in("mixed@example.test", PASSWORD).await;
    }

    async fn it_is_not_in_a_token_that_does_not_carry_it(house) {
        let (_, keeper) = robot(house, "keeper", &["user_management", "house:tokens.issue"]).await;
        let (_, scoped) = house.issue(&keeper, json!({"scopes": ["house:tokens.issue"]})).await;
        let (account, _) = robot(house, "ci", &[]).await;
        let path = format!("/v1/accounts/{account}/permissions/ingestion");
        house.put(&scoped, &path, json!({})).await.refused(403, "missing_permission");
        house.post(&scoped, "/v1/tokens", json!({"owner": account})).await.refused(403, "missing_permission");
        house.post(&scoped, "/v1/tokens", json!({"scopes": ["user_management"]})).await.refused(403, "not_covered");
    }
}
