//! What an end client may write into his request, and what it gets him.

use serde_json::json;
use tokenhouse_e2e::both;
use tokenhouse_http::Wire;
use tokenhouse_model::address::AddressRules;

use super::{BAD, IDENTITY, ask, gateway, gateway_refused, houses, passes, refused};

both! {
    async fn forged_identity_headers_say_nothing(house) {
        let gateway = gateway(house).await;
        let (account, _) = house.service("ci", &[]).await;
        let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
        let forged = IDENTITY.map(|name| (name, "forged"));
        let told = passes(&ask(house, &gateway, "/gate", &token, &forged).await);
        assert_eq!(told, [house.org.as_str(), &account, "sa::ci", &id, "service"]);
        refused(&ask(house, &gateway, "/gate", "junk", &forged).await, 401, BAD);
    }

    async fn two_different_credentials_are_refused(house) {
        let gateway = gateway(house).await;
        let (_, token) = house.service("ci", &[]).await;
        let other = house.admin.clone();
        for header in ["x-auth-token", "x-sf-token", "authorization"] {
            let value = if header == "authorization" { format!("Bearer {other}") } else { other.clone() };
            refused(&ask(house, &gateway, "/gate", &token, &[(header, &value)]).await, 401, BAD);
        }
        let more = [("x-auth-token", token.as_str()), ("x-sf-token", other.as_str())];
        refused(&ask(house, &gateway, "/gate", "", &more).await, 401, BAD);
        let more = [("x-auth-token", token.as_str()), ("x-auth-token", other.as_str())];
        refused(&ask(house, &gateway, "/gate", "", &more).await, 401, BAD);
    }

    async fn another_orgs_token_is_as_good_as_unknown(house) {
        let gateway = gateway(house).await;
        let (_, neighbour) = house.neighbour("second").await;
        let (_, token) = house.issue(&neighbour, json!({})).await;
        refused(&ask(house, &gateway, "/gate", &token, &[]).await, 401, BAD);
        // With the credential of his own org's gateway it is good, and there ours is not.
        passes(&ask(house, &neighbour, "/gate", &token, &[]).await);
        refused(&ask(house, &neighbour, "/gate", &house.admin, &[]).await, 401, BAD);
    }

    async fn an_end_clients_own_gate_credential_gets_nowhere(house) {
        let gateway = gateway(house).await;
        let (_, neighbour) = house.neighbour("second").await;
        let (_, token) = house.issue(&neighbour, json!({})).await;
        // The gateway's stands beside it, in either order; even the very same value.
        for forged in [neighbour.as_str(), &gateway, "junk"] {
            let forged = format!("Bearer {forged}");
            gateway_refused(&ask(house, &gateway, "/gate", &token, &[("x-tokenhouse-gate", &forged)]).await);
        }
        let forged = format!("Bearer {neighbour}");
        let request = house.request("GET", "/gate").bearer_auth(&token).header("x-tokenhouse-gate", forged);
        let request = request.header("x-tokenhouse-gate", format!("Bearer {gateway}"));
        gateway_refused(&house.send(request).await);
    }

    async fn an_address_that_no_trusted_proxy_says_is_not_known(house) {
        let gateway = gateway(house).await;
        let bound = async |cidr| house.issue(&house.admin, json!({"cidrs": [cidr]})).await.1;
        let (there, here) = (bound("192.0.2.0/24").await, bound("127.0.0.0/8").await);
        for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            for forged in ["192.0.2.7", "for=192.0.2.7"] {
                refused(&ask(house, &gateway, "/gate", &there, &[(header, forged)]).await, 401, BAD);
            }
        }
        // The gateway's own address is not its end client's.
        refused(&ask(house, &gateway, "/gate", &here, &[]).await, 401, BAD);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_gateway_says_the_end_clients_address() {
    let trusted_proxies = AddressRules::parse(["127.0.0.1"]).unwrap();
    for house in houses(&Wire { trusted_proxies, ..Wire::default() }).await {
        let gateway = gateway(&house).await;
        let (_, bound) = house.issue(&house.admin, json!({"cidrs": ["192.0.2.0/24"]})).await;
        let asked = async |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            ask(&house, &gateway, "/gate", &bound, &headers).await
        };
        passes(&asked(&["192.0.2.7"]).await);
        passes(&asked(&["203.0.113.9, 192.0.2.7"]).await);
        for forged in
            [&["192.0.2.7, 203.0.113.9"][..], &["192.0.2.7", "203.0.113.9"], &["192.0.2.7, unknown"], &[""], &[]]
        {
            refused(&asked(forged).await, 401, BAD);
        }
        house.close().await;
    }
}
