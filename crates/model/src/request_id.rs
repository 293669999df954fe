//! Request ids: taken over from the caller when well formed, else made.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::env::Random;
use crate::hex::hex;

/// The longest request id that is taken over, in bytes.
pub const LONGEST: usize = 64;

/// A caller's request id if it is 1 to 64 of `A-Za-z0-9._-`; anything else is ignored, because it ends up in logs.
pub fn accept(bytes: &[u8]) -> Option<&str> {
    let fits = !bytes.is_empty()
        && bytes.len() <= LONGEST
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits { std::str::from_utf8(bytes).ok() } else { None }
}

/// New request ids. They tell requests apart and are no secrets, so they are counted from a random beginning and scrambled:
/// to ask the system for chance would cost more than the answer to some questions.
#[derive(Debug)]
pub struct Ids(AtomicU64);

impl Ids {
    /// Ids from a beginning of their own.
    pub fn new(random: &Random) -> Self {
        Self(AtomicU64::new(u64::from_be_bytes(random.bytes())))
    }

    /// The next: 16 lower-case hexadecimal digits (csp clients expect that form, csp.md 1.8).
    pub fn make(&self) -> String {
        // Weyl's sequence and the finish of splitmix64, both of which repeat nothing before 2^64.
        let mut id = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        id = (id ^ (id >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        id ^= id >> 31;
        hex(&id.to_be_bytes())
    }
}
