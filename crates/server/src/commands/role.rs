//! `tokenhouse role`

use clap::Subcommand;
use serde_json::json;

use super::{Caution, Hit, Page, Remote, id_of};
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{List, Text, TimeIfAny};

const ROLES: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Namespace", "/namespace", Text),
    Field("Name", "/name", Text),
    Field("Kind", "/kind", Text),
    Field("Built in", "/builtin", Text),
    Field("Permissions", "/permissions", List),
];

const ROLE: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Namespace", "/namespace", Text),
    Field("Name", "/name", Text),
    Field("Kind", "/kind", Text),
    Field("Description", "/description", Text),
    Field("Built in", "/builtin", Text),
    Field("Permissions", "/permissions", List),
    Field("Created", "/created_at", TimeIfAny),
];

const DELETED: &[Field] = &[Field("Deleted", "/id", Text), Field("Holders who lost it", "/touched", Text)];

/// `tokenhouse role ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List roles
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Make a role
    Create {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// A permission that it gives; repeat, or separate by commas
        #[arg(long = "permission", value_delimiter = ',', value_name = "PERMISSION")]
        permissions: Vec<String>,
    },
    /// Show one role
    Show {
        /// The role's id or name
        role: String,
    },
    /// Change a role
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["name", "description", "permissions", "no_permissions"]))]
    Update {
        /// The role's id or name
        role: String,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// The permissions that it gives from now on, in place of all before; repeat, or separate by commas
        #[arg(long = "permission", value_delimiter = ',', value_name = "PERMISSION")]
        permissions: Vec<String>,
        /// It gives none from now on
        #[arg(long, conflicts_with = "permissions")]
        no_permissions: bool,
    },
    /// Delete a role; whoever has it loses what it gives
    Delete {
        /// The role's id or name
        role: String,
        #[command(flatten)]
        caution: Caution,
    },
}

/// Runs one of them.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    let call = match command {
        Command::List { page } => return remote.list(Call::get(&["roles"]), &page, ROLES).await,
        Command::Delete { role, caution } => {
            let object = remote.client.send(&Call::get(&["roles", &role])).await?;
            let call = Call::delete(&["roles", &id_of(&object)?]);
            let verb = "delete this role, and take what it gives from all who have it";
            return remote
                .destroy(&caution, &Hit { verb, object: &object, fields: ROLE, also: Vec::new() }, call, DELETED)
                .await;
        }
        Command::Create { name, description, permissions } => {
            Call::post(&["roles"]).body(json!({ "name": name, "description": description, "permissions": permissions }))
        }
        Command::Show { role } => Call::get(&["roles", &role]),
        Command::Update { role, name, description, permissions, no_permissions } => {
            let permissions = (no_permissions || !permissions.is_empty()).then_some(permissions);
            let body = json!({ "name": name, "description": description, "permissions": permissions });
            Call::patch(&["roles", &role]).body(body)
        }
    };
    remote.object(call, ROLE).await
}
