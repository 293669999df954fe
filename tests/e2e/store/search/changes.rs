//! What changes is found as it is now.

use std::slice;

use serde_json::json;
use tokenhouse_authority::accounts;
use tokenhouse_authority::tokens::{self, Issue};
use tokenhouse_e2e::{House, both};
use tokenhouse_model::search::{Condition, Match, On, Search, Test, TokenField};
use tokenhouse_model::secret::Form;
use tokenhouse_model::{ErrorKind, Uuid};

use super::world::{World, caller};

fn one(field: TokenField, how: Match, text: &str) -> Search<TokenField> {
    let test = Test::Text { how, any_of: vec![text.to_owned()] };
    let condition = Condition { on: On::Field(field), test, negated: false };
    Search { conditions: vec![condition], ..Search::everything(100) }
}

async fn found(house: &House, search: Search<TokenField>) -> Vec<String> {
    let caller = caller(house, &house.admin).await;
    let found = tokens::search(&house.ctx, &caller, search).await.unwrap();
    found.items.iter().map(|view| view.token.id.to_string()).collect()
}

both! {
    async fn a_token_is_found_by_its_name_until_that_changes(house) {
        let (id, _) = house.issue(&house.admin, json!({"name": "Blue Heron"})).await;
        for how in Match::ALL {
            assert_eq!(found(house, one(TokenField::Name, *how, "BLUE HERON")).await, slice::from_ref(&id), "{how}");
        }
        assert_eq!(found(house, one(TokenField::Name, Match::Contains, "ue he")).await, slice::from_ref(&id));
        house.patch(&house.admin, &format!("/v1/tokens/{id}"), json!({"name": "grey gull"})).await.expect(200);
        for how in Match::ALL {
            assert_eq!(found(house, one(TokenField::Name, *how, "blue heron")).await, [""; 0], "{how}");
            assert_eq!(found(house, one(TokenField::Name, *how, "Grey Gull")).await, slice::from_ref(&id), "{how}");
        }
        // The old name again: it is noted once more, and found once.
        house.patch(&house.admin, &format!("/v1/tokens/{id}"), json!({"name": "blue heron"})).await.expect(200);
        assert_eq!(found(house, one(TokenField::Name, Match::Contains, "blue heron")).await, [id]);
    }

    async fn revoked_and_expired_tokens_are_gone(house) {
        let (revoked, _) = house.issue(&house.admin, json!({"name": "wader 1"})).await;
        let (expiring, _) = house.issue(&house.admin, json!({"name": "wader 2", "lifetime_seconds": 60})).await;
        let (kept, _) = house.issue(&house.admin, json!({"name": "wader 3"})).await;
        let waders = || one(TokenField::Name, Match::Prefix, "wader");
        assert_eq!(found(house, waders()).await.len(), 3);
        house.post(&house.admin, &format!("/v1/tokens/{revoked}/revoke"), json!({})).await.expect(200);
        assert!(!found(house, waders()).await.contains(&revoked));
        house.wait(60);
        assert!(!found(house, waders()).await.contains(&expiring));
        assert_eq!(found(house, waders()).await, [kept]);
        // A policy that is tightened ends tokens by their age, and only those of its kind.
        let (_, robot) = house.service("wader-robot", &["member"]).await;
        house.issue(&robot, json!({"name": "wader 4"})).await;
        house.wait(3600);
        let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
        policy["kinds"]["service"]["max_lifetime_seconds"] = json!(3600);
        house.put(&house.admin, "/v1/policy", policy).await.expect(200);
        assert_eq!(found(house, waders()).await.len(), 1);
    }

    async fn the_type_of_an_owner_follows_his_state(house) {
        let (id, token) = house.service("heron", &["member"]).await;
        house.issue(&token, json!({"name": "second"})).await;
        let world = World::make(house).await;
        let id = Uuid::try_parse(&id).unwrap();
        let of_heron = |kind: &str| {
            let mut search = one(TokenField::OwnerType, Match::Exact, kind);
            search.conditions.extend(one(TokenField::Owner, Match::Exact, "SA::heron").conditions);
            search
        };
        assert_eq!(found(house, of_heron("service")).await.len(), 2);
        accounts::deactivate(&house.ctx, &world.caller, id).await.unwrap();
        assert_eq!(found(house, of_heron("service")).await.len(), 0);
        assert_eq!(found(house, of_heron("inactive_service")).await.len(), 2);
        accounts::activate(&house.ctx, &world.caller, id).await.unwrap();
        assert_eq!(found(house, of_heron("service")).await.len(), 2);
    }

    async fn a_token_is_named_by_its_secret_too(house) {
        let admin = caller(house, &house.admin).await;
        let issue = Issue { form: Form::Uuid, name: "by secret".to_owned(), ..Issue::own() };
        let made = tokens::issue(&house.ctx, &admin, issue.clone()).await.unwrap().value;
        let secret = made.secret.unwrap().expose().to_owned();
        house.secret(&secret);
        for text in [secret.clone(), secret.to_uppercase(), made.id.to_string()] {
            assert_eq!(found(house, one(TokenField::Id, Match::Exact, &text)).await, [made.id.to_string()]);
        }
        // Only as a whole, only in its own org, and only while it is good.
        assert_eq!(found(house, one(TokenField::Id, Match::Prefix, &secret[..20])).await, [""; 0]);
        let (_, neighbour) = house.neighbour("other").await;
        let neighbour = caller(house, &neighbour).await;
        let search = one(TokenField::Id, Match::Exact, &secret);
        assert_eq!(tokens::search(&house.ctx, &neighbour, search.clone()).await.unwrap().items.len(), 0);
        house.post(&house.admin, &format!("/v1/tokens/{}/rotate", made.id), json!({})).await.expect(200);
        assert_eq!(found(house, search).await, [""; 0]);
    }

    async fn only_those_who_may_see_it_all_search(house) {
        let (_, nobody) = house.service("nobody", &[]).await;
        let nobody = caller(house, &nobody).await;
        let everything = Search::everything(1);
        let refused = tokens::search(&house.ctx, &nobody, everything.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        let refused = tokens::values(&house.ctx, &nobody, TokenField::Name, everything, None).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        let refused = accounts::search(&house.ctx, &nobody, accounts::Kind::ALL, Search::everything(1)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
    }
}
