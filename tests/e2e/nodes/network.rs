//! The network between one node and the database is spoilt.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::faults::Fault;
use crate::rig::{Rig, Setting};
use crate::witness;

const NODE: usize = 2;

/// Strikes with each of these, one after another, with a revocation through another node meanwhile.
async fn spoilt(name: &'static str, faults: &[Fault]) {
    let Some(mut rig) = Rig::open(name, Setting::default()).await else { return };
    rig.load().await;
    sleep(Duration::from_millis(500)).await;
    for fault in faults {
        let seen = witness::strike(&mut rig, *fault, NODE).await;
        seen.was_revoked_meanwhile();
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_drops() {
    spoilt("a network that drops", &[Fault::Dropped, Fault::Lost]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_drops_what_the_database_answers() {
    spoilt("a network that drops what the database answers", &[Fault::Deaf]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_delays() {
    spoilt("a network that delays", &[Fault::Delayed]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_resets_and_refuses() {
    spoilt("a network that resets and refuses", &[Fault::Reset, Fault::Refused]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_hang_while_reads_pass() {
    spoilt("writes that hang while reads pass", &[Fault::WritesHang, Fault::CommitsHang]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resting_connections_that_are_lost() {
    let Some(mut rig) = Rig::open("resting connections that are lost", Setting::default()).await else { return };
    // As many at once as the node may hold connections for reading: all of them are made, and then rest.
    let reads = (0..40).map(|_| rig.client.make(NODE, "GET", "/v1/accounts", Value::Null));
    futures::future::join_all(reads).await;
    Fault::Lost.strike(&mut rig, NODE, sleep(Duration::from_millis(1500))).await;
    // Nobody else asks: what is dead must be found out by those few who recover.
    rig.recover().await;
    rig.close().await;
}
