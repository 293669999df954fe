//! Time and randomness as values. This is the one place that reads the system's clock and entropy.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Millis;

/// Where `now` comes from. Cloning shares the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// The latest time ever given out: a clock that is set back does not bring an expired token back.
    latest: Arc<AtomicI64>,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's wall clock, never going backwards.
    pub fn system() -> Self {
        Self { source: Source::System, latest: Arc::new(AtomicI64::new(0)) }
    }

    /// A clock for tests that stands still until [`Clock::advance`].
    pub fn manual(now: Millis) -> Self {
        Self { source: Source::Manual(Arc::new(AtomicI64::new(now))), latest: Arc::new(AtomicI64::new(0)) }
    }

    /// Milliseconds since the epoch; never earlier than any time that this clock gave out or was raised to.
    pub fn now(&self) -> Millis {
        let read = match &self.source {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|elapsed| Millis::try_from(elapsed.as_millis()).ok())
                .unwrap_or(0),
            Source::Manual(now) => now.load(Ordering::Relaxed),
        };
        self.latest.fetch_max(read, Ordering::Relaxed).max(read)
    }

    /// Raises the floor of this clock, e.g. to the last persisted ledger time at start.
    pub fn not_before(&self, time: Millis) {
        self.latest.fetch_max(time, Ordering::Relaxed);
    }

    /// Moves a manual clock forward; the system's clock is left alone.
    pub fn advance(&self, millis: Millis) {
        if let Source::Manual(now) = &self.source {
            now.fetch_add(millis, Ordering::Relaxed);
        }
    }
}

/// Where random bytes come from: the operating system, or in tests a fixed sequence.
#[derive(Clone, Debug, Default)]
pub struct Random {
    fixed: Option<Arc<AtomicI64>>,
}

impl Random {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self::default()
    }

    /// A repeatable sequence for tests of pure rules; never for a server.
    pub fn fixed(seed: i64) -> Self {
        Self { fixed: Some(Arc::new(AtomicI64::new(seed))) }
    }

    /// `N` random bytes.
    ///
    /// An operating system without entropy is no place to make credentials: the process aborts.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.fixed {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that draws random bytes")]
            None => {
                if getrandom::fill(&mut bytes).is_err() {
                    std::process::abort();
                }
            }
            Some(seed) => {
                for chunk in bytes.chunks_mut(8) {
                    let step = seed.fetch_add(0x09E3_779B_97F4_A7C1, Ordering::Relaxed) as u64;
                    let mixed = (step ^ (step >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                    for (to, from) in chunk.iter_mut().zip((mixed ^ (mixed >> 32)).to_le_bytes()) {
                        *to = from;
                    }
                }
            }
        }
        bytes
    }
}
