//! `tokenhouse app`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::scopes::Roles;
use super::token::print_once;
use super::{Caution, Hit, Remote};
use crate::ask;
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{List, Seconds, Text, TimeIfAny};
use crate::times;

const LISTED: &[Field] = &[
    Field("Client id", "/client_id", Text),
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Created", "/created_at", TimeIfAny),
];

const FIELDS: &[Field] = &[
    Field("Client id", "/client_id", Text),
    Field("Name", "/name", Text),
    Field("Description", "/description", Text),
    Field("State", "/state", Text),
    Field("Roles", "/scopes/organization/roles", List),
    Field("Access tokens live", "/access_token_seconds", Seconds),
    Field("Overlap of secrets", "/overlap_seconds", Seconds),
    Field("Secrets only by owners", "/owner_only", Text),
    Field("Orgs that may add it", "/allowed_orgs", List),
    Field("Secrets", "/secrets", List),
    Field("Created", "/created_at", TimeIfAny),
    Field("Account", "/account_id", Text),
];

const GUESTS: &[Field] = &[
    Field("Client id", "/client_id", Text),
    Field("Name", "/name", Text),
    Field("Owned by", "/owner", Text),
    Field("State", "/state", Text),
    Field("Added", "/created_at", TimeIfAny),
];

const GUEST: &[Field] = &[
    Field("Client id", "/client_id", Text),
    Field("Name", "/name", Text),
    Field("Owned by", "/owner", Text),
    Field("State", "/state", Text),
    Field("Roles", "/scopes/organization/roles", List),
    Field("Added", "/created_at", TimeIfAny),
    Field("Account", "/account_id", Text),
];

const DELETED: &[Field] = &[Field("Client id", "/client_id", Text)];

/// `tokenhouse app ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List the org's
    List,
    Create(Create),
    /// Show one
    Show {
        /// Its client id
        id: String,
    },
    Change(Change),
    /// Delete one, and every access token of it; its client id is never used again
    Delete {
        /// Its client id
        id: String,
        #[command(flatten)]
        caution: Caution,
    },
    Rotate(Rotate),
    /// End the overlap after a rotation: only the newest secret is good
    Finish {
        /// Its client id
        id: String,
    },
    /// Other orgs' apps in this one
    #[command(subcommand)]
    Guest(Guest),
}

/// `tokenhouse app guest ...`
#[derive(Subcommand, Debug)]
pub enum Guest {
    /// List them
    List,
    /// Show one
    Show {
        /// Its client id
        id: String,
    },
    /// Add one whose owner allows it, with roles of this org
    Add {
        /// Its client id
        id: String,
        #[command(flatten)]
        roles: Roles,
    },
    /// Change its roles to just those that are named
    Change {
        /// Its client id
        id: String,
        #[command(flatten)]
        roles: Roles,
    },
    /// Take one out of this org, with every access token that it has for it
    Remove {
        /// Its client id
        id: String,
        #[command(flatten)]
        caution: Caution,
    },
}

/// Make one; its secret is printed once, alone on standard output
#[derive(Args, Debug)]
pub struct Create {
    /// What people call it
    name: String,
    #[arg(long, default_value = "")]
    description: String,
    #[command(flatten)]
    roles: Roles,
    /// Its client id: letters, digits, - and _; made unless told
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Take its secret from the first line of this file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
}

/// What can be told of an app.
#[derive(Args, Debug)]
pub struct Terms {
    /// How long its access tokens live: 1m to 5h
    #[arg(long, value_parser = times::duration, value_name = "DURATION")]
    access_token_life: Option<u64>,
    /// How long an old secret stays good beside a new one: at most 30d
    #[arg(long, value_parser = times::duration, value_name = "DURATION")]
    overlap: Option<u64>,
    /// Whether only an owner of the org replaces its secrets
    #[arg(long, value_name = "BOOL")]
    owner_only: Option<bool>,
    /// Another org that may add it, by its id; repeat, or separate by commas. An empty one for none
    #[arg(long, value_delimiter = ',', value_name = "ORG")]
    allow_org: Option<Vec<String>>,
}

impl Terms {
    fn allowed(&self) -> Option<Vec<&str>> {
        let named = self.allow_org.as_ref()?.iter().map(String::as_str);
        Some(named.filter(|id| !id.is_empty()).collect())
    }
}

/// Change one; its roles become just those that are named, if any is
#[derive(Args, Debug)]
pub struct Change {
    /// Its client id
    id: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    roles: Roles,
    #[command(flatten)]
    terms: Terms,
}

/// Give one a new secret, printed once; the old one stays good for the overlap
#[derive(Args, Debug)]
pub struct Rotate {
    /// Its client id
    id: String,
    /// How long the old secret stays good; 0s ends it at once
    #[arg(long, value_parser = times::duration, value_name = "DURATION", conflicts_with = "now")]
    overlap: Option<u64>,
    /// End the old secret at once
    #[arg(long)]
    now: bool,
    /// Take the new secret from the first line of this file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

fn chosen(file: Option<&PathBuf>) -> Result<Value, Failure> {
    let secret = file.map(|path| ask::secret_in(path)).transpose()?;
    Ok(secret.map_or(Value::Null, |secret| secret.expose().into()))
}

/// Runs one of them.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    match command {
        Command::List => remote.output.list(LISTED, &remote.client.send(&Call::get(&["apps"])).await?),
        Command::Create(ask) => {
            let body = json!({
                "name": ask.name,
                "description": ask.description,
                "scopes": ask.roles.body(),
                "client_id": ask.id,
                "secret": chosen(ask.secret_file.as_ref())?,
                "access_token_seconds": ask.terms.access_token_life,
                "overlap_seconds": ask.terms.overlap,
                "owner_only": ask.terms.owner_only.unwrap_or(false),
                "allowed_orgs": ask.terms.allowed().unwrap_or_default(),
            });
            let made = remote.client.send(&Call::post(&["apps"]).body(body).repeatable()).await?;
            print_once(remote, made, FIELDS)
        }
        Command::Show { id } => remote.object(Call::get(&["apps", &id]), FIELDS).await,
        Command::Change(ask) => {
            let body = json!({
                "name": ask.name,
                "description": ask.description,
                "scopes": (!ask.roles.none()).then(|| ask.roles.body()),
                "access_token_seconds": ask.terms.access_token_life,
                "overlap_seconds": ask.terms.overlap,
                "owner_only": ask.terms.owner_only,
                "allowed_orgs": ask.terms.allowed(),
            });
            remote.object(Call::patch(&["apps", &ask.id]).body(body), FIELDS).await
        }
        Command::Delete { id, caution } => {
            let object = remote.client.send(&Call::get(&["apps", &id])).await?;
            let verb = "delete this app and end every access token of it";
            let hit = Hit { verb, object: &object, fields: FIELDS, also: Vec::new() };
            remote.destroy(&caution, &hit, Call::delete(&["apps", &id]), DELETED).await
        }
        Command::Rotate(ask) => {
            let overlap = if ask.now { Some(0) } else { ask.overlap };
            let body = json!({ "secret": chosen(ask.secret_file.as_ref())?, "overlap_seconds": overlap });
            let call = Call::post(&["apps", &ask.id, "secret"]).body(body).repeatable();
            print_once(remote, remote.client.send(&call).await?, FIELDS)
        }
        Command::Finish { id } => remote.object(Call::delete(&["apps", &id, "secret"]), FIELDS).await,
        Command::Guest(command) => guest(command, remote).await,
    }
}

async fn guest(command: Guest, remote: &Remote) -> Result<(), Failure> {
    match command {
        Guest::List => remote.output.list(GUESTS, &remote.client.send(&Call::get(&["guest-apps"])).await?),
        Guest::Show { id } => remote.object(Call::get(&["guest-apps", &id]), GUEST).await,
        Guest::Add { id, roles } => {
            let body = json!({ "client_id": id, "scopes": roles.body() });
            remote.object(Call::post(&["guest-apps"]).body(body).repeatable(), GUEST).await
        }
        Guest::Change { id, roles } => {
            let body = json!({ "scopes": roles.body() });
            remote.object(Call::patch(&["guest-apps", &id]).body(body), GUEST).await
        }
        Guest::Remove { id, caution } => {
            let object = remote.client.send(&Call::get(&["guest-apps", &id])).await?;
            let verb = "take this app out of the org and end every access token that it has for it";
            let hit = Hit { verb, object: &object, fields: GUEST, also: Vec::new() };
            remote.destroy(&caution, &hit, Call::delete(&["guest-apps", &id]), DELETED).await
        }
    }
}
