//! VMware Cloud Services' API, as far as its tokens go (csp.md).

mod keys;
mod words;

use axum::Router;
use axum::routing::get;

use crate::{App, jwks};

pub(crate) use words::tell;

/// Below it is everything of this dialect (csp.md, first lines).
pub(crate) const GATEWAY: &str = "/csp/gateway/";

/// Its routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/csp/gateway/am/api/auth/token-public-key", get(keys::public))
        .route("/csp/gateway/am/api/auth/keys", get(jwks::show))
}
