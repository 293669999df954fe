//! Reading as of one moment that must end in time, whatever it does.

use std::time::{Duration, Instant};

use tokenhouse_model::{Error, ErrorKind, Refusal, Result};

use super::composed::Composed;
use crate::conn::Snapshot;
use crate::sql::Row;

/// A snapshot whose statements end before its deadline, or fail.
#[derive(Debug)]
pub struct Timed {
    snapshot: Snapshot,
    time: Duration,
    begun: Instant,
    /// What was left when the database was told.
    told: Duration,
    sqlite: bool,
}

/// The database is told again what is left when it is so much less.
const LESS: Duration = Duration::from_millis(100);

impl Timed {
    pub(crate) async fn begin(mut snapshot: Snapshot, time: Duration) -> Result<Self> {
        let begun = Instant::now();
        snapshot.within(time).await?;
        let sqlite = snapshot.conn().is_sqlite();
        Ok(Self { snapshot, time, begun, told: time, sqlite })
    }

    pub(super) fn sqlite(&self) -> bool {
        self.sqlite
    }

    /// All rows of a statement.
    pub(super) async fn ask<T: Row>(&mut self, sql: &Composed) -> Result<Vec<T>> {
        let left = self.left()?;
        if !self.sqlite && self.told.saturating_sub(left) > LESS {
            self.snapshot.within(left).await?;
            self.told = left;
        }
        let asked = Instant::now();
        let answered = self.snapshot.conn().composed(sql).await;
        // A statement that was stopped for its time fails as one whose database went away.
        let limit = if self.sqlite { left } else { self.told };
        answered.map_err(|error| {
            let over = asked.elapsed() + Duration::from_millis(1) >= limit;
            if over && error.kind() == ErrorKind::Unavailable { self.slow().because(error) } else { error }
        })
    }

    /// The same, but given up when it takes long, with most of the time left for another way.
    pub(super) async fn attempt<T: Row>(&mut self, sql: &Composed) -> Result<Option<Vec<T>>> {
        let time = self.left()?.min(self.time * 3 / 20);
        if !self.sqlite {
            self.snapshot.conn().raw("SAVEPOINT attempt").await?;
        }
        let asked = Instant::now();
        self.snapshot.within(time).await?;
        let answered = self.snapshot.conn().composed(sql).await;
        let over = asked.elapsed() + Duration::from_millis(1) >= time;
        let answer = match answered {
            Err(error) if over && error.kind() == ErrorKind::Unavailable => None,
            answered => Some(answered?),
        };
        if answer.is_none() && !self.sqlite {
            self.snapshot.conn().raw("ROLLBACK TO SAVEPOINT attempt").await?;
        }
        self.told = self.left()?;
        self.snapshot.within(self.told).await?;
        Ok(answer)
    }

    /// What is left of the time.
    fn left(&self) -> Result<Duration> {
        self.time.checked_sub(self.begun.elapsed()).ok_or_else(|| self.slow())
    }

    /// Ends it, whatever came of it, and passes that on.
    ///
    /// # Errors
    /// What came of it.
    pub async fn end<T>(mut self, outcome: Result<T>) -> Result<T> {
        let unbound = self.snapshot.unbound().await;
        self.snapshot.end(outcome.and_then(|outcome| unbound.map(|()| outcome))).await
    }

    fn slow(&self) -> Error {
        let why = format!(
            "the search takes longer than {} s; narrow it with an exact or prefix condition",
            self.time.as_secs_f32()
        );
        Error::new(ErrorKind::Unprocessable, Refusal::Plain, why)
    }
}
