//! The form of a request (RFC 6749 appendix B).

use std::borrow::Cow;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use tokenhouse_model::{Error, ErrorKind, Refusal, Result, form};

use crate::App;
use crate::extract::read;

/// The parameters that are read here.
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
    /// A body that is of another type; `invalid_field` for a parameter that comes twice.
    pub(super) fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self> {
        typed(headers)?;
        let names = ["token", "client_id", "client_secret", "client_ip", "permission", "at_least", "epoch"];
        let [token, client_id, client_secret, client_ip, permission, at_least, epoch] = form::fields(body, names)?;
        Ok(Self { token, client_id, client_secret, client_ip, permission, at_least, epoch })
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
    let body = read(body, app.wire.body_limit).await?;
    Ok((parts, body))
}

/// What browsers send across origins without asking may be of this type too, but they can't add a credential to it.
pub(super) fn typed(headers: &HeaderMap) -> Result<()> {
    let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let essence = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return Ok(());
    }
    let message = "the body must be application/x-www-form-urlencoded";
    Err(Error::new(ErrorKind::Invalid, Refusal::MediaType, message))
}
