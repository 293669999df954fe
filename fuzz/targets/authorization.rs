//! The `Authorization` header is the first thing that a stranger reaches.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use tokenhouse_model::credential::{Authorization, only_one, parse_authorization, parse_client, strip_bearer};

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
        // A client's secret is what stands behind the first colon, as it is, and perhaps decoded as well.
        if let Ok((client, secrets)) = parse_client(credential) {
            let text = STANDARD.decode(credential).unwrap();
            let (name, rest) = text.split_at(text.iter().position(|b| *b == b':').unwrap());
            assert_eq!(secrets[0].expose().as_bytes(), &rest[1..]);
            assert!(secrets.len() <= 2 && client.len() <= name.len() * 3);
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
