//! `tokenhouse token export`, `account export` and `ledger export`: all of a list, to a file or standard output.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Remote, word};
use crate::client::Call;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::replace::Replacement;

/// How and where to.
#[derive(Args, Debug)]
pub struct Writing {
    /// One JSON object a line, or comma-separated values
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// Write to this file (mode 0600), which is replaced once everything has come
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// How far an export is.
#[derive(Default)]
struct Count {
    rows: u64,
    bytes: u64,
    /// The line that is not whole yet.
    rest: Vec<u8>,
    /// The last whole line.
    last: Vec<u8>,
}

impl Count {
    fn take(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(line);
            if line.ends_with(b"\n") {
                self.rows += 1;
                self.last = std::mem::take(&mut self.rest);
            }
        }
    }

    /// The revision of the last whole row of a ledger.
    fn revision(&self) -> Option<u64> {
        let text = std::str::from_utf8(&self.last).ok()?.trim();
        let member = serde_json::from_str::<Value>(text).ok().and_then(|event| event.get("revision")?.as_u64());
        member.or_else(|| text.split(',').next()?.parse().ok())
    }
}

impl Writing {
    /// Exports what a call of a list asks for. `--json` means JSON lines.
    pub async fn run(&self, remote: &Remote, call: Call) -> Result<(), Failure> {
        self.counted(remote, call, &mut Count::default()).await
    }

    /// Exports a ledger, and says from where to go on where that breaks off.
    pub async fn of_ledger(&self, remote: &Remote, call: Call) -> Result<(), Failure> {
        let mut count = Count::default();
        let outcome = self.counted(remote, call, &mut count).await;
        match (outcome, count.revision()) {
            (Err(failure), Some(after)) if self.output.is_none() => {
                Err(failure.and(&format!("Printed up to revision {after}: --after {after} goes on from there.")))
            }
            (outcome, _) => outcome,
        }
    }

    async fn counted(&self, remote: &Remote, call: Call, count: &mut Count) -> Result<(), Failure> {
        let format = if remote.output.json { Format::Jsonl } else { self.format };
        let call = call.query("format", word(format));
        let mut file = match &self.output {
            Some(path) => Some(Replacement::prepare(path, false)?),
            None => None,
        };
        if let Some(file) = &mut file {
            file.begin()?;
        }
        // Where the rows themselves run over the terminal, a line about them would be in their way.
        let mut progress = (file.is_some() || !io::stdout().is_terminal()).then(Progress::new);
        let each = |piece: &[u8]| {
            match &mut file {
                Some(file) => file.write(piece)?,
                None => io::stdout().lock().write_all(piece)?,
            }
            count.take(piece);
            if let Some(progress) = &mut progress {
                progress.line(|| format!("{} lines, {} kB", count.rows, count.bytes / 1000));
            }
            Ok(())
        };
        remote.client.stream(&call, each).await?;
        drop(progress);
        match (file, &self.output) {
            (Some(file), Some(path)) => {
                file.finish()?;
                let rows = if format == Format::Csv { count.rows.saturating_sub(1) } else { count.rows };
                remote.output.note(&format!("{rows} rows in {}", path.display()))
            }
            _ => Ok(io::stdout().lock().flush()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_however_they_are_cut_and_the_last_whole_one_is_known() {
        let mut count = Count::default();
        for piece in ["{\"revi", "sion\":1}\n{\"revision\":2}", "\n{\"revision\":3,"] {
            count.take(piece.as_bytes());
        }
        assert_eq!((count.rows, count.bytes, count.revision()), (2, 44, Some(2)));
        let mut csv = Count::default();
        csv.take(b"revision,epoch\r\n");
        assert_eq!(csv.revision(), None);
        csv.take(b"7,1\r\n8,");
        assert_eq!(csv.revision(), Some(7));
    }
}
