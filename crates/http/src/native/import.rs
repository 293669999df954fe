//! `/v1/tokens/import`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokenhouse_authority::tokens::{self, Import};
use tokenhouse_model::Uuid;
use tokenhouse_model::import::{self, No, Told};
use utoipa::ToSchema;

use super::shapes::Changed;
use super::{Answer, Native, changed};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body};

/// Tokens that were made elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportRequest {
    /// Decide everything, change nothing.
    #[serde(default)]
    dry_run: bool,
    /// A token that would live longer than the org's policy allows ends when the policy says, instead of being refused.
    #[serde(default)]
    cap_lifetimes: bool,
    /// At most 500. Each is decided by itself. Members: one of `token` (the secret), `sha256` (32 bytes in hexadecimal or
    /// base64) with `bits` (random bits of the secret, at least 122), or `grafana` (Grafana's hash); `owner` (e-mail
    /// address, `sa::name` or id) or `kind: "org"`; and, where known, `name`, `created_at`, `expires_at`, `last_used_at`
    /// (epoch milliseconds or RFC 3339), `permissions`, `reach`, `addresses`, `disabled`, `last4`.
    #[schema(max_items = 500)]
    tokens: Vec<Map<String, Value>>,
}

/// What became of a row.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RowOutcome {
    /// `imported`, `present` (the same token is there already) or `refused`.
    #[schema(example = "imported")]
    outcome: &'static str,
    /// The token; absent where there is none, and in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// Why it was refused, as one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<Told> for RowOutcome {
    fn from(told: Told) -> Self {
        let of = |outcome, id| Self { outcome, id, code: None, message: None };
        match told {
            Told::Imported { id } => of("imported", id),
            Told::Present { id } => of("present", Some(id)),
            Told::Refused(No { code, message }) => {
                Self { code: Some(code.into_owned()), message: Some(message), ..of("refused", None) }
            }
        }
    }
}

/// What became of an import.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Imported {
    dry_run: bool,
    imported: usize,
    present: usize,
    refused: usize,
    /// What became of each row, in the order in which they were sent.
    tokens: Vec<RowOutcome>,
}

/// Imports tokens with the secrets that their holders have. What is refused is told with its row and stops nothing else.
#[utoipa::path(post, path = "/v1/tokens/import", tag = "tokens", request_body = ImportRequest, responses((status = 200, description = "What became of each", body = Changed<Imported>)))]
pub(super) async fn import_tokens(
    State(ctx): House,
    As(caller, _): Native,
    Body(ask): Body<ImportRequest>,
) -> Reply<Answer<Changed<Imported>>> {
    let ImportRequest { dry_run, cap_lifetimes, tokens } = ask;
    let rows = tokens.into_iter().map(import::read).collect();
    let mut done = tokens::import(&ctx, &caller, Import { rows, dry_run, cap_lifetimes }).await?;
    let tokens: Vec<RowOutcome> = std::mem::take(&mut done.value.rows).into_iter().map(RowOutcome::from).collect();
    let count = |outcome| tokens.iter().filter(|row| row.outcome == outcome).count();
    let (imported, present, refused) = (count("imported"), count("present"), count("refused"));
    Ok(changed(&done, Imported { dry_run, imported, present, refused, tokens }))
}
