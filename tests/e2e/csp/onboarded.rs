//! Onboarded organizations: access tokens are the way in.

use serde_json::json;
use tokenhouse_e2e::both;

use super::{AM, access_token, api_token, person, scopes};

both! {
    async fn access_tokens_open_the_other_apis_as_far_as_their_roles_go(house) {
        let (_, session) = person(house, "ada@example.test", &["org_member", "member", "aoa:admin", "aoa:viewer"]).await;
        let old = crate::wavefront::own(house, "old").await;
        let ask = json!({"allowedScopes": scopes(&["org_member"], &["aoa:admin"])});
        let (_, value) = api_token(house, &session, ask).await;
        let (_, plain) = api_token(house, &session, json!({"allowedScopes": scopes(&["org_member"], &["aoa:viewer"])})).await;
        let (jwt, viewer) = (access_token(house, &value).await, access_token(house, &plain).await);
        let list = "/api/v2/account/serviceaccount";
        let before = house.revision().await;
        assert_eq!(house.get(&jwt, list).await.status, 401);
        assert_eq!(house.get(&jwt, "/v1/whoami").await.status, 401);
        let path = format!("/v1/orgs/{}", house.org);
        let onboarded = house.post(&house.admin, &format!("{path}/onboard"), json!({})).await.expect(200);
        assert_eq!(onboarded["onboarded"], true);
        house.post(&house.admin, &format!("{path}/onboard"), json!({})).await.expect(200);
        assert_eq!(house.events(before).await.iter().filter(|event| event["kind"] == "org.onboarded").count(), 1);
        house.get(&jwt, list).await.expect(200);
        let robot = json!({"identifier": "sa::robot", "active": true});
        assert_eq!(house.post(&viewer, list, robot.clone()).await.status, 403);
        house.post(&jwt, list, robot).await.expect(200);
        assert_eq!(house.get(&jwt, "/v1/whoami").await.expect(200)["org"]["id"], json!(house.org));
        // The api token itself is no credential there, and nobody makes tokens of the old kind any more.
        assert_eq!(house.get(&value, list).await.status, 401);
        let refused = house.post(&house.admin, "/api/v2/apitoken", json!({})).await.expect(403);
        let message = refused["status"]["message"].as_str().unwrap();
        assert!(message.contains("onboarded") && message.contains("/csp/gateway/am/api/loggedin/user/api-tokens"), "{message}");
        // Those that are there work, are listed and can be revoked.
        let listed = house.get(&old, "/api/v2/apitoken").await.expect(200);
        assert!(!listed["response"].as_array().unwrap().is_empty());
        house.delete(&old, &format!("/api/v2/apitoken/{old}")).await.expect(200);
        assert_eq!(house.get(&old, "/api/v2/apitoken").await.status, 401);
        house.post(&house.admin, &format!("{path}/offboard?wait=nodes"), json!({})).await.expect(200);
        assert_eq!(house.get(&jwt, list).await.status, 401);
        assert_eq!(house.get(&jwt, &format!("{AM}/loggedin/user")).await.status, 200);
    }

    async fn only_operators_and_who_sets_the_policy_of_an_org_onboard_it(house) {
        let (_, member) = person(house, "ada@example.test", &["org_member", "member"]).await;
        let (_, owner) = person(house, "own@example.test", &["org_owner", "member"]).await;
        let (second, stranger) = house.neighbour("second").await;
        let path = format!("/v1/orgs/{}/onboard", house.org);
        assert_eq!(house.post(&member, &path, json!({})).await.status, 403);
        assert_eq!(house.post(&stranger, &path, json!({})).await.status, 404);
        house.post(&owner, &path, json!({})).await.expect(200);
        house.post(&house.admin, &format!("/v1/orgs/{second}/onboard"), json!({})).await.expect(200);
    }
}
