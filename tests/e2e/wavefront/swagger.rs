//! `/api/v2/swagger.json`: what it says is what is served.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

use super::errors::endpoints;
use super::wrapped;

/// Whether a value is what a schema says: no member that it does not know, and each of its type.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/definitions/").unwrap();
        let definition = &document["definitions"][name];
        assert!(definition.is_object(), "{at}: {name} is not defined");
        return fits(document, definition, value, at);
    }
    match schema["type"].as_str().unwrap() {
        "array" => {
            let items = value.as_array().unwrap_or_else(|| panic!("{at}: no list"));
            items.iter().for_each(|item| fits(document, &schema["items"], item, &format!("{at}[]")));
        }
        "object" => {
            let members = value.as_object().unwrap_or_else(|| panic!("{at}: no object"));
            let Some(properties) = schema["properties"].as_object() else { return };
            for (name, value) in members {
                let schema = properties.get(name).unwrap_or_else(|| panic!("{at}: {name} is not in the schema"));
                if !value.is_null() {
                    fits(document, schema, value, &format!("{at}.{name}"));
                }
            }
        }
        "integer" => assert!(value.is_i64(), "{at}: {value}"),
        "boolean" => assert!(value.is_boolean(), "{at}: {value}"),
        _ => assert!(value.is_string(), "{at}: {value}"),
    }
}

async fn answered(house: &House, method: &str, path: &str, body: Value) -> Value {
    let request = house.request(method, path).bearer_auth(&house.admin);
    house.send(if body.is_null() { request } else { request.json(&body) }).await.expect(200).body
}

both! {
    async fn it_is_there_without_a_credential_and_every_type_that_it_names_is_defined(house) {
        let document = house.get("", "/api/v2/swagger.json").await.expect(200).body;
        assert_eq!((&document["swagger"], &document["basePath"]), (&json!("2.0"), &json!("/")));
        let text = document.to_string();
        let named = text.split("#/definitions/").skip(1).map(|rest| rest.split('"').next().unwrap());
        let missing: Vec<&str> = named.filter(|name| document["definitions"].get(*name).is_none()).collect();
        assert_eq!(missing, Vec::<&str>::new());
        let mut ids: Vec<&Value> = document["paths"].as_object().unwrap().values()
            .flat_map(|methods| methods.as_object().unwrap().values().map(|operation| &operation["operationId"])).collect();
        let all = ids.len();
        assert_eq!(all, endpoints(house).await.len());
        ids.sort_by_key(|id| id.to_string());
        ids.dedup();
        assert_eq!(ids.len(), all, "each has a name of its own");
    }

    async fn what_is_answered_fits_what_it_says(house) {
        let document = house.get("", "/api/v2/swagger.json").await.expect(200).body;
        let admin = &house.admin;
        let role = wrapped(house.post(admin, "/api/v2/role", json!({"name": "r", "description": "d", "permissions": ["ingestion"]})).await);
        let group = json!({"name": "g", "description": "d", "roleIDs": [role["id"]]});
        let group = wrapped(house.post(admin, "/api/v2/usergroup", group).await);
        let service = json!({"identifier": "sa::ci", "description": "d", "groups": ["ingestion"], "roles": [role["id"]], "userGroups": [group["id"]]});
        wrapped(house.post(admin, "/api/v2/account/serviceaccount", service).await);
        wrapped(house.post(admin, "/api/v2/apitoken/serviceaccount/sa::ci", json!({"tokenName": "n"})).await);
        house.flush().await;
        let saved = json!({"entityType": "TOKEN", "query": {"a": "{}"}});
        wrapped(house.post(admin, "/api/v2/savedsearch", saved).await);
        let token = wrapped(house.get(admin, "/api/v2/apitoken").await)[0]["tokenID"].clone();
        let facets = json!({"facets": ["name"]});
        let mut seen = 0;
        for (method, template, _) in endpoints(house).await {
            let reads = method == "GET" || template.contains("/search/") || template.contains("/validate");
            if !reads {
                continue;
            }
            let id = match template.as_str() {
                path if path.contains("/serviceaccount/{id}") => "sa::ci",
                path if path.contains("/role/") => role["id"].as_str().unwrap(),
                path if path.contains("/usergroup/") => group["id"].as_str().unwrap(),
                path if path.contains("/savedsearch/") => continue,
                _ => "admin@example.test",
            };
            let path = template.replace("{id}", id).replace("{token}", token.as_str().unwrap());
            let facet = if path.contains("account/") || path.contains("/user/") { "identifier" } else { "name" };
            let path = path.replace("{facet}", facet);
            let body = match path.as_str() {
                path if path.ends_with("/facets") => {
                    let mut facets = facets.clone();
                    facets["facets"] = json!([facet]);
                    facets
                }
                path if path.contains("/validate") => json!(["sa::ci", "x"]),
                _ if method == "POST" => json!({}),
                _ => Value::Null,
            };
            let answer = answered(house, &method, &path, body).await;
            let schema = &document["paths"][&template][method.to_lowercase()]["responses"]["200"]["schema"];
            // The union body has the envelope's members beside its own.
            let answer = match schema["$ref"].as_str() {
                Some("#/definitions/UserModel") => answer["response"].clone(),
                _ => answer,
            };
            fits(&document, schema, &answer, &template);
            seen += 1;
        }
        assert!(seen > 35, "{seen}");
    }
}
