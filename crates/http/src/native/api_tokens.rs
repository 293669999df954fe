//! `/v1/api-tokens`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::api_tokens::{self, ApiTokenView, NewApiToken};
use tokenhouse_authority::{Ctx, Outcome, tokens};
use tokenhouse_model::id::parse;
use tokenhouse_model::{Done, PermissionSet, Result, SecretText, Uuid};
use utoipa::ToSchema;

use super::scopes::RoleScopes;
use super::shapes::{Changed, List, millis, seconds, time};
use super::{Answer, Native, changed, created, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path};

/// An api token: it is exchanged for access tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiToken {
    id: Uuid,
    owner_id: Uuid,
    name: String,
    /// `active`, `inactive`, `expired` or `revoked`.
    state: &'static str,
    scopes: RoleScopes,
    /// What its roles gave when it was made. It may as much of it as its owner holds.
    permissions: Vec<String>,
    /// When it was made, or regenerated last.
    created_at: i64,
    /// When it ends; absent if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// How long it lives each time that it is regenerated; absent if it does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime_seconds: Option<i64>,
    /// How many days before its end its owner wants to hear of it; 0 for not at all.
    notice_days: i64,
    /// When it was last exchanged, or an access token of it used; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    /// Its value: told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    secret: Option<SecretText>,
}

impl ApiToken {
    fn of(api: ApiTokenView, secret: Option<SecretText>) -> Self {
        let ApiTokenView { view, terms } = api;
        let token = &view.token;
        Self {
            id: token.id,
            owner_id: token.owner_id,
            name: token.name.clone(),
            state: view.standing.as_str(),
            scopes: terms.asked.into(),
            permissions: token.scopes.only().map(PermissionSet::names).unwrap_or_default(),
            created_at: token.created_at,
            expires_at: time(view.ends_at),
            lifetime_seconds: seconds(terms.life),
            notice_days: terms.notice_days,
            last_used_at: time(token.last_used_at),
            secret,
        }
    }
}

/// A new api token of one's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiTokenRequest {
    /// At most 64 letters, digits, spaces and `-_.`':@&,`.
    #[serde(default)]
    name: String,
    scopes: RoleScopes,
    /// At least 1800; as the org's policy has it unless told, for ever with `never_ends`.
    #[schema(minimum = 1800)]
    lifetime_seconds: Option<i64>,
    /// Whether it does not end at all.
    #[serde(default)]
    never_ends: bool,
    /// How many days before its end you want to hear of it; 0 for not at all.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 365)]
    notice_days: i64,
}

async fn told(ctx: &Ctx, caller: &tokenhouse_authority::Caller, done: &Done<Outcome>) -> Result<ApiToken> {
    let api = shown(api_tokens::get(ctx, caller, done.value.id).await)?;
    Ok(ApiToken::of(api, done.value.secret.clone()))
}

/// Makes an api token of one's own, with the roles that are named. Its value is told once.
#[utoipa::path(post, path = "/v1/api-tokens", tag = "api_tokens", request_body = NewApiTokenRequest, responses((status = 201, description = "The new api token", body = Changed<ApiToken>)))]
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Native,
    Body(ask): Body<NewApiTokenRequest>,
) -> Reply<Answer<Changed<ApiToken>>> {
    let life = if ask.never_ends { Some(millis(None)) } else { ask.lifetime_seconds.map(|life| millis(Some(life))) };
    let new = NewApiToken { name: ask.name, asked: ask.scopes.into(), life, notice_days: ask.notice_days };
    let done = api_tokens::create(&ctx, &caller, new).await?;
    Ok(created(&done, told(&ctx, &caller, &done).await?))
}

/// Lists one's own api tokens that are not revoked, oldest first.
#[utoipa::path(get, path = "/v1/api-tokens", tag = "api_tokens", responses((status = 200, description = "All of them", body = List<ApiToken>)))]
pub(super) async fn list(State(ctx): House, As(caller, _): Native) -> Reply<Answer<List<ApiToken>>> {
    let all = api_tokens::list(&ctx, &caller).await?;
    Ok(found(List { items: all.into_iter().map(|api| ApiToken::of(api, None)).collect(), next: None }))
}

/// Shows an api token: one's own, or with the permission any of the org.
#[utoipa::path(get, path = "/v1/api-tokens/{id}", tag = "api_tokens", params(("id" = String, Path)), responses((status = 200, description = "The api token", body = ApiToken)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native, Path(id): Path<String>) -> Reply<Answer<ApiToken>> {
    let api = api_tokens::get(&ctx, &caller, parse("api token", &id)?).await?;
    Ok(found(ApiToken::of(api, None)))
}

/// Gives an api token of one's own a new value and a new life. Its old value and every access token of it are dead at once.
#[utoipa::path(post, path = "/v1/api-tokens/{id}/regenerate", tag = "api_tokens", params(("id" = String, Path)), responses((status = 200, description = "With its new value", body = Changed<ApiToken>)))]
pub(super) async fn regenerate(
    State(ctx): House,
    As(caller, _): Native,
    Path(id): Path<String>,
) -> Reply<Answer<Changed<ApiToken>>> {
    let done = api_tokens::regenerate(&ctx, &caller, parse("api token", &id)?).await?;
    Ok(changed(&done, told(&ctx, &caller, &done).await?))
}

/// Ends an api token for good, and every access token of it.
#[utoipa::path(delete, path = "/v1/api-tokens/{id}", tag = "api_tokens", params(("id" = String, Path)), responses((status = 200, description = "Revoked", body = Changed<ApiToken>)))]
pub(super) async fn revoke(
    State(ctx): House,
    As(caller, _): Native,
    Path(id): Path<String>,
) -> Reply<Answer<Changed<ApiToken>>> {
    let id = parse("api token", &id)?;
    // Not another token under this name.
    api_tokens::get(&ctx, &caller, id).await?;
    let done = tokens::revoke(&ctx, &caller, id).await?;
    Ok(changed(&done, told(&ctx, &caller, &done).await?))
}
