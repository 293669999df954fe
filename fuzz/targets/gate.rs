//! The gate's rules: nothing that an end client writes into his request's target gets him to a path that the rule is not
//! about. The input's first line is the method, its second the host, its third the target; each further line is the pattern
//! of a rule.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::Kinds;
use tokenhouse_model::gate::{Described, Path, Pattern, Rule, Rules, host, method};

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (asked, at, target) = (lines.next(), lines.next(), lines.next());
    let (Some(asked), Some(at), Some(target)) = (asked, at, target) else { return };
    let (asked, at) = (method(asked), host(at));
    if let Ok(host) = &at {
        assert!(!host.contains(['/', ',', '@', ' ']));
    }
    let Ok(path) = Path::read(target) else { return };
    let segments: Vec<&str> = path.segments().collect();

    // What is a path has one reading: no segment leads elsewhere, and decoding it again changes nothing.
    assert!(segments.iter().all(|one| !one.is_empty() && *one != "." && *one != ".."));
    assert!(segments.iter().all(|one| !one.contains(['/', '\\', ';', '#', '\0'])));
    let plain = format!("/{}", segments.join("/"));
    if plain.is_ascii() && !plain.contains([' ', '?', '%']) {
        let again = Path::read(plain.as_bytes()).expect("a path that was read");
        assert_eq!(again.segments().collect::<Vec<_>>(), segments);
    }
    let escaped: String = segments.iter().flat_map(|one| ["/".to_owned(), escape(one)]).collect();
    let escaped = if escaped.is_empty() { "/".to_owned() } else { escaped };
    if let Ok(again) = Path::read(escaped.as_bytes()) {
        assert_eq!(again.segments().collect::<Vec<_>>(), segments);
    }

    let patterns = lines.take(8).filter_map(|line| Pattern::parse(std::str::from_utf8(line).ok()?).ok());
    let rule = |path| Rule { methods: vec![], host: None, path, permission: None, kinds: Kinds::ANY };
    let rules: Vec<Rule> = patterns.map(rule).collect();
    for one in &rules {
        for other in &rules {
            if one.covers(other) && other.path.fits(&path) {
                assert!(one.path.fits(&path), "a pattern that covers another does not fit what that fits");
            }
        }
    }
    // What the rules say is what the first of them says that fits.
    let first = rules.iter().find(|rule| rule.path.fits(&path)).cloned();
    let (Ok(method), host) = (asked, at.ok()) else { return };
    assert_eq!(Rules::new(rules).of(&Described { method, host, path }).cloned(), first);
});

/// A segment with each byte escaped that can be.
fn escape(segment: &str) -> String {
    let one = |byte: u8| match byte {
        b'.' => ".".to_owned(),
        other => format!("%{other:02X}"),
    };
    segment.bytes().map(one).collect()
}
