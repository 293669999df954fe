//! `/v1/tokens/export`, `/v1/accounts/export`, `/v1/ledger/export`: all of a list in one answer, for files.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokenhouse_authority::caller::{self, Caller};
use tokenhouse_authority::{Ctx, accounts, ledger, tokens};
use tokenhouse_model::account::AccountState;
use tokenhouse_model::{Error, Result, TokenKind, TokenState};

use super::ledger::Event;
use super::shapes::{Account, Token};
use super::{Native, tokens::owner};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Query};
use crate::problem;
use crate::stream::{self, Around, Part, first, then};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Csv,
}

/// Columns of CSV, in order: members of the JSON.
type Columns = &'static [&'static str];

const TOKENS: Columns = &[
    "id",
    "org_id",
    "kind",
    "owner",
    "owner_identifier",
    "name",
    "state",
    "scopes",
    "reach",
    "cidrs",
    "created_at",
    "created_by",
    "created_through",
    "not_before",
    "expires_at",
    "idle_seconds",
    "last_used_at",
    "last_used_address",
    "revoked_at",
    "integration",
];
const ACCOUNTS: Columns = &[
    "id",
    "org_id",
    "kind",
    "identifier",
    "description",
    "state",
    "created_at",
    "created_by",
    "last_used_at",
    "tokens",
    "roles",
    "permissions",
    "groups",
];
const LEDGER: Columns = &[
    "revision",
    "epoch",
    "at",
    "kind",
    "subject_kind",
    "subject",
    "actor_account",
    "actor_token",
    "address",
    "request_id",
    "details",
    "hash",
];

impl Form {
    /// What a request asks for: `format`, else what it accepts, else lines.
    fn of(format: Option<&str>, headers: &HeaderMap) -> Result<Self> {
        match format {
            Some("jsonl") => Ok(Self::Lines),
            Some("csv") => Ok(Self::Csv),
            Some(_) => Err(Error::invalid("format", "must be jsonl or csv")),
            None => {
                let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
                Ok(if accepted.trim_start().to_ascii_lowercase().starts_with("text/csv") {
                    Self::Csv
                } else {
                    Self::Lines
                })
            }
        }
    }

    fn around(self, columns: Columns) -> Around {
        let (kind, before, broken): (_, _, fn(&Error) -> String) = match self {
            Self::Lines => ("application/jsonl", String::new(), broken_lines),
            Self::Csv => ("text/csv; charset=utf-8; header=present", columns.join(",") + "\r\n", broken_csv),
        };
        Around { kind, before, between: "", after: "", broken: Some(broken) }
    }

    /// Rows, each with its line end.
    fn rows<T: Serialize>(self, items: impl Iterator<Item = T>, columns: Columns) -> Result<Vec<u8>> {
        let mut rows = Vec::new();
        for item in items {
            match self {
                Self::Lines => {
                    serde_json::to_writer(&mut rows, &item).map_err(Error::internal)?;
                    rows.push(b'\n');
                }
                Self::Csv => {
                    let Value::Object(members) = serde_json::to_value(&item).map_err(Error::internal)? else {
                        return Err(Error::internal("a row that is no object"));
                    };
                    rows.extend(record(&members, columns).as_bytes());
                }
            }
        }
        Ok(rows)
    }
}

/// A row of RFC 4180. Lists and objects are JSON in one cell; what is absent is an empty one.
fn record(members: &Map<String, Value>, columns: Columns) -> String {
    let cell = |name: &&str| match members.get(*name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => quoted(text),
        Some(other) => quoted(&other.to_string()),
    };
    columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

/// What a spreadsheet would take for a formula is made text, because names come from strangers: it gets a `'` before it.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !text.contains([',', '"', '\r', '\n']) {
        return text.to_owned();
    }
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

const BROKEN: &str = "the export broke off here: it is not whole";

fn broken_lines(error: &Error) -> String {
    let told = serde_json::json!({"error": {"code": problem::code(error), "message": BROKEN}});
    format!("{told}\n")
}

fn broken_csv(_: &Error) -> String {
    format!("\"error: {BROKEN}\"\r\n")
}

/// Which tokens, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichTokens {
    /// Of this account: its id or identifier.
    owner: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// In this stored state: `active`, `inactive` or `revoked`.
    state: Option<String>,
    /// `jsonl` or `csv`; unless told, what `Accept` says, and else JSON lines.
    format: Option<String>,
}

/// Which accounts, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichAccounts {
    /// `user`, `service` or `app`.
    kind: Option<String>,
    /// `active` or `inactive`.
    state: Option<String>,
    /// Identifiers that begin so.
    prefix: Option<String>,
    /// `jsonl` or `csv`; unless told, what `Accept` says, and else JSON lines.
    format: Option<String>,
}

/// Which events, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichEvents {
    /// Those after this revision.
    after: Option<i64>,
    /// `jsonl` or `csv`; unless told, what `Accept` says, and else JSON lines.
    format: Option<String>,
}

/// Exports tokens: those that lists show, as they show them, oldest first. Never a secret. Where reading fails half-way
/// the last line says so and the connection is cut.
#[utoipa::path(get, path = "/v1/tokens/export", tag = "tokens", params(WhichTokens), responses((status = 200, description = "A line for each", content((String = "application/jsonl"), (String = "text/csv")))))]
pub(super) async fn tokens(
    State(ctx): House,
    As(caller, _): Native,
    Query(which): Query<WhichTokens>,
    headers: HeaderMap,
) -> Reply<Response> {
    let form = Form::of(which.format.as_deref(), &headers)?;
    let kind = which.kind.as_deref().map(TokenKind::parse).transpose()?;
    let state = which.state.as_deref().map(TokenState::parse).transpose()?;
    let filter = tokens::Filter { owner: owner(&ctx, &caller, which.owner.as_deref()).await?, kind, state };
    let read = pages(ctx, caller, move |ctx, caller, page| async move {
        let listed = tokens::list(&ctx, &caller, filter, page).await?;
        let next = then(&listed);
        Ok(Part { items: form.rows(listed.items.into_iter().map(Token::from), TOKENS)?, next })
    });
    Ok(stream::send(form.around(TOKENS), first(), read).await?)
}

/// Exports accounts: those that lists show, as they show them, oldest first. As with tokens, half an export says so.
#[utoipa::path(get, path = "/v1/accounts/export", tag = "accounts", params(WhichAccounts), responses((status = 200, description = "A line for each", content((String = "application/jsonl"), (String = "text/csv")))))]
pub(super) async fn accounts(
    State(ctx): House,
    As(caller, _): Native,
    Query(which): Query<WhichAccounts>,
    headers: HeaderMap,
) -> Reply<Response> {
    let form = Form::of(which.format.as_deref(), &headers)?;
    let kind = which.kind.as_deref().map(accounts::Kind::parse).transpose()?;
    let state = which.state.as_deref().map(AccountState::parse).transpose()?;
    let filter = Arc::new(accounts::Filter { kind, state, prefix: which.prefix });
    let read = pages(ctx, caller, move |ctx, caller, page| {
        let filter = filter.clone();
        async move {
            let listed = accounts::list(&ctx, &caller, (*filter).clone(), page).await?;
            let next = then(&listed);
            Ok(Part { items: form.rows(listed.items.into_iter().map(Account::from), ACCOUNTS)?, next })
        }
    });
    Ok(stream::send(form.around(ACCOUNTS), first(), read).await?)
}

/// Exports the org's events, oldest first. As with tokens, half an export says so.
#[utoipa::path(get, path = "/v1/ledger/export", tag = "ledger", params(WhichEvents), responses((status = 200, description = "A line for each", content((String = "application/jsonl"), (String = "text/csv")))))]
pub(super) async fn ledger(
    State(ctx): House,
    As(caller, _): Native,
    Query(which): Query<WhichEvents>,
    headers: HeaderMap,
) -> Reply<Response> {
    let form = Form::of(which.format.as_deref(), &headers)?;
    let read = pages(ctx, caller, move |ctx, caller, after| async move {
        let (events, next) = ledger::list(&ctx, &caller, after, i64::from(first().limit)).await?;
        Ok(Part { items: form.rows(events.into_iter().map(Event::from), LEDGER)?, next })
    });
    Ok(stream::send(form.around(LEDGER), which.after.unwrap_or(0), read).await?)
}

/// Reads pages for a caller who is decided anew before each: an export takes long, and a credential that is revoked
/// meanwhile reads no further.
fn pages<N, F, R>(
    ctx: Arc<Ctx>,
    caller: Caller,
    read: F,
) -> impl Fn(N) -> std::pin::Pin<Box<dyn Future<Output = Result<Part<N>>> + Send>> + Send + Sync + 'static
where
    N: Send + 'static,
    F: Fn(Arc<Ctx>, Caller, N) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Part<N>>> + Send + 'static,
{
    let read = Arc::new(read);
    move |next| {
        let (ctx, caller, read) = (ctx.clone(), caller.clone(), read.clone());
        Box::pin(async move {
            let caller = caller::again(&ctx, &caller).await?;
            read(ctx, caller, next).await
        })
    }
}
