//! Rows of orgs and their policies.

use tokenhouse_model::{Millis, Org, Policy, Result, Uuid};

use crate::conn::{Conn, Number};
use crate::sql::{Bind as _, args, row, statements};

row!(Org: "org" { id, name, name_fold, state, onboarded, data_key, created_at, updated_at });

macro_rules! columns {
    () => {
        "id, name, name_fold, state, onboarded, data_key, created_at, updated_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO org (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    BY_ID = concat!("SELECT ", columns!(), " FROM org WHERE id = $1");
    BY_NAME = concat!("SELECT ", columns!(), " FROM org WHERE name_fold = $1");
    LIST = concat!("SELECT ", columns!(), " FROM org WHERE id > $1 ORDER BY id LIMIT $2");
    UPDATE = "UPDATE org SET name = $2, name_fold = $3, state = $4, onboarded = $5, updated_at = $6 WHERE id = $1";
    COUNT = "SELECT COUNT(*) FROM org";
    POLICY = "SELECT org_id, body, updated_at FROM policy WHERE org_id = $1";
    SET_POLICY = "INSERT INTO policy (org_id, body, updated_at) VALUES ($1, $2, $3)
        ON CONFLICT (org_id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at";
}

/// Adds an org.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn insert(conn: &mut Conn<'_>, org: &Org) -> Result<()> {
    conn.insert(&INSERT, org).await
}

/// The org of this id.
///
/// # Errors
/// `unavailable`.
pub async fn by_id(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Org>> {
    conn.one(&BY_ID, args![id]).await
}

/// The org of this folded name.
///
/// # Errors
/// `unavailable`.
pub async fn by_name(conn: &mut Conn<'_>, name_fold: &str) -> Result<Option<Org>> {
    conn.one(&BY_NAME, args![name_fold]).await
}

/// Orgs after this id, in the order of ids.
///
/// # Errors
/// `unavailable`.
pub async fn list(conn: &mut Conn<'_>, after: Uuid, limit: i64) -> Result<Vec<Org>> {
    conn.all(&LIST, args![after, limit]).await
}

/// Writes what can change of an org.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn update(conn: &mut Conn<'_>, org: &Org) -> Result<()> {
    let args = args![org.id, org.name, org.name_fold, org.state, org.onboarded, org.updated_at];
    conn.run(&UPDATE, args).await.map(|_| ())
}

/// How many orgs there are.
///
/// # Errors
/// `unavailable`.
pub async fn count(conn: &mut Conn<'_>) -> Result<i64> {
    Ok(conn.one::<Number>(&COUNT, args![]).await?.map_or(0, |number| number.value))
}

/// A stored policy.
#[derive(Debug)]
pub(crate) struct StoredPolicy {
    org_id: Uuid,
    body: Policy,
    updated_at: Millis,
}

row!(StoredPolicy: "policy" { org_id, body, updated_at });

/// The org's policy; the default one where it set none.
///
/// # Errors
/// `unavailable`.
pub async fn policy(conn: &mut Conn<'_>, org: Uuid) -> Result<Policy> {
    let stored: Option<StoredPolicy> = conn.one(&POLICY, args![org]).await?;
    Ok(stored.map(|stored| stored.body).unwrap_or_default())
}

/// Sets the org's policy.
///
/// # Errors
/// `unavailable`.
pub async fn set_policy(conn: &mut Conn<'_>, org: Uuid, policy: &Policy, now: Millis) -> Result<()> {
    conn.insert(&SET_POLICY, &StoredPolicy { org_id: org, body: policy.clone(), updated_at: now }).await
}
