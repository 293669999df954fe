//! What a gateway asks: for whom, about which credential, from where it came, and what it must be good for.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use tokenhouse_authority::verify::{self, Asker};
use tokenhouse_model::credential::{Authorization, Presented, only_one, parse_authorization, strip_bearer};
use tokenhouse_model::gate::{self, Described, Path, Rules};
use tokenhouse_model::{Kinds, Refusal, Surface, TokenKind, address};

use super::told::Stop;
use crate::App;
use crate::extract::X_AUTH_TOKEN;
use crate::record::Served;

/// The header of a gateway's own credential.
pub(super) const GATE: HeaderName = HeaderName::from_static("x-tokenhouse-gate");
/// The other header that carries a bare credential (splunk.md 2).
const X_SF_TOKEN: HeaderName = HeaderName::from_static("x-sf-token");
/// The headers in which end clients send credentials.
pub(super) const CREDENTIALS: [HeaderName; 3] = [header::AUTHORIZATION, X_AUTH_TOKEN, X_SF_TOKEN];
/// The end client's request, as its gateway describes it. Gateways that call these headers otherwise are told to call
/// them so: a header that the gateway does not overwrite is the end client's to write.
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const TARGET: HeaderName = HeaderName::from_static("x-forwarded-uri");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What a credential must be good for.
#[derive(Debug)]
pub(super) struct Need<'a> {
    pub(super) permission: Option<Cow<'a, str>>,
    pub(super) kinds: Kinds,
}

impl Need<'_> {
    /// Any good credential.
    pub(super) const NOTHING: Self = Self { permission: None, kinds: Kinds::ANY };
}

/// Who asks: whoever reaches this listener, else whose credential the gateway has.
pub(super) async fn asker(app: &App, served: &Served, headers: &HeaderMap) -> Result<Asker, Stop> {
    match app.listener {
        Some(asker) => Ok(asker),
        None => gateway(app, headers, served.peer).await,
    }
}

async fn gateway(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Asker, Stop> {
    // Two of them: one may be the end client's.
    let value = only(headers, &GATE).ok_or(Stop::Gateway("none, or more than one".into()))?;
    let Ok(Authorization::Bearer(credential)) = parse_authorization(value) else {
        return Err(Stop::Gateway("not `Bearer` and a credential".into()));
    };
    let presented = only_one([credential]).ok().flatten().ok_or(Stop::Gateway("none".into()))?;
    // The gateway itself is the peer, whatever it forwards.
    let good = verify::own(&app.ctx, &presented, Surface::Native, peer).await;
    good.and_then(|good| Asker::of(&good)).map_err(|error| match error.refusal() {
        Refusal::Credential(reason) => {
            app.metrics.refused(Surface::Native, *reason);
            Stop::Gateway(reason.as_str().into())
        }
        Refusal::MissingPermission(permission) => Stop::Gateway(format!("it lacks {permission}").into()),
        _ => Stop::unsure(error),
    })
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// The end client's address, where a trusted proxy says it: the gateway's own is not his.
pub(super) fn end_client(app: &App, served: &Served, headers: &HeaderMap) -> Option<IpAddr> {
    let forwarded = headers.get_all(&app.wire.forwarded_header);
    let forwarded = forwarded.iter().map(|value| value.to_str().unwrap_or("unreadable"));
    address::of_end_client(served.peer?, forwarded, &app.wire.trusted_proxies)
}

/// The end client's credential, as headers carry it.
pub(super) fn credential(headers: &HeaderMap) -> Result<Presented, Stop> {
    let [authorization, bare @ ..] = &CREDENTIALS;
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    presented(values(authorization), bare.iter().flat_map(values))
}

/// The one credential in values of `Authorization` and of headers that carry it bare.
pub(super) fn presented<'a>(
    authorization: impl Iterator<Item = &'a [u8]>,
    bare: impl Iterator<Item = &'a [u8]>,
) -> Result<Presented, Stop> {
    let mut unreadable = false;
    let bearer = authorization.filter_map(|value| match parse_authorization(value) {
        Ok(Authorization::Bearer(credential)) => Some(credential),
        Ok(Authorization::Basic(_)) | Err(_) => {
            unreadable = true;
            None
        }
    });
    let presented =
        only_one(bearer.chain(bare.map(strip_bearer))).map_err(|_| Stop::Unreadable("two different credentials"))?;
    if unreadable {
        return Err(Stop::Unreadable("an Authorization header that is not Bearer"));
    }
    presented.ok_or(Stop::Nobody)
}

/// Below it Envoy's HTTP contract is spoken: method, host and the rest of the target are the end client's own.
pub(crate) const ENVOY: &str = "/gate/envoy";

/// What the request that is asked about needs, by the rules or by the gateway's own words.
pub(super) fn need<'a>(app: &'a App, parts: &'a Parts) -> Result<Need<'a>, Stop> {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if let Some(target) = target.strip_prefix(ENVOY) {
        // The query is the end client's: it asks for nothing.
        return match app.wire.gate_rules.as_deref() {
            None => Ok(Need::NOTHING),
            Some(rules) => by_rules(rules, &enveloped(rules, parts, target)?),
        };
    }
    let query = parts.uri.query().unwrap_or_default();
    match app.wire.gate_rules.as_deref() {
        None => in_words(query),
        // One place says what a route needs.
        Some(_) if !query.is_empty() => Err(Stop::Unsure("there are rules, and the gate's URL has a query".into())),
        Some(rules) => by_rules(rules, &forwarded(rules, &parts.headers)?),
    }
}

/// The end client's request as the gateway forwards it.
fn forwarded<'a>(rules: &Rules, headers: &'a HeaderMap) -> Result<Raw<'a>, Stop> {
    let host = if rules.ask_host() { Some(exactly_one(headers, &HOST)?) } else { None };
    Ok(Raw { method: exactly_one(headers, &METHOD)?, target: exactly_one(headers, &TARGET)?, host })
}

/// The end client's request as Envoy's own carries it.
fn enveloped<'a>(rules: &Rules, parts: &'a Parts, target: &'a str) -> Result<Raw<'a>, Stop> {
    let host = match parts.uri.authority() {
        _ if !rules.ask_host() => None,
        None => Some(exactly_one(&parts.headers, &header::HOST)?),
        Some(authority) if parts.headers.get_all(header::HOST).iter().all(|host| host == authority.as_str()) => {
            Some(authority.as_str().as_bytes())
        }
        Some(_) => return Err(Stop::Unsure("two different hosts".into())),
    };
    Ok(Raw { method: parts.method.as_str().as_bytes(), target: target.as_bytes(), host })
}

fn exactly_one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a [u8], Stop> {
    only(headers, name).ok_or_else(|| Stop::Unsure(format!("not exactly one {name}").into()))
}

/// A request as somebody describes it, unchecked.
#[derive(Debug)]
pub(super) struct Raw<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) host: Option<&'a [u8]>,
}

pub(super) fn by_rules<'a>(rules: &'a Rules, raw: &Raw<'_>) -> Result<Need<'a>, Stop> {
    let unclear = |why| Stop::Short { why, permission: None };
    let method = gate::method(raw.method).map_err(unclear)?;
    let host = raw.host.map(gate::host).transpose().map_err(unclear)?;
    let described = Described { method, host, path: Path::read(raw.target).map_err(unclear)? };
    let rule = rules.of(&described).ok_or(unclear("no rule is about this request"))?;
    Ok(Need { permission: rule.permission.as_deref().map(Cow::Borrowed), kinds: rule.kinds })
}

/// Reads `permission=P&kind=K&kind=K`, which stands in the gateway's configuration.
fn in_words(query: &str) -> Result<Need<'_>, Stop> {
    let mut need = Need::NOTHING;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        need.add(name, unescaped(value).ok_or(Stop::Unsure("the query of the gate's URL can't be read".into()))?)?;
    }
    Ok(need)
}

impl<'a> Need<'a> {
    /// Adds what a gateway's configuration asks for.
    pub(super) fn add(&mut self, name: &str, value: Cow<'a, str>) -> Result<(), Stop> {
        match name {
            "permission" if self.permission.is_none() && !value.is_empty() => self.permission = Some(value),
            "kind" => {
                let kind = TokenKind::parse(&value).map_err(|_| Stop::Unsure("the gateway asks for no kind".into()))?;
                let others = if self.kinds == Kinds::ANY { Kinds::NONE } else { self.kinds };
                self.kinds = others.and(kind);
            }
            "permission" => return Err(Stop::Unsure("the gateway asks for two permissions, or an empty one".into())),
            _ => return Err(Stop::Unsure("the gateway asks for something unknown".into())),
        }
        Ok(())
    }
}

/// Decodes a value of a query; `None` if it can't be read.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}
