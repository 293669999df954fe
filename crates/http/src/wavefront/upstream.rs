//! Data on its way to the service behind us: `POST /report` and what proxies ask of `/api/v2/wfproxy` (wavefront.md 10).
//! The permission is checked here, the body is streamed on with a credential of our own. Where no service is configured
//! it is said: data that is dropped is never answered with success.

use std::fmt::Debug;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use tokenhouse_authority::caller::{Caller, permitted};
use tokenhouse_model::access::Act;
use tokenhouse_model::{Error, ErrorKind, Refusal};

use super::read::{Proxy, Wavefront};
use crate::App;
use crate::dialect::Reply;
use crate::extract::As;

/// The service behind us: the program's adapter, which knows its address and credential.
pub trait Upstream: Debug + Send + Sync {
    /// Sends a request on. Its URI is a path and a query; neither it nor the headers carry the caller's credential.
    ///
    /// # Errors
    /// `unavailable` where the service can't be reached or does not answer.
    fn send(&self, request: Request) -> Sent<'_>;
}

/// An answer on its way back.
pub type Sent<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send + 'a>>;

/// `POST /report`: data of someone who may send it directly.
pub(super) async fn report(
    State(app): State<App>,
    As(caller, _): Wavefront,
    request: Request,
) -> Reply<Response<Body>> {
    pass_on(&app, &caller, Act::SendData, request).await
}

/// `/api/v2/wfproxy/...`: the check-in of a proxy and the data that it reports.
pub(super) async fn proxy(State(app): State<App>, As(caller, _): Proxy, request: Request) -> Reply<Response<Body>> {
    pass_on(&app, &caller, Act::BeProxy, request).await
}

async fn pass_on(app: &App, caller: &Caller, act: Act, request: Request) -> Reply<Response<Body>> {
    permitted(caller, act)?;
    let upstream = app.wire.upstream.as_ref().ok_or_else(nowhere)?;
    let mut answer = upstream.send(without_credential(request)?).await?;
    keep_only(answer.headers_mut(), ANSWERED);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn nowhere() -> Error {
    let message = "no upstream is configured (wavefront.upstream), so the data was not taken";
    Error::new(ErrorKind::Unavailable, Refusal::Plain, message)
}

/// What of a request's headers goes on: what describes the body and the sender, nothing that proves or routes.
const SENT: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::USER_AGENT,
];

/// What of an answer's headers comes back.
const ANSWERED: &[HeaderName] =
    &[header::CONTENT_ENCODING, header::CONTENT_LENGTH, header::CONTENT_TYPE, header::RETRY_AFTER];

fn keep_only(headers: &mut HeaderMap, names: &[HeaderName]) {
    let kept: Vec<_> =
        names.iter().filter_map(|name| headers.remove(name).map(|value| (name.clone(), value))).collect();
    headers.clear();
    headers.extend(kept);
}

/// The request as it goes on: its path, its query without a credential, its body.
fn without_credential(request: Request) -> Result<Request, Error> {
    let (mut parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().split('&');
    let credential = |pair: &&str| matches!(pair.split('=').next(), Some("token" | "api_key" | "wait"));
    let query: Vec<&str> = query.filter(|pair| !pair.is_empty() && !credential(pair)).collect();
    let path = parts.uri.path();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) };
    parts.uri = target.parse().map_err(|_| Error::malformed("the path can't be passed on"))?;
    keep_only(&mut parts.headers, SENT);
    parts.extensions.clear();
    Ok(Request::from_parts(parts, body))
}
