//! `/v1/roles`

use serde_json::{Value, json};
use tokenhouse_e2e::{Answer, House, both};

async fn make(house: &House, name: &str, permissions: &[&str]) -> Answer {
    house.post(&house.admin, "/v1/roles", json!({"name": name, "permissions": permissions})).await
}

async fn may(house: &House, token: &str) -> Value {
    house.get(token, "/v1/whoami").await.expect(200)["permissions"].clone()
}

both! {
    async fn a_custom_role_is_made_found_and_listed_beside_the_built_in_ones(house) {
        let made =
            make(house, " Deployers ", &["house:verify", "external/ci/deploy", "house:verify"]).await.expect(201);
        assert_eq!(
            (&made["name"], &made["kind"], &made["builtin"], &made["namespace"]),
            (&json!("Deployers"), &json!("custom"), &json!(false), &json!("house"))
        );
        assert_eq!(made["permissions"], json!(["house:verify", "external/ci/deploy"]));
        for name in [made.text("id").as_str(), "Deployers", "deployers"] {
            assert_eq!(house.get(&house.admin, &format!("/v1/roles/{name}")).await.expect(200)["id"], made["id"]);
        }
        let listed = house.get(&house.admin, "/v1/roles").await.expect(200);
        let names: Vec<_> = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|role| (role["name"].as_str().unwrap(), role["builtin"] == true))
            .collect();
        for builtin in [
            "operator",
            "administrator",
            "member",
            "auditor",
            "verifier",
            "org_owner",
            "developer",
            "admin",
            "read_only",
        ] {
            assert!(names.contains(&(builtin, true)), "{builtin}");
        }
        assert!(names.contains(&("Deployers", false)));
        house.post(&house.admin, "/v1/roles", json!({"name": "empty"})).await.expect(201);
    }

    async fn a_role_needs_a_free_name_and_known_permissions(house) {
        make(house, "deployers", &[]).await.expect(201);
        let before = house.revision().await;
        for taken in ["Deployers", "administrator", "ADMIN", " member "] {
            make(house, taken, &[]).await.refused(409, "duplicate");
        }
        house
            .patch(&house.admin, "/v1/roles/deployers", json!({"name": "administrator"}))
            .await
            .refused(409, "duplicate");
        for wrong in ["", " ", "a/b"] {
            assert_eq!(make(house, wrong, &[]).await.refused(400, "invalid_field")["field"], "name");
        }
        for wrong in [
            "",
            "root",
            "house:",
            "HOUSE:READ",
            "external/",
            "external/x",
            "external//x",
            "external/a/b c",
            "other/a/b",
        ] {
            assert_eq!(
                make(house, "x", &[wrong]).await.refused(400, "invalid_field")["field"],
                "permission",
                "{wrong}"
            );
        }
        let many: Vec<String> = (0..501).map(|n| format!("external/a/{n}")).collect();
        let answer = house.post(&house.admin, "/v1/roles", json!({"name": "x", "permissions": many})).await;
        assert_eq!(answer.refused(400, "invalid_field")["field"], "permissions");
        assert_eq!(house.revision().await, before);
        make(house, "most", &many[..500].iter().map(String::as_str).collect::<Vec<_>>()).await.expect(201);
    }

    async fn a_built_in_role_cannot_be_changed(house) {
        let before = house.revision().await;
        for role in ["operator", "administrator", "member", "org_owner", "admin"] {
            let path = format!("/v1/roles/{role}");
            house.patch(&house.admin, &path, json!({"permissions": []})).await.refused(409, "unlawful_state");
            house.patch(&house.admin, &path, json!({"name": "x"})).await.refused(409, "unlawful_state");
            house.delete(&house.admin, &path).await.refused(409, "unlawful_state");
        }
        assert_eq!(house.revision().await, before);
        assert_eq!(
            house.get(&house.admin, "/v1/roles/member").await["permissions"],
            json!(["house:tokens.issue", "house:read"])
        );
    }

    async fn a_changed_role_changes_its_holders_at_once(house) {
        make(house, "changing", &["house:read"]).await.expect(201);
        let (_, direct) = house.service("direct", &["changing"]).await;
        let (id, member) = house.service("member", &[]).await;
        house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201);
        house.put(&house.admin, "/v1/groups/g/roles/changing", json!({})).await.expect(200);
        house.put(&house.admin, &format!("/v1/groups/g/members/{id}"), json!({})).await.expect(200);
        for permissions in [json!(["house:ledger", "house:read"]), json!(["house:ledger"]), json!([])] {
            let changed =
                house.patch(&house.admin, "/v1/roles/changing", json!({"permissions": permissions})).await.expect(200);
            assert_eq!((&changed["permissions"], &changed["name"]), (&permissions, &json!("changing")));
            for token in [&direct, &member] {
                assert_eq!(may(house, token).await, permissions);
            }
        }
        house.get(&direct, "/v1/accounts").await.refused(403, "missing_permission");
        let renamed = house
            .patch(&house.admin, "/v1/roles/changing", json!({"name": "Changed", "description": "d"}))
            .await
            .expect(200);
        assert_eq!((&renamed["name"], &renamed["description"]), (&json!("Changed"), &json!("d")));
        assert_eq!(house.get(&house.admin, "/v1/accounts/sa::direct").await["roles"][0]["name"], "Changed");
    }

    async fn a_deleted_role_is_lost_by_whoever_held_it(house) {
        make(house, "fleeting", &["house:read"]).await.expect(201);
        let (_, one) = house.service("one", &["fleeting"]).await;
        let (_, two) = house.service("two", &["fleeting", "verifier"]).await;
        let gone = house.delete(&house.admin, "/v1/roles/fleeting").await.expect(200);
        assert_eq!(gone["touched"], 2);
        assert_eq!((may(house, &one).await, may(house, &two).await), (json!([]), json!(["house:verify"])));
        house.delete(&house.admin, "/v1/roles/fleeting").await.refused(404, "not_found");
        // Made again, it is another one: nobody has it.
        make(house, "fleeting", &["house:read"]).await.expect(201);
        assert_eq!(may(house, &one).await, json!([]));
    }

    async fn nobody_adds_to_a_role_what_he_does_not_hold(house) {
        make(house, "mine", &["house:roles"]).await.expect(201);
        let (id, keeper) = house.service("keeper", &["mine"]).await;
        let before = house.revision().await;
        let answer =
            house.patch(&keeper, "/v1/roles/mine", json!({"permissions": ["house:roles", "house:tokens"]})).await;
        assert_eq!(answer.refused(403, "not_covered")["permission"], "house:tokens");
        assert_eq!(house.revision().await, before);
        house.post(&keeper, "/v1/roles", json!({"name": "strong", "permissions": ["house:tokens"]})).await.expect(201);
        house.put(&keeper, &format!("/v1/accounts/{id}/roles/strong"), json!({})).await.refused(403, "not_covered");
        house
            .put(&keeper, &format!("/v1/accounts/{id}/roles/administrator"), json!({}))
            .await
            .refused(403, "not_covered");
        assert_eq!(may(house, &keeper).await, json!(["house:roles"]));
    }

    async fn every_change_needs_the_permission(house) {
        make(house, "custom", &[]).await.expect(201);
        let (_, member) = house.person("ann@example.test", &["member"]).await;
        let before = house.revision().await;
        for answer in [
            house.post(&member, "/v1/roles", json!({"name": "x"})).await,
            house.patch(&member, "/v1/roles/custom", json!({"name": "x"})).await,
            house.delete(&member, "/v1/roles/custom").await,
        ] {
            assert_eq!(answer.refused(403, "missing_permission")["permission"], "house:roles");
        }
        assert_eq!(house.revision().await, before);
        let (_, weak) = house.service("weak", &[]).await;
        house.get(&weak, "/v1/roles").await.refused(403, "missing_permission");
        house.get(&weak, "/v1/roles/member").await.refused(403, "missing_permission");
    }

    async fn another_orgs_role_is_not_there(house) {
        let id = make(house, "deployers", &["house:read"]).await.expect(201).text("id");
        let (_, neighbour) = house.neighbour("second").await;
        let own = house.post(&neighbour, "/v1/roles", json!({"name": "deployers"})).await.expect(201).text("id");
        let account = house
            .post(&neighbour, "/v1/accounts", json!({"kind": "service", "identifier": "ci"}))
            .await
            .expect(201)
            .text("id");
        let before = house.revision().await;
        let path = format!("/v1/roles/{id}");
        house.get(&neighbour, &path).await.refused(404, "not_found");
        house.patch(&neighbour, &path, json!({"permissions": []})).await.refused(404, "not_found");
        house.delete(&neighbour, &path).await.refused(404, "not_found");
        house.put(&neighbour, &format!("/v1/accounts/{account}/roles/{id}"), json!({})).await.refused(404, "not_found");
        assert_eq!(house.revision().await, before);
        assert_eq!(house.get(&neighbour, "/v1/roles/deployers").await["id"], own.as_str());
        let listed = house.get(&neighbour, "/v1/roles").await.expect(200);
        let custom: Vec<_> =
            listed["items"].as_array().unwrap().iter().filter(|role| role["builtin"] == false).collect();
        assert_eq!(custom.len(), 1);
    }

    async fn an_earlier_end_of_a_role_is_journaled_as_a_loss(house) {
        let (id, _) = house.service("ci", &["verifier"]).await;
        let path = format!("/v1/accounts/{id}/roles/verifier");
        let journaled = || {
            let folders = std::fs::read_dir(house.journal()).unwrap().flatten();
            let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten());
            files.map(|file| std::fs::read_to_string(file.path()).unwrap()).collect::<String>().contains("\"assignment\"")
        };
        house.put(&house.admin, &path, json!({"expires_at": 1_900_000_000_000_i64})).await.expect(200);
        assert!(journaled());
    }

    async fn the_administrator_gives_the_ranks_below_his_own(house) {
        let (id, _) = house.service("ci", &[]).await;
        for role in ["org_member", "org_admin", "power", "read_only"] {
            house.put(&house.admin, &format!("/v1/accounts/{id}/roles/{role}"), json!({})).await.expect(200);
        }
    }
}
