//! What can go wrong, each as one thing that begins, lasts and ends.

use std::time::Duration;

use tokio::time::sleep;

use crate::cluster::Replication;
use crate::proxy::Mode;
use crate::rig::Rig;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node's process is stopped, and goes on.
    Stopped,
    /// A node's process is killed, and started again.
    Killed,
    /// Nothing passes between a node and the database; then what was sent arrives.
    Dropped,
    /// As that, but what was sent is lost for good, and nobody says so.
    Lost,
    /// A node hears nothing of the database, which hears it.
    Deaf,
    /// All takes 100 ms longer, each way.
    Delayed,
    /// Connections are reset again and again.
    Reset,
    /// Connections are reset, and no new one can be made.
    Refused,
    /// Reads go through, writes hang.
    WritesHang,
    /// Only COMMIT hangs.
    CommitsHang,
    /// The database is restarted.
    DatabaseRestarted,
    /// The database is killed, and started again.
    DatabaseKilled,
    /// The database is killed, and its synchronous standby takes its place.
    Failover,
    /// The standby takes the database's place, which lives on, and one node still reaches only that.
    SplitFailover,
    /// A standby that had fallen behind takes the database's place.
    HistoryLost,
    /// A node's wall clock is an hour ahead.
    ClockAhead,
    /// A node's wall clock is an hour behind.
    ClockBehind,
    /// The disk of a node's journal is full.
    JournalFull,
}

use Fault::{
    ClockAhead, ClockBehind, CommitsHang, DatabaseKilled, DatabaseRestarted, Deaf, Delayed, Dropped, Failover,
    HistoryLost, JournalFull, Killed, Lost, Refused, Reset, SplitFailover, Stopped, WritesHang,
};

impl Fault {
    /// All that one run can have.
    pub const ALL: [Self; 18] = [
        Stopped,
        Killed,
        Dropped,
        Lost,
        Deaf,
        Delayed,
        Reset,
        Refused,
        WritesHang,
        CommitsHang,
        DatabaseRestarted,
        DatabaseKilled,
        Failover,
        SplitFailover,
        HistoryLost,
        ClockAhead,
        ClockBehind,
        JournalFull,
    ];
    /// Those of the network of one node.
    pub const NETWORK: [Self; 8] = [Dropped, Lost, Deaf, Delayed, Reset, Refused, WritesHang, CommitsHang];

    /// How the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Stopped => "node stopped and continued",
            Killed => "node killed",
            Dropped => "network drops",
            Lost => "network drops, connections lost",
            Deaf => "answers of the database drop",
            Delayed => "network delays",
            Reset => "network resets",
            Refused => "network refuses",
            WritesHang => "writes hang, reads pass",
            CommitsHang => "commits hang",
            DatabaseRestarted => "database restarted",
            DatabaseKilled => "database killed",
            Failover => "failover, old one dead",
            SplitFailover => "failover, old one alive",
            HistoryLost => "failover, history lost",
            ClockAhead => "wall clock an hour ahead",
            ClockBehind => "wall clock an hour behind",
            JournalFull => "journal's disk full",
        }
    }

    /// Whether no node can change anything while it lasts.
    pub fn strikes_all(self) -> bool {
        matches!(self, DatabaseRestarted | DatabaseKilled | Failover)
    }

    fn mode(self) -> Option<Mode> {
        match self {
            Dropped | Lost => Some(Mode::Drop),
            Deaf => Some(Mode::Deaf),
            Delayed => Some(Mode::Delay(Duration::from_millis(100))),
            Refused => Some(Mode::Refuse),
            WritesHang => Some(Mode::WritesHang),
            CommitsHang => Some(Mode::CommitsHang),
            _ => None,
        }
    }

    /// Begins, lasts as long as it is told where it can be told, and ends. What it breaks must be well again by itself
    /// afterwards.
    pub async fn strike(self, rig: &mut Rig, node: usize, lasts: impl Future<Output = ()>) {
        rig.report.fault(self.name());
        match self {
            Stopped => {
                rig.nodes[node].signal("STOP").await;
                lasts.await;
                rig.nodes[node].signal("CONT").await;
            }
            Killed => {
                rig.nodes[node].program.kill().await;
                lasts.await;
                rig.nodes[node].restart().await;
            }
            Dropped | Deaf | Delayed | Refused | WritesHang | CommitsHang | Lost | Reset => {
                self.spoil(rig, node, lasts).await;
            }
            DatabaseRestarted => {
                rig.cluster.down(&rig.cluster.primary).await;
                lasts.await;
                rig.cluster.up(&rig.cluster.primary).await;
            }
            DatabaseKilled => {
                rig.cluster.kill(&rig.cluster.primary).await;
                lasts.await;
                rig.cluster.up(&rig.cluster.primary).await;
            }
            Failover => {
                rig.cluster.kill(&rig.cluster.primary).await;
                rig.cluster.promote().await;
                rig.follow_primary();
                rig.cluster.add_standby(Replication::Synchronous).await;
            }
            SplitFailover => {
                rig.cluster.promote().await;
                for (number, of) in rig.nodes.iter().enumerate() {
                    of.proxy.lead_to(rig.cluster.primary.address);
                    if number != node {
                        of.proxy.cut();
                    }
                }
                // The connections of this one go on to the old one, new ones as well.
                let old = rig.cluster.old.last().unwrap().clone();
                rig.nodes[node].proxy.lead_to(old.address);
                lasts.await;
                rig.cluster.kill(&old).await;
                rig.follow_primary();
                rig.cluster.add_standby(Replication::Synchronous).await;
            }
            HistoryLost => lose_history(rig, lasts).await,
            ClockAhead | ClockBehind => {
                rig.nodes[node].step_clock(if self == ClockAhead { 3600 } else { -3600 });
                lasts.await;
                rig.nodes[node].step_clock(0);
            }
            JournalFull => {
                rig.fill_journal(node).await;
                lasts.await;
                rig.free_journal(node).await;
            }
        }
    }

    /// Begins a fault of the network of one node, which lasts until that is mended.
    pub fn begin(self, rig: &Rig, node: usize) {
        match self.mode() {
            Some(mode) => rig.nodes[node].proxy.set(mode),
            None => rig.nodes[node].proxy.cut(),
        }
    }

    /// A fault of the network of one node.
    async fn spoil(self, rig: &Rig, node: usize, lasts: impl Future<Output = ()>) {
        let proxy = &rig.nodes[node].proxy;
        self.begin(rig, node);
        if self == Reset {
            let again = async {
                loop {
                    sleep(Duration::from_millis(100)).await;
                    proxy.cut();
                }
            };
            futures::future::select(Box::pin(lasts), Box::pin(again)).await;
        } else {
            lasts.await;
        }
        if self == Lost {
            proxy.lose();
        }
        proxy.set(Mode::Pass);
    }
}

/// A standby falls behind for as long as told, while the load goes on; then it is promoted.
async fn lose_history(rig: &mut Rig, lasts: impl Future<Output = ()>) {
    let standby = rig.cluster.standby.clone().unwrap();
    rig.cluster.stop_waiting().await;
    rig.cluster.down(&standby).await;
    lasts.await;
    // What is acknowledged from here on must hold; so nothing is changed until all nodes know what was lost.
    let held = rig.loaded().hold_changes().await;
    let primary = rig.cluster.primary.clone();
    let (epoch, head) = (rig.cluster.epoch(&primary).await, rig.cluster.head(&primary).await);
    rig.cluster.kill(&primary).await;
    rig.cluster.up(&standby).await;
    rig.cluster.promote().await;
    let kept = rig.cluster.head(&rig.cluster.primary).await;
    rig.follow_primary();
    // Until now each could be fresh without having looked.
    sleep(rig.client.patience).await;
    rig.recover().await;
    let recovered = rig.client.history.now();
    let (given, taken) = rig.client.history.lost(epoch, kept, recovered);
    drop(held);
    rig.cluster.add_standby(Replication::Synchronous).await;
    println!("history lost: {kept} of {head} revisions kept; changes lost: {given} given, {taken} taken");
    rig.lost = taken;
}
