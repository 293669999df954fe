//! `/v1/session` and `/v1/whoami`

use serde_json::{Value, json};
use tokenhouse_authority::passwords::reset_offline;
use tokenhouse_e2e::{ADMIN, Answer, House, PASSWORD, both};
use tokenhouse_model::SecretText;

async fn sign_in(house: &House, email: &str, password: &str) -> Answer {
    house.post("", "/v1/session", json!({"email": email, "password": password})).await
}

/// What a refusal says, without what differs with each request.
fn words(answer: Answer) -> (Value, String) {
    let challenge = answer.header("www-authenticate").to_owned();
    let mut body = answer.refused(401, "unauthenticated").body;
    body.as_object_mut().unwrap().remove("request_id");
    (body, challenge)
}

both! {
    async fn one_signs_in_and_out(house) {
        let password = house.password.clone();
        let made = sign_in(house, ADMIN, &password).await.expect(201);
        let secret = made.text("secret");
        assert!(secret.starts_with("th_e_"), "the form of a session");
        assert_eq!(
            (&made["kind"], &made["state"], &made["scopes"]),
            (&json!("session"), &json!("active"), &json!(null))
        );
        assert_eq!(made["expires_at"], 1_800_000_000_000_i64 + 30 * 86_400_000);
        assert_eq!(made.header("cache-control"), "no-store");
        let me = house.get(&secret, "/v1/whoami").await.expect(200);
        assert_eq!((&me["token"]["id"], &me["account"]["identifier"]), (&made["id"], &json!(ADMIN)));
        assert_eq!(me["token"]["expires_at"], made["expires_at"]);
        let out = house.delete(&secret, "/v1/session").await;
        assert_eq!((out.status, &out["state"]), (200, &json!("revoked")), "{}", out.raw);
        house.get(&secret, "/v1/whoami").await.refused(401, "unauthenticated");
        house.delete(&secret, "/v1/session").await.refused(401, "unauthenticated");
    }

    async fn signing_out_ends_this_session_alone(house) {
        let password = house.password.clone();
        let (one, two) = (house.sign_in(ADMIN, &password).await, house.sign_in(ADMIN, &password).await);
        house.delete(&one, "/v1/session").await.expect(200);
        house.get(&two, "/v1/whoami").await.expect(200);
        let before = house.revision().await;
        house.delete(&house.admin, "/v1/session").await.refused(403, "wrong_kind");
        house.delete("", "/v1/session").await.refused(401, "unauthenticated");
        assert_eq!(house.revision().await, before);
        house.get(&house.admin, "/v1/whoami").await.expect(200);
    }

    async fn a_session_ends_after_thirty_days(house) {
        let session = house.sign_in(ADMIN, &house.password.clone()).await;
        house.wait(30 * 86_400 - 1);
        house.get(&session, "/v1/whoami").await.expect(200);
        house.wait(1);
        house.get(&session, "/v1/whoami").await.refused(401, "unauthenticated");
        assert_eq!(house.verdict(&session).await, "expired");
    }

    async fn wrong_password_and_unknown_address_are_told_alike(house) {
        let before = house.revision().await;
        let wrong = words(sign_in(house, ADMIN, "not the password").await);
        assert_eq!(wrong, words(sign_in(house, "nobody@example.test", "not the password").await));
        assert_eq!(wrong, words(sign_in(house, "", "").await));
        assert_eq!(house.revision().await, before);
    }

    async fn a_right_password_that_does_not_open_is_told_like_a_wrong_one(house) {
        let (id, _) = house.person("ann@example.test", &[]).await;
        let (other, _) = house.neighbour("second").await;
        let wrong = words(sign_in(house, "ann@example.test", "not the password").await);
        for org in [other.as_str(), "00000000-0000-7000-8000-000000000000"] {
            let body = json!({"email": "ann@example.test", "password": PASSWORD, "org": org});
            assert_eq!(words(house.post("", "/v1/session", body).await), wrong);
        }
        house.post(&house.admin, &format!("/v1/accounts/{id}/deactivate"), json!({})).await.expect(200);
        assert_eq!(words(sign_in(house, "ann@example.test", PASSWORD).await), wrong);
        house.post(&house.admin, &format!("/v1/accounts/{id}/activate"), json!({})).await.expect(200);
        house.sign_in("ann@example.test", PASSWORD).await;
        house.delete(&house.admin, &format!("/v1/accounts/{id}")).await.expect(200);
        assert_eq!(words(sign_in(house, "ann@example.test", PASSWORD).await), wrong);
    }

    async fn who_has_no_password_cannot_sign_in(house) {
        house
            .post(&house.admin, "/v1/accounts", json!({"kind": "user", "identifier": "ann@example.test"}))
            .await
            .expect(201);
        house.post(&house.admin, "/v1/accounts", json!({"kind": "service", "identifier": "ci"})).await.expect(201);
        sign_in(house, "ann@example.test", "").await.refused(401, "unauthenticated");
        sign_in(house, "sa::ci", "").await.refused(401, "unauthenticated");
        sign_in(house, "ann@example.test", &"x".repeat(100_000)).await.refused(401, "unauthenticated");
    }

    async fn a_right_password_passes_after_many_wrong_ones(house) {
        let password = house.password.clone();
        let guesses: Vec<String> = (0..5).map(|n| format!("wrong password {n}")).collect();
        for answer in futures::future::join_all(guesses.iter().map(|guess| sign_in(house, ADMIN, guess))).await {
            answer.refused(401, "unauthenticated");
        }
        sign_in(house, ADMIN, &password).await.expect(201);
        sign_in(house, ADMIN, "wrong once more").await.refused(401, "unauthenticated");
        sign_in(house, ADMIN, &password).await.expect(201);
    }

    async fn sign_in_takes_only_what_it_knows(house) {
        let before = house.revision().await;
        for wrong in [
            json!({}),
            json!({"email": ADMIN}),
            json!({"password": "x"}),
            json!({"email": ADMIN, "password": 7}),
            json!({"email": ADMIN, "password": "x", "org": "first"}),
            json!({"email": ADMIN, "password": "x", "remember": true}),
        ] {
            house.post("", "/v1/session", wrong).await.refused(400, "malformed");
        }
        assert_eq!(house.revision().await, before);
        // A bad credential beside a right password does not matter: nobody is asked for it.
        let body = json!({"email": ADMIN, "password": house.password});
        house.post("junk", "/v1/session", body).await.expect(201);
    }

    async fn a_session_cannot_be_prolonged_renamed_or_rotated(house) {
        let session = house.sign_in(ADMIN, &house.password.clone()).await;
        let before = house.revision().await;
        house.patch(&session, "/v1/tokens/self", json!({"expires_at": null})).await.refused(409, "unlawful_state");
        house.patch(&session, "/v1/tokens/self", json!({"name": "mine"})).await.refused(409, "unlawful_state");
        house.post(&session, "/v1/tokens/self/rotate", json!({})).await.refused(409, "unlawful_state");
        assert_eq!(house.revision().await, before);
    }

    async fn whoami_tells_what_this_token_may(house) {
        let (_, scoped) = house
            .issue(&house.admin, json!({"name": "narrow", "scopes": ["house:read"], "lifetime_seconds": 60}))
            .await;
        let me = house.get(&scoped, "/v1/whoami").await.expect(200);
        assert_eq!((&me["permissions"], &me["token"]["scopes"]), (&json!(["house:read"]), &json!(["house:read"])));
        assert_eq!(me["token"]["expires_at"], 1_800_000_060_000_i64);
        assert_eq!((&me["org"]["name"], &me["token"]["name"]), (&json!("first"), &json!("narrow")));
        assert!(!me.raw.contains(&scoped));
        // Who holds nothing learns at least who he is.
        let (id, weak) = house.service("weak", &[]).await;
        let me = house.get(&weak, "/v1/whoami").await.expect(200);
        assert_eq!((&me["account"]["id"], &me["permissions"]), (&json!(id), &json!([])));
    }

    async fn who_is_locked_out_is_let_in_again_on_the_machine_itself(house) {
        let (id, session) = house.person("ann@example.test", &["administrator"]).await;
        house.post(&house.admin, &format!("/v1/accounts/{id}/deactivate"), json!({})).await.expect(200);
        let before = house.revision().await;
        let done = reset_offline(&house.ctx, " ANN@example.test ", None).await.unwrap();
        let password = done.value.secret.unwrap().expose().to_owned();
        house.secret(&password);
        house.get(&session, "/v1/whoami").await.refused(401, "unauthenticated");
        sign_in(house, "ann@example.test", PASSWORD).await.refused(401, "unauthenticated");
        let session = house.sign_in("ann@example.test", &password).await;
        house.get(&session, "/v1/accounts").await.expect(200);
        let events = house.events(before).await;
        let changed = events.iter().find(|event| event["kind"] == "identity.password_changed").unwrap();
        assert_eq!((changed.get("actor_account"), changed.get("actor_token")), (None, None));
        assert!(events.iter().any(|event| event["kind"] == "account.activated"));

        let chosen = "chosen on the machine";
        house.secret(chosen);
        let done = reset_offline(&house.ctx, ADMIN, Some(SecretText::new(chosen.to_owned()))).await.unwrap();
        assert!(done.value.secret.is_none());
        house.sign_in(ADMIN, chosen).await;
        let before = house.revision().await;
        for (email, password) in
            [("nobody@example.test", None), ("sa::ci", None), (ADMIN, Some(SecretText::new("short".to_owned())))]
        {
            assert!(reset_offline(&house.ctx, email, password).await.is_err());
        }
        assert_eq!(house.revision().await, before);
    }
}
