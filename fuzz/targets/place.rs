//! A place in a search comes back from the caller: only text that we would have written ourselves for this order is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::search::{Place, Sort, TokenField};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut read = 0;
    for field in TokenField::ALL {
        for ascending in [true, false] {
            let order = Sort { field: *field, ascending };
            if let Ok(place) = Place::decode(text, order) {
                assert_eq!(place.encode(order), text, "two texts for one place");
                read += 1;
            }
        }
    }
    assert!(read <= 1, "one text for two orders");
});
