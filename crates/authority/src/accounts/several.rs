//! What is asked of many accounts at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::{Account, Done, Error, Result, Uuid, name, permission};
use tokenhouse_store::{Tx, accounts, apps, groups, holders, once, roles, saved, tokens};

use super::{not_above, not_oneself};
use crate::caller::{Caller, change};
use crate::views::{self, AccountView};
use crate::{Ctx, Outcome};

/// The most accounts that are deleted at once.
pub const MOST_DELETED: usize = 500;
/// The most accounts that are looked up at once.
pub const MOST_RESOLVED: usize = 1000;

/// Deletes accounts, all or none of those that are there; the outcome's `ids` tell which were.
///
/// It is one transaction: the statements for an account are few however many tokens it has, so that the largest number
/// holds up the writer for less than a second, and a repeated request gets the same answer.
///
/// # Errors
/// `missing_permission`, `not_covered` for one of a higher rank, `unlawful_state` where one's own account is among them, `invalid_field` for too many.
pub async fn delete_many(ctx: &Arc<Ctx>, caller: &Caller, ids: Vec<Uuid>) -> Result<Done<Outcome>> {
    if ids.len() > MOST_DELETED {
        return Err(Error::invalid("accounts", format_args!("must be at most {MOST_DELETED}")));
    }
    ids.iter().try_for_each(|id| not_oneself(caller, *id))?;
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageAccounts)?;
        let found = accounts::by_ids(tx.conn(), &ids).await?;
        let mut found: HashMap<Uuid, Account> = found.into_iter().map(|account| (account.id, account)).collect();
        let mut outcome = Outcome::default();
        for id in &ids {
            let Some(account) = found.remove(id) else { continue };
            if account.org_id == fresh.org.id && !account.deleted() {
                not_above(tx, fresh, account.id).await?;
                outcome.touched += erase(tx, &fresh.actor, account).await?;
                outcome.ids.push(*id);
            }
        }
        Ok(outcome)
    })
    .await
}

/// Deletes an account within a transaction; tells how many tokens were revoked with it.
pub(crate) async fn erase(tx: &mut Tx<'_>, actor: &Actor, mut account: Account) -> Result<i64> {
    let now = tx.now();
    if account.kind == AccountKind::App
        && let Some(app) = apps::by_account(tx.conn(), account.id).await?
    {
        // An app that is not in its own org any more is nowhere.
        crate::apps::leave(tx, actor, &app, &[]).await?;
    }
    tokens::end_secrets_of_owner(tx.conn(), account.id, now).await?;
    once::purge_owner(tx.conn(), account.id).await?;
    let revoked = tokens::revoke_of_owner(tx.conn(), account.id, now).await?;
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
    Ok(i64::try_from(revoked).unwrap_or(i64::MAX))
}

/// Looks accounts up by their ids or identifiers; what is not there stands with nothing.
///
/// # Errors
/// `missing_permission`, `invalid_field` for too many.
pub async fn resolve(ctx: &Ctx, caller: &Caller, texts: Vec<String>) -> Result<Vec<(String, Option<AccountView>)>> {
    caller.may(Act::SeePeople)?;
    if texts.len() > MOST_RESOLVED {
        return Err(Error::invalid("accounts", format_args!("must be at most {MOST_RESOLVED}")));
    }
    let org = caller.org().id;
    let ids: BTreeSet<Uuid> = texts.iter().filter_map(|text| Uuid::try_parse(text).ok()).collect();
    let folded: BTreeSet<String> = texts.iter().filter_map(|text| name::findable(text, name::IDENTIFIER)).collect();
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let mut items = accounts::by_identifiers(&mut conn, org, &folded.into_iter().collect::<Vec<_>>()).await?;
    let by_id = accounts::by_ids(&mut conn, &ids.into_iter().collect::<Vec<_>>()).await?;
    items.extend(by_id.into_iter().filter(|account| account.org_id == org && !account.deleted()));
    items.sort_by_key(|account| account.id);
    items.dedup_by_key(|account| account.id);
    let views = views::accounts(&mut conn, Listed { items, next: None }, ctx.now()).await?.items;
    let by_id: HashMap<Uuid, &AccountView> = views.iter().map(|view| (view.account.id, view)).collect();
    let by_name: HashMap<&str, &AccountView> =
        views.iter().map(|view| (view.account.identifier_fold.as_str(), view)).collect();
    let found = |text: &str| match Uuid::try_parse(text) {
        Ok(id) => by_id.get(&id).copied().cloned(),
        Err(_) => by_name.get(name::fold(text).as_str()).copied().cloned(),
    };
    Ok(texts.iter().map(|text| (text.clone(), found(text))).collect())
}

/// The org's user accounts that hold a permission: directly, through roles, or through groups.
///
/// # Errors
/// `missing_permission`, `invalid_field` for what is no permission.
pub async fn holding(ctx: &Ctx, caller: &Caller, text: &str, page: Page) -> Result<Listed<AccountView>> {
    caller.may(Act::SeePeople)?;
    permission::check(text)?;
    let (org, now, limit) = (caller.org().id, ctx.now(), i64::from(page.limit) + 1);
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let held = holders::holding(&mut conn, org, text, now, page.cursor.after, limit).await?;
    views::accounts(&mut conn, page.cut(held, |account| account.id), now).await
}
