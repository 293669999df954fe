//! What each key allows.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use reqwest::Url;
use toml::Value;

use super::DatabaseUrl;

/// What one key allows, in words and as a test.
pub(super) struct Rule {
    pub key: &'static str,
    pub allowed: &'static str,
    pub fits: fn(&Value) -> bool,
}

/// The database address: the one key whose value is never shown as it is.
pub(super) const DATABASE_URL: &str = "database.url";

const DATABASES: &str = "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME";
const PATH: &str = "a path, or nothing";

/// One rule for every key of `default.toml`.
pub(super) const RULES: &[Rule] = &[
    Rule { key: DATABASE_URL, allowed: DATABASES, fits: |v| text(v, |t| DatabaseUrl::try_from(t.to_owned()).is_ok()) },
    Rule { key: "database.connections", allowed: "5 to 200", fits: |v| within(v, 5, 200) },
    Rule { key: "data.dir", allowed: PATH, fits: |v| text(v, path) },
    Rule {
        key: "node.name",
        allowed: "1 to 64 visible characters, or nothing",
        fits: |v| text(v, |t| t.chars().count() <= 64 && !t.chars().any(char::is_control)),
    },
    Rule { key: "verify.memory_megabytes", allowed: "1 to 65536", fits: |v| within(v, 1, 65_536) },
    Rule { key: "verify.stale_seconds", allowed: "0 to 3600", fits: |v| within(v, 0, 3600) },
    Rule {
        key: "http.listen",
        allowed: "an address and port, e.g. 127.0.0.1:8080 or [::]:8080",
        fits: |v| text(v, |t| t.parse::<SocketAddr>().is_ok()),
    },
    Rule {
        key: "http.public_url",
        allowed: "an http:// or https:// address without user, query and fragment, or nothing",
        fits: |v| text(v, |t| t.is_empty() || public(t)),
    },
    Rule { key: "http.body_limit", allowed: "1024 to 67108864 bytes", fits: |v| within(v, 1024, 67_108_864) },
    Rule { key: "http.request_timeout_seconds", allowed: "1 to 600", fits: |v| within(v, 1, 600) },
    Rule { key: "http.connections", allowed: "1 to 1000000", fits: |v| within(v, 1, 1_000_000) },
    Rule {
        key: "http.trusted_proxies",
        allowed: "a list of addresses and CIDR ranges, e.g. [\"10.0.0.0/8\", \"::1\"]",
        fits: |v| v.as_array().is_some_and(|all| all.iter().all(|one| text(one, |t| range(t).is_some()))),
    },
    Rule {
        key: "http.forwarded_header",
        allowed: "x-forwarded-for or forwarded",
        fits: |v| text(v, |t| matches!(t, "x-forwarded-for" | "forwarded")),
    },
    Rule { key: "http.tls.certificate", allowed: PATH, fits: |v| text(v, path) },
    Rule { key: "http.tls.key", allowed: PATH, fits: |v| text(v, path) },
    Rule {
        key: "gate.listen",
        allowed: "an address and port, e.g. 127.0.0.1:9190, or nothing",
        fits: |v| text(v, |t| t.is_empty() || t.parse::<SocketAddr>().is_ok()),
    },
    Rule { key: "gate.org", allowed: "an org's name or id, or nothing", fits: |v| text(v, |t| t.len() <= 512) },
    Rule { key: "gate.rules", allowed: PATH, fits: |v| text(v, path) },
    Rule { key: "limits.failures_per_address", allowed: "0 to 60000", fits: |v| within(v, 0, 60_000) },
    Rule { key: "limits.failures_per_address_at_once", allowed: "1 to 100000", fits: |v| within(v, 1, 100_000) },
    Rule { key: "limits.failures_per_credential", allowed: "0 to 60000", fits: |v| within(v, 0, 60_000) },
    Rule { key: "limits.failures_per_credential_at_once", allowed: "1 to 100000", fits: |v| within(v, 1, 100_000) },
    Rule {
        key: "wavefront.upstream",
        allowed: "an http:// or https:// address without user, query and fragment, or nothing",
        fits: |v| text(v, |t| t.is_empty() || public(t)),
    },
    Rule { key: "wavefront.upstream_token_file", allowed: PATH, fits: |v| text(v, path) },
    Rule { key: "keys.master_file", allowed: PATH, fits: |v| text(v, path) },
    Rule {
        key: "keys.master_env",
        allowed: "the name of an environment variable (letters, digits, _), or nothing",
        fits: |v| text(v, |t| t.is_empty() || variable(t)),
    },
    Rule { key: "ledger.journal", allowed: PATH, fits: |v| text(v, path) },
    Rule { key: "ledger.checkpoint_events", allowed: "1 to 1000000", fits: |v| within(v, 1, 1_000_000) },
    Rule { key: "ledger.checkpoint_seconds", allowed: "1 to 86400", fits: |v| within(v, 1, 86_400) },
    Rule { key: "log.format", allowed: "text or json", fits: |v| text(v, |t| matches!(t, "text" | "json")) },
    Rule {
        key: "log.level",
        allowed: "error, warn, info, debug or trace, and for modules e.g. info,tokenhouse_store=debug",
        fits: |v| text(v, |t| crate::telemetry::targets(t).is_some()),
    },
    Rule { key: "usage.flush_seconds", allowed: "1 to 3600", fits: |v| within(v, 1, 3600) },
    Rule { key: "shutdown.drain_seconds", allowed: "0 to 600", fits: |v| within(v, 0, 600) },
];

/// A CIDR range; a bare address is the range of itself.
pub(super) fn range(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn text(value: &Value, fits: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(fits)
}

fn within(value: &Value, least: i64, most: i64) -> bool {
    value.as_integer().is_some_and(|given| (least..=most).contains(&given))
}

fn path(given: &str) -> bool {
    !given.contains('\0')
}

fn variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
}

fn public(given: &str) -> bool {
    Url::parse(given).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}
