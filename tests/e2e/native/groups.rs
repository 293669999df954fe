//! `/v1/groups`

use futures::future::join_all;
use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

async fn make(house: &House, name: &str) -> Answer {
    house.post(&house.admin, "/v1/groups", json!({"name": name})).await
}

async fn may(house: &House, token: &str) -> Value {
    house.get(token, "/v1/whoami").await.expect(200)["permissions"].clone()
}

both! {
    async fn a_group_is_made_found_renamed_and_deleted(house) {
        let made = house
            .post(&house.admin, "/v1/groups", json!({"name": " Builders ", "description": "they build"}))
            .await
            .expect(201);
        assert_eq!(
            (&made["name"], &made["description"], &made["members"]),
            (&json!("Builders"), &json!("they build"), &json!(0))
        );
        let id = made.text("id");
        for name in [id.as_str(), "Builders", "BUILDERS"] {
            assert_eq!(house.get(&house.admin, &format!("/v1/groups/{name}")).await.expect(200)["id"], id.as_str());
        }
        let renamed = house.patch(&house.admin, "/v1/groups/builders", json!({"name": "BUILDERS"})).await.expect(200);
        assert_eq!((&renamed["name"], &renamed["description"]), (&json!("BUILDERS"), &json!("they build")));
        house
            .patch(&house.admin, &format!("/v1/groups/{id}"), json!({"name": "Masons", "description": ""}))
            .await
            .expect(200);
        house.get(&house.admin, "/v1/groups/builders").await.refused(404, "not_found");
        make(house, "Builders").await.expect(201);
        house.patch(&house.admin, "/v1/groups/masons", json!({"name": "builders"})).await.refused(409, "duplicate");
        let listed = house.get(&house.admin, "/v1/groups").await.expect(200);
        // Beside the two that every org has.
        assert_eq!(listed["items"].as_array().unwrap().len(), 4);
        house.delete(&house.admin, "/v1/groups/masons").await.expect(200);
        house.delete(&house.admin, "/v1/groups/masons").await.refused(404, "not_found");
        house.delete(&house.admin, &format!("/v1/groups/{id}")).await.refused(404, "not_found");
        make(house, "Masons").await.expect(201);
    }

    async fn a_group_needs_a_name_that_is_free(house) {
        make(house, "Builders").await.expect(201);
        let before = house.revision().await;
        for same in ["builders", "BUILDERS", " Builders "] {
            make(house, same).await.refused(409, "duplicate");
        }
        for wrong in ["", "   ", "a/b"] {
            assert_eq!(make(house, wrong).await.refused(400, "invalid_field")["field"], "name");
            let answer = house.patch(&house.admin, "/v1/groups/builders", json!({"name": wrong})).await;
            answer.refused(400, "invalid_field");
        }
        assert_eq!(
            house.post(&house.admin, "/v1/groups", json!({})).await.refused(400, "invalid_field")["field"],
            "name"
        );
        assert_eq!(house.revision().await, before);
        let answers = join_all((0..8).map(|_| make(house, "race"))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 7);
    }

    async fn members_gain_and_lose_at_once_what_the_group_gives(house) {
        make(house, "builders").await.expect(201);
        let (id, token) = house.service("ci", &[]).await;
        let admin = &house.admin;
        let added = house.put(admin, "/v1/groups/builders/members/sa::ci", json!({})).await.expect(200);
        assert_eq!(added["members"], 1);
        assert_eq!(may(house, &token).await, json!([]));
        let given = house.put(admin, "/v1/groups/builders/roles/auditor", json!({})).await.expect(200);
        assert_eq!(given["roles"][0]["name"], "auditor");
        house.put(admin, "/v1/groups/builders/permissions/house:verify", json!({})).await.expect(200);
        assert_eq!(may(house, &token).await, json!(["house:ledger", "house:verify", "house:read"]));
        house.delete(admin, "/v1/groups/builders/roles/auditor").await.expect(200);
        assert_eq!(may(house, &token).await, json!(["house:verify"]));
        house.delete(admin, "/v1/groups/builders/permissions/house:verify").await.expect(200);
        assert_eq!(may(house, &token).await, json!([]));
        house.put(admin, "/v1/groups/builders/roles/member", json!({})).await.expect(200);
        let removed = house.delete(admin, &format!("/v1/groups/builders/members/{id}")).await.expect(200);
        assert_eq!(removed["members"], 0);
        assert_eq!(may(house, &token).await, json!([]));
        house.put(admin, "/v1/groups/builders/members/sa::ci", json!({})).await.expect(200);
        house.get(&token, "/v1/accounts").await.expect(200);
        house.delete(admin, "/v1/groups/builders").await.expect(200);
        house.get(&token, "/v1/accounts").await.refused(403, "missing_permission");
        let groups = house.get(admin, "/v1/accounts/sa::ci").await["groups"].clone();
        assert_eq!((groups.as_array().unwrap().len(), &groups[0]["name"]), (1, &json!("Service Accounts")));
    }

    async fn what_a_group_gives_can_end_by_itself(house) {
        make(house, "builders").await.expect(201);
        let (_, token) = house.service("ci", &[]).await;
        house.put(&house.admin, "/v1/groups/builders/members/sa::ci", json!({})).await.expect(200);
        let until = json!({"expires_at": 1_800_000_060_000_i64});
        house.put(&house.admin, "/v1/groups/builders/roles/member", until.clone()).await.expect(200);
        house.put(&house.admin, "/v1/groups/builders/permissions/house:verify", until).await.expect(200);
        house.wait(59);
        assert_eq!(may(house, &token).await, json!(["house:tokens.issue", "house:verify", "house:read"]));
        house.wait(1);
        assert_eq!(may(house, &token).await, json!([]));
        let group = house.get(&house.admin, "/v1/groups/builders").await.expect(200);
        assert_eq!((&group["roles"], &group["permissions"]), (&json!([]), &json!([])));
    }

    async fn adding_and_removing_twice_changes_nothing(house) {
        make(house, "builders").await.expect(201);
        house.service("ci", &[]).await;
        let path = "/v1/groups/builders/members/sa::ci";
        house.put(&house.admin, path, json!({})).await.expect(200);
        let before = house.revision().await;
        assert_eq!(house.put(&house.admin, path, json!({})).await.expect(200)["members"], 1);
        assert_eq!(house.revision().await, before);
        house.delete(&house.admin, path).await.expect(200);
        assert_eq!(house.delete(&house.admin, path).await.expect(200)["members"], 0);
        assert_eq!(house.revision().await, before + 1);
        house.put(&house.admin, "/v1/groups/builders/members/sa::nobody", json!({})).await.refused(404, "not_found");
        house
            .put(&house.admin, &format!("/v1/groups/builders/members/{}", house.org), json!({}))
            .await
            .refused(404, "not_found");
        house.put(&house.admin, "/v1/groups/nothing/members/sa::ci", json!({})).await.refused(404, "not_found");
        house.delete(&house.admin, "/v1/groups/builders/roles/nothing").await.refused(404, "not_found");
    }

    async fn members_are_listed(house) {
        make(house, "builders").await.expect(201);
        for name in ["a", "b", "c"] {
            let (id, _) = house.service(name, &[]).await;
            house.put(&house.admin, &format!("/v1/groups/builders/members/{id}"), json!({})).await.expect(200);
        }
        house.service("outside", &[]).await;
        let listed = house.get(&house.admin, "/v1/groups/builders/members").await.expect(200);
        let mut names: Vec<_> =
            listed["items"].as_array().unwrap().iter().map(|item| item["identifier"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["sa::a", "sa::b", "sa::c"]);
        let groups = listed["items"][0]["groups"].as_array().unwrap();
        assert!(groups.len() == 2 && groups.iter().any(|group| group["name"] == "builders"));
        house.delete(&house.admin, "/v1/accounts/sa::b").await.expect(200);
        let listed = house.get(&house.admin, "/v1/groups/builders/members").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        assert_eq!(house.get(&house.admin, "/v1/groups/builders").await["members"], 2);
    }

    async fn nobody_reaches_above_himself_through_a_group(house) {
        make(house, "chiefs").await.expect(201);
        house.put(&house.admin, "/v1/groups/chiefs/roles/administrator", json!({})).await.expect(200);
        let (id, keeper) = house.service("keeper", &[]).await;
        house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/house:groups"), json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/house:roles"), json!({})).await.expect(200);
        let before = house.revision().await;
        house.put(&keeper, &format!("/v1/groups/chiefs/members/{id}"), json!({})).await.refused(403, "not_covered");
        house.post(&keeper, "/v1/groups", json!({"name": "mine"})).await.expect(201);
        house.put(&keeper, &format!("/v1/groups/mine/members/{id}"), json!({})).await.expect(200);
        house.put(&keeper, "/v1/groups/mine/roles/administrator", json!({})).await.refused(403, "not_covered");
        house.put(&keeper, "/v1/groups/mine/permissions/house:tokens", json!({})).await.refused(403, "not_covered");
        assert_eq!(house.revision().await, before + 2);
        assert_eq!(may(house, &keeper).await, json!(["house:groups", "house:roles"]));
    }

    async fn every_change_needs_the_permission(house) {
        make(house, "builders").await.expect(201);
        let (id, member) = house.person("ann@example.test", &["member"]).await;
        let before = house.revision().await;
        for (answer, permission) in [
            (house.post(&member, "/v1/groups", json!({"name": "x"})).await, "house:groups"),
            (house.patch(&member, "/v1/groups/builders", json!({"name": "x"})).await, "house:groups"),
            (house.delete(&member, "/v1/groups/builders").await, "house:groups"),
            (house.put(&member, &format!("/v1/groups/builders/members/{id}"), json!({})).await, "house:groups"),
            (house.delete(&member, &format!("/v1/groups/builders/members/{id}")).await, "house:groups"),
            (house.put(&member, "/v1/groups/builders/roles/member", json!({})).await, "house:roles"),
            (house.delete(&member, "/v1/groups/builders/permissions/house:read").await, "house:roles"),
        ] {
            assert_eq!(answer.refused(403, "missing_permission")["permission"], permission);
        }
        assert_eq!(house.revision().await, before);
        house.get(&member, "/v1/groups/builders/members").await.expect(200);
        let (_, weak) = house.service("weak", &[]).await;
        for path in ["/v1/groups", "/v1/groups/builders", "/v1/groups/builders/members"] {
            assert_eq!(house.get(&weak, path).await.refused(403, "missing_permission")["permission"], "house:read");
        }
    }

    async fn another_orgs_group_is_not_there(house) {
        let id = make(house, "builders").await.expect(201).text("id");
        let (ci, _) = house.service("ci", &[]).await;
        let (_, neighbour) = house.neighbour("second").await;
        let own = house.post(&neighbour, "/v1/groups", json!({"name": "builders"})).await.expect(201).text("id");
        let before = house.revision().await;
        let path = format!("/v1/groups/{id}");
        house.get(&neighbour, &path).await.refused(404, "not_found");
        house.get(&neighbour, &format!("{path}/members")).await.refused(404, "not_found");
        house.patch(&neighbour, &path, json!({"name": "mine"})).await.refused(404, "not_found");
        house.delete(&neighbour, &path).await.refused(404, "not_found");
        house.put(&neighbour, &format!("{path}/roles/member"), json!({})).await.refused(404, "not_found");
        house.put(&neighbour, &format!("{path}/permissions/house:read"), json!({})).await.refused(404, "not_found");
        house.put(&neighbour, &format!("/v1/groups/{own}/members/{ci}"), json!({})).await.refused(404, "not_found");
        house.delete(&neighbour, &format!("/v1/groups/{own}/members/{ci}")).await.refused(404, "not_found");
        assert_eq!(house.revision().await, before);
        assert_eq!(house.get(&neighbour, "/v1/groups/builders").await["id"], own.as_str());
        let listed = house.get(&neighbour, "/v1/groups").await.expect(200);
        assert!(listed["items"].as_array().unwrap().iter().all(|group| group["id"] != id.as_str()));
        assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    }
}
