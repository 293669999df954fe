//! The machine of one node: its process is stopped or killed, its wall clock steps, its disk is full.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::faults::Fault;
use crate::history::Said;
use crate::node::faketime;
use crate::rig::{Rig, Setting};
use crate::witness;

const NODE: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_stopped_for_longer_than_s() {
    let Some(mut rig) = Rig::open("a node that is stopped for longer than S", Setting::default()).await else { return };
    rig.load().await;
    sleep(Duration::from_millis(500)).await;
    for _ in 0..2 {
        let seen = witness::strike(&mut rig, Fault::Stopped, NODE).await;
        // Sent after the confirmation, to a process that did not run: answered when it ran again, and never with yes.
        seen.was_revoked_meanwhile();
        assert!(seen.answers.iter().any(|said| *said != Said::Nothing), "{seen:?}");
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed() {
    let Some(mut rig) = Rig::open("a node that is killed", Setting::default()).await else { return };
    rig.load().await;
    sleep(Duration::from_millis(500)).await;
    witness::strike(&mut rig, Fault::Killed, NODE).await.was_revoked_meanwhile();
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wall_clock_that_steps_by_an_hour() {
    if faketime().is_none() {
        println!("skipped: libfaketime is not installed");
        return;
    }
    let setting = Setting { clock_of: Some(NODE), ..Setting::default() };
    let Some(mut rig) = Rig::open("a wall clock that steps by an hour", setting).await else { return };
    rig.load().await;
    let ask = json!({"kind": "service", "identifier": "sa::timed"});
    let owner = rig.client.make(0, "POST", "/v1/accounts", ask).await.text("id");
    let client = rig.client.clone();
    let timed = async |seconds: u64| {
        let body = json!({"owner": owner, "lifetime_seconds": seconds});
        let secret = client.make(0, "POST", "/v1/tokens", body).await.text("secret");
        (client.history.add(format!("a token of {seconds} s"), &secret, None), secret)
    };
    let ((short, short_secret), (long, long_secret)) = (timed(1).await, timed(1800).await);
    sleep(Duration::from_millis(1500)).await;
    for hour in [1, -1] {
        // In its own hour and just after it stepped: over stays over, and what lives half an hour is not over yet.
        rig.nodes[NODE].step_clock(hour * 3600);
        for _ in 0..10 {
            let ended = client.ask(NODE, short, &short_secret, None).await.said;
            assert!(ended != Said::Yes, "an expired token is good again, {hour} h off");
            let lives = client.ask(NODE, long, &long_secret, None).await.said;
            assert!(!matches!(lives, Said::No(_)), "a token is over before its time, {hour} h off: {lives:?}");
            sleep(Duration::from_millis(100)).await;
        }
        assert!(!rig.nodes[NODE].ready().await, "ready, {hour} h off");
        rig.nodes[NODE].step_clock(0);
        rig.recover().await;
    }
    for fault in [Fault::ClockAhead, Fault::ClockBehind] {
        witness::strike(&mut rig, fault, NODE).await.was_revoked_meanwhile();
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_journal_of_a_node() {
    let setting = Setting { journal_disk_of: Some(NODE), ..Setting::default() };
    let Some(mut rig) = Rig::open("a full disk under the journal of a node", setting).await else { return };
    rig.load().await;
    let revoke = async |rig: &Rig| {
        let (id, subject, _) = rig.token().await;
        let receipt = rig.client.revoke(NODE, &id, subject, false).await.expect("a revocation that is acknowledged");
        receipt["journaled"] == true
    };
    let status = async |rig: &Rig| rig.nodes[NODE].look("/healthz/ready").await.unwrap().expect(200).text("status");
    assert!(revoke(&rig).await, "the journal is not written");
    rig.fill_journal(NODE).await;
    // What is left of a page may hold another line or two.
    let mut tries = 0;
    while revoke(&rig).await {
        tries += 1;
        assert!(tries < 50, "the disk is not full");
    }
    assert_eq!(status(&rig).await, "degraded");
    rig.free_journal(NODE).await;
    assert!(revoke(&rig).await, "the journal is not written again");
    assert_eq!(status(&rig).await, "ready");
    witness::strike(&mut rig, Fault::JournalFull, NODE).await.was_revoked_meanwhile();
    rig.close().await;
}
