//! Rows of the keys that access tokens are signed with, and after how many days they are replaced.

use tokenhouse_model::signing::{DAYS, EVERY_DAYS, SigningKey};
use tokenhouse_model::{Error, Millis, Result, Uuid};

use crate::conn::Conn;
use crate::schema;
use crate::sql::{Bind as _, args, row, statements};

row!(SigningKey: "signing_key" { id, algorithm, public, sealed, created_at, signs_from, ended_at, compromised });

statements! {
    INSERT = "INSERT INTO signing_key (id, algorithm, public, sealed, created_at, signs_from, ended_at, compromised)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// Far more than there ever are: three in three months, kept for good so that the list tells what signed when.
    ALL = "SELECT id, algorithm, public, sealed, created_at, signs_from, ended_at, compromised FROM signing_key
        ORDER BY signs_from, id LIMIT 10000";
    END = "UPDATE signing_key SET sealed = $2, ended_at = CASE WHEN ended_at < $3 THEN ended_at ELSE $3 END,
        compromised = CASE WHEN $4 THEN $4 ELSE compromised END WHERE id = $1";
    WIPE = "UPDATE signing_key SET sealed = $2 WHERE id = $1";
}

/// Puts a key there.
///
/// # Errors
/// `unavailable`.
pub async fn insert(conn: &mut Conn<'_>, key: &SigningKey) -> Result<()> {
    conn.insert(&INSERT, key).await
}

/// Every key, in the order in which they sign.
///
/// # Errors
/// `unavailable`.
pub async fn all(conn: &mut Conn<'_>) -> Result<Vec<SigningKey>> {
    conn.all(&ALL, args![]).await
}

/// Ends a key for good and wipes its private half. Tells how many rows that were.
///
/// # Errors
/// `unavailable`.
pub async fn end(conn: &mut Conn<'_>, id: Uuid, at: Millis, compromised: bool) -> Result<u64> {
    conn.run(&END, args![id, Vec::<u8>::new(), at, compromised]).await
}

/// Wipes the private half of a key that signs no more.
///
/// # Errors
/// `unavailable`.
pub async fn wipe(conn: &mut Conn<'_>, id: Uuid) -> Result<()> {
    conn.run(&WIPE, args![id, Vec::<u8>::new()]).await.map(|_| ())
}

/// The name of the setting that holds the issuers, one a line.
const ISSUERS: &str = "issuers";

/// By which names this installation issues, or did lately: one for each address under which its nodes are reached.
///
/// # Errors
/// `unavailable`.
pub async fn issuers(conn: &mut Conn<'_>) -> Result<Vec<String>> {
    let text = schema::setting(conn, ISSUERS).await?.unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

/// Says by which names it issues.
///
/// # Errors
/// `unavailable`.
pub async fn set_issuers(conn: &mut Conn<'_>, issuers: &[String]) -> Result<()> {
    schema::change(conn, ISSUERS, &issuers.join("\n")).await
}

/// The name of the setting that says after how many days keys are replaced.
const SETTING: &str = "signing_days";

/// After how many days keys are replaced; 0 for never.
///
/// # Errors
/// `unavailable`; `internal` where the setting holds something else.
pub async fn days(conn: &mut Conn<'_>) -> Result<i64> {
    let Some(text) = schema::setting(conn, SETTING).await? else { return Ok(EVERY_DAYS) };
    let days = text.parse().ok().filter(|days| DAYS.contains(days));
    days.ok_or_else(|| Error::internal("the stored number of days after which keys are replaced can't be read"))
}

/// Says after how many days keys are replaced.
///
/// # Errors
/// `unavailable`.
pub async fn set_days(conn: &mut Conn<'_>, days: i64) -> Result<()> {
    schema::change(conn, SETTING, &days.to_string()).await
}
