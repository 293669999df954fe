//! Searches that somebody keeps: one's own, within bounds, each change one event.

use std::collections::BTreeMap;

use tokenhouse_authority::saved;
use tokenhouse_e2e::both;
use tokenhouse_model::saved::{Entity, LARGEST, SavedSearch};
use tokenhouse_model::{ErrorKind, Refusal, Result, Uuid};
use tokenhouse_store::{Conn, Tx, saved as rows};

use super::search::caller;

fn query(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Everything that is asked of these rows.
pub async fn kept(conn: &mut Conn<'_>, org: Uuid, account: Uuid) -> Result<()> {
    let mut search = SavedSearch {
        id: Uuid::from_u128(91),
        org_id: org,
        account_id: account,
        entity: Entity::Token,
        query: query(&[("a \"name\"", "{\"searchTerms\":[]}\0'"), ("", "")]),
        created_by: Uuid::from_u128(92),
        created_at: 93,
        updated_by: Uuid::from_u128(94),
        updated_at: 95,
    };
    rows::insert(conn, &search).await?;
    assert_eq!(rows::by_id(conn, account, search.id).await?.as_ref(), Some(&search));
    assert_eq!(rows::by_id(conn, org, search.id).await?, None);
    (search.entity, search.query) = (Entity::User, query(&[]));
    (search.updated_by, search.updated_at) = (Uuid::from_u128(96), 97);
    rows::update(conn, &search).await?;
    assert_eq!(rows::list(conn, account, Some(Entity::User), 0, 10).await?, [search.clone()]);
    assert_eq!(rows::list(conn, account, None, 1, 10).await?, []);
    assert_eq!(rows::count(conn, account, Some(Entity::Token)).await?, 0);
    rows::delete(conn, search.id).await?;
    rows::insert(conn, &search).await?;
    assert_eq!(rows::delete_all(conn, account).await?, 1);
    Ok(())
}

both! {
    async fn what_is_kept_comes_back_as_it_was(house) {
        let admin = caller(house, &house.admin).await;
        let before = house.revision().await;
        let text = query(&[("mine", "{\"sortField\": null, \"t\": \"\u{1f600}\"}")]);
        let id = saved::create(&house.ctx, &admin, Entity::Token, text.clone()).await.unwrap().value.id;
        let made = saved::get(&house.ctx, &admin, id).await.unwrap();
        assert_eq!((made.entity, &made.query), (Entity::Token, &text));
        assert_eq!((made.created_by, made.updated_by), (admin.account_id(), admin.account_id()));
        house.wait(1);
        saved::update(&house.ctx, &admin, id, Entity::Token, text.clone()).await.unwrap();
        assert_eq!(house.revision().await, before + 1, "nothing changed");
        saved::update(&house.ctx, &admin, id, Entity::Role, text.clone()).await.unwrap();
        let changed = saved::get(&house.ctx, &admin, id).await.unwrap();
        assert_eq!((changed.entity, changed.updated_at), (Entity::Role, made.updated_at + 1000));
        assert_eq!(changed.created_at, made.created_at);
        saved::delete(&house.ctx, &admin, id).await.unwrap();
        assert_eq!(saved::get(&house.ctx, &admin, id).await.unwrap_err().kind(), ErrorKind::NotFound);
        let kinds: Vec<String> =
            house.events(before).await.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["saved_search.created", "saved_search.updated", "saved_search.deleted"]);
    }

    async fn everybody_has_his_own(house) {
        let (id, token) = house.service("keeper", &["member"]).await;
        let (admin, keeper) = (caller(house, &house.admin).await, caller(house, &token).await);
        let own = saved::create(&house.ctx, &keeper, Entity::User, query(&[])).await.unwrap().value.id;
        let refusals = [
            saved::get(&house.ctx, &admin, own).await.map(|_| ()).unwrap_err(),
            saved::update(&house.ctx, &admin, own, Entity::Role, query(&[])).await.map(|_| ()).unwrap_err(),
            saved::delete(&house.ctx, &admin, own).await.map(|_| ()).unwrap_err(),
        ];
        assert!(refusals.iter().all(|refused| refused.kind() == ErrorKind::NotFound), "{refusals:?}");
        assert_eq!(saved::list(&house.ctx, &admin, None, 0, 10).await.unwrap().total, 0);
        assert_eq!(saved::get(&house.ctx, &keeper, own).await.unwrap().entity, Entity::User);
        house.delete(&house.admin, &format!("/v1/accounts/{id}")).await.expect(200);
        let row = async move |tx: &mut Tx<'_>| rows::by_id(tx.conn(), keeper.account_id(), own).await;
        let world = crate::store::search::World::make(house).await;
        assert_eq!(world.store.write(row).await.unwrap().value, None, "gone with its account");
    }

    async fn lists_have_pages_and_bounds_hold(house) {
        let admin = caller(house, &house.admin).await;
        let mut made = Vec::new();
        for number in 0..5 {
            let entity = if number % 2 == 0 { Entity::Token } else { Entity::User };
            made.push(saved::create(&house.ctx, &admin, entity, query(&[])).await.unwrap().value.id);
            house.clock.advance(1);
        }
        let page = saved::list(&house.ctx, &admin, None, 1, 2).await.unwrap();
        assert_eq!(page.items.iter().map(|saved| saved.id).collect::<Vec<_>>(), made[1..3]);
        assert_eq!((page.more, page.total), (true, 5));
        let page = saved::list(&house.ctx, &admin, Some(Entity::Token), 2, 2).await.unwrap();
        assert_eq!((page.items.len(), page.more, page.total), (1, false, 3));
        assert!(!saved::list(&house.ctx, &admin, None, 9, 2).await.unwrap().more);
        for limit in [0, 1001] {
            assert_eq!(saved::list(&house.ctx, &admin, None, 0, limit).await.unwrap_err().kind(), ErrorKind::Invalid);
        }
        let long = "x".repeat(LARGEST);
        let many: BTreeMap<String, String> = (0..33).map(|number| (number.to_string(), String::new())).collect();
        for wrong in [query(&[("n", &long)]), many] {
            let refused = saved::create(&house.ctx, &admin, Entity::Token, wrong.clone()).await.unwrap_err();
            assert_eq!(refused.refusal(), &Refusal::Field("query"));
            let refused = saved::update(&house.ctx, &admin, made[0], Entity::Token, wrong).await.unwrap_err();
            assert_eq!(refused.refusal(), &Refusal::Field("query"));
        }
        saved::create(&house.ctx, &admin, Entity::Token, query(&[("", &long)])).await.unwrap();
        for _ in 6..1000 {
            saved::create(&house.ctx, &admin, Entity::Token, query(&[])).await.unwrap();
        }
        let refused = saved::create(&house.ctx, &admin, Entity::Token, query(&[])).await.unwrap_err();
        assert_eq!(refused.refusal(), &Refusal::Limit(1000));
    }
}
