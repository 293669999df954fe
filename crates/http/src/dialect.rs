//! What the dialects share: an error on its way out, and whose words it is told in.
//!
//! Inside, an error is an error. Only the outermost layer, which knows the request's id, puts it into words, and it
//! takes the words of the dialect to which the path belongs. So whatever fails, an extractor, a layer or a path that
//! nobody serves, every client reads the errors that it knows.

use std::any::Any;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokenhouse_model::{Confirmed, Done, Error, ErrorKind, Receipt, Refusal, Result};

use crate::{csp, oauth, problem, wavefront};

/// Whose words are spoken at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The native API, and all that belongs to nobody else.
    Native,
    /// Wavefront's: `/api/...` and `/report` (wavefront.md 1.1).
    Wavefront,
    /// VMware Cloud Services': `/csp/gateway/...` (csp.md).
    Csp,
    /// OAuth's: `/oauth2/...`.
    OAuth,
}

impl Dialect {
    /// The dialect of a path.
    pub(crate) fn of(path: &str) -> Self {
        if path == "/report" || path.starts_with("/api/") {
            Self::Wavefront
        } else if path.starts_with(csp::GATEWAY) {
            Self::Csp
        } else if path.starts_with("/oauth2/") {
            Self::OAuth
        } else {
            Self::Native
        }
    }

    /// The response that tells an error.
    pub(crate) fn tell(self, error: &Error, request_id: &str) -> Response {
        match self {
            Self::Native => problem::document(error, request_id),
            Self::Wavefront => wavefront::envelope(error),
            Self::Csp => csp::tell(error, request_id),
            Self::OAuth => oauth::tell(error),
        }
    }
}

/// An error that becomes a response of its path's dialect.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) Arc<Error>);

/// What handlers answer with.
pub(crate) type Reply<T> = std::result::Result<T, Refused>;

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl IntoResponse for Refused {
    /// A response that only carries the error, for the outermost layer.
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

/// Passes on what was read back after a change was committed. Where that can't be read, the change stands all the same,
/// and who asked for it must not be told that nothing was changed.
pub(crate) fn shown<T>(read: Result<T>) -> Result<T> {
    read.map_err(|error| match error.kind() {
        ErrorKind::Unavailable => Error::outcome_unknown().because(error),
        _ => error,
    })
}

/// What an answer says that carries an access token: nobody on the way keeps it (RFC 6749 5.1).
pub(crate) const UNKEPT: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
];

/// The header that tells a change's receipt: for answers whose bodies have no place for it.
pub(crate) const RECEIPT: HeaderName = HeaderName::from_static("x-tokenhouse-receipt");

/// A receipt as a header's value.
pub(crate) fn receipt<T>(done: &Done<T>) -> String {
    let Receipt { epoch, revision, journaled } = done.receipt;
    let confirmed = match &done.confirmed {
        Confirmed::NotAsked => "",
        Confirmed::Unknown => "; confirmed=unknown",
        Confirmed::Yes(_) => "; confirmed=yes",
    };
    format!("epoch={epoch}; revision={revision}; journaled={journaled}{confirmed}")
}

/// What the headers of a refusal say in every dialect: nobody keeps it, when to try again (RFC 9110 10.2.3), and how to
/// prove oneself (RFC 6750 section 3: a request without a credential is told no error code).
pub(crate) fn refusal_headers(response: &mut Response, error: &Error) {
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        let challenge = match error.refusal() {
            Refusal::Credential(_) => "Bearer realm=\"tokenhouse\", error=\"invalid_token\"",
            _ => "Bearer realm=\"tokenhouse\"",
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Refusal::MissingPermission(permission) = error.refusal() {
        let challenge = format!("Bearer realm=\"tokenhouse\", error=\"insufficient_scope\", scope=\"{permission}\"");
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
}

/// What a path that nothing serves gets.
pub(crate) async fn no_such_path() -> Refused {
    Error::new(ErrorKind::NotFound, Refusal::Plain, "nothing is served at this path").into()
}

/// What a method that a path does not know gets.
pub(crate) async fn method_not_allowed() -> Refused {
    Error::new(ErrorKind::Invalid, Refusal::Method, "this path is served, but not with this method").into()
}

/// What a request gets whose handler panicked. What it said may hold anything, so it is not told.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    Refused::from(Error::internal("a handler panicked")).into_response()
}
