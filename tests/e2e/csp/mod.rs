//! The dialect of VMware Cloud Services, end to end (csp.md).

mod access;
mod api_tokens;
mod apps;
mod custom_roles;
mod exchange;
mod failures;
mod forgeries;
mod guests;
mod id_tokens;
mod integrations;
mod invitations;
mod members;
mod onboarded;
mod roles;
mod tokens;

use serde_json::{Value, json};
use tokenhouse_authority::keys;
use tokenhouse_e2e::{Answer, House};

/// Accounts and tokens.
pub const AM: &str = "/csp/gateway/am/api";
/// One's own api tokens.
pub const OWN: &str = "/csp/gateway/am/api/loggedin/user/api-tokens";
/// The service whose roles are built in.
pub const OPERATIONS: &str = "a0a00000-0000-4000-8000-000000000001";

/// The message of every api token that is refused.
pub const INVALID: &str = "invalid_grant: Invalid refresh token";

/// Checks that an answer is a refusal in the dialect's words.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.body["message"].as_str()), (status, Some(message)), "{}", answer.raw);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.number("moduleCode"), 540);
    assert_eq!(answer.number("statusCode"), i64::from(status));
    assert_eq!(answer.text("requestId"), answer.header("x-request-id"));
}

/// `allowedScopes` of these roles of the organization, and of the service whose roles are built in.
pub fn scopes(organization: &[&str], service: &[&str]) -> Value {
    let named = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
    let mut scopes = json!({"organizationScopes": {"roles": named(organization)}});
    if !service.is_empty() {
        scopes["servicesScopes"] = json!([{"serviceDefinitionId": OPERATIONS, "roles": named(service)}]);
    }
    scopes
}

/// A person with these roles, and a native token of his that reaches everything.
pub async fn person(house: &House, email: &str, roles: &[&str]) -> (String, String) {
    keys::tend(&house.ctx).await.unwrap();
    let (id, session) = house.person(email, roles).await;
    (id, session)
}

/// A new api token of whoever comes with this credential: its id and its value.
pub async fn api_token(house: &House, with: &str, ask: Value) -> (String, String) {
    house.wait(1);
    let value = house.post(with, OWN, ask).await.expect(200).text("apiToken");
    let listed = house.get(with, OWN).await.expect(200);
    let id = listed["results"].as_array().unwrap().last().unwrap()["tokenId"].as_str().unwrap().to_owned();
    (id, value)
}

/// Exchanges an api token.
pub async fn exchange(house: &House, api_token: &str) -> Answer {
    let request = house.request("POST", &format!("{AM}/auth/api-tokens/authorize"));
    house.send(request.form(&[("api_token", api_token)])).await
}

/// An access token for an api token.
pub async fn access_token(house: &House, api_token: &str) -> String {
    exchange(house, api_token).await.expect(200).text("access_token")
}

/// The claims of a JWT, unchecked.
pub fn claims(jwt: &str) -> Value {
    part(jwt, 1)
}

/// A part of a JWT, as JSON.
pub fn part(jwt: &str, at: usize) -> Value {
    use base64::Engine as _;
    let part = jwt.split('.').nth(at).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
