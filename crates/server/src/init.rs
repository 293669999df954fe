//! `tokenhouse init`

use clap::Args;
use serde_json::json;
use tokenhouse_authority::housekeeping;
use tokenhouse_authority::orgs::NewOrg;

use crate::config::Config;
use crate::failure::Failure;
use crate::node;
use crate::output::{Output, print_text};
use crate::place::Place;

/// `tokenhouse init`
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The name of the first org
    #[arg(long, value_name = "NAME")]
    org: String,
    /// The e-mail address of its administrator
    #[arg(long, value_name = "EMAIL")]
    admin: String,
    #[command(flatten)]
    keep: Keep,
}

/// Whether secrets can be shown again.
#[derive(Args, Debug)]
pub struct Keep {
    /// Keep the secrets of tokens made through the Wavefront API sealed, so that its lists show them at any time, as the
    /// original's do. Terraform needs it; without it a secret is shown once. A policy, so it can be changed later
    #[arg(long)]
    pub recoverable: bool,
}

/// Makes the installation and shows its first secrets, once.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let config = arguments.place.settings(Vec::new())?;
    let serve = how_to_serve(&arguments.place, &config);
    let new = NewOrg { name: arguments.org, admin: arguments.admin };
    let (ctx, made) = node::install(&config, new, arguments.keep.recoverable).await?;
    housekeeping::close(&ctx).await;
    let (password, token) = (made.password.expose(), made.token.expose());
    if output.json {
        return output.json(&json!({
            "org_id": made.org_id, "account": made.account, "password": password, "token": token,
        }));
    }
    print_text(&format!(
        "org       {}\nsign-in   {}\npassword  {password}\ntoken     {token}\n\n\
         Keep password and token now: they are not shown again. Keep the master key ({}) with your backups, but not\n\
         beside them. Then run: {serve}",
        made.org_id,
        made.account,
        config.keys.master_env.as_ref().map_or_else(
            || config
                .keys
                .master_file
                .clone()
                .unwrap_or_else(|| config.data.dir.join("master.key"))
                .display()
                .to_string(),
            |name| format!("variable {name}"),
        ),
    ))
}

/// The line that serves what was just made: the same flags, the database without its password.
fn how_to_serve(place: &Place, config: &Config) -> String {
    let mut line = "tokenhouse serve".to_owned();
    if let Some(file) = &place.config {
        line.push_str(&format!(" --config {}", file.display()));
    }
    if place.database.is_some() {
        line.push_str(&format!(" --database {}", config.database.url));
    }
    if let Some(data) = &place.data {
        line.push_str(&format!(" --data {}", data.display()));
    }
    line
}
