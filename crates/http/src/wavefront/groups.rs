//! `/api/v2/usergroup` (wavefront.md 7.2).

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::groups::{self, Naming};
use tokenhouse_authority::holdings::{self, Given, Holder, Step};
use tokenhouse_authority::{Ctx, Outcome};
use tokenhouse_model::{Done, Result, Uuid, id};

use super::found::{self, ACCOUNTS, in_body, uuids};
use super::people::UserGroup;
use super::read::{Ids, Lenient, Sent, Wavefront};
use super::roles::OWN;
use super::words::{Answer, Wrapped, changed, ok};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Path};

/// `UserGroupWrite`. What is absent or null stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Write {
    name: Option<String>,
    description: Option<String>,
    #[serde(rename = "roleIDs")]
    role_ids: Option<Ids>,
}

impl Sent for Write {}

impl Write {
    fn naming(self) -> Result<Naming> {
        let roles = self.role_ids.map(|ids| uuids("roleIDs", &ids)).transpose()?;
        Ok(Naming { name: self.name, description: self.description, roles, within: OWN })
    }
}

type One = Answer<Wrapped<UserGroup>>;

/// One group.
pub(super) async fn get(State(ctx): House, As(caller, _): Wavefront, Path(group): Path<String>) -> Reply<One> {
    let view = groups::get(&ctx, &caller, id::parse("group", &group)?).await?;
    Ok(ok(UserGroup::new(&view, caller.org())))
}

/// Makes a group with its roles.
pub(super) async fn create(State(ctx): House, As(caller, _): Wavefront, Lenient(body): Lenient<Write>) -> Reply<One> {
    let done = in_body(groups::create(&ctx, &caller, body.naming()?).await)?;
    after(&ctx, &caller, done.value.id, done).await
}

/// Changes a group and its roles.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(group): Path<String>,
    Lenient(body): Lenient<Write>,
) -> Reply<One> {
    let group = id::parse("group", &group)?;
    // The group that is not there is the path's; the role that is not, the body's.
    groups::get(&ctx, &caller, group).await?;
    let done = in_body(groups::update(&ctx, &caller, group, body.naming()?).await)?;
    after(&ctx, &caller, group, done).await
}

/// Deletes a group, and shows it as it was.
pub(super) async fn delete(State(ctx): House, As(caller, _): Wavefront, Path(group): Path<String>) -> Reply<One> {
    let group = id::parse("group", &group)?;
    let view = groups::get(&ctx, &caller, group).await?;
    let done = groups::delete(&ctx, &caller, group).await?;
    Ok(changed(&done, UserGroup::new(&view, caller.org())))
}

/// Puts accounts into a group, all of them or none.
pub(super) async fn add_users(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(group): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    members(&ctx, &caller, &group, ids, |account, group| Step::Join { account, group }).await
}

/// Takes accounts out of a group, all of them or none.
pub(super) async fn remove_users(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(group): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    members(&ctx, &caller, &group, ids, |account, group| Step::Leave { account, group }).await
}

/// Gives a group roles, all of them or none.
pub(super) async fn add_roles(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(group): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    roles(&ctx, &caller, &group, ids, Step::Give).await
}

/// Takes roles from a group, all of them or none.
pub(super) async fn remove_roles(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(group): Path<String>,
    Lenient(ids): Lenient<Ids>,
) -> Reply<One> {
    roles(&ctx, &caller, &group, ids, Step::Take).await
}

async fn members(ctx: &Arc<Ctx>, caller: &Caller, group: &str, ids: Ids, step: fn(Uuid, Uuid) -> Step) -> Reply<One> {
    let group = id::parse("group", group)?;
    groups::get(ctx, caller, group).await?;
    let accounts = found::all(ctx, caller, ids, ACCOUNTS).await?;
    let steps = accounts.iter().map(|view| step(view.account.id, group)).collect();
    let done = holdings::arrange(ctx, caller, steps, OWN).await?;
    after(ctx, caller, group, done).await
}

async fn roles(ctx: &Arc<Ctx>, caller: &Caller, group: &str, ids: Ids, step: fn(Holder, Given) -> Step) -> Reply<One> {
    let group = id::parse("group", group)?;
    groups::get(ctx, caller, group).await?;
    let steps = uuids("roles", &ids)?.into_iter().map(|role| step(Holder::Group(group), Given::Role(role))).collect();
    let done = in_body(holdings::arrange(ctx, caller, steps, OWN).await)?;
    after(ctx, caller, group, done).await
}

async fn after(ctx: &Arc<Ctx>, caller: &Caller, group: Uuid, done: Done<Outcome>) -> Reply<One> {
    let view = shown(groups::just_changed(ctx, group).await)?;
    Ok(changed(&done, UserGroup::new(&view, caller.org())))
}
