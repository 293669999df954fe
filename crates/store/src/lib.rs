//! The rows: one SQL text per statement for SQLite and PostgreSQL, the ledger and its writer, keys and journal.
//!
//! Nothing here decides who may do what; that is `model` and `authority`. Nothing here knows HTTP.

pub mod accounts;
pub mod api_tokens;
pub mod apps;
pub mod conn;
mod fault;
pub mod groups;
pub mod holders;
pub mod inspect;
pub mod integrations;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod ledger;
mod line;
mod lists;
pub mod moved;
pub mod nodes;
pub mod once;
pub mod orgs;
mod outside;
mod replay;
pub mod roles;
pub mod saved;
mod schema;
pub mod search;
pub mod signing;
pub mod sql;
pub mod tokens;
mod tx;
pub mod usage;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::{Done, Error, ErrorKind, Refusal, Result};

pub use conn::{Conn, Location, Reader, Snapshot};
pub use keys::{DataKey, MasterKey, Place};
pub use line::{Feed, Follower, Heard, Heart, Standing};
pub use outside::Checkpoints;
pub use schema::VERSION as SCHEMA_VERSION;
pub use tx::Tx;

use conn::Pool;
use journal::Journal;
use outside::Outside;
use writer::Writer;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the rows are.
    pub location: Location,
    /// The folder below which the journal stands.
    pub journal: PathBuf,
    /// When checkpoints are written to it.
    pub checkpoints: Checkpoints,
    /// The most connections for reading.
    pub readers: u32,
    /// The most connections on which verify looks up what it does not remember.
    pub misses: u32,
}

/// What a database is before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or a schema without an installation.
    Nothing,
    /// An installation, sealed under the master key of this id.
    Installation {
        /// The master key's id.
        key: String,
    },
}

/// The rows of one installation, open.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    misses: Pool,
    writer: Writer,
    location: Location,
    lock: line::Turn,
    follower: Arc<OnceLock<Arc<dyn Follower>>>,
    journal: Journal,
    key: MasterKey,
    outside: Arc<Outside>,
    random: Random,
    database: String,
    readers: u32,
}

/// How long the comparison of a running node's journal with the database may take before it is begun anew.
const COMPARE_TIME: std::time::Duration = std::time::Duration::from_secs(5);
const DATABASE_ID: &str = "database_id";
const MASTER_KEY_ID: &str = "master_key_id";

impl Store {
    /// Looks what stands at a location, changing nothing.
    ///
    /// # Errors
    /// `unavailable`; `conflict` for a database that is not ours or newer than this program.
    pub async fn look(location: &Location) -> Result<Found> {
        if let Location::Sqlite(path) = location
            && !path.exists()
        {
            return Ok(Found::Nothing);
        }
        let mut single = location.peek().await?;
        let mut conn = single.conn();
        if schema::state(&mut conn).await? == schema::State::Empty {
            return Ok(Found::Nothing);
        }
        Ok(schema::setting(&mut conn, MASTER_KEY_ID).await?.map_or(Found::Nothing, |key| Found::Installation { key }))
    }

    /// Makes the schema and the installation's settings in an empty database.
    ///
    /// # Errors
    /// `conflict` where there is an installation already; nothing is changed then.
    pub async fn create(location: &Location, key: &MasterKey, clock: &Clock, random: &Random) -> Result<()> {
        let taken = || fault::refused("this database holds an installation already; nothing was changed");
        if Self::look(location).await? != Found::Nothing {
            return Err(taken());
        }
        if let Location::Sqlite(path) = location {
            let made = private_file(path);
            made.map_err(|error| fault::refused(format!("the database {} can't be made: {error}", path.display())))?;
        }
        let mut single = location.connect(true).await?;
        let mut conn = single.conn();
        schema::migrate(&mut conn, clock.now()).await?;
        conn.raw(if conn.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
        let id = tokenhouse_model::id::new(clock.now(), random).to_string();
        let first = schema::set(&mut conn, DATABASE_ID, &id).await;
        // Somebody else may have looked at the same moment.
        first.map_err(|error| if matches!(error.refusal(), Refusal::Duplicate(_)) { taken() } else { error })?;
        schema::set(&mut conn, MASTER_KEY_ID, key.id()).await?;
        conn.raw("COMMIT").await
    }

    /// Opens an installation: migrates it, checks its master key, compares it with its journal, starts its writer.
    ///
    /// # Errors
    /// `conflict` for no installation, a foreign or newer schema, or another master key; nothing is changed then.
    pub async fn open(settings: &Settings, key: MasterKey, clock: Clock, random: Random) -> Result<Self> {
        match Self::look(&settings.location).await? {
            Found::Nothing => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    Refusal::Plain,
                    "the database holds no installation; run: tokenhouse init",
                ));
            }
            Found::Installation { key: id } => key.must_be(&id)?,
        }
        let mut single = settings.location.connect(false).await?;
        let mut conn = single.conn();
        schema::migrate(&mut conn, clock.now()).await?;
        let database = schema::setting(&mut conn, DATABASE_ID).await?.unwrap_or_default();
        let head = ledger::head(&mut conn).await?;
        clock.not_before(head.at);

        let journal = Journal::at(&settings.journal, &database, key.clone());
        let mut writer = journal.writer()?;
        let contents = journal.read()?;
        if contents.unreadable > 0 {
            tracing::warn!(
                lines = contents.unreadable,
                "the journal holds lines that can't be read; they were passed over"
            );
        }
        let compared = replay::compare(&mut conn, contents.entries).await?;
        catch_up(&mut conn, &mut writer, compared.agreed.1).await?;
        let outside = Arc::new(Outside::new(writer, settings.checkpoints, &head));
        let (location, lock, follower) = (settings.location.clone(), line::Turn::default(), Arc::default());
        let (locked, follows) = (lock.clone(), Arc::clone(&follower));
        let writer = Writer::start(location.clone(), single, clock, random.clone(), outside.clone(), locked, follows)?;
        let pool = location.pool(settings.readers).await?;
        let misses = location.pool(settings.misses).await?;
        let store = Self {
            pool,
            misses,
            writer,
            location,
            lock,
            follower,
            journal,
            key,
            outside,
            random,
            database,
            readers: settings.readers,
        };
        if !compared.lost.is_empty() {
            store.forget_again(compared).await?;
        }
        Ok(store)
    }

    async fn forget_again(&self, compared: replay::Compared) -> Result<()> {
        let (kept, entries) = (compared.agreed.1, compared.lost.len());
        let replay = async move |tx: &mut Tx<'_>| replay::replay(tx, &compared).await;
        let done = self.writer.run(true, replay).await?;
        tracing::error!(
            kept_revision = kept,
            entries,
            rows = done.value,
            epoch = done.receipt.epoch,
            "the database is older than its journal: it was restored; what was taken away since is taken away again"
        );
        // The journal vouches for the replay itself, also where it took nothing away.
        if let Err(error) = self.checkpoint().await {
            tracing::warn!(%error, "the checkpoint after a replay could not be written");
        }
        Ok(())
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn read(&self) -> Result<Reader> {
        self.pool.get().await
    }

    /// A connection that reads everything as of one moment, for what verify does not remember.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::begin(self.misses.get().await?).await
    }

    /// A connection that reads everything as of one moment, and no longer than this: for searches.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn timed(&self, time: std::time::Duration) -> Result<search::Timed> {
        search::Timed::begin(Snapshot::begin(self.pool.get().await?).await?, time).await
    }

    /// The most connections for reading.
    pub fn readers(&self) -> u32 {
        self.readers
    }

    /// Runs an operation in the writer's transaction and answers when it is committed. The operation may run more than
    /// once, so it makes no secret and tells nobody anything.
    ///
    /// # Errors
    /// The operation's own refusal; `unavailable` (nothing was changed); `outcome_unknown`.
    pub async fn write<F, T>(&self, operation: F) -> Result<Done<T>>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.writer.run(false, operation).await
    }

    /// Tells somebody of every commit of this process from now on, before whoever asked for it is answered. There can
    /// be one.
    pub fn followed_by(&self, follower: Arc<dyn Follower>) {
        if self.follower.set(follower).is_err() {
            tracing::error!("the store is followed already");
        }
    }

    /// A connection for the heartbeat alone.
    pub fn heart(&self) -> Heart {
        Heart::new(self.location.clone(), self.lock.clone())
    }

    /// A connection for the feed alone.
    pub fn feed(&self) -> Feed {
        Feed::new(self.location.clone())
    }

    /// Compares the database with this node's journal while it runs: history was lost. What the journal knows to be
    /// taken away is taken away again, in a new epoch.
    ///
    /// # Errors
    /// `unavailable`; to be tried again.
    pub async fn repair(&self) -> Result<()> {
        self.outside.flush();
        let contents = self.journal.read()?;
        let comparing = async {
            let mut single = self.location.connect(false).await?;
            replay::compare(&mut single.conn(), contents.entries).await
        };
        self.forget_again(conn::in_time(COMPARE_TIME, comparing).await?).await
    }

    /// An org's data key, unwrapped.
    ///
    /// # Errors
    /// `internal` where the wrapped key does not belong to this org or master key.
    pub fn data_key(&self, org: &tokenhouse_model::Org) -> Result<DataKey> {
        self.key.open_data_key(org.id, &org.data_key)
    }

    /// A new org's data key, wrapped.
    ///
    /// # Errors
    /// `internal`.
    pub fn make_data_key(&self, org: tokenhouse_model::Uuid) -> Result<Vec<u8>> {
        self.key.make_data_key(org, &self.random)
    }

    /// Seals the private half of the signing key of this id.
    ///
    /// # Errors
    /// `internal`.
    pub fn seal_signing(&self, id: tokenhouse_model::Uuid, private: &[u8]) -> Result<Vec<u8>> {
        self.key.seal_signing(id, private, &self.random)
    }

    /// Opens it.
    ///
    /// # Errors
    /// `internal` where it was altered or belongs to another key.
    pub fn open_signing(&self, id: tokenhouse_model::Uuid, sealed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        self.key.open_signing(id, sealed)
    }

    /// The id of this installation.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Why the journal can't be written, while it can't.
    pub fn journal_failure(&self) -> Option<String> {
        self.outside.failure()
    }

    /// Writes a checkpoint to the journal if the ledger went on since the last.
    ///
    /// # Errors
    /// `unavailable`; `internal` where the journal can't be written.
    pub async fn checkpoint(&self) -> Result<()> {
        let head = ledger::head(&mut self.read().await?.conn()).await?;
        self.outside.checkpoint(&head)
    }

    /// Gives the connections back. Operations that were taken are carried out.
    pub async fn close(&self) {
        conn::leave(self.pool.close()).await;
        conn::leave(self.misses.close()).await;
        self.writer.close().await;
    }
}

/// Makes the database file, which only its owner may read: it holds password hashes. SQLite gives its side files the
/// same mode.
fn private_file(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(|_| ())
}

/// Appends to the journal what the database has taken away since: a crash between commit and sync leaves such a gap.
async fn catch_up(conn: &mut Conn<'_>, writer: &mut journal::JournalWriter, mut from: i64) -> Result<()> {
    loop {
        let events = ledger::after(conn, from, 500).await?;
        let Some(last) = events.last() else { return Ok(()) };
        from = last.revision;
        let mut entries = Vec::new();
        for event in &events {
            let removals = replay::removals(event)?;
            if !removals.is_empty() {
                entries.push(journal::Entry::of(event, removals));
            }
        }
        if !entries.is_empty() {
            writer.append(&entries)?;
        }
    }
}

/// Every statement of this crate, for the test that runs them all on both databases.
#[doc(hidden)]
pub fn statements() -> Vec<&'static sql::Statement> {
    [
        accounts::STATEMENTS,
        api_tokens::STATEMENTS,
        apps::STATEMENTS,
        groups::STATEMENTS,
        holders::STATEMENTS,
        integrations::STATEMENTS,
        jobs::STATEMENTS,
        ledger::STATEMENTS,
        moved::STATEMENTS,
        nodes::STATEMENTS,
        once::STATEMENTS,
        orgs::STATEMENTS,
        replay::STATEMENTS,
        roles::STATEMENTS,
        saved::STATEMENTS,
        schema::STATEMENTS,
        signing::STATEMENTS,
        tokens::STATEMENTS,
        usage::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
    .chain(ledger::inserts())
    .collect()
}

/// Every table that is read into a struct and its columns, for the test that compares them with the schema.
#[doc(hidden)]
pub fn tables() -> Vec<(&'static str, &'static [&'static str])> {
    fn of<T: sql::Row>() -> (&'static str, &'static [&'static str]) {
        (T::TABLE, T::COLUMNS)
    }
    vec![
        of::<tokenhouse_model::Account>(),
        of::<tokenhouse_model::Assignment>(),
        of::<tokenhouse_model::Group>(),
        of::<tokenhouse_model::Identity>(),
        of::<tokenhouse_model::Org>(),
        of::<tokenhouse_model::Role>(),
        of::<tokenhouse_model::Secret>(),
        of::<tokenhouse_model::Token>(),
        of::<tokenhouse_model::app::App>(),
        of::<tokenhouse_model::asked::Terms>(),
        of::<tokenhouse_model::event::Recorded>(),
        of::<tokenhouse_model::job::Job>(),
        of::<tokenhouse_model::role::Grant>(),
        of::<tokenhouse_model::saved::SavedSearch>(),
        of::<tokenhouse_model::signing::SigningKey>(),
        of::<groups::Member>(),
        of::<integrations::For>(),
        of::<integrations::Stored>(),
        of::<moved::Dead>(),
        of::<nodes::Node>(),
        of::<once::Kept>(),
        of::<orgs::StoredPolicy>(),
        of::<schema::Setting>(),
        of::<usage::UsageDay>(),
    ]
}
