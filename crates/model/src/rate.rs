//! How often something may happen.

use crate::Millis;

/// So many times at once, and from then on so many times a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Times a minute; 0 is without a limit.
    pub a_minute: u32,
    /// Times at once, where it did not happen for long.
    pub at_once: u32,
}

impl Rate {
    /// One more time at `now`, where `paid_at` is when all the times before it are paid for. Tells when all are then; else
    /// in how many milliseconds there is room for one more: a time for which there is no room costs nothing, so that
    /// whoever never stops has his share all the same.
    ///
    /// # Errors
    /// How long there is no room.
    pub fn take(self, paid_at: Millis, now: Millis) -> Result<Millis, Millis> {
        if self.a_minute == 0 {
            return Ok(paid_at);
        }
        let each = (MINUTE / i64::from(self.a_minute)).max(1);
        let paid_at = paid_at.max(now).saturating_add(each);
        let over = paid_at - now - each.saturating_mul(i64::from(self.at_once.max(1)));
        if over > 0 { Err(over) } else { Ok(paid_at) }
    }
}

const MINUTE: Millis = 60_000;
