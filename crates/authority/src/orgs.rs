//! Orgs: the tenants of this installation.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState, IdentityKind, PasswordHash};
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::org::OrgState;
use tokenhouse_model::role::{self, Assignment, HolderKind};
use tokenhouse_model::{
    Account, Done, Error, Identity, Millis, NEVER, Org, PermissionSet, Result, SecretText, Uuid, grant, id, name,
};
use tokenhouse_store::{Tx, accounts, groups, orgs, roles};

use crate::caller::{Caller, change};
use crate::{Ctx, Outcome, passwords};

/// A new org.
#[derive(Clone, Debug)]
pub struct NewOrg {
    /// Its name.
    pub name: String,
    /// The e-mail address of its first administrator.
    pub admin: String,
}

impl NewOrg {
    /// Checks both, and gives back the administrator's e-mail address folded.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn check(&self) -> Result<String> {
        name::check("name", &self.name, name::NAME)?;
        name::email("admin", &self.admin)
    }
}

/// The roles that an org's first administrator gets.
const ADMINISTRATOR: &[&str] = &["administrator", "org_owner", "developer", "admin"];

/// Makes an org and its first administrator. Its outcome's secret is the administrator's one-time password, where he
/// is new to this installation.
///
/// # Errors
/// `missing_permission`, `not_covered`, `invalid_field`, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: NewOrg) -> Result<Done<Outcome>> {
    let draft = draft(ctx, &new).await?;
    let ctx_then = ctx.clone();
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageOrgs)?;
        let gained = administrator();
        grant::cover(&fresh.effective, &gained, &gained)?;
        establish(tx, &ctx_then, &fresh.actor, &draft, ADMINISTRATOR).await
    })
    .await
}

/// What an org's first administrator holds.
fn administrator() -> PermissionSet {
    let mut set = PermissionSet::whole(role::Namespace::Wavefront);
    for builtin in ADMINISTRATOR.iter().filter_map(|name| role::builtin(name)) {
        set.extend(&PermissionSet::of(builtin.permissions));
    }
    set
}

/// Everything random or slow about a new org, made before the transaction, which may run more than once.
pub(crate) struct Draft {
    name: String,
    admin: String,
    org: Uuid,
    identity: Uuid,
    account: Uuid,
    groups: crate::groups::Ids,
    password: SecretText,
    hash: PasswordHash,
}

pub(crate) async fn draft(ctx: &Ctx, new: &NewOrg) -> Result<Draft> {
    let admin = new.check()?;
    let password = passwords::make(ctx);
    let now = ctx.now();
    Ok(Draft {
        name: new.name.trim().to_owned(),
        admin,
        org: id::new(now, &ctx.random),
        identity: id::new(now, &ctx.random),
        account: id::new(now, &ctx.random),
        groups: crate::groups::Ids::new(now, &ctx.random),
        hash: passwords::hash(ctx, password.clone()).await?,
        password,
    })
}

/// Writes an org with its first administrator, who holds these roles and every wavefront permission.
pub(crate) async fn establish(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    actor: &Actor,
    draft: &Draft,
    given: &[&str],
) -> Result<Outcome> {
    let now = tx.now();
    let name_fold = name::fold(&draft.name);
    if orgs::by_name(tx.conn(), &name_fold).await?.is_some() {
        return Err(Error::duplicate("an org"));
    }
    let org = Org {
        id: draft.org,
        name: draft.name.clone(),
        name_fold,
        state: OrgState::Active,
        onboarded: false,
        data_key: ctx.store.make_data_key(draft.org)?,
        created_at: now,
        updated_at: now,
    };
    orgs::insert(tx.conn(), &org).await?;
    let (identity, password) = match accounts::identity_by_login(tx.conn(), &draft.admin).await? {
        Some(known) => (known.id, None),
        None => {
            accounts::insert_identity(
                tx.conn(),
                &person(draft.identity, &draft.admin, draft.hash.clone(), org.id, now),
            )
            .await?;
            (draft.identity, Some(draft.password.clone()))
        }
    };
    let account = Account {
        id: draft.account,
        org_id: org.id,
        identity_id: identity,
        kind: AccountKind::User,
        identifier: draft.admin.clone(),
        identifier_fold: draft.admin.clone(),
        description: String::new(),
        state: AccountState::Active,
        created_at: now,
        created_by: actor.account,
        updated_at: now,
        tombstone: Uuid::nil(),
    };
    accounts::insert(tx.conn(), &account).await?;
    for builtin in given.iter().filter_map(|name| role::builtin(name)) {
        let assignment = Assignment {
            holder_id: account.id,
            holder_kind: HolderKind::Account,
            role_id: builtin.id(),
            org_id: org.id,
            expires_at: NEVER,
            created_at: now,
        };
        roles::assign(tx.conn(), &assignment).await?;
    }
    for permission in PermissionSet::whole(role::Namespace::Wavefront).iter() {
        let grant = role::Grant {
            holder_id: account.id,
            holder_kind: HolderKind::Account,
            permission: permission.to_owned(),
            org_id: org.id,
            expires_at: NEVER,
            created_at: now,
        };
        roles::grant(tx.conn(), &grant).await?;
    }
    tx.record(actor, Event::new(EventKind::OrgCreated, org.id, org.id).with("name", org.name.as_str()));
    let everyone = crate::groups::found(tx, actor, org.id, draft.groups).await?;
    groups::add(tx.conn(), &everyone, account.id, now).await?;
    let created = Event::new(EventKind::AccountCreated, org.id, account.id)
        .with("identifier", account.identifier.as_str())
        .with("kind", account.kind.as_str())
        .with("group", everyone.id.to_string())
        .with("roles", given.iter().map(|name| serde_json::Value::from(*name)).collect::<Vec<_>>());
    tx.record(actor, created);
    Ok(Outcome { with: account.id, secret: password, ..Outcome::of(org.id) })
}

pub(crate) fn person(id: Uuid, login: &str, password: PasswordHash, default_org: Uuid, now: Millis) -> Identity {
    Identity {
        id,
        kind: IdentityKind::Person,
        login: login.to_owned(),
        login_fold: name::fold(login),
        password,
        default_org,
        created_at: now,
        updated_at: now,
    }
}

/// The orgs that the caller may see: all for an operator, else his own.
///
/// # Errors
/// `unavailable`.
pub async fn list(ctx: &Ctx, caller: &Caller, page: Page) -> Result<Listed<Org>> {
    if !Act::ManageOrgs.allowed(&caller.effective) {
        let own = Some(caller.org().clone()).filter(|org| org.id > page.cursor.after);
        return Ok(Listed { items: own.into_iter().collect(), next: None });
    }
    let mut reader = ctx.store.read().await?;
    let orgs = orgs::list(&mut reader.conn(), page.cursor.after, i64::from(page.limit) + 1).await?;
    Ok(page.cut(orgs, |org| org.id))
}

/// The orgs that the caller's person is a member of, the one in which he acts first.
///
/// # Errors
/// `unavailable`.
pub async fn of_caller(ctx: &Ctx, caller: &Caller) -> Result<Vec<Org>> {
    let mut all = vec![caller.org().clone()];
    let identity = caller.account().map_or(Uuid::nil(), |account| account.identity_id);
    if !identity.is_nil() {
        let mut reader = ctx.store.read().await?;
        let mut conn = reader.conn();
        for account in accounts::of_identity(&mut conn, identity).await? {
            if account.org_id != caller.org().id {
                all.extend(orgs::by_id(&mut conn, account.org_id).await?);
            }
        }
    }
    Ok(all)
}

/// One org: the caller's own, or any for an operator.
///
/// # Errors
/// `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Org> {
    if id != caller.org().id && !Act::ManageOrgs.allowed(&caller.effective) {
        return Err(Error::not_found("org"));
    }
    let mut reader = ctx.store.read().await?;
    orgs::by_id(&mut reader.conn(), id).await?.ok_or_else(|| Error::not_found("org"))
}

/// The org of this id or name, for whoever runs this program; `None` if there is none.
///
/// # Errors
/// `unavailable`.
pub async fn named(ctx: &Ctx, text: &str) -> Result<Option<Org>> {
    let mut reader = ctx.store.read().await?;
    if let Ok(id) = Uuid::try_parse(text)
        && let Some(org) = orgs::by_id(&mut reader.conn(), id).await?
    {
        return Ok(Some(org));
    }
    let Some(folded) = name::findable(text, name::NAME) else { return Ok(None) };
    orgs::by_name(&mut reader.conn(), &folded).await
}

/// Renames an org.
///
/// # Errors
/// `missing_permission`, `not_found`, `invalid_field`, `duplicate`.
pub async fn rename(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, to: String) -> Result<Done<Outcome>> {
    name::check("name", &to, name::NAME)?;
    alter(ctx, caller, id, async move |tx, mut org| {
        let name_fold = name::fold(&to);
        if orgs::by_name(tx.conn(), &name_fold).await?.is_some_and(|other| other.id != org.id) {
            return Err(Error::duplicate("an org"));
        }
        let event = Event::new(EventKind::OrgRenamed, org.id, org.id).with("from", org.name).with("name", to.trim());
        org.name = to.trim().to_owned();
        org.name_fold = name_fold;
        Ok((org, Some(event)))
    })
    .await
}

/// Stops every credential of an org. The caller's own org is refused: who would resume it?
///
/// # Errors
/// `missing_permission`, `not_found`, `unlawful_state`.
pub async fn suspend(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    if id == caller.org().id {
        return Err(Error::state("you can't suspend the org that your own credential belongs to"));
    }
    alter(ctx, caller, id, async |_, org| {
        let event = Event::new(EventKind::OrgSuspended, org.id, org.id).removing(Removal::Org { id: org.id });
        Ok(switch(org, OrgState::Suspended, event))
    })
    .await
}

/// Lets an org's credentials work again.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn resume(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    alter(ctx, caller, id, async |_, org| {
        let event = Event::new(EventKind::OrgResumed, org.id, org.id);
        Ok(switch(org, OrgState::Active, event))
    })
    .await
}

/// Makes access tokens the way into an org, on the paths of Wavefront's API and the native one too; or not any more. Tokens
/// that are there go on working.
///
/// # Errors
/// `missing_permission` for whoever is neither operator nor sets the org's policy; `not_found`.
pub async fn onboard(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, onboarded: bool) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        if !Act::ManageOrgs.allowed(&fresh.effective) {
            if id != fresh.org.id {
                return Err(Error::not_found("org"));
            }
            fresh.may(Act::ChangePolicy)?;
        }
        let mut org = orgs::by_id(tx.conn(), id).await?.ok_or_else(|| Error::not_found("org"))?;
        if org.onboarded != onboarded {
            (org.onboarded, org.updated_at) = (onboarded, tx.now());
            orgs::update(tx.conn(), &org).await?;
            let event = match onboarded {
                true => Event::new(EventKind::OrgOnboarded, id, id),
                false => Event::new(EventKind::OrgOffboarded, id, id).removing(Removal::Onboarding { org: id }),
            };
            tx.record(&fresh.actor, event);
        }
        Ok(Outcome::of(id))
    })
    .await
}

/// Switching to the state that it is in changes nothing and is no event.
fn switch(mut org: Org, state: OrgState, event: Event) -> (Org, Option<Event>) {
    let changed = org.state != state;
    org.state = state;
    (org, changed.then_some(event))
}

async fn alter<F>(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, alteration: F) -> Result<Done<Outcome>>
where
    F: AsyncFn(&mut Tx<'_>, Org) -> Result<(Org, Option<Event>)> + Send + 'static,
{
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageOrgs)?;
        let org = orgs::by_id(tx.conn(), id).await?.ok_or_else(|| Error::not_found("org"))?;
        let (mut org, event) = alteration(tx, org).await?;
        if let Some(event) = event {
            org.updated_at = tx.now();
            orgs::update(tx.conn(), &org).await?;
            tx.record(&fresh.actor, event);
        }
        Ok(Outcome::of(id))
    })
    .await
}
