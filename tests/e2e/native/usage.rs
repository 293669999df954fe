//! What is counted of a token's use.

use serde_json::json;
use tokenhouse_authority::housekeeping;
use tokenhouse_e2e::{House, both};

both! {
    async fn use_is_told_by_day_and_outcome(house) {
        const DAY: i64 = 86_400_000;
        let (id, secret) = house.issue(&house.admin, json!({"cidrs": ["10.0.0.0/8"]})).await;
        let start = house.clock.now();
        let use_from = async |address: &str| {
            house.post(&house.admin, "/v1/verify", json!({"token": secret, "client_ip": address})).await.expect(200);
        };
        for address in ["10.0.0.1", "10.0.0.2", "10.0.0.1", "192.0.2.1"] {
            use_from(address).await;
        }
        house.flush().await;
        house.clock.advance(DAY);
        for number in 0..12 {
            use_from(&format!("10.0.1.{number}")).await;
        }
        house.flush().await;
        let usage = house.get(&house.admin, &format!("/v1/tokens/{id}/usage")).await.expect(200);
        let day = |at: i64| at / DAY * DAY;
        let mut items = usage["items"].as_array().unwrap().clone();
        items.sort_by_key(|item| (item["day"].as_i64(), item["outcome"].to_string()));
        assert_eq!(items.len(), 3, "{}", usage.raw);
        let refused = json!({"day": day(start), "outcome": "address", "count": 1, "last_at": start, "addresses": []});
        assert_eq!(items[0], refused);
        let from = ["10.0.0.1", "10.0.0.2"];
        let good = json!({"day": day(start), "outcome": "good", "count": 3, "last_at": start, "addresses": from});
        assert_eq!(items[1], good);
        assert_eq!((&items[2]["day"], &items[2]["count"]), (&json!(day(start + DAY)), &json!(12)));
        assert_eq!(items[2]["addresses"].as_array().unwrap().len(), 8);
        let shown = house.get(&house.admin, &format!("/v1/tokens/{id}")).await.expect(200);
        assert_eq!(shown.number("last_used_at"), start + DAY);
        assert!(shown.text("last_used_address").starts_with("10.0.1."));
        // The same day again adds up, and is there after a restart.
        use_from("10.0.1.0").await;
        house.flush().await;
        house.restart().await;
        let usage = house.get(&house.admin, &format!("/v1/tokens/{id}/usage")).await.expect(200);
        assert!(usage["items"].as_array().unwrap().iter().any(|item| item["count"] == 13), "{}", usage.raw);
    }

    async fn a_busy_token_is_written_once_a_minute_and_a_rested_one_soon(house) {
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        let count = async |house: &House| {
            let usage = house.get(&house.admin, &format!("/v1/tokens/{id}/usage")).await.expect(200);
            usage["items"].as_array().unwrap().iter().map(|item| item["count"].as_i64().unwrap()).sum::<i64>()
        };
        let due = async |house: &House| while housekeeping::flush_due(&house.ctx).await.unwrap() {};
        house.wait(3600);
        for (uses, waited, written) in [(2, 0, 2), (3, 5, 2), (1, 50, 2), (0, 5, 6), (1, 59, 6), (0, 1, 7), (4, 3600, 11)] {
            for _ in 0..uses {
                assert_eq!(house.verdict(&secret).await, "good");
            }
            house.wait(waited);
            due(house).await;
            assert_eq!(count(house).await, written, "{uses} more uses, {waited} s later");
        }
        // What is not due yet is written at the end.
        house.verdict(&secret).await;
        house.restart().await;
        assert_eq!(count(house).await, 12);
    }
}
