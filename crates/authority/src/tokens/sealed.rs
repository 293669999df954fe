//! Secrets that can be shown again: the recoverable mode of an org (design 1, wavefront.md gotcha 2).
//!
//! A secret is kept sealed only while the org's policy says so, only of tokens made through the dialect whose contract
//! it is, and only while it is the token's present one.

use std::sync::Arc;

use tokenhouse_model::env::Random;
use tokenhouse_model::{NEVER, Org, Policy, Result, Secret, SecretText, Surface, Token, TokenKind, Uuid};
use tokenhouse_store::{DataKey, Place, Tx, orgs, tokens};

use crate::Ctx;
use crate::caller::Fresh;

/// With what a new secret is kept.
#[derive(Debug)]
pub(crate) struct Seal<'a> {
    key: DataKey,
    random: &'a Random,
}

fn place(secret: Uuid) -> Place {
    Place { what: "secret.sealed", id: secret }
}

impl<'a> Seal<'a> {
    /// How the caller's new token is kept; `None` where its secret is told once.
    pub(crate) fn new(ctx: &'a Ctx, fresh: &Fresh) -> Result<Option<Self>> {
        if !fresh.policy.recoverable || fresh.surface != Surface::Wavefront {
            return Ok(None);
        }
        Ok(Some(Self { key: ctx.store.data_key(&fresh.org)?, random: &ctx.random }))
    }

    /// How a token that moved in is kept: as if it had been made through the dialect in which it works.
    pub(crate) fn moved(ctx: &'a Ctx, fresh: &Fresh, token: &Token) -> Result<Option<Self>> {
        let shown_again = match token.kind {
            TokenKind::User | TokenKind::Service => fresh.policy.recoverable && token.reach.has(Surface::Wavefront),
            // splunk.md 1.7: who may read an org token is told its secret.
            kind => kind == TokenKind::Org && token.reach.has(Surface::Splunk),
        };
        if !shown_again {
            return Ok(None);
        }
        Ok(Some(Self { key: ctx.store.data_key(&fresh.org)?, random: &ctx.random }))
    }

    /// Seals a secret for its row.
    pub(crate) fn close(&self, id: Uuid, text: &SecretText) -> Result<Vec<u8>> {
        self.key.seal(place(id), text.expose().as_bytes(), self.random)
    }
}

/// Opens the present one of a token's secrets, where the org keeps them.
pub(crate) fn open(ctx: &Ctx, org: &Org, policy: &Policy, secrets: &[Secret]) -> Result<Option<SecretText>> {
    let present = secrets.iter().find(|secret| secret.good_until == NEVER && !secret.sealed.is_empty());
    let Some(secret) = present.filter(|_| policy.recoverable) else { return Ok(None) };
    let opened = ctx.store.data_key(org)?.open(place(secret.id), &secret.sealed)?;
    let text = std::str::from_utf8(&opened).map_err(tokenhouse_model::Error::internal)?;
    Ok(Some(SecretText::new(text.to_owned())))
}

/// Secrets wiped in one transaction: few, so that a revocation never waits long behind them.
const CHUNK: i64 = 500;

/// Wipes what an org keeps sealed of its people's and service accounts' tokens, unless its policy says to keep it.
///
/// # Errors
/// `unavailable`; what is left is wiped at the next start.
pub(crate) async fn wipe(ctx: &Arc<Ctx>, org: Uuid) -> Result<()> {
    loop {
        let done = ctx.store.write(async move |tx: &mut Tx<'_>| {
            if orgs::policy(tx.conn(), org).await?.recoverable {
                return Ok(0);
            }
            tokens::wipe_sealed(tx.conn(), org, CHUNK).await
        });
        if done.await?.value == 0 {
            return Ok(());
        }
    }
}

/// Wipes what a stop left of [`wipe`]: for the start of a node.
///
/// # Errors
/// `unavailable`.
pub async fn wipe_left(ctx: &Arc<Ctx>) -> Result<()> {
    let orgs = tokens::orgs_with_sealed(&mut ctx.store.read().await?.conn()).await?;
    for org in orgs {
        wipe(ctx, org).await?;
    }
    Ok(())
}
