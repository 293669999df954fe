//! `tokenhouse org`

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Caution, Hit, Page, Remote, id_of, told_count};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Text, TimeIfAny};

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
