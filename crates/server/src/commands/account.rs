//! `tokenhouse account`

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use tokenhouse_model::SecretText;

use super::export::Writing;
use super::{Caution, Hit, NoPassword, Page, Remote, id_of, word};
use crate::ask;
use crate::client::Call;
use crate::failure::Failure;
use crate::output::Field;
use crate::output::Form::{Day, List, Text, Time, TimeIfAny};
use crate::password_reset;
use crate::times::{self, Moment};

pub(super) const ACCOUNTS: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Kind", "/kind", Text),
    Field("Identifier", "/identifier", Text),
    Field("State", "/state", Text),
    Field("Roles", "/roles", List),
    Field("Groups", "/groups", List),
    Field("Last used", "/last_used_at", Day),
];

pub(super) const ACCOUNT: &[Field] = &[
    Field("ID", "/id", Text),
    Field("Kind", "/kind", Text),
    Field("Identifier", "/identifier", Text),
    Field("Description", "/description", Text),
    Field("State", "/state", Text),
    Field("Roles", "/roles", List),
    Field("Groups", "/groups", List),
    Field("Own permissions", "/permissions", List),
    Field("Tokens not revoked", "/tokens", Text),
    Field("Created", "/created_at", TimeIfAny),
    Field("Last used", "/last_used_at", Time),
];

const DELETED: &[Field] = &[Field("Deleted", "/id", Text), Field("Tokens revoked", "/touched", Text)];

const PERMISSIONS: &[Field] = &[Field("Permission", "/permission", Text), Field("Through", "/through", List)];

/// What kind of account.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// A person, known by an e-mail address
    User,
    /// A service account, known by a name that begins with sa::
    Service,
    /// An app with client secrets
    App,
}

/// Whether an account may act.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum State {
    /// It may
    Active,
    /// It may not, and none of its tokens works
    Inactive,
}

/// `tokenhouse account ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List accounts
    List {
        /// Only this kind
        #[arg(long)]
        kind: Option<Kind>,
        /// Only in this state
        #[arg(long)]
        state: Option<State>,
        /// Only those whose identifier begins so
        #[arg(long)]
        prefix: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Print all accounts, oldest first
    Export {
        /// Only this kind
        #[arg(long)]
        kind: Option<Kind>,
        /// Only in this state
        #[arg(long)]
        state: Option<State>,
        /// Only those whose identifier begins so
        #[arg(long)]
        prefix: Option<String>,
        #[command(flatten)]
        writing: Writing,
    },
    /// Make an account
    Create {
        /// An e-mail address, or sa::NAME for a service account
        identifier: String,
        /// Its kind (default: service for sa::NAME, else user)
        #[arg(long)]
        kind: Option<Kind>,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// Read a password for it: from a terminal, or a line of standard input
        #[arg(long)]
        with_password: bool,
        /// Read a password for it from this file
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        no_password: NoPassword,
    },
    /// Show one account
    Show {
        /// Its id or identifier
        account: String,
    },
    /// Change an account's description
    Update {
        /// Its id or identifier
        account: String,
        /// What it is for
        #[arg(long)]
        description: String,
    },
    /// Let a deactivated account act again
    Activate {
        /// Its id or identifier
        account: String,
    },
    /// Stop an account and all its tokens, until it is activated
    Deactivate {
        /// Its id or identifier
        account: String,
        #[command(flatten)]
        caution: Caution,
    },
    /// Delete an account for good, and revoke all its tokens
    Delete {
        /// Its id or identifier
        account: String,
        #[command(flatten)]
        caution: Caution,
    },
    /// Set a password: from a terminal, or a line of standard input
    Password {
        /// Its id or identifier
        account: String,
        /// Read the new password from this file
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Give the current password too, as for your own: asked for, or the second line of standard input
        #[arg(long)]
        current: bool,
        /// Read the current password from this file
        #[arg(long, value_name = "FILE")]
        current_file: Option<PathBuf>,
        #[command(flatten)]
        no_password: NoPassword,
    },
    /// Show all that an account may do, and through what
    Permissions {
        /// Its id or identifier
        account: String,
    },
    /// Give an account a permission of its own
    Grant {
        /// Its id or identifier
        account: String,
        /// The permission, e.g. house:tokens
        permission: String,
        /// When it ends: 90d, 2027-01-01, or never
        #[arg(long, value_parser = times::moment, value_name = "WHEN")]
        expires: Option<Moment>,
    },
    /// Take a permission of its own from an account
    Revoke {
        /// Its id or identifier
        account: String,
        /// The permission
        permission: String,
    },
    /// Give an account a role
    Assign {
        /// Its id or identifier
        account: String,
        /// The role's id or name
        role: String,
        /// When it ends: 90d, 2027-01-01, or never
        #[arg(long, value_parser = times::moment, value_name = "WHEN")]
        expires: Option<Moment>,
    },
    /// Take a role from an account
    Unassign {
        /// Its id or identifier
        account: String,
        /// The role's id or name
        role: String,
    },
    /// Set an administrator's password in the database itself, where nobody can sign in any more
    ResetPassword(password_reset::Arguments),
}

/// Runs one of them, [`Command::ResetPassword`] excepted: that one needs no server.
pub async fn run(command: Command, remote: &Remote) -> Result<(), Failure> {
    match command {
        Command::List { kind, state, prefix, page } => {
            let call = Call::get(&["accounts"]).query("kind", kind.and_then(word));
            remote.list(call.query("state", state.and_then(word)).query("prefix", prefix), &page, ACCOUNTS).await
        }
        Command::Export { kind, state, prefix, writing } => {
            let call = Call::get(&["accounts", "export"]).query("kind", kind.and_then(word));
            writing.run(remote, call.query("state", state.and_then(word)).query("prefix", prefix)).await
        }
        Command::Create { identifier, kind, description, with_password, password_file, no_password } => {
            no_password.check()?;
            let kind = kind.unwrap_or(if identifier.starts_with("sa::") { Kind::Service } else { Kind::User });
            let password = match with_password || password_file.is_some() {
                true => Some(ask::new_secret(password_file.as_deref(), "Password")?),
                false => None,
            };
            let password = password.as_ref().map(SecretText::expose);
            let body = json!({
                "kind": word(kind), "identifier": identifier, "description": description, "password": password,
            });
            remote.object(Call::post(&["accounts"]).body(body), ACCOUNT).await
        }
        Command::Show { account } => remote.object(Call::get(&["accounts", &account]), ACCOUNT).await,
        Command::Update { account, description } => {
            let call = Call::patch(&["accounts", &account]).body(json!({ "description": description }));
            remote.object(call, ACCOUNT).await
        }
        Command::Activate { account } => remote.object(Call::post(&["accounts", &account, "activate"]), ACCOUNT).await,
        Command::Deactivate { account, caution } => {
            end(remote, &account, &caution, "deactivate this account and stop its tokens", ACCOUNT, |id| {
                Call::post(&["accounts", id, "deactivate"])
            })
            .await
        }
        Command::Delete { account, caution } => {
            end(remote, &account, &caution, "delete this account and revoke its tokens, for good", DELETED, |id| {
                Call::delete(&["accounts", id])
            })
            .await
        }
        Command::Password { account, password_file, current, current_file, no_password } => {
            no_password.check()?;
            let password = ask::new_secret(password_file.as_deref(), "New password")?;
            let current = match current || current_file.is_some() {
                true => Some(ask::secret(current_file.as_deref(), "Current password")?),
                false => None,
            };
            let current = current.as_ref().map(SecretText::expose);
            let body = json!({ "password": password.expose(), "current": current });
            remote.object(Call::put(&["accounts", &account, "password"]).body(body), ACCOUNT).await
        }
        Command::Permissions { account } => permissions(remote, &account).await,
        Command::Grant { account, permission, expires } => {
            let call = Call::put(&["accounts", &account, "permissions", &permission]);
            remote.object(call.body(until(expires)), ACCOUNT).await
        }
        Command::Revoke { account, permission } => {
            remote.object(Call::delete(&["accounts", &account, "permissions", &permission]), ACCOUNT).await
        }
        Command::Assign { account, role, expires } => {
            remote.object(Call::put(&["accounts", &account, "roles", &role]).body(until(expires)), ACCOUNT).await
        }
        Command::Unassign { account, role } => {
            remote.object(Call::delete(&["accounts", &account, "roles", &role]), ACCOUNT).await
        }
        Command::ResetPassword(_) => {
            Err(Failure::Usage("reset-password works on a database, not on a server".to_owned()))
        }
    }
}

/// The end of a role or permission, as a body.
pub(super) fn until(expires: Option<Moment>) -> serde_json::Value {
    json!({ "expires_at": expires.and_then(|moment| moment.at(times::now())) })
}

async fn end(
    remote: &Remote,
    account: &str,
    caution: &Caution,
    verb: &str,
    fields: &[Field],
    call: impl Fn(&str) -> Call,
) -> Result<(), Failure> {
    let object = remote.client.send(&Call::get(&["accounts", account])).await?;
    let call = call(&id_of(&object)?);
    remote.destroy(caution, &Hit { verb, object: &object, fields: ACCOUNT, also: Vec::new() }, call, fields).await
}

async fn permissions(remote: &Remote, account: &str) -> Result<(), Failure> {
    let answer = remote.client.send(&Call::get(&["accounts", account, "permissions"])).await?;
    if remote.output.json {
        return remote.output.json(&answer);
    }
    remote.output.list(PERMISSIONS, &json!({ "items": answer.get("permissions") }))
}
