//! Rows of the integrations that orgs list, and of which one a token is for.

use tokenhouse_model::integration::Integrations;
use tokenhouse_model::{Millis, Result, Uuid};

use crate::conn::Conn;
use crate::lists::{among, keys};
use crate::sql::{Bind as _, args, row, statements};

/// A stored list.
#[derive(Debug)]
pub(crate) struct Stored {
    org_id: Uuid,
    body: Integrations,
    updated_at: Millis,
}

row!(Stored: "integrations" { org_id, body, updated_at });

/// Which integration a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct For {
    /// The token.
    pub token_id: Uuid,
    /// The integration's name.
    pub integration: String,
}

row!(For: "token_integration" { token_id, integration });

statements! {
    OF_ORG = "SELECT org_id, body, updated_at FROM integrations WHERE org_id = $1";
    SET = "INSERT INTO integrations (org_id, body, updated_at) VALUES ($1, $2, $3)
        ON CONFLICT (org_id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at";
    INSERT_FOR = "INSERT INTO token_integration (token_id, integration) VALUES ($1, $2)";
    OF_TOKENS = concat!("SELECT token_id, integration FROM token_integration WHERE token_id IN (", keys!(), ")");
}

/// The org's list; the one that it began with where it never changed it.
///
/// # Errors
/// `unavailable`.
pub async fn of_org(conn: &mut Conn<'_>, org: Uuid) -> Result<Integrations> {
    let stored: Option<Stored> = conn.one(&OF_ORG, args![org]).await?;
    Ok(stored.map(|stored| stored.body).unwrap_or_default())
}

/// Sets the org's list.
///
/// # Errors
/// `unavailable`.
pub async fn set(conn: &mut Conn<'_>, org: Uuid, list: &Integrations, now: Millis) -> Result<()> {
    conn.insert(&SET, &Stored { org_id: org, body: list.clone(), updated_at: now }).await
}

/// Notes which integration a token is for, with the token.
///
/// # Errors
/// `unavailable`.
pub async fn insert_for(conn: &mut Conn<'_>, token_id: Uuid, integration: &str) -> Result<()> {
    conn.insert(&INSERT_FOR, &For { token_id, integration: integration.to_owned() }).await
}

/// Which integrations these tokens are for, those that are for one, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn of_tokens(conn: &mut Conn<'_>, tokens: &[Uuid]) -> Result<Vec<For>> {
    among(conn, &OF_TOKENS, tokens, args![]).await
}
