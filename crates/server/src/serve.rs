//! `tokenhouse serve`

use clap::Args;

use crate::config::{Config, Faults, Flag};
use crate::failure::Failure;
use crate::gate::Gate;
use crate::listen::Listener;
use crate::node;
use crate::output::Output;
use crate::place::Place;

/// `tokenhouse serve`
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl Arguments {
    /// The settings that hold.
    fn settings(&self) -> Result<Config, Faults> {
        let listen = self.listen.clone().map(|value| Flag { key: "http.listen", name: "--listen", value });
        self.place.settings(listen.into_iter().collect())
    }
}

/// Serves until told to stop.
pub async fn run(arguments: Arguments, _output: Output) -> Result<(), Failure> {
    let config = arguments.settings()?;
    crate::telemetry::start(&config.log).map_err(|error| Failure::Other(error.to_string()))?;
    node::keep_memory_private();
    // The address first: a second server on the same one must not touch the journal.
    let listener = Listener::bind(&config.http).await?;
    let gate = Gate::open(&config).await?;
    let ctx = node::open(&config).await?;
    node::serve(&config, ctx, listener, gate).await
}
