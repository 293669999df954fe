//! `/v1/accounts`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::accounts::{self, Filter, Holdings, Kind, NewAccount};
use tokenhouse_authority::holdings::{self, Given, Giving, Holder};
use tokenhouse_authority::passwords::{self, NewPassword};
use tokenhouse_authority::roles;
use tokenhouse_authority::{Caller, Ctx};
use tokenhouse_model::SecretText;
use tokenhouse_model::account::AccountState;
use tokenhouse_model::cursor::Page;
use utoipa::ToSchema;

use super::shapes::{Account, Changed, Gone, List};
use super::{Answer, Native, changed, created, found, listed, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path, Query};

/// Which accounts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// `user`, `service` or `app`.
    kind: Option<String>,
    /// `active` or `inactive`.
    state: Option<String>,
    /// Identifiers that begin so.
    prefix: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// At most so many items.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccountRequest {
    /// `user` or `service`.
    #[schema(example = "service")]
    kind: String,
    /// An e-mail address, or `sa::` and a name.
    #[schema(example = "sa::deployer")]
    identifier: String,
    #[serde(default)]
    #[schema(max_length = 1024)]
    description: String,
    /// For a person who is new here; at least 10 characters.
    #[schema(value_type = Option<String>)]
    password: Option<SecretText>,
}

/// What is to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Describe {
    #[schema(max_length = 1024)]
    description: String,
}

/// A password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    /// The new one; at least 10 characters.
    #[schema(value_type = String)]
    password: SecretText,
    /// The present one, to change one's own.
    #[schema(value_type = Option<String>)]
    current: Option<SecretText>,
}

/// Until when something is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Until {
    /// Epoch milliseconds; absent for good.
    pub(super) expires_at: Option<i64>,
}

/// A permission and through what it is held.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeldThrough {
    permission: String,
    /// `direct`, `role:NAME`, `group:NAME` or `group:NAME role:NAME`.
    through: Vec<String>,
}

/// Everything that an account holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Permissions {
    permissions: Vec<HeldThrough>,
}

/// Lists accounts.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", params(Which), responses((status = 200, description = "A page", body = List<Account>)))]
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Native,
    Query(which): Query<Which>,
) -> Reply<Answer<List<Account>>> {
    let kind = which.kind.as_deref().map(Kind::parse).transpose()?;
    let state = which.state.as_deref().map(AccountState::parse).transpose()?;
    let page = Page::ask(which.cursor.as_deref(), which.limit)?;
    Ok(listed(accounts::list(&ctx, &caller, Filter { kind, state, prefix: which.prefix }, page).await?))
}

/// Makes an account. It holds nothing until it is given something.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = NewAccountRequest, responses((status = 201, description = "Made", body = Changed<Account>)))]
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Native,
    Body(new): Body<NewAccountRequest>,
) -> Reply<Answer<Changed<Account>>> {
    let kind = Kind::parse(&new.kind)?;
    let NewAccountRequest { identifier, description, password, .. } = new;
    let (active, holdings, within) = (true, Holdings::default(), None);
    let new = NewAccount { kind, identifier, description, password, active, holdings, within };
    let done = accounts::create(&ctx, &caller, new).await?;
    Ok(created(&done, shown(accounts::just_changed(&ctx, done.value.id).await)?.into()))
}

/// Shows an account, by its id or its identifier.
#[utoipa::path(get, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = String, Path)), responses((status = 200, description = "The account", body = Account)))]
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Native,
    Path(account): Path<String>,
) -> Reply<Answer<Account>> {
    let id = accounts::find(&ctx, &caller, &account).await?;
    Ok(found(accounts::get(&ctx, &caller, id).await?.into()))
}

/// Changes an account's description.
#[utoipa::path(patch, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = String, Path)), request_body = Describe, responses((status = 200, description = "Changed", body = Changed<Account>)))]
pub(super) async fn describe(
    State(ctx): House,
    As(caller, _): Native,
    Path(account): Path<String>,
    Body(to): Body<Describe>,
) -> Reply<Answer<Changed<Account>>> {
    let id = accounts::find(&ctx, &caller, &account).await?;
    let done = accounts::describe(&ctx, &caller, id, to.description).await?;
    Ok(changed(&done, shown(accounts::just_changed(&ctx, id).await)?.into()))
}

/// Deletes an account and revokes its tokens.
#[utoipa::path(delete, path = "/v1/accounts/{account}", tag = "accounts", params(("account" = String, Path)), responses((status = 200, description = "Deleted", body = Changed<Gone>)))]
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Native,
    Path(account): Path<String>,
) -> Reply<Answer<Changed<Gone>>> {
    let id = accounts::find(&ctx, &caller, &account).await?;
    let done = accounts::delete(&ctx, &caller, id).await?;
    Ok(changed(&done, Gone { id, touched: done.value.touched }))
}

/// Lets an account's tokens work again.
#[utoipa::path(post, path = "/v1/accounts/{account}/activate", tag = "accounts", params(("account" = String, Path)), responses((status = 200, description = "Active", body = Changed<Account>)))]
pub(super) async fn activate(
    State(ctx): House,
    As(caller, _): Native,
    Path(account): Path<String>,
) -> Reply<Answer<Changed<Account>>> {
    let id = accounts::find(&ctx, &caller, &account).await?;
    let done = accounts::activate(&ctx, &caller, id).await?;
    Ok(changed(&done, shown(accounts::just_changed(&ctx, id).await)?.into()))
}

/// Stops an account's tokens.
#[utoipa::path(post, path = "/v1/accounts/{account}/deactivate", tag = "accounts", params(("account" = String, Path)), responses((status = 200, description = "Inactive", body = Changed<Account>)))]
pub(super) async fn deactivate(
    State(ctx): House,
    As(caller, _): Native,
    Path(account): Path<String>,
) -> Reply<Answer<Changed<Account>>> {
    let id = accounts::find(&ctx, &caller, &account).await?;
    let done = accounts::deactivate(&ctx, &caller, id).await?;
    Ok(changed(&done, shown(accounts::just_changed(&ctx, id).await)?.into()))
}

/// Sets the password of an account's person; sessions that the old one opened end.
#[utoipa::path(put, path = "/v1/accounts/{account}/password", tag = "accounts", params(("account" = String, Path)), request_body = PasswordRequest, responses((status = 200, description = "Set", body = Changed<Account>)))]
pub(super) async fn set_password(
    State(ctx): House,
    As(caller, _): Native,
    Path(account): Path<String>,
    Body(new): Body<PasswordRequest>,
) -> Reply<Answer<Changed<Account>>> {
    let account = accounts::find(&ctx, &caller, &account).await?;
    let done =
        passwords::set(&ctx, &caller, NewPassword { account, password: new.password, current: new.current }).await?;
    Ok(changed(&done, shown(accounts::just_changed(&ctx, account).await)?.into()))
}

/// Tells what an account holds, directly and inherited, and through what.
#[utoipa::path(get, path = "/v1/accounts/{account}/permissions", tag = "accounts", params(("account" = String, Path)), responses((status = 200, description = "What it holds", body = Permissions)))]
pub(super) async fn permissions(
    State(ctx): House,
    As(caller, _): Native,
    Path(account): Path<String>,
) -> Reply<Answer<Permissions>> {
    let id = accounts::find(&ctx, &caller, &account).await?;
    let held = accounts::permissions(&ctx, &caller, id).await?;
    let held = held.into_iter().map(|held| HeldThrough { permission: held.permission, through: held.through });
    Ok(found(Permissions { permissions: held.collect() }))
}

async fn give(
    ctx: &std::sync::Arc<Ctx>,
    caller: &Caller,
    account: &str,
    what: Given,
    until: Until,
) -> Reply<Answer<Changed<Account>>> {
    let id = accounts::find(ctx, caller, account).await?;
    let done =
        holdings::give(ctx, caller, Giving { holder: Holder::Account(id), what, until: until.expires_at }).await?;
    Ok(changed(&done, shown(accounts::just_changed(ctx, id).await)?.into()))
}

async fn take(
    ctx: &std::sync::Arc<Ctx>,
    caller: &Caller,
    account: &str,
    what: Given,
) -> Reply<Answer<Changed<Account>>> {
    let id = accounts::find(ctx, caller, account).await?;
    let done = holdings::take(ctx, caller, Holder::Account(id), what).await?;
    Ok(changed(&done, shown(accounts::just_changed(ctx, id).await)?.into()))
}

/// Gives an account a role, by the role's id or name.
#[utoipa::path(put, path = "/v1/accounts/{account}/roles/{role}", tag = "accounts", params(("account" = String, Path), ("role" = String, Path)), request_body = Until, responses((status = 200, description = "Given", body = Changed<Account>)))]
pub(super) async fn assign(
    State(ctx): House,
    As(caller, _): Native,
    Path((account, role)): Path<(String, String)>,
    Body(until): Body<Until>,
) -> Reply<Answer<Changed<Account>>> {
    let role = roles::find(&ctx, &caller, &role, None).await?;
    give(&ctx, &caller, &account, Given::Role(role), until).await
}

/// Takes a role from an account.
#[utoipa::path(delete, path = "/v1/accounts/{account}/roles/{role}", tag = "accounts", params(("account" = String, Path), ("role" = String, Path)), responses((status = 200, description = "Taken", body = Changed<Account>)))]
pub(super) async fn unassign(
    State(ctx): House,
    As(caller, _): Native,
    Path((account, role)): Path<(String, String)>,
) -> Reply<Answer<Changed<Account>>> {
    let role = roles::find(&ctx, &caller, &role, None).await?;
    take(&ctx, &caller, &account, Given::Role(role)).await
}

/// Gives an account a permission directly.
#[utoipa::path(put, path = "/v1/accounts/{account}/permissions/{permission}", tag = "accounts", params(("account" = String, Path), ("permission" = String, Path)), request_body = Until, responses((status = 200, description = "Given", body = Changed<Account>)))]
pub(super) async fn grant(
    State(ctx): House,
    As(caller, _): Native,
    Path((account, permission)): Path<(String, String)>,
    Body(until): Body<Until>,
) -> Reply<Answer<Changed<Account>>> {
    give(&ctx, &caller, &account, Given::Permission(permission), until).await
}

/// Takes a direct permission from an account.
#[utoipa::path(delete, path = "/v1/accounts/{account}/permissions/{permission}", tag = "accounts", params(("account" = String, Path), ("permission" = String, Path)), responses((status = 200, description = "Taken", body = Changed<Account>)))]
pub(super) async fn revoke(
    State(ctx): House,
    As(caller, _): Native,
    Path((account, permission)): Path<(String, String)>,
) -> Reply<Answer<Changed<Account>>> {
    take(&ctx, &caller, &account, Given::Permission(permission)).await
}
