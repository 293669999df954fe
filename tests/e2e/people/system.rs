//! The groups that every org has.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;
use tokenhouse_authority::{Ctx, groups as group_of};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::account::AccountKind;

use super::*;

const BOTH: [&str; 2] = ["everyone", "service accounts"];

/// Makes of the database what it was before there were system groups.
async fn as_before(house: &House) {
    for sql in [
        "DELETE FROM role_assignment WHERE holder_kind = 'group'",
        "DELETE FROM group_member",
        "DELETE FROM account_group",
        "DELETE FROM settings WHERE name = 'system_groups'",
    ] {
        house.database.execute(sql).await;
    }
}

/// A custom group in a database of before.
async fn old_group(house: &House, name: &str) -> Uuid {
    let id = group(house, &format!("{name}!")).await;
    let sql = format!(
        "UPDATE account_group SET name = '{name}', name_fold = '{}' WHERE name = '{name}!'",
        name.to_lowercase()
    );
    house.database.execute(&sql).await;
    id
}

async fn settle(ctx: &Arc<Ctx>) {
    group_of::settle(ctx).await.unwrap();
}

async fn members(house: &House, name: &str) -> i64 {
    house.get(&house.admin, &format!("/v1/groups/{name}")).await.expect(200).number("members")
}

both! {
    async fn every_org_has_them_and_accounts_join_by_themselves(house) {
        let (_, neighbour) = house.neighbour("second").await;
        for token in [&house.admin, &neighbour] {
            let everyone = house.get(token, "/v1/groups/everyone").await.expect(200);
            assert_eq!((&everyone["name"], &everyone["kind"], &everyone["members"]), (&json!("Everyone"), &json!("everyone"), &json!(1)));
            let robots = house.get(token, "/v1/groups/service accounts").await.expect(200);
            assert_eq!((&robots["kind"], &robots["members"]), (&json!("service_accounts"), &json!(0)));
        }
        assert_eq!(house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201)["kind"], "custom");
        let (ann, session) = house.person("ann@example.test", &[]).await;
        let (robot, _) = house.service("ci", &[]).await;
        assert_eq!((members(house, "everyone").await, members(house, "service accounts").await), (2, 1));
        assert_eq!(groups(&view(house, ann.parse().unwrap()).await), ["Everyone"]);
        assert_eq!(groups(&view(house, robot.parse().unwrap()).await), ["Service Accounts"]);
        // A role of Everyone is every user's, and nobody else's.
        house.put(&house.admin, "/v1/groups/everyone/roles/auditor", json!({})).await.expect(200);
        assert_eq!(house.get(&session, "/v1/whoami").await.expect(200)["permissions"], json!(["house:ledger", "house:read"]));
        assert!(view(house, robot.parse().unwrap()).await.held.is_empty());
        house.delete(&house.admin, &format!("/v1/accounts/{ann}")).await.expect(200);
        assert_eq!(members(house, "everyone").await, 1);
    }

    async fn they_are_neither_deleted_nor_renamed_nor_filled_by_hand(house) {
        let (ann, _) = house.person("ann@example.test", &[]).await;
        let (robot, _) = house.service("ci", &[]).await;
        let before = house.revision().await;
        for name in BOTH {
            let path = format!("/v1/groups/{name}");
            house.delete(&house.admin, &path).await.refused(409, "unlawful_state");
            house.patch(&house.admin, &path, json!({"name": "Other"})).await.refused(409, "unlawful_state");
            house.patch(&house.admin, &path, json!({"name": name})).await.refused(409, "unlawful_state");
            house.post(&house.admin, "/v1/groups", json!({"name": name})).await.refused(409, "duplicate");
        }
        for (method, path) in [
            ("DELETE", format!("/v1/groups/everyone/members/{ann}")),
            ("PUT", format!("/v1/groups/everyone/members/{robot}")),
            ("DELETE", format!("/v1/groups/everyone/members/{robot}")),
            ("PUT", format!("/v1/groups/service accounts/members/{ann}")),
        ] {
            let request = house.request(method, &path).bearer_auth(&house.admin).json(&json!({}));
            house.send(request).await.refused(409, "unlawful_state");
        }
        house.put(&house.admin, &format!("/v1/groups/everyone/members/{ann}"), json!({})).await.expect(200);
        assert_eq!(house.revision().await, before);
        let described = json!({"name": "Everyone", "description": "all of us"});
        let described = house.patch(&house.admin, "/v1/groups/everyone", described).await.expect(200);
        assert_eq!((&described["description"], &described["kind"]), (&json!("all of us"), &json!("everyone")));
        let path = format!("/v1/groups/service accounts/members/{robot}");
        assert_eq!(house.delete(&house.admin, &path).await.expect(200)["members"], 0);
        house.restart().await;
        assert_eq!(members(house, "service accounts").await, 0, "who was taken out stays out");
        assert_eq!(house.put(&house.admin, &path, json!({})).await.expect(200)["members"], 1);
    }

    async fn an_org_from_before_gets_them_and_nobody_gains(house) {
        let (ann, session) = house.person("ann@example.test", &[]).await;
        let (robot, token) = house.service("ci", &[]).await;
        let (_, neighbour) = house.neighbour("second").await;
        as_before(house).await;
        // One that carries nothing and has somebody in it who can't be; one that carries something.
        let adopted = old_group(house, "EVERYONE").await;
        let aside = old_group(house, "service accounts").await;
        house.database.execute("UPDATE account_group SET kind = 'custom'").await;
        house.put(&house.admin, &format!("/v1/groups/{adopted}/members/{robot}"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/groups/{aside}/members/{ann}"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/groups/{aside}/roles/auditor"), json!({})).await.expect(200);
        let (before, may) = (house.revision().await, ["house:ledger", "house:read"]);
        assert_eq!(house.get(&session, "/v1/whoami").await.expect(200)["permissions"], json!(may));
        house.restart().await;
        let everyone = house.get(&house.admin, "/v1/groups/everyone").await.expect(200);
        assert_eq!((everyone.text("id"), &everyone["name"], &everyone["members"]), (adopted.to_string(), &json!("Everyone"), &json!(2)));
        let robots = house.get(&house.admin, "/v1/groups/service accounts").await.expect(200);
        assert_ne!(robots.text("id"), aside.to_string());
        assert_eq!((&robots["name"], &robots["members"], &robots["roles"]), (&json!("Service Accounts"), &json!(1), &json!([])));
        let renamed = house.get(&house.admin, &format!("/v1/groups/{aside}")).await.expect(200);
        assert_eq!((&renamed["name"], &renamed["members"], &renamed["kind"]), (&json!("service accounts (custom)"), &json!(1), &json!("custom")));
        assert_eq!(house.get(&session, "/v1/whoami").await.expect(200)["permissions"], json!(may));
        assert_eq!(house.get(&token, "/v1/whoami").await.expect(200)["permissions"], json!([]));
        assert_eq!(house.get(&neighbour, "/v1/groups/everyone").await.expect(200)["members"], 1);
        let told = house.events(before).await;
        let told = told.iter().filter(|event| event["org_id"] == house.org.as_str());
        let told: Vec<&str> = told.map(|event| event["kind"].as_str().unwrap()).collect();
        let walk = [
            "group.member_removed",
            "group.updated",
            "group.updated",
            "group.created",
            "group.member_added",
            "group.member_added",
        ];
        assert_eq!(told, walk);
        let revision = house.revision().await;
        house.restart().await;
        assert_eq!(house.revision().await, revision, "it is done once");
    }

    async fn it_goes_on_in_small_steps_on_several_nodes_at_once(house) {
        let admin = admin(house).await;
        for page in 0..11 {
            join_all((0..100).map(async |n| made(house, &admin, robot(&format!("r{page}-{n}"))).await)).await;
        }
        join_all((0..30).map(async |n| made(house, &admin, person(&format!("p{n}@example.test"))).await)).await;
        as_before(house).await;
        let before = house.revision().await;
        let (one, two) = (house.node(&house.clock).await, house.ctx.clone());
        // The first one settled when it started; once more from the beginning, both together.
        as_before(house).await;
        let middle = house.revision().await.max(before);
        futures::future::join3(settle(&one), settle(&two), settle(&two)).await;
        assert_eq!((members(house, "everyone").await, members(house, "service accounts").await), (31, 1100));
        let events = house.events(middle).await;
        let mut added: Vec<usize> = Vec::new();
        for event in events.iter().filter(|event| event["kind"] == "group.member_added") {
            added.push(event["details"]["accounts"].as_array().unwrap().len());
        }
        assert!(added.iter().all(|length| *length <= 500), "{added:?}");
        tokenhouse_authority::housekeeping::close(&one).await;
        // Whoever is made meanwhile is in his group as well, whether the walk was there or not.
        as_before(house).await;
        let (mut late, ctx) = (Vec::new(), house.ctx.clone());
        let making = async {
            for n in 0..20 {
                late.push(made(house, &admin, robot(&format!("late{n}"))).await);
            }
        };
        futures::future::join(making, settle(&ctx)).await;
        for id in late {
            assert_eq!(groups(&view(house, id).await), ["Service Accounts"]);
        }
        assert_eq!(view(house, admin.account().unwrap().id).await.account.kind, AccountKind::User);
    }
}
