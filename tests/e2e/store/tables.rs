//! Every struct is what its table is, on both databases.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tokenhouse_e2e::{Backend, Database};
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_store::{MasterKey, Store};

/// The two tables that have no struct of the same columns.
const OTHERS: [&str; 2] = ["ledger_head", "tokenhouse_migration"];

/// Columns that only the database keeps: copies in the form in which they are searched. They come last.
const KEPT: [(&str, &[&str]); 4] = [
    ("token", &["owner_fold", "owner_type"]),
    ("account", &["description_fold"]),
    ("account_group", &["description_fold"]),
    ("role", &["description_fold"]),
];

/// Tables, their columns in order, and whether each may be NULL.
type Tables = BTreeMap<String, Vec<(String, bool)>>;

/// The tables of trigrams on SQLite and what is behind them are left out.
async fn tables(database: &Database) -> Tables {
    let sql = match database.backend {
        Backend::Sqlite => {
            "SELECT m.name AS t, c.name AS c, c.\"notnull\" = 0 AS n FROM sqlite_master m, pragma_table_info(m.name) c
                WHERE m.type = 'table' AND m.name NOT LIKE 'token_text%' AND m.name NOT LIKE 'account_text%'
                ORDER BY m.name, c.cid"
        }
        Backend::Postgres => {
            "SELECT table_name::text AS t, column_name::text AS c, is_nullable = 'YES' AS n
                FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        }
    };
    let sql = AssertSqlSafe(sql);
    let rows: Vec<(String, String, bool)> = match database.backend {
        Backend::Sqlite => {
            let mut conn = SqliteConnection::connect(&database.url).await.unwrap();
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
            rows.iter().map(|row| (row.get("t"), row.get("c"), row.get("n"))).collect()
        }
        Backend::Postgres => {
            let mut conn = PgConnection::connect(&database.url).await.unwrap();
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
            rows.iter().map(|row| (row.get("t"), row.get("c"), row.get("n"))).collect()
        }
    };
    let mut tables = Tables::new();
    for (table, column, nullable) in rows {
        tables.entry(table).or_default().push((column, nullable));
    }
    tables
}

async fn structs_fit(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let Some(database) = Database::create(backend, folder.path()).await else { return };
    let key = MasterKey::create(&folder.path().join("master.key"), &Random::system()).unwrap();
    Store::create(&database.location, &key, &Clock::system(), &Random::system()).await.unwrap();
    let tables = tables(&database).await;
    for (table, columns) in &tables {
        let nullable: Vec<_> = columns.iter().filter(|(_, nullable)| *nullable).collect();
        assert!(nullable.is_empty(), "{table}: {nullable:?} may be NULL");
    }
    let structs: BTreeMap<&str, &[&str]> = tokenhouse_store::tables().into_iter().collect();
    for (table, wanted) in &structs {
        let columns: Vec<&str> = tables[*table].iter().map(|(column, _)| column.as_str()).collect();
        let kept = KEPT.iter().find(|(name, _)| name == table).map_or(&[][..], |(_, columns)| columns);
        assert_eq!(columns, [*wanted, kept].concat(), "{table}");
    }
    let known: BTreeSet<&str> = structs.into_keys().chain(OTHERS).collect();
    let there: BTreeSet<&str> = tables.keys().map(String::as_str).collect();
    assert_eq!(there, known, "a table without its struct in tokenhouse_store::tables()");
    database.remove().await;
}

#[tokio::test]
async fn every_struct_is_what_its_table_is_on_sqlite() {
    structs_fit(Backend::Sqlite).await;
}

#[tokio::test]
async fn every_struct_is_what_its_table_is_on_postgres() {
    structs_fit(Backend::Postgres).await;
}
