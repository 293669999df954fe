//! Apps in other orgs than the one that owns them (csp.md 1.2, 5): its owner allows an org to add it, that org adds it with
//! roles of its own, and with that the app has an account there. What it does in an org it does as its account there.

use std::collections::HashMap;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::app::{self as rules, App};
use tokenhouse_model::asked::Asked;
use tokenhouse_model::cursor::Listed;
use tokenhouse_model::event::Actor;
use tokenhouse_model::{Account, Done, Error, Org, Permission, PermissionSet, Result, Role, Uuid, grant, id, name};
use tokenhouse_store::{Conn, Tx, accounts as people, apps, orgs};

use super::{arrange, enter, may_see, resolve};
use crate::caller::{Caller, Fresh, change};
use crate::verify::Good;
use crate::views::{self, AccountView};
use crate::{Ctx, Outcome, accounts};

/// An app as it is in an org: in the one that owns it, or in another that added it.
#[derive(Clone, Debug)]
pub struct Present {
    /// The app.
    pub app: App,
    /// What the org that owns it is called.
    pub owner: String,
    /// Its account in this org.
    pub view: AccountView,
    /// The roles that it has there.
    pub asked: Asked,
}

impl Present {
    /// Whether another org owns it.
    pub fn guest(&self) -> bool {
        self.app.org_id != self.view.account.org_id
    }

    async fn of(conn: &mut Conn<'_>, app: App, view: AccountView, own: &Org) -> Result<Self> {
        let owner = if app.org_id == own.id { Some(own.clone()) } else { orgs::by_id(conn, app.org_id).await? };
        let owner = owner.map(|org| org.name).unwrap_or_default();
        let roles = view.given.iter().filter_map(|given| given.role.as_deref());
        let words = view.given.iter().filter(|given| given.role.is_none());
        let words: Vec<String> = words.flat_map(|given| given.permissions.names()).collect();
        let asked = Asked::given(roles.collect::<Vec<&Role>>(), words.iter().map(String::as_str));
        Ok(Self { app, owner, view, asked })
    }
}

/// The most apps of an org that are listed.
const MOST_LISTED: i64 = 10_000;

/// The apps that are in the caller's org, its own and those of others, in the order in which they came.
///
/// # Errors
/// `missing_permission`.
pub async fn present(ctx: &Ctx, caller: &Caller) -> Result<Vec<Present>> {
    may_see(caller)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let filter = people::Filter { kind: Some(AccountKind::App), ..people::Filter::default() };
    let items = people::list(&mut conn, caller.org().id, &filter, Uuid::nil(), MOST_LISTED).await?;
    let identities: Vec<Uuid> = items.iter().map(|account| account.identity_id).collect();
    let found = apps::of_identities(&mut conn, &identities).await?;
    let mut found: HashMap<Uuid, App> = found.into_iter().map(|app| (app.identity_id, app)).collect();
    let views = views::accounts(&mut conn, Listed { items, next: None }, ctx.now()).await?.items;
    let mut all = Vec::with_capacity(views.len());
    for view in views {
        if let Some(app) = found.remove(&view.account.identity_id) {
            all.push(Present::of(&mut conn, app, view, caller.org()).await?);
        }
    }
    Ok(all)
}

/// One app that is in the caller's org.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn present_one(ctx: &Ctx, caller: &Caller, client_id: &str) -> Result<Present> {
    may_see(caller)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let (app, account) = in_org(&mut conn, caller.org().id, client_id).await?;
    let view = views::single(views::accounts(&mut conn, views::one(account), ctx.now()).await?, "app")?;
    Present::of(&mut conn, app, view, caller.org()).await
}

/// Another org's app that is in the caller's.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn guest(ctx: &Ctx, caller: &Caller, client_id: &str) -> Result<Present> {
    let present = present_one(ctx, caller, client_id).await?;
    if present.guest() { Ok(present) } else { Err(Error::not_found("app")) }
}

/// Adds another org's app to the caller's, with roles of his org, which he must cover. The outcome is about its account
/// there.
///
/// # Errors
/// `missing_permission`; `not_found` also for an app whose owner does not allow it; `invalid_field` naming a role that the
/// caller does not cover; `duplicate` for one that is there.
pub async fn add(ctx: &Arc<Ctx>, caller: &Caller, client_id: String, asked: Asked) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    asked.check()?;
    let account_id = id::new(ctx.now(), &ctx.random);
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageApps)?;
        let missing = || Error::not_found("app");
        let folded = name::findable(&client_id, rules::LONGEST_ID).ok_or_else(missing)?;
        if people::by_identifier(tx.conn(), fresh.org.id, &folded).await?.is_some() {
            return Err(Error::duplicate("an app"));
        }
        let identity = people::identity_by_login(tx.conn(), &folded).await?.ok_or_else(missing)?;
        let app = apps::by_identity(tx.conn(), identity.id).await?.ok_or_else(missing)?;
        let home = people::by_id(tx.conn(), app.account_id).await?.filter(|account| !account.deleted());
        let home = home.filter(|_| app.terms.allowed_orgs.contains(&fresh.org.id)).ok_or_else(missing)?;
        let resolved = resolve(tx.conn(), fresh, &asked).await?;
        let (_, event) = enter(tx, fresh, account_id, &identity, &home.description).await?;
        tx.record(&fresh.actor, event.with("name", app.terms.display_name.as_str()));
        arrange(tx, fresh, account_id, &resolved).await?;
        Ok(Outcome::of(account_id))
    })
    .await
}

/// Gives another org's app just these roles in the caller's org. He must cover what it holds there, and what it is to hold.
///
/// # Errors
/// As [`add`], and `not_covered`.
pub async fn endow(ctx: &Arc<Ctx>, caller: &Caller, client_id: String, asked: Asked) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    asked.check()?;
    change(ctx, caller, async move |tx, fresh| {
        let account = of_another(tx, fresh, &client_id).await?;
        let resolved = resolve(tx.conn(), fresh, &asked).await?;
        arrange(tx, fresh, account.id, &resolved).await?;
        Ok(Outcome::of(account.id))
    })
    .await
}

/// Takes another org's app out of the caller's: every access token that it has for it is dead.
///
/// # Errors
/// `missing_permission`, `not_found`, `not_covered`, `unlawful_state` for an app that takes itself out.
pub async fn remove(ctx: &Arc<Ctx>, caller: &Caller, client_id: String) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    change(ctx, caller, async move |tx, fresh| {
        let account = of_another(tx, fresh, &client_id).await?;
        if account.id == fresh.account_id() {
            return Err(Error::state("an app can't remove itself"));
        }
        let id = account.id;
        accounts::erase(tx, &fresh.actor, account).await?;
        Ok(Outcome::of(id))
    })
    .await
}

/// An app that is in an org, and its account there.
async fn in_org(conn: &mut Conn<'_>, org: Uuid, client_id: &str) -> Result<(App, Account)> {
    let missing = || Error::not_found("app");
    let folded = name::findable(client_id, rules::LONGEST_ID).ok_or_else(missing)?;
    let account = people::by_identifier(conn, org, &folded).await?.ok_or_else(missing)?;
    let app = apps::by_identity(conn, account.identity_id).await?.ok_or_else(missing)?;
    Ok((app, account))
}

/// The account of another org's app in the caller's, for a caller who is to change it: he must cover what it holds there.
async fn of_another(tx: &mut Tx<'_>, fresh: &Fresh, client_id: &str) -> Result<Account> {
    fresh.may(Act::ManageApps)?;
    let (app, account) = in_org(tx.conn(), fresh.org.id, client_id).await?;
    if app.org_id == account.org_id {
        return Err(Error::state("the app is owned by this organization: change or delete it instead"));
    }
    let held = accounts::held(tx, account.id).await?;
    grant::cover(&fresh.effective, &held, &held)?;
    Ok(account)
}

/// The other orgs that are to be allowed to add an app, each once. Those that were allowed before need not be there any
/// more.
pub(super) async fn others(conn: &mut Conn<'_>, home: Uuid, asked: &[Uuid], before: &[Uuid]) -> Result<Vec<Uuid>> {
    let mut others = Vec::new();
    for org in asked {
        if *org == home || others.contains(org) {
            continue;
        }
        if !before.contains(org) && orgs::by_id(conn, *org).await?.is_none() {
            return Err(Error::invalid(
                "allowedOrgs",
                format_args!("names an organization that does not exist: {org}"),
            ));
        }
        others.push(*org);
    }
    Ok(others)
}

/// Takes an app out of every other org but these.
pub(crate) async fn leave(tx: &mut Tx<'_>, actor: &Actor, app: &App, stays: &[Uuid]) -> Result<()> {
    for account in people::of_identity(tx.conn(), app.identity_id).await? {
        if account.org_id != app.org_id && !stays.contains(&account.org_id) {
            Box::pin(accounts::erase(tx, actor, account)).await?;
        }
    }
    Ok(())
}

/// Refuses whoever would gain by the app's secret what it holds in other orgs, and does not hold it himself. An owner of the
/// org answers for its apps: he could not replace a secret otherwise to which another org gave more than he has.
pub(super) async fn cover_elsewhere(tx: &mut Tx<'_>, fresh: &Fresh, app: &App) -> Result<()> {
    if fresh.effective.has(Permission::CspOrgOwner) {
        return Ok(());
    }
    let mut held = PermissionSet::none();
    for account in people::of_identity(tx.conn(), app.identity_id).await? {
        if account.org_id != app.org_id {
            held.extend(&accounts::held(tx, account.id).await?);
        }
    }
    grant::cover(&fresh.effective, &held, &held)
}

/// The account of a good credential's app in another org.
///
/// # Errors
/// `not_found` for no such org; `forbidden` for one to which the app was not added.
pub(crate) async fn account_in(ctx: &Ctx, good: &Good, org: Uuid) -> Result<Uuid> {
    let identity = good.account().map_or(Uuid::nil(), |account| account.identity_id);
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    if let Some(account) = people::of_identity(&mut conn, identity).await?.iter().find(|account| account.org_id == org)
    {
        return Ok(account.id);
    }
    orgs::by_id(&mut conn, org).await?.ok_or_else(|| Error::not_found("organization"))?;
    Err(Error::forbidden("the app was not added to this organization"))
}
