//! A token that is bound to addresses works from there, and makes nothing that works from elsewhere.

use axum::http::HeaderName;
use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, Backend, House, both};
use tokenhouse_http::Wire;
use tokenhouse_model::address::AddressRules;

use super::limited;

async fn seen(house: &House, token: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = house.request("GET", "/v1/whoami").bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    house.send(request).await
}

/// Houses on both databases that believe what these peers say in this header.
async fn behind(trusted: &[&str], header: &'static str) -> Vec<House> {
    let trusted_proxies = AddressRules::parse(trusted.iter().copied()).unwrap();
    let forwarded_header = HeaderName::from_static(header);
    let wire = Wire { trusted_proxies, forwarded_header, ..Wire::default() };
    let mut houses = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        houses.extend(House::open_with(backend, wire.clone()).await);
    }
    houses
}

both! {
    async fn a_bound_token_works_only_from_its_addresses(house) {
        let token = limited(house, json!({"cidrs": ["192.0.2.0/24", "2001:db8::/32"]})).await;
        let asked = async |address: Value| {
            let ask = json!({"token": token, "client_ip": address});
            house.post(&house.admin, "/v1/verify", ask).await.expect(200)["reason"].clone()
        };
        assert_eq!(asked(Value::Null).await, "address_unknown");
        for good in ["192.0.2.0", "192.0.2.255", "2001:db8::1", "::ffff:192.0.2.7"] {
            assert_eq!(asked(json!(good)).await, Value::Null, "{good}");
        }
        for bad in ["192.0.3.0", "127.0.0.1", "2001:db9::1", "::ffff:10.0.0.1", "::192.0.2.7"] {
            assert_eq!(asked(json!(bad)).await, "address", "{bad}");
        }
        // To the house itself it comes from 127.0.0.1.
        house.get(&token, "/v1/whoami").await.refused(401, "unauthenticated");
        let local = limited(house, json!({"cidrs": ["127.0.0.0/8"]})).await;
        house.get(&local, "/v1/whoami").await.expect(200);
    }

    async fn a_forwarding_header_proves_nothing_to_a_house_without_trusted_proxies(house) {
        let token = limited(house, json!({"cidrs": ["192.0.2.0/24"]})).await;
        for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            for forged in ["192.0.2.7", "for=192.0.2.7"] {
                seen(house, &token, &[(header, forged)]).await.refused(401, "unauthenticated");
            }
        }
        let local = limited(house, json!({"cidrs": ["127.0.0.1"]})).await;
        seen(house, &local, &[("x-forwarded-for", "192.0.2.7")]).await.expect(200);
    }

    async fn a_bound_token_makes_none_that_works_from_elsewhere(house) {
        let bound = limited(house, json!({"cidrs": ["127.0.0.0/8", "10.0.0.0/8"]})).await;
        let inherited = house.post(&bound, "/v1/tokens", json!({})).await.expect(201);
        assert_eq!(inherited["cidrs"], json!(["10.0.0.0/8", "127.0.0.0/8"]));
        for wider in
            [json!(["0.0.0.0/0"]), json!(["126.0.0.0/7"]), json!(["10.1.0.0/16", "11.0.0.0/8"]), json!(["::/0"])]
        {
            house.post(&bound, "/v1/tokens", json!({"cidrs": wider})).await.refused(403, "forbidden");
        }
        let narrower = json!({"cidrs": ["127.0.0.1", "::ffff:10.0.0.0/112"]});
        let (_, narrow) = house.issue(&bound, narrower).await;
        house.post(&narrow, "/v1/tokens", json!({"cidrs": ["127.0.0.0/8"]})).await.refused(403, "forbidden");
        let (robot, _) = house.service("ci", &[]).await;
        let robots = house.post(&bound, "/v1/tokens", json!({"owner": robot})).await.expect(201);
        assert_eq!(robots["cidrs"], json!(["10.0.0.0/8", "127.0.0.0/8"]));
    }

    async fn a_bound_token_takes_no_secret_of_one_that_works_from_elsewhere(house) {
        let (free, secret) = house.issue(&house.admin, json!({"expires_at": house.clock.now() + 60_000})).await;
        let bound = limited(house, json!({"cidrs": ["127.0.0.1"]})).await;
        let path = format!("/v1/tokens/{free}");
        house.post(&bound, &format!("{path}/rotate"), json!({})).await.refused(403, "forbidden");
        house.patch(&bound, &path, json!({"expires_at": null})).await.refused(403, "forbidden");
        house.post(&bound, &format!("{path}/deactivate"), json!({})).await.expect(200);
        house.post(&bound, &format!("{path}/reactivate"), json!({})).await.refused(403, "forbidden");
        assert_eq!(house.verdict(&secret).await, "deactivated");
        let rotated = house.post(&bound, "/v1/tokens/self/rotate", json!({})).await.expect(200);
        assert_eq!(rotated["cidrs"], json!(["127.0.0.1/32"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_tells_the_callers_address() {
    for house in behind(&["127.0.0.1"], "x-forwarded-for").await {
        let token = limited(&house, json!({"cidrs": ["192.0.2.0/24"]})).await;
        // No header: the proxy itself calls.
        seen(&house, &token, &[]).await.refused(401, "unauthenticated");
        let good: [&[&str]; 6] = [
            &["192.0.2.7"],
            &["203.0.113.9, 192.0.2.7"],
            &["192.0.2.7, 127.0.0.1"],
            &["192.0.2.7:4711"],
            &["::ffff:192.0.2.7"],
            &["203.0.113.9", "192.0.2.7"],
        ];
        for values in good {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            seen(&house, &token, &headers).await.expect(200);
        }
        // What the caller wrote himself stands to the left of what the proxy added.
        let forged: [&[&str]; 7] = [
            &["192.0.2.7, 203.0.113.9"],
            &["192.0.2.7", "203.0.113.9"],
            &["192.0.2.7, unknown"],
            &[""],
            &["192.0.2.7,"],
            &["192.0.2.7, 203.0.113.9, 127.0.0.1"],
            &["for=192.0.2.7;proto=http, for=_hidden"],
        ];
        for values in forged {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            seen(&house, &token, &headers).await.refused(401, "unauthenticated");
        }
        seen(&house, &token, &[("forwarded", "for=192.0.2.7")]).await.refused(401, "unauthenticated");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_forwarded_header_is_read_where_it_is_the_one() {
    for house in behind(&["127.0.0.0/8", "10.0.0.0/8"], "forwarded").await {
        let token = limited(&house, json!({"cidrs": ["2001:db8::/32"]})).await;
        for good in ["for=\"[2001:db8::1]:443\"", "proto=https;For=\"[2001:db8::1]\", for=10.0.0.7"] {
            seen(&house, &token, &[("forwarded", good)]).await.expect(200);
        }
        for bad in ["for=\"[2001:db9::1]\"", "for=\"[2001:db8::1\"; x", "by=\"[2001:db8::1]\"", "for=unknown"] {
            seen(&house, &token, &[("forwarded", bad)]).await.refused(401, "unauthenticated");
        }
        seen(&house, &token, &[("x-forwarded-for", "2001:db8::1")]).await.refused(401, "unauthenticated");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_address_refuses_bound_tokens_only_and_the_ledger_tells_the_one_that_counts() {
    for house in behind(&["127.0.0.1"], "x-forwarded-for").await {
        let bound = limited(&house, json!({"cidrs": ["0.0.0.0/0", "::/0"]})).await;
        let long = vec!["127.0.0.1"; 40].join(", ");
        for unreadable in ["not an address", "192.0.2.300", "unknown", long.as_str()] {
            seen(&house, &bound, &[("x-forwarded-for", unreadable)]).await.refused(401, "unauthenticated");
            seen(&house, &house.admin, &[("x-forwarded-for", unreadable)]).await.expect(200);
        }
        let before = house.revision().await;
        for (header, told) in [("203.0.113.9, 192.0.2.7", "192.0.2.7"), ("unknown", "")] {
            let request = house.request("POST", "/v1/tokens").bearer_auth(&house.admin);
            house.send(request.header("x-forwarded-for", header).json(&json!({}))).await.expect(201);
            let last = house.events(before).await.pop().unwrap();
            assert_eq!((last["kind"].as_str(), last["address"].as_str()), (Some("token.issued"), Some(told)));
        }
        house.close().await;
    }
}
