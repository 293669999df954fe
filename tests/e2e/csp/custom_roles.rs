//! Roles that an organization makes (csp.md 3.3).

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::{AM, OPERATIONS, OWN, access_token, api_token, person, refused, scopes};

fn all(house: &House) -> String {
    format!("/csp/gateway/iam-roles-mgmt/api/orgs/{}/custom-roles", house.org)
}

async fn make(house: &House, with: &str, name: &str, permissions: &[&str]) -> Answer {
    house.wait(1);
    house.post(with, &all(house), json!({"name": name, "description": "for tests", "permissions": permissions})).await
}

/// Gives somebody such a role, or takes it.
async fn change(house: &House, with: &str, who: &str, list: &str, name: &str) -> Answer {
    let path = format!("{AM}/users/{who}/orgs/{}/custom-roles", house.org);
    house.patch(with, &path, json!({list: [{"name": name}]})).await
}

both! {
    async fn they_are_made_listed_changed_and_deleted(house) {
        let (_, owner) = person(house, "own@example.test", &["org_owner"]).await;
        let made = make(house, &owner, "Pager", &["external/other/pager", "alerts_management"]).await.expect(200);
        let shown = json!({
            "name": "Pager", "displayName": "Pager", "description": "for tests",
            "permissions": ["alerts_management", "external/other/pager"], "createdBy": null, "lastModifiedBy": null,
        });
        assert_eq!(made.body, shown);
        let one = format!("{}/Pager", all(house));
        assert_eq!(house.get(&owner, &one).await.expect(200).body, shown);
        assert_eq!(house.get(&owner, &format!("{}/pager", all(house))).await.expect(200).body, shown);
        let changed = house.patch(&owner, &one, json!({"description": "others"})).await.expect(200);
        assert_eq!((changed.text("description"), changed["permissions"].as_array().unwrap().len()), ("others".to_owned(), 2));
        let changed = house.put(&owner, &one, json!({"name": "Night", "permissions": ["external/other/night"]})).await.expect(200);
        assert_eq!((changed.text("name"), changed.text("description"), &changed["permissions"]), ("Night".to_owned(), String::new(), &json!(["external/other/night"])));
        refused(&house.get(&owner, &one).await, 404, "no such role");
        make(house, &owner, "Second", &[]).await.expect(200);
        // Roles of other namespaces and those that come with the program are no such roles.
        house.post(&house.admin, "/v1/roles", json!({"name": "Native", "permissions": ["house:read"]})).await.expect(201);
        let page = house.get(&owner, &format!("{}?pageLimit=1", all(house))).await.expect(200);
        assert_eq!((page.number("totalResults"), page["results"][0]["name"].as_str()), (2, Some("Night")));
        assert_eq!((page.text("nextLink"), &page["prevLink"]), (format!("{}?pageStart=2&pageLimit=1", all(house)), &json!(null)));
        let page = house.get(&owner, &page.text("nextLink")).await.expect(200);
        assert_eq!((page["results"][0]["name"].as_str(), &page["nextLink"]), (Some("Second"), &json!(null)));
        for name in ["Native", "org_owner", "aoa:viewer", "nobody"] {
            let path = format!("{}/{name}", all(house));
            refused(&house.get(&owner, &path).await, 404, "no such role");
            refused(&house.patch(&owner, &path, json!({"description": "mine"})).await, 404, "no such role");
            refused(&house.delete(&owner, &path).await, 404, "no such role");
        }
        house.delete(&owner, &format!("{}/Night", all(house))).await.expect(200);
        assert_eq!(house.get(&owner, &all(house)).await.expect(200).number("totalResults"), 1);
    }

    async fn a_word_of_the_known_service_brings_what_it_stands_for(house) {
        let word = format!("external/{OPERATIONS}/aoa:alerts");
        let made = make(house, &house.admin, "Pager", &[&word]).await.expect(200);
        assert_eq!(made["permissions"], json!(["alerts_management", word]));
        // So whoever gives it must cover that.
        let (_, owner) = person(house, "own@example.test", &["org_owner"]).await;
        let (id, _) = person(house, "ada@example.test", &["org_member"]).await;
        refused(&change(house, &owner, &id, "rolesToAdd", "Pager").await, 403, "you can't give what you don't hold: alerts_management");
        change(house, &house.admin, &id, "rolesToAdd", "Pager").await.expect(200);
        let word = format!("external/{OPERATIONS}/aoa:events");
        let more = json!({"permissions": [word]});
        let one = format!("{}/Pager", all(house));
        refused(&house.patch(&owner, &one, more.clone()).await, 403, "you can't give what you don't hold: events_management");
        assert_eq!(house.patch(&house.admin, &one, more).await.expect(200)["permissions"], json!(["events_management", word]));
    }

    async fn they_are_given_with_an_end_and_taken(house) {
        let (_, owner) = person(house, "own@example.test", &["org_owner"]).await;
        let (id, session) = person(house, "ada@example.test", &["org_member"]).await;
        make(house, &owner, "Pager", &["external/other/pager"]).await.expect(200);
        let path = format!("{AM}/v3/users/{id}/orgs/{}/roles", house.org);
        let until = house.clock.now() + 60_000;
        let ask = json!({"customRoles": {"rolesToAdd": [{"name": "pager", "expiresAt": until}]}});
        let changed = house.patch(&owner, &path, ask).await.expect(200);
        assert_eq!((&changed["customRoles"][0]["name"], &changed["customRoles"][0]["expiresAt"]), (&json!("Pager"), &json!(until)));
        let own = format!("{AM}/loggedin/user/orgs/{}/custom-roles", house.org);
        assert_eq!(house.get(&session, &own).await.expect(200)["customRoles"].as_array().unwrap().len(), 1);
        house.wait(60);
        assert_eq!(house.get(&session, &own).await.expect(200)["customRoles"], json!([]));
        change(house, &owner, &id, "rolesToAdd", "Pager").await.expect(200);
        let changed = change(house, &owner, &id, "rolesToRemove", "Pager").await.expect(200);
        assert_eq!(changed["customRoles"], json!([]));
        // A role that is deleted is nobody's any more.
        change(house, &owner, &id, "rolesToAdd", "Pager").await.expect(200);
        house.delete(&owner, &format!("{}/Pager", all(house))).await.expect(200);
        assert_eq!(house.get(&session, &own).await.expect(200)["customRoles"], json!([]));
        // Native roles are not given here.
        house.post(&house.admin, "/v1/roles", json!({"name": "Native", "permissions": ["house:read"]})).await.expect(201);
        refused(&change(house, &house.admin, &id, "rolesToAdd", "Native").await, 400, "roles name one that does not exist: Native");
    }

    async fn only_who_manages_roles_makes_them_and_no_rank_hides_in_one(house) {
        let (_, admin) = person(house, "adm@example.test", &["org_admin"]).await;
        let needed = "the permission house:roles is required";
        refused(&make(house, &admin, "Pager", &[]).await, 403, needed);
        make(house, &house.admin, "Pager", &["external/other/pager"]).await.expect(200);
        let one = format!("{}/Pager", all(house));
        refused(&house.patch(&admin, &one, json!({"permissions": []})).await, 403, needed);
        refused(&house.delete(&admin, &one).await, 403, needed);
        let why = "permissions must be those of services: external/<service>/<role>, or what such roles stand for";
        for permission in ["csp:org_owner", "csp:developer", "house:read", "splunk:admin"] {
            refused(&make(house, &house.admin, "Crown", &[permission]).await, 400, why);
            refused(&house.put(&house.admin, &one, json!({"permissions": [permission]})).await, 400, why);
        }
        for (ask, status, why) in [
            (json!({"permissions": []}), 400, "name is missing"),
            (json!({"name": "", "permissions": []}), 400, "name must not be empty"),
            (json!({"name": "a/b"}), 400, "name must not contain a slash"),
            (json!({"name": "x", "permissions": ["nonsense"]}), 400, "permission must be a known permission or external/<service>/<role>"),
            (json!({"name": "org_owner"}), 409, "there is a role of that name already"),
            (json!({"name": "PAGER"}), 409, "there is a role of that name already"),
        ] {
            refused(&house.post(&house.admin, &all(house), ask).await, status, why);
        }
        let answer = house.post(&house.admin, &all(house), json!({"name": 1})).await;
        assert_eq!((answer.status, answer.number("moduleCode"), answer.number("statusCode")), (400, 540, 400));
        let (second, stranger) = house.neighbour("second").await;
        refused(&house.get(&stranger, &one).await, 404, "no such organization");
        refused(&house.get(&stranger, &one.replace(&house.org, &second)).await, 404, "no such role");
        let (_, nobody) = person(house, "eve@example.test", &["developer"]).await;
        refused(&house.get(&nobody, &all(house)).await, 403, "the permission house:read is required");
    }

    async fn an_api_token_has_one_only_with_a_role_of_its_service(house) {
        let (id, session) = person(house, "ada@example.test", &["org_member", "aoa:viewer"]).await;
        house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/external%2Fother%2Fviewer"), json!({})).await.expect(200);
        make(house, &house.admin, "Pager", &["alerts_management", "external/other/pager"]).await.expect(200);
        change(house, &house.admin, &id, "rolesToAdd", "Pager").await.expect(200);
        let ask = |service: Value| {
            let mut ask = scopes(&["org_member"], &[]);
            ask["customRoles"] = json!([{"name": "Pager"}]);
            ask["servicesScopes"] = service;
            json!({"allowedScopes": ask})
        };
        let viewer = json!({"serviceDefinitionId": OPERATIONS, "roles": [{"name": "aoa:viewer"}]});
        let why = |service: &str| format!("allowedScopes.servicesScopes must name a role of {service} too, a viewer's perhaps: Pager is for that service");
        refused(&house.post(&session, OWN, ask(json!([]))).await, 400, &why(OPERATIONS));
        refused(&house.post(&session, OWN, ask(json!([viewer]))).await, 400, &why("other"));
        let none = json!({"serviceDefinitionId": "third", "allRoles": true});
        refused(&house.post(&session, OWN, ask(json!([viewer, none]))).await, 400, &why("other"));
        let every = json!({"serviceDefinitionId": "other", "allRoles": true});
        let (_, value) = api_token(house, &session, ask(json!([viewer, every]))).await;
        let jwt = access_token(house, &value).await;
        let verified = house.post(&house.admin, "/v1/verify", json!({"token": jwt, "permission": "alerts_management"})).await;
        assert_eq!(verified["active"], json!(true), "{}", verified.raw);
        change(house, &house.admin, &id, "rolesToRemove", "Pager").await.expect(200);
        let verified = house.post(&house.admin, "/v1/verify", json!({"token": jwt, "permission": "alerts_management"})).await;
        assert_eq!(verified.text("reason"), "permission_missing");
    }
}
