//! Searching roles.

use tokenhouse_model::Result;
use tokenhouse_model::access::Act;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::search::{Found, Match, RoleField, Search};
use tokenhouse_store::search::Roles;

use crate::views::{self, RoleView};
use crate::{Caller, Ctx};

/// Built-in roles and the org's own, all of them or those of one namespace, as far as they meet the conditions.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `unavailable`; `unprocessable` where it would take too long.
pub async fn search(
    ctx: &Ctx,
    caller: &Caller,
    namespace: Option<Namespace>,
    search: Search<RoleField>,
) -> Result<Found<RoleView>> {
    caller.may(Act::SeePeople)?;
    let now = ctx.now();
    let mut found = super::find(ctx, &Roles::new(caller.org().id, now, namespace), &search).await?;
    let page = super::page(&mut found);
    let mut reader = ctx.store.read().await?;
    let viewed = views::roles(&mut reader.conn(), caller.org().id, page, now).await?;
    Ok(found.with(viewed.items))
}

/// The distinct values of a field among the roles that the conditions find, ascending, in pages by offset and limit.
/// `narrow` is what must be true of a value itself.
///
/// # Errors
/// As [`search`].
pub async fn values(
    ctx: &Ctx,
    caller: &Caller,
    namespace: Option<Namespace>,
    field: RoleField,
    search: Search<RoleField>,
    narrow: Option<(Match, String)>,
) -> Result<Found<String>> {
    caller.may(Act::SeePeople)?;
    super::values(ctx, &Roles::new(caller.org().id, ctx.now(), namespace), field, &search, narrow).await
}
