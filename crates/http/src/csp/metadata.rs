//! OpenID Connect discovery (csp.md 1.6).

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tokenhouse_model::Permission;
use tokenhouse_model::asked::OPENID;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::signing::Algorithm;

use crate::App;

/// The claims of access tokens and id tokens.
const CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "jti",
    "client_id",
    "azp",
    "acct",
    "username",
    "domain",
    "context",
    "context_name",
    "perms",
    "scope",
    "account_id",
    "secret_id",
    "at_hash",
    "email",
    "email_verified",
];

/// Tells where everything is. There is no authorization endpoint: nobody signs in at a browser here.
pub(super) async fn discovery(State(app): State<App>) -> Json<Value> {
    let issuer = &app.wire.public_url;
    let am = format!("{issuer}/csp/gateway/am/api");
    let scopes = Permission::ALL.iter().filter(|permission| permission.namespace() == Namespace::Csp);
    let scopes: Vec<&str> = std::iter::once(OPENID).chain(scopes.map(|permission| permission.as_str())).collect();
    Json(json!({
        "issuer": issuer,
        "token_endpoint": format!("{am}/auth/token"),
        "userinfo_endpoint": format!("{am}/userinfo"),
        "jwks_uri": format!("{am}/auth/token-public-key?format=jwks"),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "scopes_supported": scopes,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [Algorithm::Rs256.as_str()],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "claims_supported": CLAIMS,
        "claimsSupported": CLAIMS,
    }))
}
