//! Apps: programs that get access tokens for a client id and a secret (csp.md 5). Each has an account in the org that owns
//! it, which holds its roles, and one token, whose secrets are its own: see [`secrets`]. In other orgs it has accounts as
//! well if they add it: see [`guests`].

mod guests;
mod secrets;

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState, IdentityKind, PasswordHash};
use tokenhouse_model::app::{self as rules, App, AppTerms};
use tokenhouse_model::asked::{Asked, Resolved};
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::secret::{Digest, Form, make};
use tokenhouse_model::{
    Account, Done, Error, Identity, Millis, NEVER, Permission, PermissionSet, Result, Secret, SecretText, TokenKind,
    Uuid, grant, id, name,
};
use tokenhouse_store::{Conn, Tx, accounts as people, apps, roles, tokens as rows};

pub use guests::{Present, add, endow, guest, present, present_one, remove};
pub(crate) use guests::{account_in, leave};
pub use secrets::{NewSecret, finish, rotate};

use crate::caller::{Caller, Fresh, change};
use crate::holdings::{Given, Hands, Holder};
use crate::tokens::{self, Issue, Mint, Proof};
use crate::{Ctx, Outcome, accounts, api_tokens, passwords};

/// What is asked of a new app.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// Its client id; one is made unless it is told.
    pub id: Option<String>,
    /// Its secret; one is made unless it is told.
    pub secret: Option<SecretText>,
    /// Free text.
    pub description: String,
    /// The rest.
    pub terms: AppTerms,
}

/// What is to change of an app; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct AppChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Its roles.
    pub asked: Option<Asked>,
    /// How long its access tokens live, in milliseconds.
    pub life: Option<Millis>,
    /// How long an old secret stays good unless told, in milliseconds.
    pub overlap: Option<Millis>,
    /// Whether only an owner of the org may replace its secrets.
    pub owner_only: Option<bool>,
    /// The other orgs that may add it. From one that is not named any more it is gone.
    pub allowed_orgs: Option<Vec<Uuid>>,
    /// What its dialect keeps of it: each member replaces the one of its name.
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// An app as readers see it.
#[derive(Clone, Debug)]
pub struct AppView {
    /// Its row.
    pub app: App,
    /// Its account, whose identifier is the client id.
    pub account: Account,
    /// Its secrets that are good now, the newest last.
    pub secrets: Vec<Secret>,
}

/// Everything random or slow about a secret, made before the transaction, which may run more than once.
struct Draft {
    id: Uuid,
    text: SecretText,
    /// The digest of one that its maker chose.
    slow: Option<Digest>,
}

impl Draft {
    /// Notes in the event by which it is made that its maker chose it.
    fn noted(&self, event: Event) -> Event {
        if self.slow.is_some() { event.making(&rules::CHOSEN) } else { event }
    }
}

async fn draft(ctx: &Ctx, chosen: Option<SecretText>) -> Result<Draft> {
    let id = id::new(ctx.now(), &ctx.random);
    Ok(match chosen {
        None => Draft { id, text: make(Form::House, TokenKind::ClientSecret, &ctx.random), slow: None },
        Some(text) => {
            rules::check_secret(&text)?;
            Draft { id, slow: Some(passwords::slow_digest(ctx, text.clone(), id).await?), text }
        }
    })
}

/// Makes an app in the caller's org, with the roles that it is to have, which he must cover. The outcome's secret is told
/// once; the outcome is about the app's account.
///
/// # Errors
/// `missing_permission`, `invalid_field` also naming a role that he does not cover, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: NewApp) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    new.terms.check()?;
    name::check_optional("description", &new.description, name::DESCRIPTION)?;
    new.id.as_deref().map_or(Ok(()), rules::check_id)?;
    let client_id = new.id.clone().unwrap_or_else(|| rules::make_id(&ctx.random));
    let secret = draft(ctx, new.secret.clone()).await?;
    let token = tokens::draft(ctx, Form::House, &[TokenKind::ClientSecret]);
    let token = token.with_secret(secret.id, TokenKind::ClientSecret, secret.text.clone(), secret.slow);
    let (identity_id, account_id) = (id::new(ctx.now(), &ctx.random), id::new(ctx.now(), &ctx.random));
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageApps)?;
        let resolved = resolve(tx.conn(), fresh, &new.terms.asked).await?;
        let allowed_orgs = guests::others(tx.conn(), fresh.org.id, &new.terms.allowed_orgs, &[]).await?;
        let now = tx.now();
        let login_fold = name::fold(&client_id);
        if people::identity_by_login(tx.conn(), &login_fold).await?.is_some() {
            return Err(Error::duplicate("an app"));
        }
        let identity = Identity {
            id: identity_id,
            kind: IdentityKind::App,
            login: client_id.clone(),
            login_fold,
            password: PasswordHash::default(),
            default_org: fresh.org.id,
            created_at: now,
            updated_at: now,
        };
        people::insert_identity(tx.conn(), &identity).await?;
        let (account, event) = enter(tx, fresh, account_id, &identity, &new.description).await?;
        tx.record(&fresh.actor, secret.noted(event.with("name", new.terms.display_name.as_str())));
        arrange(tx, fresh, account.id, &resolved).await?;
        let (proof, actor, policy, surface) = (Proof::Token(fresh), &fresh.actor, &fresh.policy, fresh.surface);
        let ask = Issue { name: new.terms.display_name.clone(), ..Issue::own() };
        let (owner, ask, draft, kind) = (&account, &ask, &token, TokenKind::ClientSecret);
        let made =
            tokens::mint(tx, Mint { proof, actor, policy, surface, owner, kind, ask, draft, seal: None }).await?;
        let app = App {
            identity_id,
            org_id: account.org_id,
            account_id,
            token_id: made.id,
            terms: AppTerms { allowed_orgs, ..new.terms.clone() },
            created_at: now,
            created_by: fresh.account_id(),
            updated_at: now,
            updated_by: fresh.account_id(),
        };
        apps::insert(tx.conn(), &app).await?;
        Ok(Outcome { secret: Some(secret.text.clone()), secret_id: secret.id, ..Outcome::of(account_id) })
    })
    .await
}

/// Gives an app an account in the caller's org, without roles yet; and the event of it.
async fn enter(
    tx: &mut Tx<'_>,
    fresh: &Fresh,
    id: Uuid,
    identity: &Identity,
    description: &str,
) -> Result<(Account, Event)> {
    let account = Account {
        id,
        org_id: fresh.org.id,
        identity_id: identity.id,
        kind: AccountKind::App,
        identifier: identity.login.clone(),
        identifier_fold: identity.login_fold.clone(),
        description: description.to_owned(),
        state: AccountState::Active,
        created_at: tx.now(),
        created_by: fresh.account_id(),
        updated_at: tx.now(),
        tombstone: Uuid::nil(),
    };
    people::insert(tx.conn(), &account).await?;
    let event = Event::new(EventKind::AccountCreated, account.org_id, account.id);
    let event = event.with("identifier", account.identifier.as_str()).with("kind", account.kind.as_str());
    // Whose it is, where it is a guest.
    let guest = identity.default_org != account.org_id;
    let event = if guest { event.with("owned_by", identity.default_org.to_string()) } else { event };
    Ok((account, event))
}

/// The roles that were asked for, all of which the caller must cover.
async fn resolve(conn: &mut Conn<'_>, fresh: &Fresh, asked: &Asked) -> Result<Resolved> {
    let custom = api_tokens::named(conn, fresh.org.id, &asked.custom).await?;
    let covers = |wanted: &PermissionSet| grant::cover(&fresh.effective, wanted, &PermissionSet::none()).is_ok();
    asked.resolve(&fresh.effective, &custom, covers)
}

/// Gives an app's account just these roles and words, and takes whatever else it was given.
async fn arrange(tx: &mut Tx<'_>, fresh: &Fresh, account: Uuid, to: &Resolved) -> Result<()> {
    let (mut hands, holder, now) = (Hands::of_apps(fresh), Holder::Account(account), tx.now());
    for row in roles::assigned_to(tx.conn(), &[account], now).await? {
        if !to.roles.contains(&row.role_id) {
            hands.take(tx, holder, &Given::Role(row.role_id)).await?;
        }
    }
    for row in roles::granted_to(tx.conn(), &[account], now).await? {
        if !to.words.contains(&row.permission) {
            hands.take(tx, holder, &Given::Permission(row.permission)).await?;
        }
    }
    for role in &to.roles {
        hands.give(tx, holder, &Given::Role(*role), NEVER).await?;
    }
    for word in &to.words {
        hands.give(tx, holder, &Given::Permission(word.clone()), NEVER).await?;
    }
    Ok(())
}

/// The app of this client id that the org owns.
async fn of_org(conn: &mut Conn<'_>, org: Uuid, client_id: &str) -> Result<(App, Account)> {
    let missing = || Error::not_found("app");
    let folded = name::findable(client_id, rules::LONGEST_ID).ok_or_else(missing)?;
    let account = people::by_identifier(conn, org, &folded).await?.ok_or_else(missing)?;
    let app = apps::by_account(conn, account.id).await?.ok_or_else(missing)?;
    Ok((app, account))
}

/// The app of this client id, for a caller who is to change it: he must cover what it holds in his org.
async fn mine(tx: &mut Tx<'_>, fresh: &Fresh, client_id: &str) -> Result<(App, Account)> {
    fresh.may(Act::ManageApps)?;
    let (app, account) = of_org(tx.conn(), fresh.org.id, client_id).await?;
    let held = accounts::held(tx, account.id).await?;
    grant::cover(&fresh.effective, &held, &held)?;
    Ok((app, account))
}

/// The apps that the caller's org owns, in the order of their making.
///
/// # Errors
/// `missing_permission`.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Vec<AppView>> {
    may_see(caller)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let all = apps::of_org(&mut conn, caller.org().id).await?;
    let ids = |of: fn(&App) -> Uuid| all.iter().map(of).collect::<Vec<_>>();
    let accounts = people::by_ids(&mut conn, &ids(|app| app.account_id)).await?;
    let secrets = rows::secrets_of(&mut conn, &ids(|app| app.token_id), ctx.now()).await?;
    let view = |app: App| {
        let account = accounts.iter().find(|account| account.id == app.account_id)?.clone();
        let own = secrets.iter().filter(|secret| secret.token_id == app.token_id);
        Some(AppView { account, secrets: own.cloned().collect(), app })
    };
    Ok(all.into_iter().filter_map(view).collect())
}

fn may_see(caller: &Caller) -> Result<()> {
    if Act::SeePeople.allowed(&caller.effective) { Ok(()) } else { caller.may(Act::ManageApps) }
}

/// One app of the caller's org.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, client_id: &str) -> Result<AppView> {
    may_see(caller)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let (app, account) = of_org(&mut conn, caller.org().id, client_id).await?;
    let secrets = rows::secrets(&mut conn, app.token_id, ctx.now()).await?;
    Ok(AppView { app, account, secrets })
}

/// The client id of an app's account, for the answer to whoever just made it.
///
/// # Errors
/// `not_found`.
pub async fn client_id(ctx: &Ctx, account: Uuid) -> Result<String> {
    let account = people::by_id(&mut ctx.store.read().await?.conn(), account).await?;
    account.map(|account| account.identifier).ok_or_else(|| Error::not_found("app"))
}

/// Changes what was asked for an app. Its roles become just those that are named. The caller must cover what it holds, and
/// what it is to hold.
///
/// # Errors
/// As [`create`], and `not_found`, `not_covered`.
pub async fn update(ctx: &Arc<Ctx>, caller: &Caller, client_id: String, to: AppChange) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    if let Some(text) = &to.description {
        name::check_optional("description", text, name::DESCRIPTION)?;
    }
    change(ctx, caller, async move |tx, fresh| {
        let (app, mut account) = mine(tx, fresh, &client_id).await?;
        let mut terms = app.terms.clone();
        if let Some(text) = &to.display_name {
            terms.display_name.clone_from(text);
        }
        if let Some(asked) = &to.asked {
            terms.asked.clone_from(asked);
        }
        terms.life = to.life.unwrap_or(terms.life);
        terms.overlap = to.overlap.unwrap_or(terms.overlap);
        terms.owner_only = to.owner_only.unwrap_or(terms.owner_only);
        terms.other.extend(to.other.clone());
        if let Some(orgs) = &to.allowed_orgs {
            terms.allowed_orgs = guests::others(tx.conn(), app.org_id, orgs, &app.terms.allowed_orgs).await?;
            leave(tx, &fresh.actor, &app, &terms.allowed_orgs).await?;
        }
        terms.check()?;
        if app.terms.owner_only != terms.owner_only {
            must_own(fresh)?;
        }
        if to.asked.is_some() {
            let resolved = resolve(tx.conn(), fresh, &terms.asked).await?;
            arrange(tx, fresh, account.id, &resolved).await?;
        }
        let described = to.description.as_ref().filter(|text| **text != account.description);
        if terms != app.terms || described.is_some() {
            let now = tx.now();
            apps::update(tx.conn(), app.identity_id, &terms, now, fresh.account_id()).await?;
            if let Some(text) = described {
                account.description.clone_from(text);
                account.updated_at = now;
                people::update(tx.conn(), &account).await?;
            }
            let event = Event::new(EventKind::AppUpdated, account.org_id, account.id);
            let orgs: Vec<String> = terms.allowed_orgs.iter().map(Uuid::to_string).collect();
            let event = event.with("life", terms.life).with("name", terms.display_name.as_str());
            tx.record(&fresh.actor, event.with("allowed_orgs", orgs));
        }
        Ok(Outcome::of(account.id))
    })
    .await
}

/// Deletes apps, all that are named or none: their secrets and every access token that came from them are dead. A client
/// id is never used again.
///
/// # Errors
/// `missing_permission`, `not_found`, `not_covered`, `invalid_field` for none or too many.
pub async fn delete(ctx: &Arc<Ctx>, caller: &Caller, client_ids: Vec<String>) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    if !(1..=MOST_DELETED).contains(&client_ids.len()) {
        return Err(Error::invalid("clientIdsToDelete", format_args!("must be 1 to {MOST_DELETED}")));
    }
    change(ctx, caller, async move |tx, fresh| {
        let mut outcome = Outcome::default();
        for client_id in &client_ids {
            let (_, account) = mine(tx, fresh, client_id).await?;
            if account.id == fresh.account_id() {
                return Err(Error::state("an app can't delete itself"));
            }
            outcome.ids.push(account.id);
            outcome.touched += accounts::erase(tx, &fresh.actor, account).await?;
        }
        Ok(outcome)
    })
    .await
}

/// The most apps that are deleted at once.
const MOST_DELETED: usize = 100;

fn must_own(fresh: &Fresh) -> Result<()> {
    if fresh.effective.has(Permission::CspOrgOwner) { Ok(()) } else { Err(Error::missing(Permission::CspOrgOwner)) }
}
