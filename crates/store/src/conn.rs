//! Connections: the two databases behind one set of verbs.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool,
};
use tokenhouse_model::{Error, Result};

use crate::fault;
use crate::search::Composed;
use crate::sql::{Arg, Bind as _, Cells, Row, Statement, args, postgres_args, sqlite_args};

/// Where the rows are.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server, or an engine that speaks it.
    Postgres(Box<PgConnectOptions>),
}

impl Location {
    /// Reads `sqlite://PATH` or `postgres://...`.
    ///
    /// # Errors
    /// `invalid_field`; the URL is not repeated, it may hold a password.
    pub fn parse(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            if path.is_empty() || path.contains('?') {
                return Err(Error::invalid(
                    "database",
                    "must be sqlite://PATH, e.g. sqlite:///var/lib/tokenhouse/tokenhouse.db",
                ));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let wrong = |_| Error::invalid("database", "is not a readable postgres:// URL");
            return Ok(Self::Postgres(Box::new(PgConnectOptions::from_str(url).map_err(wrong)?)));
        }
        Err(Error::invalid("database", "must begin with sqlite:// or postgres://"))
    }

    /// The folder beside which keys and journal stand by default; `None` for a server elsewhere.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(path) => {
                let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
                Some(parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf))
            }
            Self::Postgres(_) => None,
        }
    }

    fn sqlite_options(path: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2))
            .statement_cache_capacity(256)
            .disable_statement_logging()
    }

    /// Sessions that give up rather than freeze everybody's revocations (design 3).
    fn postgres_options(options: &PgConnectOptions) -> PgConnectOptions {
        options
            .clone()
            .application_name("tokenhouse")
            .options([
                ("idle_in_transaction_session_timeout", "1s"),
                ("lock_timeout", "2s"),
                ("statement_timeout", "5s"),
            ])
            .statement_cache_capacity(256)
            .disable_statement_logging()
    }

    /// A connection of one's own, made new; `create` makes a missing SQLite file.
    pub(crate) async fn connect(&self, create: bool) -> Result<Single> {
        match self {
            Self::Sqlite(path) => {
                let options = Self::sqlite_options(path).journal_mode(SqliteJournalMode::Wal);
                options.create_if_missing(create).connect().await.map(Single::Sqlite).map_err(fault::of)
            }
            Self::Postgres(options) => in_time(CONNECT_TIME, Self::postgres(options)).await,
        }
    }

    async fn postgres(options: &PgConnectOptions) -> Result<Single> {
        let connected = Self::postgres_options(options).connect().await.map_err(fault::of)?;
        let mut single = Single::Postgres(connected);
        single.conn().raw(DURABLE).await?;
        Ok(single)
    }

    /// A connection to look at what is there, which need not be ours: the mode of its journal would stay in the file.
    pub(crate) async fn peek(&self) -> Result<Single> {
        match self {
            Self::Sqlite(path) => Self::sqlite_options(path).connect().await.map(Single::Sqlite).map_err(fault::of),
            Self::Postgres(_) => self.connect(false).await,
        }
    }

    /// A pool for reading.
    pub(crate) async fn pool(&self, size: u32) -> Result<Pool> {
        match self {
            Self::Sqlite(path) => {
                let options = Self::sqlite_options(path).journal_mode(SqliteJournalMode::Wal);
                let pool = SqlitePoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(3));
                pool.connect_with(options).await.map(Pool::Sqlite).map_err(fault::of)
            }
            Self::Postgres(options) => {
                let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(3));
                // A connection that rested may have been forgotten on the way, and nobody says so: asking it must not
                // use up the time that there is to find a better one.
                let pool = pool.test_before_acquire(false).before_acquire(|conn, _| {
                    Box::pin(async move {
                        let asked = tokio::time::timeout(PING_TIME, sqlx::Connection::ping(conn));
                        Ok(asked.await.is_ok_and(|answered| answered.is_ok()))
                    })
                });
                pool.connect_with(Self::postgres_options(options)).await.map(Pool::Postgres).map_err(fault::of)
            }
        }
    }
}

/// How long a connection that rested may take to show that it still works.
const PING_TIME: Duration = Duration::from_millis(500);
/// How long a new connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A commit that was answered must stand on the synchronous standby too, if there is one: a primary that was deposed
/// can then confirm neither a change nor a heartbeat. What the server's settings ask beyond that is left.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')";

/// Waits so long for the database and no longer: an answer that was lost on the way never comes.
///
/// # Errors
/// What the database says, or `unavailable`.
pub(crate) async fn in_time<T>(time: Duration, asked: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(time, asked).await {
        Ok(answered) => answered,
        Err(_) => Err(Error::unavailable("the database does not answer; nothing was changed")),
    }
}

/// How long saying goodbye may take.
const LEAVE_TIME: Duration = Duration::from_secs(2);

/// Closes connections, as far as the other side answers: to one that the network has lost nobody ever says that it is
/// closed, and a program that was told to stop must not wait for that.
pub(crate) async fn leave(closing: impl Future<Output = ()>) {
    if tokio::time::timeout(LEAVE_TIME, closing).await.is_err() {
        tracing::warn!("the database does not answer; its connections are dropped");
    }
}

/// Begins a transaction that writes.
pub(crate) async fn begin(conn: &mut Conn<'_>) -> Result<()> {
    conn.raw(if conn.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }).await
}

/// A pool of reading connections.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    pub(crate) async fn get(&self) -> Result<Reader> {
        match self {
            Self::Sqlite(pool) => pool.acquire().await.map(|c| Reader(Pooled::Sqlite(c))),
            Self::Postgres(pool) => pool.acquire().await.map(|c| Reader(Pooled::Postgres(c))),
        }
        .map_err(fault::of)
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

#[derive(Debug)]
enum Pooled {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A connection for reading, given back to its pool when dropped.
#[derive(Debug)]
pub struct Reader(Pooled);

impl Reader {
    /// Its verbs.
    pub fn conn(&mut self) -> Conn<'_> {
        match &mut self.0 {
            Pooled::Sqlite(conn) => Conn::new(Inner::Sqlite(conn)),
            Pooled::Postgres(conn) => Conn::new(Inner::Postgres(conn)),
        }
    }
}

/// How many steps of a SQLite statement go by between two looks at the time.
const PROGRESS: i32 = 10_000;

// PostgreSQL's alone, so it stands in no list of statements.
static WITHIN: Statement = Statement::new(
    "WITHIN",
    "SELECT set_config('statement_timeout', $1, true) || set_config('enable_seqscan', 'off', true)
        || set_config('enable_hashjoin', 'off', true) || set_config('enable_mergejoin', 'off', true)
        || set_config('jit', 'off', true)",
);

#[derive(Debug)]
struct Set {
    all: String,
}

crate::sql::row!(Set: "" { all });

/// A connection that reads everything as of one moment. Dropped before its end (a caller who hung up), the connection
/// is closed, so that nobody inherits an open transaction.
#[derive(Debug)]
pub struct Snapshot {
    reader: Reader,
    open: bool,
}

impl Snapshot {
    pub(crate) async fn begin(reader: Reader) -> Result<Self> {
        let mut snapshot = Self { reader, open: true };
        snapshot.conn().begin_snapshot().await?;
        Ok(snapshot)
    }

    /// Its verbs.
    pub fn conn(&mut self) -> Conn<'_> {
        self.reader.conn()
    }

    /// From now on no statement runs longer than this. On PostgreSQL that holds to the snapshot's end, and statements go
    /// the way that they are written: their plans are made for their arguments, and what would read a whole table is
    /// avoided where anything else will do.
    pub(crate) async fn within(&mut self, time: Duration) -> Result<()> {
        if let Pooled::Sqlite(conn) = &mut self.reader.0 {
            let until = Instant::now() + time;
            let mut handle = conn.lock_handle().await.map_err(fault::of)?;
            handle.set_progress_handler(PROGRESS, move || Instant::now() < until);
            return Ok(());
        }
        let millis = time.as_millis().max(1).to_string();
        self.conn().one::<Set>(&WITHIN, args![millis]).await.map(|_| ())
    }

    /// Ends what [`Snapshot::within`] began, where it would outlive the snapshot.
    pub(crate) async fn unbound(&mut self) -> Result<()> {
        if let Pooled::Sqlite(conn) = &mut self.reader.0 {
            conn.lock_handle().await.map_err(fault::of)?.remove_progress_handler();
        }
        Ok(())
    }

    /// Ends it, whatever came of reading, and passes that on.
    ///
    /// # Errors
    /// What came of reading.
    pub async fn end<T>(mut self, outcome: Result<T>) -> Result<T> {
        self.open = self.conn().end_snapshot().await.is_err();
        outcome
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.open {
            match &mut self.reader.0 {
                Pooled::Sqlite(conn) => conn.close_on_drop(),
                Pooled::Postgres(conn) => conn.close_on_drop(),
            }
        }
    }
}

/// A connection of one's own.
#[derive(Debug)]
pub(crate) enum Single {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Single {
    pub(crate) fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::new(Inner::Sqlite(conn)),
            Self::Postgres(conn) => Conn::new(Inner::Postgres(conn)),
        }
    }
}

#[derive(Debug)]
enum Inner<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A borrowed connection: run a statement, fetch one row, fetch all.
#[derive(Debug)]
pub struct Conn<'c> {
    inner: Inner<'c>,
    /// Rows changed so far; a turn of the writer that changed none is not committed.
    pub(crate) changed: u64,
    /// Whether a failure was one that running again can help.
    pub(crate) retryable: bool,
}

macro_rules! on {
    ($self:ident, $statement:ident, $args:ident, $verb:ident, $row:ident, $rows:ident => $read:expr) => {{
        $statement.ran($self.is_sqlite());
        let result = match &mut $self.inner {
            Inner::Sqlite(conn) => {
                let query = sqlx::query_with($statement.text, sqlite_args($args)?);
                query.$verb(&mut **conn).await.map(|$rows| {
                    let $row = Cells::Sqlite;
                    $read
                })
            }
            Inner::Postgres(conn) => {
                let query = sqlx::query_with($statement.text, postgres_args($args)?);
                query.$verb(&mut **conn).await.map(|$rows| {
                    let $row = Cells::Postgres;
                    $read
                })
            }
        };
        result.map_err(|error| $self.failed($statement, error))
    }};
}

impl<'c> Conn<'c> {
    fn new(inner: Inner<'c>) -> Self {
        Self { inner, changed: 0, retryable: false }
    }

    /// The same connection for someone else's use, counting on its own.
    pub(crate) fn reborrow(&mut self) -> Conn<'_> {
        Conn {
            inner: match &mut self.inner {
                Inner::Sqlite(conn) => Inner::Sqlite(conn),
                Inner::Postgres(conn) => Inner::Postgres(conn),
            },
            changed: self.changed,
            retryable: self.retryable,
        }
    }

    /// Takes over what someone else counted.
    pub(crate) fn absorb(&mut self, changed: u64, retryable: bool) {
        self.changed = changed;
        self.retryable = retryable;
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.inner, Inner::Sqlite(_))
    }

    fn failed(&mut self, statement: &Statement, error: sqlx::Error) -> Error {
        self.retryable |= fault::retryable(&error);
        tracing::debug!(statement = statement.name, %error, "statement failed");
        fault::of(error)
    }

    /// Runs a statement and tells how many rows it changed.
    pub(crate) async fn run(&mut self, statement: &'static Statement, args: &[Arg<'_>]) -> Result<u64> {
        let changed = on!(self, statement, args, execute, _row, done => done.rows_affected())?;
        self.changed += changed;
        Ok(changed)
    }

    /// The one row of a statement, if there is one.
    pub(crate) async fn one<T: Row>(&mut self, statement: &'static Statement, args: &[Arg<'_>]) -> Result<Option<T>> {
        on!(self, statement, args, fetch_optional, cells, row => row.as_ref().map(|row| T::read(&cells(row))))?
            .transpose()
    }

    /// All rows of a statement. Every statement that can answer many has a `LIMIT`.
    pub(crate) async fn all<T: Row>(&mut self, statement: &'static Statement, args: &[Arg<'_>]) -> Result<Vec<T>> {
        on!(self, statement, args, fetch_all, cells, rows => rows.iter().map(|row| T::read(&cells(row))).collect::<Result<Vec<T>>>())?
    }

    /// All rows of a statement that was put together. It is prepared for this once, so that the many that there can be
    /// push nothing out of the connection's memory, and PostgreSQL plans it for its arguments.
    pub(crate) async fn composed<T: Row>(&mut self, sql: &Composed) -> Result<Vec<T>> {
        // Constant fragments and numbered parameters, nothing else: see `Composed`.
        let text = AssertSqlSafe(sql.text().to_owned());
        let read = match &mut self.inner {
            Inner::Sqlite(conn) => {
                let query = sqlx::query_with(text, sqlite_args(sql.args())?).persistent(false);
                let rows = query.fetch_all(&mut **conn).await;
                rows.map(|rows| rows.iter().map(|row| T::read(&Cells::Sqlite(row))).collect::<Result<Vec<T>>>())
            }
            Inner::Postgres(conn) => {
                let query = sqlx::query_with(text, postgres_args(sql.args())?).persistent(false);
                let rows = query.fetch_all(&mut **conn).await;
                rows.map(|rows| rows.iter().map(|row| T::read(&Cells::Postgres(row))).collect::<Result<Vec<T>>>())
            }
        };
        read.map_err(|error| {
            tracing::debug!(statement = sql.text(), %error, "statement failed");
            fault::of(error)
        })?
    }

    /// Inserts a row; the statement names its columns in the order of [`Row::COLUMNS`].
    pub(crate) async fn insert<T: Row>(&mut self, statement: &'static Statement, row: &T) -> Result<()> {
        self.run(statement, &row.args()).await.map(|_| ())
    }

    /// Transaction control and migrations: text without arguments or answer, which may be several statements.
    pub(crate) async fn raw(&mut self, text: &'static str) -> Result<()> {
        let result = match &mut self.inner {
            Inner::Sqlite(conn) => conn.execute(sqlx::raw_sql(text)).await.map(|_| ()),
            Inner::Postgres(conn) => conn.execute(sqlx::raw_sql(text)).await.map(|_| ()),
        };
        result.map_err(|error| {
            self.retryable |= fault::retryable(&error);
            fault::of(error)
        })
    }

    /// Begins a transaction that reads everything as of one moment.
    pub(crate) async fn begin_snapshot(&mut self) -> Result<()> {
        let text = if self.is_sqlite() { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        self.raw(text).await
    }

    /// Ends what [`Conn::begin_snapshot`] began.
    pub(crate) async fn end_snapshot(&mut self) -> Result<()> {
        self.raw("ROLLBACK").await
    }
}

/// The answer of a counting query.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) value: i64,
}

crate::sql::row!(Number: "" { value });
