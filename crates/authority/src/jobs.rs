//! Jobs: taken by one node at a time, done in small transactions, and held when the clock can't be believed (design 3, 6).
//!
//! Each transaction of a job looks at the time and at the job's row first. A node that lost its lease, or whose clock
//! was set, changes nothing any more, wherever in its work it was.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenhouse_model::access::Act;
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::env::Clock;
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::job::{Doubt, Held, Job, JobKind, JobState, Lease, Moment, TimeWatch};
use tokenhouse_model::policy::DAY;
use tokenhouse_model::{Done, Error, Millis, Result, Uuid};
use tokenhouse_store::{Conn, Tx, jobs, ledger, once, usage};

use crate::caller::{Caller, change};
use crate::{Ctx, Outcome};

/// The most rows of one transaction: small, so that a revocation never waits long behind it.
pub const CHUNK: i64 = 500;
/// Rows are counted beforehand up to this: how much there is to do is worth some milliseconds, not seconds.
const MOST_COUNTED: i64 = 100_000;
/// The longest rest between two transactions of a job, far below the length of its lease.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// Days for which use is kept.
const USAGE_DAYS: i64 = 35;

/// What a node knows for its jobs: whether its time is to be believed, and which one it has.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    watch: Mutex<TimeWatch>,
    /// What it has at present, to be given back when it stops.
    lease: Mutex<Option<Lease>>,
}

impl Jobs {
    fn watch(&self) -> MutexGuard<'_, TimeWatch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what it has now, and gives back what it had.
    fn now_has(&self, lease: Option<Lease>) -> Option<Lease> {
        std::mem::replace(&mut *self.lease.lock().unwrap_or_else(PoisonError::into_inner), lease)
    }
}

fn moment(clock: &Clock) -> Moment {
    let boot = clock.boot();
    Moment { now: clock.shown(boot), boot }
}

/// The time by which a job may go, which is not the ledger's: that one stands in the future after a clock was wrong, and
/// by it too much would be deleted.
fn steady(ctx: &Ctx) -> Result<Millis> {
    let seen = moment(&ctx.clock);
    let mut watch = ctx.jobs.watch();
    if !watch.begun() {
        return Err(Error::state("the time was not looked at yet; nothing was changed"));
    }
    watch.feed(seen);
    if !watch.steady() {
        return Err(Error::state("the time jumped; nothing was changed"));
    }
    Ok(seen.now)
}

/// Looks at the time, and does what is due. To be called every few seconds on every node.
///
/// # Errors
/// `unavailable`; `unlawful_state` where another node took the job, or it was held.
pub async fn tend(ctx: &Arc<Ctx>) -> Result<()> {
    look(ctx).await?;
    for kind in JobKind::ALL {
        if let Some(lease) = take(ctx, *kind).await? {
            let job = run(ctx, &lease).await?;
            tracing::info!(kind = kind.as_str(), rows = job.progress, "a job is done");
        }
    }
    Ok(())
}

/// Looks at the time; holds all jobs if it jumped, or if at the node's start it is before the ledger's end.
///
/// # Errors
/// `unavailable`: then this node does nothing on any job until the hold stands in the rows.
pub async fn look(ctx: &Arc<Ctx>) -> Result<()> {
    if !ctx.jobs.watch().begun() {
        let head = ledger::head(&mut ctx.store.read().await?.conn()).await?;
        ctx.jobs.watch().begin(moment(&ctx.clock), head.at);
    }
    let doubt = ctx.jobs.watch().feed(moment(&ctx.clock));
    let Some(doubt) = doubt else { return Ok(()) };
    hold(ctx, doubt).await?;
    ctx.jobs.watch().told(doubt);
    Ok(())
}

async fn hold(ctx: &Arc<Ctx>, doubt: Doubt) -> Result<()> {
    let held = Held { why: doubt.why, by: doubt.by, at: moment(&ctx.clock).now, node: ctx.node };
    let operation = async move |tx: &mut Tx<'_>| {
        for kind in JobKind::ALL {
            jobs::add(tx.conn(), &Job::new(*kind, held.at)).await?;
        }
        let mut after = Uuid::nil();
        while let Some(last) = hold_after(tx.conn(), after, held).await? {
            after = last;
        }
        Ok(())
    };
    ctx.store.write(operation).await?;
    tracing::error!(
        reason = doubt.why.as_str(),
        seconds = held.seconds(),
        "the clock can't be believed: jobs do nothing until somebody confirms that the time is right"
    );
    Ok(())
}

/// Holds a page of jobs and tells where it ended.
async fn hold_after(conn: &mut Conn<'_>, after: Uuid, held: Held) -> Result<Option<Uuid>> {
    let page = jobs::list(conn, after, CHUNK).await?;
    let last = page.last().map(|job| job.id);
    for job in page {
        let fence = job.fence;
        jobs::update(conn, &job.hold(held), fence).await?;
    }
    Ok(last)
}

/// Takes a job, if it is due and no other node has it.
///
/// # Errors
/// `unavailable`; `unlawful_state` where the time jumped.
pub async fn take(ctx: &Arc<Ctx>, kind: JobKind) -> Result<Option<Lease>> {
    let now = steady(ctx)?;
    let mut reader = ctx.store.read().await?;
    let job = jobs::by_id(&mut reader.conn(), kind.id()).await?.unwrap_or_else(|| Job::new(kind, now));
    if let Some(doubt) = job.doubt(now) {
        drop(reader);
        return hold(ctx, doubt).await.map(|()| None);
    }
    if job.take(ctx.node, now, 0).is_none() {
        return Ok(None);
    }
    let total = left(&mut reader.conn(), kind, now).await?;
    drop(reader);
    let then = ctx.clone();
    let operation = async move |tx: &mut Tx<'_>| {
        let now = steady(&then)?;
        jobs::add(tx.conn(), &Job::new(kind, now)).await?;
        let job = jobs::by_id(tx.conn(), kind.id()).await?.ok_or_else(|| Error::not_found("job"))?;
        let Some(taken) = job.take(then.node, now, total) else { return Ok(None) };
        jobs::update(tx.conn(), &taken, job.fence).await?;
        Ok(Some(taken.lease()))
    };
    let taken = ctx.store.write(operation).await?.value;
    ctx.jobs.now_has(taken);
    Ok(taken)
}

/// Does what is left of a job that was taken, and gives it back. Between two transactions it rests for as long as the
/// last one took, so that at least half of the writer's time is everybody else's.
///
/// # Errors
/// As [`chunk`]. What was done so far stays done; the job goes on when a node takes it again.
pub async fn run(ctx: &Arc<Ctx>, lease: &Lease) -> Result<Job> {
    loop {
        let begun = Instant::now();
        let job = chunk(ctx, lease).await?;
        if job.state != JobState::Running {
            ctx.jobs.now_has(None);
            return Ok(job);
        }
        tokio::time::sleep(begun.elapsed().min(LONGEST_REST)).await;
        look(ctx).await?;
    }
}

/// Does one transaction of a job: at most [`CHUNK`] rows, their count, the longer lease; after the last one it is given
/// back. The lease is looked at in that very transaction, and every transaction takes the ledger's head first, so no
/// other node can take the job in between.
///
/// # Errors
/// `unlawful_state` where the lease is lost or the time jumped: nothing is changed. `unavailable`.
pub async fn chunk(ctx: &Arc<Ctx>, lease: &Lease) -> Result<Job> {
    let (then, lease) = (ctx.clone(), *lease);
    let operation = async move |tx: &mut Tx<'_>| {
        let now = steady(&then)?;
        let job = jobs::by_id(tx.conn(), lease.job).await?.ok_or_else(|| Error::not_found("job"))?;
        job.check(&lease)?;
        let rows = match job.kind {
            JobKind::Forget => forget(tx.conn(), now).await?,
        };
        let job = job.advance(rows);
        let job = if rows < CHUNK { job.end(now) } else { job.renew(now) };
        jobs::update(tx.conn(), &job, lease.fence).await?;
        Ok(job)
    };
    ctx.store.write(operation).await.map(|done| done.value)
}

/// Gives back a job that is left half-way, when the node stops: the next one need not wait for the end of the lease.
pub(crate) async fn release(ctx: &Arc<Ctx>) -> Result<()> {
    let Some(lease) = ctx.jobs.now_has(None) else { return Ok(()) };
    let now = moment(&ctx.clock).now;
    let operation = async move |tx: &mut Tx<'_>| {
        let job = jobs::by_id(tx.conn(), lease.job).await?;
        match job.filter(|job| job.check(&lease).is_ok()) {
            Some(job) => jobs::update(tx.conn(), &job.release(now), lease.fence).await,
            None => Ok(()),
        }
    };
    ctx.store.write(operation).await.map(|_| ())
}

/// Forgets kept answers that expired and use that is older than 35 days.
async fn forget(conn: &mut Conn<'_>, now: Millis) -> Result<i64> {
    let answers = once::forget(conn, now, CHUNK).await?;
    Ok(answers + usage::forget_before(conn, now / DAY - USAGE_DAYS, CHUNK - answers).await?)
}

/// How many rows a job has to do.
async fn left(conn: &mut Conn<'_>, kind: JobKind, now: Millis) -> Result<i64> {
    match kind {
        JobKind::Forget => {
            let answers = once::count_expired(conn, now, MOST_COUNTED).await?;
            Ok(answers + usage::count_before(conn, now / DAY - USAGE_DAYS, MOST_COUNTED).await?)
        }
    }
}

/// The jobs of the house.
///
/// # Errors
/// `missing_permission`.
pub async fn list(ctx: &Ctx, caller: &Caller, page: Page) -> Result<Listed<Job>> {
    caller.may(Act::ManageJobs)?;
    let mut reader = ctx.store.read().await?;
    let jobs = jobs::list(&mut reader.conn(), page.cursor.after, i64::from(page.limit) + 1).await?;
    Ok(page.cut(jobs, |job| job.id))
}

/// One job.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Job> {
    caller.may(Act::ManageJobs)?;
    let mut reader = ctx.store.read().await?;
    jobs::by_id(&mut reader.conn(), id).await?.ok_or_else(|| Error::not_found("job"))
}

/// Confirms that the time is right as it is now: the job that was held is due at once.
///
/// # Errors
/// `missing_permission`, `not_found`; `unlawful_state` for a job that is not held.
pub async fn confirm(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    let then = ctx.clone();
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageJobs)?;
        let job = jobs::by_id(tx.conn(), id).await?.ok_or_else(|| Error::not_found("job"))?;
        let (kind, fence, held) = (job.kind, job.fence, job.body.held);
        let job = job.confirm(moment(&then.clock).now)?;
        jobs::update(tx.conn(), &job, fence).await?;
        let mut event = Event::new(EventKind::JobConfirmed, job.org_id, job.id).with("kind", kind.as_str());
        if let Some(held) = held {
            event = event.with("reason", held.why.as_str()).with("seconds", held.seconds()).with("held_at", held.at);
        }
        tx.record(&fresh.actor, event);
        Ok(Outcome::of(job.id))
    })
    .await
}
