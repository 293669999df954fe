//! Accounts, users, groups and roles (wavefront.md 7).

use serde_json::{Value, json};
use tokenhouse_e2e::{ADMIN, Answer, House, both};

use super::{holder, last_secret, own, refused, wrapped};

const SERVICE: &str = "/api/v2/account/serviceaccount";

/// A user in the union body: the bare members and the envelope say the same.
#[track_caller]
fn union(answer: Answer) -> Value {
    let mut body = answer.expect(200).body;
    assert_eq!(body["status"]["result"], "OK");
    let wrapped = body["response"].clone();
    let members = body.as_object_mut().unwrap();
    members.remove("status");
    members.remove("response");
    assert_eq!(body, wrapped);
    wrapped
}

async fn role(house: &House, name: &str, permissions: &[&str]) -> String {
    house.clock.advance(1);
    let body = json!({"name": name, "description": "", "permissions": permissions});
    wrapped(house.post(&house.admin, "/api/v2/role", body).await)["id"].as_str().unwrap().to_owned()
}

async fn group(house: &House, name: &str, roles: &[&str]) -> String {
    let body = json!({"name": name, "roleIDs": roles});
    wrapped(house.post(&house.admin, "/api/v2/usergroup", body).await)["id"].as_str().unwrap().to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

both! {
    async fn a_service_account_is_born_in_its_group_and_holds_nothing(house) {
        let made = wrapped(house.post(&house.admin, SERVICE, json!({"identifier": "Deployer", "tokens": []})).await);
        let now = house.clock.now();
        let expected = json!({
            "identifier": "sa::deployer", "active": true, "groups": [], "roles": [], "tokens": [],
            "unitedRoles": [], "unitedPermissions": [],
            "userGroups": [{
                "id": made["userGroups"][0]["id"], "name": "Service Accounts", "customer": "first",
                "description": made["userGroups"][0]["description"], "createdEpochMillis": now,
                "users": ["sa::deployer"], "userCount": 1, "roles": [], "roleCount": 0, "permissions": [],
                "properties": {"nameEditable": false, "usersEditable": true, "rolesEditable": true},
            }],
        });
        assert_eq!(made, expected);
        assert_eq!(wrapped(house.get(&house.admin, &format!("{SERVICE}/sa%3A%3Adeployer")).await), expected);
        assert_eq!(wrapped(house.get(&house.admin, SERVICE).await), json!([expected]));
    }

    async fn what_a_put_does_not_say_stays_and_tokens_are_never_touched_by_it(house) {
        let role = role(house, "r", &["alerts_management"]).await;
        let group = group(house, "g", &[]).await;
        let body = json!({
            "identifier": "sa::ci", "active": true, "description": "d", "groups": ["ingestion"], "roles": [role],
            "userGroups": [group], "tokens": [],
        });
        wrapped(house.post(&house.admin, SERVICE, body).await);
        let secret = last_secret(&wrapped(house.post(&house.admin, "/api/v2/apitoken/serviceaccount/sa::ci", json!({})).await));
        let path = format!("{SERVICE}/sa::ci");
        let before = wrapped(house.get(&house.admin, &path).await);
        assert_eq!((names(&before["roles"]), names(&before["userGroups"])), (vec!["r"], vec!["Service Accounts", "g"]));
        assert_eq!((&before["groups"], &before["unitedPermissions"]), (&json!(["ingestion"]), &json!(["ingestion", "alerts_management"])));
        for body in [
            json!({}), Value::Null, json!({"identifier": "sa::ci", "tokens": []}),
            json!({"roles": null, "groups": null, "userGroups": null, "description": null, "active": null}),
            // What was received, sent back: objects where ids were meant.
            before.clone(),
        ] {
            assert_eq!(wrapped(house.put(&house.admin, &path, body).await), before);
        }
        let emptied = json!({"roles": [], "groups": [], "userGroups": [], "description": ""});
        let after = wrapped(house.put(&house.admin, &path, emptied).await);
        assert_eq!((&after["roles"], &after["groups"], &after["userGroups"]), (&json!([]), &json!([]), &json!([])));
        assert_eq!((&after["description"], &after["tokens"]), (&Value::Null, &before["tokens"]));
        assert_eq!(house.verdict(&secret).await, "good");
    }

    async fn a_deactivated_account_is_said_to_be_and_its_tokens_are_401(house) {
        wrapped(house.post(&house.admin, SERVICE, json!({"identifier": "sa::ci"})).await);
        let tokens = "/api/v2/apitoken/serviceaccount/sa::ci";
        let secret = last_secret(&wrapped(house.post(&house.admin, tokens, json!({})).await));
        for _ in 0..2 {
            let off = wrapped(house.post(&house.admin, &format!("{SERVICE}/sa::ci/deactivate"), Value::Null).await);
            assert_eq!((&off["active"], &off["tokens"][0]["accountType"]), (&json!(false), &json!("INACTIVE_SERVICE_ACCOUNT")));
            refused(&house.get(&secret, "/api/v2/apitoken").await, 401, "the credential is not valid");
        }
        let on = wrapped(house.post(&house.admin, &format!("{SERVICE}/sa::ci/activate"), Value::Null).await);
        assert_eq!((&on["active"], &on["tokens"][0]["accountType"]), (&json!(true), &json!("SERVICE_ACCOUNT")));
        wrapped(house.get(&secret, "/api/v2/apitoken").await);
        wrapped(house.put(&house.admin, &format!("{SERVICE}/sa::ci"), json!({"active": false})).await);
        assert_eq!(house.verdict(&secret).await, "account_inactive");
    }

    async fn a_user_has_the_union_body_everywhere(house) {
        let role = role(house, "r", &["ingestion"]).await;
        let ask = json!({"emailAddress": "A+x@Example.test", "groups": ["events_management"], "userGroups": null, "roles": [role]});
        let made = union(house.post(&house.admin, "/api/v2/account/user", ask).await);
        assert_eq!((&made["identifier"], &made["customer"]), (&json!("a+x@example.test"), &json!("first")));
        assert_eq!((&made["groups"], names(&made["roles"]), names(&made["userGroups"])), (&json!(["events_management"]), vec!["r"], vec!["Everyone"]));
        for path in ["/api/v2/account/user/a%2Bx%40example.test", "/api/v2/user/a+x@example.test"] {
            assert_eq!(union(house.get(&house.admin, path).await), made);
        }
        let path = "/api/v2/account/a+x@example.test";
        let granted = union(house.post(&house.admin, &format!("{path}/grant/ingestion"), json!({})).await);
        assert_eq!(granted["groups"], json!(["ingestion", "events_management"]));
        let revoked = union(house.post(&house.admin, &format!("{path}/revoke/events_management"), Value::Null).await);
        assert_eq!(revoked["groups"], json!(["ingestion"]));
        let without = union(house.post(&house.admin, &format!("{path}/removeRoles"), json!([role])).await);
        assert_eq!(without["roles"], json!([]));
        let with = union(house.post(&house.admin, &format!("{path}/addRoles"), json!([role])).await);
        assert_eq!(names(&with["roles"]), ["r"]);
        let put = json!({"identifier": "a+x@example.test", "groups": [], "userGroups": null, "customer": "first", "ssoId": null});
        let put = union(house.put(&house.admin, "/api/v2/user/a+x@example.test", put).await);
        assert_eq!((&put["groups"], names(&put["roles"])), (&json!([]), vec!["r"]));

        // As an account: ids, and what comes to it in all.
        let account = wrapped(house.get(&house.admin, path).await);
        assert_eq!((&account["roles"], &account["unitedPermissions"]), (&json!([role]), &json!(["ingestion"])));
        // The older form, by a form's field.
        let form = house.request("POST", "/api/v2/user/a+x@example.test/grant").bearer_auth(&house.admin);
        let form = form.header("content-type", "application/x-www-form-urlencoded").body("group=agent_management");
        assert_eq!(union(house.send(form).await)["groups"], json!(["agent_management"]));
        let form = house.request("POST", "/api/v2/user/a+x@example.test/revoke").bearer_auth(&house.admin);
        assert_eq!(union(house.send(form.body("group=agent%5Fmanagement")).await)["groups"], json!([]));
    }

    async fn where_a_mail_is_expected_it_is_said_that_none_went(house) {
        for (path, body) in [
            ("/api/v2/account/user?sendEmail=True", json!({"emailAddress": "a@example.test"})),
            ("/api/v2/user?sendEmail=true", json!({"emailAddress": "b@example.test"})),
            ("/api/v2/account/user/invite", json!([{"emailAddress": "c@example.test", "groups": ["ingestion"]}, {"emailAddress": "d@example.test"}])),
        ] {
            let answer = house.post(&house.admin, path, body).await.expect(200);
            let said = json!({"result": "OK", "message": "no mail was sent: an administrator sets the password", "code": 202});
            assert_eq!(answer["status"], said);
        }
        let answer = house.post(&house.admin, "/api/v2/user?sendEmail=False", json!({"emailAddress": "e@example.test"})).await;
        assert_eq!(answer["status"]["code"], 200);
        let users = house.get(&house.admin, "/api/v2/user").await.expect(200);
        let identifiers: Vec<&str> = users.body.as_array().unwrap().iter().map(|user| user["identifier"].as_str().unwrap()).collect();
        assert_eq!(identifiers.len(), 6, "{identifiers:?}");
        assert_eq!(wrapped(house.get(&house.admin, "/api/v2/account/user").await), users.body);
    }

    async fn of_an_invitation_all_or_none_are_made(house) {
        let body = json!([{"emailAddress": "new@example.test"}, {"emailAddress": ADMIN}]);
        refused(&house.post(&house.admin, "/api/v2/user/invite", body).await, 400, "there is an account of that name already");
        refused(&house.get(&house.admin, "/api/v2/user/new@example.test").await, 404, "user does not exist");
    }

    async fn accounts_are_validated_deleted_and_their_tokens_with_them(house) {
        wrapped(house.post(&house.admin, SERVICE, json!({"identifier": "sa::ci"})).await);
        let secret = last_secret(&wrapped(house.post(&house.admin, "/api/v2/apitoken/serviceaccount/sa::ci", json!({})).await));
        house.person("p@example.test", &[]).await;
        let asked = json!(["SA::CI", "nobody", "p@example.test", "sa::none"]);
        for path in ["/api/v2/account/validateAccounts", "/api/v2/user/validateUsers"] {
            let told = wrapped(house.post(&house.admin, path, asked.clone()).await);
            let valid: Vec<&str> = told["validUsers"].as_array().unwrap().iter().map(|user| user["identifier"].as_str().unwrap()).collect();
            assert_eq!((valid, &told["invalidIdentifiers"]), (vec!["sa::ci", "p@example.test"], &json!(["nobody", "sa::none"])));
        }
        let gone = wrapped(house.post(&house.admin, "/api/v2/account/deleteAccounts", json!(["sa::ci", "sa::none"])).await);
        assert_eq!(gone, json!(["sa::ci"]));
        assert_ne!(house.verdict(&secret).await, "good");
        refused(&house.get(&house.admin, &format!("{SERVICE}/sa::ci")).await, 404, "service account does not exist");
        refused(&house.delete(&house.admin, "/api/v2/account/sa::ci").await, 404, "account does not exist");
        let gone = wrapped(house.delete(&house.admin, "/api/v2/account/p@example.test").await);
        assert_eq!(gone["identifier"], "p@example.test");
        // Made again it is another account: nothing of the old one works.
        wrapped(house.post(&house.admin, SERVICE, json!({"identifier": "sa::ci"})).await);
        assert_ne!(house.verdict(&secret).await, "good");
        union(house.post(&house.admin, "/api/v2/user", json!({"emailAddress": "q@example.test"})).await);
        house.delete(&house.admin, "/api/v2/user/q@example.test").await.expect(200);
        assert_eq!(wrapped(house.post(&house.admin, "/api/v2/user/deleteUsers", json!(["q@example.test"])).await), json!([]));
    }

    async fn a_user_is_signed_out_everywhere_and_keeps_his_tokens(house) {
        let token = holder(house, "p@example.test", &["token_management"]).await;
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push(house.sign_in("p@example.test", tokenhouse_e2e::PASSWORD).await);
        }
        refused(&house.post(&token, "/api/logout/p@example.test", json!({})).await, 403, "the permission Accounts (user_management) is required");
        union(house.post(&house.admin, "/api/logout/p%40example.test", Value::Null).await);
        for session in &sessions {
            assert_eq!(house.verdict(session).await, "revoked");
        }
        assert_eq!(house.verdict(&token).await, "good");
        refused(&house.post(&house.admin, "/api/logout/nobody", json!({})).await, 404, "user does not exist");
    }

    async fn who_holds_accounts_and_what_one_may_do_is_told(house) {
        holder(house, "clerk@example.test", &["user_management"]).await;
        holder(house, "dev@example.test", &["token_management"]).await;
        let admins = wrapped(house.get(&house.admin, "/api/v2/account/user/admin").await);
        assert_eq!(admins, json!([ADMIN, "clerk@example.test"]));
        let functions = wrapped(house.get(&house.admin, "/api/v2/account/dev@example.test/businessFunctions").await);
        assert_eq!(functions, json!(["CREATE_TOKEN", "GET_TOKENS", "LOGIN", "LOGOUT", "REVOKE_TOKEN", "TOKEN"]));
        let functions = wrapped(house.get(&house.admin, "/api/v2/account/clerk@example.test/businessFunctions").await);
        assert!(functions.as_array().unwrap().contains(&json!("ADMINISTER_ALL_TOKENS")));
        assert!(!functions.as_array().unwrap().contains(&json!("CREATE_TOKEN")));
        union(house.get(&house.admin, "/api/v2/user/dev@example.test/businessFunctions").await);
    }

    async fn permissions_go_to_many_or_to_none(house) {
        for name in ["a", "b"] {
            wrapped(house.post(&house.admin, SERVICE, json!({"identifier": name})).await);
        }
        let path = "/api/v2/account/grant/ingestion";
        let answer = house.post(&house.admin, path, json!(["sa::a", "sa::nobody"])).await;
        refused(&answer, 400, "accounts name 1 that do not exist; nothing was changed");
        let granted = async |name: &str| wrapped(house.get(&house.admin, &format!("{SERVICE}/{name}")).await)["groups"].clone();
        assert_eq!(granted("sa::a").await, json!([]));
        assert_eq!(union(house.post(&house.admin, path, json!(["sa::a", "sa::b"])).await)["identifier"], "sa::b");
        assert_eq!((granted("sa::a").await, granted("sa::b").await), (json!(["ingestion"]), json!(["ingestion"])));
        union(house.post(&house.admin, "/api/v2/account/revoke/ingestion", json!(["sa::a", "sa::b"])).await);
        assert_eq!((granted("sa::a").await, granted("sa::b").await), (json!([]), json!([])));
    }

    async fn groups_carry_roles_to_their_members(house) {
        let role = role(house, "r", &["ingestion"]).await;
        let group = group(house, "g", &[&role]).await;
        wrapped(house.post(&house.admin, SERVICE, json!({"identifier": "sa::a"})).await);
        let path = format!("/api/v2/usergroup/{group}");
        let filled = wrapped(house.post(&house.admin, &format!("{path}/addUsers"), json!(["sa::a", ADMIN])).await);
        assert_eq!((&filled["userCount"], &filled["roleCount"], names(&filled["roles"])), (&json!(2), &json!(1), vec!["r"]));
        let united = async || wrapped(house.get(&house.admin, &format!("{SERVICE}/sa::a")).await)["unitedPermissions"].clone();
        assert_eq!(united().await, json!(["ingestion"]));
        wrapped(house.post(&house.admin, &format!("{path}/removeRoles"), json!([role])).await);
        assert_eq!(united().await, json!([]));
        wrapped(house.post(&house.admin, &format!("{path}/addRoles"), json!([role])).await);
        assert_eq!(united().await, json!(["ingestion"]));
        let put = wrapped(house.put(&house.admin, &path, json!({"id": group, "name": "h", "roleIDs": [], "description": "d"})).await);
        assert_eq!((&put["name"], &put["description"], &put["roles"], &put["userCount"]), (&json!("h"), &json!("d"), &json!([]), &json!(2)));
        let less = wrapped(house.post(&house.admin, &format!("{path}/removeUsers"), json!([ADMIN])).await);
        assert_eq!(less["userCount"], 1);
        let by_account = union(house.post(&house.admin, "/api/v2/account/sa::a/removeUserGroups", json!([group])).await);
        assert_eq!(names(&by_account["userGroups"]), ["Service Accounts"]);
        union(house.post(&house.admin, "/api/v2/user/admin@example.test/addUserGroups", json!([group])).await);
        assert_eq!(wrapped(house.delete(&house.admin, &path).await)["name"], "h");
        refused(&house.get(&house.admin, &path).await, 404, "group does not exist");
        let page = wrapped(house.get(&house.admin, "/api/v2/usergroup?offset=0&limit=100").await);
        let mut all = names(&page["items"]);
        all.sort_unstable();
        assert_eq!((all, &page["moreItems"]), (vec!["Everyone", "Service Accounts"], &json!(false)));
    }

    async fn roles_are_assigned_to_accounts_and_groups_and_changed_in_bulk(house) {
        let (one, two) = (role(house, "one", &["ingestion"]).await, role(house, "two", &[]).await);
        let group = group(house, "g", &[]).await;
        wrapped(house.post(&house.admin, SERVICE, json!({"identifier": "sa::a"})).await);
        let path = format!("/api/v2/role/{one}");
        let held = wrapped(house.post(&house.admin, &format!("{path}/addAssignees"), json!(["sa::a", group])).await);
        assert_eq!((&held["linkedAccountsCount"], &held["linkedGroupsCount"]), (&json!(1), &json!(1)));
        assert_eq!((&held["sampleLinkedAccounts"], names(&held["sampleLinkedGroups"])), (&json!(["sa::a"]), vec!["g"]));
        let last = wrapped(house.post(&house.admin, "/api/v2/role/grant/alerts_management", json!([one, two])).await);
        assert_eq!((&last["id"], &last["permissions"]), (&json!(two), &json!(["alerts_management"])));
        let united = wrapped(house.get(&house.admin, &format!("{SERVICE}/sa::a")).await)["unitedPermissions"].clone();
        assert_eq!(united, json!(["ingestion", "alerts_management"]));
        wrapped(house.post(&house.admin, "/api/v2/role/revoke/alerts_management", json!([one])).await);
        let put = wrapped(house.put(&house.admin, &path, json!({"id": one, "name": "uno", "description": "d", "permissions": ["events_management"]})).await);
        assert_eq!((&put["name"], &put["permissions"]), (&json!("uno"), &json!(["events_management"])));
        let less = wrapped(house.post(&house.admin, &format!("{path}/removeAssignees"), json!(["sa::a", group])).await);
        assert_eq!((&less["linkedAccountsCount"], &less["linkedGroupsCount"]), (&json!(0), &json!(0)));
        let page = wrapped(house.get(&house.admin, "/api/v2/role?limit=1").await);
        assert_eq!((names(&page["items"]), &page["moreItems"], &page["totalItems"]), (vec!["uno"], &json!(true), &json!(2)));
        wrapped(house.delete(&house.admin, &path).await);
        refused(&house.get(&house.admin, &path).await, 404, "role does not exist");
    }

    async fn roles_and_permissions_of_other_dialects_are_not_seen_and_stay(house) {
        let (id, _) = house.service("mixed", &["administrator", "admin"]).await;
        let native = json!({"name": "native", "permissions": ["house:read"]});
        let native = house.post(&house.admin, "/v1/roles", native).await.expect(201).text("id");
        let seen = wrapped(house.get(&house.admin, &format!("{SERVICE}/sa::mixed")).await);
        assert_eq!((&seen["roles"], &seen["unitedRoles"], &seen["unitedPermissions"]), (&json!([]), &json!([]), &json!([])));
        assert_eq!(wrapped(house.get(&house.admin, "/api/v2/role").await)["items"], json!([]));
        refused(&house.get(&house.admin, &format!("/api/v2/role/{native}")).await, 404, "role does not exist");
        let answer = house.post(&house.admin, "/api/v2/account/sa::mixed/addRoles", json!([native])).await;
        refused(&answer, 400, "roles names one that does not exist; nothing was changed");
        wrapped(house.put(&house.admin, &format!("{SERVICE}/sa::mixed"), json!({"roles": [], "groups": []})).await);
        let account = house.get(&house.admin, &format!("/v1/accounts/{id}")).await.expect(200);
        assert_eq!(account["roles"].as_array().unwrap().len(), 2, "what the dialect does not see it does not take");
    }

    async fn the_org_tells_its_permissions_and_where_one_is(house) {
        let token = own(house, "").await;
        let all = wrapped(house.get(&token, "/api/v2/customer/permissions").await);
        assert_eq!(all.as_array().unwrap().len(), 18);
        assert_eq!((&all[0]["groupName"], &all[0]["displayName"]), (&json!("token_management"), &json!("API Tokens")));
        let cluster = wrapped(house.get(&token, "/api/v2/cluster/info").await);
        assert_eq!(cluster, json!({"clusterAlias": "first", "statusPageLink": null}));
        let groups = wrapped(house.get(&token, "/api/v2/customer/preferences/defaultUserGroups").await);
        assert_eq!(names(&groups), ["Everyone"]);
        assert_eq!(wrapped(house.get(&token, "/api/v2/customer/preferences").await)["defaultUserGroups"], groups);
    }

    async fn an_accounts_holder_administers_wavefronts_own_and_nothing_above_it(house) {
        let clerk = holder(house, "clerk@example.test", &["user_management"]).await;
        let body = json!({"identifier": "sa::ci", "groups": ["ingestion", "alerts_management"]});
        wrapped(house.post(&clerk, SERVICE, body).await);
        let role = wrapped(house.post(&clerk, "/api/v2/role", json!({"name": "r", "permissions": ["metrics_management"]})).await);
        let path = format!("/api/v2/role/{}", role["id"].as_str().unwrap());
        wrapped(house.post(&clerk, &format!("{path}/addAssignees"), json!(["sa::ci"])).await);
        wrapped(house.put(&clerk, &path, json!({"permissions": ["metrics_management", "events_management"]})).await);
        let secret = last_secret(&wrapped(house.post(&clerk, "/api/v2/apitoken/serviceaccount/sa::ci", json!({})).await));
        assert_eq!(house.verdict(&secret).await, "good");
        // The administrator holds more than wavefront knows: a token of his robot, or a role for it, is above her.
        house.service("strong", &["administrator"]).await;
        for (path, body) in [
            ("/api/v2/apitoken/serviceaccount/sa::strong".to_owned(), json!({})),
            (format!("{path}/addAssignees"), json!(["sa::strong"])),
            ("/api/v2/account/sa::strong/grant/ingestion".to_owned(), json!({})),
        ] {
            let answer = house.post(&clerk, &path, body).await;
            assert_eq!((answer.status, answer["status"]["code"].as_i64()), (403, Some(403)), "{}", answer.raw);
        }
    }
}
