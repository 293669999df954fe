//! The database is restarted, killed, replaced by its standby, or full.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cluster::Replication;
use crate::faults::Fault;
use crate::history::Said;
use crate::rig::{NODES, Rig, Setting};
use crate::witness;

const NODE: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restarted_and_killed() {
    let Some(mut rig) = Rig::open("a database that is restarted and killed", Setting::default()).await else { return };
    rig.load().await;
    for fault in [Fault::DatabaseRestarted, Fault::DatabaseKilled] {
        sleep(Duration::from_millis(500)).await;
        witness::strike(&mut rig, fault, NODE).await;
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failover_to_a_synchronous_standby() {
    let setting = Setting { replication: Some(Replication::Synchronous), ..Setting::default() };
    let Some(mut rig) = Rig::open("failover to a synchronous standby", setting).await else { return };
    rig.load().await;
    sleep(Duration::from_millis(500)).await;
    witness::strike(&mut rig, Fault::Failover, NODE).await;
    sleep(Duration::from_millis(500)).await;
    // The old one lives, and one node reaches only that. Whatever that node says, it says without a heartbeat.
    let seen = witness::strike(&mut rig, Fault::SplitFailover, NODE).await;
    seen.was_revoked_meanwhile();
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asynchronous_standby_that_lost_history() {
    let setting = Setting { replication: Some(Replication::Asynchronous), ..Setting::default() };
    let Some(mut rig) = Rig::open("an asynchronous standby that lost history", setting).await else { return };
    rig.load().await;
    // One for each node to revoke while the standby is behind, so that each journal knows one that the others do not.
    let mut tokens = Vec::new();
    for _ in 0..NODES {
        tokens.push(rig.token().await);
    }
    let (client, revoked) = (rig.client.clone(), tokens.clone());
    let lasts = async {
        for (node, (id, subject, _)) in revoked.iter().enumerate() {
            let receipt = client.revoke(node, id, *subject, true).await.expect("a revocation that is acknowledged");
            assert_eq!(receipt["journaled"], true);
        }
        sleep(Duration::from_secs(1)).await;
    };
    Fault::HistoryLost.strike(&mut rig, NODE, lasts).await;
    assert!(rig.lost >= NODES, "nothing was lost");
    for (_, subject, secret) in &tokens {
        for node in 0..NODES {
            let said = rig.client.ask(node, *subject, secret, None).await.said;
            assert!(matches!(said, Said::No(_)), "revoked in lost history, and on node {node} again {said:?}");
        }
    }
    let mut lost = 0.0;
    for node in &rig.nodes {
        lost += node.metric("tokenhouse_history_lost_total").await;
    }
    let logged = rig.nodes.iter().filter(|node| node.program.log().contains("\"history was lost")).count();
    assert!(lost >= 1.0 && logged >= 1, "nobody noticed: {lost} in metrics, {logged} logs");
    assert!(rig.cluster.epoch(&rig.cluster.primary).await > 1, "the epoch was not raised");
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_database() {
    let setting = Setting { database_disk: Some(160 << 20), ..Setting::default() };
    let Some(mut rig) = Rig::open("a full disk under the database", setting).await else { return };
    rig.load().await;
    sleep(Duration::from_millis(500)).await;
    let (id, subject, secret) = rig.token().await;
    rig.report.fault("database's disk full");
    rig.cluster.small().unwrap().fill();
    // Until somebody is told that it is full.
    let begun = Instant::now();
    let refused = |rig: &Rig| rig.client.history.with(|known| known.nothing + known.unknown);
    while refused(&rig) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the disk never gets full");
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_secs(1)).await;
    rig.cluster.small().unwrap().free();
    // PostgreSQL gives up where it can't write its log, and whoever runs it starts it again.
    let primary = &rig.cluster.primary;
    if rig.cluster.ask(primary, "SELECT 'it answers'").await.is_none() {
        println!("PostgreSQL gave up; it is started again");
        rig.cluster.up(primary).await;
    }
    rig.recover().await;
    assert!(rig.client.revoke(0, &id, subject, true).await.is_some(), "a change is refused though there is room");
    for node in 0..NODES {
        rig.client.ask(node, subject, &secret, None).await;
    }
    rig.close().await;
}
