//! The board of verify (`crates/authority/src/verify/board.rs`) under every interleaving and reordering that the memory
//! model allows. The very same source is compiled here, with loom's atomics in the place of the standard ones.
//!
//! One token, one memory of it, one revocation. The property is always the same: who arrives after the revocation was
//! acknowledged never hears yes.

#[cfg(test)]
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicI64, AtomicU64, Ordering};
}

#[cfg(test)]
#[path = "../../../crates/authority/src/verify/board.rs"]
#[expect(dead_code, reason = "the program uses more of it than these tests do")]
mod board;

#[cfg(test)]
mod tests;
