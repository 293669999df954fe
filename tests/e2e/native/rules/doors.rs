//! Each permission alone opens its own doors and no other: every change of the API, knocked at with every permission.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::Permission;

use super::{effective, robot};

/// A request, and the permissions of which one is enough to be heard. The first is the one that a refusal names.
type Door = (&'static str, String, Value, &'static [&'static str]);

const ORGS: &[&str] = &["house:orgs"];
const PEOPLE: &[&str] = &["house:accounts", "user_management", "csp:org_owner", "csp:org_admin", "splunk:admin"];
const GROUPS: &[&str] = &["house:groups", "user_management", "csp:org_owner", "csp:org_admin"];
const ROLES: &[&str] = &["house:roles", "user_management", "csp:org_owner"];
const GIVING: &[&str] = &["house:roles", "user_management", "csp:org_owner", "csp:org_admin", "splunk:admin"];
const ISSUING: &[&str] = &["house:tokens.issue", "token_management"];
const TOKENS: &[&str] = &["house:tokens", "user_management"];
/// One sees all jobs, the others those of their org.
const JOBS: &[&str] = &["house:orgs", "house:tokens", "user_management"];
const IMPORTING: &[&str] = &["house:tokens.import"];
const POLICY: &[&str] = &["house:policy", "csp:org_owner"];
const SEEING: &[&str] = &[
    "house:read",
    "house:accounts",
    "house:groups",
    "house:roles",
    "house:tokens",
    "user_management",
    "csp:org_owner",
    "csp:org_admin",
    "csp:org_member",
    "splunk:admin",
    "splunk:power",
    "splunk:usage",
    "splunk:read_only",
];

/// Every door, asked so that whoever is heard changes nothing that the next one needs.
fn doors(org: &str, account: &str, group: &str, role: &str, policy: &Value) -> Vec<Door> {
    let nothing = json!({});
    let account_path = |rest: &str| format!("/v1/accounts/{account}{rest}");
    let group_path = |rest: &str| format!("/v1/groups/{group}{rest}");
    let nobody = "00000000-0000-7000-8000-00000000dead";
    let by_nobody = json!({"search": [{"field": "id", "op": "is", "value": nobody}], "preview": true});
    vec![
        ("POST", "/v1/orgs".into(), json!({"name": "x", "admin": "x@x.test"}), ORGS),
        ("PATCH", format!("/v1/orgs/{org}"), json!({"name": "first"}), ORGS),
        ("POST", format!("/v1/orgs/{nobody}/suspend"), nothing.clone(), ORGS),
        ("POST", format!("/v1/orgs/{org}/resume"), nothing.clone(), ORGS),
        ("POST", "/v1/tokens/import".into(), json!({"tokens": [], "dry_run": true}), IMPORTING),
        ("GET", "/v1/jobs?limit=1".into(), nothing.clone(), JOBS),
        ("POST", format!("/v1/jobs/{nobody}/confirm"), nothing.clone(), ORGS),
        ("POST", "/v1/accounts".into(), json!({"kind": "service", "identifier": "sa::victim"}), PEOPLE),
        ("PATCH", account_path(""), json!({"description": ""}), PEOPLE),
        ("DELETE", format!("/v1/accounts/{nobody}"), nothing.clone(), PEOPLE),
        ("POST", account_path("/activate"), nothing.clone(), PEOPLE),
        ("POST", format!("/v1/accounts/{nobody}/deactivate"), nothing.clone(), PEOPLE),
        ("PUT", account_path("/roles/administrator"), nothing.clone(), GIVING),
        ("DELETE", account_path("/roles/administrator"), nothing.clone(), GIVING),
        ("PUT", account_path("/permissions/external%2Fa%2Fb"), nothing.clone(), GIVING),
        ("DELETE", account_path("/permissions/house:read"), nothing.clone(), GIVING),
        ("POST", "/v1/groups".into(), json!({"name": "group"}), GROUPS),
        ("PATCH", group_path(""), nothing.clone(), GROUPS),
        ("DELETE", format!("/v1/groups/{nobody}"), nothing.clone(), GROUPS),
        ("PUT", group_path(&format!("/members/{nobody}")), nothing.clone(), GROUPS),
        ("DELETE", group_path(&format!("/members/{account}")), nothing.clone(), GROUPS),
        ("PUT", group_path("/roles/administrator"), nothing.clone(), GIVING),
        ("DELETE", group_path("/roles/administrator"), nothing.clone(), GIVING),
        ("PUT", group_path("/permissions/external%2Fa%2Fb"), nothing.clone(), GIVING),
        ("DELETE", group_path("/permissions/house:read"), nothing.clone(), GIVING),
        ("POST", "/v1/roles".into(), json!({"name": "role"}), ROLES),
        ("PATCH", format!("/v1/roles/{role}"), nothing.clone(), ROLES),
        ("DELETE", format!("/v1/roles/{nobody}"), nothing.clone(), ROLES),
        ("PUT", "/v1/policy".into(), policy.clone(), POLICY),
        ("POST", "/v1/tokens".into(), json!({"scopes": ["external/a/b"]}), ISSUING),
        ("POST", "/v1/tokens".into(), json!({"owner": account, "scopes": ["external/a/b"]}), TOKENS),
        ("GET", format!("/v1/tokens?owner={account}"), nothing.clone(), TOKENS),
        ("POST", "/v1/tokens/revoke".into(), by_nobody, TOKENS),
        ("GET", "/v1/ledger?limit=1".into(), nothing.clone(), &["house:ledger"]),
        ("POST", "/v1/verify".into(), json!({"token": "junk"}), &["house:verify"]),
        ("GET", "/v1/accounts?limit=1".into(), nothing.clone(), SEEING),
        ("GET", account_path(""), nothing.clone(), SEEING),
        ("GET", account_path("/permissions"), nothing.clone(), SEEING),
        ("GET", "/v1/groups?limit=1".into(), nothing.clone(), SEEING),
        ("GET", group_path(""), nothing.clone(), SEEING),
        ("GET", group_path("/members"), nothing.clone(), SEEING),
        ("GET", "/v1/roles?limit=1".into(), nothing.clone(), SEEING),
        ("GET", format!("/v1/roles/{role}"), nothing, SEEING),
    ]
}

/// What there is to knock at.
async fn furnish(house: &House) -> Vec<Door> {
    let (account, _) = robot(house, "victim", &[]).await;
    let group = house.post(&house.admin, "/v1/groups", json!({"name": "group"})).await.expect(201).text("id");
    let role = house.post(&house.admin, "/v1/roles", json!({"name": "role"})).await.expect(201).text("id");
    let policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
    doors(&house.org, &account, &group, &role, &policy)
}

async fn knock(house: &House, token: &str, door: &Door) {
    let (method, path, body, _) = door;
    let mut request = house.request(method, path).bearer_auth(token);
    if *method != "GET" {
        request = request.json(body);
    }
    let answer = house.send(request).await;
    assert_eq!(answer["code"], "missing_permission", "{method} {path}: {}", answer.raw);
    assert_eq!((answer.status, answer["permission"].as_str()), (403, door.3.first().copied()), "{method} {path}");
}

async fn heard(house: &House, token: &str, door: &Door) {
    let (method, path, body, _) = door;
    let mut request = house.request(method, path).bearer_auth(token);
    if *method != "GET" {
        request = request.json(body);
    }
    let answer = house.send(request).await;
    assert_ne!(answer["code"], "missing_permission", "{method} {path}: {}", answer.raw);
    assert!((200..300).contains(&answer.status) || [400, 403, 404, 409].contains(&answer.status), "{}", answer.raw);
}

both! {
    async fn a_permission_alone_opens_its_own_doors_and_no_other(house) {
        let doors = furnish(house).await;
        let (_, nobody) = robot(house, "nobody", &[]).await;
        let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        let ring: Vec<String> = effective(house, &house.admin).await;
        for door in &doors {
            knock(house, &nobody, door).await;
        }
        for permission in all.iter().filter(|name| ring.iter().any(|held| held == *name)) {
            let (_, key) = house.issue(&house.admin, json!({"scopes": [permission], "lifetime_seconds": 60})).await;
            for door in &doors {
                if door.3.contains(permission) {
                    heard(house, &key, door).await;
                } else {
                    knock(house, &key, door).await;
                }
            }
            house.wait(60);
        }
    }

    async fn tokens_of_others_are_not_there_for_who_may_not_see_them(house) {
        let (account, _) = robot(house, "ci", &[]).await;
        let (id, secret) = house.issue(&house.admin, json!({"owner": account})).await;
        let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        let ring = effective(house, &house.admin).await;
        let (_, person) = house.person("a@example.test", &["member"]).await;
        let mut keys = vec![person];
        // Wavefront's API Tokens is for people: the one above has it by the house's name.
        let robots = all.iter().filter(|name| !TOKENS.contains(name) && **name != "token_management");
        for permission in robots.filter(|name| ring.iter().any(|held| held == *name)) {
            keys.push(robot(house, &permission.replace([':', '.', '_'], "-"), &[permission]).await.1);
        }
        let path = format!("/v1/tokens/{id}");
        for key in &keys {
            house.get(key, &path).await.refused(404, "not_found");
            house.get(key, &format!("{path}/usage")).await.refused(404, "not_found");
            house.patch(key, &path, json!({"name": "mine"})).await.refused(404, "not_found");
            house.patch(key, &path, json!({"expires_at": house.clock.now() + 1})).await.refused(404, "not_found");
            for step in ["deactivate", "reactivate", "rotate", "revoke"] {
                house.post(key, &format!("{path}/{step}"), json!({})).await.refused(404, "not_found");
            }
            let listed = house.get(key, "/v1/tokens?limit=1000").await.expect(200);
            assert!(!listed.raw.contains(&id));
        }
        assert_eq!(house.verdict(&secret).await, "good");
    }
}
