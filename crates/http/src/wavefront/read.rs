//! How Wavefront's clients send things: bodies that may be missing, empty or `null`, of any content type, and flags in
//! any case (wavefront.md 1.1, gotchas 10, 11, 13).

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tokenhouse_model::{Error, Surface};

use crate::App;
use crate::dialect::Refused;
use crate::extract::{As, Door, read, unreadable};

/// The dialect's door.
#[derive(Debug)]
pub(super) struct WavefrontDoor;

impl Door for WavefrontDoor {
    const SURFACE: Surface = Surface::Wavefront;
}

/// A caller of this dialect.
pub(super) type Wavefront = As<WavefrontDoor>;

/// The door of the proxies, which send their token in the query too (wavefront.md 2).
#[derive(Debug)]
pub(super) struct ProxyDoor;

impl Door for ProxyDoor {
    const SURFACE: Surface = Surface::Wavefront;
    const QUERY: &'static [&'static str] = &["token", "api_key"];
}

/// A proxy as the caller.
pub(super) type Proxy = As<ProxyDoor>;

/// What may be sent as a body.
pub(super) trait Sent: DeserializeOwned + Default {
    /// Whether it is a list; else it is an object, and a list is not taken for one member by member.
    const LIST: bool = false;
}

/// A JSON body that may be left out: nothing, blanks and `null` are all the default. Its content type says nothing:
/// clients send `text/plain` with JSON in it, and JSON with a GET.
#[derive(Debug)]
pub(super) struct Lenient<T>(pub(super) T);

impl<T: Sent> FromRequest<App> for Lenient<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let bytes = read(request.into_body(), app.wire.body_limit).await?;
        let text = bytes.trim_ascii();
        if matches!(text, b"" | b"null") {
            return Ok(Self(T::default()));
        }
        if T::LIST != (text.first() == Some(&b'[')) {
            let what = if T::LIST { "a list" } else { "an object" };
            return Err(Error::malformed(format!("the body must be {what} in JSON")).into());
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| unreadable(&error).into())
    }
}

/// A list of ids: JSON texts. A client sends objects with an `id` or `identifier` where it has those (wavefront.md 7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids(pub(super) Vec<String>);

impl Sent for Ids {
    const LIST: bool = true;
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "an item of the list must be an identifier")]
        enum One {
            Text(String),
            Object {
                #[serde(alias = "identifier")]
                id: String,
            },
        }
        let all = Option::<Vec<One>>::deserialize(deserializer)?.unwrap_or_default();
        let text = |one| match one {
            One::Text(text) | One::Object { id: text } => text,
        };
        Ok(Self(all.into_iter().map(text).collect()))
    }
}

/// The query's parameters, decoded once. Unknown ones are left alone: clients send what other servers know.
#[derive(Debug)]
pub(super) struct Asked(Vec<(String, String)>);

impl FromRequestParts<App> for Asked {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refused> {
        // What is wrong is not repeated: a query can hold a secret.
        let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let read = read.map_err(|_| Error::malformed("the query can't be read"))?;
        Ok(Self(read.0))
    }
}

impl Asked {
    /// A parameter's text; the first of several.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A flag, in any case; anything that is not true is false.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A number, as paging asks for it.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(super) fn number(&self, name: &'static str, default: u32) -> Result<u32, Error> {
        match self.text(name).filter(|text| !text.is_empty()) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Error::invalid(name, "must be a number that is not negative")),
        }
    }
}

/// The value of a form's field (`application/x-www-form-urlencoded`), as older clients send it (wavefront.md 7.1).
///
/// # Errors
/// `invalid_field` where it is missing.
pub(super) fn form_value(body: &[u8], name: &'static str) -> Result<String, Error> {
    let unread = || Error::malformed("the form can't be read");
    let text = std::str::from_utf8(body).map_err(|_| unread())?;
    let uri = format!("/?{}", text.trim()).parse().map_err(|_| unread())?;
    let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| unread())?;
    let value = read.0.into_iter().find(|(key, _)| key == name).map(|(_, value)| value);
    value.ok_or_else(|| Error::invalid(name, "is missing"))
}
