//! The wire: translation between HTTP and the operations, one folder per dialect.
//!
//! A handler is three lines: who is calling (an extractor), one operation, wrap the answer. Nothing here decides who
//! may do what, and nothing here knows rows.

mod extract;
mod health;
pub mod metrics;
pub mod native;
mod problem;
mod record;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokenhouse_authority::Ctx;
use tokenhouse_model::address::AddressRules;
use tower_http::catch_panic::CatchPanicLayer;

use metrics::Metrics;

/// How requests are read.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Peers whose forwarding header is believed; none if empty.
    pub trusted_proxies: AddressRules,
    /// That header: `x-forwarded-for` or `forwarded`.
    pub forwarded_header: axum::http::HeaderName,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long a request may take.
    pub timeout: Duration,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            trusted_proxies: AddressRules::default(),
            forwarded_header: axum::http::HeaderName::from_static("x-forwarded-for"),
            body_limit: 1024 * 1024,
            timeout: Duration::from_secs(30),
        }
    }
}

/// What handlers stand on.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) ctx: Arc<Ctx>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) metrics: Arc<Metrics>,
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

/// Everything that is served. A request passes the layers from the last to the first.
pub fn router(ctx: Arc<Ctx>, wire: Wire) -> Router {
    let app = App { ctx, wire: Arc::new(wire), metrics: Arc::new(Metrics::new()) };
    let limit = app.wire.body_limit;
    Router::new()
        .merge(native::router())
        .route("/healthz/live", get(health::live))
        .route("/healthz/ready", get(health::ready))
        .route("/metrics", get(metrics::show))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn_with_state(app.clone(), extract::keep_once))
        .layer(from_fn_with_state(app.clone(), extract::in_time))
        .layer(DefaultBodyLimit::max(limit))
        .layer(from_fn_with_state(app.clone(), record::request))
        .with_state(app)
}
