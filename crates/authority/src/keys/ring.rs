//! The keys as this node remembers them, under the rule of everything that verify remembers.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokenhouse_model::follow::Tag;
use tokenhouse_model::signing::{Algorithm, Phase, SigningKey};
use tokenhouse_model::{Millis, Result};
use tokenhouse_store::{ledger, signing};

use super::pair;
use crate::Ctx;
use crate::verify::Key;

/// All keys as of a reading.
#[derive(Debug)]
pub(crate) struct Ring {
    keys: Vec<SigningKey>,
    tag: Tag,
}

/// The ring that was read last.
#[derive(Debug, Default)]
pub(crate) struct Rings(Mutex<Option<Arc<Ring>>>);

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

/// The ring as it is now: the remembered one while no event touched it.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn ring(ctx: &Ctx) -> Result<Arc<Ring>> {
    let board = &ctx.truth.board;
    let remembered = ctx.rings.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(ring) = remembered.filter(|ring| board.holds(ring.tag, Key::Signing)) {
        return Ok(ring);
    }
    // Before the snapshot: what was begun in another life of the memory is not good in this one.
    let era = board.era();
    let mut snapshot = ctx.store.snapshot().await?;
    let read = async {
        let mut conn = snapshot.conn();
        let revision = ledger::head(&mut conn).await?.revision;
        Ok(Ring { keys: signing::all(&mut conn).await?, tag: Tag { era, revision } })
    };
    let read = read.await;
    let ring = Arc::new(snapshot.end(read).await?);
    *ctx.rings.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ring.clone());
    Ok(ring)
}
