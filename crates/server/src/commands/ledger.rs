//! `tokenhouse ledger`

use clap::{Args, Subcommand};

use super::Remote;
use super::export;
use crate::client::Call;
use crate::failure::Failure;
use crate::ledger_offline;

/// `tokenhouse ledger ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print every event, oldest first
    Export(Events),
    /// Check the chain of events in a database, and against the checkpoints outside it; needs no server
    Verify(ledger_offline::Arguments),
}

/// `tokenhouse ledger export`
#[derive(Args, Debug)]
pub struct Events {
    #[command(flatten)]
    writing: export::Writing,
    /// Only events after this revision
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    after: u64,
}

/// Exports events as they come, so that a long ledger needs no memory.
pub async fn export(events: &Events, remote: &Remote) -> Result<(), Failure> {
    let call = Call::get(&["ledger", "export"]).query("after", Some(events.after));
    events.writing.of_ledger(remote, call).await
}
