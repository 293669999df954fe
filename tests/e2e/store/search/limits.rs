//! A search ends in time, whatever it looks for.

use std::time::{Duration, Instant};

use tokenhouse_e2e::{Backend, both};
use tokenhouse_model::search::{Condition, Match, On, Search, Sort, Test, TokenField};
use tokenhouse_model::{ErrorKind, Policy};
use tokenhouse_store::search::{Tokens, find};

use super::world::{NOW, World};

/// So many more tokens of one owner.
fn many(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => {
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
            INSERT INTO token SELECT randomblob(16), 'many' || i, t.org_id, t.owner_id, t.kind, 'many ' || i, 'many ' || i,
            'active', t.scopes, t.reach, t.addresses, t.created_at, t.created_by, t.created_through, t.updated_at, 0,
            9223372036854775807, t.idle_limit, 0, '', 0, t.owner_fold, t.owner_type
            FROM n, (SELECT * FROM token WHERE kind = 'user' LIMIT 1) t"
        }
        Backend::Postgres => {
            "INSERT INTO token SELECT gen_random_uuid(), 'many' || i, t.org_id, t.owner_id, t.kind, 'many ' || i, 'many ' || i,
            'active', t.scopes, t.reach, t.addresses, t.created_at, t.created_by, t.created_through, t.updated_at, 0,
            9223372036854775807, t.idle_limit, 0, '', 0, t.owner_fold, t.owner_type
            FROM generate_series(1, 40000) AS i, (SELECT * FROM token WHERE kind = 'user' LIMIT 1) t"
        }
    }
}

both! {
    async fn a_search_that_takes_too_long_is_stopped_and_leaves_nothing_behind(house) {
        let world = World::make(house).await;
        house.database.execute(many(house.database.backend)).await;
        // Two characters are found by a look at every row only.
        let test = Test::Text { how: Match::Contains, any_of: vec!["qq".to_owned()] };
        let condition = Condition { on: On::Field(TokenField::Name), test, negated: false };
        let search = Search { conditions: vec![condition], ..Search::everything(10) };
        let subject = Tokens::new(world.org, NOW, &Policy::default());
        for _ in 0..4 {
            let begun = Instant::now();
            let mut timed = world.store.timed(Duration::from_millis(3)).await.unwrap();
            let found = find(&mut timed, &subject, &search).await;
            let refused = timed.end(found).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unprocessable, "{refused:?}");
            assert!(refused.message().contains("narrow it"), "{refused}");
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        }
        // The same connections do as they did before.
        for _ in 0..4 {
            let mut timed = world.store.timed(Duration::from_secs(60)).await.unwrap();
            let found = find(&mut timed, &subject, &search).await;
            assert_eq!(timed.end(found).await.unwrap().items.len(), 0);
        }
    }

    async fn what_comes_late_in_the_order_is_found_by_another_way(house) {
        let world = World::make(house).await;
        house.database.execute(many(house.database.backend)).await;
        let condition = |how, texts: &[&str], negated| {
            let test = Test::Text { how, any_of: texts.iter().map(|text| (*text).to_owned()).collect() };
            Condition { on: On::Field(TokenField::Name), test, negated }
        };
        let many = condition(Match::Prefix, &["many "], false);
        let early = condition(Match::Prefix, &["many 1", "many 2", "many 3"], true);
        let sort = Some(Sort { field: TokenField::Name, ascending: true });
        let search = Search { conditions: vec![many, early], sort, ..Search::everything(10) };
        let mut wanted: Vec<String> = (1..=40_000).map(|number| format!("many {number}")).collect();
        wanted.retain(|name| !["1", "2", "3"].iter().any(|digit| name["many ".len()..].starts_with(digit)));
        wanted.sort();
        wanted.truncate(10);
        let subject = Tokens::new(world.org, NOW, &Policy::default());
        // From no time at all to enough for the way through the index: whichever way is taken, it finds the same.
        let mut found_at_last = false;
        for millis in [1, 3, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 60_000] {
            let mut timed = world.store.timed(Duration::from_millis(millis)).await.unwrap();
            let found = find(&mut timed, &subject, &search).await;
            match timed.end(found).await {
                Ok(found) => {
                    let names: Vec<&String> = found.items.iter().map(|token| &token.name).collect();
                    assert_eq!(names, wanted.iter().collect::<Vec<_>>());
                    found_at_last = true;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unprocessable, "{error:?}");
                    found_at_last = false;
                }
            }
        }
        assert!(found_at_last);
    }
}
