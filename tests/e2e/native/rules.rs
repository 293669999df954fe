//! Who may do what (design 5): each rule, attacked by whoever holds less than it takes.

mod accounts;
mod addresses;
mod doors;
mod giving;
mod losing;
mod minting;
mod orgs;
mod passwords;
mod races;
mod reach;

use serde_json::{Value, json};
use tokenhouse_e2e::House;

/// A service account that holds just these permissions: its id and a token of its.
async fn robot(house: &House, name: &str, permissions: &[&str]) -> (String, String) {
    let (id, token) = house.service(name, &[]).await;
    hold(house, &id, permissions).await;
    (id, token)
}

/// Gives an account permissions directly.
async fn hold(house: &House, account: &str, permissions: &[&str]) {
    for permission in permissions {
        let path = format!("/v1/accounts/{account}/permissions/{permission}");
        house.put(&house.admin, &path, json!({})).await.expect(200);
    }
}

/// A token of the administrator, limited.
async fn limited(house: &House, ask: Value) -> String {
    house.issue(&house.admin, ask).await.1
}

/// The effective permissions of a token, by its own word.
async fn effective(house: &House, token: &str) -> Vec<String> {
    let answer = house.get(token, "/v1/whoami").await.expect(200);
    answer["permissions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}
