//! Nobody gives what he does not have, by whatever route.

use serde_json::json;
use tokenhouse_e2e::both;

use super::{effective, hold, limited, robot};

both! {
    async fn nobody_gives_a_role_above_himself(house) {
        let (own, giver) = robot(house, "giver", &["house:roles", "house:read"]).await;
        let (other, _) = robot(house, "other", &[]).await;
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        let before = house.revision().await;
        for holder in [format!("accounts/{own}"), format!("accounts/{other}"), format!("groups/{group}")] {
            for role in ["administrator", "operator", "auditor", "member", "org_owner", "admin", "verifier"] {
                let path = format!("/v1/{holder}/roles/{role}");
                house.put(&giver, &path, json!({})).await.refused(403, "not_covered");
                let brief = json!({"expires_at": house.clock.now() + 1});
                house.put(&giver, &path, brief).await.refused(403, "not_covered");
            }
            for permission in ["house:accounts", "user_management", "csp:org_owner", "splunk:admin"] {
                let path = format!("/v1/{holder}/permissions/{permission}");
                house.put(&giver, &path, json!({})).await.refused(403, "not_covered");
            }
        }
        assert_eq!(house.revision().await, before);
        house.put(&giver, &format!("/v1/accounts/{other}/permissions/house:read"), json!({})).await.expect(200);
        assert_eq!(effective(house, &giver).await, ["house:roles", "house:read"]);
    }

    async fn a_role_of_ones_own_making_gives_nothing_above_its_maker(house) {
        let (own, maker) = robot(house, "maker", &["house:roles", "house:groups"]).await;
        let ask = json!({"name": "crown", "permissions": ["house:roles", "house:policy"]});
        let role = house.post(&maker, "/v1/roles", ask).await.expect(201).text("id");
        let refused = house.put(&maker, &format!("/v1/accounts/{own}/roles/{role}"), json!({})).await;
        assert_eq!(refused.refused(403, "not_covered")["permission"], "house:policy");
        // The long way round: give the small role, then make it grow, alone or on a group that one is in.
        let small = json!({"name": "small", "permissions": ["house:roles"]});
        let small = house.post(&maker, "/v1/roles", small).await.expect(201).text("id");
        let group = house.post(&maker, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        house.put(&maker, &format!("/v1/accounts/{own}/roles/{small}"), json!({})).await.expect(200);
        house.put(&maker, &format!("/v1/groups/{group}/roles/{small}"), json!({})).await.expect(200);
        house.put(&maker, &format!("/v1/groups/{group}/members/{own}"), json!({})).await.expect(200);
        let grown = json!({"permissions": ["house:roles", "house:policy"]});
        let refused = house.patch(&maker, &format!("/v1/roles/{small}"), grown).await.refused(403, "not_covered");
        assert_eq!(refused["permission"], "house:policy");
        let refused = house.put(&maker, &format!("/v1/groups/{group}/roles/{role}"), json!({})).await;
        refused.refused(403, "not_covered");
        assert_eq!(effective(house, &maker).await, ["house:groups", "house:roles"]);
        // Making a role smaller, or taking it away, is free.
        house.patch(&maker, &format!("/v1/roles/{role}"), json!({"permissions": []})).await.expect(200);
        house
            .patch(&maker, &format!("/v1/roles/{role}"), json!({"permissions": ["house:policy"]}))
            .await
            .refused(403, "not_covered");
        house.delete(&maker, &format!("/v1/roles/{role}")).await.expect(200);
    }

    async fn a_builtin_role_cannot_be_made_to_grow_or_be_impersonated(house) {
        let path = "/v1/roles/member";
        house.patch(&house.admin, path, json!({"permissions": ["house:policy"]})).await.refused(409, "unlawful_state");
        house.delete(&house.admin, path).await.refused(409, "unlawful_state");
        for name in ["member", "Member", " administrator "] {
            house.post(&house.admin, "/v1/roles", json!({"name": name})).await.refused(409, "duplicate");
        }
    }

    async fn nobody_comes_into_a_group_that_gives_more_than_its_keeper_holds(house) {
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        let path = format!("/v1/groups/{group}");
        house.put(&house.admin, &format!("{path}/roles/auditor"), json!({})).await.expect(200);
        let (own, keeper) = robot(house, "keeper", &["house:groups", "house:read"]).await;
        let (other, _) = robot(house, "other", &[]).await;
        for account in [own.as_str(), &other, "sa::other"] {
            let refused = house.put(&keeper, &format!("{path}/members/{account}"), json!({})).await;
            assert_eq!(refused.refused(403, "not_covered")["permission"], "house:ledger");
        }
        assert_eq!(house.get(&keeper, &path).await["members"], 0);
        // The same by a permission that the group has directly.
        house.delete(&house.admin, &format!("{path}/roles/auditor")).await.expect(200);
        house.put(&house.admin, &format!("{path}/permissions/token_management"), json!({})).await.expect(200);
        house.put(&keeper, &format!("{path}/members/{own}"), json!({})).await.refused(403, "not_covered");
        house.delete(&house.admin, &format!("{path}/permissions/token_management")).await.expect(200);
        house.put(&keeper, &format!("{path}/members/{own}"), json!({})).await.expect(200);
        // Now that he is in: what the group is given he gains, so it takes a giver who holds it.
        let giver = robot(house, "giver", &["house:roles"]).await.1;
        house.put(&giver, &format!("{path}/roles/auditor"), json!({})).await.refused(403, "not_covered");
        assert_eq!(effective(house, &keeper).await, ["house:groups", "house:read"]);
    }

    async fn an_administrators_scoped_token_gives_only_what_it_carries(house) {
        let (robot, _) = robot(house, "ci", &[]).await;
        let scoped = limited(house, json!({"scopes": ["house:roles", "house:groups", "house:read"]})).await;
        let account = format!("/v1/accounts/{robot}");
        house.put(&scoped, &format!("{account}/roles/member"), json!({})).await.refused(403, "not_covered");
        house.put(&scoped, &format!("{account}/permissions/house:ledger"), json!({})).await.refused(403, "not_covered");
        house.put(&scoped, &format!("{account}/permissions/house:read"), json!({})).await.expect(200);
        let group = house.post(&scoped, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        house.put(&house.admin, &format!("/v1/groups/{group}/roles/member"), json!({})).await.expect(200);
        let refused = house.put(&scoped, &format!("/v1/groups/{group}/members/{robot}"), json!({})).await;
        assert_eq!(refused.refused(403, "not_covered")["permission"], "house:tokens.issue");
    }

    async fn a_service_behind_us_has_permissions_that_only_who_manages_roles_gives(house) {
        let (own, keeper) = robot(house, "keeper", &["house:accounts", "house:groups", "house:tokens"]).await;
        let (other, token) = robot(house, "other", &[]).await;
        let path = format!("/v1/accounts/{other}/permissions/external%2Fbilling%2Fowner");
        house.put(&keeper, &path, json!({})).await.refused(403, "missing_permission");
        for lesser in ["user_management", "splunk:admin"] {
            let scoped = limited(house, json!({"scopes": [lesser]})).await;
            house.put(&scoped, &path, json!({})).await.refused(403, "not_covered");
        }
        let giver = robot(house, "giver", &["house:roles"]).await.1;
        house.put(&giver, &path, json!({})).await.expect(200);
        assert_eq!(effective(house, &token).await, ["external/billing/owner"]);
        // Neither a token of who has it, nor a group that gives it, is for who manages no roles.
        let refused = house.post(&keeper, "/v1/tokens", json!({"owner": other})).await.refused(403, "not_covered");
        assert_eq!(refused["permission"], "external/billing/owner");
        let group = house.post(&keeper, "/v1/groups", json!({"name": "g"})).await.expect(201).text("id");
        let given = format!("/v1/groups/{group}/permissions/external%2Fbilling%2Fowner");
        house.put(&giver, &given, json!({})).await.expect(200);
        let refused = house.put(&keeper, &format!("/v1/groups/{group}/members/{own}"), json!({})).await;
        assert_eq!(refused.refused(403, "not_covered")["permission"], "external/billing/owner");
        // With it comes nothing of the house's own.
        house
            .put(&giver, &format!("/v1/accounts/{other}/permissions/house:read"), json!({}))
            .await
            .refused(403, "not_covered");
    }

    async fn a_given_thing_ends_when_it_was_said_to(house) {
        let (account, token) = robot(house, "ci", &[]).await;
        let path = format!("/v1/accounts/{account}/permissions/house:ledger");
        let end = house.clock.now() + 5_000;
        for past in [0, -1, house.clock.now()] {
            house.put(&house.admin, &path, json!({"expires_at": past})).await.refused(400, "invalid_field");
        }
        house.put(&house.admin, &path, json!({"expires_at": end})).await.expect(200);
        hold(house, &account, &["house:tokens.issue"]).await;
        let (_, early) = house.issue(&token, json!({"scopes": ["house:ledger"]})).await;
        house.get(&early, "/v1/ledger").await.expect(200);
        house.wait(5);
        for token in [&token, &early] {
            house.get(token, "/v1/ledger").await.refused(403, "missing_permission");
        }
        // What is over can't be handed on either.
        let refused = house.post(&token, "/v1/tokens", json!({"scopes": ["house:ledger"]})).await;
        assert_eq!(refused.refused(400, "invalid_field")["field"], "scopes");
    }
}
