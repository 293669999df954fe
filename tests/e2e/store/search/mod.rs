//! Searching finds what a plain look at every row finds, in the same order, on both databases.

mod changes;
mod limits;
mod naive;
mod paging;
mod random;
mod world;

use tokenhouse_authority::accounts::{self, Kind};
use tokenhouse_authority::model::name;
use tokenhouse_authority::model::search::{AccountField, Found, GroupField, Match, RoleField, Search, TokenField};
use tokenhouse_authority::{groups, roles, tokens};
use tokenhouse_e2e::both;

use naive::{check, values};
use random::Dice;
pub use world::{World, caller};

/// Random searches of each kind, on each database.
const SEARCHES: usize = 400;

/// What values of which field are asked for, at random: the search, its page and what must be true of a value.
fn ask<F: random::Every>(dice: &mut Dice, needles: &[String]) -> (F, Search<F>, Option<(Match, String)>) {
    let search = Search { sort: None, ..dice.search(needles) };
    let narrow = dice.one_in(2).then(|| (*dice.of(Match::ALL), dice.needle(needles)));
    (*dice.of(F::EVERY), search, narrow)
}

/// Compares a page of values with a plain look.
fn check_values<F: random::Every>(
    asked: &(F, Search<F>, Option<(Match, String)>),
    rows: &[naive::Seen],
    page: &Found<String>,
) {
    let (field, search, narrow) = asked;
    let all = values(*field, search, narrow.as_ref(), rows);
    let wanted: Vec<&String> = all.iter().skip(search.offset as usize).take(search.limit as usize).collect();
    let folded: Vec<String> = page.items.iter().map(|value| name::fold(value)).collect();
    assert_eq!(folded.iter().collect::<Vec<_>>(), wanted, "{asked:#?}");
    assert_eq!(page.more, all.len() > (search.offset + search.limit) as usize, "{asked:#?}");
}

both! {
    async fn values_are_those_that_a_look_at_every_row_finds(house) {
        let world = World::make(house).await;
        let (ctx, caller, mut dice) = (&house.ctx, &world.caller, Dice::new(9));
        for _ in 0..SEARCHES / 2 {
            let asked = ask::<TokenField>(&mut dice, &world.needles);
            let (field, search, narrow) = asked.clone();
            let found = tokens::values(ctx, caller, field, search, narrow).await.unwrap();
            check_values(&asked, &world.tokens, &found);
            let asked = ask::<AccountField>(&mut dice, &world.needles);
            let (field, search, narrow) = asked.clone();
            let found = accounts::values(ctx, caller, Kind::ALL, field, search, narrow).await.unwrap();
            check_values(&asked, &world.accounts, &found);
            let asked = ask::<GroupField>(&mut dice, &world.needles);
            let (field, search, narrow) = asked.clone();
            let found = groups::values(ctx, caller, field, search, narrow).await.unwrap();
            check_values(&asked, &world.groups, &found);
            let asked = ask::<RoleField>(&mut dice, &world.needles);
            let (field, search, narrow) = asked.clone();
            let found = roles::values(ctx, caller, None, field, search, narrow).await.unwrap();
            check_values(&asked, &world.roles, &found);
        }
    }

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
            let ids = found.items.iter().map(|view| view.role.id).collect();
            check(&search, &world.roles, ids, &found);
        }
    }
}
