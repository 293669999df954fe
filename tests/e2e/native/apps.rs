//! `/v1/apps` and `/v1/api-tokens`: what their dialect does, in native words. The rules themselves are tested there.

use serde_json::{Value, json};
use tokenhouse_authority::keys;
use tokenhouse_e2e::{Answer, House, both};

async fn developer(house: &House) -> String {
    keys::tend(&house.ctx).await.unwrap();
    house.person("dev@example.test", &["developer", "org_member", "aoa:viewer"]).await.1
}

fn scopes() -> Value {
    json!({"organization": {"roles": ["org_member"]}})
}

async fn grant(house: &House, client: &str, secret: &str) -> Answer {
    let request = house.request("POST", "/oauth2/token").basic_auth(client, Some(secret));
    house.send(request.form(&[("grant_type", "client_credentials")])).await
}

both! {
    async fn an_app_is_made_read_changed_rotated_and_deleted(house) {
        let developer = developer(house).await;
        let before = house.revision().await;
        let ask = json!({"name": "build", "scopes": scopes(), "access_token_seconds": 300});
        let made = house.post(&developer, "/v1/apps", ask).await.expect(201);
        assert!(made["receipt"]["revision"].as_i64().unwrap() > before);
        let (client, secret) = (made.text("client_id"), made.text("secret"));
        assert!(secret.starts_with("th_c_"));
        assert_eq!((made.number("access_token_seconds"), made.number("overlap_seconds")), (300, 172_800));
        assert_eq!(grant(house, &client, &secret).await.expect(200).number("expires_in"), 300);
        let listed = house.get(&developer, "/v1/apps").await.expect(200);
        assert_eq!((listed["items"][0]["client_id"].as_str(), &listed["next"]), (Some(client.as_str()), &json!(null)));
        let path = format!("/v1/apps/{client}");
        let one = house.get(&developer, &path).await.expect(200);
        assert_eq!(one["secrets"][0]["last4"], json!(&secret[secret.len() - 4..]));
        assert!(one.body.get("secret").is_none() && listed.body["items"][0].get("secret").is_none());
        let change = json!({"name": "renamed", "scopes": {"organization": {"roles": ["org_member"]}, "services": {
            "a0a00000-0000-4000-8000-000000000001": {"roles": ["aoa:viewer"]}}}});
        assert_eq!(house.patch(&developer, &path, change.clone()).await.expect(200).text("name"), "renamed");
        assert_eq!(house.get(&developer, &path).await["scopes"]["services"], json!({
            "a0a00000-0000-4000-8000-000000000001": {"all": false, "roles": ["aoa:viewer"]}}));
        let newer = house.post(&developer, &format!("{path}/secret"), json!({})).await.expect(200);
        assert_eq!(newer["secrets"].as_array().unwrap().len(), 2);
        grant(house, &client, &secret).await.expect(200);
        grant(house, &client, &newer.text("secret")).await.expect(200);
        house.delete(&developer, &format!("{path}/secret")).await.expect(200);
        assert_eq!(grant(house, &client, &secret).await.status, 401);
        let chosen = json!({"secret": "Ch0sen secret", "overlap_seconds": 0});
        house.secret("Ch0sen secret");
        let answer = house.post(&developer, &format!("{path}/secret"), chosen).await.expect(200);
        assert_eq!((answer.text("secret"), &answer["secrets"][0]["last4"]), ("Ch0sen secret".to_owned(), &json!("")));
        grant(house, &client, "Ch0sen secret").await.expect(200);
        house.delete(&developer, &path).await.expect(200);
        house.get(&developer, &path).await.refused(404, "not_found");
        assert_eq!(grant(house, &client, "Ch0sen secret").await.status, 401);
    }

    async fn a_repeated_request_makes_one_app_and_tells_the_same_secret(house) {
        let developer = developer(house).await;
        let ask = || {
            let body = json!({"name": "build", "scopes": scopes()});
            house.request("POST", "/v1/apps").bearer_auth(&developer).header("idempotency-key", "once").json(&body)
        };
        let first = house.send(ask()).await.expect(201);
        let again = house.send(ask()).await.expect(201);
        assert_eq!((first.text("client_id"), first.text("secret")), (again.text("client_id"), again.text("secret")));
        assert_eq!(house.get(&developer, "/v1/apps").await["items"].as_array().unwrap().len(), 1);
        // Once it was used, it arrived.
        grant(house, &first.text("client_id"), &first.text("secret")).await.expect(200);
        house.flush().await;
        house.send(ask()).await.refused(409, "idempotency_gone");
    }

    async fn another_orgs_app_is_added_changed_and_removed(house) {
        let developer = developer(house).await;
        let (second, admin) = house.neighbour("second").await;
        let ask = json!({"name": "build", "scopes": scopes(), "allowed_orgs": [second]});
        let made = house.post(&developer, "/v1/apps", ask).await.expect(201);
        assert_eq!(made["allowed_orgs"], json!([second]));
        let (client, secret) = (made.text("client_id"), made.text("secret"));
        assert_eq!(house.get(&admin, "/v1/guest-apps").await.expect(200)["items"], json!([]));
        let ask = json!({"client_id": client, "scopes": scopes()});
        let added = house.post(&admin, "/v1/guest-apps", ask.clone()).await.expect(201);
        assert_eq!((added.text("owned_by"), added.text("owner")), (house.org.clone(), "first".to_owned()));
        assert_eq!(added["scopes"]["organization"]["roles"], json!(["org_member"]));
        house.post(&admin, "/v1/guest-apps", ask).await.refused(409, "duplicate");
        let grant = async || {
            let form = [("grant_type", "client_credentials"), ("org_id", second.as_str())];
            house.send(house.request("POST", "/oauth2/token").basic_auth(&client, Some(&secret)).form(&form)).await
        };
        let jwt = grant().await.expect(200).text("access_token");
        let verified = house.post(&admin, "/v1/verify", json!({"token": jwt})).await.expect(200);
        assert_eq!((verified["active"].as_bool(), verified.text("account_id")), (Some(true), added.text("account_id")));
        let path = format!("/v1/guest-apps/{client}");
        let change = json!({"scopes": {"organization": {"roles": ["org_admin", "org_member"]}}});
        let changed = house.patch(&admin, &path, change).await.expect(200);
        assert_eq!(changed["scopes"]["organization"]["roles"].as_array().unwrap().len(), 2);
        assert_eq!(house.get(&admin, &path).await.expect(200)["scopes"], changed["scopes"]);
        // It is no guest at home.
        house.get(&developer, &path).await.refused(404, "not_found");
        assert_eq!(house.get(&developer, "/v1/guest-apps").await.expect(200)["items"], json!([]));
        house.delete(&admin, &path).await.expect(200);
        house.get(&admin, &path).await.refused(404, "not_found");
        assert_eq!(grant().await.status, 403);
        let allowed = house.patch(&developer, &format!("/v1/apps/{client}"), json!({"allowed_orgs": []})).await.expect(200);
        assert_eq!(allowed["allowed_orgs"], json!([]));
    }

    async fn an_app_has_no_password(house) {
        let developer = developer(house).await;
        let made = house.post(&developer, "/v1/apps", json!({"name": "build", "scopes": scopes()})).await.expect(201);
        let path = format!("/v1/accounts/{}/password", made.text("account_id"));
        house.put(&house.admin, &path, json!({"password": "long enough indeed"})).await.refused(400, "invalid_field");
        let sign_in = json!({"email": made.text("client_id"), "password": made.text("secret")});
        house.post("", "/v1/session", sign_in).await.refused(401, "unauthenticated");
    }

    async fn an_api_token_is_made_read_regenerated_and_revoked(house) {
        let developer = developer(house).await;
        let ask = json!({"name": "ci", "scopes": scopes(), "lifetime_seconds": 3600, "notice_days": 2});
        let made = house.post(&developer, "/v1/api-tokens", ask).await.expect(201);
        let (id, value) = (made.text("id"), made.text("secret"));
        assert_eq!(made["permissions"], json!(["csp:org_member"]));
        assert_eq!((made.number("lifetime_seconds"), made.number("notice_days")), (3600, 2));
        assert_eq!(made.number("expires_at") - made.number("created_at"), 3_600_000);
        let exchange = async |value: &str| {
            let request = house.request("POST", "/oauth2/token");
            house.send(request.form(&[("grant_type", "refresh_token"), ("refresh_token", value)])).await
        };
        let jwt = exchange(&value).await.expect(200).text("access_token");
        // Made by what reaches everything, it reaches everything.
        assert_eq!(house.get(&jwt, "/v1/whoami").await.expect(200)["token"]["id"], json!(id));
        let path = format!("/v1/api-tokens/{id}");
        assert!(house.get(&developer, &path).await.expect(200).body.get("secret").is_none());
        assert_eq!(house.get(&developer, "/v1/api-tokens").await["items"].as_array().unwrap().len(), 1);
        let newer = house.post(&developer, &format!("{path}/regenerate"), json!({})).await.expect(200).text("secret");
        assert_eq!((exchange(&value).await.status, house.verdict(&jwt).await), (400, "rotated".to_owned()));
        exchange(&newer).await.expect(200);
        assert_eq!(house.delete(&developer, &path).await.expect(200).text("state"), "revoked");
        assert_eq!(exchange(&newer).await.status, 400);
        assert_eq!(house.get(&developer, "/v1/api-tokens").await["items"], json!([]));
        let never = json!({"scopes": scopes(), "never_ends": true});
        let never = house.post(&developer, "/v1/api-tokens", never).await.expect(201);
        assert!(never.body.get("expires_at").is_none() && never.body.get("lifetime_seconds").is_none());
        house.post(&developer, "/v1/api-tokens", json!({"scopes": {}})).await.refused(400, "invalid_field");
        house.post(&developer, "/v1/api-tokens", json!({"scopes": scopes(), "lifetime_seconds": 1})).await.refused(400, "invalid_field");
        // Other kinds of tokens are not here.
        let (other, _) = house.issue(&house.admin, json!({})).await;
        house.get(&house.admin, &format!("/v1/api-tokens/{other}")).await.refused(404, "not_found");
        house.delete(&house.admin, &format!("/v1/api-tokens/{other}")).await.refused(404, "not_found");
    }
}
