//! The writer: every change of this node goes through one connection, in batches, head first (design 3).
//!
//! It is one thread with a runtime of its own, so an operation's future need not move between threads, and no load of
//! requests can starve it. Operations queue; the thread drains the queue into one transaction: a savepoint each, the
//! chain computed in memory, one insert of all events, one commit, one sync of the journal, then the answers.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::event::Recorded;
use tokenhouse_model::follow::Boot;
use tokenhouse_model::{Confirmed, Done, Error, ErrorKind, Receipt, Result};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::conn::{Conn, Location, Single, begin, in_time};
use crate::journal::Entry;
use crate::ledger;
use crate::line::{Follower, Standing, Turn as Lock};
use crate::outside::Outside;
use crate::tx::{Draft, Tx, one};

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
/// The longest that a transaction may take before its commit, and the longest that the commit may take: for an answer
/// that never comes, because it was lost on the way. Everybody waits behind it.
const TRANSACTION_TIME: Duration = Duration::from_secs(4);
/// How long a connection that was kept may take to begin.
const BEGIN_TIME: Duration = Duration::from_secs(2);
/// How long a rollback may take before the connection is given up.
const ROLLBACK_TIME: Duration = Duration::from_secs(1);
/// Events of other nodes that the writer fetches itself before its own; of more, the feed does.
const MOST_MISSING: i64 = 500;

/// An operation in the queue.
pub(crate) trait Turn: Send {
    /// Runs it; what it answers stays with it until the commit.
    fn run<'t>(&'t mut self, tx: &'t mut Tx<'_>) -> Pin<Box<dyn Future<Output = Result<()>> + 't>>;
    /// Whether it may run while history that was lost is being repaired.
    fn repairs(&self) -> bool;
    /// Answers whoever asked: with the operation's own error, else with what became of the commit.
    fn answer(self: Box<Self>, committed: Result<(Receipt, Boot)>);
}

struct Op<F, T> {
    operation: F,
    repairs: bool,
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

    fn repairs(&self) -> bool {
        self.repairs
    }

    fn answer(self: Box<Self>, committed: Result<(Receipt, Boot)>) {
        let done = match (committed, self.outcome) {
            (_, Some(Err(error))) => Err(error),
            (Err(error), _) => Err(error),
            (Ok((receipt, committed)), Some(Ok(value))) => {
                Ok(Done { value, receipt, committed, confirmed: Confirmed::NotAsked })
            }
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
        lock: Lock,
        follower: Arc<OnceLock<Arc<dyn Follower>>>,
    ) -> Result<Self> {
        let (queue, turns) = mpsc::channel(QUEUE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
        let stop = Arc::new(Notify::new());
        let (alive, ended) = watch::channel(());
        let lock = matches!(location, Location::Sqlite(_)).then_some(lock);
        let conn = Some(conn);
        let thread = Thread { location, conn, clock, random, outside, lock, follower, turns, stop: stop.clone() };
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
    /// Only one that `repairs` runs while history that was lost is being repaired.
    pub(crate) async fn run<F, T>(&self, repairs: bool, operation: F) -> Result<Done<T>>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, waiting) = oneshot::channel();
        let op = Box::new(Op { operation, repairs, outcome: None, answer });
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
    lock: Option<Lock>,
    follower: Arc<OnceLock<Arc<dyn Follower>>>,
    turns: mpsc::Receiver<Box<dyn Turn>>,
    stop: Arc<Notify>,
}

/// A batch that was committed.
struct Committed {
    /// Events of other nodes since the last that was followed, and then its own.
    events: Vec<Recorded>,
    /// How many of them are other nodes'.
    missing: usize,
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
            let outcome = Box::pin(self.attempts(&mut batch)).await;
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
            match self.waits(BEGIN_TIME, begin(&mut kept.conn())).await {
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
        self.waits(TRANSACTION_TIME, begin(&mut new.conn())).await?;
        Ok(new)
    }

    /// Waits so long for a server. A file always answers, and a statement that nobody waits for would go on in it.
    async fn waits<T>(&self, time: Duration, asked: impl Future<Output = Result<T>>) -> Result<T> {
        match self.location {
            Location::Sqlite(_) => asked.await,
            Location::Postgres(_) => in_time(time, asked).await,
        }
    }

    /// One transaction over the batch, which grows by what waits in the queue.
    async fn transaction(&mut self, batch: &mut Vec<Box<dyn Turn>>) -> (Result<Committed>, bool) {
        let lock = self.lock.clone();
        let _turn = match &lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
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
                if self.waits(ROLLBACK_TIME, conn.raw("ROLLBACK")).await.is_ok() {
                    self.conn = Some(single);
                }
                (Err(error), retryable)
            }
            Err(Failed::Commit(error, hoped)) => (self.look_for(hoped, error).await, false),
        }
    }

    async fn steps(&mut self, conn: &mut Conn<'_>, batch: &mut Vec<Box<dyn Turn>>) -> Result<Committed, Failed> {
        let file = matches!(self.location, Location::Sqlite(_));
        let writing = self.until_commit(conn, batch);
        let written = if file { writing.await } else { in_time(TRANSACTION_TIME, writing).await };
        let committed = written.map_err(Failed::Before)?;
        let committed = match committed {
            Ok(committed) => committed,
            Err(nothing) => return Ok(nothing),
        };
        match self.waits(TRANSACTION_TIME, conn.raw("COMMIT")).await {
            Ok(()) => Ok(committed),
            Err(error) => Err(Failed::Commit(error, committed)),
        }
    }

    /// Everything up to the commit; the inner error is a batch that changed nothing and was rolled back.
    async fn until_commit(
        &mut self,
        conn: &mut Conn<'_>,
        batch: &mut Vec<Box<dyn Turn>>,
    ) -> Result<Result<Committed, Committed>> {
        let begun = Instant::now();
        let head = ledger::take(conn).await?;
        let (events, repairing) = self.missing(conn, &head).await?;
        let missing = events.len();
        // The head's own update is no reason to commit.
        conn.changed = 0;
        let now = self.clock.now().max(head.at);
        let mut draft = Draft { head, now, events, removals: Vec::new() };
        let mut turns = Vec::new();
        let mut at = 0;
        while let Some(turn) = batch.get_mut(at) {
            let outcome = if repairing && !turn.repairs() {
                Err(Error::unavailable("the database lost history, which is being repaired; nothing was changed"))
            } else {
                one(conn, turn.as_mut(), now, (draft.head.epoch, draft.head.revision)).await?
            };
            turns.push(match outcome {
                Ok(recorded) => {
                    draft.take(recorded, &self.random)?;
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
        let committed = Committed { events: draft.events, missing, removals: draft.removals, head: draft.head, turns };
        if committed.events.len() == missing && conn.changed == 0 {
            conn.raw("ROLLBACK").await?;
            return Ok(Err(committed));
        }
        ledger::append(conn, committed.events.get(missing..).unwrap_or_default()).await?;
        if committed.events.len() > missing {
            ledger::set_head(conn, &committed.head).await?;
        }
        Ok(Ok(committed))
    }

    /// Events between what this process follows and the head, which other nodes committed, so that its own can be
    /// applied right after them; and whether only repairs may be written.
    async fn missing(&self, conn: &mut Conn<'_>, head: &ledger::Head) -> Result<(Vec<Recorded>, bool)> {
        let Some(follower) = self.follower.get() else { return Ok((Vec::new(), false)) };
        let position = match follower.stands() {
            Standing::Nowhere => return Ok((Vec::new(), false)),
            Standing::Repairing => return Ok((Vec::new(), true)),
            Standing::At(position) => position,
        };
        let same = head.revision != position.revision || head.link() == position.hash;
        if head.revision < position.revision || !same {
            follower.lost();
            return Err(Error::unavailable("the database lost history, which is being repaired; nothing was changed"));
        }
        let behind = head.revision - position.revision;
        match behind {
            1..=MOST_MISSING => Ok((ledger::after(conn, position.revision, behind).await?, false)),
            _ => Ok((Vec::new(), false)),
        }
    }

    /// The answer to a commit was lost: looks whether the batch's last event is there. If it is, it was committed;
    /// if it is not, it may still come, so the outcome is unknown.
    async fn look_for(&mut self, hoped: Committed, error: Error) -> Result<Committed> {
        tracing::warn!(%error, "the answer to a commit was lost");
        let Some(last) = hoped.events.get(hoped.missing..).and_then(<[Recorded]>::last) else {
            return Err(Error::outcome_unknown().because(error));
        };
        let found = in_time(TRANSACTION_TIME, async {
            let mut single = self.location.connect(false).await?;
            let found = ledger::event(&mut single.conn(), last.revision).await?;
            Ok::<_, Error>(found.is_some_and(|event| event.hash == last.hash))
        });
        match found.await {
            Ok(true) => Ok(hoped),
            _ => Err(Error::outcome_unknown().because(error)),
        }
    }

    fn answer(&self, batch: Vec<Box<dyn Turn>>, outcome: Result<Committed>) {
        match outcome {
            Ok(committed) => {
                let at = self.clock.boot();
                if let Some(follower) = self.follower.get() {
                    follower.committed(&committed.events);
                }
                let own = committed.events.get(committed.missing..).unwrap_or_default();
                let journaled = self.outside.keep(&committed.head, own, &committed.removals);
                let epoch = committed.head.epoch;
                for (turn, revision) in batch.into_iter().zip(committed.turns) {
                    turn.answer(revision.map(|revision| (Receipt { epoch, revision, journaled }, at)));
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
