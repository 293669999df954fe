//! The secrets of apps: found by the client's id, never by themselves alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use tokenhouse_model::decide::{Ask, Reason, Way};
use tokenhouse_model::follow::Tag;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Millis, Result, Secret, SecretText, Uuid, name};
use tokenhouse_store::{Conn, accounts, apps, ledger, tokens};

use super::memory::{Missing, Recalled, Slowly};
use super::{Claim, Verdict, decided};
use crate::{Ctx, passwords};

/// How many secrets that their makers chose are remembered with their slow digests.
const MOST: usize = 4096;

/// The secrets, chosen by their makers, that were good when they were last looked at: by a digest under a key of this
/// process, the slow digest under which each is stored. Whether it is good still is decided each time.
#[derive(Debug)]
pub(crate) struct Chosen {
    key: [u8; 32],
    known: Mutex<HashMap<[u8; 32], Digest>>,
}

impl Chosen {
    /// None yet, under a key of this process.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key, known: Mutex::default() }
    }

    fn place(&self, client: &str, secret: &SecretText) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update((client.len() as u64).to_be_bytes());
        hash.update(client.as_bytes());
        hash.update(secret.digest().0);
        hash.finalize().into()
    }

    fn get(&self, place: &[u8; 32]) -> Option<Digest> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(place).copied()
    }

    fn remember(&self, place: [u8; 32], digest: Digest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(place, digest);
    }
}

/// Verifies a client by its id and secret, as which of its accounts it wants to act: that in the org that owns it unless
/// told. An unknown client is refused like a wrong secret.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn client(
    ctx: &Ctx,
    id: &str,
    secret: &SecretText,
    account: Option<Uuid>,
    ask: &Ask<'_>,
) -> Result<Verdict> {
    let ask = Ask { way: Way::Client, ..*ask };
    let Some(folded) = name::findable(id, tokenhouse_model::app::LONGEST_ID) else {
        return Ok(Verdict::refused(Reason::Unknown));
    };
    // One that we made is stored by its plain digest; that it belongs to this client is seen by whose it is.
    let claim = |digest| Claim { digest, foreign: None, access: None, client: Some(&folded), account };
    let verdict = decided(ctx, claim(secret.digest()), &ask).await?;
    let place = ctx.chosen.place(&folded, secret);
    let digest = match (&verdict, ctx.chosen.get(&place)) {
        (Verdict::Refused(refused), Some(digest)) if refused.reason == Reason::Unknown => digest,
        (Verdict::Refused(refused), None) if refused.reason == Reason::Unknown => {
            let Some(digest) = once(ctx, Digest(place), &folded, secret).await? else { return Ok(verdict) };
            ctx.chosen.remember(place, digest);
            digest
        }
        _ => return Ok(verdict),
    };
    decided(ctx, claim(digest), &ask).await
}

/// As [`stored`], where this pair was not found wrong before: who repeats a wrong one costs neither a reading nor a slow
/// digest, and need not be held back.
async fn once(ctx: &Ctx, place: Digest, client: &str, secret: &SecretText) -> Result<Option<Digest>> {
    let (board, memory) = (&ctx.truth.board, &ctx.truth.memory);
    if secret.expose().len() > tokenhouse_model::account::PASSWORD_LONGEST
        || memory.recall(&place, board, ctx.now()).is_some()
    {
        return Ok(None);
    }
    // Before the snapshot: what was begun in another life of the memory is not good in this one.
    let era = board.era();
    let (revision, secrets) = {
        let _turn = ctx.fills.one().await?;
        let mut snapshot = ctx.store.snapshot().await?;
        let read = secrets_of(&mut snapshot.conn(), client, ctx.now()).await;
        snapshot.end(read).await?
    };
    let found = stored(ctx, client, secret, &secrets).await?;
    if found.is_none() {
        let missing = Missing { tag: Tag { era, revision }, slow: Slowly::Chosen };
        memory.remember(&place, &Recalled::Unknown(missing));
    }
    Ok(found)
}

/// The secrets of a client, and the revision as of which they are read.
async fn secrets_of(conn: &mut Conn<'_>, client: &str, now: Millis) -> Result<(i64, Vec<Secret>)> {
    let (revision, mut found) = (ledger::head(conn).await?.revision, Vec::new());
    if let Some(identity) = accounts::identity_by_login(conn, client).await? {
        for account in accounts::of_identity(conn, identity.id).await? {
            if let Some(app) = apps::by_account(conn, account.id).await? {
                found.extend(tokens::secrets(conn, app.token_id, now).await?);
            }
        }
    }
    Ok((revision, found))
}

/// The digest under which a secret of this client is stored that its maker chose, if this is it.
async fn stored(ctx: &Ctx, client: &str, secret: &SecretText, secrets: &[Secret]) -> Result<Option<Digest>> {
    // Only of those that their makers chose no end is shown.
    let chosen: Vec<_> = secrets.iter().filter(|secret| secret.last4.is_empty()).collect();
    for one in &chosen {
        let digest = passwords::slow_digest(ctx, secret.clone(), one.id).await?;
        if digest == one.digest {
            return Ok(Some(digest));
        }
    }
    if !chosen.is_empty() {
        passwords::hold_back(ctx, &format!("client {client}")).await;
    }
    Ok(None)
}
