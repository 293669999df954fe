//! Apps in other organizations than the one that owns them (csp.md 1.2, 5).

use serde_json::{Value, json};
use tokenhouse_authority::Settings;
use tokenhouse_e2e::{Answer, House, both};

use super::apps::{ask, developer, made};
use super::{AM, claims, refused, scopes};

/// Another organization: its id, its administrator, and where its apps are added.
async fn other(house: &House) -> (String, String, String) {
    let (org, admin) = house.neighbour("second").await;
    let clients = format!("{AM}/orgs/{org}/clients");
    (org, admin, clients)
}

async fn grant(house: &House, app: &(String, String), org: &str) -> Answer {
    let request = house.request("POST", &format!("{AM}/auth/token")).basic_auth(&app.0, Some(&app.1));
    house.send(request.form(&[("grant_type", "client_credentials"), ("orgId", org)])).await
}

fn added(id: &str) -> Value {
    json!({"id": id, "allowedScopes": scopes(&["org_member"], &["aoa:viewer", "aoa:metrics"])})
}

both! {
    async fn an_org_adds_another_orgs_app_and_it_acts_there_with_the_roles_that_it_has_there(house) {
        let developer = developer(house).await;
        let (second, admin, clients) = other(house).await;
        let app = made(house, &developer, json!({"allowedOrgs": [second, house.org]})).await;
        let own = house.get(&developer, &format!("{AM}/orgs/{}/oauth-apps/{}", house.org, app.0)).await.expect(200);
        let ids: Vec<&Value> = own["allowedOrgs"].as_array().unwrap().iter().map(|org| &org["id"]).collect();
        assert_eq!(ids, [&json!(house.org), &json!(second)]);
        // Allowed is not added.
        refused(&grant(house, &app, &second).await, 403, "the app was not added to this organization");
        let there = house.post(&admin, &clients, added(&app.0)).await.expect(200);
        assert_eq!((there.text("id"), &there["sourceOrg"]), (app.0.clone(), &json!({"orgId": house.org, "displayName": "first"})));
        assert_eq!(there["serviceRoles"][0]["roles"].as_array().unwrap().len(), 2);
        let answer = grant(house, &app, &second).await.expect(200);
        let jwt = answer.text("access_token");
        let told = claims(&jwt);
        assert_eq!((&told["context_name"], &told["client_id"], &told["domain"]), (&json!(second), &json!(app.0), &json!("app")));
        assert_eq!(answer.number("expires_in"), 1800);
        let mut scope: Vec<String> = answer.text("scope").split(' ').map(str::to_owned).collect();
        scope.retain(|word| word.contains(':'));
        assert!(scope.contains(&"csp:org_member".to_owned()), "{scope:?}");
        assert!(!answer.text("scope").contains("ingestion"), "what it may do at home it may not do there: {scope:?}");
        // It is known there, and is nobody at home.
        let verified = house.post(&admin, "/v1/verify", json!({"token": jwt, "permission": "csp:org_member"})).await;
        assert_eq!((verified["active"].as_bool(), verified.text("org_id")), (Some(true), second.clone()));
        assert_eq!(verified.text("account_id"), told["account_id"].as_str().unwrap());
        assert_eq!(house.verdict(&jwt).await, "unknown");
        let org = house.get(&jwt, &format!("{AM}/orgs/{second}")).await.expect(200);
        assert_eq!(org.text("displayName"), "second");
        refused(&house.get(&jwt, &format!("{AM}/orgs/{}", house.org)).await, 404, "no such org");
        // Each org's is its own, also where it is given again.
        let home = grant(house, &app, "").await.expect(200);
        assert_eq!(claims(&home.text("access_token"))["context_name"], json!(house.org));
        assert_eq!(grant(house, &app, &second).await.text("access_token"), jwt);
        let listed = house.get(&admin, &clients).await.expect(200);
        assert_eq!((listed.number("totalResults"), listed["results"][0]["id"].as_str()), (1, Some(app.0.as_str())));
        let at_home = house.get(&developer, &format!("{AM}/orgs/{}/clients", house.org)).await.expect(200);
        assert_eq!(at_home["results"][0]["organizationRoles"], json!([{"name": "org_member"}]));
        // OAuth's own endpoint takes the org as well.
        let form = [("grant_type", "client_credentials"), ("org_id", second.as_str())];
        let request = house.request("POST", "/oauth2/token").basic_auth(&app.0, Some(&app.1)).form(&form);
        let oauth = house.send(request).await.expect(200);
        assert_eq!(claims(&oauth.text("access_token"))["context_name"], json!(second));
    }

    async fn only_an_app_whose_owner_allows_it_is_added_and_only_by_who_covers_its_roles(house) {
        let developer = developer(house).await;
        let (second, admin, clients) = other(house).await;
        let app = made(house, &developer, json!({})).await;
        refused(&house.post(&admin, &clients, added(&app.0)).await, 404, "no such app");
        refused(&house.post(&admin, &clients, added("nobody")).await, 404, "no such app");
        let path = format!("{AM}/orgs/{}/oauth-apps/{}", house.org, app.0);
        house.patch(&developer, &path, json!({"allowedOrgs": [second]})).await.expect(200);
        refused(&house.post(&developer, &clients, added(&app.0)).await, 404, "no such organization");
        let member = house.post(&admin, "/v1/accounts", json!({"kind": "user", "identifier": "m@example.test", "password": "a long password"})).await;
        let member = (member.expect(201).text("id"), house.sign_in("m@example.test", "a long password").await);
        refused(&house.post(&member.1, &clients, added(&app.0)).await, 403, "the permission house:accounts is required");
        house.put(&admin, &format!("/v1/accounts/{}/roles/developer", member.0), json!({})).await.expect(200);
        let answer = house.post(&member.1, &clients, added(&app.0)).await;
        assert_eq!((answer.status, answer.text("message").contains("org_member")), (400, true), "{}", answer.raw);
        let no_role = json!({"id": app.0, "allowedScopes": scopes(&[], &["aoa:viewer"])});
        assert_eq!(house.post(&admin, &clients, no_role).await.status, 400);
        assert_eq!(house.post(&admin, &clients, json!({"id": app.0})).await.status, 400);
        assert_eq!(house.post(&admin, &clients, json!({"allowedScopes": scopes(&["org_member"], &[])})).await.status, 400);
        house.post(&admin, &clients, added(&app.0)).await.expect(200);
        assert_eq!(house.post(&admin, &clients, added(&app.0)).await.status, 409, "twice");
        // Its own org neither adds nor removes it so.
        let own = format!("{AM}/orgs/{}/clients", house.org);
        assert_eq!(house.post(&developer, &own, added(&app.0)).await.status, 409);
        let why = "the app is owned by this organization: change or delete it instead";
        assert_eq!(house.delete(&developer, &format!("{own}/{}", app.0)).await.text("message"), why);
        // The org that added it manages its roles there and nothing else.
        let there = format!("{AM}/orgs/{second}/oauth-apps/{}", app.0);
        refused(&house.get(&admin, &there).await, 404, "no such app");
        refused(&house.put(&admin, &format!("{there}/secret"), json!({})).await, 404, "no such app");
        let ids = json!({"clientIdsToDelete": [app.0]});
        let request = house.request("DELETE", &format!("{AM}/orgs/{second}/oauth-apps")).bearer_auth(&admin).json(&ids);
        refused(&house.send(request).await, 404, "no such app");
    }

    async fn everything_that_ends_it_at_home_or_there_ends_it_on_every_node(house) {
        let node = house.another_node("second", Settings::default()).await;
        let developer = developer(house).await;
        let (second, admin, clients) = other(house).await;
        // A token of the other org's administrator, to ask that node with.
        let asker = house.issue(&admin, json!({"name": "asker"})).await.1;
        let on_node = async |jwt: &str| {
            let request = reqwest::Client::new().post(format!("{}/v1/verify", node.url)).bearer_auth(&asker);
            let told = Answer::read(request.json(&json!({"token": jwt})).send().await.unwrap()).await.expect(200);
            told["reason"].as_str().unwrap_or("good").to_owned()
        };
        let here = async |jwt: &str| {
            let told = house.post(&asker, "/v1/verify", json!({"token": jwt})).await.expect(200);
            told["reason"].as_str().unwrap_or("good").to_owned()
        };
        let deaths = [
            ("not allowed", "account_deleted"),
            ("removed there", "account_deleted"),
            ("deleted at home", "revoked"),
            ("account off there", "account_inactive"),
            ("account off at home", "account_inactive"),
            ("secret replaced", "rotated"),
            ("its own end", "expired"),
            // Who could ask is stopped as well.
            ("org suspended", ""),
        ];
        for (death, reason) in deaths {
            let app = made(house, &developer, json!({"allowedOrgs": [second]})).await;
            house.post(&admin, &clients, added(&app.0)).await.expect(200);
            let jwt = grant(house, &app, &second).await.expect(200).text("access_token");
            for _ in 0..2 {
                assert_eq!((here(&jwt).await, on_node(&jwt).await), ("good".to_owned(), "good".to_owned()), "{death}");
            }
            let path = format!("{AM}/orgs/{}/oauth-apps", house.org);
            let there = claims(&jwt)["account_id"].as_str().unwrap().to_owned();
            let at_home = claims(&grant(house, &app, "").await.text("access_token"))["account_id"].as_str().unwrap().to_owned();
            match death {
                "not allowed" => {
                    let change = json!({"allowedOrgs": []});
                    drop(house.patch(&developer, &format!("{path}/{}?wait=nodes", app.0), change).await.expect(200));
                }
                "removed there" => drop(house.delete(&admin, &format!("{clients}/{}?wait=nodes", app.0)).await.expect(200)),
                "deleted at home" => {
                    let ids = json!({"clientIdsToDelete": [app.0]});
                    let request = house.request("DELETE", &format!("{path}?wait=nodes")).bearer_auth(&developer);
                    drop(house.send(request.json(&ids)).await.expect(200));
                }
                "account off there" => {
                    drop(house.post(&admin, &format!("/v1/accounts/{there}/deactivate?wait=nodes"), json!({})).await.expect(200));
                }
                "account off at home" => {
                    let path = format!("/v1/accounts/{at_home}/deactivate?wait=nodes");
                    drop(house.post(&house.admin, &path, json!({})).await.expect(200));
                }
                "secret replaced" => {
                    drop(house.put(&house.admin, &format!("{path}/{}/secret?wait=nodes", app.0), json!({})).await.expect(200));
                }
                "its own end" => house.wait(1800),
                _ => {
                    let path = format!("/v1/orgs/{second}/suspend?wait=nodes");
                    drop(house.post(&house.admin, &path, json!({})).await.expect(200));
                    refused(&house.get(&jwt, &format!("{AM}/loggedin/user")).await, 401, "the credential is not valid");
                    refused(&grant(house, &app, &second).await, 401, "the credential is not valid");
                    grant(house, &app, "").await.expect(200);
                    continue;
                }
            }
            assert_eq!((here(&jwt).await, on_node(&jwt).await), (reason.to_owned(), reason.to_owned()), "{death}");
            let expected = match death {
                "not allowed" | "removed there" => 403,
                "its own end" => 200,
                _ => 401,
            };
            assert_eq!(grant(house, &app, &second).await.status, expected, "{death}");
        }
        node.stop().await;
    }

    async fn its_roles_there_are_changed_there_and_taken_at_once(house) {
        let developer = developer(house).await;
        let (second, admin, clients) = other(house).await;
        let app = made(house, &developer, json!({"allowedOrgs": [second]})).await;
        house.post(&admin, &clients, added(&app.0)).await.expect(200);
        let jwt = grant(house, &app, &second).await.expect(200).text("access_token");
        let may = async |permission: &str| {
            let ask = json!({"token": jwt, "permission": permission});
            house.post(&admin, "/v1/verify", ask).await.expect(200)["active"] == true
        };
        assert!(may("metrics_management").await);
        let one = format!("{clients}/{}", app.0);
        let change = json!({"allowedScopes": scopes(&["org_member"], &["aoa:viewer"])});
        let changed = house.patch(&admin, &one, change).await.expect(200);
        assert_eq!(changed["serviceRoles"][0]["roles"], json!([{"name": "aoa:viewer"}]));
        assert!(!may("metrics_management").await && may("csp:org_member").await);
        assert_eq!(house.get(&admin, &one).await.expect(200)["serviceRoles"], changed["serviceRoles"]);
        assert_eq!(house.patch(&admin, &one, json!({})).await.status, 400);
        // Removed and added again it is somebody else: what it had before stays dead.
        house.delete(&admin, &one).await.expect(200);
        refused(&house.get(&admin, &one).await, 404, "no such app");
        refused(&house.delete(&admin, &one).await, 404, "no such app");
        house.post(&admin, &clients, added(&app.0)).await.expect(200);
        assert!(!may("csp:org_member").await);
        grant(house, &app, &second).await.expect(200);
    }

    async fn who_replaces_a_secret_covers_what_it_opens_elsewhere_or_owns_the_org(house) {
        let developer = developer(house).await;
        let (second, admin, clients) = other(house).await;
        let app = made(house, &developer, json!({"allowedOrgs": [second]})).await;
        let owner = json!({"id": app.0, "allowedScopes": scopes(&["org_owner"], &["aoa:viewer"])});
        house.post(&admin, &clients, owner).await.expect(200);
        let secret = format!("{AM}/orgs/{}/oauth-apps/{}/secret", house.org, app.0);
        let answer = house.put(&developer, &secret, json!({})).await;
        assert_eq!((answer.status, answer.text("message").contains("csp:org_owner")), (403, true), "{}", answer.raw);
        assert_eq!(house.post(&developer, &secret, json!({})).await.status, 403);
        house.put(&house.admin, &secret, json!({})).await.expect(200);
        // Its coming stands in that org's ledger, with whose it is.
        let events = house.get(&admin, "/v1/ledger?limit=1000").await.expect(200);
        let created = events["items"].as_array().unwrap().iter().find(|event| {
            event["kind"] == "account.created" && event["details"]["identifier"] == json!(app.0)
        });
        assert_eq!(created.expect(&events.raw)["details"]["owned_by"], json!(house.org));
    }

    async fn an_onboarded_org_lets_it_in_where_the_owner_is_not_onboarded(house) {
        let developer = developer(house).await;
        let (second, admin, clients) = other(house).await;
        let app = made(house, &developer, json!({"allowedOrgs": [second]})).await;
        house.post(&admin, &clients, added(&app.0)).await.expect(200);
        let jwt = grant(house, &app, &second).await.expect(200).text("access_token");
        let home = grant(house, &app, "").await.expect(200).text("access_token");
        assert_eq!(house.get(&jwt, "/v1/whoami").await.status, 401);
        house.post(&house.admin, &format!("/v1/orgs/{second}/onboard"), json!({})).await.expect(200);
        let me = house.get(&jwt, "/v1/whoami").await.expect(200);
        assert_eq!(me["org"]["id"], json!(second), "{}", me.raw);
        assert_eq!(house.get(&home, "/v1/whoami").await.status, 401);
        // It changes things there as itself: the caller is decided anew in the transaction.
        let more = json!({"id": app.0, "allowedScopes": scopes(&["org_member", "developer"], &[])});
        house.patch(&admin, &format!("{clients}/{}", app.0), more).await.expect(200);
        let jwt = grant(house, &app, &second).await.expect(200).text("access_token");
        let own = ask(json!({"allowedScopes": scopes(&["org_member"], &[])}));
        house.post(&jwt, &format!("{AM}/orgs/{second}/oauth-apps"), own).await.expect(200);
        let why = "an app can't remove itself";
        assert_eq!(house.delete(&jwt, &format!("{clients}/{}", app.0)).await.text("message"), why);
        house.delete(&admin, &format!("{clients}/{}", app.0)).await.expect(200);
        assert_eq!(house.get(&jwt, "/v1/whoami").await.status, 401);
    }

    async fn orgs_that_do_not_exist_are_not_allowed(house) {
        let developer = developer(house).await;
        let path = format!("{AM}/orgs/{}/oauth-apps", house.org);
        let nowhere = "00000000-0000-7000-8000-000000000000";
        let why = format!("allowedOrgs names an organization that does not exist: {nowhere}");
        refused(&house.post(&developer, &path, ask(json!({"allowedOrgs": [nowhere]}))).await, 400, &why);
        assert_eq!(house.post(&developer, &path, ask(json!({"allowedOrgs": ["nonsense"]}))).await.status, 400);
        let why = "allowedOrgs must be ids of organizations";
        refused(&house.post(&developer, &path, ask(json!({"allowedOrgs": [""]}))).await, 400, why);
        let many: Vec<String> = (0..101).map(|at| format!("00000000-0000-7000-8000-0000000{at:05}")).collect();
        assert_eq!(house.post(&developer, &path, ask(json!({"allowedOrgs": many}))).await.status, 400);
    }
}
