//! How clients of VMware Cloud Services send what they want to have exchanged: as a form, in the query, or as JSON, of any
//! content type or none (csp.md 1.1, 1.2, G8).

use std::borrow::Cow;

use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenhouse_authority::grants::IdToken;
use tokenhouse_model::asked::OPENID;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::{Error, PermissionSet, Result, SecretText, form};

use crate::extract::{SentClient, sent_client, unreadable};

/// The parameters that are read.
const NAMES: [&str; 9] = [
    "api_token",
    "refresh_token",
    "grant_type",
    "scope",
    "allowed_resource_scope",
    "orgId",
    "org_id",
    "client_id",
    "client_secret",
];

/// What was sent.
#[derive(Default)]
pub(super) struct Asked {
    api_token: Option<Presented>,
    refresh_token: Option<Presented>,
    pub(super) grant_type: Option<String>,
    pub(super) org: Option<String>,
    client: Option<(String, Vec<SecretText>)>,
    scope: Option<String>,
    narrowed: bool,
}

/// The same in JSON. What else stands there is passed over.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    api_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    refresh_token: Option<Cow<'a, str>>,
    grant_type: Option<String>,
    scope: Option<String>,
    #[serde(rename = "orgId", alias = "org_id")]
    org_id: Option<String>,
    allowed_resource_scope: Option<IgnoredAny>,
}

impl Asked {
    /// Reads all three places: the form goes before the query, the query before JSON. Whatever is empty is not there.
    ///
    /// # Errors
    /// `invalid_field` for what comes twice in one place; `malformed` for JSON that can't be read.
    pub(super) fn read(parts: &Parts, body: &[u8]) -> Result<Self> {
        let body = body.trim_ascii();
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        if body.starts_with(b"{") {
            let json: Json<'_> = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
            return Ok(Self::of_form(query)?.or(Self {
                api_token: json.api_token.as_deref().and_then(presented),
                refresh_token: json.refresh_token.as_deref().and_then(presented),
                grant_type: json.grant_type,
                scope: json.scope,
                org: json.org_id,
                client: None,
                narrowed: json.allowed_resource_scope.is_some(),
            }));
        }
        Ok(Self::of_form(body)?.or(Self::of_form(query)?))
    }

    fn of_form(text: &[u8]) -> Result<Self> {
        let [api, refresh, grant_type, scope, narrowed, org, org_too, client, secret] =
            form::fields(text, NAMES)?.map(filled);
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let text_of = |secret: Option<Cow<'_, str>>| SecretText::new(secret.map(Cow::into_owned).unwrap_or_default());
        Ok(Self {
            api_token: api.as_deref().and_then(presented),
            refresh_token: refresh.as_deref().and_then(presented),
            grant_type: owned(grant_type),
            scope: owned(scope),
            narrowed: narrowed.is_some(),
            org: owned(org.or(org_too)),
            client: owned(client).map(|client| (client, vec![text_of(secret)])),
        })
    }

    fn or(self, other: Self) -> Self {
        Self {
            api_token: self.api_token.or(other.api_token),
            refresh_token: self.refresh_token.or(other.refresh_token),
            grant_type: self.grant_type.or(other.grant_type),
            scope: self.scope.or(other.scope),
            narrowed: self.narrowed || other.narrowed,
            org: self.org.or(other.org),
            client: self.client.or(other.client),
        }
    }

    /// The api token, under its newer name or its older (csp.md G10).
    ///
    /// # Errors
    /// `invalid_field` where there is none.
    pub(super) fn token(&self) -> Result<&Presented> {
        let token = self.api_token.as_ref().or(self.refresh_token.as_ref());
        token.ok_or_else(|| Error::invalid("api_token", "is missing"))
    }

    /// The client and its secret: of the header, else of the body (csp.md 1.2).
    ///
    /// # Errors
    /// `unauthenticated` where there is none; `malformed` for a header that is not Basic.
    pub(super) fn client(&self, parts: &Parts) -> Result<SentClient> {
        sent_client(&parts.headers, self.client.clone())
    }

    /// The permissions to which the access token is to be narrowed, and whether it is asked who it is for: whoever names
    /// scopes asks for that by name as well.
    ///
    /// # Errors
    /// `invalid_field`, also for what would narrow it further in a way that nobody here reads.
    pub(super) fn scope(&self) -> Result<(Option<PermissionSet>, IdToken)> {
        if self.narrowed {
            return Err(Error::invalid("allowed_resource_scope", "is not read here: name permissions in scope"));
        }
        let Some(text) = &self.scope else { return Ok((None, IdToken::Allowed)) };
        let (openid, names): (Vec<_>, Vec<_>) = text.split_ascii_whitespace().partition(|name| *name == OPENID);
        let id_token = if openid.is_empty() { IdToken::Never } else { IdToken::Asked };
        Ok((Some(PermissionSet::parse(names)?), id_token))
    }
}

fn filled(value: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    value.filter(|text| !text.is_empty())
}

fn presented(text: &str) -> Option<Presented> {
    (!text.is_empty()).then(|| Presented::new(text.as_bytes()))
}
