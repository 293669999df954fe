//! What a run did and found, as a table.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

/// The figures of one run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How long it took.
    pub took: Duration,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Questions by what they came to: yes, no, not now, no answer.
    pub questions: [u64; 4],
    /// Changes that were acknowledged, were refused with nothing changed, and had an unknown outcome.
    pub changes: [u64; 3],
    /// Why changes were refused, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// Receipts that were waited for: confirmed by every node, by time, not confirmed.
    pub confirmed: [u64; 3],
    /// Answers that were held against the changes.
    pub checks: u64,
    /// Subjects that were asked about on every node when all was over.
    pub direct: u64,
    /// What can't be true.
    pub violations: Vec<String>,
    /// How long nodes took to be ready again.
    pub recoveries: Vec<Duration>,
    /// From a revocation's answer to the last node's refusal, with all nodes well.
    pub refusals: Vec<Duration>,
}

/// All runs of this process together.
static TOTAL: Mutex<Option<(u64, Report)>> = Mutex::new(None);

impl Report {
    /// Counts a fault.
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        self.took += other.took;
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.questions.iter_mut().zip(other.questions).for_each(|(sum, more)| *sum += more);
        self.changes.iter_mut().zip(other.changes).for_each(|(sum, more)| *sum += more);
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
        self.confirmed.iter_mut().zip(other.confirmed).for_each(|(sum, more)| *sum += more);
        self.checks += other.checks;
        self.direct += other.direct;
        self.violations.extend(other.violations.iter().cloned());
        self.recoveries.extend(&other.recoveries);
        self.refusals.extend(&other.refusals);
    }

    /// Prints it, and what all runs so far come to.
    pub fn print(&self, name: &str) {
        let mut total = TOTAL.lock().unwrap();
        let (runs, sum) = total.get_or_insert_default();
        *runs += 1;
        sum.add(self);
        println!("\n{name}\n{self}");
        if *runs > 1 {
            println!("\nall {runs} runs so far\n{sum}");
        }
    }
}

/// Median, 99th percentile and worst, in milliseconds.
fn spread(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let millis =
        |time: Option<&Duration>| time.map_or("-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e3));
    format!("p50 {} p99 {} worst {} ms ({})", millis(at(50)), millis(at(99)), millis(times.last()), times.len())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "  {name:<34} {value}");
        line("ran", format!("{:.1} s", self.took.as_secs_f64()))?;
        line("faults injected", self.faults.values().sum::<u64>().to_string())?;
        for (kind, count) in &self.faults {
            line(&format!("  {kind}"), count.to_string())?;
        }
        let [yes, no, not_now, none] = self.questions;
        line("questions asked", self.questions.iter().sum::<u64>().to_string())?;
        line("  yes / no / 503 / no answer", format!("{yes} / {no} / {not_now} / {none}"))?;
        let [done, nothing, unknown] = self.changes;
        line("changes acknowledged", done.to_string())?;
        line("changes refused, nothing changed", nothing.to_string())?;
        for (reason, count) in &self.reasons {
            line(&format!("  {reason}"), count.to_string())?;
        }
        line("changes of unknown outcome", unknown.to_string())?;
        let [nodes, time, not] = self.confirmed;
        line("receipts waited for", (nodes + time + not).to_string())?;
        line("  by nodes / by time / unconfirmed", format!("{nodes} / {time} / {not}"))?;
        line("answers checked", self.checks.to_string())?;
        line("subjects asked about at the end", self.direct.to_string())?;
        line("violations", self.violations.len().to_string())?;
        line("recovery of a node", spread(&self.recoveries))?;
        write!(f, "  {:<34} {}", "revoked -> last node refuses", spread(&self.refusals))
    }
}
