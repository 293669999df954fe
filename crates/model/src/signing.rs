//! The keys that access tokens are signed with: which one signs at a moment, and which are still believed.
//!
//! A key is published before it signs, so that whoever keeps a copy of the published ones knows it by then, and after it
//! has signed, until the last access token that it signed is over. None of that is stored: it follows from when each key
//! begins to sign.

use uuid::Uuid;

use crate::macros::words;
use crate::{Error, Millis, NEVER, Result};

words! {
    /// A way of signing (RFC 7518, RFC 8037).
    pub enum Algorithm ("algorithm") {
        /// RSA, 2048 bits, PKCS #1 v1.5 with SHA-256: what VMware Cloud Services sign with (csp.md 2).
        Rs256 = "RS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

words! {
    /// What a key is for at a moment.
    pub enum Phase ("state") {
        /// Published, and not signing yet.
        Next = "next",
        /// What is signed now is signed with it.
        Signing = "signing",
        /// It signs no more; what it signed is believed.
        Verifying = "verifying",
        /// Nothing that it signed is left.
        Retired = "retired",
        /// Somebody else may have it: nothing that it signed is believed.
        Compromised = "compromised",
    }
}

impl Phase {
    /// Whether the key is among the published ones, and what it signed is believed.
    pub const fn published(self) -> bool {
        matches!(self, Self::Next | Self::Signing | Self::Verifying)
    }
}

/// The longest life of an access token, in milliseconds (csp.md 5).
pub const LONGEST_LIFE: Millis = 300 * 60_000;
/// How far a verifier's clock may be behind, in milliseconds.
pub const SKEW: Millis = 60_000;
/// How long a key is published before it signs, in milliseconds: longer than anybody should keep a copy.
pub const LEAD: Millis = 3_600_000;
/// After how many days a key is replaced, unless the house says otherwise.
pub const EVERY_DAYS: i64 = 90;
/// What the house can say; 0 for never.
pub const DAYS: std::ops::RangeInclusive<i64> = 0..=3650;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// Row id; in text the `kid` of what it signs.
    pub id: Uuid,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The public half: a SubjectPublicKeyInfo in DER.
    pub public: Vec<u8>,
    /// The private half: PKCS #8, sealed under the master key. Empty once it signs no more.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Millis,
    /// It signs from then on, until the next one of its algorithm does.
    pub signs_from: Millis,
    /// Nothing that it signed is believed from then on, whatever else; `NEVER` if nobody ended it.
    pub ended_at: Millis,
    /// Whether it was ended because somebody else may have it.
    pub compromised: bool,
}

impl SigningKey {
    /// Whether it began to sign before it was ended, if it was.
    fn ever_signs(&self) -> bool {
        self.signs_from < self.ended_at
    }

    fn order(&self) -> (Millis, Uuid) {
        (self.signs_from, self.id)
    }

    /// When the next one takes over; `NEVER` while there is none.
    pub fn signs_until(&self, all: &[Self]) -> Millis {
        let later = all.iter().filter(|key| key.algorithm == self.algorithm && key.order() > self.order());
        let next = later.filter(|key| key.ever_signs()).map(|key| key.signs_from).min();
        next.unwrap_or(NEVER).min(self.ended_at)
    }

    /// Until when what it signed is believed; `NEVER` while no other key takes over.
    pub fn believed_until(&self, all: &[Self]) -> Millis {
        self.signs_until(all).saturating_add(LONGEST_LIFE + SKEW).min(self.ended_at)
    }

    /// What it is for at `now`.
    pub fn phase(&self, all: &[Self], now: Millis) -> Phase {
        if self.compromised {
            return Phase::Compromised;
        }
        match now {
            _ if now >= self.believed_until(all) => Phase::Retired,
            _ if now < self.signs_from => Phase::Next,
            _ if now < self.signs_until(all) => Phase::Signing,
            _ => Phase::Verifying,
        }
    }
}

/// The key that signs at `now`.
pub fn signing(all: &[SigningKey], algorithm: Algorithm, now: Millis) -> Option<&SigningKey> {
    of_phase(all, algorithm, Phase::Signing, now)
}

fn of_phase(all: &[SigningKey], algorithm: Algorithm, phase: Phase, now: Millis) -> Option<&SigningKey> {
    all.iter().filter(|key| key.algorithm == algorithm && key.phase(all, now) == phase).max_by_key(|key| key.order())
}

/// When a key of this algorithm can sign at the earliest: now, but never at the very moment at which another began, since
/// of the two nobody could say which is the later.
pub fn soonest(all: &[SigningKey], algorithm: Algorithm, now: Millis) -> Millis {
    let begun = all.iter().filter(|key| key.algorithm == algorithm && key.signs_from <= now).map(|key| key.signs_from);
    begun.max().map_or(now, |last| now.max(last.saturating_add(1)))
}

/// From when on a new key of this algorithm is to sign.
///
/// # Errors
/// `unlawful_state` where one is published already that does not sign yet, unless this one signs at once.
pub fn rotation(all: &[SigningKey], algorithm: Algorithm, at_once: bool, now: Millis) -> Result<Millis> {
    // Without one that signs there is nothing to wait for.
    if at_once || signing(all, algorithm, now).is_none() {
        return Ok(soonest(all, algorithm, now));
    }
    match of_phase(all, algorithm, Phase::Next, now) {
        Some(_) => Err(Error::state("a new key of this algorithm is published already and does not sign yet")),
        None => Ok(now.saturating_add(LEAD)),
    }
}

/// Whether a key of this algorithm is to be replaced by itself: there is none, or the one that signs will be older than
/// so many days by the time that another could sign. 0 days for never.
pub fn due(all: &[SigningKey], algorithm: Algorithm, days: i64, now: Millis) -> bool {
    let Some(key) = signing(all, algorithm, now) else { return true };
    let age = now.saturating_add(LEAD).saturating_sub(key.signs_from);
    days > 0 && age >= days.saturating_mul(crate::policy::DAY) && of_phase(all, algorithm, Phase::Next, now).is_none()
}
