//! The Wavefront dialect: `/api/v2`, `/api/daemon` and `/report` (wavefront.md).

mod daemon;
mod permissions;
mod read;
mod shapes;
mod stream;
mod tokens;
pub mod upstream;
mod words;

use axum::Router;
use axum::routing::{any, get, post, put};

use crate::App;

pub(crate) use words::envelope;

/// Its routes. What stands there word for word comes before what is named by the caller (gotcha 14): the router sees to
/// that, whatever the order here.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/v2/apitoken", get(tokens::own).post(tokens::create_own))
        .route("/api/v2/apitoken/{token}", put(tokens::rename_own).delete(tokens::revoke_own))
        .route("/api/v2/apitoken/serviceaccount/{id}", get(tokens::of_service).post(tokens::create_for_service))
        .route(
            "/api/v2/apitoken/serviceaccount/{id}/{token}",
            put(tokens::rename_for_service).delete(tokens::revoke_for_service),
        )
        .route("/api/v2/apitoken/customertokens", get(tokens::everyones))
        .route("/api/v2/apitoken/customertokens/revoke", put(tokens::revoke_any))
        .route("/api/v2/apitoken/customertokens/{token}", get(tokens::get))
        .route("/api/daemon/test", get(daemon::test).post(daemon::test))
        .route("/api/v2/wfproxy/{*rest}", any(upstream::proxy))
        .route("/report", post(upstream::report))
}
