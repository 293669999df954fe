//! `/v1/groups`

use axum::extract::State;
use serde::Deserialize;
use tokenhouse_authority::groups::{self, Naming};
use tokenhouse_authority::holdings::{self, Given, Giving, Holder};
use tokenhouse_authority::roles;
use tokenhouse_authority::{Caller, Ctx, accounts};
use tokenhouse_model::cursor::Page;
use utoipa::ToSchema;

use super::accounts::Until;
use super::shapes::{Account, Changed, Gone, Group, List, Paging};
use super::{Answer, Native, changed, created, found, listed, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path, Query};

/// A group's name and description.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamingRequest {
    #[schema(min_length = 1, max_length = 128)]
    name: Option<String>,
    #[schema(max_length = 1024)]
    description: Option<String>,
}

impl From<NamingRequest> for Naming {
    fn from(request: NamingRequest) -> Self {
        Self { name: request.name, description: request.description, ..Self::default() }
    }
}

/// Lists groups.
#[utoipa::path(get, path = "/v1/groups", tag = "groups", params(Paging), responses((status = 200, description = "A page", body = List<Group>)))]
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Native,
    Query(page): Query<Paging>,
) -> Reply<Answer<List<Group>>> {
    let page = Page::ask(page.cursor.as_deref(), page.limit)?;
    Ok(listed(groups::list(&ctx, &caller, page).await?))
}

/// Makes a group.
#[utoipa::path(post, path = "/v1/groups", tag = "groups", request_body = NamingRequest, responses((status = 201, description = "Made", body = Changed<Group>)))]
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Native,
    Body(naming): Body<NamingRequest>,
) -> Reply<Answer<Changed<Group>>> {
    let done = groups::create(&ctx, &caller, naming.into()).await?;
    Ok(created(&done, shown(groups::just_changed(&ctx, done.value.id).await)?.into()))
}

/// Shows a group, by its id or its name.
#[utoipa::path(get, path = "/v1/groups/{group}", tag = "groups", params(("group" = String, Path)), responses((status = 200, description = "The group", body = Group)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native, Path(group): Path<String>) -> Reply<Answer<Group>> {
    let id = groups::find(&ctx, &caller, &group).await?;
    Ok(found(groups::get(&ctx, &caller, id).await?.into()))
}

/// Changes a group's name or description.
#[utoipa::path(patch, path = "/v1/groups/{group}", tag = "groups", params(("group" = String, Path)), request_body = NamingRequest, responses((status = 200, description = "Changed", body = Changed<Group>)))]
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Native,
    Path(group): Path<String>,
    Body(naming): Body<NamingRequest>,
) -> Reply<Answer<Changed<Group>>> {
    let id = groups::find(&ctx, &caller, &group).await?;
    let done = groups::update(&ctx, &caller, id, naming.into()).await?;
    Ok(changed(&done, shown(groups::just_changed(&ctx, id).await)?.into()))
}

/// Deletes a group; its members lose what it gave.
#[utoipa::path(delete, path = "/v1/groups/{group}", tag = "groups", params(("group" = String, Path)), responses((status = 200, description = "Deleted", body = Changed<Gone>)))]
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Native,
    Path(group): Path<String>,
) -> Reply<Answer<Changed<Gone>>> {
    let id = groups::find(&ctx, &caller, &group).await?;
    let done = groups::delete(&ctx, &caller, id).await?;
    Ok(changed(&done, Gone { id, touched: done.value.touched }))
}

/// Lists a group's members.
#[utoipa::path(get, path = "/v1/groups/{group}/members", tag = "groups", params(("group" = String, Path), Paging), responses((status = 200, description = "A page", body = List<Account>)))]
pub(super) async fn members(
    State(ctx): House,
    As(caller, _): Native,
    Path(group): Path<String>,
    Query(page): Query<Paging>,
) -> Reply<Answer<List<Account>>> {
    let id = groups::find(&ctx, &caller, &group).await?;
    let page = Page::ask(page.cursor.as_deref(), page.limit)?;
    Ok(listed(groups::members(&ctx, &caller, id, page).await?))
}

/// Puts an account into a group.
#[utoipa::path(put, path = "/v1/groups/{group}/members/{account}", tag = "groups", params(("group" = String, Path), ("account" = String, Path)), responses((status = 200, description = "Added", body = Changed<Group>)))]
pub(super) async fn add(
    State(ctx): House,
    As(caller, _): Native,
    Path((group, account)): Path<(String, String)>,
) -> Reply<Answer<Changed<Group>>> {
    let id = groups::find(&ctx, &caller, &group).await?;
    let account = accounts::find(&ctx, &caller, &account).await?;
    let done = groups::add(&ctx, &caller, id, account).await?;
    Ok(changed(&done, shown(groups::just_changed(&ctx, id).await)?.into()))
}

/// Takes an account out of a group.
#[utoipa::path(delete, path = "/v1/groups/{group}/members/{account}", tag = "groups", params(("group" = String, Path), ("account" = String, Path)), responses((status = 200, description = "Removed", body = Changed<Group>)))]
pub(super) async fn remove(
    State(ctx): House,
    As(caller, _): Native,
    Path((group, account)): Path<(String, String)>,
) -> Reply<Answer<Changed<Group>>> {
    let id = groups::find(&ctx, &caller, &group).await?;
    let account = accounts::find(&ctx, &caller, &account).await?;
    let done = groups::remove(&ctx, &caller, id, account).await?;
    Ok(changed(&done, shown(groups::just_changed(&ctx, id).await)?.into()))
}

async fn give(
    ctx: &std::sync::Arc<Ctx>,
    caller: &Caller,
    group: &str,
    what: Given,
    until: Until,
) -> Reply<Answer<Changed<Group>>> {
    let id = groups::find(ctx, caller, group).await?;
    let done = holdings::give(ctx, caller, Giving { holder: Holder::Group(id), what, until: until.expires_at }).await?;
    Ok(changed(&done, shown(groups::just_changed(ctx, id).await)?.into()))
}

async fn take(ctx: &std::sync::Arc<Ctx>, caller: &Caller, group: &str, what: Given) -> Reply<Answer<Changed<Group>>> {
    let id = groups::find(ctx, caller, group).await?;
    let done = holdings::take(ctx, caller, Holder::Group(id), what).await?;
    Ok(changed(&done, shown(groups::just_changed(ctx, id).await)?.into()))
}

/// Gives a group's members a role.
#[utoipa::path(put, path = "/v1/groups/{group}/roles/{role}", tag = "groups", params(("group" = String, Path), ("role" = String, Path)), request_body = Until, responses((status = 200, description = "Given", body = Changed<Group>)))]
pub(super) async fn assign(
    State(ctx): House,
    As(caller, _): Native,
    Path((group, role)): Path<(String, String)>,
    Body(until): Body<Until>,
) -> Reply<Answer<Changed<Group>>> {
    let role = roles::find(&ctx, &caller, &role, None).await?;
    give(&ctx, &caller, &group, Given::Role(role), until).await
}

/// Takes a role from a group's members.
#[utoipa::path(delete, path = "/v1/groups/{group}/roles/{role}", tag = "groups", params(("group" = String, Path), ("role" = String, Path)), responses((status = 200, description = "Taken", body = Changed<Group>)))]
pub(super) async fn unassign(
    State(ctx): House,
    As(caller, _): Native,
    Path((group, role)): Path<(String, String)>,
) -> Reply<Answer<Changed<Group>>> {
    let role = roles::find(&ctx, &caller, &role, None).await?;
    take(&ctx, &caller, &group, Given::Role(role)).await
}

/// Gives a group's members a permission.
#[utoipa::path(put, path = "/v1/groups/{group}/permissions/{permission}", tag = "groups", params(("group" = String, Path), ("permission" = String, Path)), request_body = Until, responses((status = 200, description = "Given", body = Changed<Group>)))]
pub(super) async fn grant(
    State(ctx): House,
    As(caller, _): Native,
    Path((group, permission)): Path<(String, String)>,
    Body(until): Body<Until>,
) -> Reply<Answer<Changed<Group>>> {
    give(&ctx, &caller, &group, Given::Permission(permission), until).await
}

/// Takes a permission from a group's members.
#[utoipa::path(delete, path = "/v1/groups/{group}/permissions/{permission}", tag = "groups", params(("group" = String, Path), ("permission" = String, Path)), responses((status = 200, description = "Taken", body = Changed<Group>)))]
pub(super) async fn revoke(
    State(ctx): House,
    As(caller, _): Native,
    Path((group, permission)): Path<(String, String)>,
) -> Reply<Answer<Changed<Group>>> {
    take(&ctx, &caller, &group, Given::Permission(permission)).await
}
