//! What was answered, and what is being asked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::answer::Verdict;
use crate::question::{Asked, Line, Need, Silence, Told};
use crate::receipts::{Place, Receipts};

/// What an answer belongs to: a digest, so that no secret is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn of(credential: &str, permission: Option<&str>, address: Option<IpAddr>) -> Self {
        let mut digest = Sha256::new();
        // With lengths, so that no two questions are the same bytes.
        for part in [credential, permission.unwrap_or_default()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        digest.update([u8::from(permission.is_some())]);
        match address {
            None => {}
            Some(IpAddr::V4(address)) => digest.update(address.octets()),
            Some(IpAddr::V6(address)) => digest.update(address.octets()),
        }
        Self(digest.finalize().into())
    }
}

/// An answer that may be used again.
#[derive(Clone)]
struct Kept {
    verdict: Verdict,
    /// When its question was sent.
    sent: Instant,
    /// For how long after that the token has not ended.
    lives: Duration,
    place: Option<Place>,
}

type Outcome = Result<Verdict, Silence>;
type Flying = Shared<BoxFuture<'static, Outcome>>;

/// A question under way. Whoever waits for it drives it; when nobody does any more it is dropped.
struct Flight {
    number: u64,
    answer: WeakShared<BoxFuture<'static, Outcome>>,
    /// When it was sent, and what its answer is not older than; `None` while it waits its turn.
    sent: Option<(Instant, Option<Place>)>,
}

#[derive(Default)]
struct Flights {
    last: u64,
    under_way: HashMap<Key, Flight>,
}

pub(crate) struct Memory {
    kept: Cache<Key, Kept>,
    flights: Mutex<Flights>,
    line: Line,
    staleness: Duration,
    receipts: Receipts,
}

impl Memory {
    pub(crate) fn new(line: Line, staleness: Duration, receipts: Receipts, capacity: usize) -> Self {
        Self { kept: Cache::new(capacity), flights: Mutex::default(), line, staleness, receipts }
    }

    pub(crate) fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The verdict on a credential, from memory if that is new enough, else from Tokenhouse.
    pub(crate) async fn verdict(self: &Arc<Self>, key: Key, asked: impl FnOnce() -> Asked) -> Outcome {
        let need = Need { arrived: Instant::now(), staleness: self.staleness, floor: self.receipts.latest() };
        if let Some(kept) = self.kept.get(&key) {
            let alive = need.arrived.saturating_duration_since(kept.sent) < kept.lives;
            if alive && need.met(kept.sent, kept.place) {
                return Ok(kept.verdict);
            }
        }
        self.join(key, &need, asked).await
    }

    /// Joins a question that is not older than needed, or sends one.
    fn join(self: &Arc<Self>, key: Key, need: &Need, asked: impl FnOnce() -> Asked) -> Flying {
        let mut flights = self.flights();
        if let Some(flight) = flights.under_way.get(&key) {
            // One that was not sent yet will be sent after this request arrived, and looks at the receipts then.
            let joins = flight.sent.is_none_or(|(sent, floor)| need.met(sent, floor));
            // Only what is returned is held: the last hold on a flight must not be let go under the lock.
            if joins && let Some(answer) = flight.answer.upgrade() {
                return answer;
            }
        }
        flights.last += 1;
        let number = flights.last;
        let ends = Ends { memory: self.clone(), key, number };
        let asked = asked();
        let answer = async move { ends.memory.send(&ends, &asked).await }.boxed().shared();
        if let Some(weak) = answer.downgrade() {
            flights.under_way.insert(key, Flight { number, answer: weak, sent: None });
        }
        answer
    }

    async fn send(&self, flight: &Ends, asked: &Asked) -> Outcome {
        let mut sent = Instant::now();
        // Under the lock of whoever wants to join: he sees it unsent, or sent with these receipts.
        let sending = || {
            let mut flights = self.flights();
            let floor = self.receipts.latest();
            sent = Instant::now();
            if let Some(here) = flights.under_way.get_mut(&flight.key).filter(|here| here.number == flight.number) {
                here.sent = Some((sent, floor));
            }
            floor
        };
        let Told { answer, lives } = self.line.ask(asked, sending).await?;
        if answer.stale > self.staleness {
            return Err(Silence::new("Tokenhouse answered without its database, from too long ago"));
        }
        // Where the answer was old already, it was as if its question had been sent then.
        let sent = sent.checked_sub(answer.stale);
        if let (Some(sent), Some(lives), false) = (sent, lives, self.staleness.is_zero()) {
            let kept = Kept { verdict: answer.verdict.clone(), sent, lives, place: answer.place };
            self.kept.insert(flight.key, kept);
        }
        Ok(answer.verdict)
    }
}

/// Takes a flight away when it has landed, or nobody waits for it any more.
struct Ends {
    memory: Arc<Memory>,
    key: Key,
    number: u64,
}

impl Drop for Ends {
    fn drop(&mut self) {
        let mut flights = self.memory.flights();
        if flights.under_way.get(&self.key).is_some_and(|flight| flight.number == self.number) {
            flights.under_way.remove(&self.key);
        }
    }
}
