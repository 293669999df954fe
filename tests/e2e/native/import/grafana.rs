//! Secrets of Grafana's, of which a slow hash is all that moves in. Tokens and hashes were made by Python's
//! `hashlib.pbkdf2_hmac` and `zlib.crc32`, as Grafana makes them.

use serde_json::{Value, json};
use tokenhouse_e2e::{House, both};

use super::{import, one, told};

const FIRST: (&str, &str) = (
    "glsa_mZ3vQ8xLr5TnW1cKp7YdHs9bJf2GuE4A_e5ac6f4c",
    "1f37aa718ba805f209bc491abcbef5082223748fce68f60769092d57aa953ef27bc0e072257a68d38927a966910521db087b",
);
const SECOND: (&str, &str) = (
    "glsa_uB6tRk0PwX2yMn8VqLz4CsDg7JhF1eTa_03b781f8",
    "dcbc3312e0e0c15cdae1ffe433a5837756cba5a4b56fa7da5ef0901cb1ca484e5b6b55e0a2f430d9f4127af3810c60c05822",
);
const KEY: (&str, &str) = (
    "eyJrIjoiWHE5THcyWnQ3QnY0Tm0xS2M4Umo1SHkzR2Y2RHAwU2EiLCJuIjoib2xkIGRhc2hib2FyZHMiLCJpZCI6MX0=",
    "b5db60d28f76befc6d9842c8f78d62edb9bb146b74e91227f8e603171ab3942f95eb9e3a7c5fcb907157a58ec3c5ded3d789",
);

fn row((_, hash): (&str, &str)) -> Value {
    json!({"grafana": hash, "owner": "sa::dash"})
}

fn house_of(house: &House) {
    [FIRST, SECOND, KEY].iter().for_each(|(token, _)| house.secret(token));
}

both! {
    async fn a_grafana_token_works_as_it_did_and_dies_at_once(house) {
        house_of(house);
        house.service("dash", &["member"]).await;
        let answer = import(house, &house.admin, json!([row(FIRST), row(KEY)])).await.expect(200);
        assert_eq!(answer["imported"], 2, "{}", answer.raw);
        let id = answer["tokens"][0]["id"].as_str().unwrap().to_owned();
        for (token, _) in [FIRST, KEY, FIRST] {
            assert_eq!(house.verdict(token).await, "good");
        }
        // Remembered like any other: nothing is read again.
        let read = tokenhouse_authority::verify::counters(&house.ctx)[0];
        assert_eq!(house.verdict(FIRST.0).await, "good");
        assert_eq!(tokenhouse_authority::verify::counters(&house.ctx)[0], read);
        assert_eq!(house.verdict(SECOND.0).await, "unknown");
        // Neither the hash nor what is stored of it is a credential.
        assert_eq!(house.verdict(FIRST.1).await, "unknown");
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(house.verdict(FIRST.0).await, "revoked");
        assert_eq!(one(house, &house.admin, row(FIRST)).await, "dead");
        assert_eq!(house.verdict(KEY.0).await, "good");
        house.restart().await;
        assert_eq!((house.verdict(FIRST.0).await, house.verdict(KEY.0).await), ("revoked".into(), "good".into()));
    }

    async fn what_was_remembered_as_unknown_is_found_after_it_moved_in(house) {
        house_of(house);
        house.service("dash", &[]).await;
        let other = house.another_node("second", Default::default()).await;
        for _ in 0..2 {
            assert_eq!((house.verdict(FIRST.0).await, other.verdict(FIRST.0).await), ("unknown".into(), "unknown".into()));
        }
        assert_eq!(one(house, &house.admin, row(SECOND)).await, "imported");
        // Now that the house has some of Grafana's, others are asked for in the slow way too, and remembered.
        for _ in 0..2 {
            assert_eq!(house.verdict(FIRST.0).await, "unknown");
        }
        let answer = other.post("/v1/tokens/import?wait=nodes", json!({"tokens": [row(FIRST)]})).await.expect(200);
        assert_eq!(told(&answer, 0), "imported");
        assert_eq!((house.verdict(FIRST.0).await, other.verdict(FIRST.0).await), ("good".into(), "good".into()));
        other.stop().await;
    }

    async fn a_grafana_token_that_may_changes_things_with_itself(house) {
        house_of(house);
        house.service("dash", &["member"]).await;
        let mut reaching = row(FIRST);
        reaching["reach"] = json!(["native", "verify"]);
        assert_eq!(one(house, &house.admin, reaching).await, "imported");
        let (id, _) = house.issue(FIRST.0, json!({"scopes": ["house:read"], "reach": ["verify"]})).await;
        house.post(FIRST.0, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    }

    async fn a_flood_of_what_looks_like_grafanas_stops_nobody_else(house) {
        house_of(house);
        house.service("dash", &[]).await;
        assert_eq!(one(house, &house.admin, row(FIRST)).await, "imported");
        let (_, own) = house.issue(&house.admin, json!({})).await;
        let asks = (0..40).map(|number| {
            let house = &*house;
            let body = format!("glsa_{:032}", number);
            let checksum = crc(body.as_bytes()).to_le_bytes().map(|byte| format!("{byte:02x}")).concat();
            async move {
                let body = json!({"token": format!("{body}_{checksum}")});
                house.post(&house.admin, "/v1/verify", body).await
            }
        });
        let (answers, good) = tokio::join!(futures::future::join_all(asks), house.verdict(&own));
        assert_eq!(good, "good");
        for answer in answers {
            // Unknown, or not now: never good, and never broken.
            assert!(answer.status == 503 || answer["reason"] == "unknown", "{}", answer.raw);
        }
        assert_eq!(house.verdict(FIRST.0).await, "good");
    }
}

/// CRC-32 (ISO-HDLC), written out here so that two programs have to agree.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
