//! How VMware Cloud Services say what went wrong (csp.md 1.8).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tokenhouse_model::{Error, ErrorKind, Refusal};

use crate::dialect::refusal_headers;

/// The module that speaks: that of accounts and tokens.
const MODULE: u16 = 540;

/// `moduleCode` and `statusCode` are numbers: clients decode them into such.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    csp_error_code: String,
    error_code: String,
    message: &'a str,
    metadata: Value,
    module_code: u16,
    request_id: &'a str,
    status_code: u16,
    trace_id: &'a str,
    /// For libraries of OAuth (RFC 6749 5.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(rename = "error_description", skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
}

fn status(error: &Error) -> StatusCode {
    use StatusCode as S;
    match (error.kind(), error.refusal()) {
        (_, Refusal::Method) => S::METHOD_NOT_ALLOWED,
        (_, Refusal::MediaType) => S::UNSUPPORTED_MEDIA_TYPE,
        // Too many tokens are a bad request here (csp.md 4.1).
        (_, Refusal::Limit(..)) => S::BAD_REQUEST,
        (ErrorKind::Unauthenticated, _) => S::UNAUTHORIZED,
        (ErrorKind::Forbidden, _) => S::FORBIDDEN,
        (ErrorKind::NotFound, _) => S::NOT_FOUND,
        (ErrorKind::TooLarge, _) => S::PAYLOAD_TOO_LARGE,
        (ErrorKind::Limited, _) => S::TOO_MANY_REQUESTS,
        (ErrorKind::Conflict, _) => S::CONFLICT,
        (ErrorKind::Invalid | ErrorKind::Unprocessable, _) => S::BAD_REQUEST,
        (ErrorKind::Unavailable | ErrorKind::OutcomeUnknown, _) => S::SERVICE_UNAVAILABLE,
        (ErrorKind::Internal, _) => S::INTERNAL_SERVER_ERROR,
    }
}

/// The dialect's one function from an error to a response.
pub(crate) fn tell(error: &Error, request_id: &str) -> Response {
    let status = status(error);
    let code = status.as_u16();
    let word = match error.refusal() {
        Refusal::Grant(_) => Some("invalid_grant"),
        Refusal::GrantType => Some("unsupported_grant_type"),
        _ => None,
    };
    let told = Told {
        csp_error_code: format!("{MODULE}.{code}"),
        error_code: format!("{MODULE}.{code}"),
        message: error.message(),
        metadata: Value::Null,
        module_code: MODULE,
        request_id,
        status_code: code,
        trace_id: request_id,
        error: word,
        error_description: word.map(|_| error.message()),
    };
    let mut response = (status, Json(told)).into_response();
    refusal_headers(&mut response, error);
    response
}
