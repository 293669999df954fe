//! `/oauth2/token`: access tokens (RFC 9068) for what lives longer, by token exchange (RFC 8693) or as a refresh (RFC 6749 6).

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use tokenhouse_authority::grants::{self, Exchange};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::jwt::Typ;
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Error, ErrorKind, Kinds, PermissionSet, Refusal, Result, SecretText, Surface, TokenKind, form};

use super::form::{taken, typed};
use crate::App;
use crate::dialect::Reply;
use crate::extract::{Unknown, counted};
use crate::record::Served;

/// The grants, as metadata names them.
pub(super) const GRANTS: &[&str] = &[EXCHANGE, REFRESH];
/// RFC 8693 2.1.
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 6749 6: an api token is what it calls a refresh token.
const REFRESH: &str = "refresh_token";

/// What a token may be called that is to be exchanged (RFC 8693 3): whatever it is, it says itself what it is.
const SUBJECTS: &[&str] =
    &["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:refresh_token"];
/// What an access token is called in the answer.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The same as a format.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The longest name of a service, in bytes.
const LONGEST_AUDIENCE: usize = 512;

const NAMES: [&str; 11] = [
    "grant_type",
    "subject_token",
    "subject_token_type",
    "requested_token_type",
    "refresh_token",
    "scope",
    "audience",
    "resource",
    "actor_token",
    "algorithm",
    "client_id",
];

/// The answer (RFC 8693 2.2.1).
#[derive(Serialize)]
pub(super) struct Granted {
    access_token: SecretText,
    issued_token_type: &'static str,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

type Unkept = ([(HeaderName, HeaderValue); 2], Json<Granted>);

/// Gives an access token.
pub(super) async fn token(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Unkept> {
    let (parts, body) = taken(&app, request).await?;
    typed(&parts.headers)?;
    let granted = granted(&app, &served, &body).await?;
    let kept_by_nobody = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ];
    Ok((kept_by_nobody, Json(granted)))
}

async fn granted(app: &App, served: &Served, body: &[u8]) -> Result<Granted> {
    let fields = form::fields(body, NAMES)?.map(|value| value.filter(|text| !text.is_empty()));
    let [grant, subject, subject_type, requested, refresh, scope, audience, resource, actor, algorithm, _client] =
        fields.each_ref().map(Option::as_deref);
    let (presented, kinds) = match grant {
        Some(EXCHANGE) => {
            let subject = subject.ok_or_else(|| Error::invalid("subject_token", "is missing"))?;
            one_of("subject_token_type", subject_type, SUBJECTS)?;
            if requested.is_some_and(|text| text != ACCESS_TOKEN && text != JWT) {
                return Err(Error::invalid("requested_token_type", format_args!("must be {ACCESS_TOKEN} or {JWT}")));
            }
            if actor.is_some() {
                return Err(Error::invalid("actor_token", "is not read here: nobody acts for another"));
            }
            (subject, Kinds::ANY)
        }
        Some(REFRESH) => {
            let refresh = refresh.ok_or_else(|| Error::invalid("refresh_token", "is missing"))?;
            (refresh, Kinds::NONE.and(TokenKind::Api))
        }
        Some(_) => {
            let message = format!("grant_type must be one of {}", GRANTS.join(" "));
            return Err(Error::new(ErrorKind::Invalid, Refusal::GrantType, message));
        }
        None => return Err(Error::invalid("grant_type", "is missing")),
    };
    let scope = scope.map(|text| PermissionSet::parse(text.split_ascii_whitespace())).transpose()?;
    let algorithm = algorithm.map_or(Ok(Algorithm::Rs256), Algorithm::parse)?;
    let exchange = Exchange {
        presented: &Presented::new(presented.as_bytes()),
        surface: Surface::Verify,
        address: served.address,
        kinds,
        scope: scope.as_ref(),
        audience: target(audience, resource)?,
        algorithm,
        typ: Typ::AccessToken,
    };
    let granted = grants::exchange(&app.ctx, &exchange).await;
    let granted = granted.map_err(|error| invalid_grant(counted(app, Surface::Verify, error)))?;
    served.called_by(granted.account, granted.token);
    Ok(Granted {
        access_token: granted.text,
        issued_token_type: ACCESS_TOKEN,
        token_type: "Bearer",
        expires_in: granted.expires_in,
        scope: granted.permissions.to_string(),
    })
}

fn one_of(name: &'static str, value: Option<&str>, allowed: &[&str]) -> Result<()> {
    match value {
        Some(text) if allowed.contains(&text) => Ok(()),
        Some(_) => Err(Error::invalid(name, format_args!("must be one of {}", allowed.join(" ")))),
        None => Err(Error::invalid(name, "is missing")),
    }
}

/// The one service for which the access token is to be (RFC 8693 2.1, RFC 8707 2).
fn target<'a>(audience: Option<&'a str>, resource: Option<&'a str>) -> Result<Option<&'a str>> {
    if let Some(text) = resource
        && (!text.contains(':') || text.contains('#'))
    {
        return Err(Error::invalid("resource", "must be an absolute URI without a fragment"));
    }
    let one = match (audience, resource) {
        (Some(one), Some(other)) if one != other => {
            return Err(Error::invalid("resource", "names another service than audience: an access token is for one"));
        }
        (one, other) => one.or(other),
    };
    if one.is_some_and(|text| text.len() > LONGEST_AUDIENCE || text.chars().any(char::is_control)) {
        return Err(Error::too_long("audience", LONGEST_AUDIENCE));
    }
    Ok(one)
}

/// What is presented for exchange is the grant, and no authentication of a client (RFC 6749 5.2).
fn invalid_grant(error: Error) -> Error {
    match error.refusal() {
        Refusal::Credential(reason) => {
            let message = "the token that was presented is not valid";
            Error::new(ErrorKind::Invalid, Refusal::Grant(*reason), message)
        }
        _ => error,
    }
}
