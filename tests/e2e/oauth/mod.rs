//! OAuth 2: `/oauth2` and its metadata.

mod failures;
mod introspect;
mod metadata;
mod revoke;
mod token;

use tokenhouse_e2e::{Answer, House};

/// Posts a form with a bearer credential; none if it is empty.
async fn form(house: &House, caller: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = house.request("POST", path).form(fields);
    if !caller.is_empty() {
        request = request.bearer_auth(caller);
    }
    house.send(request).await
}

/// The body of an error, exactly.
#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str, description: &str) {
    let told = serde_json::json!({"error": error, "error_description": description});
    assert_eq!((answer.status, &answer.body), (status, &told), "{}", answer.raw);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-request-id").len(), 16);
}
