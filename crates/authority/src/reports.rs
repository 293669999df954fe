//! Reports: what somebody has to know before he changes something.

use std::collections::HashMap;

use tokenhouse_model::policy::DAY;
use tokenhouse_model::search::{Found, Search, Sort, TokenField};
use tokenhouse_model::{Result, Uuid};
use tokenhouse_store::usage;

use crate::jobs::USAGE_DAYS;
use crate::views::TokenView;
use crate::{Caller, Ctx, tokens};

/// A token of the kind that was there before access tokens, and how it is used.
#[derive(Clone, Debug)]
pub struct OldToken {
    /// The token.
    pub view: TokenView,
    /// How often it was good within the last 35 days, as far as that was flushed.
    pub uses: i64,
}

/// Who still uses which old token: those of people and service accounts that are neither revoked nor expired, the one
/// that was used last first, those that never were at the end.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `unavailable`; `unprocessable` where it would take too long.
pub async fn old_tokens(ctx: &Ctx, caller: &Caller, cursor: Option<String>, limit: u32) -> Result<Found<OldToken>> {
    let sort = Some(Sort { field: TokenField::LastUsedAt, ascending: false });
    let mut found = tokens::search(ctx, caller, Search { sort, cursor, ..Search::everything(limit) }).await?;
    let views = std::mem::take(&mut found.items);
    let ids: Vec<Uuid> = views.iter().map(|view| view.token.id).collect();
    let mut reader = ctx.store.read().await?;
    let uses = usage::good_of_tokens(&mut reader.conn(), &ids, ctx.now() / DAY - USAGE_DAYS).await?;
    let uses: HashMap<Uuid, i64> = uses.into_iter().map(|used| (used.token_id, used.uses)).collect();
    let one = |view: TokenView| OldToken { uses: uses.get(&view.token.id).copied().unwrap_or(0), view };
    Ok(found.with(views.into_iter().map(one).collect()))
}
