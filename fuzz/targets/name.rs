//! Text that people choose: what passes is clean and short enough, and its folded form is a fixed point, or else
//! two rows could hold what people see as one name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::name::{self, IDENTIFIER, NAME};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };

    if name::check("name", text, NAME).is_ok() {
        assert!((1..=NAME).contains(&text.chars().count()));
        assert!(!text.trim().is_empty() && !text.chars().any(char::is_control));
        assert!(name::check_optional("name", text, NAME).is_ok());
        let folded = name::fold(text);
        assert_eq!(name::fold(&folded), folded);
    }
    if let Ok(email) = name::email("email", text) {
        assert!(email.chars().count() <= IDENTIFIER, "folding made it too long");
        assert_eq!(name::email("email", &email).ok(), Some(email));
    }
    if let Ok(service) = name::service("identifier", text) {
        assert!(service.starts_with("sa::") && service.len() > 4);
        assert_eq!(name::service("identifier", &service).ok(), Some(service));
    }
});
