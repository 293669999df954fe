//! `tokenhouse verify`

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Remote;
use crate::ask;
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{List, Text, Time};

const ACTIVE: &[Field] = &[
    Field("Active", "/active", Text),
    Field("Who", "/identifier", Text),
    Field("Account", "/account_id", Text),
    Field("Org", "/org_id", Text),
    Field("Token", "/token_id", Text),
    Field("Kind", "/kind", Text),
    Field("Name", "/name", Text),
    Field("Permissions", "/permissions", List),
    Field("Expires", "/expires_at", Time),
];

const NOT_ACTIVE: &[Field] = &[Field("Active", "/active", Text), Field("Reason", "/reason", Text)];

/// Ask whether a credential is good, read from standard input, a terminal or a file; exit code 7 says that it is not
#[derive(Args, Debug)]
pub struct Verify {
    /// Read the credential from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// It must have this permission
    #[arg(long)]
    permission: Option<String>,
    /// The address that it is used from
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// The answer must not be older than the change of this receipt
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(i64).range(0..))]
    at_least: Option<i64>,
    /// Only here to be refused: arguments can be read by others.
    #[arg(hide = true)]
    credential: Option<String>,
}

/// Runs it.
pub async fn run(verify: Verify, remote: &Remote) -> Result<(), Failure> {
    if verify.credential.is_some() {
        return Err(ask::refused_argument("a credential", "it on standard input, or in a file by --file FILE"));
    }
    let credential = ask::secret(verify.file.as_deref(), "Credential")?;
    let body = json!({
        "token": credential.expose(),
        "permission": verify.permission,
        "client_ip": verify.address,
        "at_least": verify.at_least,
    });
    let answer = remote.client.send(&Call::post(&["verify"]).body(body)).await?;
    let active = answer.get("active").and_then(Value::as_bool) == Some(true);
    remote.output.object(if active { ACTIVE } else { NOT_ACTIVE }, &answer)?;
    if active { Ok(()) } else { Err(Failure::NotActive) }
}
