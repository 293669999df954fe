//! `/v1/reports`

use axum::extract::State;
use serde::Serialize;
use tokenhouse_authority::reports;
use tokenhouse_model::cursor::Page;
use utoipa::ToSchema;

use super::shapes::{Paging, Token};
use super::{Answer, Native, found};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Query};

/// A token of the kind that was there before access tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OldToken {
    #[serde(flatten)]
    token: Token,
    /// How often it was good within the last 35 days, as far as that is written down.
    uses: i64,
    /// Whether it was never used at all.
    never_used: bool,
}

/// One page of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OldTokens {
    /// The one that was used last first; those that never were at the end.
    items: Vec<OldToken>,
    /// Where the next page begins; null on the last one.
    next: Option<String>,
}

impl From<reports::OldToken> for OldToken {
    fn from(old: reports::OldToken) -> Self {
        Self { never_used: old.view.token.last_used_at == 0, token: old.view.into(), uses: old.uses }
    }
}

/// Tells who still uses which old token: those of people and service accounts that are neither revoked nor expired.
#[utoipa::path(get, path = "/v1/reports/old-tokens", tag = "reports", params(Paging), responses((status = 200, description = "A page", body = OldTokens)))]
pub(super) async fn old_tokens(
    State(ctx): House,
    As(caller, _): Native,
    Query(page): Query<Paging>,
) -> Reply<Answer<OldTokens>> {
    let limit = Page::ask(None, page.limit)?.limit;
    let old = reports::old_tokens(&ctx, &caller, page.cursor, limit).await?;
    let next = if old.more { old.cursor } else { None };
    Ok(found(OldTokens { items: old.items.into_iter().map(OldToken::from).collect(), next }))
}
