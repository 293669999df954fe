//! `/v1/nodes`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::nodes::{self, NodeView};
use tokenhouse_model::Uuid;
use utoipa::ToSchema;

use super::shapes::Changed;
use super::{Answer, Native, changed, found};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body};

/// A registered node.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Node {
    id: Uuid,
    name: String,
    started_at: i64,
    /// When it last told that it lives.
    beat_at: i64,
    epoch: i64,
    /// The revision up to which it has applied the ledger.
    applied: i64,
    /// How many revisions it has not acknowledged yet.
    behind: i64,
    /// `alive`, or `silent` where it has not told anything for longer than S plus the margin: it answers nothing then.
    state: &'static str,
}

/// The nodes of the installation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Nodes {
    /// By name.
    items: Vec<Node>,
    /// S: for how long a node may answer from memory after it last looked at the database, in milliseconds.
    freshness_ms: i64,
    epoch: i64,
    /// The last revision of the ledger.
    head: i64,
}

impl From<NodeView> for Node {
    fn from(view: NodeView) -> Self {
        let NodeView { node, behind, alive, .. } = view;
        Self {
            id: node.id,
            name: node.name,
            started_at: node.started_at,
            beat_at: node.beat_at,
            epoch: node.epoch,
            applied: node.applied,
            behind,
            state: if alive { "alive" } else { "silent" },
        }
    }
}

/// Lists the nodes and how far each has applied the ledger.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", responses((status = 200, description = "The nodes", body = Nodes)))]
pub(super) async fn list(State(ctx): House, As(caller, _): Native) -> Reply<Answer<Nodes>> {
    let listed = nodes::list(&ctx, &caller).await?;
    Ok(found(Nodes {
        items: listed.nodes.into_iter().map(Node::from).collect(),
        freshness_ms: listed.freshness,
        epoch: listed.head.epoch,
        head: listed.head.revision,
    }))
}

/// What the nodes shall go by.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FreshnessRequest {
    /// S, in milliseconds.
    #[schema(minimum = 100, maximum = 10_000)]
    freshness_ms: i64,
}

/// What the nodes go by.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Freshness {
    /// S, in milliseconds.
    freshness_ms: i64,
}

/// Sets S, for how long every node may answer from memory after it last looked at the database.
#[utoipa::path(patch, path = "/v1/nodes", tag = "nodes", request_body = FreshnessRequest, responses((status = 200, description = "Set", body = Changed<Freshness>)))]
pub(super) async fn set(
    State(ctx): House,
    As(caller, _): Native,
    Body(FreshnessRequest { freshness_ms }): Body<FreshnessRequest>,
) -> Reply<Answer<Changed<Freshness>>> {
    let done = nodes::set_freshness(&ctx, &caller, freshness_ms).await?;
    Ok(changed(&done, Freshness { freshness_ms }))
}
