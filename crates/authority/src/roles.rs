//! Roles: what they give. Giving them is in [`crate::holdings`].

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::event::{Event, EventKind, Removal};
use tokenhouse_model::role::{self, Namespace, RoleKind};
use tokenhouse_model::{Done, Error, PermissionSet, Result, Role, Uuid, id, name, named};
use tokenhouse_store::{Conn, Tx, roles};

pub use crate::search::roles::{search, values};

use crate::caller::{Caller, Fresh, change};
use crate::holdings::{Given, Hands};
use crate::views::{self, RoleView};
use crate::{Ctx, Outcome};

/// What a custom role is to be; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct RoleChange {
    /// Its name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// What it gives.
    pub permissions: Option<Vec<String>>,
}

/// The most permissions of one role.
const MOST_PERMISSIONS: usize = 500;

impl RoleChange {
    fn check(&self) -> Result<Option<PermissionSet>> {
        if let Some(text) = &self.name {
            role::check_name(text)?;
        }
        if let Some(text) = &self.description {
            name::check_optional("description", text, name::DESCRIPTION)?;
        }
        let Some(permissions) = &self.permissions else { return Ok(None) };
        if permissions.len() > MOST_PERMISSIONS {
            return Err(Error::invalid("permissions", format_args!("must be at most {MOST_PERMISSIONS}")));
        }
        PermissionSet::parse(permissions.iter().map(String::as_str)).map(Some)
    }
}

/// A role of VMware Cloud Services gives what the words in it stand for, as the roles of these names do.
fn spelled_out(permissions: PermissionSet, namespace: Namespace) -> PermissionSet {
    if namespace == Namespace::Csp { named::spelled_out(&permissions) } else { permissions }
}

/// The role of this id, if the org can use it and it is of this namespace.
pub(crate) async fn of_org(conn: &mut Conn<'_>, org: Uuid, id: Uuid, within: Option<Namespace>) -> Result<Role> {
    let role = roles::by_id(conn, org, id).await?.filter(|role| is_within(role, within));
    role.ok_or_else(|| Error::not_found("role"))
}

fn is_within(role: &Role, within: Option<Namespace>) -> bool {
    within.is_none_or(|namespace| role.namespace == namespace)
}

/// Finds a role that the caller's org can use by its id or its name. With `within`, as everywhere here, roles of other
/// namespaces are not there (design 5.2).
///
/// # Errors
/// `not_found`.
pub async fn find(ctx: &Ctx, caller: &Caller, text: &str, within: Option<Namespace>) -> Result<Uuid> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id);
    }
    let folded = name::findable(text, name::NAME).ok_or_else(|| Error::not_found("role"))?;
    let mut reader = ctx.store.read().await?;
    let found = roles::by_name(&mut reader.conn(), caller.org().id, &folded).await?;
    found.filter(|role| is_within(role, within)).map(|role| role.id).ok_or_else(|| Error::not_found("role"))
}

/// Built-in roles and the org's own.
///
/// # Errors
/// `missing_permission`.
pub async fn list(ctx: &Ctx, caller: &Caller, page: Page, within: Option<Namespace>) -> Result<Listed<Role>> {
    caller.may(Act::SeePeople)?;
    let mut reader = ctx.store.read().await?;
    let (org, limit) = (caller.org().id, i64::from(page.limit) + 1);
    let listed = roles::list(&mut reader.conn(), org, within, page.cursor.after, limit).await?;
    Ok(page.cut(listed, |role| role.id))
}

/// Built-in roles and the org's own, with those who hold them.
///
/// # Errors
/// `missing_permission`.
pub async fn list_views(ctx: &Ctx, caller: &Caller, page: Page, within: Option<Namespace>) -> Result<Listed<RoleView>> {
    let listed = list(ctx, caller, page, within).await?;
    views::roles(&mut ctx.store.read().await?.conn(), caller.org().id, listed, ctx.now()).await
}

/// One role.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid, within: Option<Namespace>) -> Result<Role> {
    caller.may(Act::SeePeople)?;
    of_org(&mut ctx.store.read().await?.conn(), caller.org().id, id, within).await
}

/// One role, with those who hold it.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn get_view(ctx: &Ctx, caller: &Caller, id: Uuid, within: Option<Namespace>) -> Result<RoleView> {
    let page = views::one(get(ctx, caller, id, within).await?);
    let mut reader = ctx.store.read().await?;
    views::single(views::roles(&mut reader.conn(), caller.org().id, page, ctx.now()).await?, "role")
}

/// A role as it is now, for the answer to whoever just changed it: that he may was decided with the change.
///
/// # Errors
/// `not_found`.
pub async fn just_changed(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Role> {
    of_org(&mut ctx.store.read().await?.conn(), caller.org().id, id, None).await
}

/// As [`just_changed`], with those who hold it.
///
/// # Errors
/// `not_found`.
pub async fn just_changed_view(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<RoleView> {
    let page = views::one(just_changed(ctx, caller, id).await?);
    let mut reader = ctx.store.read().await?;
    views::single(views::roles(&mut reader.conn(), caller.org().id, page, ctx.now()).await?, "role")
}

/// Makes a custom role of a namespace, whose permissions alone it may hold unless that is the house's. It gives nothing
/// until it is assigned, and whoever assigns it must cover it.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: RoleChange, namespace: Namespace) -> Result<Done<Outcome>> {
    let permissions = spelled_out(new.check()?.unwrap_or_default(), namespace);
    namespace.check_role(&permissions)?;
    let text = new.name.ok_or_else(|| Error::invalid("name", "is missing"))?.trim().to_owned();
    let description = new.description.unwrap_or_default();
    let role_id = id::new(ctx.now(), &ctx.random);
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageRoles)?;
        let (org, now, name_fold) = (fresh.org.id, tx.now(), name::fold(&text));
        if roles::by_name(tx.conn(), org, &name_fold).await?.is_some() {
            return Err(Error::duplicate("a role"));
        }
        let role = Role {
            id: role_id,
            org_id: org,
            kind: RoleKind::Custom,
            namespace,
            name: text.clone(),
            name_fold,
            description: description.clone(),
            permissions: permissions.clone(),
            created_at: now,
            updated_at: now,
        };
        roles::insert(tx.conn(), &role).await?;
        let event = Event::new(EventKind::RoleCreated, org, role.id).with("name", text.as_str());
        let event = event.with("namespace", namespace.as_str()).with("permissions", permissions.names());
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(role.id))
    })
    .await
}

/// Changes a custom role. Who holds it gains what is added, so the caller must cover that.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `invalid_field`, `duplicate`, `unlawful_state` for a built-in one.
pub async fn update(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    id: Uuid,
    wanted: RoleChange,
    within: Option<Namespace>,
) -> Result<Done<Outcome>> {
    let permissions = wanted.check()?;
    change(ctx, caller, async move |tx, fresh| {
        let mut role = custom(tx, fresh, id, within).await?;
        let mut event = Event::new(EventKind::RoleUpdated, role.org_id, role.id).with("name", role.name.as_str());
        if let Some(text) = &wanted.name {
            let name_fold = name::fold(text);
            if roles::by_name(tx.conn(), role.org_id, &name_fold).await?.is_some_and(|other| other.id != role.id) {
                return Err(Error::duplicate("a role"));
            }
            role.name = text.trim().to_owned();
            role.name_fold = name_fold;
        }
        if let Some(text) = &wanted.description {
            role.description.clone_from(text);
        }
        if let Some(permissions) = &permissions {
            event = refill(tx, &mut Hands::of(fresh, within), &mut role, permissions.clone(), event).await?;
        }
        role.updated_at = tx.now();
        roles::update(tx.conn(), &role).await?;
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(role.id))
    })
    .await
}

/// Gives a role other permissions, if its namespace has them and the caller covers what its holders gain; tells of it in
/// the event. The caller writes the row.
async fn refill(
    tx: &mut Tx<'_>,
    hands: &mut Hands<'_>,
    role: &mut Role,
    permissions: PermissionSet,
    mut event: Event,
) -> Result<Event> {
    let permissions = spelled_out(permissions, role.namespace);
    role.namespace.check_role(&permissions)?;
    let mut added = PermissionSet::none();
    permissions.iter().filter(|text| !role.permissions.contains(text)).for_each(|text| added.insert(text));
    if !added.is_empty() {
        hands.cover_holders(tx, role, &added).await?;
    }
    if permissions.lacks(&role.permissions).is_some() {
        event = event.removing(Removal::Role { id: role.id, permissions: permissions.clone() });
    }
    event = event.with("from", role.permissions.names()).with("permissions", permissions.names());
    role.permissions = permissions;
    Ok(event)
}

/// The most roles that are changed at once.
pub const MOST_CHANGED: usize = 500;

/// Adds a permission to custom roles, all of them or none. Who holds them gains it, so the caller must cover it.
///
/// # Errors
/// As [`update`].
pub async fn grant_many(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    ids: Vec<Uuid>,
    text: String,
    within: Option<Namespace>,
) -> Result<Done<Outcome>> {
    change_many(ctx, caller, ids, Given::Permission(text), within, PermissionSet::insert).await
}

/// Takes a permission out of custom roles, all of them or none.
///
/// # Errors
/// As [`update`].
pub async fn revoke_many(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    ids: Vec<Uuid>,
    text: String,
    within: Option<Namespace>,
) -> Result<Done<Outcome>> {
    change_many(ctx, caller, ids, Given::Permission(text), within, PermissionSet::remove).await
}

async fn change_many(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    ids: Vec<Uuid>,
    permission: Given,
    within: Option<Namespace>,
    alteration: fn(&mut PermissionSet, &str),
) -> Result<Done<Outcome>> {
    permission.check(within)?;
    if ids.len() > MOST_CHANGED {
        return Err(Error::invalid("roles", format_args!("must be at most {MOST_CHANGED}")));
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageRoles)?;
        let mut hands = Hands::of(fresh, within);
        let mut outcome = Outcome::default();
        for id in &ids {
            let mut role = custom(tx, fresh, *id, within).await?;
            let mut permissions = role.permissions.clone();
            if let Given::Permission(text) = &permission {
                alteration(&mut permissions, text);
            }
            if permissions == role.permissions {
                continue;
            }
            let event = Event::new(EventKind::RoleUpdated, role.org_id, role.id).with("name", role.name.as_str());
            let event = refill(tx, &mut hands, &mut role, permissions, event).await?;
            role.updated_at = tx.now();
            roles::update(tx.conn(), &role).await?;
            tx.record(&fresh.actor, event);
            outcome.touched += 1;
            outcome.ids.push(*id);
        }
        Ok(outcome)
    })
    .await
}

/// Deletes a custom role; who held it loses what it gave.
///
/// # Errors
/// `missing_permission`, `not_found`, `unlawful_state` for a built-in one.
pub async fn delete(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, within: Option<Namespace>) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        let role = custom(tx, fresh, id, within).await?;
        let touched = i64::try_from(roles::delete(tx.conn(), role.id).await?).unwrap_or(i64::MAX);
        let event = Event::new(EventKind::RoleDeleted, role.org_id, role.id)
            .with("name", role.name.as_str())
            .with("holders", touched)
            .removing(Removal::Role { id: role.id, permissions: PermissionSet::none() });
        tx.record(&fresh.actor, event);
        Ok(Outcome { touched, ..Outcome::of(role.id) })
    })
    .await
}

async fn custom(tx: &mut Tx<'_>, fresh: &Fresh, id: Uuid, within: Option<Namespace>) -> Result<Role> {
    fresh.may(Act::ManageRoles)?;
    let role = of_org(tx.conn(), fresh.org.id, id, within).await?;
    if role.builtin() {
        return Err(Error::state("a built-in role can't be changed"));
    }
    Ok(role)
}
