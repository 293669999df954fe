//! Accounts that are changed as a whole.

use serde_json::json;
use tokenhouse_authority::accounts::{self, Wanted};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::account::AccountState;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Permission, Result, Uuid};

use super::*;

async fn set(house: &House, caller: &Caller, id: Uuid, wanted: Wanted) -> Result<()> {
    accounts::set(&house.ctx, caller, id, wanted).await.map(|_| ())
}

fn texts(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|text| (*text).to_owned()).collect())
}

async fn id_of(house: &House, role: &str) -> Uuid {
    house.get(&house.admin, &format!("/v1/roles/{role}")).await.expect(200).text("id").parse().unwrap()
}

both! {
    async fn what_is_told_replaces_what_is_there_and_the_rest_stays(house) {
        let admin = admin(house).await;
        let id = made(house, &admin, robot("ci")).await;
        let (one, two) = (group(house, "one").await, group(house, "two").await);
        let (member, verifier) = (id_of(house, "member").await, id_of(house, "verifier").await);
        let wanted = Wanted {
            description: Some("first".to_owned()),
            permissions: texts(&["house:ledger", "ingestion"]),
            roles: Some(vec![member]),
            groups: Some(vec![one]),
            ..Wanted::default()
        };
        set(house, &admin, id, wanted.clone()).await.unwrap();
        let seen = view(house, id).await;
        assert_eq!((groups(&seen), seen.account.description.as_str()), (vec!["one"], "first"));
        assert_eq!(seen.held.names(), ["house:tokens.issue", "house:ledger", "house:read", "ingestion"]);
        let before = house.revision().await;
        set(house, &admin, id, wanted).await.unwrap();
        set(house, &admin, id, Wanted::default()).await.unwrap();
        assert_eq!(house.revision().await, before, "what is so already is no change");
        let next = Wanted {
            active: Some(false),
            permissions: texts(&["ingestion", "house:verify"]),
            roles: Some(vec![verifier]),
            groups: Some(vec![two]),
            ..Wanted::default()
        };
        set(house, &admin, id, next).await.unwrap();
        let told = [
            "account.deactivated",
            "permission.revoked",
            "permission.granted",
            "role.unassigned",
            "role.assigned",
            "group.member_removed",
            "group.member_added",
        ];
        assert_eq!(kinds(house, before).await, told);
        let seen = view(house, id).await;
        assert_eq!((groups(&seen), seen.account.state), (vec!["two"], AccountState::Inactive));
        assert_eq!((seen.held.names(), seen.account.description.as_str()), (vec!["house:verify".to_owned(), "ingestion".to_owned()], "first"));
    }

    async fn other_namespaces_are_neither_seen_nor_touched(house) {
        let admin = admin(house).await;
        let id = made(house, &admin, robot("ci")).await;
        let (own, member) = (new_role(house, "own", &["ingestion"], Namespace::Wavefront).await, id_of(house, "member").await);
        let whole = Wanted {
            permissions: texts(&["house:verify", "external/x/y", "alerts_management"]),
            roles: Some(vec![own, member]),
            ..Wanted::default()
        };
        set(house, &admin, id, whole).await.unwrap();
        let within = |permissions, roles| Wanted { permissions, roles, within: WAVEFRONT, ..Wanted::default() };
        gone(set(house, &admin, id, within(None, Some(vec![own, member]))).await);
        wrong(set(house, &admin, id, within(texts(&["house:verify"]), None)).await, "permission");
        set(house, &admin, id, within(texts(&["events_management"]), Some(Vec::new()))).await.unwrap();
        let held = ["house:tokens.issue", "house:verify", "house:read", "events_management", "external/x/y"];
        assert_eq!(view(house, id).await.held.names(), held);
        // Wavefront's Accounts does it for who holds nothing else, and not for this one.
        let (_, accounts) = keeper(house, "keeper", &["user_management"]).await;
        not_covered(set(house, &accounts, id, within(texts(&["ingestion"]), None)).await, "ingestion");
        let plain = made(house, &accounts, robot("plain")).await;
        set(house, &accounts, plain, within(texts(&["ingestion"]), Some(vec![own]))).await.unwrap();
    }

    async fn what_ends_by_itself_and_stays_wanted_keeps_its_end(house) {
        let admin = admin(house).await;
        let id = made(house, &admin, robot("ci")).await;
        let until = json!({"expires_at": 1_800_000_060_000_i64});
        house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/house:verify"), until.clone()).await.expect(200);
        house.put(&house.admin, &format!("/v1/accounts/{id}/roles/auditor"), until).await.expect(200);
        let wanted = Wanted {
            permissions: texts(&["house:verify", "ingestion"]),
            roles: Some(vec![id_of(house, "auditor").await]),
            ..Wanted::default()
        };
        set(house, &admin, id, wanted.clone()).await.unwrap();
        house.wait(60);
        assert_eq!(view(house, id).await.held.names(), ["ingestion"]);
        // What has ended is not there any more, so it is given again, for good.
        set(house, &admin, id, wanted).await.unwrap();
        house.wait(1_000_000);
        assert_eq!(view(house, id).await.held.names(), ["house:ledger", "house:verify", "house:read", "ingestion"]);
    }

    async fn nobody_leaves_everyone_by_it(house) {
        let admin = admin(house).await;
        let id = made(house, &admin, person("ann@example.test")).await;
        let (crew, everyone) = (group(house, "crew").await, group_named(house, "everyone").await);
        let to = |groups| Wanted { groups: Some(groups), ..Wanted::default() };
        set(house, &admin, id, to(vec![crew, everyone])).await.unwrap();
        assert_eq!(groups(&view(house, id).await), ["Everyone", "crew"]);
        set(house, &admin, id, to(Vec::new())).await.unwrap();
        assert_eq!(groups(&view(house, id).await), ["Everyone"]);
        let robots = group_named(house, "service accounts").await;
        unlawful(set(house, &admin, id, to(vec![robots])).await);
        let robot = made(house, &admin, robot("ci")).await;
        unlawful(set(house, &admin, robot, to(vec![everyone])).await);
        set(house, &admin, robot, to(Vec::new())).await.unwrap();
        assert!(view(house, robot).await.groups.is_empty());
        set(house, &admin, robot, to(vec![robots])).await.unwrap();
        assert_eq!(groups(&view(house, robot).await), ["Service Accounts"]);
    }

    async fn it_is_all_or_nothing_and_nobody_reaches_above_himself(house) {
        let permissions = ["house:accounts", "house:roles", "house:groups", "house:read"];
        let (own, keeper) = keeper(house, "keeper", &permissions).await;
        let id = made(house, &keeper, robot("ci")).await;
        let administrator = id_of(house, "administrator").await;
        let chiefs = group(house, "chiefs").await;
        house.put(&house.admin, "/v1/groups/chiefs/roles/administrator", json!({})).await.expect(200);
        let before = house.revision().await;
        let changed = || Wanted { description: Some("changed".to_owned()), active: Some(true), ..Wanted::default() };
        for target in [id, own] {
            let to = |permissions, roles, groups| Wanted { permissions, roles, groups, ..changed() };
            not_covered(set(house, &keeper, target, to(texts(&["house:policy"]), None, None)).await, "house:policy");
            not_covered(set(house, &keeper, target, to(None, Some(vec![administrator]), None)).await, "house:tokens");
            not_covered(set(house, &keeper, target, to(None, None, Some(vec![chiefs]))).await, "house:tokens");
            gone(set(house, &keeper, target, to(None, Some(vec![Uuid::from_u128(9)]), None)).await);
            gone(set(house, &keeper, target, to(None, None, Some(vec![Uuid::from_u128(9)]))).await);
        }
        unlawful(set(house, &keeper, own, Wanted { active: Some(false), ..changed() }).await);
        gone(set(house, &keeper, Uuid::from_u128(9), changed()).await);
        assert_eq!(house.revision().await, before);
        assert_eq!(view(house, id).await.account.description, "");
        let (_, reader) = super::keeper(house, "reader", &["house:read"]).await;
        missing(set(house, &reader, id, changed()).await, Permission::Accounts);
        let (_, clerk) = super::keeper(house, "clerk", &["house:accounts", "house:read"]).await;
        let more = Wanted { permissions: texts(&["house:read"]), ..changed() };
        missing(set(house, &clerk, id, more).await, Permission::Roles);
        let (_, neighbour) = house.neighbour("second").await;
        gone(set(house, &with(house, &neighbour).await, id, changed()).await);
    }
}
