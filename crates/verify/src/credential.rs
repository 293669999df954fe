//! The service's own credential, with which it asks.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::HeaderValue;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

/// A credential is at most this long, in bytes: ours and those that are presented.
pub(crate) const LONGEST: usize = 4096;
/// How often a file is looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The credential with which the service calls Tokenhouse: a token that may verify (`house:verify`).
pub struct Credential(Source);

enum Source {
    Text(String),
    File(PathBuf),
}

impl Credential {
    /// This token.
    pub fn text(token: impl Into<String>) -> Self {
        Self(Source::Text(token.into()))
    }

    /// The token in this file, read again when it changes: within a second, and at once when Tokenhouse no longer takes
    /// the one that was read. So it can be rotated without a restart.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Source::File(path.as_ref().to_owned()))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("Credential::Text(..)"),
            Source::File(path) => f.debug_tuple("Credential::File").field(path).finish(),
        }
    }
}

/// Whether these bytes can stand after `Bearer ` (RFC 6750 section 2.1), and are not too long.
pub(crate) fn readable(bytes: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    !bytes.is_empty() && bytes.len() <= LONGEST && bytes.iter().all(fits)
}

fn header(token: &str) -> Option<HeaderValue> {
    let token = token.trim();
    if !readable(token.as_bytes()) {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The credential as a header, kept up with its file.
pub(crate) enum Held {
    Text(HeaderValue),
    File { path: PathBuf, read: Mutex<Option<(Instant, HeaderValue)>> },
}

impl Held {
    /// `None` if the text can't be a credential.
    pub(crate) fn new(credential: Credential) -> Option<Self> {
        match credential.0 {
            Source::Text(token) => header(&token).map(Self::Text),
            Source::File(path) => Some(Self::File { path, read: Mutex::new(None) }),
        }
    }

    /// The `Authorization` of a question.
    pub(crate) async fn get(&self) -> Result<HeaderValue, &'static str> {
        match self {
            Self::Text(value) => Ok(value.clone()),
            Self::File { path, read } => {
                let mut read = read.lock().await;
                if let Some((_, value)) = read.as_ref().filter(|(at, _)| at.elapsed() < LOOK) {
                    return Ok(value.clone());
                }
                let value = of_file(path).await?;
                *read = Some((Instant::now(), value.clone()));
                Ok(value)
            }
        }
    }

    /// Another one than this, which was refused, if there is one by now.
    pub(crate) async fn other_than(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        let Self::File { path, read } = self else { return None };
        let mut read = read.lock().await;
        let value = of_file(path).await.ok()?;
        *read = Some((Instant::now(), value.clone()));
        (value != *refused).then_some(value)
    }
}

async fn of_file(path: &Path) -> Result<HeaderValue, &'static str> {
    let unreadable = |_| "the file of the service's own credential can't be read";
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut text = String::new();
    // A little more than the longest, for line ends.
    file.take(LONGEST as u64 + 16).read_to_string(&mut text).await.map_err(unreadable)?;
    header(&text).ok_or("the file of the service's own credential holds none")
}
