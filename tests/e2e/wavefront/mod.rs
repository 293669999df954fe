//! The Wavefront dialect, end to end (wavefront.md).

mod connection;
mod daemon;
mod errors;
mod older;
mod people;
mod recoverable;
mod report;
mod saved;
mod search;
mod story;
mod swagger;
mod tokens;
mod wire;

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House};

/// The body of a refusal in the dialect's words.
pub fn refusal(code: u16, message: &str) -> Value {
    json!({"status": {"result": "ERROR", "message": message, "code": code}})
}

/// Checks that an answer is exactly this refusal.
#[track_caller]
pub fn refused(answer: &Answer, code: u16, message: &str) {
    assert_eq!((answer.status, &answer.body), (code, &refusal(code, message)), "{}", answer.raw);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.header("x-request-id").is_empty());
}

/// What stands under `response` of a good answer.
#[track_caller]
pub fn wrapped(answer: Answer) -> Value {
    let answer = answer.expect(200);
    assert_eq!(answer["status"], json!({"result": "OK", "message": "", "code": 200}), "{}", answer.raw);
    assert_eq!(answer.header("content-type"), "application/json");
    answer["response"].clone()
}

/// The last of a list of tokens: its secret, as it was just made.
#[track_caller]
pub fn last_secret(list: &Value) -> String {
    list.as_array().unwrap().last().unwrap()["tokenID"].as_str().unwrap().to_owned()
}

/// The ids of a list of tokens.
pub fn ids(list: &Value, name: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|token| token[name].as_str().unwrap().to_owned()).collect()
}

/// A new token of the administrator's own: its secret.
pub async fn own(house: &House, name: &str) -> String {
    // So that no two are made in the same millisecond: what is made later stands later.
    house.clock.advance(1);
    last_secret(&wrapped(house.post(&house.admin, "/api/v2/apitoken", json!({"tokenName": name})).await))
}

/// A person who holds these permissions of the dialect, and a token of his on it.
pub async fn holder(house: &House, email: &str, permissions: &[&str]) -> String {
    house.clock.advance(1);
    let (id, session) = house.person(email, &["member"]).await;
    for permission in permissions {
        let path = format!("/v1/accounts/{id}/permissions/{permission}");
        house.put(&house.admin, &path, json!({})).await.expect(200);
    }
    let ask = json!({"reach": ["wavefront", "verify", "native"]});
    let token = house.post(&session, "/v1/tokens", ask).await.expect(201).text("secret");
    // The native role was for making the token; what counts here are the dialect's permissions.
    house.delete(&house.admin, &format!("/v1/accounts/{id}/roles/member")).await.expect(200);
    token
}
