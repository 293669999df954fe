//! Accounts that are made with what they are to hold.

use serde_json::json;
use tokenhouse_authority::accounts::{self, Holdings, NewAccount};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::account::AccountState;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Permission, Result, Uuid};

use super::*;

async fn create(house: &House, caller: &Caller, new: NewAccount) -> Result<Uuid> {
    accounts::create(&house.ctx, caller, new).await.map(|done| done.value.id)
}

fn holding(permissions: &[&str], roles: &[Uuid], groups: &[Uuid]) -> Holdings {
    let permissions = permissions.iter().map(|text| (*text).to_owned()).collect();
    Holdings { permissions, roles: roles.to_vec(), groups: groups.to_vec() }
}

both! {
    async fn it_holds_it_all_at_once_and_the_ledger_tells_each_thing(house) {
        let role = new_role(house, "watchers", &["house:ledger"], Namespace::House).await;
        let crew = group(house, "crew").await;
        house.put(&house.admin, "/v1/groups/crew/roles/member", json!({})).await.expect(200);
        let before = house.revision().await;
        let holdings = holding(&["house:verify", "ingestion"], &[role], &[crew]);
        let new = NewAccount { active: false, description: "bot".to_owned(), holdings, ..robot("ci") };
        let id = create(house, &admin(house).await, new).await.unwrap();
        let view = view(house, id).await;
        assert_eq!((view.account.state, view.account.description.as_str()), (AccountState::Inactive, "bot"));
        assert_eq!(groups(&view), ["Service Accounts", "crew"]);
        let held = ["house:tokens.issue", "house:ledger", "house:verify", "house:read", "ingestion"];
        assert_eq!(view.held.names(), held);
        let mut roles: Vec<&str> = view.held_roles.iter().map(|role| role.name.as_str()).collect();
        roles.sort_unstable();
        assert_eq!((roles, view.given.len()), (vec!["member", "watchers"], 3));
        let told = ["account.created", "permission.granted", "permission.granted", "role.assigned", "group.member_added"];
        assert_eq!(kinds(house, before).await, told);
    }

    async fn one_thing_that_is_refused_refuses_the_account(house) {
        let (_, keeper) = keeper(house, "keeper", &["house:accounts", "house:roles", "house:groups", "house:read"]).await;
        let strong = new_role(house, "strong", &["house:policy"], Namespace::House).await;
        let carriers = group(house, "carriers").await;
        house.put(&house.admin, "/v1/groups/carriers/permissions/house:tokens", json!({})).await.expect(200);
        let before = house.revision().await;
        let new = |holdings| NewAccount { holdings, ..robot("ci") };
        not_covered(create(house, &keeper, new(holding(&["house:read", "house:ledger"], &[], &[]))).await, "house:ledger");
        not_covered(create(house, &keeper, new(holding(&["house:read"], &[strong], &[]))).await, "house:policy");
        not_covered(create(house, &keeper, new(holding(&["house:read"], &[], &[carriers]))).await, "house:tokens");
        gone(create(house, &keeper, new(holding(&["house:read"], &[Uuid::from_u128(7)], &[]))).await);
        gone(create(house, &keeper, new(holding(&["house:read"], &[], &[Uuid::from_u128(7)]))).await);
        wrong(create(house, &keeper, new(holding(&["house:nothing"], &[], &[]))).await, "permission");
        let many: Vec<Uuid> = (0..1001).map(Uuid::from_u128).collect();
        wrong(create(house, &keeper, new(holding(&[], &many, &[]))).await, "holdings");
        assert_eq!(house.revision().await, before);
        house.get(&house.admin, "/v1/accounts/sa::ci").await.refused(404, "not_found");
        create(house, &keeper, new(holding(&["house:read", "house:read"], &[], &[]))).await.unwrap();
    }

    async fn each_thing_needs_its_permission(house) {
        let (_, clerk) = keeper(house, "clerk", &["house:accounts", "house:read"]).await;
        let crew = group(house, "crew").await;
        let new = |holdings| NewAccount { holdings, ..robot("ci") };
        missing(create(house, &clerk, new(holding(&["house:read"], &[], &[]))).await, Permission::Roles);
        missing(create(house, &clerk, new(holding(&[], &[], &[crew]))).await, Permission::Groups);
        create(house, &clerk, new(Holdings::default())).await.unwrap();
        let (_, reader) = keeper(house, "reader", &["house:read"]).await;
        missing(create(house, &reader, robot("other")).await, Permission::Accounts);
    }

    async fn what_everyone_carries_is_covered_by_whoever_makes_a_user(house) {
        let (own, clerk) = keeper(house, "clerk", &["house:accounts", "house:read"]).await;
        // Or it would hold itself what is carried there.
        house.delete(&house.admin, &format!("/v1/groups/service accounts/members/{own}")).await.expect(200);
        create(house, &clerk, person("before@example.test")).await.unwrap();
        house.put(&house.admin, "/v1/groups/everyone/roles/auditor", json!({})).await.expect(200);
        let before = house.revision().await;
        not_covered(create(house, &clerk, person("after@example.test")).await, "house:ledger");
        assert_eq!(house.revision().await, before);
        // Not a user account, so it gains nothing of it.
        create(house, &clerk, robot("ci")).await.unwrap();
        let id = create(house, &admin(house).await, person("after@example.test")).await.unwrap();
        assert_eq!(view(house, id).await.held.names(), ["house:ledger", "house:read"]);
        house.put(&house.admin, "/v1/groups/service accounts/permissions/house:policy", json!({})).await.expect(200);
        not_covered(create(house, &clerk, robot("other")).await, "house:policy");
        let asked = json!({"kind": "service", "identifier": "third"});
        house.post(&house.admin, "/v1/accounts", asked).await.expect(201);
    }

    async fn within_a_namespace_nothing_else_is_there(house) {
        let (_, accounts) = keeper(house, "keeper", &["user_management"]).await;
        let own = new_role(house, "own", &["ingestion"], Namespace::Wavefront).await;
        let other = new_role(house, "other", &["ingestion"], Namespace::House).await;
        let new = |holdings| NewAccount { holdings, within: WAVEFRONT, ..robot("ci") };
        gone(create(house, &accounts, new(holding(&[], &[other], &[]))).await);
        wrong(create(house, &accounts, new(holding(&["house:read"], &[], &[]))).await, "permission");
        wrong(create(house, &accounts, new(holding(&["external/x/y"], &[], &[]))).await, "permission");
        let id = create(house, &accounts, new(holding(&["alerts_management"], &[own], &[]))).await.unwrap();
        assert_eq!(view(house, id).await.held.names(), ["ingestion", "alerts_management"]);
    }

    async fn another_orgs_roles_and_groups_are_not_there(house) {
        let (_, neighbour) = house.neighbour("second").await;
        let crew = house.post(&neighbour, "/v1/groups", json!({"name": "crew"})).await.expect(201).text("id");
        let role = house.post(&neighbour, "/v1/roles", json!({"name": "role"})).await.expect(201).text("id");
        let everyone = house.get(&neighbour, "/v1/groups/everyone").await.expect(200).text("id");
        let new = |holdings| NewAccount { holdings, ..robot("ci") };
        let admin = admin(house).await;
        gone(create(house, &admin, new(holding(&[], &[role.parse().unwrap()], &[]))).await);
        for group in [crew, everyone] {
            gone(create(house, &admin, new(holding(&[], &[], &[group.parse().unwrap()]))).await);
        }
    }
}
