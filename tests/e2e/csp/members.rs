//! Reading members, their roles and their groups (csp.md 6).

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

use super::{AM, OPERATIONS, person, refused};

/// Where a member is in the first org.
fn at(house: &House, who: &str) -> String {
    format!("{AM}/users/{who}/orgs/{}", house.org)
}

/// One's own.
fn own(house: &House) -> String {
    format!("{AM}/loggedin/user/orgs/{}", house.org)
}

/// A group with these roles and members.
async fn group(house: &House, name: &str, roles: &[&str], members: &[&str]) -> String {
    let id = house.post(&house.admin, "/v1/groups", json!({"name": name})).await.expect(201).text("id");
    for role in roles {
        house.put(&house.admin, &format!("/v1/groups/{id}/roles/{role}"), json!({})).await.expect(200);
    }
    for member in members {
        house.put(&house.admin, &format!("/v1/groups/{id}/members/{member}"), json!({})).await.expect(200);
    }
    id
}

fn names(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

both! {
    async fn whoever_is_signed_in_reads_his_roles_and_through_what_he_has_them(house) {
        // A role of another namespace is not seen here.
        let (id, session) = person(house, "ada@example.test", &["org_member", "member", "aoa:alerts"]).await;
        let given_at = house.clock.now();
        house.wait(1);
        let until = house.clock.now() + 3_600_000;
        let developer = format!("/v1/accounts/{id}/roles/developer");
        house.put(&house.admin, &developer, json!({"expires_at": until})).await.expect(200);
        house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/external%2Fother%2F*%2Fwriter"), json!({})).await.expect(200);
        let pagers = group(house, "Pagers", &["org_member", "aoa:viewer"], &[&id]).await;
        let roles = house.get(&session, &format!("{}/roles", own(house))).await.expect(200);
        assert_eq!(names(&roles.body), ["org_member", "developer", "org_member"]);
        let direct = json!({
            "name": "org_member", "roleName": "org_member", "displayName": "Organization Member", "resource": null,
            "membershipType": "DIRECT", "expiresAt": null, "createdBy": null, "createdDate": given_at.to_string(),
            "lastUpdatedBy": null, "lastUpdatedDate": null, "visible": true,
            "organizationLink": format!("{AM}/orgs/{}", house.org),
        });
        assert_eq!(roles.body[0], direct);
        assert_eq!((&roles.body[1]["displayName"], &roles.body[1]["expiresAt"]), (&json!("Developer"), &json!(until)));
        assert_eq!((&roles.body[2]["membershipType"], &roles.body[2]["groupIds"]), (&json!("GROUP"), &json!([pagers])));
        let services = house.get(&session, &format!("{}/service-roles", own(house))).await.expect(200);
        let [ours, other] = services["serviceRoles"].as_array().unwrap().as_slice() else { panic!("{}", services.raw) };
        assert_eq!(ours["serviceDefinitionId"], json!(OPERATIONS));
        assert_eq!(ours["serviceDefinitionLink"], json!(format!("/csp/gateway/slc/api/definitions/external/{OPERATIONS}")));
        assert_eq!(ours["serviceRoleNames"], json!(["aoa:alerts", "aoa:viewer"]));
        assert_eq!((&ours["serviceRoles"][0]["displayName"], &ours["serviceRoles"][1]["membershipType"]), (&json!("Alerts"), &json!("GROUP")));
        assert_eq!((&other["serviceDefinitionId"], names(&other["serviceRoles"])), (&json!("other"), vec!["writer"]));
        assert_eq!(other["serviceRoles"][0]["resource"], json!("*"));
        let groups = house.get(&session, &format!("{}/groups", own(house))).await.expect(200);
        let pagers = groups["groups"].as_array().unwrap().iter().find(|one| one["displayName"] == "Pagers").unwrap();
        assert_eq!((&pagers["usersCount"], &pagers["ownerOrgId"]), (&json!(1), &json!(house.org)));
        assert_eq!(house.get(&session, &format!("{}/custom-roles", own(house))).await.expect(200)["customRoles"], json!([]));
        let info = house.get(&session, &format!("{}/info", own(house))).await.expect(200);
        assert_eq!(info["user"]["userId"], json!(id));
        let [org] = info["userOrgInfo"].as_array().unwrap().as_slice() else { panic!("{}", info.raw) };
        assert_eq!((&org["displayName"], names(&org["orgRoles"]).len()), (&json!("first"), 3));
        assert_eq!(org["servicesDef"][0]["serviceRoles"], json!(["aoa:alerts", "aoa:viewer"]));
        assert_eq!(org["servicesDef"][1]["serviceDisplayName"], json!(null));
        // OpenID Connect knows the groups too.
        let info = house.get(&session, &format!("{AM}/userinfo")).await.expect(200);
        let told = info["group_names"].as_array().unwrap();
        assert!(told.contains(&json!("Pagers")) && info["group_ids"].as_array().unwrap().contains(&pagers["id"]), "{}", info.raw);
    }

    async fn a_member_is_read_by_id_and_address_below_every_path_that_names_him(house) {
        let (id, _) = person(house, "ada@example.test", &["org_member", "aoa:viewer"]).await;
        let (_, bob) = person(house, "bob@example.test", &["org_member"]).await;
        let of_org = format!("{AM}/orgs/{}/users/{id}", house.org);
        for path in [at(house, &id), at(house, "ada@example.test"), at(house, "ADA@Example.test"), of_org] {
            let roles = house.get(&bob, &format!("{path}/roles")).await.expect(200);
            assert_eq!(names(&roles.body), ["org_member"]);
        }
        for version in ["v2", "v3"] {
            let path = at(house, &id).replace("/api/", &format!("/api/{version}/"));
            let roles = house.get(&bob, &format!("{path}/service-roles")).await.expect(200);
            assert_eq!(roles["serviceRoles"][0]["serviceRoleNames"], json!(["aoa:viewer"]));
            assert_eq!(house.get(&bob, &format!("{path}/info")).await.expect(200)["user"]["acct"], json!("ada@example.test"));
        }
        assert_eq!(house.get(&bob, &format!("{AM}/users/{id}")).await.expect(200).text("username"), "ada@example.test");
    }

    async fn nobody_is_read_in_another_organization_or_without_the_right_to(house) {
        let (id, _) = person(house, "ada@example.test", &["org_member"]).await;
        let (nobody, session) = person(house, "eve@example.test", &["developer"]).await;
        let (second, stranger) = house.neighbour("second").await;
        for what in ["info", "roles", "service-roles", "custom-roles", "groups"] {
            let elsewhere = format!("{AM}/loggedin/user/orgs/{second}/{what}");
            refused(&house.get(&session, &elsewhere).await, 404, "no such organization");
            refused(&house.get(&house.admin, &format!("{AM}/loggedin/user/orgs/nonsense/{what}")).await, 404, "no such organization");
            // Somebody of another org, by id and by address.
            for who in [&*id, "ada@example.test"] {
                refused(&house.get(&stranger, &format!("{}/{what}", at(house, who))).await, 404, "no such organization");
                let path = format!("{AM}/users/{who}/orgs/{second}/{what}");
                refused(&house.get(&stranger, &path).await, 404, "no such user");
            }
            refused(&house.get(&house.admin, &format!("{}/{what}", at(house, "nobody@example.test"))).await, 404, "no such user");
            // Oneself one may always read.
            refused(&house.get(&session, &format!("{}/{what}", at(house, &id))).await, 403, "the permission house:read is required");
            house.get(&session, &format!("{}/{what}", at(house, &nobody))).await.expect(200);
            house.get(&session, &format!("{}/{what}", at(house, "eve@example.test"))).await.expect(200);
        }
        let (robot, _) = house.service("robot", &["org_member"]).await;
        refused(&house.get(&house.admin, &format!("{}/roles", at(house, &robot))).await, 404, "no such user");
        for path in ["roles", "users", "groups", "users/search?userSearchTerm=a"] {
            let answer = house.get(&session, &format!("{AM}/orgs/{}/{path}", house.org)).await;
            refused(&answer, 403, "the permission house:read is required");
            refused(&house.get(&stranger, &format!("{AM}/orgs/{}/{path}", house.org)).await, 404, "no such organization");
        }
        refused(&house.get("", &format!("{}/roles", own(house))).await, 401, "a credential is required");
    }

    async fn members_are_listed_in_pages_that_link_each_other(house) {
        for at in 0..4 {
            house.wait(1);
            person(house, &format!("p{at}@example.test"), &["org_member"]).await;
        }
        house.service("robot", &["org_member"]).await;
        let (_, session) = person(house, "z@example.test", &["org_member", "aoa:viewer"]).await;
        let path = format!("{AM}/orgs/{}/users", house.org);
        let all = house.get(&session, &path).await.expect(200);
        // The first administrator, the four, and who asks; robots are no users.
        assert_eq!((all.number("totalResults"), &all["nextLink"], &all["prevLink"]), (6, &json!(null), &json!(null)));
        let listed = all["results"].as_array().unwrap().clone();
        assert_eq!(listed[0]["user"]["username"], json!("admin@example.test"));
        assert_eq!((names(&listed[1]["organizationRoles"]), &listed[1]["orgId"]), (vec!["org_member"], &json!(house.org)));
        let (mut next, mut seen) = (format!("{AM}/v2/orgs/{}/users?pageLimit=4", house.org), Vec::new());
        loop {
            let page = house.get(&session, &next).await.expect(200);
            assert_eq!(page.number("totalResults"), 6);
            seen.extend(page["results"].as_array().unwrap().clone());
            match page["nextLink"].as_str() {
                Some(link) => {
                    assert_eq!(link, format!("{path}?pageStart=5&pageLimit=4"));
                    next = link.to_owned();
                }
                None => {
                    assert_eq!(page.text("prevLink"), format!("{path}?pageStart=1&pageLimit=4"));
                    break;
                }
            }
        }
        assert_eq!(seen, listed);
        let beyond = house.get(&session, &format!("{path}?pageStart=100")).await.expect(200);
        assert_eq!(beyond["results"], json!([]));
        // Those who have something of a service.
        let link = format!("{path}?serviceDefinitionId={OPERATIONS}");
        let page = house.get(&session, &format!("{link}&pageLimit=1")).await.expect(200);
        assert_eq!(page["results"][0]["user"]["username"], json!("z@example.test"));
        assert_eq!((page.number("totalResults"), &page["nextLink"]), (1, &json!(null)));
        house.wait(1);
        person(house, "zz@example.test", &["aoa:alerts"]).await;
        let page = house.get(&session, &format!("{link}&pageLimit=1")).await.expect(200);
        assert_eq!(page.text("nextLink"), format!("{link}&pageStart=2&pageLimit=1"));
        let page = house.get(&session, &page.text("nextLink")).await.expect(200);
        assert_eq!(page["results"][0]["user"]["username"], json!("zz@example.test"));
        assert_eq!((page.text("prevLink"), &page["nextLink"]), (format!("{link}&pageStart=1&pageLimit=1"), &json!(null)));
        let message = |name: &str, why: &str| format!("{name} {why}");
        for (query, why) in [
            ("pageStart=0", message("pageStart", "must be at least 1")),
            ("pageLimit=0", message("pageLimit", "must be 1 to 200")),
            ("pageLimit=201", message("pageLimit", "must be 1 to 200")),
            ("pageStart=99999999999", message("pageStart", "is too large")),
            ("pageStart=x", "the query can't be read".to_owned()),
            ("serviceDefinitionId=a%26b", message("serviceDefinitionId", "is no id of a service")),
        ] {
            refused(&house.get(&session, &format!("{path}?{query}")).await, 400, &why);
        }
    }

    async fn members_are_looked_up_by_a_part_of_their_address(house) {
        let (id, session) = person(house, "ada.lovelace@example.test", &["org_member"]).await;
        person(house, "bob@example.test", &["org_member"]).await;
        let path = format!("{AM}/orgs/{}/users/search", house.org);
        let found = house.get(&session, &format!("{path}?userSearchTerm=LOVE")).await.expect(200);
        assert_eq!((found.number("totalResults"), &found["results"][0]["user"]["userId"]), (1, &json!(id)));
        assert_eq!(names(&found["results"][0]["organizationRoles"]), ["org_member"]);
        assert_eq!(house.get(&session, &format!("{path}?userSearchTerm=%40")).await.expect(200).number("totalResults"), 3);
        assert_eq!(house.get(&session, &format!("{path}?userSearchTerm=%25")).await.expect(200).number("totalResults"), 0);
        refused(&house.get(&session, &path).await, 400, "userSearchTerm is missing");
        let found = house.post(&session, &format!("{AM}/v2/users/search"), json!({"searchTerm": "lovelace"})).await.expect(200);
        assert_eq!((found.number("totalResults"), &found["results"][0]["userId"]), (1, &json!(id)));
        for at in 0..20 {
            person(house, &format!("p{at}@example.test"), &[]).await;
        }
        let many = house.get(&session, &format!("{path}?userSearchTerm=example")).await.expect(200);
        assert_eq!(many["results"].as_array().unwrap().len(), 20);
    }

    async fn the_organizations_roles_and_groups_are_listed(house) {
        let (id, session) = person(house, "ada@example.test", &["org_member"]).await;
        let org = format!("{AM}/orgs/{}", house.org);
        let roles = house.get(&session, &format!("{org}/roles?expand=1")).await.expect(200);
        assert_eq!(names(&roles["orgRolesData"]), ["org_owner", "org_admin", "org_member", "developer"]);
        assert_eq!(roles["orgRolesData"][0]["displayName"], json!("Organization Owner"));
        for link in roles["refLinks"].as_array().unwrap() {
            let one = house.get(&session, link.as_str().unwrap()).await.expect(200);
            assert_eq!(&one["refLink"], link);
        }
        refused(&house.get(&session, &format!("{org}/roles/administrator")).await, 404, "no such role");
        house.wait(1);
        let pagers = group(house, "Pagers", &["org_member", "aoa:viewer", "member"], &[&id]).await;
        let page = house.get(&session, &format!("{org}/groups?pageStart=2&pageLimit=1")).await.expect(200);
        assert_eq!((page.number("totalResults"), page.text("nextLink")), (3, format!("{org}/groups?pageStart=3&pageLimit=1")));
        let page = house.get(&session, &page.text("nextLink")).await.expect(200);
        assert_eq!(page.text("prevLink"), format!("{org}/groups?pageStart=2&pageLimit=1"));
        let one = house.get(&session, &format!("{org}/groups/{pagers}")).await.expect(200);
        assert_eq!(page["results"], json!([one.body]));
        assert_eq!((names(&one["organizationRoles"]), &one["groupType"]), (vec!["org_member"], &json!("USER_GROUP")));
        assert_eq!(one["serviceRoles"][0]["serviceRoleNames"], json!(["aoa:viewer"]));
        let users = house.get(&session, &format!("{org}/groups/{pagers}/users")).await.expect(200);
        assert_eq!((users.number("totalResults"), &users["results"][0]["userId"]), (1, &json!(id)));
        let (second, stranger) = house.neighbour("second").await;
        for path in [format!("{AM}/orgs/{second}/groups/{pagers}"), format!("{AM}/orgs/{second}/groups/{pagers}/users")] {
            refused(&house.get(&stranger, &path).await, 404, "no such group");
        }
    }
}
