//! A file of tokens that move in, read record by record: however long it is, one record of it is in memory.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use clap::ValueEnum;
use serde_json::{Map, Value};
use tokenhouse_model::import::No;
use tokenhouse_model::moving::{self, Reading, Source};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The longest record, in bytes.
pub const LONGEST: u64 = 64 * 1024;
/// The longest document that is read whole, in bytes: what an API answers, not a file of lines.
const LONGEST_DOCUMENT: u64 = 64 << 20;

/// Records that are read ahead.
const AHEAD: usize = 64;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// A JSON object a line
    Jsonl,
    /// A header row, then a row a token
    Csv,
    /// One JSON document, or several behind one another: an API's answer as it came
    Json,
}

/// A record: where it stands, and the row that it is.
pub struct Record {
    /// The line in the file, or the place in the list; from 1.
    pub line: u64,
    /// The row, as the server reads it.
    pub row: Result<Map<String, Value>, No>,
}

enum Records {
    Lines { from: Box<dyn BufRead>, line: u64 },
    Csv { from: Box<csv::Reader<Metered>>, header: csv::StringRecord, meter: Rc<Meter> },
    Document { left: VecDeque<Value>, place: u64 },
}

/// The records of a file.
pub struct Rows {
    records: Records,
    reading: Reading,
}

/// Reads a file on a thread of its own, so that whoever waits for a record can be interrupted.
///
/// # Errors
/// What makes all of it unreadable; what makes the rest unreadable comes as the last record.
pub async fn ahead(
    from: Box<dyn BufRead + Send>,
    layout: Layout,
    reading: Reading,
) -> Result<mpsc::Receiver<Result<Record, Failure>>, Failure> {
    let (sender, records) = mpsc::channel(AHEAD);
    let (begin, begun) = oneshot::channel();
    std::thread::Builder::new().name("tokenhouse-rows".to_owned()).spawn(move || {
        let (opened, rows) = match Rows::new(from, layout, reading) {
            Ok(rows) => (Ok(()), Some(rows)),
            Err(failure) => (Err(failure), None),
        };
        _ = begin.send(opened);
        let Some(mut rows) = rows else { return };
        while let Some(record) = rows.next().transpose() {
            let last = record.is_err();
            // Nobody may want to hear the rest.
            if sender.blocking_send(record).is_err() || last {
                return;
            }
        }
    })?;
    begun.await.map_err(|_| Failure::Other("the file could not be read".to_owned()))??;
    Ok(records)
}

/// A reader that gives no more than it may: a quote that is never closed must not fill the memory. It notes where lines
/// end, because who reads a table counts them otherwise than an editor does.
struct Metered {
    inner: Box<dyn BufRead>,
    meter: Rc<Meter>,
}

#[derive(Default)]
struct Meter {
    /// Bytes that it may still give.
    left: Cell<u64>,
    /// Bytes that it gave.
    given: Cell<u64>,
    /// Places of the ends of lines that were given and not counted yet.
    ends: RefCell<VecDeque<u64>>,
    /// Those that were counted.
    counted: Cell<u64>,
}

impl Meter {
    /// The line on which a record begins that ended before this byte, and within which so many lines end.
    fn line(&self, end: u64, within: u64) -> u64 {
        let mut last = None;
        while let Some(at) = self.ends.borrow_mut().pop_front_if(|at| *at < end) {
            self.counted.set(self.counted.get() + 1);
            last = Some(at);
        }
        // Where lines end in two characters the second is not read with the record.
        let own = u64::from(last == end.checked_sub(1));
        (self.counted.get() + 1).saturating_sub(own + within)
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Meter { left, given, ends, .. } = &*self.meter;
        if left.get() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a record is longer than 64 KiB"));
        }
        let most = usize::try_from(left.get()).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most) else { return Ok(0) };
        let read = self.inner.read(buffer)?;
        let new = (given.get()..).zip(buffer.iter().take(read)).filter(|(_, byte)| **byte == b'\n');
        ends.borrow_mut().extend(new.map(|(at, _)| at));
        given.set(given.get() + read as u64);
        left.set(left.get() - read as u64);
        Ok(read)
    }
}

impl Rows {
    /// Begins to read.
    pub fn new(mut from: Box<dyn BufRead>, layout: Layout, reading: Reading) -> Result<Self, Failure> {
        let records = match layout {
            Layout::Jsonl => Records::Lines { from, line: 0 },
            Layout::Json => {
                let mut document = Zeroizing::new(Vec::new());
                from.as_mut().take(LONGEST_DOCUMENT + 1).read_to_end(&mut document)?;
                if document.len() as u64 > LONGEST_DOCUMENT {
                    return Err(Failure::Usage("the document is longer than 64 MiB: write it as lines".to_owned()));
                }
                let all = moving::records(&document).map_err(|why| Failure::Usage(format!("the file is {why}")))?;
                Records::Document { left: all.into(), place: 0 }
            }
            Layout::Csv => {
                let meter = Rc::new(Meter { left: Cell::new(LONGEST), ..Meter::default() });
                let metered = Metered { inner: from, meter: meter.clone() };
                let mut from = csv::ReaderBuilder::new().flexible(true).buffer_capacity(8192).from_reader(metered);
                let header = from.headers().map_err(|error| Failure::Usage(unreadable(&error)))?.clone();
                Records::Csv { from: Box::new(from), header, meter }
            }
        };
        Ok(Self { records, reading })
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// What makes the rest unreadable.
    pub fn next(&mut self) -> Result<Option<Record>, Failure> {
        let Some((line, record)) = self.records.next(self.reading.source)? else { return Ok(None) };
        let row = record.and_then(|record| moving::row(record, &self.reading));
        Ok(Some(Record { line, row }))
    }
}

type Read1 = Option<(u64, Result<Map<String, Value>, No>)>;

impl Records {
    fn next(&mut self, source: Source) -> Result<Read1, Failure> {
        match self {
            Self::Lines { from, line } => loop {
                *line += 1;
                let mut text = Zeroizing::new(Vec::new());
                if from.as_mut().take(LONGEST + 1).read_until(b'\n', &mut text)? == 0 {
                    return Ok(None);
                }
                if text.len() as u64 > LONGEST {
                    skip_line(from.as_mut())?;
                    return Ok(Some((*line, Err(malformed("the line is longer than 64 KiB")))));
                }
                if !text.trim_ascii().is_empty() {
                    let read = serde_json::from_slice(&text).map_err(|_| malformed("the line is no JSON"));
                    return Ok(Some((*line, read.and_then(object))));
                }
            },
            Self::Document { left, place } => {
                *place += 1;
                Ok(left.pop_front().map(|value| (*place, object(value))))
            }
            Self::Csv { from, header, meter } => {
                meter.left.set(LONGEST);
                let mut record = csv::ByteRecord::new();
                let read = from.read_byte_record(&mut record).map_err(|error| {
                    let line = meter.line(from.position().byte(), 0);
                    Failure::Other(format!("line {line}: {}", unreadable(&error)))
                })?;
                if !read {
                    return Ok(None);
                }
                let within = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
                let line = meter.line(from.position().byte(), within);
                // A text that is no UTF-8 spoils its own record only.
                let record = csv::StringRecord::from_byte_record(record);
                let read = record.map_err(|_| malformed("the record is no UTF-8"));
                Ok(Some((line, read.and_then(|record| columns(header, &record, source)))))
            }
        }
    }
}

fn columns(header: &csv::StringRecord, record: &csv::StringRecord, source: Source) -> Result<Map<String, Value>, No> {
    if record.len() != header.len() {
        let (has, wanted) = (record.len(), header.len());
        return Err(No::new("malformed", format!("the record has {has} columns, the header {wanted}")));
    }
    let text = |(name, value): (&str, &str)| (name.trim().to_owned(), Value::String(value.to_owned()));
    let line = header.iter().zip(record).map(text).collect();
    if source == Source::Tokenhouse { moving::native(line) } else { Ok(line) }
}

fn object(value: Value) -> Result<Map<String, Value>, No> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(malformed("the record is no JSON object")),
    }
}

fn malformed(why: &'static str) -> No {
    No::new("malformed", why)
}

/// What is wrong with a table, without what stands in it.
fn unreadable(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => format!("the file can't be read: {error}"),
        csv::ErrorKind::Utf8 { .. } => "the header is no UTF-8".to_owned(),
        _ => "the file is no CSV".to_owned(),
    }
}

fn skip_line(from: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let (used, ended) = match buffer.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        from.consume(used);
        if ended {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
