//! `/api/v2/savedsearch` (wavefront.md 6). What was saved is kept as it came: its inside is the client's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::saved;
use tokenhouse_authority::{Ctx, Outcome};
use tokenhouse_model::saved::{Entity, SavedSearch};
use tokenhouse_model::{Done, Error, Millis, Result, Uuid, id};

use super::read::{Asked, Lenient, Sent, Wavefront};
use super::search::Paged;
use super::words::{Answer, Wrapped, changed, ok};
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Path};

/// `SavedSearch` as it is sent. The other members are ours to say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Write {
    entity_type: Option<String>,
    query: Option<BTreeMap<String, String>>,
}

impl Sent for Write {}

/// `SavedSearch`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Saved {
    id: Uuid,
    entity_type: &'static str,
    query: BTreeMap<String, String>,
    user_id: String,
    creator_id: String,
    updater_id: String,
    created_epoch_millis: Millis,
    updated_epoch_millis: Millis,
}

impl Saved {
    /// One's own: so all three are oneself.
    fn new(search: SavedSearch, caller: &Caller) -> Self {
        let oneself = caller.account().map(|account| account.identifier.clone()).unwrap_or_default();
        Self {
            id: search.id,
            entity_type: search.entity.as_str(),
            query: search.query,
            user_id: oneself.clone(),
            creator_id: oneself.clone(),
            updater_id: oneself,
            created_epoch_millis: search.created_at,
            updated_epoch_millis: search.updated_at,
        }
    }
}

type One = Answer<Wrapped<Saved>>;
type Page = Answer<Wrapped<Paged<Saved>>>;

impl Write {
    fn read(self) -> Result<(Entity, BTreeMap<String, String>)> {
        let entity = self.entity_type.ok_or_else(|| Error::invalid("entityType", "is missing"))?;
        let query = self.query.ok_or_else(|| Error::invalid("query", "is missing"))?;
        Ok((kind(&entity)?, query))
    }
}

/// A path may have it in lower case.
fn kind(text: &str) -> Result<Entity> {
    Entity::parse(&text.to_ascii_uppercase())
}

/// One's own saved searches.
pub(super) async fn list(State(ctx): House, As(caller, _): Wavefront, asked: Asked) -> Reply<Page> {
    page(&ctx, &caller, None, &asked).await
}

/// One's own saved searches for one sort of thing.
pub(super) async fn list_of(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(entity): Path<String>,
    asked: Asked,
) -> Reply<Page> {
    page(&ctx, &caller, Some(kind(&entity)?), &asked).await
}

/// One of one's own.
pub(super) async fn get(State(ctx): House, As(caller, _): Wavefront, Path(search): Path<String>) -> Reply<One> {
    let found = saved::get(&ctx, &caller, id::parse("saved search", &search)?).await?;
    Ok(ok(Saved::new(found, &caller)))
}

/// Saves one.
pub(super) async fn create(State(ctx): House, As(caller, _): Wavefront, Lenient(body): Lenient<Write>) -> Reply<One> {
    let (entity, query) = body.read()?;
    let done = saved::create(&ctx, &caller, entity, query).await?;
    after(&ctx, &caller, done.value.id, done).await
}

/// Replaces one.
pub(super) async fn update(
    State(ctx): House,
    As(caller, _): Wavefront,
    Path(search): Path<String>,
    Lenient(body): Lenient<Write>,
) -> Reply<One> {
    let search = id::parse("saved search", &search)?;
    let (entity, query) = body.read()?;
    let done = saved::update(&ctx, &caller, search, entity, query).await?;
    after(&ctx, &caller, search, done).await
}

/// Deletes one, and shows it as it was.
pub(super) async fn delete(State(ctx): House, As(caller, _): Wavefront, Path(search): Path<String>) -> Reply<One> {
    let search = id::parse("saved search", &search)?;
    let found = saved::get(&ctx, &caller, search).await?;
    let done = saved::delete(&ctx, &caller, search).await?;
    Ok(changed(&done, Saved::new(found, &caller)))
}

async fn page(ctx: &Ctx, caller: &Caller, entity: Option<Entity>, asked: &Asked) -> Reply<Page> {
    let (offset, limit) = (asked.number("offset", 0)?, asked.number("limit", 100)?);
    let mut found = saved::list(ctx, caller, entity, offset, limit).await?;
    let items = std::mem::take(&mut found.items);
    let found = found.with(items.into_iter().map(|search| Saved::new(search, caller)).collect());
    Ok(ok(Paged::new(found, offset, limit, None)))
}

async fn after(ctx: &Arc<Ctx>, caller: &Caller, search: Uuid, done: Done<Outcome>) -> Reply<One> {
    let found = shown(saved::get(ctx, caller, search).await)?;
    Ok(changed(&done, Saved::new(found, caller)))
}
