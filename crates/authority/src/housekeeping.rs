//! What happens beside the requests: uses are flushed, checkpoints written. What takes longer is a job ([`crate::jobs`]).

use std::sync::Arc;

use tokenhouse_model::{Millis, Result};
use tokenhouse_store::usage::UsageDay;
use tokenhouse_store::{Tx, once, tokens, usage};

use crate::Ctx;
use crate::verify::uses::{Key, Taken};

/// Counters per transaction: small, so that a revocation never waits long behind them.
const CHUNK: usize = 50;
/// A token's last use is written only when it is so much newer than what the row says, in milliseconds.
const NEWER: Millis = 60_000;

/// Waits until a flush is worth it before its time: a secret whose kept answer should go was used.
pub async fn bell(ctx: &Ctx) {
    ctx.uses.bell.notified().await;
}

/// Writes what was counted since the last time.
///
/// # Errors
/// `unavailable`; the counts are kept for the next time.
pub async fn flush_uses(ctx: &Arc<Ctx>) -> Result<()> {
    let mut taken = ctx.uses.take();
    while !taken.counts.is_empty() || !taken.fresh.is_empty() {
        let counts = taken.counts.split_off(taken.counts.len().saturating_sub(CHUNK));
        let fresh = taken.fresh.split_off(taken.fresh.len().saturating_sub(CHUNK));
        let chunk = Arc::new(Taken { counts, fresh });
        let writing = chunk.clone();
        let written = ctx.store.write(async move |tx: &mut Tx<'_>| write(tx, &writing).await).await;
        if let Err(error) = written {
            ctx.uses.give_back(taken);
            if let Ok(chunk) = Arc::try_unwrap(chunk) {
                ctx.uses.give_back(chunk);
            }
            return Err(error);
        }
    }
    Ok(())
}

async fn write(tx: &mut Tx<'_>, chunk: &Taken) -> Result<()> {
    for secret in &chunk.fresh {
        once::purge_secret(tx.conn(), *secret).await?;
    }
    for (key, count) in &chunk.counts {
        let (token_id, day, refused) = *key as Key;
        let addresses: Vec<String> = count.addresses.iter().map(ToString::to_string).collect();
        let row = UsageDay {
            token_id,
            day,
            outcome: refused.map_or("good", |reason| reason.as_str()).to_owned(),
            uses: count.uses,
            last_at: count.last_at,
            addresses: addresses.join(" "),
        };
        usage::add(tx.conn(), &row).await?;
        if refused.is_some() {
            continue;
        }
        let known = tokens::by_id(tx.conn(), token_id).await?.map_or(0, |token| token.last_used_at);
        if known == 0 || count.last_at - known >= NEWER {
            let address = count.last_address.map(|address| address.to_string()).unwrap_or_default();
            tokens::used(tx.conn(), token_id, count.last_at, &address).await?;
        }
    }
    Ok(())
}

/// Writes a checkpoint to the journal if the ledger went on.
///
/// # Errors
/// `unavailable`, `internal` where the journal can't be written.
pub async fn checkpoint(ctx: &Ctx) -> Result<()> {
    ctx.store.checkpoint().await
}

/// How far a node's wall clock may be off its database's before it is not ready, in milliseconds.
const CLOCK_OFF: Millis = 5_000;

/// How this node is.
#[derive(Debug)]
pub struct Health {
    /// Whether it can tell the truth: heartbeats get through and the ledger is applied. If not, why.
    pub fresh: std::result::Result<(), String>,
    /// How far its wall clock is ahead of the database's, in milliseconds, where that is too far.
    pub clock_off: Option<Millis>,
    /// Why the journal can't be written, while it can't: revocations stand in the database alone.
    pub journal: Option<String>,
}

/// Looks how this node is. Nothing is asked for it: the heartbeats tell.
pub fn health(ctx: &Ctx) -> Health {
    let pulse = ctx.truth.pulse();
    let fresh = if ctx.truth.board.fresh(ctx.clock.boot()) {
        Ok(())
    } else {
        let unapplied = "the ledger is not applied up to the last heartbeat";
        let why = if pulse.following { unapplied } else { "this node starts, stops, or repairs lost history" };
        Err(pulse.failing.unwrap_or_else(|| why.to_owned()))
    };
    let clock_off = (pulse.clock_ahead.abs() > CLOCK_OFF).then_some(pulse.clock_ahead);
    Health { fresh, clock_off, journal: ctx.store.journal_failure() }
}

/// Answers nothing any more, leaves the list of nodes, writes what is in memory and gives the connections back.
pub async fn close(ctx: &Arc<Ctx>) {
    crate::pulse::leave(ctx).await;
    if let Err(error) = flush_uses(ctx).await {
        tracing::warn!(%error, "the last uses could not be written");
    }
    if let Err(error) = crate::jobs::release(ctx).await {
        tracing::warn!(%error, "a job could not be given back; it goes on when its lease is over");
    }
    if let Err(error) = checkpoint(ctx).await {
        tracing::warn!(%error, "the last checkpoint could not be written");
    }
    ctx.store.close().await;
}
