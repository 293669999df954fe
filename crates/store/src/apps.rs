//! Rows of apps.

use tokenhouse_model::app::{App, AppTerms};
use tokenhouse_model::{Millis, Result, Uuid};

use crate::conn::Conn;
use crate::lists::{among, keys};
use crate::sql::{Bind as _, args, row, statements};

row!(App: "app" { identity_id, org_id, account_id, token_id, terms, created_at, created_by, updated_at, updated_by });

macro_rules! app {
    () => {
        "identity_id, org_id, account_id, token_id, terms, created_at, created_by, updated_at, updated_by"
    };
}

statements! {
    INSERT = concat!("INSERT INTO app (", app!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    BY_ACCOUNT = concat!("SELECT ", app!(), " FROM app WHERE account_id = $1");
    BY_IDENTITY = concat!("SELECT ", app!(), " FROM app WHERE identity_id = $1");
    OF_IDENTITIES = concat!("SELECT ", app!(), " FROM app WHERE identity_id IN (", keys!(), ")");
    OF_ORG = concat!("SELECT ", app!(), " FROM app WHERE org_id = $1 AND account_id IN
        (SELECT id FROM account WHERE org_id = $1 AND kind = 'app' AND tombstone = $2)
        ORDER BY account_id LIMIT 10000");
    UPDATE = "UPDATE app SET terms = $2, updated_at = $3, updated_by = $4 WHERE identity_id = $1";
}

/// Adds an app.
///
/// # Errors
/// `unavailable`.
pub async fn insert(conn: &mut Conn<'_>, app: &App) -> Result<()> {
    conn.insert(&INSERT, app).await
}

/// The app of this account in the org that owns it.
///
/// # Errors
/// `unavailable`.
pub async fn by_account(conn: &mut Conn<'_>, account: Uuid) -> Result<Option<App>> {
    conn.one(&BY_ACCOUNT, args![account]).await
}

/// The app of this identity.
///
/// # Errors
/// `unavailable`.
pub async fn by_identity(conn: &mut Conn<'_>, identity: Uuid) -> Result<Option<App>> {
    conn.one(&BY_IDENTITY, args![identity]).await
}

/// The apps of these identities, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn of_identities(conn: &mut Conn<'_>, identities: &[Uuid]) -> Result<Vec<App>> {
    among(conn, &OF_IDENTITIES, identities, args![]).await
}

/// The apps that an org owns, in the order of their making.
///
/// # Errors
/// `unavailable`.
pub async fn of_org(conn: &mut Conn<'_>, org: Uuid) -> Result<Vec<App>> {
    conn.all(&OF_ORG, args![org, Uuid::nil()]).await
}

/// Writes what was asked for an app.
///
/// # Errors
/// `unavailable`.
pub async fn update(conn: &mut Conn<'_>, app: Uuid, terms: &AppTerms, now: Millis, by: Uuid) -> Result<()> {
    conn.run(&UPDATE, args![app, terms, now, by]).await.map(|_| ())
}
