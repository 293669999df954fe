//! Sets of permissions, one permission a line: nobody may gain one by writing it in a curious way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::PermissionSet;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(all) = PermissionSet::parse(text.lines()) else { return };

    // What is asked for is what is held, word for word.
    assert!(text.lines().all(|line| all.contains(line)));
    assert!(all.iter().all(|held| text.lines().any(|line| line == held)));
    assert_eq!(PermissionSet::parse(all.iter()).ok().as_ref(), Some(&all));

    let half = PermissionSet::parse(text.lines().step_by(2)).expect("a part of what parsed");
    assert_eq!(all.lacks(&half), None);
    assert_eq!(all.intersection(&half), half);
    if let Some(lacking) = half.lacks(&all) {
        assert!(all.contains(&lacking) && !half.contains(&lacking));
    } else {
        assert_eq!(half, all);
    }
    let mut joined = half;
    joined.extend(&all);
    assert_eq!(joined, all);
});
