//! Apps and their secrets (csp.md 5), and the grants that they get (1.2).

use serde_json::{Value, json};
use tokenhouse_authority::keys;
use tokenhouse_e2e::{Answer, House, both};

use super::{AM, OWN, claims, part, person, refused, scopes};

const SECRET: &str = "s:ec+ret%41 Ä1";

fn apps(house: &House) -> String {
    format!("{AM}/orgs/{}/oauth-apps", house.org)
}

pub fn ask(more: Value) -> Value {
    let mut ask = json!({
        "displayName": "build server",
        "description": "deploys at night",
        "grantTypes": ["client_credentials"],
        "allowedScopes": scopes(&["org_member"], &["aoa:directDataIngestion"]),
        "accessTokenTTL": 1800,
    });
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask
}

/// A developer who holds what his apps are to hold.
pub async fn developer(house: &House) -> String {
    person(house, "dev@example.test", &["developer", "org_member", "aoa:directDataIngestion"]).await.1
}

/// A new app: its client id and its secret.
pub async fn made(house: &House, with: &str, more: Value) -> (String, String) {
    house.wait(1);
    let answer = house.post(with, &apps(house), ask(more)).await.expect(200);
    (answer.text("clientId"), answer.text("clientSecret"))
}

async fn grant(house: &House, client: &str, secret: &str) -> Answer {
    let request = house.request("POST", &format!("{AM}/auth/authorize")).basic_auth(client, Some(secret));
    house.send(request.form(&[("grant_type", "client_credentials")])).await
}

both! {
    async fn a_developer_makes_one_and_it_gets_access_tokens_in_every_way_that_clients_ask(house) {
        let developer = developer(house).await;
        let (client, secret) = made(house, &developer, json!({})).await;
        assert!(client.len() == 32 && client.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
        let answer = grant(house, &client, &secret).await.expect(200);
        let mut members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
        assert_eq!((&answer["refresh_token"], answer.number("expires_in")), (&json!(null), 1800));
        let told = claims(&answer.text("access_token"));
        for name in ["azp", "client_id", "username", "acct"] {
            assert_eq!(told[name], json!(client), "{name}");
        }
        assert_eq!((&told["domain"], &told["context_name"]), (&json!("app"), &json!(house.org)));
        let body = [("grant_type", "client_credentials"), ("client_id", &client), ("client_secret", &secret)];
        for path in ["token", "authorize"] {
            let url = format!("{AM}/auth/{path}");
            house.send(house.request("POST", &url).form(&body)).await.expect(200);
            // Everything in the query, nothing in the body.
            let url = format!("{url}?grant_type=client_credentials&orgId={}", house.org);
            house.send(house.request("POST", &url).basic_auth(&client, Some(&secret))).await.expect(200);
        }
        for org in ["orgId", "org_id"] {
            let form = [("grant_type", "client_credentials"), (org, &house.org)];
            let request = house.request("POST", &format!("{AM}/auth/token")).basic_auth(&client, Some(&secret));
            house.send(request.form(&form)).await.expect(200);
        }
        let jwt = answer.text("access_token");
        let me = house.get(&jwt, &format!("{AM}/loggedin/user")).await.expect(200);
        assert_eq!(me.text("username"), client);
        let request = house.request("POST", "/oauth2/introspect").bearer_auth(&house.admin);
        let told = house.send(request.form(&[("token", jwt.as_str())])).await.expect(200);
        assert_eq!((told["active"].as_bool(), told.text("client_id")), (Some(true), client.clone()));
        // Its secret is no bearer, and is found by no other client.
        assert_eq!(house.verdict(&secret).await, "wrong_kind");
        let (other, _) = made(house, &developer, json!({})).await;
        for (client, secret) in [(&other, &secret), (&client, &other), (&"nobody".to_owned(), &secret), (&client, &String::new())] {
            let answer = grant(house, client, secret).await;
            refused(&answer, 401, "the credential is not valid");
        }
        refused(&house.send(house.request("POST", &format!("{AM}/auth/token")).form(&[("grant_type", "client_credentials")])).await, 401, "a credential is required");
    }

    async fn other_organizations_are_refused_and_unknown_ones_not_found(house) {
        let developer = developer(house).await;
        let (client, secret) = made(house, &developer, json!({})).await;
        let (second, _) = house.neighbour("second").await;
        let of_org = async |org: &str| {
            let request = house.request("POST", &format!("{AM}/auth/token")).basic_auth(&client, Some(&secret));
            house.send(request.form(&[("grant_type", "client_credentials"), ("orgId", org)])).await
        };
        refused(&of_org(&second).await, 403, "the app was not added to this organization");
        refused(&of_org("00000000-0000-7000-8000-000000000000").await, 404, "no such organization");
        refused(&of_org("nonsense").await, 404, "no such organization");
        of_org("").await.expect(200);
        let path = format!("{AM}/orgs/{second}/oauth-apps");
        refused(&house.get(&developer, &path).await, 404, "no such organization");
        refused(&house.post(&developer, &path, ask(json!({}))).await, 404, "no such organization");
    }

    async fn they_are_listed_read_changed_and_deleted(house) {
        let developer = developer(house).await;
        let mut ids = Vec::new();
        for at in 0..3 {
            ids.push(made(house, &developer, json!({"displayName": format!("app {at}"), "redirectUris": ["https://x"]})).await.0);
        }
        let page = house.get(&developer, &format!("{}?pageStart=2&pageLimit=1", apps(house))).await.expect(200);
        assert_eq!((page.number("totalResults"), page["results"].as_array().unwrap().len()), (3, 1));
        assert_eq!(page["results"][0]["id"], json!(ids[1]));
        assert_eq!(page.text("nextLink"), format!("{}?pageStart=3&pageLimit=1", apps(house)));
        assert_eq!(page.text("prevLink"), format!("{}?pageStart=1&pageLimit=1", apps(house)));
        let all = house.get(&developer, &apps(house)).await.expect(200);
        assert_eq!((&all["nextLink"], &all["prevLink"]), (&json!(null), &json!(null)));
        assert!(!all.raw.to_lowercase().contains("clientsecret"));
        let one = format!("{}/{}", apps(house), ids[0]);
        let app = house.get(&developer, &one).await.expect(200);
        assert_eq!((app.text("displayName"), app.number("accessTokenTTL")), ("app 0".to_owned(), 1800));
        assert_eq!(app["redirectUris"], json!(["https://x"]));
        assert_eq!(app["allowedScopes"]["organizationScopes"]["roles"], json!([{"name": "org_member"}]));
        assert_eq!(app.number("createdAt") / 1000, house.clock.now() / 1000 - 2);
        let change = json!({"displayName": "renamed", "accessTokenTTL": 60, "allowedScopes": scopes(&["org_member"], &[])});
        let changed = house.patch(&developer, &one, change).await.expect(200);
        assert!(!changed.header("x-tokenhouse-receipt").is_empty());
        assert_eq!((changed.text("displayName"), changed.number("accessTokenTTL")), ("renamed".to_owned(), 60));
        assert_eq!((changed.text("description"), &changed["redirectUris"]), ("deploys at night".to_owned(), &json!(["https://x"])));
        let clients = house.get(&developer, &format!("{AM}/orgs/{}/clients", house.org)).await.expect(200);
        assert_eq!(clients["results"][0]["organizationRoles"], json!([{"name": "org_member"}]));
        assert_eq!(clients["results"][0]["sourceOrg"]["orgId"], json!(house.org));
        let request = |body: Value| house.request("DELETE", &apps(house)).bearer_auth(&developer).json(&body);
        assert_eq!(house.send(request(json!({"clientIdsToDelete": [ids[0], "nobody"]}))).await.status, 404);
        assert_eq!(house.send(request(json!({}))).await.status, 400);
        house.send(request(json!({"clientIdsToDelete": [ids[0], ids[2]]}))).await.expect(200);
        assert_eq!(house.get(&developer, &apps(house)).await.number("totalResults"), 1);
        refused(&house.get(&developer, &one).await, 404, "no such app");
        // A client id is never used again.
        let again = house.post(&developer, &apps(house), ask(json!({"id": ids[0]}))).await;
        refused(&again, 409, "there is an app of that name already");
    }

    async fn what_it_may_is_what_its_roles_give_and_what_its_maker_covers(house) {
        let developer = developer(house).await;
        let (client, secret) = made(house, &developer, json!({})).await;
        let jwt = grant(house, &client, &secret).await.expect(200).text("access_token");
        let may = async |permission: &str| {
            house.post(&house.admin, "/v1/verify", json!({"token": jwt, "permission": permission})).await["active"] == true
        };
        assert!(may("ingestion").await && may("csp:org_member").await && !may("csp:developer").await);
        let one = format!("{}/{client}", apps(house));
        house.patch(&developer, &one, json!({"allowedScopes": scopes(&["org_member"], &[])})).await.expect(200);
        assert!(!may("ingestion").await && may("csp:org_member").await);
        let not_held = |name: &str| format!("allowedScopes name a role that you do not hold: {name}");
        for (change, role) in [(scopes(&["org_owner"], &[]), "org_owner"), (scopes(&["org_member"], &["aoa:admin"]), "aoa:admin")] {
            let more = json!({"allowedScopes": change});
            refused(&house.post(&developer, &apps(house), ask(more.clone())).await, 400, &not_held(role));
            refused(&house.patch(&developer, &one, more).await, 400, &not_held(role));
        }
        // What an owner made who gave more, a developer neither changes nor takes the secret of.
        let (_, owner) = person(house, "own@example.test", &["org_owner", "aoa:alerts"]).await;
        let (high, _) = made(house, &owner, json!({"allowedScopes": scopes(&["org_admin"], &["aoa:alerts"])})).await;
        let path = format!("{}/{high}", apps(house));
        assert_eq!(house.patch(&developer, &path, json!({"displayName": "mine"})).await.status, 403);
        assert_eq!(house.put(&developer, &format!("{path}/secret"), json!({})).await.status, 403);
        assert_eq!(house.post(&developer, &format!("{path}/secret"), json!({"newClientSecret": SECRET})).await.status, 403);
        let delete = house.request("DELETE", &apps(house)).bearer_auth(&developer).json(&json!({"clientIdsToDelete": [high]}));
        assert_eq!(house.send(delete).await.status, 403);
        // Who is neither owner, administrator nor developer manages none.
        let (_, member) = person(house, "mem@example.test", &["org_member", "aoa:directDataIngestion"]).await;
        assert_eq!(house.post(&member, &apps(house), ask(json!({}))).await.status, 403);
        assert_eq!(house.put(&member, &format!("{one}/secret"), json!({})).await.status, 403);
        // An app that is a developer manages apps, and makes no api tokens.
        let (_, whole) = person(house, "who@example.test", &["org_owner"]).await;
        let (robot, secret) = made(house, &whole, json!({"allowedScopes": scopes(&["developer", "org_member"], &[])})).await;
        let jwt = grant(house, &robot, &secret).await.expect(200).text("access_token");
        made(house, &jwt, json!({"allowedScopes": scopes(&["org_member"], &[])})).await;
        let token = json!({"allowedScopes": scopes(&["org_member"], &[])});
        refused(&house.post(&jwt, OWN, token).await, 403, "an app has no api tokens: they are for people");
    }

    async fn a_secret_is_replaced_rotated_and_the_rotation_finished(house) {
        let developer = developer(house).await;
        let (client, first) = made(house, &developer, json!({})).await;
        let path = format!("{}/{client}/secret", apps(house));
        let jwt = grant(house, &client, &first).await.expect(200).text("access_token");
        let second = house.put(&developer, &path, json!({})).await.expect(200).text("clientSecret");
        assert_eq!(grant(house, &client, &first).await.status, 401);
        assert_eq!(house.verdict(&jwt).await, "rotated");
        let jwt = grant(house, &client, &second).await.expect(200).text("access_token");
        // Two days both are good.
        let third = house.post(&developer, &path, json!({})).await.expect(200).text("clientSecret");
        house.wait(48 * 3600 - 200);
        grant(house, &client, &third).await.expect(200);
        assert_eq!(grant(house, &client, &second).await.expect(200).number("expires_in"), 200);
        assert_eq!(house.verdict(&jwt).await, "expired");
        house.wait(200);
        assert_eq!(grant(house, &client, &second).await.status, 401);
        // A shorter overlap, ended early.
        let ask = json!({"secretRotationExpirationInSeconds": 3600});
        let fourth = house.post(&developer, &path, ask).await.expect(200).text("clientSecret");
        let old = grant(house, &client, &third).await.expect(200).text("access_token");
        assert_eq!(house.get(&developer, &format!("{}/{client}", apps(house))).await["secretRotationInProgress"], true);
        assert_eq!(house.delete(&developer, &path).await.expect(200).number("removed"), 1);
        assert_eq!(house.delete(&developer, &path).await.expect(200).number("removed"), 0);
        assert_eq!(house.verdict(&old).await, "rotated");
        assert_eq!(grant(house, &client, &third).await.status, 401);
        grant(house, &client, &fourth).await.expect(200);
        let bad = json!({"secretRotationExpirationInSeconds": -1});
        refused(&house.post(&developer, &path, bad).await, 400, "secretRotationExpirationInSeconds must be 0 to 2592000");
    }

    async fn ids_and_secrets_can_be_chosen_and_what_was_chosen_is_hashed_slowly(house) {
        let developer = developer(house).await;
        house.secret(SECRET);
        let (client, secret) = made(house, &developer, json!({"id": "My_own-App", "secret": SECRET})).await;
        assert_eq!((client.as_str(), secret.as_str()), ("My_own-App", SECRET));
        // As many clients send it: not encoded as a form, split at the first colon.
        let answer = grant(house, &client, SECRET).await.expect(200);
        assert_eq!(answer.number("expires_in"), 1800);
        // And as the standard has it.
        let encoded = "s%3Aec%2Bret%2541%20%C3%841";
        grant(house, &client, encoded).await.expect(200);
        for wrong in ["s", "ec+ret%41 Ä1", "S:ec+ret%41 Ä1", ""] {
            assert_eq!(grant(house, &client, wrong).await.status, 401, "{wrong}");
        }
        assert_eq!(house.verdict(SECRET).await, "malformed");
        house.restart().await;
        grant(house, &client, SECRET).await.expect(200);
        let path = format!("{}/{client}/secret", apps(house));
        let newer = "An0ther secret!";
        house.secret(newer);
        house.post(&developer, &path, json!({"newClientSecret": newer})).await.expect(200);
        grant(house, &client, SECRET).await.expect(200);
        grant(house, &client, newer).await.expect(200);
        house.delete(&developer, &path).await.expect(200);
        assert_eq!(grant(house, &client, SECRET).await.status, 401);
        let made = grant(house, &client, newer).await.expect(200).text("access_token");
        house.put(&developer, &path, json!({})).await.expect(200);
        assert_eq!(house.verdict(&made).await, "rotated");
        for id in ["with space", "a:b", "ä", "x/y"] {
            let answer = house.post(&developer, &apps(house), ask(json!({"id": id}))).await;
            refused(&answer, 400, "id must be 1 to 128 letters, digits, - and _");
        }
        for weak in ["Sh0rt!", "n0 upper case", "N0 LOWER CASE", "No digit here", "NoSpecial123"] {
            let answer = house.post(&developer, &apps(house), ask(json!({"secret": weak}))).await;
            let why = "secret must have at least 8 characters, among them a lower-case and an upper-case letter, a digit and another";
            refused(&answer, 400, why);
            assert!(!answer.raw.contains(weak));
        }
    }

    async fn bad_requests_are_told(house) {
        let developer = developer(house).await;
        let grants = "grantTypes must be client_credentials: no other grant is given to apps";
        let cases = [
            (json!({"grantTypes": ["authorization_code"]}), grants),
            (json!({"grantTypes": []}), grants),
            (json!({"publicClient": true}), "publicClient must be false: an app proves itself by its secret"),
            (json!({"accessTokenTTL": 59}), "accessTokenTTL must be 60 to 18000 seconds"),
            (json!({"accessTokenTTL": 18_001}), "accessTokenTTL must be 60 to 18000 seconds"),
            (json!({"displayName": ""}), "displayName must not be empty"),
            (json!({"displayName": null}), "displayName is missing"),
            (json!({"description": null}), "description is missing"),
            (json!({"grantTypes": null}), "grantTypes is missing"),
            (json!({"allowedScopes": null}), "allowedScopes is missing"),
        ];
        for (more, message) in cases {
            refused(&house.post(&developer, &apps(house), ask(more)).await, 400, message);
        }
        let huge = json!({"redirectUris": ["x".repeat(9000)]});
        assert_eq!(house.post(&developer, &apps(house), ask(huge)).await.status, 400);
        assert_eq!(house.get(&developer, &apps(house)).await.number("totalResults"), 0);
        refused(&house.get(&developer, &format!("{}?pageStart=0", apps(house))).await, 400, "pageStart must be at least 1");
    }

    async fn only_an_owner_touches_the_secret_of_an_app_that_says_so(house) {
        let developer = developer(house).await;
        let (_, owner) = person(house, "own@example.test", &["org_owner", "aoa:directDataIngestion"]).await;
        let (client, _) = made(house, &owner, json!({"ownerOnlySecretRotation": true})).await;
        let one = format!("{}/{client}", apps(house));
        for answer in [
            house.put(&developer, &format!("{one}/secret"), json!({})).await,
            house.patch(&developer, &one, json!({"ownerOnlySecretRotation": false})).await,
        ] {
            refused(&answer, 403, "the permission csp:org_owner is required");
        }
        house.put(&owner, &format!("{one}/secret"), json!({})).await.expect(200);
    }

    async fn a_deleted_or_switched_off_app_gets_nothing_and_what_it_got_is_dead(house) {
        let developer = developer(house).await;
        let (client, secret) = made(house, &developer, json!({})).await;
        let jwt = grant(house, &client, &secret).await.expect(200).text("access_token");
        let account = claims(&jwt)["account_id"].as_str().unwrap().to_owned();
        house.post(&house.admin, &format!("/v1/accounts/{account}/deactivate"), json!({})).await.expect(200);
        assert_eq!((grant(house, &client, &secret).await.status, house.verdict(&jwt).await), (401, "account_inactive".to_owned()));
        house.post(&house.admin, &format!("/v1/accounts/{account}/activate"), json!({})).await.expect(200);
        assert_eq!(house.verdict(&jwt).await, "good");
        let delete = house.request("DELETE", &apps(house)).bearer_auth(&developer).json(&json!({"clientIdsToDelete": [client]}));
        house.send(delete).await.expect(200);
        assert_eq!((grant(house, &client, &secret).await.status, house.verdict(&jwt).await), (401, "revoked".to_owned()));
    }

    async fn an_app_gets_standard_access_tokens_by_the_metadata_alone(house) {
        keys::tend(&house.ctx).await.unwrap();
        let developer = developer(house).await;
        let (client, secret) = made(house, &developer, json!({"accessTokenTTL": 300})).await;
        let metadata = house.get("", "/.well-known/oauth-authorization-server").await.expect(200);
        let path = metadata.text("token_endpoint").replace(&metadata.text("issuer"), "");
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            let form = [("grant_type", "client_credentials"), ("scope", "ingestion"), ("algorithm", algorithm), ("resource", "https://api.example")];
            let answer = house.send(house.request("POST", &path).basic_auth(&client, Some(&secret)).form(&form)).await.expect(200);
            let mut members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
            members.sort();
            assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"]);
            assert_eq!((answer.text("token_type"), answer.text("scope"), answer.number("expires_in")), ("Bearer".to_owned(), "ingestion".to_owned(), 300));
            let jwt = answer.text("access_token");
            assert_eq!((&part(&jwt, 0)["typ"], &part(&jwt, 0)["alg"]), (&json!("at+jwt"), &json!(algorithm)));
            assert_eq!((&claims(&jwt)["aud"], &claims(&jwt)["scope"]), (&json!("https://api.example"), &json!("ingestion")));
            assert_eq!(house.verdict(&jwt).await, "good");
            // It is for that service, and opens nothing here.
            assert_eq!(house.get(&jwt, &format!("{AM}/loggedin/user")).await.status, 401);
        }
        let wrong = house.send(house.request("POST", &path).basic_auth(&client, Some("wrong")).form(&[("grant_type", "client_credentials")])).await;
        assert_eq!((wrong.status, &wrong["error"]), (401, &json!("invalid_client")));
        let scope = house.send(house.request("POST", &path).basic_auth(&client, Some(&secret)).form(&[("grant_type", "client_credentials"), ("scope", "csp:org_owner")])).await;
        assert_eq!((scope.status, &scope["error"]), (400, &json!("invalid_scope")));
    }
}
