//! `/api/v2/role` (wavefront.md 7.2). Only the dialect's own roles are seen (design 5.2).

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::holdings::{self, Given, Holder, Step};
use tokenhouse_authority::roles::{self, RoleChange};
use tokenhouse_authority::{Ctx, Outcome};
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Done, Error, Result, Uuid, id};

use super::found::{self, ACCOUNTS, in_body, uuids};
use super::people::RoleDto;
use super::read::{Ids, Lenient, Sent, Wavefront};
use super::words::{Answer, Wrapped, changed, ok};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Path};

/// The roles that this dialect sees.
pub(super) const OWN: Option<Namespace> = Some(Namespace::Wavefront);

/// `RoleCreateDTO` and `RoleUpdateDTO`. What is absent or null stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Write {
    name: Option<String>,
    description: Option<String>,
    permissions: Option<Vec<String>>,
}

impl Sent for Write {}

impl From<Write> for RoleChange {
    fn from(write: Write) -> Self {
        let Write { name, description, permissions } = write;
        Self { name, description, permissions }
    }
}

type One = Answer<Wrapped<RoleDto>>;

/// One role.
pub(super) async fn get(State(ctx): House, As(caller, _): Wavefront, Path(role): Path<String>) -> Reply<One> {
    let view = roles::get_view(&ctx, &caller, id::parse("role", &role)?, OWN).await?;
    Ok(ok(RoleDto::new(&view, caller.org())))
}

/// Makes a role.
pub(super) async fn create(State(ctx): House, As(caller, _): Wavefront, Lenient(body): Lenient<Write>) -> Reply<One> {
    let done = roles::create(&ctx, &caller, body.into(), Namespace::Wavefront).await?;
    after(&ctx, &caller, done.value.id, done).await
}

/// Changes a role.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(role): Path<String>,
    Lenient(body): Lenient<Write>,
) -> Reply<One> {
    let role = id::parse("role", &role)?;
    let done = roles::update(&ctx, &caller, role, body.into(), OWN).await?;
    after(&ctx, &caller, role, done).await
}

/// Deletes a role, and shows it as it was.
pub(super) async fn delete(State(ctx): House, As(caller, _): Wavefront, Path(role): Path<String>) -> Reply<One> {
    let role = id::parse("role", &role)?;
    let view = roles::get_view(&ctx, &caller, role, OWN).await?;
    let done = roles::delete(&ctx, &caller, role, OWN).await?;
    Ok(changed(&done, RoleDto::new(&view, caller.org())))
}

/// Gives accounts and groups a role, all of them or none.
pub(super) async fn add_assignees(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(role): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    assign(&ctx, &caller, &role, ids, Step::Give).await
}

/// Takes a role from accounts and groups, from all of them or none.
pub(super) async fn remove_assignees(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(role): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    assign(&ctx, &caller, &role, ids, Step::Take).await
}

/// Adds a permission to roles, to all of them or none. The answer shows the last.
pub(super) async fn grant(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(permission): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    let (all, last) = some_roles(&ids)?;
    let done = in_body(roles::grant_many(&ctx, &caller, all, permission, OWN).await)?;
    after(&ctx, &caller, last, done).await
}

/// Takes a permission from roles, from all of them or none. The answer shows the last.
pub(super) async fn revoke(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(permission): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    let (all, last) = some_roles(&ids)?;
    let done = in_body(roles::revoke_many(&ctx, &caller, all, permission, OWN).await)?;
    after(&ctx, &caller, last, done).await
}

fn some_roles(ids: &Ids) -> Result<(Vec<Uuid>, Uuid)> {
    let all = uuids("roles", ids)?;
    let last = all.last().copied().ok_or_else(|| Error::invalid("roles", "must be a list of role ids"))?;
    Ok((all, last))
}

/// The holders are told apart by their form: a group has a UUID, an account an e-mail address or `sa::name`.
async fn assign(ctx: &Arc<Ctx>, caller: &Caller, role: &str, ids: Ids, step: fn(Holder, Given) -> Step) -> Reply<One> {
    let role = id::parse("role", role)?;
    roles::get_view(ctx, caller, role, OWN).await?;
    let (groups, accounts): (Vec<_>, Vec<_>) = ids.0.into_iter().partition(|text| Uuid::try_parse(text).is_ok());
    let mut holders: Vec<Holder> = uuids("assignees", &Ids(groups))?.into_iter().map(Holder::Group).collect();
    if !accounts.is_empty() || holders.is_empty() {
        let accounts = found::all(ctx, caller, Ids(accounts), ACCOUNTS).await?;
        holders.extend(accounts.iter().map(|view| Holder::Account(view.account.id)));
    }
    let steps = holders.into_iter().map(|holder| step(holder, Given::Role(role))).collect();
    let done = in_body(holdings::arrange(ctx, caller, steps, OWN).await)?;
    after(ctx, caller, role, done).await
}

async fn after(ctx: &Arc<Ctx>, caller: &Caller, role: Uuid, done: Done<Outcome>) -> Reply<One> {
    let view = shown(roles::get_view(ctx, caller, role, OWN).await)?;
    Ok(changed(&done, RoleDto::new(&view, caller.org())))
}
