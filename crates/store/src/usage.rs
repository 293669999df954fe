//! Rows of use: what was counted in memory and flushed.

use std::collections::HashMap;

use tokenhouse_model::{Millis, Result, Uuid};

use crate::conn::{Conn, Number};
use crate::lists::{FEW, among, filled, keys, rows};
use crate::sql::{Bind as _, Row, args, row, statements};

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
    ADD = concat!("INSERT INTO usage_day (token_id, day, outcome, uses, last_at, addresses)
        SELECT column1, column2, column3, column4, column5, column6 FROM (VALUES ", rows!(6), ") AS more WHERE column4 > 0
        ON CONFLICT (token_id, day, outcome) DO UPDATE SET uses = usage_day.uses + excluded.uses,
        last_at = CASE WHEN excluded.last_at > usage_day.last_at THEN excluded.last_at ELSE usage_day.last_at END,
        addresses = CASE WHEN excluded.addresses = '' THEN usage_day.addresses ELSE excluded.addresses END");
    KNOWN = concat!("SELECT token_id, day, outcome, uses, last_at, addresses FROM usage_day
        WHERE (token_id, day, outcome) IN (VALUES ", rows!(3), ")");
    OF_TOKEN = "SELECT token_id, day, outcome, uses, last_at, addresses FROM usage_day WHERE token_id = $1
        ORDER BY day, outcome LIMIT 1000";
    GOOD_OF_TOKENS = concat!("SELECT token_id, CAST(SUM(uses) AS BIGINT) FROM usage_day
        WHERE token_id IN (", keys!(), ") AND outcome = 'good' AND day > $65 GROUP BY token_id");
    FORGET = "DELETE FROM usage_day WHERE (token_id, day, outcome) IN
        (SELECT token_id, day, outcome FROM usage_day WHERE day < $1 ORDER BY day LIMIT $2)";
    COUNT_BEFORE = "SELECT COUNT(*) FROM (SELECT day FROM usage_day WHERE day < $1 LIMIT $2) AS old";
}

/// The most addresses that are remembered of a token, day and outcome.
pub const MOST_ADDRESSES: usize = 8;

/// Adds uses to days, each of which is there once.
///
/// # Errors
/// `unavailable`.
pub async fn add(conn: &mut Conn<'_>, more: &[UsageDay]) -> Result<()> {
    for chunk in more.chunks(FEW) {
        let Some(last) = chunk.last() else { continue };
        let key = |day: &UsageDay| (day.token_id, day.day, day.outcome.clone());
        // Without an address those that are known stay as they are.
        let known: Vec<UsageDay> = if chunk.iter().all(|day| day.addresses.is_empty()) {
            Vec::new()
        } else {
            let keys = chunk.iter().map(|day| args![day.token_id, day.day, day.outcome].to_vec());
            let padding = args![last.token_id, last.day, last.outcome].to_vec();
            conn.all(&KNOWN, &filled(keys, padding, &[])).await?
        };
        let known: HashMap<_, _> = known.into_iter().map(|day| (key(&day), day.addresses)).collect();
        let days: Vec<UsageDay> = chunk
            .iter()
            .map(|day| {
                let before = known.get(&key(day)).map_or("", String::as_str);
                UsageDay { addresses: joined(before, &day.addresses), ..day.clone() }
            })
            .collect();
        let nothing = UsageDay { uses: 0, ..last.clone() };
        conn.run(&ADD, &filled(days.iter().map(Row::args), nothing.args(), &[])).await?;
    }
    Ok(())
}

/// The first seen addresses.
fn joined(before: &str, more: &str) -> String {
    let mut addresses: Vec<&str> = Vec::new();
    for address in before.split(' ').chain(more.split(' ')) {
        if !address.is_empty() && addresses.len() < MOST_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.join(" ")
}

/// A token's days, oldest first.
///
/// # Errors
/// `unavailable`.
pub async fn of_token(conn: &mut Conn<'_>, token: Uuid) -> Result<Vec<UsageDay>> {
    conn.all(&OF_TOKEN, args![token]).await
}

/// How often a token was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    /// The token.
    pub token_id: Uuid,
    /// How often.
    pub uses: i64,
}

row!(Uses: "" { token_id, uses });

/// How often these tokens were good on the days after this one, those that ever were, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn good_of_tokens(conn: &mut Conn<'_>, tokens: &[Uuid], day: i64) -> Result<Vec<Uses>> {
    among(conn, &GOOD_OF_TOKENS, tokens, args![day]).await
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
