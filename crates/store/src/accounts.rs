//! Rows of identities and accounts.

use tokenhouse_model::account::{AccountKind, AccountState, PasswordHash};
use tokenhouse_model::{Account, Identity, Millis, Result, Uuid, name};

use crate::conn::Conn;
use crate::lists::{among, keys};
use crate::search::trigrams;
use crate::sql::{Bind as _, Row as _, args, row, statements};
use crate::tokens;

row!(Identity: "identity" { id, kind, login, login_fold, password, default_org, created_at, updated_at });
row!(Account: "account" {
    id, org_id, identity_id, kind, identifier, identifier_fold, description, state, created_at, created_by, updated_at, tombstone
});

macro_rules! identity {
    () => {
        "id, kind, login, login_fold, password, default_org, created_at, updated_at"
    };
}

macro_rules! account {
    () => {
        "id, org_id, identity_id, kind, identifier, identifier_fold, description, state, created_at, created_by, updated_at, tombstone"
    };
}

/// The id that living accounts have as their tombstone.
const ALIVE: Uuid = Uuid::nil();

statements! {
    INSERT_IDENTITY = concat!("INSERT INTO identity (", identity!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    IDENTITY_BY_ID = concat!("SELECT ", identity!(), " FROM identity WHERE id = $1");
    IDENTITY_BY_LOGIN = concat!("SELECT ", identity!(), " FROM identity WHERE login_fold = $1");
    SET_PASSWORD = "UPDATE identity SET password = $2, updated_at = $3 WHERE id = $1";
    INSERT = concat!("INSERT INTO account (", account!(), ", description_fold)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
    BY_ID = concat!("SELECT ", account!(), " FROM account WHERE id = $1");
    BY_IDENTIFIER = concat!("SELECT ", account!(), " FROM account WHERE org_id = $1 AND identifier_fold = $2 AND tombstone = $3");
    BY_IDENTITY = concat!("SELECT ", account!(), " FROM account WHERE identity_id = $1 AND tombstone = $2 ORDER BY id LIMIT 1000");
    LIST = concat!("SELECT ", account!(), " FROM account WHERE org_id = $1 AND tombstone = $2 AND id > $3
        AND ($4 = '' OR kind = $4) AND ($5 = '' OR state = $5)
        AND ($6 = '' OR (identifier_fold >= $6 AND identifier_fold < $7)) ORDER BY id LIMIT $8");
    BY_IDS = concat!("SELECT ", account!(), " FROM account WHERE id IN (", keys!(), ")");
    BY_IDENTIFIERS = concat!("SELECT ", account!(), " FROM account WHERE identifier_fold IN (", keys!(), ")
        AND org_id = $65 AND tombstone = $66");
    UPDATE = "UPDATE account SET description = $2, state = $3, updated_at = $4, tombstone = $5,
        description_fold = $6 WHERE id = $1";
}

/// Adds an identity.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn insert_identity(conn: &mut Conn<'_>, identity: &Identity) -> Result<()> {
    conn.insert(&INSERT_IDENTITY, identity).await
}

/// The identity of this id.
///
/// # Errors
/// `unavailable`.
pub async fn identity(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Identity>> {
    conn.one(&IDENTITY_BY_ID, args![id]).await
}

/// The identity that signs in with this folded login.
///
/// # Errors
/// `unavailable`.
pub async fn identity_by_login(conn: &mut Conn<'_>, login_fold: &str) -> Result<Option<Identity>> {
    conn.one(&IDENTITY_BY_LOGIN, args![login_fold]).await
}

/// Sets or, with an empty hash, takes away a password.
///
/// # Errors
/// `unavailable`.
pub async fn set_password(conn: &mut Conn<'_>, identity: Uuid, hash: &PasswordHash, now: Millis) -> Result<()> {
    conn.run(&SET_PASSWORD, args![identity, hash, now]).await.map(|_| ())
}

/// Adds an account.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn insert(conn: &mut Conn<'_>, account: &Account) -> Result<()> {
    let fold = name::fold(&account.description);
    let args = [account.args(), vec![fold.bind()]].concat();
    conn.run(&INSERT, &args).await?;
    trigrams::account_made(conn, account.id, &account.identifier_fold).await
}

/// The account of this id, deleted or not.
///
/// # Errors
/// `unavailable`.
pub async fn by_id(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Account>> {
    conn.one(&BY_ID, args![id]).await
}

/// The org's living account of this folded identifier.
///
/// # Errors
/// `unavailable`.
pub async fn by_identifier(conn: &mut Conn<'_>, org: Uuid, identifier_fold: &str) -> Result<Option<Account>> {
    conn.one(&BY_IDENTIFIER, args![org, identifier_fold, ALIVE]).await
}

/// The living accounts of an identity, over all orgs.
///
/// # Errors
/// `unavailable`.
pub async fn of_identity(conn: &mut Conn<'_>, identity: Uuid) -> Result<Vec<Account>> {
    conn.all(&BY_IDENTITY, args![identity, ALIVE]).await
}

/// What a list of accounts is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this kind.
    pub kind: Option<AccountKind>,
    /// Only in this state.
    pub state: Option<AccountState>,
    /// Only identifiers that begin so, folded.
    pub prefix: String,
}

/// The org's living accounts after this id.
///
/// # Errors
/// `unavailable`.
pub async fn list(conn: &mut Conn<'_>, org: Uuid, filter: &Filter, after: Uuid, limit: i64) -> Result<Vec<Account>> {
    let kind = filter.kind.map_or("", AccountKind::as_str);
    let state = filter.state.map_or("", AccountState::as_str);
    // The first text that does not begin with the prefix: no character is above this one.
    let end = format!("{}\u{10FFFF}", filter.prefix);
    conn.all(&LIST, args![org, ALIVE, after, kind, state, filter.prefix, end, limit]).await
}

/// The accounts of these ids, deleted or not, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn by_ids(conn: &mut Conn<'_>, ids: &[Uuid]) -> Result<Vec<Account>> {
    among(conn, &BY_IDS, ids, args![]).await
}

/// The org's living accounts of these folded identifiers, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn by_identifiers(conn: &mut Conn<'_>, org: Uuid, folded: &[String]) -> Result<Vec<Account>> {
    among(conn, &BY_IDENTIFIERS, folded, args![org, ALIVE]).await
}

/// Writes what can change of an account.
///
/// # Errors
/// `unavailable`.
pub async fn update(conn: &mut Conn<'_>, account: &Account) -> Result<()> {
    let fold = name::fold(&account.description);
    let args = args![account.id, account.description, account.state, account.updated_at, account.tombstone, fold];
    conn.run(&UPDATE, args).await?;
    tokens::retype(conn, account.id).await
}
