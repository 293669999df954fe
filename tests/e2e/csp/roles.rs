//! Giving members roles and taking them (csp.md 6).

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

use super::{AM, OPERATIONS, access_token, api_token, person, refused, scopes};

fn at(house: &House, who: &str, what: &str) -> String {
    format!("{AM}/users/{who}/orgs/{}/{what}", house.org)
}

/// Names as requests have them.
fn named(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

async fn give(house: &House, with: &str, who: &str, names: &[&str]) -> Answer {
    house.patch(with, &at(house, who, "roles"), json!({"rolesToAdd": named(names)})).await
}

async fn take(house: &House, with: &str, who: &str, names: &[&str]) -> Answer {
    house.patch(with, &at(house, who, "roles"), json!({"rolesToRemove": named(names)})).await
}

/// The names of somebody's roles of the organization.
async fn roles(house: &House, who: &str) -> Vec<String> {
    let roles = house.get(&house.admin, &at(house, who, "roles")).await.expect(200);
    roles.body.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap().to_owned()).collect()
}

fn not_covered(name: &str) -> String {
    format!("you can't give what you don't hold: {name}")
}

fn above(name: &str) -> String {
    format!("you can't take what you could not give: {name}")
}

both! {
    async fn an_owner_changes_the_roles_of_a_member_all_of_them_or_none(house) {
        let (_, owner) = person(house, "own@example.test", &["org_owner"]).await;
        let (id, _) = person(house, "ada@example.test", &["org_member"]).await;
        let ask = json!({"rolesToAdd": named(&["org_admin", "csp:developer"]), "rolesToRemove": named(&["org_member"])});
        let changed = house.patch(&owner, &at(house, &id, "roles"), ask.clone()).await.expect(200);
        assert!(!changed.header("x-tokenhouse-receipt").is_empty());
        let told: Vec<_> = changed["organizationRoles"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
        assert_eq!((told, &changed["user"]["userId"]), (vec![json!("org_admin"), json!("developer")], &json!(id)));
        assert_eq!(roles(house, "ada@example.test").await, ["org_admin", "developer"]);
        // Once more changes nothing and is no event.
        let before = house.revision().await;
        house.patch(&owner, &at(house, "ada@example.test", "roles"), ask).await.expect(200);
        assert_eq!(house.revision().await, before);
        // One that is not there, and nothing of the rest is done.
        let missing = "roles name one that does not exist: org_emperor";
        refused(&give(house, &owner, &id, &["org_member", "org_emperor"]).await, 400, missing);
        // Roles of other namespaces are not there.
        for other in ["administrator", "admin", "aoa:viewer", "house:roles"] {
            refused(&give(house, &owner, &id, &[other]).await, 400, &format!("roles name one that does not exist: {other}"));
            refused(&take(house, &owner, &id, &[other]).await, 400, &format!("roles name one that does not exist: {other}"));
        }
        assert_eq!(house.revision().await, before);
        // The path of another client.
        let path = format!("{AM}/orgs/{}/users/{id}/roles", house.org);
        house.patch(&owner, &path, json!({"rolesToRemove": named(&["developer"])})).await.expect(200);
        assert_eq!(roles(house, &id).await, ["org_admin"]);
    }

    async fn nobody_gives_or_takes_a_rank_above_his_own(house) {
        let (own, _) = person(house, "own@example.test", &["org_owner", "org_admin"]).await;
        let (chief, admin) = person(house, "adm@example.test", &["org_admin"]).await;
        let (id, member) = person(house, "ada@example.test", &["org_member", "developer"]).await;
        let before = house.revision().await;
        for who in [&id, &chief] {
            refused(&give(house, &admin, who, &["org_member", "org_owner"]).await, 403, &not_covered("csp:org_owner"));
            refused(&give(house, &admin, who, &["developer"]).await, 403, &not_covered("csp:developer"));
        }
        refused(&take(house, &admin, &own, &["org_admin", "org_owner"]).await, 403, &above("csp:org_owner"));
        refused(&take(house, &admin, &id, &["developer"]).await, 403, &above("csp:developer"));
        // Not by the native paths either, with what does not manage roles there.
        let path = format!("/v1/accounts/{own}/roles/org_owner");
        assert_eq!(house.delete(&admin, &path).await.status, 403);
        assert_eq!(house.revision().await, before);
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "Owners"})).await.expect(201).text("id");
        let path = format!("/v1/groups/{group}");
        house.put(&house.admin, &format!("{path}/members/{own}"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("{path}/roles/org_owner"), json!({})).await.expect(200);
        for way in ["", "/roles/org_owner", &format!("/members/{own}")] {
            house.delete(&admin, &format!("{path}{way}")).await.refused(403, "not_covered");
        }
        give(house, &admin, &id, &["org_admin"]).await.expect(200);
        take(house, &admin, &id, &["org_admin", "org_member"]).await.expect(200);
        for (who, roles) in [(&id, ["org_member"]), (&own, ["org_admin"])] {
            let needed = "the permission house:roles is required";
            refused(&give(house, &member, who, &roles).await, 403, needed);
            refused(&take(house, &member, who, &roles).await, 403, needed);
        }
        // Who manages accounts of the service and holds no rank takes none.
        let (_, aoa) = person(house, "aoa@example.test", &["aoa:admin", "org_member"]).await;
        refused(&take(house, &aoa, &own, &["org_owner"]).await, 403, &above("csp:org_owner"));
    }

    async fn nobody_switches_off_or_deletes_one_whose_rank_is_above_his_own(house) {
        let (owner, _) = house.person("head@example.test", &["org_owner"]).await;
        let (other, _) = house.person("other@example.test", &["org_admin"]).await;
        let (_, admin) = house.person("below@example.test", &["org_admin"]).await;
        let one = format!("/v1/accounts/{owner}");
        for answer in [
            house.post(&admin, &format!("{one}/deactivate"), json!({})).await,
            house.delete(&admin, &one).await,
        ] {
            let answer = answer.refused(403, "not_covered");
            assert_eq!(answer.text("detail"), "you can't do that to somebody whose rank is above yours: csp:org_owner");
        }
        let many = house.post(&admin, "/api/v2/account/deleteAccounts", json!(["other@example.test", "head@example.test"])).await;
        assert_eq!(many.status, 403, "{}", many.raw);
        house.post(&admin, &format!("/v1/accounts/{other}/deactivate"), json!({})).await.expect(200);
        house.delete(&admin, &format!("/v1/accounts/{other}")).await.expect(200);
        house.post(&house.admin, &format!("{one}/deactivate"), json!({})).await.expect(200);
        house.delete(&house.admin, &one).await.expect(200);
    }

    async fn roles_of_services_are_given_and_taken_by_service(house) {
        let (_, owner) = person(house, "own@example.test", &["org_owner", "aoa:alerts", "aoa:viewer"]).await;
        let (id, _) = person(house, "ada@example.test", &["org_member"]).await;
        let path = at(house, &id, "service-roles");
        let ask = json!({"serviceDefinitionId": OPERATIONS, "rolesToAdd": named(&["aoa:alerts", "aoa:viewer"])});
        house.patch(&owner, &path, ask).await.expect(200);
        let may = async |permission: &str| {
            let held = house.get(&house.admin, &format!("/v1/accounts/{id}/permissions")).await.expect(200);
            held["permissions"].as_array().unwrap().iter().any(|held| held["permission"] == permission)
        };
        assert!(may("alerts_management").await && may(&format!("external/{OPERATIONS}/aoa:viewer")).await);
        let link = format!("/csp/gateway/slc/api/definitions/external/{OPERATIONS}");
        let ask = json!({"serviceDefinitionLink": link, "rolesToRemove": named(&["aoa:alerts"])});
        let changed = house.patch(&owner, &path, ask).await.expect(200);
        assert_eq!(changed["serviceRoles"][0]["serviceRoleNames"], json!(["aoa:viewer"]));
        assert!(!may("alerts_management").await);
        // A service that we know nothing of, and a part of it.
        let parts = json!([{"name": "log-intelligence:user", "resource": "instance:1"}, {"name": "member"}]);
        house.patch(&owner, &path, json!({"serviceDefinitionId": "other", "rolesToAdd": parts})).await.expect(200);
        assert!(may("external/other/instance:1/log-intelligence:user").await && may("external/other/member").await);
        // All kinds at once, as newer clients send it.
        let ask = json!({
            "organizationRoles": {"rolesToAdd": named(&["developer"]), "rolesToRemove": null},
            "serviceRoles": [{"serviceDefinitionId": "other", "rolesToRemove": parts, "rolesToAdd": [{"name": "admin", "membershipType": "DIRECT"}]}],
            "customRoles": null, "notifyUsers": false,
        });
        let version = at(house, &id, "roles").replace("/api/", "/api/v3/");
        let changed = house.patch(&owner, &version, ask).await.expect(200);
        assert_eq!(changed["serviceRoles"][1]["serviceRoleNames"], json!(["admin"]));
        assert!(!may("external/other/member").await && may("csp:developer").await);
        for (ask, why) in [
            (json!({"serviceDefinitionId": OPERATIONS, "rolesToAdd": named(&["aoa:nothing"])}), "roles name one that does not exist: aoa:nothing"),
            (json!({"rolesToAdd": named(&["aoa:viewer"])}), "serviceDefinitionId is missing"),
            (json!({"serviceDefinitionId": "other", "rolesToAdd": named(&["a b"])}), "permission must be a known permission or external/<service>/<role>"),
            (json!({"serviceDefinitionId": OPERATIONS, "rolesToAdd": [{"name": "aoa:viewer", "resource": "x"}]}), "resource must be left out: roles of this service are for all of it"),
        ] {
            refused(&house.patch(&owner, &path, ask).await, 400, why);
        }
        // What the giver does not hold of what a role stands for.
        let ask = json!({"serviceDefinitionId": OPERATIONS, "rolesToAdd": named(&["aoa:dashboards"])});
        refused(&house.patch(&owner, &path, ask).await, 403, &not_covered("dashboard_management"));
        let (_, admin) = person(house, "adm@example.test", &["org_admin"]).await;
        let ask = json!({"serviceDefinitionId": "other", "rolesToAdd": named(&["member"])});
        refused(&house.patch(&admin, &path, ask).await, 403, &not_covered("external/other/member"));
    }

    async fn an_assignment_that_ends_takes_from_an_access_token_what_it_gave(house) {
        let (_, owner) = person(house, "own@example.test", &["org_owner"]).await;
        let (id, session) = person(house, "ada@example.test", &["org_member"]).await;
        let until = house.clock.now() + 600_000;
        let ask = json!({"rolesToAdd": [{"name": "developer", "expiresAt": until}]});
        let changed = house.patch(&owner, &at(house, &id, "roles"), ask).await.expect(200);
        assert_eq!(changed["organizationRoles"][1]["expiresAt"], json!(until));
        let ask = json!({"allowedScopes": scopes(&["org_member", "developer"], &[])});
        let (_, value) = api_token(house, &session, ask).await;
        let jwt = access_token(house, &value).await;
        let may = async |permission: &str| {
            house.post(&house.admin, "/v1/verify", json!({"token": jwt, "permission": permission})).await["active"] == true
        };
        assert!(may("csp:developer").await);
        house.wait(598);
        assert!(may("csp:developer").await);
        house.wait(1);
        assert!(!may("csp:developer").await && may("csp:org_member").await);
        assert_eq!(roles(house, &id).await, ["org_member"]);
        // What the reference says in seconds is no other time; 0 and -1 are for good.
        let seconds = house.clock.now() / 1000 + 60;
        for (end, told) in [(json!(seconds), json!(seconds * 1000)), (json!(0), json!(null)), (json!(-1), json!(null))] {
            let ask = json!({"rolesToAdd": [{"name": "developer", "expiresAt": end}]});
            let changed = house.patch(&owner, &at(house, &id, "roles"), ask).await.expect(200);
            assert_eq!(changed["organizationRoles"][1]["expiresAt"], told);
        }
        for past in [house.clock.now(), house.clock.now() / 1000, 1, -2] {
            let ask = json!({"rolesToAdd": [{"name": "developer", "expiresAt": past}]});
            refused(&house.patch(&owner, &at(house, &id, "roles"), ask).await, 400, "expiresAt must be in the future");
        }
    }

    async fn a_role_that_is_taken_narrows_access_tokens_at_once(house) {
        let (_, owner) = person(house, "own@example.test", &["org_owner"]).await;
        let (id, session) = person(house, "ada@example.test", &["org_member", "developer"]).await;
        let ask = json!({"allowedScopes": scopes(&["org_member", "developer"], &[])});
        let jwt = access_token(house, &api_token(house, &session, ask).await.1).await;
        let apps = format!("{AM}/orgs/{}/oauth-apps", house.org);
        let app = json!({"displayName": "a", "description": "", "grantTypes": ["client_credentials"], "allowedScopes": scopes(&["org_member"], &[])});
        house.post(&jwt, &apps, app.clone()).await.expect(200);
        take(house, &owner, &id, &["developer"]).await.expect(200);
        refused(&house.post(&jwt, &apps, app).await, 403, "the permission house:accounts is required");
        assert_eq!(house.verdict(&jwt).await, "good");
    }

    async fn an_organization_keeps_an_owner_whose_role_does_not_end(house) {
        let admin = house.get(&house.admin, &format!("{AM}/loggedin/user")).await.expect(200).text("userId");
        let why = "roles must leave the organization an owner whose role does not end";
        refused(&take(house, &house.admin, &admin, &["org_owner"]).await, 400, why);
        let soon = json!([{"name": "org_owner", "expiresAt": house.clock.now() + 60_000}]);
        let ask = json!({"rolesToAdd": soon});
        refused(&house.patch(&house.admin, &at(house, &admin, "roles"), ask.clone()).await, 400, why);
        // One whose own role ends, one who is switched off and a robot do not count.
        let (temporary, _) = person(house, "tmp@example.test", &[]).await;
        house.patch(&house.admin, &at(house, &temporary, "roles"), ask.clone()).await.expect(200);
        let (off, _) = person(house, "off@example.test", &["org_owner"]).await;
        house.post(&house.admin, &format!("/v1/accounts/{off}/deactivate"), json!({})).await.expect(200);
        house.service("robot", &["org_owner"]).await;
        refused(&take(house, &house.admin, &admin, &["org_owner"]).await, 400, why);
        // To hand it over in one go is another thing, and so is one who has it through a group.
        let (heir, _) = person(house, "own@example.test", &[]).await;
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "Owners"})).await.expect(201).text("id");
        house.put(&house.admin, &format!("/v1/groups/{group}/roles/org_owner"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/groups/{group}/members/{heir}"), json!({})).await.expect(200);
        take(house, &house.admin, &admin, &["org_owner"]).await.expect(200);
        assert!(!roles(house, &admin).await.contains(&"org_owner".to_owned()));
        // What he is through a group is not taken from him alone.
        take(house, &house.sign_in("own@example.test", tokenhouse_e2e::PASSWORD).await, &heir, &["org_owner"]).await.expect(200);
        assert_eq!(roles(house, &heir).await, ["org_owner"]);
    }

    async fn requests_that_say_nothing_or_cannot_be_read_are_refused(house) {
        let (id, _) = person(house, "ada@example.test", &["org_member"]).await;
        let path = at(house, &id, "roles");
        let many: Vec<Value> = (0..201).map(|_| json!({"name": "org_member"})).collect();
        for (ask, why) in [
            (json!({}), "roles must be 1 to 200"),
            (json!({"rolesToAdd": []}), "roles must be 1 to 200"),
            (json!({"rolesToAdd": many}), "roles must be 1 to 200"),
            (json!({"rolesToAdd": [{"name": ""}]}), "name must not be empty"),
            (json!({"rolesToAdd": [{"name": "org_member", "resource": "x"}]}), "resource must be left out: such a role is bound to none"),
            (json!({"customRoles": {"rolesToAdd": named(&["nobody"])}}), "roles name one that does not exist: nobody"),
            (json!({"serviceRoles": [{"rolesToAdd": named(&["member"])}]}), "serviceDefinitionId is missing"),
        ] {
            refused(&house.patch(&house.admin, &path, ask).await, 400, why);
        }
        for body in [json!({"rolesToAdd": [{}]}), json!({"rolesToAdd": "org_member"}), json!([]), json!({"rolesToAdd": [{"name": "org_member", "expiresAt": "soon"}]})] {
            let answer = house.patch(&house.admin, &path, body).await;
            assert_eq!((answer.status, answer.number("moduleCode"), answer.number("statusCode")), (400, 540, 400), "{}", answer.raw);
        }
        let (second, stranger) = house.neighbour("second").await;
        let ask = json!({"rolesToAdd": named(&["org_admin"])});
        for who in [&*id, "ada@example.test"] {
            refused(&house.patch(&stranger, &at(house, who, "roles"), ask.clone()).await, 404, "no such organization");
            let path = format!("{AM}/users/{who}/orgs/{second}/roles");
            refused(&house.patch(&stranger, &path, ask.clone()).await, 404, "no such user");
        }
        let (robot, _) = house.service("robot", &[]).await;
        for who in [&*robot, "nobody@example.test", "00000000-0000-7000-8000-000000000000"] {
            refused(&house.patch(&house.admin, &at(house, who, "roles"), ask.clone()).await, 404, "no such user");
        }
        assert_eq!(roles(house, &id).await, ["org_member"]);
    }
}
