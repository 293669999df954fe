//! `/v1/integrations`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::integrations;
use tokenhouse_model::{PermissionSet, integration, name};
use utoipa::ToSchema;

use super::shapes::{Changed, List};
use super::{Answer, Native, changed, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path};

/// A system whose proxies know no access tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Integration {
    #[schema(example = "kubernetes")]
    name: String,
    description: String,
    /// What its proxies need, and at most what a token for it carries.
    permissions: Vec<String>,
}

/// What is to be listed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IntegrationRequest {
    #[serde(default)]
    #[schema(max_length = 1024)]
    description: String,
    /// Wavefront's permissions; none that manages accounts or tokens.
    #[schema(min_items = 1, example = json!(["agent_management"]))]
    permissions: Vec<String>,
}

/// What was taken out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Removed {
    name: String,
}

impl From<integration::Integration> for Integration {
    fn from(one: integration::Integration) -> Self {
        Self { permissions: one.permissions.names(), name: one.name, description: one.description }
    }
}

/// Lists the integrations for whose proxies service accounts get tokens in an onboarded org, by name.
#[utoipa::path(get, path = "/v1/integrations", tag = "integrations", responses((status = 200, description = "All of them", body = List<Integration>)))]
pub(super) async fn list(State(ctx): House, As(caller, _): Native) -> Reply<Answer<List<Integration>>> {
    let all = integrations::list(&ctx, &caller).await?;
    Ok(found(List { items: all.all().iter().cloned().map(Integration::from).collect(), next: None }))
}

/// Shows an integration.
#[utoipa::path(get, path = "/v1/integrations/{integration}", tag = "integrations", params(("integration" = String, Path)), responses((status = 200, description = "The integration", body = Integration)))]
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Native,
    Path(name): Path<String>,
) -> Reply<Answer<Integration>> {
    Ok(found(integrations::get(&ctx, &caller, &name).await?.into()))
}

/// Lists an integration, or says something else of one that is listed. Tokens that are there stay as they were made.
#[utoipa::path(put, path = "/v1/integrations/{integration}", tag = "integrations", params(("integration" = String, Path)), request_body = IntegrationRequest, responses((status = 200, description = "Listed", body = Changed<Integration>)))]
pub(super) async fn put(
    State(ctx): House,
    As(caller, _): Native,
    Path(name): Path<String>,
    Body(new): Body<IntegrationRequest>,
) -> Reply<Answer<Changed<Integration>>> {
    let permissions = PermissionSet::parse(new.permissions.iter().map(String::as_str))?;
    let new = integration::Integration { name: name.clone(), description: new.description, permissions };
    let done = integrations::put(&ctx, &caller, new).await?;
    Ok(changed(&done, shown(integrations::get(&ctx, &caller, &name).await)?.into()))
}

/// Takes an integration out of the list: no new token can name it. Those that are there go on.
#[utoipa::path(delete, path = "/v1/integrations/{integration}", tag = "integrations", params(("integration" = String, Path)), responses((status = 200, description = "Taken out", body = Changed<Removed>)))]
pub(super) async fn remove(
    State(ctx): House,
    As(caller, _): Native,
    Path(name): Path<String>,
) -> Reply<Answer<Changed<Removed>>> {
    let name = name::fold(&name);
    let done = integrations::remove(&ctx, &caller, name.clone()).await?;
    Ok(changed(&done, Removed { name }))
}
