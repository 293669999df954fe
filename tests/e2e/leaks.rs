//! Where a secret must never be found.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::Database;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Into;

impl Write for Into {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps everything that is logged, at the most talkative level that can be set.
pub fn logs() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Into);
        let targets = tokenhouse_server::telemetry::targets("trace").unwrap();
        tracing_subscriber::registry().with(targets).with(lines).try_init().unwrap();
    });
}

/// What was logged so far, by all tests of this process.
pub fn log_lines() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned()
}

/// Searches logs, database and folder for each secret, as it is and in hexadecimal.
pub(crate) async fn search(secrets: &[String], database: &Database, folder: &Path) {
    let log = LOG.lock().unwrap().clone();
    let mut places = vec![("the log".to_owned(), log), ("the database".to_owned(), database.bytes().await)];
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                places.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap_or_default()));
            }
        }
    }
    let mut needles = HashMap::<u64, Vec<(usize, Vec<u8>)>>::new();
    for (number, secret) in secrets.iter().enumerate() {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for needle in [secret.clone().into_bytes(), hex.into_bytes()] {
            let beginning = needle.first_chunk().expect("a secret of at least eight bytes");
            needles.entry(u64::from_be_bytes(*beginning)).or_default().push((number, needle));
        }
    }
    for (place, bytes) in places {
        if let Some(number) = find(&needles, &bytes) {
            panic!("secret number {number} of this test stands in {place}");
        }
    }
}

/// The first of the needles that stands in these bytes. One pass, however many needles: a log is long, and a test can
/// have thousands of secrets.
fn find(needles: &HashMap<u64, Vec<(usize, Vec<u8>)>>, bytes: &[u8]) -> Option<usize> {
    let mut ends = vec![false; 1 << 16];
    for beginning in needles.keys() {
        ends[*beginning as usize & 0xffff] = true;
    }
    let mut last = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        last = last << 8 | u64::from(*byte);
        if ends[last as usize & 0xffff]
            && at >= 7
            && let Some(candidates) = needles.get(&last)
        {
            let rest = &bytes[at - 7..];
            if let Some((number, _)) = candidates.iter().find(|(_, needle)| rest.starts_with(needle)) {
                return Some(*number);
            }
        }
    }
    None
}
