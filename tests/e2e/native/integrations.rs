//! `/v1/integrations`: for whose proxies service accounts get tokens in an onboarded org.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::access::Act;
use tokenhouse_model::{Permission, PermissionSet};

const PATH: &str = "/v1/integrations";

async fn names(house: &House, with: &str) -> Vec<String> {
    let listed = house.get(with, PATH).await.expect(200);
    assert_eq!(listed["next"], Value::Null);
    listed["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

both! {
    async fn the_list_of_a_new_org_is_the_one_that_is_documented(house) {
        let listed = house.get(&house.admin, PATH).await.expect(200);
        let one = |name: &str, description: &str, permission: &str| {
            json!({"name": name, "description": description, "permissions": [permission]})
        };
        let items = [
            one("aws-lambda", "AWS Lambda functions, which send data themselves", "ingestion"),
            one("kubernetes", "Kubernetes clusters, by the collector's proxy", "agent_management"),
            one("tanzu-application-service", "Tanzu Application Service, by the nozzle's proxy", "agent_management"),
            one("vsphere", "vSphere, by the proxy beside it", "agent_management"),
        ];
        assert_eq!(listed.body, json!({"items": items, "next": null}));
    }

    async fn what_is_listed_is_told_back_in_order_and_each_change_is_one_event(house) {
        let before = house.revision().await;
        let says = json!({"description": "all of them", "permissions": ["ingestion", "agent_management"]});
        let put = house.put(&house.admin, &format!("{PATH}/Legacy.Nagios-2"), says.clone()).await.expect(200);
        let expected = json!({"name": "legacy.nagios-2", "description": "all of them", "permissions": ["agent_management", "ingestion"]});
        assert_eq!(house.get(&house.admin, &format!("{PATH}/LEGACY.nagios-2")).await.expect(200).body, expected);
        assert_eq!((&put["name"], &put["receipt"]["revision"]), (&expected["name"], &json!(before + 1)));
        let list = ["aws-lambda", "kubernetes", "legacy.nagios-2", "tanzu-application-service", "vsphere"];
        assert_eq!(names(house, &house.admin).await, list);
        // The same again is nothing.
        house.put(&house.admin, &format!("{PATH}/legacy.nagios-2"), says).await.expect(200);
        house.put(&house.admin, &format!("{PATH}/legacy.nagios-2"), json!({"permissions": ["ingestion"]})).await.expect(200);
        assert_eq!(house.delete(&house.admin, &format!("{PATH}/Kubernetes")).await.expect(200)["name"], "kubernetes");
        house.delete(&house.admin, &format!("{PATH}/kubernetes")).await.expect(404);
        house.get(&house.admin, &format!("{PATH}/kubernetes")).await.expect(404);
        let events = house.events(before).await;
        let told: Vec<_> = events.iter().map(|event| (event["kind"].as_str().unwrap(), &event["details"])).collect();
        assert_eq!(
            told,
            [
                ("integration.listed", &json!({"name": "legacy.nagios-2", "description": "all of them",
                    "permissions": ["agent_management", "ingestion"]})),
                ("integration.listed", &json!({"name": "legacy.nagios-2", "description": "",
                    "permissions": ["ingestion"], "from": ["agent_management", "ingestion"]})),
                ("integration.removed", &json!({"name": "kubernetes", "permissions": ["agent_management"]})),
            ]
        );
        house.restart().await;
        assert_eq!(names(house, &house.admin).await, ["aws-lambda", "legacy.nagios-2", "tanzu-application-service", "vsphere"]);
        let (_, stranger) = house.neighbour("other").await;
        assert_eq!(names(house, &stranger).await, ["aws-lambda", "kubernetes", "tanzu-application-service", "vsphere"]);
    }

    async fn what_can_t_be_listed_is_refused(house) {
        let before = house.revision().await;
        let long = "x".repeat(65);
        for (name, says, message) in [
            ("a b", json!({"permissions": ["ingestion"]}), "name must consist of lower-case letters, digits, -, _ and ."),
            (&*long, json!({"permissions": ["ingestion"]}), "name must have at most 64 characters"),
            ("nagios", json!({"permissions": []}), "permissions must name what its proxies need"),
            ("nagios", json!({"permissions": ["house:read"]}), "permissions must be Wavefront's: proxies work on its paths alone"),
            ("nagios", json!({"permissions": ["external/x/y"]}), "permissions must be Wavefront's: proxies work on its paths alone"),
            ("nagios", json!({"permissions": ["ingestion", "user_management"]}),
                "permissions must not manage accounts or tokens: user_management"),
            ("nagios", json!({"permissions": ["token_management"]}), "permissions must not manage accounts or tokens: token_management"),
            ("nagios", json!({"permissions": ["saml_sso_management"]}),
                "permissions must not manage accounts or tokens: saml_sso_management"),
            ("nagios", json!({"permissions": ["nothing"]}), "permission must be a known permission or external/<service>/<role>"),
            ("nagios", json!({"permissions": ["ingestion"], "description": "x".repeat(1025)}),
                "description must have at most 1024 characters"),
        ] {
            let refused = house.put(&house.admin, &format!("{PATH}/{name}"), says).await.expect(400);
            assert_eq!(refused.text("detail"), message);
        }
        house.put(&house.admin, &format!("{PATH}/nagios"), json!({})).await.expect(400);
        assert_eq!(house.revision().await, before);
    }

    async fn everybody_sees_the_list_and_only_who_sets_the_policy_changes_it(house) {
        let may = PermissionSet::of(Act::ChangePolicy.allowed_by());
        for permission in Permission::ALL {
            let (id, session) = house.person(&format!("{}@example.test", permission.as_str().replace(':', ".")), &[]).await;
            house.put(&house.admin, &format!("/v1/accounts/{id}/permissions/{permission}"), json!({})).await.expect(200);
            let (put, delete) = if may.has(*permission) { (200, 200) } else { (403, 403) };
            let path = format!("{PATH}/nagios");
            assert_eq!(names(house, &session).await.len(), 4);
            assert_eq!(house.put(&session, &path, json!({"permissions": ["ingestion"]})).await.status, put, "{permission}");
            assert_eq!(house.delete(&session, &path).await.status, delete, "{permission}");
        }
    }
}
