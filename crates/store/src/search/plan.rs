//! Which way through the indexes a search takes.
//!
//! For every condition that an index answers it is counted how many rows it leaves, up to [`FEW`]. The one that leaves
//! the fewest, if those are few, picks the rows, and all else is looked up in them. Otherwise the index of the order is
//! walked, and every condition is written so that no other index can answer it. When a walk takes long, because what is
//! looked for comes late in its order, it is given up, and a condition picks all the same.

use tokenhouse_model::search::{Field, Match};
use tokenhouse_model::{Result, Uuid};

use super::Subject;
use super::column::{Column, IN, Parts, Ready};
use super::composed::Composed;
use super::timed::Timed;
use super::{column, trigrams};
use crate::conn::Number;
use crate::sql::{Arg, row};

/// As many rows are picked by one condition and then looked up one by one.
pub(super) const FEW: i64 = 10_000;
/// The same where trigrams find the rows: on PostgreSQL each is looked up before it counts.
const FEW_BY_TRIGRAMS: i64 = 2_500;
/// When one condition leaves no more than these, the others need not be counted.
const VERY_FEW: i64 = 100;
/// The fewest characters that trigrams can find.
const TRIGRAM: usize = 3;

/// One condition, ready to be written.
#[derive(Debug)]
pub(super) struct Clause<F> {
    /// The field; `None` for free text.
    pub(super) field: Option<F>,
    /// One of these must pass.
    pub(super) columns: Vec<Column>,
    /// The test.
    pub(super) test: Ready,
    /// Whether none may.
    pub(super) negated: bool,
}

/// The way that was chosen.
#[derive(Debug)]
pub(super) struct Plan {
    /// The clause whose rows are picked; `None` where the index of the order is walked.
    driver: Option<usize>,
    /// Its rows, where finding them was long enough to do it once only.
    picked: Option<Vec<Uuid>>,
    /// Whether a clause leaves nothing.
    nothing: bool,
    /// A clause that leaves many, which picks when the walk takes long: its rows may all come last in the order.
    instead: Option<usize>,
    /// The clause that is a range of that index.
    range: Option<usize>,
    /// How many rows there are in all, up to one more than [`FEW`], where that was learnt on the way.
    counted: Option<i64>,
}

/// How an index answers a test of a column, and what counting costs: the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Equal,
    Range,
    Members,
    Trigrams,
    Scan,
}

impl Way {
    /// The most rows that are picked.
    fn few(self) -> i64 {
        if self >= Self::Trigrams { FEW_BY_TRIGRAMS } else { FEW }
    }
}

fn way(column: &Column, test: &Ready) -> Option<Way> {
    match (column, test) {
        (Column::Id, Ready::Texts { how: Match::Contains, .. }) => Some(Way::Scan),
        (Column::Id | Column::Text(column::Text { indexed: true, .. }), Ready::Texts { how: Match::Exact, .. })
        | (Column::Number { indexed: true, .. }, Ready::Texts { how: Match::Exact, .. }) => Some(Way::Equal),
        (Column::Id | Column::Text(column::Text { indexed: true, .. }), Ready::Texts { how: Match::Prefix, texts }) => {
            texts.iter().all(|text| !text.is_empty()).then_some(Way::Range)
        }
        (Column::Number { indexed: true, .. }, Ready::Between { .. }) => Some(Way::Range),
        (Column::Text(column::Text { parts: Some(_), .. }), Ready::Texts { how: Match::Contains, texts }) => {
            let long = !texts.is_empty() && texts.iter().all(|text| text.chars().count() >= TRIGRAM);
            Some(if long { Way::Trigrams } else { Way::Scan })
        }
        (Column::Several(_), Ready::Texts { .. }) => Some(Way::Members),
        _ => None,
    }
}

impl<F: Field> Clause<F> {
    /// How it can pick rows, if it can: every column must have a way.
    fn way(&self) -> Option<Way> {
        if self.negated {
            return None;
        }
        let mut worst = Way::Equal;
        for column in &self.columns {
            worst = worst.max(way(column, &self.test)?);
        }
        Some(worst)
    }

    fn write(&self, sql: &mut Composed, guard: bool, sqlite: bool) {
        sql.say(if self.negated { "NOT " } else { "" });
        sql.list(&self.columns, ["(", " OR ", ")", "FALSE"], |sql, column| {
            column.test(sql, &self.test, guard, sqlite);
        });
    }

    /// Writes a selection of the ids that it leaves; where there is a bound, of at most so many by each column.
    fn pick<S: Subject>(&self, sql: &mut Composed, subject: &S, bound: Option<i64>, sqlite: bool) {
        let [open, between, close] = if bound.is_some() {
            ["SELECT q.id AS id FROM (", ") q UNION SELECT q.id FROM (", ") q"]
        } else {
            ["", " UNION ", ""]
        };
        // Each beginning by itself: SQLite would read the whole index for two of them at once.
        let tests = self.test.ranges();
        let parts: Vec<(&Column, &Ready)> =
            self.columns.iter().flat_map(|column| tests.iter().map(move |test| (column, test))).collect();
        sql.list(&parts, [open, between, close, ""], |sql, (column, test)| {
            picked(sql, subject, column, test, sqlite);
            if let Some(bound) = bound {
                sql.say(" LIMIT ").bind(Arg::Int(bound));
            }
        });
    }
}

/// Writes a selection of the ids that a test of one column leaves.
fn picked<S: Subject>(sql: &mut Composed, subject: &S, column: &Column, test: &Ready, sqlite: bool) {
    if let (Column::Several(several), Ready::Texts { how, texts }) = (column, test) {
        sql.say("SELECT DISTINCT v.id AS id FROM (").say(several.source).say(") v WHERE ");
        column::one_of(sql, several, *how, texts);
        return;
    }
    let parts = match (column, way(column, test)) {
        (Column::Text(text), Some(Way::Trigrams)) => text.parts,
        _ => None,
    };
    let candidates = parts.is_some_and(|parts| candidates(sql, S::FROM, &parts, test, sqlite));
    if !candidates {
        sql.say("SELECT t.id AS id FROM ").say(S::FROM).say(" WHERE ");
    }
    subject.scope(sql);
    sql.say(" AND ");
    // What looks at every entry of an index must not be answered by another one.
    let scan = matches!(column, Column::Text(_)) && way(column, test) == Some(Way::Scan);
    column.test(sql, test, candidates || scan, sqlite);
}

/// Writes the beginning of a selection from candidates; false where the column's own index finds the parts.
fn candidates(sql: &mut Composed, from: &'static str, parts: &Parts, test: &Ready, sqlite: bool) -> bool {
    let Ready::Texts { how, texts } = test else { return false };
    if !sqlite && parts.postgres.is_none() {
        return false;
    }
    sql.say("SELECT DISTINCT t.id AS id FROM (");
    if sqlite {
        sql.say(parts.sqlite).bind(Arg::Made(trigrams::pattern(texts)));
    } else if let Some((select, column)) = parts.postgres {
        sql.say(select);
        column::text(sql, column, *how, texts, false);
    }
    sql.say(") c CROSS JOIN ").say(from).say(" WHERE ").say(parts.join).say(" AND ");
    true
}

impl Plan {
    /// Chooses.
    pub(super) async fn make<S: Subject>(
        timed: &mut Timed,
        subject: &S,
        clauses: &[Clause<S::Field>],
        order: S::Field,
    ) -> Result<Self> {
        let along = |clause: &Clause<S::Field>| {
            clause.field == Some(order)
                && matches!(clause.way(), Some(Way::Equal | Way::Range))
                && clause.test.one_range()
        };
        let range = clauses.iter().position(along);
        if clauses.len() == 1 && range.is_some() {
            // The walk meets nothing but what it looks for.
            return Ok(Self { driver: None, picked: None, nothing: false, instead: None, range, counted: None });
        }
        let mut ways: Vec<(Way, usize)> =
            clauses.iter().enumerate().filter_map(|(at, clause)| Some((clause.way()?, at))).collect();
        ways.sort();
        let mut best: Option<(i64, usize)> = None;
        let (mut counted, mut picked, mut nothing, mut instead) = (None, None, false, None);
        for (way, at) in ways {
            let (Some(clause), false) = (clauses.get(at), best.is_some_and(|(rows, _)| rows <= VERY_FEW)) else {
                break;
            };
            // Where finding them takes long, it is done once.
            let (ids, rows) = if way == Way::Scan {
                let ids = ids(timed, subject, clause, way.few()).await?;
                let rows = ids.as_ref().and_then(|ids| i64::try_from(ids.len()).ok());
                (ids, rows)
            } else {
                (None, count(timed, subject, clause, way.few()).await?)
            };
            let Some(rows) = rows else { continue };
            nothing |= rows == 0;
            // Members are counted whether they can be found or not.
            if clauses.len() == 1 && way != Way::Members {
                counted = Some(rows);
            }
            if rows <= way.few() && best.is_none_or(|(fewest, _)| rows < fewest) {
                best = Some((rows, at));
                picked = ids;
            } else if rows > way.few() && instead.is_none() {
                instead = Some(at);
            }
        }
        let (range, instead) = (range.filter(|_| best.is_none()), instead.filter(|_| best.is_none()));
        Ok(Self { driver: best.map(|(_, at)| at), picked, nothing, instead, range, counted })
    }

    /// What is done instead when this takes long.
    pub(super) fn instead(&self) -> Option<Self> {
        let driver = self.instead?;
        Some(Self {
            driver: Some(driver),
            picked: None,
            nothing: false,
            instead: None,
            range: None,
            counted: self.counted,
        })
    }

    /// Whether nothing can be found.
    pub(super) fn nothing(&self) -> bool {
        self.nothing
    }

    /// Whether an index is walked.
    pub(super) fn walks(&self) -> bool {
        self.driver.is_none()
    }

    /// Writes what stands before the `SELECT`.
    pub(super) fn begin<S: Subject>(
        &self,
        sql: &mut Composed,
        subject: &S,
        clauses: &[Clause<S::Field>],
        sqlite: bool,
    ) {
        if let Some(clause) = self.driver.and_then(|at| clauses.get(at)) {
            sql.say("WITH picked AS MATERIALIZED (");
            if let Some(ids) = &self.picked {
                sql.say("SELECT t.id AS id FROM ").say(S::FROM).say(" WHERE t.id");
                sql.list(ids, IN, |sql, id| {
                    sql.bind(Arg::Uuid(*id));
                });
            } else {
                clause.pick(sql, subject, None, sqlite);
            }
            sql.say(") ");
        }
    }

    /// Writes `FROM` and `WHERE`.
    pub(super) fn body<S: Subject>(&self, sql: &mut Composed, subject: &S, clauses: &[Clause<S::Field>], sqlite: bool) {
        sql.say(" FROM ");
        if self.driver.is_some() {
            // Looked up by id and nothing else: SQLite would take any index of the org for as good as that.
            sql.say("picked p CROSS JOIN ").say(S::FROM).say(" WHERE t.id = p.id AND ((");
            subject.scope(sql);
            sql.say(") IS TRUE)");
        } else {
            sql.say(S::FROM).say(" WHERE ");
            subject.scope(sql);
        }
        for (at, clause) in clauses.iter().enumerate().filter(|(at, _)| self.driver != Some(*at)) {
            sql.say(" AND ");
            clause.write(sql, self.range != Some(at), sqlite);
        }
    }

    /// How many rows there are in all, or [`FEW`] where there are more, if an index can tell.
    pub(super) async fn known<S: Subject>(
        &self,
        timed: &mut Timed,
        subject: &S,
        clauses: &[Clause<S::Field>],
    ) -> Result<Option<i64>> {
        let counted = match (self.counted, clauses) {
            (Some(counted), _) => Some(counted),
            (None, []) => Some(everything(timed, subject).await?),
            (None, [clause]) if self.range.is_some() => count(timed, subject, clause, FEW).await?,
            (None, _) => None,
        };
        Ok(counted)
    }
}

/// Whether there are no more candidates for parts than can be looked at. Where a text's own index finds the parts, there
/// are none to count; on SQLite they come from all orgs.
async fn few_candidates<S: Subject>(
    timed: &mut Timed,
    subject: &S,
    clause: &Clause<S::Field>,
    few: i64,
) -> Result<bool> {
    let Ready::Texts { how, texts } = &clause.test else { return Ok(true) };
    for column in &clause.columns {
        let parts = match column {
            Column::Text(text) if way(column, &clause.test) == Some(Way::Trigrams) => text.parts,
            _ => None,
        };
        let Some(parts) = parts else { continue };
        let mut sql = subject.statement();
        sql.say("SELECT COUNT(*) FROM (");
        match parts.postgres {
            _ if timed.sqlite() => {
                sql.say(parts.sqlite).bind(Arg::Made(trigrams::pattern(texts)));
            }
            Some((select, name)) => {
                sql.say(select);
                column::text(&mut sql, name, *how, texts, false);
            }
            None => continue,
        }
        sql.say(" LIMIT ").bind(Arg::Int(few + 1)).say(") x");
        if number(timed, &sql).await? > few {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Counts what a clause leaves, up to one more than `few`; `None` where even that would take long.
async fn count<S: Subject>(timed: &mut Timed, subject: &S, clause: &Clause<S::Field>, few: i64) -> Result<Option<i64>> {
    if !few_candidates(timed, subject, clause, few).await? {
        return Ok(None);
    }
    let mut sql = subject.statement();
    sql.say("SELECT COUNT(*) FROM (SELECT p.id FROM (");
    clause.pick(&mut sql, subject, Some(few + 1), timed.sqlite());
    sql.say(") p LIMIT ").bind(Arg::Int(few + 1)).say(") x");
    number(timed, &sql).await.map(Some)
}

/// What a clause leaves, up to one more than `few`; `None` where even that would take long.
async fn ids<S: Subject>(
    timed: &mut Timed,
    subject: &S,
    clause: &Clause<S::Field>,
    few: i64,
) -> Result<Option<Vec<Uuid>>> {
    if !few_candidates(timed, subject, clause, few).await? {
        return Ok(None);
    }
    let mut sql = subject.statement();
    sql.say("SELECT p.id AS id FROM (");
    clause.pick(&mut sql, subject, Some(few + 1), timed.sqlite());
    sql.say(") p LIMIT ").bind(Arg::Int(few + 1));
    let rows: Vec<Picked> = timed.ask(&sql).await?;
    Ok(Some(rows.into_iter().map(|row| row.id).collect()))
}

#[derive(Debug)]
struct Picked {
    id: Uuid,
}
row!(Picked: "" { id });

async fn everything<S: Subject>(timed: &mut Timed, subject: &S) -> Result<i64> {
    let mut sql = subject.statement();
    sql.say("SELECT COUNT(*) FROM (SELECT t.id FROM ").say(S::FROM).say(" WHERE ");
    subject.scope(&mut sql);
    sql.say(" LIMIT ").bind(Arg::Int(FEW + 1)).say(") x");
    number(timed, &sql).await
}

async fn number(timed: &mut Timed, sql: &Composed) -> Result<i64> {
    Ok(timed.ask::<Number>(sql).await?.first().map_or(0, |number| number.value))
}
