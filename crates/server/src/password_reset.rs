//! `tokenhouse account reset-password`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokenhouse_authority::{housekeeping, passwords};

use crate::failure::Failure;
use crate::output::{Output, print_text};
use crate::place::Place;
use crate::{ask, node};

/// `tokenhouse account reset-password`
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The e-mail address that the administrator signs in with
    #[arg(long, value_name = "EMAIL")]
    email: String,
    /// Read the new password from this file (/dev/stdin for standard input); without it one is made and shown once
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Sets a new password in the database itself: for the administrator who is locked out.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let config = arguments.place.settings(Vec::new())?;
    let given = match &arguments.password_file {
        Some(file) => Some(ask::secret_in(file)?),
        None => None,
    };
    let ctx = node::open(&config).await?;
    let done = passwords::reset_offline(&ctx, &arguments.email, given).await;
    housekeeping::close(&ctx).await;
    let done = done?.value;
    let made = done.secret.as_ref().map(tokenhouse_model::SecretText::expose);
    if output.json {
        return output.json(&json!({ "account_id": done.id, "password": made, "sessions_ended": done.touched }));
    }
    print_text(&match made {
        Some(password) => {
            format!("password  {password}\n\nKeep it now: it is not shown again. {} sessions ended.", done.touched)
        }
        None => format!("The password is set. {} sessions ended.", done.touched),
    })
}
