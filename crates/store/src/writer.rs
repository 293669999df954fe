//! The writer: every change of this node goes through one connection, in batches, head first (design 3).
//!
//! It is one thread with a runtime of its own, so an operation's future need not move between threads, and no load of
//! requests can starve it. Operations queue; the thread drains the queue into one transaction: a savepoint each, the
//! chain computed in memory, one insert of all events, one commit, one sync of the journal, then the answers.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::event::{Actor, Event, Recorded, Removal};
use tokenhouse_model::{Done, Error, ErrorKind, Millis, Receipt, Result, chain};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::conn::{Conn, Location, Single};
use crate::journal::Entry;
use crate::outside::Outside;
use crate::{fault, ledger};

/// The most operations of one transaction.
const BATCH: usize = 64;
/// No further operation joins a transaction that is older than this.
const BATCH_TIME: Duration = Duration::from_millis(50);
/// Operations that may wait; beyond it the node says that it is busy.
const QUEUE: usize = 2048;
/// A transaction that failed after so long was kept waiting by the database.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a batch is run again after a serialization failure.
const ATTEMPTS: usize = 4;

/// An operation's hold on the writer's transaction.
#[derive(Debug)]
pub struct Tx<'c> {
    conn: Conn<'c>,
    now: Millis,
    epoch: i64,
    /// Epoch and revision of the ledger's end before this operation.
    head: (i64, i64),
    events: Vec<(Actor, Event)>,
}

impl<'c> Tx<'c> {
    /// The verbs of its connection.
    pub fn conn(&mut self) -> &mut Conn<'c> {
        &mut self.conn
    }

    /// The time of this transaction, the same for all that it writes.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Epoch and revision at which the last event recorded so far will stand, should this be committed.
    pub fn position(&self) -> (i64, i64) {
        let more = i64::try_from(self.events.len()).unwrap_or(0);
        (self.head.0, self.head.1 + more)
    }

    /// Begins a new epoch with the events of this operation: history was lost.
    pub(crate) fn raise_epoch(&mut self, epoch: i64) {
        self.epoch = epoch;
    }

    /// Records what this operation changed.
    pub fn record(&mut self, actor: &Actor, event: Event) {
        self.events.push((actor.clone(), event));
    }
}

/// An operation in the queue.
trait Turn: Send {
    /// Runs it; what it answers stays with it until the commit.
    fn run<'t>(&'t mut self, tx: &'t mut Tx<'_>) -> Pin<Box<dyn Future<Output = Result<()>> + 't>>;
    /// Answers whoever asked: with the operation's own error, else with what became of the commit.
    fn answer(self: Box<Self>, receipt: Result<Receipt>);
}

struct Op<F, T> {
    operation: F,
    outcome: Option<Result<T>>,
    answer: oneshot::Sender<Result<Done<T>>>,
}

impl<F, T> Turn for Op<F, T>
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T> + Send,
    T: Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx<'_>) -> Pin<Box<dyn Future<Output = Result<()>> + 't>> {
        Box::pin(async move {
            let outcome = (self.operation)(tx).await;
            let passed = match &outcome {
                Ok(_) => Ok(()),
                Err(error) => Err(error.again()),
            };
            self.outcome = Some(outcome);
            passed
        })
    }

    fn answer(self: Box<Self>, receipt: Result<Receipt>) {
        let done = match (receipt, self.outcome) {
            (_, Some(Err(error))) => Err(error),
            (Err(error), _) => Err(error),
            (Ok(receipt), Some(Ok(value))) => Ok(Done { value, receipt }),
            (Ok(_), None) => Err(Error::internal("an operation without an outcome")),
        };
        // Whoever asked may have gone; the change stands.
        let _ = self.answer.send(done);
    }
}

/// The way to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Turn>>,
    stop: Arc<Notify>,
    /// Its sender lives as long as the thread.
    ended: watch::Receiver<()>,
}

impl std::fmt::Debug for dyn Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Turn")
    }
}

impl Writer {
    /// Starts the writer's thread on a connection that is open already.
    pub(crate) fn start(
        location: Location,
        conn: Single,
        clock: Clock,
        random: Random,
        outside: Arc<Outside>,
    ) -> Result<Self> {
        let (queue, turns) = mpsc::channel(QUEUE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
        let stop = Arc::new(Notify::new());
        let (alive, ended) = watch::channel(());
        let thread = Thread { location, conn: Some(conn), clock, random, outside, turns, stop: stop.clone() };
        let spawned = std::thread::Builder::new().name("tokenhouse-writer".to_owned()).spawn(move || {
            runtime.block_on(thread.work());
            drop(alive);
        });
        spawned.map_err(Error::internal)?;
        Ok(Self { queue, stop, ended })
    }

    /// Takes no more operations, and waits until those that were taken are carried out and the connection is closed.
    pub(crate) async fn close(&self) {
        self.stop.notify_one();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Queues an operation and waits for its commit. It is carried out even if the caller stops waiting.
    pub(crate) async fn run<F, T>(&self, operation: F) -> Result<Done<T>>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, waiting) = oneshot::channel();
        let op = Box::new(Op { operation, outcome: None, answer });
        self.queue.try_send(op).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::unavailable("too many changes are waiting; nothing was changed"),
            TrySendError::Closed(_) => Error::unavailable("the house is closing; nothing was changed"),
        })?;
        waiting.await.map_err(|_| Error::outcome_unknown())?
    }
}

struct Thread {
    location: Location,
    conn: Option<Single>,
    clock: Clock,
    random: Random,
    outside: Arc<Outside>,
    turns: mpsc::Receiver<Box<dyn Turn>>,
    stop: Arc<Notify>,
}

/// A batch that was committed.
struct Committed {
    events: Vec<Recorded>,
    removals: Vec<Entry>,
    head: ledger::Head,
    /// For each operation the revision at which its last event stands, or its error.
    turns: Vec<Result<i64>>,
}

impl Thread {
    async fn work(mut self) {
        while let Some(first) = self.next().await {
            let mut batch = vec![first];
            let begun = Instant::now();
            let outcome = self.attempts(&mut batch).await;
            if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unavailable) && begun.elapsed() > PATIENCE
            {
                // The others would wait as long, one after another, until nobody listens any more.
                while let Ok(turn) = self.turns.try_recv() {
                    batch.push(turn);
                }
            }
            self.answer(batch, outcome);
        }
        if let Some(Single::Sqlite(conn)) = self.conn.take() {
            // Folds the write-ahead log back into the file, so that what is left behind is one file.
            let _ = sqlx::Connection::close(conn).await;
        }
    }

    /// The next operation; none once the house is closed and all that was taken is done.
    async fn next(&mut self) -> Option<Box<dyn Turn>> {
        tokio::select! {
            biased;
            turn = self.turns.recv() => turn,
            () = self.stop.notified() => {
                self.turns.close();
                self.turns.recv().await
            }
        }
    }

    async fn attempts(&mut self, batch: &mut Vec<Box<dyn Turn>>) -> Result<Committed> {
        let mut attempt = 1;
        loop {
            let (outcome, retryable) = self.transaction(batch).await;
            match outcome {
                Err(error) if retryable && attempt < ATTEMPTS => {
                    tracing::debug!(%error, attempt, "running a batch again");
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    /// A connection with a transaction begun. One that was kept may have died while nothing was written: then a new
    /// one is made at once, and nobody notices.
    async fn begin(&mut self) -> Result<Single> {
        if let Some(mut kept) = self.conn.take() {
            match begin(&mut kept.conn()).await {
                Ok(()) => return Ok(kept),
                Err(error) if matches!(kept, Single::Sqlite(_)) => {
                    // A file does not go away; it is locked, and asking again would only double the wait.
                    self.conn = Some(kept);
                    return Err(error);
                }
                Err(error) => tracing::info!(%error, "the writer connects again"),
            }
        }
        let mut new = self.location.connect(false).await?;
        begin(&mut new.conn()).await?;
        Ok(new)
    }

    /// One transaction over the batch, which grows by what waits in the queue.
    async fn transaction(&mut self, batch: &mut Vec<Box<dyn Turn>>) -> (Result<Committed>, bool) {
        let mut single = match self.begin().await {
            Ok(single) => single,
            Err(error) => return (Err(error), false),
        };
        let mut conn = single.conn();
        let outcome = self.steps(&mut conn, batch).await;
        let retryable = conn.retryable;
        match outcome {
            Ok(committed) => {
                self.conn = Some(single);
                (Ok(committed), false)
            }
            Err(Failed::Before(error)) => {
                // The connection is kept only if it can still roll back.
                if conn.raw("ROLLBACK").await.is_ok() {
                    self.conn = Some(single);
                }
                (Err(error), retryable)
            }
            Err(Failed::Commit(error, hoped)) => (self.look_for(hoped, error).await, false),
        }
    }

    async fn steps(&mut self, conn: &mut Conn<'_>, batch: &mut Vec<Box<dyn Turn>>) -> Result<Committed, Failed> {
        let begun = Instant::now();
        let head = ledger::take(conn).await.map_err(Failed::Before)?;
        // The head's own update is no reason to commit.
        conn.changed = 0;
        let now = self.clock.now().max(head.at);
        let mut draft = Draft { head, now, events: Vec::new(), removals: Vec::new() };
        let mut turns = Vec::new();
        let mut at = 0;
        while let Some(turn) = batch.get_mut(at) {
            let outcome =
                one(conn, turn.as_mut(), now, (draft.head.epoch, draft.head.revision)).await.map_err(Failed::Before)?;
            turns.push(match outcome {
                Ok(recorded) => {
                    draft.take(recorded, &self.random).map_err(Failed::Before)?;
                    Ok(draft.head.revision)
                }
                Err(error) => Err(error),
            });
            at += 1;
            if at < BATCH
                && begun.elapsed() < BATCH_TIME
                && at == batch.len()
                && let Ok(next) = self.turns.try_recv()
            {
                batch.push(next);
            }
        }
        let committed = Committed { events: draft.events, removals: draft.removals, head: draft.head, turns };
        if committed.events.is_empty() && conn.changed == 0 {
            conn.raw("ROLLBACK").await.map_err(Failed::Before)?;
            return Ok(committed);
        }
        ledger::append(conn, &committed.events).await.map_err(Failed::Before)?;
        if !committed.events.is_empty() {
            ledger::set_head(conn, &committed.head).await.map_err(Failed::Before)?;
        }
        match conn.raw("COMMIT").await {
            Ok(()) => Ok(committed),
            Err(error) => Err(Failed::Commit(error, committed)),
        }
    }

    /// The answer to a commit was lost: looks whether the batch's last event is there. If it is, it was committed;
    /// if it is not, it may still come, so the outcome is unknown.
    async fn look_for(&mut self, hoped: Committed, error: Error) -> Result<Committed> {
        tracing::warn!(%error, "the answer to a commit was lost");
        let Some(last) = hoped.events.last() else { return Err(Error::outcome_unknown().because(error)) };
        let found = async {
            let mut single = self.location.connect(false).await?;
            let found = ledger::event(&mut single.conn(), last.revision).await?;
            Ok::<_, Error>(found.is_some_and(|event| event.hash == last.hash))
        };
        match found.await {
            Ok(true) => Ok(hoped),
            _ => Err(Error::outcome_unknown().because(error)),
        }
    }

    fn answer(&self, batch: Vec<Box<dyn Turn>>, outcome: Result<Committed>) {
        match outcome {
            Ok(committed) => {
                let journaled = self.outside.keep(&committed.head, &committed.events, &committed.removals);
                let epoch = committed.head.epoch;
                for (turn, revision) in batch.into_iter().zip(committed.turns) {
                    turn.answer(revision.map(|revision| Receipt { epoch, revision, journaled }));
                }
            }
            Err(error) => {
                for turn in batch {
                    turn.answer(Err(error.again()));
                }
            }
        }
    }
}

/// Where a transaction failed.
enum Failed {
    /// Nothing was committed.
    Before(Error),
    /// At the commit: nobody knows.
    Commit(Error, Committed),
}

/// What a transaction has written so far.
struct Draft {
    head: ledger::Head,
    now: Millis,
    events: Vec<Recorded>,
    removals: Vec<Entry>,
}

impl Draft {
    /// Puts events at the end of the chain.
    fn take(&mut self, written: Written, random: &Random) -> Result<()> {
        self.head.epoch = self.head.epoch.max(written.epoch);
        for (actor, event) in written.events {
            let mut recorded = Recorded {
                revision: self.head.revision + 1,
                epoch: self.head.epoch,
                at: self.now,
                org_id: event.org_id,
                kind: event.kind,
                subject: event.subject,
                actor_account: actor.account,
                actor_token: actor.token,
                address: actor.address,
                request_id: actor.request_id,
                body: serde_json::to_string(&event.body).map_err(Error::internal)?,
                salt: random.bytes::<16>().to_vec(),
                body_hash: Vec::new(),
                hash: Vec::new(),
            };
            recorded.body_hash = chain::body_hash(&recorded).to_vec();
            recorded.hash =
                chain::link(&self.head.link(), recorded.epoch, recorded.revision, &recorded.body_hash).to_vec();
            self.head.revision = recorded.revision;
            self.head.hash.clone_from(&recorded.hash);
            self.head.at = self.now;
            let removals: Vec<Removal> = event.body.removals;
            if !removals.is_empty() {
                self.removals.push(Entry::of(&recorded, removals));
            }
            self.events.push(recorded);
        }
        Ok(())
    }
}

async fn begin(conn: &mut Conn<'_>) -> Result<()> {
    conn.raw(if conn.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }).await
}

/// What an operation wants written into the ledger.
struct Written {
    epoch: i64,
    events: Vec<(Actor, Event)>,
}

/// Runs one operation within a savepoint. The outer error means that the whole transaction is lost.
async fn one(conn: &mut Conn<'_>, turn: &mut dyn Turn, now: Millis, head: (i64, i64)) -> Result<Result<Written>> {
    conn.raw("SAVEPOINT turn").await?;
    let before = conn.changed;
    let mut tx = Tx { conn: conn.reborrow(), now, epoch: 0, head, events: Vec::new() };
    let outcome = AssertUnwindSafe(turn.run(&mut tx)).catch_unwind().await;
    let Tx { conn: mut used, epoch, events, .. } = tx;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::internal("an operation panicked")),
    };
    match outcome {
        Ok(()) => {
            used.raw("RELEASE SAVEPOINT turn").await?;
            let (changed, retryable) = (used.changed, used.retryable);
            conn.absorb(changed, retryable);
            Ok(Ok(Written { epoch, events }))
        }
        Err(error) => {
            let retryable = used.retryable;
            conn.absorb(before, retryable);
            // Trouble of the database is everybody's; a retry starts over.
            if fault::of_database(&error) || retryable {
                return Err(error);
            }
            conn.raw("ROLLBACK TO SAVEPOINT turn").await?;
            conn.raw("RELEASE SAVEPOINT turn").await?;
            Ok(Err(error))
        }
    }
}
