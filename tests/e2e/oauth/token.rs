//! `/oauth2/token`: token exchange (RFC 8693) and refresh; apps are tested with their dialect.

use serde_json::json;
use tokenhouse_authority::keys;
use tokenhouse_e2e::{Answer, House, both};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn ask(house: &House, form: &[(&str, &str)]) -> Answer {
    house.send(house.request("POST", "/oauth2/token").form(form)).await
}

async fn exchange(house: &House, subject: &str, more: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", EXCHANGE), ("subject_token", subject), ("subject_token_type", TYPE)];
    ask(house, &[&form, more].concat()).await
}

#[track_caller]
fn refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer["error"].as_str()), (400, Some(error)), "{}", answer.raw);
    assert_eq!(answer.header("cache-control"), "no-store");
}

both! {
    async fn any_token_is_exchanged_for_an_access_token_that_is_no_more_and_dies_with_it(house) {
        keys::tend(&house.ctx).await.unwrap();
        let (_, person) = house.person("ada@example.test", &["member", "verifier"]).await;
        let (_, robot) = house.service("robot", &["verifier"]).await;
        let (id, token) = house.issue(&person, json!({})).await;
        for subject in [&token, &person, &robot] {
            let answer = exchange(house, subject, &[]).await.expect(200);
            assert_eq!((answer.text("issued_token_type"), answer.text("token_type")), (TYPE.to_owned(), "Bearer".to_owned()));
            assert_eq!(answer.number("expires_in"), 1800);
            let jwt = answer.text("access_token");
            assert_eq!(house.verdict(&jwt).await, "good");
            // It works where its token does, as that token's access token and as little.
            house.get(&jwt, "/v1/whoami").await.expect(200);
        }
        let narrow = exchange(house, &token, &[("scope", "house:verify"), ("audience", "")]).await.expect(200);
        assert_eq!(narrow.text("scope"), "house:verify");
        let jwt = narrow.text("access_token");
        house.post(&jwt, "/v1/verify", json!({"token": "x"})).await.expect(200);
        house.post(&jwt, "/v1/tokens", json!({})).await.refused(403, "missing_permission");
        house.post(&jwt, &format!("/v1/tokens/{id}/rotate"), json!({})).await.refused(403, "missing_permission");
        // All of it is still not all that its account may later.
        let whole = exchange(house, &token, &[]).await.expect(200).text("access_token");
        house.post(&whole, "/v1/tokens", json!({})).await.refused(403, "forbidden");
        house.post(&whole, "/v1/tokens", json!({"scopes": ["house:verify"]})).await.expect(201);
        house.post(&person, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!((house.verdict(&jwt).await, house.verdict(&whole).await), ("revoked".to_owned(), "revoked".to_owned()));
        refused(&exchange(house, &token, &[]).await, "invalid_grant");
        refused(&exchange(house, &jwt, &[]).await, "invalid_grant");
    }

    async fn one_for_another_service_opens_nothing_here(house) {
        keys::tend(&house.ctx).await.unwrap();
        let (_, token) = house.issue(&house.admin, json!({})).await;
        let jwt = exchange(house, &token, &[("audience", "https://api.example")]).await.expect(200).text("access_token");
        assert_eq!(house.verdict(&jwt).await, "good");
        assert_eq!(house.get(&jwt, "/v1/whoami").await.status, 401);
        assert_eq!(house.get(&jwt, "/api/v2/apitoken").await.status, 401);
        let both = [("audience", "https://api.example"), ("resource", "https://other.example")];
        refused(&exchange(house, &token, &both).await, "invalid_request");
        refused(&exchange(house, &token, &[("resource", "relative")]).await, "invalid_request");
    }

    async fn a_request_that_can_not_be_read_says_so(house) {
        keys::tend(&house.ctx).await.unwrap();
        let (_, token) = house.issue(&house.admin, json!({})).await;
        refused(&ask(house, &[]).await, "invalid_request");
        refused(&ask(house, &[("grant_type", "password")]).await, "unsupported_grant_type");
        refused(&ask(house, &[("grant_type", EXCHANGE)]).await, "invalid_request");
        refused(&ask(house, &[("grant_type", EXCHANGE), ("subject_token", &token)]).await, "invalid_request");
        refused(&exchange(house, &token, &[("subject_token", "twice")]).await, "invalid_request");
        refused(&exchange(house, &token, &[("requested_token_type", "urn:x")]).await, "invalid_request");
        refused(&exchange(house, &token, &[("actor_token", &token)]).await, "invalid_request");
        refused(&exchange(house, &token, &[("algorithm", "none")]).await, "invalid_request");
        refused(&exchange(house, &token, &[("scope", "nonsense")]).await, "invalid_scope");
        refused(&exchange(house, "x", &[]).await, "invalid_grant");
        // What is not an api token is no refresh token.
        refused(&ask(house, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).await, "invalid_grant");
        let json = house.send(house.request("POST", "/oauth2/token").json(&json!({}))).await;
        assert_eq!(json.status, 415);
    }

    async fn a_token_bound_to_addresses_is_exchanged_and_used_from_there_only(house) {
        keys::tend(&house.ctx).await.unwrap();
        let (_, elsewhere) = house.issue(&house.admin, json!({"cidrs": ["192.0.2.0/24"]})).await;
        refused(&exchange(house, &elsewhere, &[]).await, "invalid_grant");
        let (_, here) = house.issue(&house.admin, json!({"cidrs": ["127.0.0.0/8"]})).await;
        let jwt = exchange(house, &here, &[]).await.expect(200).text("access_token");
        house.get(&jwt, "/v1/whoami").await.expect(200);
        let ask = json!({"token": jwt, "client_ip": "192.0.2.1"});
        assert_eq!(house.post(&house.admin, "/v1/verify", ask).await.text("reason"), "address");
    }
}
