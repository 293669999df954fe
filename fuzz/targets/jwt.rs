//! Compact JWTs as anybody may send them: nothing that is read goes beyond its bounds, and only our algorithms are known.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::jwt::Compact;
use tokenhouse_model::secret::{LONGEST, Shape};

fuzz_target!(|bytes: &[u8]| {
    let Ok(jwt) = Compact::read(bytes) else { return };
    assert!(bytes.len() <= LONGEST && jwt.signature.len() <= 512);
    assert_eq!(bytes.iter().filter(|b| **b == b'.').count(), 2);
    assert!(bytes.starts_with(jwt.signed) && jwt.signed.len() < bytes.len());
    if let Ok(claims) = jwt.claims() {
        // What can be read whole is what verify takes for a JWT; without a signature it is none.
        assert!(jwt.signature.is_empty() || Shape::of(bytes) == Ok(Shape::Jwt));
        let derived = claims.derived();
        assert_eq!(derived.elsewhere, claims.aud != claims.iss);
        let again = serde_json::to_vec(&claims).unwrap();
        assert_eq!(serde_json::from_slice::<tokenhouse_model::jwt::Claims>(&again).unwrap(), claims);
    }
});
