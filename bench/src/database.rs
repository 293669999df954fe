//! The database's own single-row commits on one connection, synced as Tokenhouse has them synced.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

const TABLE: &str = "CREATE TABLE probe (id BIGINT PRIMARY KEY, value BIGINT NOT NULL)";
const INSERT: &str = "INSERT INTO probe (id, value) VALUES ($1, $2)";

enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A connection that commits one row at a time.
pub struct Probe {
    conn: Conn,
    next: i64,
}

impl Probe {
    /// Beside the measured database: the same server, or a file in the same folder.
    pub async fn open(url: &str, folder: &Path) -> Self {
        let mut conn = if url.starts_with("sqlite") {
            let options = SqliteConnectOptions::new()
                .filename(folder.join("probe.db"))
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full);
            Conn::Sqlite(options.connect().await.expect("a file"))
        } else {
            Conn::Postgres(PgConnection::connect(url).await.expect("a connection"))
        };
        match &mut conn {
            Conn::Sqlite(conn) => conn.execute(TABLE).await.map(|_| ()),
            Conn::Postgres(conn) => conn.execute(TABLE).await.map(|_| ()),
        }
        .expect("a table");
        Self { conn, next: 0 }
    }

    /// Commits for so long; gives the rate.
    pub async fn commits(&mut self, time: Duration) -> f64 {
        let (begun, first) = (Instant::now(), self.next);
        while begun.elapsed() < time {
            self.next += 1;
            match &mut self.conn {
                Conn::Sqlite(conn) => sqlx::query(INSERT).bind(self.next).bind(1_i64).execute(conn).await.map(|_| ()),
                Conn::Postgres(conn) => sqlx::query(INSERT).bind(self.next).bind(1_i64).execute(conn).await.map(|_| ()),
            }
            .expect("a commit");
        }
        (self.next - first) as f64 / begun.elapsed().as_secs_f64()
    }
}
