//! Rows of jobs. A row is changed only by who knows its fence, in the writer's transaction.

use tokenhouse_model::job::Job;
use tokenhouse_model::{Error, Result, Uuid};

use crate::conn::Conn;
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
