//! The pulse of a node: heartbeats that keep it fresh, and the feed of events that keeps what it remembers true.
//!
//! Both run on a thread of their own with connections of their own, so that no load of requests can make them late.

use std::sync::Arc;
use std::time::Duration;

use tokenhouse_model::chain::GENESIS;
use tokenhouse_model::env::Clock;
use tokenhouse_model::follow::{Boot, patience};
use tokenhouse_model::{Error, Result};
use tokenhouse_store::nodes::Node;
use tokenhouse_store::{Feed, Heard, Heart, Store};
use tokio::sync::{Notify, watch};

use crate::Ctx;
use crate::verify::Truth;

/// How often new events are asked for.
const POLL: Duration = Duration::from_millis(50);
/// Events of one question.
const PAGE: i64 = 500;
/// How long a question of the feed may take.
const FEED_TIME: Duration = Duration::from_secs(2);
/// The least that a heartbeat is given to be committed; S if that is longer, since a later one is of no use.
const LEAST_TIME: Duration = Duration::from_millis(500);
/// How long to wait before a repair that failed is tried again.
const REPAIR_AGAIN: Duration = Duration::from_millis(500);

/// The running pulse of a context.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Arc<Notify>,
    ended: watch::Receiver<()>,
}

/// What the thread works with.
struct Thread {
    store: Store,
    clock: Clock,
    truth: Arc<Truth>,
    node: Node,
    stop: Arc<Notify>,
}

/// Registers this node and keeps it fresh from now on. Until then nothing can be verified.
///
/// # Errors
/// `unavailable`, `conflict` for a context that was joined before.
pub async fn join(ctx: &Ctx) -> Result<()> {
    let now = ctx.clock.now();
    let node = Node {
        id: ctx.node,
        name: ctx.settings.name.clone(),
        started_at: now,
        beat_at: now,
        beats: 0,
        epoch: 0,
        applied: 0,
    };
    let (truth, stop) = (ctx.truth.clone(), Arc::new(Notify::new()));
    ctx.store.followed_by(truth.clone());
    let mut thread = Thread { store: ctx.store.clone(), clock: ctx.clock.clone(), truth, node, stop: stop.clone() };
    let mut heart = thread.register(Boot::MIN).await?;
    // The heartbeat that registers makes nothing fresh; this one does, so that the first request need not wait.
    thread.once(&mut heart, &[]).await?;
    let (alive, ended) = watch::channel(());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
    let spawned = std::thread::Builder::new().name("tokenhouse-pulse".to_owned()).spawn(move || {
        runtime.block_on(thread.live(heart));
        drop(alive);
    });
    spawned.map_err(Error::internal)?;
    ctx.pulse.set(Running { stop, ended }).map_err(|_| Error::internal("this node has joined already"))
}

/// Answers nothing any more and takes this node off the list, so that nobody waits for it.
pub async fn leave(ctx: &Ctx) {
    let Some(running) = ctx.pulse.get() else { return };
    running.stop.notify_one();
    let mut ended = running.ended.clone();
    while ended.changed().await.is_ok() {}
}

impl Thread {
    /// Registers this node; a heartbeat as any other, but what it returns is where this node begins, held back until
    /// this moment.
    async fn register(&mut self, held: Boot) -> Result<Heart> {
        let mut heart = self.store.heart();
        self.node.beats += 1;
        (self.node.epoch, self.node.applied) = (0, 0);
        let sent = self.clock.boot();
        let heard = heart.beat(&self.node, GENESIS, &[]).await?;
        self.listen(sent, &heard);
        self.truth.join(sent, &heard, held);
        Ok(heart)
    }

    async fn live(&mut self, heart: Heart) {
        let (stop, truth, store) = (self.stop.clone(), self.truth.clone(), self.store.clone());
        tokio::select! {
            () = stop.notified() => {}
            () = self.beat(heart) => {}
            () = follow(&truth, &store) => {}
        }
        self.truth.leave();
        let mut heart = self.store.heart();
        match tokio::time::timeout(FEED_TIME, heart.leave(self.node.id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "this node could not be taken off the list"),
            Err(_) => tracing::warn!("this node could not be taken off the list in time"),
        }
    }

    /// Beats every S/3, and sooner where somebody waits for it, until this future is dropped.
    async fn beat(&mut self, mut heart: Heart) {
        let mut gone: Vec<Node> = Vec::new();
        loop {
            if self.truth.position().is_none() {
                heart = self.repair().await;
            }
            let freshness = self.truth.freshness();
            let time = duration(freshness).max(LEAST_TIME);
            let begun = self.clock.boot();
            match tokio::time::timeout(time, self.once(&mut heart, &gone)).await {
                Ok(Ok(heard)) => {
                    gone = self.truth.gone(self.node.id, &heard.nodes, self.clock.boot());
                    for node in &gone {
                        tracing::warn!(name = node.name, id = %node.id, "a node is gone: it is taken off the list");
                    }
                }
                Ok(Err(error)) => self.truth.failed(&error),
                // What was asked may still be answered on this connection: it is given up.
                Err(_) => {
                    heart = self.store.heart();
                    self.truth.failed(&Error::unavailable("the database does not answer in time"));
                }
            }
            let spent = duration(self.clock.boot().saturating_sub(begun));
            let next = (duration(freshness) / 3).saturating_sub(spent);
            // Not so soon that waiting for heartbeats would become work for the database.
            let least = (duration(freshness) / 10).saturating_sub(spent);
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = async { tokio::time::sleep(least).await; self.truth.wants_beat.notified().await } => {}
            }
        }
    }

    /// One heartbeat.
    async fn once(&mut self, heart: &mut Heart, gone: &[Node]) -> Result<Heard> {
        let Some(asked) = self.truth.position() else { return Err(Error::unavailable("this node follows nothing")) };
        (self.node.epoch, self.node.applied) = (asked.epoch, asked.revision);
        self.node.beat_at = self.clock.now();
        self.node.beats += 1;
        // Before it is sent: what it returns is as new as this moment, whatever the way back takes.
        let sent = self.clock.boot();
        let heard = heart.beat(&self.node, asked.hash, gone).await?;
        self.listen(sent, &heard);
        self.truth.heard(sent, asked, &heard);
        Ok(heard)
    }

    /// Takes over what a heartbeat tells of time.
    fn listen(&self, sent: Boot, heard: &Heard) {
        self.clock.not_before(heard.head.at);
        match heard.database {
            Some(database) => {
                self.clock.follow(database, sent);
                self.truth.clock_ahead(self.clock.ahead_of(database));
            }
            // The database is a file of this machine: its time is the machine's.
            None => self.clock.follow_wall(),
        }
    }

    /// History was lost: takes away again what the journal knows to be taken away, lets every other node notice too,
    /// and begins anew.
    async fn repair(&mut self) -> Heart {
        loop {
            match self.store.repair().await {
                Ok(()) => break,
                Err(error) => tracing::error!(%error, "what was lost could not be taken away again yet"),
            }
            tokio::time::sleep(REPAIR_AGAIN).await;
        }
        // By then every other node that lives has noticed and taken away what its own journal knows.
        let held = self.clock.boot().saturating_add(patience(self.truth.freshness()));
        loop {
            match self.register(held).await {
                Ok(heart) => return heart,
                Err(error) => self.truth.failed(&error),
            }
            tokio::time::sleep(REPAIR_AGAIN).await;
        }
    }
}

/// Asks for new events every 50 ms, and at once where somebody waits for them, until this future is dropped.
async fn follow(truth: &Truth, store: &Store) {
    let mut feed: Feed = store.feed();
    loop {
        let mut more = false;
        if let Some(position) = truth.position() {
            match tokio::time::timeout(FEED_TIME, feed.after(position.revision, PAGE)).await {
                Ok(Ok(events)) => {
                    if !events.is_empty() {
                        truth.take(&events);
                        truth.wants_beat.notify_one();
                    }
                    more = i64::try_from(events.len()).is_ok_and(|length| length == PAGE);
                }
                Ok(Err(error)) => tracing::debug!(%error, "no events can be had"),
                Err(_) => {
                    feed = store.feed();
                    tracing::debug!("no events can be had in time");
                }
            }
        }
        if !more {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = truth.wants_events.notified() => {}
            }
        }
    }
}

fn duration(boot: Boot) -> Duration {
    Duration::from_nanos(u64::try_from(boot).unwrap_or(0))
}
