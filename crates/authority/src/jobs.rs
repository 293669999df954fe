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
use tokenhouse_model::{Done, Error, ErrorKind, Millis, PermissionSet, Result, Uuid};
use tokenhouse_store::{Conn, Tx, jobs, ledger, once, usage};
use tokio::sync::Notify;

use crate::caller::{Caller, change};
use crate::tokens::bulk;
use crate::{Ctx, Outcome};

/// The most rows of one transaction: small, so that a revocation never waits long behind it.
pub const CHUNK: i64 = 500;
/// Rows are counted beforehand up to this: how much there is to do is worth some milliseconds, not seconds.
const MOST_COUNTED: i64 = 100_000;
/// The longest rest between two transactions of a job, far below the length of its lease.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// Days for which use is kept.
pub(crate) const USAGE_DAYS: i64 = 35;
/// For how long jobs are shown that somebody asked for and that ended.
const ENDED_KEPT: Millis = 30 * DAY;

/// What a node knows for its jobs: whether its time is to be believed, and which one it has.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    watch: Mutex<TimeWatch>,
    /// What it has at present, to be given back when it stops.
    lease: Mutex<Option<Lease>>,
    /// Rung when somebody asked for a job.
    asked: Notify,
}

impl Jobs {
    fn watch(&self) -> MutexGuard<'_, TimeWatch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets this node look for a job now.
    pub(crate) fn wake(&self) {
        self.asked.notify_one();
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

/// The time of jobs' rows.
pub(crate) fn shown_time(ctx: &Ctx) -> Millis {
    moment(&ctx.clock).now
}

/// Waits until somebody asks this node for a job.
pub async fn asked(ctx: &Ctx) {
    ctx.jobs.asked.notified().await;
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
    for kind in JobKind::HOUSE {
        if let Some(lease) = take(ctx, *kind).await? {
            let job = run(ctx, &lease).await?;
            tracing::info!(kind = kind.as_str(), rows = job.progress, "a job is done");
        }
    }
    for kind in JobKind::ALL.iter().filter(|kind| !JobKind::HOUSE.contains(kind)) {
        let mut after = Uuid::nil();
        while let Some(id) = next_open(ctx, *kind, after).await? {
            after = id;
            let Some(lease) = take_open(ctx, id).await? else { continue };
            match run(ctx, &lease).await {
                Ok(job) => {
                    tracing::info!(kind = kind.as_str(), job = %id, state = job.state.as_str(), rows = job.progress, "a job ended");
                }
                // Somebody cancelled it, or it was taken or held. The others wait for this node all the same.
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    tracing::info!(kind = kind.as_str(), job = %id, %error, "a job went on without this node");
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The next job after this one that somebody asked for and that no other node has.
async fn next_open(ctx: &Ctx, kind: JobKind, mut after: Uuid) -> Result<Option<Uuid>> {
    let now = moment(&ctx.clock).now;
    let mut reader = ctx.store.read().await?;
    loop {
        let open = jobs::open(&mut reader.conn(), kind, after, CHUNK).await?;
        let Some(last) = open.last() else { return Ok(None) };
        after = last.id;
        if let Some(job) = open.iter().find(|job| job.free(ctx.node, now)) {
            return Ok(Some(job.id));
        }
    }
}

/// Takes a job that somebody asked for, if no other node has it.
///
/// # Errors
/// `unavailable`; `unlawful_state` where the time jumped.
pub async fn take_open(ctx: &Arc<Ctx>, id: Uuid) -> Result<Option<Lease>> {
    let now = steady(ctx)?;
    let job = jobs::by_id(&mut ctx.store.read().await?.conn(), id).await?;
    if let Some(doubt) = job.and_then(|job| job.doubt(now)) {
        return hold(ctx, doubt).await.map(|()| None);
    }
    taken(ctx, id, 0, None).await
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
        for kind in JobKind::HOUSE {
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
    for job in page.into_iter().filter(|job| !job.state.ended()) {
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
    taken(ctx, kind.id(), total, Some(kind)).await
}

/// Takes the job of this id, one of the house also where it has no row yet.
async fn taken(ctx: &Arc<Ctx>, id: Uuid, total: i64, house: Option<JobKind>) -> Result<Option<Lease>> {
    let then = ctx.clone();
    let operation = async move |tx: &mut Tx<'_>| {
        let now = steady(&then)?;
        if let Some(kind) = house {
            jobs::add(tx.conn(), &Job::new(kind, now)).await?;
        }
        let job = jobs::by_id(tx.conn(), id).await?.ok_or_else(|| Error::not_found("job"))?;
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
    let found = look_ahead(ctx, lease).await?;
    let (then, lease) = (ctx.clone(), *lease);
    let operation = async move |tx: &mut Tx<'_>| {
        let now = steady(&then)?;
        let job = jobs::by_id(tx.conn(), lease.job).await?.ok_or_else(|| Error::not_found("job"))?;
        job.check(&lease)?;
        let job = match &found {
            Some(next) => bulk::revoke_next(tx, job, next, now).await?,
            None => {
                let rows = forget(tx.conn(), now).await?;
                let job = job.advance(rows);
                if rows < CHUNK { job.end(now) } else { job.renew(now) }
            }
        };
        jobs::update(tx.conn(), &job, lease.fence).await?;
        Ok(job)
    };
    ctx.store.write(operation).await.map(|done| done.value)
}

/// What a job that somebody asked for does next, found before its transaction. Nobody but who has the lease moves on in
/// it, and that is looked at in the transaction.
async fn look_ahead(ctx: &Arc<Ctx>, lease: &Lease) -> Result<Option<bulk::Next>> {
    let job = jobs::by_id(&mut ctx.store.read().await?.conn(), lease.job).await?;
    let job = job.ok_or_else(|| Error::not_found("job"))?;
    job.check(lease)?;
    match (job.kind, &job.body.task) {
        (JobKind::Forget, _) => Ok(None),
        (JobKind::RevokeTokens, Some(task)) => bulk::next(ctx, &job, task).await.map(Some),
        (JobKind::RevokeTokens, None) => Err(Error::internal("a job without a task")),
    }
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

/// Forgets kept answers that expired, use that is older than 35 days, and jobs that ended 30 days ago.
async fn forget(conn: &mut Conn<'_>, now: Millis) -> Result<i64> {
    let answers = once::forget(conn, now, CHUNK).await?;
    let rows = answers + usage::forget_before(conn, now / DAY - USAGE_DAYS, CHUNK - answers).await?;
    Ok(rows + jobs::forget(conn, now - ENDED_KEPT, CHUNK - rows).await?)
}

/// How many rows a job has to do.
async fn left(conn: &mut Conn<'_>, kind: JobKind, now: Millis) -> Result<i64> {
    match kind {
        JobKind::Forget => {
            let answers = once::count_expired(conn, now, MOST_COUNTED).await?;
            let days = usage::count_before(conn, now / DAY - USAGE_DAYS, MOST_COUNTED).await?;
            Ok(answers + days + jobs::count_ended(conn, now - ENDED_KEPT, MOST_COUNTED).await?)
        }
        // Counted when it was asked for.
        JobKind::RevokeTokens => Ok(0),
    }
}

/// The jobs that a caller may see: the house's and everybody's, or those of his org.
///
/// # Errors
/// `missing_permission`.
pub async fn list(ctx: &Ctx, caller: &Caller, page: Page) -> Result<Listed<Job>> {
    let (after, limit) = (page.cursor.after, i64::from(page.limit) + 1);
    let mut reader = ctx.store.read().await?;
    let jobs = if Act::ManageJobs.allowed(&caller.effective) {
        jobs::list(&mut reader.conn(), after, limit).await?
    } else if Act::ManageTokens.allowed(&caller.effective) {
        jobs::list_of_org(&mut reader.conn(), caller.org().id, after, limit).await?
    } else {
        return Err(caller.may(Act::ManageJobs).err().unwrap_or_else(|| Error::not_found("job")));
    };
    Ok(page.cut(jobs, |job| job.id))
}

/// Refuses a job that a caller may not see, as one that is not there: he sees those of his org that he asked for, with
/// the permission all of his org, an operator every one.
fn visible(job: &Job, org: Uuid, account: Uuid, held: &PermissionSet) -> Result<()> {
    let own = !account.is_nil() && job.created_by == account;
    let of_org = job.org_id == org && (own || Act::ManageTokens.allowed(held));
    if of_org || Act::ManageJobs.allowed(held) { Ok(()) } else { Err(Error::not_found("job")) }
}

/// One job.
///
/// # Errors
/// `not_found`, also for one that the caller may not see.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Job> {
    let mut reader = ctx.store.read().await?;
    let job = jobs::by_id(&mut reader.conn(), id).await?.ok_or_else(|| Error::not_found("job"))?;
    visible(&job, caller.org().id, caller.account_id(), &caller.effective)?;
    Ok(job)
}

/// Stops a job that somebody asked for. What it did stays done. Repeating it changes nothing.
///
/// # Errors
/// `not_found`, also for one that the caller may not see; `forbidden` for a job of the house; `unlawful_state` for one
/// that ended in another way.
pub async fn cancel(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    let then = ctx.clone();
    change(ctx, caller, async move |tx, fresh| {
        let job = jobs::by_id(tx.conn(), id).await?.ok_or_else(|| Error::not_found("job"))?;
        visible(&job, fresh.org.id, fresh.account_id(), &fresh.effective)?;
        let (before, fence, kind, done) = (job.state, job.fence, job.kind, job.progress);
        let job = job.cancel(shown_time(&then))?;
        if job.state != before {
            jobs::update(tx.conn(), &job, fence).await?;
            let event = Event::new(EventKind::JobCancelled, job.org_id, job.id);
            tx.record(&fresh.actor, event.with("kind", kind.as_str()).with("done", done));
        }
        Ok(Outcome::of(id))
    })
    .await
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
