//! Limits on bad credentials, where anybody may present one: by the caller's address, and by what was presented.
//!
//! Limits change only failures (design 5.11): every credential is decided first, and nobody asks here about a good one.
//! A refusal beyond the limit is told as one that came too often; it is as cheap as the decision, which comes from what
//! verify remembers. Each node counts for itself, and forgets when it stops.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicI64, Ordering};

use tokenhouse_model::credential::Presented;
use tokenhouse_model::rate::Rate;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Error, Millis, name};

use crate::Ctx;

/// How many bad credentials are refused as such before it is said that they come too often.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From one address; of IPv6 from one network of 64 bits.
    pub address: Rate,
    /// Of one secret, or of one client.
    pub credential: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self { address: Rate { a_minute: 60, at_once: 120 }, credential: Rate { a_minute: 5, at_once: 20 } }
    }
}

/// What was presented in vain.
#[derive(Clone, Copy, Debug)]
pub enum Tried<'a> {
    /// A secret by itself.
    Secret(&'a Presented),
    /// A client by this id, in a header of HTTP Basic.
    Header(&'a str),
    /// A client by this id, in the body or the query.
    Body(&'a str),
}

/// Libraries that don't know how a server wants to have clients try the header first and then, at once, the body: so many
/// milliseconds after the one, the other is the same failure (csp.md G16).
const SAME: Millis = 1000;

/// Notes that a credential was presented in vain. Gives back its refusal as it is, or as one that comes too often.
pub fn refused(ctx: &Ctx, address: Option<IpAddr>, tried: Tried<'_>, error: Error) -> Error {
    let (now, failures, limits) = (ctx.now(), &ctx.failures, ctx.settings.limits);
    let from = address.map(network);
    let credential = match tried {
        Tried::Secret(presented) => Key::Secret(Digest::of(presented.bytes())),
        // What was told of the header is told of the body that comes with it.
        Tried::Body(id) if failures.headers.set(&Key::Both(client(id), from), 0) > now => return error,
        Tried::Header(id) | Tried::Body(id) => Key::Client(client(id)),
    };
    let wait = failures.addresses.take(limits.address, &Key::Address(from), now);
    let wait = wait.max(failures.credentials.take(limits.credential, &credential, now));
    if wait > 0 {
        return error.too_often(u32::try_from((wait + 999) / 1000).unwrap_or(u32::MAX));
    }
    if let Tried::Header(id) = tried {
        failures.headers.set(&Key::Both(client(id), from), now + SAME);
    }
    error
}

/// A client's id as it is looked up, whatever it is.
fn client(id: &str) -> Digest {
    let folded = name::findable(id, tokenhouse_model::app::LONGEST_ID);
    Digest::of(folded.as_deref().unwrap_or(id).as_bytes())
}

/// An address; of IPv6 the network, since whoever has one address has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
    }
}

/// Under what failures are counted.
#[derive(Hash)]
enum Key {
    /// Addresses that are not known are one.
    Address(Option<IpAddr>),
    Secret(Digest),
    Client(Digest),
    Both(Digest, Option<IpAddr>),
}

/// The failures of this process, in as much memory as at the start, whoever comes and however often.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// When what came from an address is paid for.
    addresses: Places,
    /// When what was presented is paid for.
    credentials: Places,
    /// Until when a client that failed with a header may fail with a body.
    headers: Places,
}

/// Times, in a fixed number of places. Each key has two, which are nobody's to choose, and counts for what both say: that
/// others fill one of them does it no harm.
#[derive(Debug)]
struct Places {
    times: Box<[AtomicI64]>,
    hash: RandomState,
}

/// How many: a quarter of a megabyte for each sort of keys.
const PLACES: u64 = 1 << 15;

impl Default for Places {
    fn default() -> Self {
        Self { times: (0..PLACES).map(|_| AtomicI64::new(0)).collect(), hash: RandomState::new() }
    }
}

impl Places {
    fn of(&self, key: &Key) -> impl Iterator<Item = &AtomicI64> {
        let number = self.hash.hash_one(key);
        let places = [number % PLACES, (number >> 32) % PLACES];
        places.into_iter().filter_map(|place| self.times.get(usize::try_from(place).ok()?))
    }

    /// Counts one more failure. How long there is no room for it, in milliseconds; 0 where there is.
    fn take(&self, rate: Rate, key: &Key, now: Millis) -> Millis {
        let waits = self.of(key).map(|place| {
            let mut wait = 0;
            let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid_at| {
                let taken = rate.take(paid_at, now);
                wait = taken.err().unwrap_or(0);
                taken.ok()
            });
            wait
        });
        waits.min().unwrap_or(0)
    }

    /// Sets a time, and tells which one stood there before.
    fn set(&self, key: &Key, time: Millis) -> Millis {
        self.of(key).map(|place| place.swap(time, Ordering::Relaxed)).min().unwrap_or(0)
    }
}
