//! What a search must find: a plain look at every row.

use std::collections::BTreeMap;
use std::fmt::Debug;

use tokenhouse_model::Uuid;
use tokenhouse_model::search::{Condition, Field, Found, Match, Nature, On, Search, Test, hexadecimal};

/// What a field of a row holds.
#[derive(Clone, Debug)]
pub enum Holds {
    Id(Uuid),
    Text(String),
    Number(i64),
    /// Texts, each perhaps with an id by which it can be named too.
    Several(Vec<(String, Option<Uuid>)>),
}

/// A row: its id and what its fields hold, by their words.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: Uuid,
    pub fields: BTreeMap<&'static str, Holds>,
    /// The fields that free text looks at.
    pub anything: &'static [&'static str],
}

fn one(holds: &Holds, how: Match, needle: &str) -> bool {
    if needle.contains('\0') {
        return false;
    }
    let needle = how.fold(needle);
    match holds {
        Holds::Text(text) => how.holds(&needle, &Match::Exact.fold(text)),
        Holds::Number(number) => how.holds(&needle, &number.to_string()),
        Holds::Id(id) => match how {
            Match::Exact => Uuid::try_parse(&needle).is_ok_and(|needle| needle == *id),
            _ => hexadecimal(&needle).is_some_and(|needle| how.holds(&needle, &id.simple().to_string())),
        },
        Holds::Several(texts) => texts.iter().any(|(text, id)| {
            how.holds(&needle, &Match::Exact.fold(text))
                || id.is_some_and(|id| Uuid::try_parse(&needle).is_ok_and(|needle| needle == id))
        }),
    }
}

fn test(holds: &Holds, test: &Test) -> bool {
    match (test, holds) {
        (Test::Text { how, any_of }, _) => any_of.iter().any(|needle| one(holds, *how, needle)),
        (Test::Between { from, to }, Holds::Number(number)) => {
            from.is_none_or(|from| *number >= from) && to.is_none_or(|to| *number <= to)
        }
        _ => unreachable!("a range of what is no number"),
    }
}

fn meets<F: Field>(row: &Seen, condition: &Condition<F>) -> bool {
    let met = match condition.on {
        On::Field(field) => test(&row.fields[field.word()], &condition.test),
        On::Anything => row.anything.iter().any(|word| test(&row.fields[word], &condition.test)),
    };
    met != condition.negated
}

/// The rows that a search finds, in its order, whatever its page.
pub fn found<F: Field>(search: &Search<F>, rows: &[Seen]) -> Vec<Uuid> {
    let mut found: Vec<&Seen> =
        rows.iter().filter(|row| search.conditions.iter().all(|condition| meets(row, condition))).collect();
    let order = search.order();
    found.sort_by(|one, other| {
        let by_field = match (&one.fields[order.field.word()], &other.fields[order.field.word()]) {
            (Holds::Number(one), Holds::Number(other)) => one.cmp(other),
            (Holds::Text(one), Holds::Text(other)) => Match::Exact.fold(one).cmp(&Match::Exact.fold(other)),
            _ => std::cmp::Ordering::Equal,
        };
        let ordering = by_field.then(one.id.cmp(&other.id));
        if order.ascending { ordering } else { ordering.reverse() }
    });
    found.into_iter().map(|row| row.id).collect()
}

/// Compares a page with a plain look.
pub fn check<F: Field, T: Debug>(search: &Search<F>, rows: &[Seen], ids: Vec<Uuid>, page: &Found<T>) {
    let all = found(search, rows);
    let (from, limit) = (search.offset as usize, search.limit as usize);
    let wanted: Vec<Uuid> = all.iter().copied().skip(from).take(limit).collect();
    assert_eq!(ids, wanted, "{search:#?}");
    assert_eq!(page.more, all.len() > from + limit, "{search:#?}");
    assert_eq!(page.cursor.is_some(), page.more);
    let (count, total) = (i64::try_from(all.len()).unwrap(), page.total);
    assert!(total <= count, "{total} of {count}: {search:#?}");
    if !page.more && !ids.is_empty() {
        assert_eq!(total, count, "{search:#?}");
    } else if page.more {
        assert!(total > i64::from(search.offset + search.limit), "{total}: {search:#?}");
    }
}

/// The distinct values of a field among what a search finds, folded.
pub fn values<F: Field>(field: F, search: &Search<F>, narrow: Option<&(Match, String)>, rows: &[Seen]) -> Vec<String> {
    let ids = found(&Search { sort: None, ..search.clone() }, rows);
    let mut values: Vec<(i64, String)> = Vec::new();
    for row in rows.iter().filter(|row| ids.contains(&row.id)) {
        let holds = &row.fields[field.word()];
        let passes = |holds: &Holds| narrow.is_none_or(|(how, needle)| one(holds, *how, needle));
        match holds {
            Holds::Id(id) if passes(holds) => values.push((0, id.to_string())),
            Holds::Number(number) if passes(holds) => values.push((*number, number.to_string())),
            Holds::Text(text) if passes(holds) => values.push((0, Match::Exact.fold(text))),
            Holds::Several(texts) => {
                let one = |text: &String| Holds::Text(text.clone());
                let passing = texts.iter().map(|(text, _)| text).filter(|text| passes(&one(text)));
                values.extend(passing.map(|text| (0, Match::Exact.fold(text))));
            }
            _ => {}
        }
    }
    values.sort();
    values.dedup();
    assert!(field.nature() == Nature::Number || values.iter().all(|(number, _)| *number == 0));
    values.into_iter().map(|(_, value)| value).collect()
}
