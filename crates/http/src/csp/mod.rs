//! VMware Cloud Services' API, as far as its tokens go (csp.md).

mod api_tokens;
mod apps;
mod asked;
mod assign;
mod clients;
mod custom_roles;
mod entries;
mod exchange;
mod keys;
mod members;
mod metadata;
mod people;
mod shapes;
mod tokens;
mod words;

use axum::Router;
use axum::routing::{get, patch, post, put};
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
        .route("/auth/introspect", post(tokens::introspect))
        .route("/auth/revoke", post(tokens::revoke))
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
        .route("/orgs/{org}/clients/{id}", get(clients::get).patch(clients::update).delete(clients::remove))
        .route("/orgs/{org}/roles", get(members::org_roles))
        .route("/orgs/{org}/roles/{name}", get(members::org_role))
        .route("/orgs/{org}/users", get(members::users))
        .route("/orgs/{org}/users/search", get(members::search))
        .route("/orgs/{org}/groups", get(members::org_groups))
        .route("/orgs/{org}/groups/{id}", get(members::org_group))
        .route("/orgs/{org}/groups/{id}/users", get(members::group_users))
        .route("/orgs/{org}/invitations", post(assign::invite))
        .route("/v2/orgs/{org}/users", get(members::users))
        .route("/v2/users/search", post(members::search_users))
        .route("/users/{acct}", get(members::user))
        .nest("/loggedin/user/orgs/{org}", reading())
        .nest("/users/{acct}/orgs/{org}", reading().merge(changing()))
        .nest("/v2/users/{acct}/orgs/{org}", reading().merge(changing()))
        .nest("/v3/users/{acct}/orgs/{org}", reading().merge(changing()))
        .nest("/orgs/{org}/users/{acct}", reading().merge(changing()));
    let custom = Router::new()
        .route("/", get(custom_roles::list).post(custom_roles::create))
        .route("/{name}", get(custom_roles::get).put(custom_roles::replace))
        .route("/{name}", patch(custom_roles::update).delete(custom_roles::delete));
    Router::new()
        .nest("/csp/gateway/am/api", am)
        .nest("/csp/gateway/iam-roles-mgmt/api/orgs/{org}/custom-roles", custom)
}

/// What is told of a member, below every path that names one.
fn reading() -> Router<App> {
    Router::new()
        .route("/info", get(members::info))
        .route("/roles", get(members::roles))
        .route("/service-roles", get(members::service_roles))
        .route("/custom-roles", get(members::custom_roles))
        .route("/groups", get(members::groups))
}

/// What is changed of one.
fn changing() -> Router<App> {
    Router::new()
        .route("/roles", patch(assign::organization))
        .route("/service-roles", patch(assign::services))
        .route("/custom-roles", patch(assign::custom))
}
