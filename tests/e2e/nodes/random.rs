//! All faults, at random, for as long as one likes.

use std::time::{Duration, Instant};

use tokenhouse_model::env::Random;
use tokio::time::sleep;

use crate::cluster::Replication;
use crate::faults::Fault;
use crate::node::faketime;
use crate::rig::{NODES, Rig, Setting, seed, setting};

/// The node whose wall clock steps.
const CLOCK: usize = 1;
/// The node whose journal has a disk of its own.
const JOURNAL: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults() {
    let seconds = u64::try_from(setting("TOKENHOUSE_FAULT_SECONDS").unwrap_or(40)).unwrap();
    let begun = Instant::now();
    let replication = Some(Replication::Synchronous);
    let open = Setting { replication, clock_of: Some(CLOCK), journal_disk_of: Some(JOURNAL), ..Setting::default() };
    let Some(mut rig) = Rig::open("random faults", open).await else { return };
    let random = Random::fixed(seed());
    let die = |below: usize| usize::from(u16::from_be_bytes(random.bytes())) % below;
    rig.load().await;
    let mut rounds = 0;
    // Every kind once in an order of its own, then again.
    let mut left: Vec<Fault> = Vec::new();
    while begun.elapsed() < Duration::from_secs(seconds) {
        if left.is_empty() {
            left = Fault::ALL.to_vec();
        }
        let fault = left.swap_remove(die(left.len()));
        if faketime().is_none() && matches!(fault, Fault::ClockAhead | Fault::ClockBehind) {
            continue;
        }
        let node = match fault {
            Fault::ClockAhead | Fault::ClockBehind => CLOCK,
            Fault::JournalFull => JOURNAL,
            _ => die(NODES),
        };
        let lasts = Duration::from_millis(300 + 10 * die(270) as u64);
        // Half of the time the network of another node is spoilt as well, beginning and ending when it likes.
        let also = (die(2) == 0).then(|| (Fault::NETWORK[die(8)], (node + 1 + die(NODES - 1)) % NODES));
        // Not where all must be well before the fault is over.
        let also = also.filter(|(other, _)| *other != Fault::Lost && fault != Fault::HistoryLost);
        println!("round {rounds}: {fault:?} of node {node} for {lasts:?}, also {also:?}");
        if let Some((other, of)) = also {
            rig.report.fault(other.name());
            other.begin(&rig, of);
        }
        fault.strike(&mut rig, node, sleep(lasts)).await;
        if let Some((_, of)) = also {
            rig.nodes[of].proxy.set(crate::proxy::Mode::Pass);
        }
        rounds += 1;
        if fault == Fault::HistoryLost || rounds % 4 == 0 {
            rig.settle().await;
            rig.measure(3).await;
        } else {
            rig.recover().await;
        }
        sleep(Duration::from_millis(200)).await;
    }
    rig.close().await;
}
