//! Asking about api tokens and ending them by their values (csp.md 1.7).

use serde_json::json;
use tokenhouse_e2e::{Answer, House, both};

use super::apps::{developer, made};
use super::{AM, INVALID, OWN, access_token, api_token, exchange, refused, scopes};

async fn introspect(house: &House, app: &(String, String), token: &str) -> Answer {
    let request = house.request("POST", &format!("{AM}/auth/introspect")).basic_auth(&app.0, Some(&app.1));
    house.send(request.form(&[("token", token)])).await
}

async fn revoke(house: &House, with: &str, token: &str) -> Answer {
    let request = house.request("POST", &format!("{AM}/auth/revoke")).bearer_auth(with);
    house.send(request.form(&[("token", token)])).await
}

both! {
    async fn an_app_learns_whether_an_api_token_of_its_org_could_be_exchanged(house) {
        let developer = developer(house).await;
        let app = made(house, &developer, json!({})).await;
        let ask = json!({"allowedScopes": scopes(&["org_member"], &[]), "refreshTokenTTL": 3600});
        let (id, value) = api_token(house, &developer, ask).await;
        let told = introspect(house, &app, &value).await.expect(200);
        assert_eq!((told["active"].as_bool(), told.text("jti"), told.text("scope")), (Some(true), id.clone(), "csp:org_member".to_owned()));
        assert_eq!((told.text("username"), told.text("token_type")), ("dev@example.test".to_owned(), "refresh_token".to_owned()));
        assert_eq!(told.number("exp") - told.number("iat"), 3600);
        assert_eq!(told.header("cache-control"), "no-store");
        // In the query, and with the client in the body, as clients of this dialect do.
        let url = format!("{AM}/auth/introspect?token={value}");
        let body = [("client_id", app.0.as_str()), ("client_secret", app.1.as_str())];
        assert_eq!(house.send(house.request("POST", &url).form(&body)).await.expect(200)["active"], true);
        // Everything else is inactive, and no more is said.
        let jwt = access_token(house, &value).await;
        let (second, admin) = house.neighbour("second").await;
        let foreign = json!({"allowedScopes": scopes(&["org_owner"], &[]), "orgId": second});
        let (_, foreign) = api_token(house, &admin, foreign).await;
        for other in [jwt.as_str(), foreign.as_str(), developer.as_str(), app.1.as_str(), "nonsense"] {
            assert_eq!(introspect(house, &app, other).await.expect(200).body, json!({"active": false}));
        }
        house.delete(&developer, &format!("{}/{id}", OWN)).await.expect(200);
        assert_eq!(introspect(house, &app, &value).await.expect(200).body, json!({"active": false}));
        let wrong = (app.0.clone(), "wrong".to_owned());
        refused(&introspect(house, &wrong, &value).await, 401, "the credential is not valid");
        let request = house.request("POST", &format!("{AM}/auth/introspect")).form(&[("token", value.as_str())]);
        refused(&house.send(request).await, 401, "a credential is required");
        refused(&introspect(house, &app, "").await, 400, "token is missing");
    }

    async fn an_api_token_is_ended_by_its_value_by_its_owner_alone_or_who_manages_tokens(house) {
        let developer = developer(house).await;
        let ask = || json!({"allowedScopes": scopes(&["org_member"], &[])});
        let (_, value) = api_token(house, &developer, ask()).await;
        let jwt = access_token(house, &value).await;
        let (_, admin) = house.neighbour("second").await;
        // To another org it is nothing, and nothing happens.
        revoke(house, &admin, &value).await.expect(200);
        let (_, colleague) = house.person("col@example.test", &["org_member"]).await;
        assert_eq!(revoke(house, &colleague, &value).await.status, 404);
        exchange(house, &value).await.expect(200);
        let why = "an access token ends with the token that it came from: revoke that one";
        refused(&revoke(house, &developer, &jwt).await, 400, why);
        let ended = revoke(house, &jwt, &value).await.expect(200);
        assert!(!ended.header("x-tokenhouse-receipt").is_empty());
        refused(&exchange(house, &value).await, 400, INVALID);
        assert_eq!(house.verdict(&jwt).await, "revoked");
        // Once more changes nothing.
        revoke(house, &developer, &value).await.expect(200);
        revoke(house, &developer, "nonsense").await.expect(200);
        let request = house.request("POST", &format!("{AM}/auth/revoke")).form(&[("token", value.as_str())]);
        refused(&house.send(request).await, 401, "a credential is required");
        let (_, value) = api_token(house, &developer, ask()).await;
        revoke(house, &house.admin, &value).await.expect(200);
        refused(&exchange(house, &value).await, 400, INVALID);
    }
}
