//! `/oauth2/revoke` (RFC 7009)

use serde_json::json;
use tokenhouse_e2e::both;

use super::{form, refused};

const PATH: &str = "/oauth2/revoke";

both! {
    async fn a_token_is_ended_by_its_secret_once_and_again(house) {
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        let fields = [("token", secret.as_str()), ("token_type_hint", "refresh_token")];
        let done = form(house, &house.admin, PATH, &fields).await.expect(200);
        assert_eq!(done.raw, "");
        assert!(done.header("x-tokenhouse-receipt").starts_with("epoch=1; revision="), "{done:?}");
        let state = house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200).text("state");
        assert_eq!(state, "revoked");
        let again = form(house, &house.admin, PATH, &fields).await.expect(200);
        assert_eq!((again.raw.as_str(), again.header("cache-control")), ("", "no-store"));
    }

    async fn a_token_ends_itself(house) {
        let (_, own) = house.service("ci", &["member"]).await;
        form(house, &own, PATH, &[("token", &own)]).await.expect(200);
        let answer = form(house, &own, PATH, &[("token", &own)]).await;
        refused(&answer, 401, "invalid_client", "the credential is not valid");
    }

    async fn what_is_no_token_is_ended_already(house) {
        let before = house.get(&house.admin, "/v1/ledger?limit=1000").await.expect(200)["items"].as_array().unwrap().len();
        for junk in ["junk", "00000000-0000-4000-8000-000000000000", "a.b.c"] {
            form(house, &house.admin, PATH, &[("token", junk)]).await.expect(200);
        }
        let after = house.get(&house.admin, "/v1/ledger?limit=1000").await.expect(200)["items"].as_array().unwrap().len();
        assert_eq!(before, after);
    }

    async fn nobody_ends_anothers_token_without_the_permission(house) {
        let (_, lesser) = house.service("lesser", &["member"]).await;
        let (_, secret) = house.service("other", &["member"]).await;
        let answer = form(house, &lesser, PATH, &[("token", &secret)]).await;
        assert!([403, 404].contains(&answer.status), "{}", answer.raw);
        house.get(&secret, "/v1/whoami").await.expect(200);
        let (_, session) = house.neighbour("other").await;
        form(house, &session, PATH, &[("token", &secret)]).await.expect(200);
        house.get(&secret, "/v1/whoami").await.expect(200);
    }
}
