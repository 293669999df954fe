//! `/oauth2/introspect` (RFC 7662)

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::{form, refused};

const PATH: &str = "/oauth2/introspect";

/// A service account that may ask, and a token of its.
async fn asker(house: &House) -> (String, String) {
    house.service("api", &["verifier"]).await
}

async fn ask(house: &House, caller: &str, fields: &[(&str, &str)]) -> Answer {
    form(house, caller, PATH, fields).await.expect(200)
}

/// `active`, or the reason; a refusal tells nothing of the token.
async fn verdict(house: &House, caller: &str, fields: &[(&str, &str)]) -> String {
    let answer = ask(house, caller, fields).await;
    if answer["active"] == true {
        return "active".to_owned();
    }
    let members = answer.body.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(members, ["active", "epoch", "reason", "revision"], "{}", answer.raw);
    answer.text("reason")
}

both! {
    async fn a_good_answer_has_the_members_of_the_standard(house) {
        let (_, caller) = asker(house).await;
        let (account, _) = house.service("ci", &["member", "verifier"]).await;
        let scopes = json!({"owner": account, "name": "deploy", "scopes": ["house:verify", "house:read"], "lifetime_seconds": 60});
        let (id, secret) = house.issue(&house.admin, scopes).await;
        let revision = house.get(&house.admin, "/v1/nodes").await.expect(200)["items"][0]["applied_revision"].clone();
        let mut answer = ask(house, &caller, &[("token", &secret), ("token_type_hint", "access_token")]).await;
        assert!(answer.body["revision"].as_i64() >= revision.as_i64(), "{}", answer.raw);
        answer.body["revision"] = Value::Null;
        assert_eq!(
            answer.body,
            json!({
                "active": true, "scope": "house:verify house:read", "client_id": account, "username": "sa::ci",
                "token_type": "Bearer", "exp": 1_800_000_060, "iat": 1_800_000_000, "sub": account,
                "iss": "http://localhost", "jti": id, "org_id": house.org, "kind": "service", "name": "deploy",
                "epoch": 1, "revision": null,
            })
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-request-id").len(), 16);
        let given = house.request("POST", PATH).form(&[("token", "x")]).bearer_auth(&caller).header("x-request-id", "mine-1");
        assert_eq!(house.send(given).await.expect(200).header("x-request-id"), "mine-1");
    }

    async fn the_resource_server_learns_the_reason(house) {
        let (_, caller) = asker(house).await;
        let (account, secret) = house.service("ci", &["member"]).await;
        let (_, bound) = house.issue(&house.admin, json!({"owner": account, "cidrs": ["192.0.2.0/24"]})).await;
        for (fields, expected) in [
            (vec![("token", secret.as_str())], "active"),
            (vec![("token", secret.as_str()), ("permission", "house:read")], "active"),
            (vec![("token", secret.as_str()), ("permission", "house:tokens")], "permission_missing"),
            (vec![("token", "junk")], "malformed"),
            (vec![("token", "00000000-0000-4000-8000-000000000000")], "unknown"),
            (vec![("token", bound.as_str())], "address_unknown"),
            (vec![("token", bound.as_str()), ("client_ip", "198.51.100.7")], "address"),
            (vec![("token", bound.as_str()), ("client_ip", "192.0.2.7")], "active"),
        ] {
            assert_eq!(verdict(house, &caller, &fields).await, expected);
        }
    }

    async fn another_orgs_token_is_as_good_as_unknown(house) {
        let (_, caller) = asker(house).await;
        let (_, session) = house.neighbour("other").await;
        assert_eq!(verdict(house, &caller, &[("token", &session)]).await, "unknown");
        assert_eq!(verdict(house, &session, &[("token", &session)]).await, "active");
    }

    async fn a_client_proves_itself_in_each_way_of_the_standard(house) {
        let (account, caller) = asker(house).await;
        let token = house.post(&caller, "/v1/verify", json!({"token": caller})).await.expect(200).text("token_id");
        let with = async |name: &str, secret: &str| {
            let request = house.request("POST", PATH).basic_auth(name, Some(secret)).form(&[("token", &caller)]);
            house.send(request).await.status
        };
        for name in [account.as_str(), &token, "sa%3A%3Aapi", "SA%3A%3AApi"] {
            assert_eq!(with(name, &caller).await, 200, "{name}");
        }
        for (name, secret) in [("sa%3A%3Aother", caller.as_str()), ("", &caller), (&account, "junk"), (&account, ""), ("a&b", &caller)] {
            assert_ne!(with(name, secret).await, 200, "{name}");
        }
        let fields = [("token", caller.as_str()), ("client_id", &account), ("client_secret", &caller)];
        form(house, "", PATH, &fields).await.expect(200);
        let fields = [("token", caller.as_str()), ("client_id", "sa::other"), ("client_secret", &caller)];
        let answer = form(house, "", PATH, &fields).await;
        refused(&answer, 401, "invalid_client", "the credential is not valid");
        let challenges = answer.headers.get_all("www-authenticate").iter().collect::<Vec<_>>();
        assert_eq!(challenges, ["Bearer realm=\"tokenhouse\", error=\"invalid_token\"", "Basic realm=\"tokenhouse\""]);
    }

    async fn who_may_not_ask_is_told_nothing(house) {
        let (_, caller) = asker(house).await;
        let (_, lesser) = house.service("lesser", &["member"]).await;
        let answer = form(house, &lesser, PATH, &[("token", &caller)]).await;
        assert_eq!((answer.status, &answer["error"]), (403, &json!("insufficient_scope")));
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"tokenhouse\", error=\"insufficient_scope\", scope=\"house:verify\""
        );
        let answer = form(house, "", PATH, &[("token", &caller)]).await;
        assert_eq!((answer.status, &answer["error"]), (401, &json!("invalid_client")));
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"tokenhouse\"");
        // A token of a dialect is no credential here, though its account may ask.
        let (owner, _) = house.service("robot", &["verifier"]).await;
        let (_, dialects) = house.issue(&house.admin, json!({"owner": owner, "reach": ["wavefront", "verify"]})).await;
        assert_eq!(form(house, &dialects, PATH, &[("token", &caller)]).await.status, 401);
    }

    async fn what_can_not_be_read_is_refused_in_words_of_the_standard(house) {
        let (_, caller) = asker(house).await;
        let post = async |fields: &[(&str, &str)]| form(house, &caller, PATH, fields).await;
        refused(&post(&[]).await, 400, "invalid_request", "token is missing");
        refused(&post(&[("token", "")]).await, 400, "invalid_request", "token is missing");
        refused(&post(&[("token", "a"), ("token", "b")]).await, 400, "invalid_request", "token must not be repeated");
        refused(&post(&[("token", "a"), ("client_ip", "here")]).await, 400, "invalid_request", "client_ip must be an IP address");
        refused(&post(&[("token", "a"), ("at_least", "x")]).await, 400, "invalid_request", "at_least must be a number");
        refused(&post(&[("token", "a"), ("epoch", "1")]).await, 400, "invalid_request", "epoch goes with at_least only");
        let future = "at_least is above the head of the ledger: no receipt says so";
        refused(&post(&[("token", "a"), ("at_least", "999999")]).await, 400, "invalid_request", future);
        assert_eq!(post(&[("token", "a"), ("permission", "no such")]).await.status, 400);
        post(&[("token", "a"), ("resource", "x"), ("resource", "y")]).await.expect(200);
        let json = house.request("POST", PATH).bearer_auth(&caller).json(&json!({"token": "x"}));
        refused(&house.send(json).await, 415, "invalid_request", "the body must be application/x-www-form-urlencoded");
        let get = house.request("GET", PATH).bearer_auth(&caller);
        refused(&house.send(get).await, 405, "invalid_request", "this path is served, but not with this method");
        let long = "x".repeat(1 << 20);
        assert_eq!(post(&[("token", &long)]).await.status, 413);
        let two = house.request("POST", PATH).bearer_auth(&caller).header("x-none", "").form(&[("token", "x"), ("client_secret", "other")]);
        refused(&house.send(two).await, 400, "invalid_request", "two different credentials in one request");
    }

    async fn it_is_as_fresh_as_a_receipt(house) {
        let (_, caller) = asker(house).await;
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        assert_eq!(verdict(house, &caller, &[("token", &secret)]).await, "active");
        let done = house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        let (epoch, revision) = (done["receipt"]["epoch"].to_string(), done["receipt"]["revision"].to_string());
        let fields = [("token", secret.as_str()), ("at_least", &revision), ("epoch", &epoch)];
        assert_eq!(verdict(house, &caller, &fields).await, "revoked");
    }
}
