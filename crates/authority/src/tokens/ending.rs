//! How a token ends.

use tokenhouse_model::event::Removal;
use tokenhouse_model::{Millis, Result, Secret, Token, TokenKind, TokenState, Uuid};
use tokenhouse_store::{Tx, once, tokens};

/// Revokes a token within a transaction: its secrets prove nothing any more, what was sealed of them is wiped. The
/// caller records the event.
pub(crate) async fn revoke(tx: &mut Tx<'_>, mut token: Token) -> Result<()> {
    let now = tx.now();
    token.state = TokenState::Revoked;
    token.revoked_at = now;
    token.updated_at = now;
    tokens::update(tx.conn(), &token).await?;
    tokens::end_secrets(tx.conn(), token.id, now).await?;
    once::purge_token(tx.conn(), token.id).await?;
    Ok(())
}

/// That these secrets prove nothing from `until` on.
pub(crate) fn dead(secrets: &[Secret], until: Millis) -> Vec<Removal> {
    secrets
        .iter()
        .map(|secret| Removal::Secret { digest: secret.digest.to_hex(), until: until.min(secret.good_until) })
        .collect()
}

/// What a revoked token's event takes away.
pub(crate) fn removals(id: Uuid, secrets: &[Secret], now: Millis) -> Vec<Removal> {
    let mut removals = dead(secrets, now);
    removals.push(Removal::Token { id });
    removals
}

/// Revokes an account's sessions within a transaction, at most so many, other than the one to keep; tells which. The
/// caller records it.
pub(crate) async fn sessions(tx: &mut Tx<'_>, account: Uuid, keep: Uuid, most: usize) -> Result<Vec<Uuid>> {
    let (mut ended, mut after) = (Vec::new(), Uuid::nil());
    loop {
        let held = tokens::live_of(tx.conn(), account, after, 500).await?;
        let Some(last) = held.last() else { return Ok(ended) };
        after = last.id;
        for token in held.into_iter().filter(|token| token.kind == TokenKind::Session && token.id != keep) {
            if ended.len() == most {
                return Ok(ended);
            }
            ended.push(token.id);
            revoke(tx, token).await?;
        }
    }
}
