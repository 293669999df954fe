//! `tokenhouse ledger`

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::Remote;
use crate::client::Call;
use crate::failure::Failure;
use crate::ledger_offline;
use crate::output::print_text;

/// The columns of CSV, in order. `details` is JSON in one cell.
const COLUMNS: [&str; 12] = [
    "revision",
    "epoch",
    "at",
    "kind",
    "subject_kind",
    "subject",
    "actor_account",
    "actor_token",
    "address",
    "request_id",
    "details",
    "hash",
];

/// `tokenhouse ledger ...`
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print every event, oldest first
    Export(Export),
    /// Check the chain of events in a database, and against the checkpoints outside it; needs no server
    Verify(ledger_offline::Arguments),
}

/// `tokenhouse ledger export`
#[derive(Args, Debug)]
pub struct Export {
    /// One JSON object a line, or comma-separated values
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// Only events after this revision
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    after: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// Exports page by page, so that a long ledger needs no memory. `--json` means JSON lines.
pub async fn export(export: &Export, remote: &Remote) -> Result<(), Failure> {
    let csv = export.format == Format::Csv && !remote.output.json;
    if csv {
        print_text(&COLUMNS.join(","))?;
    }
    let mut after = export.after;
    loop {
        let call = Call::get(&["ledger"]).query("after", Some(after)).query("limit", Some(super::PAGE));
        let page = remote.client.send(&call).await.map_err(|failure| {
            failure.and(&format!("Printed up to revision {after}: --after {after} goes on from there."))
        })?;
        let events = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !events.is_empty() {
            let lines = events.iter().map(|event| if csv { csv_line(event) } else { event.to_string() });
            print_text(&lines.collect::<Vec<_>>().join("\n"))?;
        }
        // Going by the last event's own revision, a page can neither be skipped nor come twice.
        let last = events.last().and_then(|event| event.get("revision")).and_then(Value::as_u64);
        match last {
            Some(last) if last > after => after = last,
            _ => return Ok(()),
        }
        if page.get("next").is_none_or(Value::is_null) {
            return Ok(());
        }
    }
}

fn csv_line(event: &Value) -> String {
    let cell = |name: &&str| match event.get(*name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => quoted(text),
        Some(other) => quoted(&other.to_string()),
    };
    COLUMNS.iter().map(cell).collect::<Vec<_>>().join(",")
}

/// RFC 4180. What a spreadsheet would take for a formula is made text, because names in events come from strangers.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    if !formula && !text.contains([',', '"', '\r', '\n']) {
        return text.to_owned();
    }
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn csv_cells_are_quoted_and_never_formulas() {
        let event = json!({
            "revision": 3, "epoch": 1, "kind": "token.issued", "subject": "=cmd()", "details": { "name": "a,\"b\"" },
        });
        assert_eq!(csv_line(&event), "3,1,,token.issued,,\"'=cmd()\",,,,,\"{\"\"name\"\":\"\"a,\\\"\"b\\\"\"\"\"}\",");
    }
}
