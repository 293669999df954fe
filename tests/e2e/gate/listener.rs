//! The gate's own listener: who reaches it may ask, for one org, and for nothing else.

use serde_json::json;
use tokenhouse_e2e::{Answer, House, both, listening};
use tokenhouse_model::Uuid;

use super::{BAD, NOBODY, ask, gateway, passes, refused, unsure};

/// A private listener for an org beside a house; its address.
pub async fn listener(house: &House, org: &str) -> String {
    let org = Uuid::try_parse(org).unwrap();
    let (_, private) = tokenhouse_http::with_gate(house.ctx.clone(), house.wire.clone(), org);
    listening(private).await.0
}

async fn reach(url: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut request = reqwest::Client::new().get(url);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

both! {
    async fn whoever_reaches_it_asks_for_its_org(house) {
        let (org, neighbour) = house.neighbour("second").await;
        let (_, theirs) = house.issue(&neighbour, json!({})).await;
        let (ours, other) = (listener(house, &house.org).await, listener(house, &org).await);
        for (url, good, bad) in [(&ours, &house.admin, &theirs), (&other, &theirs, &house.admin)] {
            let gate = format!("{url}/gate");
            passes(&reach(&gate, good, &[]).await);
            refused(&reach(&gate, bad, &[]).await, 401, BAD);
            refused(&reach(&gate, "", &[]).await, 401, NOBODY);
            // A credential in the gateway's header is of no account here, whoever wrote it.
            let forged = format!("Bearer {good}");
            refused(&reach(&gate, bad, &[("x-tokenhouse-gate", &forged)]).await, 401, BAD);
            passes(&reach(&gate, good, &[("x-tokenhouse-gate", "junk")]).await);
        }
    }

    async fn it_serves_nothing_else(house) {
        let url = listener(house, &house.org).await;
        for path in ["/", "/metrics", "/healthz/ready", "/v1/whoami", "/v1/tokens", "/api/v2/apitoken", "/gate/", "/gates"] {
            assert_eq!(reach(&format!("{url}{path}"), &house.admin, &[]).await.status, 404, "{path}");
        }
    }

    async fn its_questions_stand_in_the_metrics_of_the_public_address(house) {
        let org = Uuid::try_parse(&house.org).unwrap();
        let (public, private) = tokenhouse_http::with_gate(house.ctx.clone(), house.wire.clone(), org);
        let mut urls = Vec::new();
        for entrance in [public, private] {
            urls.push(listening(entrance).await.0);
        }
        passes(&reach(&format!("{}/gate", urls[1]), &house.admin, &[]).await);
        let metrics = reach(&format!("{}/metrics", urls[0]), "", &[]).await.expect(200).raw;
        assert!(metrics.contains("tokenhouse_verdicts_total{surface=\"verify\",outcome=\"good\"} 1"), "{metrics}");
    }

    async fn a_node_that_is_not_sure_lets_nobody_pass(house) {
        let gateway = gateway(house).await;
        let url = listener(house, &house.org).await;
        passes(&reach(&format!("{url}/gate"), &house.admin, &[]).await);
        passes(&ask(house, &gateway, "/gate", &house.admin, &[]).await);
        tokenhouse_authority::pulse::leave(&house.ctx).await;
        unsure(&reach(&format!("{url}/gate"), &house.admin, &[]).await);
        unsure(&ask(house, &gateway, "/gate", &house.admin, &[]).await);
        unsure(&ask(house, &gateway, "/gate/envoy/a", &house.admin, &[]).await);
    }
}
