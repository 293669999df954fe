//! The gate on the public address: whoever asks has a credential of his own.

use serde_json::json;
use tokenhouse_e2e::both;

use super::{BAD, NOBODY, SHORT, ask, gateway, gateway_refused, passes, refused, short_of, unsure};

both! {
    async fn a_good_token_passes_and_the_upstream_is_told_whose_it_is(house) {
        let gateway = gateway(house).await;
        let (account, _) = house.service("ci", &[]).await;
        let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
        let told = passes(&ask(house, &gateway, "/gate", &token, &[]).await);
        assert_eq!(told, [house.org.as_str(), &account, "sa::ci", &id, "service"]);
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
            let request = house.request(method, "/gate").header("x-tokenhouse-gate", format!("bearer {gateway}"));
            passes(&house.send(request.header("x-sf-token", &token)).await);
        }
        for header in ["x-auth-token", "x-sf-token"] {
            passes(&ask(house, &gateway, "/gate", "", &[(header, &token)]).await);
            passes(&ask(house, &gateway, "/gate", &token, &[(header, &token)]).await);
        }
    }

    async fn what_is_not_visible_ascii_is_percent_encoded(house) {
        let gateway = gateway(house).await;
        let (_, token) = house.person("zo\u{eb}%41@example.test", &[]).await;
        let told = passes(&ask(house, &gateway, "/gate", &token, &[]).await);
        assert_eq!((told[2].as_str(), told[4].as_str()), ("zo%C3%AB%2541@example.test", "session"));
    }

    async fn a_bad_token_is_refused_without_a_reason(house) {
        let gateway = gateway(house).await;
        let (account, good) = house.service("ci", &[]).await;
        let make = async |ask| house.issue(&house.admin, ask).await;
        let (revoked_id, revoked) = make(json!({"owner": account})).await;
        house.post(&house.admin, &format!("/v1/tokens/{revoked_id}/revoke"), json!({})).await.expect(200);
        let (_, short) = make(json!({"owner": account, "expires_at": house.clock.now() + 30_000})).await;
        let (_, native) = make(json!({"owner": account, "reach": ["native"]})).await;
        passes(&ask(house, &gateway, "/gate", &short, &[]).await);
        house.wait(30);
        let unknown = "00000000-0000-4000-8000-000000000000";
        for bad in [revoked.as_str(), &short, &native, unknown, "junk", "a.b.c", "th_u_x"] {
            refused(&ask(house, &gateway, "/gate", bad, &[]).await, 401, BAD);
            refused(&ask(house, &gateway, "/gate", "", &[("x-auth-token", bad)]).await, 401, BAD);
        }
        refused(&ask(house, &gateway, "/gate", "", &[]).await, 401, NOBODY);
        for wrong in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  ", "Digest x", "", "Bearer a b"] {
            refused(&ask(house, &gateway, "/gate", "", &[("authorization", wrong)]).await, 401, BAD);
            // A good one beside it does not help.
            let more = [("authorization", wrong), ("x-auth-token", good.as_str())];
            refused(&ask(house, &gateway, "/gate", "", &more).await, 401, BAD);
        }
    }

    async fn the_gates_url_names_a_permission_and_kinds(house) {
        let gateway = gateway(house).await;
        let (account, token) = house.service("ci", &[]).await;
        let wanted = "/gate?permission=external/orders/read";
        refused(&ask(house, &gateway, wanted, &token, &[]).await, 403, &short_of("external/orders/read"));
        let path = format!("/v1/accounts/{account}/permissions/external%2Forders%2Fread");
        house.put(&house.admin, &path, json!({})).await.expect(200);
        passes(&ask(house, &gateway, wanted, &token, &[]).await);
        passes(&ask(house, &gateway, "/gate?permission=external%2Forders%2Fread&kind=service", &token, &[]).await);
        passes(&ask(house, &gateway, "/gate?kind=user&kind=service", &token, &[]).await);
        refused(&ask(house, &gateway, "/gate?kind=user&kind=org", &token, &[]).await, 403, SHORT);
        refused(&ask(house, &gateway, "/gate?kind=user&permission=house:read", &token, &[]).await, 403, SHORT);
        refused(&ask(house, &gateway, "/gate?permission=house:tokens", &token, &[]).await, 403, &short_of("house:tokens"));
        // A bad token is bad first.
        refused(&ask(house, &gateway, wanted, "junk", &[]).await, 401, BAD);
        house.delete(&house.admin, &path).await.expect(200);
        refused(&ask(house, &gateway, wanted, &token, &[]).await, 403, &short_of("external/orders/read"));
    }

    async fn a_question_that_makes_no_sense_lets_nobody_pass(house) {
        let gateway = gateway(house).await;
        for query in [
            "permission=",
            "permission",
            "permission=house:read&permission=house:read",
            "permission=orders",
            "permission=external%2",
            "permission=%ff",
            "kind=",
            "kind=robot",
            "role=admin",
            "Permission=house:read",
            "permission=house:read&debug=1",
        ] {
            unsure(&ask(house, &gateway, &format!("/gate?{query}"), &house.admin, &[]).await);
        }
        passes(&ask(house, &gateway, "/gate?", &house.admin, &[]).await);
    }

    async fn the_gateways_own_credential_must_be_good_and_may_ask(house) {
        let gateway = gateway(house).await;
        let (_, weak) = house.service("weak", &["member"]).await;
        let session = house.sign_in("admin@example.test", &house.password.clone()).await;
        for bad in [weak.as_str(), "junk", "", "a b", "00000000-0000-4000-8000-000000000000"] {
            gateway_refused(&ask(house, bad, "/gate", &house.admin, &[]).await);
        }
        passes(&ask(house, &session, "/gate", &house.admin, &[]).await);
        let request = |value: &str| house.request("GET", "/gate").bearer_auth(&house.admin).header("x-tokenhouse-gate", value);
        for wrong in [gateway.clone(), format!("Basic {gateway}"), format!("Bearer {gateway}, Bearer {gateway}")] {
            gateway_refused(&house.send(request(&wrong)).await);
        }
        gateway_refused(&house.get(&house.admin, "/gate").await);
        gateway_refused(&house.get("", "/gate").await);
        house.delete(&house.admin, "/v1/accounts/sa::gateway").await.expect(200);
        gateway_refused(&ask(house, &gateway, "/gate", &house.admin, &[]).await);
    }

    async fn a_gateways_credential_is_bound_to_the_gateways_address(house) {
        let (account, _) = house.service("gateway", &["verifier"]).await;
        let bound = async |cidr| house.issue(&house.admin, json!({"owner": account, "cidrs": [cidr]})).await.1;
        let (here, elsewhere) = (bound("127.0.0.0/8").await, bound("192.0.2.0/24").await);
        passes(&ask(house, &here, "/gate", &house.admin, &[]).await);
        let forged = [("x-forwarded-for", "192.0.2.7")];
        gateway_refused(&ask(house, &elsewhere, "/gate", &house.admin, &forged).await);
    }

    async fn questions_count_as_use_and_in_the_metrics(house) {
        let gateway = gateway(house).await;
        let (account, _) = house.service("ci", &[]).await;
        let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
        passes(&ask(house, &gateway, "/gate", &token, &[]).await);
        refused(&ask(house, &gateway, "/gate?permission=house:ledger", &token, &[]).await, 403, &short_of("house:ledger"));
        refused(&ask(house, &gateway, "/gate?kind=user", &token, &[]).await, 403, SHORT);
        house.flush().await;
        let usage = house.get(&house.admin, &format!("/v1/tokens/{id}/usage")).await.expect(200);
        let outcomes = usage["items"].as_array().unwrap().iter();
        let mut outcomes: Vec<_> = outcomes.map(|day| day["outcome"].as_str().unwrap().to_owned()).collect();
        outcomes.sort();
        assert_eq!(outcomes, ["good", "other_kind", "permission_missing"]);
        let metrics = house.get("", "/metrics").await.expect(200).raw;
        for outcome in ["good", "other_kind", "permission_missing"] {
            let line = format!("tokenhouse_verdicts_total{{surface=\"verify\",outcome=\"{outcome}\"}} 1");
            assert!(metrics.contains(&line), "{line}");
        }
    }

    async fn every_answer_carries_the_request_id_of_its_log_line(house) {
        let gateway = gateway(house).await;
        let (_, token) = house.service("ci", &[]).await;
        let asked = |id: &'static str| [("x-request-id", id)];
        let answer = ask(house, &gateway, "/gate?permission=house:ledger", &token, &asked("gate-short-1")).await;
        assert_eq!(answer.header("x-request-id"), "gate-short-1");
        ask(house, &gateway, "/gate", "junk", &asked("gate-bad-1")).await;
        ask(house, "junk", "/gate", &token, &asked("gate-own-1")).await;
        let log = tokenhouse_e2e::log_lines();
        let said = |id: &str, what: &str| log.lines().any(|line| line.contains(id) && line.contains(what));
        assert!(said("gate-short-1", "permission_missing") && said("gate-bad-1", "malformed"));
        assert!(said("gate-own-1", "the gate refuses the gateway's own credential"));
    }
}
