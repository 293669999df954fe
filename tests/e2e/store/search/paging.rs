//! Pages: every row once, in order, to the end.

use std::collections::BTreeSet;

use tokenhouse_authority::tokens;
use tokenhouse_e2e::{House, both};
use tokenhouse_model::search::{Condition, Field as _, Match, On, Search, Sort, Test, TokenField};
use tokenhouse_model::{ErrorKind, Uuid};
use tokenhouse_store::Tx;

use super::naive::found;
use super::world::World;

fn order(field: TokenField, ascending: bool) -> Search<TokenField> {
    Search { sort: Some(Sort { field, ascending }), ..Search::everything(7) }
}

/// Walks to the end by cursors: the ids, page by page. `between` runs after each page.
async fn walk(house: &House, world: &World, mut search: Search<TokenField>, between: impl AsyncFn(usize)) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for page in 0..1000 {
        let found = tokens::search(&house.ctx, &world.caller, search.clone()).await.unwrap();
        ids.extend(found.items.iter().map(|view| view.token.id));
        assert_eq!(found.more, found.cursor.is_some());
        if !found.more {
            assert_eq!(found.total, i64::try_from(ids.len()).unwrap());
            return ids;
        }
        assert!(found.total > i64::try_from(ids.len()).unwrap());
        search.cursor = found.cursor;
        between(page).await;
    }
    panic!("it never ends");
}

both! {
    async fn cursors_and_offsets_lead_to_the_end_and_give_every_row_once(house) {
        let world = World::make(house).await;
        let some = Test::Text { how: Match::Contains, any_of: vec!["c".to_owned(), "e".to_owned()] };
        let condition = Condition { on: On::Field(TokenField::Name), test: some, negated: false };
        for field in TokenField::ALL {
            for (ascending, conditions) in [(true, vec![]), (false, vec![]), (true, vec![condition.clone()])] {
                let search = Search { conditions, ..order(*field, ascending) };
                let wanted = found(&search, &world.tokens);
                assert_eq!(walk(house, &world, search.clone(), async |_| ()).await, wanted, "{search:?}");
                let (mut ids, mut search) = (Vec::new(), search);
                loop {
                    let page = tokens::search(&house.ctx, &world.caller, search.clone()).await.unwrap();
                    ids.extend(page.items.iter().map(|view| view.token.id));
                    search.offset += search.limit;
                    if !page.more {
                        break;
                    }
                }
                assert_eq!(ids, wanted, "{search:?}");
                search.offset = 100_000;
                let beyond = tokens::search(&house.ctx, &world.caller, search).await.unwrap();
                assert_eq!((beyond.items.len(), beyond.more), (0, false));
            }
        }
    }

    async fn cursors_give_every_row_once_while_others_are_added(house) {
        let mut world = World::make(house).await;
        for field in TokenField::ALL {
            world.look().await;
            let search = order(*field, true);
            let before: BTreeSet<Uuid> = found(&search, &world.tokens).into_iter().collect();
            let model = world.token();
            let add = async |page: usize| {
                let mut token = model.clone();
                // In front of the page and behind it.
                let number = u128::from(field.number()) * 1000 + page as u128 + 1;
                token.id = Uuid::from_u128(model.id.as_u128() + number * 1_000_000);
                token.short_id = format!("{}{field}{page}", model.short_id);
                token.name = if page.is_multiple_of(2) { "zzz".to_owned() } else { "aaa".to_owned() };
                token.name_fold.clone_from(&token.name);
                let insert = async move |tx: &mut Tx<'_>| tokenhouse_store::tokens::insert(tx.conn(), &token).await;
                world.store.write(insert).await.unwrap();
            };
            let met = walk(house, &world, search, add).await;
            let once: BTreeSet<Uuid> = met.iter().copied().collect();
            assert_eq!(once.len(), met.len(), "by {field}: something twice");
            assert!(once.is_superset(&before), "by {field}: something left out");
        }
    }

    async fn a_cursor_is_for_its_own_order_and_nothing_else_is_one(house) {
        let world = World::make(house).await;
        let mut search = order(TokenField::Name, true);
        let cursor = tokens::search(&house.ctx, &world.caller, search.clone()).await.unwrap().cursor.unwrap();
        for text in ["", "x", "AQ", &cursor[1..], &format!("{cursor}A"), "\u{1f600}", &"A".repeat(100_000)] {
            search.cursor = Some(text.to_owned());
            let refused = tokens::search(&house.ctx, &world.caller, search.clone()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{text}");
        }
        for (field, ascending) in [(TokenField::Name, false), (TokenField::Owner, true), (TokenField::CreatedAt, true)] {
            let other = Search { cursor: Some(cursor.clone()), ..order(field, ascending) };
            let refused = tokens::search(&house.ctx, &world.caller, other).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid);
        }
        let both = Search { cursor: Some(cursor), offset: 1, ..order(TokenField::Name, true) };
        assert_eq!(tokens::search(&house.ctx, &world.caller, both).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}
