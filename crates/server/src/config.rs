//! What the server runs by: the embedded defaults, then a file, then the environment, then flags.
//!
//! `default.toml` is defaults, documentation and the list of keys at once; `rules.rs` says what each key allows.
//! Every fault is found in one go, each naming the key, what was given, from where, and what is allowed.

mod database;
mod layers;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

pub use database::DatabaseUrl;
pub use layers::{Entry, Flag, Layers, Origin, Sources};

/// The commented file of all settings with their defaults.
pub const DEFAULT: &str = include_str!("default.toml");

/// The checked settings. `Debug` shows no secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where everything is kept.
    pub database: Database,
    /// What is kept beside the database.
    pub data: Data,
    /// This node among others.
    pub node: Node,
    /// What is remembered of credentials.
    pub verify: Verify,
    /// How requests come in.
    pub http: Http,
    /// What gateways ask.
    pub gate: Gate,
    /// How often it may fail.
    pub limits: Limits,
    /// The service that data is passed on to.
    pub wavefront: Wavefront,
    /// The master key.
    pub keys: Keys,
    /// Journal and checkpoints.
    pub ledger: Ledger,
    /// What is logged, and how.
    pub log: Log,
    /// Last-used times and counts.
    pub usage: Usage,
    /// The end.
    pub shutdown: Shutdown,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// SQLite file or PostgreSQL server.
    pub url: DatabaseUrl,
    /// The most connections held at once.
    pub connections: u32,
}

/// `[data]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The folder of master key and journal; filled in where it was not set.
    pub dir: PathBuf,
}

/// `[node]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What it is called.
    #[serde(deserialize_with = "unset")]
    pub name: Option<String>,
}

/// `[verify]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The most that is remembered, in megabytes.
    pub memory_megabytes: u64,
    /// For how long answers may be given without the database, in seconds.
    pub stale_seconds: u32,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// How clients reach this server, without a slash at the end.
    #[serde(deserialize_with = "unset")]
    pub public_url: Option<String>,
    /// The longest request body, in bytes.
    pub body_limit: usize,
    /// How long a request may take, in seconds.
    pub request_timeout_seconds: u64,
    /// The most connections held open at once.
    pub connections: usize,
    /// The peers whose forwarding header is believed.
    #[serde(deserialize_with = "ranges")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header that they tell the caller's address in.
    pub forwarded_header: ForwardedHeader,
    /// Certificate and key; `None` is plain HTTP.
    #[serde(deserialize_with = "pair")]
    pub tls: Option<TlsFiles>,
}

impl Http {
    /// How this server is reached: `http.public_url`, else made from the address that it really listens on.
    pub fn base_url(&self, bound: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        // Nobody can connect to 0.0.0.0 or [::]: they stand for every address of this machine.
        let host = match bound.ip() {
            ip if !ip.is_unspecified() => bound.to_string(),
            ip if ip.is_ipv4() => format!("127.0.0.1:{}", bound.port()),
            _ => format!("[::1]:{}", bound.port()),
        };
        format!("{scheme}://{host}")
    }
}

/// The header in which a trusted proxy tells the caller's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`
    #[serde(rename = "x-forwarded-for")]
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    #[serde(rename = "forwarded")]
    Forwarded,
}

/// `[http.tls]`, where it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file of the certificate chain.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// `[gate]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The address of a listener of its own.
    #[serde(deserialize_with = "address")]
    pub listen: Option<SocketAddr>,
    /// The org for which it is asked there; set if and only if `listen` is.
    #[serde(deserialize_with = "unset")]
    pub org: Option<String>,
    /// The file of its rules.
    #[serde(deserialize_with = "unset")]
    pub rules: Option<PathBuf>,
}

/// `[limits]`: times a minute, 0 for no limit, and times at once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bad credentials from one address, a minute.
    pub failures_per_address: u32,
    /// The same at once.
    pub failures_per_address_at_once: u32,
    /// Of one secret or client, a minute.
    pub failures_per_credential: u32,
    /// The same at once.
    pub failures_per_credential_at_once: u32,
}

/// `[wavefront]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wavefront {
    /// The service that data is passed on to.
    #[serde(deserialize_with = "unset")]
    pub upstream: Option<String>,
    /// The file of the token with which we come there; set if and only if `upstream` is.
    #[serde(deserialize_with = "unset")]
    pub upstream_token_file: Option<PathBuf>,
}

/// `[keys]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The file of the master key.
    #[serde(deserialize_with = "unset")]
    pub master_file: Option<PathBuf>,
    /// The name of the variable that holds the master key.
    #[serde(deserialize_with = "unset")]
    pub master_env: Option<String>,
}

/// `[ledger]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// The folder of the journal; filled in where it was not set.
    pub journal: PathBuf,
    /// Events between two checkpoints.
    pub checkpoint_events: u64,
    /// Seconds between two checkpoints.
    pub checkpoint_seconds: u64,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// For people or for collectors.
    pub format: LogFormat,
    /// How much is said, as checked by [`crate::telemetry::targets`].
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[usage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Seconds between two writes.
    pub flush_seconds: u64,
}

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// How long requests in progress may take to end, in seconds.
    pub drain_seconds: u64,
}

impl Config {
    /// Reads and checks all layers.
    ///
    /// # Errors
    /// All faults that were found, not only the first.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        Layers::read(sources).config()
    }
}

/// One thing wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The key, where one is to blame.
    pub key: Option<String>,
    /// What was given, from where, and what is allowed.
    pub message: String,
}

impl Fault {
    /// A fault of one key.
    pub fn of(key: &str, message: impl Into<String>) -> Self {
        Self { key: Some(key.to_owned()), message: message.into() }
    }

    /// A fault of no key, e.g. of a file that can't be read.
    pub fn general(message: impl Into<String>) -> Self {
        Self { key: None, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Everything wrong with the settings; never empty where it is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// An empty text is "not set", since TOML has no null.
fn unset<'de, D: Deserializer<'de>, T: From<String>>(from: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| T::from(text)))
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}

fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let read =
        |text: String| rules::range(&text).ok_or_else(|| serde::de::Error::custom("not an address or CIDR range"));
    Vec::<String>::deserialize(from)?.into_iter().map(read).collect()
}

fn pair<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TlsFiles>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[serde(deserialize_with = "unset")]
        certificate: Option<PathBuf>,
        #[serde(deserialize_with = "unset")]
        key: Option<PathBuf>,
    }
    let Pair { certificate, key } = Pair::deserialize(from)?;
    Ok(certificate.zip(key).map(|(certificate, key)| TlsFiles { certificate, key }))
}
