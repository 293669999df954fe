//! `/v1/jobs`

use axum::extract::State;
use serde::Serialize;
use tokenhouse_authority::jobs;
use tokenhouse_model::Uuid;
use tokenhouse_model::cursor::Page;
use tokenhouse_model::id::parse;
use utoipa::ToSchema;

use super::bulk::Asked;
use super::shapes::{Changed, List, Paging, somebody, time};
use super::{Answer, Native, changed, found, listed, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Path, Query};

/// Why a job is held.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Held {
    /// `time_jumped`, `clock_behind_ledger` or `clock_behind_last_run`.
    #[schema(example = "time_jumped")]
    reason: &'static str,
    /// How far the clock was ahead of what was expected; negative if it was behind.
    seconds: i64,
    /// When, by that clock.
    at: i64,
    /// The node whose clock it is.
    node: Uuid,
}

/// A job: of the house, or one that somebody asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Job {
    id: Uuid,
    /// What it does: `forget` deletes kept answers that expired, use that is older than 35 days, and jobs that ended 30
    /// days ago; `revoke_tokens` revokes what a search finds.
    #[schema(example = "forget")]
    kind: &'static str,
    /// `waiting` for its time, `running`, or `held` until somebody confirms that the time is right. One that somebody
    /// asked for ends as `done`, `cancelled` or `failed`.
    #[schema(example = "waiting")]
    state: &'static str,
    /// Rows done in this run, or in the last one.
    progress: i64,
    /// Rows that there were to do when the run began, counted up to 100,000 of each kind, or more once more are done.
    total: i64,
    created_at: i64,
    updated_at: i64,
    /// When its next run is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
    /// When its last run ended; absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    ran_at: Option<i64>,
    /// The node that does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<Uuid>,
    /// Until when other nodes leave it alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until: Option<i64>,
    /// Grows whenever the job changes hands.
    fence: i64,
    /// Why it is held, while it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    /// Whose tokens it is about; absent for a job of the house, as all that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<Uuid>,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Uuid>,
    /// What it looks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Vec<Asked>>,
    /// Tokens that it found but that ended in another way before their turn came.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<i64>,
    /// Why it failed: `refused` when whoever asked may no longer, `too_slow` when finding the rest takes too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl From<tokenhouse_model::job::Job> for Job {
    fn from(job: tokenhouse_model::job::Job) -> Self {
        let (held, task) = (job.body.held, job.body.task.as_ref());
        Self {
            org_id: somebody(job.org_id),
            created_by: somebody(job.created_by),
            search: task.map(|task| task.conditions.iter().map(Asked::of).collect()),
            skipped: task.map(|task| task.skipped),
            reason: task.and_then(|task| task.failed).map(tokenhouse_model::job::Failed::as_str),
            id: job.id,
            kind: job.kind.as_str(),
            state: job.state.as_str(),
            progress: job.progress,
            total: job.total,
            created_at: job.created_at,
            updated_at: job.updated_at,
            due_at: time(job.body.due_at),
            ran_at: time(job.body.ran_at),
            node: somebody(job.lease_node),
            lease_until: time(job.lease_until),
            fence: job.fence,
            held: held.map(|held| Held {
                reason: held.why.as_str(),
                seconds: held.seconds(),
                at: held.at,
                node: held.node,
            }),
        }
    }
}

/// Lists jobs: an operator sees those of the house and of every org, who may manage tokens those of his org.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(Paging), responses((status = 200, description = "A page", body = List<Job>)))]
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Native,
    Query(page): Query<Paging>,
) -> Reply<Answer<List<Job>>> {
    let page = Page::ask(page.cursor.as_deref(), page.limit)?;
    Ok(listed(jobs::list(&ctx, &caller, page).await?))
}

/// One job: to whoever asked for it, and to all who see it in lists.
#[utoipa::path(get, path = "/v1/jobs/{job}", tag = "jobs", params(("job" = String, Path)), responses((status = 200, description = "The job", body = Job)))]
pub(super) async fn get(State(ctx): House, As(caller, _): Native, Path(job): Path<String>) -> Reply<Answer<Job>> {
    Ok(found(jobs::get(&ctx, &caller, parse("job", &job)?).await?.into()))
}

/// Stops a job that somebody asked for. What it did stays done.
#[utoipa::path(post, path = "/v1/jobs/{job}/cancel", tag = "jobs", params(("job" = String, Path)), responses((status = 200, description = "Cancelled", body = Changed<Job>)))]
pub(super) async fn cancel(
    State(ctx): House,
    As(caller, _): Native,
    Path(job): Path<String>,
) -> Reply<Answer<Changed<Job>>> {
    let done = jobs::cancel(&ctx, &caller, parse("job", &job)?).await?;
    Ok(changed(&done, shown(jobs::get(&ctx, &caller, done.value.id).await)?.into()))
}

/// Confirms that the time is right as it is now, and lets a job go on that was held.
#[utoipa::path(post, path = "/v1/jobs/{job}/confirm", tag = "jobs", params(("job" = String, Path)), responses((status = 200, description = "Confirmed", body = Changed<Job>)))]
pub(super) async fn confirm(
    State(ctx): House,
    As(caller, _): Native,
    Path(job): Path<String>,
) -> Reply<Answer<Changed<Job>>> {
    let done = jobs::confirm(&ctx, &caller, parse("job", &job)?).await?;
    Ok(changed(&done, shown(jobs::get(&ctx, &caller, done.value.id).await)?.into()))
}
