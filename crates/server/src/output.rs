//! What commands print: tables for people, JSON for scripts.
//!
//! A command gives the fields of its kind of object; nothing here knows any kind.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::Value;

use crate::failure::Failure;
use crate::times;

/// The longest word that must stay whole in a table: a date in parentheses.
const WORD: u16 = 12;
/// What stands around each cell.
const PADDING: u16 = 2;

/// How a value is told to people.
#[derive(Clone, Copy)]
pub enum Form {
    /// As it stands.
    Text,
    /// Epoch milliseconds; absent is "never".
    Time,
    /// As [`Form::Time`], with the day only, for lists.
    Day,
    /// Epoch milliseconds; absent is "-".
    TimeIfAny,
    /// Seconds; absent is "none".
    Seconds,
    /// A list; of objects, their names. Absent or empty is "-".
    List,
    /// A token's scopes: absent is all of its owner's.
    Scopes,
}

/// One field of an object: its title, where it stands (a JSON pointer), and how it is told.
pub struct Field(pub &'static str, pub &'static str, pub Form);

/// What is said where a list is empty.
pub const NONE: &str = "none";

/// A node that confirmed a change.
const NODES: &[Field] = &[
    Field("Node", "/name", Form::Text),
    Field("Applied", "/applied", Form::Text),
    Field("After ms", "/milliseconds", Form::Text),
];

/// Where and how to print.
#[derive(Clone, Copy)]
pub struct Output {
    /// JSON instead of tables.
    pub json: bool,
}

impl Output {
    /// Prints one object.
    pub fn object(self, fields: &[Field], object: &Value) -> Result<(), Failure> {
        if self.json {
            return self.json(object);
        }
        let rows = fields.iter().map(|field| vec![field.0.to_owned(), field.told(object)]);
        print_text(&table(Vec::new(), rows))?;
        proof(object).map_or(Ok(()), |proof| print_text(&format!("\n{proof}")))
    }

    /// Prints a list: with `--json` the whole page as it came.
    pub fn list(self, fields: &[Field], page: &Value) -> Result<(), Failure> {
        self.list_or(fields, page, NONE)
    }

    /// The same, saying something of its own where the list is empty.
    pub fn list_or(self, fields: &[Field], page: &Value, empty: &str) -> Result<(), Failure> {
        if self.json {
            return self.json(page);
        }
        let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if items.is_empty() {
            return self.note(empty);
        }
        let titles = fields.iter().map(|field| field.0.to_owned()).collect();
        let rows = items.iter().map(|item| fields.iter().map(|field| field.told(item)).collect());
        print_text(&table(titles, rows))
    }

    /// Prints JSON: indented for people's terminals, on one line for pipes.
    pub fn json(self, value: &Value) -> Result<(), Failure> {
        let pretty = io::stdout().is_terminal();
        let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        print_text(&text.map_err(|error| Failure::Other(error.to_string()))?)
    }

    /// Says something beside the output, on standard error.
    pub fn note(self, said: &str) -> Result<(), Failure> {
        Ok(io::stderr().write_all(format!("{said}\n").as_bytes())?)
    }
}

/// Prints text and a line end, reporting every failure: a secret that could not be printed must not pass for shown.
pub fn print_text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// That a change is confirmed, where that was waited for: by which nodes, and after how long.
pub fn proof(changed: &Value) -> Option<String> {
    let receipt = changed.get("receipt")?;
    let confirmed = receipt.get("confirmed")?;
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_i64).unwrap_or_default();
    let place = format!("revision {} of epoch {}", number(receipt, "revision"), number(receipt, "epoch"));
    if confirmed.is_null() {
        return Some(format!("Not confirmed: it stands as {place}, but the nodes could not be asked."));
    }
    let by = match confirmed.get("by").and_then(Value::as_str) {
        Some("nodes") => "every node has applied it",
        _ => "no node can answer from before it any more",
    };
    let nodes = confirmed.get("nodes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let titles = NODES.iter().map(|field| field.0.to_owned()).collect();
    let rows = nodes.iter().map(|node| NODES.iter().map(|field| field.told(node)).collect());
    let after = number(confirmed, "milliseconds");
    Some(format!("Confirmed {after} ms after the commit as {place}: {by}.\n\n{}", table(titles, rows)))
}

/// The one table: with titles where there are any, else a name and a value a row.
pub fn table(titles: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // Into a pipe every row stays one line, so that it can be searched and cut.
    if io::stdout().is_terminal() {
        let width = terminal_size::terminal_size().map_or(100, |(width, _)| width.0);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    if !titles.is_empty() {
        table.set_header(titles.iter().map(|title| title.to_uppercase()));
    }
    table.add_rows(rows);
    // An id in two pieces can't be copied, nor a date read; on a narrow terminal rather the line runs over.
    let widths = table.column_max_content_widths();
    for (at, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
        let least = if at == 0 { width } else { width.min(WORD) };
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least + PADDING)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Text of others, safe for a terminal: names must not move the cursor or recolour the screen.
pub fn plain(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

impl Field {
    /// The field of this object, for people.
    pub fn told(&self, object: &Value) -> String {
        let value = object.pointer(self.1).unwrap_or(&Value::Null);
        match (self.2, value) {
            (Form::Text | Form::TimeIfAny, Value::Null) => "-".to_owned(),
            (Form::Text, Value::String(text)) if text.is_empty() => "-".to_owned(),
            (Form::Text, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
            (Form::Time | Form::TimeIfAny | Form::Day, value) => match value.as_i64() {
                None | Some(i64::MAX) => "never".to_owned(),
                Some(at) if matches!(self.2, Form::Day) => times::told_day(at, times::now()),
                Some(at) => times::told(at, times::now()),
            },
            (Form::Seconds, value) => value.as_u64().map_or("none".to_owned(), times::told_seconds),
            (Form::Scopes, Value::Null) => "all of the owner's".to_owned(),
            (Form::List | Form::Scopes, Value::Array(all)) if !all.is_empty() => {
                all.iter().map(member).collect::<Vec<_>>().join(", ")
            }
            (Form::Scopes, _) => "none".to_owned(),
            (Form::List, _) => "-".to_owned(),
            (Form::Text, value) => member(value),
        }
    }
}

/// One member of a list: an object is told by its name and, where it ends, when.
fn member(value: &Value) -> String {
    let name = ["/name", "/permission", "/identifier", "/last4", "/id"]
        .iter()
        .find_map(|at| value.pointer(at))
        .unwrap_or(value);
    let text = name.as_str().map_or_else(|| name.to_string(), ToOwned::to_owned);
    let end = ["/expires_at", "/good_until"].iter().find_map(|at| value.pointer(at)?.as_i64());
    match end.filter(|end| *end != i64::MAX) {
        Some(end) => plain(&format!("{text} until {}", times::told(end, times::now()))),
        None => plain(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_told_by_their_form() {
        let token = json!({
            "name": "ci\u{1b}[31m", "expires_at": null, "idle_seconds": 604800, "scopes": null,
            "reach": ["native", "verify"], "secrets": [{ "id": "x", "last4": "abcd" }], "builtin": true, "count": 3,
            "description": "", "permissions": [{ "permission": "house:read" }],
        });
        let told = |at, form| Field("", at, form).told(&token);
        assert_eq!(told("/name", Form::Text), "ci\u{fffd}[31m");
        assert_eq!(told("/expires_at", Form::Time), "never");
        assert_eq!(told("/last_used_at", Form::TimeIfAny), "-");
        assert_eq!(told("/idle_seconds", Form::Seconds), "7 days");
        assert_eq!(told("/scopes", Form::Scopes), "all of the owner's");
        assert_eq!(told("/reach", Form::List), "native, verify");
        assert_eq!(told("/secrets", Form::List), "abcd");
        assert_eq!(told("/nothing", Form::List), "-");
        assert_eq!(told("/permissions", Form::List), "house:read");
        assert_eq!(told("/description", Form::Text), "-");
        assert_eq!(told("/builtin", Form::Text), "yes");
        assert_eq!(told("/count", Form::Text), "3");
    }

    #[test]
    fn a_table_has_one_line_a_row() {
        let rows = [vec!["a".to_owned(), "x".repeat(200)], vec!["b".to_owned(), String::new()]];
        let made = table(vec!["one".into(), "two".into()], rows.into_iter());
        let lines: Vec<&str> = made.lines().collect();
        assert_eq!(lines.len(), 3, "{made}");
        assert!(lines[0].contains("ONE") && lines[2].trim() == "b", "{made}");
    }
}
