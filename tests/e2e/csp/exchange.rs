//! Exchanging api tokens for access tokens (csp.md 1.1, 1.2).

use serde_json::json;
use tokenhouse_e2e::{House, both};

use super::{AM, INVALID, OPERATIONS, access_token, api_token, claims, exchange, part, person, refused, scopes};

const MEMBER: &[&str] = &["org_member", "aoa:viewer"];

async fn member(house: &House) -> (String, String, String) {
    let (id, session) = person(house, "ada@example.test", MEMBER).await;
    let ask = json!({"allowedScopes": scopes(&["org_member"], &["aoa:viewer"]), "tokenName": "ci"});
    let (_, value) = api_token(house, &session, ask).await;
    (id, session, value)
}

both! {
    async fn every_shape_in_which_a_client_asks_is_understood(house) {
        let (_, _, value) = member(house).await;
        let authorize = format!("{AM}/auth/api-tokens/authorize");
        let form = "application/x-www-form-urlencoded";
        let (api, refresh) = (format!("api_token={value}"), format!("refresh_token={value}"));
        let shapes = [
            ("", form, api.clone()),
            ("", "application/x-www-form-urlencoded; charset=utf-8", api.clone()),
            ("", form, format!("grant_type=api_token&{api}")),
            ("", form, format!("grant_type=api_token&{refresh}")),
            ("", form, refresh.clone()),
            ("", form, format!("grant_type=refresh_token&{refresh}")),
            ("", form, format!("grant_type=refresh_token&{api}")),
            ("", form, format!("grant_type=whatever&{api}&passcode=&scope=&orgId=")),
            ("?grant_type=refresh_token", form, refresh.clone()),
            (&format!("?{refresh}"), "application/json", String::new()),
            (&format!("?{refresh}"), "application/json", "{}".to_owned()),
            (&format!("?{api}"), form, String::new()),
            (&format!("?{api}"), "", String::new()),
            ("", "application/json", json!({"refresh_token": value}).to_string()),
            ("", "application/json", json!({"api_token": value, "passcode": ""}).to_string()),
            ("", "text/plain", api.clone()),
            ("", "", api.clone()),
            // The newer name goes before the older, the form before the query.
            ("", form, format!("refresh_token=other&{api}")),
            ("?api_token=other", form, api.clone()),
        ];
        for (query, kind, body) in shapes {
            let mut request = house.request("POST", &format!("{authorize}{query}")).body(body.clone());
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            let answer = house.send(request).await;
            assert_eq!(answer.status, 200, "{query} {kind} {}: {}", body.replace(&value, "VALUE"), answer.raw);
            let mut members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
            members.sort();
            assert_eq!(members, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
            assert_eq!(answer.text("refresh_token"), value);
            assert_eq!(answer["id_token"], json!(null));
            assert_eq!(answer.text("token_type"), "bearer");
            assert_eq!(answer.number("expires_in"), 1800);
            assert_eq!(answer.text("scope"), format!("csp:org_member external/{OPERATIONS}/aoa:viewer"));
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("content-type"), "application/json");
        }
        // Clients whose address ends in a slash send two.
        let request = house.request("POST", &format!("/{authorize}")).body(api).header("content-type", form);
        house.send(request).await.expect(200);
        for path in ["token", "authorize"] {
            let request = house.request("POST", &format!("{AM}/auth/{path}"));
            let answer = house.send(request.form(&[("grant_type", "refresh_token"), ("refresh_token", &value)])).await;
            assert_eq!(answer.expect(200).text("refresh_token"), value);
        }
    }

    async fn an_access_token_says_who_and_what_it_is(house) {
        let (id, _, value) = member(house).await;
        let jwt = access_token(house, &value).await;
        let header = part(&jwt, 0);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
        let jwks = house.get("", &format!("{AM}/auth/keys")).await.expect(200);
        assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"] && key["kty"] == "RSA"));
        let claims = claims(&jwt);
        let now = house.clock.now() / 1000;
        assert_eq!(claims["iss"], "http://localhost");
        assert_eq!(claims["sub"], json!(id));
        assert_eq!(claims["context_name"], json!(house.org));
        assert_eq!(claims["username"], "ada@example.test");
        assert_eq!(claims["acct"], "ada@example.test");
        assert_eq!(claims["domain"], "example.test");
        assert_eq!(claims["perms"], json!(["csp:org_member", format!("external/{OPERATIONS}/aoa:viewer")]));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1800);
        assert_eq!(claims["iat"], now);
        assert!(claims["azp"].is_string() && claims["jti"].is_string() && claims["context"].is_string());
    }

    async fn what_is_no_api_token_is_refused_with_the_words_that_clients_look_for(house) {
        let (_, session, value) = member(house).await;
        let other = house.issue(&house.admin, json!({})).await.1;
        let long = "x".repeat(20_000);
        for wrong in ["x", "0123456789012345678901234567890123456789012345678901234567890123", &session, &other, &long] {
            let answer = exchange(house, wrong).await;
            refused(&answer, 400, INVALID);
            assert_eq!(answer["error"], "invalid_grant");
            assert!(!answer.raw.contains(wrong), "{}", answer.raw);
        }
        // An access token is not exchanged for another.
        let jwt = access_token(house, &value).await;
        refused(&exchange(house, &jwt).await, 400, INVALID);
        let authorize = format!("{AM}/auth/api-tokens/authorize");
        let without = house.send(house.request("POST", &authorize)).await;
        refused(&without, 400, "api_token is missing");
        let twice = house.request("POST", &authorize).body(format!("api_token={value}&api_token={value}"));
        refused(&house.send(twice).await, 400, "api_token must not be repeated");
        let broken = house.request("POST", &authorize).body("{\"api_token\": ").header("content-type", "application/json");
        assert_eq!(house.send(broken).await.status, 400);
        let resources = house.request("POST", &authorize).form(&[("api_token", value.as_str()), ("allowed_resource_scope", "{}")]);
        refused(&house.send(resources).await, 400, "allowed_resource_scope is not read here: name permissions in scope");
        let grant = house.request("POST", &format!("{AM}/auth/token")).form(&[("grant_type", "password")]);
        let answer = house.send(grant).await;
        assert_eq!((answer.status, &answer["error"]), (400, &json!("unsupported_grant_type")));
    }

    async fn an_access_token_can_be_narrowed_and_never_widened(house) {
        let (_, _, value) = member(house).await;
        let ask = async |scope: &str| {
            let request = house.request("POST", &format!("{AM}/auth/api-tokens/authorize"));
            house.send(request.form(&[("api_token", value.as_str()), ("scope", scope)])).await
        };
        let narrow = ask("csp:org_member").await.expect(200);
        assert_eq!(narrow.text("scope"), "csp:org_member");
        assert_eq!(claims(&narrow.text("access_token"))["perms"], json!(["csp:org_member"]));
        refused(&ask("csp:org_owner").await, 400, "scope is more than the token has: csp:org_owner");
        refused(&ask("nonsense").await, 400, "permission must be a known permission or external/<service>/<role>");
    }

    async fn near_the_end_of_an_api_token_its_exchange_is_refused_and_before_that_cut_short(house) {
        let (_, session) = person(house, "bea@example.test", MEMBER).await;
        let ask = json!({"allowedScopes": scopes(&["org_member"], &[]), "refreshTokenTTL": 1800});
        let (_, value) = api_token(house, &session, ask).await;
        house.wait(600);
        let answer = exchange(house, &value).await.expect(200);
        assert_eq!(answer.number("expires_in"), 1200);
        house.wait(1800 - 600 - 181);
        assert_eq!(exchange(house, &value).await.expect(200).number("expires_in"), 181);
        house.wait(1);
        refused(&exchange(house, &value).await, 400, INVALID);
        house.wait(1000);
        refused(&exchange(house, &value).await, 400, INVALID);
        assert_eq!(house.verdict(&answer.text("access_token")).await, "expired");
    }

    async fn who_asks_again_is_given_the_same_access_token_while_it_is_young_and_as_good_as_a_new_one(house) {
        let (id, _, value) = member(house).await;
        let first = access_token(house, &value).await;
        house.wait(299);
        let again = exchange(house, &value).await.expect(200);
        assert_eq!((again.text("access_token"), again.number("expires_in")), (first.clone(), 1501));
        house.wait(2);
        let newer = exchange(house, &value).await.expect(200);
        assert_ne!(newer.text("access_token"), first);
        assert_eq!(newer.number("expires_in"), 1800);
        // With other permissions it is another.
        house.put(&house.admin, &format!("/v1/accounts/{id}/roles/org_admin"), json!({})).await.expect(200);
        assert_eq!(access_token(house, &value).await, newer.text("access_token"));
        house.delete(&house.admin, &format!("/v1/accounts/{id}/roles/aoa:viewer")).await.expect(200);
        let less = exchange(house, &value).await.expect(200);
        assert_eq!(less.text("scope"), "csp:org_member");
        assert_ne!(less.text("access_token"), newer.text("access_token"));
    }
}
