use serde_json::json;
use tokenhouse_e2e::both;

both! {
    async fn a_token_is_issued_verified_rotated_and_revoked(house) {
        let (id, secret) = house.issue(&house.admin, json!({"name": "ci"})).await;
        assert_eq!(house.verdict(&secret).await, "good");
        let rotated = house.post(&house.admin, &format!("/v1/tokens/{id}/rotate"), json!({})).await.expect(200);
        let fresh = rotated.text("secret");
        assert_eq!(house.verdict(&secret).await, "rotated");
        assert_eq!(house.verdict(&fresh).await, "good");
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(house.verdict(&fresh).await, "revoked");
        house.get(&fresh, "/v1/whoami").await.refused(401, "unauthenticated");
        let (_, session) = house.person("a@example.test", &["member"]).await;
        house.restart().await;
        house.get(&session, "/v1/whoami").await.expect(200);
    }
}
