//! The `Authorization` header is the first thing that a stranger reaches.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::credential::{Authorization, only_one, parse_authorization, strip_bearer};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = parse_authorization(bytes) {
        let (scheme, credential) = match &read {
            Authorization::Bearer(credential) => ("Bearer", *credential),
            Authorization::Basic(credential) => ("Basic", *credential),
        };
        assert!(!credential.is_empty() && !credential.contains(&b' '));
        assert_eq!(credential, credential.trim_ascii());

        // Written again it reads the same, whatever the case of its scheme.
        for scheme in [scheme.to_owned(), scheme.to_lowercase(), scheme.to_uppercase()] {
            let again = [scheme.as_bytes(), b" ", credential].concat();
            assert_eq!(parse_authorization(&again).ok().as_ref(), Some(&read));
        }
        // Both ways of reading a bearer header must see the same credential.
        if let Authorization::Bearer(credential) = read {
            assert_eq!(strip_bearer(bytes), credential);
        }
    }

    // The same credential twice is one; two that differ are refused.
    assert!(matches!(only_one([]), Ok(None)));
    assert!(matches!(only_one([bytes, bytes]), Ok(Some(_))));
    let longer = [bytes, b"x"].concat();
    assert!(only_one([bytes, longer.as_slice()]).is_err());
});
