//! What each endpoint answers in each of its error cases, word for word. Clients show these words to people, and decide
//! by the statuses.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

use super::{holder, last_secret, own, wrapped};

/// An endpoint of `swagger.json`: method, path as a template, the type of its body.
pub async fn endpoints(house: &House) -> Vec<(String, String, Value)> {
    let document = house.get("", "/api/v2/swagger.json").await.expect(200).body;
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = operation["parameters"].as_array().unwrap().iter().find(|of| of["in"] == "body");
            let body = body.map_or(Value::Null, |body| body["schema"].clone());
            all.push((method.to_uppercase(), path.clone(), body));
        }
    }
    all
}

/// A path that names nothing that there is.
fn naming_nothing(template: &str) -> String {
    let nothing = "0190f3c4-0000-7000-8000-000000000000";
    let id = match template {
        path if path.contains("/serviceaccount/{id}") => "sa::nobody",
        path if ["/account/", "/user/", "/logout/"].iter().any(|part| path.contains(part)) => "nobody@example.test",
        _ => nothing,
    };
    let path = template.replace("{id}", id).replace("{token}", nothing).replace("{permission}", "nonsense");
    path.replace("{facet}", "nonsense").replace("{entitytype}", "nonsense")
}

async fn told(house: &House, token: &str, method: &str, path: &str, body: Option<&str>) -> String {
    let mut request = house.request(method, path);
    if !token.is_empty() {
        request = request.header("x-auth-token", token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    let answer = house.send(request).await;
    assert_eq!(answer.header("content-type"), "application/json");
    if answer.status == 200 {
        return "200".to_owned();
    }
    assert_eq!(answer.body["status"]["code"], answer.status, "the code is the status");
    assert_eq!(answer.body, super::refusal(answer.status, answer.body["status"]["message"].as_str().unwrap()));
    assert_eq!(answer.header("cache-control"), "no-store");
    format!("{} {}", answer.status, answer.body["status"]["message"].as_str().unwrap())
}

/// What is asked wrongly in the same way of every endpoint.
async fn in_general(house: &House) -> String {
    let nobody = holder(house, "nobody-special@example.test", &[]).await;
    let mut text = String::new();
    for (method, template, body) in endpoints(house).await {
        let path = naming_nothing(&template);
        text.push_str(&format!("{method} {template}\n"));
        let unknown = "00000000-0000-4000-8000-000000000000";
        let mut cases = vec![
            ("no credential", "", None),
            ("unknown credential", unknown, None),
            ("holds nothing", nobody.as_str(), None),
            ("names nothing", house.admin.as_str(), None),
        ];
        if !body.is_null() {
            let sent = match body["type"] == "array" {
                true => ["[\"a\"", "{}", "[7]", "[\"nobody@example.test\"]"],
                false => [
                    "{\"a\":",
                    "[]",
                    "{\"tokenName\":7,\"name\":7,\"query\":7,\"groups\":7}",
                    "{\"roles\":[\"x\"],\"roleIDs\":[\"x\"]}",
                ],
            };
            for (case, sent) in
                ["cut short", "of another type", "with a wrong member", "of unknown things"].into_iter().zip(sent)
            {
                cases.push((case, &house.admin, Some(sent)));
            }
        }
        for (case, token, sent) in cases {
            let answer = told(house, token, &method, &path, sent).await;
            text.push_str(&format!("  {case:<20} {answer}\n"));
        }
    }
    text
}

/// What is particular to an endpoint.
async fn in_particular(house: &House) -> String {
    let mut text = String::new();
    let admin = house.admin.clone();
    house.service("ci", &[]).await;
    house.service("strong", &["administrator"]).await;
    house.person("p@example.test", &[]).await;
    let clerk = holder(house, "clerk@example.test", &["user_management"]).await;
    let role = house.post(&admin, "/api/v2/role", json!({"name": "r", "permissions": ["alerts_management"]})).await;
    let role = wrapped(role)["id"].as_str().unwrap().to_owned();
    let group = wrapped(house.post(&admin, "/api/v2/usergroup", json!({"name": "g", "roleIDs": []})).await);
    let group = group["id"].as_str().unwrap().to_owned();
    let everyone = json!({"query": [{"key": "name", "value": "Everyone", "matchingMethod": "EXACT"}]});
    let everyone = wrapped(house.post(&admin, "/api/v2/search/usergroup", everyone).await);
    let everyone = everyone["items"][0]["id"].as_str().unwrap().to_owned();
    for _ in 1..20 {
        wrapped(house.post(&admin, "/api/v2/apitoken/serviceaccount/sa::ci", json!({})).await);
    }
    let token = last_secret(&wrapped(house.get(&admin, "/api/v2/apitoken/serviceaccount/sa::ci").await));
    let nothing = "0190f3c4-0000-7000-8000-000000000000";
    let long = "x".repeat(300);
    let owned = own(house, "").await;
    let sa = "/api/v2/account/serviceaccount";
    let search = "/api/v2/search/token";
    let saved = "/api/v2/savedsearch";
    let cases: Vec<(&str, &str, String, Value)> = vec![
        ("the 21st token", "POST", "/api/v2/apitoken/serviceaccount/sa::ci".into(), json!({})),
        ("a name too long", "POST", "/api/v2/apitoken".into(), json!({"tokenName": long})),
        ("a name with a line end", "PUT", format!("/api/v2/apitoken/{owned}"), json!({"tokenName": "a\nb"})),
        ("of another account", "DELETE", format!("/api/v2/apitoken/{token}"), json!({})),
        ("a user as service account", "GET", "/api/v2/apitoken/serviceaccount/p@example.test".into(), Value::Null),
        ("a service account as user", "GET", "/api/v2/account/user/sa::ci".into(), Value::Null),
        ("without a token", "PUT", "/api/v2/apitoken/customertokens/revoke".into(), json!({})),
        ("the same account again", "POST", sa.into(), json!({"identifier": "SA::CI"})),
        ("without an identifier", "POST", sa.into(), json!({})),
        ("no identifier", "POST", sa.into(), json!({"identifier": "a b"})),
        ("tokens of one's own making", "POST", sa.into(), json!({"identifier": "x", "tokens": [nothing]})),
        ("an unknown permission", "POST", sa.into(), json!({"identifier": "x", "groups": ["nonsense"]})),
        ("another dialect's permission", "POST", sa.into(), json!({"identifier": "x", "groups": ["house:read"]})),
        ("API Tokens for a robot", "POST", sa.into(), json!({"identifier": "x", "groups": ["token_management"]})),
        ("an unknown role", "POST", sa.into(), json!({"identifier": "x", "roles": [nothing]})),
        ("an unknown group", "PUT", format!("{sa}/sa::ci"), json!({"userGroups": [nothing]})),
        ("no id of a role", "PUT", format!("{sa}/sa::ci"), json!({"roles": ["r"]})),
        ("oneself deactivated", "DELETE", "/api/v2/account/admin@example.test".into(), Value::Null),
        (
            "oneself among many",
            "POST",
            "/api/v2/account/deleteAccounts".into(),
            json!(["sa::ci", "admin@example.test"]),
        ),
        ("no e-mail address", "POST", "/api/v2/account/user".into(), json!({"emailAddress": "x"})),
        ("the same user again", "POST", "/api/v2/user".into(), json!({"emailAddress": "P@example.test"})),
        ("nobody invited", "POST", "/api/v2/account/user/invite".into(), json!([])),
        (
            "one of two known",
            "POST",
            "/api/v2/account/user/invite".into(),
            json!([{"emailAddress": "new@example.test"}, {"emailAddress": "p@example.test"}]),
        ),
        ("a credential set", "PUT", "/api/v2/account/user/p@example.test".into(), json!({"credential": "x"})),
        ("an SSO id set", "PUT", "/api/v2/user/p@example.test".into(), json!({"ssoId": "x"})),
        ("an unknown permission", "POST", "/api/v2/account/p@example.test/grant/nonsense".into(), json!({})),
        ("a permission of the house", "POST", "/api/v2/account/p@example.test/grant/house:orgs".into(), json!({})),
        ("to nobody", "POST", "/api/v2/account/grant/ingestion".into(), json!([])),
        ("to some unknown", "POST", "/api/v2/account/grant/ingestion".into(), json!(["sa::ci", "a@b", "c@d"])),
        ("a form without its field", "POST", "/api/v2/user/p@example.test/grant".into(), Value::Null),
        ("no list", "POST", "/api/v2/account/p@example.test/addRoles".into(), json!({})),
        ("an unknown role", "POST", "/api/v2/account/p@example.test/addRoles".into(), json!([nothing])),
        ("out of Everyone", "POST", "/api/v2/account/p@example.test/removeUserGroups".into(), json!([everyone])),
        ("into Everyone", "POST", format!("/api/v2/usergroup/{everyone}/addUsers"), json!(["sa::ci"])),
        ("Everyone deleted", "DELETE", format!("/api/v2/usergroup/{everyone}"), Value::Null),
        ("Everyone renamed", "PUT", format!("/api/v2/usergroup/{everyone}"), json!({"name": "All"})),
        ("the same group again", "POST", "/api/v2/usergroup".into(), json!({"name": "G"})),
        ("a group without a name", "POST", "/api/v2/usergroup".into(), json!({"roleIDs": []})),
        ("a group of unknown roles", "POST", "/api/v2/usergroup".into(), json!({"name": "h", "roleIDs": [nothing]})),
        ("unknown members", "POST", format!("/api/v2/usergroup/{group}/addUsers"), json!(["a@b"])),
        ("the same role again", "POST", "/api/v2/role".into(), json!({"name": "R", "permissions": []})),
        ("the name of a built-in role", "POST", "/api/v2/role".into(), json!({"name": "admin"})),
        (
            "a role of another dialect's",
            "POST",
            "/api/v2/role".into(),
            json!({"name": "s", "permissions": ["csp:org_owner"]}),
        ),
        ("a role of nonsense", "POST", "/api/v2/role".into(), json!({"name": "s", "permissions": ["nonsense"]})),
        ("to nobody", "POST", format!("/api/v2/role/{role}/addAssignees"), json!([])),
        ("to an unknown group", "POST", format!("/api/v2/role/{role}/addAssignees"), json!([nothing])),
        ("no roles", "POST", "/api/v2/role/grant/ingestion".into(), json!([])),
        ("unknown roles", "POST", "/api/v2/role/grant/ingestion".into(), json!([nothing])),
        ("nonsense", "POST", "/api/v2/role/grant/nonsense".into(), json!([role])),
        ("an unknown key", "POST", search.into(), json!({"query": [{"key": "nonsense", "value": "x"}]})),
        ("no value", "POST", search.into(), json!({"query": [{"key": "name"}]})),
        (
            "an unknown method",
            "POST",
            search.into(),
            json!({"query": [{"key": "name", "value": "x", "matchingMethod": "REGEX"}]}),
        ),
        ("a range of text", "POST", search.into(), json!({"query": [{"key": "name", "start": 1}]})),
        ("an unknown order", "POST", search.into(), json!({"sort": {"field": "nonsense", "ascending": true}})),
        ("no page", "POST", search.into(), json!({"limit": 0})),
        ("too large a page", "POST", search.into(), json!({"limit": 1001})),
        ("a negative offset", "POST", search.into(), json!({"offset": -1})),
        ("too large an offset", "POST", search.into(), json!({"offset": 4_000_000_000_u32})),
        ("no cursor", "POST", search.into(), json!({"cursor": "nonsense"})),
        ("too long a value", "POST", search.into(), json!({"query": [{"key": "name", "value": long}]})),
        (
            "too many conditions",
            "POST",
            search.into(),
            json!({"query": vec![json!({"key": "name", "value": "x"}); 21]}),
        ),
        ("an unknown facet", "POST", format!("{search}/nonsense"), json!({})),
        ("no facets", "POST", format!("{search}/facets"), json!({"facets": []})),
        ("an unknown facet of two", "POST", format!("{search}/facets"), json!({"facets": ["name", "nonsense"]})),
        ("no number", "GET", "/api/v2/account?limit=x".into(), Value::Null),
        ("no page", "GET", "/api/v2/role?limit=0".into(), Value::Null),
        ("an unknown sort of thing", "POST", saved.into(), json!({"entityType": "NONSENSE", "query": {}})),
        ("no sort of thing", "POST", saved.into(), json!({"query": {}})),
        ("no query", "POST", saved.into(), json!({"entityType": "TOKEN"})),
        ("too large", "POST", saved.into(), json!({"entityType": "TOKEN", "query": {"a": "x".repeat(70_000)}})),
    ];
    let before = house.revision().await;
    for (case, method, path, body) in cases {
        let sent = (!body.is_null()).then(|| body.to_string());
        let answer = told(house, &admin, method, &path, sent.as_deref()).await;
        let mut path = path;
        for (id, name) in
            [(&role, "ROLE"), (&group, "GROUP"), (&everyone, "EVERYONE"), (&owned, "TOKEN"), (&token, "TOKEN")]
        {
            path = path.replace(id.as_str(), name);
        }
        text.push_str(&format!("{case:<28} {method} {path}\n  {answer}\n"));
    }
    assert_eq!(house.revision().await, before, "none of them changed anything");
    // An Accounts holder gives what wavefront knows, and nothing to somebody who holds more than that.
    for (case, path) in [
        ("more than wavefront's", "/api/v2/account/sa::strong/grant/ingestion"),
        ("somebody of wavefront's alone", "/api/v2/account/p@example.test/grant/ingestion"),
    ] {
        text.push_str(&format!(
            "{case:<28} POST {path} (Accounts alone)\n  {}\n",
            told(house, &clerk, "POST", path, None).await
        ));
    }
    text
}

both! {
    async fn every_endpoint_refuses_in_the_same_words_on_both_databases(house) {
        insta::assert_snapshot!("errors_in_general", in_general(house).await);
    }

    async fn what_is_particular_to_an_endpoint_is_refused_in_these_words(house) {
        insta::assert_snapshot!("errors_in_particular", in_particular(house).await);
    }
}
