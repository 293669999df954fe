//! What happens beside the requests: uses are flushed, checkpoints written. What takes longer is a job ([`crate::jobs`]).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokenhouse_model::{Millis, Result};
use tokenhouse_store::tokens::Used;
use tokenhouse_store::usage::UsageDay;
use tokenhouse_store::{Tx, once, tokens, usage};

use crate::Ctx;
use crate::verify::uses::{Count, Key};

/// Tokens per transaction: few, so that a revocation never waits long behind them, nor a question on a machine with one
/// core.
const CHUNK: usize = 16;
/// A token's last use is written only when it is so much newer than what the row says, in milliseconds.
const NEWER: Millis = 60_000;

/// Waits until a secret was used whose kept answer should go, see [`forget_young`].
pub async fn bell(ctx: &Ctx) {
    ctx.uses.bell.notified().await;
}

/// Forgets kept answers whose secrets were used since: they arrived.
///
/// # Errors
/// `unavailable`; they are forgotten the next time.
pub async fn forget_young(ctx: &Arc<Ctx>) -> Result<()> {
    loop {
        let secrets = Arc::new(ctx.uses.take_young(CHUNK));
        if secrets.is_empty() {
            return Ok(());
        }
        let going = secrets.clone();
        let forgotten = ctx.store.write(async move |tx: &mut Tx<'_>| {
            for secret in going.iter() {
                once::purge_secret(tx.conn(), *secret).await?;
            }
            Ok(())
        });
        if let Err(error) = forgotten.await {
            ctx.uses.give_young_back(secrets.to_vec());
            return Err(error);
        }
    }
}

/// Writes all that was counted and is not written yet.
///
/// # Errors
/// `unavailable`; the counts are kept for the next time.
pub async fn flush_uses(ctx: &Arc<Ctx>) -> Result<()> {
    forget_young(ctx).await?;
    while flush(ctx, Millis::MAX).await? {}
    Ok(())
}

/// Writes, in one small transaction, some of what was counted and is due; whether there was any.
///
/// # Errors
/// `unavailable`; the counts are kept for the next time.
pub async fn flush_due(ctx: &Arc<Ctx>) -> Result<bool> {
    flush(ctx, ctx.clock.now()).await
}

async fn flush(ctx: &Arc<Ctx>, due: Millis) -> Result<bool> {
    let counts = Arc::new(ctx.uses.take(due, CHUNK, ctx.clock.now()));
    if counts.is_empty() {
        return Ok(false);
    }
    let writing = counts.clone();
    let written = ctx.store.write(async move |tx: &mut Tx<'_>| write(tx, &writing).await).await;
    if let Err(error) = written {
        ctx.uses.give_back(counts.to_vec());
        return Err(error);
    }
    Ok(true)
}

async fn write(tx: &mut Tx<'_>, counts: &[(Key, Count)]) -> Result<()> {
    let joined = |addresses: &[IpAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let (mut days, mut last) = (Vec::with_capacity(counts.len()), BTreeMap::new());
    for ((token_id, day, refused), count) in counts {
        days.push(UsageDay {
            token_id: *token_id,
            day: *day,
            outcome: refused.map_or("good", |reason| reason.as_str()).to_owned(),
            uses: count.uses,
            last_at: count.last_at,
            addresses: joined(&count.addresses),
        });
        let used = Used { token: *token_id, at: count.last_at, address: joined(count.last_address.as_slice()) };
        if refused.is_none() && last.get(token_id).is_none_or(|there: &Used| there.at < used.at) {
            last.insert(*token_id, used);
        }
    }
    usage::add(tx.conn(), &days).await?;
    tokens::used(tx.conn(), &last.into_values().collect::<Vec<_>>(), NEWER).await
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
