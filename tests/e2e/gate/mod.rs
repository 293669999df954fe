//! `/gate`: what gateways ask before they pass a request on.

mod forgeries;
mod kubernetes;
mod listener;
mod program;
mod public;
mod rules;

use tokenhouse_e2e::{Answer, Backend, House};
use tokenhouse_http::Wire;

/// The identity headers of an answer, in order: org, account, identifier, token, kind.
const IDENTITY: [&str; 5] =
    ["x-tokenhouse-org", "x-tokenhouse-account", "x-tokenhouse-identifier", "x-tokenhouse-token", "x-tokenhouse-kind"];

/// A gateway's own credential: a service account's that may do nothing but ask.
async fn gateway(house: &House) -> String {
    house.service("gateway", &["verifier"]).await.1
}

/// Asks as a gateway does, with its credential, an end client's, and more headers.
async fn ask(house: &House, gateway: &str, path: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut request = house.request("GET", path).header("x-tokenhouse-gate", format!("Bearer {gateway}"));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    house.send(request).await
}

/// That it passes, and who it is.
#[track_caller]
fn passes(answer: &Answer) -> [String; 5] {
    assert_eq!(answer.status, 200, "{}", answer.raw);
    assert_eq!((answer.header("cache-control"), answer.raw.as_str()), ("no-store", ""));
    IDENTITY.map(|name| {
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name}");
        answer.header(name).to_owned()
    })
}

/// That it does not: the status, and the challenge word for word. Nothing says why or who.
#[track_caller]
fn refused(answer: &Answer, status: u16, challenge: &str) {
    let seen = (answer.status, answer.header("www-authenticate"), answer.header("cache-control"));
    assert_eq!(seen, (status, challenge, "no-store"), "{}", answer.raw);
    assert!(IDENTITY.iter().all(|name| answer.headers.get(*name).is_none()));
    assert_eq!(answer.raw, "");
}

/// That the gateway's own credential is what is refused.
#[track_caller]
fn gateway_refused(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.raw);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"tokenhouse gate\", error=\"invalid_token\"");
    assert_eq!(answer.header("x-tokenhouse-gate"), "refused");
    assert!(IDENTITY.iter().all(|name| answer.headers.get(*name).is_none()));
    assert_eq!(answer.raw, "the gateway's own credential is refused (X-Tokenhouse-Gate)\n");
}

/// That nothing can be told now: the gateway must refuse.
#[track_caller]
fn unsure(answer: &Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.raw);
    assert!(IDENTITY.iter().all(|name| answer.headers.get(*name).is_none()));
    assert_eq!(answer.header("cache-control"), "no-store");
}

const NOBODY: &str = "Bearer realm=\"tokenhouse\"";
const BAD: &str = "Bearer realm=\"tokenhouse\", error=\"invalid_token\"";
const SHORT: &str = "Bearer realm=\"tokenhouse\", error=\"insufficient_scope\"";

/// The challenge that names a permission.
fn short_of(permission: &str) -> String {
    format!("{SHORT}, scope=\"{permission}\"")
}

/// Houses on both databases that read requests in this way.
async fn houses(wire: &Wire) -> Vec<House> {
    let mut houses = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        houses.extend(House::open_with(backend, wire.clone()).await);
    }
    houses
}
