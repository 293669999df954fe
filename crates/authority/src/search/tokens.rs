//! Searching tokens.

use tokenhouse_model::access::Act;
use tokenhouse_model::search::{Condition, Found, Match, On, Search, Test, TokenField};
use tokenhouse_model::{Millis, Result, SecretText, Uuid};
use tokenhouse_store::search::Tokens;
use tokenhouse_store::{Conn, tokens};

use crate::views::{self, TokenView};
use crate::{Caller, Ctx};

/// The org's tokens of users and service accounts that are neither revoked nor expired, as far as they meet the
/// conditions. An exact condition on the id may name a token by its secret.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `unavailable`; `unprocessable` where it would take too long.
pub async fn search(ctx: &Ctx, caller: &Caller, mut search: Search<TokenField>) -> Result<Found<TokenView>> {
    caller.may(Act::SeeTokens)?;
    search.check()?;
    let now = ctx.now();
    by_secret(ctx, caller, &mut search, now).await?;
    let mut found = super::find(ctx, &of(caller, now), &search).await?;
    let (policy, page) = (caller.policy(), super::page(&mut found));
    let mut reader = ctx.store.read().await?;
    let viewed = views::tokens(&mut reader.conn(), policy, page, now).await?;
    Ok(found.with(viewed.items))
}

/// The distinct values of a field among the tokens that the conditions find, ascending, in pages by offset and limit.
/// `narrow` is what must be true of a value itself.
///
/// # Errors
/// As [`search`].
pub async fn values(
    ctx: &Ctx,
    caller: &Caller,
    field: TokenField,
    mut search: Search<TokenField>,
    narrow: Option<(Match, String)>,
) -> Result<Found<String>> {
    caller.may(Act::SeeTokens)?;
    search.check()?;
    let now = ctx.now();
    by_secret(ctx, caller, &mut search, now).await?;
    super::values(ctx, &of(caller, now), field, &search, narrow).await
}

pub(crate) fn of(caller: &Caller, now: Millis) -> Tokens {
    Tokens::new(caller.org().id, now, caller.policy())
}

/// Puts the id where a condition names a token by its secret: either will do, as everywhere. Such secrets are UUIDs of
/// version 4, ids are not.
pub(crate) async fn by_secret(ctx: &Ctx, caller: &Caller, search: &mut Search<TokenField>, now: Millis) -> Result<()> {
    let mut secrets: Vec<&mut String> = Vec::new();
    for condition in &mut search.conditions {
        if let Condition { on: On::Field(TokenField::Id), test: Test::Text { how: Match::Exact, any_of }, .. } =
            condition
        {
            let secret = |text: &str| Uuid::try_parse(text.trim()).is_ok_and(|id| id.get_version_num() == 4);
            secrets.extend(any_of.iter_mut().filter(|text| secret(text)));
        }
    }
    if secrets.is_empty() {
        return Ok(());
    }
    let mut reader = ctx.store.read().await?;
    for text in secrets {
        if let Some(id) = named(&mut reader.conn(), caller.org().id, text, now).await? {
            *text = id.to_string();
        }
    }
    Ok(())
}

async fn named(conn: &mut Conn<'_>, org: Uuid, text: &str, now: Millis) -> Result<Option<Uuid>> {
    let secret = SecretText::new(text.trim().to_lowercase());
    let found = tokens::secret(conn, &secret.digest()).await?;
    Ok(found.filter(|found| found.org_id == org && found.good_until > now).map(|found| found.token_id))
}
