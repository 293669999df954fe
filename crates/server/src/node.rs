//! One node: its settings turned into an open store and a context, and what it tends beside the requests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenhouse_authority::failures::Limits;
use tokenhouse_authority::install::{self, Installed};
use tokenhouse_authority::orgs::NewOrg;
use tokenhouse_authority::{Ctx, groups, housekeeping, jobs, keys, pulse, tokens};
use tokenhouse_http::Wire;
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::env::{Clock, Random};
use tokenhouse_model::gate::Rules;
use tokenhouse_model::rate::Rate;
use tokenhouse_model::{Error, ErrorKind, Refusal};
use tokenhouse_store::inspect::{self, Findings};
use tokenhouse_store::{Checkpoints, Found, Location, MasterKey, Settings, Store};

use tokio::sync::watch;

use crate::config::{Config, ForwardedHeader};
use crate::environment;
use crate::failure::Failure;
use crate::gate::{self, Gate};
use crate::listen::{Listener, stop_signal};
use crate::upstream::Upstream;

/// How often a node looks whether the time jumped and a job is due.
const JOBS_EVERY: Duration = Duration::from_secs(10);
/// How often it is looked whether a checkpoint is due when nothing is written.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether a signing key is due to be replaced: more often than a new one takes to sign.
const KEYS_EVERY: Duration = Duration::from_secs(600);
/// After uses were written, so many times as long nothing is: a node in full use spends a twentieth of a core on counting.
const REST: u32 = 19;

/// Keeps this process's memory, which holds keys and secrets, out of core files and other processes' reach. Where the
/// system refuses, it is said and served all the same: it is a second line.
pub fn keep_memory_private() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let limited = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    let private = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    if let Err(error) = limited.and(private) {
        tracing::warn!(%error, "core files can't be prevented");
    }
}

/// Where the master key comes from.
enum KeySource {
    File(PathBuf),
    Variable(String),
}

impl KeySource {
    fn of(config: &Config) -> Self {
        match (&config.keys.master_env, &config.keys.master_file) {
            (Some(name), _) => Self::Variable(name.clone()),
            (None, Some(path)) => Self::File(path.clone()),
            (None, None) => Self::File(config.data.dir.join("master.key")),
        }
    }

    fn read(&self) -> Result<MasterKey, Error> {
        match self {
            Self::File(path) => MasterKey::read(path),
            Self::Variable(name) => {
                let missing = || {
                    let message = format!("the variable {name}, which keys.master_env names, holds no master key");
                    Error::new(ErrorKind::NotFound, Refusal::Plain, message)
                };
                let text = zeroize::Zeroizing::new(environment::variable(name).ok_or_else(missing)?);
                MasterKey::parse(&text, &format!("the variable {name}"))
            }
        }
    }

    /// For a new installation: a key that is there already is taken, so that one key can serve several databases.
    fn read_or_create(&self) -> Result<MasterKey, Error> {
        match (self.read(), self) {
            (Err(error), Self::File(path)) if error.kind() == ErrorKind::NotFound => {
                MasterKey::create(path, &Random::system())
            }
            (read, _) => read,
        }
    }
}

fn location(config: &Config) -> Result<Location, Error> {
    Location::parse(config.database.url.expose())
}

/// What stands where the settings point.
///
/// # Errors
/// The database does not answer, or is not ours.
pub async fn look(config: &Config) -> Result<Found, Failure> {
    Ok(Store::look(&location(config)?).await?)
}

/// Opens the installation that the settings point to.
///
/// # Errors
/// No installation, a foreign or newer schema, a missing or wrong master key; nothing is changed then.
pub async fn open(config: &Config) -> Result<Arc<Ctx>, Failure> {
    let location = location(config)?;
    // Told first: without an installation a missing key is no news.
    if Store::look(&location).await? == Found::Nothing {
        let message = "the database holds no installation; make one with `tokenhouse init` or `tokenhouse quickstart`";
        return Err(Failure::Other(message.to_owned()));
    }
    opened(config, location, KeySource::of(config).read()?).await
}

async fn opened(config: &Config, location: Location, key: MasterKey) -> Result<Arc<Ctx>, Failure> {
    let (clock, random) = (Clock::system(), Random::system());
    let checkpoints = Checkpoints {
        events: i64::try_from(config.ledger.checkpoint_events).unwrap_or(i64::MAX),
        millis: i64::try_from(config.ledger.checkpoint_seconds).unwrap_or(i64::MAX).saturating_mul(1000),
    };
    // One each for changes, heartbeat and feed.
    let shared = config.database.connections.saturating_sub(3).max(2);
    let misses = (shared * 2 / 5).max(1);
    let settings =
        Settings { location, journal: config.ledger.journal.clone(), checkpoints, readers: shared - misses, misses };
    let store = Store::open(&settings, key, clock.clone(), random.clone()).await?;
    let settings = tokenhouse_authority::Settings {
        name: config.node.name.clone().unwrap_or_else(|| called(config.http.listen)),
        memory: config.verify.memory_megabytes.saturating_mul(1 << 20),
        misses: usize::try_from(misses).unwrap_or(1),
        stale: i64::from(config.verify.stale_seconds) * 1000,
        limits: Limits {
            address: Rate {
                a_minute: config.limits.failures_per_address,
                at_once: config.limits.failures_per_address_at_once,
            },
            credential: Rate {
                a_minute: config.limits.failures_per_credential,
                at_once: config.limits.failures_per_credential_at_once,
            },
        },
    };
    Ok(Arc::new(Ctx::new(store, clock, random, settings)))
}

/// What a node is called that was given no name: the machine's, and the port.
fn called(listen: std::net::SocketAddr) -> String {
    let system = rustix::system::uname();
    format!("{}:{}", system.nodename().to_string_lossy(), listen.port())
}

/// Makes an installation: schema, master key where there is none, first org and administrator.
///
/// # Errors
/// There is one already (nothing is changed), or as [`open`].
pub async fn install(config: &Config, new: NewOrg, recoverable: bool) -> Result<(Arc<Ctx>, Installed), Failure> {
    // Before anything is made: a slip of the finger must not leave half an installation.
    new.check()?;
    let location = location(config)?;
    let source = KeySource::of(config);
    let key = match Store::look(&location).await? {
        Found::Nothing => {
            let key = source.read_or_create()?;
            Store::create(&location, &key, &Clock::system(), &Random::system()).await?;
            key
        }
        // Made, but perhaps without an org: an init that was killed goes on where it stopped.
        Found::Installation { .. } => source.read().map_err(|_| {
            Error::new(
                ErrorKind::Conflict,
                Refusal::Plain,
                "this database holds an installation already; nothing was changed",
            )
        })?,
    };
    let ctx = opened(config, location, key).await?;
    let installed = install::install(&ctx, new, recoverable).await;
    match installed {
        Ok(installed) => Ok((ctx, installed)),
        Err(error) => {
            housekeeping::close(&ctx).await;
            Err(error.into())
        }
    }
}

/// Whether an installation has its first org; one whose making was cut short has none.
///
/// # Errors
/// The database does not answer.
pub async fn is_whole(ctx: &Ctx) -> Result<bool, Failure> {
    Ok(install::installed(ctx).await?)
}

/// How requests are read, by the settings.
fn wire(config: &Config, listened: SocketAddr, rules: Option<Rules>) -> Result<Wire, Failure> {
    let trusted: Vec<String> = config.http.trusted_proxies.iter().map(ToString::to_string).collect();
    Ok(Wire {
        trusted_proxies: AddressRules::parse(trusted.iter().map(String::as_str))?,
        forwarded_header: axum::http::HeaderName::from_static(match config.http.forwarded_header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => "forwarded",
        }),
        public_url: config.http.base_url(listened),
        body_limit: config.http.body_limit,
        timeout: Duration::from_secs(config.http.request_timeout_seconds),
        gate_rules: rules.map(Arc::new),
        upstream: Upstream::of(&config.wavefront)?.map(|upstream| Arc::new(upstream) as _),
    })
}

/// Serves until told to stop, then lets requests end, writes what is in memory, and closes.
///
/// # Errors
/// The address or the certificate can't be used; the gate's listener is for an org that is not there.
pub async fn serve(config: &Config, ctx: Arc<Ctx>, listener: Listener, gate: Gate) -> Result<(), Failure> {
    let (stop, stop_gate) = (stop_signal()?, stop_signal()?);
    let address = listener.address()?;
    let drain = Duration::from_secs(config.shutdown.drain_seconds);
    let wire = wire(config, address, gate.rules)?;
    let (entrance, private) = match gate.listener {
        None => (tokenhouse_http::entrance(ctx.clone(), wire), None),
        Some(listener) => {
            let org = gate::org(config, &ctx).await?;
            let (entrance, private) = tokenhouse_http::with_gate(ctx.clone(), wire, org);
            tracing::info!(address = %listener.address()?, %org, "the gate has a listener of its own");
            (entrance, Some((listener, private)))
        }
    };
    // From here on others wait for this node, until it leaves.
    groups::settle(&ctx).await?;
    keys::tend(&ctx).await?;
    pulse::join(&ctx).await?;
    let (ending, ended) = watch::channel(());
    let flushing = tokio::spawn(flush(ctx.clone(), Duration::from_secs(config.usage.flush_seconds), ended));
    let tending = tokio::spawn(tend(ctx.clone()));
    let working = tokio::spawn(work(ctx.clone()));
    if let Err(error) = tokens::wipe_left(&ctx).await {
        tracing::warn!(%error, "sealed secrets that nobody keeps any more could not be wiped");
    }
    tracing::info!(url = config.http.base_url(address), version = env!("CARGO_PKG_VERSION"), "serving");
    let gate = async {
        match private {
            Some((listener, entrance)) => listener.serve(entrance, stop_gate, drain).await.cut,
            None => 0,
        }
    };
    let (stopped, cut) = tokio::join!(listener.serve(entrance, stop, drain), gate);
    drop(ending);
    tending.abort();
    working.abort();
    // What it writes just now must not be lost, nor be written twice.
    if let Err(error) = flushing.await {
        tracing::warn!(%error, "uses could not be written");
    }
    housekeeping::close(&ctx).await;
    tracing::info!(requests_cut = stopped.cut + cut, "stopped");
    Ok(())
}

/// Looks every so often for uses to write, and writes them little by little, so that neither requests nor changes wait for
/// it: after each transaction it rests for [`REST`] times as long. Until told to end.
async fn flush(ctx: Arc<Ctx>, every: Duration, mut ended: watch::Receiver<()>) {
    loop {
        let begun = Instant::now();
        let rest = match housekeeping::flush_due(&ctx).await {
            Ok(true) => (begun.elapsed() * REST).min(every),
            Ok(false) => every,
            Err(error) => {
                tracing::warn!(%error, "uses could not be written; they are kept for the next time");
                every
            }
        };
        // The other end only ever goes away.
        if tokio::time::timeout(rest, ended.changed()).await.is_ok() {
            return;
        }
    }
}

/// Forgets kept answers, writes checkpoints and replaces signing keys, until aborted.
async fn tend(ctx: Arc<Ctx>) {
    let mut checkpoint = tokio::time::interval(CHECKPOINT_EVERY);
    let mut replace = tokio::time::interval(KEYS_EVERY);
    loop {
        let (what, outcome) = tokio::select! {
            () = housekeeping::bell(&ctx) => ("kept answers could not be forgotten", housekeeping::forget_young(&ctx).await),
            _ = replace.tick() => ("the signing keys could not be tended", keys::tend(&ctx).await),
            _ = checkpoint.tick() => ("a checkpoint could not be written", housekeeping::checkpoint(&ctx).await),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, what);
        }
    }
}

/// Looks at the time and does the jobs that are due, until aborted. Apart from [`flush`]: what is counted must not wait
/// for a long job.
async fn work(ctx: Arc<Ctx>) {
    let mut every = tokio::time::interval(JOBS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = jobs::asked(&ctx) => {}
        }
        if let Err(error) = jobs::tend(&ctx).await {
            tracing::warn!(%error, "a job stopped; it goes on when a node takes it again");
        }
    }
}

/// Walks the ledger of the installation that the settings point to.
///
/// # Errors
/// As [`open`].
pub async fn inspect(config: &Config) -> Result<Findings, Failure> {
    Ok(inspect::walk(&location(config)?, &config.ledger.journal, &KeySource::of(config).read()?).await?)
}

/// What an operation on this machine's own database fails with. Here the cause is told too: who runs the command is the
/// operator himself.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut said = error.message().to_owned();
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            said.push_str(&format!(": {cause}"));
            next = cause.source();
        }
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound(said),
            ErrorKind::Conflict => Self::Conflict(said),
            ErrorKind::Invalid => Self::Usage(said),
            ErrorKind::Unavailable | ErrorKind::OutcomeUnknown => Self::Unreachable(said),
            _ => Self::Other(said),
        }
    }
}
