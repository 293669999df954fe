//! Uses, counted in memory and flushed by [`crate::housekeeping`] (design 6). A crash loses what was not flushed: of a token
//! that is used for the first time in a while what came since the last flush, of a busy one at most a minute.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
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

/// What is counted of one token is written at most so often, in milliseconds: last uses are kept to the minute, and a busy
/// token would be written with every flush.
const HOLD: Millis = 60_000;

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

    fn join(&mut self, more: Self) {
        self.add(more.uses, more.last_at, more.last_address);
        more.addresses.into_iter().for_each(|address| self.add(0, 0, Some(address)));
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
    /// When it was last taken to be written; 0 if it never was.
    taken: Millis,
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
    /// Takes what was counted, of each day and reason once.
    fn take(&mut self, now: Millis) -> Vec<((i64, Option<Reason>), Count)> {
        (self.listed, self.taken) = (false, now);
        let (day, good) = ((self.day, None), self.good.take());
        if !good.is_empty() {
            match self.others.iter_mut().find(|(key, _)| *key == day) {
                // Given back, and used again on the same day.
                Some((_, count)) => count.join(good),
                None => self.others.push((day, good)),
            }
        }
        std::mem::take(&mut self.others)
    }

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

/// A tally and from when on it is to be flushed; the earliest is the greatest.
#[derive(Debug)]
struct Due {
    at: Millis,
    tally: Arc<Tally>,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

/// The tallies of tokens that are remembered or to be flushed.
#[derive(Debug, Default)]
struct Tallies {
    all: HashMap<Uuid, Arc<Tally>>,
    /// How many there may be before those that nobody needs are looked for.
    most: usize,
}

/// The counters of this node.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    tallies: Mutex<Tallies>,
    /// Those to which something was added since they were last taken.
    listed: Mutex<BinaryHeap<Due>>,
    /// Young secrets that were used: an answer that carries one need not be kept longer.
    fresh: Mutex<Vec<Uuid>>,
    /// Rung when such an answer should go soon.
    pub(crate) bell: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Uses {
    /// The tally of a token, of which there is one however often the token is read.
    pub(crate) fn tally(&self, token: Uuid) -> Arc<Tally> {
        let mut tallies = lock(&self.tallies);
        if tallies.all.len() >= tallies.most {
            // What nobody remembers and nothing was added to is done with.
            tallies.all.retain(|_, tally| Arc::strong_count(tally) > 1 || tally.lock().listed);
            tallies.most = tallies.all.len() * 2 + 1024;
        }
        let new = || Arc::new(Tally { token, inner: Mutex::default() });
        tallies.all.entry(token).or_insert_with(new).clone()
    }

    fn list(&self, tally: &Arc<Tally>, inner: &mut Inner) {
        if !std::mem::replace(&mut inner.listed, true) {
            let at = if inner.taken == 0 { 0 } else { inner.taken + HOLD };
            lock(&self.listed).push(Due { at, tally: tally.clone() });
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

    /// Takes what is due by then, of at most so many tokens, at this time.
    pub(crate) fn take(&self, due: Millis, most: usize, now: Millis) -> Vec<(Key, Count)> {
        let mut tallies = Vec::new();
        {
            let mut listed = lock(&self.listed);
            while tallies.len() < most && listed.peek().is_some_and(|first| first.at <= due) {
                tallies.extend(listed.pop().map(|due| due.tally));
            }
        }
        // The list is let go of first: a use holds its tally when it wants the list.
        let mut counts = Vec::new();
        for tally in tallies {
            let taken = tally.lock().take(now);
            counts.extend(taken.into_iter().map(|((day, reason), count)| ((tally.token, day, reason), count)));
        }
        counts
    }

    /// Puts back what could not be written.
    pub(crate) fn give_back(&self, counts: Vec<(Key, Count)>) {
        for ((token, day, reason), count) in counts {
            let tally = self.tally(token);
            let mut inner = tally.lock();
            // The next flush is to try again.
            inner.taken = 0;
            inner.latest = if reason.is_none() { inner.latest.max(count.last_at) } else { inner.latest };
            if let Some(there) = inner.other((day, reason)) {
                there.join(count);
            }
            self.list(&tally, &mut inner);
        }
    }

    /// Takes at most so many of the young secrets that were used.
    pub(crate) fn take_young(&self, most: usize) -> Vec<Uuid> {
        let mut fresh = lock(&self.fresh);
        let keep = fresh.len().saturating_sub(most);
        fresh.split_off(keep)
    }

    /// Puts back those whose answers could not be forgotten.
    pub(crate) fn give_young_back(&self, secrets: Vec<Uuid>) {
        lock(&self.fresh).extend(secrets);
    }
}
