//! `/oauth2/introspect` (RFC 7662), with members of our own.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Serialize, Serializer};
use tokenhouse_authority::verify::{self, AtLeast, Good, Question, Verdict};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::{Error, Kinds, Millis, NEVER, PermissionSet, Surface, Uuid};

use super::client::asker;
use super::form::{Form, taken};
use crate::App;
use crate::dialect::Reply;
use crate::extract::Unknown;
use crate::record::Served;

/// The answer about a good token (RFC 7662 2.2). Times are in seconds since the epoch.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    /// Its permissions.
    #[serde(serialize_with = "joined")]
    scope: &'a PermissionSet,
    /// For whom it was made: the account, or an org token itself.
    client_id: Uuid,
    /// The account's e-mail address or `sa::name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    sub: Uuid,
    iss: &'a str,
    /// The token's public id.
    jti: Uuid,
    // Our own from here.
    org_id: Uuid,
    kind: &'static str,
    name: &'a str,
    #[serde(flatten)]
    as_of: AsOf,
}

/// The answer about any other. The reason is for the resource server; it must not tell it to the client.
#[derive(Serialize)]
struct Inactive {
    active: bool,
    reason: &'static str,
    #[serde(flatten)]
    as_of: AsOf,
}

/// As of when it is true.
#[derive(Clone, Copy, Serialize)]
struct AsOf {
    epoch: i64,
    /// Nothing up to this revision of the ledger is missing in the answer.
    revision: i64,
    /// How old the answer may be, in milliseconds, where it was given without the database, as the operator allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_ms: Option<Millis>,
}

fn joined<S: Serializer>(set: &PermissionSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(set)
}

/// As the router comes here, for methods and documents.
pub(super) async fn routed(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Response> {
    introspect(&app, &served, request).await
}

/// Tells a resource server whether a token is good, and whose it is. Another org's is as good as unknown.
pub(crate) async fn introspect(app: &App, served: &Served, request: Request) -> Reply<Response> {
    let (parts, body) = taken(app, request).await?;
    let form = Form::read(&body)?;
    let asker = asker(app, served, &parts, &form).await?;
    let presented = Presented::new(form.token()?.as_bytes());
    let question = question(&form, &presented)?;
    let position = verify::position(&app.ctx);
    let verdict = verify::ask(&app.ctx, asker, &question).await?;
    app.metrics.verdict(Surface::Verify, verdict.outcome());
    let position = position.unwrap_or_default();
    // The answer waited for what was asked for, which this node may not have applied yet when it arrived.
    let waited = question.at_least.map(|at_least| (at_least.epoch.unwrap_or(position.0), at_least.revision));
    let (epoch, revision) = waited.map_or(position, |waited| position.max(waited));
    let body = match &verdict {
        Verdict::Refused(refused) => {
            let as_of = AsOf { epoch, revision, stale_ms: refused.stale };
            serde_json::to_vec(&Inactive { active: false, reason: refused.reason.as_str(), as_of })
        }
        Verdict::Good(good) => {
            serde_json::to_vec(&active(good, &app.wire.public_url, AsOf { epoch, revision, stale_ms: good.stale }))
        }
    };
    let mut response = body.map_err(Error::internal)?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn question<'a>(form: &'a Form<'_>, presented: &'a Presented) -> Result<Question<'a>, Error> {
    let address = form.client_ip.as_deref().map(str::parse);
    let address = address.transpose().map_err(|_| Error::invalid("client_ip", "must be an IP address"))?;
    let permission = form.permission.as_deref();
    permission.map_or(Ok(()), tokenhouse_model::permission::check)?;
    let (revision, epoch) = (form.at_least.as_deref(), form.epoch.as_deref());
    let at_least = AtLeast::of(Form::number("at_least", revision)?, Form::number("epoch", epoch)?)?;
    let kinds = Kinds::ANY;
    Ok(Question { presented, surface: Surface::Verify, address, permission, kinds, at_least })
}

fn active<'a>(good: &'a Good, issuer: &'a str, as_of: AsOf) -> Active<'a> {
    let (token, account) = (good.token(), good.account());
    let holder = account.map_or(token.id, |account| account.id);
    Active {
        active: true,
        scope: &good.effective,
        client_id: holder,
        username: account.map(|account| account.identifier.as_str()),
        token_type: "Bearer",
        exp: (good.ends_at != NEVER).then_some(good.ends_at / 1000),
        iat: token.created_at / 1000,
        nbf: (token.not_before > 0).then_some(token.not_before / 1000),
        sub: holder,
        iss: issuer,
        jti: token.id,
        org_id: token.org_id,
        kind: token.kind.as_str(),
        name: &token.name,
        as_of,
    }
}
