//! `tokenhouse-verify` before a service of somebody else, asking the real house.

use std::net::IpAddr;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use serde_json::json;
use tokenhouse_e2e::{House, both};
use tokenhouse_verify::{Credential, Verified, Verifier};

const HOUR: Duration = Duration::from_secs(3600);

/// Somebody's service, whose route `/policy` wants a permission.
struct Service {
    url: String,
    client: reqwest::Client,
}

impl Service {
    async fn before(verifier: &Verifier) -> Self {
        let who = |Extension(who): Extension<Verified>| async move {
            format!("{} {} {}", who.token, who.account.clone().unwrap_or_default(), who.org)
        };
        let app = Router::new()
            .route("/policy", get(who).route_layer(verifier.layer().permission("house:policy").unwrap()))
            .route("/", get(who).route_layer(verifier.layer()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, client: reqwest::Client::new() }
    }

    /// Status and body.
    async fn get(&self, path: &str, token: &str) -> (u16, String) {
        self.from(path, token, "").await
    }

    async fn from(&self, path: &str, token: &str, address: &str) -> (u16, String) {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(token);
        let answer = request.header("x-real-ip", address).send().await.unwrap();
        let challenged = answer.headers().contains_key("www-authenticate");
        let status = answer.status().as_u16();
        assert_eq!(challenged, matches!(status, 401 | 403));
        (status, answer.text().await.unwrap())
    }
}

fn verifier(house: &House, own: &str, staleness: Duration) -> Verifier {
    let address =
        |parts: &axum::http::request::Parts| parts.headers.get("x-real-ip")?.to_str().ok()?.parse::<IpAddr>().ok();
    Verifier::builder(&house.url, Credential::text(own)).staleness(staleness).client_address(address).build().unwrap()
}

both! {
    async fn a_service_sees_whom_the_house_knows_and_nobody_else(house) {
        let (_, own) = house.service("api", &["verifier"]).await;
        let (account, token) = house.service("ci", &["member"]).await;
        let (_, other) = house.neighbour("second").await;
        let (bound, cidr) = house.issue(&house.admin, json!({"owner": account, "cidrs": ["192.0.2.0/24"]})).await;
        let service = Service::before(&verifier(house, &own, Duration::ZERO)).await;
        let (status, who) = service.get("/", &token).await;
        assert_eq!((status, who.ends_with(&format!(" {account} {}", house.org))), (200, true), "{who}");
        assert_eq!(service.get("/policy", &token).await, (403, String::new()));
        assert_eq!(service.get("/policy", &house.admin).await.0, 200);
        for bad in [other.as_str(), "junk", "00000000-0000-4000-8000-000000000000", "a.b.c"] {
            assert_eq!(service.get("/", bad).await, (401, String::new()));
        }
        assert_eq!(service.get("/", &cidr).await.0, 401);
        assert_eq!(service.from("/", &cidr, "198.51.100.1").await.0, 401);
        let here = service.from("/", &cidr, "192.0.2.9").await;
        assert_eq!((here.0, here.1.starts_with(&bound)), (200, true));
    }

    async fn without_staleness_a_revoked_token_is_dead_at_the_next_request(house) {
        let (_, own) = house.service("api", &["verifier"]).await;
        let (account, _) = house.service("ci", &["member"]).await;
        let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
        let service = Service::before(&verifier(house, &own, Duration::ZERO)).await;
        assert_eq!(service.get("/", &token).await.0, 200);
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(service.get("/", &token).await.0, 401);
    }

    async fn with_staleness_it_is_dead_once_its_receipt_is_noted(house) {
        let (_, own) = house.service("api", &["verifier"]).await;
        let (account, _) = house.service("ci", &["member"]).await;
        let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
        let verifier = verifier(house, &own, HOUR);
        let service = Service::before(&verifier).await;
        assert_eq!(service.get("/", &token).await.0, 200);
        let revoked = house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(service.get("/", &token).await.0, 200, "as old as its owner allowed");
        let receipt = &revoked["receipt"];
        verifier.receipts().note(receipt["epoch"].as_i64().unwrap(), receipt["revision"].as_i64().unwrap());
        assert_eq!(service.get("/", &token).await.0, 401);
        assert_eq!(service.get("/", &house.admin).await.0, 200);
    }

    async fn a_receipt_from_another_node_is_waited_for(house) {
        let (_, own) = house.service("api", &["verifier"]).await;
        let (account, _) = house.service("ci", &["member"]).await;
        let node = house.another_node("second", tokenhouse_authority::Settings::default()).await;
        let verifier = Verifier::builder(&node.url, Credential::text(&own)).staleness(HOUR).build().unwrap();
        for _ in 0..20 {
            let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
            let revoked = house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
            let receipt = &revoked["receipt"];
            verifier.receipts().note(receipt["epoch"].as_i64().unwrap(), receipt["revision"].as_i64().unwrap());
            let refused = verifier.verify(&token, None, None).await;
            assert_eq!(refused, Err(tokenhouse_verify::Refusal::Refused("revoked".to_owned())));
        }
        node.stop().await;
    }

    async fn where_nobody_can_tell_nothing_passes(house) {
        let (_, own) = house.service("api", &["verifier"]).await;
        let (_, member) = house.service("ci", &["member"]).await;
        // The service's own credential may not verify, or is none.
        for own in [member.as_str(), "junk"] {
            let service = Service::before(&verifier(house, own, HOUR)).await;
            assert_eq!(service.get("/", &member).await.0, 503);
        }
        // A receipt that this house never gave.
        let ahead = verifier(house, &own, HOUR);
        ahead.receipts().note(1, 1_000_000);
        assert_eq!(Service::before(&ahead).await.get("/", &member).await.0, 503);
        // What was answered before is used for as long as its owner allowed, and nothing else when the house is gone.
        let kept = Service::before(&verifier(house, &own, HOUR)).await;
        assert_eq!(kept.get("/", &member).await.0, 200);
        let url = house.url.clone();
        house.stop().await;
        assert_eq!(kept.get("/", &member).await.0, 200);
        assert_eq!(kept.get("/policy", &member).await.0, 503);
        house.start().await.unwrap();
        assert_ne!(house.url, url);
    }
}
