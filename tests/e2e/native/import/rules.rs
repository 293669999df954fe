//! Who may bring which tokens, and what the org's policy says to it.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

use super::{foreign, import, one, sha256, told};

/// A service account with these permissions, and a token of it that reaches everything.
async fn holder(house: &House, name: &str, permissions: &[&str]) -> (String, String) {
    let (id, token) = house.service(name, &[]).await;
    for permission in permissions {
        let path = format!("/v1/accounts/{id}/permissions/{permission}");
        house.put(&house.admin, &path, json!({})).await.expect(200);
    }
    (id, token)
}

async fn policy(house: &House, change: impl Fn(&mut Value)) {
    let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
    change(&mut policy);
    policy.as_object_mut().unwrap().remove("receipt");
    house.put(&house.admin, "/v1/policy", policy).await.expect(200);
}

both! {
    async fn nobody_imports_without_the_permission_whatever_else_he_holds(house) {
        let all = ["house:tokens", "house:tokens.issue", "house:accounts", "house:roles", "house:read", "house:verify", "user_management"];
        let (_, token) = holder(house, "strong", &all).await;
        house.service("ci", &[]).await;
        let row = json!([{"token": foreign(house, 1), "owner": "sa::ci"}]);
        let refused = import(house, &token, row.clone()).await.refused(403, "missing_permission");
        assert_eq!(refused["permission"], "house:tokens.import");
        // A token of the administrator that is limited to less.
        let (_, limited) = house.issue(&house.admin, json!({"scopes": ["house:tokens", "house:tokens.issue"]})).await;
        import(house, &limited, row).await.refused(403, "missing_permission");
        let dry = json!({"tokens": [], "dry_run": true});
        house.post(&limited, "/v1/tokens/import", dry).await.refused(403, "missing_permission");
    }

    async fn each_lesser_set_of_permissions_brings_only_what_it_covers(house) {
        house.person("ana@example.test", &["member"]).await;
        house.service("plain", &[]).await;
        let (strong, _) = holder(house, "strong", &["house:ledger", "house:read"]).await;
        let org = |n| json!({"token": foreign(house, n), "kind": "org", "permissions": ["external/splunk/ingest"]});
        let rows = |n: u64| vec![
            json!({"token": foreign(house, n), "owner": "sa::plain"}),
            json!({"token": foreign(house, n + 1), "owner": strong}),
            json!({"token": foreign(house, n + 2), "owner": strong, "permissions": ["house:read"]}),
            json!({"token": foreign(house, n + 3), "owner": "ana@example.test"}),
            org(n + 4),
        ];
        let codes = async |with: &str, n: u64| -> Vec<String> {
            let answer = import(house, with, json!(rows(n))).await.expect(200);
            (0..5).map(|at| told(&answer, at)).collect()
        };
        let (_, bare) = holder(house, "bare", &["house:tokens.import"]).await;
        let lacking = ["missing_permission", "missing_permission", "missing_permission", "not_covered", "missing_permission"];
        assert_eq!(codes(&bare, 100).await, lacking);
        let (_, reader) = holder(house, "reader", &["house:tokens.import", "house:tokens", "house:read"]).await;
        // What is of a service behind us is given by whoever manages roles, or has it.
        assert_eq!(codes(&reader, 200).await, ["imported", "not_covered", "imported", "not_covered", "not_covered"]);
        let enough = ["house:tokens.import", "house:tokens", "house:read", "house:ledger", "house:tokens.issue", "house:roles"];
        let (own, whole) = holder(house, "whole", &enough).await;
        assert_eq!(codes(&whole, 300).await, ["imported"; 5]);
        // For oneself nothing is an exception: a limited token brings none that is more than itself.
        let (_, scoped) = house.issue(&whole, json!({"scopes": ["house:tokens.import", "house:tokens.issue"]})).await;
        let row = |n| json!({"token": foreign(house, n), "owner": own});
        assert_eq!(one(house, &scoped, row(400)).await, "not_covered");
        let mut less = row(401);
        less["permissions"] = json!(["house:tokens.issue"]);
        assert_eq!(one(house, &scoped, less).await, "imported");
    }

    async fn reach_and_addresses_are_never_wider_than_the_importers(house) {
        house.service("ci", &[]).await;
        let ask = json!({"reach": ["native", "verify"]});
        let (_, narrow) = house.issue(&house.admin, ask).await;
        let row = |n: u64, reach: &str| json!({"token": foreign(house, n), "owner": "sa::ci", "reach": [reach]});
        assert_eq!(one(house, &narrow, row(1, "wavefront")).await, "forbidden");
        assert_eq!(one(house, &narrow, row(2, "verify")).await, "imported");
        let (_, bound) = house.issue(&house.admin, json!({"cidrs": ["127.0.0.0/8"]})).await;
        assert_eq!(one(house, &bound, row(3, "verify")).await, "forbidden");
        let inside = json!({"token": foreign(house, 4), "owner": "sa::ci", "addresses": ["127.0.0.1"]});
        assert_eq!(one(house, &bound, inside).await, "imported");
        let outside = json!({"token": foreign(house, 5), "owner": "sa::ci", "addresses": ["10.0.0.1"]});
        assert_eq!(one(house, &bound, outside).await, "forbidden");
    }

    async fn an_org_token_holds_what_it_brings_and_never_a_management_permission(house) {
        let text = foreign(house, 1);
        let row = json!({"token": text, "kind": "org", "name": "edge", "permissions": ["external/splunk/ingest"], "reach": ["splunk", "verify"]});
        assert_eq!(one(house, &house.admin, row.clone()).await, "imported");
        assert_eq!(one(house, &house.admin, row).await, "present");
        let ask = json!({"token": text, "permission": "external/splunk/ingest"});
        let verified = house.post(&house.admin, "/v1/verify", ask).await.expect(200);
        assert_eq!((&verified["active"], &verified["kind"]), (&json!(true), &json!("org")), "{}", verified.raw);
        let ask = json!({"token": text, "permission": "external/splunk/api"});
        assert_eq!(house.post(&house.admin, "/v1/verify", ask).await.expect(200)["reason"], "permission_missing");
        for permission in ["house:read", "ingestion", "splunk:admin"] {
            let row = json!({"token": foreign(house, 2), "kind": "org", "permissions": [permission]});
            assert_eq!(one(house, &house.admin, row).await, "forbidden");
        }
        let page = house.get(&house.admin, "/v1/tokens?kind=org").await.expect(200);
        assert_eq!((page["items"].as_array().unwrap().len(), &page["items"][0]["name"]), (1, &json!("edge")));
    }

    async fn the_orgs_policy_holds_for_what_moves_in(house) {
        house.service("ci", &[]).await;
        policy(house, |policy| policy["kinds"]["service"]["max_lifetime_seconds"] = json!(1000)).await;
        let now = house.clock.now();
        let row = |n: u64, ends: Value| json!({"token": foreign(house, n), "owner": "sa::ci", "expires_at": ends, "created_at": now - 400_000});
        assert_eq!(one(house, &house.admin, row(1, json!(null))).await, "lifetime");
        assert_eq!(one(house, &house.admin, row(2, json!(now + 600_001))).await, "lifetime");
        assert_eq!(one(house, &house.admin, row(3, json!(now + 600_000))).await, "imported");
        let capped = json!({"tokens": [row(1, json!(null))], "cap_lifetimes": true});
        let answer = house.post(&house.admin, "/v1/tokens/import", capped).await.expect(200);
        let id = answer["tokens"][0]["id"].as_str().unwrap();
        let shown = house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200);
        assert_eq!(shown["expires_at"], now + 600_000);
        let old = json!({"token": foreign(house, 4), "owner": "sa::ci", "created_at": now - 1_000_000});
        let capped = json!({"tokens": [old], "cap_lifetimes": true});
        let answer = house.post(&house.admin, "/v1/tokens/import", capped).await.expect(200);
        assert_eq!(told(&answer, 0), "expired");
        // One that rested longer than it may would be refused at once.
        policy(house, |policy| {
            policy["kinds"]["service"]["max_lifetime_seconds"] = json!(null);
            policy["kinds"]["service"]["max_idle_seconds"] = json!(3600);
        })
        .await;
        let rested = |n: u64, used: i64| json!({"token": foreign(house, n), "owner": "sa::ci", "created_at": now - 9_000_000, "last_used_at": used});
        assert_eq!(one(house, &house.admin, rested(5, now - 3_600_000)).await, "idle");
        assert_eq!(one(house, &house.admin, rested(6, now - 3_599_000)).await, "imported");
    }

    async fn an_import_says_nothing_of_secrets_that_it_refuses(house) {
        let text = foreign(house, 1);
        let rows = json!([{"token": text, "owner": "sa::none"}, {"token": text, "owner": text}, {"token": text, text.as_str(): 1, "owner": "a@example.test"},
            {"sha256": sha256(&text), "bits": 1, "owner": "sa::ci"}]);
        let answer = import(house, &house.admin, rows).await.expect(200);
        assert_eq!(answer["refused"], 4);
        assert!(!answer.raw.contains(&text) && !answer.raw.contains(&sha256(&text)), "{}", answer.raw);
    }
}
