//! `tokenhouse token import`: tokens that other systems made move in.
//!
//! The file goes to the server in chunks, each decided and committed as a whole. Whoever is interrupted runs the same
//! again: what is there already is told as present.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use tokenhouse_model::import::No;
use tokenhouse_model::moving::{Owners, Reading, Source};
use tokenhouse_model::secret::Digest;
use tokio::signal::unix::{SignalKind, signal};

use super::Remote;
use crate::client::Call;
use crate::failure::Failure;
use crate::output::{Field, Form, plain};
use crate::rows::{self, Layout, Record};

/// Rows that go to the server at once.
const CHUNK: usize = 200;
/// Bytes of them, about: the server takes a mebibyte unless it is told otherwise.
const CHUNK_BYTES: usize = 384 * 1024;
/// Refusals that are shown where no report is written.
const SHOWN: usize = 20;
/// The longest owner map, in bytes.
const LONGEST_MAP: u64 = 64 << 20;

/// From where tokens move in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum System {
    /// Rows as Tokenhouse reads them
    Tokenhouse,
    /// The answer of Wavefront's lists of tokens
    Wavefront,
    /// The answer of Splunk Observability Cloud's GET /v2/token
    Splunk,
    /// Grafana's table api_key
    Grafana,
    /// The table apikey of better-auth
    BetterAuth,
}

impl System {
    fn source(self) -> Source {
        match self {
            Self::Tokenhouse => Source::Tokenhouse,
            Self::Wavefront => Source::Wavefront,
            Self::Splunk => Source::Splunk,
            Self::Grafana => Source::Grafana,
            Self::BetterAuth => Source::BetterAuth,
        }
    }
}

/// `tokenhouse token import`
#[derive(Args, Debug)]
pub struct Import {
    /// The file with the tokens, or - for standard input
    file: PathBuf,
    /// What wrote it
    #[arg(long, default_value = "tokenhouse", value_name = "SYSTEM")]
    from: System,
    /// How it is laid out; by default what its name ends with, or what the system writes
    #[arg(long)]
    layout: Option<Layout>,
    /// Decide everything, change nothing
    #[arg(long)]
    dry_run: bool,
    /// The owner of every token of which nothing else tells the owner (e-mail, sa::name or id)
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<String>,
    /// A file with the other system's owners and ours, a pair a line, with a comma between
    #[arg(long, value_name = "FILE")]
    owner_map: Option<PathBuf>,
    /// Make service accounts that are missing
    #[arg(long)]
    create_service_accounts: bool,
    /// A token that would live longer than the org's policy allows ends when the policy says, instead of being refused
    #[arg(long)]
    cap_lifetimes: bool,
    /// Random bits of the secrets of which only a digest is there, where the file does not say
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u64).range(1..=4096))]
    bits: Option<u64>,
    /// Write what was refused to this file (mode 0600): a JSON object a line, without any secret
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Runs it.
pub async fn run(import: &Import, remote: &Remote) -> Result<(), Failure> {
    let source = import.from.source();
    let (from, length, read) = open(&import.file)?;
    let owners = Owners { default: import.owner.clone(), map: owner_map(import.owner_map.as_deref())? };
    let reading = Reading { source, owners, bits: import.bits };
    let mut rows = rows::ahead(from, import.layout.unwrap_or_else(|| layout(&import.file, source)), reading).await?;
    let mut desk = Desk::new(import, remote, Bar { length, read })?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let ended = loop {
        // What was sent is waited for: a chunk is done whole or not at all.
        let record = tokio::select! {
            biased;
            _ = interrupt.recv() => {
                desk.interrupted = true;
                break Ok(());
            }
            record = rows.recv() => record,
        };
        match record {
            Some(Ok(record)) => desk.take(record).await?,
            None => break desk.send().await,
            Some(Err(failure)) => break desk.send().await.and(Err(failure)),
        }
    };
    desk.end(ended)
}

type Input = (Box<dyn BufRead + Send>, Option<u64>, Arc<AtomicU64>);

/// Counts what was read, for the bar.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn open(path: &Path) -> Result<Input, Failure> {
    let read = Arc::new(AtomicU64::new(0));
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(Counted(io::stdin(), read.clone()))), None, read));
    }
    let wrong = |error: io::Error| Failure::Usage(format!("{} can't be read: {error}", path.display()));
    let file = File::open(path).map_err(wrong)?;
    let length = file.metadata().map_err(wrong)?.len();
    Ok((Box::new(BufReader::new(Counted(file, read.clone()))), Some(length), read))
}

fn layout(path: &Path, source: Source) -> Layout {
    match path.extension().and_then(|end| end.to_str()) {
        Some("csv") => Layout::Csv,
        Some("json") => Layout::Json,
        Some("jsonl" | "ndjson") => Layout::Jsonl,
        _ if matches!(source, Source::Wavefront | Source::Splunk) => Layout::Json,
        _ => Layout::Jsonl,
    }
}

/// Pairs of owners: theirs, a comma or tab, ours.
fn owner_map(path: Option<&Path>) -> Result<BTreeMap<String, String>, Failure> {
    let Some(path) = path else { return Ok(BTreeMap::new()) };
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(LONGEST_MAP).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    let mut map = BTreeMap::new();
    for (line, pair) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let (theirs, ours) = pair.split_once([',', '\t']).unwrap_or_default();
        if theirs.trim().is_empty() || ours.trim().is_empty() {
            return Err(wrong(format!("line {line} is no pair of owners")));
        }
        if map.insert(theirs.trim().to_owned(), ours.trim().to_owned()).is_some() {
            return Err(wrong(format!("line {line} names an owner for the second time")));
        }
    }
    Ok(map)
}

/// How far it is, for people who watch.
struct Bar {
    length: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Bar {
    fn show(&self, desk: &Desk<'_>) {
        if !io::stderr().is_terminal() {
            return;
        }
        let counts = format!("{} imported, {} present, {} refused", desk.imported, desk.present, desk.refused);
        let line = match self.length.filter(|length| *length > 0) {
            None => format!("\r{counts}"),
            Some(length) => {
                let part = self.read.load(Ordering::Relaxed).min(length).saturating_mul(100) / length;
                let full = usize::try_from(part / 4).unwrap_or(0);
                format!("\r[{}{}] {part:3} %  {counts}", "#".repeat(full), ".".repeat(25 - full.min(25)))
            }
        };
        // A bar that can't be drawn is no reason to stop.
        _ = io::stderr().write_all(line.as_bytes());
    }
}

/// The import under way.
struct Desk<'a> {
    import: &'a Import,
    remote: &'a Remote,
    bar: Bar,
    report: Option<BufWriter<File>>,
    chunk: Vec<(u64, Map<String, Value>)>,
    bytes: usize,
    /// In which line each secret was first.
    seen: HashMap<Digest, u64>,
    /// Service accounts that were looked after already.
    known: BTreeSet<String>,
    made: u64,
    imported: u64,
    present: u64,
    refused: u64,
    codes: BTreeMap<String, u64>,
    shown: Vec<String>,
    interrupted: bool,
}

impl<'a> Desk<'a> {
    fn new(import: &'a Import, remote: &'a Remote, bar: Bar) -> Result<Self, Failure> {
        let report = import.report.as_deref().map(private).transpose()?.map(BufWriter::new);
        Ok(Self {
            import,
            remote,
            bar,
            report,
            chunk: Vec::new(),
            bytes: 0,
            seen: HashMap::new(),
            known: BTreeSet::new(),
            made: 0,
            imported: 0,
            present: 0,
            refused: 0,
            codes: BTreeMap::new(),
            shown: Vec::new(),
            interrupted: false,
        })
    }

    async fn take(&mut self, Record { line, row }: Record) -> Result<(), Failure> {
        let row = match row {
            Ok(row) => row,
            Err(no) => return self.refuse(line, &no),
        };
        let proof = ["token", "sha256", "grafana"].iter().find_map(|name| row.get(*name)?.as_str());
        if let Some(digest) = proof.map(|proof| Digest::of(proof.as_bytes())) {
            if let Some(first) = self.seen.get(&digest) {
                let no = No::new("duplicate", format!("line {first} has the same secret"));
                return self.refuse(line, &no);
            }
            self.seen.insert(digest, line);
        }
        self.bytes += row.iter().map(|(name, value)| name.len() + 8 + value.to_string().len()).sum::<usize>();
        self.chunk.push((line, row));
        if self.chunk.len() >= CHUNK || self.bytes >= CHUNK_BYTES {
            self.send().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Failure> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let chunk = std::mem::take(&mut self.chunk);
        self.make_accounts(&chunk).await?;
        let (lines, rows): (Vec<(u64, Option<String>)>, Vec<Value>) =
            chunk.into_iter().map(|(line, row)| ((line, service_account(&row)), Value::Object(row))).unzip();
        let body = json!({
            "dry_run": self.import.dry_run,
            "cap_lifetimes": self.import.cap_lifetimes,
            "tokens": rows,
        });
        let answer = self.remote.client.send(&Call::post(&["tokens", "import"]).body(body).repeatable()).await?;
        let told = answer.get("tokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if told.len() != lines.len() {
            return Err(Failure::Other("the server told of more or fewer rows than were sent".to_owned()));
        }
        for ((line, service), told) in lines.into_iter().zip(told) {
            let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
            let would_be_made = self.import.dry_run && self.import.create_service_accounts && service.is_some();
            match text("outcome") {
                "imported" => self.imported += 1,
                "present" => self.present += 1,
                _ if would_be_made && text("code") == "unknown_owner" => {
                    self.made += u64::from(service.is_some_and(|name| self.known.insert(name)));
                    self.imported += 1;
                }
                _ => {
                    let no = No { code: text("code").to_owned().into(), message: text("message").to_owned() };
                    self.refuse(line, &no)?;
                }
            }
        }
        self.bar.show(self);
        Ok(())
    }

    /// Makes the service accounts that a chunk names and that are not there, as anybody would make them.
    async fn make_accounts(&mut self, chunk: &[(u64, Map<String, Value>)]) -> Result<(), Failure> {
        if !self.import.create_service_accounts || self.import.dry_run {
            return Ok(());
        }
        for name in chunk.iter().filter_map(|(_, row)| service_account(row)) {
            if !self.known.insert(name.clone()) {
                continue;
            }
            let body = json!({ "kind": "service", "identifier": name });
            match self.remote.client.send(&Call::post(&["accounts"]).body(body).repeatable()).await {
                Ok(_) => self.made += 1,
                Err(Failure::Problem(problem)) if problem.code == "duplicate" => {}
                // One that can't be made leaves its rows without an owner, and they are told so.
                Err(Failure::Problem(problem)) if problem.code == "invalid_field" => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, no: &No) -> Result<(), Failure> {
        self.refused += 1;
        *self.codes.entry(no.code.to_string()).or_default() += 1;
        if let Some(report) = &mut self.report {
            let told = json!({ "line": line, "code": no.code, "message": no.message });
            report.write_all(format!("{told}\n").as_bytes())?;
        } else if self.shown.len() < SHOWN {
            self.shown.push(format!("line {line}: {}: {}", no.code, plain(&no.message)));
        }
        Ok(())
    }

    fn end(mut self, ended: Result<(), Failure>) -> Result<(), Failure> {
        if let Some(report) = &mut self.report {
            report.flush()?;
        }
        let output = self.remote.output;
        if io::stderr().is_terminal() && self.imported + self.present + self.refused > 0 {
            output.note("")?;
        }
        let summary = json!({
            "dry_run": self.import.dry_run,
            "imported": self.imported,
            "present": self.present,
            "refused": self.refused,
            "refusals": self.codes,
            "service_accounts_made": self.made,
            "interrupted": self.interrupted,
        });
        output.object(SUMMARY, &summary)?;
        if !output.json {
            self.shown.iter().try_for_each(|line| output.note(line))?;
            let more = usize::try_from(self.refused).unwrap_or(usize::MAX).saturating_sub(self.shown.len());
            if self.report.is_none() && more > 0 {
                output.note(&format!("and {more} more: --report FILE writes them all"))?;
            }
            if self.import.dry_run {
                output.note("Dry run: nothing was changed.")?;
            }
        }
        ended?;
        if self.interrupted {
            return Err(Failure::Other("interrupted: run the same again, it goes on where it ended".to_owned()));
        }
        if self.refused > 0 {
            return Err(Failure::Other(format!("{} of the rows were refused", self.refused)));
        }
        Ok(())
    }
}

const SUMMARY: &[Field] = &[
    Field("Imported", "/imported", Form::Text),
    Field("Present already", "/present", Form::Text),
    Field("Refused", "/refused", Form::Text),
    Field("Service accounts made", "/service_accounts_made", Form::Text),
];

/// The service account that a row names.
fn service_account(row: &Map<String, Value>) -> Option<String> {
    let owner = row.get("owner")?.as_str()?.trim().to_lowercase();
    owner.starts_with("sa::").then_some(owner)
}

/// A file that only its owner reads.
fn private(path: &Path) -> Result<File, Failure> {
    let wrong = |error: io::Error| Failure::Usage(format!("{} can't be written: {error}", path.display()));
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(wrong)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(wrong)?;
    Ok(file)
}
