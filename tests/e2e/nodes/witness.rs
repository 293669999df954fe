//! One token that is revoked through one node while a fault holds another, which is asked about it all along.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::faults::Fault;
use crate::history::{Moment, Outcome, Said, Way};
use crate::rig::{NODES, Rig};

/// How long a fault lasts at least: longer than S plus 1 % plus 50 ms, so that a node that is cut off can't be fresh at
/// its end.
const LASTS: Duration = Duration::from_millis(1500);
/// How long it goes on once the revocation is confirmed, so that somebody asks.
const AFTER: Duration = Duration::from_millis(500);
/// How long it lasts at most, though the revocation is not confirmed: a node that is slow while it holds the end of the
/// ledger makes others wait.
const MOST: Duration = Duration::from_secs(20);
/// Questions that are under way at once.
const ASKERS: usize = 4;
/// How long the fault holds before the token is revoked.
const BEFORE: Duration = Duration::from_millis(200);

/// What was seen of the token.
#[derive(Debug)]
pub struct Seen {
    /// When its revocation was confirmed.
    pub confirmed: Moment,
    /// When the fault began and ended.
    pub fault: (Moment, Moment),
    /// Answers of the node while the fault lasted, to questions that were sent after the confirmation.
    pub answers: Vec<Said>,
}

/// Strikes with this fault, and revokes a token meanwhile.
pub async fn strike(rig: &mut Rig, fault: Fault, node: usize) -> Seen {
    let (id, subject, secret) = rig.token().await;
    let over = Arc::new(AtomicBool::new(false));
    let client = rig.client.other(7);
    let revoking = {
        let client = client.clone();
        tokio::spawn(async move {
            sleep(BEFORE).await;
            // A fault of the database itself may refuse for a while; then the same is asked again.
            while client.revoke((node + 1) % NODES, &id, subject, true).await.is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        })
    };
    let asking: Vec<JoinHandle<Vec<_>>> = (0..ASKERS)
        .map(|_| {
            let (client, over, secret) = (client.clone(), over.clone(), secret.clone());
            tokio::spawn(async move {
                let mut said = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    said.push(client.ask(node, subject, &secret, None).await);
                    sleep(Duration::from_millis(20)).await;
                }
                said
            })
        })
        .collect();
    let history = client.history.clone();
    let begun = history.now();
    // When the revocation was, or will be, confirmed.
    let confirmed = || {
        let last = history.with(|known| *known.subjects[subject].changes.last().unwrap());
        match last.outcome {
            Outcome::Done { confirmed, .. } if last.way == Way::Takes => Some(confirmed),
            _ => None,
        }
    };
    let most = begun + if fault.strikes_all() { LASTS } else { MOST };
    let mut late = Vec::new();
    let lasts = async {
        while history.now() < most && confirmed().is_none_or(|confirmed| history.now() <= confirmed) {
            sleep(Duration::from_millis(10)).await;
        }
        // Those who asked before may be waiting for their answer still.
        late.extend((0..ASKERS).map(|_| {
            let (client, secret) = (client.clone(), secret.clone());
            tokio::spawn(async move { client.ask(node, subject, &secret, None).await })
        }));
        sleep(AFTER.max((begun + LASTS).saturating_sub(history.now()))).await;
    };
    fault.strike(rig, node, lasts).await;
    let ended = history.now();
    revoking.await.unwrap();
    rig.recover().await;
    over.store(true, Ordering::Relaxed);
    let (asked, late) = futures::future::join(join_all(asking), join_all(late)).await;
    let confirmed = confirmed().expect("a revocation that is acknowledged");
    // Until it was confirmed the node may have said anything; from then on the checker has an eye on it.
    let asked = asked.into_iter().flat_map(Result::unwrap).chain(late.into_iter().map(Result::unwrap));
    let answers = asked.filter(|asked| asked.sent > confirmed && asked.sent < ended).map(|asked| asked.said);
    Seen { confirmed, fault: (begun, ended), answers: answers.collect() }
}

impl Seen {
    /// The revocation was acknowledged and confirmed while the fault lasted, and the node was asked about it then.
    #[track_caller]
    pub fn was_revoked_meanwhile(&self) {
        assert!(self.confirmed < self.fault.1, "it was not confirmed while the fault lasted: {self:?}");
        assert!(!self.answers.is_empty(), "nobody asked: {self:?}");
    }
}
