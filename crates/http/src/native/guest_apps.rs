//! `/v1/guest-apps`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::apps::{self, Present};
use tokenhouse_model::Uuid;
use utoipa::ToSchema;

use super::scopes::RoleScopes;
use super::shapes::{Changed, List};
use super::{Answer, Native, changed, created, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path};

/// Another org's app that was added to this one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GuestApp {
    client_id: String,
    /// Its account in this org, which holds its roles here.
    account_id: Uuid,
    /// The org that owns it.
    owned_by: Uuid,
    /// What that org is called.
    owner: String,
    name: String,
    description: String,
    /// `active` or `inactive`.
    state: &'static str,
    scopes: RoleScopes,
    created_at: i64,
    created_by: Uuid,
}

impl From<Present> for GuestApp {
    fn from(Present { app, owner, view, asked }: Present) -> Self {
        let account = view.account;
        Self {
            client_id: account.identifier,
            account_id: account.id,
            owned_by: app.org_id,
            owner,
            name: app.terms.display_name,
            description: account.description,
            state: account.state.as_str(),
            scopes: asked.into(),
            created_at: account.created_at,
            created_by: account.created_by,
        }
    }
}

/// Lists other orgs' apps that were added to this one, in the order in which they were.
#[utoipa::path(get, path = "/v1/guest-apps", tag = "apps", responses((status = 200, description = "All of them", body = List<GuestApp>)))]
pub(super) async fn list(State(ctx): House, As(caller, _): Native) -> Reply<Answer<List<GuestApp>>> {
    let all = apps::present(&ctx, &caller).await?;
    let items = all.into_iter().filter(Present::guest).map(GuestApp::from).collect();
    Ok(found(List { items, next: None }))
}

/// Which app is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddAppRequest {
    /// It must be one whose owner allows this org to add it.
    client_id: String,
    scopes: RoleScopes,
}

/// Adds another org's app to the org of the token, with the roles that are named. It gets access tokens for this org then.
#[utoipa::path(post, path = "/v1/guest-apps", tag = "apps", request_body = AddAppRequest, responses((status = 201, description = "The app as it is here", body = Changed<GuestApp>)))]
pub(super) async fn add(
    State(ctx): House,
    As(caller, _): Native,
    Body(ask): Body<AddAppRequest>,
) -> Reply<Answer<Changed<GuestApp>>> {
    let done = apps::add(&ctx, &caller, ask.client_id.clone(), ask.scopes.into()).await?;
    Ok(created(&done, shown(apps::present_one(&ctx, &caller, &ask.client_id).await)?.into()))
}

/// Shows another org's app that was added to this one.
#[utoipa::path(get, path = "/v1/guest-apps/{client_id}", tag = "apps", params(("client_id" = String, Path)), responses((status = 200, description = "The app as it is here", body = GuestApp)))]
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Native,
    Path(client_id): Path<String>,
) -> Reply<Answer<GuestApp>> {
    Ok(found(apps::guest(&ctx, &caller, &client_id).await?.into()))
}

/// The roles that it is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GuestRolesRequest {
    /// Its roles become just these.
    scopes: RoleScopes,
}

/// Changes the roles that another org's app has in this one.
#[utoipa::path(patch, path = "/v1/guest-apps/{client_id}", tag = "apps", params(("client_id" = String, Path)), request_body = GuestRolesRequest, responses((status = 200, description = "Changed", body = Changed<GuestApp>)))]
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Native,
    Path(client_id): Path<String>,
    Body(ask): Body<GuestRolesRequest>,
) -> Reply<Answer<Changed<GuestApp>>> {
    let done = apps::endow(&ctx, &caller, client_id.clone(), ask.scopes.into()).await?;
    Ok(changed(&done, shown(apps::present_one(&ctx, &caller, &client_id).await)?.into()))
}

/// An app that is not in this org any more.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RemovedApp {
    client_id: String,
}

/// Takes another org's app out of this one: every access token that it has for it is dead.
#[utoipa::path(delete, path = "/v1/guest-apps/{client_id}", tag = "apps", params(("client_id" = String, Path)), responses((status = 200, description = "Removed", body = Changed<RemovedApp>)))]
pub(super) async fn remove(
    State(ctx): House,
    As(caller, _): Native,
    Path(client_id): Path<String>,
) -> Reply<Answer<Changed<RemovedApp>>> {
    let done = apps::remove(&ctx, &caller, client_id.clone()).await?;
    Ok(changed(&done, RemovedApp { client_id }))
}
