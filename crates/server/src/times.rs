//! Durations and points in time as people write and read them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};
use tokenhouse_model::env::Clock;

/// A duration, e.g. `30d`, `1h`, `1h30m`, `2 weeks`, in whole seconds; zero is one.
///
/// # Errors
/// A message that says what is allowed.
pub fn duration(text: &str) -> Result<u64, String> {
    let allowed = || "write e.g. 90s, 15m, 1h30m, 30d or 2w (a day is 24 hours)".to_owned();
    if text.trim() == "0" {
        return Ok(0);
    }
    let span: Span = text.trim().parse().map_err(|_| allowed())?;
    if span.is_negative() {
        return Err(format!("must not lie in the past; {}", allowed()));
    }
    let calendar = span.get_years() != 0 || span.get_months() != 0;
    if calendar {
        return Err(format!("months and years differ in length; {}", allowed()));
    }
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| allowed())?;
    if length.subsec_nanos() != 0 {
        return Err(format!("whole seconds only; {}", allowed()));
    }
    u64::try_from(length.as_secs()).map_err(|_| allowed())
}

/// When something ends (or begins), as written on a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Not at all.
    Never,
    /// So many seconds from now.
    After(u64),
    /// Epoch milliseconds.
    At(i64),
}

impl Moment {
    /// Epoch milliseconds, seen from this time on; `None` is never.
    pub fn at(self, now: i64) -> Option<i64> {
        match self {
            Self::Never => None,
            Self::After(seconds) => {
                Some(now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)))
            }
            Self::At(at) => Some(at),
        }
    }
}

/// `never`, a duration from now (`90d`, `in 90d`), a date (`2027-01-01`, midnight UTC) or RFC 3339.
///
/// # Errors
/// A message that says what is allowed.
pub fn moment(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("never") {
        return Ok(Moment::Never);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at.as_millisecond()));
    }
    if let Some(at) = date(text) {
        return Ok(Moment::At(at.as_millisecond()));
    }
    duration(text.strip_prefix("in ").unwrap_or(text)).map(Moment::After).map_err(|_| {
        "write never, a time from now (90d, in 2h), a date (2027-01-01, midnight UTC) or RFC 3339 (2027-01-01T12:00:00Z)"
            .to_owned()
    })
}

/// Only a bare date: the library would drop a time without an offset silently.
fn date(text: &str) -> Option<Timestamp> {
    if text.len() != "2027-01-01".len() {
        return None;
    }
    Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A point in time (epoch milliseconds) for people: relative and absolute.
pub fn told(at: i64, now: i64) -> String {
    told_in(at, now, "%Y-%m-%d %H:%M:%S UTC")
}

/// The same with the day only, where space is short.
pub fn told_day(at: i64, now: i64) -> String {
    told_in(at, now, "%Y-%m-%d")
}

fn told_in(at: i64, now: i64, format: &str) -> String {
    let Ok(time) = Timestamp::from_millisecond(at) else {
        return "(out of range)".to_owned();
    };
    let distance = told_seconds((at.abs_diff(now) + 500) / 1000);
    let relative = match () {
        () if at.abs_diff(now) < 1000 => "now".to_owned(),
        () if at > now => format!("in {distance}"),
        () => format!("{distance} ago"),
    };
    format!("{relative} ({})", time.strftime(format))
}

/// A number of seconds for people, in its largest whole unit.
pub fn told_seconds(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    // Two of a unit at least, so that 36 hours are not told as one day.
    let (length, unit) =
        UNITS.into_iter().find(|(length, _)| seconds >= 2 * length || seconds == *length).unwrap_or((1, "second"));
    let count = seconds / length;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The wall clock, in epoch milliseconds: for showing and for times given as "from now".
pub fn now() -> i64 {
    Clock::system().now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("30d", 30 * 86_400),
            ("1h", 3600),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("2w", 14 * 86_400),
            ("2 weeks", 14 * 86_400),
            ("90s", 90),
            ("0", 0),
            ("0s", 0),
            ("P30D", 30 * 86_400),
            ("1500ms", 0),
        ] {
            match duration(text) {
                Ok(seconds) => assert_eq!(seconds, expected, "{text}"),
                Err(said) => assert_eq!(text, "1500ms", "{said}"),
            }
        }
        for bad in ["", "30", "d", "1h ago", "-1h", "1mo", "1y", "never", "99999999999999999999d", "1d\u{0}"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(duration("1mo").unwrap_err().contains("months"));
    }

    #[test]
    fn moments_are_absolute_relative_or_never() {
        assert_eq!(moment("never"), Ok(Moment::Never));
        assert_eq!(moment("90d"), Ok(Moment::After(90 * 86_400)));
        assert_eq!(moment("in 90d"), Ok(Moment::After(90 * 86_400)));
        assert_eq!(moment("2027-01-01"), Ok(Moment::At(1_798_761_600_000)));
        assert_eq!(moment("2027-01-01T00:00:01Z"), Ok(Moment::At(1_798_761_601_000)));
        assert_eq!(moment("2027-01-01T01:00:00+01:00"), Ok(Moment::At(1_798_761_600_000)));
        for bad in ["", "soon", "2027-13-01", "2027-01-01T00:00:00", "in", "01/02/2027"] {
            assert!(moment(bad).is_err(), "{bad}: {:?}", moment(bad));
        }
        assert_eq!(Moment::After(2).at(1000), Some(3000));
        assert_eq!(Moment::After(u64::MAX).at(1000), Some(i64::MAX));
        assert_eq!(Moment::Never.at(1000), None);
    }

    #[test]
    fn times_are_told_relative_and_absolute() {
        let now = 1_798_761_600_000;
        assert_eq!(told(now, now), "now (2027-01-01 00:00:00 UTC)");
        assert_eq!(told(now - 3 * 3_600_000, now), "3 hours ago (2026-12-31 21:00:00 UTC)");
        assert_eq!(told(now + 36 * 3_600_000, now), "in 36 hours (2027-01-02 12:00:00 UTC)");
        assert_eq!(told(now + 30 * 86_400_000, now), "in 30 days (2027-01-31 00:00:00 UTC)");
        assert_eq!(told_seconds(1), "1 second");
        assert_eq!(told_seconds(86_400), "1 day");
        assert_eq!(told_seconds(90), "90 seconds");
        assert_eq!(told_seconds(0), "0 seconds");
        assert_eq!(told(i64::MAX, now), "(out of range)");
    }
}
