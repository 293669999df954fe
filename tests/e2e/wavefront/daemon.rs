//! `/api/daemon/test`: what a proxy's installer asks.

use serde_json::json;
use tokenhouse_e2e::both;

use super::{holder, own, refused, wrapped};

both! {
    async fn a_token_with_proxies_is_good_and_every_other_is_401(house) {
        let good = own(house, "").await;
        for method in ["GET", "POST"] {
            let ask = async |path: String| house.send(house.request(method, &path)).await;
            assert_eq!(wrapped(ask(format!("/api/daemon/test?token={good}")).await), json!({}));
            assert_eq!(wrapped(ask(format!("//api/daemon/test?x=1&token={good}")).await), json!({}));
            let unknown = "00000000-0000-4000-8000-000000000000";
            refused(&ask(format!("/api/daemon/test?token={unknown}")).await, 401, "the credential is not valid");
            refused(&ask("/api/daemon/test".to_owned()).await, 401, "a credential is required");
            refused(&ask("/api/daemon/test?token=%zz".to_owned()).await, 401, "the credential is not valid");
            let other = holder(house, &format!("{}@example.test", method.to_lowercase()), &["ingestion"]).await;
            let message = "the token lacks the permission Proxies (agent_management)";
            refused(&ask(format!("/api/daemon/test?token={other}")).await, 401, message);
            let both = house.request(method, &format!("/api/daemon/test?token={good}")).bearer_auth(&other);
            refused(&house.send(both).await, 400, "two different credentials in one request");
        }
        wrapped(house.get(&good, "/api/daemon/test").await);
    }
}
