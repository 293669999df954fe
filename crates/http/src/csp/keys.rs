//! The public keys, as clients of VMware Cloud Services ask for them (csp.md 1.4, 1.5).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokenhouse_authority::keys;
use tokenhouse_model::signing::{Algorithm, Phase};
use tokenhouse_model::{Error, Result};

use crate::dialect::Reply;
use crate::extract::Query;
use crate::{App, jwks};

/// Which of the two shapes is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Shape {
    format: Option<String>,
}

/// The one key that signs, for clients that want RSA and no choice.
#[derive(Debug, Serialize)]
struct One {
    alg: &'static str,
    issuer: String,
    value: String,
}

/// Shows the public key, or all of them.
pub(super) async fn public(State(app): State<App>, Query(shape): Query<Shape>) -> Reply<Response> {
    match shape.format.as_deref().unwrap_or_default() {
        // What no format means is what old clients read (csp.md G13).
        "" | "pem" => Ok(([jwks::KEPT], Json(one(&app).await?)).into_response()),
        "jwks" => Ok(jwks::show(State(app.ctx)).await?.into_response()),
        _ => Err(Error::invalid("format", "must be one of pem jwks").into()),
    }
}

async fn one(app: &App) -> Result<One> {
    let keys = keys::published(&app.ctx).await?;
    let signing = |key: &keys::Published| key.algorithm == Algorithm::Rs256 && key.phase == Phase::Signing;
    let signing = keys.into_iter().rfind(signing);
    let key = signing.ok_or_else(|| Error::unavailable("the signing keys are not made yet; try again"))?;
    Ok(One { alg: "SHA256withRSA", issuer: app.wire.public_url.clone(), value: key.pem })
}
