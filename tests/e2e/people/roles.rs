//! Roles of a namespace, with those who hold them.

use serde_json::json;
use tokenhouse_authority::roles::{self as role, RoleChange};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::cursor::Page;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Permission, Result, Uuid};

use super::*;

fn to(permissions: &[&str]) -> RoleChange {
    let permissions = Some(permissions.iter().map(|text| (*text).to_owned()).collect());
    RoleChange { permissions, ..RoleChange::default() }
}

async fn update(house: &House, caller: &Caller, id: Uuid, change: RoleChange) -> Result<()> {
    role::update(&house.ctx, caller, id, change, WAVEFRONT).await.map(|_| ())
}

async fn permissions(house: &House, id: Uuid) -> Vec<String> {
    role::get(&house.ctx, &admin(house).await, id, None).await.unwrap().permissions.names()
}

both! {
    async fn what_lies_outside_a_namespace_is_not_there(house) {
        let admin = admin(house).await;
        let own = new_role(house, "own", &["ingestion"], Namespace::Wavefront).await;
        let other = new_role(house, "other", &["ingestion", "house:read"], Namespace::House).await;
        let builtin: Uuid = house.get(&house.admin, "/v1/roles/member").await.expect(200).text("id").parse().unwrap();
        let before = house.revision().await;
        let ctx = &house.ctx;
        for id in [other, builtin] {
            gone(role::get(ctx, &admin, id, WAVEFRONT).await);
            gone(role::get_view(ctx, &admin, id, WAVEFRONT).await);
            gone(update(house, &admin, id, to(&["ingestion"])).await);
            gone(role::delete(ctx, &admin, id, WAVEFRONT).await);
            gone(role::grant_many(ctx, &admin, vec![own, id], "alerts_management".to_owned(), WAVEFRONT).await);
            gone(role::revoke_many(ctx, &admin, vec![own, id], "ingestion".to_owned(), WAVEFRONT).await);
        }
        gone(role::find(ctx, &admin, "other", WAVEFRONT).await);
        gone(role::find(ctx, &admin, "member", WAVEFRONT).await);
        assert_eq!(role::find(ctx, &admin, "OWN", WAVEFRONT).await.unwrap(), own);
        let page = Page::ask(None, None).unwrap();
        let listed = role::list(ctx, &admin, page, WAVEFRONT).await.unwrap();
        assert_eq!(listed.items.iter().map(|role| role.id).collect::<Vec<_>>(), [own]);
        assert_eq!(role::list(ctx, &admin, page, None).await.unwrap().items.len(), 33);
        assert_eq!(house.revision().await, before);
        assert_eq!(house.get(&house.admin, "/v1/roles/own").await.expect(200)["namespace"], "wavefront");
    }

    async fn a_role_of_a_namespace_holds_only_its_permissions(house) {
        let admin = admin(house).await;
        let named = |name: &str, permissions| RoleChange { name: Some(name.to_owned()), ..to(permissions) };
        for wrong_one in [&["ingestion", "house:read"][..], &["external/x/y"], &["csp:developer"]] {
            let made = role::create(&house.ctx, &admin, named("r", wrong_one), Namespace::Wavefront).await;
            wrong(made, "permissions");
        }
        let id = new_role(house, "r", &["ingestion"], Namespace::Wavefront).await;
        wrong(update(house, &admin, id, to(&["house:read"])).await, "permissions");
        // Nor through the native API, which sees every role.
        let asked = json!({"permissions": ["house:read"]});
        house.patch(&house.admin, "/v1/roles/r", asked).await.refused(400, "invalid_field");
        let granted = role::grant_many(&house.ctx, &admin, vec![id], "house:read".to_owned(), None).await;
        wrong(granted, "permissions");
        wrong(role::grant_many(&house.ctx, &admin, vec![id], "house:read".to_owned(), WAVEFRONT).await, "permission");
        assert_eq!(permissions(house, id).await, ["ingestion"]);
        new_role(house, "mixed", &["ingestion", "house:read", "external/x/y"], Namespace::House).await;
    }

    async fn who_holds_a_role_is_seen_as_far_as_it_counts(house) {
        let admin = admin(house).await;
        let (id, crew) = (new_role(house, "r", &["ingestion"], Namespace::Wavefront).await, group(house, "crew").await);
        for n in 0..12 {
            let account = made(house, &admin, robot(&format!("r{n}"))).await;
            let until = if n < 2 { json!({"expires_at": 1_800_000_060_000_i64}) } else { json!({}) };
            house.put(&house.admin, &format!("/v1/accounts/{account}/roles/r"), until).await.expect(200);
            house.put(&house.admin, &format!("/v1/groups/crew/members/{account}"), json!({})).await.expect(200);
        }
        house.put(&house.admin, "/v1/groups/crew/roles/r", json!({})).await.expect(200);
        let seen = role::get_view(&house.ctx, &admin, id, WAVEFRONT).await.unwrap();
        assert_eq!((seen.accounts, seen.groups, seen.sample_accounts.len()), (12, 1, 10));
        assert_eq!((seen.sample_groups[0].group.id, seen.sample_groups[0].members), (crew, 12));
        assert_eq!(seen.sample_groups[0].sample.len(), 10);
        house.wait(60);
        let page = Page::ask(None, None).unwrap();
        let all = role::list_views(&house.ctx, &admin, page, None).await.unwrap().items;
        let seen = all.iter().find(|view| view.role.id == id).unwrap();
        assert_eq!((seen.accounts, seen.groups), (10, 1));
        // A built-in role is everybody's, and shows the holders of one's own org only.
        let (_, neighbour) = house.neighbour("second").await;
        let stranger = with(house, &neighbour).await;
        let theirs = role::list_views(&house.ctx, &stranger, page, None).await.unwrap().items;
        let admins = theirs.iter().find(|view| view.role.name == "administrator").unwrap();
        assert_eq!((admins.accounts, admins.sample_accounts.as_slice()), (1, &["admin@second.test".to_owned()][..]));
        gone(role::get_view(&house.ctx, &stranger, id, None).await);
    }

    async fn wavefronts_accounts_changes_roles_of_whoever_holds_nothing_else(house) {
        let (_, keeper) = keeper(house, "keeper", &["user_management"]).await;
        let id = new_role(house, "r", &[], Namespace::Wavefront).await;
        update(house, &keeper, id, to(&["alerts_management"])).await.unwrap();
        let (plain, mixed) = (made(house, &keeper, robot("plain")).await, made(house, &keeper, robot("mixed")).await);
        house.put(&house.admin, &format!("/v1/accounts/{plain}/roles/r"), json!({})).await.expect(200);
        update(house, &keeper, id, to(&["alerts_management", "events_management"])).await.unwrap();
        assert_eq!(view(house, plain).await.held.names(), ["alerts_management", "events_management"]);
        // Somebody who holds more: himself, through a group of his, through a group with the role, in that group's other
        // groups, or as the group itself.
        let (crew, other) = (group(house, "crew").await, group(house, "other").await);
        house.put(&house.admin, "/v1/groups/other/permissions/house:read", json!({})).await.expect(200);
        let grown = || to(&["alerts_management", "events_management", "ingestion"]);
        let put = async |path: String| house.put(&house.admin, &path, json!({})).await.expect(200);
        let off = async |path: String| house.delete(&house.admin, &path).await.expect(200);
        let role_path = format!("/v1/accounts/{mixed}/roles/r");
        for case in [
            vec![role_path.clone(), format!("/v1/accounts/{mixed}/permissions/house:read")],
            vec![role_path.clone(), format!("/v1/accounts/{mixed}/roles/member")],
            vec![role_path, format!("/v1/groups/{other}/members/{mixed}")],
            vec![format!("/v1/groups/{crew}/roles/r"), format!("/v1/groups/{crew}/members/{mixed}"), format!("/v1/accounts/{mixed}/permissions/external%2Fx%2Fy")],
            vec![format!("/v1/groups/{crew}/roles/r"), format!("/v1/groups/{crew}/members/{mixed}"), format!("/v1/groups/{other}/members/{mixed}")],
            vec![format!("/v1/groups/{crew}/roles/r"), format!("/v1/groups/{crew}/permissions/house:verify")],
        ] {
            for path in &case {
                put(path.clone()).await;
            }
            not_covered(update(house, &keeper, id, grown()).await, "ingestion");
            let many = role::grant_many(&house.ctx, &keeper, vec![id], "ingestion".to_owned(), WAVEFRONT).await;
            not_covered(many, "ingestion");
            for path in case.iter().rev() {
                off(path.clone()).await;
            }
        }
        // What it takes away needs no cover, and it is not seen elsewhere.
        update(house, &keeper, id, grown()).await.unwrap();
        update(house, &keeper, id, to(&[])).await.unwrap();
        assert!(view(house, plain).await.held.is_empty());
        let foreign = new_role(house, "foreign", &[], Namespace::House).await;
        gone(update(house, &keeper, foreign, to(&["ingestion"])).await);
    }

    async fn many_roles_change_together_or_not_at_all(house) {
        let admin = admin(house).await;
        let one = new_role(house, "one", &["ingestion"], Namespace::Wavefront).await;
        let two = new_role(house, "two", &[], Namespace::Wavefront).await;
        let three = new_role(house, "three", &["house:read"], Namespace::House).await;
        let ctx = &house.ctx;
        let before = house.revision().await;
        let done = role::grant_many(ctx, &admin, vec![one, two, one], "ingestion".to_owned(), WAVEFRONT).await.unwrap();
        assert_eq!((done.value.touched, done.value.ids), (1, vec![two]));
        assert_eq!(kinds(house, before).await, ["role.updated"]);
        let done = role::revoke_many(ctx, &admin, vec![one, two], "ingestion".to_owned(), WAVEFRONT).await.unwrap();
        assert_eq!(done.value.touched, 2);
        let before = house.revision().await;
        let (_, keeper) = keeper(house, "keeper", &["house:roles", "house:read"]).await;
        let holder = made(house, &admin, robot("holder")).await;
        house.put(&house.admin, &format!("/v1/accounts/{holder}/roles/three"), json!({})).await.expect(200);
        let middle = house.revision().await;
        assert!(middle > before);
        let more = role::grant_many(ctx, &keeper, vec![three], "house:policy".to_owned(), None).await;
        not_covered(more, "house:policy");
        gone(role::grant_many(ctx, &admin, vec![one, Uuid::from_u128(9)], "ingestion".to_owned(), None).await);
        let builtin = house.get(&house.admin, "/v1/roles/member").await.expect(200).text("id").parse().unwrap();
        unlawful(role::grant_many(ctx, &admin, vec![one, builtin], "ingestion".to_owned(), None).await);
        wrong(role::grant_many(ctx, &admin, vec![one; 501], "ingestion".to_owned(), None).await, "roles");
        let (_, reader) = super::keeper(house, "reader", &["house:read"]).await;
        missing(role::revoke_many(ctx, &reader, vec![one], "ingestion".to_owned(), None).await, Permission::Roles);
        assert!(permissions(house, one).await.is_empty());
        let service = "external/x/y".to_owned();
        role::grant_many(ctx, &admin, vec![three], service.clone(), None).await.unwrap();
        assert_eq!(permissions(house, three).await, ["house:read", "external/x/y"]);
        role::revoke_many(ctx, &admin, vec![three], service, None).await.unwrap();
        assert_eq!(permissions(house, three).await, ["house:read"]);
    }
}
