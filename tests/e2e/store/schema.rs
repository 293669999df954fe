//! The schema is made once, brought up to date, and another's is left alone.

use tokenhouse_e2e::{Backend, Database};
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::{ErrorKind, Result};
use tokenhouse_store::{Checkpoints, Found, MasterKey, SCHEMA_VERSION, Settings, Store};

/// An empty database and a key.
struct Place {
    database: Database,
    folder: tempfile::TempDir,
    key: MasterKey,
}

impl Place {
    async fn new(backend: Backend) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(backend, folder.path()).await?;
        let key = MasterKey::create(&folder.path().join("master.key"), &Random::system()).unwrap();
        Some(Self { database, folder, key })
    }

    async fn create(&self) -> Result<()> {
        Store::create(&self.database.location, &self.key, &Clock::system(), &Random::system()).await
    }

    async fn open(&self) -> Result<Store> {
        let settings = Settings {
            location: self.database.location.clone(),
            journal: self.folder.path().join("journal"),
            checkpoints: Checkpoints::default(),
            readers: 1,
            misses: 1,
        };
        Store::open(&settings, self.key.clone(), Clock::system(), Random::system()).await
    }

    async fn look(&self) -> Result<Found> {
        Store::look(&self.database.location).await
    }

    /// All that there is; on SQLite read as rows too, since looking may fold the write-ahead log into the file.
    async fn contents(&self) -> Vec<u8> {
        if self.database.backend == Backend::Sqlite {
            self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        }
        self.database.bytes().await
    }

    async fn refused(&self, words: &str) {
        let before = self.contents().await;
        let errors = [
            self.look().await.map(|_| ()).unwrap_err(),
            self.create().await.unwrap_err(),
            self.open().await.map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
            assert!(error.message().contains(words), "{error}");
            assert!(error.message().contains("nothing was changed"), "{error}");
        }
        assert!(self.contents().await == before, "something was changed");
        assert!(!self.folder.path().join("journal").exists());
    }

    async fn remove(&self) {
        self.database.remove().await;
    }
}

macro_rules! on_both {
    ($(async fn $name:ident($place:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn on(backend: Backend) {
                let Some($place) = Place::new(backend).await else { return };
                $body
                $place.remove().await;
            }

            #[tokio::test]
            async fn sqlite() {
                on(Backend::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                on(Backend::Postgres).await;
            }
        }
    )+};
}

on_both! {
    async fn an_empty_database_gets_the_schema_once(place) {
        assert_eq!(place.look().await.unwrap(), Found::Nothing);
        assert_eq!(place.open().await.map(|_| ()).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(place.look().await.unwrap(), Found::Nothing);
        place.create().await.unwrap();
        assert_eq!(place.look().await.unwrap(), Found::Installation { key: place.key.id().to_owned() });
        drop(place.open().await.unwrap());
        let before = place.contents().await;
        let again = place.create().await.unwrap_err();
        assert_eq!((again.kind(), again.message().contains("nothing was changed")), (ErrorKind::Conflict, true));
        for _ in 0..2 {
            place.open().await.unwrap().close().await;
        }
        assert!(place.contents().await == before, "a start changed something");
    }

    async fn a_newer_schema_is_refused_and_left_alone(place) {
        place.create().await.unwrap();
        let newer = format!("INSERT INTO tokenhouse_migration (version, applied_at) VALUES ({}, 0)", SCHEMA_VERSION + 1);
        place.database.execute(&newer).await;
        place.refused("made by a newer Tokenhouse").await;
    }

    async fn a_database_of_something_else_is_refused_and_left_alone(place) {
        if place.database.backend == Backend::Sqlite {
            std::fs::write(place.database.file(), "").unwrap();
        }
        place.database.execute("CREATE TABLE account (id BIGINT NOT NULL PRIMARY KEY, owner TEXT)").await;
        place.database.execute("INSERT INTO account (id, owner) VALUES (7, 'somebody')").await;
        place.refused("holds tables of something else").await;
    }

    async fn of_many_that_create_at_once_one_succeeds(place) {
        let mut keys = Vec::new();
        for number in 0..6 {
            let path = place.folder.path().join(format!("key-{number}"));
            keys.push(MasterKey::create(&path, &Random::system()).unwrap());
        }
        let (clock, random) = (Clock::system(), Random::system());
        let creating = keys.iter().map(|key| Store::create(&place.database.location, key, &clock, &random));
        let outcomes = futures::future::join_all(creating).await;
        let made: Vec<&str> = outcomes.iter().zip(&keys).filter(|(made, _)| made.is_ok()).map(|(_, key)| key.id()).collect();
        assert_eq!(made.len(), 1, "{outcomes:?}");
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
            assert!(error.message().contains("holds an installation already"), "{error}");
        }
        assert_eq!(place.look().await.unwrap(), Found::Installation { key: made[0].to_owned() });
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let place = Place::new(Backend::Sqlite).await.unwrap();
    let text = "this is a letter, not a database\n".repeat(100);
    std::fs::write(place.database.file(), &text).unwrap();
    for outcome in [place.look().await.map(|_| ()), place.create().await, place.open().await.map(|_| ())] {
        outcome.unwrap_err();
    }
    assert_eq!(std::fs::read_to_string(place.database.file()).unwrap(), text);
}
