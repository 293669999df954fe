//! The fields of a record, however the other system's export writes them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::Owners;
use crate::Millis;
use crate::import::No;

/// One record.
pub(super) struct Record(pub(super) Map<String, Value>);

/// A refusal of a record that does not look like what it should be.
pub(super) fn malformed(message: String) -> No {
    No::new("malformed", message)
}

impl Record {
    /// What stands under the first of these names that has something.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Value> {
        let empty =
            |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.is_empty() || text == "\\N");
        names.iter().find_map(|name| self.0.remove(*name).filter(|value| !empty(value)))
    }

    /// Text, or a number as text.
    pub(super) fn text(&mut self, names: &[&str]) -> Option<String> {
        match self.take(names)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Yes or no, as JSON, SQLite and PostgreSQL write it.
    pub(super) fn flag(&mut self, names: &[&str]) -> Result<Option<bool>, No> {
        let Some(value) = self.take(names) else { return Ok(None) };
        let text = match value {
            Value::Bool(yes) => return Ok(Some(yes)),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        match text.as_str() {
            "1" | "t" | "true" => Ok(Some(true)),
            "0" | "f" | "false" => Ok(Some(false)),
            _ => Err(malformed(format!("{} is neither true nor false", names.first().unwrap_or(&"")))),
        }
    }

    /// A time in epoch milliseconds. Numbers are of this many milliseconds; text may be a time without an offset, which is
    /// UTC as databases write it. One before 2000 is the other system's way to say none.
    pub(super) fn time(&mut self, names: &[&str], unit: Millis) -> Result<Option<Millis>, No> {
        let Some(value) = self.take(names) else { return Ok(None) };
        let number = |at: i64| at.saturating_mul(unit);
        let at = match &value {
            Value::Number(at) => at.as_i64().map(number),
            Value::String(text) => match text.parse::<i64>() {
                Ok(at) => Some(number(at)),
                Err(_) => written(text),
            },
            _ => None,
        };
        match at {
            Some(at) => Ok(Some(at).filter(|at| *at >= 946_684_800_000)),
            None => Err(malformed(format!("{} is no time", names.first().unwrap_or(&"")))),
        }
    }
}

fn written(text: &str) -> Option<Millis> {
    let text = text.trim();
    if text.len() > 40 {
        return None;
    }
    // PostgreSQL writes +00 where RFC 3339 has +00:00.
    let whole = if matches!(text.as_bytes(), [.., b'+' | b'-', _, _]) && text.contains(':') {
        format!("{text}:00")
    } else {
        text.to_owned()
    };
    if let Ok(at) = whole.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    let civil: DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

impl Owners {
    /// Our owner of what the other system says that this one owns.
    pub(super) fn of(&self, foreign: Option<String>) -> Option<String> {
        foreign.and_then(|foreign| self.map.get(&foreign).cloned()).or_else(|| self.default.clone())
    }
}

/// The row of a line of a table whose columns are named as the members of a row: lists are separated by blanks, and `-`
/// is the empty one.
///
/// # Errors
/// What is neither true nor false.
pub fn native(line: Map<String, Value>) -> Result<Map<String, Value>, No> {
    let mut row = Map::new();
    for (name, value) in line {
        let Value::String(text) = value else { continue };
        let value = match name.as_str() {
            _ if text.is_empty() => continue,
            "permissions" | "addresses" | "reach" => {
                let items = text.split_whitespace().filter(|item| *item != "-");
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }
            "created_at" | "expires_at" | "last_used_at" | "bits" => match text.parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => Value::String(text),
            },
            "disabled" => {
                let mut one = Record(Map::from_iter([(name.clone(), Value::String(text))]));
                one.flag(&["disabled"])?.unwrap_or(false).into()
            }
            _ => Value::String(text),
        };
        row.insert(name, value);
    }
    Ok(row)
}
