//! Rows of answers kept under idempotency keys.

use tokenhouse_model::{Millis, Result, Uuid};

use crate::conn::{Conn, Number};
use crate::lists::{change_among, keys};
use crate::sql::{Bind as _, args, row, statements};

/// A kept answer.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The digest of account, token and key.
    pub id: Vec<u8>,
    /// The caller's org.
    pub org_id: Uuid,
    /// The token that was made or rotated; nil if it was something else.
    pub token_id: Uuid,
    /// The secret that was made; nil if none was.
    pub secret_id: Uuid,
    /// What was asked.
    pub operation: String,
    /// The digest of the request's body.
    pub body_digest: Vec<u8>,
    /// The answer, sealed; empty once purged.
    pub answer: Vec<u8>,
    /// The receipt's epoch.
    pub epoch: i64,
    /// The receipt's revision.
    pub revision: i64,
    /// Whether the answer was wiped before its time.
    pub purged: bool,
    /// Until when it is kept.
    pub expires_at: Millis,
}

row!(Kept: "once" { id, org_id, token_id, secret_id, operation, body_digest, answer, epoch, revision, purged, expires_at });

statements! {
    KEEP = "INSERT INTO once (id, org_id, token_id, secret_id, operation, body_digest, answer, epoch, revision, purged, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET token_id = excluded.token_id,
        secret_id = excluded.secret_id,
        operation = excluded.operation, body_digest = excluded.body_digest, answer = excluded.answer,
        epoch = excluded.epoch, revision = excluded.revision, purged = excluded.purged, expires_at = excluded.expires_at";
    FIND = "SELECT id, org_id, token_id, secret_id, operation, body_digest, answer, epoch, revision, purged, expires_at
        FROM once WHERE id = $1 AND expires_at > $2";
    PURGE_TOKEN = "UPDATE once SET answer = $2, purged = $3 WHERE token_id = $1 AND purged <> $3";
    PURGE_TOKENS = concat!("UPDATE once SET answer = $65, purged = $66
        WHERE token_id IN (", keys!(), ") AND purged <> $66");
    PURGE_OWNER = "UPDATE once SET answer = $2, purged = $3
        WHERE token_id IN (SELECT id FROM token WHERE owner_id = $1) AND purged <> $3";
    PURGE_SECRET = "UPDATE once SET answer = $2, purged = $3 WHERE secret_id = $1 AND purged <> $3";
    FORGET = "DELETE FROM once WHERE id IN (SELECT id FROM once WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    COUNT_EXPIRED = "SELECT COUNT(*) FROM (SELECT id FROM once WHERE expires_at <= $1 LIMIT $2) AS expired";
}

/// Keeps an answer; an expired one under the same key is replaced.
///
/// # Errors
/// `unavailable`.
pub async fn keep(conn: &mut Conn<'_>, kept: &Kept) -> Result<()> {
    conn.insert(&KEEP, kept).await
}

/// The answer under this key, if it is kept at `now`.
///
/// # Errors
/// `unavailable`.
pub async fn find(conn: &mut Conn<'_>, id: &[u8], now: Millis) -> Result<Option<Kept>> {
    conn.one(&FIND, args![id.to_vec(), now]).await
}

/// Wipes the answers that carry a secret of this token.
///
/// # Errors
/// `unavailable`.
pub async fn purge_token(conn: &mut Conn<'_>, token: Uuid) -> Result<u64> {
    conn.run(&PURGE_TOKEN, args![token, Vec::<u8>::new(), true]).await
}

/// Wipes the answers that carry a secret of one of these tokens.
///
/// # Errors
/// `unavailable`.
pub async fn purge_tokens(conn: &mut Conn<'_>, tokens: &[Uuid]) -> Result<u64> {
    change_among(conn, &PURGE_TOKENS, tokens, args![Vec::<u8>::new(), true]).await
}

/// Wipes the answers that carry a secret of any token of this owner.
///
/// # Errors
/// `unavailable`.
pub async fn purge_owner(conn: &mut Conn<'_>, owner: Uuid) -> Result<u64> {
    conn.run(&PURGE_OWNER, args![owner, Vec::<u8>::new(), true]).await
}

/// Wipes the answer that carries this secret.
///
/// # Errors
/// `unavailable`.
pub async fn purge_secret(conn: &mut Conn<'_>, secret: Uuid) -> Result<u64> {
    conn.run(&PURGE_SECRET, args![secret, Vec::<u8>::new(), true]).await
}

/// Forgets at most so many answers that expired by `now`, the oldest first, and tells how many.
///
/// # Errors
/// `unavailable`.
pub async fn forget(conn: &mut Conn<'_>, now: Millis, most: i64) -> Result<i64> {
    conn.run(&FORGET, args![now, most]).await.map(u64::cast_signed)
}

/// How many answers expired by `now`, counted up to `most`.
///
/// # Errors
/// `unavailable`.
pub async fn count_expired(conn: &mut Conn<'_>, now: Millis, most: i64) -> Result<i64> {
    Ok(conn.one::<Number>(&COUNT_EXPIRED, args![now, most]).await?.map_or(0, |number| number.value))
}
