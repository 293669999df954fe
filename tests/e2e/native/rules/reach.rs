//! A token works where its reach says, and makes nothing that reaches farther.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

use super::limited;

async fn reach(house: &House, with: &str, ask: Value) -> Value {
    house.post(with, "/v1/tokens", ask).await.expect(201)["reach"].clone()
}

both! {
    async fn a_native_token_reaches_all_unless_told(house) {
        let all = json!(["native", "verify", "wavefront", "csp", "splunk"]);
        assert_eq!(reach(house, &house.admin, json!({})).await, all);
        assert_eq!(
            reach(house, &house.admin, json!({"reach": ["csp", "native", "csp"]})).await,
            json!(["native", "csp"])
        );
        for (wrong, code) in
            [(json!([]), "invalid_field"), (json!(["moon"]), "invalid_field"), (json!("all"), "malformed")]
        {
            house.post(&house.admin, "/v1/tokens", json!({"reach": wrong})).await.refused(400, code);
        }
    }

    async fn a_token_works_only_where_it_reaches(house) {
        let far = limited(house, json!({"reach": ["wavefront"]})).await;
        assert_eq!(house.verdict(&far).await, "out_of_reach");
        house.get(&far, "/v1/whoami").await.refused(401, "unauthenticated");
        for (surface, active) in [("wavefront", true), ("csp", false), ("splunk", false), ("native", false)] {
            let answer = house.post(&house.admin, "/v1/verify", json!({"token": far, "surface": surface})).await;
            assert_eq!(answer.expect(200)["active"], active, "{surface}");
        }
        let here = limited(house, json!({"reach": ["native"]})).await;
        house.get(&here, "/v1/whoami").await.expect(200);
        assert_eq!(house.verdict(&here).await, "out_of_reach");
    }

    async fn a_token_makes_none_with_more_reach_unless_the_policy_says_so(house) {
        let near = limited(house, json!({"reach": ["native", "csp"]})).await;
        assert_eq!(reach(house, &near, json!({})).await, json!(["native", "csp"]));
        for more in [
            json!(["verify"]),
            json!(["native", "csp", "splunk"]),
            json!(["native", "verify", "wavefront", "csp", "splunk"]),
        ] {
            house.post(&near, "/v1/tokens", json!({"reach": more})).await.refused(403, "forbidden");
        }
        let (robot, _) = house.service("ci", &[]).await;
        let ask = json!({"owner": robot, "reach": ["verify"]});
        house.post(&near, "/v1/tokens", ask.clone()).await.refused(403, "forbidden");
        let mut policy = house.get(&house.admin, "/v1/policy").await.body;
        policy["widen_reach"] = json!(true);
        house.put(&house.admin, "/v1/policy", policy).await.expect(200);
        assert_eq!(reach(house, &near, ask).await, json!(["verify"]));
        // Widening stays explicit: who names nothing gets no more than he came with.
        assert_eq!(reach(house, &near, json!({})).await, json!(["native", "csp"]));
    }

    async fn a_token_takes_no_secret_of_one_with_more_reach(house) {
        let (whole, secret) = house.issue(&house.admin, json!({"expires_at": house.clock.now() + 60_000})).await;
        let near = limited(house, json!({"reach": ["native"]})).await;
        let path = format!("/v1/tokens/{whole}");
        house.post(&near, &format!("{path}/rotate"), json!({})).await.refused(403, "forbidden");
        house.patch(&near, &path, json!({"expires_at": null})).await.refused(403, "forbidden");
        assert_eq!(house.verdict(&secret).await, "good");
        house.post(&near, &format!("{path}/deactivate"), json!({})).await.expect(200);
        house.post(&near, &format!("{path}/reactivate"), json!({})).await.refused(403, "forbidden");
        assert_eq!(house.verdict(&secret).await, "deactivated");
        // Itself it may rotate.
        house.post(&near, "/v1/tokens/self/rotate", json!({})).await.expect(200);
    }
}
