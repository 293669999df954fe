//! What `tokenhouse-verify` reads of an introspection answer: nobody passes whom it does not call active, and nothing of
//! it that is no word gets into a log. The files are taken as they are, so that no HTTP client is built with them.
#![no_main]

#[path = "../../crates/verify/src/answer.rs"]
mod answer;
#[path = "../../crates/verify/src/receipts.rs"]
#[expect(dead_code, reason = "a receipt is noted by services, not here")]
mod receipts;
#[path = "../../crates/verify/src/verified.rs"]
#[expect(dead_code, reason = "what a service sees of it")]
mod verified;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Some(read) = answer::read(bytes) else { return };
    // What is passed over may hold escapes that stand for nothing.
    let Ok(told) = serde_json::from_slice::<Value>(bytes) else { return };
    assert_eq!(told["active"], read.verdict.is_ok());
    match &read.verdict {
        Ok(verified) => {
            assert_eq!(told["org_id"], verified.org.as_str());
            assert!(verified.permissions.iter().all(|one| !one.is_empty() && !one.contains(' ')));
            assert!(!verified.may(""));
        }
        Err(reason) => assert!(reason.len() <= 64 && reason.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())),
    }
    assert_eq!(told["epoch"].is_i64() && told["revision"].is_i64(), read.place.is_some());
    let _ = (read.stale, answer::PERMISSION_MISSING);
});
