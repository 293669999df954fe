//! Envoy's external authorization over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! What is refused is always an answer of its own and never a gRPC error, which an Envoy with `failure_mode_allow` would
//! let pass.

mod messages;

use std::borrow::Cow;
use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use tokenhouse_authority::verify::{Asker, Good};
use tokenhouse_model::address;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;

use super::asked::{self, CREDENTIALS, GATE, Need, Raw};
use super::told::{self, NO_STORE, RETRY_AFTER, Stop};
use crate::App;
use crate::dialect::Reply;
use crate::extract::Unknown;
use crate::record::Served;
use messages::{
    Attributes, CheckRequest, CheckResponse, Denied, Header, HttpRequest, HttpStatus, OVERWRITE, Passed, SetHeader,
    Status, Verdict,
};

/// The path of its one method.
pub(crate) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The codes of gRPC that go with the answers.
const UNAUTHENTICATED: i32 = 16;
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;

/// As the router comes here, for methods and documents.
pub(super) async fn routed(State(app): State<App>, Unknown(served): Unknown, request: Request) -> Reply<Response> {
    check(&app, &served, request).await
}

/// Answers Envoy whether a request may pass.
pub(crate) async fn check(app: &App, served: &Served, request: Request) -> Reply<Response> {
    let asker = asked::asker(app, served, request.headers()).await;
    let (peer, limit) = (served.peer, app.wire.body_limit);
    let answer = tower::service_fn(|request: tonic::Request<CheckRequest>| {
        let asker = asker.clone();
        async move {
            let attributes = request.into_inner().attributes.unwrap_or_default();
            let answer = match passes(app, asker, &attributes, peer).await {
                Ok(good) => passed(&good),
                Err(stop) => {
                    stop.log(&served.id);
                    stopped(&stop)
                }
            };
            Ok::<_, tonic::Status>(tonic::Response::new(answer))
        }
    });
    let codec = ProstCodec::<CheckResponse, CheckRequest>::default();
    let mut grpc = Grpc::new(codec).max_decoding_message_size(limit);
    Ok(grpc.unary(answer, request).await.map(Body::new))
}

async fn passes(
    app: &App,
    asker: Result<Asker, Stop>,
    attributes: &Attributes,
    peer: Option<IpAddr>,
) -> Result<Good, Stop> {
    let asker = asker?;
    let described = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    let http = described.ok_or(Stop::Unsure("Envoy describes no HTTP request".into()))?;
    let need = need(app, attributes, http)?;
    let [authorization, bare @ ..] = &CREDENTIALS;
    let bare = bare.iter().flat_map(|name| sent(http, name.as_str()));
    let presented = asked::presented(sent(http, authorization.as_str()), bare)?;
    super::decide(app, asker, &presented, &need, end_client(app, attributes, peer)).await
}

/// What the end client's request needs, by the rules or by the route's `context_extensions`.
fn need<'a>(app: &'a App, attributes: &'a Attributes, http: &HttpRequest) -> Result<Need<'a>, Stop> {
    let words = &attributes.context_extensions;
    match app.wire.gate_rules.as_deref() {
        Some(_) if !words.is_empty() => Err(Stop::Unsure("there are rules, and Envoy sends context_extensions".into())),
        Some(rules) => {
            let (method, target) = (http.method.as_bytes(), http.path.as_bytes());
            asked::by_rules(rules, &Raw { method, target, host: rules.ask_host().then_some(http.host.as_bytes()) })
        }
        None => {
            let mut need = Need::NOTHING;
            for (name, value) in words {
                // A map has no name twice: several kinds are separated by commas.
                let most = if name == "kind" { usize::MAX } else { 1 };
                for value in value.splitn(most, ',') {
                    need.add(name, Cow::Borrowed(value.trim()))?;
                }
            }
            Ok(need)
        }
    }
}

/// The values of a header of the end client.
fn sent<'a>(http: &'a HttpRequest, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let joined = http.headers.get(name).map(String::as_bytes);
    let raw = http.raw_headers.iter().flat_map(|raw| &raw.headers);
    let raw = raw.filter(move |header| header.key.eq_ignore_ascii_case(name));
    joined.into_iter().chain(raw.map(|header| match header.raw.as_slice() {
        [] => header.value.as_bytes(),
        raw => raw,
    }))
}

/// The end client's address, where the Envoy that says it is a trusted proxy.
fn end_client(app: &App, attributes: &Attributes, peer: Option<IpAddr>) -> Option<IpAddr> {
    let source = attributes.source.as_ref()?.address.as_ref()?.socket.as_ref()?;
    address::of_end_client(peer?, [source.address.as_str()], &app.wire.trusted_proxies)
}

fn set(name: &HeaderName, value: &HeaderValue) -> SetHeader {
    let value = value.to_str().unwrap_or_default().to_owned();
    let header = Header { key: name.as_str().to_owned(), value, raw: Vec::new() };
    SetHeader { header: Some(header), append_action: OVERWRITE }
}

fn passed(good: &Good) -> CheckResponse {
    let mut passed = Passed { headers: Vec::with_capacity(6), headers_to_remove: Vec::with_capacity(6) };
    for (name, value) in told::identity(good) {
        // Envoy may leave an empty header out, and with it what the end client forged in its place.
        if value.is_empty() {
            passed.headers_to_remove.push(name.as_str().to_owned());
        } else {
            passed.headers.push(set(&name, &value));
        }
    }
    if let Some(stale) = good.stale {
        passed.headers.push(set(&told::STALE, &HeaderValue::from(stale)));
    }
    passed.headers_to_remove.extend(CREDENTIALS.iter().chain([&GATE]).map(|name| name.as_str().to_owned()));
    CheckResponse { status: Some(Status { code: 0 }), verdict: Some(Verdict::Passed(passed)) }
}

fn stopped(stop: &Stop) -> CheckResponse {
    let mut headers = vec![set(&header::CACHE_CONTROL, &NO_STORE)];
    if let Some(challenge) = stop.challenge() {
        headers.push(set(&header::WWW_AUTHENTICATE, &challenge));
    }
    let code = match stop {
        Stop::Gateway(_) => {
            headers.push(set(&GATE, &HeaderValue::from_static("refused")));
            UNAUTHENTICATED
        }
        Stop::Nobody | Stop::Unreadable(_) | Stop::Credential(_) => UNAUTHENTICATED,
        Stop::Short { .. } => PERMISSION_DENIED,
        Stop::Unsure(_) => {
            headers.push(set(&header::RETRY_AFTER, &RETRY_AFTER));
            UNAVAILABLE
        }
    };
    let status = Some(HttpStatus { code: i32::from(stop.status().as_u16()) });
    let denied = Denied { status, headers, body: String::new() };
    CheckResponse { status: Some(Status { code }), verdict: Some(Verdict::Denied(denied)) }
}
