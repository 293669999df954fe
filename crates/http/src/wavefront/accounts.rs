//! `/api/v2/account`: what is asked of users and service accounts alike (wavefront.md 7).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use tokenhouse_authority::accounts::{self};
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::holdings::{self, Given, Holder, Step};
use tokenhouse_authority::views::AccountView;
use tokenhouse_authority::{Ctx, Outcome};
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Done, Error, Result, Uuid};

use super::found::{self, ACCOUNTS, in_body, uuids};
use super::people::{Account, Union, User};
use super::read::{Ids, Lenient, Wavefront, form_value};
use super::words::{Answer, Status, Wrapped, changed, changed_bare, ok};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Path};

/// One account.
pub(super) async fn get(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
) -> Reply<Answer<Wrapped<Account>>> {
    Ok(ok(Account::new(&found::account(&ctx, &caller, &id, ACCOUNTS).await?)))
}

/// Deletes an account, and shows it as it was.
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
) -> Reply<Answer<Wrapped<Account>>> {
    let view = found::account(&ctx, &caller, &id, ACCOUNTS).await?;
    let done = accounts::delete(&ctx, &caller, view.account.id).await?;
    Ok(changed(&done, Account::new(&view)))
}

/// Deletes accounts; what is not there is passed over. The answer names those that were.
pub(super) async fn delete_many(
    State(ctx): House,
    As(caller, _): Wavefront,
    Lenient(ids): Lenient<Ids>,
) -> Reply<Answer<Wrapped<Vec<String>>>> {
    let (found, _) = found::accounts(&ctx, &caller, ids, ACCOUNTS).await?;
    let done = accounts::delete_many(&ctx, &caller, found.iter().map(|view| view.account.id).collect()).await?;
    let gone = found.into_iter().filter(|view| done.value.ids.contains(&view.account.id));
    let gone = gone.map(|view| view.account.identifier).collect();
    Ok(changed(&done, gone))
}

/// Which of the named are there, and which are not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Validated {
    valid_users: Vec<User>,
    invalid_identifiers: Vec<String>,
}

/// Tells which accounts are there.
pub(super) async fn validate(
    State(ctx): House,
    As(caller, _): Wavefront,
    Lenient(ids): Lenient<Ids>,
) -> Reply<Answer<Wrapped<Validated>>> {
    let (found, invalid_identifiers) = found::accounts(&ctx, &caller, ids, ACCOUNTS).await?;
    let valid_users = found.iter().map(|view| User::new(view, caller.org())).collect();
    Ok(ok(Validated { valid_users, invalid_identifiers }))
}

type One = Answer<Union>;

/// Gives an account a permission.
pub(super) async fn grant(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path((id, permission)): Path<(String, String)>,
) -> Reply<One> {
    permit(&ctx, &caller, vec![found::account(&ctx, &caller, &id, ACCOUNTS).await?], permission, Step::Give).await
}

/// Takes a permission from an account.
pub(super) async fn revoke(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path((id, permission)): Path<(String, String)>,
) -> Reply<One> {
    permit(&ctx, &caller, vec![found::account(&ctx, &caller, &id, ACCOUNTS).await?], permission, Step::Take).await
}

/// Gives accounts a permission, all of them or none. The answer shows the last.
pub(super) async fn grant_many(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(permission): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    permit(&ctx, &caller, found::all(&ctx, &caller, ids, ACCOUNTS).await?, permission, Step::Give).await
}

/// Takes a permission from accounts, from all of them or none. The answer shows the last.
pub(super) async fn revoke_many(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(permission): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    permit(&ctx, &caller, found::all(&ctx, &caller, ids, ACCOUNTS).await?, permission, Step::Take).await
}

/// Gives a permission that a form names, as older clients send it.
pub(super) async fn grant_by_form(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply<One> {
    let permission = form_value(&body, "group")?;
    permit(&ctx, &caller, vec![found::account(&ctx, &caller, &id, ACCOUNTS).await?], permission, Step::Give).await
}

/// Takes a permission that a form names.
pub(super) async fn revoke_by_form(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply<One> {
    let permission = form_value(&body, "group")?;
    permit(&ctx, &caller, vec![found::account(&ctx, &caller, &id, ACCOUNTS).await?], permission, Step::Take).await
}

/// Gives an account roles.
pub(super) async fn add_roles(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    let roles = uuids("roles", &ids)?;
    rearrange(&ctx, &caller, &id, |account| {
        roles.into_iter().map(|role| Step::Give(Holder::Account(account), Given::Role(role))).collect()
    })
    .await
}

/// Takes roles from an account.
pub(super) async fn remove_roles(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    let roles = uuids("roles", &ids)?;
    rearrange(&ctx, &caller, &id, |account| {
        roles.into_iter().map(|role| Step::Take(Holder::Account(account), Given::Role(role))).collect()
    })
    .await
}

/// Puts an account into groups.
pub(super) async fn add_groups(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    let groups = uuids("userGroups", &ids)?;
    rearrange(&ctx, &caller, &id, |account| groups.into_iter().map(|group| Step::Join { account, group }).collect())
        .await
}

/// Takes an account out of groups.
pub(super) async fn remove_groups(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    let groups = uuids("userGroups", &ids)?;
    rearrange(&ctx, &caller, &id, |account| groups.into_iter().map(|group| Step::Leave { account, group }).collect())
        .await
}

async fn rearrange(ctx: &Arc<Ctx>, caller: &Caller, id: &str, steps: impl FnOnce(Uuid) -> Vec<Step>) -> Reply<One> {
    let account = found::account(ctx, caller, id, ACCOUNTS).await?.account.id;
    after(ctx, caller, account, holdings::arrange(ctx, caller, steps(account), Some(Namespace::Wavefront)).await).await
}

async fn permit(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    accounts: Vec<AccountView>,
    permission: String,
    step: fn(Holder, Given) -> Step,
) -> Reply<One> {
    let last = accounts.last().map(|view| view.account.id).ok_or_else(|| Error::not_found("account"))?;
    let one = |view: &AccountView| step(Holder::Account(view.account.id), Given::Permission(permission.clone()));
    let steps = accounts.iter().map(one).collect();
    after(ctx, caller, last, holdings::arrange(ctx, caller, steps, Some(Namespace::Wavefront)).await).await
}

async fn after(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, done: Result<Done<Outcome>>) -> Reply<One> {
    let done = in_body(done)?;
    let view = shown(accounts::just_changed(ctx, id).await)?;
    Ok(changed_bare(&done, Union::new(Status::ok(), &User::new(&view, caller.org()))?))
}
