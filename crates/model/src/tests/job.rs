use crate::env::Clock;
use crate::follow::MILLISECOND;
use crate::job::{Doubt, Held, JUMP, Job, JobKind, JobState, LEASE, Moment, TimeWatch, Why, jumped};
use crate::{Millis, Uuid};

const MINUTE: Millis = 60_000;
const NOW: Millis = 1_800_000_000_000;
const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// So many milliseconds after the begin, by the one clock and by the other.
fn moment(now: Millis, boot: Millis) -> Moment {
    Moment { now: NOW + now, boot: boot * MILLISECOND + 999_999 }
}

fn held(at: Millis) -> Held {
    Held { why: Why::TimeJumped, by: JUMP + 1, at, node: ONE }
}

#[test]
fn more_than_ten_minutes_between_the_clocks_are_a_jump() {
    for passed in [0, 10_000, 1_000 * MINUTE] {
        for by in [0, 1, -1, 9 * MINUTE, -9 * MINUTE, JUMP, -JUMP] {
            assert_eq!(jumped(moment(0, 0), moment(passed + by, passed)), None, "{passed} {by}");
        }
        for by in [JUMP + 1, -JUMP - 1, 11 * MINUTE, -11 * MINUTE, 365 * 1440 * MINUTE] {
            assert_eq!(jumped(moment(0, 0), moment(passed + by, passed)), Some(by), "{passed} {by}");
        }
    }
    // A clock that shows nonsense is a jump and no overflow.
    let (least, most) = (Moment { now: i64::MIN, boot: i64::MAX }, Moment { now: i64::MAX, boot: i64::MIN });
    assert!(jumped(least, most).is_some_and(|by| by > 0));
    assert!(jumped(most, least).is_some_and(|by| by < 0));
}

#[test]
fn a_clock_that_goes_back_is_seen_though_its_time_stands_still() {
    let clock = Clock::manual(NOW);
    assert_eq!((clock.now(), clock.shown(0)), (NOW, NOW));
    clock.advance(-11 * MINUTE);
    assert_eq!((clock.now(), clock.shown(0)), (NOW, NOW - 11 * MINUTE));
}

#[test]
fn a_watch_doubts_until_its_doubt_stands_in_the_rows() {
    let mut watch = TimeWatch::default();
    assert!(!watch.steady() && !watch.begun());
    watch.begin(moment(0, 0), NOW);
    assert!(watch.steady());
    assert_eq!(watch.feed(moment(JUMP + 1000, 1000)), None);
    let forth = Doubt { why: Why::TimeJumped, by: JUMP + 1 };
    assert_eq!(watch.feed(moment(2 * JUMP + 2001, 2000)), Some(forth));
    // It stays, though nothing more happens, until it is told.
    assert_eq!(watch.feed(moment(2 * JUMP + 3001, 3000)), Some(forth));
    assert!(!watch.steady());
    // A second jump before the first one was told must be told as well.
    let back = Doubt { why: Why::TimeJumped, by: -2 * JUMP - 1 };
    assert_eq!(watch.feed(moment(4000, 4000)), Some(back));
    watch.told(forth);
    assert!(!watch.steady());
    watch.told(back);
    assert!(watch.steady());
    assert_eq!(watch.feed(moment(5001, 5001)), None);
}

#[test]
fn a_node_that_starts_before_the_ledgers_end_doubts() {
    for (now, doubt) in [(0, None), (JUMP, None), (-JUMP, None), (-JUMP - 1, Some(-JUMP - 1)), (100 * JUMP, None)] {
        let mut watch = TimeWatch::default();
        watch.begin(moment(now, 0), NOW);
        assert_eq!(watch.steady(), doubt.is_none());
        let doubt = doubt.map(|by| Doubt { why: Why::BehindLedger, by });
        assert_eq!(watch.feed(moment(now + 1, 1)), doubt);
    }
}

#[test]
fn a_job_is_one_nodes_until_its_lease_is_over() {
    let job = Job::new(JobKind::Forget, NOW);
    assert!(job.take(ONE, NOW - 1, 7).is_none(), "not due");
    let taken = job.take(ONE, NOW, 7).unwrap();
    assert_eq!((taken.state, taken.lease_node, taken.lease_until), (JobState::Running, ONE, NOW + LEASE));
    assert_eq!((taken.fence, taken.total, taken.body.due_at), (1, 7, NOW + 3_600_000));
    assert!(taken.check(&taken.lease()).is_ok());
    assert!(taken.take(OTHER, NOW + LEASE - 1, 0).is_none());
    // The same node may, after a failure: what it did before is shut out.
    let again = taken.take(ONE, NOW + 1, 0).unwrap();
    assert_eq!((again.fence, again.total), (2, 7));
    assert!(again.check(&taken.lease()).is_err());
    // Another may, once the lease is over; renewing puts that off.
    let renewed = again.clone().advance(5).renew(NOW + 10);
    assert!(renewed.check(&again.lease()).is_ok());
    assert!(renewed.take(OTHER, NOW + LEASE + 9, 0).is_none());
    let other = renewed.take(OTHER, NOW + LEASE + 10, 99).unwrap();
    assert_eq!((other.fence, other.progress, other.total, other.body.due_at), (3, 5, 7, NOW + 3_600_000));
    assert!(other.check(&again.lease()).is_err());
    assert!(other.check(&other.lease()).is_ok());
}

#[test]
fn a_run_ends_and_the_next_one_begins_anew() {
    let taken = Job::new(JobKind::Forget, NOW).take(ONE, NOW, 3).unwrap();
    let lease = taken.lease();
    let ended = taken.advance(9).end(NOW + 5);
    assert_eq!((ended.state, ended.progress, ended.total, ended.lease_until), (JobState::Waiting, 9, 9, 0));
    assert_eq!((ended.body.ran_at, ended.lease_node), (NOW + 5, Uuid::nil()));
    assert!(ended.check(&lease).is_err());
    assert!(ended.take(OTHER, NOW + 3_599_999, 0).is_none());
    let next = ended.take(OTHER, NOW + 3_600_000, 2).unwrap();
    assert_eq!((next.progress, next.total, next.fence), (0, 2, 2));
}

#[test]
fn a_run_that_is_given_back_half_way_goes_on_elsewhere() {
    let taken = Job::new(JobKind::Forget, NOW).take(ONE, NOW, 9).unwrap().advance(4);
    let lease = taken.lease();
    let released = taken.release(NOW + 1);
    assert!(released.check(&lease).is_err());
    let other = released.take(OTHER, NOW + 2, 0).unwrap();
    assert_eq!((other.progress, other.total, other.fence), (4, 9, 2));
}

#[test]
fn a_held_job_does_nothing_until_it_is_confirmed() {
    let taken = Job::new(JobKind::Forget, NOW).take(ONE, NOW, 3).unwrap();
    let lease = taken.lease();
    let stopped = taken.clone().hold(held(NOW + 9));
    assert_eq!((stopped.state, stopped.body.held, stopped.fence), (JobState::Held, Some(held(NOW + 9)), 2));
    assert!(stopped.check(&lease).is_err());
    for (by, seconds) in [(660_000, 660), (659_501, 660), (-659_501, -660), (659_499, 659), (0, 0)] {
        assert_eq!(Held { by, ..held(NOW) }.seconds(), seconds);
    }
    for node in [ONE, OTHER] {
        assert!(stopped.take(node, NOW + 1000 * MINUTE, 0).is_none());
    }
    assert_eq!(stopped.clone().hold(held(NOW + 10)).body.held, Some(held(NOW + 10)), "the last reason counts");
    assert!(taken.confirm(NOW).is_err());
    // Confirmed by a clock that is far behind the one that held it.
    let confirmed = stopped.confirm(NOW - 1000 * MINUTE).unwrap();
    assert_eq!((confirmed.state, confirmed.body.held, confirmed.fence), (JobState::Waiting, None, 3));
    assert!(confirmed.check(&lease).is_err());
    let again = confirmed.take(OTHER, NOW - 1000 * MINUTE, 8).unwrap();
    assert_eq!((again.progress, again.total), (0, 8));
    assert!(Job::new(JobKind::Forget, NOW).confirm(NOW).is_err());
}

#[test]
fn a_row_that_was_written_in_the_future_is_a_reason_to_doubt() {
    let taken = Job::new(JobKind::Forget, NOW).take(ONE, NOW, 3).unwrap();
    for job in [taken.clone(), taken.end(NOW)] {
        assert_eq!(job.doubt(NOW - JUMP), None);
        assert_eq!(job.doubt(NOW + 1000 * JUMP), None);
        let doubt = Doubt { why: Why::BehindLastRun, by: -JUMP - 1 };
        assert_eq!(job.doubt(NOW - JUMP - 1), Some(doubt));
        assert!(job.take(ONE, NOW - JUMP - 1, 0).is_none());
        let stopped = job.hold(held(NOW));
        assert_eq!(stopped.doubt(NOW - JUMP - 1), None);
        assert_eq!(stopped.confirm(NOW - 2 * JUMP).unwrap().doubt(NOW - 2 * JUMP), None);
    }
}
