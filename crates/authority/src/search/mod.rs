//! Finding tokens, accounts, groups and roles by conditions, in any order, a page at a time.
//!
//! The rows are found as of one moment, and what belongs to them is read after it.

pub(crate) mod accounts;
pub(crate) mod groups;
pub(crate) mod roles;
pub(crate) mod tokens;

use std::time::Duration;

use tokenhouse_model::cursor::Listed;
use tokenhouse_model::search::{Found, Match, Search};
use tokenhouse_model::{Error, Result};
use tokenhouse_store::Store;
use tokenhouse_store::search::{self as rows, Subject};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Ctx;

/// How long a search may take, whatever it looks for.
pub(crate) const TIME: Duration = Duration::from_secs(2);
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many searches may run at once: half of the connections for reading, so that lists and single rows are read
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

impl Turns {
    pub(crate) fn of(store: &Store) -> Self {
        Self(Semaphore::new(usize::try_from(store.readers() / 2).unwrap_or(1).max(1)))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        match tokio::time::timeout(PATIENCE, self.0.acquire()).await {
            Ok(permit) => permit.map_err(Error::internal),
            Err(_) => Err(Error::unavailable("too many searches are running; try again")),
        }
    }
}

/// The page of a search, with its rows bare.
async fn find<S: Subject>(ctx: &Ctx, subject: &S, search: &Search<S::Field>) -> Result<Found<S::Row>> {
    find_within(ctx, subject, search, TIME).await
}

/// The same, where it may take another time than somebody waits for an answer.
pub(crate) async fn find_within<S: Subject>(
    ctx: &Ctx,
    subject: &S,
    search: &Search<S::Field>,
    time: Duration,
) -> Result<Found<S::Row>> {
    search.check()?;
    let _turn = ctx.searches.turn().await?;
    let mut timed = ctx.store.timed(time).await?;
    let found = rows::find(&mut timed, subject, search).await;
    timed.end(found).await
}

/// How many rows a search finds, counted up to one more than `most`.
pub(crate) async fn count<S: Subject>(ctx: &Ctx, subject: &S, search: &Search<S::Field>, most: i64) -> Result<i64> {
    search.check()?;
    let _turn = ctx.searches.turn().await?;
    let mut timed = ctx.store.timed(TIME).await?;
    let counted = rows::count(&mut timed, subject, search, most).await;
    timed.end(counted).await
}

/// The distinct values of a field among what a search finds.
async fn values<S: Subject>(
    ctx: &Ctx,
    subject: &S,
    field: S::Field,
    search: &Search<S::Field>,
    narrow: Option<(Match, String)>,
) -> Result<Found<String>> {
    search.check()?;
    let _turn = ctx.searches.turn().await?;
    let mut timed = ctx.store.timed(TIME).await?;
    let found = rows::values(&mut timed, subject, field, search, narrow).await;
    timed.end(found).await
}

/// The items of what was found, as a page of a list.
fn page<T>(found: &mut Found<T>) -> Listed<T> {
    Listed { items: std::mem::take(&mut found.items), next: None }
}
