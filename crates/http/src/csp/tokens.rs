//! Asking about tokens and ending them by their values, as OAuth does (csp.md 1.7).

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokenhouse_authority::verify::Good;
use tokenhouse_authority::{grants, tokens};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::{Error, NEVER, Result, SecretText, Surface, form};

use super::Csp;
use super::api_tokens::done;
use super::exchange::proof;
use crate::dialect::{Reply, UNKEPT};
use crate::extract::{As, Unknown, counted, limited, read, sent_client};
use crate::{App, House};

/// The parameters of both, in the form or, as clients of this dialect do, in the query.
struct Form {
    token: Presented,
    client: Option<(String, Vec<SecretText>)>,
}

impl Form {
    async fn of(request: Request, limit: usize) -> Result<(Self, axum::http::HeaderMap)> {
        let (parts, body) = request.into_parts();
        let body = read(body, limit).await?;
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let names = ["token", "client_id", "client_secret"];
        let [token, client, secret] = form::fields(body.trim_ascii(), names)?;
        let [token_too, ..] = form::fields(query, names)?;
        let token = token.or(token_too).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Error::invalid("token", "is missing"))?;
        let secret = SecretText::new(secret.map(std::borrow::Cow::into_owned).unwrap_or_default());
        let client = client.filter(|id| !id.is_empty()).map(|id| (id.into_owned(), vec![secret]));
        Ok((Self { token: Presented::new(token.as_bytes()), client }, parts.headers))
    }
}

/// Tells an app whether an api token of its organization could be exchanged now (RFC 7662). Nothing is told of others, nor
/// of access tokens.
pub(super) async fn introspect(
    State(app): State<App>,
    Unknown(served): Unknown,
    request: Request,
) -> Reply<([(HeaderName, HeaderValue); 2], Json<Value>)> {
    let (form, headers) = Form::of(request, app.wire.body_limit).await?;
    let client = sent_client(&headers, form.client)?;
    let found = grants::exchangeable(&app.ctx, &proof(&client, &served), &form.token).await;
    let refused = |error| limited(&app, &served, client.tried(), counted(&app, Surface::Csp, error));
    let found = found.map_err(refused)?;
    Ok((UNKEPT, Json(found.map_or_else(|| json!({ "active": false }), |good| active(&good, &app.wire.public_url)))))
}

/// Times are in seconds (RFC 7662 2.2).
fn active(good: &Good, issuer: &str) -> Value {
    let token = good.token();
    let mut told = json!({
        "active": true,
        "scope": good.effective.to_string(),
        "client_id": token.owner_id,
        "username": good.account().map(|account| &account.identifier),
        "token_type": "refresh_token",
        "iat": token.created_at / 1000,
        "sub": token.owner_id,
        "iss": issuer,
        "jti": token.id,
        "context_name": good.org().id,
    });
    if let (Value::Object(members), true) = (&mut told, good.ends_at != NEVER) {
        members.insert("exp".to_owned(), (good.ends_at / 1000).into());
    }
    told
}

/// Ends the token of a value: one's own, or with the permission any of the organization (RFC 7009). What is not good any more
/// is ended already.
pub(super) async fn revoke(State(ctx): House, As(caller, _): Csp, request: Request) -> Reply<Response> {
    // Nothing that is sent here is longer than a few secrets.
    let (form, _) = Form::of(request, MOST).await?;
    match tokens::revoke_presented(&ctx, &caller, &form.token).await? {
        Some(ended) => Ok(done(&ended, json!({}))),
        None => Ok((UNKEPT, Json(json!({}))).into_response()),
    }
}

/// The most that a form here has, in bytes.
const MOST: usize = 16 * 1024;
