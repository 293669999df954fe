//! Liveness and readiness.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokenhouse_authority::housekeeping;

use crate::House;

/// How this node is.
#[derive(Debug, Serialize)]
pub(crate) struct Readiness {
    status: &'static str,
    checks: BTreeMap<&'static str, &'static str>,
}

/// The process runs.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// The node can answer truthfully. A journal that can't be written degrades it, but takes no node out of service:
/// revocations still stand in the database, and their answers say what is missing.
pub(crate) async fn ready(State(ctx): House) -> (StatusCode, Json<Readiness>) {
    let health = housekeeping::health(&ctx);
    let mut checks = BTreeMap::new();
    checks.insert("database", if health.fresh.is_ok() { "answers" } else { "does not answer in time" });
    let clock = if health.clock_off.is_none() { "is right" } else { "is more than 5 s off the database's" };
    checks.insert("clock", clock);
    checks.insert("journal", if health.journal.is_none() { "is written" } else { "can't be written" });
    let (code, status) = match (&health.fresh, health.clock_off, &health.journal) {
        (Err(why), ..) => {
            tracing::warn!(why, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        (Ok(()), Some(milliseconds), _) => {
            tracing::warn!(milliseconds, "not ready: this machine's clock is ahead of the database's, or behind it");
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        (Ok(()), None, Some(_)) => (StatusCode::OK, "degraded"),
        (Ok(()), None, None) => (StatusCode::OK, "ready"),
    };
    (code, Json(Readiness { status, checks }))
}
