//! Around every request: its id, its caller's address, one log line, its metrics.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tokenhouse_model::{Error, ErrorKind, Refusal, Uuid, address, request_id};

use crate::App;
use crate::dialect::{Dialect, Refused};

/// The header that carries the request id both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of the request that is being served.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// Its id.
    pub(crate) id: String,
    /// The caller's address: the one answer that everything uses.
    pub(crate) address: Option<IpAddr>,
    /// Who turned out to be calling, for the log line.
    caller: Arc<Mutex<Option<(Uuid, Uuid)>>>,
}

impl Served {
    /// Notes who is calling.
    pub(crate) fn called_by(&self, account: Uuid, token: Uuid) {
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = Some((account, token));
    }
}

/// The outermost layer.
pub(crate) async fn request(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let given = request.headers().get(&REQUEST_ID).and_then(|value| request_id::accept(value.as_bytes()));
    let id = given.map_or_else(|| request_id::new(app.ctx.random()), str::to_owned);
    let served = Served { id: id.clone(), address: caller_address(&app, &request), caller: Arc::default() };
    request.extensions_mut().insert(served.clone());
    let (method, dialect) = (request.method().clone(), Dialect::of(request.uri().path()));
    // The template, never the path: paths can hold secrets.
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();

    let mut response = next.run(request).await;

    let refused = response.extensions_mut().remove::<Refused>().map(|Refused(error)| error);
    if let Some(error) = &refused {
        response = dialect.tell(error, &id);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let (status, took) = (response.status(), begun.elapsed());
    app.metrics.served(method.as_str(), &route, status.as_u16(), took);
    let (account, token) = served.caller.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
    let (reason, cause) = refused.as_ref().map_or_else(Default::default, |error| why(error));
    let milliseconds = took.as_secs_f64() * 1000.0;
    let address = served.address.map(|address| address.to_string()).unwrap_or_default();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id = id, %method, route, status = status.as_u16(), milliseconds, address, %account, %token, reason,
                cause, "request"
            )
        };
    }
    match refused.map(|error| error.kind()) {
        Some(ErrorKind::Internal) => line!(error),
        Some(ErrorKind::Unavailable | ErrorKind::OutcomeUnknown) => line!(warn),
        _ => line!(info),
    }
    response
}

/// The refusal's full reason and its cause, which only the log gets to see.
fn why(error: &Error) -> (String, String) {
    let reason = match error.refusal() {
        Refusal::Credential(reason) => reason.to_string(),
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

fn caller_address(app: &App, request: &Request) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let forwarded = request.headers().get_all(&app.wire.forwarded_header);
    let forwarded = forwarded.iter().map(|value| value.to_str().unwrap_or("unreadable"));
    address::of_caller(peer.ip(), forwarded, &app.wire.trusted_proxies)
}
