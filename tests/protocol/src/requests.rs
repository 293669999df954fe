//! What becomes of a request: the clock is read, memory is looked at, a fill is read and checked.

use crate::node::{Fill, Phase, Request, Snapshot};
use crate::scope::{Breach, Mutation, Scope};
use crate::world::{Change, Note, Source, World};

type Made = Option<Option<Note>>;

const DONE: Made = Some(None);

impl World {
    /// Whether a request that arrives at this node now must not be answered yes.
    fn too_late(&self, number: usize) -> bool {
        match self.change {
            Change::Confirmed => true,
            // Its own node has answered the change already.
            Change::Answered { node, .. } => node == number,
            _ => false,
        }
    }

    /// A request arrives, the clock is read, and the node is fresh. Had it arrived earlier, less would be asked of its
    /// answer; had it found the node not fresh, it would wait and arrive here later, or be refused.
    pub(crate) fn ask(&mut self, scope: &Scope, number: usize) -> Made {
        if !self.fresh(scope, number) {
            return None;
        }
        let late = self.too_late(number);
        let node = &self.nodes[number];
        // Of such a request nothing is asked, and it leaves nothing behind unless it leads a fill.
        let idle = node.fill.is_some() || node.entry.is_some_and(|entry| node.holds(&entry));
        if !late && idle && scope.promises == [Breach::LateYes] && !scope.lacks(Mutation::ClockBeforeArrival) {
            return None;
        }
        let era = node.era;
        self.put(number, Request { late, era, phase: Phase::Cleared });
        DONE
    }

    pub(crate) fn look_up(&mut self, scope: &Scope, number: usize, slot: usize) -> Made {
        let mut request = self.nodes[number].requests.remove(slot);
        if scope.lacks(Mutation::ClockBeforeArrival) {
            request.late = self.too_late(number);
        }
        let node = &mut self.nodes[number];
        if scope.lacks(Mutation::EraNotedWithFill) {
            request.era = node.era;
        }
        if request.era != node.era && !scope.lacks(Mutation::EraNotedAtEnd) {
            return DONE; // it is asked anew
        }
        if let Some(entry) = node.entry.filter(|entry| node.holds(entry) || scope.lacks(Mutation::HitUnchecked)) {
            return Some(Some(self.answered(scope, number, request, &entry, true)));
        }
        request.phase = match &node.fill {
            Some(Fill { read: Some(snapshot), .. }) => Phase::Holding(*snapshot),
            Some(Fill { read: None, .. }) => Phase::Joined,
            None => {
                node.fill = Some(Fill { era: node.era, read: None });
                Phase::Leading
            }
        };
        self.put(number, request);
        DONE
    }

    pub(crate) fn warm(&mut self, number: usize) -> Made {
        let node = &mut self.nodes[number];
        node.fill = Some(Fill { era: node.era, read: None });
        DONE
    }

    pub(crate) fn read(&mut self, number: usize, source: Source) -> Made {
        let database = self.at(source);
        let (revision, good, history) = (database.head().revision, database.good(), database.history);
        let node = &mut self.nodes[number];
        let fill = node.fill.as_mut()?;
        let snapshot = Snapshot { era: fill.era, revision, good, history };
        fill.read = Some(snapshot);
        for request in &mut node.requests {
            if request.phase == Phase::Joined {
                request.phase = Phase::Holding(snapshot);
            }
        }
        node.requests.sort_unstable();
        DONE
    }

    /// A request takes what was read for it, if that still holds.
    pub(crate) fn take(&mut self, scope: &Scope, number: usize, slot: usize) -> Made {
        let node = &mut self.nodes[number];
        let mut request = node.requests.remove(slot);
        let (leads, mut snapshot) = match request.phase {
            Phase::Holding(snapshot) => (false, snapshot),
            _ => (true, node.fill?.read?),
        };
        if scope.lacks(Mutation::EraNotedAtEnd) {
            (request.era, snapshot.era) = (node.era, node.era);
        }
        let holds = node.holds(&snapshot);
        if leads {
            node.fill = None;
            if holds || scope.lacks(Mutation::CacheUnchecked) {
                node.entry = Some(snapshot);
            }
        }
        if request.era != node.era {
            return DONE; // it is asked anew
        }
        let unchecked = if leads { Mutation::AnswerUnchecked } else { Mutation::JoinUnchecked };
        if holds || scope.lacks(unchecked) {
            return Some(Some(self.answered(scope, number, request, &snapshot, false)));
        }
        if leads {
            node.fill = Some(Fill { era: node.era, read: None });
        } else {
            request.phase = Phase::Cleared;
        }
        self.put(number, request);
        Some(Some(if leads { Note::ReadAgain } else { Note::JoinerReadAgain }))
    }

    pub(crate) fn keep(&mut self, number: usize) -> Made {
        let node = &mut self.nodes[number];
        let snapshot = node.fill.take()?.read?;
        if node.holds(&snapshot) {
            node.entry = Some(snapshot);
        }
        DONE
    }

    fn put(&mut self, number: usize, request: Request) {
        let requests = &mut self.nodes[number].requests;
        requests.push(request);
        requests.sort_unstable();
    }

    /// The request is answered. Yes is held against what was promised.
    fn answered(&self, scope: &Scope, number: usize, request: Request, snapshot: &Snapshot, from_memory: bool) -> Note {
        let node = &self.nodes[number];
        if !snapshot.good {
            return match (node.noticed > 0, from_memory) {
                (true, _) => Note::NoAfterLoss,
                (false, true) => Note::NoFromMemory,
                (false, false) => Note::No,
            };
        }
        let broken = |breach: Breach| match breach {
            Breach::LateYes => request.late,
            Breach::FromLostHistory => snapshot.history < node.noticed,
            Breach::Relapse => node.knew,
            Breach::Unreplayed => request.late && node.noticed > 0,
            Breach::ConfirmedButGone => false,
        };
        scope.promises.iter().copied().find(|breach| broken(*breach)).map_or(Note::Yes, Note::Broken)
    }
}
