//! Searching accounts.

use tokenhouse_model::Result;
use tokenhouse_model::access::Act;
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::search::{AccountField, Found, Match, Search};
use tokenhouse_store::search::Accounts;

use crate::views::{self, AccountView};
use crate::{Caller, Ctx};

/// The org's accounts of these kinds, as far as they meet the conditions.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `unavailable`; `unprocessable` where it would take too long.
pub async fn search(
    ctx: &Ctx,
    caller: &Caller,
    kinds: &[AccountKind],
    search: Search<AccountField>,
) -> Result<Found<AccountView>> {
    caller.may(Act::SeePeople)?;
    let now = ctx.now();
    let mut found = super::find(ctx, &Accounts::new(caller.org().id, now, kinds), &search).await?;
    let page = super::page(&mut found);
    let mut reader = ctx.store.read().await?;
    let viewed = views::accounts(&mut reader.conn(), page, now).await?;
    Ok(found.with(viewed.items))
}

/// The distinct values of a field among the accounts that the conditions find, ascending, in pages by offset and limit.
/// `narrow` is what must be true of a value itself.
///
/// # Errors
/// As [`search`].
pub async fn values(
    ctx: &Ctx,
    caller: &Caller,
    kinds: &[AccountKind],
    field: AccountField,
    search: Search<AccountField>,
    narrow: Option<(Match, String)>,
) -> Result<Found<String>> {
    caller.may(Act::SeePeople)?;
    super::values(ctx, &Accounts::new(caller.org().id, ctx.now(), kinds), field, &search, narrow).await
}
