//! The secrets of apps.

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::app::{self as rules, App};
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::moves::{self, Move};
use tokenhouse_model::{Done, Error, Millis, NEVER, Result, SecretText, Token};
use tokenhouse_store::{Tx, tokens as rows};

use super::{draft, guests, mine, must_own};
use crate::caller::{Caller, Fresh, change};
use crate::tokens::{self, ending};
use crate::{Ctx, Outcome};

/// A new secret of an app.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The app.
    pub client_id: String,
    /// The secret; one is made unless it is told.
    pub secret: Option<SecretText>,
    /// How long the present one stays good, in milliseconds; as the app has it unless told.
    pub overlap: Option<Millis>,
}

/// Gives an app a new secret. The present one stays good for the overlap; one that was on its way out ends now.
///
/// # Errors
/// `missing_permission`, `not_found`, `not_covered`, `forbidden` where only an owner may, `invalid_field`.
pub async fn rotate(ctx: &Arc<Ctx>, caller: &Caller, new: NewSecret) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    new.overlap.map_or(Ok(()), rules::check_overlap)?;
    let draft = draft(ctx, new.secret.clone()).await?;
    change(ctx, caller, async move |tx, fresh| {
        let (app, token) = with_secrets(tx, fresh, &new.client_id).await?;
        moves::check(token.kind, token.standing(&fresh.policy, tx.now()), Move::Rotate)?;
        let now = tx.now();
        let until = now.saturating_add(new.overlap.unwrap_or(app.terms.overlap));
        let secret = tokens::new_secret(draft.id, &token, &draft.text, draft.slow, now);
        let event = tokens::supersede(tx, &token, &secret, until).await?;
        tx.record(&fresh.actor, draft.noted(event));
        let (secret, secret_id) = (Some(draft.text.clone()), draft.id);
        Ok(Outcome { secret, secret_id, ..Outcome::of(app.account_id) })
    })
    .await
}

/// Ends an app's older secret before its overlap is over. Where there is none nothing changes.
///
/// # Errors
/// As [`rotate`].
pub async fn finish(ctx: &Arc<Ctx>, caller: &Caller, client_id: String) -> Result<Done<Outcome>> {
    caller.may(Act::ManageApps)?;
    change(ctx, caller, async move |tx, fresh| {
        let (app, token) = with_secrets(tx, fresh, &client_id).await?;
        let now = tx.now();
        let mut leaving = rows::secrets(tx.conn(), token.id, now).await?;
        leaving.retain(|secret| secret.good_until != NEVER);
        for secret in &leaving {
            rows::end_secret(tx.conn(), &secret.digest, now).await?;
        }
        if !leaving.is_empty() {
            let event = Event::new(EventKind::RotationFinished, token.org_id, token.id);
            tx.record(&fresh.actor, event.removing_all(ending::dead(&leaving, now)));
        }
        Ok(Outcome { touched: i64::try_from(leaving.len()).unwrap_or(0), ..Outcome::of(app.account_id) })
    })
    .await
}

/// The app and its token, for a caller who may touch its secrets.
async fn with_secrets(tx: &mut Tx<'_>, fresh: &Fresh, client_id: &str) -> Result<(App, Token)> {
    let (app, _) = mine(tx, fresh, client_id).await?;
    if app.terms.owner_only {
        must_own(fresh)?;
    }
    guests::cover_elsewhere(tx, fresh, &app).await?;
    let token = rows::by_id(tx.conn(), app.token_id).await?.ok_or_else(|| Error::internal("an app without a token"))?;
    Ok((app, token))
}
