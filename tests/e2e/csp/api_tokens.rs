//! One's own api tokens (csp.md 1.3, 4).

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

use super::{AM, INVALID, OPERATIONS, OWN, access_token, api_token, exchange, person, refused, scopes};

const ROLES: &[&str] = &["org_admin", "org_member", "aoa:viewer", "aoa:directDataIngestion"];

async fn details(house: &House, value: &str) -> tokenhouse_e2e::Answer {
    house.post("", &format!("{AM}/auth/api-tokens/details"), json!({"tokenValue": value})).await
}

both! {
    async fn a_token_is_made_of_the_roles_that_one_names_and_shown_once(house) {
        let (id, session) = person(house, "ada@example.test", ROLES).await;
        let ask = json!({
            "allowedScopes": scopes(&["org_member"], &["aoa:directDataIngestion"]),
            "tokenName": "büild & deploy's",
            "refreshTokenTTL": 86_400,
            "notifyBeforeExpiry": 7,
            "idToken": "whatever",
        });
        let answer = house.post(&session, OWN, ask).await.expect(200);
        let value = answer.text("apiToken");
        assert_eq!(answer.body.as_object().unwrap().len(), 1);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(value.len() == 64 && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
        let listed = house.get(&session, OWN).await.expect(200);
        assert!(!listed.raw.contains(&value));
        let token = &listed["results"][0];
        assert_eq!(token["tokenName"], "büild & deploy's");
        assert_eq!(token["notifyBeforeExpiry"], 7);
        assert_eq!(token["expiresAt"].as_i64().unwrap() - token["createdAt"].as_i64().unwrap(), 86_400_000);
        assert_eq!(token["allowedScopes"]["organizationScopes"]["roles"], json!([{"name": "org_member"}]));
        let service = &token["allowedScopes"]["servicesScopes"][0];
        assert_eq!(service["serviceDefinitionId"], OPERATIONS);
        assert_eq!(service["roles"], json!([{"name": "aoa:directDataIngestion"}]));
        let ingestion = format!("external/{OPERATIONS}/aoa:directDataIngestion");
        assert_eq!(token["scope"], json!(["ingestion", "csp:org_member", ingestion]));
        assert_eq!(token["userId"], json!(id));
        // Whoever has it can ask what it is.
        let told = details(house, &value).await.expect(200);
        assert_eq!(told["token"], json!(value));
        assert_eq!((&told["tokenId"], &told["orgId"]), (&token["tokenId"], &json!(house.org)));
        assert_eq!((told["deactivated"].as_bool(), told["acct"].as_str()), (Some(false), Some("ada@example.test")));
        for other in ["", "x", &session, "0123456789012345678901234567890123456789012345678901234567890123"] {
            let status = if other.is_empty() { 400 } else { 404 };
            assert_eq!(details(house, other).await.status, status);
        }
    }

    async fn half_a_year_is_what_it_lives_and_its_bounds_are_told(house) {
        let (_, session) = person(house, "ada@example.test", ROLES).await;
        let allowed = scopes(&["org_member"], &[]);
        api_token(house, &session, json!({"allowedScopes": allowed})).await;
        api_token(house, &session, json!({"allowedScopes": allowed, "refreshTokenTTL": -1})).await;
        let listed = house.get(&session, OWN).await.expect(200);
        let (half, never) = (&listed["results"][0], &listed["results"][1]);
        assert_eq!(half["expiresAt"].as_i64().unwrap() - half["createdAt"].as_i64().unwrap(), 183 * 86_400_000);
        assert_eq!(never["expiresAt"], -1);
        let cases = [
            (json!({"refreshTokenTTL": 1799}), "refreshTokenTTL must be at least 1800 seconds"),
            (json!({"notifyBeforeExpiry": 366}), "notifyBeforeExpiry must be 0 to 365 days"),
            (json!({"tokenName": "<b>"}), "tokenName must consist of letters, digits, spaces and -_.`':@&,"),
            (json!({"tokenName": "x".repeat(65)}), "tokenName must have at most 64 characters"),
            (json!({"orgId": "00000000-0000-7000-8000-000000000000"}), "orgId is another organization than that of your credential"),
        ];
        for (more, message) in cases {
            let mut ask = json!({"allowedScopes": allowed});
            ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            refused(&house.post(&session, OWN, ask).await, 400, message);
        }
        refused(&house.post(&session, OWN, json!({})).await, 400, "allowedScopes is missing");
    }

    async fn a_role_that_one_does_not_hold_is_named_and_one_of_the_organization_is_needed(house) {
        let (_, session) = person(house, "ada@example.test", ROLES).await;
        let ask = async |allowed: Value| house.post(&session, OWN, json!({"allowedScopes": allowed})).await;
        let not_held = |name: &str| format!("allowedScopes name a role that you do not hold: {name}");
        refused(&ask(scopes(&["org_owner"], &[])).await, 400, &not_held("org_owner"));
        refused(&ask(scopes(&["administrator"], &[])).await, 400, &not_held("administrator"));
        refused(&ask(scopes(&["org_member"], &["aoa:superAdmin"])).await, 400, &not_held("aoa:superAdmin"));
        refused(&ask(scopes(&["org_member"], &["aoa:nothing"])).await, 400, &not_held("aoa:nothing"));
        let missing = "allowedScopes.organizationScopes.roles must name at least one organization role that you hold, org_member perhaps";
        refused(&ask(scopes(&[], &["aoa:viewer"])).await, 400, missing);
        refused(&ask(json!({})).await, 400, missing);
        let everything = "allRoles is not allowed here: name the roles, or all of one service";
        refused(&ask(json!({"allRoles": true})).await, 400, everything);
        // All that one holds of one kind.
        let all = json!({"organizationScopes": {"allRoles": true}, "servicesScopes": [
            {"serviceDefinitionId": format!("/csp/gateway/slc/api/definitions/external/{OPERATIONS}"), "allRoles": true}]});
        ask(all).await.expect(200);
        let listed = house.get(&session, OWN).await.expect(200);
        let (viewer, ingestion) = (format!("external/{OPERATIONS}/aoa:viewer"), format!("external/{OPERATIONS}/aoa:directDataIngestion"));
        assert_eq!(listed["results"][0]["scope"], json!(["ingestion", "csp:org_admin", "csp:org_member", ingestion, viewer]));
        // A custom role.
        let role = json!({"name": "Pager", "permissions": ["alerts_management"]});
        house.post(&house.admin, "/v1/roles", role).await.expect(201);
        let mut custom = scopes(&["org_member"], &["aoa:viewer"]);
        custom["customRoles"] = json!([{"name": "Pager"}]);
        refused(&ask(custom.clone()).await, 400, &not_held("Pager"));
        let me = house.get(&session, &format!("{AM}/loggedin/user")).await.expect(200).text("userId");
        house.put(&house.admin, &format!("/v1/accounts/{me}/roles/Pager"), json!({})).await.expect(200);
        ask(custom).await.expect(200);
    }

    async fn only_people_have_them_and_only_for_themselves(house) {
        let (_, session) = person(house, "ada@example.test", ROLES).await;
        let (id, value) = api_token(house, &session, json!({"allowedScopes": scopes(&["org_member"], &[])})).await;
        let ask = json!({"allowedScopes": scopes(&["org_member"], &[])});
        let (_, robot) = house.service("robot", &["org_member"]).await;
        let answer = house.post(&robot, OWN, ask.clone()).await;
        refused(&answer, 403, "a service account has no api tokens: they are for people");
        // Not even an owner takes another's value.
        for method in ["regenerate"] {
            assert_eq!(house.post(&house.admin, &format!("{OWN}/{id}/{method}"), json!({})).await.status, 404);
        }
        let (_, stranger) = person(house, "eve@example.test", &["org_member"]).await;
        for path in [format!("{OWN}/{id}"), format!("{OWN}/{id}/regenerate")] {
            assert!(matches!(house.get(&stranger, &path).await.status, 404 | 405));
        }
        assert_eq!(house.delete(&stranger, &format!("{OWN}/{id}")).await.status, 404);
        assert_eq!(house.post(&session, &format!("/v1/tokens/{id}/rotate"), json!({})).await.status, 409);
        exchange(house, &value).await.expect(200);
    }

    async fn fifty_are_the_most_and_the_fifty_first_is_a_bad_request(house) {
        let (_, session) = person(house, "ada@example.test", ROLES).await;
        let ask = json!({"allowedScopes": scopes(&["org_member"], &[]), "refreshTokenTTL": 3600});
        for _ in 0..50 {
            house.post(&session, OWN, ask.clone()).await.expect(200);
        }
        refused(&house.post(&session, OWN, ask.clone()).await, 400, "the limit of 50 api tokens per account is reached");
        house.wait(3600);
        // Expired ones don't count, and one of them comes to life again only where there is room.
        let old = house.get(&session, OWN).await.expect(200)["results"][0]["tokenId"].as_str().unwrap().to_owned();
        for _ in 0..50 {
            house.post(&session, OWN, ask.clone()).await.expect(200);
        }
        let answer = house.post(&session, &format!("{OWN}/{old}/regenerate"), json!({})).await;
        refused(&answer, 400, "the limit of 50 api tokens per account is reached");
    }

    async fn regenerating_kills_the_old_value_and_what_came_from_it_and_begins_a_new_life(house) {
        let (_, session) = person(house, "ada@example.test", ROLES).await;
        let ask = json!({"allowedScopes": scopes(&["org_member"], &[]), "refreshTokenTTL": 3600});
        let (id, value) = api_token(house, &session, ask).await;
        let jwt = access_token(house, &value).await;
        assert_eq!(house.verdict(&jwt).await, "good");
        house.wait(10);
        let newer = house.post(&session, &format!("{OWN}/{id}/regenerate"), json!({})).await.expect(200);
        assert!(!newer.header("x-tokenhouse-receipt").is_empty());
        let newer = newer.text("apiToken");
        assert_ne!(newer, value);
        assert_eq!(house.verdict(&jwt).await, "rotated");
        refused(&exchange(house, &value).await, 400, INVALID);
        house.wait(3595);
        assert_eq!(exchange(house, &newer).await.status, 400, "five seconds before its end");
        house.wait(100);
        assert_eq!(details(house, &newer).await.status, 404);
        assert_eq!(house.get(&session, &format!("{OWN}/{id}")).await.expect(200)["expired"], true);
        // An expired one is prolonged so.
        let third = house.post(&session, &format!("{OWN}/{id}/regenerate"), json!({})).await.expect(200).text("apiToken");
        assert_eq!(exchange(house, &third).await.expect(200).number("expires_in"), 1800);
        let token = house.get(&session, &format!("{OWN}/{id}")).await.expect(200);
        assert_eq!(token.number("expiresAt") - house.clock.now(), 3_600_000);
    }

    async fn an_access_token_regenerates_and_makes_nothing_that_is_more_than_itself(house) {
        let (_, session) = person(house, "ada@example.test", ROLES).await;
        let ask = json!({"allowedScopes": scopes(&["org_admin", "org_member"], &[])});
        let (id, value) = api_token(house, &session, ask).await;
        let narrow = {
            let request = house.request("POST", &format!("{AM}/auth/api-tokens/authorize"));
            house.send(request.form(&[("api_token", value.as_str()), ("scope", "csp:org_member")])).await
        };
        let narrow = narrow.expect(200).text("access_token");
        let answer = house.post(&narrow, OWN, json!({"allowedScopes": scopes(&["org_admin"], &[])})).await;
        refused(&answer, 400, "allowedScopes name a role that you do not hold: org_admin");
        let answer = house.post(&narrow, &format!("{OWN}/{id}/regenerate"), json!({})).await;
        refused(&answer, 403, "you can't give what you don't hold: csp:org_admin");
        let whole = access_token(house, &value).await;
        house.post(&whole, OWN, json!({"allowedScopes": scopes(&["org_admin"], &[])})).await.expect(200);
        // It ends itself by that.
        house.post(&whole, &format!("{OWN}/{id}/regenerate"), json!({})).await.expect(200);
        assert_eq!(house.get(&whole, OWN).await.status, 401);
    }
}
