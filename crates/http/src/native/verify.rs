//! `/v1/verify`

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use tokenhouse_authority::verify::{self, Asker, AtLeast, Question, Verdict};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::{Error, Kinds, Result, SecretText, Surface, Uuid};
use utoipa::ToSchema;

use super::found;
use super::shapes::{somebody, time};
use crate::App;
use crate::dialect::Reply;
use crate::extract::{NativeDoor, Unknown, asking, counted, from_json, presented, read};
use crate::record::Served;

/// A question about somebody's credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequest {
    /// The credential that was presented.
    #[schema(value_type = String)]
    token: SecretText,
    /// The permission that it must carry.
    permission: Option<String>,
    /// The address of whoever presented it.
    client_ip: Option<String>,
    /// Where it is to be good; `verify` unless told.
    surface: Option<String>,
    /// The revision of a receipt: the answer must not be older than that change.
    #[schema(minimum = 0)]
    at_least: Option<i64>,
    /// The receipt's epoch; the present one unless told.
    #[schema(minimum = 0)]
    epoch: Option<i64>,
}

/// The answer.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct VerifyAnswer {
    /// Whether the credential is good for this, right now.
    active: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<Uuid>,
    /// The owner's e-mail address or `sa::name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// How old this answer may be, in milliseconds, where it was given without the database, as the operator allows.
    /// Without it, nothing that was confirmed before the request arrived is missing in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_ms: Option<i64>,
}

impl VerifyRequest {
    fn question<'a>(&'a self, presented: &'a Presented) -> Result<Question<'a>> {
        let surface = self.surface.as_deref().map_or(Ok(Surface::Verify), Surface::parse)?;
        let address = match &self.client_ip {
            Some(text) => Some(text.parse().map_err(|_| Error::invalid("client_ip", "must be an IP address"))?),
            None => None,
        };
        if let Some(permission) = &self.permission {
            tokenhouse_model::permission::check(permission)?;
        }
        let at_least = AtLeast::of(self.at_least, self.epoch)?;
        let permission = self.permission.as_deref();
        Ok(Question { presented, surface, address, permission, kinds: Kinds::ANY, at_least })
    }
}

/// Its path.
pub(crate) const VERIFY: &str = "/v1/verify";

/// Tells whether a credential is good for this, right now, and whose it is. Another org's is as good as unknown.
#[utoipa::path(post, path = "/v1/verify", tag = "verify", request_body = VerifyRequest, responses((status = 200, description = "The verdict", body = VerifyAnswer)))]
pub(super) async fn verify(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Response> {
    let (parts, body) = request.into_parts();
    let body = read(body, app.wire.body_limit).await?;
    ask(&app, &served, &parts, &body).await
}

/// The same without anything in front of it.
pub(crate) async fn ask(app: &App, served: &Served, parts: &Parts, body: &[u8]) -> Reply<Response> {
    let good = asking(&presented::<NativeDoor>(parts)?, app, served).await;
    let asker = Asker::of(&good.map_err(|error| counted(app, Surface::Native, error))?)?;
    let request: VerifyRequest = from_json(&parts.headers, body)?;
    let presented = Presented::new(request.token.expose().as_bytes());
    let question = request.question(&presented)?;
    let verdict = verify::ask(&app.ctx, asker, &question).await?;
    app.metrics.verdict(question.surface, verdict.outcome());
    Ok(found(VerifyAnswer::from(verdict)).into_response())
}

impl From<Verdict> for VerifyAnswer {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Refused(refused) => {
                Self { reason: Some(refused.reason.as_str()), stale_ms: refused.stale, ..Self::default() }
            }
            Verdict::Good(good) => Self {
                active: true,
                reason: None,
                org_id: Some(good.org().id),
                account_id: somebody(good.token().owner_id),
                identifier: good.account().map(|account| account.identifier.clone()),
                token_id: Some(good.token().id),
                kind: Some(good.token().kind.as_str()),
                name: Some(good.token().name.clone()),
                permissions: Some(good.effective.names()),
                expires_at: time(good.ends_at),
                stale_ms: good.stale,
            },
        }
    }
}
