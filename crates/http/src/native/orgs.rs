//! `/v1/orgs`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::orgs::{self, NewOrg};
use tokenhouse_model::cursor::Page;
use tokenhouse_model::{Error, SecretText, Uuid};
use utoipa::ToSchema;

use super::shapes::{Changed, List, Org, Paging};
use super::{Answer, Native, changed, created, found, listed, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path, Query};

/// A new org.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrgRequest {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// The e-mail address of its first administrator.
    admin: String,
}

/// A new org with its administrator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedOrg {
    #[serde(flatten)]
    org: Org,
    /// The administrator's account.
    admin: Uuid,
    /// His password, if he is new to this installation; shown this once.
    #[schema(value_type = Option<String>)]
    password: Option<SecretText>,
}

/// A name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
}

fn id(text: &str) -> Result<Uuid, Error> {
    tokenhouse_model::id::parse("org", text)
}

/// Lists the orgs: all for an operator, else one's own.
#[utoipa::path(get, path = "/v1/orgs", tag = "orgs", params(Paging), responses((status = 200, description = "A page", body = List<Org>)))]
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Native,
    Query(page): Query<Paging>,
) -> Reply<Answer<List<Org>>> {
    let page = Page::ask(page.cursor.as_deref(), page.limit)?;
    Ok(listed(orgs::list(&ctx, &caller, page).await?))
}

/// Makes an org and its first administrator.
#[utoipa::path(post, path = "/v1/orgs", tag = "orgs", request_body = NewOrgRequest, responses((status = 201, description = "Made", body = Changed<CreatedOrg>)))]
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Native,
    Body(new): Body<NewOrgRequest>,
) -> Reply<Answer<Changed<CreatedOrg>>> {
    let done = orgs::create(&ctx, &caller, NewOrg { name: new.name, admin: new.admin }).await?;
    let org = shown(orgs::get(&ctx, &caller, done.value.id).await)?.into();
    Ok(created(&done, CreatedOrg { org, admin: done.value.with, password: done.value.secret.clone() }))
}

/// Shows an org.
#[utoipa::path(get, path = "/v1/orgs/{org}", tag = "orgs", params(("org" = String, Path)), responses((status = 200, description = "The org", body = Org)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native, Path(org): Path<String>) -> Reply<Answer<Org>> {
    Ok(found(orgs::get(&ctx, &caller, id(&org)?).await?.into()))
}

/// Renames an org.
#[utoipa::path(patch, path = "/v1/orgs/{org}", tag = "orgs", params(("org" = String, Path)), request_body = Rename, responses((status = 200, description = "Renamed", body = Changed<Org>)))]
pub(super) async fn rename(
    State(ctx): House,
    As(caller, _): Native,
    Path(org): Path<String>,
    Body(to): Body<Rename>,
) -> Reply<Answer<Changed<Org>>> {
    let done = orgs::rename(&ctx, &caller, id(&org)?, to.name).await?;
    Ok(changed(&done, shown(orgs::get(&ctx, &caller, done.value.id).await)?.into()))
}

/// Stops every credential of an org.
#[utoipa::path(post, path = "/v1/orgs/{org}/suspend", tag = "orgs", params(("org" = String, Path)), responses((status = 200, description = "Suspended", body = Changed<Org>)))]
pub(super) async fn suspend(
    State(ctx): House,
    As(caller, _): Native,
    Path(org): Path<String>,
) -> Reply<Answer<Changed<Org>>> {
    let done = orgs::suspend(&ctx, &caller, id(&org)?).await?;
    Ok(changed(&done, shown(orgs::get(&ctx, &caller, done.value.id).await)?.into()))
}

/// Makes access tokens the way into an org: on the paths of Wavefront's API and the native one too, whatever their tokens
/// reach. People make api tokens then, and no more tokens of Wavefront's. What is there goes on working.
#[utoipa::path(post, path = "/v1/orgs/{org}/onboard", tag = "orgs", params(("org" = String, Path)), responses((status = 200, description = "Onboarded", body = Changed<Org>)))]
pub(super) async fn onboard(
    State(ctx): House,
    As(caller, _): Native,
    Path(org): Path<String>,
) -> Reply<Answer<Changed<Org>>> {
    let done = orgs::onboard(&ctx, &caller, id(&org)?, true).await?;
    Ok(changed(&done, shown(orgs::get(&ctx, &caller, done.value.id).await)?.into()))
}

/// Takes that back: access tokens reach what their tokens reach.
#[utoipa::path(post, path = "/v1/orgs/{org}/offboard", tag = "orgs", params(("org" = String, Path)), responses((status = 200, description = "As it was", body = Changed<Org>)))]
pub(super) async fn offboard(
    State(ctx): House,
    As(caller, _): Native,
    Path(org): Path<String>,
) -> Reply<Answer<Changed<Org>>> {
    let done = orgs::onboard(&ctx, &caller, id(&org)?, false).await?;
    Ok(changed(&done, shown(orgs::get(&ctx, &caller, done.value.id).await)?.into()))
}

/// Lets an org's credentials work again.
#[utoipa::path(post, path = "/v1/orgs/{org}/resume", tag = "orgs", params(("org" = String, Path)), responses((status = 200, description = "Resumed", body = Changed<Org>)))]
pub(super) async fn resume(
    State(ctx): House,
    As(caller, _): Native,
    Path(org): Path<String>,
) -> Reply<Answer<Changed<Org>>> {
    let done = orgs::resume(&ctx, &caller, id(&org)?).await?;
    Ok(changed(&done, shown(orgs::get(&ctx, &caller, done.value.id).await)?.into()))
}
