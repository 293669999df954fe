//! Limits on bad credentials at `/oauth2/token`.

use serde_json::json;
use tokenhouse_authority::keys;
use tokenhouse_e2e::{Answer, House, both};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn ask(house: &House, form: &[(&str, &str)]) -> Answer {
    house.send(house.request("POST", "/oauth2/token").form(form)).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str, description: &str, retry_after: &str) {
    assert_eq!(answer.body, json!({"error": error, "error_description": description}));
    assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after));
}

both! {
    async fn a_bad_token_that_comes_too_often_is_told_so_and_a_good_one_passes(house) {
        keys::tend(&house.ctx).await.unwrap();
        let (_, good) = house.issue(&house.admin, json!({})).await;
        let wrong = format!("{:_>64}", 1);
        house.secret(&wrong);
        let exchange = async |token: &str| {
            let subject = [("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
            ask(house, &[&[("grant_type", EXCHANGE)], &subject[..]].concat()).await
        };
        let refresh = async || ask(house, &[("grant_type", "refresh_token"), ("refresh_token", wrong.as_str())]).await;
        let why = "the token that was presented is not valid";
        for _ in 0..10 {
            refused(&exchange(&wrong).await, 400, "invalid_grant", why, "");
            refused(&refresh().await, 400, "invalid_grant", why, "");
        }
        refused(&exchange(&wrong).await, 429, "invalid_grant", why, "12");
        refused(&refresh().await, 429, "invalid_grant", why, "12");
        exchange(&good).await.expect(200);
        // It is the same limit in the other dialect.
        let request = house.request("POST", "/csp/gateway/am/api/auth/api-tokens/authorize");
        let answer = house.send(request.form(&[("api_token", wrong.as_str())])).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "12"));
        // What can't be read is no credential.
        refused(&ask(house, &[("grant_type", "x")]).await, 400, "unsupported_grant_type",
            "grant_type must be one of client_credentials urn:ietf:params:oauth:grant-type:token-exchange refresh_token", "");
        house.wait(12);
        refused(&refresh().await, 400, "invalid_grant", why, "");
    }

    async fn a_wrong_client_that_comes_too_often_is_told_so_and_the_right_secret_passes(house) {
        keys::tend(&house.ctx).await.unwrap();
        let app = json!({"name": "build", "scopes": {"organization": {"roles": ["org_owner"]}}});
        let made = house.post(&house.admin, "/v1/apps", app).await.expect(201);
        let (client, secret) = (made.text("client_id"), made.text("secret"));
        let wrong = "0123456789abcdefghijklmnopqrstuv";
        house.secret(wrong);
        let grant = async |secret: &str| {
            let request = house.request("POST", "/oauth2/token").basic_auth(&client, Some(secret));
            house.send(request.form(&[("grant_type", "client_credentials")])).await
        };
        for _ in 0..20 {
            let answer = grant(wrong).await;
            refused(&answer, 401, "invalid_client", "the credential is not valid", "");
            assert!(!answer.header("www-authenticate").is_empty());
        }
        let answer = grant(wrong).await;
        refused(&answer, 429, "invalid_client", "the credential is not valid", "12");
        assert_eq!(answer.header("www-authenticate"), "");
        // The name is counted, whatever secret comes with it.
        refused(&grant("another one").await, 429, "invalid_client", "the credential is not valid", "12");
        grant(&secret).await.expect(200);
    }
}
