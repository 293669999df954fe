//! With nothing broken: how long until the last node refuses.

use std::time::Duration;

use tokio::time::sleep;

use crate::rig::{Rig, Setting, setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_nodes_under_load() {
    let Some(mut rig) = Rig::open("healthy nodes under load", Setting::default()).await else { return };
    // More of them in a longer run, for a 99th percentile that is one.
    let times = setting("TOKENHOUSE_FAULT_SECONDS").map_or(30, |seconds| (seconds / 4).clamp(30, 600));
    rig.measure(usize::try_from(times).unwrap()).await;
    rig.load().await;
    sleep(Duration::from_secs(2)).await;
    rig.close().await;
}
