//! What a field is in the database, and how a test of it is written.

use tokenhouse_model::Uuid;
use tokenhouse_model::search::{Match, Test, after_prefix, hexadecimal, ids_with_prefix};

use super::composed::Composed;
use crate::sql::Arg;

/// What a field is in the database. The searched table is `t`; `$1` is the org, `$2` the time, `$3` the nil id.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// `t.id`, which has an index.
    Id,
    /// A folded text.
    Text(Text),
    /// A number.
    Number {
        /// An expression.
        expression: &'static str,
        /// Whether it is a column at the head of an index.
        indexed: bool,
    },
    /// Texts that belong to it.
    Several(Several),
}

/// A folded text.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Its column.
    pub(crate) fold: &'static str,
    /// The column with the text as it was written.
    pub(crate) shown: &'static str,
    /// Whether it is at the head of an index.
    pub(crate) indexed: bool,
    /// Where its parts are found.
    pub(crate) parts: Option<Parts>,
}

/// Where the parts of a text are found: the one declared difference between the databases. What is found are
/// candidates: everything that has the parts, and perhaps more.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// On SQLite: a selection of candidates `c` by trigrams, up to the argument of its `MATCH`.
    pub(crate) sqlite: &'static str,
    /// On PostgreSQL: a selection of candidates up to its condition, and the column that is tested; where there is none, the
    /// text's own column has the index.
    pub(crate) postgres: Option<(&'static str, &'static str)>,
    /// How the searched table hangs together with a candidate.
    pub(crate) join: &'static str,
}

/// Texts that belong to something, in rows of their own.
#[derive(Clone, Copy, Debug)]
pub struct Several {
    /// A selection of `id` (of the searched table), `fold`, `shown` and `key` (an id by which it can be named too, the
    /// nil id where it can't).
    pub(crate) source: &'static str,
    /// Whether `fold` and `shown` hold lists of permissions as JSON.
    pub(crate) lists: bool,
}

/// A test with its texts folded once, and without those that no database can hold.
#[derive(Clone, Debug)]
pub(crate) enum Ready {
    Texts { how: Match, texts: Vec<String> },
    Between { from: Option<i64>, to: Option<i64> },
}

impl Ready {
    pub(crate) fn new(test: &Test) -> Self {
        match test {
            Test::Between { from, to } => Self::Between { from: *from, to: *to },
            Test::Text { how, any_of } => {
                let texts = any_of.iter().filter(|text| !text.contains('\0')).map(|text| how.fold(text));
                let mut texts: Vec<String> = texts.collect();
                texts.sort();
                texts.dedup();
                Self::Texts { how: *how, texts }
            }
        }
    }

    /// The same test as several, each of which is one range of an index or one look at all of it.
    pub(crate) fn ranges(&self) -> Vec<Self> {
        match self {
            Self::Texts { how: Match::Prefix, texts } if !texts.is_empty() => {
                texts.iter().map(|text| Self::Texts { how: Match::Prefix, texts: vec![text.clone()] }).collect()
            }
            other => vec![other.clone()],
        }
    }

    /// Whether it is one range of one index, in whose order its rows come.
    pub(crate) fn one_range(&self) -> bool {
        match self {
            Self::Between { .. } => true,
            Self::Texts { how, texts } => *how != Match::Contains && texts.len() == 1,
        }
    }
}

const OR: [&str; 4] = ["(", " OR ", ")", "FALSE"];
pub(super) const IN: [&str; 4] = [" IN (", ", ", ")", " IN (NULL)"];

/// A text as part of a pattern of `LIKE`.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

fn like(sql: &mut Composed, before: &str, text: &str, after: &str) {
    sql.say(" LIKE ").bind(Arg::Made(format!("{before}{}{after}", escaped(text)))).say(" ESCAPE '\\'");
}

/// An expression that no index answers: which index is used is decided here, not by the planner.
fn guarded(sql: &mut Composed, expression: &'static str, how: [&'static str; 2], guard: bool) {
    if guard {
        sql.say(how[0]).say(expression).say(how[1]);
    } else {
        sql.say(expression);
    }
}

/// Writes that a text is there.
pub(super) fn text(sql: &mut Composed, column: &'static str, how: Match, texts: &[String], guard: bool) {
    let name = |sql: &mut Composed| guarded(sql, column, ["(", " || '')"], guard);
    match how {
        Match::Exact if texts.is_empty() => {
            sql.say("FALSE");
        }
        Match::Exact => {
            name(sql);
            sql.list(texts, IN, |sql, text| {
                sql.text_of(text);
            });
        }
        Match::Prefix => {
            sql.list(texts, OR, |sql, text| {
                if text.is_empty() {
                    sql.say("TRUE");
                    return;
                }
                sql.say("(");
                name(sql);
                sql.say(" >= ").text_of(text);
                if let Some(end) = after_prefix(text) {
                    sql.say(" AND ");
                    name(sql);
                    sql.say(" < ").text_of(&end);
                }
                sql.say(")");
            });
        }
        Match::Contains => {
            sql.list(texts, OR, |sql, text| {
                name(sql);
                like(sql, "%", text, "%");
            });
        }
    }
}

fn number(sql: &mut Composed, expression: &'static str, test: &Ready, guard: bool) {
    let name = |sql: &mut Composed| guarded(sql, expression, ["(", " + 0)"], guard);
    match test {
        Ready::Between { from, to } => {
            let bounds: Vec<(&'static str, i64)> =
                [(" >= ", *from), (" <= ", *to)].into_iter().filter_map(|(sign, bound)| Some((sign, bound?))).collect();
            sql.list(&bounds, ["(", " AND ", ")", "TRUE"], |sql, (sign, bound)| {
                name(sql);
                sql.say(sign).bind(Arg::Int(*bound));
            });
        }
        Ready::Texts { how: Match::Exact, texts } => {
            let parsed = texts.iter().filter_map(|text| text.parse::<i64>().ok().filter(|n| n.to_string() == *text));
            let numbers: Vec<i64> = parsed.collect();
            if numbers.is_empty() {
                sql.say("FALSE");
                return;
            }
            name(sql);
            sql.list(&numbers, IN, |sql, number| {
                sql.bind(Arg::Int(*number));
            });
        }
        Ready::Texts { how, texts } => {
            let before = if *how == Match::Contains { "%" } else { "" };
            sql.list(texts, OR, |sql, text| {
                sql.say("CAST(").say(expression).say(" AS TEXT)");
                like(sql, before, text, "%");
            });
        }
    }
}

/// The digits of an id as text, which the two databases write differently.
fn digits(sqlite: bool) -> &'static str {
    if sqlite { "lower(hex(t.id))" } else { "replace(CAST(t.id AS TEXT), '-', '')" }
}

fn id(sql: &mut Composed, how: Match, texts: &[String], guard: bool, sqlite: bool) {
    let name = |sql: &mut Composed| guarded(sql, "t.id", ["COALESCE(", ", $3)"], guard);
    match how {
        Match::Exact => {
            let ids: Vec<Uuid> = texts.iter().filter_map(|text| Uuid::try_parse(text).ok()).collect();
            if ids.is_empty() {
                sql.say("FALSE");
                return;
            }
            name(sql);
            sql.list(&ids, IN, |sql, id| {
                sql.bind(Arg::Uuid(*id));
            });
        }
        Match::Prefix => {
            let ranges: Vec<(Uuid, Uuid)> = texts.iter().filter_map(|text| ids_with_prefix(text)).collect();
            sql.list(&ranges, OR, |sql, (from, to)| {
                sql.say("(");
                name(sql);
                sql.say(" >= ").bind(Arg::Uuid(*from)).say(" AND ");
                name(sql);
                sql.say(" <= ").bind(Arg::Uuid(*to)).say(")");
            });
        }
        Match::Contains => {
            let parts: Vec<String> = texts.iter().filter_map(|text| hexadecimal(text)).collect();
            sql.list(&parts, OR, |sql, part| {
                sql.say(digits(sqlite));
                like(sql, "%", part, "%");
            });
        }
    }
}

/// Writes that a row `v` of [`Several`] is one that is looked for.
pub(super) fn one_of(sql: &mut Composed, several: &Several, how: Match, texts: &[String]) {
    if several.lists {
        sql.list(texts, OR, |sql, permission| {
            let quoted = serde_json::to_string(permission).unwrap_or_default();
            let quoted = quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
            sql.say("v.fold");
            match how {
                Match::Exact => like(sql, "%\"", quoted, "\"%"),
                Match::Prefix => like(sql, "%\"", quoted, "%"),
                Match::Contains => like(sql, "%", quoted, "%"),
            }
        });
        return;
    }
    sql.say("(");
    text(sql, "v.fold", how, texts, false);
    let ids: Vec<Uuid> = texts.iter().filter_map(|text| Uuid::try_parse(text).ok()).collect();
    if !ids.is_empty() {
        sql.say(" OR v.key").list(&ids, IN, |sql, id| {
            sql.bind(Arg::Uuid(*id));
        });
    }
    sql.say(")");
}

impl Column {
    /// Writes a test of it. With `guard` no index answers it.
    pub(super) fn test(&self, sql: &mut Composed, test: &Ready, guard: bool, sqlite: bool) {
        match (self, test) {
            (Self::Id, Ready::Texts { how, texts }) => id(sql, *how, texts, guard, sqlite),
            (Self::Text(column), Ready::Texts { how, texts }) => text(sql, column.fold, *how, texts, guard),
            (Self::Number { expression, indexed }, test) => number(sql, expression, test, guard && *indexed),
            (Self::Several(several), Ready::Texts { how, texts }) => {
                // Evaluated once for all rows: IS TRUE keeps PostgreSQL from making a join of it.
                sql.say("((t.id IN (SELECT v.id FROM (").say(several.source).say(") v WHERE ");
                one_of(sql, several, *how, texts);
                sql.say(")) IS TRUE)");
            }
            // What a search's check refuses.
            (Self::Id | Self::Text(_) | Self::Several(_), Ready::Between { .. }) => {
                sql.say("FALSE");
            }
        }
    }

    /// What orders by it.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Id | Self::Several(_) => "t.id",
            Self::Text(text) => text.fold,
            Self::Number { expression, .. } => expression,
        }
    }
}
