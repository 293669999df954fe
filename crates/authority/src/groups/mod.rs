//! Groups: named sets of accounts that carry roles.

mod system;

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::event::{Event, EventKind, Removal};
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Done, Error, Group, GroupKind, Result, Uuid, id, name};
use tokenhouse_store::{Conn, groups, roles};

pub use crate::search::groups::{search, values};
pub use system::settle;
pub(crate) use system::{Ids, found};

use crate::accounts::assignments;
use crate::caller::{Caller, change};
use crate::holdings::{Hands, Holder};
use crate::views::{self, AccountView, GroupView};
use crate::{Ctx, Outcome};

/// A group's name, description and roles, new or changed.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// Its name; `None` leaves it as it is.
    pub name: Option<String>,
    /// Free text; `None` leaves it as it is.
    pub description: Option<String>,
    /// The roles that it gives, as far as they are seen; `None` leaves them as they are.
    pub roles: Option<Vec<Uuid>>,
    /// The namespace of the roles that are seen and replaced; others stay.
    pub within: Option<Namespace>,
}

impl Naming {
    fn check(&self) -> Result<()> {
        if let Some(text) = &self.name {
            name::check("name", text, name::NAME)?;
            if text.contains('/') {
                return Err(Error::invalid("name", "must not contain a slash"));
            }
        }
        self.description.as_ref().map_or(Ok(()), |text| name::check_optional("description", text, name::DESCRIPTION))
    }
}

pub(crate) async fn of_org(conn: &mut Conn<'_>, org: Uuid, id: Uuid) -> Result<Group> {
    let group = groups::by_id(conn, id).await?;
    group.filter(|group| group.org_id == org).ok_or_else(|| Error::not_found("group"))
}

/// Finds a group of the caller's org by its id or its name.
///
/// # Errors
/// `not_found`.
pub async fn find(ctx: &Ctx, caller: &Caller, text: &str) -> Result<Uuid> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id);
    }
    let folded = name::findable(text, name::NAME).ok_or_else(|| Error::not_found("group"))?;
    let mut reader = ctx.store.read().await?;
    let found = groups::by_name(&mut reader.conn(), caller.org().id, &folded).await?;
    found.map(|group| group.id).ok_or_else(|| Error::not_found("group"))
}

/// Makes a group.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, naming: Naming) -> Result<Done<Outcome>> {
    naming.check()?;
    let text = naming.name.ok_or_else(|| Error::invalid("name", "is missing"))?.trim().to_owned();
    let description = naming.description.unwrap_or_default();
    let (roles, within) = (naming.roles, naming.within);
    let group_id = id::new(ctx.now(), &ctx.random);
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageGroups)?;
        let (org, now, name_fold) = (fresh.org.id, tx.now(), name::fold(&text));
        if groups::by_name(tx.conn(), org, &name_fold).await?.is_some() {
            return Err(Error::duplicate("a group"));
        }
        let group = Group {
            id: group_id,
            org_id: org,
            name: text.clone(),
            name_fold,
            description: description.clone(),
            created_at: now,
            updated_at: now,
            kind: GroupKind::Custom,
        };
        groups::insert(tx.conn(), &group).await?;
        tx.record(&fresh.actor, Event::new(EventKind::GroupCreated, org, group.id).with("name", text.as_str()));
        if let Some(roles) = &roles {
            assignments(tx, &mut Hands::of(fresh, within), Holder::Group(group.id), roles, within).await?;
        }
        Ok(Outcome::of(group.id))
    })
    .await
}

/// The org's groups.
///
/// # Errors
/// `missing_permission`.
pub async fn list(ctx: &Ctx, caller: &Caller, page: Page) -> Result<Listed<GroupView>> {
    caller.may(Act::SeePeople)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let listed = groups::list(&mut conn, caller.org().id, page.cursor.after, i64::from(page.limit) + 1).await?;
    views::groups(&mut conn, page.cut(listed, |group| group.id), ctx.now()).await
}

/// One group.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<GroupView> {
    caller.may(Act::SeePeople)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let group = of_org(&mut conn, caller.org().id, id).await?;
    views::single(views::groups(&mut conn, views::one(group), ctx.now()).await?, "group")
}

/// The org's group of a kind of which every org has one.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn of_kind(ctx: &Ctx, caller: &Caller, kind: GroupKind) -> Result<GroupView> {
    caller.may(Act::SeePeople)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let group = groups::by_kind(&mut conn, caller.org().id, kind).await?.ok_or_else(|| Error::not_found("group"))?;
    views::single(views::groups(&mut conn, views::one(group), ctx.now()).await?, "group")
}

/// A group as it is now, for the answer to whoever just changed it: that he may was decided with the change.
///
/// # Errors
/// `not_found`.
pub async fn just_changed(ctx: &Ctx, id: Uuid) -> Result<GroupView> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let group = groups::by_id(&mut conn, id).await?.ok_or_else(|| Error::not_found("group"))?;
    views::single(views::groups(&mut conn, views::one(group), ctx.now()).await?, "group")
}

/// A group's members.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn members(ctx: &Ctx, caller: &Caller, id: Uuid, page: Page) -> Result<Listed<AccountView>> {
    caller.may(Act::SeePeople)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    of_org(&mut conn, caller.org().id, id).await?;
    let listed = groups::members(&mut conn, id, page.cursor.after, i64::from(page.limit) + 1).await?;
    views::accounts(&mut conn, page.cut(listed, |account| account.id), ctx.now()).await
}

/// Changes a group's name or description.
///
/// # Errors
/// `missing_permission`, `not_found`, `invalid_field`, `duplicate`, `unlawful_state` for the name of a system group.
pub async fn update(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, naming: Naming) -> Result<Done<Outcome>> {
    naming.check()?;
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageGroups)?;
        let mut group = of_org(tx.conn(), fresh.org.id, id).await?;
        let mut event = Event::new(EventKind::GroupUpdated, group.org_id, group.id);
        if let Some(text) = &naming.name {
            if text.trim() != group.name {
                group.kind.check_renaming()?;
            }
            let name_fold = name::fold(text);
            let other = groups::by_name(tx.conn(), group.org_id, &name_fold).await?;
            if other.is_some_and(|other| other.id != group.id) {
                return Err(Error::duplicate("a group"));
            }
            event = event.with("from", group.name).with("name", text.trim());
            group.name = text.trim().to_owned();
            group.name_fold = name_fold;
        }
        if let Some(text) = &naming.description {
            group.description.clone_from(text);
        }
        group.updated_at = tx.now();
        groups::update(tx.conn(), &group).await?;
        tx.record(&fresh.actor, event);
        if let Some(roles) = &naming.roles {
            assignments(tx, &mut Hands::of(fresh, naming.within), Holder::Group(id), roles, naming.within).await?;
        }
        Ok(Outcome::of(group.id))
    })
    .await
}

/// Deletes a group; its members lose what it gave.
///
/// # Errors
/// `missing_permission`, `not_covered` for a rank that the caller could not give, `not_found`, `unlawful_state` for a system
/// group.
pub async fn delete(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageGroups)?;
        let group = of_org(tx.conn(), fresh.org.id, id).await?;
        group.kind.check_deleting()?;
        Hands::of(fresh, None).demote(tx, group.id).await?;
        roles::strip(tx.conn(), group.id).await?;
        groups::delete(tx.conn(), group.id).await?;
        let event = Event::new(EventKind::GroupDeleted, group.org_id, group.id).with("name", group.name.as_str());
        tx.record(&fresh.actor, event.removing(Removal::Group { id: group.id }));
        Ok(Outcome::of(group.id))
    })
    .await
}

/// Puts an account into a group. The account gains what the group gives, so the caller must cover that.
///
/// # Errors
/// `missing_permission`, `not_covered`, `not_found`, `unlawful_state` for a group that this account can't be put into.
pub async fn add(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, account: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        Hands::of(fresh, None).join(tx, account, id).await?;
        Ok(Outcome::of(id))
    })
    .await
}

/// Takes an account out of a group.
///
/// # Errors
/// `missing_permission`, `not_covered` for a rank that the caller could not give, `not_found`, `unlawful_state` for the group
/// that nobody can leave.
pub async fn remove(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, account: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        Hands::of(fresh, None).leave(tx, account, id).await?;
        Ok(Outcome::of(id))
    })
    .await
}
