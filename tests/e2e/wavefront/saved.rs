//! `/api/v2/savedsearch`

use serde_json::json;
use tokenhouse_e2e::both;

use super::{holder, refused, wrapped};

const SAVED: &str = "/api/v2/savedsearch";

both! {
    async fn a_search_is_saved_listed_replaced_and_deleted_as_it_came(house) {
        let inner = "{\"searchTerms\":[{\"type\":\"tagContains\",\"value\":\"\u{dc} \\\"x\\\"\"}],\"sortField\":null}";
        let body = json!({"id": "ours to say", "entityType": "TOKEN", "query": {"CLS alerts": inner, "": "not JSON"}, "userId": "x"});
        let saved = wrapped(house.post(&house.admin, SAVED, body).await);
        let now = house.clock.now();
        let expected = json!({
            "id": saved["id"], "entityType": "TOKEN", "query": {"CLS alerts": inner, "": "not JSON"},
            "userId": "admin@example.test", "creatorId": "admin@example.test", "updaterId": "admin@example.test",
            "createdEpochMillis": now, "updatedEpochMillis": now,
        });
        assert_eq!(saved, expected);
        let path = format!("{SAVED}/{}", saved["id"].as_str().unwrap());
        assert_eq!(wrapped(house.get(&house.admin, &path).await), expected);
        house.wait(1);
        let changed = wrapped(house.put(&house.admin, &path, json!({"entityType": "role", "query": {"n": "{}"}})).await);
        assert_eq!((&changed["entityType"], &changed["query"]), (&json!("ROLE"), &json!({"n": "{}"})));
        assert_eq!((&changed["createdEpochMillis"], &changed["updatedEpochMillis"]), (&json!(now), &json!(now + 1000)));
        assert_eq!(wrapped(house.delete(&house.admin, &path).await), changed);
        refused(&house.get(&house.admin, &path).await, 404, "saved search does not exist");
        refused(&house.delete(&house.admin, &path).await, 404, "saved search does not exist");
    }

    async fn the_lists_are_ones_own_by_pages_and_by_sort_of_thing(house) {
        let person = holder(house, "p@example.test", &[]).await;
        for number in 0..5 {
            let entity = if number % 2 == 0 { "TOKEN" } else { "USER_GROUP" };
            let body = json!({"entityType": entity, "query": {"n": number.to_string()}});
            wrapped(house.post(&house.admin, SAVED, body).await);
        }
        let theirs = wrapped(house.post(&person, SAVED, json!({"entityType": "TOKEN", "query": {}})).await);
        let page = wrapped(house.get(&house.admin, &format!("{SAVED}?offset=0&limit=2")).await);
        assert_eq!((page["items"].as_array().unwrap().len(), &page["moreItems"], &page["totalItems"]), (2, &json!(true), &json!(5)));
        let page = wrapped(house.get(&house.admin, &format!("{SAVED}?offset=4&limit=2")).await);
        assert_eq!((page["items"].as_array().unwrap().len(), &page["moreItems"]), (1, &json!(false)));
        for word in ["TOKEN", "token"] {
            let page = wrapped(house.get(&house.admin, &format!("{SAVED}/type/{word}")).await);
            assert_eq!(page["totalItems"], 3);
        }
        let path = format!("{SAVED}/{}", theirs["id"].as_str().unwrap());
        refused(&house.get(&house.admin, &path).await, 404, "saved search does not exist");
        refused(&house.put(&house.admin, &path, json!({"entityType": "TOKEN", "query": {}})).await, 404, "saved search does not exist");
        refused(&house.delete(&house.admin, &path).await, 404, "saved search does not exist");
        assert_eq!(wrapped(house.get(&person, &path).await), theirs);
    }
}
