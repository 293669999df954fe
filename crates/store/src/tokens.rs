//! Rows of tokens and their secrets.

use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Millis, Result, Secret, Token, TokenKind, TokenState, Uuid};

use crate::conn::{Conn, Number};
use crate::lists::{FEW, among, change_among, filled, keys, rows};
use crate::search::trigrams;
use crate::sql::{Bind as _, args, row, statements};

row!(Token: "token" {
    id, short_id, org_id, owner_id, kind, name, name_fold, state, scopes, reach, addresses, created_at, created_by,
    created_through, updated_at, not_before, expires_at, idle_limit, last_used_at, last_used_address, revoked_at
});
row!(Secret: "secret" { id, token_id, org_id, digest, last4, created_at, good_until, sealed });

macro_rules! token {
    () => {
        "id, short_id, org_id, owner_id, kind, name, name_fold, state, scopes, reach, addresses, created_at, created_by,
        created_through, updated_at, not_before, expires_at, idle_limit, last_used_at, last_used_address, revoked_at"
    };
}

/// What a token's `owner_type` is, of its owner `a`.
macro_rules! owner_type {
    () => {
        "CASE WHEN a.kind = 'service' AND a.state <> 'active' THEN 'inactive_service' ELSE a.kind END"
    };
}

macro_rules! secret {
    () => {
        "id, token_id, org_id, digest, last4, created_at, good_until, sealed"
    };
}

statements! {
    INSERT = concat!("INSERT INTO token (", token!(), ", owner_fold, owner_type) VALUES
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
        COALESCE((SELECT a.identifier_fold FROM account a WHERE a.id = $4), ''),
        COALESCE((SELECT ", owner_type!(), " FROM account a WHERE a.id = $4), ''))");
    BY_ID = concat!("SELECT ", token!(), " FROM token WHERE id = $1");
    BY_IDS = concat!("SELECT ", token!(), " FROM token WHERE id IN (", keys!(), ") ORDER BY id");
    REVOKE_ALL = concat!("UPDATE token SET state = 'revoked', revoked_at = $65, updated_at = $65
        WHERE id IN (", keys!(), ") AND state <> 'revoked'");
    END_SECRETS_OF_ALL = concat!("UPDATE secret SET good_until = $65, sealed = $66
        WHERE token_id IN (", keys!(), ") AND good_until > $65");
    LIST = concat!("SELECT ", token!(), " FROM token WHERE org_id = $1 AND id > $2
        AND ($3 = '' OR kind = $3) AND ($4 = '' OR state = $4) ORDER BY id LIMIT $5");
    LIST_OF_OWNER = concat!("SELECT ", token!(), " FROM token WHERE owner_id = $1 AND id > $2
        AND ($3 = '' OR kind = $3) AND ($4 = '' OR state = $4) ORDER BY id LIMIT $5");
    UPDATE = "UPDATE token SET name = $2, name_fold = $3, state = $4, updated_at = $5, expires_at = $6, revoked_at = $7
        WHERE id = $1";
    RETYPE = concat!("UPDATE token SET owner_type = (SELECT ", owner_type!(), " FROM account a WHERE a.id = $1)
        WHERE owner_id = $1 AND state <> 'revoked'
        AND owner_type <> (SELECT ", owner_type!(), " FROM account a WHERE a.id = $1)");
    COUNT_LIVE = "SELECT COUNT(*) FROM token WHERE owner_id = $1 AND kind = $2 AND state <> 'revoked'
        AND expires_at > $3 AND created_at > $4";
    COUNT_LIVE_OF_ORG = "SELECT COUNT(*) FROM token WHERE owner_id = $1 AND kind = $2 AND org_id = $3
        AND state <> 'revoked' AND expires_at > $4 AND created_at > $5";
    LIVE_OF_OWNER = concat!("SELECT ", token!(), " FROM token WHERE owner_id = $1 AND state <> 'revoked' AND id > $2
        ORDER BY id LIMIT $3");
    LIVE_OF_OWNERS = concat!("SELECT ", token!(), " FROM token WHERE owner_id IN (", keys!(), ") AND state <> 'revoked'
        AND expires_at > $65 ORDER BY owner_id, id LIMIT $66");
    RENEW = "UPDATE token SET created_at = $2, updated_at = $2, expires_at = $3 WHERE id = $1";
    USED = concat!("UPDATE token SET last_used_at = column2, last_used_address = column3
        FROM (VALUES ", rows!(3), ") AS used WHERE id = column1 AND column2 - last_used_at >= $49");
    INSERT_SECRET = concat!("INSERT INTO secret (", secret!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    SECRET_BY_DIGEST = concat!("SELECT ", secret!(), " FROM secret WHERE digest = $1");
    SECRET_BY_ID = concat!("SELECT ", secret!(), " FROM secret WHERE id = $1");
    SECRETS_BY_DIGEST = concat!("SELECT ", secret!(), " FROM secret WHERE digest IN (", keys!(), ")");
    SECRETS = concat!("SELECT ", secret!(), " FROM secret WHERE token_id = $1 AND good_until > $2 ORDER BY id LIMIT 100");
    SECRETS_OF = concat!("SELECT s.id, s.token_id, s.org_id, s.digest, s.last4, s.created_at, s.good_until, s.sealed
        FROM secret s JOIN token t ON t.id = s.token_id
        WHERE s.token_id IN (", keys!(), ") AND s.good_until > $65 AND t.state <> 'revoked' ORDER BY s.id");
    USE_OF_OWNERS = concat!("SELECT owner_id, MAX(last_used_at), COUNT(CASE WHEN state <> 'revoked' THEN 1 END),
        MAX(CASE WHEN kind = 'session' THEN created_at ELSE 0 END) FROM token
        WHERE owner_id IN (", keys!(), ") GROUP BY owner_id");
    REVOKE_OF_OWNER = "UPDATE token SET state = 'revoked', revoked_at = $2, updated_at = $2
        WHERE owner_id = $1 AND state <> 'revoked'";
    END_SECRETS_OF_OWNER = "UPDATE secret SET good_until = $2, sealed = $3
        WHERE token_id IN (SELECT id FROM token WHERE owner_id = $1 AND state <> 'revoked') AND good_until > $2";
    END_SECRETS = "UPDATE secret SET good_until = $2, sealed = $3 WHERE token_id = $1 AND good_until > $2";
    END_SECRET = "UPDATE secret SET good_until = $2, sealed = $3 WHERE digest = $1 AND good_until > $2";
    WITH_SEALED = "SELECT DISTINCT org_id FROM secret WHERE LENGTH(sealed) > 0 ORDER BY org_id LIMIT 10000";
    WIPE_SEALED = "UPDATE secret SET sealed = $2 WHERE id IN (SELECT s.id FROM secret s JOIN token t ON t.id = s.token_id
        WHERE s.org_id = $1 AND LENGTH(s.sealed) > 0 AND (t.kind = 'user' OR t.kind = 'service') LIMIT $3)";
}

/// Adds a token.
///
/// # Errors
/// `unavailable`.
pub async fn insert(conn: &mut Conn<'_>, token: &Token) -> Result<()> {
    conn.insert(&INSERT, token).await?;
    trigrams::token_made(conn, token.id, &token.name_fold).await
}

/// The token of this id.
///
/// # Errors
/// `unavailable`.
pub async fn by_id(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Token>> {
    conn.one(&BY_ID, args![id]).await
}

/// The tokens of these ids, as far as they are there.
///
/// # Errors
/// `unavailable`.
pub async fn by_ids(conn: &mut Conn<'_>, ids: &[Uuid]) -> Result<Vec<Token>> {
    among(conn, &BY_IDS, ids, args![]).await
}

/// Revokes these tokens and ends their secrets; what was sealed of them is wiped. Tells how many were not revoked before.
///
/// # Errors
/// `unavailable`.
pub async fn revoke_all(conn: &mut Conn<'_>, ids: &[Uuid], now: Millis) -> Result<u64> {
    change_among(conn, &END_SECRETS_OF_ALL, ids, args![now, Vec::<u8>::new()]).await?;
    change_among(conn, &REVOKE_ALL, ids, args![now]).await
}

/// Begins a token's life anew.
///
/// # Errors
/// `unavailable`.
pub async fn renew(conn: &mut Conn<'_>, id: Uuid, now: Millis, expires_at: Millis) -> Result<()> {
    conn.run(&RENEW, args![id, now, expires_at]).await.map(|_| ())
}

/// What a list of tokens is narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only of this account.
    pub owner: Option<Uuid>,
    /// Only of this kind.
    pub kind: Option<TokenKind>,
    /// Only in this stored state.
    pub state: Option<TokenState>,
}

/// The org's tokens after this id.
///
/// # Errors
/// `unavailable`.
pub async fn list(conn: &mut Conn<'_>, org: Uuid, filter: Filter, after: Uuid, limit: i64) -> Result<Vec<Token>> {
    let kind = filter.kind.map_or("", TokenKind::as_str);
    let state = filter.state.map_or("", TokenState::as_str);
    match filter.owner {
        Some(owner) => conn.all(&LIST_OF_OWNER, args![owner, after, kind, state, limit]).await,
        None => conn.all(&LIST, args![org, after, kind, state, limit]).await,
    }
}

/// Writes what can change of a token.
///
/// # Errors
/// `unavailable`.
pub async fn update(conn: &mut Conn<'_>, token: &Token) -> Result<()> {
    trigrams::token_named(conn, token.id, &token.name_fold).await?;
    let args =
        args![token.id, token.name, token.name_fold, token.state, token.updated_at, token.expires_at, token.revoked_at];
    conn.run(&UPDATE, args).await.map(|_| ())
}

/// Brings the owner's type, by which tokens are searched, up to date after the owner was switched.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn retype(conn: &mut Conn<'_>, owner: Uuid) -> Result<()> {
    conn.run(&RETYPE, args![owner]).await.map(|_| ())
}

/// How many tokens of this kind an owner has that are neither revoked nor expired: neither by themselves nor, being
/// made at or before `oldest`, by the org's longest lifetime.
///
/// # Errors
/// `unavailable`.
pub async fn count_live(conn: &mut Conn<'_>, owner: Uuid, kind: TokenKind, now: Millis, oldest: Millis) -> Result<i64> {
    Ok(conn.one::<Number>(&COUNT_LIVE, args![owner, kind, now, oldest]).await?.map_or(0, |number| number.value))
}

/// As [`count_live`], of the tokens of this kind that an org owns itself.
///
/// # Errors
/// `unavailable`.
pub async fn count_live_of_org(
    conn: &mut Conn<'_>,
    org: Uuid,
    kind: TokenKind,
    now: Millis,
    oldest: Millis,
) -> Result<i64> {
    let nobody = Uuid::nil();
    let args = args![nobody, kind, org, now, oldest];
    Ok(conn.one::<Number>(&COUNT_LIVE_OF_ORG, args).await?.map_or(0, |number| number.value))
}

/// An owner's tokens that are not revoked, after this id.
///
/// # Errors
/// `unavailable`.
pub async fn live_of(conn: &mut Conn<'_>, owner: Uuid, after: Uuid, limit: i64) -> Result<Vec<Token>> {
    conn.all(&LIVE_OF_OWNER, args![owner, after, limit]).await
}

/// The tokens of several owners that are neither revoked nor expired by themselves, at most so many of each 64 owners.
///
/// # Errors
/// `unavailable`.
pub async fn live_of_owners(conn: &mut Conn<'_>, owners: &[Uuid], now: Millis, limit: i64) -> Result<Vec<Token>> {
    among(conn, &LIVE_OF_OWNERS, owners, args![now, limit]).await
}

/// When and from where a token was used.
#[derive(Clone, Debug)]
pub struct Used {
    /// The token.
    pub token: Uuid,
    /// When, in epoch milliseconds.
    pub at: Millis,
    /// From where; empty if unknown.
    pub address: String,
}

/// Notes uses that are newer by at least so many milliseconds than what is known.
///
/// # Errors
/// `unavailable`.
pub async fn used(conn: &mut Conn<'_>, uses: &[Used], newer: Millis) -> Result<()> {
    for chunk in uses.chunks(FEW) {
        let rows = chunk.iter().map(|used| args![used.token, used.at, used.address].to_vec());
        let Some(last) = rows.clone().next_back() else { continue };
        conn.run(&USED, &filled(rows, last, args![newer])).await?;
    }
    Ok(())
}

/// Adds a secret.
///
/// # Errors
/// `unavailable`.
pub async fn insert_secret(conn: &mut Conn<'_>, secret: &Secret) -> Result<()> {
    conn.insert(&INSERT_SECRET, secret).await
}

/// The secret of this digest, good or not.
///
/// # Errors
/// `unavailable`.
pub async fn secret(conn: &mut Conn<'_>, digest: &Digest) -> Result<Option<Secret>> {
    conn.one(&SECRET_BY_DIGEST, args![*digest]).await
}

/// The secret of this row, whether it is good or not.
///
/// # Errors
/// `unavailable`.
pub async fn secret_by_id(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Secret>> {
    conn.one(&SECRET_BY_ID, args![id]).await
}

/// The secrets of these digests, good or not, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn secrets_by_digest(conn: &mut Conn<'_>, digests: &[Digest]) -> Result<Vec<Secret>> {
    among(conn, &SECRETS_BY_DIGEST, digests, args![]).await
}

/// A token's secrets that are good at `now`.
///
/// # Errors
/// `unavailable`.
pub async fn secrets(conn: &mut Conn<'_>, token: Uuid, now: Millis) -> Result<Vec<Secret>> {
    conn.all(&SECRETS, args![token, now]).await
}

/// The good secrets of these tokens.
///
/// # Errors
/// `unavailable`.
pub async fn secrets_of(conn: &mut Conn<'_>, tokens: &[Uuid], now: Millis) -> Result<Vec<Secret>> {
    among(conn, &SECRETS_OF, tokens, args![now]).await
}

/// How an owner's tokens are used.
#[derive(Clone, Copy, Debug)]
pub struct OwnerUse {
    /// The account.
    pub owner_id: Uuid,
    /// When one of them was last used; 0 if none ever was.
    pub last_used_at: Millis,
    /// How many there are that are not revoked.
    pub tokens: i64,
    /// When the newest session was made; 0 if there was none.
    pub last_login_at: Millis,
}

row!(OwnerUse: "" { owner_id, last_used_at, tokens, last_login_at });

/// The use of the tokens of these accounts.
///
/// # Errors
/// `unavailable`.
pub async fn use_of_owners(conn: &mut Conn<'_>, owners: &[Uuid]) -> Result<Vec<OwnerUse>> {
    among(conn, &USE_OF_OWNERS, owners, args![]).await
}

/// Revokes an owner's tokens; tells how many were not revoked before.
///
/// # Errors
/// `unavailable`.
pub async fn revoke_of_owner(conn: &mut Conn<'_>, owner: Uuid, now: Millis) -> Result<u64> {
    conn.run(&REVOKE_OF_OWNER, args![owner, now]).await
}

/// Ends the secrets of an owner's tokens that are not revoked yet; what was sealed of them is wiped.
///
/// # Errors
/// `unavailable`.
pub async fn end_secrets_of_owner(conn: &mut Conn<'_>, owner: Uuid, until: Millis) -> Result<u64> {
    conn.run(&END_SECRETS_OF_OWNER, args![owner, until, Vec::<u8>::new()]).await
}

/// Ends a token's secrets at `until`, those that are good longer; what was sealed of them is wiped.
///
/// # Errors
/// `unavailable`.
pub async fn end_secrets(conn: &mut Conn<'_>, token: Uuid, until: Millis) -> Result<u64> {
    conn.run(&END_SECRETS, args![token, until, Vec::<u8>::new()]).await
}

/// Ends one secret at `until`, if it is good longer; what was sealed of it is wiped.
///
/// # Errors
/// `unavailable`.
pub async fn end_secret(conn: &mut Conn<'_>, digest: &Digest, until: Millis) -> Result<u64> {
    conn.run(&END_SECRET, args![*digest, until, Vec::<u8>::new()]).await
}

/// An org.
#[derive(Debug)]
struct OrgOf {
    org_id: Uuid,
}

row!(OrgOf: "" { org_id });

/// The orgs that keep secrets sealed.
///
/// # Errors
/// `unavailable`.
pub async fn orgs_with_sealed(conn: &mut Conn<'_>) -> Result<Vec<Uuid>> {
    let orgs: Vec<OrgOf> = conn.all(&WITH_SEALED, args![]).await?;
    Ok(orgs.into_iter().map(|org| org.org_id).collect())
}

/// Wipes at most so many sealed secrets of an org's user and service tokens; tells how many.
///
/// # Errors
/// `unavailable`.
pub async fn wipe_sealed(conn: &mut Conn<'_>, org: Uuid, limit: i64) -> Result<u64> {
    conn.run(&WIPE_SEALED, args![org, Vec::<u8>::new(), limit]).await
}
