//! People who are invited (csp.md 6).

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, PASSWORD, both};

use super::{AM, OPERATIONS, person, refused};

async fn invite(house: &House, with: &str, ask: Value) -> Answer {
    house.post(with, &format!("{AM}/orgs/{}/invitations", house.org), ask).await
}

/// What somebody is now.
async fn member(house: &House, who: &str) -> Answer {
    let path = format!("{AM}/orgs/{}/users/search?userSearchTerm={who}", house.org);
    house.get(&house.admin, &path).await.expect(200)
}

fn names(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

both! {
    async fn who_is_invited_is_a_member_at_once_with_what_he_is_invited_to(house) {
        let (_, owner) = person(house, "own@example.test", &["org_owner", "aoa:viewer"]).await;
        let custom = json!({"name": "Pager", "permissions": ["external/other/pager"]});
        house.post(&owner, &format!("/csp/gateway/iam-roles-mgmt/api/orgs/{}/custom-roles", house.org), custom).await.expect(200);
        let group = house.post(&house.admin, "/v1/groups", json!({"name": "Pagers"})).await.expect(201).text("id");
        let until = house.clock.now() + 60_000;
        let ask = json!({
            "skipNotify": true,
            "usernames": ["ada@example.test", "Bob@example.test"],
            "organizationRoles": [{"name": "org_member", "expiresAt": null}, {"name": "developer", "expiresAt": until}],
            "serviceRolesDtos": [
                {"serviceDefinitionLink": format!("/csp/gateway/slc/api/definitions/external/{OPERATIONS}"), "serviceRoleNames": ["aoa:viewer"]},
                {"serviceDefinitionId": "other", "serviceRoles": [{"name": "user", "resource": "instance:1", "expiresAt": null}]},
            ],
            "customRoles": [{"name": "Pager"}],
            "customGroupsIds": [group],
            "invitedBy": "nobody",
        });
        let invited = invite(house, &owner, ask).await.expect(202);
        assert!(!invited.header("x-tokenhouse-receipt").is_empty());
        assert_eq!(invited["results"][1]["username"], json!("bob@example.test"));
        let id = invited["results"][0]["userId"].as_str().unwrap();
        assert_eq!(invited["refLinks"][0], json!(format!("{AM}/users/{id}")));
        assert_eq!(house.get(&owner, invited["refLinks"][0].as_str().unwrap()).await.expect(200).text("acct"), "ada@example.test");
        for who in ["ada", "bob"] {
            let found = member(house, who).await;
            let one = &found["results"][0];
            assert_eq!((names(&one["organizationRoles"]), names(&one["customRoles"])), (vec!["org_member", "developer"], vec!["Pager"]));
            assert_eq!(one["organizationRoles"][1]["expiresAt"], json!(until));
            assert_eq!(one["serviceRoles"][0]["serviceRoleNames"], json!(["aoa:viewer"]));
            assert_eq!(one["serviceRoles"][1]["serviceRoles"][0]["resource"], json!("instance:1"));
        }
        assert_eq!(house.get(&house.admin, &format!("/v1/groups/{group}")).await.expect(200).number("members"), 2);
        // He has no password until an administrator sets one.
        house.put(&house.admin, &format!("/v1/accounts/{id}/password"), json!({"password": PASSWORD})).await.expect(200);
        house.secret(PASSWORD);
        let session = house.sign_in("ada@example.test", PASSWORD).await;
        assert_eq!(house.get(&session, &format!("{AM}/loggedin/user")).await.expect(200).text("userId"), id);
    }

    async fn roles_are_told_in_every_spelling_that_clients_have(house) {
        for (at, ask) in [
            json!({"orgRoleName": "org_member", "serviceRolesDtos": []}),
            json!({"orgRoleNames": ["org_member"]}),
            json!({"organizationRoles": [{"name": "org_member", "displayName": "Organization Member", "orgId": "x"}]}),
            json!({"orgRoleName": "org_member", "orgRoleNames": ["csp:org_member"], "organizationRoles": [{"name": "org_member"}]}),
        ].into_iter().enumerate() {
            let mut ask = ask;
            ask["usernames"] = json!([format!("p{at}@example.test")]);
            invite(house, &house.admin, ask).await.expect(202);
            assert_eq!(names(&member(house, &format!("p{at}%40")).await["results"][0]["organizationRoles"]), ["org_member"]);
        }
    }

    async fn a_member_gets_the_roles_and_a_person_of_another_organization_becomes_a_member_here_too(house) {
        let (id, _) = person(house, "ada@example.test", &["org_member"]).await;
        let (second, stranger) = house.neighbour("second").await;
        let known = house.get(&stranger, &format!("{AM}/loggedin/user")).await.expect(200);
        let there = format!("{AM}/loggedin/user/orgs/{second}/roles");
        let before = house.get(&stranger, &there).await.expect(200).body;
        let ask = json!({"usernames": ["ada@example.test", known.text("acct")], "orgRoleNames": ["developer"]});
        let invited = invite(house, &house.admin, ask).await.expect(202);
        assert_eq!(invited["results"][0]["userId"], json!(id));
        assert_eq!(names(&member(house, "ada").await["results"][0]["organizationRoles"]), ["org_member", "developer"]);
        // Another account, of this org.
        assert_ne!(invited["results"][1]["userId"], json!(known.text("userId")));
        assert_eq!(names(&member(house, "admin%40second").await["results"][0]["organizationRoles"]), ["developer"]);
        assert_eq!(house.get(&stranger, &there).await.expect(200).body, before);
    }

    async fn nobody_invites_above_himself_and_all_are_taken_in_or_nobody(house) {
        let (_, admin) = person(house, "adm@example.test", &["org_admin"]).await;
        let (_, plain) = person(house, "mem@example.test", &["org_member", "developer"]).await;
        let (_, stranger) = house.neighbour("second").await;
        let before = house.revision().await;
        let ask = |roles: &[&str]| json!({"usernames": ["new@example.test", "mem@example.test"], "orgRoleNames": roles});
        refused(&invite(house, &admin, ask(&["org_member", "org_owner"])).await, 403, "you can't give what you don't hold: csp:org_owner");
        refused(&invite(house, &plain, ask(&["org_member"])).await, 403, "the permission house:accounts is required");
        refused(&invite(house, &stranger, ask(&["org_member"])).await, 404, "no such organization");
        refused(&invite(house, &admin, ask(&["org_member", "org_emperor"])).await, 400, "roles name one that does not exist: org_emperor");
        assert_eq!((house.revision().await, member(house, "new").await.number("totalResults")), (before, 0));
        invite(house, &admin, ask(&["org_member"])).await.expect(202);
        assert_eq!(member(house, "new").await.number("totalResults"), 1);
        // The last owner is not made one for a while by an invitation.
        let soon = json!([{"name": "org_owner", "expiresAt": house.clock.now() + 60_000}]);
        let ask = json!({"usernames": ["admin@example.test"], "organizationRoles": soon});
        refused(&invite(house, &house.admin, ask).await, 400, "roles must leave the organization an owner whose role does not end");
    }

    async fn bad_invitations_are_told(house) {
        let before = house.revision().await;
        let many: Vec<String> = (0..51).map(|at| format!("p{at}@example.test")).collect();
        let groups: Vec<&str> = vec!["00000000-0000-7000-8000-000000000000"; 16];
        for (ask, why) in [
            (json!({}), "usernames must be 1 to 50"),
            (json!({"usernames": [], "orgRoleNames": ["org_member"]}), "usernames must be 1 to 50"),
            (json!({"usernames": many, "orgRoleNames": ["org_member"]}), "usernames must be 1 to 50"),
            (json!({"usernames": ["a@b.test", "A@B.test"], "orgRoleNames": ["org_member"]}), "usernames name somebody twice"),
            (json!({"usernames": ["nobody"], "orgRoleNames": ["org_member"]}), "usernames must be an e-mail address"),
            (json!({"usernames": ["a@b.test"]}), "organizationRoles must name at least one role, org_member perhaps"),
            (json!({"usernames": ["a@b.test"], "customRoles": [{"name": "x"}]}), "organizationRoles must name at least one role, org_member perhaps"),
            (json!({"usernames": ["a@b.test"], "orgRoleNames": [""]}), "name must not be empty"),
            (json!({"usernames": ["a@b.test"], "orgRoleNames": ["org_member"], "serviceRolesDtos": [{"serviceRoleNames": ["x"]}]}), "serviceDefinitionId is missing"),
            (json!({"usernames": ["a@b.test"], "orgRoleNames": ["org_member"], "customGroupsIds": groups}), "customGroupsIds must be at most 15"),
            (json!({"usernames": ["a@b.test"], "orgRoleNames": ["org_member"], "customGroupsIds": [groups[0]]}), "customGroupsIds name a group that does not exist"),
        ] {
            refused(&invite(house, &house.admin, ask).await, 400, why);
        }
        assert_eq!(invite(house, &house.admin, json!({"usernames": "a@b.test"})).await.status, 400);
        assert_eq!(house.revision().await, before);
    }
}
