//! `/v1/ledger`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::ledger;
use tokenhouse_model::Uuid;
use tokenhouse_model::event::{Body, Recorded};
use utoipa::ToSchema;

use super::shapes::somebody;
use super::{Answer, Native, found};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Query};

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those after this revision.
    after: Option<i64>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    revision: i64,
    epoch: i64,
    at: i64,
    /// What happened.
    #[schema(example = "token.issued")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<Uuid>,
    /// What the subject is.
    subject_kind: &'static str,
    /// To whom or what it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Uuid>,
    /// The account that did it; absent for the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_account: Option<Uuid>,
    /// The token with which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_token: Option<Uuid>,
    /// From where.
    address: String,
    request_id: String,
    /// Whether its content was withdrawn later.
    redacted: bool,
    #[schema(value_type = Object)]
    details: serde_json::Map<String, serde_json::Value>,
    /// The hash of the chain up to this event.
    hash: String,
}

impl From<Recorded> for Event {
    fn from(event: Recorded) -> Self {
        let body: Body = serde_json::from_str(&event.body).unwrap_or_default();
        Self {
            revision: event.revision,
            epoch: event.epoch,
            at: event.at,
            kind: event.kind.as_str(),
            org_id: somebody(event.org_id),
            subject_kind: event.kind.subject_kind(),
            subject: somebody(event.subject),
            actor_account: somebody(event.actor_account),
            actor_token: somebody(event.actor_token),
            address: event.address,
            request_id: event.request_id,
            redacted: event.salt.is_empty(),
            details: body.details,
            hash: event.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// Events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    items: Vec<Event>,
    /// The `after` of the next page; null on the last one.
    next: Option<i64>,
}

/// Lists the org's events.
#[utoipa::path(get, path = "/v1/ledger", tag = "ledger", params(Which), responses((status = 200, description = "A page", body = Events)))]
pub(super) async fn list(
    State(ctx): House,
    As(caller, _): Native,
    Query(which): Query<Which>,
) -> Reply<Answer<Events>> {
    let (events, next) = ledger::list(&ctx, &caller, which.after.unwrap_or(0), which.limit.unwrap_or(100)).await?;
    Ok(found(Events { items: events.into_iter().map(Event::from).collect(), next }))
}
