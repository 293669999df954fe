//! The public keys as a JSON Web Key Set (RFC 7517 5), for every API that publishes them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use serde_json::{Map, Value};
use tokenhouse_authority::keys;

use crate::House;
use crate::dialect::Reply;

/// A set of keys.
#[derive(Debug, Serialize)]
pub(crate) struct KeySet {
    keys: Vec<Map<String, Value>>,
}

/// For how long anybody may keep what is published: a new key signs an hour after it was published, and one that
/// somebody else may have is to be forgotten soon.
pub(crate) const KEPT: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));

/// Shows them.
pub(crate) async fn show(State(ctx): House) -> Reply<([(HeaderName, HeaderValue); 1], Json<KeySet>)> {
    let keys = keys::published(&ctx).await?;
    Ok(([KEPT], Json(KeySet { keys: keys.into_iter().map(|key| key.jwk).collect() })))
}
