//! `tokenhouse ledger verify`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokenhouse_store::inspect::Findings;

use crate::config::Flag;
use crate::failure::Failure;
use crate::node;
use crate::output::{Output, print_text};
use crate::place::Place;

/// `tokenhouse ledger verify`
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The folder of the journal, with the checkpoints
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

/// Checks the chain against itself and against the journal, changing nothing.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let journal = arguments.journal.map(|path| path.display().to_string());
    let journal = journal.map(|value| Flag { key: "ledger.journal", name: "--journal", value });
    let config = arguments.place.settings(journal.into_iter().collect())?;
    let found = node::inspect(&config).await?;
    let whole = found.faults.is_empty();
    if output.json {
        output.json(&json!({
            "whole": whole, "epoch": found.epoch, "revision": found.revision, "vouched_revision": found.vouched,
            "compared": found.compared, "redacted": found.redacted, "restored": found.restored,
            "unreadable_journal_lines": found.unreadable, "faults": found.faults,
        }))?;
    } else {
        print_text(&told(&found))?;
    }
    if whole { Ok(()) } else { Err(Failure::Other(format!("the ledger is not whole: {}", found.faults.join("; ")))) }
}

fn told(found: &Findings) -> String {
    let mut text = format!(
        "events     1 to {} in epoch {}: each follows from the one before\njournal    {} entries compared\n",
        found.revision, found.epoch, found.compared
    );
    if !found.faults.is_empty() {
        text = format!("events     read up to {}\n", found.revision);
    }
    let notes = [
        (found.restored as u64, "journal entries from history that a restore lost, as the ledger itself records"),
        (found.unreadable as u64, "journal lines that can't be read: altered, torn, or under another master key"),
    ];
    for (number, what) in notes.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&format!("note       {number} {what}\n"));
    }
    text.push_str(&if found.faults.is_empty() {
        let open = found.revision - found.vouched;
        format!(
            "whole      no edit, removal or cut up to revision {}, the last that the journal vouches for{}",
            found.vouched,
            if open > 0 { format!("; a cut of the {open} after it could not be seen") } else { String::new() }
        )
    } else {
        found.faults.iter().map(|fault| format!("FAULT      {fault}")).collect::<Vec<_>>().join("\n")
    });
    text
}
