//! The journal: what took authority away, and how far the ledger went, kept outside the database.
//!
//! It is a folder of append-only files of one JSON line each, every line with its code under the master key. A node
//! writes the one file that it holds the lock of, and reads all of them at start.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokenhouse_model::event::{EventKind, Recorded, Removal};
use tokenhouse_model::hex::hex;
use tokenhouse_model::{Error, Millis, Result, Uuid};

use crate::keys::MasterKey;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The epoch of the ledger.
    pub epoch: i64,
    /// The revision of the event.
    pub revision: i64,
    /// The hash of the chain up to it, in hexadecimal.
    pub hash: String,
    /// When, in epoch milliseconds.
    pub at: Millis,
    /// What happened; nothing for a mere checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EventKind>,
    /// The event's org.
    #[serde(default, skip_serializing_if = "Uuid::is_nil")]
    pub org_id: Uuid,
    /// The event's subject.
    #[serde(default, skip_serializing_if = "Uuid::is_nil")]
    pub subject: Uuid,
    /// The authority that it took away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removals: Vec<Removal>,
}

impl Entry {
    /// The entry of an event, with what it took away.
    pub fn of(event: &Recorded, removals: Vec<Removal>) -> Self {
        Self {
            epoch: event.epoch,
            revision: event.revision,
            hash: hex(&event.hash),
            at: event.at,
            kind: Some(event.kind),
            org_id: event.org_id,
            subject: event.subject,
            removals,
        }
    }

    /// A checkpoint at an event.
    pub fn checkpoint(epoch: i64, revision: i64, hash: &[u8], at: Millis) -> Self {
        let (org_id, subject) = (Uuid::nil(), Uuid::nil());
        Self { epoch, revision, hash: hex(hash), at, kind: None, org_id, subject, removals: Vec::new() }
    }
}

/// What reading a journal found.
#[derive(Debug, Default)]
pub struct Contents {
    /// Every entry whose code is right, in the order of epoch and revision.
    pub entries: Vec<Entry>,
    /// Lines that are not ours: altered, torn by a crash, or written under another master key.
    pub unreadable: usize,
}

/// The folder of one database's journal.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: PathBuf,
    key: MasterKey,
}

impl Journal {
    /// The journal of this database below this folder.
    pub fn at(folder: &Path, database: &str, key: MasterKey) -> Self {
        Self { folder: folder.join(database), key }
    }

    /// Reads every file.
    ///
    /// # Errors
    /// `internal` with the path where a file can't be read; a folder that is not there is an empty journal.
    pub fn read(&self) -> Result<Contents> {
        let mut contents = Contents::default();
        for path in self.files()? {
            let file = File::open(&path).map_err(|error| trouble("can't be read", &path, error))?;
            for line in BufReader::new(file).split(b'\n') {
                let line = line.map_err(|error| trouble("can't be read", &path, error))?;
                match self.parse(&line) {
                    Some(entry) => contents.entries.push(entry),
                    None if line.is_empty() => {}
                    None => contents.unreadable += 1,
                }
            }
        }
        contents.entries.sort_by_key(|entry| (entry.epoch, entry.revision));
        Ok(contents)
    }

    fn parse(&self, line: &[u8]) -> Option<Entry> {
        let text = std::str::from_utf8(line).ok()?;
        let (json, mac) = text.rsplit_once(' ')?;
        if !self.key.mac_is(json.as_bytes(), mac) {
            return None;
        }
        serde_json::from_str(json).ok()
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let listed = match std::fs::read_dir(&self.folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(trouble("can't be read", &self.folder, error)),
        };
        let mut files: Vec<PathBuf> = listed
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
            .collect();
        files.sort();
        Ok(files)
    }

    /// Takes the first file that no other process writes.
    ///
    /// # Errors
    /// `internal` with the path.
    pub fn writer(&self) -> Result<JournalWriter> {
        std::fs::create_dir_all(&self.folder).map_err(|error| trouble("can't be made", &self.folder, error))?;
        for number in 1.. {
            let path = self.folder.join(format!("{number:04}.jsonl"));
            let mut options = OpenOptions::new();
            let file = options.read(true).append(true).create(true).mode(0o600).open(&path);
            let mut file = file.map_err(|error| trouble("can't be opened", &path, error))?;
            if file.try_lock().is_err() {
                continue;
            }
            end_torn_line(&mut file).map_err(|error| trouble("can't be written", &path, error))?;
            // The file's name must survive a power cut too.
            let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| trouble("can't be synced", &self.folder, error))?;
            return Ok(JournalWriter { journal: self.clone(), file, path, torn: false });
        }
        Err(Error::internal("no journal file is free"))
    }
}

/// A crash can leave half a line; the next one must not be glued to it.
fn end_torn_line(file: &mut File) -> std::io::Result<()> {
    use std::io::Read as _;
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last != *b"\n" { file.write_all(b"\n") } else { Ok(()) }
}

/// The file that this process writes, locked while it lives.
#[derive(Debug)]
pub struct JournalWriter {
    journal: Journal,
    file: File,
    path: PathBuf,
    /// An append failed half-way: begin a new line first.
    torn: bool,
}

impl JournalWriter {
    /// Appends entries and waits until they are on the disk.
    ///
    /// # Errors
    /// `internal` with the path; what was written before may have stayed.
    pub fn append(&mut self, entries: &[Entry]) -> Result<()> {
        if !self.stands() {
            *self = self.journal.writer()?;
            tracing::warn!(path = %self.path.display(), "the journal's file was moved away; it is begun anew");
        }
        let mut text = if self.torn { "\n".to_owned() } else { String::new() };
        for entry in entries {
            let json = serde_json::to_string(entry).map_err(Error::internal)?;
            let mac = self.journal.key.mac(json.as_bytes());
            text.push_str(&json);
            text.push(' ');
            text.push_str(&mac);
            text.push('\n');
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        self.torn = written.is_err();
        written.map_err(|error| trouble("can't be written", &self.path, error))
    }

    /// Whether the file still has its name: what is written to one that was moved away or deleted is not found at the
    /// next start.
    fn stands(&self) -> bool {
        let (Ok(open), Ok(named)) = (self.file.metadata(), std::fs::metadata(&self.path)) else { return false };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
}

fn trouble(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("the journal {} {what}: {error}", path.display()))
}
