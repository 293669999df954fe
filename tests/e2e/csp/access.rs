//! Access tokens as credentials: what they open, and what ends them.

use serde_json::json;
use tokenhouse_authority::{Settings, keys};
use tokenhouse_e2e::{House, both};

use super::{AM, INVALID, OWN, access_token, api_token, claims, exchange, part, person, refused, scopes};

const ROLES: &[&str] = &["org_admin", "org_member", "aoa:viewer"];

/// A person, a session and an api token of his: account, session, token and value.
async fn somebody(house: &House, email: &str) -> (String, String, String, String) {
    let (account, session) = person(house, email, ROLES).await;
    let ask = json!({"allowedScopes": scopes(&["org_admin", "org_member"], &["aoa:viewer"])});
    let (id, value) = api_token(house, &session, ask).await;
    (account, session, id, value)
}

/// How long api tokens may live at most, confirmed by every node.
async fn longest(house: &House, seconds: i64) {
    let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
    for name in ["max_lifetime_seconds", "default_lifetime_seconds"] {
        policy["kinds"]["api"][name] = json!(seconds);
    }
    house.put(&house.admin, "/v1/policy?wait=nodes", policy).await.expect(200);
}

both! {
    async fn it_is_taken_as_a_bearer_and_in_the_header_of_its_own(house) {
        let (account, session, _, value) = somebody(house, "ada@example.test").await;
        let jwt = access_token(house, &value).await;
        let path = format!("{AM}/loggedin/user");
        assert_eq!(house.get(&jwt, &path).await.expect(200).text("userId"), account);
        let request = house.request("GET", &path).header("csp-auth-token", &jwt);
        let me = house.send(request).await.expect(200);
        assert_eq!((me.text("username"), me.text("acct")), ("ada@example.test".to_owned(), "ada@example.test".to_owned()));
        let both = house.request("GET", &path).header("csp-auth-token", &jwt).bearer_auth(&session);
        refused(&house.send(both).await, 400, "two different credentials in one request");
        refused(&house.get("", &path).await, 401, "a credential is required");
        // What is exchanged is no credential by itself.
        refused(&house.get(&value, &path).await, 401, "the credential is not valid");
        let info = house.get(&jwt, &format!("{AM}/userinfo")).await.expect(200);
        assert_eq!((info.text("sub"), info.text("context_name")), (account, house.org.clone()));
        let orgs = house.get(&jwt, &format!("{AM}/loggedin/user/orgs")).await.expect(200);
        assert_eq!(orgs["items"][0]["id"], json!(house.org));
        assert_eq!(orgs["refLinks"], json!([format!("{AM}/orgs/{}", house.org)]));
        let org = house.get(&jwt, &format!("{AM}/orgs/{}", house.org)).await.expect(200);
        assert_eq!(org.text("displayName"), "first");
        refused(&house.get(&jwt, &format!("{AM}/orgs/00000000-0000-7000-8000-000000000000")).await, 404, "no such org");
        // It reaches what its api token reaches: neither wavefront's paths nor the native ones.
        assert_eq!(house.get(&jwt, "/v1/whoami").await.status, 401);
        assert_eq!(house.get(&jwt, "/api/v2/apitoken").await.status, 401);
    }

    async fn introspection_and_verify_tell_what_it_is(house) {
        let (account, _, id, value) = somebody(house, "ada@example.test").await;
        let jwt = access_token(house, &value).await;
        let request = house.request("POST", "/oauth2/introspect").bearer_auth(&house.admin);
        let told = house.send(request.form(&[("token", jwt.as_str())])).await.expect(200);
        let claims = claims(&jwt);
        assert_eq!(told["active"], true);
        for name in ["exp", "iat", "jti", "iss", "aud", "sub", "scope"] {
            assert_eq!(told[name], claims[name], "{name}");
        }
        assert_eq!((told.text("token_id"), told.text("org_id")), (id, house.org.clone()));
        let verified = house.post(&house.admin, "/v1/verify", json!({"token": jwt, "permission": "csp:org_admin"})).await;
        assert_eq!((verified["active"].as_bool(), verified.text("account_id")), (Some(true), account));
        let lacking = json!({"token": jwt, "permission": "csp:org_owner"});
        assert_eq!(house.post(&house.admin, "/v1/verify", lacking).await.text("reason"), "permission_missing");
        let (_, neighbour) = house.neighbour("second").await;
        let asked = house.post(&neighbour, "/v1/verify", json!({"token": jwt})).await.expect(200);
        assert_eq!(asked.text("reason"), "unknown");
        // It ends with its token, and is not revoked by itself.
        let request = house.request("POST", "/oauth2/revoke").bearer_auth(&house.admin);
        let answer = house.send(request.form(&[("token", jwt.as_str())])).await;
        assert_eq!((answer.status, &answer["error"]), (400, &json!("unsupported_token_type")));
    }

    async fn everything_that_ends_what_it_came_from_ends_it_on_every_node(house) {
        let second = house.another_node("second", Settings::default()).await;
        let deaths: [(&str, &str); 8] = [
            ("revoked", "revoked"),
            ("regenerated", "rotated"),
            ("deactivated", "deactivated"),
            ("owner off", "account_inactive"),
            ("owner deleted", "revoked"),
            ("expired", "expired"),
            ("its own end", "expired"),
            ("key", "signature"),
        ];
        for (at, (death, reason)) in deaths.into_iter().enumerate() {
            let (account, session, id, value) = somebody(house, &format!("p{at}@example.test")).await;
            let jwt = access_token(house, &value).await;
            let ask = json!({"token": jwt});
            for _ in 0..2 {
                assert_eq!(house.verdict(&jwt).await, "good", "{death}");
                assert_eq!(second.post("/v1/verify", ask.clone()).await["active"], true, "{death}");
            }
            match death {
                "revoked" => drop(house.delete(&session, &format!("{OWN}/{id}?wait=nodes")).await.expect(200)),
                "regenerated" => {
                    drop(house.post(&session, &format!("{OWN}/{id}/regenerate?wait=nodes"), json!({})).await.expect(200));
                }
                "deactivated" => {
                    let path = format!("/v1/tokens/{id}/deactivate?wait=nodes");
                    drop(house.post(&house.admin, &path, json!({})).await.expect(200));
                }
                "owner off" => {
                    let path = format!("/v1/accounts/{account}/deactivate?wait=nodes");
                    drop(house.post(&house.admin, &path, json!({})).await.expect(200));
                }
                "owner deleted" => {
                    drop(house.delete(&house.admin, &format!("/v1/accounts/{account}?wait=nodes")).await.expect(200));
                }
                "expired" => {
                    house.wait(11);
                    longest(house, 10).await;
                }
                "its own end" => house.wait(1800),
                _ => {
                    let key = part(&jwt, 0)["kid"].as_str().unwrap().to_owned();
                    let path = format!("/v1/keys/{key}/retire?wait=nodes");
                    drop(house.post(&house.admin, &path, json!({"compromised": true})).await.expect(200));
                }
            }
            assert_eq!(house.verdict(&jwt).await, reason, "{death}");
            assert_eq!(second.post("/v1/verify", ask).await["reason"], reason, "{death}");
            assert_eq!(house.get(&jwt, OWN).await.status, 401, "{death}");
            if death == "expired" {
                longest(house, 100_000).await;
            }
        }
        second.stop().await;
    }

    async fn losing_a_role_narrows_it_and_gaining_one_does_not_widen_it(house) {
        let (account, _, _, value) = somebody(house, "ada@example.test").await;
        let jwt = access_token(house, &value).await;
        let may = async |permission: &str| {
            let ask = json!({"token": jwt, "permission": permission});
            house.post(&house.admin, "/v1/verify", ask).await.expect(200)["active"] == true
        };
        assert!(may("csp:org_admin").await);
        house.delete(&house.admin, &format!("/v1/accounts/{account}/roles/org_admin")).await.expect(200);
        assert!(!may("csp:org_admin").await && may("csp:org_member").await);
        house.put(&house.admin, &format!("/v1/accounts/{account}/roles/org_owner"), json!({})).await.expect(200);
        assert!(!may("csp:org_owner").await);
        let roles = claims(&access_token(house, &value).await)["perms"].as_array().unwrap().len();
        assert_eq!(roles, 2, "member and viewer");
    }

    async fn a_suspended_org_has_no_access_tokens(house) {
        keys::tend(&house.ctx).await.unwrap();
        let (org, neighbour) = house.neighbour("second").await;
        let ask = json!({"allowedScopes": scopes(&["org_owner"], &[])});
        let (_, value) = api_token(house, &neighbour, ask).await;
        let jwt = access_token(house, &value).await;
        let path = format!("{AM}/loggedin/user");
        house.get(&jwt, &path).await.expect(200);
        house.post(&house.admin, &format!("/v1/orgs/{org}/suspend"), json!({})).await.expect(200);
        refused(&house.get(&jwt, &path).await, 401, "the credential is not valid");
        refused(&exchange(house, &value).await, 400, INVALID);
        house.post(&house.admin, &format!("/v1/orgs/{org}/resume"), json!({})).await.expect(200);
        house.get(&jwt, &path).await.expect(200);
    }

    async fn an_access_token_outlives_a_restart_and_the_key_that_signed_it(house) {
        let (_, _, _, value) = somebody(house, "ada@example.test").await;
        let jwt = access_token(house, &value).await;
        house.restart().await;
        assert_eq!(house.verdict(&jwt).await, "good");
        house.wait(1);
        let rotate = json!({"algorithm": "RS256", "at_once": true});
        house.post(&house.admin, "/v1/keys/rotate", rotate).await.expect(201);
        assert_eq!(house.verdict(&jwt).await, "good");
        house.wait(1);
        let newer = access_token(house, &value).await;
        assert_ne!(part(&newer, 0)["kid"], part(&jwt, 0)["kid"]);
    }
}
