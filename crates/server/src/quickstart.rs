//! `tokenhouse quickstart`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokenhouse_authority::install::Installed;
use tokenhouse_authority::orgs::NewOrg;
use tokenhouse_authority::{Ctx, housekeeping};
use tokenhouse_store::Found;

use crate::config::{Config, Flag};
use crate::failure::Failure;
use crate::gate::Gate;
use crate::init::Keep;
use crate::listen::Listener;
use crate::node;
use crate::output::{Output, print_text};
use crate::place::Place;

/// `tokenhouse quickstart`
#[derive(Args, Debug)]
pub struct Arguments {
    /// The folder that everything is kept in
    #[arg(long, value_name = "DIR", default_value = "tokenhouse-data")]
    data: PathBuf,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    keep: Keep,
}

const ORG: &str = "main";
const ADMIN: &str = "admin@localhost";

impl Arguments {
    fn settings(&self) -> Result<Config, Failure> {
        let database = format!("sqlite://{}", self.data.join("tokenhouse.db").display());
        let place = Place { config: None, database: Some(database), data: Some(self.data.clone()) };
        let listen = self.listen.clone().map(|value| Flag { key: "http.listen", name: "--listen", value });
        Ok(place.settings(listen.into_iter().collect())?)
    }
}

/// Makes what is missing, serves, and says how to go on.
pub async fn run(arguments: Arguments, _output: Output) -> Result<(), Failure> {
    let config = arguments.settings()?;
    crate::telemetry::start(&config.log).map_err(|error| Failure::Other(error.to_string()))?;
    node::keep_memory_private();
    // The address first: when it is taken, no secret has been made that would be lost with this error.
    let listener = Listener::bind(&config.http).await?;
    let gate = Gate::open(&config).await?;
    let url = config.http.base_url(listener.address()?);
    let ctx = match earlier(&config).await? {
        Some(ctx) => {
            print_text(&again(&url, &arguments))?;
            ctx
        }
        None => {
            let new = NewOrg { name: ORG.to_owned(), admin: ADMIN.to_owned() };
            let (ctx, made) = node::install(&config, new, arguments.keep.recoverable).await?;
            print_text(&first(&url, &arguments, &made))?;
            ctx
        }
    };
    node::serve(&config, ctx, listener, gate).await
}

/// What an earlier run has made, unless it was killed before it was done.
async fn earlier(config: &Config) -> Result<Option<Arc<Ctx>>, Failure> {
    if node::look(config).await? == Found::Nothing {
        return Ok(None);
    }
    let ctx = node::open(config).await?;
    if node::is_whole(&ctx).await? {
        return Ok(Some(ctx));
    }
    housekeeping::close(&ctx).await;
    Ok(None)
}

fn first(url: &str, arguments: &Arguments, made: &Installed) -> String {
    let (password, token) = (made.password.expose(), made.token.expose());
    let data = arguments.data.display();
    format!(
        "Tokenhouse is ready.\n\n  \
         server    {url}\n  \
         data      {data}\n  \
         sign-in   {}\n  \
         password  {password}\n  \
         token     {token}\n\n\
         Keep password and token now: they are not shown again. Try:\n\n  \
         curl -H 'Authorization: Bearer {token}' {url}/v1/whoami\n  \
         curl -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\\n       \
         -d '{{\"name\":\"my first token\"}}' {url}/v1/tokens\n\n\
         Ctrl-C stops it; the same command goes on with the same data.\n",
        made.account
    )
}

fn again(url: &str, arguments: &Arguments) -> String {
    let data = arguments.data.display();
    let database = format!("sqlite://{}", arguments.data.join("tokenhouse.db").display());
    let keep = if arguments.keep.recoverable {
        "\n--recoverable is for what is made new; to change it here: tokenhouse policy set --recoverable true\n"
    } else {
        ""
    };
    format!(
        "Tokenhouse is ready.\n\n  \
         server    {url}\n  \
         data      {data} (as it was)\n\n\
         Token and password were shown when it was made. Sign in with:\n  \
         tokenhouse login --email {ADMIN}\n\
         Lost both? Stop this, then:\n  \
         tokenhouse account reset-password --database {database} --email {ADMIN}\n{keep}"
    )
}
