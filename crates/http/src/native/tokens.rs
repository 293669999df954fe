//! `/v1/tokens`

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use tokenhouse_authority::tokens::{self, Ends, Filter, Issue, Rotate, Update};
use tokenhouse_authority::{Caller, Ctx, Outcome, accounts};
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::cursor::Page;
use tokenhouse_model::secret::Form;
use tokenhouse_model::{
    Done, Error, Millis, NEVER, PermissionSet, Reach, Result, Scopes, SecretText, Surface, TokenKind, TokenState, Uuid,
};
use utoipa::ToSchema;

use super::shapes::{Changed, Issued, List, Token, millis};
use super::{Answer, Native, changed, created, found, listed, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path, Query};

/// Which tokens.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Of this account: its id or identifier.
    owner: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// In this stored state: `active`, `inactive` or `revoked`.
    state: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// At most so many items.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// What is asked of a new token. Without anything: a token of one's own that carries all that one holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueRequest {
    #[serde(default)]
    #[schema(max_length = 128)]
    name: String,
    /// A service account, by id or identifier; oneself unless told.
    owner: Option<String>,
    /// The permissions to which it is limited; all of the owner's unless told.
    scopes: Option<Vec<String>>,
    /// The surfaces on which it works.
    reach: Option<Vec<String>>,
    /// The integration whose proxies it is for, of the org's list: it decides scopes and reach. In an onboarded org every
    /// new token of a service account names one.
    #[schema(max_length = 64)]
    integration: Option<String>,
    /// The address ranges from which it works.
    #[serde(default)]
    cidrs: Vec<String>,
    /// It does not work before.
    not_before: Option<i64>,
    /// When it ends; not together with `lifetime_seconds`.
    expires_at: Option<i64>,
    /// How long it lives; not together with `expires_at`.
    lifetime_seconds: Option<i64>,
    /// It stops working when unused for so long; at least 3600.
    idle_seconds: Option<i64>,
}

/// What is to change. `expires_at: null` means never.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateRequest {
    #[schema(max_length = 128)]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    expires_at: Option<Option<Millis>>,
}

/// Tells an absent member from one that is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Millis>>, D::Error> {
    Option::<Millis>::deserialize(deserializer).map(Some)
}

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateRequest {
    /// How long the present secret stays good; 0 ends it at once.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: i64,
}

/// How a token was used on one day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Day {
    /// Midnight UTC at which the day begins, in epoch milliseconds.
    day: i64,
    /// `good`, or the reason of a refusal.
    outcome: String,
    count: i64,
    last_at: i64,
    /// At most eight.
    addresses: Vec<String>,
}

/// How a token was used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    items: Vec<Day>,
}

impl IssueRequest {
    fn ends(&self) -> Result<Ends> {
        match (self.expires_at, self.lifetime_seconds) {
            (Some(_), Some(_)) => Err(Error::invalid("lifetime_seconds", "must not stand beside expires_at")),
            (Some(at), None) => Ok(Ends::At(at)),
            (None, Some(seconds)) => Ok(Ends::After(millis(Some(seconds)))),
            (None, None) => Ok(Ends::Default),
        }
    }

    fn reach(&self) -> Result<Option<Reach>> {
        let Some(surfaces) = &self.reach else { return Ok(None) };
        let surfaces: Vec<Surface> = surfaces.iter().map(|text| Surface::parse(text)).collect::<Result<_>>()?;
        Ok(Some(Reach::of(&surfaces)))
    }

    fn scopes(&self) -> Result<Scopes> {
        let Some(texts) = &self.scopes else { return Ok(Scopes::All) };
        PermissionSet::parse(texts.iter().map(String::as_str)).map(Scopes::Only)
    }
}

fn secret(done: &Done<Outcome>) -> Result<SecretText> {
    done.value.secret.clone().ok_or_else(|| Error::internal("a new secret is missing"))
}

/// The account to which tokens are narrowed.
pub(super) async fn owner(ctx: &Ctx, caller: &Caller, text: Option<&str>) -> Result<Option<Uuid>> {
    match text {
        Some(text) => accounts::find(ctx, caller, text).await.map(Some),
        None => Ok(None),
    }
}

/// Lists tokens: one's own, or with the permission all of the org.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(Which), responses((status = 200, description = "A page", body = List<Token>)))]
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Native,
    Query(which): Query<Which>,
) -> Reply<Answer<List<Token>>> {
    let owner = owner(&ctx, &caller, which.owner.as_deref()).await?;
    let kind = which.kind.as_deref().map(TokenKind::parse).transpose()?;
    let state = which.state.as_deref().map(TokenState::parse).transpose()?;
    let page = Page::ask(which.cursor.as_deref(), which.limit)?;
    Ok(listed(tokens::list(&ctx, &caller, Filter { owner, kind, state }, page).await?))
}

/// Issues a token. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = IssueRequest, responses((status = 201, description = "Issued", body = Changed<Issued>)))]
pub(super) async fn issue(
    State(ctx): House,
    As(caller, _): Native,
    Body(ask): Body<IssueRequest>,
) -> Reply<Answer<Changed<Issued>>> {
    let owner = match &ask.owner {
        Some(text) => Some(accounts::find(&ctx, &caller, text).await?),
        None => None,
    };
    let issue = Issue {
        owner,
        scopes: ask.scopes()?,
        reach: ask.reach()?,
        addresses: AddressRules::parse(ask.cidrs.iter().map(String::as_str))?,
        not_before: ask.not_before.unwrap_or(0),
        ends: ask.ends()?,
        idle_limit: millis(ask.idle_seconds),
        integration: ask.integration,
        form: Form::House,
        name: ask.name,
    };
    let done = tokens::issue(&ctx, &caller, issue).await?;
    let token = shown(tokens::just_changed(&ctx, done.value.id).await)?.into();
    Ok(created(&done, Issued { secret: secret(&done)?, token }))
}

/// Shows a token. `self` is the one that asks.
#[utoipa::path(get, path = "/v1/tokens/{token}", tag = "tokens", params(("token" = String, Path)), responses((status = 200, description = "The token", body = Token)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native, Path(token): Path<String>) -> Reply<Answer<Token>> {
    let id = tokens::find(&caller, &token)?;
    Ok(found(tokens::get(&ctx, &caller, id).await?.into()))
}

/// Renames a token or changes when it ends.
#[utoipa::path(patch, path = "/v1/tokens/{token}", tag = "tokens", params(("token" = String, Path)), request_body = UpdateRequest, responses((status = 200, description = "Changed", body = Changed<Token>)))]
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Native,
    Path(token): Path<String>,
    Body(to): Body<UpdateRequest>,
) -> Reply<Answer<Changed<Token>>> {
    let id = tokens::find(&caller, &token)?;
    let update = Update { name: to.name, expires_at: to.expires_at.map(|at| at.unwrap_or(NEVER)) };
    let done = tokens::update(&ctx, &caller, id, update).await?;
    Ok(changed(&done, shown(tokens::just_changed(&ctx, id).await)?.into()))
}

/// Switches a token off.
#[utoipa::path(post, path = "/v1/tokens/{token}/deactivate", tag = "tokens", params(("token" = String, Path)), responses((status = 200, description = "Off", body = Changed<Token>)))]
pub(super) async fn deactivate(
    State(ctx): House,
    As(caller, _): Native,
    Path(token): Path<String>,
) -> Reply<Answer<Changed<Token>>> {
    let done = tokens::deactivate(&ctx, &caller, tokens::find(&caller, &token)?).await?;
    Ok(changed(&done, shown(tokens::just_changed(&ctx, done.value.id).await)?.into()))
}

/// Switches a token on again.
#[utoipa::path(post, path = "/v1/tokens/{token}/reactivate", tag = "tokens", params(("token" = String, Path)), responses((status = 200, description = "On", body = Changed<Token>)))]
pub(super) async fn reactivate(
    State(ctx): House,
    As(caller, _): Native,
    Path(token): Path<String>,
) -> Reply<Answer<Changed<Token>>> {
    let done = tokens::reactivate(&ctx, &caller, tokens::find(&caller, &token)?).await?;
    Ok(changed(&done, shown(tokens::just_changed(&ctx, done.value.id).await)?.into()))
}

/// Gives a token a new secret; the old one may stay good for an overlap.
#[utoipa::path(post, path = "/v1/tokens/{token}/rotate", tag = "tokens", params(("token" = String, Path)), request_body = RotateRequest, responses((status = 200, description = "Rotated", body = Changed<Issued>)))]
pub(super) async fn rotate(
    State(ctx): House,
    As(caller, _): Native,
    Path(token): Path<String>,
    Body(how): Body<RotateRequest>,
) -> Reply<Answer<Changed<Issued>>> {
    let id = tokens::find(&caller, &token)?;
    let overlap = millis(Some(how.overlap_seconds));
    let done = tokens::rotate(&ctx, &caller, Rotate { id, overlap, form: Form::House }).await?;
    let token = shown(tokens::just_changed(&ctx, id).await)?.into();
    Ok(changed(&done, Issued { secret: secret(&done)?, token }))
}

/// Ends a token for good. Repeating it changes nothing.
#[utoipa::path(post, path = "/v1/tokens/{token}/revoke", tag = "tokens", params(("token" = String, Path)), responses((status = 200, description = "Revoked", body = Changed<Token>)))]
pub(super) async fn revoke(
    State(ctx): House,
    As(caller, _): Native,
    Path(token): Path<String>,
) -> Reply<Answer<Changed<Token>>> {
    let done = tokens::revoke(&ctx, &caller, tokens::find(&caller, &token)?).await?;
    Ok(changed(&done, shown(tokens::just_changed(&ctx, done.value.id).await)?.into()))
}

/// Tells how a token was used, day by day, for 35 days.
#[utoipa::path(get, path = "/v1/tokens/{token}/usage", tag = "tokens", params(("token" = String, Path)), responses((status = 200, description = "Its use", body = Usage)))]
pub(super) async fn usage(State(ctx): House, As(caller, _): Native, Path(token): Path<String>) -> Reply<Answer<Usage>> {
    let days = tokens::use_by_day(&ctx, &caller, tokens::find(&caller, &token)?).await?;
    let day = |day: tokens::DayOfUse| Day {
        day: day.day * tokenhouse_model::policy::DAY,
        outcome: day.outcome,
        count: day.uses,
        last_at: day.last_at,
        addresses: day.addresses,
    };
    Ok(found(Usage { items: days.into_iter().map(day).collect() }))
}
