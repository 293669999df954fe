//! The wire: translation between HTTP and the operations, one folder per dialect.
//!
//! A handler is three lines: who is calling (an extractor), one operation, wrap the answer. Nothing here decides who
//! may do what, and nothing here knows rows.

mod csp;
mod dialect;
mod entrance;
mod extract;
mod gate;
mod health;
mod jwks;
pub mod metrics;
pub mod native;
mod oauth;
mod object;
mod problem;
mod record;
mod stream;
mod wavefront;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, Request, State};
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokenhouse_authority::Ctx;
use tokenhouse_authority::verify::Asker;
use tokenhouse_model::Uuid;
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::gate::Rules;
use tokenhouse_model::request_id::Ids;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;

use dialect::Dialect;
pub use entrance::Entrance;
use metrics::Metrics;
pub use wavefront::upstream::{Sent, Upstream};

/// How requests are read.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Peers whose forwarding header is believed; none if empty.
    pub trusted_proxies: AddressRules,
    /// That header: `x-forwarded-for` or `forwarded`.
    pub forwarded_header: axum::http::HeaderName,
    /// How clients reach this server, without a slash at the end: the issuer's name.
    pub public_url: String,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// What requests of end clients need, where that is told by a file; else gateways tell it themselves.
    pub gate_rules: Option<Arc<Rules>>,
    /// The service behind us, to which data is passed on; `None` where there is none.
    pub upstream: Option<Arc<dyn Upstream>>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            trusted_proxies: AddressRules::default(),
            forwarded_header: axum::http::HeaderName::from_static("x-forwarded-for"),
            public_url: "http://localhost".to_owned(),
            body_limit: 1024 * 1024,
            timeout: Duration::from_secs(30),
            gate_rules: None,
            upstream: None,
        }
    }
}

/// What handlers stand on.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) ctx: Arc<Ctx>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) ids: Arc<Ids>,
    /// Who asks the gate, where that is whoever reaches this listener.
    pub(crate) listener: Option<Asker>,
}

impl App {
    fn new(ctx: Arc<Ctx>, wire: Wire) -> Self {
        let ids = Arc::new(Ids::new(ctx.random()));
        ctx.issue_as(&wire.public_url);
        Self { ctx, wire: Arc::new(wire), metrics: Arc::new(Metrics::new()), ids, listener: None }
    }
}

impl FromRef<App> for Arc<Ctx> {
    fn from_ref(app: &App) -> Self {
        app.ctx.clone()
    }
}

impl FromRef<App> for Arc<Metrics> {
    fn from_ref(app: &App) -> Self {
        app.metrics.clone()
    }
}

/// How a handler takes the context.
pub(crate) type House = State<Arc<Ctx>>;

/// Everything that is served.
pub fn entrance(ctx: Arc<Ctx>, wire: Wire) -> Entrance {
    public(App::new(ctx, wire))
}

/// Everything that is served, and what a private listener serves besides: the gate and nothing else, for the gateways of
/// one org.
pub fn with_gate(ctx: Arc<Ctx>, wire: Wire, org: Uuid) -> (Entrance, Entrance) {
    let app = App::new(ctx, wire);
    let private = App { listener: Some(Asker::listener(org)), ..app.clone() };
    let gate = Entrance::new(private.clone(), layered(gate::router(), private));
    (public(app), gate)
}

fn public(app: App) -> Entrance {
    let router = Router::new().fallback_service(MapRequest::new(routes(app.clone()), one_slash));
    Entrance::new(app, router)
}

/// Drops all but one of a path's leading slashes: clients of Wavefront and of VMware Cloud Services whose configured
/// address ends in one send two (wavefront.md 1.1, csp.md G3). Before anything is routed or recorded, so that there is one path for everybody. Nobody else sends
/// them, and what a proxy keeps from the outside, `/metrics` perhaps, must have no second name.
fn one_slash(mut request: Request) -> Request {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let rest = target.trim_start_matches('/');
    let path = format!("/{}", rest.split('?').next().unwrap_or_default());
    if target.len() - rest.len() > 1
        && matches!(Dialect::of(&path), Dialect::Wavefront | Dialect::Csp)
        && let Ok(target) = format!("/{rest}").parse()
    {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

fn routes(app: App) -> Router {
    let routes = Router::new()
        .merge(native::router())
        .merge(oauth::router())
        .merge(wavefront::router())
        .merge(csp::router())
        .merge(gate::router())
        .route("/healthz/live", get(health::live))
        .route("/healthz/ready", get(health::ready))
        .route("/metrics", get(metrics::show));
    layered(routes, app)
}

/// A request passes the layers from the last to the first.
fn layered(routes: Router<App>, app: App) -> Router {
    let limit = app.wire.body_limit;
    routes
        .fallback(dialect::no_such_path)
        .method_not_allowed_fallback(dialect::method_not_allowed)
        .layer(CatchPanicLayer::custom(dialect::panicked))
        .layer(from_fn_with_state(app.clone(), extract::keep_once))
        .layer(from_fn_with_state(app.clone(), extract::small_whole))
        .layer(from_fn_with_state(app.clone(), extract::in_time))
        .layer(DefaultBodyLimit::max(limit))
        .layer(from_fn_with_state(app.clone(), record::request))
        .with_state(app)
}
