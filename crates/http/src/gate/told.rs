//! What a gateway is answered. Whoever is refused learns no reason; the log has it, by the request's id.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response as Answer, StatusCode, header};
use axum::response::Response;
use tokenhouse_authority::verify::Good;
use tokenhouse_model::decide::Reason;
use tokenhouse_model::{Error, Uuid};

use super::asked::GATE;

/// Who it is, for the upstream. All of them are always there, so that a gateway that copies them overwrites whatever the
/// end client forged.
const ORG: HeaderName = HeaderName::from_static("x-tokenhouse-org");
const ACCOUNT: HeaderName = HeaderName::from_static("x-tokenhouse-account");
const IDENTIFIER: HeaderName = HeaderName::from_static("x-tokenhouse-identifier");
const TOKEN: HeaderName = HeaderName::from_static("x-tokenhouse-token");
const KIND: HeaderName = HeaderName::from_static("x-tokenhouse-kind");
/// How old the answer may be, in milliseconds, where it was given without the database.
const STALE: HeaderName = HeaderName::from_static("x-tokenhouse-stale-ms");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// When to ask again, in seconds, where the truth can't be told.
pub(super) const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a request does not pass.
#[derive(Debug)]
pub(super) enum Stop {
    /// The gateway's own credential is missing or refused: why, for the log.
    Gateway(Cow<'static, str>),
    /// No credential.
    Nobody,
    /// Credentials that can't be read.
    Unreadable(&'static str),
    /// A credential that is not good.
    Credential(Reason),
    /// A request that no rule allows, or a good credential that is not good for it.
    Short {
        /// Why, for the log.
        why: &'static str,
        /// The permission that is missing.
        permission: Option<String>,
    },
    /// The truth can't be told: why, for the log.
    Unsure(Cow<'static, str>),
}

impl Stop {
    pub(super) fn unsure(error: Error) -> Self {
        let cause = error.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::Unsure(format!("{error}{cause}").into())
    }

    /// The status that tells it.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Gateway(_) | Self::Nobody | Self::Unreadable(_) | Self::Credential(_) => StatusCode::UNAUTHORIZED,
            Self::Short { .. } => StatusCode::FORBIDDEN,
            Self::Unsure(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the end client may know (RFC 6750 section 3); `None` where there is nothing that he could do.
    pub(super) fn challenge(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static(match self {
            Self::Gateway(_) => "Bearer realm=\"tokenhouse gate\", error=\"invalid_token\"",
            Self::Nobody => "Bearer realm=\"tokenhouse\"",
            Self::Unreadable(_) | Self::Credential(_) => "Bearer realm=\"tokenhouse\", error=\"invalid_token\"",
            Self::Short { permission: None, .. } => SHORT,
            Self::Short { permission: Some(permission), .. } => return Some(scope(permission)),
            Self::Unsure(_) => return None,
        }))
    }

    /// The one log line that says why.
    pub(super) fn log(&self, request_id: &str) {
        let why = match self {
            Self::Gateway(why) => {
                return tracing::warn!(request_id, %why, "the gate refuses the gateway's own credential");
            }
            Self::Unsure(why) => return tracing::warn!(request_id, %why, "the gate can't tell"),
            Self::Nobody => "no credential",
            Self::Unreadable(why) | Self::Short { why, .. } => why,
            Self::Credential(reason) => reason.as_str(),
        };
        tracing::info!(request_id, why, "the gate refuses");
    }
}

const SHORT: &str = "Bearer realm=\"tokenhouse\", error=\"insufficient_scope\"";

/// The challenge that names the permission, where it can stand in one (RFC 6750 section 3).
fn scope(permission: &str) -> HeaderValue {
    let plain = permission.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    let named = HeaderValue::try_from(format!("{SHORT}, scope=\"{permission}\""));
    named.ok().filter(|_| plain).unwrap_or(HeaderValue::from_static(SHORT))
}

/// Who it is, as headers.
pub(super) fn identity(good: &Good) -> [(HeaderName, HeaderValue); 5] {
    let token = good.token();
    let identifier = good.account().map_or("", |account| account.identifier.as_str());
    // One piece of memory for all of them.
    let mut text = Vec::with_capacity(3 * ID + identifier.len());
    for id in [good.org().id, token.id, token.owner_id] {
        text.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    }
    for byte in identifier.bytes() {
        match byte {
            b'%' | ..=b' ' | 0x7F.. => text.extend_from_slice(&escape(byte)),
            plain => text.push(plain),
        }
    }
    let text = Bytes::from(text);
    let part = |range| HeaderValue::from_maybe_shared(text.slice(range)).unwrap_or(HeaderValue::from_static(""));
    let account = if token.owner_id.is_nil() { HeaderValue::from_static("") } else { part(2 * ID..3 * ID) };
    [
        (ORG, part(0..ID)),
        (ACCOUNT, account),
        (IDENTIFIER, part(3 * ID..text.len())),
        (TOKEN, part(ID..2 * ID)),
        (KIND, HeaderValue::from_static(token.kind.as_str())),
    ]
}

/// The length of an id in text.
const ID: usize = 36;

fn escape(byte: u8) -> [u8; 3] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'A' + value - 10 };
    [b'%', digit(byte >> 4), digit(byte & 15)]
}

/// It passes: who it is.
pub(super) fn passed(good: &Good) -> Response {
    let mut answer = Answer::new(Body::empty());
    let headers = answer.headers_mut();
    headers.reserve(8);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    for (name, value) in identity(good) {
        headers.insert(name, value);
    }
    if let Some(stale) = good.stale {
        headers.insert(STALE, HeaderValue::from(stale));
    }
    answer
}

/// It does not.
pub(super) fn stopped(stop: &Stop) -> Response {
    let mut answer = Answer::new(Body::empty());
    *answer.status_mut() = stop.status();
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    if let Some(challenge) = stop.challenge() {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    match stop {
        Stop::Gateway(_) => {
            headers.insert(GATE, HeaderValue::from_static("refused"));
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            *answer.body_mut() = Body::from("the gateway's own credential is refused (X-Tokenhouse-Gate)\n");
        }
        Stop::Unsure(_) => _ = headers.insert(header::RETRY_AFTER, RETRY_AFTER),
        _ => {}
    }
    answer
}
