//! Time and randomness as values. This is the one place that reads the system's clock and entropy.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Millis;
use crate::follow::{Boot, MILLISECOND};

/// Where time comes from. Cloning shares the same clock.
///
/// `now` decides what has expired; the boot-time clock measures how long something took. The first is the database's
/// time as of the last heartbeat plus the boot time that went by since, or the machine's wall clock where the database
/// is a file of this machine.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// The latest time ever given out: a clock that is set back does not bring an expired token back.
    latest: Arc<AtomicI64>,
}

#[derive(Clone, Debug)]
enum Source {
    /// Epoch nanoseconds at which the machine was booted by the database's clock; 0 while that is not known.
    System(Arc<AtomicI64>),
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self::of(Source::System(Arc::default()))
    }

    /// A clock for tests whose `now` stands still until [`Clock::advance`]. Its boot time is the machine's.
    pub fn manual(now: Millis) -> Self {
        Self::of(Source::Manual(Arc::new(AtomicI64::new(now))))
    }

    fn of(source: Source) -> Self {
        Self { source, latest: Arc::new(AtomicI64::new(0)) }
    }

    /// Milliseconds since the epoch; never earlier than any time that this clock gave out or was raised to.
    pub fn now(&self) -> Millis {
        self.at(self.boot())
    }

    /// As [`Clock::now`], where the boot time was read already.
    pub fn at(&self, boot: Boot) -> Millis {
        let read = self.shown(boot);
        // Written at most once a millisecond, so that many cores can read it.
        let latest = self.latest.load(Ordering::Relaxed);
        if read <= latest { latest } else { self.latest.fetch_max(read, Ordering::Relaxed).max(read) }
    }

    /// What [`Clock::at`] would be if it could go back: whether a clock was set is seen here only.
    pub fn shown(&self, boot: Boot) -> Millis {
        match &self.source {
            Source::System(booted) => match booted.load(Ordering::Relaxed) {
                0 => Self::wall(),
                booted => booted.saturating_add(boot) / MILLISECOND,
            },
            Source::Manual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// The boot-time clock: nanoseconds that went by since some moment, those of suspension included.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the boot-time clock")]
    pub fn boot(&self) -> Boot {
        let read = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        read.tv_sec.saturating_mul(1_000_000_000).saturating_add(read.tv_nsec)
    }

    /// The machine's wall clock, in epoch milliseconds, whatever the database says.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn wall() -> Millis {
        let read = SystemTime::now().duration_since(UNIX_EPOCH);
        read.ok().and_then(|elapsed| Millis::try_from(elapsed.as_millis()).ok()).unwrap_or(0)
    }

    /// Takes over the database's time, which was read at `boot` or after. A manual clock is left alone.
    pub fn follow(&self, database: Millis, boot: Boot) {
        if let Source::System(booted) = &self.source {
            let at = database.saturating_mul(MILLISECOND).saturating_sub(boot);
            booted.store(if at == 0 { 1 } else { at }, Ordering::Relaxed);
        }
    }

    /// Takes over the machine's own wall clock, where there is no other.
    pub fn follow_wall(&self) {
        self.follow(Self::wall(), self.boot());
    }

    /// How far the machine's wall clock is ahead of a time that was just read, in milliseconds; a manual clock is never.
    pub fn ahead_of(&self, time: Millis) -> Millis {
        match &self.source {
            Source::System(_) => Self::wall().saturating_sub(time),
            Source::Manual(_) => 0,
        }
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
