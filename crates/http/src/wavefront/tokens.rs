//! `/api/v2/apitoken`: the eleven token endpoints (wavefront.md 4).

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::tokens::{self, Shown, Update, Whose};
use tokenhouse_authority::{Ctx, Outcome};
use tokenhouse_model::{Done, Result};

use super::read::{Lenient, Sent, Wavefront};
use super::shapes::{CustomerToken, UserToken};
use super::stream;
use super::words::{Answer, Wrapped, changed, ok};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Path};

/// What is sent about a token. The path, where it names one, is what counts (wavefront.md 4, notes on 3 and 7).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TokenBody {
    #[serde(rename = "tokenID")]
    token_id: Option<String>,
    token_name: Option<String>,
    /// Ours: for a service account's new token, the integration whose proxies it is for.
    integration: Option<String>,
}

impl Sent for TokenBody {}

type Token = Answer<Wrapped<UserToken>>;
type Tokens = Answer<Wrapped<Vec<UserToken>>>;

fn list(all: Vec<Shown>) -> Vec<UserToken> {
    all.into_iter().map(UserToken::from).collect()
}

async fn create(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    whose: Whose<'_>,
    body: TokenBody,
) -> Result<(Done<Outcome>, Result<Vec<Shown>>)> {
    tokens::issue_among(ctx, caller, whose, body.token_name.unwrap_or_default(), body.integration).await
}

fn after((done, all): (Done<Outcome>, Result<Vec<Shown>>)) -> Reply<Tokens> {
    Ok(changed(&done, list(shown(all)?)))
}

/// 1. One's own tokens.
pub(super) async fn own(State(ctx): House, As(caller, _): Wavefront) -> Reply<Tokens> {
    Ok(ok(list(tokens::held(&ctx, &caller, Whose::Own).await?)))
}

/// 2. A new token of one's own, last in the list.
pub(super) async fn create_own(
    State(ctx): House,
    As(caller, _): Wavefront,
    Lenient(body): Lenient<TokenBody>,
) -> Reply<Tokens> {
    after(create(&ctx, &caller, Whose::Own, body).await?)
}

/// 3. Renames a token of one's own.
pub(super) async fn rename_own(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(token): Path<String>,
    Lenient(body): Lenient<TokenBody>,
) -> Reply<Token> {
    rename(&ctx, &caller, Whose::Own, &token, body).await
}

/// 4. Revokes a token of one's own, perhaps the one that one came with.
pub(super) async fn revoke_own(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(token): Path<String>,
) -> Reply<Tokens> {
    after(tokens::revoke_among(&ctx, &caller, Whose::Own, &token).await?)
}

/// 5. A service account's tokens.
pub(super) async fn of_service(State(ctx): House, As(caller, _): Wavefront, Path(id): Path<String>) -> Reply<Tokens> {
    Ok(ok(list(tokens::held(&ctx, &caller, Whose::Service(&id)).await?)))
}

/// 6. A new token of a service account, last in the list.
pub(super) async fn create_for_service(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    Lenient(body): Lenient<TokenBody>,
) -> Reply<Tokens> {
    after(create(&ctx, &caller, Whose::Service(&id), body).await?)
}

/// 7. Renames a token of a service account.
pub(super) async fn rename_for_service(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path((id, token)): Path<(String, String)>,
    Lenient(body): Lenient<TokenBody>,
) -> Reply<Token> {
    rename(&ctx, &caller, Whose::Service(&id), &token, body).await
}

/// 8. Revokes a token of a service account.
pub(super) async fn revoke_for_service(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path((id, token)): Path<(String, String)>,
) -> Reply<Tokens> {
    after(tokens::revoke_among(&ctx, &caller, Whose::Service(&id), &token).await?)
}

/// 9. Every token of the org, streamed: there is no paging here.
pub(super) async fn everyones(State(ctx): House, As(caller, _): Wavefront) -> Reply<Response> {
    Ok(stream::everyones_tokens(ctx, caller).await?.into_response())
}

/// 10. One token of the org.
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(token): Path<String>,
) -> Reply<Answer<Wrapped<CustomerToken>>> {
    let id = tokens::named(&ctx, &caller, Whose::Anyones, &token).await?;
    Ok(ok(CustomerToken::new(tokens::get(&ctx, &caller, id).await?, caller.org())))
}

/// 11. Revokes any token of the org.
pub(super) async fn revoke_any(
    State(ctx): House,
    As(caller, _): Wavefront,
    Lenient(body): Lenient<TokenBody>,
) -> Reply<Token> {
    let id = tokens::named(&ctx, &caller, Whose::Anyones, &body.token_id.unwrap_or_default()).await?;
    let done = tokens::revoke(&ctx, &caller, id).await?;
    Ok(changed(&done, shown(tokens::just_changed(&ctx, id).await)?.into()))
}

async fn rename(ctx: &Arc<Ctx>, caller: &Caller, whose: Whose<'_>, token: &str, body: TokenBody) -> Reply<Token> {
    let id = tokens::named(ctx, caller, whose, token).await?;
    let done = tokens::update(ctx, caller, id, Update { name: body.token_name, expires_at: None }).await?;
    Ok(changed(&done, shown(tokens::just_changed(ctx, id).await)?.into()))
}
