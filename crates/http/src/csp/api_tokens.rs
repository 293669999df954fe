//! One's own api tokens (csp.md 4.1). Listing, regenerating and revoking them are of our own design: the original has no
//! public calls for it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokenhouse_authority::api_tokens::{self, NewApiToken};
use tokenhouse_authority::{Outcome, tokens};
use tokenhouse_model::id::parse;
use tokenhouse_model::{Done, Error, NEVER, Result, SecretText, Uuid};

use super::Csp;
use super::shapes::{AllowedScopes, Details, Paged};
use crate::House;
use crate::dialect::{RECEIPT, Reply, receipt, shown};
use crate::extract::{As, Body, Path};

/// What is asked of a new api token. The id token that the original wants beside it is not needed: the caller proves
/// himself by his credential.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRequest {
    allowed_scopes: Option<AllowedScopes>,
    /// Its life in seconds; 0 or -1 for one that does not end.
    #[serde(rename = "refreshTokenTTL")]
    refresh_token_ttl: Option<i64>,
    token_name: Option<String>,
    notify_before_expiry: Option<i64>,
    org_id: Option<Uuid>,
}

/// The value, shown once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    api_token: SecretText,
}

/// An answer with a receipt in its header, kept by nobody.
pub(super) fn done<T: Serialize>(done: &Done<Outcome>, value: T) -> Response {
    let mut response = (StatusCode::OK, Json(value)).into_response();
    let no_store = HeaderValue::from_static("no-store");
    let receipt = HeaderValue::from_str(&receipt(done)).unwrap_or(HeaderValue::from_static(""));
    let headers: [(HeaderName, HeaderValue); 2] = [(axum::http::header::CACHE_CONTROL, no_store), (RECEIPT, receipt)];
    response.headers_mut().extend(headers);
    response
}

fn value(outcome: &Outcome) -> Result<Made> {
    let secret = outcome.secret.clone().ok_or_else(|| Error::internal("an api token without a secret"))?;
    Ok(Made { api_token: secret })
}

/// Makes one.
pub(super) async fn create(State(ctx): House, As(caller, _): Csp, Body(ask): Body<CreateRequest>) -> Reply<Response> {
    if ask.org_id.is_some_and(|org| org != caller.org().id) {
        return Err(Error::invalid("orgId", "is another organization than that of your credential").into());
    }
    let scopes = ask.allowed_scopes.ok_or_else(|| Error::invalid("allowedScopes", "is missing"))?;
    let life = match ask.refresh_token_ttl {
        None => None,
        Some(0 | -1) => Some(NEVER),
        Some(seconds) => Some(seconds.saturating_mul(1000)),
    };
    let name = ask.token_name.unwrap_or_default();
    let notice_days = ask.notify_before_expiry.unwrap_or(0);
    let new = NewApiToken { name, asked: scopes.asked()?, life, notice_days };
    let made = api_tokens::create(&ctx, &caller, new).await?;
    Ok(done(&made, value(&made.value)?))
}

/// Lists them, without their values.
pub(super) async fn list(State(ctx): House, As(caller, _): Csp) -> Reply<Json<Paged<Details>>> {
    let listed = api_tokens::list(&ctx, &caller).await?;
    let results: Vec<_> = listed.iter().map(|api| Details::of(api, None)).collect();
    Ok(Json(Paged::whole(results)))
}

/// Shows one.
pub(super) async fn get(State(ctx): House, As(caller, _): Csp, Path(id): Path<String>) -> Reply<Json<Details>> {
    let api = api_tokens::get(&ctx, &caller, parse("api token", &id)?).await?;
    Ok(Json(Details::of(&api, None)))
}

/// Gives one a new value and a new life; the old value is dead at once.
pub(super) async fn regenerate(State(ctx): House, As(caller, _): Csp, Path(id): Path<String>) -> Reply<Response> {
    let made = api_tokens::regenerate(&ctx, &caller, parse("api token", &id)?).await?;
    Ok(done(&made, value(&made.value)?))
}

/// Ends one, and every access token that came from it.
pub(super) async fn revoke(State(ctx): House, As(caller, _): Csp, Path(id): Path<String>) -> Reply<Response> {
    let id = parse("api token", &id)?;
    // Not another token of theirs under this name.
    api_tokens::get(&ctx, &caller, id).await?;
    let ended = tokens::revoke(&ctx, &caller, id).await?;
    let api = shown(api_tokens::get(&ctx, &caller, id).await)?;
    Ok(done(&ended, Details::of(&api, None)))
}
