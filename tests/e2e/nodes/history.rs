//! What was asked of which node and answered, what was changed and when that was confirmed: by this process's clock,
//! which never jumps.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A moment, since the history began.
pub type Moment = Duration;
/// A subject's number.
pub type SubjectId = usize;

/// What a change does to the answer about its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From now on yes.
    Gives,
    /// From now on no.
    Takes,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No answer yet, none at all, or one that says that nobody knows.
    Unknown,
    /// Nothing was changed.
    Nothing,
    /// It was acknowledged, with this receipt.
    Done {
        epoch: i64,
        revision: i64,
        journaled: bool,
        /// When the client knew that the receipt is confirmed.
        confirmed: Moment,
    },
}

/// A change, as the client saw it. Those of one subject come from one client, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub what: &'static str,
    pub way: Way,
    pub node: usize,
    pub sent: Moment,
    pub answered: Moment,
    pub outcome: Outcome,
}

/// Something that is good or not: a secret, or a secret and a permission.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    pub what: String,
    pub secret: String,
    pub permission: Option<&'static str>,
    pub changes: Vec<Change>,
    /// What was said about changes that were not acknowledged.
    pub refusals: Vec<String>,
    /// Whether it was asked about on every node since its last change.
    pub settled: bool,
    /// Whether its secret was made in history that was lost. Its token may be there from before and be switched on again;
    /// that does not bring the secret back.
    pub secret_lost: bool,
}

impl Subject {
    /// What every node must say once it follows again; `None` where that is not known.
    pub fn expected(&self) -> Option<bool> {
        let known = self.changes.iter().fold(None, |known, change| match change.outcome {
            Outcome::Nothing => known,
            Outcome::Unknown => None,
            Outcome::Done { .. } => Some(change.way == Way::Gives),
        });
        known.filter(|given| !(*given && self.secret_lost))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, way, node, sent, answered, outcome } = self;
        write!(f, "{what} ({way:?}) through node {node}, sent {sent:?}, answered {answered:?}: {outcome:?}")
    }
}

/// What a node said to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is good.
    Yes,
    /// It is not, and why.
    No(String),
    /// Not now: this status.
    NotNow(u16),
    /// No whole answer came.
    Nothing,
}

/// A question and its answer.
#[derive(Clone, Debug)]
pub struct Question {
    pub subject: SubjectId,
    pub node: usize,
    pub sent: Moment,
    pub answered: Moment,
    pub said: Said,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, sent, answered, said, .. } = self;
        write!(f, "question to node {node}, sent {sent:?}, answered {answered:?}: {said:?}")
    }
}

/// What is known of the whole.
#[derive(Debug, Default)]
pub struct Known {
    pub subjects: Vec<Subject>,
    /// Since the last check.
    pub questions: Vec<Question>,
    /// Answers that nothing explains.
    pub surprises: Vec<String>,
    /// Those that were changed last.
    recent: VecDeque<SubjectId>,
    /// What every question of so far came to: yes, no, not now, nothing.
    pub said: [u64; 4],
    /// Why changes were refused with nothing changed, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// How many receipts were confirmed by every node, by time, and not while they were waited for.
    pub confirmed: [u64; 3],
    /// Changes whose outcome was never told.
    pub unknown: u64,
    /// Changes that were acknowledged.
    pub done: u64,
    /// Changes that were refused because nothing could be changed then.
    pub nothing: u64,
}

/// How many of the last changed subjects are asked about most.
const RECENT: usize = 16;

/// The history of one run.
#[derive(Debug)]
pub struct History {
    begun: Instant,
    known: Mutex<Known>,
}

impl History {
    /// One that begins now.
    pub fn begin() -> Self {
        Self { begun: Instant::now(), known: Mutex::default() }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        self.begun.elapsed()
    }

    /// Looks at what is known, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap())
    }

    /// A new subject.
    pub fn add(&self, what: String, secret: &str, permission: Option<&'static str>) -> SubjectId {
        let subject = Subject { what, secret: secret.to_owned(), permission, ..Subject::default() };
        self.with(|known| {
            known.subjects.push(subject);
            known.subjects.len() - 1
        })
    }

    /// Notes a change of a subject that is its last.
    pub fn note(&self, subject: SubjectId, change: Change) {
        self.with(|known| {
            known.subjects[subject].changes.push(change);
            known.subjects[subject].settled = false;
            known.recent.retain(|other| *other != subject);
            known.recent.push_back(subject);
            if known.recent.len() > RECENT {
                known.recent.pop_front();
            }
        });
    }

    /// The end of the last change of a subject.
    pub fn end(&self, subject: SubjectId, answered: Moment, outcome: Outcome) {
        self.with(|known| {
            let change = known.subjects[subject].changes.last_mut().unwrap();
            (change.answered, change.outcome) = (answered, outcome);
        });
    }

    /// Something to ask about: its number, its secret, the permission to ask for. `die` is any number.
    pub fn pick(&self, die: usize) -> Option<(SubjectId, String, Option<&'static str>)> {
        self.with(|known| {
            let (recent, all) = (known.recent.len(), known.subjects.len());
            let id = match (die % 4, all) {
                (_, 0) => return None,
                (0, _) => (die / 4) % all,
                _ => *known.recent.get((die / 4) % recent.max(1))?,
            };
            let subject = &known.subjects[id];
            Some((id, subject.secret.clone(), subject.permission))
        })
    }

    /// A question that was answered, or not.
    pub fn asked(&self, question: Question) {
        self.with(|known| {
            let at = match question.said {
                Said::Yes => 0,
                Said::No(_) => 1,
                Said::NotNow(_) => 2,
                Said::Nothing => 3,
            };
            known.said[at] += 1;
            known.questions.push(question);
        });
    }

    /// An answer that nothing explains.
    pub fn surprise(&self, text: String) {
        self.with(|known| known.surprises.push(text));
    }

    /// History was lost: what was acknowledged after this revision of this epoch is gone. What was given may be gone
    /// with it; what was taken and journaled must be taken again by the moment when the nodes had recovered. How many
    /// changes that were, given and taken.
    pub fn lost(&self, epoch: i64, kept: i64, recovered: Moment) -> (usize, usize) {
        let (mut given, mut taken) = (0, 0);
        self.with(|known| {
            for subject in &mut known.subjects {
                for change in &mut subject.changes {
                    let Outcome::Done { epoch: of, revision, journaled, confirmed } = &mut change.outcome else {
                        continue;
                    };
                    if *of != epoch || *revision <= kept {
                        continue;
                    }
                    if change.way == Way::Takes && *journaled {
                        taken += 1;
                        *confirmed = recovered;
                    } else {
                        given += 1;
                        change.outcome = Outcome::Unknown;
                        subject.secret_lost |= change.way == Way::Gives && matches!(change.what, "issue" | "rotate");
                    }
                }
            }
        });
        (given, taken)
    }
}
