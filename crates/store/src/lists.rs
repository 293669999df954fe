//! Statements about a list of keys: each is one text with so many places, run as often as the list needs it.

use tokenhouse_model::Result;

use crate::conn::Conn;
use crate::sql::{Arg, Bind, Row, Statement};

/// How many keys stand in the places of [`keys!`].
const MANY: usize = 64;
/// How many keys stand in the places of [`each!`], and rows in those of [`rows!`].
pub(crate) const FEW: usize = 16;

/// Places for 64 keys; what else a statement is given comes after them, from `$65` on.
macro_rules! keys {
    () => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
         $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, \
         $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, \
         $63, $64"
    };
}

/// The same question for each of 16 keys, where each answer has a limit of its own; what else it is given comes after
/// them, from `$17` on.
macro_rules! each {
    ($before:literal, $after:literal) => {
        $crate::lists::each!(@ $before, $after, "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16")
    };
    (@ $before:literal, $after:literal, $first:literal $(, $next:literal)+) => {
        concat!(
            "SELECT * FROM (", $before, $first, $after, ") AS one"
            $(, " UNION ALL SELECT * FROM (", $before, $next, $after, ") AS one")+
        )
    };
}

/// Places for 16 rows of three or of six values; what else a statement is given comes after them. Both databases call the
/// columns of such rows `column1` and so on.
macro_rules! rows {
    (3) => {
        "($1, $2, $3), ($4, $5, $6), ($7, $8, $9), ($10, $11, $12), ($13, $14, $15), ($16, $17, $18), \
         ($19, $20, $21), ($22, $23, $24), ($25, $26, $27), ($28, $29, $30), ($31, $32, $33), ($34, $35, $36), \
         ($37, $38, $39), ($40, $41, $42), ($43, $44, $45), ($46, $47, $48)"
    };
    (6) => {
        "($1, $2, $3, $4, $5, $6), ($7, $8, $9, $10, $11, $12), ($13, $14, $15, $16, $17, $18), \
         ($19, $20, $21, $22, $23, $24), ($25, $26, $27, $28, $29, $30), ($31, $32, $33, $34, $35, $36), \
         ($37, $38, $39, $40, $41, $42), ($43, $44, $45, $46, $47, $48), ($49, $50, $51, $52, $53, $54), \
         ($55, $56, $57, $58, $59, $60), ($61, $62, $63, $64, $65, $66), ($67, $68, $69, $70, $71, $72), \
         ($73, $74, $75, $76, $77, $78), ($79, $80, $81, $82, $83, $84), ($85, $86, $87, $88, $89, $90), \
         ($91, $92, $93, $94, $95, $96)"
    };
}

pub(crate) use {each, keys, rows};

/// What a statement with [`rows!`] is given: at most 16 rows, this one in the places that are left, and the rest.
pub(crate) fn filled<'a>(
    rows: impl Iterator<Item = Vec<Arg<'a>>>,
    last: Vec<Arg<'a>>,
    rest: &[Arg<'a>],
) -> Vec<Arg<'a>> {
    rows.chain(std::iter::repeat(last)).take(FEW).flatten().chain(rest.iter().cloned()).collect()
}

/// The rows of a statement with [`keys!`] for all of these keys. Rows of one key come together, in the statement's order.
pub(crate) async fn among<T: Row, K: Bind>(
    conn: &mut Conn<'_>,
    statement: &'static Statement,
    keys: &[K],
    rest: &[Arg<'_>],
) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    for chunk in keys.chunks(MANY) {
        rows.extend(conn.all(statement, &placed(chunk, rest)).await?);
    }
    Ok(rows)
}

/// Runs a statement with [`keys!`] for all of these keys; tells how many rows it changed.
pub(crate) async fn change_among<K: Bind>(
    conn: &mut Conn<'_>,
    statement: &'static Statement,
    keys: &[K],
    rest: &[Arg<'_>],
) -> Result<u64> {
    let mut changed = 0;
    for chunk in keys.chunks(MANY) {
        changed += conn.run(statement, &placed(chunk, rest)).await?;
    }
    Ok(changed)
}

/// What a statement with [`keys!`] is given: the last key again in the places that are left, which finds nothing more.
fn placed<'a, K: Bind>(chunk: &'a [K], rest: &[Arg<'a>]) -> Vec<Arg<'a>> {
    let places = chunk.iter().map(Bind::bind).chain(std::iter::repeat_n(chunk.last().map(Bind::bind), MANY).flatten());
    places.take(MANY).chain(rest.iter().cloned()).collect()
}

/// The rows of a statement with [`each!`] for all of these ids.
pub(crate) async fn each_of<T: Row>(
    conn: &mut Conn<'_>,
    statement: &'static Statement,
    ids: &[tokenhouse_model::Uuid],
    rest: &[Arg<'_>],
) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    for chunk in ids.chunks(FEW) {
        // Nothing has the nil id.
        let places = chunk.iter().copied().chain(std::iter::repeat(tokenhouse_model::Uuid::nil())).take(FEW);
        let args: Vec<Arg<'_>> = places.map(Arg::Uuid).chain(rest.iter().cloned()).collect();
        rows.extend(conn.all(statement, &args).await?);
    }
    Ok(rows)
}
