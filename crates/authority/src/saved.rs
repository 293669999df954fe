//! Searches that somebody keeps: everybody his own.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokenhouse_model::cursor::LARGEST_PAGE;
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::saved::{self, Entity, SavedSearch};
use tokenhouse_model::search::Found;
use tokenhouse_model::{Done, Error, Result, Uuid, id};
use tokenhouse_store::{Conn, saved as rows};

use crate::caller::{Caller, change};
use crate::{Ctx, Outcome};

/// The caller's searches in the order of their making, of one entity or all.
///
/// # Errors
/// `invalid_field`, `forbidden` for an org token.
pub async fn list(
    ctx: &Ctx,
    caller: &Caller,
    entity: Option<Entity>,
    offset: u32,
    limit: u32,
) -> Result<Found<SavedSearch>> {
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Error::invalid("limit", format_args!("must be between 1 and {LARGEST_PAGE}")));
    }
    let own = account(caller.account_id())?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let items = rows::list(&mut conn, own, entity, i64::from(offset), i64::from(limit)).await?;
    let total = rows::count(&mut conn, own, entity).await?;
    let end = i64::from(offset) + i64::try_from(items.len()).unwrap_or(i64::MAX);
    Ok(Found { more: end < total && !items.is_empty(), items, total, cursor: None })
}

/// One of the caller's searches.
///
/// # Errors
/// `not_found`, also for another's; `forbidden` for an org token.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<SavedSearch> {
    let own = account(caller.account_id())?;
    of_account(&mut ctx.store.read().await?.conn(), own, id).await
}

/// Keeps a search.
///
/// # Errors
/// `invalid_field`, `limit_reached`, `forbidden` for an org token.
pub async fn create(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    entity: Entity,
    query: BTreeMap<String, String>,
) -> Result<Done<Outcome>> {
    saved::check(&query)?;
    let id = id::new(ctx.now(), &ctx.random);
    change(ctx, caller, async move |tx, fresh| {
        let own = account(fresh.account_id())?;
        if rows::count(tx.conn(), own, None).await? >= saved::MOST {
            return Err(Error::limit("saved searches per account", saved::MOST));
        }
        let (org_id, now) = (fresh.org.id, tx.now());
        let saved = SavedSearch {
            id,
            org_id,
            account_id: own,
            entity,
            query: query.clone(),
            created_by: own,
            created_at: now,
            updated_by: own,
            updated_at: now,
        };
        rows::insert(tx.conn(), &saved).await?;
        let event = Event::new(EventKind::SavedSearchCreated, org_id, id).with("entity", entity.as_str());
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(id))
    })
    .await
}

/// Changes one of the caller's searches.
///
/// # Errors
/// `invalid_field`, `not_found`, also for another's; `forbidden` for an org token.
pub async fn update(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    id: Uuid,
    entity: Entity,
    query: BTreeMap<String, String>,
) -> Result<Done<Outcome>> {
    saved::check(&query)?;
    change(ctx, caller, async move |tx, fresh| {
        let own = account(fresh.account_id())?;
        let before = of_account(tx.conn(), own, id).await?;
        if (before.entity, &before.query) != (entity, &query) {
            let now = tx.now();
            let saved = SavedSearch { entity, query: query.clone(), updated_by: own, updated_at: now, ..before };
            rows::update(tx.conn(), &saved).await?;
            let event = Event::new(EventKind::SavedSearchUpdated, saved.org_id, id).with("entity", entity.as_str());
            tx.record(&fresh.actor, event);
        }
        Ok(Outcome::of(id))
    })
    .await
}

/// Removes one of the caller's searches.
///
/// # Errors
/// `not_found`, also for another's; `forbidden` for an org token.
pub async fn delete(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        let own = account(fresh.account_id())?;
        let saved = of_account(tx.conn(), own, id).await?;
        rows::delete(tx.conn(), id).await?;
        let event = Event::new(EventKind::SavedSearchDeleted, saved.org_id, id).with("entity", saved.entity.as_str());
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(id))
    })
    .await
}

/// Whose searches they are; an org token is nobody's.
fn account(id: Uuid) -> Result<Uuid> {
    if id.is_nil() { Err(Error::forbidden("an org's token keeps no searches")) } else { Ok(id) }
}

async fn of_account(conn: &mut Conn<'_>, account: Uuid, id: Uuid) -> Result<SavedSearch> {
    rows::by_id(conn, account, id).await?.ok_or_else(|| Error::not_found("saved search"))
}
