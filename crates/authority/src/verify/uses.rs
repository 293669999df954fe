//! Uses, counted in memory and flushed by [`crate::housekeeping`] (design 6). A crash loses at most one interval.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenhouse_model::decide::Reason;
use tokenhouse_model::policy::DAY;
use tokenhouse_model::{Millis, Uuid};
use tokio::sync::Notify;

/// The most addresses of one count.
const MOST_ADDRESSES: usize = 8;
/// The most young secrets whose use is remembered until the next flush.
const MOST_FRESH: usize = 16_384;

/// What a count is about: the token, the day, and the reason of a refusal or nothing.
pub(crate) type Key = (Uuid, i64, Option<Reason>);

/// A count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) uses: i64,
    pub(crate) last_at: Millis,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) last_address: Option<IpAddr>,
}

impl Count {
    fn is_empty(&self) -> bool {
        self.uses == 0
    }

    fn add(&mut self, uses: i64, at: Millis, address: Option<IpAddr>) {
        self.uses += uses;
        if at >= self.last_at {
            self.last_at = at;
            if address.is_some() {
                self.last_address = address;
            }
        }
        if let Some(address) = address
            && self.addresses.len() < MOST_ADDRESSES
            && !self.addresses.contains(&address)
        {
            self.addresses.push(address);
        }
    }

    /// Takes what was counted; the room for addresses stays.
    fn take(&mut self) -> Self {
        let taken = self.clone();
        self.uses = 0;
        self.addresses.clear();
        taken
    }
}

/// How one token is used on this node since the last flush.
#[derive(Debug)]
pub(crate) struct Tally {
    token: Uuid,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether it stands in the list of what is to be flushed.
    listed: bool,
    /// When it was last used here.
    latest: Millis,
    /// The day of `good`, since the epoch.
    day: i64,
    good: Count,
    /// Refusals, and good uses of a day before; few.
    others: Vec<((i64, Option<Reason>), Count)>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the token was last used on this node, whether that is in its row or not; 0 if it was not.
    pub(crate) fn latest(&self) -> Millis {
        self.lock().latest
    }
}

impl Inner {
    fn other(&mut self, key: (i64, Option<Reason>)) -> Option<&mut Count> {
        // One for each reason and two days: a bound that nothing reaches.
        if self.others.len() >= 64 && !self.others.iter().any(|(there, _)| *there == key) {
            return None;
        }
        let at = self.others.iter().position(|(there, _)| *there == key).unwrap_or_else(|| {
            self.others.push((key, Count::default()));
            self.others.len() - 1
        });
        self.others.get_mut(at).map(|(_, count)| count)
    }
}

/// The counters of this node.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// The tallies of tokens that are remembered or to be flushed.
    tallies: Mutex<HashMap<Uuid, Arc<Tally>>>,
    /// Those to which something was added since the last flush.
    listed: Mutex<Vec<Arc<Tally>>>,
    /// Young secrets that were used: an answer that carries one need not be kept longer.
    fresh: Mutex<Vec<Uuid>>,
    /// Rung when something should be flushed soon.
    pub(crate) bell: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Uses {
    /// The tally of a token, of which there is one however often the token is read.
    pub(crate) fn tally(&self, token: Uuid) -> Arc<Tally> {
        let mut tallies = lock(&self.tallies);
        let new = || Arc::new(Tally { token, inner: Mutex::default() });
        tallies.entry(token).or_insert_with(new).clone()
    }

    fn list(&self, tally: &Arc<Tally>, inner: &mut Inner) {
        if !std::mem::replace(&mut inner.listed, true) {
            lock(&self.listed).push(tally.clone());
        }
    }

    /// Counts a good use.
    pub(crate) fn good(&self, tally: &Arc<Tally>, now: Millis, address: Option<IpAddr>) {
        let mut inner = tally.lock();
        let day = now / DAY;
        if inner.day != day {
            let before = (inner.day, inner.good.take());
            if !before.1.is_empty()
                && let Some(count) = inner.other((before.0, None))
            {
                *count = before.1;
            }
            inner.day = day;
        }
        inner.good.add(1, now, address);
        inner.latest = inner.latest.max(now);
        self.list(tally, &mut inner);
    }

    /// Notes that a young secret was used.
    pub(crate) fn young(&self, secret: Uuid) {
        let mut fresh = lock(&self.fresh);
        if fresh.len() < MOST_FRESH && !fresh.contains(&secret) {
            fresh.push(secret);
            self.bell.notify_one();
        }
    }

    /// Counts a refusal. It is no use.
    pub(crate) fn refused(&self, tally: &Arc<Tally>, now: Millis, reason: Reason) {
        let mut inner = tally.lock();
        if let Some(count) = inner.other((now / DAY, Some(reason))) {
            count.add(1, now, None);
        }
        self.list(tally, &mut inner);
    }

    /// Takes everything that was counted.
    pub(crate) fn take(&self) -> Taken {
        let mut taken = Taken { counts: Vec::new(), fresh: std::mem::take(&mut *lock(&self.fresh)) };
        // Let go of first: a use holds its tally when it wants the list.
        let listed = std::mem::take(&mut *lock(&self.listed));
        for tally in listed {
            let mut inner = tally.lock();
            inner.listed = false;
            let day = inner.day;
            let good = inner.good.take();
            let good = (!good.is_empty()).then_some(((day, None), good));
            let counts = inner.others.drain(..).chain(good);
            taken.counts.extend(counts.map(|((day, reason), count)| ((tally.token, day, reason), count)));
        }
        // What nobody remembers and nothing was added to is done with.
        lock(&self.tallies).retain(|_, tally| Arc::strong_count(tally) > 1 || tally.lock().listed);
        taken
    }

    /// Puts back what could not be written.
    pub(crate) fn give_back(&self, taken: Taken) {
        for ((token, day, reason), count) in taken.counts {
            let tally = self.tally(token);
            let mut inner = tally.lock();
            inner.latest = if reason.is_none() { inner.latest.max(count.last_at) } else { inner.latest };
            if let Some(there) = inner.other((day, reason)) {
                there.add(count.uses, count.last_at, count.last_address);
                count.addresses.into_iter().for_each(|address| there.add(0, 0, Some(address)));
            }
            self.list(&tally, &mut inner);
        }
        lock(&self.fresh).extend(taken.fresh);
    }
}

/// What was counted since the last time.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) counts: Vec<(Key, Count)>,
    pub(crate) fresh: Vec<Uuid>,
}
