//! How rows go in and out: one text per statement, for both databases.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{Arguments, Column, Row as _, postgres::PgRow, sqlite::SqliteRow};
use tokenhouse_model::account::{AccountKind, AccountState, IdentityKind, PasswordHash};
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::app::AppTerms;
use tokenhouse_model::asked::Asked;
use tokenhouse_model::event::EventKind;
use tokenhouse_model::integration::Integrations;
use tokenhouse_model::job::{self, JobKind, JobState};
use tokenhouse_model::org::OrgState;
use tokenhouse_model::role::{HolderKind, Namespace, RoleKind};
use tokenhouse_model::saved::Entity;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Error, GroupKind, PermissionSet, Policy, Reach, Result, Scopes, TokenKind, TokenState, Uuid};

/// One statement: a name for messages and its text. How often it ran is counted, so that a test can tell that every
/// statement was run on both databases.
#[derive(Debug)]
pub struct Statement {
    /// Its name in the source.
    pub name: &'static str,
    /// Its text, the same for both databases.
    pub text: &'static str,
    /// On SQLite and on PostgreSQL.
    runs: [AtomicU64; 2],
}

impl Statement {
    /// A statement of this name and text.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, runs: [AtomicU64::new(0), AtomicU64::new(0)] }
    }

    /// How often it ran in this process on SQLite, or else on PostgreSQL.
    pub fn runs(&self, sqlite: bool) -> u64 {
        let [on_sqlite, on_postgres] = &self.runs;
        if sqlite { on_sqlite } else { on_postgres }.load(Ordering::Relaxed)
    }

    pub(crate) fn ran(&self, sqlite: bool) {
        let [on_sqlite, on_postgres] = &self.runs;
        if sqlite { on_sqlite } else { on_postgres }.fetch_add(1, Ordering::Relaxed);
    }
}

/// Declares a module's statements and the list of them.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $text:expr;)+) => {
        $($(#[$meta])* static $name: $crate::sql::Statement = $crate::sql::Statement::new(stringify!($name), $text);)+
        /// Every statement of this module.
        pub(crate) static STATEMENTS: &[&$crate::sql::Statement] = &[$(&$name,)+];
    };
}

/// The arguments of a statement, each through [`Bind`].
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($value.bind()),*] };
}

/// Says which columns a type is read from and written to, in the order of the table.
macro_rules! row {
    ($type:ty: $table:literal { $($field:ident),+ $(,)? }) => {
        impl $crate::sql::Row for $type {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn read(cells: &$crate::sql::Cells<'_>) -> tokenhouse_model::Result<Self> {
                let mut at = 0..;
                Ok(Self { $($field: cells.get(at.next().unwrap_or(0))?),+ })
            }

            fn args(&self) -> Vec<$crate::sql::Arg<'_>> {
                vec![$($crate::sql::Cell::arg(&self.$field)),+]
            }
        }
    };
}

pub(crate) use {args, row, statements};

/// A type that is read from rows of one table, or of a query with the same columns in the same order.
pub trait Row: Sized {
    /// The table, for the test that compares it with the schema; empty for the answer of a query.
    const TABLE: &'static str;
    /// Its columns in order.
    const COLUMNS: &'static [&'static str];

    /// Reads one row.
    ///
    /// # Errors
    /// `internal` where a cell does not hold what it must.
    fn read(cells: &Cells<'_>) -> Result<Self>;

    /// The cells in the order of [`Row::COLUMNS`].
    fn args(&self) -> Vec<Arg<'_>>;
}

/// A value on its way into a statement.
#[derive(Clone, Debug)]
pub enum Arg<'a> {
    /// 16 bytes.
    Uuid(Uuid),
    /// Text.
    Text(&'a str),
    /// Text that was made for the statement (JSON).
    Made(String),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A number or a time.
    Int(i64),
    /// Yes or no.
    Bool(bool),
}

macro_rules! bind {
    ($arguments:expr, $args:expr) => {{
        let mut arguments = $arguments;
        for arg in $args {
            match arg {
                Arg::Uuid(value) => arguments.add(*value),
                Arg::Text(value) => arguments.add(*value),
                Arg::Made(value) => arguments.add(value.as_str()),
                Arg::Bytes(value) => arguments.add(*value),
                Arg::Int(value) => arguments.add(*value),
                Arg::Bool(value) => arguments.add(*value),
            }
            .map_err(Error::internal)?;
        }
        Ok(arguments)
    }};
}

pub(crate) fn sqlite_args(args: &[Arg<'_>]) -> Result<sqlx::sqlite::SqliteArguments> {
    // SQLite's arguments own what they hold.
    let mut arguments = sqlx::sqlite::SqliteArguments::default();
    for arg in args {
        match arg {
            Arg::Uuid(value) => arguments.add(*value),
            Arg::Text(value) => arguments.add((*value).to_owned()),
            Arg::Made(value) => arguments.add(value.clone()),
            Arg::Bytes(value) => arguments.add(value.to_vec()),
            Arg::Int(value) => arguments.add(*value),
            Arg::Bool(value) => arguments.add(*value),
        }
        .map_err(Error::internal)?;
    }
    Ok(arguments)
}

pub(crate) fn postgres_args(args: &[Arg<'_>]) -> Result<sqlx::postgres::PgArguments> {
    bind!(sqlx::postgres::PgArguments::default(), args)
}

/// One row as a database gave it.
#[derive(Clone, Copy)]
pub enum Cells<'r> {
    /// SQLite's.
    Sqlite(&'r SqliteRow),
    /// PostgreSQL's.
    Postgres(&'r PgRow),
}

impl Cells<'_> {
    /// The cell of this number as a `T`.
    ///
    /// # Errors
    /// `internal`, naming the column.
    pub fn get<T: Cell>(&self, at: usize) -> Result<T> {
        T::get(self, at)
    }

    fn column(&self, at: usize) -> String {
        match self {
            Self::Sqlite(row) => row.columns().get(at).map(|c| c.name().to_owned()),
            Self::Postgres(row) => row.columns().get(at).map(|c| c.name().to_owned()),
        }
        .unwrap_or_else(|| format!("#{at}"))
    }

    fn broken(&self, at: usize, why: impl std::fmt::Display) -> Error {
        Error::internal(format!("column {} can't be read: {why}", self.column(at)))
    }
}

/// A type that is one cell.
pub trait Cell: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// `internal`.
    fn get(cells: &Cells<'_>, at: usize) -> Result<Self>;

    /// Writes it.
    fn arg(&self) -> Arg<'_>;
}

macro_rules! native {
    ($type:ty, $self:ident => $arg:expr) => {
        impl Cell for $type {
            fn get(cells: &Cells<'_>, at: usize) -> Result<Self> {
                match cells {
                    Cells::Sqlite(row) => row.try_get_unchecked(at),
                    Cells::Postgres(row) => row.try_get(at),
                }
                .map_err(|error| cells.broken(at, error))
            }

            fn arg(&self) -> Arg<'_> {
                let $self = self;
                $arg
            }
        }
    };
}

native!(Uuid, value => Arg::Uuid(*value));
native!(i64, value => Arg::Int(*value));
native!(bool, value => Arg::Bool(*value));
native!(String, value => Arg::Text(value));
native!(Vec<u8>, value => Arg::Bytes(value));

/// What can stand in [`args!`]: every cell, and borrowed text.
pub trait Bind {
    /// As an argument.
    fn bind(&self) -> Arg<'_>;
}

impl<T: Cell> Bind for T {
    fn bind(&self) -> Arg<'_> {
        self.arg()
    }
}

impl Bind for str {
    fn bind(&self) -> Arg<'_> {
        Arg::Text(self)
    }
}

impl Cell for Digest {
    fn get(cells: &Cells<'_>, at: usize) -> Result<Self> {
        let bytes: Vec<u8> = cells.get(at)?;
        bytes.as_slice().try_into().map(Digest).map_err(|_| cells.broken(at, "not 32 bytes"))
    }

    fn arg(&self) -> Arg<'_> {
        Arg::Bytes(&self.0)
    }
}

impl Cell for PasswordHash {
    fn get(cells: &Cells<'_>, at: usize) -> Result<Self> {
        cells.get(at).map(PasswordHash)
    }

    fn arg(&self) -> Arg<'_> {
        Arg::Text(&self.0)
    }
}

impl Cell for Reach {
    fn get(cells: &Cells<'_>, at: usize) -> Result<Self> {
        cells.get(at).map(Reach::from_bits)
    }

    fn arg(&self) -> Arg<'_> {
        Arg::Int(self.bits())
    }
}

/// Closed sets of words.
macro_rules! words {
    ($($type:ty),+) => {$(
        impl Cell for $type {
            fn get(cells: &Cells<'_>, at: usize) -> Result<Self> {
                let text: String = cells.get(at)?;
                <$type>::parse(&text).map_err(|error| cells.broken(at, error))
            }

            fn arg(&self) -> Arg<'_> {
                Arg::Text(self.as_str())
            }
        }
    )+};
}

words!(
    OrgState,
    IdentityKind,
    AccountKind,
    AccountState,
    GroupKind,
    RoleKind,
    Namespace,
    HolderKind,
    TokenKind,
    TokenState,
    EventKind,
    JobKind,
    JobState,
    Entity,
    Algorithm
);

/// What is stored as JSON text.
macro_rules! json {
    ($($type:ty),+) => {$(
        impl Cell for $type {
            fn get(cells: &Cells<'_>, at: usize) -> Result<Self> {
                let text: String = cells.get(at)?;
                serde_json::from_str(&text).map_err(|error| cells.broken(at, error))
            }

            fn arg(&self) -> Arg<'_> {
                // These types are plain data: writing them as JSON can't fail.
                Arg::Made(serde_json::to_string(self).unwrap_or_default())
            }
        }
    )+};
}

json!(AppTerms, Asked, Integrations, PermissionSet, Scopes, AddressRules, Policy, job::Body, BTreeMap<String, String>);
