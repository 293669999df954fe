//! Reading the ledger.

use tokenhouse_model::access::Act;
use tokenhouse_model::event::Recorded;
use tokenhouse_model::{Error, Result};
use tokenhouse_store::ledger;

use crate::Ctx;
use crate::caller::Caller;

/// The most events of one answer.
pub const LARGEST_PAGE: i64 = 1000;

/// The org's events after a revision, oldest first, and the revision from which the next page goes on, if there is one.
/// An operator sees those of the whole installation too.
///
/// # Errors
/// `missing_permission`, `invalid_field`.
pub async fn list(ctx: &Ctx, caller: &Caller, after: i64, limit: i64) -> Result<(Vec<Recorded>, Option<i64>)> {
    caller.may(Act::ReadLedger)?;
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Error::invalid("limit", format_args!("must be between 1 and {LARGEST_PAGE}")));
    }
    if after < 0 {
        return Err(Error::invalid("after", "must be a revision"));
    }
    let mut reader = ctx.store.read().await?;
    let mut events = if Act::ManageOrgs.allowed(&caller.effective) {
        ledger::after(&mut reader.conn(), after, limit + 1).await?
    } else {
        ledger::after_of_org(&mut reader.conn(), caller.org().id, after, limit + 1).await?
    };
    let more = i64::try_from(events.len()).unwrap_or(i64::MAX) > limit;
    if more {
        events.pop();
    }
    let next = events.last().filter(|_| more).map(|event| event.revision);
    Ok((events, next))
}
