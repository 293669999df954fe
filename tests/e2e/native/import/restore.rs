//! A restored database that never had an imported token does not take it in again when it was revoked.

use serde_json::json;
use tokenhouse_e2e::{Program, both_programs};
use tokenhouse_model::SecretText;

/// Imports by digest, so that the test holds no secret: `imported`, or the code of the refusal.
async fn import(program: &Program, text: &str) -> (String, String) {
    let digest = SecretText::new(text.to_owned()).digest().to_hex();
    let body = json!({"tokens": [{"sha256": digest, "bits": 192, "owner": "sa::ci"}]});
    let answer = program.send("POST", &program.admin, "/v1/tokens/import", body).await.expect(200);
    let row = &answer["tokens"][0];
    let told = row["code"].as_str().or(row["outcome"].as_str()).unwrap().to_owned();
    (told, row["id"].as_str().unwrap_or_default().to_owned())
}

both_programs! {
    async fn what_was_revoked_after_the_backup_does_not_move_in_again(program) {
        let body = json!({"kind": "service", "identifier": "sa::ci"});
        program.send("POST", &program.admin, "/v1/accounts", body).await.expect(201);
        program.stop().await;
        let copy = program.copy().await;
        program.start().await;
        let [dead, alive] = ["old_1f3a9c5e7b2d4860aa17c3e95b", "old_5d9e2b7c1a4f6830bb28d4fa6c"];
        let (told, id) = import(program, dead).await;
        assert_eq!(told, "imported");
        assert_eq!(import(program, alive).await.0, "imported");
        assert_eq!((program.verdict(dead).await, program.verdict(alive).await), ("good".into(), "good".into()));
        program.send("POST", &program.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        program.stop().await;
        program.restore(&copy).await;
        program.start().await;
        assert_eq!((program.verdict(dead).await, program.verdict(alive).await), ("unknown".into(), "unknown".into()));
        assert_eq!(import(program, dead).await.0, "dead");
        assert_eq!(import(program, alive).await.0, "imported");
        assert_eq!((program.verdict(dead).await, program.verdict(alive).await), ("unknown".into(), "good".into()));
    }
}
