//! A search ends in time, whatever it looks for.

use std::time::{Duration, Instant};

use tokenhouse_e2e::{Backend, both};
use tokenhouse_model::search::{Condition, Match, On, Search, Test, TokenField};
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
}
