//! Rows of use: what was counted in memory and flushed.

use tokenhouse_model::{Millis, Result, Uuid};

use crate::conn::{Conn, Number};
use crate::sql::{Bind as _, args, row, statements};

/// How often a token was used on one day with one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageDay {
    /// The token.
    pub token_id: Uuid,
    /// Days since the epoch, UTC.
    pub day: i64,
    /// `good`, or the reason of the refusal.
    pub outcome: String,
    /// How often.
    pub uses: i64,
    /// When last, in epoch milliseconds.
    pub last_at: Millis,
    /// At most eight addresses, the first seen ones, separated by spaces.
    pub addresses: String,
}

row!(UsageDay: "usage_day" { token_id, day, outcome, uses, last_at, addresses });

statements! {
    ADD = "INSERT INTO usage_day (token_id, day, outcome, uses, last_at, addresses) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (token_id, day, outcome) DO UPDATE SET uses = usage_day.uses + excluded.uses,
        last_at = CASE WHEN excluded.last_at > usage_day.last_at THEN excluded.last_at ELSE usage_day.last_at END,
        addresses = excluded.addresses";
    ONE = "SELECT token_id, day, outcome, uses, last_at, addresses FROM usage_day
        WHERE token_id = $1 AND day = $2 AND outcome = $3";
    OF_TOKEN = "SELECT token_id, day, outcome, uses, last_at, addresses FROM usage_day WHERE token_id = $1
        ORDER BY day, outcome LIMIT 1000";
    FORGET = "DELETE FROM usage_day WHERE (token_id, day, outcome) IN
        (SELECT token_id, day, outcome FROM usage_day WHERE day < $1 ORDER BY day LIMIT $2)";
    COUNT_BEFORE = "SELECT COUNT(*) FROM (SELECT day FROM usage_day WHERE day < $1 LIMIT $2) AS old";
}

/// The most addresses that are remembered of a token, day and outcome.
pub const MOST_ADDRESSES: usize = 8;

/// Adds uses to a day.
///
/// # Errors
/// `unavailable`.
pub async fn add(conn: &mut Conn<'_>, more: &UsageDay) -> Result<()> {
    let known: Option<UsageDay> = conn.one(&ONE, args![more.token_id, more.day, more.outcome]).await?;
    let mut addresses: Vec<&str> = Vec::new();
    for address in known.iter().flat_map(|day| day.addresses.split(' ')).chain(more.addresses.split(' ')) {
        if !address.is_empty() && addresses.len() < MOST_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    conn.insert(&ADD, &UsageDay { addresses: addresses.join(" "), ..more.clone() }).await
}

/// A token's days, oldest first.
///
/// # Errors
/// `unavailable`.
pub async fn of_token(conn: &mut Conn<'_>, token: Uuid) -> Result<Vec<UsageDay>> {
    conn.all(&OF_TOKEN, args![token]).await
}

/// Forgets at most so many rows of days before this one, the oldest first, and tells how many.
///
/// # Errors
/// `unavailable`.
pub async fn forget_before(conn: &mut Conn<'_>, day: i64, most: i64) -> Result<i64> {
    conn.run(&FORGET, args![day, most]).await.map(u64::cast_signed)
}

/// How many rows of days before this one there are, counted up to `most`.
///
/// # Errors
/// `unavailable`.
pub async fn count_before(conn: &mut Conn<'_>, day: i64, most: i64) -> Result<i64> {
    Ok(conn.one::<Number>(&COUNT_BEFORE, args![day, most]).await?.map_or(0, |number| number.value))
}
