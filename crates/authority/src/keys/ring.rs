//! The keys as this node remembers them, under the rule of everything that verify remembers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokenhouse_model::follow::Tag;
use tokenhouse_model::signing::{Algorithm, Phase, SigningKey};
use tokenhouse_model::{Error, Millis, Result};
use tokenhouse_store::{ledger, signing};

use super::pair;
use crate::Ctx;
use crate::verify::{self, Key};

/// All keys as of a reading.
#[derive(Debug)]
pub(crate) struct Ring {
    keys: Vec<SigningKey>,
    tag: Tag,
}

/// The ring that was read last.
#[derive(Debug, Default)]
pub(crate) struct Rings(Mutex<Option<Arc<Ring>>>);

impl Rings {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Ring>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> Option<Arc<Ring>> {
        self.lock().clone()
    }

    /// Remembers what was read. What is not true any more by then does no harm: it is asked at every look.
    fn remember(&self, ring: Ring) -> Arc<Ring> {
        self.lock().insert(Arc::new(ring)).clone()
    }
}

/// A public key, for whoever checks signatures.
#[derive(Clone, Debug)]
pub struct Published {
    /// How it signs.
    pub algorithm: Algorithm,
    /// It as a JSON Web Key.
    pub jwk: Map<String, Value>,
    /// It as PEM.
    pub pem: String,
    /// What it is for now.
    pub phase: Phase,
}

impl Ring {
    /// The keys that others have to know at `now`, in the order in which they sign.
    pub(crate) fn published(&self, now: Millis) -> Result<Vec<Published>> {
        let phased = self.keys.iter().map(|key| (key, key.phase(&self.keys, now)));
        phased
            .filter(|(_, phase)| phase.published())
            .map(|(key, phase)| {
                let jwk = pair::jwk(key.algorithm, &key.id.to_string(), &key.public)?;
                Ok(Published { algorithm: key.algorithm, jwk, pem: pair::pem(&key.public), phase })
            })
            .collect()
    }
}

/// How often the keys are read again because an event touched them meanwhile.
const ATTEMPTS: usize = 8;

/// The ring as it is now. A node that can't tell the truth gives none: a key that is compromised elsewhere must not be
/// published here.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn ring(ctx: &Ctx) -> Result<Arc<Ring>> {
    let board = &ctx.truth.board;
    for _ in 0..ATTEMPTS {
        let (era, read) = (board.era(), ctx.clock.boot());
        if !board.fresh(read) {
            verify::sure(ctx, read).await?;
        }
        let remembered = ctx.rings.get().filter(|ring| board.holds(ring.tag, Key::Signing));
        let ring = match remembered {
            Some(ring) => ring,
            None => ctx.rings.remember(look(ctx, era).await?),
        };
        // Whoever was let in before history was lost must be let in again.
        if board.holds(ring.tag, Key::Signing) && board.era() == era {
            return Ok(ring);
        }
    }
    Err(Error::unavailable("this node is not sure of the signing keys; try again"))
}

/// Reads the keys and the head's revision in one snapshot, begun in this life of the memory.
async fn look(ctx: &Ctx, era: u64) -> Result<Ring> {
    let mut snapshot = ctx.store.snapshot().await?;
    let read = async {
        let mut conn = snapshot.conn();
        let revision = ledger::head(&mut conn).await?.revision;
        Ok(Ring { keys: signing::all(&mut conn).await?, tag: Tag { era, revision } })
    };
    let read = read.await;
    snapshot.end(read).await
}
