//! The gate: the question behind forward auth. A gateway (nginx, Caddy, HAProxy, Traefik, Envoy) asks before it passes a
//! request on; who asks, and for which org, is decided by the gateway's own credential or by the listener that it reaches.
//!
//! It lets pass, refuses, or says that it can't tell, and then the gateway refuses. What is asked is in [`asked`], what is
//! answered in [`told`].

mod asked;
pub(crate) mod envoy;
mod kubernetes;
mod told;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{any, post};
use tokenhouse_authority::verify::{self, Asker, Good, Question, Verdict};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::decide::Reason;
use tokenhouse_model::{Surface, permission};

use crate::App;
use crate::dialect::Reply;
use crate::extract::Unknown;
use crate::record::Served;
pub(crate) use asked::ENVOY;
use asked::Need;
use told::Stop;

/// Where gateways ask.
pub(crate) const GATE: &str = "/gate";

/// Its routes. Any method will do: some gateways ask with that of the end client.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route(GATE, any(ask))
        .route(ENVOY, any(ask))
        .route("/gate/envoy/", any(ask))
        .route("/gate/envoy/{*rest}", any(ask))
        .route(envoy::CHECK, post(envoy::routed))
        .route("/gate/kubernetes", post(kubernetes::review))
}

async fn ask(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Response> {
    let (parts, _) = request.into_parts();
    answer(&app, &served, &parts).await
}

/// The answer to a gateway.
pub(crate) async fn answer(app: &App, served: &Served, parts: &Parts) -> Reply<Response> {
    Ok(match passes(app, served, parts).await {
        Ok(good) => told::passed(&good),
        Err(stop) => {
            stop.log(&served.id);
            told::stopped(&stop)
        }
    })
}

async fn passes(app: &App, served: &Served, parts: &Parts) -> Result<Good, Stop> {
    let asker = asked::asker(app, served, &parts.headers).await?;
    let need = asked::need(app, parts)?;
    let presented = asked::credential(&parts.headers)?;
    decide(app, asker, &presented, &need, asked::end_client(app, served, &parts.headers)).await
}

/// Asks about an end client's credential.
async fn decide(
    app: &App,
    asker: Asker,
    presented: &Presented,
    need: &Need<'_>,
    address: Option<std::net::IpAddr>,
) -> Result<Good, Stop> {
    let permission = need.permission.as_deref();
    let question =
        Question { presented, surface: Surface::Verify, address, permission, kinds: need.kinds, at_least: None };
    let verdict = verify::ask(&app.ctx, asker, &question).await.map_err(Stop::unsure)?;
    app.metrics.verdict(Surface::Verify, verdict.outcome());
    match verdict {
        Verdict::Good(good) => Ok(good),
        Verdict::Refused(refused) => Err(match (refused.reason, permission) {
            // Nobody can hold what is no permission: that is a mistake of whoever asks, and he must hear of it.
            (Reason::PermissionMissing, Some(text)) if permission::check(text).is_err() => {
                Stop::Unsure("the permission that the gateway asks for is none".into())
            }
            (reason @ (Reason::PermissionMissing | Reason::OtherKind), permission) => {
                let permission = permission.filter(|_| reason == Reason::PermissionMissing).map(str::to_owned);
                Stop::Short { why: reason.as_str(), permission }
            }
            (reason, _) => Stop::Credential(reason),
        }),
    }
}
