//! Texts by their trigrams on SQLite, which has no index of them over a column as PostgreSQL has.
//!
//! The tables hold candidates only: a row is added with every new text and none is ever taken away, so they may hold
//! more than is true and never less. Whatever is found in them is looked at again.

use tokenhouse_model::{Result, Uuid};

use crate::conn::Conn;
use crate::sql::{Bind as _, Statement, args};

// These run on SQLite alone, so they stand in no list of statements.
static NEW_TOKEN: Statement = Statement::new("NEW_TOKEN_TEXT", "INSERT INTO token_text (id, name) VALUES ($1, $2)");
static NAMED_TOKEN: Statement = Statement::new(
    "NAMED_TOKEN_TEXT",
    "INSERT INTO token_text (id, name) SELECT id, $2 FROM token WHERE id = $1 AND name_fold <> $2",
);
static NEW_ACCOUNT: Statement =
    Statement::new("NEW_ACCOUNT_TEXT", "INSERT INTO account_text (id, identifier) VALUES ($1, $2)");

/// Notes a new token's folded name.
pub(crate) async fn token_made(conn: &mut Conn<'_>, id: Uuid, name: &str) -> Result<()> {
    note(conn, &NEW_TOKEN, id, name).await
}

/// Notes a token's folded name before it is written, if it is another one.
pub(crate) async fn token_named(conn: &mut Conn<'_>, id: Uuid, name: &str) -> Result<()> {
    note(conn, &NAMED_TOKEN, id, name).await
}

/// Notes a new account's folded identifier.
pub(crate) async fn account_made(conn: &mut Conn<'_>, id: Uuid, identifier: &str) -> Result<()> {
    note(conn, &NEW_ACCOUNT, id, identifier).await
}

async fn note(conn: &mut Conn<'_>, statement: &'static Statement, id: Uuid, text: &str) -> Result<()> {
    if conn.is_sqlite() && !text.is_empty() {
        conn.run(statement, args![id, *text]).await?;
    }
    Ok(())
}

/// What `MATCH` is asked for candidates: texts that have all trigrams of one of these.
pub(super) fn pattern(texts: &[String]) -> String {
    let all = |text: &String| {
        let characters: Vec<char> = text.chars().collect();
        let trigrams = characters.windows(3).map(|three| {
            let three: String = three.iter().collect();
            format!("\"{}\"", three.replace('"', "\"\""))
        });
        format!("({})", trigrams.collect::<Vec<_>>().join(" AND "))
    };
    texts.iter().map(all).collect::<Vec<_>>().join(" OR ")
}
