use proptest::prelude::{any, proptest};

use crate::rate::Rate;

#[test]
fn there_is_room_for_so_many_at_once_and_then_for_one_at_a_time() {
    let rate = Rate { a_minute: 5, at_once: 3 };
    let mut paid_at = 0;
    for _ in 0..3 {
        paid_at = rate.take(paid_at, 1_000_000).unwrap();
    }
    assert_eq!(rate.take(paid_at, 1_000_000), Err(12_000));
    assert_eq!(rate.take(paid_at, 1_011_999), Err(1));
    let next = rate.take(paid_at, 1_012_000).unwrap();
    assert_eq!(rate.take(next, 1_012_000), Err(12_000));
    // After long enough it is as at first, and no more.
    let mut paid_at = next;
    for _ in 0..3 {
        paid_at = rate.take(paid_at, 9_000_000).unwrap();
    }
    assert_eq!(rate.take(paid_at, 9_000_000), Err(12_000));
}

#[test]
fn without_a_number_there_is_no_limit() {
    let rate = Rate { a_minute: 0, at_once: 0 };
    assert_eq!((0..1000).try_fold(0, |paid_at, _| rate.take(paid_at, 7)), Ok(0));
}

proptest! {
    #[test]
    fn never_more_than_at_once_and_what_the_time_brought(
        a_minute in 1_u32..100_000, at_once in 1_u32..1000, steps in proptest::collection::vec(0_i64..5_000, 1..300),
        start in any::<i32>(),
    ) {
        let rate = Rate { a_minute, at_once };
        let begun = i64::from(start);
        let (mut now, mut paid_at, mut taken) = (begun, 0, 0_i64);
        for step in steps {
            now += step;
            match rate.take(paid_at, now) {
                Ok(next) => (paid_at, taken) = (next, taken + 1),
                // Whoever waits as long as he is told gets room.
                Err(wait) => assert!(wait > 0 && rate.take(paid_at, now + wait).is_ok()),
            }
        }
        let each = (60_000 / i64::from(a_minute)).max(1);
        assert!(taken <= i64::from(at_once) + (now - begun) / each);
    }
}
