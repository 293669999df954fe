//! `tokenhouse login`, `logout`, `whoami`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::token::{TOKEN, take_secret};
use super::{NoPassword, Remote};
use crate::ask;
use crate::client::{Call, Client, Connection};
use crate::failure::Failure;
use crate::output::Form::{List, Scopes, Text, Time};
use crate::output::{Field, Output, print_text};
use crate::replace::Replacement;

const WHOAMI: &[Field] = &[
    Field("Account", "/account/identifier", Text),
    Field("Kind", "/account/kind", Text),
    Field("Org", "/org/name", Text),
    Field("Org id", "/org/id", Text),
    Field("Token", "/token/name", Text),
    Field("Token id", "/token/id", Text),
    Field("Token kind", "/token/kind", Text),
    Field("Token scopes", "/token/scopes", Scopes),
    Field("Token expires", "/token/expires_at", Time),
    Field("Permissions", "/permissions", List),
];

/// Sign in with a password, from a terminal or a line of standard input; prints a session token
#[derive(Args, Debug)]
pub struct Login {
    /// The e-mail address to sign in with
    #[arg(long)]
    email: String,
    /// The org to sign in to, by its id; default: the identity's own default
    #[arg(long)]
    org: Option<String>,
    /// Read the password from this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Write the session token to this file (mode 0600), and print it nowhere
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    no_password: NoPassword,
}

/// Signs in. A token that the environment holds is not sent: two credentials in one request are refused.
pub async fn login(login: Login, connection: &Connection, output: Output) -> Result<(), Failure> {
    login.no_password.check()?;
    let password = ask::secret(login.password_file.as_deref(), "Password")?;
    let file = login.write.as_deref().map(|path| Replacement::prepare(path, false)).transpose()?;
    let body = json!({ "email": login.email, "password": password.expose(), "org": login.org });
    let client = Client::new(connection, None)?;
    let mut session = client.send(&Call::post(&["session"]).body(body)).await?;
    match file {
        Some(file) => {
            file.commit(&take_secret(&mut session)?)?;
            output.object(TOKEN, &session)
        }
        None if output.json => output.json(&session),
        None => print_text(take_secret(&mut session)?.expose()),
    }
}

/// Ends the session that the token is of.
pub async fn logout(remote: &Remote) -> Result<(), Failure> {
    remote.object(Call::delete(&["session"]), TOKEN).await
}

/// Shows who the token is.
pub async fn whoami(remote: &Remote) -> Result<(), Failure> {
    remote.object(Call::get(&["whoami"]), WHOAMI).await
}
