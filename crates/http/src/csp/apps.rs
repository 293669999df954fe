//! Apps of an organization and their secrets (csp.md 5).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokenhouse_authority::apps::{self, AppChange, AppView, NewApp, NewSecret};
use tokenhouse_authority::{Caller, Ctx, Outcome};
use tokenhouse_model::app::{self as rules, AppTerms};
use tokenhouse_model::{Done, Error, Result, SecretText, Uuid};

use super::Csp;
use super::api_tokens::done;
use super::shapes::{AllowedScopes, Paged, Paging};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Body, Path, Query};

/// What is asked of an app. The same members make and change one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppRequest {
    id: Option<String>,
    secret: Option<SecretText>,
    display_name: Option<String>,
    description: Option<String>,
    grant_types: Option<Vec<String>>,
    allowed_scopes: Option<AllowedScopes>,
    /// In seconds, as all times to live.
    #[serde(rename = "accessTokenTTL")]
    access_token_ttl: Option<i64>,
    secret_rotation_expiration_in_seconds: Option<i64>,
    owner_only_secret_rotation: Option<bool>,
    public_client: Option<bool>,
    allowed_orgs: Option<Vec<String>>,
    /// What is kept and shown, and means nothing here.
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// The members that are kept and shown again. Whatever else is sent is passed over.
const KEPT: &[&str] = &[
    "refreshTokenTTL",
    "redirectUris",
    "postLogoutRedirectUris",
    "forcePkce",
    "allowOpenRedirectUris",
    "maxGroupsInIdToken",
    "maxCharactersInAccessToken",
    "maxAdditionalAttributesInIdToken",
    "additionalAttributeMasks",
    "groupDomainAppendedInIDToken",
    "allowedActorsClientDelegate",
    "allowedActorsAudienceExchange",
    "isHidden",
    "crossOrgAccessClaimsSupported",
];

/// The one grant that apps have.
const GRANT: &str = "client_credentials";

impl AppRequest {
    fn check(&self) -> Result<()> {
        if self.public_client == Some(true) {
            return Err(Error::invalid("publicClient", "must be false: an app proves itself by its secret"));
        }
        match &self.grant_types {
            Some(types) if types.is_empty() || types.iter().any(|grant| grant != GRANT) => {
                Err(Error::invalid("grantTypes", format_args!("must be {GRANT}: no other grant is given to apps")))
            }
            _ => Ok(()),
        }
    }

    /// The organizations that may add it, by their ids.
    fn orgs(&self) -> Result<Option<Vec<Uuid>>> {
        let ids = self.allowed_orgs.as_ref().map(|ids| ids.iter().map(|id| org_id(id)).collect());
        ids.transpose()
    }

    fn kept(&mut self) -> Map<String, Value> {
        let mut other = std::mem::take(&mut self.other);
        other.retain(|name, value| KEPT.contains(&name.as_str()) && !value.is_null());
        other
    }
}

pub(super) fn missing(name: &'static str) -> Error {
    Error::invalid(name, "is missing")
}

const fn millis(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

fn org_id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::invalid("allowedOrgs", "must be ids of organizations"))
}

/// Refuses another organization than the caller's.
pub(super) fn within(caller: &Caller, org: &str) -> Result<()> {
    match Uuid::try_parse(org) {
        Ok(id) if id == caller.org().id => Ok(()),
        _ => Err(Error::not_found("organization")),
    }
}

/// Client id and secret, the secret shown once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    client_id: String,
    client_secret: SecretText,
}

async fn credentials(ctx: &Ctx, outcome: &Done<Outcome>) -> Result<Response> {
    let client_id = shown(apps::client_id(ctx, outcome.value.id).await)?;
    let secret = outcome.value.secret.clone().ok_or_else(|| Error::internal("an app without a secret"))?;
    Ok(done(outcome, Credentials { client_id, client_secret: secret }))
}

/// Makes one.
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Body(mut ask): Body<AppRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    ask.check()?;
    ask.grant_types.as_ref().ok_or_else(|| missing("grantTypes"))?;
    let (other, allowed_orgs) = (ask.kept(), ask.orgs()?.unwrap_or_default());
    let new = NewApp {
        description: ask.description.ok_or_else(|| missing("description"))?,
        terms: AppTerms {
            display_name: ask.display_name.ok_or_else(|| missing("displayName"))?,
            asked: ask.allowed_scopes.ok_or_else(|| missing("allowedScopes"))?.asked()?,
            life: ask.access_token_ttl.map_or(rules::LIFE, millis),
            overlap: ask.secret_rotation_expiration_in_seconds.map_or(rules::OVERLAP, millis),
            owner_only: ask.owner_only_secret_rotation.unwrap_or(false),
            allowed_orgs,
            other,
        },
        id: ask.id.filter(|text| !text.is_empty()),
        secret: ask.secret.filter(|secret| !secret.expose().is_empty()),
    };
    let made = apps::create(&ctx, &caller, new).await?;
    Ok(credentials(&ctx, &made).await?)
}

/// An app as it is shown. Times are in milliseconds since the epoch (csp.md G14), times to live in seconds.
fn app(view: &AppView) -> Value {
    let AppView { app, account, secrets } = view;
    let terms = &app.terms;
    // What another organization is called is its own to tell.
    let orgs = std::iter::once(&app.org_id).chain(&terms.allowed_orgs);
    let orgs: Vec<Value> = orgs.map(|id| json!({"id": id, "name": id, "displayName": id})).collect();
    let mut shown = json!({
        "id": account.identifier,
        "displayName": terms.display_name,
        "description": account.description,
        "grantTypes": [GRANT],
        "allowedScopes": AllowedScopes::from(&terms.asked),
        "accessTokenTTL": terms.life / 1000,
        "refreshTokenTTL": 7_776_000,
        "redirectUris": [],
        "publicClient": false,
        "ownerOnlySecretRotation": terms.owner_only,
        "secretRotationExpirationInSeconds": terms.overlap / 1000,
        "allowedOrgs": orgs,
        "organizationId": app.org_id,
        "serviceDefinitionId": null,
        "immutable": false,
        "createdAt": app.created_at,
        "createdBy": app.created_by,
        "lastUpdatedAt": app.updated_at,
        "lastUpdatedBy": app.updated_by,
        "secretRotationInProgress": secrets.len() > 1,
    });
    if let Value::Object(members) = &mut shown {
        members.extend(terms.other.clone());
    }
    shown
}

/// Lists them.
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Query(paging): Query<Paging>,
) -> Reply<Json<Paged<Value>>> {
    within(&caller, &org)?;
    let all = apps::list(&ctx, &caller).await?;
    let path = format!("/csp/gateway/am/api/orgs/{org}/oauth-apps");
    Ok(Json(paging.cut(all, &path)?.map(|view| app(&view))))
}

/// Shows one.
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
) -> Reply<Json<Value>> {
    within(&caller, &org)?;
    Ok(Json(app(&apps::get(&ctx, &caller, &id).await?)))
}

/// Changes one.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
    Body(mut ask): Body<AppRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    ask.check()?;
    if ask.id.as_ref().is_some_and(|other| *other != id) || ask.secret.is_some() {
        return Err(
            Error::invalid("id", "and secret can't be changed so: a secret is replaced below .../secret").into()
        );
    }
    let change = AppChange {
        allowed_orgs: ask.orgs()?,
        other: ask.kept(),
        display_name: ask.display_name,
        description: ask.description,
        asked: ask.allowed_scopes.map(AllowedScopes::asked).transpose()?,
        life: ask.access_token_ttl.map(millis),
        overlap: ask.secret_rotation_expiration_in_seconds.map(millis),
        owner_only: ask.owner_only_secret_rotation,
    };
    let changed = apps::update(&ctx, &caller, id.clone(), change).await?;
    Ok(done(&changed, app(&shown(apps::get(&ctx, &caller, &id).await)?)))
}

/// Which are to be deleted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRequest {
    #[serde(alias = "ids", alias = "clientIds")]
    client_ids_to_delete: Option<Vec<String>>,
}

/// Deletes some, all that are named or none.
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Body(ask): Body<DeleteRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let ids = ask.client_ids_to_delete.ok_or_else(|| missing("clientIdsToDelete"))?;
    let deleted = apps::delete(&ctx, &caller, ids.clone()).await?;
    Ok(done(&deleted, json!({ "deleted": ids })))
}

/// Replaces the secret; the old one is dead at once.
pub(super) async fn replace(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, client_id)): Path<(String, String)>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let new = NewSecret { client_id, secret: None, overlap: Some(0) };
    let made = apps::rotate(&ctx, &caller, new).await?;
    Ok(credentials(&ctx, &made).await?)
}

/// A new secret beside the old one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RotateRequest {
    new_client_secret: Option<SecretText>,
    secret_rotation_expiration_in_seconds: Option<i64>,
}

/// Rotates the secret: the old one stays good for the overlap.
pub(super) async fn rotate(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, client_id)): Path<(String, String)>,
    Body(ask): Body<RotateRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let secret = ask.new_client_secret.filter(|secret| !secret.expose().is_empty());
    let overlap = ask.secret_rotation_expiration_in_seconds.map(millis);
    let made = apps::rotate(&ctx, &caller, NewSecret { client_id, secret, overlap }).await?;
    Ok(credentials(&ctx, &made).await?)
}

/// Ends the rotation: the old secret is dead at once.
pub(super) async fn finish(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let ended = apps::finish(&ctx, &caller, id.clone()).await?;
    Ok(done(&ended, json!({ "clientId": id, "removed": ended.value.touched })))
}
