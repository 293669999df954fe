//! What requests name: accounts by their identifiers, roles and groups by their ids.

use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::views::AccountView;
use tokenhouse_authority::{Ctx, accounts};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::{Error, Refusal, Result, Uuid};

use super::read::Ids;

/// The accounts of this dialect.
pub(super) const ACCOUNTS: &[AccountKind] = &[AccountKind::User, AccountKind::Service];
/// Only people.
pub(super) const USERS: &[AccountKind] = &[AccountKind::User];
/// Only service accounts.
pub(super) const SERVICES: &[AccountKind] = &[AccountKind::Service];

fn what(kinds: &[AccountKind]) -> &'static str {
    match kinds {
        [AccountKind::User] => "user",
        [AccountKind::Service] => "service account",
        _ => "account",
    }
}

/// The account that a path names.
///
/// # Errors
/// `not_found`, `missing_permission`.
pub(super) async fn account(ctx: &Ctx, caller: &Caller, text: &str, kinds: &[AccountKind]) -> Result<AccountView> {
    let (found, _) = accounts(ctx, caller, Ids(vec![text.to_owned()]), kinds).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found(what(kinds)))
}

/// The accounts that a body names, and what names none.
///
/// # Errors
/// `missing_permission`, `invalid_field` for too many.
pub(super) async fn accounts(
    ctx: &Ctx,
    caller: &Caller,
    ids: Ids,
    kinds: &[AccountKind],
) -> Result<(Vec<AccountView>, Vec<String>)> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (text, view) in accounts::resolve(ctx, caller, ids.0).await? {
        match view.filter(|view| kinds.contains(&view.account.kind)) {
            Some(view) => found.push(view),
            None => missing.push(text),
        }
    }
    Ok((found, missing))
}

/// The accounts that a body names, all of which must be there and at least one.
///
/// # Errors
/// `invalid_field`, `missing_permission`.
pub(super) async fn all(ctx: &Ctx, caller: &Caller, ids: Ids, kinds: &[AccountKind]) -> Result<Vec<AccountView>> {
    let (found, missing) = accounts(ctx, caller, ids, kinds).await?;
    if !missing.is_empty() {
        let them = missing.len();
        return Err(Error::invalid("accounts", format_args!("name {them} that do not exist; nothing was changed")));
    }
    if found.is_empty() {
        return Err(Error::invalid("accounts", "must be a list of identifiers"));
    }
    Ok(found)
}

/// Ids of roles or groups that a body names.
///
/// # Errors
/// `invalid_field`.
pub(super) fn uuids(field: &'static str, ids: &Ids) -> Result<Vec<Uuid>> {
    let read = |text: &String| Uuid::try_parse(text).map_err(|_| absent(field));
    ids.0.iter().map(read).collect()
}

fn absent(field: &'static str) -> Error {
    Error::invalid(field, "names one that does not exist; nothing was changed")
}

/// A thing that a body names and that is not there is a fault of the body, not of the path: 404 would say that the
/// account itself is gone, and a client would make it anew.
pub(super) fn in_body<T>(done: Result<T>) -> Result<T> {
    done.map_err(|error| match error.refusal() {
        Refusal::NoSuch("role") => absent("roles"),
        Refusal::NoSuch("group") => absent("userGroups"),
        _ => error,
    })
}
