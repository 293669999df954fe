//! Errors in OAuth's words (RFC 6749 5.2, RFC 6750 3.1).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokenhouse_model::{Error, ErrorKind, Refusal};

use crate::dialect::refusal_headers;

#[derive(Serialize)]
struct Told<'a> {
    error: &'static str,
    error_description: &'a str,
}

fn words(error: &Error) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match (error.kind(), error.refusal()) {
        (_, Refusal::Method) => (S::METHOD_NOT_ALLOWED, "invalid_request"),
        (_, Refusal::MediaType) => (S::UNSUPPORTED_MEDIA_TYPE, "invalid_request"),
        (_, Refusal::TokenType) => (S::BAD_REQUEST, "unsupported_token_type"),
        (_, Refusal::GrantType) => (S::BAD_REQUEST, "unsupported_grant_type"),
        (_, Refusal::Field("scope" | "permission")) => (S::BAD_REQUEST, "invalid_scope"),
        // The word says what is the matter: asking again will not help, however late.
        (ErrorKind::Limited, Refusal::Grant(_)) => (S::TOO_MANY_REQUESTS, "invalid_grant"),
        (ErrorKind::Limited, Refusal::Credential(_)) => (S::TOO_MANY_REQUESTS, "invalid_client"),
        (_, Refusal::Grant(_)) => (S::BAD_REQUEST, "invalid_grant"),
        (ErrorKind::Unauthenticated, _) => (S::UNAUTHORIZED, "invalid_client"),
        (ErrorKind::Forbidden, _) => (S::FORBIDDEN, "insufficient_scope"),
        (ErrorKind::NotFound, _) => (S::NOT_FOUND, "invalid_request"),
        (ErrorKind::TooLarge, _) => (S::PAYLOAD_TOO_LARGE, "invalid_request"),
        (ErrorKind::Limited, _) => (S::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        (ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Unprocessable, _) => (S::BAD_REQUEST, "invalid_request"),
        (ErrorKind::Unavailable | ErrorKind::OutcomeUnknown, _) => (S::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        (ErrorKind::Internal, _) => (S::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// The dialect's one function from an error to a response.
pub(crate) fn tell(error: &Error) -> Response {
    let (status, code) = words(error);
    let mut response = (status, Json(Told { error: code, error_description: error.message() })).into_response();
    refusal_headers(&mut response, error);
    if status == StatusCode::UNAUTHORIZED {
        // Beside the bearer's: a client that came with HTTP Basic looks for its own scheme (RFC 6749 5.2).
        response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tokenhouse\""));
    }
    response
}
