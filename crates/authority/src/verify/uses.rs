//! Uses, counted in memory and flushed by [`crate::housekeeping`] (design 6). A crash loses at most one interval.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokenhouse_model::decide::Reason;
use tokenhouse_model::policy::DAY;
use tokenhouse_model::{Millis, Uuid};
use tokio::sync::Notify;

/// Counters are spread over so many locks, so that two requests seldom meet.
const SHARDS: usize = 16;
/// The most counters of one shard; beyond it new ones are dropped until the next flush.
const MOST: usize = 16_384;
/// The most addresses of one counter.
const MOST_ADDRESSES: usize = 8;

/// What a counter is about: the token, the day, and the reason of a refusal or nothing.
pub(crate) type Key = (Uuid, i64, Option<Reason>);

/// A counter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) uses: i64,
    pub(crate) last_at: Millis,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) last_address: Option<IpAddr>,
}

#[derive(Debug, Default)]
struct Shard {
    counts: HashMap<Key, Count>,
    /// When a token was last used, kept until that is in its row.
    latest: HashMap<Uuid, Millis>,
    /// Young secrets that were used: an answer that carries one need not be kept longer.
    fresh: Vec<Uuid>,
}

/// The counters of this node.
#[derive(Debug)]
pub(crate) struct Uses {
    shards: [Mutex<Shard>; SHARDS],
    /// Rung when something should be flushed soon.
    pub(crate) bell: Notify,
}

impl Default for Uses {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), bell: Notify::new() }
    }
}

impl Uses {
    fn shard(&self, token: Uuid) -> MutexGuard<'_, Shard> {
        // The last byte of a UUIDv7 is random.
        let at = usize::from(token.as_bytes()[15]) % SHARDS;
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a good use.
    pub(crate) fn good(&self, token: Uuid, now: Millis, address: Option<IpAddr>, fresh: Option<Uuid>) {
        let mut shard = self.shard(token);
        shard.count((token, now / DAY, None), now, address);
        if shard.latest.len() < MOST {
            let latest = shard.latest.entry(token).or_default();
            *latest = now.max(*latest);
        }
        if let Some(secret) = fresh
            && shard.fresh.len() < MOST
            && !shard.fresh.contains(&secret)
        {
            shard.fresh.push(secret);
            self.bell.notify_one();
        }
    }

    /// Counts a refusal. It is no use.
    pub(crate) fn refused(&self, token: Uuid, now: Millis, reason: Reason) {
        self.shard(token).count((token, now / DAY, Some(reason)), now, None);
    }

    /// When a token was last used on this node, as far as that is not in its row; 0 if it was not.
    pub(crate) fn latest(&self, token: Uuid) -> Millis {
        self.shard(token).latest.get(&token).copied().unwrap_or(0)
    }

    /// Takes everything that was counted.
    pub(crate) fn take(&self) -> Taken {
        let mut taken = Taken::default();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            taken.counts.extend(shard.counts.drain());
            taken.fresh.append(&mut shard.fresh);
        }
        taken
    }

    /// Puts back what could not be written.
    pub(crate) fn give_back(&self, taken: Taken) {
        for (key, count) in taken.counts {
            self.shard(key.0).merge(key, count);
        }
        for secret in taken.fresh {
            self.shard(secret).fresh.push(secret);
        }
    }

    /// Forgets the latest use of a token once it is in its row.
    pub(crate) fn stored(&self, token: Uuid, at: Millis) {
        let mut shard = self.shard(token);
        if shard.latest.get(&token).is_some_and(|latest| *latest <= at) {
            shard.latest.remove(&token);
        }
    }
}

/// What was counted since the last time.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) counts: Vec<(Key, Count)>,
    pub(crate) fresh: Vec<Uuid>,
}

impl Shard {
    fn count(&mut self, key: Key, now: Millis, address: Option<IpAddr>) {
        let addresses = address.into_iter().collect();
        self.merge(key, Count { uses: 1, last_at: now, addresses, last_address: address });
    }

    fn merge(&mut self, key: Key, more: Count) {
        if self.counts.len() >= MOST && !self.counts.contains_key(&key) {
            return;
        }
        let count = self.counts.entry(key).or_default();
        count.uses += more.uses;
        if more.last_at >= count.last_at {
            count.last_at = more.last_at;
            count.last_address = more.last_address.or(count.last_address);
        }
        for address in more.addresses {
            if count.addresses.len() < MOST_ADDRESSES && !count.addresses.contains(&address) {
                count.addresses.push(address);
            }
        }
    }
}
