//! The secrets of apps: found by the client's id, never by themselves alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use tokenhouse_model::decide::{Ask, Reason, Way};
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Result, SecretText, Uuid, name};
use tokenhouse_store::{accounts, apps, tokens};

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
            let Some(digest) = stored(ctx, &folded, secret).await? else { return Ok(verdict) };
            ctx.chosen.remember(place, digest);
            digest
        }
        _ => return Ok(verdict),
    };
    decided(ctx, claim(digest), &ask).await
}

/// The digest under which a secret of this client is stored that its maker chose, if this is it.
async fn stored(ctx: &Ctx, client: &str, secret: &SecretText) -> Result<Option<Digest>> {
    if secret.expose().len() > tokenhouse_model::account::PASSWORD_LONGEST {
        return Ok(None);
    }
    let secrets = {
        let _turn = ctx.fills.one().await?;
        let mut reader = ctx.store.read().await?;
        let mut conn = reader.conn();
        let Some(identity) = accounts::identity_by_login(&mut conn, client).await? else { return Ok(None) };
        let mut found = Vec::new();
        for account in accounts::of_identity(&mut conn, identity.id).await? {
            if let Some(app) = apps::by_account(&mut conn, account.id).await? {
                found.extend(tokens::secrets(&mut conn, app.token_id, ctx.now()).await?);
            }
        }
        found
    };
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
