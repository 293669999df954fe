//! How Wavefront says things: the envelope of every answer (wavefront.md 1.2, 1.3).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokenhouse_model::{Done, Error, ErrorKind, Permission, Refusal};

use crate::dialect::{RECEIPT, receipt, refusal_headers};

/// What every answer begins with.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Status {
    result: &'static str,
    message: String,
    code: u16,
}

impl Status {
    /// Everything went well.
    pub(super) fn ok() -> Self {
        Self { result: "OK", message: String::new(), code: 200 }
    }

    /// It went well, but there is something that the caller must know: clients print a warning for the codes above 200
    /// (wavefront.md 1.2). The HTTP status stays 200.
    pub(super) fn warning(message: impl Into<String>) -> Self {
        Self { result: "OK", message: message.into(), code: 202 }
    }
}

/// "W": the answer stands under `response`.
#[derive(Debug, Serialize)]
pub(super) struct Wrapped<T> {
    status: Status,
    response: T,
}

impl<T> Wrapped<T> {
    /// An answer with this status.
    pub(super) fn new(status: Status, response: T) -> Self {
        Self { status, response }
    }
}

/// An answer that nobody on the way may keep: it may carry a secret.
#[derive(Debug)]
pub(super) struct Answer<T> {
    body: T,
    receipt: Option<String>,
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(receipt) = self.receipt.and_then(|receipt| HeaderValue::from_str(&receipt).ok()) {
            headers.insert(RECEIPT, receipt);
        }
        response
    }
}

/// What was read, wrapped.
pub(super) fn ok<T>(response: T) -> Answer<Wrapped<T>> {
    bare(Wrapped::new(Status::ok(), response))
}

/// What was changed, wrapped.
pub(super) fn changed<T, U>(done: &Done<U>, response: T) -> Answer<Wrapped<T>> {
    changed_bare(done, Wrapped::new(Status::ok(), response))
}

/// "U": an answer without the envelope.
pub(super) fn bare<T>(body: T) -> Answer<T> {
    Answer { body, receipt: None }
}

/// What was changed, without the envelope.
pub(super) fn changed_bare<T, U>(done: &Done<U>, body: T) -> Answer<T> {
    Answer { body, receipt: Some(receipt(done)) }
}

/// Status and words of an error. Only the kinds of status that its clients know, and never 406, which one of them takes
/// for a reason to ask ten times more (wavefront.md 1.3).
fn words(error: &Error) -> (StatusCode, String) {
    use StatusCode as S;
    let plain = || error.message().to_owned();
    match (error.kind(), error.refusal()) {
        (_, Refusal::Method) => (S::METHOD_NOT_ALLOWED, plain()),
        (_, Refusal::MissingPermission(permission)) => (S::FORBIDDEN, missing(*permission)),
        // What to do instead, as users of this API know it.
        (_, Refusal::Onboarded) => (
            S::FORBIDDEN,
            "this organization is onboarded: make an API token of VMware Cloud Services \
             (/csp/gateway/am/api/loggedin/user/api-tokens) and exchange it for access tokens"
                .to_owned(),
        ),
        (_, Refusal::NoSuch(what)) => (S::NOT_FOUND, format!("{what} does not exist")),
        (ErrorKind::Unauthenticated, _) => (S::UNAUTHORIZED, plain()),
        (ErrorKind::Forbidden, _) => (S::FORBIDDEN, plain()),
        (ErrorKind::NotFound, _) => (S::NOT_FOUND, plain()),
        (ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Unprocessable, _) => (S::BAD_REQUEST, plain()),
        (ErrorKind::Limited, _) => (S::TOO_MANY_REQUESTS, plain()),
        (ErrorKind::TooLarge, _) => (S::PAYLOAD_TOO_LARGE, plain()),
        (ErrorKind::Unavailable | ErrorKind::OutcomeUnknown, _) => (S::SERVICE_UNAVAILABLE, plain()),
        (ErrorKind::Internal, _) => (S::INTERNAL_SERVER_ERROR, plain()),
    }
}

/// The dialect's own permission where ours has another name.
fn missing(permission: Permission) -> String {
    let own = match permission {
        Permission::Accounts | Permission::Groups | Permission::Roles | Permission::Tokens | Permission::Read => {
            Permission::UserManagement
        }
        Permission::IssueTokens => Permission::TokenManagement,
        other => other,
    };
    match super::permissions::title(own) {
        Some(title) => format!("the permission {title} ({own}) is required"),
        None => format!("the permission {own} is required"),
    }
}

/// The dialect's one function from an error to a response.
pub(crate) fn envelope(error: &Error) -> Response {
    #[derive(Serialize)]
    struct Failed {
        status: Status,
    }
    let (code, message) = words(error);
    let status = Status { result: "ERROR", message, code: code.as_u16() };
    let mut response = (code, Json(Failed { status })).into_response();
    refusal_headers(&mut response, error);
    response
}
