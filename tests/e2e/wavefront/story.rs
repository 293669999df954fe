//! The tab "API Tokens" as one story (wavefront.md 9).

use serde_json::json;
use tokenhouse_e2e::both;

use super::{holder, last_secret, refused, wrapped};

const DAY: i64 = 86_400;

both! {
    async fn an_administrator_keeps_house_over_an_accounts_tokens(house) {
        let admin = holder(house, "lead@example.test", &["user_management", "token_management", "ingestion"]).await;

        // She makes a service account with two tokens; a script uses one.
        let body = json!({"identifier": "sa::deployer", "groups": ["ingestion"], "tokens": []});
        wrapped(house.post(&admin, "/api/v2/account/serviceaccount", body).await);
        let tokens = "/api/v2/apitoken/serviceaccount/sa::deployer";
        let script = last_secret(&wrapped(house.post(&admin, tokens, json!({"tokenName": "script"})).await));
        house.clock.advance(1);
        let spare = last_secret(&wrapped(house.post(&admin, tokens, json!({"tokenName": "spare"})).await));
        wrapped(house.get(&script, "/api/v2/apitoken").await);

        // The limit is hit, and a place is freed by revoking.
        let mut last = String::new();
        for number in 2..20 {
            house.clock.advance(1);
            last = last_secret(&wrapped(house.post(&admin, tokens, json!({"tokenName": format!("more {number}")})).await));
        }
        refused(&house.post(&admin, tokens, json!({})).await, 400, "the limit of 20 service tokens per account is reached");
        wrapped(house.delete(&admin, &format!("{tokens}/{last}")).await);
        wrapped(house.post(&admin, tokens, json!({"tokenName": "the place"})).await);

        // The account is switched off: its tokens answer 401, until it is on again.
        let account = "/api/v2/account/serviceaccount/sa::deployer";
        wrapped(house.post(&admin, &format!("{account}/deactivate"), json!(null)).await);
        for token in [&script, &spare] {
            refused(&house.get(token, "/api/v2/apitoken").await, 401, "the credential is not valid");
        }
        wrapped(house.post(&admin, &format!("{account}/activate"), json!(null)).await);

        // A month goes by in which only the script works.
        house.wait(31 * DAY);
        wrapped(house.get(&script, "/api/v2/apitoken").await);
        house.flush().await;
        let now = house.clock.now();
        let named = |page: &serde_json::Value| -> Vec<String> {
            page["items"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap_or("").to_owned()).collect()
        };
        let of_account = json!({"key": "account", "value": "sa::deployer", "matchingMethod": "EXACT"});
        let used = json!({"query": [of_account, {"key": "lastUsed", "start": now - 7 * DAY * 1000}]});
        let used = wrapped(house.post(&admin, "/api/v2/search/token", used).await);
        assert_eq!(named(&used), ["script"], "used in last 7 days");
        assert_eq!(used["items"][0]["lastUsed"], now);
        let unused = json!({
            "query": [of_account, {"key": "lastUsed", "end": now - 30 * DAY * 1000}],
            "sort": {"field": "createdEpochMillis", "ascending": true},
        });
        let unused = wrapped(house.post(&admin, "/api/v2/search/token", unused).await);
        let idle = named(&unused);
        assert_eq!((idle.len(), idle[0].as_str(), idle[18].as_str()), (19, "spare", "the place"), "unused for 30 days or more");
        assert!(unused["items"][0].get("lastUsed").is_none(), "never is absent, not 1970");

        // One is revoked through the org's list. When she has the receipt, its script is out.
        let body = json!({"tokenID": used["items"][0]["id"]});
        let revoked = house.put(&admin, "/api/v2/apitoken/customertokens/revoke?wait=nodes", body).await;
        assert!(revoked.header("x-tokenhouse-receipt").ends_with("journaled=true; confirmed=yes"));
        assert_eq!(wrapped(revoked)["tokenName"], "script");
        refused(&house.get(&script, "/api/v2/apitoken").await, 401, "the credential is not valid");
        assert_eq!(house.verdict(&script).await, "revoked");
    }
}
