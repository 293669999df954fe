//! The apps that are in an organization: its own, and those of others that it added (csp.md 5).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokenhouse_authority::apps::{self, Present};

use super::Csp;
use super::api_tokens::done;
use super::apps::{missing, within};
use super::shapes::{AllowedScopes, Paged, Paging, RoleName};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Body, Path, Query};

/// An app that is in an organization.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Client {
    id: String,
    display_name: String,
    description: String,
    organization_roles: Vec<RoleName>,
    service_roles: Vec<Value>,
    custom_roles: Vec<RoleName>,
    /// The organization that owns it.
    source_org: Value,
}

impl From<Present> for Client {
    fn from(present: Present) -> Self {
        let asked = &present.asked;
        let services = asked.services.iter();
        Self {
            organization_roles: RoleName::all(&asked.organization.roles),
            service_roles: services
                .map(|(id, roles)| json!({"serviceDefinitionId": id, "roles": RoleName::all(&roles.roles)}))
                .collect(),
            custom_roles: RoleName::all(&asked.custom),
            source_org: json!({"orgId": present.app.org_id, "displayName": present.owner}),
            id: present.view.account.identifier,
            display_name: present.app.terms.display_name,
            description: present.view.account.description,
        }
    }
}

/// Lists them.
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Query(paging): Query<Paging>,
) -> Reply<Json<Paged<Client>>> {
    within(&caller, &org)?;
    let all = apps::present(&ctx, &caller).await?;
    let path = format!("/csp/gateway/am/api/orgs/{org}/clients");
    Ok(Json(paging.cut(all, &path)?.map(Client::from)))
}

/// Shows one.
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
) -> Reply<Json<Client>> {
    within(&caller, &org)?;
    Ok(Json(apps::present_one(&ctx, &caller, &id).await?.into()))
}

/// Which app is to be added, and with which roles.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddRequest {
    #[serde(alias = "clientId")]
    id: Option<String>,
    allowed_scopes: Option<AllowedScopes>,
}

/// Adds another organization's app to this one.
pub(super) async fn add(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Body(ask): Body<AddRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let id = ask.id.ok_or_else(|| missing("id"))?;
    let asked = ask.allowed_scopes.ok_or_else(|| missing("allowedScopes"))?.asked()?;
    let added = apps::add(&ctx, &caller, id.clone(), asked).await?;
    Ok(done(&added, Client::from(shown(apps::present_one(&ctx, &caller, &id).await)?)))
}

/// The roles that it is to have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RolesRequest {
    allowed_scopes: Option<AllowedScopes>,
}

/// Changes the roles that another organization's app has in this one.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
    Body(ask): Body<RolesRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let asked = ask.allowed_scopes.ok_or_else(|| missing("allowedScopes"))?.asked()?;
    let changed = apps::endow(&ctx, &caller, id.clone(), asked).await?;
    Ok(done(&changed, Client::from(shown(apps::present_one(&ctx, &caller, &id).await)?)))
}

/// Takes another organization's app out of this one.
pub(super) async fn remove(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let removed = apps::remove(&ctx, &caller, id.clone()).await?;
    Ok(done(&removed, json!({ "removed": id })))
}
