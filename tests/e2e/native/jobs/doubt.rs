//! Jobs are held when the clock can't be believed, and go on when somebody confirms that it is right.

use super::*;

const MINUTE: i64 = 60;

/// The job is held for this reason, by about so many seconds; the time that the test itself takes is part of it.
async fn held(house: &House, reason: &str, seconds: i64) {
    let job = job(house).await;
    assert_eq!((&job["state"], &job["held"]["reason"]), (&"held".into(), &reason.into()), "{job}");
    let found = job["held"]["seconds"].as_i64().unwrap();
    assert!((seconds - 60..=seconds).contains(&found), "{found} {seconds}");
    assert_eq!((&job["node"], &job["lease_until"]), (&Value::Null, &Value::Null));
}

/// The job isn't held.
async fn free(house: &House) {
    let job = job(house).await;
    assert_eq!((&job["state"], &job["held"]), (&"waiting".into(), &Value::Null));
}

both! {
    async fn eleven_minutes_hold_a_job_and_nine_do_not(house) {
        jobs::tend(&house.ctx).await.unwrap();
        for minutes in [9, -9, 9, 9, -9, -9] {
            house.wait(minutes * MINUTE);
            jobs::tend(&house.ctx).await.unwrap();
            free(house).await;
        }
        for minutes in [11, -11, 60 * 24 * 365, -60 * 24 * 365] {
            house.wait(minutes * MINUTE);
            jobs::tend(&house.ctx).await.unwrap();
            held(house, "time_jumped", minutes * MINUTE).await;
            confirm(house).await.expect(200);
            free(house).await;
        }
    }

    async fn a_held_job_does_nothing_until_it_is_confirmed(house) {
        jobs::tend(&house.ctx).await.unwrap();
        let other = house.node(&house.clock).await;
        jobs::look(&other).await.unwrap();
        house.wait(2 * 3600);
        use_of_old(house, 700).await;
        // Whichever node sees it, it holds for all, also for one that starts afterwards.
        let late = house.node(&house.clock).await;
        for node in [&house.ctx, &other, &late, &house.ctx] {
            jobs::tend(node).await.unwrap();
            assert_eq!(take(node).await, None);
            held(house, "time_jumped", 2 * 3600).await;
        }
        house.restart().await;
        jobs::tend(&house.ctx).await.unwrap();
        held(house, "time_jumped", 2 * 3600).await;
        assert_eq!(stored(&house.database).await, 701);

        let (before, fence) = (house.revision().await, job(house).await["fence"].as_i64().unwrap());
        let confirmed = confirm(house).await.expect(200);
        assert_eq!((&confirmed["state"], &confirmed["receipt"]["revision"]), (&"waiting".into(), &(before + 1).into()));
        assert_eq!((confirmed.number("due_at"), confirmed.number("fence")), (house.clock.now(), fence + 1));
        let events = house.events(before).await;
        let event = &events[0];
        assert_eq!((events.len(), &event["kind"], &event["subject_kind"]), (1, &"job.confirmed".into(), &"job".into()));
        assert_eq!((&event["subject"], &event["org_id"]), (&json!(JobKind::Forget.id()), &Value::Null));
        let details = &event["details"];
        assert_eq!((&details["kind"], &details["reason"]), (&"forget".into(), &"time_jumped".into()));
        assert!(details["seconds"].as_i64().unwrap() > 7000 && details["held_at"].is_i64(), "{event}");
        assert!(event["actor_account"].is_string() && event["actor_token"].is_string());
        // Once is once, and nothing can be confirmed beforehand.
        confirm(house).await.refused(409, "unlawful_state");
        assert_eq!(house.revision().await, before + 1);
        assert_eq!(stored(&house.database).await, 701);
        jobs::tend(&house.ctx).await.unwrap();
        assert_eq!(stored(&house.database).await, 1);
        free(house).await;
        for node in [other, late] {
            housekeeping::close(&node).await;
        }
    }

    async fn a_jump_in_the_middle_of_a_run_stops_it(house) {
        use_of_old(house, 1700).await;
        let lease = take(&house.ctx).await.unwrap();
        jobs::chunk(&house.ctx, &lease).await.unwrap();
        house.wait(365 * 24 * 3600);
        shut_out(jobs::chunk(&house.ctx, &lease).await);
        assert_eq!(take_refused(house).await, "the time jumped; nothing was changed");
        // Its clock is set right before anybody looked: that is a jump as well.
        house.wait(-365 * 24 * 3600);
        shut_out(jobs::chunk(&house.ctx, &lease).await);
        jobs::tend(&house.ctx).await.unwrap();
        held(house, "time_jumped", -365 * 24 * 3600).await;
        shut_out(jobs::chunk(&house.ctx, &lease).await);
        shut_out(jobs::run(&house.ctx, &lease).await);
        assert_eq!(stored(&house.database).await, 1201);
        confirm(house).await.expect(200);
        jobs::tend(&house.ctx).await.unwrap();
        assert_eq!(stored(&house.database).await, 1);
    }

    async fn a_ledger_that_stands_in_the_future_deletes_nothing_too_early(house) {
        jobs::tend(&house.ctx).await.unwrap();
        let right = house.clock.now();
        house.wait(365 * 24 * 3600);
        jobs::tend(&house.ctx).await.unwrap();
        // Something happens by the wrong clock, which the ledger's time never goes back behind.
        house.issue(&house.admin, json!({})).await;
        house.wait(-365 * 24 * 3600);
        jobs::tend(&house.ctx).await.unwrap();
        held(house, "time_jumped", -365 * 24 * 3600).await;
        assert_eq!((house.clock.now(), house.clock.shown(0)), (right + 365 * DAY, right));
        use_of_old(house, 3).await;
        confirm(house).await.expect(200);
        jobs::tend(&house.ctx).await.unwrap();
        assert_eq!(stored(&house.database).await, 1);
        let ran = job(house).await;
        assert_eq!((&ran["ran_at"], &ran["due_at"]), (&right.into(), &(right + 3_600_000).into()));
        // Until the clock comes up to it, each start asks again.
        let node = house.node(&Clock::manual(right)).await;
        jobs::tend(&node).await.unwrap();
        held(house, "clock_behind_ledger", -365 * 24 * 3600).await;
        housekeeping::close(&node).await;
    }

    async fn a_node_that_starts_before_the_ledgers_end_holds_the_jobs(house) {
        jobs::tend(&house.ctx).await.unwrap();
        // The last event is of now; the last run was earlier, so that it is no reason.
        let now = house.clock.now();
        house.wait(5 * MINUTE);
        house.issue(&house.admin, json!({})).await;
        for (behind, holds) in [(-9 * MINUTE, false), (-10 * MINUTE, false), (-11 * MINUTE, true)] {
            let node = house.node(&Clock::manual(now + (5 * MINUTE + behind) * 1000)).await;
            jobs::tend(&node).await.unwrap();
            if holds {
                held(house, "clock_behind_ledger", behind).await;
            } else {
                free(house).await;
            }
            housekeeping::close(&node).await;
        }
    }

    async fn a_node_that_is_before_the_last_run_holds_the_job(house) {
        let now = house.clock.now();
        house.wait(20 * MINUTE);
        jobs::tend(&house.ctx).await.unwrap();
        for (minutes, holds) in [(11, false), (10, false), (9, true)] {
            let node = house.node(&Clock::manual(now + minutes * 60_000)).await;
            jobs::tend(&node).await.unwrap();
            if holds {
                held(house, "clock_behind_last_run", (minutes - 20) * MINUTE).await;
                assert_eq!(take(&node).await, None);
            } else {
                free(house).await;
            }
            housekeeping::close(&node).await;
        }
        // By a clock that is confirmed it goes on, though the last run was later.
        confirm(house).await.expect(200);
        use_of_old(house, 3).await;
        jobs::tend(&house.ctx).await.unwrap();
        assert_eq!(stored(&house.database).await, 1);
    }

    async fn a_jump_that_can_not_be_written_down_stops_this_node_until_it_is(house) {
        jobs::tend(&house.ctx).await.unwrap();
        let mut beside = Beside::open(&house.database).await;
        beside.lock().await;
        house.wait(2 * 3600);
        let refused = jobs::look(&house.ctx).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        beside.run("ROLLBACK").await;
        free(house).await;
        // The job is due by this clock, but the doubt is not forgotten.
        assert_eq!(take_refused(house).await, "the time jumped; nothing was changed");
        free(house).await;
        jobs::tend(&house.ctx).await.unwrap();
        held(house, "time_jumped", 2 * 3600).await;
    }

    async fn nothing_but_jobs_minds_a_jump(house) {
        jobs::tend(&house.ctx).await.unwrap();
        house.wait(2 * 3600);
        jobs::tend(&house.ctx).await.unwrap();
        held(house, "time_jumped", 2 * 3600).await;
        let (id, secret) = house.issue(&house.admin, json!({})).await;
        assert_eq!(house.verdict(&secret).await, "good");
        house.flush().await;
        assert_eq!(house.get("", "/healthz/ready").await.expect(200)["status"], "ready");
        house.post(&house.admin, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
        assert_eq!(house.verdict(&secret).await, "revoked");
    }
}

async fn take_refused(house: &House) -> String {
    jobs::take(&house.ctx, JobKind::Forget).await.unwrap_err().message().to_owned()
}
