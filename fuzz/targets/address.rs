//! Address rules: what is accepted prints back to itself, and a rule lets in exactly what it names.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::address::{AddressRule, AddressRules};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };

    if let Ok(rule) = AddressRule::parse(text) {
        assert_eq!(AddressRule::parse(&rule.to_string()).ok(), Some(rule));

        let one = AddressRules::parse([text]).expect("one rule that parses alone");
        assert!(one.cover(&one) && AddressRules::default().cover(&one));
        assert!(!one.cover(&AddressRules::default()), "a rule never covers anywhere");
        // The first address of the range, and so the only one of a single address, is let in by it.
        let printed = rule.to_string();
        let first: IpAddr = printed.split('/').next().and_then(|ip| ip.parse().ok()).expect("a rule prints an address");
        assert!(one.allow(first), "{printed} does not let in {first}");
    }

    // Several rules, one a line: the list is the same whatever the order in which they were given.
    if let Ok(rules) = AddressRules::parse(text.lines()) {
        let backwards = AddressRules::parse(text.lines().rev()).expect("the same rules");
        assert_eq!(rules, backwards);
        let texts = rules.texts();
        assert_eq!(AddressRules::parse(texts.iter().map(String::as_str)).ok(), Some(rules));
    }
});
