//! Searching finds what a plain look at every row finds, in the same order, on both databases.

mod naive;
mod random;
mod world;

use tokenhouse_authority::accounts::{self, Kind};
use tokenhouse_authority::{groups, roles, tokens};
use tokenhouse_e2e::both;

use naive::check;
use random::Dice;
use world::World;

/// Random searches of each kind, on each database.
const SEARCHES: usize = 400;

both! {
    async fn tokens_are_found_as_a_look_at_every_row_finds_them(house) {
        let world = World::make(house).await;
        let mut dice = Dice::new(1);
        for _ in 0..SEARCHES {
            let search = dice.search(&world.needles);
            let found = tokens::search(&house.ctx, &world.caller, search.clone()).await.unwrap();
            let ids = found.items.iter().map(|view| view.token.id).collect();
            check(&search, &world.tokens, ids, &found);
        }
    }

    async fn accounts_are_found_as_a_look_at_every_row_finds_them(house) {
        let world = World::make(house).await;
        let mut dice = Dice::new(2);
        for _ in 0..SEARCHES {
            let search = dice.search(&world.needles);
            let found = accounts::search(&house.ctx, &world.caller, &[Kind::User, Kind::Service], search.clone()).await.unwrap();
            let ids = found.items.iter().map(|view| view.account.id).collect();
            check(&search, &world.accounts, ids, &found);
        }
    }

    async fn groups_are_found_as_a_look_at_every_row_finds_them(house) {
        let world = World::make(house).await;
        let mut dice = Dice::new(3);
        for _ in 0..SEARCHES {
            let search = dice.search(&world.needles);
            let found = groups::search(&house.ctx, &world.caller, search.clone()).await.unwrap();
            let ids = found.items.iter().map(|view| view.group.id).collect();
            check(&search, &world.groups, ids, &found);
        }
    }

    async fn roles_are_found_as_a_look_at_every_row_finds_them(house) {
        let world = World::make(house).await;
        let mut dice = Dice::new(4);
        for _ in 0..SEARCHES {
            let search = dice.search(&world.needles);
            let found = roles::search(&house.ctx, &world.caller, None, search.clone()).await.unwrap();
            let ids = found.items.iter().map(|role| role.id).collect();
            check(&search, &world.roles, ids, &found);
        }
    }
}
