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

/// A JSON body that may be left out: nothing, blanks and `null` are all the default. Its content type says nothing:
/// clients send `text/plain` with JSON in it, and JSON with a GET.
#[derive(Debug)]
pub(super) struct Lenient<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<App> for Lenient<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let bytes = read(request.into_body(), app.wire.body_limit).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self(T::default()));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| unreadable(&error).into())
    }
}

/// A list of ids: JSON texts. A client sends objects with an `id` or `identifier` where it has those (wavefront.md 7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
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
