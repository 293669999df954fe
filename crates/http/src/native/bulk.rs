//! `/v1/tokens/revoke`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokenhouse_authority::{jobs, tokens};
use tokenhouse_model::search::{Condition, Match, On, Test, TokenField};
use tokenhouse_model::{Error, Millis, Result};
use utoipa::ToSchema;

use super::jobs::Job;
use super::shapes::{Changed, Token, Where};
use super::{Answer, Native, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body};

/// Something that must be true of a token.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `id`, `name`, `owner` (its identifier), `owner_type` (`user`, `service`, `inactive_service`), `created_at`,
    /// `last_used_at` (0 if never), or `any`: name, owner or id.
    #[schema(example = "name")]
    field: String,
    /// `is`, `begins`, `contains`; of times `is`, `before`, `after`. Capitals are as good as small letters.
    #[schema(example = "begins")]
    op: String,
    value: Value,
    /// Whether it must not be true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    not: bool,
}

/// A text, or a time in epoch milliseconds.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Value {
    Time(i64),
    Text(String),
}

/// A condition that looks at a time.
fn of_time(field: TokenField) -> bool {
    matches!(field, TokenField::CreatedAt | TokenField::LastUsedAt)
}

impl Asked {
    fn condition(self) -> Result<Condition<TokenField>> {
        let on = match self.field.as_str() {
            "any" => On::Anything,
            field => On::Field(TokenField::parse(field)?),
        };
        let timed = matches!(on, On::Field(field) if of_time(field));
        let test = match (self.op.as_str(), self.value) {
            (op, Value::Time(at)) if timed => between(op, at)?,
            (_, Value::Text(_)) if timed => {
                return Err(Error::invalid("value", "of a time must be a number of milliseconds"));
            }
            (_, Value::Time(_)) => return Err(Error::invalid("value", "of this field must be a text")),
            (op, Value::Text(text)) => {
                let how = match op {
                    "is" => Match::Exact,
                    "begins" => Match::Prefix,
                    "contains" => Match::Contains,
                    _ => return Err(Error::invalid("op", "of this field must be one of is begins contains")),
                };
                // Every text begins with nothing: that would be no condition.
                if text.trim().is_empty() {
                    return Err(Error::invalid("value", "must not be empty"));
                }
                Test::Text { how, any_of: vec![text] }
            }
        };
        Ok(Condition { on, test, negated: self.not })
    }

    /// What was asked for, as it is kept.
    pub(super) fn of(condition: &Condition<TokenField>) -> Self {
        let field = match condition.on {
            On::Field(field) => field.as_str(),
            On::Anything => "any",
        };
        let (op, value) = match &condition.test {
            Test::Text { how, any_of } => {
                let op = match how {
                    Match::Exact => "is",
                    Match::Prefix => "begins",
                    Match::Contains => "contains",
                };
                (op, Value::Text(any_of.first().cloned().unwrap_or_default()))
            }
            Test::Between { from: Some(from), to: None } => ("after", Value::Time(from.saturating_sub(1))),
            Test::Between { from: None, to: Some(to) } => ("before", Value::Time(to.saturating_add(1))),
            Test::Between { from, .. } => ("is", Value::Time(from.unwrap_or_default())),
        };
        Self { field: field.to_owned(), op: op.to_owned(), value, not: condition.negated }
    }
}

fn between(op: &str, at: Millis) -> Result<Test> {
    let (from, to) = match op {
        "is" => (Some(at), Some(at)),
        "before" => (None, Some(at.checked_sub(1).ok_or_else(|| Error::invalid("value", "is no time"))?)),
        "after" => (Some(at.checked_add(1).ok_or_else(|| Error::invalid("value", "is no time"))?), None),
        _ => return Err(Error::invalid("op", "of a time must be one of is before after")),
    };
    Ok(Test::Between { from, to })
}

/// Which tokens are to be revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequest {
    /// All of these must be true: 1 to 19.
    search: Vec<Asked>,
    /// Whether they are only to be counted and shown.
    #[serde(default)]
    preview: bool,
}

/// What would be revoked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Preview {
    /// How many tokens there are, counted up to 10,000.
    count: i64,
    /// Whether there are more than that.
    more: bool,
    /// The newest of them, at most 20.
    tokens: Vec<Token>,
}

/// Revokes every token of people and service accounts that is there now, not expired, and meets the conditions. A job
/// does it, 500 at a time; `GET /v1/jobs/{job}` tells how far it is. Tokens that are made after it began are left alone.
#[utoipa::path(post, path = "/v1/tokens/revoke", tag = "tokens", request_body = RevokeRequest, responses(
    (status = 200, description = "With `preview`: what would be revoked", body = Preview),
    (status = 202, description = "The job has begun", body = Changed<Job>),
))]
pub(super) async fn revoke(
    State(ctx): House,
    As(caller, _): Native,
    Body(request): Body<RevokeRequest>,
) -> Reply<Response> {
    let conditions = request.search.into_iter().map(Asked::condition).collect::<Result<Vec<_>>>()?;
    if request.preview {
        let tokens::Preview { count, more, tokens } = tokens::preview(&ctx, &caller, conditions).await?;
        return Ok(
            found(Preview { count, more, tokens: tokens.into_iter().map(Token::from).collect() }).into_response()
        );
    }
    let done = tokens::revoke_found(&ctx, &caller, conditions).await?;
    let job = shown(jobs::get(&ctx, &caller, done.value.id).await)?;
    Ok(Answer(StatusCode::ACCEPTED, Changed { value: Job::from(job), receipt: Where::of(&done) }).into_response())
}
