//! `/v1/roles`

use axum::extract::State;
use serde::Deserialize;
use tokenhouse_authority::roles::{self, RoleChange};
use tokenhouse_model::cursor::Page;
use tokenhouse_model::role::Namespace;
use utoipa::ToSchema;

use super::shapes::{Changed, Gone, List, Paging, Role};
use super::{Answer, Native, changed, created, found, listed, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path, Query};

/// A custom role, new or changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleRequest {
    #[schema(min_length = 1, max_length = 128)]
    name: Option<String>,
    #[schema(max_length = 1024)]
    description: Option<String>,
    /// What it gives.
    permissions: Option<Vec<String>>,
}

impl From<RoleRequest> for RoleChange {
    fn from(request: RoleRequest) -> Self {
        Self { name: request.name, description: request.description, permissions: request.permissions }
    }
}

/// Lists built-in roles and the org's own.
#[utoipa::path(get, path = "/v1/roles", tag = "roles", params(Paging), responses((status = 200, description = "A page", body = List<Role>)))]
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Native,
    Query(page): Query<Paging>,
) -> Reply<Answer<List<Role>>> {
    let page = Page::ask(page.cursor.as_deref(), page.limit)?;
    Ok(listed(roles::list(&ctx, &caller, page, None).await?))
}

/// Makes a custom role.
#[utoipa::path(post, path = "/v1/roles", tag = "roles", request_body = RoleRequest, responses((status = 201, description = "Made", body = Changed<Role>)))]
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Native,
    Body(new): Body<RoleRequest>,
) -> Reply<Answer<Changed<Role>>> {
    let done = roles::create(&ctx, &caller, new.into(), Namespace::House).await?;
    Ok(created(&done, shown(roles::just_changed(&ctx, &caller, done.value.id).await)?.into()))
}

/// Shows a role, by its id or its name.
#[utoipa::path(get, path = "/v1/roles/{role}", tag = "roles", params(("role" = String, Path)), responses((status = 200, description = "The role", body = Role)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native, Path(role): Path<String>) -> Reply<Answer<Role>> {
    let id = roles::find(&ctx, &caller, &role, None).await?;
    Ok(found(roles::get(&ctx, &caller, id, None).await?.into()))
}

/// Changes a custom role.
#[utoipa::path(patch, path = "/v1/roles/{role}", tag = "roles", params(("role" = String, Path)), request_body = RoleRequest, responses((status = 200, description = "Changed", body = Changed<Role>)))]
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Native,
    Path(role): Path<String>,
    Body(wanted): Body<RoleRequest>,
) -> Reply<Answer<Changed<Role>>> {
    let id = roles::find(&ctx, &caller, &role, None).await?;
    let done = roles::update(&ctx, &caller, id, wanted.into(), None).await?;
    Ok(changed(&done, shown(roles::just_changed(&ctx, &caller, id).await)?.into()))
}

/// Deletes a custom role; who held it loses what it gave.
#[utoipa::path(delete, path = "/v1/roles/{role}", tag = "roles", params(("role" = String, Path)), responses((status = 200, description = "Deleted", body = Changed<Gone>)))]
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Native,
    Path(role): Path<String>,
) -> Reply<Answer<Changed<Gone>>> {
    let id = roles::find(&ctx, &caller, &role, None).await?;
    let done = roles::delete(&ctx, &caller, id, None).await?;
    Ok(changed(&done, Gone { id, touched: done.value.touched }))
}
