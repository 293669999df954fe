//! `/api/v2/user`, the older way to users, by which a client can have no other.

use serde_json::json;
use tokenhouse_e2e::both;

use super::{refused, wrapped};

both! {
    async fn it_takes_service_accounts_too_where_its_clients_say_so(house) {
        let body = json!({"identifier": "sa::old", "groups": ["ingestion"]});
        wrapped(house.post(&house.admin, "/api/v2/account/serviceaccount", body).await);
        let told = house.get(&house.admin, "/api/v2/user/sa::old/businessFunctions").await.expect(200);
        assert_eq!((&told["identifier"], &told["groups"]), (&json!("sa::old"), &json!(["ingestion"])));
        // To read or to change one as a user is another thing: it is none.
        refused(&house.get(&house.admin, "/api/v2/user/sa::old").await, 404, "user does not exist");
        refused(&house.put(&house.admin, "/api/v2/user/sa::old", json!({})).await, 404, "user does not exist");
        house.delete(&house.admin, "/api/v2/user/sa::old").await.expect(200);
        let gone = house.get(&house.admin, "/api/v2/account/serviceaccount/sa::old").await;
        refused(&gone, 404, "service account does not exist");
        refused(&house.delete(&house.admin, "/api/v2/user/sa::old").await, 404, "account does not exist");
    }
}
