//! `/api/v2/account/serviceaccount` (wavefront.md 7).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use tokenhouse_authority::accounts::{self, Holdings, NewAccount, Wanted};
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::views::AccountView;
use tokenhouse_authority::{Ctx, Outcome, tokens};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Done, Error, Result};

use super::found::{self, SERVICES, in_body, uuids};
use super::people::ServiceAccount;
use super::read::{Ids, Lenient, Sent, Wavefront};
use super::stream;
use super::words::{Answer, Wrapped, changed, ok};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Path};

/// `ServiceAccountWrite`. What is absent or null stays as it is: a client that has nothing to say of roles must not
/// clear them (gotcha 15).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Write {
    identifier: Option<String>,
    active: Option<bool>,
    description: Option<String>,
    groups: Option<Vec<String>>,
    roles: Option<Ids>,
    user_groups: Option<Ids>,
    /// Texts or objects: clients send back what they were given.
    tokens: Option<Value>,
}

impl Sent for Write {}

type Shown = Answer<Wrapped<ServiceAccount>>;

/// All service accounts, streamed.
pub(super) async fn list(State(ctx): House, As(caller, _): Wavefront) -> Reply<Response> {
    Ok(stream::service_accounts(ctx, caller).await?)
}

/// One service account.
pub(super) async fn get(State(ctx): House, As(caller, _): Wavefront, Path(id): Path<String>) -> Reply<Shown> {
    let view = found::account(&ctx, &caller, &id, SERVICES).await?;
    Ok(ok(with_tokens(&ctx, &caller, view).await?))
}

/// Makes one. Its tokens are made afterwards: a secret that a caller chose is none that we vouch for.
pub(super) async fn create(State(ctx): House, As(caller, _): Wavefront, Lenient(body): Lenient<Write>) -> Reply<Shown> {
    if body.tokens.as_ref().and_then(Value::as_array).is_some_and(|tokens| !tokens.is_empty()) {
        let why = "must be empty: a token's value is made here, by POST /api/v2/apitoken/serviceaccount/{id}";
        return Err(Error::invalid("tokens", why).into());
    }
    let holdings = Holdings {
        permissions: body.groups.unwrap_or_default(),
        roles: uuids("roles", &body.roles.unwrap_or_default())?,
        groups: uuids("userGroups", &body.user_groups.unwrap_or_default())?,
    };
    let new = NewAccount {
        kind: AccountKind::Service,
        identifier: body.identifier.unwrap_or_default(),
        description: body.description.unwrap_or_default(),
        password: None,
        active: body.active.unwrap_or(true),
        holdings,
        within: Some(Namespace::Wavefront),
    };
    after(&ctx, &caller, in_body(accounts::create(&ctx, &caller, new).await)?).await
}

/// Changes one. Its tokens are not touched by it, whatever the body says of them.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    Lenient(body): Lenient<Write>,
) -> Reply<Shown> {
    let id = found::account(&ctx, &caller, &id, SERVICES).await?.account.id;
    let wanted = Wanted {
        description: body.description,
        active: body.active,
        permissions: body.groups,
        roles: body.roles.map(|ids| uuids("roles", &ids)).transpose()?,
        groups: body.user_groups.map(|ids| uuids("userGroups", &ids)).transpose()?,
        within: Some(Namespace::Wavefront),
    };
    after(&ctx, &caller, in_body(accounts::set(&ctx, &caller, id, wanted).await)?).await
}

/// Lets its tokens work again.
pub(super) async fn activate(State(ctx): House, As(caller, _): Wavefront, Path(id): Path<String>) -> Reply<Shown> {
    let id = found::account(&ctx, &caller, &id, SERVICES).await?.account.id;
    after(&ctx, &caller, accounts::activate(&ctx, &caller, id).await?).await
}

/// Stops its tokens.
pub(super) async fn deactivate(State(ctx): House, As(caller, _): Wavefront, Path(id): Path<String>) -> Reply<Shown> {
    let id = found::account(&ctx, &caller, &id, SERVICES).await?.account.id;
    after(&ctx, &caller, accounts::deactivate(&ctx, &caller, id).await?).await
}

async fn after(ctx: &Arc<Ctx>, caller: &Caller, done: Done<Outcome>) -> Reply<Shown> {
    let view = shown(accounts::just_changed(ctx, done.value.id).await)?;
    Ok(changed(&done, shown(with_tokens(ctx, caller, view).await)?))
}

async fn with_tokens(ctx: &Ctx, caller: &Caller, view: AccountView) -> Result<ServiceAccount> {
    let mut tokens = tokens::of_accounts(ctx, caller, &[view.account.id]).await?;
    let tokens = tokens.remove(&view.account.id).unwrap_or_default();
    Ok(ServiceAccount::new(&view, tokens, caller.org()))
}
