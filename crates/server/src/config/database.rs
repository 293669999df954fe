//! The address of the database, which may hold a password.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::Deserialize;

const SQLITE: &str = "sqlite://";
/// The parameters of a PostgreSQL URL that are secrets.
const SECRET_PARAMETERS: [&str; 2] = ["password", "sslpassword"];

/// `sqlite://PATH` or `postgres://...`. `Debug` and `Display` leave the password out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL for a SQLite file.
    pub fn sqlite(path: &Path) -> Self {
        Self(format!("{SQLITE}{}", path.display()))
    }

    /// The whole URL with its password, for connecting and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The database file; `None` for a server elsewhere.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        self.0.strip_prefix(SQLITE).map(PathBuf::from)
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if let Some(path) = text.strip_prefix(SQLITE) {
            let is_file = !path.is_empty() && !path.ends_with('/') && !path.contains('?') && !path.contains(":memory:");
            return if is_file { Ok(Self(text)) } else { Err("names no file") };
        }
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") && url.has_host() => Ok(Self(text)),
            _ => Err("is neither SQLite nor PostgreSQL"),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", redacted(&self.0))
    }
}

/// A database URL as it may be shown. What can't be read as a URL may still hold a password, so little of it is shown.
pub(super) fn redacted(text: &str) -> String {
    if text.is_empty() || text.starts_with(SQLITE) {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return "(unreadable, not shown)".to_owned();
    };
    if url.cannot_be_a_base() {
        return format!("{}:(not shown)", url.scheme());
    }
    let secret = |name: &str| SECRET_PARAMETERS.iter().any(|one| name.eq_ignore_ascii_case(one));
    if url.query_pairs().any(|(name, _)| secret(&name)) {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if secret(&name) { "***".to_owned() } else { value.into_owned() };
                (name.into_owned(), value)
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return format!("{}:(not shown)", url.scheme());
    }
    url.to_string()
}
