//! How other systems write their tokens down, as the rows of [`crate::import`].
//!
//! A record is one JSON object, as the other system lists it, or as one line of its exported table.

mod fields;
mod readers;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::import::No;
use crate::macros::words;

pub use fields::native;

words! {
    /// From where tokens move in.
    pub enum Source ("source") {
        /// Rows as Tokenhouse reads them.
        Tokenhouse = "tokenhouse",
        /// The lists of tokens of Wavefront's API.
        Wavefront = "wavefront",
        /// The list of org tokens of Splunk Observability Cloud's API.
        Splunk = "splunk",
        /// Grafana's table `api_key`.
        Grafana = "grafana",
        /// The table `apikey` of better-auth.
        BetterAuth = "better-auth",
    }
}

/// Who owns what moves in, where the record does not say it in our words.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// The owner of every token of which nothing else tells the owner.
    pub default: Option<String>,
    /// Our owners by those of the other system.
    pub map: BTreeMap<String, String>,
}

/// How records are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What they are.
    pub source: Source,
    /// Whose they are.
    pub owners: Owners,
    /// How many random bits the secrets carry of which only a digest is there.
    pub bits: Option<u64>,
}

/// The row of a record.
///
/// # Errors
/// Why it can't move in.
pub fn row(record: Map<String, Value>, reading: &Reading) -> Result<Map<String, Value>, No> {
    let record = fields::Record(record);
    match reading.source {
        Source::Tokenhouse => Ok(readers::tokenhouse(record, reading)),
        Source::Wavefront => readers::wavefront(record, &reading.owners),
        Source::Splunk => readers::splunk(record),
        Source::Grafana => readers::grafana(record, &reading.owners),
        Source::BetterAuth => readers::better_auth(record, reading),
    }
}

/// The records of a document: of one answer of an API, or of several behind one another, with whatever stands around
/// the list.
///
/// # Errors
/// What is no JSON; nothing of it is repeated.
pub fn records(document: &[u8]) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    for value in serde_json::Deserializer::from_slice(document).into_iter::<Value>() {
        let value = value.map_err(|error| format!("no JSON at line {} column {}", error.line(), error.column()))?;
        flatten(value, &mut all, 0);
    }
    Ok(all)
}

/// The names under which APIs put a list into an object.
const LISTS: [&str; 4] = ["response", "results", "items", "tokens"];
/// A list in a list in an envelope: deeper than that is no list of tokens.
const DEEPEST: usize = 4;

fn flatten(value: Value, all: &mut Vec<Value>, depth: usize) {
    match value {
        Value::Array(items) if depth < DEEPEST => items.into_iter().for_each(|item| flatten(item, all, depth + 1)),
        Value::Object(mut members) if depth < DEEPEST => {
            let list =
                LISTS.iter().find(|name| matches!(members.get(**name), Some(Value::Array(_) | Value::Object(_))));
            match list.and_then(|name| members.remove(*name)) {
                Some(inner) => flatten(inner, all, depth + 1),
                None => all.push(Value::Object(members)),
            }
        }
        other => all.push(other),
    }
}
