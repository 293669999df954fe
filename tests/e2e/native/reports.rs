//! `/v1/reports`

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

const PATH: &str = "/v1/reports/old-tokens";

/// The names of a report's tokens.
fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect()
}

/// The report, without the token of the administrator who asks for it.
async fn report(house: &House) -> Vec<Value> {
    let page = house.get(&house.admin, PATH).await.expect(200);
    let items = page["items"].as_array().unwrap().iter();
    items.filter(|token| token["owner_identifier"] != "admin@example.test").cloned().collect()
}

both! {
    async fn it_tells_who_uses_what_the_latest_first(house) {
        const DAY: i64 = 86_400_000;
        let (robot, first) = house.service("robot", &["verifier"]).await;
        house.put(&house.admin, "/v1/accounts/sa::robot/permissions/agent_management", json!({})).await.expect(200);
        let (person, session) = house.person("ada@example.test", &["member"]).await;
        house.wait(1);
        let (_, ada) = house.issue(&session, json!({"name": "laptop"})).await;
        house.post(&house.admin, &format!("/v1/orgs/{}/onboard", house.org), json!({})).await.expect(200);
        house.wait(1);
        let proxy = json!({"owner": robot, "name": "proxy", "integration": "kubernetes"});
        let (proxy_id, proxy) = house.issue(&house.admin, proxy).await;
        let (gone, _) = house.issue(&session, json!({"name": "gone"})).await;
        house.post(&session, &format!("/v1/tokens/{gone}/revoke"), json!({})).await.expect(200);
        house.issue(&session, json!({"name": "over", "lifetime_seconds": 1})).await;
        house.issue(&session, json!({"name": "off"})).await;
        let ask = json!({"name": "api", "scopes": {"organization": {"all": true}}});
        house.post(&house.admin, "/v1/api-tokens", ask).await.expect(201);
        let made = house.clock.now();

        let use_from = async |token: &str, address: &str| {
            let ask = json!({"token": token, "client_ip": address});
            house.post(&house.admin, "/v1/verify", ask).await.expect(200);
        };
        use_from(&first, "192.0.2.1").await;
        use_from(&ada, "192.0.2.2").await;
        house.flush().await;
        house.clock.advance(36 * DAY);
        for _ in 0..2 {
            use_from(&ada, "192.0.2.3").await;
        }
        house.wait(60);
        for _ in 0..3 {
            use_from(&proxy, "192.0.2.4").await;
        }
        house.flush().await;
        let told = report(house).await;
        assert_eq!(told.len(), 4, "{told:?}");
        let members = |token: &Value| {
            let names = ["owner_identifier", "kind", "name", "integration", "last_used_address", "uses", "never_used"];
            Value::from(names.iter().map(|name| token[*name].clone()).collect::<Vec<_>>())
        };
        let now = house.clock.now();
        assert_eq!(members(&told[0]), json!(["sa::robot", "service", "proxy", "kubernetes", "192.0.2.4", 3, false]));
        assert_eq!((&told[0]["id"], &told[0]["owner"]), (&json!(proxy_id), &json!(robot)));
        assert_eq!((&told[0]["created_at"], &told[0]["last_used_at"]), (&json!(made), &json!(now)));
        // What is older than 35 days does not count any more.
        assert_eq!(members(&told[1]), json!(["ada@example.test", "user", "laptop", null, "192.0.2.3", 2, false]));
        assert_eq!((&told[1]["owner"], &told[1]["last_used_at"]), (&json!(person), &json!(now - 60_000)));
        assert_eq!(members(&told[2]), json!(["sa::robot", "service", "", null, "192.0.2.1", 0, false]));
        assert_eq!(members(&told[3]), json!(["ada@example.test", "user", "off", null, null, 0, true]));
        assert_eq!(told[3]["last_used_at"], Value::Null);
    }

    async fn it_comes_in_pages(house) {
        for number in 0..5 {
            let (_, token) = house.issue(&house.admin, json!({"name": format!("token {number}")})).await;
            house.wait(60);
            assert_eq!(house.verdict(&token).await, "good");
        }
        house.flush().await;
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = house.get(&house.admin, &format!("{PATH}?limit=2{cursor}")).await.expect(200);
            assert!(names(&page.body).len() <= 2);
            all.extend(names(&page.body));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        all.retain(|name| name.starts_with("token "));
        assert_eq!(all, ["token 4", "token 3", "token 2", "token 1", "token 0"]);
        for wrong in ["limit=0", "limit=1001", "cursor=x", "unknown=1"] {
            house.get(&house.admin, &format!("{PATH}?{wrong}")).await.expect(400);
        }
    }

    async fn it_is_empty_where_nobody_has_such_a_token(house) {
        let (_, stranger) = house.neighbour("other").await;
        assert_eq!(house.get(&stranger, PATH).await.expect(200).body, json!({"items": [], "next": null}));
    }

    async fn only_who_may_see_others_tokens_sees_it(house) {
        let (_, member) = house.person("ada@example.test", &["member"]).await;
        house.get(&member, PATH).await.expect(403);
        house.get("", PATH).await.expect(401);
        let (id, holder) = house.person("bob@example.test", &["member"]).await;
        house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/user_management"), json!({})).await.expect(200);
        house.get(&holder, PATH).await.expect(200);
    }
}
