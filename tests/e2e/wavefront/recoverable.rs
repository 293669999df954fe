//! The recoverable mode: secrets that can be shown again.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::Uuid;

use super::{holder, ids, last_secret, own, wrapped};

const OWN: &str = "/api/v2/apitoken";

async fn keep(house: &House, recoverable: bool) {
    let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
    policy["recoverable"] = json!(recoverable);
    house.put(&house.admin, "/v1/policy", policy).await.expect(200);
}

fn secrets(list: &Value) -> Vec<String> {
    let v4 = |id: &String| Uuid::try_parse(id).unwrap().get_version_num() == 4;
    ids(list, "tokenID").into_iter().filter(v4).collect()
}

both! {
    async fn the_two_lists_show_secrets_and_nothing_else_does(house) {
        let before = own(house, "before").await;
        keep(house, true).await;
        let (one, two) = (own(house, "one").await, own(house, "two").await);
        house.clock.advance(1);
        let made = house.post(&house.admin, OWN, json!({})).await;
        assert_eq!(made.header("cache-control"), "no-store");
        let made = wrapped(made);
        let three = last_secret(&made);
        assert_eq!(secrets(&made), [three.as_str()], "the answer of a creation tells the new one only");
        let listed = house.get(&house.admin, OWN).await;
        assert_eq!(listed.header("cache-control"), "no-store");
        let listed = wrapped(listed);
        assert_eq!(secrets(&listed), [one.as_str(), &two, &three]);
        assert!(!ids(&listed, "tokenID").contains(&before), "what was told once stays so");

        house.service("tf", &[]).await;
        let path = "/api/v2/apitoken/serviceaccount/sa::tf";
        let main = last_secret(&wrapped(house.post(&house.admin, path, json!({"tokenName": "main"})).await));
        let listed = house.get(&house.admin, path).await;
        assert_eq!(listed.header("cache-control"), "no-store");
        assert_eq!(secrets(&wrapped(listed)), [main.as_str()]);

        // Elsewhere it is the handle: renamed, in the org's list, revoked.
        let renamed = wrapped(house.put(&house.admin, &format!("{OWN}/{one}"), json!({"tokenName": "x"})).await);
        assert_eq!(secrets(&json!([renamed])), Vec::<String>::new());
        for path in ["/api/v2/apitoken/customertokens".to_owned(), format!("/api/v2/apitoken/customertokens/{two}")] {
            let answer = house.get(&house.admin, &path).await.expect(200);
            assert!([&one, &two, &three, &main].iter().all(|secret| !answer.raw.contains(secret.as_str())));
        }
        let left = wrapped(house.delete(&house.admin, &format!("{OWN}/{two}")).await);
        assert_eq!(secrets(&left), Vec::<String>::new());
        assert_eq!(secrets(&wrapped(house.get(&house.admin, OWN).await)), [one.as_str(), &three]);
    }

    async fn who_could_not_make_a_token_is_not_shown_its_secret(house) {
        keep(house, true).await;
        let secret = own(house, "").await;
        house.service("strong", &["administrator"]).await;
        let path = "/api/v2/apitoken/serviceaccount/sa::strong";
        // The account's roles go beyond wavefront's words, so Accounts alone is not enough to be it.
        let ask = json!({"tokenName": "main"});
        let main = last_secret(&wrapped(house.post(&house.admin, path, ask).await));
        assert_eq!(secrets(&wrapped(house.get(&house.admin, path).await)), [main.as_str()]);
        let clerk = holder(house, "clerk@example.test", &["user_management"]).await;
        let seen = wrapped(house.get(&clerk, path).await);
        assert_eq!((secrets(&seen), seen.as_array().unwrap().len()), (Vec::new(), 2));
        // A token of limited scopes is not shown one of all scopes, though both are the same person's.
        let limited = json!({"scopes": ["user_management"], "reach": ["wavefront", "verify"]});
        let (_, limited) = house.issue(&house.admin, limited).await;
        assert_eq!(secrets(&wrapped(house.get(&limited, OWN).await)), Vec::<String>::new());
        assert_eq!(secrets(&wrapped(house.get(&house.admin, OWN).await)), [secret.as_str()]);
        // Nor is one that is bound to another place.
        let bound = json!({"cidrs": ["127.0.0.1"], "reach": ["wavefront", "verify"]});
        let (_, bound) = house.issue(&house.admin, bound).await;
        assert_eq!(secrets(&wrapped(house.get(&bound, OWN).await)), Vec::<String>::new());
    }

    async fn turned_off_it_shows_nothing_and_keeps_nothing(house) {
        keep(house, true).await;
        let secret = own(house, "").await;
        assert!(sealed(house).await > 0);
        keep(house, false).await;
        assert_eq!(secrets(&wrapped(house.get(&house.admin, OWN).await)), Vec::<String>::new());
        assert_eq!(sealed(house).await, 0);
        assert_eq!(house.verdict(&secret).await, "good");
        keep(house, true).await;
        assert_eq!(secrets(&wrapped(house.get(&house.admin, OWN).await)), Vec::<String>::new(), "what is wiped is wiped");
    }

    async fn a_revoked_or_rotated_secret_is_wiped(house) {
        keep(house, true).await;
        let (one, two) = (own(house, "").await, own(house, "").await);
        assert_eq!(sealed(house).await, 2);
        wrapped(house.delete(&house.admin, &format!("{OWN}/{one}")).await);
        assert_eq!(sealed(house).await, 1);
        let list = wrapped(house.get(&house.admin, "/api/v2/apitoken/customertokens").await);
        let id = ids(&list, "id").pop().unwrap();
        let rotated = house.post(&house.admin, &format!("/v1/tokens/{id}/rotate"), json!({"overlap_seconds": 60})).await;
        let new = rotated.expect(200).text("secret");
        assert_eq!((house.verdict(&two).await, house.verdict(&new).await), ("good".to_owned(), "good".to_owned()));
        assert_eq!(sealed(house).await, 0);
    }

    async fn what_is_made_elsewhere_is_told_once(house) {
        keep(house, true).await;
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        let listed = house.get(&house.admin, OWN).await.expect(200);
        assert!(listed.raw.contains(&id) && !listed.raw.contains(&secret));
        assert_eq!(sealed(house).await, 0);
    }
}

/// How many secrets are kept sealed.
async fn sealed(house: &House) -> i64 {
    house.database.number("SELECT COUNT(*) FROM secret WHERE LENGTH(sealed) > 0").await
}
