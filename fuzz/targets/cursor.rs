//! A cursor comes back from the caller: only text that we would have written ourselves is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::Uuid;
use tokenhouse_model::cursor::Cursor;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(cursor) = Cursor::decode(text)
    {
        assert_eq!(cursor.encode(), text, "two texts for one cursor");
    }
    if let Some(id) = bytes.first_chunk() {
        let cursor = Cursor { after: Uuid::from_bytes(*id) };
        assert_eq!(Cursor::decode(&cursor.encode()).ok(), Some(cursor));
    }
});
