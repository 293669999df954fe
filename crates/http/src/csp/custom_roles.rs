//! Roles that an organization makes (csp.md 3.3).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokenhouse_authority::roles::{self, RoleChange};
use tokenhouse_authority::{Caller, Ctx, Outcome};
use tokenhouse_model::role::{Namespace, RoleKind};
use tokenhouse_model::search::{Condition, On, RoleField, Test};
use tokenhouse_model::{Done, Error, Result, Role};

use super::Csp;
use super::api_tokens::done;
use super::apps::within;
use super::members::oldest_first;
use super::shapes::{Paged, Paging};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Body, Path, Query};

/// Such a role. It has one name; who made it stands in the ledger and not here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomRole {
    name: String,
    display_name: String,
    description: String,
    permissions: Vec<String>,
    created_by: Value,
    last_modified_by: Value,
}

impl CustomRole {
    fn of(role: &Role) -> Self {
        Self {
            name: role.name.clone(),
            display_name: role.name.clone(),
            description: role.description.clone(),
            permissions: role.permissions.names(),
            created_by: Value::Null,
            last_modified_by: Value::Null,
        }
    }
}

/// What one is to be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomRoleRequest {
    name: Option<String>,
    /// Its name, where that is not told.
    display_name: Option<String>,
    description: Option<String>,
    permissions: Option<Vec<String>>,
}

/// The organization's own role of this name.
async fn find(ctx: &Ctx, caller: &Caller, org: &str, name: &str) -> Result<Role> {
    within(caller, org)?;
    let id = roles::find(ctx, caller, name, Some(Namespace::Csp)).await?;
    let role = roles::get(ctx, caller, id, Some(Namespace::Csp)).await?;
    if role.kind == RoleKind::Custom { Ok(role) } else { Err(Error::not_found("role")) }
}

/// Lists them, the oldest first.
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Query(paging): Query<Paging>,
) -> Reply<Json<Paged<CustomRole>>> {
    within(&caller, &org)?;
    let mut search = oldest_first(&paging)?;
    // What comes with the program was made at no time.
    let test = Test::Between { from: Some(1), to: None };
    search.conditions.push(Condition { on: On::Field(RoleField::CreatedAt), test, negated: false });
    let page = roles::search(&ctx, &caller, Some(Namespace::Csp), search).await?;
    let path = format!("/csp/gateway/iam-roles-mgmt/api/orgs/{org}/custom-roles");
    Ok(Json(paging.of(page, &path)?.map(|view| CustomRole::of(&view.role))))
}

/// Shows one.
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, name)): Path<(String, String)>,
) -> Reply<Json<CustomRole>> {
    Ok(Json(CustomRole::of(&find(&ctx, &caller, &org, &name).await?)))
}

async fn answer(ctx: &Ctx, caller: &Caller, changed: &Done<Outcome>) -> Result<Response> {
    let role = shown(roles::just_changed(ctx, caller, changed.value.id).await)?;
    Ok(done(changed, CustomRole::of(&role)))
}

/// Makes one.
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Body(ask): Body<CustomRoleRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let CustomRoleRequest { name, display_name, description, permissions } = ask;
    let new = RoleChange { name: name.or(display_name), description, permissions };
    let made = roles::create(&ctx, &caller, new, Namespace::Csp).await?;
    Ok(answer(&ctx, &caller, &made).await?)
}

/// Makes one anew: what is not told is empty.
pub(super) async fn replace(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, name)): Path<(String, String)>,
    Body(ask): Body<CustomRoleRequest>,
) -> Reply<Response> {
    let id = find(&ctx, &caller, &org, &name).await?.id;
    let (description, permissions) = (ask.description.unwrap_or_default(), ask.permissions.unwrap_or_default());
    let to = RoleChange { name: ask.name, description: Some(description), permissions: Some(permissions) };
    let changed = roles::update(&ctx, &caller, id, to, Some(Namespace::Csp)).await?;
    Ok(answer(&ctx, &caller, &changed).await?)
}

/// Changes one: what is not told stays.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, name)): Path<(String, String)>,
    Body(ask): Body<CustomRoleRequest>,
) -> Reply<Response> {
    let id = find(&ctx, &caller, &org, &name).await?.id;
    let to = RoleChange { name: ask.name, description: ask.description, permissions: ask.permissions };
    let changed = roles::update(&ctx, &caller, id, to, Some(Namespace::Csp)).await?;
    Ok(answer(&ctx, &caller, &changed).await?)
}

/// Deletes one; whoever held it loses what it gave.
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, name)): Path<(String, String)>,
) -> Reply<Response> {
    let role = find(&ctx, &caller, &org, &name).await?;
    let deleted = roles::delete(&ctx, &caller, role.id, Some(Namespace::Csp)).await?;
    Ok(done(&deleted, CustomRole::of(&role)))
}
