//! Roles and permissions: what they give, who has them until when.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::event::{Event, EventKind, Removal};
use tokenhouse_model::role::{self, Assignment, Grant, HolderKind, Namespace, RoleKind};
use tokenhouse_model::{Done, Error, Millis, NEVER, PermissionSet, Result, Role, Uuid, grant, id, name, permission};
use tokenhouse_store::{Conn, Tx, groups, roles};

pub use crate::search::roles::{search, values};

use crate::caller::{Caller, Fresh, change};
use crate::{Ctx, Outcome, accounts};

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

/// Who holds, or is to hold, a role or permission.
#[derive(Clone, Copy, Debug)]
pub enum Holder {
    /// An account.
    Account(Uuid),
    /// A group, for its members.
    Group(Uuid),
}

impl Holder {
    fn kind(self) -> HolderKind {
        match self {
            Self::Account(_) => HolderKind::Account,
            Self::Group(_) => HolderKind::Group,
        }
    }
}

async fn of_org(conn: &mut Conn<'_>, org: Uuid, id: Uuid) -> Result<Role> {
    roles::by_id(conn, org, id).await?.ok_or_else(|| Error::not_found("role"))
}

/// Finds a role that the caller's org can use by its id or its name.
///
/// # Errors
/// `not_found`.
pub async fn find(ctx: &Ctx, caller: &Caller, text: &str) -> Result<Uuid> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id);
    }
    let folded = name::findable(text, name::NAME).ok_or_else(|| Error::not_found("role"))?;
    let mut reader = ctx.store.read().await?;
    let found = roles::by_name(&mut reader.conn(), caller.org().id, &folded).await?;
    found.map(|role| role.id).ok_or_else(|| Error::not_found("role"))
}

/// Built-in roles and the org's own.
///
/// # Errors
/// `missing_permission`.
pub async fn list(ctx: &Ctx, caller: &Caller, page: Page) -> Result<Listed<Role>> {
    caller.may(Act::SeePeople)?;
    let mut reader = ctx.store.read().await?;
    let listed = roles::list(&mut reader.conn(), caller.org().id, page.cursor.after, i64::from(page.limit) + 1).await?;
    Ok(page.cut(listed, |role| role.id))
}

/// One role.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Role> {
    caller.may(Act::SeePeople)?;
    of_org(&mut ctx.store.read().await?.conn(), caller.org().id, id).await
}

/// A custom role as it is now, for the answer to whoever just changed it: that he may was decided with the change.
///
/// # Errors
/// `not_found`.
pub async fn just_changed(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Role> {
    of_org(&mut ctx.store.read().await?.conn(), caller.org().id, id).await
}

/// Makes a custom role. It gives nothing until it is assigned, and whoever assigns it must cover it.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: RoleChange) -> Result<Done<Outcome>> {
    let permissions = new.check()?.unwrap_or_default();
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
            namespace: Namespace::House,
            name: text.clone(),
            name_fold,
            description: description.clone(),
            permissions: permissions.clone(),
            created_at: now,
            updated_at: now,
        };
        roles::insert(tx.conn(), &role).await?;
        let event = Event::new(EventKind::RoleCreated, org, role.id).with("name", text.as_str());
        tx.record(&fresh.actor, event.with("permissions", permissions.names()));
        Ok(Outcome::of(role.id))
    })
    .await
}

/// Changes a custom role. Who holds it gains what is added, so the caller must cover that.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `invalid_field`, `duplicate`, `unlawful_state` for a built-in one.
pub async fn update(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, wanted: RoleChange) -> Result<Done<Outcome>> {
    let permissions = wanted.check()?;
    change(ctx, caller, async move |tx, fresh| {
        let mut role = custom(tx, fresh, id).await?;
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
            // Nobody is known to hold only wavefront permissions here, so its exception does not apply.
            let mut added = PermissionSet::none();
            permissions.iter().filter(|text| !role.permissions.contains(text)).for_each(|text| added.insert(text));
            let everything = PermissionSet::of(tokenhouse_model::Permission::ALL);
            grant::cover(&fresh.effective, &added, &everything)?;
            if permissions.lacks(&role.permissions).is_some() {
                event = event.removing(Removal::Role { id: role.id, permissions: permissions.clone() });
            }
            event = event.with("from", role.permissions.names()).with("permissions", permissions.names());
            role.permissions = permissions.clone();
        }
        role.updated_at = tx.now();
        roles::update(tx.conn(), &role).await?;
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(role.id))
    })
    .await
}

/// Deletes a custom role; who held it loses what it gave.
///
/// # Errors
/// `missing_permission`, `not_found`, `unlawful_state` for a built-in one.
pub async fn delete(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        let role = custom(tx, fresh, id).await?;
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

async fn custom(tx: &mut Tx<'_>, fresh: &Fresh, id: Uuid) -> Result<Role> {
    fresh.may(Act::ManageRoles)?;
    let role = of_org(tx.conn(), fresh.org.id, id).await?;
    if role.builtin() {
        return Err(Error::state("a built-in role can't be changed"));
    }
    Ok(role)
}

/// Something that can be given: a role or a permission, and until when.
#[derive(Clone, Debug)]
pub struct Giving {
    /// To whom.
    pub holder: Holder,
    /// What.
    pub what: Given,
    /// Until when, in epoch milliseconds; `None` for good.
    pub until: Option<Millis>,
}

/// What can be given and taken.
#[derive(Clone, Debug)]
pub enum Given {
    /// A role, by its id.
    Role(Uuid),
    /// A permission, by its string.
    Permission(String),
}

impl Given {
    fn removal(&self, holder: Uuid) -> Removal {
        match self {
            Self::Role(role) => Removal::Assignment { holder, role: *role },
            Self::Permission(text) => Removal::Permission { holder, permission: text.clone() },
        }
    }
}

/// Gives a role or a permission, or changes until when it is held. The caller must cover it.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `invalid_field`.
pub async fn give(ctx: &Arc<Ctx>, caller: &Caller, giving: Giving) -> Result<Done<Outcome>> {
    if let Given::Permission(text) = &giving.what {
        permission::check(text)?;
    }
    let expires_at = giving.until.unwrap_or(NEVER);
    if expires_at <= ctx.now() {
        return Err(Error::invalid("expires_at", "must be in the future"));
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::GiveRoles)?;
        let (id, holds) = holder(tx, fresh, giving.holder).await?;
        let (org, now, kind) = (fresh.org.id, tx.now(), giving.holder.kind());
        let before = roles::direct_between(tx.conn(), (id, id), now).await?;
        let event = match &giving.what {
            Given::Role(role) => {
                let role = of_org(tx.conn(), org, *role).await?;
                grant::cover(&fresh.effective, &role.permissions, &holds)?;
                let assignment = Assignment {
                    holder_id: id,
                    holder_kind: kind,
                    role_id: role.id,
                    org_id: org,
                    expires_at,
                    created_at: now,
                };
                roles::assign(tx.conn(), &assignment).await?;
                Event::new(EventKind::RoleAssigned, org, id).with("role", role.id.to_string()).with("name", role.name)
            }
            Given::Permission(text) => {
                let mut gained = PermissionSet::none();
                gained.insert(text);
                grant::cover(&fresh.effective, &gained, &holds)?;
                let grant = Grant {
                    holder_id: id,
                    holder_kind: kind,
                    permission: text.clone(),
                    org_id: org,
                    expires_at,
                    created_at: now,
                };
                roles::grant(tx.conn(), &grant).await?;
                Event::new(EventKind::PermissionGranted, org, id).with("permission", text.as_str())
            }
        };
        let mut event = event.with("holder", kind.as_str());
        let same = |source: &&roles::Source| match &giving.what {
            Given::Role(role) => source.role.as_ref().is_some_and(|(id, _)| id == role),
            Given::Permission(text) => source.role.is_none() && source.permissions.contains(text),
        };
        if before.iter().find(same).is_some_and(|source| source.expires_at > expires_at) {
            // An earlier end takes authority away; after a restore it is gone altogether.
            event = event.removing(giving.what.removal(id));
        }
        tx.record(&fresh.actor, if expires_at == NEVER { event } else { event.with("expires_at", expires_at) });
        Ok(Outcome::of(id))
    })
    .await
}

/// Takes a role or a permission. What is not held is not missed: that changes nothing.
///
/// # Errors
/// `missing_permission`, `not_found`, `invalid_field`.
pub async fn take(ctx: &Arc<Ctx>, caller: &Caller, from: Holder, what: Given) -> Result<Done<Outcome>> {
    if let Given::Permission(text) = &what {
        // Not whether it is known: one that no longer is can still be taken.
        name::check("permission", text, name::PERMISSION)?;
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::GiveRoles)?;
        let (id, _) = holder(tx, fresh, from).await?;
        let org = fresh.org.id;
        let (taken, event) = match &what {
            Given::Role(role) => {
                let role = of_org(tx.conn(), org, *role).await?;
                let event = Event::new(EventKind::RoleUnassigned, org, id)
                    .with("role", role.id.to_string())
                    .with("name", role.name)
                    .removing(what.removal(id));
                (roles::unassign(tx.conn(), id, role.id).await?, event)
            }
            Given::Permission(text) => {
                let event = Event::new(EventKind::PermissionRevoked, org, id)
                    .with("permission", text.as_str())
                    .removing(what.removal(id));
                (roles::revoke(tx.conn(), id, text).await?, event)
            }
        };
        if taken {
            tx.record(&fresh.actor, event.with("holder", from.kind().as_str()));
        }
        Ok(Outcome::of(id))
    })
    .await
}

/// The holder's id and what it holds: for a group, what any of its members holds.
async fn holder(tx: &mut Tx<'_>, fresh: &Fresh, holder: Holder) -> Result<(Uuid, PermissionSet)> {
    match holder {
        Holder::Account(id) => {
            let account = accounts::of_org(tx.conn(), fresh.org.id, id).await?;
            Ok((account.id, accounts::held(tx, account.id).await?))
        }
        Holder::Group(id) => {
            let group = crate::groups::of_org(tx.conn(), fresh.org.id, id).await?;
            let mut holds = accounts::held(tx, group.id).await?;
            let members = groups::members(tx.conn(), group.id, Uuid::nil(), MOST_LOOKED_AT + 1).await?;
            if i64::try_from(members.len()).unwrap_or(i64::MAX) > MOST_LOOKED_AT {
                // Too many to look at each: then it counts as if one of them held everything.
                holds.extend(&PermissionSet::of(tokenhouse_model::Permission::ALL));
            } else {
                for member in members {
                    holds.extend(&accounts::held(tx, member.id).await?);
                }
            }
            Ok((group.id, holds))
        }
    }
}

/// Members of a group at whose permissions one looks for wavefront's exception.
const MOST_LOOKED_AT: i64 = 200;
