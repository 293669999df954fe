//! What tokens that move in from elsewhere need to know: which secrets are dead, and whether any is Grafana's.

use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Millis, Result};

use crate::conn::Conn;
use crate::lists::{among, keys};
use crate::schema;
use crate::sql::{args, row, statements};

/// A secret that is dead and that this database may never have had.
#[derive(Debug)]
pub struct Dead {
    digest: Digest,
    until: Millis,
}

row!(Dead: "dead_secret" { digest, until });

statements! {
    KEEP = "INSERT INTO dead_secret (digest, until) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    DEAD = concat!("SELECT digest, until FROM dead_secret WHERE digest IN (", keys!(), ")");
}

/// The setting that says that there are secrets of Grafana's.
const GRAFANA: &str = "grafana";

/// Notes that a secret is dead, whether or not it is here.
pub(crate) async fn bury(conn: &mut Conn<'_>, digest: &Digest, until: Millis) -> Result<()> {
    conn.insert(&KEEP, &Dead { digest: *digest, until }).await
}

/// Which of these are dead though they are not here.
///
/// # Errors
/// `unavailable`.
pub async fn dead(conn: &mut Conn<'_>, digests: &[Digest]) -> Result<Vec<Digest>> {
    let rows: Vec<Dead> = among(conn, &DEAD, digests, args![]).await?;
    Ok(rows.into_iter().map(|dead| dead.digest).collect())
}

/// Whether any secret of Grafana's ever moved in.
///
/// # Errors
/// `unavailable`.
pub async fn any_of_grafana(conn: &mut Conn<'_>) -> Result<bool> {
    Ok(schema::setting(conn, GRAFANA).await?.is_some())
}

/// Notes that secrets of Grafana's moved in.
///
/// # Errors
/// `unavailable`.
pub async fn note_grafana(conn: &mut Conn<'_>) -> Result<()> {
    schema::change(conn, GRAFANA, "here").await
}
