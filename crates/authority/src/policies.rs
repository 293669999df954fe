//! An org's rules for its tokens.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::event::{Event, EventKind, Removal};
use tokenhouse_model::{Done, Policy, Result};
use tokenhouse_store::orgs;

use crate::caller::{Caller, change};
use crate::tokens::sealed;
use crate::{Ctx, Outcome};

/// The org's policy as it is now.
///
/// # Errors
/// `unavailable`.
pub async fn get(ctx: &Ctx, caller: &Caller) -> Result<Policy> {
    orgs::policy(&mut ctx.store.read().await?.conn(), caller.org().id).await
}

/// Sets the org's policy. It holds for the tokens that there are, too: a shorter lifetime ends what is older.
///
/// # Errors
/// `missing_permission`, `invalid_field`.
pub async fn set(ctx: &Arc<Ctx>, caller: &Caller, policy: Policy) -> Result<Done<Outcome>> {
    policy.check()?;
    let forgets = !policy.recoverable;
    let done = change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ChangePolicy)?;
        let (org, now) = (fresh.org.id, tx.now());
        if fresh.policy != policy {
            orgs::set_policy(tx.conn(), org, &policy, now).await?;
            let event = Event::new(EventKind::PolicyChanged, org, org)
                .with("from", serde_json::to_value(&fresh.policy).unwrap_or_default())
                .with("to", serde_json::to_value(&policy).unwrap_or_default())
                .removing(Removal::Policy { org, policy: Box::new(policy.clone()) });
            tx.record(&fresh.actor, event);
        }
        Ok(Outcome::of(org))
    })
    .await?;
    // The policy stands, so nothing sealed is shown any more; what can't be wiped now is wiped at the next start.
    if forgets && let Err(error) = sealed::wipe(ctx, done.value.id).await {
        tracing::warn!(%error, "sealed secrets could not be wiped yet");
    }
    Ok(done)
}
