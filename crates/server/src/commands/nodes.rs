//! `tokenhouse nodes`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Remote;
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Text, TimeIfAny};

const NODES: &[Field] = &[
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Applied", "/applied", Text),
    Field("Behind", "/behind", Text),
    Field("Last heartbeat", "/beat_at", TimeIfAny),
    Field("Started", "/started_at", TimeIfAny),
    Field("ID", "/id", Text),
];

const FRESHNESS: &[Field] = &[Field("Freshness (ms)", "/freshness_ms", Text)];

/// The nodes of this installation, and how far each has applied the ledger
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Nodes {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List them (the default)
    List,
    /// Set for how long every node may answer from memory after it last looked at the database
    ///
    /// A receipt is confirmed after this time at the latest, also when a node does not answer. Shorter means more
    /// heartbeats, and that a node which can't reach the database stops answering sooner.
    Freshness {
        /// In milliseconds
        #[arg(value_parser = clap::value_parser!(i64).range(100..=10_000))]
        milliseconds: i64,
    },
}

/// Runs one of them.
pub async fn run(nodes: Nodes, remote: &Remote) -> Result<(), Failure> {
    match nodes.command.unwrap_or(Command::List) {
        Command::List => list(remote).await,
        Command::Freshness { milliseconds } => {
            let call = Call::patch(&["nodes"]).body(json!({ "freshness_ms": milliseconds }));
            remote.object(call, FRESHNESS).await
        }
    }
}

async fn list(remote: &Remote) -> Result<(), Failure> {
    let answer = remote.client.send(&Call::get(&["nodes"])).await?;
    remote.output.list(NODES, &answer)?;
    if remote.output.json {
        return Ok(());
    }
    let number = |name: &str| answer.get(name).and_then(Value::as_i64).unwrap_or_default();
    remote.output.note(&format!(
        "The ledger ends at revision {} of epoch {}. Nodes may answer from memory for {} ms.",
        number("head"),
        number("epoch"),
        number("freshness_ms")
    ))
}
