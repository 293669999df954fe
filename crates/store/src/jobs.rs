//! Rows of jobs. A row is changed only by who knows its fence, in the writer's transaction.

use tokenhouse_model::job::{Job, JobKind};
use tokenhouse_model::{Error, Millis, Result, Uuid};

use crate::conn::{Conn, Number};
use crate::sql::{Bind as _, args, row, statements};

row!(Job: "job" {
    id, org_id, kind, state, body, progress, total, created_by, created_at, updated_at, lease_node, lease_until, fence
});

macro_rules! columns {
    () => {
        "id, org_id, kind, state, body, progress, total, created_by, created_at, updated_at, lease_node, lease_until, fence"
    };
}

statements! {
    ADD = concat!("INSERT INTO job (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (id) DO NOTHING");
    BY_ID = concat!("SELECT ", columns!(), " FROM job WHERE id = $1");
    LIST = concat!("SELECT ", columns!(), " FROM job WHERE id > $1 ORDER BY id LIMIT $2");
    LIST_OF_ORG = concat!("SELECT ", columns!(), " FROM job WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    OPEN = concat!("SELECT ", columns!(), " FROM job WHERE kind = $1
        AND (state = 'waiting' OR state = 'running') AND id > $2 ORDER BY id LIMIT $3");
    COUNT_OPEN = "SELECT COUNT(*) FROM job WHERE org_id = $1
        AND (state = 'waiting' OR state = 'running' OR state = 'held')";
    FORGET = "DELETE FROM job WHERE id IN (SELECT id FROM job
        WHERE (state = 'done' OR state = 'cancelled' OR state = 'failed') AND updated_at < $1 ORDER BY id LIMIT $2)";
    COUNT_ENDED = "SELECT COUNT(*) FROM (SELECT id FROM job
        WHERE (state = 'done' OR state = 'cancelled' OR state = 'failed') AND updated_at < $1 LIMIT $2) AS ended";
    UPDATE = "UPDATE job SET state = $3, body = $4, progress = $5, total = $6, updated_at = $7, lease_node = $8,
        lease_until = $9, fence = $10 WHERE id = $1 AND fence = $2";
}

/// Adds a job; one that is there stays as it is.
///
/// # Errors
/// `unavailable`.
pub async fn add(conn: &mut Conn<'_>, job: &Job) -> Result<()> {
    conn.insert(&ADD, job).await
}

/// The job of this id.
///
/// # Errors
/// `unavailable`.
pub async fn by_id(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Job>> {
    conn.one(&BY_ID, args![id]).await
}

/// The jobs after this id.
///
/// # Errors
/// `unavailable`.
pub async fn list(conn: &mut Conn<'_>, after: Uuid, limit: i64) -> Result<Vec<Job>> {
    conn.all(&LIST, args![after, limit]).await
}

/// An org's jobs after this id.
///
/// # Errors
/// `unavailable`.
pub async fn list_of_org(conn: &mut Conn<'_>, org: Uuid, after: Uuid, limit: i64) -> Result<Vec<Job>> {
    conn.all(&LIST_OF_ORG, args![org, after, limit]).await
}

/// The jobs of a kind after this id that are waiting or half done, oldest first.
///
/// # Errors
/// `unavailable`.
pub async fn open(conn: &mut Conn<'_>, kind: JobKind, after: Uuid, limit: i64) -> Result<Vec<Job>> {
    conn.all(&OPEN, args![kind, after, limit]).await
}

/// How many jobs of an org have not ended.
///
/// # Errors
/// `unavailable`.
pub async fn count_open(conn: &mut Conn<'_>, org: Uuid) -> Result<i64> {
    Ok(conn.one::<Number>(&COUNT_OPEN, args![org]).await?.map_or(0, |number| number.value))
}

/// Forgets at most so many jobs that ended before `before`, and tells how many.
///
/// # Errors
/// `unavailable`.
pub async fn forget(conn: &mut Conn<'_>, before: Millis, most: i64) -> Result<i64> {
    conn.run(&FORGET, args![before, most]).await.map(u64::cast_signed)
}

/// How many jobs ended before `before`, counted up to `most`.
///
/// # Errors
/// `unavailable`.
pub async fn count_ended(conn: &mut Conn<'_>, before: Millis, most: i64) -> Result<i64> {
    Ok(conn.one::<Number>(&COUNT_ENDED, args![before, most]).await?.map_or(0, |number| number.value))
}

/// Writes what can change of a job, if `fence` is still its fence.
///
/// # Errors
/// `unavailable`; `unlawful_state` where the job changed hands, and nothing is changed.
pub async fn update(conn: &mut Conn<'_>, job: &Job, fence: i64) -> Result<()> {
    let args = args![
        job.id,
        fence,
        job.state,
        job.body,
        job.progress,
        job.total,
        job.updated_at,
        job.lease_node,
        job.lease_until,
        job.fence
    ];
    match conn.run(&UPDATE, args).await? {
        1 => Ok(()),
        _ => Err(Error::state("the job changed hands; nothing was changed")),
    }
}
