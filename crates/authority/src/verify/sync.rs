//! The atomics that [`super::board`] is made of, in one place: its concurrency tests put others here.

pub(crate) use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
