//! The ledger's hash chain.
//!
//! `hash = H("tokenhouse ledger 1" ‖ previous ‖ epoch ‖ revision ‖ body_hash)` and
//! `body_hash = H(salt ‖ fields)`, each field with its length before it. The body's hash stands in the event, so a
//! body can be redacted, or another org's withheld, and the chain still verifies; the salt keeps a withheld body from
//! being guessed.

use sha2::{Digest, Sha256};

use crate::event::Recorded;

/// A link of the chain.
pub type Hash = [u8; 32];

/// What stands before the first event.
pub const GENESIS: Hash = [0; 32];

/// The salted hash of an event's content.
pub fn body_hash(event: &Recorded) -> Hash {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(&event.salt);
    field(&event.at.to_be_bytes());
    field(event.org_id.as_bytes());
    field(event.kind.as_str().as_bytes());
    field(event.subject.as_bytes());
    field(event.actor_account.as_bytes());
    field(event.actor_token.as_bytes());
    field(event.address.as_bytes());
    field(event.request_id.as_bytes());
    field(event.body.as_bytes());
    hash.finalize().into()
}

/// The hash of the chain with this event at its end.
pub fn link(previous: &[u8], epoch: i64, revision: i64, body_hash: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"tokenhouse ledger 1");
    hash.update(previous);
    hash.update(epoch.to_be_bytes());
    hash.update(revision.to_be_bytes());
    hash.update(body_hash);
    hash.finalize().into()
}

/// What is wrong at some revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The event's content is not what was written.
    Edited(i64),
    /// One event or more before this revision are gone.
    Missing(i64),
    /// The event does not follow from the one before it: it or one before it was replaced.
    Broken(i64),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Edited(at) => write!(f, "the event at revision {at} was edited"),
            Self::Missing(at) => write!(f, "the event at revision {at} was removed"),
            Self::Broken(at) => {
                write!(f, "the chain is broken at revision {at}: the event or one before it was replaced")
            }
        }
    }
}

/// Walks the chain event by event.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The revision of the last event seen.
    pub revision: i64,
    /// The hash of the chain up to it.
    pub hash: Hash,
    /// How many events with a redacted body were passed.
    pub redacted: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Self { revision: 0, hash: GENESIS, redacted: 0 }
    }
}

impl Walk {
    /// Takes the next event.
    ///
    /// # Errors
    /// The first fault. After it nothing more can be said of the chain.
    pub fn step(&mut self, event: &Recorded) -> Result<(), Fault> {
        if event.revision != self.revision + 1 {
            return Err(Fault::Missing(self.revision + 1));
        }
        if event.salt.is_empty() {
            self.redacted += 1;
        } else if body_hash(event).as_slice() != event.body_hash.as_slice() {
            return Err(Fault::Edited(event.revision));
        }
        let hash = link(&self.hash, event.epoch, event.revision, &event.body_hash);
        if hash.as_slice() != event.hash.as_slice() {
            return Err(Fault::Broken(event.revision));
        }
        self.revision = event.revision;
        self.hash = hash;
        Ok(())
    }
}
