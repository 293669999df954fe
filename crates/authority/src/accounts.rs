//! Accounts: memberships in an org.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState, check_password};
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::{Account, Done, Error, PermissionSet, Result, SecretText, Uuid, id, name};
use tokenhouse_store::{Conn, Tx, accounts, groups, roles, saved, tokens};

pub use crate::search::accounts::{search, values};
pub use tokenhouse_model::account::{AccountKind as Kind, AccountState as State};

use crate::caller::{Caller, change};
use crate::tokens::ending;
use crate::views::{self, AccountView, Given};
use crate::{Ctx, Outcome, orgs, passwords};

/// A new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// A user or a service account.
    pub kind: AccountKind,
    /// E-mail address or `sa::name`.
    pub identifier: String,
    /// Free text.
    pub description: String,
    /// The password of a person who is new to this installation.
    pub password: Option<SecretText>,
}

/// The org's living account of this id.
pub(crate) async fn of_org(conn: &mut Conn<'_>, org: Uuid, id: Uuid) -> Result<Account> {
    let account = accounts::by_id(conn, id).await?;
    account.filter(|account| account.org_id == org && !account.deleted()).ok_or_else(|| Error::not_found("account"))
}

/// Finds an account of the caller's org by its id or its identifier.
///
/// # Errors
/// `not_found`.
pub async fn find(ctx: &Ctx, caller: &Caller, text: &str) -> Result<Uuid> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id);
    }
    let folded = name::findable(text, name::IDENTIFIER).ok_or_else(|| Error::not_found("account"))?;
    let mut reader = ctx.store.read().await?;
    let found = accounts::by_identifier(&mut reader.conn(), caller.org().id, &folded).await?;
    found.map(|account| account.id).ok_or_else(|| Error::not_found("account"))
}

/// Makes an account. It holds nothing until it is given something.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `duplicate`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: NewAccount) -> Result<Done<Outcome>> {
    caller.may(Act::ManageAccounts)?;
    name::check_optional("description", &new.description, name::DESCRIPTION)?;
    let identifier = match new.kind {
        AccountKind::User => name::email("identifier", &new.identifier)?,
        AccountKind::Service => name::service("identifier", &new.identifier)?,
        AccountKind::App => return Err(Error::invalid("kind", "must be user or service")),
    };
    if new.kind != AccountKind::User && new.password.is_some() {
        return Err(Error::invalid("password", "is for persons only"));
    }
    let hash = match new.password {
        None => None,
        Some(password) => {
            check_password(password.expose())?;
            Some(passwords::hash(ctx, password).await?)
        }
    };
    let now = ctx.now();
    let (account_id, identity_id) = (id::new(now, &ctx.random), id::new(now, &ctx.random));
    let (kind, description) = (new.kind, new.description);
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let now = tx.now();
        if accounts::by_identifier(tx.conn(), fresh.org.id, &identifier).await?.is_some() {
            return Err(Error::duplicate("an account"));
        }
        let identity_id = match kind {
            AccountKind::User => match accounts::identity_by_login(tx.conn(), &identifier).await? {
                Some(_) if hash.is_some() => {
                    return Err(Error::invalid("password", "can't be set: this person is known here and has his own"));
                }
                Some(known) => known.id,
                None => {
                    let hash = hash.clone().unwrap_or_default();
                    let person = orgs::person(identity_id, &identifier, hash, fresh.org.id, now);
                    accounts::insert_identity(tx.conn(), &person).await?;
                    identity_id
                }
            },
            AccountKind::Service | AccountKind::App => Uuid::nil(),
        };
        let account = Account {
            id: account_id,
            org_id: fresh.org.id,
            identity_id,
            kind,
            identifier: identifier.clone(),
            identifier_fold: identifier.clone(),
            description: description.clone(),
            state: AccountState::Active,
            created_at: now,
            created_by: fresh.account_id(),
            updated_at: now,
            tombstone: Uuid::nil(),
        };
        accounts::insert(tx.conn(), &account).await?;
        let event = Event::new(EventKind::AccountCreated, account.org_id, account.id)
            .with("identifier", account.identifier.as_str())
            .with("kind", account.kind.as_str());
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(account.id))
    })
    .await
}

/// What a list of accounts is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this kind.
    pub kind: Option<AccountKind>,
    /// Only in this state.
    pub state: Option<AccountState>,
    /// Only identifiers that begin so.
    pub prefix: Option<String>,
}

/// The org's accounts.
///
/// # Errors
/// `missing_permission`, `invalid_field`.
pub async fn list(ctx: &Ctx, caller: &Caller, filter: Filter, page: Page) -> Result<Listed<AccountView>> {
    caller.may(Act::SeePeople)?;
    let prefix = filter.prefix.unwrap_or_default();
    name::check_optional("prefix", &prefix, name::IDENTIFIER)?;
    let filter = accounts::Filter { kind: filter.kind, state: filter.state, prefix: name::fold(&prefix) };
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let limit = i64::from(page.limit) + 1;
    let listed = accounts::list(&mut conn, caller.org().id, &filter, page.cursor.after, limit).await?;
    views::accounts(&mut conn, page.cut(listed, |account| account.id), ctx.now()).await
}

/// One account. Everyone may see his own.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<AccountView> {
    if id != caller.account_id() {
        caller.may(Act::SeePeople)?;
    }
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let account = of_org(&mut conn, caller.org().id, id).await?;
    views::single(views::accounts(&mut conn, views::one(account), ctx.now()).await?, "account")
}

/// An account as it is now, for the answer to whoever just changed it: that he may was decided with the change.
///
/// # Errors
/// `not_found`.
pub async fn just_changed(ctx: &Ctx, id: Uuid) -> Result<AccountView> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let account = accounts::by_id(&mut conn, id).await?.ok_or_else(|| Error::not_found("account"))?;
    views::single(views::accounts(&mut conn, views::one(account), ctx.now()).await?, "account")
}

/// A permission and through what it is held.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its string.
    pub permission: String,
    /// `direct`, `role:NAME`, `group:NAME` or `group:NAME role:NAME`.
    pub through: Vec<String>,
}

/// What an account holds, directly and inherited.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn permissions(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Vec<Held>> {
    let view = get(ctx, caller, id).await?;
    let mut reader = ctx.store.read().await?;
    let sources = roles::sources(&mut reader.conn(), id, ctx.now()).await?;
    let mut held: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for source in sources {
        let group =
            view.groups.iter().find(|(group, _)| *group == source.holder).map(|(_, name)| format!("group:{name}"));
        let given = Given::from(source);
        let role = given.role.map(|(_, name)| format!("role:{name}"));
        let through = [group, role].into_iter().flatten().collect::<Vec<_>>().join(" ");
        for permission in given.permissions {
            let through = if through.is_empty() { "direct".to_owned() } else { through.clone() };
            held.entry(permission).or_default().push(through);
        }
    }
    Ok(held.into_iter().map(|(permission, through)| Held { permission, through }).collect())
}

/// Changes an account's description.
///
/// # Errors
/// `missing_permission`, `not_found`, `invalid_field`.
pub async fn describe(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, description: String) -> Result<Done<Outcome>> {
    name::check_optional("description", &description, name::DESCRIPTION)?;
    alter(ctx, caller, id, async move |tx, actor, mut account| {
        if account.description != description {
            account.description.clone_from(&description);
            account.updated_at = tx.now();
            accounts::update(tx.conn(), &account).await?;
            tx.record(actor, Event::new(EventKind::AccountUpdated, account.org_id, account.id));
        }
        Ok(Outcome::of(account.id))
    })
    .await
}

/// Lets an account's tokens work again.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn activate(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    alter(ctx, caller, id, async |tx, actor, account| {
        let id = account.id;
        switch_on(tx, actor, account).await?;
        Ok(Outcome::of(id))
    })
    .await
}

pub(crate) async fn switch_on(tx: &mut Tx<'_>, actor: &Actor, mut account: Account) -> Result<()> {
    if account.state != AccountState::Active {
        account.state = AccountState::Active;
        account.updated_at = tx.now();
        accounts::update(tx.conn(), &account).await?;
        tx.record(actor, Event::new(EventKind::AccountActivated, account.org_id, account.id));
    }
    Ok(())
}

/// Stops an account's tokens. One's own is refused: it would be the last thing that one did.
///
/// # Errors
/// `missing_permission`, `not_found`, `unlawful_state`.
pub async fn deactivate(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    not_oneself(caller, id)?;
    alter(ctx, caller, id, async |tx, actor, mut account| {
        if account.state == AccountState::Active {
            account.state = AccountState::Inactive;
            account.updated_at = tx.now();
            accounts::update(tx.conn(), &account).await?;
            let event = Event::new(EventKind::AccountDeactivated, account.org_id, account.id);
            tx.record(actor, event.removing(Removal::AccountInactive { id: account.id }));
        }
        Ok(Outcome::of(account.id))
    })
    .await
}

/// Deletes an account: its tokens are revoked, what it held is gone, its row stays as a tombstone. The same identifier
/// made again is another account.
///
/// # Errors
/// `missing_permission`, `not_found`, `unlawful_state`.
pub async fn delete(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    not_oneself(caller, id)?;
    alter(ctx, caller, id, async |tx, actor, mut account| {
        let now = tx.now();
        let mut revoked = 0;
        let mut after = Uuid::nil();
        loop {
            let tokens = tokens::live_of(tx.conn(), account.id, after, 500).await?;
            let Some(last) = tokens.last() else { break };
            after = last.id;
            for token in tokens {
                ending::revoke(tx, token).await?;
                revoked += 1;
            }
        }
        groups::remove_from_all(tx.conn(), account.id).await?;
        saved::delete_all(tx.conn(), account.id).await?;
        roles::strip(tx.conn(), account.id).await?;
        account.state = AccountState::Inactive;
        account.tombstone = account.id;
        account.updated_at = now;
        accounts::update(tx.conn(), &account).await?;
        let event = Event::new(EventKind::AccountDeleted, account.org_id, account.id)
            .with("identifier", account.identifier.as_str())
            .with("tokens_revoked", revoked)
            .removing(Removal::Account { id: account.id });
        tx.record(actor, event);
        Ok(Outcome { touched: revoked, ..Outcome::of(account.id) })
    })
    .await
}

fn not_oneself(caller: &Caller, id: Uuid) -> Result<()> {
    if id == caller.account_id() {
        return Err(Error::state("you can't do that to your own account; ask another administrator"));
    }
    Ok(())
}

async fn alter<F>(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, alteration: F) -> Result<Done<Outcome>>
where
    F: AsyncFn(&mut Tx<'_>, &Actor, Account) -> Result<Outcome> + Send + 'static,
{
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let account = of_org(tx.conn(), fresh.org.id, id).await?;
        alteration(tx, &fresh.actor, account).await
    })
    .await
}

/// What an account holds now.
pub(crate) async fn held(tx: &mut Tx<'_>, id: Uuid) -> Result<PermissionSet> {
    let now = tx.now();
    roles::held(tx.conn(), id, now).await
}
