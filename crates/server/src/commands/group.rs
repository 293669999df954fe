//! `tokenhouse group`

use clap::Subcommand;
use serde_json::json;

use super::account::{ACCOUNTS, until};
use super::{Caution, Hit, Page, Remote, id_of};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{List, Text, TimeIfAny};
use crate::times::{self, Moment};

const GROUPS: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("Kind", "/kind", Text),
    Field("Members", "/members", Text),
    Field("Roles", "/roles", List),
    Field("Description", "/description", Text),
];

const GROUP: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Name", "/name", Text),
    Field("Kind", "/kind", Text),
    Field("Description", "/description", Text),
    Field("Members", "/members", Text),
    Field("Roles", "/roles", List),
    Field("Permissions", "/permissions", List),
    Field("Created", "/created_at", TimeIfAny),
];

const DELETED: &[Field] = &[Field("Deleted", "/id", Text)];

/// `tokenhouse group ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List groups
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Make a group
    Create {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// Show one group
    Show {
        /// The group's id or name
        id: String,
    },
    /// Change a group's name or description
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["name", "description"]))]
    Update {
        /// The group's id or name
        id: String,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete a group; its members lose what they have through it
    Delete {
        /// The group's id or name
        id: String,
        #[command(flatten)]
        caution: Caution,
    },
    /// List the accounts in a group
    Members {
        /// The group's id or name
        id: String,
        #[command(flatten)]
        page: Page,
    },
    /// Put an account into a group
    Add {
        /// The group's id or name
        id: String,
        /// The account's id or identifier
        account: String,
    },
    /// Take an account out of a group
    Remove {
        /// The group's id or name
        id: String,
        /// The account's id or identifier
        account: String,
    },
    /// Give a role to all members
    Assign {
        /// The group's id or name
        id: String,
        /// The role's id or name
        role: String,
        /// When it ends: 90d, 2027-01-01, or never
        #[arg(long, value_parser = times::moment, value_name = "WHEN")]
        expires: Option<Moment>,
    },
    /// Take a role from all members
    Unassign {
        /// The group's id or name
        id: String,
        /// The role's id or name
        role: String,
    },
    /// Give a permission to all members
    Grant {
        /// The group's id or name
        id: String,
        /// The permission, e.g. house:tokens
        permission: String,
        /// When it ends: 90d, 2027-01-01, or never
        #[arg(long, value_parser = times::moment, value_name = "WHEN")]
        expires: Option<Moment>,
    },
    /// Take a permission from all members
    Revoke {
        /// The group's id or name
        id: String,
        /// The permission
        permission: String,
    },
}

/// Runs one of them.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    let call = match command {
        Command::List { page } => return remote.list(Call::get(&["groups"]), &page, GROUPS).await,
        Command::Members { id, page } => {
            return remote.list(Call::get(&["groups", &id, "members"]), &page, ACCOUNTS).await;
        }
        Command::Delete { id, caution } => {
            let object = remote.client.send(&Call::get(&["groups", &id])).await?;
            let call = Call::delete(&["groups", &id_of(&object)?]);
            let verb = "delete this group, and what its members have through it";
            return remote
                .destroy(&caution, &Hit { verb, object: &object, fields: GROUP, also: Vec::new() }, call, DELETED)
                .await;
        }
        Command::Create { name, description } => {
            Call::post(&["groups"]).body(json!({ "name": name, "description": description }))
        }
        Command::Show { id } => Call::get(&["groups", &id]),
        Command::Update { id, name, description } => {
            Call::patch(&["groups", &id]).body(json!({ "name": name, "description": description }))
        }
        Command::Add { id, account } => Call::put(&["groups", &id, "members", &account]),
        Command::Remove { id, account } => Call::delete(&["groups", &id, "members", &account]),
        Command::Assign { id, role, expires } => Call::put(&["groups", &id, "roles", &role]).body(until(expires)),
        Command::Unassign { id, role } => Call::delete(&["groups", &id, "roles", &role]),
        Command::Grant { id, permission, expires } => {
            Call::put(&["groups", &id, "permissions", &permission]).body(until(expires))
        }
        Command::Revoke { id, permission } => Call::delete(&["groups", &id, "permissions", &permission]),
    };
    remote.object(call, GROUP).await
}
