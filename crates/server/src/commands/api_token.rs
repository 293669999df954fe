//! `tokenhouse api-token`

use clap::{Args, Subcommand};
use serde_json::json;

use super::scopes::Roles;
use super::token::print_once;
use super::{Caution, Hit, Remote, id_of};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Day, List, Text, Time, TimeIfAny};
use crate::times;

const LISTED: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Expires", "/expires_at", Day),
    Field("Last used", "/last_used_at", Day),
];

const FIELDS: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Permissions", "/permissions", List),
    Field("Created", "/created_at", TimeIfAny),
    Field("Expires", "/expires_at", Time),
    Field("Notice before (days)", "/notice_days", Text),
    Field("Last used", "/last_used_at", Time),
];

/// `tokenhouse api-token ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List your own
    List,
    Create(Create),
    /// Show one
    Show {
        /// Its id
        id: String,
    },
    /// Give one a new value and a new life: the old value and every access token of it are dead at once
    Regenerate {
        /// Its id
        id: String,
    },
    /// End one for good, and every access token of it
    Revoke {
        /// Its id
        id: String,
        #[command(flatten)]
        caution: Caution,
    },
}

/// Make one of your own; its value is printed once, alone on standard output
#[derive(Args, Debug)]
pub struct Create {
    /// What you know it by
    #[arg(long, default_value = "")]
    name: String,
    #[command(flatten)]
    roles: Roles,
    /// How long it lives: 90d, 12h; at least 30m. As the org's policy has it unless told
    #[arg(long, value_parser = times::duration, value_name = "DURATION", conflicts_with = "never_ends")]
    lifetime: Option<u64>,
    /// It does not end at all
    #[arg(long)]
    never_ends: bool,
    /// How many days before its end you want to hear of it
    #[arg(long, default_value_t = 0, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(0..=365))]
    notice_days: i64,
}

/// Runs one of them.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    match command {
        Command::List => remote.output.list(LISTED, &remote.client.send(&Call::get(&["api-tokens"])).await?),
        Command::Create(ask) => {
            let body = json!({
                "name": ask.name,
                "scopes": ask.roles.body(),
                "lifetime_seconds": ask.lifetime,
                "never_ends": ask.never_ends,
                "notice_days": ask.notice_days,
            });
            let made = remote.client.send(&Call::post(&["api-tokens"]).body(body).repeatable()).await?;
            print_once(remote, made, FIELDS)
        }
        Command::Show { id } => remote.object(Call::get(&["api-tokens", &id]), FIELDS).await,
        Command::Regenerate { id } => {
            let call = Call::post(&["api-tokens", &id, "regenerate"]).repeatable();
            print_once(remote, remote.client.send(&call).await?, FIELDS)
        }
        Command::Revoke { id, caution } => {
            let object = remote.client.send(&Call::get(&["api-tokens", &id])).await?;
            let call = Call::delete(&["api-tokens", &id_of(&object)?]);
            let verb = "revoke this api token and every access token of it, for good";
            remote
                .destroy(&caution, &Hit { verb, object: &object, fields: FIELDS, also: Vec::new() }, call, FIELDS)
                .await
        }
    }
}
