//! The nodes: who is registered, how far each has applied the ledger, and when a receipt is confirmed by all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokenhouse_model::access::Act;
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::follow::{Acknowledged, Boot, FRESHNESS_BOUNDS, MILLISECOND, confirmed, patience};
use tokenhouse_model::{Confirmation, Done, Error, Millis, Receipt, Result, Uuid, Witness};
use tokenhouse_store::ledger;
use tokenhouse_store::nodes::{self as rows, Freshness, Node};

use crate::caller::{Caller, change};
use crate::{Ctx, Outcome};

/// How often the nodes are looked at while a receipt is waited for.
const LOOK: Duration = Duration::from_millis(15);
/// How long a confirmation may fail to read the nodes before it is given up.
const GIVE_UP: Boot = 5_000 * MILLISECOND;

/// A registered node as others see it.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Its row.
    pub node: Node,
    /// How many events of the ledger it has not acknowledged yet.
    pub behind: i64,
    /// How long ago it last beat by the database's time, in milliseconds.
    pub silent: Millis,
    /// Whether it may be answering: it beat within S plus the margin.
    pub alive: bool,
}

/// All nodes, and what they go by.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// By name.
    pub nodes: Vec<NodeView>,
    /// S, in milliseconds.
    pub freshness: Millis,
    /// The head of the ledger.
    pub head: Receipt,
}

/// Every registered node.
///
/// # Errors
/// `missing_permission`, `unavailable`.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Nodes> {
    caller.may(Act::SeeNodes)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let freshness = rows::freshness(&mut conn).await?.millis;
    let registered = rows::all(&mut conn).await?;
    let head = ledger::head(&mut conn).await?;
    let now = ctx.now();
    let limit = patience(freshness * MILLISECOND) / MILLISECOND;
    let view = |node: Node| {
        let silent = now.saturating_sub(node.beat_at).max(0);
        let behind = if node.epoch < head.epoch { head.revision } else { head.revision - node.applied };
        NodeView { behind: behind.max(0), silent, alive: silent <= limit, node }
    };
    let nodes = registered.into_iter().map(view).collect();
    Ok(Nodes { nodes, freshness, head: Receipt { epoch: head.epoch, revision: head.revision, journaled: true } })
}

/// Sets S, the time for which every node may answer from memory. Until the next change, receipts are confirmed by the
/// longer of the new one and the one before: a node may still be going by that.
///
/// # Errors
/// `missing_permission`, `invalid_field`; `unlawful_state` while the last change is not yet in force everywhere.
pub async fn set_freshness(ctx: &Arc<Ctx>, caller: &Caller, millis: Millis) -> Result<Done<Outcome>> {
    caller.may(Act::ManageNodes)?;
    if !FRESHNESS_BOUNDS.contains(&millis) {
        let (least, most) = (FRESHNESS_BOUNDS.start(), FRESHNESS_BOUNDS.end());
        return Err(Error::invalid("freshness_ms", format_args!("must be {least} to {most}")));
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageNodes)?;
        let (now, present) = (tx.now(), rows::freshness(tx.conn()).await?);
        if present.millis == millis && present.before == millis {
            return Ok(Outcome::default());
        }
        if now.saturating_sub(present.changed_at) <= patience(present.longest() * MILLISECOND) / MILLISECOND {
            return Err(Error::state("the last change of the freshness is not yet in force on every node"));
        }
        let changed = Freshness { millis, before: present.millis, changed_at: now };
        rows::set_freshness(tx.conn(), changed).await?;
        let event = Event::new(EventKind::FreshnessChanged, Uuid::nil(), Uuid::nil());
        tx.record(&fresh.actor, event.with("from", present.millis).with("millis", millis));
        Ok(Outcome::default())
    })
    .await
}

/// Waits until a receipt is confirmed: from then on no request that arrives anywhere is answered from before it.
///
/// # Errors
/// `unavailable` where the nodes can't be read, or the database that is asked does not have the change; the change
/// itself may stand all the same.
pub(crate) async fn confirm(ctx: &Ctx, receipt: &Receipt, committed: Boot) -> Result<Confirmation> {
    let mut seen: HashMap<Uuid, Witness> = HashMap::new();
    let mut trouble = None;
    // This node says by its row as every other that it has applied it; it need not wait for its next heartbeat.
    ctx.truth.wants_beat.notify_one();
    loop {
        match look(ctx, receipt).await {
            Ok((registered, freshness)) => {
                let elapsed = ctx.clock.boot().saturating_sub(committed);
                let milliseconds = elapsed / MILLISECOND;
                for node in &registered {
                    let witness = seen.entry(node.id).or_insert_with(|| witness(node));
                    (witness.epoch, witness.applied) = (node.epoch, node.applied);
                    if witness.milliseconds.is_none() && node.acknowledged().covers(receipt) {
                        witness.milliseconds = Some(milliseconds);
                    }
                }
                let told: Vec<Acknowledged> = registered.iter().map(Node::acknowledged).collect();
                if let Some(by) = confirmed(receipt, &told, elapsed, freshness) {
                    let mut nodes: Vec<Witness> = seen.into_values().collect();
                    nodes.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
                    return Ok(Confirmation { by, milliseconds, nodes });
                }
                trouble = None;
            }
            Err(error) => {
                let now = ctx.clock.boot();
                if now.saturating_sub(*trouble.get_or_insert(now)) > GIVE_UP {
                    return Err(error);
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Every registered node, and the longest S by which one may be going, in nanoseconds, as told by a database that has
/// the change. After a failover a connection may still lead to the old primary, which knows nothing of the nodes that
/// started since: it does not have the change, and this node's own row there does not acknowledge it.
async fn look(ctx: &Ctx, receipt: &Receipt) -> Result<(Vec<Node>, Boot)> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let there = ledger::place(&mut conn, receipt.revision).await?;
    if receipt.revision > 0 && there.is_none_or(|place| place.epoch > receipt.epoch) {
        return Err(Error::unavailable("the database does not have the change"));
    }
    let registered = rows::all(&mut conn).await?;
    // After the nodes: a longer S that was set before some node was seen is then seen too.
    let freshness = rows::freshness(&mut conn).await?;
    Ok((registered, freshness.longest().saturating_mul(MILLISECOND)))
}

fn witness(node: &Node) -> Witness {
    Witness { id: node.id, name: node.name.clone(), epoch: node.epoch, applied: node.applied, milliseconds: None }
}
