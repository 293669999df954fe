use std::path::PathBuf;

use tokenhouse_model::ErrorKind;

use super::*;
use crate::Location;
use crate::conn::Single;

const MORE: &str = "CREATE TABLE more (id BIGINT NOT NULL PRIMARY KEY)";
const BROKEN: &str = "CREATE TABLE half (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO nowhere (id) VALUES (1)";

async fn database() -> Single {
    Location::Sqlite(PathBuf::from(":memory:")).connect(true).await.unwrap()
}

#[tokio::test]
async fn an_older_schema_gets_what_it_lacks_and_keeps_its_rows() {
    let mut database = database().await;
    let mut conn = database.conn();
    migrate(&mut conn, 1).await.unwrap();
    set(&mut conn, "kept", "yes").await.unwrap();

    let newer = [MIGRATIONS, &[both(MORE)]].concat();
    bring(&mut conn, &newer, 2).await.unwrap();
    assert_eq!(stands(&mut conn, VERSION + 1).await.unwrap(), State::Ours(VERSION + 1));
    assert_eq!(setting(&mut conn, "kept").await.unwrap().as_deref(), Some("yes"));
    conn.raw("INSERT INTO more (id) VALUES (1)").await.unwrap();

    // Again is nothing, and the older program keeps its hands off.
    bring(&mut conn, &newer, 3).await.unwrap();
    assert_eq!(migrate(&mut conn, 4).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_schema_as_it_was() {
    let mut database = database().await;
    let mut conn = database.conn();
    migrate(&mut conn, 1).await.unwrap();
    set(&mut conn, "kept", "yes").await.unwrap();
    let newer = [MIGRATIONS, &[both(MORE), both(BROKEN)]].concat();
    for _ in 0..2 {
        bring(&mut conn, &newer, 2).await.unwrap_err();
        assert_eq!(state(&mut conn).await.unwrap(), State::Ours(VERSION));
        assert!(conn.raw("SELECT * FROM more").await.is_err());
        assert!(conn.raw("SELECT * FROM half").await.is_err());
        assert_eq!(setting(&mut conn, "kept").await.unwrap().as_deref(), Some("yes"));
    }
    bring(&mut conn, &[MIGRATIONS, &[both(MORE)]].concat(), 3).await.unwrap();
}

#[tokio::test]
async fn a_database_that_gets_all_migrations_at_once_has_them_all() {
    let mut database = database().await;
    let mut conn = database.conn();
    bring(&mut conn, &[MIGRATIONS, &[both(MORE)]].concat(), 1).await.unwrap();
    assert_eq!(stands(&mut conn, VERSION + 1).await.unwrap(), State::Ours(VERSION + 1));
    conn.raw("SELECT * FROM more").await.unwrap();
}
