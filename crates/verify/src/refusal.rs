//! Why a request does not get through.

use std::fmt;
use std::time::Duration;

use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

/// Why a request does not get through. None of it holds anything of the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no credential.
    Missing,
    /// There is more than one, or the header can't be read.
    Malformed,
    /// The credential is not good; the reason is for logs, e.g. `revoked`.
    Refused(String),
    /// The credential is good, but lacks the permission.
    PermissionMissing,
    /// Nobody knows: try again after this long.
    Unknown(Duration),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no credential"),
            Self::Malformed => f.write_str("there is no single readable credential"),
            Self::Refused(reason) => write!(f, "the credential is refused: {reason}"),
            Self::PermissionMissing => f.write_str("the credential lacks the permission"),
            Self::Unknown(_) => f.write_str("whether the credential is good can't be told now"),
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// The answer to whoever sent the request: status and challenge (RFC 6750 section 3), no body.
    pub(crate) fn answer<B: Default>(&self, realm: &str, permission: Option<&str>) -> Response<B> {
        let status = match self {
            Self::Missing | Self::Refused(_) => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::PermissionMissing => StatusCode::FORBIDDEN,
            Self::Unknown(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = Response::new(B::default());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge(realm, permission) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Self::Unknown(after) = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }

    fn challenge(&self, realm: &str, permission: Option<&str>) -> Option<HeaderValue> {
        let error = match self {
            Self::Unknown(_) => return None,
            // Who sent no credential is told no error (RFC 6750 section 3.1).
            Self::Missing => "",
            Self::Malformed => ", error=\"invalid_request\"",
            Self::Refused(_) => ", error=\"invalid_token\"",
            Self::PermissionMissing => ", error=\"insufficient_scope\"",
        };
        let scope = match (self, permission) {
            (Self::PermissionMissing, Some(permission)) if permission.bytes().all(in_quotes) => {
                format!(", scope=\"{permission}\"")
            }
            _ => String::new(),
        };
        HeaderValue::from_str(&format!("Bearer realm=\"{realm}\"{error}{scope}")).ok()
    }
}

/// Whether a byte may stand in a quoted string of a challenge (RFC 6750 section 3).
pub(crate) fn in_quotes(byte: u8) -> bool {
    (byte == b' ' || byte.is_ascii_graphic()) && byte != b'"' && byte != b'\\'
}
