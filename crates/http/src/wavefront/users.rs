//! Users: `/api/v2/account/user` and the older `/api/v2/user` (wavefront.md 7). Every answer about one user is the union
//! body.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tokenhouse_authority::accounts::{self, Holdings, NewAccount, Wanted};
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::{Ctx, Outcome, sessions};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::cursor::{Cursor, Page};
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Done, Error, Permission, Result};

use super::found::{self, ACCOUNTS, USERS, in_body, uuids};
use super::people::{Union, User};
use super::permissions::functions;
use super::read::{Asked, Ids, Lenient, Sent, Wavefront};
use super::stream::{self, Around};
use super::words::{Answer, Status, Wrapped, bare, changed_bare, ok};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Path};

/// `UserToCreate`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Create {
    email_address: Option<String>,
    groups: Option<Vec<String>>,
    user_groups: Option<Ids>,
    roles: Option<Ids>,
}

impl Sent for Create {}

impl Sent for Vec<Create> {
    const LIST: bool = true;
}

/// `UserRequestDTO`. What is absent or null stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Write {
    groups: Option<Vec<String>>,
    user_groups: Option<Ids>,
    roles: Option<Ids>,
    sso_id: Option<String>,
    credential: Option<String>,
}

impl Sent for Write {}

type One = Answer<Union>;

/// What is said where a client expects that a mail goes out.
const NO_MAIL: &str = "no mail was sent: an administrator sets the password";

/// All users, streamed, in the envelope.
pub(super) async fn list(State(ctx): House, As(caller, _): Wavefront) -> Reply<Response> {
    Ok(stream::users(ctx, caller, Around::Wrapped).await?)
}

/// All users, streamed, as a bare array.
pub(super) async fn list_bare(State(ctx): House, As(caller, _): Wavefront) -> Reply<Response> {
    Ok(stream::users(ctx, caller, Around::Nothing).await?)
}

/// The identifiers of those who hold Accounts.
pub(super) async fn admins(State(ctx): House, As(caller, _): Wavefront) -> Reply<Answer<Wrapped<Vec<String>>>> {
    let (mut all, mut page) = (Vec::new(), Page { cursor: Cursor::START, limit: 500 });
    loop {
        let held = accounts::holding(&ctx, &caller, Permission::UserManagement.as_str(), page).await?;
        all.extend(held.items.into_iter().map(|view| view.account.identifier));
        match held.next {
            Some(cursor) => page.cursor = cursor,
            None => return Ok(ok(all)),
        }
    }
}

/// One user.
pub(super) async fn get(State(ctx): House, As(caller, _): Wavefront, Path(id): Path<String>) -> Reply<One> {
    let view = found::account(&ctx, &caller, &id, USERS).await?;
    Ok(bare(Union::new(Status::ok(), &User::new(&view, caller.org()))?))
}

/// Makes a user. `sendEmail` asks for what there is no way to do, and it is said.
pub(super) async fn create(
    State(ctx): House,
    As(caller, _): Wavefront,
    asked: Asked,
    Lenient(body): Lenient<Create>,
) -> Reply<One> {
    let done = in_body(accounts::create(&ctx, &caller, body.new_account()?).await)?;
    let status = if asked.flag("sendEmail") { Status::warning(NO_MAIL) } else { Status::ok() };
    after(&ctx, &caller, done, status).await
}

/// Makes users who are asked to come. All of them or none; the answer shows the last.
pub(super) async fn invite(
    State(ctx): House,
    As(caller, _): Wavefront,
    Lenient(body): Lenient<Vec<Create>>,
) -> Reply<One> {
    let new = body.into_iter().map(Create::new_account).collect::<Result<Vec<_>>>()?;
    let done = in_body(accounts::create_many(&ctx, &caller, new).await)?;
    after(&ctx, &caller, done, Status::warning(NO_MAIL)).await
}

impl Create {
    fn new_account(self) -> Result<NewAccount> {
        let holdings = Holdings {
            permissions: self.groups.unwrap_or_default(),
            roles: uuids("roles", &self.roles.unwrap_or_default())?,
            groups: uuids("userGroups", &self.user_groups.unwrap_or_default())?,
        };
        Ok(NewAccount {
            kind: AccountKind::User,
            identifier: self.email_address.unwrap_or_default(),
            description: String::new(),
            password: None,
            active: true,
            holdings,
            within: Some(Namespace::Wavefront),
        })
    }
}

/// Changes what a user holds.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
    Lenient(body): Lenient<Write>,
) -> Reply<One> {
    let refused = [("credential", &body.credential), ("ssoId", &body.sso_id)];
    if let Some((field, _)) = refused.iter().find(|(_, value)| value.as_ref().is_some_and(|text| !text.is_empty())) {
        return Err(Error::invalid(field, "can't be set here; nothing was changed").into());
    }
    let id = found::account(&ctx, &caller, &id, USERS).await?.account.id;
    let wanted = Wanted {
        permissions: body.groups,
        roles: body.roles.map(|ids| uuids("roles", &ids)).transpose()?,
        groups: body.user_groups.map(|ids| uuids("userGroups", &ids)).transpose()?,
        within: Some(Namespace::Wavefront),
        ..Wanted::default()
    };
    after(&ctx, &caller, in_body(accounts::set(&ctx, &caller, id, wanted).await)?, Status::ok()).await
}

/// Deletes a user or service account: older clients have no other way. They read the status only.
pub(super) async fn delete(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
) -> Reply<Answer<[u8; 0]>> {
    let id = found::account(&ctx, &caller, &id, ACCOUNTS).await?.account.id;
    Ok(changed_bare(&accounts::delete(&ctx, &caller, id).await?, []))
}

/// Signs a user out everywhere: his sessions end, his tokens stay.
pub(super) async fn logout(State(ctx): House, As(caller, _): Wavefront, Path(id): Path<String>) -> Reply<One> {
    let id = found::account(&ctx, &caller, &id, USERS).await?.account.id;
    after(&ctx, &caller, sessions::end_all(&ctx, &caller, id).await?, Status::ok()).await
}

/// What a user or service account may do, in the words of the UI; older clients take the answer for a user.
pub(super) async fn functions_of(State(ctx): House, As(caller, _): Wavefront, Path(id): Path<String>) -> Reply<One> {
    let view = found::account(&ctx, &caller, &id, ACCOUNTS).await?;
    Ok(bare(Union::new(Status::ok(), &User::new(&view, caller.org()))?))
}

/// What an account may do, in the words of the UI.
pub(super) async fn business_functions(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(id): Path<String>,
) -> Reply<Answer<Wrapped<Vec<&'static str>>>> {
    let view = found::account(&ctx, &caller, &id, ACCOUNTS).await?;
    Ok(ok(functions(&view.held)))
}

async fn after(ctx: &Arc<Ctx>, caller: &Caller, done: Done<Outcome>, status: Status) -> Reply<One> {
    let view = shown(accounts::just_changed(ctx, done.value.id).await)?;
    Ok(changed_bare(&done, Union::new(status, &User::new(&view, caller.org()))?))
}
