//! Onboarded organizations: what service accounts still get tokens for.

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::{access_token, api_token, person, scopes};
use crate::wavefront::{last_secret, refused, wrapped};

/// The names that the list has at first.
const NAMES: &str = "aws-lambda, kubernetes, tanzu-application-service, vsphere";
/// Where tokens of the service account are made.
const TOKENS: &str = "/api/v2/apitoken/serviceaccount/sa::robot";

/// Switches the org over, or back.
async fn switch(house: &House, onboarded: bool) {
    let verb = if onboarded { "onboard" } else { "offboard" };
    house.post(&house.admin, &format!("/v1/orgs/{}/{verb}", house.org), json!({})).await.expect(200);
}

/// A service account with these permissions of Wavefront's.
async fn robot(house: &House, permissions: &[&str]) {
    let body = json!({"identifier": "sa::robot", "active": true, "groups": permissions});
    house.post(&house.admin, "/api/v2/account/serviceaccount", body).await.expect(200);
}

/// The secret of a new token for an integration.
async fn token_for(house: &House, with: &str, integration: &str) -> String {
    house.wait(1);
    last_secret(&wrapped(house.post(with, TOKENS, json!({"integration": integration})).await))
}

/// What introspection says of a token.
async fn introspect(house: &House, token: &str) -> Answer {
    let request = house.request("POST", "/oauth2/introspect").bearer_auth(&house.admin);
    house.send(request.form(&[("token", token)])).await.expect(200)
}

/// The token of this secret, in native words.
async fn shown(house: &House, secret: &str) -> Answer {
    let id = introspect(house, secret).await.text("jti");
    house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200)
}

both! {
    async fn a_new_token_of_a_service_account_names_an_integration(house) {
        robot(house, &["agent_management"]).await;
        switch(house, true).await;
        let why = format!(
            "this organization is onboarded, where a service account gets a token only for the proxies of an integration \
             of its list: {NAMES}"
        );
        for body in [json!({}), json!({"tokenName": "main"})] {
            let message = format!("integration is missing (or the token has its name): {why}");
            refused(&house.post(&house.admin, TOKENS, body).await, 400, &message);
        }
        let native = house.post(&house.admin, "/v1/tokens", json!({"owner": "sa::robot", "name": "kubernetes"})).await;
        assert_eq!((native.status, native.text("detail")), (400, format!("integration is missing: {why}")));
        let unknown = format!("integration must be one of the organization's list: {NAMES}");
        refused(&house.post(&house.admin, TOKENS, json!({"integration": "nagios"})).await, 400, &unknown);
        let native = json!({"owner": "sa::robot", "integration": "nagios"});
        assert_eq!(house.post(&house.admin, "/v1/tokens", native).await.expect(400).text("detail"), unknown);
        assert_eq!(wrapped(house.get(&house.admin, TOKENS).await), json!([]));

        let before = house.revision().await;
        let named = last_secret(&wrapped(house.post(&house.admin, TOKENS, json!({"tokenName": "Kubernetes"})).await));
        let event = house.events(before).await.pop().unwrap();
        assert_eq!((&event["kind"], &event["details"]["integration"]), (&json!("token.issued"), &json!("kubernetes")));
        let asked = json!({"tokenName": "east", "integration": "VSPHERE"});
        let asked = last_secret(&wrapped(house.post(&house.admin, TOKENS, asked).await));
        let (id, native) = house.issue(&house.admin, json!({"owner": "sa::robot", "integration": "kubernetes"})).await;
        for (secret, name, integration) in
            [(&named, "Kubernetes", "kubernetes"), (&asked, "east", "vsphere"), (&native, "", "kubernetes")]
        {
            let token = shown(house, secret).await;
            assert_eq!((token.text("name"), token.text("integration")), (name.to_owned(), integration.to_owned()));
            assert_eq!(token["scopes"], json!(["agent_management"]));
            assert_eq!(token["reach"], json!(["verify", "wavefront"]));
        }
        let listed = house.get(&house.admin, "/v1/tokens?owner=sa::robot").await.expect(200);
        let of_native = listed["items"].as_array().unwrap().iter().find(|token| token["id"] == json!(id)).unwrap();
        assert_eq!(of_native["integration"], "kubernetes");
    }

    async fn in_an_original_org_nobody_has_to_name_one_and_everybody_can(house) {
        robot(house, &["agent_management", "ingestion"]).await;
        let plain = last_secret(&wrapped(house.post(&house.admin, TOKENS, json!({"tokenName": "kubernetes"})).await));
        let token = shown(house, &plain).await;
        assert_eq!((&token["scopes"], &token["integration"]), (&Value::Null, &Value::Null));
        let bound = token_for(house, &house.admin, "kubernetes").await;
        assert_eq!(introspect(house, &bound).await.text("scope"), "agent_management");
        // And it is so again once the org goes back; what was bound stays bound.
        switch(house, true).await;
        house.post(&house.admin, TOKENS, json!({})).await.expect(400);
        switch(house, false).await;
        let plain = last_secret(&wrapped(house.post(&house.admin, TOKENS, json!({})).await));
        assert_eq!(introspect(house, &plain).await.text("scope"), "agent_management ingestion");
        assert_eq!(introspect(house, &bound).await.text("scope"), "agent_management");
    }

    async fn a_token_for_an_integration_may_what_its_proxies_need_and_works_where_they_work(house) {
        let held = ["agent_management", "ingestion", "alerts_management", "user_management"];
        robot(house, &held).await;
        house.put(&house.admin, "/v1/accounts/sa::robot/permissions/house:read", json!({})).await.expect(200);
        switch(house, true).await;
        let proxy = token_for(house, &house.admin, "kubernetes").await;
        let function = token_for(house, &house.admin, "aws-lambda").await;
        assert_eq!(introspect(house, &proxy).await.text("scope"), "agent_management");
        assert_eq!(introspect(house, &function).await.text("scope"), "ingestion");
        // 503 is the service behind, which is not there.
        for (secret, daemon, report) in [(&proxy, 200, 403), (&function, 401, 503)] {
            assert_eq!(house.get(secret, "/api/daemon/test").await.status, daemon);
            assert_eq!(house.post(secret, "/report", json!({})).await.status, report);
            house.get(secret, "/api/v2/account/serviceaccount").await.expect(403);
            house.get(secret, "/v1/whoami").await.expect(401);
            house.get(secret, "/csp/gateway/am/api/loggedin/user").await.expect(401);
        }
        // What the proxies need and the account is given later counts; what it loses is gone.
        house.delete(&house.admin, "/v1/accounts/sa::robot/permissions/ingestion").await.expect(200);
        assert_eq!(introspect(house, &function).await["scope"], "");
        house.put(&house.admin, "/v1/accounts/sa::robot/permissions/ingestion", json!({})).await.expect(200);
        assert_eq!(introspect(house, &function).await.text("scope"), "ingestion");
    }

    async fn an_access_token_made_of_it_leads_no_further(house) {
        tokenhouse_authority::keys::tend(&house.ctx).await.unwrap();
        robot(house, &["agent_management", "user_management"]).await;
        switch(house, true).await;
        let proxy = token_for(house, &house.admin, "kubernetes").await;
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", &proxy),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        let granted = house.send(house.request("POST", "/oauth2/token").form(&exchange)).await.expect(200);
        assert_eq!(granted.text("scope"), "agent_management");
        let jwt = granted.text("access_token");
        house.get(&jwt, "/api/daemon/test").await.expect(200);
        house.get(&jwt, "/v1/whoami").await.expect(401);
    }

    async fn nobody_gets_more_by_asking_for_more(house) {
        robot(house, &["agent_management", "ingestion"]).await;
        switch(house, true).await;
        for more in [json!({"scopes": ["ingestion"]}), json!({"scopes": []}), json!({"reach": ["native", "wavefront"]})] {
            let mut ask = json!({"owner": "sa::robot", "integration": "kubernetes"});
            ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let told = house.post(&house.admin, "/v1/tokens", ask).await.expect(400).text("detail");
            assert_eq!(told, "integration can't stand beside scopes or reach: it decides both");
            let mut without = more;
            without["owner"] = json!("sa::robot");
            let told = house.post(&house.admin, "/v1/tokens", without).await.expect(400).text("detail");
            assert!(told.starts_with("integration is missing: "), "{told}");
        }
        // Who could not make it otherwise can't make it for an integration.
        let (_, member) = house.person("ada@example.test", &["member"]).await;
        let ask = json!({"owner": "sa::robot", "integration": "kubernetes"});
        house.post(&member, "/v1/tokens", ask.clone()).await.expect(403);
        let (_, native) = house.issue(&house.admin, json!({"reach": ["native"]})).await;
        let told = house.post(&native, "/v1/tokens", ask).await.expect(403).text("detail");
        assert_eq!(told, "a token can't issue one with more reach than its own; the org's policy can allow it");
    }

    async fn a_service_account_makes_tokens_of_its_own_within_the_limits_of_the_one_it_has(house) {
        robot(house, &["agent_management"]).await;
        house.put(&house.admin, "/v1/accounts/sa::robot/permissions/house:tokens.issue", json!({})).await.expect(200);
        let limited = json!({"owner": "sa::robot", "scopes": ["house:tokens.issue", "agent_management"]});
        let (_, limited) = house.issue(&house.admin, limited).await;
        let (_, whole) = house.issue(&house.admin, json!({"owner": "sa::robot"})).await;
        switch(house, true).await;
        let told = house.post(&whole, "/v1/tokens", json!({})).await.expect(400).text("detail");
        assert!(told.starts_with("integration is missing: "), "{told}");
        for with in [&limited, &whole] {
            house.issue(with, json!({"integration": "kubernetes"})).await;
        }
        // It does not hold ingestion yet; once it does, a token with other limits must not have it by a detour.
        let refused = house.post(&limited, "/v1/tokens", json!({"integration": "aws-lambda"})).await.expect(403);
        assert_eq!(refused.text("permission"), "ingestion");
        let (_, later) = house.issue(&whole, json!({"integration": "aws-lambda"})).await;
        assert_eq!(introspect(house, &later).await["scope"], "");
    }

    async fn people_get_no_tokens_for_integrations_and_none_that_reach_wavefront(house) {
        let told = house.post(&house.admin, "/v1/tokens", json!({"integration": "kubernetes"})).await.expect(400);
        assert_eq!(told.text("detail"), "integration is for a token of a service account");
        switch(house, true).await;
        house.post(&house.admin, "/v1/tokens", json!({"integration": "kubernetes"})).await.expect(400);
        house.post(&house.admin, "/api/v2/apitoken", json!({"integration": "kubernetes"})).await.expect(400);
        house.post(&house.admin, "/api/v2/apitoken", json!({"tokenName": "kubernetes"})).await.expect(403);
        let told = house.post(&house.admin, "/v1/tokens", json!({"reach": ["wavefront", "verify"]})).await.expect(403);
        assert!(told.text("detail").starts_with("this organization is onboarded: make an api token"), "{}", told.raw);
        let (_, own) = house.issue(&house.admin, json!({})).await;
        house.get(&own, "/v1/whoami").await.expect(200);
        house.get(&own, "/api/v2/apitoken").await.expect(401);
        switch(house, false).await;
        let (_, own) = house.issue(&house.admin, json!({})).await;
        house.get(&own, "/api/v2/apitoken").await.expect(200);
    }

    async fn who_comes_with_an_access_token_makes_and_rotates_tokens_for_proxies(house) {
        robot(house, &["agent_management"]).await;
        let old = last_secret(&wrapped(house.post(&house.admin, TOKENS, json!({})).await));
        let (_, session) = person(house, "ada@example.test", &["org_member", "aoa:admin", "member"]).await;
        let (_, value) = api_token(house, &session, json!({"allowedScopes": scopes(&["org_member"], &["aoa:admin"])})).await;
        switch(house, true).await;
        let jwt = access_token(house, &value).await;
        let proxy = token_for(house, &jwt, "kubernetes").await;
        house.get(&proxy, "/api/daemon/test").await.expect(200);
        for secret in [&proxy, &old] {
            let token = shown(house, secret).await;
            let path = format!("/v1/tokens/{}/rotate", token.text("id"));
            let rotated = house.post(&jwt, &path, json!({})).await.expect(200);
            for member in ["scopes", "reach", "integration"] {
                assert_eq!(rotated[member], token[member], "{member}");
            }
            house.get(secret, "/api/daemon/test").await.expect(401);
            house.get(&rotated.text("secret"), "/api/daemon/test").await.expect(200);
        }
        // A token of his own gets no more than the api token reaches.
        let own = house.post(&jwt, "/v1/tokens", json!({"scopes": []})).await.expect(201);
        assert_eq!(own["reach"], json!(["verify", "csp"]));
        let told = house.post(&jwt, "/v1/tokens", json!({"scopes": [], "reach": ["native"]})).await.expect(403);
        assert!(told.text("detail").starts_with("a token can't issue one with more reach"), "{}", told.raw);
    }

    async fn what_service_accounts_had_goes_on(house) {
        robot(house, &["agent_management"]).await;
        let old = last_secret(&wrapped(house.post(&house.admin, TOKENS, json!({"tokenName": "main"})).await));
        switch(house, true).await;
        house.get(&old, "/api/daemon/test").await.expect(200);
        let id = shown(house, &old).await.text("id");
        house.put(&house.admin, &format!("{TOKENS}/{id}"), json!({"tokenName": "vsphere"})).await.expect(200);
        house.patch(&house.admin, &format!("/v1/tokens/{id}"), json!({"expires_at": house.clock.now() + 1000})).await.expect(200);
        house.patch(&house.admin, &format!("/v1/tokens/{id}"), json!({"expires_at": null})).await.expect(200);
        house.post(&house.admin, &format!("/v1/tokens/{id}/deactivate"), json!({})).await.expect(200);
        house.post(&house.admin, &format!("/v1/tokens/{id}/reactivate"), json!({})).await.expect(200);
        house.get(&old, "/api/daemon/test").await.expect(200);
        let listed = wrapped(house.get(&house.admin, TOKENS).await);
        assert_eq!((listed[0]["tokenID"].as_str(), listed[0]["tokenName"].as_str()), (Some(&*id), Some("vsphere")));
        assert_eq!(shown(house, &old).await["integration"], Value::Null);
        // What comes from elsewhere is old too.
        let foreign = "6f2d6a8e-4b1c-4f6e-9a3d-0c5b7e8f9a10";
        house.secret(foreign);
        let row = json!({"owner": "sa::robot", "token": foreign, "reach": ["wavefront", "verify"]});
        let moved = house.post(&house.admin, "/v1/tokens/import", json!({"tokens": [row]})).await.expect(200);
        assert_eq!(moved["tokens"][0]["outcome"], "imported", "{}", moved.raw);
        house.get(foreign, "/api/daemon/test").await.expect(200);
        house.delete(&house.admin, &format!("{TOKENS}/{id}")).await.expect(200);
        house.get(&old, "/api/daemon/test").await.expect(401);
    }

    async fn who_is_not_in_the_list_any_more_keeps_what_he_has_and_gets_nothing_new(house) {
        robot(house, &["agent_management", "ingestion"]).await;
        switch(house, true).await;
        let proxy = token_for(house, &house.admin, "kubernetes").await;
        let needs = json!({"permissions": ["ingestion"]});
        house.put(&house.admin, "/v1/integrations/kubernetes", needs).await.expect(200);
        let newer = token_for(house, &house.admin, "kubernetes").await;
        for listed in [true, false] {
            assert_eq!(introspect(house, &proxy).await.text("scope"), "agent_management");
            assert_eq!(introspect(house, &newer).await.text("scope"), "ingestion");
            if listed {
                house.delete(&house.admin, "/v1/integrations/kubernetes").await.expect(200);
            }
        }
        let left = "integration must be one of the organization's list: aws-lambda, tanzu-application-service, vsphere";
        refused(&house.post(&house.admin, TOKENS, json!({"integration": "kubernetes"})).await, 400, left);
        let token = shown(house, &proxy).await;
        assert_eq!(token["integration"], "kubernetes");
        house.post(&house.admin, &format!("/v1/tokens/{}/rotate", token.text("id")), json!({})).await.expect(200);
        for name in ["aws-lambda", "tanzu-application-service", "vsphere"] {
            house.delete(&house.admin, &format!("/v1/integrations/{name}")).await.expect(200);
        }
        let none = "integration must be one of the organization's list: none is listed";
        refused(&house.post(&house.admin, TOKENS, json!({"integration": "kubernetes"})).await, 400, none);
    }

    async fn account_types_are_the_three_words_that_every_client_knows(house) {
        robot(house, &["agent_management"]).await;
        let (_, session) = person(house, "ada@example.test", &["org_owner", "org_member", "developer", "member"]).await;
        let old = last_secret(&wrapped(house.post(&house.admin, "/api/v2/apitoken", json!({})).await));
        switch(house, true).await;
        token_for(house, &house.admin, "kubernetes").await;
        let (_, value) = api_token(house, &session, json!({"allowedScopes": scopes(&["org_member"], &[])})).await;
        access_token(house, &value).await;
        let app = json!({"displayName": "build", "description": "builds", "grantTypes": ["client_credentials"],
            "allowedScopes": scopes(&["org_member"], &[])});
        house.post(&session, &format!("/csp/gateway/am/api/orgs/{}/oauth-apps", house.org), app).await.expect(200);
        house.post(&house.admin, "/api/v2/account/serviceaccount", json!({"identifier": "sa::off", "active": true})).await.expect(200);
        let off = "/api/v2/apitoken/serviceaccount/sa::off";
        wrapped(house.post(&house.admin, off, json!({"integration": "vsphere"})).await);
        house.post(&house.admin, "/api/v2/account/serviceaccount/sa::off/deactivate", json!({})).await.expect(200);
        let mut words: Vec<String> = Vec::new();
        let search = house.post(&old, "/api/v2/search/token", json!({"limit": 100})).await.expect(200);
        for list in [
            wrapped(house.get(&old, "/api/v2/apitoken").await),
            wrapped(house.get(&old, TOKENS).await),
            wrapped(house.get(&old, off).await),
            wrapped(house.get(&old, "/api/v2/apitoken/customertokens").await),
            search["response"]["items"].clone(),
        ] {
            words.extend(list.as_array().unwrap().iter().map(|token| token["accountType"].as_str().unwrap().to_owned()));
        }
        words.sort();
        words.dedup();
        assert_eq!(words, ["INACTIVE_SERVICE_ACCOUNT", "SERVICE_ACCOUNT", "USER_ACCOUNT"]);
    }
}
