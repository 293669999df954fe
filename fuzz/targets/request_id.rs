//! A caller's request id ends up in logs and in answers: what is taken over must be harmless there, and unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::request_id::{self, LONGEST};

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = request_id::accept(bytes) else { return };
    assert_eq!(text.as_bytes(), bytes);
    assert!((1..=LONGEST).contains(&text.len()));
    assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
});
