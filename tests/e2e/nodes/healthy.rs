//! With nothing broken: how long until the last node refuses.

use std::time::Duration;

use tokio::time::sleep;

use crate::rig::{Rig, Setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_nodes_under_load() {
    let Some(mut rig) = Rig::open("healthy nodes under load", Setting::default()).await else { return };
    rig.measure(60).await;
    rig.load().await;
    sleep(Duration::from_secs(4)).await;
    rig.close().await;
}
