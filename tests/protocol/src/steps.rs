//! What each step makes of the world. Whatever a node decides here it decides by `tokenhouse_model::follow`.

use tokenhouse_model::Receipt;
use tokenhouse_model::follow::{Acknowledged, Beat, Boot, By, Follow, confirmed};

use crate::database::Row;
use crate::node::{Flight, Node};
use crate::scope::{Breach, Journal, Mutation, Place, Scope};
use crate::world::{Change, Note, Source, Step, World};

/// `None`: the step is not possible now.
type Made = Option<Option<Note>>;

/// The step was made, and there is nothing to tell.
const DONE: Made = Some(None);

impl World {
    /// Makes a step.
    pub fn make(&mut self, scope: &Scope, step: Step) -> Made {
        match step {
            Step::Pass => self.pass(scope),
            Step::Other => self.other(),
            Step::Change => {
                self.database.changed = true;
                DONE
            }
            Step::Send(node) => {
                self.nodes[node].follow.as_ref()?;
                self.change = Change::Sent { node, at: scope.clock(node, self.now) };
                DONE
            }
            Step::Revoke(node) => self.revoke(scope, node),
            Step::Answer(node) => self.answer(scope, node),
            Step::Confirm(node, source) => self.confirm(scope, node, source),
            Step::Join(node) => self.join(scope, node),
            Step::Register(node) => self.register(scope, node),
            Step::KeepUp(node) => self.keep_up(scope, node),
            Step::Beat(node, source) => self.beat(scope, node, source),
            Step::Commit(node) => self.commit(scope, node),
            Step::Hear(node) => self.hear(scope, node),
            Step::Lose(node) => {
                self.nodes[node].flight = None;
                DONE
            }
            Step::Apply(node, source) => self.apply(scope, node, source),
            Step::Mark(node) => {
                self.nodes[node].mark = self.nodes[node].unmarked.take()?;
                DONE
            }
            Step::Ask(node) => self.ask(scope, node),
            Step::LookUp(node, slot) => self.look_up(scope, node, slot),
            Step::Warm(node) => self.warm(node),
            Step::Read(node, source) => self.read(node, source),
            Step::Take(node, slot) => self.take(scope, node, slot),
            Step::Keep(node) => self.keep(node),
            Step::Crash(node) => {
                self.nodes[node] = Node::off(self.nodes[node].life + 1);
                DONE
            }
            Step::Leave(node) => self.leave(scope, node),
            Step::Reap(row) => self.reap(scope, row),
            Step::StartAgain(node) => self.start_again(scope, node),
            Step::FailOver => {
                self.old = Some(self.database.clone());
                self.abort();
                DONE
            }
            Step::Copy => {
                self.standby = Some(self.database.clone());
                DONE
            }
            Step::Promote => self.promote(),
            Step::Replay(node) => self.replay(scope, node),
        }
    }

    fn pass(&mut self, scope: &Scope) -> Made {
        self.now += 1;
        let since = self.promoted.map_or(0, |promoted| Boot::from(self.now - promoted) * scope.tick);
        let waiting =
            |(node, place): (&Node, &Place)| place.revokes && node.knew && (node.lost || self.database.good());
        if scope.prompt && since > scope.freshness && self.nodes.iter().zip(&scope.places).any(waiting) {
            return None;
        }
        DONE
    }

    fn other(&mut self) -> Made {
        self.database.write(self.database.head().epoch, false);
        DONE
    }

    // --- the revocation ---

    fn revoke(&mut self, scope: &Scope, node: usize) -> Made {
        self.nodes[node].follow.as_ref()?;
        let sent = if let Change::Sent { at, .. } = self.change { at } else { 0 };
        let place = self.database.write(self.database.head().epoch, true);
        debug_assert!(scope.places[node].revokes);
        self.change = Change::Committed { node, revision: place.revision, sent };
        DONE
    }

    fn answer(&mut self, scope: &Scope, number: usize) -> Made {
        let Change::Committed { revision, sent, .. } = self.change else { return None };
        if scope.places[number].requests == 0 {
            self.keep_up(scope, number);
        }
        let applied = self.nodes[number].applied()?;
        if applied < revision && !scope.lacks(Mutation::AnswerBeforeApplying) {
            return None;
        }
        let at = if scope.lacks(Mutation::CountedFromSending) { sent } else { scope.clock(number, self.now) };
        self.change = Change::Answered { node: number, revision, at };
        DONE
    }

    fn confirm(&mut self, scope: &Scope, number: usize, source: Source) -> Made {
        let Change::Answered { revision, at, .. } = self.change else { return None };
        self.nodes[number].follow.as_ref()?;
        let database = self.at(source);
        // Every receipt here is of the first epoch: in a later one the revocation is that of the journal.
        let receipt = Receipt { epoch: 1, revision, journaled: true };
        let stands = database.event(revision).is_some_and(|event| event.revokes && event.link.epoch == receipt.epoch);
        if !stands && !scope.lacks(Mutation::EventNotLookedFor) {
            return None;
        }
        let mut rows = database.rows.clone();
        if scope.lacks(Mutation::OwnRowFromMemory)
            && let Some(own) = &mut rows[self.row(scope, number)]
        {
            own.told.applied = self.nodes[number].applied()?;
        }
        let rows: Vec<Acknowledged> = rows.iter().flatten().map(|row| row.told).collect();
        let elapsed = scope.clock(number, self.now) - at;
        let freshness = scope.freshness_to_wait_for(database.changed);
        let by = if rows.is_empty() && scope.lacks(Mutation::EmptyRowsConfirm) {
            Some(By::Nodes)
        } else {
            let early = elapsed >= scope.patience(freshness);
            confirmed(&receipt, &rows, elapsed, freshness).or(early.then_some(By::Time))
        }?;
        self.change = Change::Confirmed;
        let gone = self.database.good() && scope.promises.contains(&Breach::ConfirmedButGone);
        Some(Some(if gone { Note::Broken(Breach::ConfirmedButGone) } else { Note::Confirmed(by) }))
    }

    // --- lives ---

    /// The transaction that registers a node reads the head.
    pub fn join(&mut self, scope: &Scope, number: usize) -> Made {
        let (sent, head) = (scope.clock(number, self.now), self.database.head());
        self.nodes[number].joining = Some((sent, head));
        DONE
    }

    /// It is committed: the row is there, and the node follows from that head.
    pub fn register(&mut self, scope: &Scope, number: usize) -> Made {
        let (sent, head) = self.nodes[number].joining.take()?;
        self.write_row(scope, number, Acknowledged { epoch: head.epoch, applied: head.revision });
        let mut follow = Follow::from(head);
        if scope.lacks(Mutation::RegisteringMakesFresh) {
            let (there, freshness) = (Some(head.hash), scope.freshness(self.database.changed));
            follow.heard(&Beat { sent, asked: head, there, head: head.revision, freshness }).ok()?;
        }
        self.follow_from(scope, number, follow);
        DONE
    }

    fn follow_from(&mut self, scope: &Scope, number: usize, follow: Follow) {
        let mark = if scope.lacks(Mutation::BeginningForgotten) { 0 } else { follow.begun() };
        self.nodes[number].begin(follow, mark);
    }

    fn write_row(&mut self, scope: &Scope, number: usize, told: Acknowledged) {
        let row = self.row(scope, number);
        let at = if scope.reaps { self.now } else { 0 };
        self.database.rows[row] = Some(Row { told, at });
    }

    fn leave(&mut self, scope: &Scope, number: usize) -> Made {
        let row = self.row(scope, number);
        if scope.lacks(Mutation::LeaveTooEarly) {
            self.database.rows[row] = None;
            return DONE;
        }
        let node = &self.nodes[number];
        if !node.requests.is_empty() || node.fill.is_some() || node.flight.is_some() {
            return None;
        }
        self.database.rows[row] = None;
        self.nodes[number] = Node::off(node.life + 1);
        DONE
    }

    /// Node 0 has seen the row unchanged for so long by its own clock. It never takes its own away.
    fn reap(&mut self, scope: &Scope, row: usize) -> Made {
        let old = self.database.rows[row]?;
        let age = scope.clock(0, self.now) - scope.clock(0, old.at);
        if row == self.row(scope, 0) || age < scope.patience(scope.freshness) && !scope.lacks(Mutation::ReapTooEarly) {
            return None;
        }
        // A heartbeat that has written the row holds its lock; the deletion waits and then finds the row changed.
        let owner = (0..self.nodes.len()).find(|node| self.row(scope, *node) == row);
        if owner.is_some_and(|node| matches!(self.nodes[node].flight, Some(Flight::Open { makes: false, .. }))) {
            return None;
        }
        self.database.rows[row] = None;
        DONE
    }

    fn start_again(&mut self, scope: &Scope, number: usize) -> Made {
        self.nodes[number].drops += 1;
        self.next_era(scope, number);
        self.follow_from(scope, number, Follow::from(self.database.head()));
        DONE
    }

    fn next_era(&mut self, scope: &Scope, number: usize) {
        if !scope.lacks(Mutation::EraKept) {
            self.nodes[number].era += 1;
        }
    }

    // --- the ledger ---

    /// The heartbeat that a node would send now, and whether it has no row; `None` where it would change nothing.
    pub(crate) fn beat_of(&self, scope: &Scope, number: usize, source: Source) -> Option<(Beat, bool)> {
        // An old primary commits nothing any more.
        if source == Source::Old && !scope.lacks(Mutation::PlainReading) {
            return None;
        }
        let database = self.at(source);
        let node = &self.nodes[number];
        let asked = node.follow.as_ref()?.applied();
        let there = database.event(asked.revision).map(|event| event.link.hash);
        let sent = scope.clock(number, self.now);
        let beat =
            Beat { sent, asked, there, head: database.head().revision, freshness: scope.freshness(database.changed) };
        let row = database.rows[self.row(scope, number)];
        let told = told(scope, &beat);
        let same = there == Some(asked.hash) || asked.revision == 0;
        let known = row.is_some_and(|row| row.told == told && (!scope.reaps || row.at == self.now));
        let idle = known && same && node.heard == Some((sent, beat.head));
        (!idle).then_some((beat, row.is_none()))
    }

    fn beat(&mut self, scope: &Scope, number: usize, source: Source) -> Made {
        let (beat, makes) = self.beat_of(scope, number, source)?;
        self.nodes[number].flight = Some(Flight::Open { beat, makes });
        DONE
    }

    /// A node that serves nobody keeps up: it applies what there is, and its heartbeat is committed, at once. Later
    /// would only put off the confirmation. Freshness is of no use to it; a loss it notices.
    fn keep_up(&mut self, scope: &Scope, number: usize) -> Made {
        let mut made = DONE;
        while made == DONE {
            made = self.apply(scope, number, Source::Primary).or(None);
        }
        if made.is_some() {
            return made;
        }
        let asked = self.nodes[number].follow.as_ref()?.applied();
        let there = self.database.event(asked.revision).map(|event| event.link.hash);
        let told = Acknowledged { epoch: asked.epoch, applied: asked.revision };
        let row = self.database.rows[self.row(scope, number)];
        let same = there == Some(asked.hash) || asked.revision == 0;
        if same && row.is_some_and(|row| row.told == told) {
            return None; // it would change nothing
        }
        self.write_row(scope, number, told);
        let head = self.database.head().revision;
        let beat = Beat { sent: 0, asked, there, head, freshness: 0 };
        let heard = self.nodes[number].follow.clone()?.heard(&beat);
        if heard.is_err() { self.notice(scope, number) } else { DONE }
    }

    fn commit(&mut self, scope: &Scope, number: usize) -> Made {
        let Some(Flight::Open { mut beat, makes }) = self.nodes[number].flight else { return None };
        if !scope.lacks(Mutation::PlainReading) {
            let told = told(scope, &beat);
            self.write_row(scope, number, told);
        }
        if scope.lacks(Mutation::T0AtCommit) {
            beat.sent = scope.clock(number, self.now);
        }
        let counts = !makes || scope.lacks(Mutation::RowMadeByHeartbeat) || scope.lacks(Mutation::PlainReading);
        self.nodes[number].flight = Some(Flight::Answer { beat, counts });
        DONE
    }

    fn hear(&mut self, scope: &Scope, number: usize) -> Made {
        let Some(Flight::Answer { mut beat, counts }) = self.nodes[number].flight.take() else { return None };
        if scope.lacks(Mutation::T0AtAnswer) {
            beat.sent = scope.clock(number, self.now);
        }
        if scope.lacks(Mutation::HeadIgnored) {
            beat.head = beat.asked.revision;
        }
        let node = &mut self.nodes[number];
        // It beat, dropped its memory since, and has not begun again: there is nobody to hear.
        let Some(follow) = &mut node.follow else { return DONE };
        if !counts {
            return DONE;
        }
        node.heard = Some((beat.sent, beat.head));
        if follow.heard(&beat).is_err() { self.notice(scope, number) } else { DONE }
    }

    fn apply(&mut self, scope: &Scope, number: usize, source: Source) -> Made {
        let applied = self.nodes[number].applied()?;
        let event = *self.at(source).event(applied + 1)?;
        let node = &mut self.nodes[number];
        let revision = event.link.revision;
        // What it touches is marked first. That the event turns out not to follow does not harm: the era ends.
        if event.revokes && scope.lacks(Mutation::AppliedBeforeMarked) {
            node.unmarked = Some(revision);
        } else if event.revokes {
            node.mark = revision;
        }
        if node.follow.as_mut()?.apply(&event.link).is_err() {
            return self.notice(scope, number);
        }
        node.knew |= event.revokes;
        DONE
    }

    // --- lost history ---

    /// Open transactions end with the primary in which they were.
    fn abort(&mut self) {
        for node in &mut self.nodes {
            node.joining = None;
            if matches!(node.flight, Some(Flight::Open { .. })) {
                node.flight = None;
            }
        }
    }

    fn promote(&mut self) -> Made {
        let history = self.database.history + 1;
        self.database = self.standby.take()?;
        self.database.history = history;
        self.promoted = Some(self.now);
        self.abort();
        DONE
    }

    fn notice(&mut self, scope: &Scope, number: usize) -> Made {
        let history = self.database.history;
        self.next_era(scope, number);
        self.nodes[number].notice(history);
        // A change whose receipt is not confirmed never will be, if its event is gone.
        match self.change {
            Change::Committed { node, .. } | Change::Answered { node, .. }
                if node == number && self.database.good() =>
            {
                self.change = Change::Abandoned;
            }
            _ => {}
        }
        Some(Some(Note::Noticed))
    }

    fn replay(&mut self, scope: &Scope, number: usize) -> Made {
        let node = &mut self.nodes[number];
        node.lost = false;
        let knows = scope.loses == Some(Journal::Shared) || scope.places[number].revokes;
        // There is one revocation, and it was journaled if it ever was in a ledger that this node knew.
        let journaled = knows && !matches!(self.change, Change::Open | Change::Sent { .. });
        let again = journaled && self.database.good() && !scope.lacks(Mutation::NotReplayed);
        let head = self.database.write(self.database.head().epoch + 1, again);
        let until = scope.clock(number, self.now) + scope.patience(scope.freshness);
        let held = if scope.lacks(Mutation::NotHeldBack) { Follow::from(head) } else { Follow::held(head, until) };
        self.follow_from(scope, number, held);
        let told = Acknowledged { epoch: head.epoch, applied: head.revision };
        self.write_row(scope, number, told);
        DONE
    }
}

/// What a heartbeat tells the others.
fn told(scope: &Scope, beat: &Beat) -> Acknowledged {
    let early = scope.lacks(Mutation::AcknowledgeEarly);
    Acknowledged { epoch: beat.asked.epoch, applied: if early { beat.head } else { beat.asked.revision } }
}
