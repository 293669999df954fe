//! `/gate/kubernetes`: the webhook by which a Kubernetes API server asks whose a bearer token is (TokenReview).

use axum::Json;
use axum::extract::{FromRequest as _, FromRequestParts as _, Request, State};
use serde::{Deserialize, Serialize};
use tokenhouse_authority::verify::{self, Asker, Good, Question, Verdict};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::{Error, Kinds, Result, SecretText, Surface};

use crate::App;
use crate::dialect::Reply;
use crate::extract::{As, Body, NativeDoor};

/// A question. What else Kubernetes puts into it (`metadata`, an empty `status`) does not matter.
#[derive(Debug, Deserialize)]
pub(super) struct Review {
    #[serde(rename = "apiVersion")]
    version: String,
    kind: String,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Spec {
    token: SecretText,
}

/// The answer. It names no audiences: that says, in the contract's words, that the token is good for the API server that
/// asks, and for no other.
#[derive(Debug, Serialize)]
pub(super) struct Reviewed {
    #[serde(rename = "apiVersion")]
    version: String,
    kind: &'static str,
    status: Status,
}

#[derive(Debug, Default, Serialize)]
struct Status {
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    /// Why not, for the API server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct User {
    username: String,
    uid: String,
    groups: [String; 1],
    extra: Extra,
}

#[derive(Debug, Serialize)]
struct Extra {
    #[serde(rename = "tokenhouse/org")]
    org: [String; 1],
    #[serde(rename = "tokenhouse/token")]
    token: [String; 1],
    #[serde(rename = "tokenhouse/kind")]
    kind: [&'static str; 1],
}

const VERSIONS: [&str; 2] = ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"];

impl Review {
    fn check(&self) -> Result<()> {
        if self.kind == "TokenReview" && VERSIONS.contains(&self.version.as_str()) {
            return Ok(());
        }
        Err(Error::malformed("must be a TokenReview of authentication.k8s.io/v1 or v1beta1"))
    }
}

/// What Kubernetes keeps for names of its own; no account may come in under one.
const RESERVED: &str = "system:";

impl Status {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Refused(refused) => Self { error: Some(refused.reason.as_str()), ..Self::default() },
            Verdict::Good(good) => match User::of(good) {
                user if user.username.starts_with(RESERVED) => {
                    Self { error: Some("a reserved username"), ..Self::default() }
                }
                user => Self { authenticated: true, user: Some(user), error: None },
            },
        }
    }
}

impl User {
    fn of(good: &Good) -> Self {
        let (token, org) = (good.token(), good.org());
        Self {
            username: good.account().map_or_else(|| format!("tokenhouse:org:{}", org.id), |a| a.identifier.clone()),
            uid: good.account().map_or(token.id, |account| account.id).to_string(),
            groups: [format!("tokenhouse:{}", token.kind)],
            extra: Extra { org: [org.id.to_string()], token: [token.id.to_string()], kind: [token.kind.as_str()] },
        }
    }
}

/// Tells a Kubernetes API server whose a token is. It asks with a credential of its own, or on a private listener.
pub(super) async fn review(State(app): State<App>, request: Request) -> Reply<Json<Reviewed>> {
    let (mut parts, body) = request.into_parts();
    let asker = match app.listener {
        Some(asker) => asker,
        None => {
            let As(caller, _) = As::<NativeDoor>::from_request_parts(&mut parts, &app).await?;
            Asker::of(caller.good())?
        }
    };
    let Body(review) = Body::<Review>::from_request(Request::from_parts(parts, body), &app).await?;
    review.check()?;
    let presented = Presented::new(review.spec.token.expose().as_bytes());
    let question = Question {
        presented: &presented,
        surface: Surface::Verify,
        // Kubernetes does not tell it: a token that is bound to addresses is refused.
        address: None,
        permission: None,
        kinds: Kinds::ANY,
        at_least: None,
    };
    let verdict = verify::ask(&app.ctx, asker, &question).await?;
    app.metrics.verdict(Surface::Verify, verdict.outcome());
    Ok(Json(Reviewed { version: review.version, kind: "TokenReview", status: Status::of(&verdict) }))
}
