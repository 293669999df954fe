//! The checker: goes over the history and finds answers that can't be true.

use crate::history::{Change, Moment, Outcome, Question, Said, Subject, Way};

/// What went over the history, and what it found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Answers that were held against the changes.
    pub checks: u64,
    /// What can't be true, with the records that contradict each other.
    pub violations: Vec<String>,
}

/// Holds every answer against the changes of its subject. The changes must have ended.
pub fn check(subjects: &[Subject], questions: &[Question]) -> Checked {
    let mut checked = Checked::default();
    for question in questions {
        let subject = &subjects[question.subject];
        let (against, rule) = match question.said {
            Said::No(_) if subject.secret_lost => continue,
            Said::Yes => (Way::Takes, "yes after the confirmed end of an authority"),
            Said::No(_) => (Way::Gives, "no after an authority was confirmed to be given"),
            Said::NotNow(_) | Said::Nothing => continue,
        };
        checked.checks += 1;
        if let Some(change) = contradicted(&subject.changes, question.sent, question.answered, against) {
            checked.violations.push(contradiction(rule, subject, change, question));
        }
    }
    checked
}

/// The two records that contradict each other, and what else was said to the changes of their subject.
pub fn contradiction(rule: &str, subject: &Subject, change: &Change, question: &Question) -> String {
    let mut text = format!("{rule}, {}:\n  {change}\n  {question}", subject.what);
    for said in &subject.refusals {
        text.push_str(&format!("\n  not acknowledged: {said}"));
    }
    text
}

/// The change that an answer contradicts: one whose confirmation had been received when the question was sent, and
/// which nothing that may have been carried out before the answer came has undone.
fn contradicted(changes: &[Change], sent: Moment, answered: Moment, against: Way) -> Option<&Change> {
    for change in changes.iter().rev() {
        match change.outcome {
            Outcome::Nothing => {}
            Outcome::Done { confirmed, .. } if change.way == against && confirmed < sent => return Some(change),
            // It says what the answer says: the answer is true, if it can be as young as that.
            Outcome::Done { .. } | Outcome::Unknown if change.way != against && change.sent < answered => return None,
            Outcome::Done { .. } | Outcome::Unknown => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{History, SubjectId};

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn change(way: Way, sent: u64, answered: u64, outcome: Outcome) -> Change {
        Change { what: "change", way, node: 0, sent: at(sent), answered: at(answered), outcome }
    }

    fn done(confirmed: u64) -> Outcome {
        Outcome::Done { epoch: 1, revision: 1, journaled: true, confirmed: at(confirmed) }
    }

    fn violations(changes: &[Change], asked: (u64, u64), said: Said) -> usize {
        let subject = Subject { changes: changes.to_vec(), ..Subject::default() };
        let subject_id: SubjectId = 0;
        let (sent, answered) = (at(asked.0), at(asked.1));
        check(&[subject], &[Question { subject: subject_id, node: 1, sent, answered, said }]).violations.len()
    }

    fn no() -> Said {
        Said::No("revoked".to_owned())
    }

    #[test]
    fn a_yes_is_a_violation_from_the_confirmation_on() {
        let changes = [change(Way::Gives, 0, 10, done(10)), change(Way::Takes, 20, 30, done(40))];
        assert_eq!(violations(&changes, (39, 50), Said::Yes), 0);
        assert_eq!(violations(&changes, (40, 50), Said::Yes), 0);
        assert_eq!(violations(&changes, (41, 50), Said::Yes), 1);
        assert_eq!(violations(&changes, (41, 50), no()), 0);
        assert_eq!(violations(&changes, (41, 50), Said::NotNow(503)), 0);
        assert_eq!(violations(&changes, (41, 50), Said::Nothing), 0);
    }

    #[test]
    fn a_yes_is_none_where_authority_may_have_been_given_again() {
        let changes = [change(Way::Takes, 0, 10, done(10)), change(Way::Gives, 50, 90, done(90))];
        assert_eq!(violations(&changes, (20, 45), Said::Yes), 1);
        assert_eq!(violations(&changes, (20, 60), Said::Yes), 0);
        let changes = [change(Way::Takes, 0, 10, done(10)), change(Way::Gives, 50, 90, Outcome::Unknown)];
        assert_eq!(violations(&changes, (200, 210), Said::Yes), 0);
        assert_eq!(violations(&changes, (200, 210), no()), 0);
        let changes = [change(Way::Takes, 0, 10, done(10)), change(Way::Gives, 50, 90, Outcome::Nothing)];
        assert_eq!(violations(&changes, (200, 210), Said::Yes), 1);
    }

    #[test]
    fn what_is_not_confirmed_or_not_known_is_no_violation() {
        let changes = [change(Way::Gives, 0, 10, done(10)), change(Way::Takes, 20, 30, Outcome::Unknown)];
        assert_eq!(violations(&changes, (100, 110), Said::Yes), 0);
        assert_eq!(violations(&changes, (100, 110), no()), 0);
        // A later confirmed end settles what was unknown before it.
        let changes = [changes[0], change(Way::Gives, 20, 30, Outcome::Unknown), change(Way::Takes, 40, 50, done(50))];
        assert_eq!(violations(&changes, (60, 70), Said::Yes), 1);
    }

    #[test]
    fn a_secret_that_was_lost_with_history_is_not_given_again_by_its_token() {
        let history = History::begin();
        let subject = history.add("token, rotated".to_owned(), "secret", None);
        let rotated = Change { what: "rotate", ..change(Way::Gives, 0, 10, done(10)) };
        history.note(subject, rotated);
        history.lost(1, 0, at(15));
        history.note(subject, change(Way::Gives, 20, 30, done(30)));
        let known = history.with(|known| known.subjects.clone());
        assert_eq!(known[subject].expected(), None);
        let asked = |said| check(&known, &[Question { subject, node: 0, sent: at(40), answered: at(50), said }]);
        assert_eq!(asked(no()).violations.len(), 0);
        // Taken from it, it stays taken.
        history.note(subject, change(Way::Takes, 60, 70, done(70)));
        let known = history.with(|known| known.subjects.clone());
        let asked = Question { subject, node: 0, sent: at(80), answered: at(90), said: Said::Yes };
        assert_eq!((known[subject].expected(), check(&known, &[asked]).violations.len()), (Some(false), 1));
    }

    #[test]
    fn a_no_is_a_violation_after_authority_was_confirmed_to_be_given() {
        let changes = [change(Way::Gives, 0, 10, done(10)), change(Way::Takes, 50, 60, done(60))];
        assert_eq!(violations(&changes, (20, 40), no()), 1);
        assert_eq!(violations(&changes, (20, 55), no()), 0);
        assert_eq!(violations(&changes, (5, 40), no()), 0);
    }
}
