//! Forms and the clients of HTTP Basic reach a stranger's bytes before anybody is known.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::credential::parse_basic;
use tokenhouse_model::form;

fuzz_target!(|bytes: &[u8]| {
    if let Ok([token, at_least]) = form::fields(bytes, ["token", "at_least"]) {
        // What a form does not name is not there, and nothing grows by being decoded but what is no UTF-8.
        let longest = bytes.len() * 3;
        assert!(token.is_none_or(|token| token.len() <= longest));
        assert!(at_least.is_none_or(|number| number.len() <= longest));
    }
    // However it is spelled, it means the same.
    if !bytes.contains(&b'%') {
        let mut spelled = Vec::new();
        for byte in bytes {
            match byte {
                letter if letter.is_ascii_alphanumeric() => spelled.extend(format!("%{letter:02x}").bytes()),
                other => spelled.push(*other),
            }
        }
        let names = ["token", "at_least"];
        assert_eq!(form::fields(bytes, names).ok(), form::fields(&spelled, names).ok());
    }
    // The same parameter once more is refused, whatever stands around it.
    let twice = [b"token=a&", bytes, b"&token=b".as_slice()].concat();
    assert!(form::fields(&twice, ["token"]).is_err());
    if let Ok((name, secret)) = parse_basic(bytes) {
        assert!(name.len() + secret.len() <= bytes.len() * 3);
    }
});
