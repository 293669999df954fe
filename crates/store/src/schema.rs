//! The schema and its migrations, and the installation's own settings.

use tokenhouse_model::role::BUILTIN;
use tokenhouse_model::{Error, Millis, Result};

use crate::conn::{Conn, Number};
use crate::sql::{Bind as _, args, row, statements};
use crate::{fault, roles};

#[cfg(test)]
mod tests;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
struct Migration {
    /// For both databases.
    text: &'static str,
    /// For SQLite alone, after it.
    sqlite: &'static str,
    /// For PostgreSQL alone, after it.
    postgres: &'static str,
}

/// A step that is the same on both databases.
const fn both(text: &'static str) -> Migration {
    Migration { text, sqlite: "", postgres: "" }
}

/// The migrations, oldest first; the version of a schema is how many of them were run.
const MIGRATIONS: &[Migration] = &[
    both(include_str!("../migrations/0001_house.sql")),
    both(include_str!("../migrations/0002_nodes.sql")),
    both(include_str!("../migrations/0003_sealed.sql")),
    both(include_str!("../migrations/0004_groups.sql")),
    Migration {
        text: include_str!("../migrations/0005_search.sql"),
        sqlite: include_str!("../migrations/0005_search.sqlite.sql"),
        postgres: include_str!("../migrations/0005_search.postgres.sql"),
    },
    both(include_str!("../migrations/0006_import.sql")),
    both(include_str!("../migrations/0007_jobs.sql")),
    both(include_str!("../migrations/0008_signing.sql")),
    both(include_str!("../migrations/0009_api_tokens.sql")),
    both(include_str!("../migrations/0010_apps.sql")),
    both(include_str!("../migrations/0011_integrations.sql")),
];

/// The newest schema that this program knows.
pub const VERSION: i64 = newest(MIGRATIONS);

/// The table that says that a database is ours and how far it was migrated.
const MIGRATION_TABLE: &str =
    "CREATE TABLE tokenhouse_migration (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";

/// SQLite has this collation built in.
const COLLATION: &str = "CREATE COLLATION IF NOT EXISTS \"binary\" FROM \"C\"";

/// Parts of texts are found by it. It is of PostgreSQL's own additional modules, and every owner of a database may make
/// it in his.
const TRIGRAMS: &str = "CREATE EXTENSION IF NOT EXISTS pg_trgm";

/// One node migrates at a time; the number is arbitrary and ours.
const LOCK: &str = "SELECT pg_advisory_xact_lock(8317986114)";

statements! {
    APPLIED = "SELECT COALESCE(MAX(version), 0) FROM tokenhouse_migration";
    APPLY = "INSERT INTO tokenhouse_migration (version, applied_at) VALUES ($1, $2)";
    SETTING = "SELECT name, value FROM settings WHERE name = $1";
    SET_SETTING = "INSERT INTO settings (name, value) VALUES ($1, $2)";
    CHANGE_SETTING = "INSERT INTO settings (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
}

/// Questions about the database itself, so each database has its own.
mod catalogue {
    use crate::sql::Statement;

    static POSTGRES_TIME: Statement =
        Statement::new("POSTGRES_TIME", "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");

    /// The time of a database that has a clock of its own, in epoch milliseconds.
    pub(crate) async fn time(conn: &mut super::Conn<'_>) -> super::Result<Option<super::Millis>> {
        if conn.is_sqlite() {
            return Ok(None);
        }
        let read = conn.one::<super::Number>(&POSTGRES_TIME, super::args![]).await?;
        Ok(read.map(|number| number.value))
    }

    static SQLITE: Statement = Statement::new(
        "SQLITE_TABLES",
        "SELECT (SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'tokenhouse_migration'),
            (SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%')",
    );
    static POSTGRES: Statement = Statement::new("POSTGRES_TABLES", "SELECT (SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'tokenhouse_migration'),
            (SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema())");

    #[derive(Debug)]
    pub(super) struct Tables {
        pub(super) ours: i64,
        pub(super) all: i64,
    }
    super::row!(Tables: "" { ours, all });

    pub(super) async fn look(conn: &mut super::Conn<'_>) -> super::Result<Tables> {
        let statement = if conn.is_sqlite() { &SQLITE } else { &POSTGRES };
        let tables = conn.one(statement, super::args![]).await?;
        tables.ok_or_else(|| super::Error::internal("the database has no catalogue"))
    }
}

pub(crate) use catalogue::time;

/// What a database is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    /// Ours, at this version.
    Ours(i64),
}

/// Looks at the database.
///
/// # Errors
/// `conflict` for a database that holds something else or was made by a newer program.
pub(crate) async fn state(conn: &mut Conn<'_>) -> Result<State> {
    stands(conn, VERSION).await
}

const fn newest(migrations: &[Migration]) -> i64 {
    migrations.len() as i64
}

async fn stands(conn: &mut Conn<'_>, newest: i64) -> Result<State> {
    let tables = catalogue::look(conn).await?;
    if tables.ours == 0 {
        if tables.all == 0 {
            return Ok(State::Empty);
        }
        let message =
            "the database holds tables of something else; Tokenhouse needs one of its own, nothing was changed";
        return Err(fault::refused(message));
    }
    let version = conn.one::<Number>(&APPLIED, args![]).await?.map_or(0, |number| number.value);
    if version > newest {
        return Err(fault::refused(format!(
            "the database has schema {version}, made by a newer Tokenhouse; this one knows up to {newest}. \
             Run the newer program; nothing was changed"
        )));
    }
    Ok(State::Ours(version))
}

/// Brings the schema up to date, in one transaction.
///
/// # Errors
/// As [`state`], and `unavailable`.
pub(crate) async fn migrate(conn: &mut Conn<'_>, now: Millis) -> Result<()> {
    bring(conn, MIGRATIONS, now).await
}

async fn bring(conn: &mut Conn<'_>, migrations: &[Migration], now: Millis) -> Result<()> {
    let newest = newest(migrations);
    if stands(conn, newest).await? == State::Ours(newest) {
        return Ok(());
    }
    let sqlite = conn.is_sqlite();
    conn.raw(if sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    let migrated = steps(conn, sqlite, migrations, now).await;
    match migrated {
        Ok(()) => conn.raw("COMMIT").await,
        Err(error) => {
            conn.raw("ROLLBACK").await?;
            Err(error)
        }
    }
}

async fn steps(conn: &mut Conn<'_>, sqlite: bool, migrations: &[Migration], now: Millis) -> Result<()> {
    if !sqlite {
        conn.raw(LOCK).await?;
    }
    // Looked at again under the lock: another node may have been first.
    let from = match stands(conn, newest(migrations)).await? {
        State::Ours(version) => version,
        State::Empty => {
            if !sqlite {
                conn.raw(COLLATION).await?;
            }
            conn.raw(MIGRATION_TABLE).await?;
            0
        }
    };
    if !sqlite {
        conn.raw(TRIGRAMS).await.map_err(|error| {
            if fault::of_database(&error) {
                return error;
            }
            let why = "the database lacks the extension pg_trgm: install PostgreSQL's additional modules (the package \
                postgresql-contrib), or let this user make the extension; nothing was changed";
            fault::refused(why).because(error)
        })?;
    }
    for (version, migration) in (1..).zip(migrations).skip(usize::try_from(from).unwrap_or(0)) {
        conn.raw(migration.text).await?;
        let own = if sqlite { migration.sqlite } else { migration.postgres };
        if !own.is_empty() {
            conn.raw(own).await?;
        }
        conn.run(&APPLY, args![version, now]).await?;
    }
    for role in BUILTIN {
        roles::insert(conn, &role.role()).await?;
    }
    Ok(())
}

/// A setting of the installation.
#[derive(Debug)]
pub(crate) struct Setting {
    name: String,
    value: String,
}

row!(Setting: "settings" { name, value });

/// The value of this setting.
pub(crate) async fn setting(conn: &mut Conn<'_>, name: &str) -> Result<Option<String>> {
    let setting: Option<Setting> = conn.one(&SETTING, args![name]).await?;
    Ok(setting.map(|setting| setting.value))
}

/// Sets this setting, which was not set before.
pub(crate) async fn set(conn: &mut Conn<'_>, name: &str, value: &str) -> Result<()> {
    conn.insert(&SET_SETTING, &Setting { name: name.to_owned(), value: value.to_owned() }).await
}

/// Sets this setting, whatever it was.
pub(crate) async fn change(conn: &mut Conn<'_>, name: &str, value: &str) -> Result<()> {
    conn.insert(&CHANGE_SETTING, &Setting { name: name.to_owned(), value: value.to_owned() }).await
}
