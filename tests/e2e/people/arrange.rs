//! Many things given and taken at once.

use std::time::Instant;

use futures::future::join_all;
use serde_json::json;
use tokenhouse_authority::holdings::{self, Given, Holder, MOST_STEPS, Step};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Permission, Result, Uuid};

use super::*;

/// Tells how many steps changed something.
async fn arrange(house: &House, caller: &Caller, steps: Vec<Step>) -> Result<i64> {
    holdings::arrange(&house.ctx, caller, steps, None).await.map(|done| done.value.touched)
}

fn give(account: Uuid, permission: &str) -> Step {
    Step::Give(Holder::Account(account), Given::Permission(permission.to_owned()))
}

fn take(account: Uuid, permission: &str) -> Step {
    Step::Take(Holder::Account(account), Given::Permission(permission.to_owned()))
}

both! {
    async fn a_thousand_steps_are_one_change(house) {
        let admin = admin(house).await;
        let (crew, role) = (group(house, "crew").await, new_role(house, "role", &["house:ledger"], Namespace::House).await);
        let ids = join_all((0..100).map(async |n| made(house, &admin, robot(&format!("r{n}"))).await)).await;
        let mut steps = Vec::new();
        for id in &ids {
            steps.push(Step::Join { account: *id, group: crew });
            steps.push(Step::Give(Holder::Account(*id), Given::Role(role)));
            let names = tokenhouse_model::PermissionSet::whole(Namespace::Wavefront).names();
            // All but API Tokens, which a robot can't be given.
            let names = names.iter().filter(|name| *name != "token_management");
            steps.extend(names.take(8).map(|permission| give(*id, permission)));
        }
        assert_eq!(steps.len(), MOST_STEPS);
        let (before, begun) = (house.revision().await, Instant::now());
        assert_eq!(arrange(house, &admin, steps.clone()).await.unwrap(), 1000);
        println!("1000 steps: {:?}", begun.elapsed());
        assert_eq!(house.revision().await, before + 1000);
        assert_eq!(arrange(house, &admin, steps.clone()).await.unwrap(), 0);
        assert_eq!(house.revision().await, before + 1000, "what is so already is no change");
        let seen = view(house, ids[99]).await;
        assert_eq!((groups(&seen).len(), seen.held_roles.len(), seen.held.names().len()), (2, 1, 9));
        steps.push(give(ids[0], "house:read"));
        wrong(arrange(house, &admin, steps).await, "steps");
    }

    async fn one_step_that_is_refused_refuses_all(house) {
        let permissions = ["house:roles", "house:groups", "house:read", "house:verify"];
        let (own, keeper) = keeper(house, "keeper", &permissions).await;
        let id = made(house, &admin(house).await, robot("ci")).await;
        let (crew, everyone) = (group(house, "crew").await, group_named(house, "everyone").await);
        let nobody = Uuid::from_u128(9);
        let before = house.revision().await;
        let first = || vec![give(id, "house:read"), Step::Join { account: id, group: crew }];
        for account in [id, own] {
            not_covered(arrange(house, &keeper, [first(), vec![give(account, "house:policy")]].concat()).await, "house:policy");
        }
        for last in [
            give(nobody, "house:read"),
            take(nobody, "house:read"),
            Step::Give(Holder::Group(nobody), Given::Permission("house:read".to_owned())),
            // A group is no account, and an account no group.
            give(crew, "house:read"),
            Step::Give(Holder::Account(id), Given::Role(nobody)),
            Step::Join { account: nobody, group: crew },
            Step::Join { account: id, group: nobody },
            Step::Leave { account: id, group: nobody },
            Step::Leave { account: nobody, group: crew },
        ] {
            gone(arrange(house, &keeper, [first(), vec![last]].concat()).await);
        }
        wrong(arrange(house, &keeper, [first(), vec![give(id, "nonsense")]].concat()).await, "permission");
        unlawful(arrange(house, &keeper, [first(), vec![Step::Join { account: id, group: everyone }]].concat()).await);
        unlawful(arrange(house, &keeper, [first(), vec![Step::Leave { account: id, group: everyone }]].concat()).await);
        assert_eq!(house.revision().await, before);
        assert!(view(house, id).await.given.is_empty());
        let (_, clerk) = super::keeper(house, "clerk", &["house:groups", "house:read"]).await;
        missing(arrange(house, &clerk, first()).await, Permission::Roles);
        let (_, giver) = super::keeper(house, "giver", &["house:roles", "house:read"]).await;
        missing(arrange(house, &giver, first()).await, Permission::Groups);
        assert_eq!(arrange(house, &keeper, first()).await.unwrap(), 2);
    }

    async fn nothing_of_another_org_or_namespace_is_there(house) {
        let (admin, (_, neighbour)) = (admin(house).await, house.neighbour("second").await);
        let stranger = with(house, &neighbour).await;
        let id = made(house, &admin, robot("ci")).await;
        let (crew, theirs) = (group(house, "crew").await, made(house, &stranger, robot("ci")).await);
        let role = new_role(house, "role", &["ingestion"], Namespace::House).await;
        for step in [
            give(id, "ingestion"),
            take(id, "ingestion"),
            Step::Join { account: theirs, group: crew },
            Step::Leave { account: theirs, group: crew },
            Step::Give(Holder::Account(theirs), Given::Role(role)),
            Step::Take(Holder::Account(theirs), Given::Role(role)),
            Step::Give(Holder::Group(crew), Given::Permission("ingestion".to_owned())),
        ] {
            gone(arrange(house, &stranger, vec![step]).await);
        }
        let within = async |step| holdings::arrange(&house.ctx, &admin, vec![step], WAVEFRONT).await.map(|_| ());
        for what in [Given::Role(role), Given::Role(role)] {
            gone(within(Step::Give(Holder::Account(id), what.clone())).await);
            gone(within(Step::Take(Holder::Account(id), what)).await);
        }
        for text in ["house:read", "external/x/y", "csp:developer"] {
            wrong(within(give(id, text)).await, "permission");
            wrong(within(take(id, text)).await, "permission");
        }
        within(give(id, "ingestion")).await.unwrap();
    }

    async fn who_came_to_hold_more_on_the_way_gains_nothing_by_the_exception(house) {
        // Accounts may give wavefront permissions that it does not hold, but only to who holds nothing else.
        let permissions = ["user_management", "house:read"];
        let (_, keeper) = keeper(house, "keeper", &permissions).await;
        let (one, two) = (made(house, &keeper, robot("one")).await, made(house, &keeper, robot("two")).await);
        let crew = group(house, "crew").await;
        house.put(&house.admin, "/v1/groups/crew/permissions/house:read", json!({})).await.expect(200);
        let before = house.revision().await;
        let by_itself = vec![give(one, "ingestion"), give(one, "house:read"), give(one, "alerts_management")];
        not_covered(arrange(house, &keeper, by_itself).await, "alerts_management");
        let through = vec![
            give(one, "ingestion"),
            Step::Join { account: one, group: crew },
            give(one, "alerts_management"),
        ];
        not_covered(arrange(house, &keeper, through).await, "alerts_management");
        let plain = group(house, "plain").await;
        let of_a_group = |permission: &str| Step::Give(Holder::Group(plain), Given::Permission(permission.to_owned()));
        let group_first = vec![
            Step::Join { account: one, group: plain },
            of_a_group("ingestion"),
            give(one, "house:read"),
            of_a_group("alerts_management"),
        ];
        not_covered(arrange(house, &keeper, group_first).await, "alerts_management");
        let other_group = vec![
            Step::Join { account: two, group: plain },
            of_a_group("ingestion"),
            Step::Join { account: two, group: crew },
            of_a_group("alerts_management"),
        ];
        not_covered(arrange(house, &keeper, other_group).await, "alerts_management");
        assert_eq!(house.revision().await, before + 1, "the group plain");
        // And who came to hold less does.
        arrange(house, &keeper, vec![give(one, "house:read")]).await.unwrap();
        let less = vec![take(one, "house:read"), give(one, "alerts_management")];
        assert_eq!(arrange(house, &keeper, less).await.unwrap(), 2);
    }

    async fn rearrangements_that_meet_come_one_after_the_other(house) {
        let admin = admin(house).await;
        let id = made(house, &admin, robot("ci")).await;
        let crew = group(house, "crew").await;
        let before = house.revision().await;
        let steps = || vec![Step::Join { account: id, group: crew }, give(id, "house:read"), give(id, "house:verify")];
        let changed = join_all((0..8).map(async |_| arrange(house, &admin, steps()).await.unwrap())).await;
        assert_eq!((changed.iter().sum::<i64>(), changed.iter().max()), (3, Some(&3)), "{changed:?}");
        assert_eq!(house.revision().await, before + 3);
        let back = vec![take(id, "house:read"), take(id, "house:verify"), Step::Leave { account: id, group: crew }];
        let there_and_back = (0..8).map(async |n| {
            arrange(house, &admin, if n % 2 == 0 { back.clone() } else { steps() }).await.unwrap()
        });
        join_all(there_and_back).await;
        let seen = view(house, id).await;
        assert!(matches!((seen.held.names().len(), groups(&seen).len()), (2, 2) | (0, 1)), "all of one of them");
    }

    async fn what_it_took_away_is_not_back_after_a_restore(house) {
        let admin = admin(house).await;
        let (id, token) = house.service("ci", &["auditor"]).await;
        let id: Uuid = id.parse().unwrap();
        let crew = group(house, "crew").await;
        house.put(&house.admin, "/v1/groups/crew/permissions/house:policy", json!({})).await.expect(200);
        arrange(house, &admin, vec![Step::Join { account: id, group: crew }, give(id, "house:verify")]).await.unwrap();
        let narrow = new_role(house, "narrow", &["house:read", "house:verify"], Namespace::House).await;
        let before = house.revision().await;
        for table in ["ledger_head", "group_member", "role_assignment", "permission_grant"] {
            house.database.execute(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
        }
        let auditor = view(house, id).await.held_roles[0].id;
        let back = vec![
            Step::Leave { account: id, group: crew },
            take(id, "house:verify"),
            Step::Take(Holder::Account(id), Given::Role(auditor)),
        ];
        assert_eq!(arrange(house, &admin, back).await.unwrap(), 3);
        // What takes one thing and gives another: only the taking is repeated.
        let other = json!({"permissions": ["house:read", "house:ledger"]});
        house.patch(&house.admin, "/v1/roles/narrow", other).await.expect(200);
        house.stop().await;
        let as_it_was = "UPDATE role SET permissions = '[\"house:read\",\"house:verify\"]' WHERE name_fold = 'narrow'";
        house.database.execute(as_it_was).await;
        house.database.execute(&format!("DELETE FROM ledger_event WHERE revision > {before}")).await;
        for table in ["ledger_head", "group_member", "role_assignment", "permission_grant"] {
            let restore = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}; DROP TABLE kept_{table}");
            house.database.execute(&restore).await;
        }
        house.start().await.unwrap();
        assert_eq!(house.events(before).await[0]["kind"], "house.journal_replayed");
        let seen = view(house, id).await;
        assert_eq!((groups(&seen), seen.held.names().len()), (vec!["Service Accounts"], 0));
        assert_eq!(house.get(&token, "/v1/whoami").await.expect(200)["permissions"], json!([]));
        let narrow = house.get(&house.admin, &format!("/v1/roles/{narrow}")).await.expect(200);
        assert_eq!(narrow["permissions"], json!(["house:read"]));
    }
}
