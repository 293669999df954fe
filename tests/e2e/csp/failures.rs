//! Limits on bad credentials (csp.md G12, G16, G20): only failures are limited.

use serde_json::{Value, json};
use tokenhouse_authority::verify;
use tokenhouse_e2e::{Answer, House, both};
use tokenhouse_model::address::AddressRules;

use super::{AM, INVALID, OWN, api_token, exchange, person, refused, scopes};

const NO_SUCH: &str = "no such api token";
const WRONG: &str = "the credential is not valid";

/// Someone who holds what his tokens and apps are to hold.
async fn developer(house: &House) -> String {
    person(house, "dev@example.test", &["developer", "org_member"]).await.1
}

async fn token(house: &House, with: &str) -> (String, String) {
    api_token(house, with, json!({"allowedScopes": scopes(&["org_member"], &[])})).await
}

/// A value that nobody was given.
fn made_up(house: &House, number: usize) -> String {
    let value = format!("{number:_>64}");
    house.secret(&value);
    value
}

async fn details(house: &House, value: &str) -> Answer {
    house.post("", &format!("{AM}/auth/api-tokens/details"), json!({"tokenValue": value})).await
}

async fn app(house: &House, with: &str, more: Value) -> (String, String) {
    let mut ask = json!({
        "displayName": "app", "description": "", "grantTypes": ["client_credentials"],
        "allowedScopes": scopes(&["org_member"], &[]),
    });
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = house.post(with, &format!("{AM}/orgs/{}/oauth-apps", house.org), ask).await.expect(200);
    (made.text("clientId"), made.text("clientSecret"))
}

async fn by_header(house: &House, client: &str, secret: &str) -> Answer {
    let request = house.request("POST", &format!("{AM}/auth/token")).basic_auth(client, Some(secret));
    house.send(request.form(&[("grant_type", "client_credentials")])).await
}

async fn by_body(house: &House, client: &str, secret: &str) -> Answer {
    let form = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
    house.send(house.request("POST", &format!("{AM}/auth/token")).form(&form)).await
}

#[track_caller]
fn too_often(answer: &Answer, message: &str, seconds: &str) {
    refused(answer, 429, message);
    assert_eq!((answer.header("retry-after"), answer.header("www-authenticate")), (seconds, ""));
}

/// Readings of verify so far.
fn readings(house: &House) -> u64 {
    verify::counters(&house.ctx)[0]
}

both! {
    async fn a_wrong_token_that_comes_too_often_is_told_so_in_the_same_words_and_read_no_more(house) {
        let (_, good) = token(house, &developer(house).await).await;
        let wrong = made_up(house, 1);
        refused(&exchange(house, &wrong).await, 400, INVALID);
        let before = readings(house);
        for _ in 1..20 {
            refused(&exchange(house, &wrong).await, 400, INVALID);
        }
        let answer = exchange(house, &wrong).await;
        too_often(&answer, INVALID, "12");
        assert_eq!((answer["error"].as_str(), answer["cspErrorCode"].as_str()), (Some("invalid_grant"), Some("540.429")));
        assert_eq!(readings(house), before);
        // Others are not meant, and neither is another wrong one.
        exchange(house, &good).await.expect(200);
        refused(&exchange(house, &made_up(house, 2)).await, 400, INVALID);
        house.wait(11);
        too_often(&exchange(house, &wrong).await, INVALID, "1");
        house.wait(1);
        refused(&exchange(house, &wrong).await, 400, INVALID);
        too_often(&exchange(house, &wrong).await, INVALID, "12");
        house.wait(4 * 60);
        for _ in 0..20 {
            refused(&exchange(house, &wrong).await, 400, INVALID);
        }
        too_often(&exchange(house, &wrong).await, INVALID, "12");
        let metrics = house.get("", "/metrics").await.raw;
        assert!(metrics.lines().any(|line| line.contains("/auth/api-tokens/authorize") && line.contains("429")));
    }

    async fn from_a_flooding_address_a_good_credential_passes_and_a_bad_one_does_again_after_a_while(house) {
        let developer = developer(house).await;
        let (_, good) = token(house, &developer).await;
        let (client, secret) = app(house, &developer, json!({})).await;
        for number in 0..120 {
            refused(&exchange(house, &made_up(house, number)).await, 400, INVALID);
        }
        too_often(&exchange(house, &made_up(house, 120)).await, INVALID, "1");
        too_often(&details(house, &made_up(house, 121)).await, NO_SUCH, "1");
        too_often(&by_header(house, &client, &made_up(house, 122)).await, WRONG, "1");
        too_often(&by_body(house, "nobody", &made_up(house, 123)).await, WRONG, "1");
        exchange(house, &good).await.expect(200);
        details(house, &good).await.expect(200);
        by_header(house, &client, &secret).await.expect(200);
        by_body(house, &client, &secret).await.expect(200);
        house.wait(1);
        refused(&exchange(house, &made_up(house, 124)).await, 400, INVALID);
        too_often(&exchange(house, &made_up(house, 125)).await, INVALID, "1");
    }

    async fn addresses_are_counted_by_themselves_as_trusted_proxies_tell_them(house) {
        house.wire.trusted_proxies = AddressRules::parse(["127.0.0.1"]).unwrap();
        house.restart().await;
        let from = async |address: &str, number| {
            let request = house.request("POST", &format!("{AM}/auth/api-tokens/authorize"));
            let value = made_up(house, number);
            house.send(request.header("x-forwarded-for", address).form(&[("api_token", value)])).await
        };
        for number in 0..120 {
            refused(&from("192.0.2.1", number).await, 400, INVALID);
            // Whoever has one address of IPv6 has many.
            refused(&from(&format!("2001:db8::{number:x}"), 1000 + number).await, 400, INVALID);
        }
        too_often(&from("192.0.2.1", 120).await, INVALID, "1");
        too_often(&from("2001:db8::ffff", 1120).await, INVALID, "1");
        refused(&from("192.0.2.2", 121).await, 400, INVALID);
        refused(&from("2001:db8:0:1::1", 1121).await, 400, INVALID);
        // What the caller writes himself moves nobody.
        too_often(&from("198.51.100.7, 192.0.2.1", 122).await, INVALID, "1");
    }

    async fn details_of_a_dead_token_are_refused_from_memory_and_too_often_told_so(house) {
        let developer = developer(house).await;
        let (id, dead) = token(house, &developer).await;
        let (_, good) = token(house, &developer).await;
        details(house, &dead).await.expect(200);
        house.delete(&developer, &format!("{}/{id}", OWN)).await.expect(200);
        refused(&details(house, &dead).await, 404, NO_SUCH);
        let before = readings(house);
        for _ in 1..20 {
            refused(&details(house, &dead).await, 404, NO_SUCH);
        }
        too_often(&details(house, &dead).await, NO_SUCH, "12");
        assert_eq!(readings(house), before);
        details(house, &good).await.expect(200);
        // To ask is no use.
        let used = house.get(&developer, OWN).await.expect(200);
        assert_eq!(used["results"][0]["lastUsedAt"], json!(0), "{}", used.raw);
        // It is one secret, wherever it is presented.
        too_often(&exchange(house, &dead).await, INVALID, "12");
    }

    async fn a_client_that_tries_the_header_and_then_the_body_failed_once(house) {
        let developer = developer(house).await;
        let (client, secret) = app(house, &developer, json!({})).await;
        let wrong = made_up(house, 1);
        for _ in 0..20 {
            refused(&by_header(house, &client, &wrong).await, 401, WRONG);
            refused(&by_body(house, &client, &wrong).await, 401, WRONG);
        }
        too_often(&by_header(house, &client, &wrong).await, WRONG, "12");
        too_often(&by_body(house, &client, &wrong).await, WRONG, "12");
        by_header(house, &client, &secret).await.expect(200);
        // Bodies alone count, and so does one that comes later.
        let (other, _) = app(house, &developer, json!({})).await;
        for _ in 0..10 {
            refused(&by_header(house, &other, &wrong).await, 401, WRONG);
            house.wait(1);
            refused(&by_body(house, &other, &wrong).await, 401, WRONG);
        }
        too_often(&by_body(house, &other, &wrong).await, WRONG, "2");
    }

    async fn of_a_secret_that_was_chosen_a_wrong_one_is_remembered_until_it_is_right(house) {
        let developer = developer(house).await;
        let (chosen, next, third) = ("Chosen-secret-1", "Chosen-secret-2", "Chosen-secret-3");
        [chosen, next, third].iter().for_each(|secret| house.secret(secret));
        // Before there is such a client, as after.
        refused(&by_header(house, "its-name", chosen).await, 401, WRONG);
        let (client, _) = app(house, &developer, json!({"id": "its-name", "secret": chosen})).await;
        by_header(house, &client, chosen).await.expect(200);
        // Were each of these hashed and held back, this would take minutes.
        for _ in 1..20 {
            refused(&by_header(house, &client, next).await, 401, WRONG);
        }
        too_often(&by_header(house, &client, next).await, WRONG, "12");
        by_header(house, &client, chosen).await.expect(200);
        let path = format!("{AM}/orgs/{}/oauth-apps/{client}/secret", house.org);
        house.post(&developer, &path, json!({"newClientSecret": next})).await.expect(200);
        by_header(house, &client, next).await.expect(200);
        by_header(house, &client, chosen).await.expect(200);
        too_often(&by_header(house, &client, third).await, WRONG, "12");
        house.post(&developer, &path, json!({"newClientSecret": third})).await.expect(200);
        by_header(house, &client, third).await.expect(200);
        too_often(&by_header(house, &client, chosen).await, WRONG, "12");
    }
}
