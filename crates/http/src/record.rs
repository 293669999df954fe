//! Around every request: its id, its caller's address, one log line, its metrics.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use futures::future::poll_immediate;
use tokenhouse_model::{Error, ErrorKind, Refusal, Uuid, address, request_id};

use crate::App;
use crate::dialect::{Dialect, Refused, Reply, panicked};

/// The header that carries the request id both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of the request that is being served.
#[derive(Debug)]
pub(crate) struct Served {
    /// Its id.
    pub(crate) id: String,
    /// Who is at the other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    /// The caller's address: the one answer that everything uses.
    pub(crate) address: Option<IpAddr>,
    /// Who turned out to be calling, for the log line.
    caller: Mutex<Option<(Uuid, Uuid)>>,
}

impl Served {
    /// Notes who is calling.
    pub(crate) fn called_by(&self, account: Uuid, token: Uuid) {
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = Some((account, token));
    }

    fn caller(&self) -> (Uuid, Uuid) {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default()
    }
}

/// What a record is made of.
struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

/// A request from its arrival until its answer leaves.
pub(crate) struct Record {
    begun: Instant,
    served: Arc<Served>,
    method: Method,
    route: Cow<'static, str>,
    dialect: Dialect,
}

impl Record {
    fn begin(app: &App, peer: Option<IpAddr>, head: &Head<'_>, route: Cow<'static, str>) -> Self {
        let begun = Instant::now();
        let given = head.headers.get(&REQUEST_ID).and_then(|value| request_id::accept(value.as_bytes()));
        let id = given.map_or_else(|| app.ids.make(), str::to_owned);
        let address = peer.and_then(|peer| caller_address(app, peer, head.headers));
        let served = Arc::new(Served { id, peer, address, caller: Mutex::default() });
        Self { begun, served, method: head.method.clone(), route, dialect: Dialect::of(head.uri.path()) }
    }

    /// Of a question about a credential.
    pub(crate) fn of_question(app: &App, peer: IpAddr, head: &Parts, route: &'static str) -> Self {
        let head = Head { method: &head.method, uri: &head.uri, headers: &head.headers };
        Self::begin(app, Some(peer), &head, Cow::Borrowed(route))
    }

    /// Answers such a question, which no layer stands before: its time limit, and what a panic is answered with, are seen
    /// to here.
    pub(crate) async fn answered(self, app: &App, answer: impl AsyncFnOnce(&Served) -> Reply<Response>) -> Response {
        let served = self.served.clone();
        let mut answered = pin!(AssertUnwindSafe(answer(&served)).catch_unwind());
        // Most are answered without waiting for anything, and then no clock is set.
        let answered = match poll_immediate(&mut answered).await {
            Some(answered) => Ok(answered),
            None => tokio::time::timeout(app.wire.timeout, answered).await,
        };
        let response = match answered {
            Ok(Ok(answered)) => answered.into_response(),
            Ok(Err(panic)) => panicked(panic),
            Err(_) => Refused::from(Error::unavailable("the question took too long to come")).into_response(),
        };
        self.end(app, response, true)
    }

    /// Puts a refusal into words, and notes what was answered. What happens very often is `quiet`: it stands in the
    /// metrics, and in the log only if one asks for details.
    fn end(self, app: &App, mut response: Response, quiet: bool) -> Response {
        let Self { begun, served, method, route, dialect } = self;
        let refused = response.extensions_mut().remove::<Refused>().map(|Refused(error)| error);
        if let Some(error) = &refused {
            response = dialect.tell(error, &served.id);
        }
        if let Ok(value) = HeaderValue::from_str(&served.id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let (status, took) = (response.status(), begun.elapsed());
        app.metrics.served(&method, route.clone(), status.as_u16(), took);
        macro_rules! line {
            ($level:ident) => {
                if tracing::enabled!(tracing::Level::$level) {
                    let (account, token) = served.caller();
                    let (reason, cause) = refused.as_ref().map_or_else(Default::default, |error| why(error));
                    let milliseconds = took.as_secs_f64() * 1000.0;
                    let address = served.address.map(|address| address.to_string()).unwrap_or_default();
                    tracing::event!(
                        tracing::Level::$level, request_id = served.id, %method, %route, status = status.as_u16(),
                        milliseconds, address, %account, %token, reason, cause, "request"
                    );
                }
            };
        }
        match refused.as_ref().map(|error| error.kind()) {
            Some(ErrorKind::Internal) => line!(ERROR),
            Some(ErrorKind::Unavailable | ErrorKind::OutcomeUnknown) => line!(WARN),
            // A flood of them shall not be one of lines: the first were told, the metrics count all.
            Some(ErrorKind::Limited) => line!(DEBUG),
            None if quiet => line!(DEBUG),
            _ => line!(INFO),
        }
        response
    }
}

/// The outermost layer.
pub(crate) async fn request(State(app): State<App>, mut request: Request, next: Next) -> Response {
    // The template, never the path: paths can hold secrets.
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let head = Head { method: request.method(), uri: request.uri(), headers: request.headers() };
    let record = Record::begin(&app, peer(request.extensions()), &head, Cow::Owned(route));
    request.extensions_mut().insert(record.served.clone());
    let response = next.run(request).await;
    record.end(&app, response, false)
}

/// The refusal's full reason and its cause, which only the log gets to see.
fn why(error: &Error) -> (String, String) {
    let reason = match error.refusal() {
        Refusal::Credential(reason) | Refusal::Grant(reason) => reason.to_string(),
        _ => error.message().to_owned(),
    };
    let mut cause = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if !cause.is_empty() {
            cause.push_str(": ");
        }
        cause.push_str(&source.to_string());
        next = source.source();
    }
    (reason, cause)
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

fn caller_address(app: &App, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let forwarded = headers.get_all(&app.wire.forwarded_header);
    let forwarded = forwarded.iter().map(|value| value.to_str().unwrap_or("unreadable"));
    address::of_caller(peer, forwarded, &app.wire.trusted_proxies)
}
