//! `Idempotency-Key`: a repeated request gets the first one's answer (design 5.10).

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokenhouse_model::env::Random;
use tokenhouse_model::{Error, ErrorKind, Millis, Receipt, Refusal, Result, SecretText, Uuid};
use tokenhouse_store::{Conn, DataKey, Place, once as rows};

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
}

impl Outcome {
    /// A change of this subject.
    pub(crate) fn of(id: Uuid) -> Self {
        Self { id, ..Self::default() }
    }
}

/// The row's key: nothing of what the caller chose is stored in clear, and nobody meets another's keys.
pub(crate) fn id(fresh: &Fresh, once: &Once) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(fresh.token.owner_id.as_bytes());
    hash.update(fresh.token.id.as_bytes());
    hash.update(once.key.as_bytes());
    hash.finalize().to_vec()
}

fn place(id: &[u8]) -> Place {
    Place { what: "once.answer", id: Uuid::from_slice(id.get(..16).unwrap_or_default()).unwrap_or_default() }
}

/// The kept answer of the same request, if there is one.
pub(crate) async fn repeat(
    conn: &mut Conn<'_>,
    key: &DataKey,
    fresh: &Fresh,
    id: &[u8],
    once: &Once,
    now: Millis,
) -> Result<Option<(Outcome, Receipt)>> {
    let Some(kept) = rows::find(conn, id, now).await? else { return Ok(None) };
    if kept.operation != once.operation || kept.body_digest != once.body || kept.org_id != fresh.org.id {
        let message = "this Idempotency-Key was used with another request";
        return Err(Error::new(ErrorKind::Unprocessable, Refusal::OnceMismatch, message));
    }
    if kept.purged {
        let token = Some(kept.token_id).filter(|token| !token.is_nil());
        let message = "the answer to this Idempotency-Key was wiped: its secret was used or revoked since";
        return Err(Error::new(ErrorKind::Conflict, Refusal::OnceGone(token), message));
    }
    let outcome = serde_json::from_slice(&key.open(place(id), &kept.answer)?).map_err(Error::internal)?;
    Ok(Some((outcome, Receipt { epoch: kept.epoch, revision: kept.revision, journaled: true })))
}

/// Keeps an outcome, sealed.
pub(crate) async fn keep(
    conn: &mut Conn<'_>,
    key: &DataKey,
    random: &Random,
    fresh: &Fresh,
    id: Vec<u8>,
    once: &Once,
    outcome: &Outcome,
    receipt: (i64, i64),
    now: Millis,
) -> Result<()> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(outcome).map_err(Error::internal)?);
    let kept = rows::Kept {
        answer: key.seal(place(&id), &plain, random)?,
        id,
        org_id: fresh.org.id,
        token_id: if outcome.secret.is_some() { outcome.id } else { Uuid::nil() },
        secret_id: outcome.secret_id,
        operation: once.operation.clone(),
        body_digest: once.body.to_vec(),
        epoch: receipt.0,
        revision: receipt.1,
        purged: false,
        expires_at: now.saturating_add(KEPT),
    };
    rows::keep(conn, &kept).await
}
