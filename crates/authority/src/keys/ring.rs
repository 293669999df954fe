//! The keys as this node remembers them, under the rule of everything that verify remembers.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aws_lc_rs::signature::ParsedPublicKey;
use serde::Serialize;
use serde_json::{Map, Value};
use tokenhouse_model::decide::Reason;
use tokenhouse_model::follow::Tag;
use tokenhouse_model::jwt::{self, Compact, Typ};
use tokenhouse_model::signing::{self as rules, Algorithm, Phase, SigningKey};
use tokenhouse_model::{Error, Millis, Result, SecretText, Uuid};
use tokenhouse_store::{ledger, signing};

use super::pair::{self, Signer};
use crate::Ctx;
use crate::verify::{self, Key};

/// A key's halves, read when they are first needed and kept as long as the key is on the ring.
#[derive(Debug, Default)]
struct Halves {
    signer: OnceLock<Signer>,
    checker: OnceLock<ParsedPublicKey>,
}

/// All keys as of a reading, and by which names this installation issues.
#[derive(Debug)]
pub(crate) struct Ring {
    keys: Vec<SigningKey>,
    /// Of each key.
    halves: Vec<Arc<Halves>>,
    issuers: Vec<String>,
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
    /// What was read of the keys' halves goes on being used, except of those that sign no more.
    fn remember(&self, mut ring: Ring) -> Arc<Ring> {
        let mut kept = self.lock();
        if let Some(before) = &*kept {
            for (key, halves) in ring.keys.iter().zip(&mut ring.halves) {
                let known = before.keys.iter().zip(&before.halves).find(|(known, _)| *known == key);
                if let Some((_, known)) = known {
                    halves.clone_from(known);
                }
            }
        }
        kept.insert(Arc::new(ring)).clone()
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
    /// Whether this installation issues by that name, or did lately.
    pub(crate) fn issues_as(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| known == issuer)
    }

    /// Whether what this key signed is believed at `now`.
    pub(crate) fn believes(&self, key: Uuid, now: Millis) -> bool {
        self.keys.iter().any(|known| known.id == key && known.phase(&self.keys, now).published())
    }

    /// Whether this key signs at `now`.
    pub(crate) fn signs(&self, key: Uuid, now: Millis) -> bool {
        self.keys.iter().any(|known| known.id == key && known.phase(&self.keys, now) == Phase::Signing)
    }

    /// Checks a signature with the key that it names, by that key's own algorithm.
    ///
    /// # Errors
    /// [`Reason::Signature`].
    pub(crate) fn check(&self, jwt: &Compact<'_>, now: Millis) -> Result<(), Reason> {
        let wrong = Reason::Signature;
        let found = self.keys.iter().zip(&self.halves).find(|(key, _)| key.id == jwt.key);
        let (key, halves) = found.filter(|(key, _)| key.algorithm == jwt.algorithm).ok_or(wrong)?;
        if !matches!(key.phase(&self.keys, now), Phase::Signing | Phase::Verifying) {
            return Err(wrong);
        }
        let checker = match halves.checker.get() {
            Some(checker) => checker,
            None => {
                let read = pair::checker(key.algorithm, &key.public).map_err(|error| {
                    tracing::error!(%error, kid = %key.id, "a public key can't be used");
                    wrong
                })?;
                halves.checker.get_or_init(|| read)
            }
        };
        checker.verify_sig(jwt.signed, &jwt.signature).map_err(|_| wrong)
    }

    /// Signs claims with the key of this algorithm that signs at `now`; tells which one that is.
    ///
    /// # Errors
    /// `unavailable` before there is one.
    pub(crate) fn sign(
        &self,
        ctx: &Ctx,
        algorithm: Algorithm,
        typ: Typ,
        claims: &impl Serialize,
        now: Millis,
    ) -> Result<(SecretText, Uuid)> {
        let key = rules::signing(&self.keys, algorithm, now).filter(|key| !key.sealed.is_empty());
        let key = key.ok_or_else(|| Error::unavailable("the signing keys are not made yet; try again"))?;
        let halves = self.keys.iter().zip(&self.halves).find(|(known, _)| known.id == key.id).map(|(_, halves)| halves);
        let halves = halves.ok_or_else(|| Error::internal("a key without halves"))?;
        let signer = match halves.signer.get() {
            Some(signer) => signer,
            None => {
                let read = Signer::read(algorithm, &ctx.store.open_signing(key.id, &key.sealed)?)?;
                halves.signer.get_or_init(|| read)
            }
        };
        let text = jwt::to_sign(claims, typ, algorithm, key.id)?;
        let signature = signer.sign(text.as_bytes())?;
        Ok((jwt::join(text, &signature), key.id))
    }

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
        let (keys, issuers) = (signing::all(&mut conn).await?, signing::issuers(&mut conn).await?);
        Ok(Ring { halves: keys.iter().map(|_| Arc::default()).collect(), keys, issuers, tag: Tag { era, revision } })
    };
    let read = read.await;
    snapshot.end(read).await
}
