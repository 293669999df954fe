//! Exchanging api tokens for access tokens, and asking what an api token is (csp.md 1.1 to 1.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokenhouse_authority::failures::{self, Tried};
use tokenhouse_authority::grants::{self, Client, ClientGrant, Exchange, Granted, IdToken, Terms};
use tokenhouse_authority::{Ctx, api_tokens};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::jwt::Typ;
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Error, ErrorKind, Kinds, PermissionSet, Refusal, Result, SecretText, Surface, TokenKind};

use super::asked::Asked;
use super::shapes::Details;
use crate::dialect::{Reply, UNKEPT};
use crate::extract::{Body, SentClient, Unknown, counted, limited, read};
use crate::record::Served;
use crate::{App, House};

/// What an exchange answers: these six members and no other, as one client refuses a seventh (csp.md G1).
#[derive(Serialize)]
pub(super) struct AccessToken {
    access_token: SecretText,
    /// The api token once more: one client takes it for its next exchange (csp.md G2). Null for an app.
    refresh_token: Option<SecretText>,
    /// Who it is, where an api token may tell that.
    id_token: Option<SecretText>,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

impl AccessToken {
    fn of(granted: Granted, refresh_token: Option<SecretText>) -> Self {
        Self {
            access_token: granted.text,
            refresh_token,
            id_token: granted.id_token,
            token_type: "bearer",
            expires_in: granted.expires_in,
            scope: granted.permissions.to_string(),
        }
    }
}

type Unkept<T> = ([(HeaderName, HeaderValue); 2], Json<T>);

fn unkept<T>(value: T) -> Unkept<T> {
    (UNKEPT, Json(value))
}

/// Exchanges an api token. What grant it is called is not looked at (csp.md 1.1).
pub(super) async fn authorize(
    State(app): State<App>,
    Unknown(served): Unknown,
    request: Request,
) -> Reply<Unkept<AccessToken>> {
    let (parts, body) = request.into_parts();
    let body = read(body, app.wire.body_limit).await?;
    Ok(unkept(exchanged(&app, &served, &Asked::read(&parts, &body)?).await?))
}

/// The grants of OAuth (csp.md 1.2).
pub(super) async fn token(
    State(app): State<App>,
    Unknown(served): Unknown,
    request: Request,
) -> Reply<Unkept<AccessToken>> {
    let (parts, body) = request.into_parts();
    let body = read(body, app.wire.body_limit).await?;
    let asked = Asked::read(&parts, &body)?;
    match asked.grant_type.as_deref() {
        Some("client_credentials") => Ok(unkept(granted(&app, &served, &parts, &asked).await?)),
        Some("refresh_token" | "api_token") => Ok(unkept(exchanged(&app, &served, &asked).await?)),
        Some(_) => {
            let message = "unsupported_grant_type: grant_type must be client_credentials or refresh_token";
            Err(Error::new(ErrorKind::Invalid, Refusal::GrantType, message).into())
        }
        None => Err(Error::invalid("grant_type", "is missing").into()),
    }
}

async fn exchanged(app: &App, served: &Served, asked: &Asked) -> Result<AccessToken> {
    let presented = asked.token()?;
    let scope = asked.scope()?;
    let exchange = Exchange {
        presented,
        surface: Surface::Csp,
        address: served.address,
        kinds: Kinds::NONE.and(TokenKind::Api),
        wanted: wanted(&scope),
    };
    let granted = grants::exchange(&app.ctx, &exchange).await;
    let refused =
        |error| limited(app, served, Tried::Secret(presented), invalid_grant(counted(app, Surface::Csp, error)));
    let granted = granted.map_err(refused)?;
    served.called_by(granted.account, granted.token);
    let value = SecretText::new(String::from_utf8_lossy(presented.bytes()).into_owned());
    Ok(AccessToken::of(granted, Some(value)))
}

/// What this dialect's access tokens are.
fn wanted((scope, id_token): &(Option<PermissionSet>, IdToken)) -> Terms<'_> {
    let (scope, id_token) = (scope.as_ref(), *id_token);
    Terms { scope, audience: None, algorithm: Algorithm::Rs256, typ: Typ::Jwt, id_token }
}

/// How a client proves itself here.
pub(super) fn proof<'a>(client: &'a SentClient, served: &Served) -> Client<'a> {
    Client { id: &client.id, secrets: &client.secrets, surface: Surface::Csp, address: served.address }
}

/// An access token for an app. Wrong credentials are 401 (csp.md G12).
async fn granted(app: &App, served: &Served, parts: &Parts, asked: &Asked) -> Result<AccessToken> {
    let client = asked.client(parts)?;
    let (scope, org) = (asked.scope()?, asked.org.as_deref());
    let org = org.map(|text| tokenhouse_model::id::parse("organization", text)).transpose()?;
    let proof = proof(&client, served);
    let granted = grants::client(&app.ctx, &ClientGrant { client: proof, org, wanted: wanted(&scope) }).await;
    let refused = |error| limited(app, served, client.tried(), counted(app, Surface::Csp, error));
    let granted = granted.map_err(refused)?;
    served.called_by(granted.account, granted.token);
    Ok(AccessToken::of(granted, None))
}

/// What clients look for in the message (csp.md 1.8). The token itself, or its end, is not repeated.
const INVALID: &str = "invalid_grant: Invalid refresh token";

/// A credential that is refused here is a bad request and no missing authentication (csp.md G12).
fn invalid_grant(error: Error) -> Error {
    match error.refusal() {
        Refusal::Credential(reason) => {
            Error::new(ErrorKind::Invalid, Refusal::Grant(*reason), INVALID).because(format!("it is {reason}"))
        }
        _ => error,
    }
}

/// What is asked about an api token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DetailsRequest {
    token_value: Option<SecretText>,
}

/// Tells what an api token is, for whoever has it.
pub(super) async fn details(
    State(ctx): House,
    Unknown(served): Unknown,
    Body(ask): Body<DetailsRequest>,
) -> Reply<Unkept<Details>> {
    Ok(unkept(told(&ctx, &served, ask).await?))
}

async fn told(ctx: &Arc<Ctx>, served: &Served, ask: DetailsRequest) -> Result<Details> {
    let value = ask.token_value.filter(|value| !value.expose().is_empty());
    let value = value.ok_or_else(|| Error::invalid("tokenValue", "is missing"))?;
    let presented = Presented::new(value.expose().as_bytes());
    let view = api_tokens::details(ctx, &presented).await.map_err(|error| match error.kind() {
        // Here a bad credential is one that is not there.
        ErrorKind::NotFound => failures::refused(ctx, served.address, Tried::Secret(&presented), error),
        _ => error,
    })?;
    Ok(Details::of(&view, Some(value)))
}
