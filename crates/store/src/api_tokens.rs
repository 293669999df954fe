//! Rows of what was asked of api tokens, beside what decides.

use tokenhouse_model::asked::Terms;
use tokenhouse_model::{Result, Uuid};

use crate::conn::Conn;
use crate::lists::{among, keys};
use crate::sql::{args, row, statements};

row!(Terms: "api_token" { token_id, asked, life, notice_days });

statements! {
    INSERT = "INSERT INTO api_token (token_id, asked, life, notice_days) VALUES ($1, $2, $3, $4)";
    OF_TOKENS = concat!("SELECT token_id, asked, life, notice_days FROM api_token WHERE token_id IN (", keys!(), ")");
}

/// Puts them there, with their token.
///
/// # Errors
/// `unavailable`.
pub async fn insert(conn: &mut Conn<'_>, terms: &Terms) -> Result<()> {
    conn.insert(&INSERT, terms).await
}

/// What was asked of these tokens, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn of_tokens(conn: &mut Conn<'_>, tokens: &[Uuid]) -> Result<Vec<Terms>> {
    among(conn, &OF_TOKENS, tokens, args![]).await
}
