//! `Idempotency-Key`: a repeated request gets the first one's answer (design 5.10).

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokenhouse_model::env::Random;
use tokenhouse_model::{Error, ErrorKind, Millis, Receipt, Refusal, Result, SecretText, Uuid};
use tokenhouse_store::{Conn, DataKey, Place, Tx, once as rows};

use crate::caller::{Fresh, Once};

/// How long an answer is kept, in milliseconds.
pub(crate) const KEPT: Millis = 600_000;

/// What a change came to: whom it was about, and the secret that was made, which is told once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// The subject's id.
    pub id: Uuid,
    /// What was made with it: an org's first administrator; nil if nothing.
    pub with: Uuid,
    /// The row of the secret that was made; nil if none was.
    pub secret_id: Uuid,
    /// The secret that was made.
    pub secret: Option<SecretText>,
    /// How many other things it touched, e.g. tokens revoked with their account.
    pub touched: i64,
    /// Of which of the things that were named it was done, where many were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<Uuid>,
    /// What became of each row of an import.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<tokenhouse_model::import::Told>,
}

impl Outcome {
    /// A change of this subject.
    pub(crate) fn of(id: Uuid) -> Self {
        Self { id, ..Self::default() }
    }
}

/// A caller's idempotency key in the transaction that serves it.
pub(crate) struct Repeat<'a> {
    fresh: &'a Fresh,
    once: &'a Once,
    /// The org's data key, under which answers are sealed.
    key: DataKey,
    /// The row's key: nothing of what the caller chose is stored in clear, and nobody meets another's keys.
    id: Vec<u8>,
    now: Millis,
}

impl<'a> Repeat<'a> {
    pub(crate) fn new(fresh: &'a Fresh, once: &'a Once, key: DataKey, now: Millis) -> Self {
        let mut hash = Sha256::new();
        hash.update(fresh.token.owner_id.as_bytes());
        hash.update(fresh.token.id.as_bytes());
        hash.update(once.key.as_bytes());
        Self { fresh, once, key, id: hash.finalize().to_vec(), now }
    }

    fn place(&self) -> Place {
        Place { what: "once.answer", id: Uuid::from_slice(self.id.get(..16).unwrap_or_default()).unwrap_or_default() }
    }

    /// The kept answer of the same request, if there is one.
    pub(crate) async fn answer(&self, conn: &mut Conn<'_>) -> Result<Option<(Outcome, Receipt)>> {
        let Some(kept) = rows::find(conn, &self.id, self.now).await? else { return Ok(None) };
        let same = kept.operation == self.once.operation && kept.body_digest == self.once.body;
        if !same || kept.org_id != self.fresh.org.id {
            let message = "this Idempotency-Key was used with another request";
            return Err(Error::new(ErrorKind::Unprocessable, Refusal::OnceMismatch, message));
        }
        if kept.purged {
            let token = Some(kept.token_id).filter(|token| !token.is_nil());
            let message = "the answer to this Idempotency-Key was wiped: its secret was used or revoked since";
            return Err(Error::new(ErrorKind::Conflict, Refusal::OnceGone(token), message));
        }
        let outcome = serde_json::from_slice(&self.key.open(self.place(), &kept.answer)?).map_err(Error::internal)?;
        Ok(Some((outcome, Receipt { epoch: kept.epoch, revision: kept.revision, journaled: true })))
    }

    /// Keeps an outcome, sealed, with the position in the ledger at which it will stand.
    pub(crate) async fn keep(&self, tx: &mut Tx<'_>, random: &Random, outcome: &Outcome) -> Result<()> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(outcome).map_err(Error::internal)?);
        let (epoch, revision) = tx.position();
        let kept = rows::Kept {
            id: self.id.clone(),
            org_id: self.fresh.org.id,
            token_id: if outcome.secret.is_some() { outcome.id } else { Uuid::nil() },
            secret_id: outcome.secret_id,
            operation: self.once.operation.clone(),
            body_digest: self.once.body.to_vec(),
            answer: self.key.seal(self.place(), &plain, random)?,
            epoch,
            revision,
            purged: false,
            expires_at: self.now.saturating_add(KEPT),
        };
        rows::keep(tx.conn(), &kept).await
    }
}
