//! `/gate/kubernetes`: TokenReview.

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::listener::listener;

async fn review(house: &House, with: &str, token: &str, version: &str) -> Answer {
    let body = json!({
        "apiVersion": format!("authentication.k8s.io/{version}"),
        "kind": "TokenReview",
        "metadata": {"creationTimestamp": null},
        "spec": {"token": token, "audiences": ["https://kubernetes.default.svc"]},
        "status": {"user": {}},
    });
    house.post(with, "/gate/kubernetes", body).await
}

both! {
    async fn a_good_token_is_its_accounts(house) {
        let (_, server) = house.service("kube", &["verifier"]).await;
        let (account, _) = house.service("ci", &[]).await;
        let (id, token) = house.issue(&house.admin, json!({"owner": account})).await;
        for version in ["v1", "v1beta1"] {
            let answer = review(house, &server, &token, version).await.expect(200);
            let expected = json!({
                "apiVersion": format!("authentication.k8s.io/{version}"),
                "kind": "TokenReview",
                "status": {
                    "authenticated": true,
                    "user": {
                        "username": "sa::ci",
                        "uid": account,
                        "groups": ["tokenhouse:service"],
                        "extra": {"tokenhouse/org": [house.org], "tokenhouse/token": [id], "tokenhouse/kind": ["service"]},
                    },
                },
            });
            assert_eq!(answer.body, expected);
        }
    }

    async fn a_bad_token_is_nobodys_and_the_server_learns_why(house) {
        let (_, server) = house.service("kube", &["verifier"]).await;
        let (_, neighbour) = house.neighbour("second").await;
        let (_, theirs) = house.issue(&neighbour, json!({})).await;
        let (_, bound) = house.issue(&house.admin, json!({"cidrs": ["127.0.0.0/8"]})).await;
        for (token, error) in [("junk", "malformed"), (&theirs, "unknown"), (&bound, "address_unknown"), ("", "malformed")] {
            let status = review(house, &server, token, "v1").await.expect(200)["status"].clone();
            assert_eq!(status, json!({"authenticated": false, "error": error}));
        }
    }

    async fn nobody_comes_in_under_a_name_of_kubernetes(house) {
        let (_, server) = house.service("kube", &["verifier"]).await;
        let (_, token) = house.person("system:admin@example.test", &[]).await;
        let status = review(house, &server, &token, "v1").await.expect(200)["status"].clone();
        assert_eq!(status, json!({"authenticated": false, "error": "a reserved username"}));
    }

    async fn the_api_server_must_be_known_and_ask_properly(house) {
        let (_, server) = house.service("kube", &["verifier"]).await;
        let (_, weak) = house.service("weak", &["member"]).await;
        review(house, "", &house.admin, "v1").await.refused(401, "unauthenticated");
        review(house, "junk", &house.admin, "v1").await.refused(401, "unauthenticated");
        review(house, &weak, &house.admin, "v1").await.refused(403, "missing_permission");
        review(house, &server, &house.admin, "v2").await.refused(400, "malformed");
        let wrong: [Value; 4] = [
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "Token", "spec": {"token": "x"}}),
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {}}),
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}),
            json!([]),
        ];
        for body in wrong {
            house.post(&server, "/gate/kubernetes", body).await.refused(400, "malformed");
        }
        let long = "x".repeat(2 << 20);
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": long}});
        house.post(&server, "/gate/kubernetes", body).await.refused(413, "body_too_large");
        house.get(&server, "/gate/kubernetes").await.refused(405, "method_not_allowed");
    }

    async fn on_the_gates_own_listener_it_needs_no_credential(house) {
        let url = listener(house, &house.org).await;
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": house.admin}});
        let request = reqwest::Client::new().post(format!("{url}/gate/kubernetes")).json(&body);
        let answer = Answer::read(request.send().await.unwrap()).await.expect(200);
        assert_eq!(answer["status"]["user"]["username"], "admin@example.test");
    }
}
