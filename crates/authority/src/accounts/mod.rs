//! Accounts: memberships in an org. Making them is in [`create`], changing them as a whole in [`set`], and what is asked
//! of many at once in [`several`].

mod create;
mod set;
mod several;

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::{Account, Done, Error, PermissionSet, Result, Uuid, grant, name};
use tokenhouse_store::{Conn, Tx, accounts, roles};

pub use crate::search::accounts::{search, values};
pub use create::{Holdings, NewAccount, create, create_many};
pub(crate) use create::{draft, make};
pub(crate) use set::assignments;
pub use set::{Wanted, set};
pub(crate) use several::erase;
pub use several::{delete_many, holding, resolve};
pub use tokenhouse_model::account::{AccountKind as Kind, AccountState as State};

use crate::caller::{Caller, Fresh, change};
use crate::views::{self, AccountView};
use crate::{Ctx, Outcome};

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
    let mut held: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    let own = view.given.iter().map(|given| (None, given));
    let through = view.groups.iter().flat_map(|group| group.given.iter().map(move |given| (Some(&group.group), given)));
    for (group, given) in own.chain(through) {
        let group = group.map(|group| format!("group:{}", group.name));
        let role = given.role.as_ref().map(|role| format!("role:{}", role.name));
        let through = [group, role].into_iter().flatten().collect::<Vec<_>>().join(" ");
        for permission in given.permissions.names() {
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
    alter(ctx, caller, id, async move |tx, fresh, mut account| {
        reword(tx, &fresh.actor, &mut account, &description).await?;
        Ok(Outcome::of(account.id))
    })
    .await
}

async fn reword(tx: &mut Tx<'_>, actor: &Actor, account: &mut Account, description: &str) -> Result<()> {
    if account.description != description {
        description.clone_into(&mut account.description);
        account.updated_at = tx.now();
        accounts::update(tx.conn(), account).await?;
        tx.record(actor, Event::new(EventKind::AccountUpdated, account.org_id, account.id));
    }
    Ok(())
}

/// Lets an account's tokens work again.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn activate(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    alter(ctx, caller, id, async |tx, fresh, account| {
        let id = account.id;
        switch_on(tx, &fresh.actor, account).await?;
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
/// `missing_permission`, `not_covered` for one of a higher rank, `not_found`, `unlawful_state`.
pub async fn deactivate(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    not_oneself(caller, id)?;
    alter(ctx, caller, id, async |tx, fresh, account| {
        let id = account.id;
        not_above(tx, fresh, id).await?;
        switch_off(tx, &fresh.actor, account).await?;
        Ok(Outcome::of(id))
    })
    .await
}

async fn switch_off(tx: &mut Tx<'_>, actor: &Actor, mut account: Account) -> Result<()> {
    if account.state == AccountState::Active {
        account.state = AccountState::Inactive;
        account.updated_at = tx.now();
        accounts::update(tx.conn(), &account).await?;
        let event = Event::new(EventKind::AccountDeactivated, account.org_id, account.id);
        tx.record(actor, event.removing(Removal::AccountInactive { id: account.id }));
    }
    Ok(())
}

/// Deletes an account: its tokens are revoked, what it held is gone, its row stays as a tombstone. The same identifier
/// made again is another account.
///
/// # Errors
/// As [`deactivate`].
pub async fn delete(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    not_oneself(caller, id)?;
    alter(ctx, caller, id, async |tx, fresh, account| {
        let id = account.id;
        not_above(tx, fresh, id).await?;
        Ok(Outcome { touched: several::erase(tx, &fresh.actor, account).await?, ..Outcome::of(id) })
    })
    .await
}

/// Refuses a caller who stands below somebody whom he is to switch off or delete.
async fn not_above(tx: &mut Tx<'_>, fresh: &Fresh, id: Uuid) -> Result<()> {
    let holds = held(tx, id).await?;
    grant::dismiss(&fresh.effective, &holds)
}

fn not_oneself(caller: &Caller, id: Uuid) -> Result<()> {
    if id == caller.account_id() {
        return Err(Error::state("you can't do that to your own account; ask another administrator"));
    }
    Ok(())
}

async fn alter<F>(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, alteration: F) -> Result<Done<Outcome>>
where
    F: AsyncFn(&mut Tx<'_>, &Fresh, Account) -> Result<Outcome> + Send + 'static,
{
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let account = of_org(tx.conn(), fresh.org.id, id).await?;
        alteration(tx, fresh, account).await
    })
    .await
}

/// What an account holds now.
pub(crate) async fn held(tx: &mut Tx<'_>, id: Uuid) -> Result<PermissionSet> {
    let now = tx.now();
    roles::held(tx.conn(), id, now).await
}
