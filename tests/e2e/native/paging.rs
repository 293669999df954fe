//! Lists in pages.

use std::collections::BTreeSet;

use serde_json::json;
use tokenhouse_e2e::{House, both};

/// Walks a list to its end by its cursors: the ids in the order in which they came. `between` runs after each page.
async fn walk(house: &House, path: &str, limit: usize, between: impl AsyncFn(usize)) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        let join = if path.contains('?') { '&' } else { '?' };
        let answer = house.get(&house.admin, &format!("{path}{join}limit={limit}{cursor}")).await.expect(200);
        let items = answer["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = answer["next"].as_str() else { break };
        assert_eq!(items.len(), limit, "only the last page is short");
        cursor = format!("&cursor={next}");
        between(page).await;
    }
    ids
}

async fn service(house: &House, name: &str) -> String {
    let body = json!({"kind": "service", "identifier": name});
    house.post(&house.admin, "/v1/accounts", body).await.expect(201).text("id")
}

both! {
    async fn a_walk_meets_everything_once_while_others_insert_and_delete(house) {
        let mut there = BTreeSet::new();
        for n in 0..11 {
            there.insert(service(house, &format!("old-{n}")).await);
        }
        let doomed = service(house, "doomed").await;
        let insert = async |page: usize| {
            service(house, &format!("new-{page}")).await;
            house.clock.advance(1);
            if page == 0 {
                house.delete(&house.admin, &format!("/v1/accounts/{doomed}")).await.expect(200);
            }
        };
        for limit in [1, 2, 3, 1000] {
            let met = walk(house, "/v1/accounts?prefix=sa::old", limit, async |_| ()).await;
            assert_eq!(met.len(), 11);
            assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), there);
        }
        let met = walk(house, "/v1/accounts?kind=service", 3, insert).await;
        let distinct: BTreeSet<_> = met.iter().cloned().collect();
        assert_eq!(met.len(), distinct.len(), "nothing twice");
        assert!(distinct.is_superset(&there), "nothing left out");
        assert!(met.is_sorted());
    }

    async fn every_list_has_pages(house) {
        let member = service(house, "member").await;
        for n in 0..5 {
            let id = service(house, &format!("s{n}")).await;
            house.post(&house.admin, "/v1/groups", json!({"name": format!("g{n}")})).await.expect(201);
            house.post(&house.admin, "/v1/roles", json!({"name": format!("r{n}")})).await.expect(201);
            house.put(&house.admin, &format!("/v1/groups/g0/members/{id}"), json!({})).await.expect(200);
            house.issue(&house.admin, json!({"owner": member})).await;
        }
        for name in ["a", "b"] {
            house.neighbour(name).await;
        }
        for (path, least) in [
            ("/v1/accounts".to_owned(), 7),
            ("/v1/groups".to_owned(), 7),
            ("/v1/roles".to_owned(), 36),
            ("/v1/orgs".to_owned(), 3),
            ("/v1/groups/g0/members".to_owned(), 5),
            (format!("/v1/tokens?owner={member}"), 5),
            ("/v1/tokens".to_owned(), 6),
        ] {
            let whole = walk(house, &path, 1000, async |_| ()).await;
            assert_eq!(whole.len(), least, "{path}");
            assert_eq!(walk(house, &path, 2, async |_| ()).await, whole, "{path}");
            assert_eq!(walk(house, &path, least, async |_| ()).await, whole, "{path}");
            assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), whole.len(), "{path}");
        }
    }

    async fn the_last_page_says_so_even_when_it_is_full(house) {
        // With the two that every org has they are four.
        for n in 0..2 {
            house.post(&house.admin, "/v1/groups", json!({"name": format!("g{n}")})).await.expect(201);
        }
        let first = house.get(&house.admin, "/v1/groups?limit=2").await.expect(200);
        let second =
            house.get(&house.admin, &format!("/v1/groups?limit=2&cursor={}", first.text("next"))).await.expect(200);
        assert_eq!((second["items"].as_array().unwrap().len(), &second["next"]), (2, &json!(null)));
        house.get(&house.admin, "/v1/groups?limit=1000").await.expect(200);
        let (_, neighbour) = house.neighbour("second").await;
        let all = house.get(&neighbour, "/v1/accounts?kind=service").await.expect(200);
        assert_eq!((&all["items"], &all["next"]), (&json!([]), &json!(null)));
    }

    async fn limits_have_bounds_and_a_default(house) {
        house.post(&house.admin, "/v1/groups", json!({"name": "g"})).await.expect(201);
        for path in ["accounts", "groups", "roles", "tokens", "orgs", "groups/g/members"] {
            for limit in ["0", "1001", "4294967295"] {
                let answer = house.get(&house.admin, &format!("/v1/{path}?limit={limit}")).await;
                assert_eq!(answer.refused(400, "invalid_field")["field"], "limit", "{path}");
            }
            for limit in ["-1", "4294967296", "x", ""] {
                house.get(&house.admin, &format!("/v1/{path}?limit={limit}")).await.refused(400, "malformed");
            }
            house.get(&house.admin, &format!("/v1/{path}?limit=1")).await.expect(200);
            house.get(&house.admin, &format!("/v1/{path}?limit=1000")).await.expect(200);
        }
        futures::future::join_all((0..100).map(async |n| service(house, &format!("s{n}")).await)).await;
        let page = house.get(&house.admin, "/v1/accounts").await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 100);
        assert!(page["next"].is_string());
    }

    async fn a_cursor_that_we_did_not_make_is_refused(house) {
        let long = "A".repeat(50_000);
        for bad in [
            "x",
            "",
            "AQ",
            "AQAAAAAAAAAAAAAAAAAAAA",
            "AgAAAAAAAAAAAAAAAAAAAAA",
            "AQAAAAAAAAAAAAAAAAAAAAAA",
            "%00",
            "AQ%3D%3D",
            "../..",
            "null",
            long.as_str(),
            house.org.as_str(),
            house.admin.as_str(),
        ] {
            for path in ["accounts", "groups", "roles", "tokens", "orgs"] {
                let answer = house.get(&house.admin, &format!("/v1/{path}?cursor={bad}")).await;
                assert_eq!(answer.refused(400, "invalid_field")["field"], "cursor", "{bad}");
            }
        }
    }

    async fn a_cursor_opens_nothing_of_another_org(house) {
        for n in 0..3 {
            service(house, &format!("s{n}")).await;
        }
        let cursor = house.get(&house.admin, "/v1/accounts?limit=1").await.expect(200).text("next");
        let (org, neighbour) = house.neighbour("second").await;
        let seen = house.get(&neighbour, &format!("/v1/accounts?cursor={cursor}")).await.expect(200);
        assert!(seen["items"].as_array().unwrap().iter().all(|account| account["org_id"] == org.as_str()));
        // Its place remains when what stood there is gone.
        house.delete(&house.admin, "/v1/accounts/sa::s0").await.expect(200);
        house.get(&house.admin, &format!("/v1/accounts?cursor={cursor}")).await.expect(200);
    }
}
