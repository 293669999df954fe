//! Envoy's external authorization over gRPC, by the client that is generated from Envoy's own protocol files.

use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::address::Address as Kind;
use envoy_types::pb::envoy::config::core::v3::{Address, HeaderMap, HeaderValue, HeaderValueOption, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, DeniedHttpResponse, OkHttpResponse};
use serde_json::json;
use tokenhouse_e2e::{House, both};
use tokenhouse_http::Wire;
use tokenhouse_model::Kinds;
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::gate::{Pattern, Rule, Rules};
use tonic::transport::Channel;

use super::listener::listener;
use super::{BAD, IDENTITY, NOBODY, SHORT, gateway, houses, short_of};

/// What Envoy tells of a request.
fn described(path: &str, headers: &[(&str, &str)]) -> AttributeContext {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let http = HttpRequest {
        id: "17".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        host: "api.example.com:443".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/2".to_owned(),
        headers,
        ..HttpRequest::default()
    };
    AttributeContext { request: Some(Request { http: Some(http), time: None }), ..AttributeContext::default() }
}

fn from(mut attributes: AttributeContext, address: &str) -> AttributeContext {
    let socket = SocketAddress { address: address.to_owned(), ..SocketAddress::default() };
    let address = Some(Address { address: Some(Kind::SocketAddress(socket)) });
    attributes.source = Some(Peer { address, ..Peer::default() });
    attributes
}

fn wanting(mut attributes: AttributeContext, words: &[(&str, &str)]) -> AttributeContext {
    let words = words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    attributes.context_extensions = words.collect();
    attributes
}

fn bearing(path: &str, token: &str) -> AttributeContext {
    described(path, &[("authorization", &format!("Bearer {token}")), (":path", path), ("user-agent", "test")])
}

async fn client(url: &str) -> AuthorizationClient<Channel> {
    AuthorizationClient::connect(url.to_owned()).await.unwrap()
}

/// Asks, with these values of the gateway's own header.
async fn ask(
    url: &str,
    gateway: &[&str],
    attributes: AttributeContext,
) -> Result<OkHttpResponse, (i32, DeniedHttpResponse)> {
    let mut request = tonic::Request::new(CheckRequest { attributes: Some(attributes) });
    for value in gateway {
        request.metadata_mut().append("x-tokenhouse-gate", format!("Bearer {value}").parse().unwrap());
    }
    let answer = client(url).await.check(request).await.unwrap().into_inner();
    let code = answer.status.unwrap().code;
    match answer.http_response.unwrap() {
        HttpResponse::OkResponse(passed) => {
            assert_eq!(code, 0);
            Ok(passed)
        }
        HttpResponse::DeniedResponse(denied) => Err((code, denied)),
        HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
    }
}

fn set(headers: &[HeaderValueOption]) -> HashMap<String, String> {
    let one = |option: &HeaderValueOption| {
        // OVERWRITE_IF_EXISTS_OR_ADD
        assert_eq!(option.append_action, 2);
        let header = option.header.clone().unwrap();
        (header.key, header.value)
    };
    headers.iter().map(one).collect()
}

/// Who it is; and that every header that is not set is removed, and every credential.
#[track_caller]
fn passes(answer: Result<OkHttpResponse, (i32, DeniedHttpResponse)>) -> [Option<String>; 5] {
    let passed = answer.unwrap();
    let headers = set(&passed.headers);
    assert!(headers.keys().all(|name| IDENTITY.contains(&name.as_str())));
    for name in ["authorization", "x-auth-token", "x-sf-token", "x-tokenhouse-gate"] {
        assert!(passed.headers_to_remove.iter().any(|removed| removed == name), "{name}");
    }
    IDENTITY.map(|name| {
        let removed = passed.headers_to_remove.iter().any(|removed| removed == name);
        assert_eq!(headers.contains_key(name), !removed, "{name}");
        headers.get(name).cloned()
    })
}

#[track_caller]
fn refused(answer: Result<OkHttpResponse, (i32, DeniedHttpResponse)>, code: i32, status: i32, challenge: &str) {
    let (given, denied) = answer.unwrap_err();
    let headers = set(&denied.headers);
    assert_eq!((given, denied.status.unwrap().code, denied.body.as_str()), (code, status, ""));
    let challenge = (!challenge.is_empty()).then_some(challenge);
    assert_eq!(headers.get("www-authenticate").map(String::as_str), challenge);
    assert_eq!(headers.get("cache-control").map(String::as_str), Some("no-store"));
    assert_eq!(headers.contains_key("retry-after"), status == 503);
}

#[track_caller]
fn gateway_refused(answer: Result<OkHttpResponse, (i32, DeniedHttpResponse)>) {
    let (code, denied) = answer.unwrap_err();
    assert_eq!((code, denied.status.unwrap().code), (16, 401));
    assert_eq!(set(&denied.headers).get("x-tokenhouse-gate").map(String::as_str), Some("refused"));
}

async fn robot(house: &House) -> (String, String, String) {
    let (account, _) = house.service("ci", &["member"]).await;
    let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
    (account, id, token)
}

both! {
    async fn a_good_token_passes_and_its_headers_are_set(house) {
        let gateway = gateway(house).await;
        let (account, id, token) = robot(house).await;
        let expected = [house.org.as_str(), &account, "sa::ci", &id, "service"].map(|told| Some(told.to_owned()));
        assert_eq!(passes(ask(&house.url, &[&gateway], bearing("/a?b", &token)).await), expected);
        for name in ["x-auth-token", "x-sf-token"] {
            passes(ask(&house.url, &[&gateway], described("/", &[(name, &token)])).await);
        }
        let forged: Vec<_> = IDENTITY.iter().map(|name| (*name, "forged")).chain([("x-sf-token", token.as_str())]).collect();
        assert_eq!(passes(ask(&house.url, &[&gateway], described("/", &forged)).await), expected);
        // On the gate's own listener no credential of Envoy's is asked for.
        let private = listener(house, &house.org).await;
        assert_eq!(passes(ask(&private, &[], bearing("/a", &token)).await), expected);
    }

    async fn raw_headers_are_read_as_well(house) {
        let gateway = gateway(house).await;
        let (_, _, token) = robot(house).await;
        let raw = |values: &[&str]| {
            let header = |value: &&str| HeaderValue {
                key: "Authorization".to_owned(),
                raw_value: format!("Bearer {value}").into_bytes(),
                ..HeaderValue::default()
            };
            let mut attributes = described("/", &[]);
            let http = attributes.request.as_mut().unwrap().http.as_mut().unwrap();
            http.header_map = Some(HeaderMap { headers: values.iter().map(header).collect() });
            attributes
        };
        passes(ask(&house.url, &[&gateway], raw(&[&token])).await);
        refused(ask(&house.url, &[&gateway], raw(&[&token, &house.admin])).await, 16, 401, BAD);
    }

    async fn a_bad_token_is_refused(house) {
        let gateway = gateway(house).await;
        let (_, neighbour) = house.neighbour("second").await;
        let (_, theirs) = house.issue(&neighbour, json!({})).await;
        let (_, _, token) = robot(house).await;
        for bad in ["junk", &theirs, "00000000-0000-4000-8000-000000000000"] {
            refused(ask(&house.url, &[&gateway], bearing("/", bad)).await, 16, 401, BAD);
        }
        refused(ask(&house.url, &[&gateway], described("/", &[])).await, 16, 401, NOBODY);
        let two = [("authorization", format!("Bearer {token}")), ("x-auth-token", house.admin.clone())];
        let two: Vec<_> = two.iter().map(|(name, value)| (*name, value.as_str())).collect();
        refused(ask(&house.url, &[&gateway], described("/", &two)).await, 16, 401, BAD);
        // Envoy joins the values of one name.
        let joined = format!("Bearer {token},Bearer {}", house.admin);
        refused(ask(&house.url, &[&gateway], described("/", &[("authorization", &joined)])).await, 16, 401, BAD);
    }

    async fn envoys_own_credential_must_be_good_and_may_ask(house) {
        let gateway = gateway(house).await;
        let (_, _, token) = robot(house).await;
        gateway_refused(ask(&house.url, &[], bearing("/", &token)).await);
        gateway_refused(ask(&house.url, &["junk"], bearing("/", &token)).await);
        gateway_refused(ask(&house.url, &[&token], bearing("/", &token)).await);
        gateway_refused(ask(&house.url, &[&gateway, &gateway], bearing("/", &token)).await);
        // The end client's own says nothing, whatever it is.
        let forged = [("x-tokenhouse-gate", format!("Bearer {gateway}")), ("x-auth-token", token.clone())];
        let forged: Vec<_> = forged.iter().map(|(name, value)| (*name, value.as_str())).collect();
        gateway_refused(ask(&house.url, &[], described("/", &forged)).await);
    }

    async fn the_route_names_a_permission_and_kinds(house) {
        let gateway = gateway(house).await;
        let (_, _, token) = robot(house).await;
        let asked = async |words: &[(&str, &str)]| ask(&house.url, &[&gateway], wanting(bearing("/", &token), words)).await;
        passes(asked(&[("permission", "house:read"), ("kind", "user, service")]).await);
        refused(asked(&[("permission", "house:ledger")]).await, 7, 403, &short_of("house:ledger"));
        refused(asked(&[("kind", "user,session")]).await, 7, 403, SHORT);
        for wrong in [("permission", ""), ("permission", "a,b"), ("permission", "read"), ("kind", "robot"), ("role", "x")] {
            refused(asked(&[wrong]).await, 14, 503, "");
        }
        // The query is the end client's.
        passes(ask(&house.url, &[&gateway], bearing("/?permission=house:ledger&kind=user", &token)).await);
        let nothing = AttributeContext::default();
        refused(ask(&house.url, &[&gateway], nothing).await, 14, 503, "");
    }

    async fn a_node_that_is_not_sure_lets_nobody_pass(house) {
        let gateway = gateway(house).await;
        let url = listener(house, &house.org).await;
        passes(ask(&url, &[], bearing("/", &house.admin)).await);
        tokenhouse_authority::pulse::leave(&house.ctx).await;
        refused(ask(&url, &[], bearing("/", &house.admin)).await, 14, 503, "");
        refused(ask(&house.url, &[&gateway], bearing("/", &house.admin)).await, 14, 503, "");
    }

    async fn an_address_of_an_untrusted_envoy_is_not_known(house) {
        let gateway = gateway(house).await;
        let (_, bound) = house.issue(&house.admin, json!({"cidrs": ["192.0.2.0/24"]})).await;
        refused(ask(&house.url, &[&gateway], from(bearing("/", &bound), "192.0.2.7")).await, 16, 401, BAD);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_envoy_says_the_end_clients_address() {
    let trusted_proxies = AddressRules::parse(["127.0.0.1"]).unwrap();
    for house in houses(&Wire { trusted_proxies, ..Wire::default() }).await {
        let gateway = gateway(&house).await;
        let (_, bound) = house.issue(&house.admin, json!({"cidrs": ["192.0.2.0/24"]})).await;
        let forged = [("x-forwarded-for", "192.0.2.7"), ("x-auth-token", bound.as_str())];
        passes(ask(&house.url, &[&gateway], from(bearing("/", &bound), "192.0.2.7")).await);
        for bad in [from(bearing("/", &bound), "198.51.100.1"), from(bearing("/", &bound), ""), bearing("/", &bound)] {
            refused(ask(&house.url, &[&gateway], bad).await, 16, 401, BAD);
        }
        refused(ask(&house.url, &[&gateway], from(described("/", &forged), "198.51.100.1")).await, 16, 401, BAD);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_decide_by_method_host_and_path() {
    let rule = |path: &str, permission: Option<&str>| Rule {
        methods: vec!["GET".to_owned()],
        host: Some("api.example.com".to_owned()),
        path: Pattern::parse(path).unwrap(),
        permission: permission.map(str::to_owned),
        kinds: Kinds::ANY,
    };
    let rules = Rules::new(vec![rule("/orders/**", Some("house:read")), rule("/ledger", Some("house:ledger"))]);
    for house in houses(&Wire { gate_rules: Some(Arc::new(rules.clone())), ..Wire::default() }).await {
        let gateway = gateway(&house).await;
        let (_, _, token) = robot(&house).await;
        let asked = async |path: &str| ask(&house.url, &[&gateway], bearing(path, &token)).await;
        passes(asked("/orders/1?x=/../ledger").await);
        refused(asked("/ledger").await, 7, 403, &short_of("house:ledger"));
        for path in ["/", "/orders/../ledger", "/orders/%2e%2e/ledger", "//orders", "orders", ""] {
            refused(asked(path).await, 7, 403, SHORT);
        }
        let mut elsewhere = bearing("/orders/1", &token);
        elsewhere.request.as_mut().unwrap().http.as_mut().unwrap().host = "other.example.com".to_owned();
        refused(ask(&house.url, &[&gateway], elsewhere).await, 7, 403, SHORT);
        let both = wanting(bearing("/orders/1", &token), &[("permission", "house:read")]);
        refused(ask(&house.url, &[&gateway], both).await, 14, 503, "");
        house.close().await;
    }
}
