//! Errors as RFC 9457 problem documents: the one place where a kind becomes a status and words.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokenhouse_model::{Error, ErrorKind, Refusal, Uuid};
use utoipa::ToSchema;

use crate::dialect::refusal_headers;

/// What is wrong, as RFC 9457 has it, with members of our own.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong here.
    detail: String,
    /// The kind as one word, for programs.
    code: &'static str,
    /// The request's id, by which the log line is found.
    request_id: String,
    /// The permission that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// The limit that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
    /// The token that an idempotency key made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<Uuid>,
    /// When to try again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
}

/// The code of an error.
pub(crate) fn code(error: &Error) -> &'static str {
    words(error).1
}

/// Status, code and title of an error.
fn words(error: &Error) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match (error.kind(), error.refusal()) {
        (_, Refusal::Method) => (S::METHOD_NOT_ALLOWED, "method_not_allowed", "Not with this method"),
        (_, Refusal::MediaType) => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Not this type"),
        (_, Refusal::TwoCredentials) => (S::BAD_REQUEST, "two_credentials", "Two different credentials"),
        (_, Refusal::Field(_) | Refusal::TooLong(..)) => (S::BAD_REQUEST, "invalid_field", "A field is wrong"),
        (_, Refusal::MissingPermission(_)) => (S::FORBIDDEN, "missing_permission", "A permission is missing"),
        (_, Refusal::NotCovered(_)) => (S::FORBIDDEN, "not_covered", "Nobody can give what he does not hold"),
        (_, Refusal::WrongKind(_)) => (S::FORBIDDEN, "wrong_kind", "The wrong kind of token"),
        (_, Refusal::Duplicate(_)) => (S::CONFLICT, "duplicate", "There already"),
        (_, Refusal::Limit(_)) => (S::CONFLICT, "limit_reached", "A limit is reached"),
        (_, Refusal::State(_)) => (S::CONFLICT, "unlawful_state", "The state does not allow that"),
        (_, Refusal::OnceMismatch) => {
            (S::UNPROCESSABLE_ENTITY, "idempotency_mismatch", "The key was used with another request")
        }
        (_, Refusal::OnceGone(_)) => (S::CONFLICT, "idempotency_gone", "The answer was wiped"),
        (ErrorKind::Invalid, _) => (S::BAD_REQUEST, "malformed", "The request can't be read"),
        (ErrorKind::Unauthenticated, _) => (S::UNAUTHORIZED, "unauthenticated", "No good credential"),
        (ErrorKind::Forbidden, _) => (S::FORBIDDEN, "forbidden", "Not allowed"),
        (ErrorKind::NotFound, _) => (S::NOT_FOUND, "not_found", "Not there"),
        (ErrorKind::Conflict, _) => (S::CONFLICT, "conflict", "A conflict"),
        (ErrorKind::Unprocessable, _) => (S::UNPROCESSABLE_ENTITY, "unprocessable", "Can't be carried out"),
        (ErrorKind::Limited, _) => (S::TOO_MANY_REQUESTS, "limited", "Too much too often"),
        (ErrorKind::TooLarge, _) => (S::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
        (ErrorKind::Unavailable, _) => (S::SERVICE_UNAVAILABLE, "unavailable", "Not now"),
        (ErrorKind::OutcomeUnknown, _) => (S::SERVICE_UNAVAILABLE, "outcome_unknown", "The outcome is unknown"),
        (ErrorKind::Internal, _) => (S::INTERNAL_SERVER_ERROR, "internal", "Our fault"),
    }
}

/// The native dialect's one function from an error to a response.
pub(crate) fn document(error: &Error, request_id: &str) -> Response {
    let (status, code, title) = words(error);
    let kind = format!("https://tokenhouse.dev/problems/{code}");
    let (detail, request_id) = (error.message().to_owned(), request_id.to_owned());
    let mut problem = Problem { kind, title, status: status.as_u16(), detail, code, request_id, ..Problem::default() };
    problem.retry_after_seconds = error.retry_after();
    match error.refusal() {
        Refusal::Field(field) => problem.field = Some(field),
        Refusal::TooLong(field, limit) => {
            problem.field = Some(field);
            problem.limit = i64::try_from(*limit).ok();
        }
        Refusal::MissingPermission(permission) => problem.permission = Some(permission.to_string()),
        Refusal::NotCovered(permission) => problem.permission = Some(permission.clone()),
        Refusal::Limit(limit) => problem.limit = Some(*limit),
        Refusal::OnceGone(token) => problem.token_id = *token,
        _ => {}
    }
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
    refusal_headers(&mut response, error);
    response
}
