//! A database for one test.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tokenhouse_store::Location;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// The server that `TOKENHOUSE_TEST_POSTGRES` names.
    Postgres,
}

/// A database of one test's own.
#[derive(Clone, Debug)]
pub struct Database {
    /// Which one.
    pub backend: Backend,
    /// As a URL.
    pub url: String,
    /// As the store takes it.
    pub location: Location,
    server: String,
}

/// The server for tests; `None` means that they run on SQLite alone.
pub fn server() -> Option<String> {
    #[allow(clippy::disallowed_methods)]
    std::env::var("TOKENHOUSE_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

impl Database {
    /// An empty database; `None` on PostgreSQL where the tests were given none.
    pub async fn create(backend: Backend, folder: &Path) -> Option<Self> {
        let (url, server) = match backend {
            Backend::Sqlite => (format!("sqlite://{}", folder.join("tokenhouse.db").display()), String::new()),
            Backend::Postgres => {
                let server = server()?;
                let name = format!("test_{}", tokenhouse_model::Uuid::from_bytes(random()).simple());
                let mut conn = PgConnection::connect(&server).await.unwrap();
                conn.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
                let (base, _) = server.rsplit_once('/').unwrap();
                (format!("{base}/{name}"), server)
            }
        };
        let location = Location::parse(&url).unwrap();
        Some(Self { backend, url, location, server })
    }

    /// A PostgreSQL database that somebody else made.
    pub fn at(url: &str) -> Self {
        let location = Location::parse(url).unwrap();
        Self { backend: Backend::Postgres, url: url.to_owned(), location, server: url.to_owned() }
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> PathBuf {
        PathBuf::from(self.url.strip_prefix("sqlite://").expect("a SQLite database"))
    }

    /// The one number that a question of the test's own comes to.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.backend {
            Backend::Sqlite => {
                let mut conn = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
            }
            Backend::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
            }
        }
    }

    /// Runs a statement behind the program's back.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.backend {
            Backend::Sqlite => {
                let mut conn = SqliteConnection::connect(&self.url).await.unwrap();
                conn.execute(sql).await.unwrap();
                conn.close().await.unwrap();
            }
            Backend::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await.unwrap();
                conn.execute(sql).await.unwrap();
            }
        }
    }

    /// Everything that is stored, as bytes to search.
    pub async fn bytes(&self) -> Vec<u8> {
        match self.backend {
            Backend::Sqlite => {
                let mut bytes = Vec::new();
                for ending in ["", "-wal", "-journal"] {
                    let path = format!("{}{ending}", self.file().display());
                    bytes.extend(std::fs::read(path).unwrap_or_default());
                }
                bytes
            }
            Backend::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await.unwrap();
                // Every row of every table as text; bytes stand in it as hexadecimal digits.
                let sql = "SELECT query_to_xml(format('SELECT t::text FROM %I t', tablename), true, false, '')::text
                    FROM pg_tables WHERE schemaname = 'public'";
                let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
                rows.into_iter().flat_map(|(row,)| row.into_bytes()).collect()
            }
        }
    }

    /// Drops it.
    pub async fn remove(&self) {
        if self.backend == Backend::Postgres {
            let (_, name) = self.url.rsplit_once('/').unwrap();
            let mut conn = PgConnection::connect(&self.server).await.unwrap();
            conn.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
        }
    }
}

fn random() -> [u8; 16] {
    tokenhouse_model::env::Random::system().bytes()
}
