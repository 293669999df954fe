//! `/oauth2/token`: access tokens (RFC 9068) for apps by their secrets (RFC 6749 4.4), and for what lives longer by token
//! exchange (RFC 8693) or as a refresh (RFC 6749 6).

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use tokenhouse_authority::failures::Tried;
use tokenhouse_authority::grants::{self, Client, ClientGrant, Exchange, IdToken, Terms};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::id::parse;
use tokenhouse_model::jwt::Typ;
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Error, ErrorKind, Kinds, PermissionSet, Refusal, Result, SecretText, Surface, TokenKind, form};

use super::form::{taken, typed};
use crate::App;
use crate::dialect::{Reply, UNKEPT};
use crate::extract::{Unknown, counted, limited, sent_client};
use crate::record::Served;

/// The grants, as metadata names them.
pub(super) const GRANTS: &[&str] = &[CLIENT, EXCHANGE, REFRESH];
/// RFC 6749 4.4.
const CLIENT: &str = "client_credentials";
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

const NAMES: [&str; 13] = [
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
    "client_secret",
    "org_id",
];

/// The answer (RFC 8693 2.2.1).
#[derive(Serialize)]
pub(super) struct Granted {
    access_token: SecretText,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

type Unkept = ([(HeaderName, HeaderValue); 2], Json<Granted>);

/// Gives an access token.
pub(super) async fn token(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Unkept> {
    let (parts, body) = taken(&app, request).await?;
    typed(&parts.headers)?;
    let granted = granted(&app, &served, &parts.headers, &body).await?;
    Ok((UNKEPT, Json(granted)))
}

/// The parameters that are read.
struct Fields<'a> {
    subject: Option<&'a str>,
    subject_type: Option<&'a str>,
    requested: Option<&'a str>,
    actor: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// What is to be exchanged.
    fn subject(&self) -> Result<&'a str> {
        let subject = self.subject.ok_or_else(|| Error::invalid("subject_token", "is missing"))?;
        one_of("subject_token_type", self.subject_type, SUBJECTS)?;
        if self.requested.is_some_and(|text| text != ACCESS_TOKEN && text != JWT) {
            return Err(Error::invalid("requested_token_type", format_args!("must be {ACCESS_TOKEN} or {JWT}")));
        }
        if self.actor.is_some() {
            return Err(Error::invalid("actor_token", "is not read here: nobody acts for another"));
        }
        Ok(subject)
    }
}

async fn granted(app: &App, served: &Served, headers: &HeaderMap, body: &[u8]) -> Result<Granted> {
    let fields = form::fields(body, NAMES)?.map(|value| value.filter(|text| !text.is_empty()));
    let [
        grant,
        subject,
        subject_type,
        requested,
        refresh,
        scope,
        audience,
        resource,
        actor,
        algorithm,
        client,
        secret,
        org,
    ] = fields.each_ref().map(Option::as_deref);
    let scope = scope.map(|text| PermissionSet::parse(text.split_ascii_whitespace())).transpose()?;
    let wanted = Terms {
        scope: scope.as_ref(),
        audience: target(audience, resource)?,
        algorithm: algorithm.map_or(Ok(Algorithm::Rs256), Algorithm::parse)?,
        typ: Typ::AccessToken,
        id_token: IdToken::Never,
    };
    let (surface, address) = (Surface::Verify, served.address);
    let exchange = async |presented: &str, kinds| {
        let presented = &Presented::new(presented.as_bytes());
        let exchanged = grants::exchange(&app.ctx, &Exchange { presented, surface, address, kinds, wanted }).await;
        exchanged.map_err(|error| {
            limited(app, served, Tried::Secret(presented), invalid_grant(counted(app, surface, error)))
        })
    };
    let granted = match grant {
        Some(CLIENT) => {
            let org = org.map(|id| parse("org_id", id)).transpose()?;
            let sent = client.map(|id| (id.to_owned(), vec![SecretText::new(secret.unwrap_or_default().to_owned())]));
            let client = sent_client(headers, sent)?;
            let (id, secrets) = (&*client.id, &*client.secrets);
            let proof = Client { id, secrets, surface, address };
            let granted = grants::client(&app.ctx, &ClientGrant { client: proof, org, wanted }).await;
            granted.map_err(|error| limited(app, served, client.tried(), counted(app, surface, error)))?
        }
        Some(EXCHANGE) => exchange(Fields { subject, subject_type, requested, actor }.subject()?, Kinds::ANY).await?,
        Some(REFRESH) => {
            let refresh = refresh.ok_or_else(|| Error::invalid("refresh_token", "is missing"))?;
            exchange(refresh, Kinds::NONE.and(TokenKind::Api)).await?
        }
        Some(_) => {
            let message = format!("grant_type must be one of {}", GRANTS.join(" "));
            return Err(Error::new(ErrorKind::Invalid, Refusal::GrantType, message));
        }
        None => return Err(Error::invalid("grant_type", "is missing")),
    };
    served.called_by(granted.account, granted.token);
    Ok(Granted {
        access_token: granted.text,
        issued_token_type: (grant == Some(EXCHANGE)).then_some(ACCESS_TOKEN),
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
