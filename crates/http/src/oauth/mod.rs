//! OAuth 2: access tokens (RFC 9068) by token exchange (RFC 8693), introspection (RFC 7662), revocation (RFC 7009),
//! metadata (RFC 8414), challenges (RFC 6750), public keys (RFC 7517).
//!
//! Who calls proves himself with a token of his, as a bearer or as the secret of a client (RFC 6749 2.3.1).

mod client;
mod form;
mod introspect;
mod metadata;
mod revoke;
mod token;
mod words;

use axum::Router;
use axum::routing::{get, post};

use crate::{App, jwks};

pub(crate) use introspect::introspect;
pub(crate) use words::tell;

/// Where introspection is answered.
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
/// Where the public keys are.
const JWKS: &str = "/oauth2/jwks";
/// Where access tokens are given.
const TOKEN: &str = "/oauth2/token";
/// Where revocation is.
const REVOKE: &str = "/oauth2/revoke";

/// Its routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata::show))
        .route("/.well-known/jwks.json", get(jwks::show))
        .route(JWKS, get(jwks::show))
        .route(INTROSPECT, post(introspect::routed))
        .route(REVOKE, post(revoke::revoke))
        .route(TOKEN, post(token::token))
}
