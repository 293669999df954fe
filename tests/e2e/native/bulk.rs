//! `/v1/tokens/revoke`: every token that a search finds, by a job.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};
use tokenhouse_authority::{Ctx, housekeeping, jobs};
use tokenhouse_e2e::{Answer, Backend, House, Program, both, both_programs};

/// Lets an account have many tokens.
async fn no_limit(house: &House) {
    let mut policy = house.get(&house.admin, "/v1/policy").await.expect(200).body;
    policy["kinds"]["service"]["limit"] = json!(100_000);
    house.put(&house.admin, "/v1/policy", policy).await.expect(200);
}

/// Issues tokens of these names for an account: ids and secrets.
async fn issue(house: &House, owner: &str, names: &[String]) -> Vec<(String, String)> {
    let mut made = Vec::new();
    for some in names.chunks(50) {
        made.extend(
            join_all(some.iter().map(|name| house.issue(&house.admin, json!({"owner": owner, "name": name})))).await,
        );
    }
    made
}

fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{name}-{number}")).collect()
}

fn named(name: &str) -> Value {
    json!([{"field": "name", "op": "begins", "value": name}])
}

async fn revoke(house: &House, with: &str, search: Value) -> Answer {
    house.post(with, "/v1/tokens/revoke", json!({"search": search})).await
}

async fn preview(house: &House, search: Value) -> Value {
    let body = json!({"search": search, "preview": true});
    house.post(&house.admin, "/v1/tokens/revoke", body).await.expect(200).body
}

/// Begins a job and gives back its id.
async fn begin(house: &House, search: Value) -> String {
    let answer = revoke(house, &house.admin, search).await.expect(202);
    assert!(answer["receipt"]["revision"].as_i64() > Some(0));
    answer.text("id")
}

async fn job(house: &House, id: &str) -> Value {
    house.get(&house.admin, &format!("/v1/jobs/{id}")).await.expect(200).body
}

/// State, done, of how many, skipped.
async fn stands(house: &House, id: &str) -> (String, i64, i64, i64) {
    let job = job(house, id).await;
    let number = |name: &str| job[name].as_i64().unwrap();
    (job["state"].as_str().unwrap().to_owned(), number("progress"), number("total"), number("skipped"))
}

fn state(name: &str, done: i64, total: i64, skipped: i64) -> (String, i64, i64, i64) {
    (name.to_owned(), done, total, skipped)
}

/// How many of these are revoked.
async fn dead(house: &House, tokens: &[(String, String)]) -> usize {
    let (mut dead, mut cursor) = (0, String::new());
    loop {
        let page = house.get(&house.admin, &format!("/v1/tokens?state=revoked&limit=1000{cursor}")).await.expect(200);
        let revoked: Vec<&str> =
            page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        dead += tokens.iter().filter(|(id, _)| revoked.contains(&id.as_str())).count();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    dead
}

async fn tend(node: &Arc<Ctx>) {
    jobs::tend(node).await.unwrap();
}

/// The lease of the one job that somebody asked for, taken by this node.
async fn take(node: &Arc<Ctx>, id: &str) -> tokenhouse_model::job::Lease {
    jobs::look(node).await.unwrap();
    let id = tokenhouse_model::Uuid::parse_str(id).unwrap();
    jobs::take_open(node, id).await.unwrap().unwrap()
}

both! {
    async fn a_preview_counts_and_shows_and_changes_nothing(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        no_limit(house).await;
        let made = issue(house, &account, &numbered("old", 23)).await;
        issue(house, &account, &["new".to_owned()]).await;
        let before = house.revision().await;
        let seen = preview(house, named("OLD-")).await;
        assert_eq!((&seen["count"], &seen["more"]), (&json!(23), &json!(false)));
        assert_eq!(seen["tokens"].as_array().unwrap().len(), 20);
        assert!(seen["tokens"][0]["name"].as_str().unwrap().starts_with("old-"));
        let none = preview(house, named("nothing")).await;
        assert_eq!(none, json!({"count": 0, "more": false, "tokens": []}));
        // By what else a token is told.
        let (id, secret) = &made[3];
        for (search, count) in [
            (json!([{"field": "owner", "op": "is", "value": "SA::ci"}]), 25),
            (json!([{"field": "owner", "op": "is", "value": "sa::ci"}, {"field": "name", "op": "contains", "value": "w"}]), 1),
            (json!([{"field": "id", "op": "is", "value": id}]), 1),
            (json!([{"field": "any", "op": "contains", "value": "ld-1"}]), 11),
            (json!([{"field": "name", "op": "begins", "value": "old", "not": true}, {"field": "owner", "op": "is", "value": "sa::ci"}]), 2),
            (json!([{"field": "last_used_at", "op": "is", "value": 0}, {"field": "name", "op": "is", "value": "new"}]), 1),
            (json!([{"field": "created_at", "op": "before", "value": 1_800_000_000_000_i64}]), 0),
            (json!([{"field": "created_at", "op": "before", "value": 1_800_000_000_001_i64}, {"field": "owner_type", "op": "is", "value": "service"}]), 25),
            (json!([{"field": "created_at", "op": "after", "value": 1_800_000_000_000_i64}]), 0),
        ] {
            assert_eq!(preview(house, search.clone()).await["count"], count, "{search}");
        }
        assert_eq!(house.revision().await, before);
        assert_eq!(house.verdict(secret).await, "good");
    }

    async fn what_a_search_finds_is_revoked_in_chunks_with_an_event_each(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        no_limit(house).await;
        let doomed = issue(house, &account, &numbered("old", 1103)).await;
        let kept = issue(house, &account, &numbered("new", 3)).await;
        let before = house.revision().await;
        let id = begin(house, named("old-")).await;
        let waiting = job(house, &id).await;
        assert_eq!(
            (&waiting["kind"], &waiting["state"], &waiting["search"], &waiting["org_id"], &waiting["total"]),
            (&json!("revoke_tokens"), &json!("waiting"), &named("old-"), &json!(house.org), &json!(1103))
        );
        // What is made from now on is left alone.
        house.wait(1);
        let late = issue(house, &account, &["old-late".to_owned()]).await;
        tend(&house.ctx).await;
        assert_eq!(stands(house, &id).await, state("done", 1103, 1103, 0));
        for (_, secret) in [&doomed[0], &doomed[600], &doomed[1102]] {
            assert_eq!(house.verdict(secret).await, "revoked");
        }
        for (_, secret) in kept.iter().chain(&late) {
            assert_eq!(house.verdict(secret).await, "good");
        }
        assert_eq!(dead(house, &doomed).await, 1103);
        let events = house.events(before).await;
        let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
        let sizes: Vec<usize> =
            of("token.revoked_many").iter().map(|event| event["details"]["tokens"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [500, 500, 103]);
        let mut told: Vec<&str> = of("token.revoked_many")
            .iter()
            .flat_map(|event| event["details"]["tokens"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()))
            .collect();
        told.sort_unstable();
        let mut ids: Vec<&str> = doomed.iter().map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(told, ids);
        let (started, ended) = (of("job.started"), of("job.ended"));
        assert_eq!((started.len(), &started[0]["subject"]), (1, &json!(id)));
        let whole = json!({"kind": "revoke_tokens", "state": "done", "revoked": 1103, "skipped": 0});
        assert_eq!((ended.len(), &ended[0]["details"]), (1, &whole));
        let me = house.get(&house.admin, "/v1/whoami").await.expect(200)["account"]["id"].clone();
        for event in of("token.revoked_many").iter().chain(&ended) {
            assert_eq!(event["actor_account"], me);
        }
        // Again finds nothing but what was made since, and an ended job can't be cancelled or begun again.
        let again = begin(house, named("old-")).await;
        tend(&house.ctx).await;
        assert_eq!(stands(house, &again).await, state("done", 1, 1, 0));
        let cancel = format!("/v1/jobs/{id}/cancel");
        house.post(&house.admin, &cancel, json!({})).await.refused(409, "unlawful_state");
        tend(&house.ctx).await;
        assert_eq!(house.events(before).await.len(), events.len() + 3);
    }

    async fn a_job_that_was_left_half_way_goes_on_elsewhere_and_nobody_does_it_twice(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        no_limit(house).await;
        let doomed = issue(house, &account, &numbered("old", 1203)).await;
        let other = house.node(&house.clock).await;
        let id = begin(house, named("old-")).await;
        let before = house.revision().await;
        let lease = take(&house.ctx, &id).await;
        jobs::chunk(&house.ctx, &lease).await.unwrap();
        assert_eq!(stands(house, &id).await, state("running", 500, 1203, 0));
        // The node is gone without a word: another one waits for the end of its lease.
        tend(&other).await;
        assert_eq!(stands(house, &id).await, state("running", 500, 1203, 0));
        house.wait(60);
        let (one, two) = tokio::join!(jobs::tend(&other), jobs::tend(&house.ctx));
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        assert_eq!(stands(house, &id).await, state("done", 1203, 1203, 0));
        // The first one wakes up.
        assert!(jobs::chunk(&house.ctx, &lease).await.is_err());
        assert_eq!(dead(house, &doomed).await, 1203);
        let many: Vec<Value> = house.events(before).await;
        let many = many.iter().filter(|event| event["kind"] == "token.revoked_many");
        let count: usize = many.map(|event| event["details"]["tokens"].as_array().unwrap().len()).sum();
        assert_eq!(count, 1203, "each once");
        housekeeping::close(&other).await;
    }

    async fn a_cancelled_job_stops_and_says_how_far_it_came(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        no_limit(house).await;
        let doomed = issue(house, &account, &numbered("old", 700)).await;
        let id = begin(house, named("old-")).await;
        let lease = take(&house.ctx, &id).await;
        jobs::chunk(&house.ctx, &lease).await.unwrap();
        let path = format!("/v1/jobs/{id}/cancel");
        let cancelled = house.post(&house.admin, &path, json!({})).await.expect(200);
        assert_eq!((&cancelled["state"], &cancelled["progress"]), (&json!("cancelled"), &json!(500)));
        let revision = house.revision().await;
        // Again changes nothing; who has the lease changes nothing any more, and nobody takes it.
        house.post(&house.admin, &path, json!({})).await.expect(200);
        assert!(jobs::chunk(&house.ctx, &lease).await.is_err());
        tend(&house.ctx).await;
        assert_eq!(house.revision().await, revision);
        assert_eq!((stands(house, &id).await, dead(house, &doomed).await), (state("cancelled", 500, 700, 0), 500));
        // A job of the house is nobody's to cancel.
        let house_job = tokenhouse_model::job::JobKind::Forget.id();
        house.post(&house.admin, &format!("/v1/jobs/{house_job}/cancel"), json!({})).await.refused(403, "forbidden");
    }

    async fn a_job_ends_when_its_maker_may_no_longer(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        let doomed = issue(house, &account, &numbered("old", 3)).await;
        let (maker, token) = house.person("boss@example.test", &["administrator"]).await;
        let id = revoke(house, &token, named("old-")).await.expect(202).text("id");
        // His session may end: it was he who asked.
        house.delete(&token, "/v1/session").await.expect(200);
        house.post(&house.admin, &format!("/v1/accounts/{maker}/deactivate"), json!({})).await.expect(200);
        tend(&house.ctx).await;
        assert_eq!((stands(house, &id).await, dead(house, &doomed).await), (state("failed", 0, 3, 0), 0));
        assert_eq!(job(house, &id).await["reason"], "refused");
        house.post(&house.admin, &format!("/v1/accounts/{maker}/activate"), json!({})).await.expect(200);
        let token = house.sign_in("boss@example.test", tokenhouse_e2e::PASSWORD).await;
        let id = revoke(house, &token, named("old-")).await.expect(202).text("id");
        house.delete(&house.admin, &format!("/v1/accounts/{maker}/roles/administrator")).await.expect(200);
        tend(&house.ctx).await;
        assert_eq!((stands(house, &id).await, dead(house, &doomed).await), (state("failed", 0, 3, 0), 0));
        // He still sees what he asked for, though no longer what others do.
        assert_eq!(house.get(&token, &format!("/v1/jobs/{id}")).await.expect(200)["state"], "failed");
        house.get(&token, "/v1/jobs").await.refused(403, "missing_permission");
        let others = begin(house, named("old-")).await;
        house.get(&token, &format!("/v1/jobs/{others}")).await.refused(404, "not_found");
        house.post(&token, &format!("/v1/jobs/{others}/cancel"), json!({})).await.refused(404, "not_found");
        tend(&house.ctx).await;
        assert_eq!(dead(house, &doomed).await, 3);
    }

    async fn nobody_reaches_into_another_org_or_beyond_his_permissions(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        let mine = issue(house, &account, &numbered("old", 2)).await;
        let (_, neighbour) = house.neighbour("second").await;
        let id = revoke(house, &neighbour, named("old-")).await.expect(202).text("id");
        tend(&house.ctx).await;
        assert_eq!(dead(house, &mine).await, 0);
        let own = house.get(&neighbour, &format!("/v1/jobs/{id}")).await.expect(200);
        assert_eq!((&own["state"], &own["progress"]), (&json!("done"), &json!(0)));
        assert_eq!(house.get(&neighbour, "/v1/jobs").await.expect(200)["items"].as_array().unwrap().len(), 1);
        let ours = begin(house, named("nothing")).await;
        house.get(&neighbour, &format!("/v1/jobs/{ours}")).await.refused(404, "not_found");
        house.post(&neighbour, &format!("/v1/jobs/{ours}/cancel"), json!({})).await.refused(404, "not_found");
        for roles in [&[][..], &["member"], &["verifier"], &["auditor"]] {
            let (_, lesser) = house.service(&format!("lesser{}", roles.join("")), roles).await;
            for preview in [true, false] {
                let body = json!({"search": named("old-"), "preview": preview});
                house.post(&lesser, "/v1/tokens/revoke", body).await.refused(403, "missing_permission");
            }
            house.get(&lesser, &format!("/v1/jobs/{ours}")).await.refused(404, "not_found");
            house.post(&lesser, &format!("/v1/jobs/{ours}/cancel"), json!({})).await.refused(404, "not_found");
        }
        // A limited token of somebody who may everything.
        let (_, limited) = house.issue(&house.admin, json!({"scopes": ["house:read"]})).await;
        revoke(house, &limited, named("old-")).await.refused(403, "missing_permission");
        assert_eq!(dead(house, &mine).await, 0);
    }

    async fn no_secret_gets_into_a_job_and_no_search_is_without_a_condition(house) {
        let (account, secret) = house.service("ci", &["member"]).await;
        let before = house.revision().await;
        for search in [
            json!([]),
            json!([{"field": "name", "op": "begins", "value": " "}]),
            json!([{"field": "name", "op": "begins", "value": secret}]),
            json!([{"field": "any", "op": "is", "value": house.admin}]),
            json!([{"field": "name", "op": "before", "value": "x"}]),
            json!([{"field": "name", "op": "is", "value": 1}]),
            json!([{"field": "created_at", "op": "before", "value": "yesterday"}]),
            json!([{"field": "created_at", "op": "begins", "value": 1}]),
            json!([{"field": "created_at", "op": "before", "value": i64::MIN}]),
            json!([{"field": "secret", "op": "is", "value": "x"}]),
            json!([{"field": "name", "op": "is", "value": "x".repeat(257)}]),
            Value::Array(vec![json!({"field": "name", "op": "is", "value": "x"}); 20]),
        ] {
            let refused = revoke(house, &house.admin, search.clone()).await;
            assert_eq!(refused.status, 400, "{search} {}", refused.raw);
        }
        house.post(&house.admin, "/v1/tokens/revoke", json!({})).await.refused(400, "malformed");
        // A UUID that may be a secret is not kept; one that is names its token.
        let lost = json!([{"field": "id", "op": "is", "value": "11111111-1111-4111-8111-111111111111"}]);
        house.secret("11111111-1111-4111-8111-111111111111");
        let id = begin(house, lost).await;
        tend(&house.ctx).await;
        assert_eq!(stands(house, &id).await, state("done", 0, 0, 0));
        let _ = account;
        let kinds: Vec<Value> = house.events(before).await.into_iter().map(|event| event["kind"].clone()).collect();
        assert_eq!(kinds, ["job.started", "job.ended"]);
    }

    async fn tokens_that_end_before_their_turn_are_skipped_and_jobs_have_a_limit(house) {
        let (account, _) = house.service("ci", &["member"]).await;
        no_limit(house).await;
        let doomed = issue(house, &account, &numbered("old", 510)).await;
        let id = begin(house, named("old-")).await;
        // Ended by somebody else before the job begins: it is not found any more.
        house.post(&house.admin, &format!("/v1/tokens/{}/revoke", doomed[0].0), json!({})).await.expect(200);
        tend(&house.ctx).await;
        assert_eq!(stands(house, &id).await, state("done", 509, 509, 0));
        for _ in 0..10 {
            begin(house, named("nothing")).await;
        }
        revoke(house, &house.admin, named("nothing")).await.refused(409, "limit_reached");
        tend(&house.ctx).await;
        begin(house, named("nothing")).await;
        // They are shown for thirty days.
        assert_eq!(house.get(&house.admin, "/v1/jobs").await.expect(200)["items"].as_array().unwrap().len(), 13);
    }

    async fn a_repeated_request_begins_one_job(house) {
        let request = || {
            let body = json!({"search": named("nothing")});
            house.request("POST", "/v1/tokens/revoke").bearer_auth(&house.admin).header("Idempotency-Key", "k").json(&body)
        };
        let first = house.send(request()).await.expect(202).text("id");
        assert_eq!(house.send(request()).await.expect(202).text("id"), first);
        assert_eq!(house.get(&house.admin, "/v1/jobs").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }
}

/// The job of a program, once it has ended.
async fn ended(program: &Program, id: &str) -> Value {
    loop {
        let job = program.get(&program.admin, &format!("/v1/jobs/{id}")).await.expect(200).body;
        if !matches!(job["state"].as_str(), Some("waiting" | "running")) {
            return job;
        }
    }
}

both_programs! {
    async fn a_restored_database_forgets_none_of_them(program) {
        let (_, doomed) = program.issue(json!({"name": "old-1"})).await;
        let (_, kept) = program.issue(json!({"name": "new-1"})).await;
        program.stop().await;
        let backup = program.copy().await;
        program.start().await;
        let body = json!({"search": named("old-")});
        let id = program.send("POST", &program.admin, "/v1/tokens/revoke", body).await.expect(202).text("id");
        assert_eq!(ended(program, &id).await["progress"], 1);
        program.stop().await;
        program.restore(&backup).await;
        program.start().await;
        assert_eq!((program.verdict(&doomed).await, program.verdict(&kept).await), ("revoked".into(), "good".into()));
    }

    async fn a_program_that_is_killed_half_way_revokes_the_rest_when_it_is_back(program) {
        const TOKENS: i64 = 20;
        let mut doomed = Vec::new();
        for number in 0..TOKENS - 1 {
            doomed.push(program.issue(json!({"name": format!("old-{number}")})).await.1);
        }
        // So many that killing it meets it at work.
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) SELECT i FROM n";
        let made = match program.database.backend {
            Backend::Sqlite => "randomblob(16)",
            Backend::Postgres => "gen_random_uuid()",
        };
        let copied = format!(
            "INSERT INTO token SELECT {made}, 'many' || many.i, org_id, owner_id, kind, name, name_fold, state, scopes, reach, addresses,
                created_at, created_by, created_through, updated_at, not_before, expires_at, idle_limit, last_used_at,
                last_used_address, revoked_at, owner_fold, owner_type
            FROM token CROSS JOIN ({many}) AS many WHERE name = 'old-0'"
        );
        program.database.execute(&copied).await;
        let body = json!({"search": named("old-")});
        let id = program.send("POST", &program.admin, "/v1/tokens/revoke", body).await.expect(202).text("id");
        let path = format!("/v1/jobs/{id}");
        while program.get(&program.admin, &path).await.expect(200)["progress"] == 0 {}
        program.kill().await;
        // Its lease lasts a minute, for which no test waits.
        program.database.execute("UPDATE job SET lease_until = 0").await;
        program.start().await;
        let job = ended(program, &id).await;
        assert_eq!((&job["state"], &job["progress"], &job["skipped"]), (&json!("done"), &json!(6000 + TOKENS - 1), &json!(0)));
        for secret in doomed {
            assert_eq!(program.verdict(&secret).await, "revoked");
        }
        let (code, whole) = program.verify_ledger().await;
        assert_eq!((code, &whole["whole"]), (0, &json!(true)), "{whole}");
    }
}
