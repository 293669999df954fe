//! Request ids: taken over from the caller when well formed, else made.

use crate::env::Random;

/// The longest request id that is taken over, in bytes.
pub const LONGEST: usize = 64;

/// A caller's request id if it is 1 to 64 of `A-Za-z0-9._-`; anything else is ignored, because it ends up in logs.
pub fn accept(bytes: &[u8]) -> Option<&str> {
    let fits = !bytes.is_empty()
        && bytes.len() <= LONGEST
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits { std::str::from_utf8(bytes).ok() } else { None }
}

/// A new request id: 16 lower-case hexadecimal digits (csp clients expect that form, csp.md 1.8).
pub fn new(random: &Random) -> String {
    format!("{:016x}", u64::from_be_bytes(random.bytes()))
}
