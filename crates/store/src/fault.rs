//! What a database's failure means for the caller.

use tokenhouse_model::{Error, ErrorKind, Refusal};

/// Whether running the same transaction again can help: PostgreSQL's serialization failures and deadlocks. A lock that
/// could not be had in its time is no such thing: asking again doubles the wait.
pub(crate) fn retryable(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(code.as_str(), "40001" | "40P01"))
}

/// A failed statement as the one error.
pub(crate) fn of(error: sqlx::Error) -> Error {
    if let sqlx::Error::Database(database) = &error
        && database.is_unique_violation()
    {
        return Error::duplicate("something").because(error);
    }
    if unavailable(&error) {
        return Error::unavailable("the database is not available; nothing was changed").because(error);
    }
    Error::internal(error)
}

fn code(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Database(database) => database.code().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}

fn unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(_) => code(error).is_some_and(|code| unavailable_code(&code)),
        _ => false,
    }
}

/// SQLite's result codes (decimal, the primary one in the low byte) and PostgreSQL's classes of SQLSTATE.
fn unavailable_code(code: &str) -> bool {
    if code.len() == 5 {
        return matches!(code.get(..2), Some("08" | "53" | "57" | "58" | "40"))
            || matches!(code, "25006" | "25P03" | "55P03" | "55000");
    }
    // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5..=11 | 13 | 14 | 26))
}

/// Whether this error means that the database, not the request, is the trouble.
pub(crate) fn of_database(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::OutcomeUnknown)
}

/// An installation that this program must not touch.
pub(crate) fn refused(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, Refusal::Plain, why)
}
