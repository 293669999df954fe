//! `/api/v2/apitoken`: the eleven endpoints.

use serde_json::{Value, json};
use tokenhouse_e2e::{ADMIN, House, both};
use tokenhouse_model::Uuid;

use super::{holder, ids, last_secret, own, refused, wrapped};

const OWN: &str = "/api/v2/apitoken";
const ALL: &str = "/api/v2/apitoken/customertokens";

fn of(account: &str) -> String {
    format!("/api/v2/apitoken/serviceaccount/{account}")
}

fn version(id: &str) -> usize {
    Uuid::try_parse(id).unwrap().get_version_num()
}

/// The handle under which a token stands in lists that tell no secret.
async fn handle(house: &House, secret: &str) -> String {
    let token = wrapped(house.get(&house.admin, &format!("{ALL}/{secret}")).await);
    token["id"].as_str().unwrap().to_owned()
}

both! {
    async fn a_new_token_of_ones_own_is_the_last_and_the_only_one_that_tells_its_secret(house) {
        house.wait(5);
        let made = wrapped(house.post(&house.admin, OWN, json!({})).await);
        let now = house.clock.now();
        let secret = last_secret(&made);
        assert_eq!(version(&secret), 4, "the secret's form is a lower-case UUID v4");
        assert_eq!(secret, secret.to_lowercase());
        let first = made[0]["tokenID"].as_str().unwrap();
        assert_eq!(version(first), 7, "the others stand with their handles");
        // No name, no last use: absent, not null and not 0.
        let new = json!({"tokenID": secret, "account": ADMIN, "accountType": "USER_ACCOUNT", "dateGenerated": now});
        assert_eq!(made[1], new);

        assert_eq!(house.verdict(&secret).await, "good");
        house.flush().await;
        let listed = wrapped(house.get(&secret, OWN).await);
        assert_eq!(ids(&listed, "tokenID").iter().map(|id| version(id)).collect::<Vec<_>>(), [7, 7]);
        assert_eq!(listed[0]["tokenID"], first);
        assert_eq!(listed[1]["lastUsed"], now);
    }

    async fn a_name_may_be_sent_along_and_a_second_token_comes_after_the_first(house) {
        let one = own(house, "one").await;
        let two = wrapped(house.post(&house.admin, OWN, json!({"tokenName": "two"})).await);
        let names: Vec<&Value> = two.as_array().unwrap().iter().map(|token| &token["tokenName"]).collect();
        assert_eq!(names, [&json!("first token"), &json!("one"), &json!("two")]);
        assert_ne!(last_secret(&two), one);
    }

    async fn a_token_is_renamed_by_handle_or_secret_and_without_a_name_nothing_changes(house) {
        let secret = own(house, "").await;
        let handle = handle(house, &secret).await;
        for (id, body, name) in [
            (&secret, json!({"tokenID": secret, "tokenName": "ci"}), json!("ci")),
            (&handle, json!({"tokenID": "another", "tokenName": "cd"}), json!("cd")),
            (&handle, json!({}), json!("cd")),
            (&handle, json!({"tokenName": null}), json!("cd")),
            (&handle, Value::Null, json!("cd")),
            (&secret, json!({"tokenName": ""}), Value::Null),
        ] {
            let renamed = wrapped(house.put(&house.admin, &format!("{OWN}/{id}"), body).await);
            assert_eq!((&renamed["tokenName"], &renamed["tokenID"]), (&name, &json!(handle)));
        }
        let long = json!({"tokenName": "n".repeat(129)});
        let answer = house.put(&house.admin, &format!("{OWN}/{handle}"), long).await;
        refused(&answer, 400, "name must have at most 128 characters");
    }

    async fn a_revoked_token_is_gone_from_the_list_and_repeating_finds_nothing(house) {
        let (one, two) = (own(house, "one").await, own(house, "two").await);
        let left = wrapped(house.delete(&house.admin, &format!("{OWN}/{one}")).await);
        assert_eq!(left.as_array().unwrap().len(), 2);
        assert_eq!(house.verdict(&one).await, "revoked");
        refused(&house.delete(&house.admin, &format!("{OWN}/{one}")).await, 404, "token does not exist");
        let handle = handle(house, &two).await;
        // The list is there for the token that revokes itself; then it is nobody.
        let left = wrapped(house.delete(&two, &format!("{OWN}/{handle}")).await);
        assert_eq!(left.as_array().unwrap().len(), 1);
        refused(&house.get(&two, OWN).await, 401, "the credential is not valid");
    }

    async fn nobody_reaches_anothers_token_through_ones_own_endpoints(house) {
        let person = holder(house, "p@example.test", &["token_management", "user_management"]).await;
        let secret = own(house, "mine").await;
        let handle = handle(house, &secret).await;
        for id in [&secret, &handle] {
            let path = format!("{OWN}/{id}");
            refused(&house.put(&person, &path, json!({"tokenName": "x"})).await, 404, "token does not exist");
            refused(&house.delete(&person, &path).await, 404, "token does not exist");
        }
        assert_eq!(house.verdict(&secret).await, "good");
    }

    async fn a_token_of_ones_own_needs_api_tokens_and_using_what_one_has_needs_nothing(house) {
        let person = holder(house, "p@example.test", &[]).await;
        refused(&house.post(&person, OWN, json!({})).await, 403, "the permission API Tokens (token_management) is required");
        let mine = wrapped(house.get(&person, OWN).await);
        let id = mine[0]["tokenID"].as_str().unwrap();
        wrapped(house.put(&person, &format!("{OWN}/{id}"), json!({"tokenName": "mine"})).await);
        wrapped(house.delete(&person, &format!("{OWN}/{id}")).await);
        refused(&house.get(&person, OWN).await, 401, "the credential is not valid");
    }

    async fn a_service_accounts_tokens_are_made_renamed_and_revoked(house) {
        house.service("deployer", &[]).await;
        let path = of("sa::deployer");
        let made = wrapped(house.post(&house.admin, &path, json!({"tokenName": "ci"})).await);
        let secret = last_secret(&made);
        assert_eq!(made[1]["account"], "sa::deployer");
        assert_eq!(made[1]["accountType"], "SERVICE_ACCOUNT");
        assert_eq!(house.verdict(&secret).await, "good");
        // Encoded or not, in any case: one account.
        for same in ["sa%3A%3Adeployer", "SA::Deployer", "sa::deployer"] {
            assert_eq!(wrapped(house.get(&house.admin, &of(same)).await).as_array().unwrap().len(), 2);
        }
        let renamed = house.put(&house.admin, &format!("{path}/{secret}"), json!({"tokenName": "cd"})).await;
        assert_eq!(wrapped(renamed)["tokenName"], "cd");
        let left = wrapped(house.delete(&house.admin, &format!("{path}/{secret}")).await);
        assert_eq!(left.as_array().unwrap().len(), 1);
        assert_eq!(house.verdict(&secret).await, "revoked");
    }

    async fn a_service_account_is_found_only_as_one_and_only_by_who_may_look(house) {
        house.service("deployer", &[]).await;
        house.service("other", &[]).await;
        let secret = own(house, "").await;
        for missing in ["sa::nobody", ADMIN, "deployer", "%00", "x%2Fy"] {
            refused(&house.get(&house.admin, &of(missing)).await, 404, "service account does not exist");
            refused(&house.post(&house.admin, &of(missing), json!({})).await, 404, "service account does not exist");
        }
        let others = last_secret(&wrapped(house.post(&house.admin, &of("sa::other"), json!({})).await));
        for id in [secret.as_str(), others.as_str(), "x", "a%2Fb"] {
            let path = format!("{}/{id}", of("sa::deployer"));
            refused(&house.put(&house.admin, &path, json!({})).await, 404, "token does not exist");
            refused(&house.delete(&house.admin, &path).await, 404, "token does not exist");
        }
        // Without Accounts one learns nothing of who there is.
        let person = holder(house, "p@example.test", &["token_management"]).await;
        for account in ["sa::deployer", "sa::nobody"] {
            let needed = "the permission Accounts (user_management) is required";
            refused(&house.get(&person, &of(account)).await, 403, needed);
            refused(&house.post(&person, &of(account), json!({})).await, 403, needed);
            let path = format!("{}/{others}", of(account));
            refused(&house.put(&person, &path, json!({})).await, 403, needed);
            refused(&house.delete(&person, &path).await, 403, needed);
        }
        for (method, path) in [("GET", ALL.to_owned()), ("GET", format!("{ALL}/{others}")), ("PUT", format!("{ALL}/revoke"))] {
            let request = house.request(method, &path).bearer_auth(&person).json(&json!({"tokenID": others}));
            refused(&house.send(request).await, 403, "the permission Accounts (user_management) is required");
        }
    }

    async fn a_service_account_sees_its_own_tokens_and_can_make_none(house) {
        house.service("robot", &[]).await;
        let secret = last_secret(&wrapped(house.post(&house.admin, &of("sa::robot"), json!({})).await));
        let listed = wrapped(house.get(&secret, OWN).await);
        assert_eq!(listed.as_array().unwrap().len(), 2);
        refused(&house.post(&secret, OWN, json!({})).await, 403, "the permission API Tokens (token_management) is required");
    }

    async fn an_accounts_holder_sees_and_revokes_every_token_of_his_org_by_handle_or_secret(house) {
        let clerk = holder(house, "clerk@example.test", &["user_management"]).await;
        let (one, two) = (own(house, "one").await, own(house, "two").await);
        let all = wrapped(house.get(&clerk, ALL).await);
        // Oldest first: the administrator's first, the clerk's, the two; sessions are not tokens of this API.
        let names: Vec<&Value> = all.as_array().unwrap().iter().map(|token| &token["name"]).collect();
        assert_eq!(names, [&json!("first token"), &Value::Null, &json!("one"), &json!("two")]);
        let now = house.clock.now() - 1;
        let expected = json!({
            "id": all[2]["id"], "name": "one", "account": ADMIN, "accountType": "USER_ACCOUNT", "customer": "first",
            "createdEpochMillis": now, "dateGenerated": now,
        });
        assert_eq!(all[2], expected);
        assert_eq!(wrapped(house.get(&clerk, &format!("{ALL}/{one}")).await), expected);

        let revoked = wrapped(house.put(&clerk, &format!("{ALL}/revoke"), json!({"tokenID": one})).await);
        assert_eq!((&revoked["tokenID"], &revoked["account"]), (&expected["id"], &json!(ADMIN)));
        assert_eq!(house.verdict(&one).await, "revoked");
        let handle = json!({"tokenID": all[3]["id"]});
        wrapped(house.put(&clerk, &format!("{ALL}/revoke"), handle.clone()).await);
        assert_eq!(house.verdict(&two).await, "revoked");
        refused(&house.put(&clerk, &format!("{ALL}/revoke"), handle).await, 404, "token does not exist");
        refused(&house.put(&clerk, &format!("{ALL}/revoke"), json!({})).await, 404, "token does not exist");
        refused(&house.get(&clerk, &format!("{ALL}/{one}")).await, 404, "token does not exist");
        refused(&house.get(&clerk, &format!("{ALL}/********************************cdef")).await, 404, "token does not exist");
    }

    async fn another_orgs_tokens_are_not_there(house) {
        let (_, neighbour) = house.neighbour("second").await;
        let ask = json!({"reach": ["wavefront", "verify", "native"]});
        let neighbour = house.post(&neighbour, "/v1/tokens", ask).await.expect(201).text("secret");
        let secret = own(house, "").await;
        let handle = handle(house, &secret).await;
        for id in [&secret, &handle] {
            refused(&house.get(&neighbour, &format!("{ALL}/{id}")).await, 404, "token does not exist");
            let body = json!({"tokenID": id});
            refused(&house.put(&neighbour, &format!("{ALL}/revoke"), body).await, 404, "token does not exist");
            refused(&house.delete(&neighbour, &format!("{OWN}/{id}")).await, 404, "token does not exist");
        }
        assert_eq!(wrapped(house.get(&neighbour, ALL).await).as_array().unwrap().len(), 1);
        assert_eq!(house.verdict(&secret).await, "good");
    }

    async fn the_twenty_first_token_is_refused_and_a_revocation_frees_a_place(house) {
        house.service("full", &[]).await;
        let path = of("sa::full");
        let mut last = String::new();
        for _ in 1..20 {
            last = last_secret(&wrapped(house.post(&house.admin, &path, json!({})).await));
        }
        refused(&house.post(&house.admin, &path, json!({})).await, 400, "the limit of 20 service tokens per account is reached");
        assert_eq!(wrapped(house.get(&house.admin, &path).await).as_array().unwrap().len(), 20);
        wrapped(house.delete(&house.admin, &format!("{path}/{last}")).await);
        wrapped(house.post(&house.admin, &path, json!({})).await);
    }

    async fn of_two_that_take_the_last_place_at_once_one_gets_it(house) {
        house.service("full", &[]).await;
        let path = of("sa::full");
        for _ in 1..19 {
            wrapped(house.post(&house.admin, &path, json!({})).await);
        }
        let (one, two) = tokio::join!(
            house.post(&house.admin, &path, json!({"tokenName": "a"})),
            house.post(&house.admin, &path, json!({"tokenName": "b"})),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
    }

    async fn expired_tokens_are_not_shown_and_a_secret_that_was_rotated_away_names_nothing(house) {
        let (id, first) = house.issue(&house.admin, json!({"name": "brief", "lifetime_seconds": 60})).await;
        let rotated = house.post(&house.admin, &format!("/v1/tokens/{id}/rotate"), json!({})).await.expect(200);
        refused(&house.get(&house.admin, &format!("{ALL}/{first}")).await, 404, "token does not exist");
        assert_eq!(handle(house, &rotated.text("secret")).await, id);
        house.wait(60);
        refused(&house.get(&house.admin, &format!("{ALL}/{id}")).await, 404, "token does not exist");
        assert_eq!(wrapped(house.get(&house.admin, OWN).await).as_array().unwrap().len(), 1);
        assert_eq!(wrapped(house.get(&house.admin, ALL).await).as_array().unwrap().len(), 1);
    }

    async fn a_list_of_all_tokens_is_whole_however_many_pages_it_took(house) {
        // Two pages of 500, of which the second is short, and sessions in between that are not shown.
        let mut rules = house.get(&house.admin, "/v1/policy").await.expect(200).body;
        rules["kinds"]["user"]["limit"] = json!(1000);
        house.put(&house.admin, "/v1/policy", rules).await.expect(200);
        for number in 0..520 {
            if number % 100 == 0 {
                house.sign_in(ADMIN, &house.password).await;
            }
            house.clock.advance(1);
            house.issue(&house.admin, json!({"name": format!("t{number}")})).await;
        }
        let all = wrapped(house.get(&house.admin, ALL).await);
        let names = ids(&all, "name");
        assert_eq!(names.len(), 521);
        assert_eq!(names[1..], (0..520).map(|number| format!("t{number}")).collect::<Vec<_>>());
        assert_eq!(wrapped(house.get(&house.admin, OWN).await).as_array().unwrap().len(), 521);
    }

    async fn a_change_tells_its_receipt_and_waits_for_the_nodes_if_asked(house) {
        let answer = house.post(&house.admin, "/api/v2/apitoken?wait=nodes", json!({})).await.expect(200);
        let revision = house.revision().await;
        assert_eq!(answer.header("x-tokenhouse-receipt"), format!("epoch=1; revision={revision}; journaled=true; confirmed=yes"));
        let answer = house.get(&house.admin, OWN).await.expect(200);
        assert_eq!(answer.header("x-tokenhouse-receipt"), "");
    }

    async fn a_repeat_under_an_idempotency_key_makes_no_second_token(house) {
        let ask = || house.request("POST", OWN).bearer_auth(&house.admin).header("idempotency-key", "k1");
        let one = wrapped(house.send(ask()).await);
        let two = wrapped(house.send(ask()).await);
        assert_eq!(one, two);
        let other = house.send(ask().body("{\"tokenName\":\"x\"}")).await;
        refused(&other, 400, "this Idempotency-Key was used with another request");
    }
}
