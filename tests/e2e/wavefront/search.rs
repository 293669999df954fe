//! `/api/v2/search/...` in the dialect's words. What is found among many is tested where the searching is.

use serde_json::{Value, json};
use tokenhouse_e2e::{ADMIN, House, both};

use super::{last_secret, own, wrapped};

async fn found(house: &House, what: &str, body: Value) -> Value {
    wrapped(house.post(&house.admin, &format!("/api/v2/search/{what}"), body).await)
}

fn list(page: &Value, member: &str) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap_or_default().to_owned()).collect()
}

/// Three robots with a token each, named after them; of them `idle` is switched off.
async fn robots(house: &House) -> Vec<String> {
    let mut secrets = Vec::new();
    for name in ["build", "deploy", "idle"] {
        house.wait(60);
        let body = json!({"identifier": name, "description": format!("the {name} robot")});
        wrapped(house.post(&house.admin, "/api/v2/account/serviceaccount", body).await);
        let path = format!("/api/v2/apitoken/serviceaccount/sa::{name}");
        secrets.push(last_secret(&wrapped(
            house.post(&house.admin, &path, json!({"tokenName": format!("{name} main")})).await,
        )));
    }
    wrapped(house.post(&house.admin, "/api/v2/account/serviceaccount/sa::idle/deactivate", Value::Null).await);
    secrets
}

both! {
    async fn a_search_without_anything_finds_all_newest_first(house) {
        robots(house).await;
        for body in [json!({}), Value::Null, json!({"query": null, "limit": 100, "offset": 0}), json!({"query": [], "timeRange": {"a": 1}})] {
            let page = found(house, "token", body).await;
            assert_eq!(list(&page, "name"), ["idle main", "deploy main", "build main", "first token"]);
            assert_eq!((&page["offset"], &page["limit"], &page["totalItems"], &page["moreItems"]), (&json!(0), &json!(100), &json!(4), &json!(false)));
            assert_eq!(page["sort"], json!({"ascending": false, "field": "default", "default": true}));
            assert_eq!(page.get("cursor"), None);
        }
        let first = found(house, "token", json!({"limit": 1})).await;
        let types: Vec<String> = list(&found(house, "token", json!({})).await, "accountType");
        assert_eq!(types, ["INACTIVE_SERVICE_ACCOUNT", "SERVICE_ACCOUNT", "SERVICE_ACCOUNT", "USER_ACCOUNT"]);
        let mut members: Vec<&str> = first["items"][0].as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["account", "accountType", "createdEpochMillis", "customer", "dateGenerated", "id", "name"]);
    }

    async fn conditions_of_every_key_and_method_find_what_they_should(house) {
        let secrets = robots(house).await;
        let id = found(house, "token", json!({"query": [{"key": "name", "value": "build main", "matchingMethod": "EXACT"}]})).await;
        let id = id["items"][0]["id"].clone();
        for (query, names) in [
            (json!([{"key": "name", "value": "MAIN"}]), vec!["idle main", "deploy main", "build main"]),
            (json!([{"key": "tokenName", "value": "build", "matchingMethod": "STARTSWITH"}]), vec!["build main"]),
            (json!([{"key": "name", "value": "build", "matchingMethod": "EXACT"}]), vec![]),
            (json!([{"key": "name", "values": ["build", "idle"]}]), vec!["idle main", "build main"]),
            (json!([{"key": "name", "value": "ignored", "values": ["build"]}]), vec!["build main"]),
            (json!([{"key": "name", "value": "main"}, {"key": "account", "value": "sa::d"}]), vec!["deploy main"]),
            (json!([{"key": "name", "value": "main", "negated": true}]), vec!["first token"]),
            (json!([{"key": "account", "value": "SA::DEPLOY", "matchingMethod": "EXACT"}]), vec!["deploy main"]),
            (json!([{"key": "accountType", "value": "SERVICE_ACCOUNT", "matchingMethod": "EXACT"}]), vec!["deploy main", "build main"]),
            (json!([{"key": "accountType", "value": "SERVICE_ACCOUNT"}]), vec!["idle main", "deploy main", "build main"]),
            (json!([{"key": "accountType", "value": "USER"}]), vec!["first token"]),
            (json!([{"key": "accountType", "value": "nonsense"}]), vec![]),
            (json!([{"key": "accountType", "value": "nonsense", "negated": true}, {"key": "name", "value": "first"}]), vec!["first token"]),
            (json!([{"key": "id", "value": id, "matchingMethod": "EXACT"}]), vec!["build main"]),
            (json!([{"key": "tokenID", "value": secrets[1], "matchingMethod": "EXACT"}]), vec!["deploy main"]),
            (json!([{"key": "freetext", "value": "robot"}]), vec![]),
            (json!([{"key": "freetext", "value": "deploy"}]), vec!["deploy main"]),
            (json!([{"key": "freetext", "value": ADMIN}]), vec!["first token"]),
            (json!([{"key": "customer", "value": "fir"}, {"key": "name", "value": "idle"}]), vec!["idle main"]),
            (json!([{"key": "customer", "value": "other"}]), vec![]),
            (json!([{"key": "tags", "value": "x"}]), vec![]),
            (json!([{"key": "tagpath", "value": "x", "matchingMethod": "TAGPATH", "negated": true}, {"key": "name", "value": "idle"}]), vec!["idle main"]),
            (json!([{"key": "createdEpochMillis", "start": house.clock.now(), "end": house.clock.now()}]), vec!["idle main"]),
            (json!([{"key": "dateGenerated", "end": house.clock.now() - 100_000}]), vec!["build main", "first token"]),
            (json!([{"key": "createdEpochMillis", "value": house.clock.now().to_string(), "matchingMethod": "EXACT"}]), vec!["idle main"]),
        ] {
            let page = found(house, "token", json!({"query": query})).await;
            assert_eq!(list(&page, "name"), names, "{query}");
        }
    }

    async fn every_field_sorts_both_ways_and_pages_end(house) {
        robots(house).await;
        for field in ["id", "name", "account", "accountType", "createdEpochMillis", "dateGenerated", "lastUsed"] {
            let all = |ascending| json!({"sort": {"field": field, "ascending": ascending, "default": false}});
            let page = found(house, "token", all(true)).await;
            assert_eq!(page["sort"], all(true)["sort"]);
            let up = list(&page, "id");
            let mut down = list(&found(house, "token", all(false)).await, "id");
            down.reverse();
            assert_eq!(up, down, "{field}");
            let (mut by_offset, mut by_cursor) = (Vec::new(), Vec::new());
            let (mut offset, mut cursor) = (0, Value::Null);
            loop {
                let body = json!({"sort": {"field": field, "ascending": true}, "limit": 3, "offset": offset});
                let page = found(house, "token", body).await;
                by_offset.extend(list(&page, "id"));
                offset += 3;
                if page["moreItems"] == false {
                    break;
                }
            }
            loop {
                let body = json!({"sort": {"field": field, "ascending": true}, "limit": 3, "cursor": cursor});
                let page = found(house, "token", body).await;
                by_cursor.extend(list(&page, "id"));
                if page["moreItems"] == false {
                    break;
                }
                cursor = page["cursor"].clone();
            }
            assert_eq!((&by_offset, &by_cursor), (&up, &up), "{field}");
        }
    }

    async fn accounts_users_groups_and_roles_are_found_as_terraform_looks_for_them(house) {
        robots(house).await;
        house.person("p@example.test", &[]).await;
        let exact = |key: &str, value: &str| json!({"query": [{"key": key, "value": value, "matchingMethod": "EXACT"}], "limit": 100, "offset": 0});
        let users = found(house, "user", exact("id", "P@example.test")).await;
        assert_eq!((list(&users, "identifier"), &users["items"][0]["self"]), (vec!["p@example.test".to_owned()], &json!(false)));
        assert_eq!(users["items"][0]["escapedIdentifier"], "p%40example.test");
        assert_eq!(found(house, "user", exact("id", ADMIN)).await["items"][0]["self"], true);
        assert_eq!(list(&found(house, "user", exact("id", "sa::idle")).await, "identifier"), Vec::<String>::new());
        let everyone = found(house, "usergroup", exact("name", "Everyone")).await;
        assert_eq!((list(&everyone, "name"), &everyone["items"][0]["userCount"]), (vec!["Everyone".to_owned()], &json!(2)));
        let role = json!({"name": "ops", "permissions": ["ingestion"]});
        let role = wrapped(house.post(&house.admin, "/api/v2/role", role).await);
        wrapped(house.post(&house.admin, &format!("/api/v2/role/{}/addAssignees", role["id"].as_str().unwrap()), json!(["sa::build"])).await);
        for query in [exact("id", role["id"].as_str().unwrap()), exact("name", "ops"), exact("permissions", "ingestion")] {
            let roles = found(house, "role", query).await;
            assert_eq!((list(&roles, "name"), &roles["items"][0]["linkedAccountsCount"]), (vec!["ops".to_owned()], &json!(1)));
        }
        let services = found(house, "serviceaccount", json!({"query": [{"key": "active", "value": "true"}], "sort": {"field": "identifier", "ascending": true}})).await;
        assert_eq!(list(&services, "identifier"), ["sa::build", "sa::deploy"]);
        assert_eq!(services["items"][0]["tokens"].as_array().unwrap().len(), 1);
        let held = found(house, "serviceaccount", exact("unitedPermissions", "ingestion")).await;
        assert_eq!(list(&held, "identifier"), ["sa::build"]);
        let text = found(house, "account", json!({"query": [{"key": "freetext", "value": "the deploy"}]})).await;
        assert_eq!(list(&text, "identifier"), ["sa::deploy"]);
        let page = wrapped(house.get(&house.admin, "/api/v2/account?offset=1&limit=2").await);
        assert_eq!((list(&page, "identifier"), &page["moreItems"], &page["totalItems"]), (vec!["sa::build".to_owned(), "sa::deploy".to_owned()], &json!(true), &json!(5)));
    }

    async fn facets_tell_the_values_that_there_are(house) {
        robots(house).await;
        let asked = json!({"facets": ["accountType", "account"], "query": [{"key": "name", "value": "main"}], "limit": 2});
        let told = found(house, "token/facets", asked).await;
        assert_eq!(told, json!({"facets": {"accountType": ["INACTIVE_SERVICE_ACCOUNT", "SERVICE_ACCOUNT"], "account": ["sa::build", "sa::deploy"]}, "limit": 2}));
        let one = found(house, "token/account", json!({"facetQuery": "DEP", "facetQueryMatchingMethod": "CONTAINS"})).await;
        assert_eq!((&one["items"], &one["moreItems"]), (&json!(["sa::deploy"]), &json!(false)));
        let page = found(house, "token/name", json!({"limit": 2, "offset": 2})).await;
        assert_eq!(page["items"], json!(["first token", "idle main"]));
        assert_eq!(found(house, "serviceaccount/active", json!({})).await["items"], json!(["true", "false"]));
        assert_eq!(found(house, "user/identifier", json!({})).await["items"], json!([ADMIN]));
        assert_eq!(found(house, "usergroup/name", json!({})).await["items"], json!(["Everyone", "Service Accounts"]));
        assert_eq!(found(house, "role/name", json!({})).await["items"], json!([]));
        let none = found(house, "token/facets", json!({"facets": ["name"], "query": [{"key": "customer", "value": "x"}]})).await;
        assert_eq!(none["facets"], json!({"name": []}));
    }

    async fn a_search_says_nothing_of_secrets(house) {
        let secret = own(house, "x").await;
        let answer = house.post(&house.admin, "/api/v2/search/token", json!({"query": [{"key": "id", "value": secret, "matchingMethod": "EXACT"}]})).await;
        assert_eq!(wrapped(answer.clone())["items"].as_array().unwrap().len(), 1);
        assert!(!answer.raw.contains(&secret));
    }
}
