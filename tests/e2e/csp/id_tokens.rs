//! Id tokens: who somebody is, for the client that asked (csp.md 1.1, OpenID Connect Core 2). They open nothing.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::{AM, INVALID, access_token, api_token, claims, exchange, part, person, refused, scopes};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A person, a session and the value of an api token of his that may say who he is.
async fn known(house: &House) -> (String, String, String) {
    let (id, session) = person(house, "ada@example.test", &["org_member", "developer"]).await;
    let mut scopes = scopes(&["org_member", "developer"], &[]);
    scopes["generalScopes"] = json!(["openid", "customer_number"]);
    let (_, value) = api_token(house, &session, json!({"allowedScopes": scopes})).await;
    (id, session, value)
}

async fn narrowed(house: &House, value: &str, scope: &str) -> Answer {
    let request = house.request("POST", &format!("{AM}/auth/api-tokens/authorize"));
    house.send(request.form(&[("api_token", value), ("scope", scope)])).await
}

fn told(answer: &Answer) -> Value {
    claims(&answer.text("id_token"))
}

both! {
    async fn an_api_token_with_openid_is_exchanged_for_one_that_says_who_and_for_whom(house) {
        let (id, _, value) = known(house).await;
        let answer = exchange(house, &value).await.expect(200);
        assert_eq!(answer.body.as_object().unwrap().len(), 6);
        assert_eq!(answer.text("scope"), "csp:org_member csp:developer");
        let (access, identity) = (answer.text("access_token"), answer.text("id_token"));
        let now = house.clock.now() / 1000;
        let hash = URL_SAFE_NO_PAD.encode(&digest(&SHA256, access.as_bytes()).as_ref()[..16]);
        assert_eq!(told(&answer), json!({
            "iss": "http://localhost", "sub": id, "aud": claims(&access)["azp"], "azp": claims(&access)["azp"],
            "iat": now, "exp": now + 1800, "at_hash": hash,
            "email": "ada@example.test", "email_verified": true, "acct": "ada@example.test",
            "username": "ada@example.test", "domain": "example.test", "context_name": house.org,
        }));
        let header = part(&identity, 0);
        assert_eq!((&header["alg"], &header["typ"], &header["kid"]), (&json!("RS256"), &json!("JWT"), &part(&access, 0)["kid"]));
        let pem = house.get("", &format!("{AM}/auth/token-public-key")).await.expect(200).text("value");
        let key = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
        let (signed, signature) = identity.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(signed.as_bytes(), &signature).unwrap();
        // The same person as at userinfo.
        let info = house.get(&access, &format!("{AM}/userinfo")).await.expect(200);
        for name in ["sub", "email", "email_verified", "acct", "username", "domain", "context_name"] {
            assert_eq!(told(&answer)[name], info[name], "{name}");
        }
    }

    async fn with_an_access_token_that_is_given_again_comes_its_own(house) {
        let (_, _, value) = known(house).await;
        let first = exchange(house, &value).await.expect(200);
        house.wait(299);
        let again = exchange(house, &value).await.expect(200);
        assert_eq!(again["access_token"], first["access_token"]);
        assert_eq!(again["id_token"], first["id_token"]);
        house.wait(2);
        let newer = exchange(house, &value).await.expect(200);
        assert_ne!(newer["id_token"], first["id_token"]);
        let (access, identity) = (claims(&newer.text("access_token")), told(&newer));
        assert_eq!((&identity["iat"], &identity["exp"]), (&access["iat"], &access["exp"]));
        // On another path of the same API.
        let form = [("grant_type", "refresh_token"), ("refresh_token", &value)];
        let answer = house.send(house.request("POST", &format!("{AM}/auth/token")).form(&form)).await;
        assert_eq!(answer["id_token"], newer["id_token"]);
    }

    async fn who_does_not_ask_or_has_no_openid_gets_none(house) {
        let (_, session, value) = known(house).await;
        let narrow = narrowed(house, &value, "csp:org_member").await.expect(200);
        assert_eq!((&narrow["id_token"], narrow.text("scope")), (&json!(null), "csp:org_member".to_owned()));
        let narrow = narrowed(house, &value, "openid csp:org_member").await.expect(200);
        assert_eq!((told(&narrow)["acct"].as_str(), narrow.text("scope")), (Some("ada@example.test"), "csp:org_member".to_owned()));
        // Who asks for nothing else may do nothing else.
        let alone = narrowed(house, &value, "openid").await.expect(200);
        assert_eq!((told(&alone)["acct"].as_str(), alone.text("scope")), (Some("ada@example.test"), String::new()));
        house.get(&alone.text("access_token"), &format!("{AM}/userinfo")).await.expect(200);
        let (_, other) = api_token(house, &session, json!({"allowedScopes": scopes(&["org_member"], &[])})).await;
        assert_eq!(exchange(house, &other).await.expect(200)["id_token"], json!(null));
        refused(&narrowed(house, &other, "openid").await, 400, "scope is more than the token has: openid");
        // An app is nobody, whatever was asked for it.
        let mut general = scopes(&["org_member"], &[]);
        general["generalScopes"] = json!(["openid"]);
        let ask = json!({"displayName": "app", "description": "", "grantTypes": ["client_credentials"], "allowedScopes": general});
        let made = house.post(&session, &format!("{AM}/orgs/{}/oauth-apps", house.org), ask).await.expect(200);
        let grant = async |scope| {
            let request = house.request("POST", &format!("{AM}/auth/token"));
            let request = request.basic_auth(made.text("clientId"), Some(made.text("clientSecret")));
            house.send(request.form(&[("grant_type", "client_credentials"), ("scope", scope)])).await
        };
        assert_eq!(grant("").await.expect(200)["id_token"], json!(null));
        refused(&grant("openid").await, 400, "scope is more than the token has: openid");
        // Another standard's endpoint has none.
        let form = [("grant_type", "refresh_token"), ("refresh_token", &value)];
        let answer = house.send(house.request("POST", "/oauth2/token").form(&form)).await.expect(200);
        assert!(answer.body.get("id_token").is_none());
    }

    async fn it_is_a_credential_nowhere(house) {
        let (_, session, value) = known(house).await;
        let jwt = exchange(house, &value).await.expect(200).text("id_token");
        assert_eq!(house.verdict(&jwt).await, "malformed");
        for path in [format!("{AM}/userinfo"), format!("{AM}/loggedin/user"), "/v1/tokens".to_owned(), "/api/v2/apitoken".to_owned()] {
            assert_eq!(house.get(&jwt, &path).await.status, 401, "{path}");
            for header in ["x-auth-token", "csp-auth-token"] {
                let request = house.request("GET", &path).header(header, &jwt);
                assert_eq!(house.send(request).await.status, 401, "{path} {header}");
            }
        }
        let asked = |with: &str| house.request("POST", "/oauth2/introspect").bearer_auth(with).form(&[("token", jwt.as_str())]);
        let answer = house.send(asked(&house.admin)).await.expect(200);
        assert_eq!((&answer["active"], answer.text("reason")), (&json!(false), "malformed".to_owned()));
        assert_eq!(house.send(asked(&jwt)).await.status, 401);
        let gate = house.request("GET", "/gate").header("x-tokenhouse-gate", format!("Bearer {}", house.admin));
        assert_eq!(house.send(gate.bearer_auth(&jwt)).await.status, 401);
        // It is exchanged for nothing and tells nothing.
        refused(&exchange(house, &jwt).await, 400, INVALID);
        let subject = [("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", &jwt), ("subject_token_type", ACCESS_TOKEN)];
        assert_eq!(house.send(house.request("POST", "/oauth2/token").form(&subject)).await.text("error"), "invalid_grant");
        let details = house.post("", &format!("{AM}/auth/api-tokens/details"), json!({"tokenValue": jwt})).await;
        refused(&details, 404, "no such api token");
        // Nor is an access token one for this client: it is for the issuer.
        let access = claims(&access_token(house, &value).await);
        assert_ne!(access["aud"], claims(&jwt)["aud"]);
        drop(session);
    }

    async fn discovery_says_what_is_true_of_it(house) {
        let (_, _, value) = known(house).await;
        let metadata = house.get("", &format!("{AM}/.well-known/openid-configuration")).await.expect(200);
        assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["RS256"]));
        let scopes = metadata["scopes_supported"].as_array().unwrap();
        assert!(scopes.contains(&json!("openid")) && scopes.contains(&json!("csp:org_member")));
        let answer = exchange(house, &value).await.expect(200);
        assert_eq!(told(&answer)["iss"], metadata["issuer"]);
        let known = metadata["claims_supported"].as_array().unwrap();
        for name in told(&answer).as_object().unwrap().keys().chain(claims(&answer.text("access_token")).as_object().unwrap().keys()) {
            assert!(known.contains(&json!(name)), "{name}");
        }
    }
}
