//! Ending every token that a search finds: looked at beforehand, then done by a job in small transactions (design 3).

use std::sync::Arc;
use std::time::Duration;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::AccountState;
use tokenhouse_model::cursor::Listed;
use tokenhouse_model::event::{Event, EventKind, Removal};
use tokenhouse_model::job::{Failed, Job, JobKind, JobState, Task};
use tokenhouse_model::org::OrgState;
use tokenhouse_model::search::{Condition, MOST_CONDITIONS, On, Search, Sort, Test, TokenField};
use tokenhouse_model::secret::Shape;
use tokenhouse_model::{Done, Error, ErrorKind, Millis, Result, Token, TokenState, Uuid, id};
use tokenhouse_store::search::Tokens;
use tokenhouse_store::{Tx, accounts, jobs, once, orgs, roles, tokens};

use super::ending::dead;
use crate::caller::{Caller, change};
use crate::jobs::{CHUNK, shown_time};
use crate::views::{self, TokenView};
use crate::{Ctx, Outcome, search};

/// Tokens are counted up to this for whoever asks beforehand.
const COUNTED: i64 = 10_000;
/// And up to this for a job's progress, where that does not take too long.
const JOB_COUNTED: i64 = 100_000;
/// How many tokens he sees.
const SEEN: u32 = 20;
/// The most jobs of one org that have not ended.
const MOST_JOBS: i64 = 10;
/// How long finding the next tokens may take: nobody waits for it.
const TIME: Duration = Duration::from_secs(15);

/// What would be revoked.
#[derive(Clone, Debug)]
pub struct Preview {
    /// How many tokens there are, counted up to 10,000.
    pub count: i64,
    /// Whether there are more.
    pub more: bool,
    /// The newest of them.
    pub tokens: Vec<TokenView>,
}

/// Checks what somebody searches for in order to revoke it, and puts ids where he named tokens by their secrets.
async fn conditions(
    ctx: &Ctx,
    caller: &Caller,
    conditions: Vec<Condition<TokenField>>,
    now: Millis,
) -> Result<Vec<Condition<TokenField>>> {
    if conditions.is_empty() {
        return Err(Error::invalid("search", "must have a condition: nobody revokes everything by leaving it out"));
    }
    // One is added: nothing that is made later.
    if conditions.len() >= MOST_CONDITIONS {
        let most = MOST_CONDITIONS - 1;
        return Err(Error::invalid("search", format_args!("must have at most {most} conditions")));
    }
    let mut wanted = Search { conditions, ..Search::everything(1) };
    wanted.check()?;
    search::tokens::by_secret(ctx, caller, &mut wanted, now).await?;
    for condition in &mut wanted.conditions {
        let Test::Text { any_of, .. } = &mut condition.test else { continue };
        for text in any_of {
            // The search is kept with the job and in the ledger, where no secret may stand.
            if matches!(Shape::of(text.trim().as_bytes()), Ok(Shape::House(_) | Shape::Jwt)) {
                return Err(Error::invalid("search", "must not hold a secret; a token's id or name will do"));
            }
            let unknown = Uuid::try_parse(text.trim()).is_ok_and(|id| id.get_version_num() == 4);
            if unknown && condition.on == On::Field(TokenField::Id) {
                *text = Uuid::nil().to_string();
            }
        }
    }
    Ok(wanted.conditions)
}

/// What a job looks for next: the oldest first, so that a cursor leads through all of them whatever is made meanwhile.
fn rest(task: &Task) -> Search<TokenField> {
    let mut conditions = task.conditions.clone();
    let test = Test::Between { from: None, to: Some(task.until) };
    conditions.push(Condition { on: On::Field(TokenField::CreatedAt), test, negated: false });
    Search {
        conditions,
        sort: Some(Sort { field: TokenField::CreatedAt, ascending: true }),
        offset: 0,
        cursor: task.cursor.clone(),
        limit: u32::try_from(CHUNK).unwrap_or(1),
    }
}

/// What [`revoke_found`] would revoke now.
///
/// # Errors
/// `missing_permission`, `invalid_field`, `unavailable`; `unprocessable` where finding them would take too long.
pub async fn preview(ctx: &Ctx, caller: &Caller, wanted: Vec<Condition<TokenField>>) -> Result<Preview> {
    caller.may(Act::ManageTokens)?;
    let now = ctx.now();
    let conditions = conditions(ctx, caller, wanted, now).await?;
    let subject = search::tokens::of(caller, now);
    let wanted = Search { conditions, ..Search::everything(SEEN) };
    let found = search::find_within(ctx, &subject, &wanted, search::TIME).await?;
    let counted = match found.more {
        true => search::count(ctx, &subject, &wanted, COUNTED).await?,
        false => i64::try_from(found.items.len()).unwrap_or(i64::MAX),
    };
    let mut reader = ctx.store.read().await?;
    let page = Listed { items: found.items, next: None };
    let tokens = views::tokens(&mut reader.conn(), caller.policy(), page, now).await?.items;
    Ok(Preview { count: counted.min(COUNTED), more: counted > COUNTED, tokens })
}

/// Begins a job that revokes every token that is there now and meets the conditions.
///
/// # Errors
/// As [`preview`]; `limit_reached` where the org has too many jobs under way.
pub async fn revoke_found(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    wanted: Vec<Condition<TokenField>>,
) -> Result<Done<Outcome>> {
    caller.may(Act::ManageTokens)?;
    let now = ctx.now();
    let conditions = conditions(ctx, caller, wanted, now).await?;
    let counting = Search { conditions: conditions.clone(), ..Search::everything(1) };
    // Also shows, before anything is begun, that they can be found in time.
    let subject = search::tokens::of(caller, now);
    let total = match search::count(ctx, &subject, &counting, JOB_COUNTED).await {
        Err(error) if error.kind() == ErrorKind::Unprocessable => {
            search::count(ctx, &subject, &counting, COUNTED).await?.min(COUNTED)
        }
        counted => counted?.min(JOB_COUNTED),
    };
    let (id, then) = (id::new(now, &ctx.random), ctx.clone());
    let done = change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageTokens)?;
        if jobs::count_open(tx.conn(), fresh.org.id).await? >= MOST_JOBS {
            return Err(Error::limit("jobs under way in an org", MOST_JOBS));
        }
        let task = Task {
            conditions: conditions.clone(),
            until: tx.now(),
            cursor: None,
            skipped: 0,
            failed: None,
            asker: fresh.actor.clone(),
        };
        let search = serde_json::to_value(&task.conditions).map_err(Error::internal)?;
        let job = Job::asked(JobKind::RevokeTokens, id, fresh.org.id, task, shown_time(&then), total);
        jobs::add(tx.conn(), &job).await?;
        let event = Event::new(EventKind::JobStarted, fresh.org.id, id);
        tx.record(&fresh.actor, event.with("kind", job.kind.as_str()).with("search", search).with("total", total));
        Ok(Outcome::of(id))
    })
    .await?;
    ctx.jobs.wake();
    Ok(done)
}

/// The next tokens of a job, found outside of its transaction: looking for them must not keep others from writing.
pub(crate) enum Next {
    /// These, and where the rest begins if there is more.
    Tokens(Vec<Uuid>, Option<String>),
    /// They can't be found in time.
    TooSlow,
}

/// Finds the next tokens of a job.
pub(crate) async fn next(ctx: &Ctx, job: &Job, task: &Task) -> Result<Next> {
    let policy = orgs::policy(&mut ctx.store.read().await?.conn(), job.org_id).await?;
    let subject = Tokens::new(job.org_id, ctx.now(), &policy);
    match search::find_within(ctx, &subject, &rest(task), TIME).await {
        Ok(found) => Ok(Next::Tokens(found.items.iter().map(|token| token.id).collect(), found.cursor)),
        Err(error) if error.kind() == ErrorKind::Unprocessable => Ok(Next::TooSlow),
        Err(error) => Err(error),
    }
}

/// Revokes the next tokens of a job, if whoever asked for it still may, and says how the job is then. `now` is the time
/// of jobs.
pub(crate) async fn revoke_next(tx: &mut Tx<'_>, job: Job, next: &Next, now: Millis) -> Result<Job> {
    let Some(task) = job.body.task.clone() else { return Err(Error::internal("a job without a task")) };
    let (ids, cursor) = match next {
        Next::TooSlow => return Ok(end(tx, job, JobState::Failed, Some(Failed::TooSlow), now)),
        _ if !still_may(tx, &job, &task).await? => {
            return Ok(end(tx, job, JobState::Failed, Some(Failed::Refused), now));
        }
        Next::Tokens(ids, cursor) => (ids, cursor),
    };
    let found = tokens::by_ids(tx.conn(), ids).await?;
    // Between being found and its turn a token may have ended in another way.
    let meant = |token: &&Token| {
        token.org_id == job.org_id && token.created_at <= task.until && token.state != TokenState::Revoked
    };
    let hit: Vec<Uuid> = found.iter().filter(meant).map(|token| token.id).collect();
    let count = i64::try_from(hit.len()).unwrap_or(i64::MAX);
    if count > 0 {
        let at = tx.now();
        // As for one: a restored database that forgot the tokens must not let their secrets move in again.
        let secrets = tokens::secrets_of(tx.conn(), &hit, at).await?;
        tokens::revoke_all(tx.conn(), &hit, at).await?;
        once::purge_tokens(tx.conn(), &hit).await?;
        let named: Vec<String> = hit.iter().map(Uuid::to_string).collect();
        let event = Event::new(EventKind::TokensRevoked, job.org_id, Uuid::nil())
            .with("job", job.id.to_string())
            .with("tokens", named)
            .removing_all(dead(&secrets, at).into_iter().chain(hit.into_iter().map(|id| Removal::Token { id })));
        tx.record(&task.asker, event);
    }
    let skipped = task.skipped + i64::try_from(ids.len()).unwrap_or(i64::MAX) - count;
    let mut job = job.advance(count);
    job.body.task = Some(Box::new(Task { cursor: cursor.clone(), skipped, ..*task }));
    Ok(if cursor.is_none() { end(tx, job, JobState::Done, None, now) } else { job.renew(now) })
}

/// Whether whoever asked for a job is still there and may do what it does. By which token he asked no longer counts: the
/// job may have ended it, or he signed out.
async fn still_may(tx: &mut Tx<'_>, job: &Job, task: &Task) -> Result<bool> {
    let now = tx.now();
    let account = accounts::by_id(tx.conn(), task.asker.account).await?;
    let org = orgs::by_id(tx.conn(), job.org_id).await?;
    let there = account.is_some_and(|account| {
        account.org_id == job.org_id && !account.deleted() && account.state == AccountState::Active
    });
    if !there || org.is_none_or(|org| org.state != OrgState::Active) {
        return Ok(false);
    }
    let held = roles::held(tx.conn(), task.asker.account, now).await?;
    Ok(Act::ManageTokens.allowed(&held))
}

/// Ends a job within its transaction, and records that.
fn end(tx: &mut Tx<'_>, job: Job, state: JobState, failed: Option<Failed>, now: Millis) -> Job {
    let job = job.finish(state, failed, now);
    let Some(task) = &job.body.task else { return job };
    let event = Event::new(EventKind::JobEnded, job.org_id, job.id)
        .with("kind", job.kind.as_str())
        .with("state", state.as_str())
        .with("revoked", job.progress)
        .with("skipped", task.skipped);
    let event = match failed {
        Some(failed) => event.with("reason", failed.as_str()),
        None => event,
    };
    tx.record(&task.asker, event);
    job
}
