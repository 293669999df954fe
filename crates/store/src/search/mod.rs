//! Finding rows by conditions, in any order, a page at a time.
//!
//! A statement is put together from constant fragments and parameters, and its way through the indexes is chosen here:
//! neither database's planner can be trusted with a rare condition and another order (docs/decisions.md). See [`plan`].

mod accounts;
mod column;
mod composed;
mod groups;
mod plan;
mod roles;
mod timed;
mod tokens;
pub(crate) mod trigrams;

use std::collections::HashMap;

use tokenhouse_model::search::{Condition, Field, Found, Match, Nature, On, Place, Search, Sort, Test, Value};
use tokenhouse_model::{Error, Result, Uuid};

pub use accounts::Accounts;
pub(crate) use composed::Composed;
pub use groups::Groups;
pub use roles::Roles;
pub use timed::Timed;
pub use tokens::Tokens;

use crate::conn::Number;
use crate::sql::{Arg, Row, row};
use column::{Column, IN, Ready};
use plan::{Clause, Plan};

/// What is searched: a table, which of its rows can be found at all, and what its fields are.
pub trait Subject: Sync {
    /// Its fields.
    type Field: Field;
    /// Its rows.
    type Row: Row;
    /// The table as `t`.
    const FROM: &'static str;
    /// The columns of a row.
    const COLUMNS: &'static str;
    /// The fields that free text looks at.
    const ANYTHING: &'static [Self::Field];

    /// An empty statement with the parameters that every fragment knows.
    fn statement(&self) -> Composed;
    /// Writes which rows can be found at all.
    fn scope(&self, sql: &mut Composed);
    /// What a field is.
    fn column(field: Self::Field) -> Column;
    /// The id of a row.
    fn id(row: &Self::Row) -> Uuid;
}

/// The ids of a page, with what comes after it.
struct Page {
    ids: Vec<Uuid>,
    more: bool,
    total: i64,
    cursor: Option<String>,
}

#[derive(Debug)]
struct Numbered {
    id: Uuid,
    key: i64,
}
row!(Numbered: "" { id, key });

#[derive(Debug)]
struct Named {
    id: Uuid,
    key: String,
}
row!(Named: "" { id, key });

#[derive(Debug)]
struct Shown {
    shown: String,
}
row!(Shown: "" { shown });

/// The page of a search.
///
/// # Errors
/// `invalid_field`, `unavailable`; `unprocessable` where it would take too long.
pub async fn find<S: Subject>(timed: &mut Timed, subject: &S, search: &Search<S::Field>) -> Result<Found<S::Row>> {
    search.check()?;
    let page = page(timed, subject, search).await?;
    let mut sql = subject.statement();
    sql.say("SELECT ").say(S::COLUMNS).say(" FROM ").say(S::FROM).say(" WHERE t.id").list(&page.ids, IN, |sql, id| {
        sql.bind(Arg::Uuid(*id));
    });
    let rows: Vec<S::Row> = if page.ids.is_empty() { Vec::new() } else { timed.ask(&sql).await? };
    let mut rows: HashMap<Uuid, S::Row> = rows.into_iter().map(|row| (S::id(&row), row)).collect();
    let items = page.ids.iter().filter_map(|id| rows.remove(id)).collect();
    Ok(Found { items, more: page.more, total: page.total, cursor: page.cursor })
}

async fn page<S: Subject>(timed: &mut Timed, subject: &S, search: &Search<S::Field>) -> Result<Page> {
    let order = search.order();
    let place = search.place()?;
    let clauses = clauses::<S>(&search.conditions);
    let plan = Plan::make(timed, subject, &clauses, order.field).await?;
    if plan.nothing() {
        return Ok(Page { ids: Vec::new(), more: false, total: 0, cursor: None });
    }
    let limit = search.limit as usize;
    let (mut ids, last) = match order.field.nature() {
        Nature::Text => {
            let rows: Vec<Named> = in_order(timed, subject, &plan, &clauses, search, place.as_ref()).await?;
            let last = rows.get(limit - 1).map(|row| Value::Text(row.key.clone()));
            (rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), last)
        }
        Nature::Number | Nature::Id | Nature::Several => {
            let rows: Vec<Numbered> = in_order(timed, subject, &plan, &clauses, search, place.as_ref()).await?;
            let number = |row: &Numbered| {
                if order.field.nature() == Nature::Number { Value::Number(row.key) } else { Value::Id }
            };
            (rows.iter().map(|row| row.id).collect(), rows.get(limit - 1).map(number))
        }
    };
    let more = ids.len() > limit;
    ids.truncate(limit);
    let before = place.as_ref().map_or(search.offset, |place| place.seen);
    let seen = before.saturating_add(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    let cursor = match (more, last, ids.last()) {
        (true, Some(value), Some(id)) => Some(Place { value, id: *id, seen }.encode(order)),
        _ => None,
    };
    let total = match (more, ids.is_empty() && before > 0) {
        (false, false) => i64::from(seen),
        (false, true) => plan.known(timed, subject, &clauses).await?.unwrap_or(0),
        (true, _) => plan.known(timed, subject, &clauses).await?.unwrap_or(0).max(i64::from(seen) + 1),
    };
    Ok(Page { ids, more, total, cursor })
}

/// The ids of a page in order, each with what orders it, one more than the page has.
async fn in_order<S: Subject, T: Row>(
    timed: &mut Timed,
    subject: &S,
    plan: &Plan,
    clauses: &[Clause<S::Field>],
    search: &Search<S::Field>,
    place: Option<&Place>,
) -> Result<Vec<T>> {
    let sql = ordered(subject, plan, clauses, search, place, timed.sqlite());
    let Some(instead) = plan.instead() else { return timed.ask(&sql).await };
    match timed.attempt(&sql).await? {
        Some(rows) => Ok(rows),
        None => timed.ask(&ordered(subject, &instead, clauses, search, place, timed.sqlite())).await,
    }
}

/// How many rows the conditions find, counted up to one more than `most`. Order and page have no meaning here.
///
/// # Errors
/// As [`find`].
pub async fn count<S: Subject>(timed: &mut Timed, subject: &S, search: &Search<S::Field>, most: i64) -> Result<i64> {
    search.check()?;
    let clauses = clauses::<S>(&search.conditions);
    let plan = Plan::make(timed, subject, &clauses, search.order().field).await?;
    if plan.nothing() {
        return Ok(0);
    }
    let sqlite = timed.sqlite();
    let written = |plan: &Plan| {
        let mut sql = subject.statement();
        plan.begin(&mut sql, subject, &clauses, sqlite);
        sql.say("SELECT COUNT(*) FROM (SELECT t.id");
        plan.body(&mut sql, subject, &clauses, sqlite);
        sql.say(" LIMIT ").bind(Arg::Int(most + 1)).say(") x");
        sql
    };
    let rows: Vec<Number> = match plan.instead() {
        None => timed.ask(&written(&plan)).await?,
        Some(instead) => match timed.attempt(&written(&plan)).await? {
            Some(rows) => rows,
            None => timed.ask(&written(&instead)).await?,
        },
    };
    Ok(rows.first().map_or(0, |number| number.value))
}

fn clauses<S: Subject>(conditions: &[Condition<S::Field>]) -> Vec<Clause<S::Field>> {
    let clause = |condition: &Condition<S::Field>| {
        let (field, columns) = match condition.on {
            On::Field(field) => (Some(field), vec![S::column(field)]),
            On::Anything => (None, S::ANYTHING.iter().map(|field| S::column(*field)).collect()),
        };
        Clause { field, columns, test: Ready::new(&condition.test), negated: condition.negated }
    };
    conditions.iter().map(clause).collect()
}

/// Writes what [`in_order`] asks.
fn ordered<S: Subject>(
    subject: &S,
    plan: &Plan,
    clauses: &[Clause<S::Field>],
    search: &Search<S::Field>,
    place: Option<&Place>,
    sqlite: bool,
) -> Composed {
    let Sort { field, ascending } = search.order();
    let key = S::column(field).key();
    let mut sql = subject.statement();
    plan.begin(&mut sql, subject, clauses, sqlite);
    sql.say("SELECT t.id AS id, ").say(match field.nature() {
        Nature::Id | Nature::Several => "CAST(0 AS BIGINT)",
        Nature::Text | Nature::Number => key,
    });
    sql.say(" AS key");
    plan.body(&mut sql, subject, clauses, sqlite);
    if let Some(place) = place {
        let sign = if ascending { " > " } else { " < " };
        sql.say(" AND ");
        match &place.value {
            Value::Id => sql.say("t.id").say(sign).bind(Arg::Uuid(place.id)),
            Value::Number(number) => after(&mut sql, key, sign, Arg::Int(*number), place.id),
            Value::Text(text) => after(&mut sql, key, sign, Arg::Made(text.clone()), place.id),
        };
    }
    let direction = if ascending { "" } else { " DESC" };
    sql.say(" ORDER BY ");
    if field.nature() != Nature::Id {
        // By the name of the answer's column: SQLite works an expression out once then.
        sql.say("key").say(direction).say(", ");
    }
    sql.say("t.id").say(direction);
    sql.say(" LIMIT ").bind(Arg::Int(i64::from(search.limit) + 1));
    sql.say(" OFFSET ").bind(Arg::Int(i64::from(search.offset)));
    sql
}

fn after<'a>(
    sql: &'a mut Composed,
    key: &'static str,
    sign: &'static str,
    value: Arg<'static>,
    id: Uuid,
) -> &'a mut Composed {
    sql.say("(").say(key).say(", t.id)").say(sign).say("(").bind(value).say(", ").bind(Arg::Uuid(id)).say(")")
}

/// The distinct values of one field among what the conditions find, ascending. `narrow` is what must be true of a value
/// itself. The search's order and cursor have no meaning here.
///
/// # Errors
/// As [`find`].
pub async fn values<S: Subject>(
    timed: &mut Timed,
    subject: &S,
    field: S::Field,
    search: &Search<S::Field>,
    narrow: Option<(Match, String)>,
) -> Result<Found<String>> {
    search.check()?;
    if search.cursor.is_some() {
        return Err(Error::invalid("cursor", "is not possible here; use an offset"));
    }
    let column = S::column(field);
    let narrow = narrow.map(|(how, text)| Test::Text { how, any_of: vec![text] });
    let mut conditions = search.conditions.clone();
    if let (Some(test), true) = (&narrow, field.nature() != Nature::Several) {
        let narrowed = Condition { on: On::Field(field), test: test.clone(), negated: false };
        conditions.push(narrowed);
    }
    let clauses = clauses::<S>(&conditions);
    let plan = Plan::make(timed, subject, &clauses, field).await?;
    if plan.nothing() {
        return Ok(Found { items: Vec::new(), more: false, total: 0, cursor: None });
    }
    let narrow = narrow.as_ref().map(Ready::new);
    let sqlite = timed.sqlite();
    let mut sql = subject.statement();
    plan.begin(&mut sql, subject, &clauses, sqlite);
    let of_found = |sql: &mut Composed| plan.body(sql, subject, &clauses, sqlite);
    match column {
        Column::Id => {
            sql.say("SELECT t.id AS id, CAST(0 AS BIGINT) AS key");
            of_found(&mut sql);
            sql.say(" ORDER BY t.id");
            limited(&mut sql, search);
            let rows: Vec<Numbered> = timed.ask(&sql).await?;
            return Ok(cut(rows.into_iter().map(|row| row.id.to_string()).collect(), search));
        }
        Column::Number { expression, .. } => {
            sql.say("SELECT CAST(y.k AS TEXT) AS shown FROM (SELECT ").say(expression).say(" AS k");
            of_found(&mut sql);
            sql.say(") y GROUP BY y.k ORDER BY y.k");
        }
        Column::Text(text) if text.indexed && plan.walks() => {
            // From each value to the next one, over all that have the same; they come in the order of their making.
            let next = |sql: &mut Composed, column| {
                sql.say("(SELECT ").say(column);
                of_found(sql);
            };
            sql.say("WITH RECURSIVE v (k) AS (SELECT ");
            next(&mut sql, text.fold);
            sql.say(" ORDER BY ").say(text.fold).say(" LIMIT 1) UNION ALL SELECT ");
            next(&mut sql, text.fold);
            sql.say(" AND ").say(text.fold).say(" > v.k ORDER BY ").say(text.fold);
            sql.say(" LIMIT 1) FROM v WHERE v.k IS NOT NULL) SELECT ");
            if text.shown == text.fold {
                sql.say("v.k");
            } else {
                next(&mut sql, text.shown);
                sql.say(" AND ").say(text.fold).say(" = v.k ORDER BY t.id LIMIT 1)");
            }
            sql.say(" AS shown FROM v WHERE v.k IS NOT NULL");
        }
        Column::Text(text) if text.shown == text.fold => {
            sql.say("SELECT y.k AS shown FROM (SELECT ").say(text.fold).say(" AS k");
            of_found(&mut sql);
            sql.say(") y GROUP BY y.k ORDER BY y.k");
        }
        Column::Text(text) => {
            sql.say("SELECT MIN(y.s COLLATE \"binary\") AS shown FROM (SELECT ");
            sql.say(text.fold).say(" AS k, ").say(text.shown).say(" AS s");
            of_found(&mut sql);
            sql.say(") y GROUP BY y.k ORDER BY y.k");
        }
        Column::Several(several) => {
            sql.say(if several.lists { "SELECT DISTINCT v.shown" } else { "SELECT MIN(v.shown COLLATE \"binary\")" });
            sql.say(" AS shown FROM (").say(several.source).say(") v WHERE v.id IN (SELECT t.id");
            of_found(&mut sql);
            sql.say(")");
            if several.lists {
                sql.say(" LIMIT ").bind(Arg::Int(MOST_LISTS));
                return Ok(unfolded(&timed.ask(&sql).await?, search, narrow.as_ref()));
            }
            if let Some(Ready::Texts { how, texts }) = &narrow {
                sql.say(" AND ");
                column::text(&mut sql, "v.fold", *how, texts, false);
            }
            sql.say(" GROUP BY v.fold ORDER BY v.fold");
        }
    }
    limited(&mut sql, search);
    let rows: Vec<Shown> = timed.ask(&sql).await?;
    Ok(cut(rows.into_iter().map(|row| row.shown).collect(), search))
}

/// The most lists of permissions whose members are told apart.
const MOST_LISTS: i64 = 10_000;

fn limited<F>(sql: &mut Composed, search: &Search<F>) {
    sql.say(" LIMIT ").bind(Arg::Int(i64::from(search.limit) + 1));
    sql.say(" OFFSET ").bind(Arg::Int(i64::from(search.offset)));
}

/// Cuts what was read, one more than the page, to the page.
fn cut<F>(mut values: Vec<String>, search: &Search<F>) -> Found<String> {
    let more = values.len() > search.limit as usize;
    values.truncate(search.limit as usize);
    let length = i64::try_from(values.len()).unwrap_or(i64::MAX);
    let total = if values.is_empty() { 0 } else { i64::from(search.offset) + length + i64::from(more) };
    Found { items: values, more, total, cursor: None }
}

/// The members of lists of permissions, each once, as a page.
fn unfolded<F>(rows: &[Shown], search: &Search<F>, narrow: Option<&Ready>) -> Found<String> {
    let lists = rows.iter().filter_map(|row| serde_json::from_str::<Vec<String>>(&row.shown).ok());
    let mut values: Vec<(String, String)> = lists.flatten().map(|shown| (Match::Exact.fold(&shown), shown)).collect();
    values.sort();
    values.dedup_by(|one, other| one.0 == other.0);
    if let Some(Ready::Texts { how, texts }) = narrow {
        values.retain(|(fold, _)| texts.iter().any(|text| how.holds(text, fold)));
    }
    let page = values.into_iter().map(|(_, shown)| shown).skip(search.offset as usize);
    cut(page.take(search.limit as usize + 1).collect(), search)
}
