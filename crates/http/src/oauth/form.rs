//! The form of a request (RFC 6749 appendix B).

use std::borrow::Cow;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use tokenhouse_model::{Error, ErrorKind, Refusal, Result};

use crate::App;
use crate::extract::read;

/// The parameters that are read here. Unknown ones are passed over (RFC 6749 3.2).
#[derive(Default)]
pub(super) struct Form<'a> {
    pub(super) token: Option<Cow<'a, str>>,
    pub(super) client_id: Option<Cow<'a, str>>,
    pub(super) client_secret: Option<Cow<'a, str>>,
    /// The address of whoever presented the token.
    pub(super) client_ip: Option<Cow<'a, str>>,
    /// The permission that the token must carry.
    pub(super) permission: Option<Cow<'a, str>>,
    /// A receipt's revision, and its epoch.
    pub(super) at_least: Option<Cow<'a, str>>,
    pub(super) epoch: Option<Cow<'a, str>>,
}

impl<'a> Form<'a> {
    /// Reads a form.
    ///
    /// # Errors
    /// `malformed` for a parameter that comes twice (RFC 6749 3.2). What was sent is never repeated.
    pub(super) fn read(body: &'a [u8]) -> Result<Self> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let (name, place) = match &*name {
                "token" => ("token", &mut form.token),
                "client_id" => ("client_id", &mut form.client_id),
                "client_secret" => ("client_secret", &mut form.client_secret),
                "client_ip" => ("client_ip", &mut form.client_ip),
                "permission" => ("permission", &mut form.permission),
                "at_least" => ("at_least", &mut form.at_least),
                "epoch" => ("epoch", &mut form.epoch),
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Error::invalid(name, "must not be repeated"));
            }
        }
        Ok(form)
    }

    /// The token that the request is about.
    pub(super) fn token(&self) -> Result<&str> {
        let token = self.token.as_deref().filter(|token| !token.is_empty());
        token.ok_or_else(|| Error::invalid("token", "is missing"))
    }

    /// A number among the parameters.
    pub(super) fn number(name: &'static str, value: Option<&str>) -> Result<Option<i64>> {
        let read = value.map(|text| text.parse().map_err(|_| Error::invalid(name, "must be a number")));
        read.transpose()
    }
}

/// Splits a request and reads its body.
pub(super) async fn taken(app: &App, request: axum::extract::Request) -> Result<(Parts, axum::body::Bytes)> {
    let (parts, body) = request.into_parts();
    typed(&parts.headers)?;
    let body = read(body, app.wire.body_limit).await?;
    Ok((parts, body))
}

/// What browsers send across origins without asking may be of this type too, but they can't add a credential to it.
fn typed(headers: &HeaderMap) -> Result<()> {
    let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let essence = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return Ok(());
    }
    let message = "the body must be application/x-www-form-urlencoded";
    Err(Error::new(ErrorKind::Invalid, Refusal::MediaType, message))
}
