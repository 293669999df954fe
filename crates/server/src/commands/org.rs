//! `tokenhouse org`

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Caution, Hit, Page, Remote, id_of, told_count};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Day, List, Text, TimeIfAny};

const ORGS: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Created", "/created_at", TimeIfAny),
];

const ORG: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Onboarded", "/onboarded", Text),
    Field("Created", "/created_at", TimeIfAny),
];

const OLD_TOKENS: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Kind", "/kind", Text),
    Field("Owner", "/owner_identifier", Text),
    Field("Name", "/name", Text),
    Field("Integration", "/integration", Text),
    Field("Created", "/created_at", Day),
    Field("Last used", "/last_used_at", Day),
    Field("From", "/last_used_address", Text),
    Field("Uses in 35 days", "/uses", Text),
];

const INTEGRATION: &[Field] = &[
    Field("Name", "/name", Text),
    Field("Permissions", "/permissions", List),
    Field("Description", "/description", Text),
];

const REMOVED: &[Field] = &[Field("Removed", "/name", Text)];

const CREATED: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("State", "/state", Text),
    Field("Administrator's id", "/admin", Text),
    Field("Password (shown once)", "/password", Text),
];

/// `tokenhouse org ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List the orgs that you may see
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Make an org with its first administrator
    Create {
        /// Its name
        name: String,
        /// The administrator's e-mail address
        #[arg(long, value_name = "EMAIL")]
        admin: String,
    },
    /// Show one org
    Show {
        /// The org's id
        id: String,
    },
    /// Give an org another name
    Rename {
        /// The org's id
        id: String,
        /// The new name
        name: String,
    },
    /// Stop everything in an org: no credential of it works until it is resumed
    Suspend {
        /// The org's id
        id: String,
        #[command(flatten)]
        caution: Caution,
    },
    /// Make access tokens the way into an org, on Wavefront's paths and the native ones too
    Onboard {
        /// The org's id
        id: String,
    },
    /// Take that back: access tokens reach what their tokens reach
    Offboard {
        /// The org's id
        id: String,
    },
    /// Let a suspended org work again
    Resume {
        /// The org's id
        id: String,
    },
    /// Tell who still uses which token of the kind that was there before access tokens, in your org
    OldTokens {
        #[command(flatten)]
        page: Page,
    },
    /// The integrations for whose proxies service accounts get tokens in your org, once it is onboarded
    #[command(subcommand)]
    Integrations(Integrations),
}

/// `tokenhouse org integrations ...`
#[derive(Subcommand, Debug)]
pub enum Integrations {
    /// List them
    List,
    /// List one, or say something else of one that is listed; tokens that are there stay as they were made
    Set {
        /// Its name: lower-case letters, digits, -, _ and .
        name: String,
        /// What it is
        #[arg(long)]
        description: Option<String>,
        /// A permission of Wavefront's that its proxies need; repeat, or separate by commas
        #[arg(long = "permission", value_delimiter = ',', required = true, value_name = "PERMISSION")]
        permissions: Vec<String>,
    },
    /// Take one out of the list: no new token can name it, those that are there go on
    Remove {
        /// Its name
        name: String,
    },
}

/// Runs one of them.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    match command {
        Command::List { page } => remote.list(Call::get(&["orgs"]), &page, ORGS).await,
        Command::Create { name, admin } => {
            let call = Call::post(&["orgs"]).body(json!({ "name": name, "admin": admin })).repeatable();
            remote.object(call, CREATED).await
        }
        Command::Show { id } => remote.object(Call::get(&["orgs", &id]), ORG).await,
        Command::Rename { id, name } => {
            remote.object(Call::patch(&["orgs", &id]).body(json!({ "name": name })), ORG).await
        }
        Command::Suspend { id, caution } => suspend(remote, &id, &caution).await,
        Command::Onboard { id } => remote.object(Call::post(&["orgs", &id, "onboard"]), ORG).await,
        Command::Offboard { id } => remote.object(Call::post(&["orgs", &id, "offboard"]), ORG).await,
        Command::Resume { id } => remote.object(Call::post(&["orgs", &id, "resume"]), ORG).await,
        Command::OldTokens { page } => {
            let call = Call::get(&["reports", "old-tokens"]);
            remote.list_or(call, &page, OLD_TOKENS, "none: nobody has to move to access tokens").await
        }
        Command::Integrations(command) => integrations(command, remote).await,
    }
}

async fn integrations(command: Integrations, remote: &Remote) -> Result<(), Failure> {
    match command {
        Integrations::List => {
            let answer = remote.client.send(&Call::get(&["integrations"])).await?;
            remote.output.list(INTEGRATION, &answer)
        }
        Integrations::Set { name, description, permissions } => {
            let body = json!({ "description": description, "permissions": permissions });
            remote.object(Call::put(&["integrations", &name]).body(body), INTEGRATION).await
        }
        Integrations::Remove { name } => remote.object(Call::delete(&["integrations", &name]), REMOVED).await,
    }
}

async fn suspend(remote: &Remote, id: &str, caution: &Caution) -> Result<(), Failure> {
    let org = remote.client.send(&Call::get(&["orgs", id])).await?;
    let id = id_of(&org)?;
    // Lists show the caller's own org only; how many tokens another has can't be counted from here.
    let whoami = remote.client.send(&Call::get(&["whoami"])).await?;
    let own = whoami.pointer("/org/id").and_then(Value::as_str) == Some(id.as_str());
    let mut also = Vec::new();
    for (title, list) in [
        ("Tokens not switched off", Call::get(&["tokens"]).query("state", Some("active"))),
        ("Accounts", Call::get(&["accounts"])),
    ] {
        also.push((title, told_count(if own { remote.count(list).await? } else { None })));
    }
    let hit = Hit { verb: "suspend this org and stop all its credentials", object: &org, fields: ORG, also };
    remote.destroy(caution, &hit, Call::post(&["orgs", &id, "suspend"]), ORG).await
}
