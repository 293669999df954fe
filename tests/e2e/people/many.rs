//! What is asked of many accounts at once.

use std::time::Instant;

use futures::future::join_all;
use serde_json::json;
use tokenhouse_authority::accounts::{self, delete_many, holding, resolve};
use tokenhouse_e2e::{House, PASSWORD, both};
use tokenhouse_model::cursor::Page;
use tokenhouse_model::{Permission, Uuid};

use super::*;

async fn holders(house: &House, permission: &str, limit: u32) -> Vec<String> {
    let (caller, mut found, mut page) = (admin(house).await, Vec::new(), Page::ask(None, Some(limit)).unwrap());
    loop {
        let listed = holding(&house.ctx, &caller, permission, page).await.unwrap();
        for view in &listed.items {
            assert!(view.held.contains(permission), "{view:?}");
            found.push(view.account.identifier.clone());
        }
        let Some(next) = listed.next else { return found };
        page.cursor = next;
    }
}

both! {
    async fn those_that_are_there_are_deleted_and_told(house) {
        let admin = admin(house).await;
        let (first, token) = house.service("first", &["member"]).await;
        let (second, session) = house.person("ann@example.test", &["member"]).await;
        let (_, neighbour) = house.neighbour("second").await;
        let theirs = made(house, &with(house, &neighbour).await, robot("theirs")).await;
        let kept = made(house, &admin, robot("kept")).await;
        let [first, second]: [Uuid; 2] = [first.parse().unwrap(), second.parse().unwrap()];
        let before = house.revision().await;
        let ids = vec![first, Uuid::from_u128(9), second, theirs, first];
        let done = delete_many(&house.ctx, &admin, ids.clone()).await.unwrap().value;
        assert_eq!((done.ids, done.touched), (vec![first, second], 2));
        assert_eq!(kinds(house, before).await, ["account.deleted", "account.deleted"]);
        for secret in [&token, &session] {
            house.get(secret, "/v1/whoami").await.refused(401, "unauthenticated");
            assert_eq!(house.verdict(secret).await, "revoked");
        }
        let again = delete_many(&house.ctx, &admin, ids).await.unwrap().value;
        assert!(again.ids.is_empty());
        assert_eq!(house.revision().await, before + 2);
        assert_eq!(accounts::get(&house.ctx, &with(house, &neighbour).await, theirs).await.unwrap().account.id, theirs);
        view(house, kept).await;
        house.secret(PASSWORD);
    }

    async fn oneself_among_them_refuses_all(house) {
        let (own, keeper) = keeper(house, "keeper", &["house:accounts", "house:read"]).await;
        let other = made(house, &keeper, robot("other")).await;
        let before = house.revision().await;
        unlawful(delete_many(&house.ctx, &keeper, vec![other, own]).await);
        wrong(delete_many(&house.ctx, &keeper, vec![other; 501]).await, "accounts");
        let (_, reader) = super::keeper(house, "reader", &["house:read"]).await;
        let made_reader = house.revision().await;
        missing(delete_many(&house.ctx, &reader, vec![other]).await, Permission::Accounts);
        assert_eq!(house.revision().await, made_reader);
        assert!(made_reader > before);
        view(house, other).await;
    }

    async fn five_hundred_with_their_tokens_are_one_change(house) {
        let admin = admin(house).await;
        let mut ids = Vec::new();
        for page in 0..5 {
            ids.extend(join_all((0..100).map(async |n| made(house, &admin, robot(&format!("r{page}-{n}"))).await)).await);
        }
        let mut tokens = Vec::new();
        for id in ids.iter().take(20) {
            let ask = |_| async { house.issue(&house.admin, json!({"owner": id.to_string()})).await.1 };
            tokens.extend(join_all((0..20).map(ask)).await);
        }
        let begun = Instant::now();
        let done = delete_many(&house.ctx, &admin, ids).await.unwrap().value;
        println!("500 accounts, 400 tokens: {:?}", begun.elapsed());
        assert_eq!((done.ids.len(), done.touched), (500, 400));
        assert_eq!(house.verdict(&tokens[399]).await, "revoked");
        assert_eq!(house.get(&house.admin, "/v1/groups/service accounts").await.expect(200)["members"], 0);
    }

    async fn ids_and_identifiers_are_looked_up_in_their_order(house) {
        let admin = admin(house).await;
        let (ann, ci) = (made(house, &admin, person("ann@example.test")).await, made(house, &admin, robot("ci")).await);
        let gone = made(house, &admin, robot("gone")).await;
        delete_many(&house.ctx, &admin, vec![gone]).await.unwrap();
        let (_, neighbour) = house.neighbour("second").await;
        let stranger = with(house, &neighbour).await;
        let theirs = made(house, &stranger, robot("theirs")).await;
        let texts: Vec<String> = [
            " ANN@example.test ",
            "sa::nobody",
            &ci.to_string(),
            "sa::ci",
            &gone.to_string(),
            "sa::gone",
            &theirs.to_string(),
            "sa::theirs",
            "",
            "\u{0}",
            "ci",
            &"x".repeat(300),
        ]
        .map(str::to_owned)
        .to_vec();
        let found = resolve(&house.ctx, &admin, texts.clone()).await.unwrap();
        assert!(found.iter().map(|(text, _)| text).eq(&texts));
        let found: Vec<Option<Uuid>> = found.into_iter().map(|(_, view)| view.map(|view| view.account.id)).collect();
        let mut wanted = vec![Some(ann), None, Some(ci), Some(ci)];
        wanted.resize(texts.len(), None);
        assert_eq!(found, wanted);
        wrong(resolve(&house.ctx, &admin, vec!["x".to_owned(); 1001]).await, "accounts");
        let (_, weak) = keeper(house, "weak", &[]).await;
        missing(resolve(&house.ctx, &weak, Vec::new()).await, Permission::Read);
    }

    async fn an_account_is_seen_with_what_it_comes_to(house) {
        let (ann, session) = house.person("ann@example.test", &["member"]).await;
        let id: Uuid = ann.parse().unwrap();
        let first = house.clock.now();
        group(house, "crew").await;
        house.put(&house.admin, &format!("/v1/groups/crew/members/{ann}"), json!({})).await.expect(200);
        let until = json!({"expires_at": first + 60_000});
        for (path, body) in [
            ("/v1/groups/crew/roles/member".to_owned(), json!({})),
            ("/v1/groups/crew/roles/auditor".to_owned(), until.clone()),
            (format!("/v1/accounts/{ann}/permissions/house:verify"), until),
        ] {
            house.put(&house.admin, &path, body).await.expect(200);
        }
        let seen = view(house, id).await;
        assert_eq!(seen.held.names(), ["house:tokens.issue", "house:ledger", "house:verify", "house:read"]);
        // A role that it has twice is one.
        assert_eq!((seen.held_roles.len(), seen.given.len(), seen.groups.len()), (2, 2, 2));
        let crew = seen.groups.iter().find(|group| group.group.name == "crew").unwrap();
        assert_eq!((crew.members, crew.sample.as_slice()), (1, &["ann@example.test".to_owned()][..]));
        assert_eq!((seen.last_login_at, seen.tokens), (first, 1));
        house.wait(60);
        house.sign_in("ann@example.test", PASSWORD).await;
        let seen = view(house, id).await;
        assert_eq!(seen.held.names(), ["house:tokens.issue", "house:read"]);
        assert_eq!((seen.held_roles.len(), seen.given.len()), (1, 1));
        assert_eq!((seen.last_login_at, seen.tokens), (first + 60_000, 2));
        // A session that is over was a sign-in all the same, and a token is none.
        house.delete(&session, "/v1/session").await.expect(200);
        house.wait(60);
        let robot = made(house, &admin(house).await, robot("ci")).await;
        house.issue(&house.admin, json!({"owner": robot.to_string()})).await;
        assert_eq!((view(house, id).await.last_login_at, view(house, id).await.tokens), (first + 60_000, 1));
        assert_eq!((view(house, robot).await.last_login_at, view(house, robot).await.tokens), (0, 1));
    }

    async fn who_holds_a_permission_from_wherever(house) {
        let admin_caller = admin(house).await;
        let mut wanted = vec!["admin@example.test".to_owned()];
        group(house, "crew").await;
        house.post(&house.admin, "/v1/roles", json!({"name": "keepers", "permissions": ["user_management", "external/x/y"]})).await.expect(201);
        for (name, path) in [
            ("direct", "permissions/user_management"),
            ("role", "roles/keepers"),
            ("crew", ""),
            ("ended", "permissions/user_management"),
            ("none", "permissions/ingestion"),
        ] {
            let id = made(house, &admin_caller, person(&format!("{name}@example.test"))).await;
            let until = if name == "ended" { json!({"expires_at": 1_800_000_060_000_i64}) } else { json!({}) };
            let path = if name == "crew" { format!("/v1/groups/crew/members/{id}") } else { format!("/v1/accounts/{id}/{path}") };
            house.put(&house.admin, &path, until).await.expect(200);
            if name != "ended" && name != "none" {
                wanted.push(format!("{name}@example.test"));
            }
        }
        house.put(&house.admin, "/v1/groups/crew/roles/keepers", json!({})).await.expect(200);
        // A robot is no user, and a neighbour is not here.
        house.service("robot", &["keepers"]).await;
        house.neighbour("second").await;
        house.wait(60);
        wanted.sort_unstable();
        for limit in [1, 2, 100] {
            let mut found = holders(house, "user_management", limit).await;
            found.sort_unstable();
            assert_eq!(found, wanted, "{limit}");
        }
        assert_eq!(holders(house, "external/x/y", 10).await.len(), 2);
        assert!(holders(house, "external/x/z", 10).await.is_empty());
        house.put(&house.admin, "/v1/groups/everyone/roles/keepers", json!({})).await.expect(200);
        assert_eq!(holders(house, "external/x/y", 2).await.len(), 6);
        let page = Page::ask(None, None).unwrap();
        wrong(holding(&house.ctx, &admin_caller, "nonsense", page).await, "permission");
        let (_, weak) = keeper(house, "weak", &[]).await;
        missing(holding(&house.ctx, &weak, "ingestion", page).await, Permission::Read);
    }
}
