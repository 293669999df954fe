//! How far something is, on one line of a terminal. Into a pipe or a file nothing of it is written.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// The line is written anew at most so often.
const EVERY: Duration = Duration::from_millis(100);
/// The width of a bar, in characters.
const WIDTH: u64 = 30;

/// A line on standard error that says how far something is. It is wiped when dropped.
pub struct Progress {
    shown: bool,
    last: Option<Instant>,
}

impl Progress {
    /// Nothing is written yet.
    pub fn new() -> Self {
        Self { shown: io::stderr().is_terminal(), last: None }
    }

    /// So much is done of so much.
    pub fn bar(&mut self, done: u64, total: u64) {
        self.line(|| bar(done, total));
    }

    /// What `said` says, if it is time for another look.
    pub fn line(&mut self, said: impl FnOnce() -> String) {
        if !self.shown || self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        // To the begin of the line, and wiped to its end.
        _ = io::stderr().write_all(format!("\r{}\x1b[K", said()).as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown && self.last.is_some() {
            _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn bar(done: u64, total: u64) -> String {
    let total = total.max(done);
    let full = done.saturating_mul(WIDTH).checked_div(total).unwrap_or(WIDTH);
    let cells: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
    format!("[{cells}] {done} of {total}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_fuller_than_full() {
        assert_eq!(bar(0, 0), format!("[{}] 0 of 0", "#".repeat(30)));
        assert_eq!(bar(1, 30), format!("[#{}] 1 of 30", ".".repeat(29)));
        assert_eq!(bar(40, 30), format!("[{}] 40 of 40", "#".repeat(30)));
    }
}
