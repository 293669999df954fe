//! VMware Cloud Services' API, as far as its tokens go (csp.md).

mod api_tokens;
mod apps;
mod asked;
mod clients;
mod exchange;
mod keys;
mod metadata;
mod people;
mod shapes;
mod words;

use axum::Router;
use axum::routing::{get, post, put};
use tokenhouse_model::Surface;

use crate::extract::{As, Door};
use crate::{App, jwks};

pub(crate) use words::tell;

/// Below it is everything of this dialect (csp.md, first lines).
pub(crate) const GATEWAY: &str = "/csp/gateway/";

/// The door of this dialect.
#[derive(Debug)]
pub(crate) struct CspDoor;

impl Door for CspDoor {
    const SURFACE: Surface = Surface::Csp;
    /// Services behind the original are sent access tokens in it (csp.md 2).
    const HEADERS: &'static [&'static str] = &["csp-auth-token"];
}

/// A caller of this dialect.
type Csp = As<CspDoor>;

/// Its routes.
pub(crate) fn router() -> Router<App> {
    let am = Router::new()
        .route("/auth/api-tokens/authorize", post(exchange::authorize))
        .route("/auth/api-tokens/details", post(exchange::details))
        .route("/auth/authorize", post(exchange::token))
        .route("/auth/token", post(exchange::token))
        .route("/auth/token-public-key", get(keys::public))
        .route("/auth/keys", get(jwks::show))
        .route("/.well-known/openid-configuration", get(metadata::discovery))
        .route("/auth/.well-known/openid-configuration", get(metadata::discovery))
        .route("/userinfo", get(people::userinfo).post(people::userinfo))
        .route("/loggedin/user", get(people::me))
        .route("/loggedin/user/orgs", get(people::orgs))
        .route("/loggedin/user/default-org", get(people::default_org))
        .route("/loggedin/user/api-tokens", get(api_tokens::list).post(api_tokens::create))
        .route("/loggedin/user/api-tokens/{id}", get(api_tokens::get).delete(api_tokens::revoke))
        .route("/loggedin/user/api-tokens/{id}/regenerate", post(api_tokens::regenerate))
        .route("/v2/loggedin/user/orgs", get(people::orgs_paged))
        .route("/orgs/{org}", get(people::org))
        .route("/orgs/{org}/oauth-apps", get(apps::list).post(apps::create).delete(apps::delete))
        .route("/orgs/{org}/oauth-apps/{id}", get(apps::get).patch(apps::update))
        .route("/orgs/{org}/oauth-apps/{id}/secret", put(apps::replace).post(apps::rotate).delete(apps::finish))
        .route("/orgs/{org}/clients", get(clients::list).post(clients::add))
        .route("/orgs/{org}/clients/{id}", get(clients::get).patch(clients::update).delete(clients::remove));
    Router::new().nest("/csp/gateway/am/api", am)
}
