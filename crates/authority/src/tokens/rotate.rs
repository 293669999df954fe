//! Rotating a token: a new secret, the old one good for an overlap.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::moves::Move;
use tokenhouse_model::policy::DAY;
use tokenhouse_model::secret::{Form, make};
use tokenhouse_model::{Done, Error, Millis, Result, TokenKind, Uuid, id};
use tokenhouse_store::{once, tokens};

use super::{ending, issue::new_secret, movable, must_cover};
use crate::caller::{Caller, Fresh, change};
use crate::{Ctx, Outcome};

/// The longest overlap, in milliseconds.
pub const LONGEST_OVERLAP: Millis = 30 * DAY;

/// What is asked of a rotation.
#[derive(Clone, Copy, Debug)]
pub struct Rotate {
    /// The token.
    pub id: Uuid,
    /// How long the present secret stays good, in milliseconds; 0 ends it at once.
    pub overlap: Millis,
    /// The form of the new secret.
    pub form: Form,
}

/// Gives a token a new secret. A token has at most two: a third ends the oldest at once. The holder may rotate his
/// token with itself; anyone else needs what issuing it would need.
///
/// # Errors
/// `not_found`, `missing_permission`, `not_covered`, `forbidden`, `invalid_field`, `unlawful_state`.
pub async fn rotate(ctx: &Arc<Ctx>, caller: &Caller, ask: Rotate) -> Result<Done<Outcome>> {
    if !(0..=LONGEST_OVERLAP).contains(&ask.overlap) {
        let most = LONGEST_OVERLAP / 1000;
        return Err(Error::invalid("overlap_seconds", format_args!("must be between 0 and {most}")));
    }
    let now = ctx.now();
    let secret_id = id::new(now, &ctx.random);
    let texts: Vec<_> = TokenKind::ALL.iter().map(|kind| (*kind, make(ask.form, *kind, &ctx.random))).collect();
    change(ctx, caller, async move |tx, fresh| {
        let token = movable(tx, fresh, ask.id, Move::Rotate).await?;
        may_take_secret(fresh, &token)?;
        must_cover(tx, fresh, &token).await?;
        let text = texts.iter().find(|(kind, _)| *kind == token.kind).map(|(_, text)| text.clone());
        let text = text.ok_or_else(|| Error::internal("no secret was made for this kind"))?;
        let now = tx.now();
        let until = now.saturating_add(ask.overlap);
        let old = tokens::secrets(tx.conn(), token.id, now).await?;
        // Only the present secret overlaps; one that is on its way out from an earlier rotation ends now.
        let (present, leaving): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|s| s.good_until == tokenhouse_model::NEVER);
        for secret in &leaving {
            tokens::end_secret(tx.conn(), &secret.digest, now).await?;
        }
        for secret in &present {
            tokens::end_secret(tx.conn(), &secret.digest, until).await?;
        }
        once::purge_token(tx.conn(), token.id).await?;
        let secret = new_secret(secret_id, &token, &text, now);
        tokens::insert_secret(tx.conn(), &secret).await?;
        let event = Event::new(EventKind::TokenRotated, token.org_id, token.id)
            .with("secret", secret_id.to_string())
            .with("old_good_until", until)
            .making(&secret.digest)
            .removing_all(ending::dead(&leaving, now))
            .removing_all(ending::dead(&present, until));
        tx.record(&fresh.actor, event);
        Ok(Outcome { secret_id, secret: Some(text), ..Outcome::of(token.id) })
    })
    .await
}

/// A secret of a person's token is that person's alone.
fn may_take_secret(fresh: &Fresh, token: &tokenhouse_model::Token) -> Result<()> {
    let own = !token.owner_id.is_nil() && token.owner_id == fresh.account_id();
    match token.kind {
        _ if token.id == fresh.token.id => Ok(()),
        TokenKind::User | TokenKind::Api | TokenKind::Session if !own => {
            Err(Error::forbidden("nobody can take a secret of another person's token"))
        }
        _ if own => fresh.may(Act::IssueOwn),
        _ => fresh.may(Act::IssueForService),
    }
}
