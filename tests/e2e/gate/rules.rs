//! The gate with a rules file: method, host and path say what a request needs.

use std::sync::Arc;

use serde_json::json;
use tokenhouse_e2e::{Answer, House};
use tokenhouse_http::Wire;
use tokenhouse_model::gate::{Pattern, Rule, Rules};
use tokenhouse_model::{Kinds, TokenKind};

use super::{BAD, SHORT, ask, gateway, houses, passes, refused, short_of, unsure};

fn rule(methods: &[&str], host: Option<&str>, path: &str, permission: Option<&str>, kinds: Kinds) -> Rule {
    Rule {
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        host: host.map(str::to_owned),
        path: Pattern::parse(path).unwrap(),
        permission: permission.map(str::to_owned),
        kinds,
    }
}

/// Rules for orders: reading needs a permission, writing another and a robot; a host of its own is open to all tokens.
fn orders() -> Wire {
    let robots = Kinds::NONE.and(TokenKind::Service);
    let rules = vec![
        rule(&["GET", "HEAD"], None, "/orders/**", Some("external/orders/read"), Kinds::ANY),
        rule(&["POST"], None, "/orders", Some("external/orders/write"), robots),
        rule(&[], Some("open.example.com"), "/**", None, Kinds::ANY),
    ];
    Wire { gate_rules: Some(Arc::new(Rules::new(rules))), ..Wire::default() }
}

async fn allow(house: &House, account: &str, permission: &str) {
    let path = format!("/v1/accounts/{account}/permissions/{}", permission.replace('/', "%2F"));
    house.put(&house.admin, &path, json!({})).await.expect(200);
}

/// Asks about an end client's request.
async fn about(house: &House, gateway: &str, token: &str, method: &str, host: &str, uri: &str) -> Answer {
    let headers = [("x-forwarded-method", method), ("x-forwarded-host", host), ("x-forwarded-uri", uri)];
    ask(house, gateway, "/gate", token, &headers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_rule_about_a_request_says_what_it_needs() {
    for house in houses(&orders()).await {
        let gateway = gateway(&house).await;
        let (robot, token) = house.service("ci", &[]).await;
        let asked = async |method, host, uri| about(&house, &gateway, &token, method, host, uri).await;
        refused(&asked("GET", "x", "/orders/1").await, 403, &short_of("external/orders/read"));
        allow(&house, &robot, "external/orders/read").await;
        for uri in ["/orders", "/orders/", "/orders/1", "/orders/1/lines?page=/../2", "/%6frders/1"] {
            passes(&asked("GET", "x", uri).await);
            passes(&asked("HEAD", "x:8443", uri).await);
        }
        refused(&asked("POST", "x", "/orders").await, 403, &short_of("external/orders/write"));
        allow(&house, &robot, "external/orders/write").await;
        passes(&asked("POST", "x", "/orders").await);
        // A person with the same permission is of the wrong kind.
        let (person, session) = house.person("ann@example.test", &[]).await;
        allow(&house, &person, "external/orders/write").await;
        refused(&about(&house, &gateway, &session, "POST", "x", "/orders").await, 403, SHORT);
        // What no rule names.
        for (method, host, uri) in [
            ("POST", "x", "/orders/1"),
            ("DELETE", "x", "/orders"),
            ("GET", "x", "/"),
            ("GET", "x", "/Orders"),
            ("get", "x", "/orders"),
        ] {
            refused(&asked(method, host, uri).await, 403, SHORT);
        }
        for host in ["open.example.com", "OPEN.example.com:443", "open.example.com."] {
            passes(&asked("DELETE", host, "/anything").await);
            refused(&about(&house, &gateway, "junk", "DELETE", host, "/anything").await, 401, BAD);
        }
        refused(&asked("DELETE", "open.example.com.evil.test", "/anything").await, 403, SHORT);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_may_read_differently_is_refused() {
    for house in houses(&orders()).await {
        let gateway = gateway(&house).await;
        let (account, token) = house.service("ci", &[]).await;
        allow(&house, &account, "external/orders/read").await;
        for uri in [
            "/orders/../admin",
            "/orders/%2e%2e/admin",
            "/orders/..%2fadmin",
            "/orders%2f1",
            "/orders%5c..%5cadmin",
            "/orders\\..\\admin",
            "/orders//1",
            "//orders",
            "/orders/;/admin",
            "/orders/%00",
            "/orders/%0d%0ax",
            "/orders/%",
            "/orders/%252e%252e/admin",
            "/orders/%ff",
            "orders",
            "http://x/orders",
            "*",
            "",
        ] {
            for host in ["x", "open.example.com"] {
                refused(&about(&house, &gateway, &token, "GET", host, uri).await, 403, SHORT);
            }
        }
        for host in ["", "a b", "open.example.com, x", "open.example.com/"] {
            refused(&about(&house, &gateway, &token, "GET", host, "/orders").await, 403, SHORT);
        }
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_not_described_exactly_once_passes_nowhere() {
    for house in houses(&orders()).await {
        let gateway = gateway(&house).await;
        let good = [("x-forwarded-method", "GET"), ("x-forwarded-host", "open.example.com"), ("x-forwarded-uri", "/a")];
        passes(&ask(&house, &gateway, "/gate", &house.admin, &good).await);
        for (without, _) in good {
            let rest: Vec<_> = good.into_iter().filter(|(name, _)| *name != without).collect();
            unsure(&ask(&house, &gateway, "/gate", &house.admin, &rest).await);
            // The end client's beside the gateway's: even the same twice.
            let twice: Vec<_> = good.into_iter().chain(good.into_iter().filter(|(name, _)| *name == without)).collect();
            unsure(&ask(&house, &gateway, "/gate", &house.admin, &twice).await);
        }
        // The names of others are the end client's to write.
        let others = [("x-original-uri", "/a"), ("x-original-method", "GET"), ("x-forwarded-host", "open.example.com")];
        unsure(&ask(&house, &gateway, "/gate", &house.admin, &others).await);
        // One place says what a route needs.
        unsure(&ask(&house, &gateway, "/gate?permission=house:read", &house.admin, &good).await);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_describes_a_request_by_its_own() {
    for house in houses(&orders()).await {
        let gateway = gateway(&house).await;
        let (robot, token) = house.service("ci", &[]).await;
        allow(&house, &robot, "external/orders/read").await;
        let asked = async |method: &str, path: &str, host: &str| {
            let request = house.request(method, &format!("/gate/envoy{path}")).bearer_auth(&token).header("host", host);
            house.send(request.header("x-tokenhouse-gate", format!("Bearer {gateway}"))).await
        };
        passes(&asked("GET", "/orders/1?permission=house:tokens", "x").await);
        passes(&asked("PURGE", "/anything", "open.example.com").await);
        refused(&asked("POST", "/orders", "x").await, 403, &short_of("external/orders/write"));
        for path in ["", "/", "/admin", "/orders//1", "/orders/%2e%2e/admin", "/orders;a"] {
            refused(&asked("GET", path, "x").await, 403, SHORT);
        }
        // What describes a request to others says nothing here.
        let forged =
            [("x-forwarded-method", "GET"), ("x-forwarded-uri", "/orders"), ("x-forwarded-host", "open.example.com")];
        refused(&ask(&house, &gateway, "/gate/envoy/admin", &token, &forged).await, 403, SHORT);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_rules_envoys_requests_need_any_good_token_whatever_their_query() {
    for house in houses(&Wire::default()).await {
        let gateway = gateway(&house).await;
        let (_, token) = house.service("ci", &[]).await;
        for path in ["/gate/envoy", "/gate/envoy/", "/gate/envoy/a/b?permission=house:tokens&x=1", "/gate/envoy//a/.."]
        {
            passes(&ask(&house, &gateway, path, &token, &[]).await);
            refused(&ask(&house, &gateway, path, "junk", &[]).await, 401, BAD);
        }
        house.close().await;
    }
}
