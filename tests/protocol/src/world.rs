//! Everything at one moment, and what can happen next.

use stateright::{Model, Property};
use tokenhouse_model::follow::By;

use crate::database::Database;
use crate::node::{Flight, Node, Phase};
use crate::scope::{Breach, Mutation, Scope};

/// From which database something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The primary.
    Primary,
    /// The old primary after a failover, which can still be read by who has a connection to it.
    Old,
}

/// The revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Nobody has asked for it.
    Open,
    /// COMMIT was sent at this moment of the node's clock. Looked at only where the wait is counted from then.
    Sent { node: usize, at: i64 },
    /// It is committed at this revision.
    Committed { node: usize, revision: i64, sent: i64 },
    /// COMMIT has returned, the clock was read, the node has applied it and answered.
    Answered { node: usize, revision: i64, at: i64 },
    /// Its receipt is confirmed.
    Confirmed,
    /// Its node noticed that history was lost before: it will never be confirmed.
    Abandoned,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// Time, in steps.
    pub now: u8,
    /// The primary.
    pub database: Database,
    /// What an old primary still shows.
    pub old: Option<Database>,
    /// What an asynchronous standby has.
    pub standby: Option<Database>,
    /// When the standby was promoted.
    pub promoted: Option<u8>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The revocation.
    pub change: Change,
}

/// One thing that happens. The numbers are those of nodes, then of requests in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Time moves on. Whoever does nothing meanwhile is stopped, slow or cut off: there is no difference.
    Pass,
    /// A change that does not touch the token is committed.
    Other,
    /// S is changed.
    Change,
    /// COMMIT of the revocation is sent; only where the wait is counted from then.
    Send(usize),
    /// The revocation is committed.
    Revoke(usize),
    /// COMMIT has returned, and the change is answered.
    Answer(usize),
    /// The node reads the rows and decides whether the receipt is confirmed.
    Confirm(usize, Source),
    /// A node starts: the transaction that registers it reads the head.
    Join(usize),
    /// That transaction is committed.
    Register(usize),
    /// A node that serves nobody applies what there is and beats.
    KeepUp(usize),
    /// The transaction of a heartbeat reads what it reads; t0 is read at the same moment, the latest that is allowed.
    Beat(usize, Source),
    /// That transaction is committed.
    Commit(usize),
    /// Its answer arrives.
    Hear(usize),
    /// Its answer is lost.
    Lose(usize),
    /// The next event is read and applied.
    Apply(usize, Source),
    /// What it touches is marked; only where that is not done first.
    Mark(usize),
    /// A request arrives, and the clock is read.
    Ask(usize),
    /// The request looks into memory, joins a fill or begins one.
    LookUp(usize, usize),
    /// A fill that no request asked for; only where memory is filled before registering.
    Warm(usize),
    /// The fill reads its snapshot.
    Read(usize, Source),
    /// The request takes what its fill read.
    Take(usize, usize),
    /// The same for the fill that no request asked for.
    Keep(usize),
    /// A node is killed.
    Crash(usize),
    /// A node is stopped: it lets nobody in any more, has answered everything, and takes its row away.
    Leave(usize),
    /// A row that was not touched for long is taken away.
    Reap(usize),
    /// A node is too far behind: it drops its memory and registers at the head anew.
    StartAgain(usize),
    /// The synchronous standby becomes the primary. Nothing is lost, and the old one can be read.
    FailOver,
    /// The asynchronous standby is given everything up to now.
    Copy,
    /// It becomes the primary as it is: what was committed since is lost.
    Promote,
    /// A node that noticed it replays its journal in a new epoch and begins again.
    Replay(usize),
}

/// Something worth telling of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// A request was answered yes.
    Yes,
    /// A request was answered no.
    No,
    /// The same from memory.
    NoFromMemory,
    /// A fill was read again because an event had touched the token.
    ReadAgain,
    /// Who joined a fill would not take its outcome.
    JoinerReadAgain,
    /// The receipt was confirmed.
    Confirmed(By),
    /// A node noticed that history was lost.
    Noticed,
    /// A node that had noticed it answered no.
    NoAfterLoss,
    /// What must never happen.
    Broken(Breach),
}

/// What the checker goes through: worlds, and notes. A note is an end of its own, so that what happened once is not
/// carried along and does not multiply the worlds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Everything at one moment.
    World(Box<World>),
    /// This happened in the step before.
    Noted(Note),
}

/// What the checker does: a step, or the same step for the sake of its note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Goes on with what the step makes of the world.
    Do(Step),
    /// Ends with what is to be told of it.
    Tell(Step),
}

/// The protocol within some bounds.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The bounds.
    pub scope: Scope,
    /// What must happen sometimes.
    pub sometimes: Vec<&'static str>,
}

impl World {
    /// Nothing has happened.
    pub fn new(scope: &Scope) -> Self {
        let lives: usize = scope.places.iter().map(|place| usize::from(place.restarts) + 1).sum();
        let mut world = Self {
            now: 0,
            database: Database::new(lives),
            old: None,
            standby: None,
            promoted: None,
            nodes: scope.places.iter().map(|_| Node::off(0)).collect(),
            change: Change::Open,
        };
        for (node, place) in scope.places.iter().enumerate() {
            if place.joined {
                world.join(scope, node);
                world.register(scope, node);
            }
        }
        world
    }

    /// The number of a node's row.
    pub fn row(&self, scope: &Scope, node: usize) -> usize {
        if scope.lacks(Mutation::SharedRow) {
            return 0;
        }
        let before: usize = scope.places[..node].iter().map(|place| usize::from(place.restarts) + 1).sum();
        before + usize::from(self.nodes[node].life)
    }

    /// Whether a node may answer from memory now.
    pub fn fresh(&self, scope: &Scope, node: usize) -> bool {
        self.nodes[node].follow.as_ref().is_some_and(|follow| follow.fresh(scope.clock(node, self.now)))
    }

    /// What stands at this source.
    pub fn at(&self, source: Source) -> &Database {
        match (source, &self.old) {
            (Source::Old, Some(old)) => old,
            _ => &self.database,
        }
    }

    /// Calls with every source that can be read.
    fn sources(&self, mut each: impl FnMut(Source)) {
        each(Source::Primary);
        if self.old.is_some() {
            each(Source::Old);
        }
    }

    /// What may happen next; some of it turns out to be impossible when it is tried.
    fn steps(&self, scope: &Scope, mut can: impl FnMut(Step)) {
        if self.now < scope.ticks {
            can(Step::Pass);
        }
        if self.database.events.iter().filter(|event| !event.revokes).count() < usize::from(scope.others) {
            can(Step::Other);
        }
        if scope.changes_to.is_some() && !self.database.changed {
            can(Step::Change);
        }
        if scope.reaps {
            let rows = self.database.rows.iter().enumerate();
            rows.filter(|(_, row)| row.is_some()).for_each(|(number, _)| can(Step::Reap(number)));
        }
        if scope.fails_over && self.old.is_none() {
            can(Step::FailOver);
        }
        if scope.loses.is_some() && self.promoted.is_none() {
            can(if self.standby.is_none() { Step::Copy } else { Step::Promote });
        }
        match self.change {
            Change::Open => {
                let sends = scope.lacks(Mutation::CountedFromSending);
                let revoking = (0..self.nodes.len()).filter(|node| scope.places[*node].revokes);
                revoking.for_each(|node| can(if sends { Step::Send(node) } else { Step::Revoke(node) }));
            }
            Change::Sent { node, .. } => can(Step::Revoke(node)),
            Change::Committed { node, .. } => can(Step::Answer(node)),
            Change::Answered { node, .. } => self.sources(|source| can(Step::Confirm(node, source))),
            Change::Confirmed | Change::Abandoned => {}
        }
        for node in 0..self.nodes.len() {
            self.steps_of(scope, node, &mut can);
        }
    }

    fn steps_of(&self, scope: &Scope, number: usize, can: &mut impl FnMut(Step)) {
        let (node, place) = (&self.nodes[number], scope.places[number]);
        if node.lost {
            can(Step::Replay(number));
        }
        if node.follow.is_none() && !node.lost {
            can(if node.joining.is_none() { Step::Join(number) } else { Step::Register(number) });
        }
        if scope.lacks(Mutation::FillBeforeRegistering) && node.follow.is_none() && node.fill.is_none() {
            can(Step::Warm(number));
        }
        match node.flight {
            _ if place.requests == 0 && node.follow.is_some() => return can(Step::KeepUp(number)),
            None if node.follow.is_some() => self.sources(|source| {
                if self.beat_of(scope, number, source).is_some() {
                    can(Step::Beat(number, source));
                }
            }),
            None => {}
            Some(Flight::Open { .. }) => can(Step::Commit(number)),
            Some(Flight::Answer { .. }) => {
                can(Step::Hear(number));
                can(Step::Lose(number));
            }
        }
        if let Some(follow) = &node.follow {
            if node.unmarked.is_some() {
                can(Step::Mark(number));
            } else {
                let next = follow.applied().revision + 1;
                let there = |source| self.at(source).event(next).is_some();
                self.sources(|source| {
                    if there(source) {
                        can(Step::Apply(number, source))
                    }
                });
            }
            if node.life < place.restarts {
                can(Step::Crash(number));
                can(Step::Leave(number));
            }
            if node.drops < place.drops && follow.applied().revision < self.database.head().revision {
                can(Step::StartAgain(number));
            }
            if node.requests.len() < place.requests && self.fresh(scope, number) {
                can(Step::Ask(number));
            }
        }
        if node.fill.is_some_and(|fill| fill.read.is_none()) {
            self.sources(|source| can(Step::Read(number, source)));
        }
        for (slot, request) in node.requests.iter().enumerate() {
            match request.phase {
                Phase::Cleared => can(Step::LookUp(number, slot)),
                Phase::Leading if node.fill.is_some_and(|fill| fill.read.is_some()) => can(Step::Take(number, slot)),
                Phase::Holding(_) => can(Step::Take(number, slot)),
                Phase::Leading | Phase::Joined => {}
            }
        }
        if node.requests.is_empty() && node.fill.is_some_and(|fill| fill.read.is_some()) {
            can(Step::Keep(number));
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::World(Box::new(World::new(&self.scope)))]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let State::World(world) = state else { return };
        world.steps(&self.scope, |step| {
            actions.push(Action::Do(step));
            let lost = self.scope.loses.is_some();
            let told = match step {
                Step::LookUp(..) | Step::Take(..) | Step::Confirm(..) => true,
                Step::Hear(_) | Step::KeepUp(_) | Step::Apply(..) => lost,
                _ => false,
            };
            if told {
                actions.push(Action::Tell(step));
            }
        });
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let State::World(world) = state else { return None };
        let (Action::Do(step) | Action::Tell(step)) = action;
        let mut next = world.clone();
        let note = next.make(&self.scope, step)?;
        match action {
            Action::Do(_) => Some(State::World(next)),
            Action::Tell(_) => note.map(State::Noted),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let never = Property::always("no promise is broken", |_: &Self, state: &State| {
            !matches!(state, State::Noted(Note::Broken(_)))
        });
        let sometimes = SOMETIMES.iter().filter(|(name, _)| self.sometimes.contains(name));
        let sometimes = sometimes.map(|(name, condition)| Property::sometimes(name, *condition));
        std::iter::once(never).chain(sometimes).collect()
    }
}

type Condition = fn(&Protocol, &State) -> bool;

/// What happens at all, so that nothing is proved of a world in which nothing happens.
const SOMETIMES: &[(&str, Condition)] = &[
    ("a yes", |_, state| *state == State::Noted(Note::Yes)),
    ("a no from memory", |_, state| *state == State::Noted(Note::NoFromMemory)),
    ("a fill is read again", |_, state| *state == State::Noted(Note::ReadAgain)),
    ("a joiner reads again", |_, state| *state == State::Noted(Note::JoinerReadAgain)),
    ("confirmed by nodes", |_, state| *state == State::Noted(Note::Confirmed(By::Nodes))),
    ("confirmed by time", |_, state| *state == State::Noted(Note::Confirmed(By::Time))),
    ("a loss is noticed", |_, state| *state == State::Noted(Note::Noticed)),
    ("a no after a loss", |_, state| *state == State::Noted(Note::NoAfterLoss)),
    (
        "all are fresh after it",
        |protocol, state| matches!(state, State::World(world) if world.change == Change::Confirmed && world.all_fresh(&protocol.scope)),
    ),
    ("all are fresh after a loss", |protocol, state| {
        matches!(state, State::World(world) if world.promoted.is_some()
            && world.nodes.iter().any(|node| node.noticed > 0) && world.all_fresh(&protocol.scope))
    }),
    ("a node in its second life is fresh", |protocol, state| {
        matches!(state, State::World(world) if (0..world.nodes.len())
            .any(|node| world.nodes[node].life > 0 && world.fresh(&protocol.scope, node)))
    }),
    ("a node that began again is fresh", |protocol, state| {
        matches!(state, State::World(world) if (0..world.nodes.len())
            .any(|node| world.nodes[node].drops > 0 && world.fresh(&protocol.scope, node)))
    }),
    ("fresh after a failover", |protocol, state| {
        matches!(state, State::World(world) if world.old.is_some() && world.change == Change::Confirmed
            && world.all_fresh(&protocol.scope))
    }),
    ("a row is gone while its node runs", |protocol, state| {
        matches!(state, State::World(world) if (0..world.nodes.len()).any(|node| world.nodes[node].follow.is_some()
            && world.database.rows[world.row(&protocol.scope, node)].is_none()))
    }),
];

impl World {
    /// Whether every node that answers requests is fresh.
    fn all_fresh(&self, scope: &Scope) -> bool {
        (0..self.nodes.len()).filter(|node| scope.places[*node].requests > 0).all(|node| self.fresh(scope, node))
    }
}
