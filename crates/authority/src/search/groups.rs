//! Searching groups.

use tokenhouse_model::Result;
use tokenhouse_model::access::Act;
use tokenhouse_model::search::{Found, GroupField, Match, Search};
use tokenhouse_store::search::Groups;

use crate::views::{self, GroupView};
use crate::{Caller, Ctx};

/// The org's groups, as far as they meet the conditions.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `unavailable`; `unprocessable` where it would take too long.
pub async fn search(ctx: &Ctx, caller: &Caller, search: Search<GroupField>) -> Result<Found<GroupView>> {
    caller.may(Act::SeePeople)?;
    let now = ctx.now();
    let mut found = super::find(ctx, &Groups::new(caller.org().id, now), &search).await?;
    let page = super::page(&mut found);
    let mut reader = ctx.store.read().await?;
    let viewed = views::groups(&mut reader.conn(), page, now).await?;
    Ok(found.with(viewed.items))
}

/// The distinct values of a field among the groups that the conditions find, ascending, in pages by offset and limit.
/// `narrow` is what must be true of a value itself.
///
/// # Errors
/// As [`search`].
pub async fn values(
    ctx: &Ctx,
    caller: &Caller,
    field: GroupField,
    search: Search<GroupField>,
    narrow: Option<(Match, String)>,
) -> Result<Found<String>> {
    caller.may(Act::SeePeople)?;
    super::values(ctx, &Groups::new(caller.org().id, ctx.now()), field, &search, narrow).await
}
