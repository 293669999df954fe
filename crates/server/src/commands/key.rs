//! `tokenhouse key`

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Caution, Hit, Remote, word};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Text, TimeIfAny};

const FIELDS: &[Field] = &[
    Field("Algorithm", "/algorithm", Text),
    Field("State", "/state", Text),
    Field("Signs from", "/signs_from", TimeIfAny),
    Field("Signs until", "/signs_until", TimeIfAny),
    Field("Believed until", "/believed_until", TimeIfAny),
    Field("ID", "/id", Text),
];

const SCHEDULE: &[Field] = &[Field("Replaced after (days)", "/rotate_days", Text)];

#[derive(Subcommand, Debug)]
pub enum Command {
    /// List them, those that are over included
    List,
    /// Make a new key: it is published now and signs in an hour
    Rotate {
        /// For which algorithm
        #[arg(long, value_enum, default_value = "RS256")]
        algorithm: Algorithm,
        /// Let it sign now: whoever keeps a copy of the published keys does not know it yet
        #[arg(long)]
        now: bool,
    },
    Retire(Retire),
    /// Set after how many days a key is replaced by itself
    Schedule {
        /// 0 for never
        #[arg(value_parser = clap::value_parser!(i64).range(0..=3650))]
        days: i64,
    },
}

/// End a key: one that signs is replaced at once, and what it signed is believed until it is over
#[derive(Args, Debug)]
pub struct Retire {
    /// The key's id
    id: String,
    /// Somebody else may have it: believe nothing that it signed from now on
    #[arg(long)]
    compromised: bool,
    #[command(flatten)]
    caution: Caution,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Algorithm {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "ES256")]
    Es256,
    #[value(name = "EdDSA")]
    EdDsa,
}

/// Runs one of them.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    match command {
        Command::List => list(remote).await,
        Command::Rotate { algorithm, now } => {
            let call = Call::post(&["keys", "rotate"]).body(json!({ "algorithm": word(algorithm), "at_once": now }));
            remote.object(call, FIELDS).await
        }
        Command::Retire(ask) => retire(&ask, remote).await,
        Command::Schedule { days } => {
            remote.object(Call::patch(&["keys"]).body(json!({ "rotate_days": days })), SCHEDULE).await
        }
    }
}

async fn list(remote: &Remote) -> Result<(), Failure> {
    let answer = remote.client.send(&Call::get(&["keys"])).await?;
    remote.output.list(FIELDS, &answer)?;
    if remote.output.json {
        return Ok(());
    }
    remote.output.note(&match answer.get("rotate_days").and_then(Value::as_i64).unwrap_or_default() {
        0 => "No key is replaced by itself.".to_owned(),
        days => format!("A key is replaced by itself after {days} days."),
    })
}

async fn retire(ask: &Retire, remote: &Remote) -> Result<(), Failure> {
    let keys = remote.client.send(&Call::get(&["keys"])).await?;
    let items = keys.get("items").and_then(Value::as_array);
    let key = items.into_iter().flatten().find(|key| key.get("id").and_then(Value::as_str) == Some(ask.id.as_str()));
    let key = key.ok_or_else(|| Failure::NotFound("there is no signing key of this id".to_owned()))?;
    let verb = if ask.compromised { "end every access token that this key signed" } else { "end this key" };
    let hit = Hit { verb, object: key, fields: FIELDS, also: Vec::new() };
    let call = Call::post(&["keys", &ask.id, "retire"]).body(json!({ "compromised": ask.compromised }));
    remote.destroy(&ask.caution, &hit, call, FIELDS).await
}
