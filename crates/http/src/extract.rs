//! Extractors: who is calling, and what he sent.

use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body as RawBody, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokenhouse_authority::caller::{Caller, Once};
use tokenhouse_authority::failures::{self, Tried};
use tokenhouse_authority::verify::{self, Good};
use tokenhouse_model::credential::{
    Authorization, Presented, only_one, parse_authorization, parse_client, strip_bearer,
};
use tokenhouse_model::{Error, ErrorKind, Refusal, SecretText, Surface};
use zeroize::Zeroizing;

use crate::App;
use crate::dialect::Refused;
use crate::record::Served;

/// A dialect as a caller's way in.
pub(crate) trait Door: Send + Sync + 'static {
    /// Its surface.
    const SURFACE: Surface;
    /// The query parameters in which its clients send a credential; none unless a dialect's contract has them.
    const QUERY: &'static [&'static str] = &[];
    /// Headers of its own in which they send one bare.
    const HEADERS: &'static [&'static str] = &[];
}

/// The native door.
#[derive(Debug)]
pub(crate) struct NativeDoor;

impl Door for NativeDoor {
    const SURFACE: Surface = Surface::Native;
}

/// Who is calling.
pub(crate) struct As<D>(pub(crate) Caller, pub(crate) PhantomData<D>);

/// The header that carries a bare credential (wavefront.md 2).
pub(crate) const X_AUTH_TOKEN: header::HeaderName = header::HeaderName::from_static("x-auth-token");

impl<D: Door> FromRequestParts<App> for As<D> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let served = parts.extensions.get::<Arc<Served>>().cloned();
        let caller = caller::<D>(parts, app, served.as_deref()).await;
        Ok(Self(caller.map_err(|error| counted(app, D::SURFACE, error))?, PhantomData))
    }
}

/// Who is calling by the credential in a request's head.
pub(crate) async fn caller<D: Door>(parts: &Parts, app: &App, served: Option<&Served>) -> Result<Caller, Error> {
    caller_with(&presented::<D>(parts)?, D::SURFACE, parts, app, served).await
}

/// The one credential in a request's head.
pub(crate) fn presented<D: Door>(parts: &Parts) -> Result<Presented, Error> {
    let mut found = Vec::new();
    for value in parts.headers.get_all(header::AUTHORIZATION) {
        match parse_authorization(value.as_bytes())? {
            Authorization::Bearer(credential) => found.push(credential),
            Authorization::Basic(_) => return Err(Error::malformed("the Authorization header must be Bearer here")),
        }
    }
    found.extend(parts.headers.get_all(X_AUTH_TOKEN).iter().map(|value| strip_bearer(value.as_bytes())));
    for name in D::HEADERS {
        found.extend(parts.headers.get_all(*name).iter().map(|value| strip_bearer(value.as_bytes())));
    }
    let queried = in_query(parts, D::QUERY)?;
    found.extend(queried.iter().map(|value| value.as_bytes()));
    only_one(found)?.ok_or_else(Error::no_credential)
}

/// A client that proves itself.
pub(crate) struct SentClient {
    pub(crate) id: String,
    /// Its secret, in each way in which it can be meant.
    pub(crate) secrets: Vec<SecretText>,
    /// Whether they came in a header.
    header: bool,
}

impl SentClient {
    /// What it tried, where that was in vain.
    pub(crate) fn tried(&self) -> Tried<'_> {
        if self.header { Tried::Header(&self.id) } else { Tried::Body(&self.id) }
    }
}

/// The client of a header of HTTP Basic, else of the body (RFC 6749 2.3.1).
///
/// # Errors
/// `malformed` for another scheme; `unauthenticated` where there is none.
pub(crate) fn sent_client(headers: &HeaderMap, body: Option<(String, Vec<SecretText>)>) -> Result<SentClient, Error> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        let (id, secrets) = body.ok_or_else(Error::no_credential)?;
        return Ok(SentClient { id, secrets, header: false });
    };
    match parse_authorization(value.as_bytes())? {
        Authorization::Basic(encoded) => {
            let (id, secrets) = parse_client(encoded)?;
            Ok(SentClient { id, secrets, header: true })
        }
        Authorization::Bearer(_) => Err(Error::malformed("the Authorization header must be Basic here")),
    }
}

/// Whose credential it is, where somebody only asks about credentials.
pub(crate) async fn asking(presented: &Presented, app: &App, served: &Served) -> Result<Good, Error> {
    let good = verify::own(&app.ctx, presented, Surface::Native, served.address).await?;
    served.called_by(good.token().owner_id, good.token().id);
    Ok(good)
}

/// Who is calling by this credential.
pub(crate) async fn caller_with(
    presented: &Presented,
    surface: Surface,
    parts: &Parts,
    app: &App,
    served: Option<&Served>,
) -> Result<Caller, Error> {
    let address = served.and_then(|served| served.address);
    let request_id = served.map_or("", |served| served.id.as_str());
    let caller = verify::caller(&app.ctx, presented, surface, address, request_id).await?;
    if let Some(served) = served {
        served.called_by(caller.account_id(), caller.token().id);
    }
    let caller = match parts.extensions.get::<Once>() {
        Some(once) => caller.once(once.clone()),
        None => caller,
    };
    Ok(if waits(parts)? { caller.waiting() } else { caller })
}

/// The same refusal, counted where a credential was refused.
pub(crate) fn counted(app: &App, surface: Surface, error: Error) -> Error {
    if let Refusal::Credential(reason) = error.refusal() {
        app.metrics.refused(surface, *reason);
    }
    error
}

/// The same refusal of what was presented in vain where anybody may present something, or as one that comes too often.
pub(crate) fn limited(app: &App, served: &Served, tried: Tried<'_>, error: Error) -> Error {
    match error.refusal() {
        Refusal::Credential(_) | Refusal::Grant(_) => failures::refused(&app.ctx, served.address, tried, error),
        _ => error,
    }
}

/// The credentials that a query carries in parameters of these names.
fn in_query(parts: &Parts, names: &[&str]) -> Result<Vec<Zeroizing<String>>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    let axum::extract::Query(pairs) = read.map_err(|_| Error::malformed("the query can't be read"))?;
    let pairs = pairs.into_iter().map(|(name, value)| (name, Zeroizing::new(value)));
    Ok(pairs.filter(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value).collect())
}

/// Whether the caller of a change wants its receipt confirmed by all nodes before he is answered.
fn waits(parts: &Parts) -> Result<bool, Error> {
    let query = parts.uri.query().unwrap_or_default();
    let mut wait = query.split('&').filter_map(|pair| pair.strip_prefix("wait="));
    match (wait.next(), wait.next()) {
        (None, _) => Ok(false),
        (Some("nodes"), None) => Ok(true),
        _ => Err(Error::invalid("wait", "must be nodes")),
    }
}

/// A JSON body; an empty one is an empty object.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, app.wire.body_limit).await?;
        Ok(Self(from_json(&parts.headers, &bytes)?))
    }
}

/// Reads a JSON body that is here already.
pub(crate) fn from_json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Error> {
    // What browsers send across origins without asking first is anything but JSON.
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|value| value.to_str().is_ok_and(is_json));
    if !bytes.is_empty() && !json {
        let message = "the body must be application/json";
        return Err(Error::new(ErrorKind::Invalid, Refusal::MediaType, message));
    }
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| unreadable(&error))
}

fn is_json(value: &str) -> bool {
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.len() > 5 && essence.to_ascii_lowercase().ends_with("+json")
}

/// A body of at most so many bytes. One that comes in one piece, as small ones do, is not copied. Of one that is too long
/// as much again is read and thrown away: a client that is cut off while it sends never reads why.
pub(crate) async fn read<B>(body: B, limit: usize) -> Result<Bytes, Error>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<axum::BoxError>,
{
    let mut body = pin!(body);
    let (mut whole, mut pieces, mut length) = (Bytes::new(), BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let broken = |error: B::Error| Error::malformed("the body ended early").because(error.into());
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        length += data.len();
        if length > limit * 2 {
            break;
        }
        if length > limit {
            (whole, pieces) = Default::default();
        } else if whole.is_empty() && pieces.is_empty() {
            whole = data;
        } else {
            if pieces.is_empty() {
                pieces.extend_from_slice(&std::mem::take(&mut whole));
            }
            pieces.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    if length > limit {
        let message = format!("the body must have at most {limit} bytes");
        return Err(Error::new(ErrorKind::TooLarge, Refusal::Plain, message));
    }
    Ok(if pieces.is_empty() { whole } else { pieces.freeze() })
}

/// What is wrong with JSON, without repeating text that the caller sent: it may be a secret.
pub(crate) fn unreadable(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if let Some((before, rest)) = text.split_once(": string \"") {
        let after = rest.rsplit_once('"').map_or("", |(_, after)| after);
        return Error::malformed(format!("{before}: a string{after}"));
    }
    let unknown = text.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, expected "));
    match unknown {
        Some((name, expected)) if !is_member_name(name) => {
            Error::malformed(format!("unknown field, expected {expected}"))
        }
        _ => Error::malformed(text),
    }
}

/// Whether text looks like a member's name and like no secret of ours, all of which hold digits or capitals.
fn is_member_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Query parameters; unknown ones are refused, because a misspelt filter shows too much.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refused> {
        // The rejection repeats what the caller wrote, which may be a secret: neither the answer nor the log gets it.
        let parsed = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        let parsed = parsed.map_err(|_| Error::malformed("the query can't be read"));
        Ok(parsed.map(|axum::extract::Query(query)| Self(query))?)
    }
}

/// Path parameters, decoded once.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let parsed = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        let parsed =
            parsed.map_err(|rejection| Error::malformed("the path can't be read").because(rejection.body_text()));
        Ok(parsed.map(|axum::extract::Path(path)| Self(path))?)
    }
}

/// A layer: reads the body of a change that carries an `Idempotency-Key` and notes what the key is bound to.
pub(crate) async fn keep_once(State(app): State<App>, request: Request, next: Next) -> Response {
    let changing = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(key) = request.headers().get("idempotency-key").filter(|_| changing).cloned() else {
        return next.run(request).await;
    };
    match bind(&app, request, &key).await {
        Ok(request) => next.run(request).await,
        Err(error) => Refused::from(error).into_response(),
    }
}

async fn bind(app: &App, request: Request, key: &header::HeaderValue) -> Result<Request, Error> {
    let key = key.to_str().unwrap_or_default();
    Once::check(key)?;
    let (mut parts, body) = request.into_parts();
    let bytes = read(body, app.wire.body_limit).await?;
    let template = parts.extensions.get::<MatchedPath>().map_or("(none)", MatchedPath::as_str);
    let operation = format!("{} {template}", parts.method);
    let mut hash = Sha256::new();
    // Whether one waits for the nodes does not make it another request.
    let query = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("wait="));
    let query = query.collect::<Vec<_>>().join("&");
    for part in [parts.uri.path().as_bytes(), query.as_bytes(), &bytes] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let once = Once { key: key.to_owned(), operation, body: hash.finalize().into() };
    parts.extensions.insert(once);
    Ok(Request::from_parts(parts, RawBody::from(bytes)))
}

/// The most of a body that is read whether anybody asks for it or not.
const SMALL: u64 = 8 * 1024;

/// A layer: reads a small body whole. Clients send `{}` where no body is asked for, and in a piece of its own. A request
/// that is answered before its body has come ends its connection, and the client's next one on it fails.
pub(crate) async fn small_whole(State(app): State<App>, request: Request, next: Next) -> Response {
    match with_small_read(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => Refused::from(error).into_response(),
    }
}

/// The same request, its body here already if it is small.
async fn with_small_read(app: &App, request: Request) -> Result<Request, Error> {
    if !is_small(request.body()) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    Ok(Request::from_parts(parts, RawBody::from(read(body, app.wire.body_limit).await?)))
}

fn is_small(body: &impl HttpBody) -> bool {
    body.size_hint().upper().is_some_and(|size| 0 < size && size <= SMALL)
}

/// Reads a body that nobody asks for and throws it away, if it is small.
pub(crate) async fn past_small<B>(app: &App, body: B) -> Result<(), Error>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<axum::BoxError>,
{
    if is_small(&body) { read(body, app.wire.body_limit).await.map(|_| ()) } else { Ok(()) }
}

/// A layer: answers a request that takes too long. What it began may still be carried out.
pub(crate) async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(app.wire.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refused::from(Error::outcome_unknown()).into_response(),
    }
}

/// The request, for operations that record it before anyone is known.
pub(crate) struct Unknown(pub(crate) Arc<Served>);

impl FromRequestParts<App> for Unknown {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refused> {
        let served = parts.extensions.get::<Arc<Served>>().cloned();
        served.map(Self).ok_or_else(|| Error::internal("a request without a record").into())
    }
}
