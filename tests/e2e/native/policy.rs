//! `/v1/policy`: an org's rules for its tokens.

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

/// Sets some rules of one kind, as the administrator; null takes one away.
async fn tighten(house: &House, kind: &str, rules: &[(&str, Value)]) -> Answer {
    let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
    for (name, value) in rules {
        policy["kinds"][kind][*name] = value.clone();
    }
    house.put(&house.admin, "/v1/policy", policy).await
}

both! {
    async fn the_policy_of_a_new_org_is_the_one_that_is_documented(house) {
        let policy = house.get(&house.admin, "/v1/policy").await.expect(200);
        let month = json!(30 * 86_400);
        let expected = json!({
            "kinds": {
                "user": {"limit": 20}, "service": {"limit": 20}, "client_secret": {"limit": 2},
                "api": {"limit": 50, "default_lifetime_seconds": 183 * 86_400},
                "session": {"limit": 1_000_000, "default_lifetime_seconds": month},
                "org": {"limit": 1_000_000, "default_lifetime_seconds": month},
            },
            "widen_reach": false, "recoverable": false, "session_by_user_token": false,
        });
        assert_eq!(policy.body, expected);
    }

    async fn a_policy_that_is_set_is_told_back_and_is_one_event(house) {
        let before = house.revision().await;
        let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
        policy["kinds"]["user"] = json!({
            "limit": 7, "max_lifetime_seconds": 86_400, "default_lifetime_seconds": 3600, "max_idle_seconds": 7200,
        });
        policy["recoverable"] = json!(true);
        let set = house.put(&house.admin, "/v1/policy", policy.clone()).await.expect(200);
        assert_eq!(set["receipt"]["revision"], before + 1);
        assert_eq!(house.get(&house.admin, "/v1/policy").await.body, policy);
        let event = house.events(before).await.remove(0);
        assert_eq!((&event["kind"], &event["subject"]), (&json!("policy.changed"), &json!(house.org)));
        assert_eq!(event["details"]["to"]["user"]["limit"], 7);
        assert_eq!(event["details"]["from"]["user"]["limit"], 20);
        house.put(&house.admin, "/v1/policy", policy.clone()).await.expect(200);
        assert_eq!(house.revision().await, before + 1);
        house.restart().await;
        assert_eq!(house.get(&house.admin, "/v1/policy").await.body, policy);
    }

    async fn a_policy_that_makes_no_sense_changes_nothing(house) {
        let good = house.get(&house.admin, "/v1/policy").await.expect(200).body;
        let wrong = [
            json!({"limit": -1}),
            json!({"limit": 1_000_001}),
            json!({"limit": 1, "max_lifetime_seconds": 0}),
            json!({"limit": 1, "max_lifetime_seconds": -5}),
            json!({"limit": 1, "default_lifetime_seconds": 0}),
            json!({"limit": 1, "max_lifetime_seconds": 10, "default_lifetime_seconds": 11}),
            json!({"limit": 1, "max_idle_seconds": 3599}),
            json!({"limit": 1, "max_idle_seconds": i64::MIN}),
        ];
        for kind in ["user", "service", "api", "client_secret", "session", "org"] {
            for rules in &wrong {
                let mut policy = good.clone();
                policy["kinds"][kind] = rules.clone();
                house.put(&house.admin, "/v1/policy", policy).await.refused(400, "invalid_field");
            }
        }
        let mut unknown = good.clone();
        unknown["kinds"]["user"]["colour"] = json!("red");
        let mut short = good.clone();
        short["kinds"].as_object_mut().unwrap().remove("api");
        let mut word = good.clone();
        word["widen_reach"] = json!("yes");
        let mut fraction = good.clone();
        fraction["kinds"]["user"]["limit"] = json!(1.5);
        for policy in [unknown, short, word, fraction, json!({}), json!(null), json!([])] {
            house.put(&house.admin, "/v1/policy", policy).await.refused(400, "malformed");
        }
        assert_eq!(house.get(&house.admin, "/v1/policy").await.body, good);
    }

    async fn only_who_may_changes_the_policy_and_everyone_sees_it(house) {
        let (_, member) = house.person("a@example.test", &["member", "auditor"]).await;
        let policy = house.get(&member, "/v1/policy").await.expect(200).body;
        let refused = house.put(&member, "/v1/policy", policy.clone()).await;
        assert_eq!(refused.refused(403, "missing_permission")["permission"], "house:policy");
        let (_, scoped) = house.issue(&house.admin, json!({"scopes": ["house:read"]})).await;
        house.put(&scoped, "/v1/policy", policy).await.refused(403, "missing_permission");
        house.get("", "/v1/policy").await.refused(401, "unauthenticated");
    }

    async fn one_orgs_policy_is_not_anothers(house) {
        let (_, there) = house.neighbour("second").await;
        tighten(house, "user", &[("limit", json!(0))]).await.expect(200);
        assert_eq!(house.get(&there, "/v1/policy").await.expect(200)["kinds"]["user"]["limit"], 20);
        house.issue(&there, json!({})).await;
        house.post(&house.admin, "/v1/tokens", json!({})).await.refused(409, "limit_reached");
    }

    async fn a_shorter_longest_life_ends_what_is_older_and_a_longer_one_brings_it_back(house) {
        let (robot, _) = house.service("ci", &[]).await;
        let (id, secret) = house.issue(&house.admin, json!({"owner": robot})).await;
        house.wait(100);
        let (_, young) = house.issue(&house.admin, json!({"owner": robot})).await;
        tighten(house, "service", &[("max_lifetime_seconds", json!(60))]).await.expect(200);
        assert_eq!(house.verdict(&secret).await, "expired");
        assert_eq!(house.verdict(&young).await, "good");
        let shown = house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200);
        assert_eq!(
            (&shown["state"], shown.number("expires_at")),
            (&json!("expired"), shown.number("created_at") + 60_000)
        );
        house.post(&house.admin, &format!("/v1/tokens/{id}/rotate"), json!({})).await.refused(409, "unlawful_state");
        house.wait(59);
        assert_eq!(house.verdict(&young).await, "good");
        house.wait(1);
        assert_eq!(house.verdict(&young).await, "expired");
        tighten(house, "service", &[("max_lifetime_seconds", Value::Null)]).await.expect(200);
        assert_eq!([house.verdict(&secret).await, house.verdict(&young).await], ["good", "good"]);
    }

    async fn nobody_asks_for_a_longer_life_than_the_longest(house) {
        let (robot, _) = house.service("ci", &[]).await;
        tighten(house, "service", &[("max_lifetime_seconds", json!(60))]).await.expect(200);
        let now = house.clock.now();
        for ask in [
            json!({"owner": robot, "lifetime_seconds": 61}),
            json!({"owner": robot, "expires_at": now + 60_001}),
            json!({"owner": robot, "expires_at": i64::MAX}),
        ] {
            let refused = house.post(&house.admin, "/v1/tokens", ask).await.refused(400, "invalid_field");
            assert_eq!(refused["field"], "expires_at");
        }
        let (id, _) = house.issue(&house.admin, json!({"owner": robot, "lifetime_seconds": 60})).await;
        let path = format!("/v1/tokens/{id}");
        house.wait(30);
        for later in [json!(now + 60_001), json!(null)] {
            house.patch(&house.admin, &path, json!({"expires_at": later})).await.refused(400, "invalid_field");
        }
        house.patch(&house.admin, &path, json!({"expires_at": now + 50_000})).await.expect(200);
        house.patch(&house.admin, &path, json!({"expires_at": now + 60_000})).await.expect(200);
    }

    async fn a_token_whose_maker_names_no_life_gets_the_default_one(house) {
        tighten(house, "user", &[("default_lifetime_seconds", json!(60))]).await.expect(200);
        let now = house.clock.now();
        let issued = house.post(&house.admin, "/v1/tokens", json!({})).await.expect(201);
        assert_eq!(issued.number("expires_at"), now + 60_000);
        let longer = house.post(&house.admin, "/v1/tokens", json!({"lifetime_seconds": 120})).await.expect(201);
        assert_eq!(longer.number("expires_at"), now + 120_000);
        house.wait(60);
        assert_eq!(house.verdict(&issued.text("secret")).await, "expired");
        assert_eq!(house.verdict(&longer.text("secret")).await, "good");
        // The default is for what is made from now on: the administrator's first token has none.
        house.get(&house.admin, "/v1/whoami").await.expect(200);
        // With a longest life and no default one, the longest is the default.
        let rules = [("default_lifetime_seconds", Value::Null), ("max_lifetime_seconds", json!(86_400))];
        tighten(house, "service", &rules).await.expect(200);
        let (robot, _) = house.service("ci", &[]).await;
        let robots = house.post(&house.admin, "/v1/tokens", json!({"owner": robot})).await.expect(201);
        assert_eq!(robots.number("expires_at"), house.clock.now() + 86_400_000);
    }

    async fn a_shorter_longest_rest_puts_what_rested_longer_to_sleep(house) {
        let (robot, _) = house.service("ci", &[]).await;
        let (_, resting) = house.issue(&house.admin, json!({"owner": robot})).await;
        let (_, used) = house.issue(&house.admin, json!({"owner": robot, "idle_seconds": 1_000_000})).await;
        house.wait(7200);
        assert_eq!(house.verdict(&used).await, "good");
        tighten(house, "service", &[("max_idle_seconds", json!(3600))]).await.expect(200);
        assert_eq!(house.verdict(&resting).await, "idle");
        assert_eq!(house.verdict(&used).await, "good");
        house.wait(3600);
        assert_eq!(house.verdict(&used).await, "idle");
    }

    async fn limits_are_the_policys_by_kind(house) {
        let (robot, _) = house.service("ci", &[]).await;
        tighten(house, "service", &[("limit", json!(2))]).await.expect(200);
        house.issue(&house.admin, json!({"owner": robot})).await;
        let refused = house.post(&house.admin, "/v1/tokens", json!({"owner": robot})).await;
        assert_eq!(refused.refused(409, "limit_reached")["limit"], 2);
        house.issue(&house.admin, json!({})).await;
        // A lower limit ends nothing that is there.
        tighten(house, "service", &[("limit", json!(0))]).await.expect(200);
        let listed = house.get(&house.admin, &format!("/v1/tokens?owner={robot}&state=active")).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        house.post(&house.admin, "/v1/tokens", json!({"owner": robot})).await.refused(409, "limit_reached");
        // What the longest life ended counts no more.
        tighten(house, "service", &[("limit", json!(1)), ("max_lifetime_seconds", json!(5))]).await.expect(200);
        house.wait(5);
        house.issue(&house.admin, json!({"owner": robot})).await;
        house.post(&house.admin, "/v1/tokens", json!({"owner": robot})).await.refused(409, "limit_reached");
    }

    async fn a_limit_on_sessions_refuses_to_sign_in_once_more(house) {
        let (_, session) = house.person("a@example.test", &["member"]).await;
        tighten(house, "session", &[("limit", json!(1))]).await.expect(200);
        let ask = json!({"email": "a@example.test", "password": tokenhouse_e2e::PASSWORD});
        house.post("", "/v1/session", ask.clone()).await.refused(409, "limit_reached");
        house.delete(&session, "/v1/session").await.expect(200);
        house.post("", "/v1/session", ask).await.expect(201);
    }
}
