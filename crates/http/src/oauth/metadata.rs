//! `/.well-known/oauth-authorization-server` (RFC 8414).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokenhouse_model::Permission;

use super::{INTROSPECT, JWKS, REVOKE, TOKEN, token};
use crate::App;

/// How clients prove themselves here (RFC 8414 2; `Bearer` is a type of access token, which it allows as well).
const PROOFS: &[&str] = &["client_secret_basic", "client_secret_post", "Bearer"];

/// What this server does of OAuth. It has no authorization endpoint: what is exchanged here is issued through the other
/// APIs.
#[derive(Serialize)]
pub(super) struct Metadata {
    issuer: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: &'static [&'static str],
    jwks_uri: String,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    response_types_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    scopes_supported: Vec<&'static str>,
}

/// Shows it.
pub(super) async fn show(State(app): State<App>) -> Json<Metadata> {
    let issuer = app.wire.public_url.clone();
    Json(Metadata {
        token_endpoint: format!("{issuer}{TOKEN}"),
        // Whoever has a token to exchange needs no other proof.
        token_endpoint_auth_methods_supported: &["client_secret_basic", "client_secret_post", "none"],
        jwks_uri: format!("{issuer}{JWKS}"),
        introspection_endpoint: format!("{issuer}{INTROSPECT}"),
        introspection_endpoint_auth_methods_supported: PROOFS,
        revocation_endpoint: format!("{issuer}{REVOKE}"),
        revocation_endpoint_auth_methods_supported: PROOFS,
        response_types_supported: &[],
        grant_types_supported: token::GRANTS,
        scopes_supported: Permission::ALL.iter().map(|permission| permission.as_str()).collect(),
        issuer,
    })
}
