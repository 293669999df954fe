//! `/v1/apps`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::apps::{self, AppChange, AppView, NewApp, NewSecret};
use tokenhouse_authority::{Caller, Ctx, Outcome};
use tokenhouse_model::app::{self as rules, AppTerms};
use tokenhouse_model::{Done, NEVER, Result, SecretText, Uuid};
use utoipa::ToSchema;

use super::scopes::RoleScopes;
use super::shapes::{Changed, List};
use super::{Answer, Native, changed, created, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path};

/// An app: a program that gets access tokens for a client id and a secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct App {
    client_id: String,
    /// Its account, which holds its roles.
    account_id: Uuid,
    name: String,
    description: String,
    /// `active` or `inactive`.
    state: &'static str,
    scopes: RoleScopes,
    /// How long its access tokens live.
    access_token_seconds: i64,
    /// How long an old secret stays good beside a new one, unless told.
    overlap_seconds: i64,
    /// Whether only an owner of the org replaces its secrets.
    owner_only: bool,
    /// The other orgs that may add it.
    allowed_orgs: Vec<Uuid>,
    /// The secrets that are good now, the newest last.
    secrets: Vec<AppSecret>,
    created_at: i64,
    created_by: Uuid,
    updated_at: i64,
    updated_by: Uuid,
    /// The new secret: told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    secret: Option<SecretText>,
}

/// A secret of an app.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppSecret {
    id: Uuid,
    /// Its last four characters; empty where its maker chose it.
    last4: String,
    created_at: i64,
    /// Until when it is good; absent for the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    good_until: Option<i64>,
}

impl App {
    fn of(view: AppView, secret: Option<SecretText>) -> Self {
        let AppView { app, account, secrets } = view;
        let until = |at| (at != NEVER).then_some(at);
        Self {
            client_id: account.identifier,
            account_id: account.id,
            name: app.terms.display_name,
            description: account.description,
            state: account.state.as_str(),
            scopes: app.terms.asked.into(),
            access_token_seconds: app.terms.life / 1000,
            overlap_seconds: app.terms.overlap / 1000,
            owner_only: app.terms.owner_only,
            allowed_orgs: app.terms.allowed_orgs,
            secrets: secrets
                .into_iter()
                .map(|one| AppSecret {
                    id: one.id,
                    last4: one.last4,
                    created_at: one.created_at,
                    good_until: until(one.good_until),
                })
                .collect(),
            created_at: app.created_at,
            created_by: app.created_by,
            updated_at: app.updated_at,
            updated_by: app.updated_by,
            secret,
        }
    }
}

/// A new app.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAppRequest {
    name: String,
    #[serde(default)]
    description: String,
    scopes: RoleScopes,
    /// Letters, digits, `-` and `_`; made unless told.
    client_id: Option<String>,
    /// At least 8 characters with a lower-case and an upper-case letter, a digit and another; made unless told.
    #[schema(value_type = Option<String>)]
    secret: Option<SecretText>,
    /// 60 to 18000; 600 unless told.
    #[schema(minimum = 60, maximum = 18000)]
    access_token_seconds: Option<i64>,
    /// At most 30 days; 48 hours unless told.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: Option<i64>,
    #[serde(default)]
    owner_only: bool,
    /// The other orgs that may add it, by their ids.
    #[serde(default)]
    #[schema(max_items = 100)]
    allowed_orgs: Vec<Uuid>,
}

fn millis(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

async fn told(ctx: &Ctx, caller: &Caller, done: &Done<Outcome>) -> Result<App> {
    let client_id = shown(apps::client_id(ctx, done.value.id).await)?;
    let view = shown(apps::get(ctx, caller, &client_id).await)?;
    Ok(App::of(view, done.value.secret.clone()))
}

/// Makes an app in the org of the token, with the roles that are named. Its secret is told once.
#[utoipa::path(post, path = "/v1/apps", tag = "apps", request_body = NewAppRequest, responses((status = 201, description = "The new app", body = Changed<App>)))]
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Native,
    Body(ask): Body<NewAppRequest>,
) -> Reply<Answer<Changed<App>>> {
    let new = NewApp {
        id: ask.client_id,
        secret: ask.secret,
        description: ask.description,
        terms: AppTerms {
            display_name: ask.name,
            asked: ask.scopes.into(),
            life: ask.access_token_seconds.map_or(rules::LIFE, millis),
            overlap: ask.overlap_seconds.map_or(rules::OVERLAP, millis),
            owner_only: ask.owner_only,
            allowed_orgs: ask.allowed_orgs,
            other: serde_json::Map::new(),
        },
    };
    let done = apps::create(&ctx, &caller, new).await?;
    Ok(created(&done, told(&ctx, &caller, &done).await?))
}

/// Lists the org's apps, oldest first.
#[utoipa::path(get, path = "/v1/apps", tag = "apps", responses((status = 200, description = "All of them", body = List<App>)))]
pub(super) async fn list(State(ctx): House, As(caller, _): Native) -> Reply<Answer<List<App>>> {
    let all = apps::list(&ctx, &caller).await?;
    Ok(found(List { items: all.into_iter().map(|view| App::of(view, None)).collect(), next: None }))
}

/// Shows an app.
#[utoipa::path(get, path = "/v1/apps/{client_id}", tag = "apps", params(("client_id" = String, Path)), responses((status = 200, description = "The app", body = App)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native, Path(client_id): Path<String>) -> Reply<Answer<App>> {
    Ok(found(App::of(apps::get(&ctx, &caller, &client_id).await?, None)))
}

/// What is to change of an app; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppChangeRequest {
    name: Option<String>,
    description: Option<String>,
    /// Its roles become just these.
    scopes: Option<RoleScopes>,
    #[schema(minimum = 60, maximum = 18000)]
    access_token_seconds: Option<i64>,
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: Option<i64>,
    owner_only: Option<bool>,
    /// The other orgs that may add it become just these; from the rest it is gone, with its access tokens for them.
    #[schema(max_items = 100)]
    allowed_orgs: Option<Vec<Uuid>>,
}

/// Changes an app.
#[utoipa::path(patch, path = "/v1/apps/{client_id}", tag = "apps", params(("client_id" = String, Path)), request_body = AppChangeRequest, responses((status = 200, description = "Changed", body = Changed<App>)))]
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Native,
    Path(client_id): Path<String>,
    Body(ask): Body<AppChangeRequest>,
) -> Reply<Answer<Changed<App>>> {
    let change = AppChange {
        display_name: ask.name,
        description: ask.description,
        asked: ask.scopes.map(Into::into),
        life: ask.access_token_seconds.map(millis),
        overlap: ask.overlap_seconds.map(millis),
        owner_only: ask.owner_only,
        allowed_orgs: ask.allowed_orgs,
        other: serde_json::Map::new(),
    };
    let done = apps::update(&ctx, &caller, client_id, change).await?;
    Ok(changed(&done, told(&ctx, &caller, &done).await?))
}

/// An app that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeletedApp {
    client_id: String,
}

/// Deletes an app, and every access token of it. Its client id is never used again.
#[utoipa::path(delete, path = "/v1/apps/{client_id}", tag = "apps", params(("client_id" = String, Path)), responses((status = 200, description = "Deleted", body = Changed<DeletedApp>)))]
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Native,
    Path(client_id): Path<String>,
) -> Reply<Answer<Changed<DeletedApp>>> {
    let done = apps::delete(&ctx, &caller, vec![client_id.clone()]).await?;
    Ok(changed(&done, DeletedApp { client_id }))
}

/// A new secret.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppSecretRequest {
    /// Made unless told.
    #[schema(value_type = Option<String>)]
    secret: Option<SecretText>,
    /// How long the present one stays good: 0 ends it at once; as the app has it unless told.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: Option<i64>,
}

/// Gives an app a new secret, told once. The present one stays good for the overlap.
#[utoipa::path(post, path = "/v1/apps/{client_id}/secret", tag = "apps", params(("client_id" = String, Path)), request_body = AppSecretRequest, responses((status = 200, description = "With its new secret", body = Changed<App>)))]
pub(super) async fn rotate(
    State(ctx): House,
    As(caller, _): Native,
    Path(client_id): Path<String>,
    Body(ask): Body<AppSecretRequest>,
) -> Reply<Answer<Changed<App>>> {
    let (secret, overlap) = (ask.secret, ask.overlap_seconds.map(millis));
    let done = apps::rotate(&ctx, &caller, NewSecret { client_id, secret, overlap }).await?;
    Ok(changed(&done, told(&ctx, &caller, &done).await?))
}

/// Ends the overlap: only the newest secret is good.
#[utoipa::path(delete, path = "/v1/apps/{client_id}/secret", tag = "apps", params(("client_id" = String, Path)), responses((status = 200, description = "Ended", body = Changed<App>)))]
pub(super) async fn finish(
    State(ctx): House,
    As(caller, _): Native,
    Path(client_id): Path<String>,
) -> Reply<Answer<Changed<App>>> {
    let done = apps::finish(&ctx, &caller, client_id).await?;
    Ok(changed(&done, told(&ctx, &caller, &done).await?))
}
