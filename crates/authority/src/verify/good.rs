//! Good credentials, and deciding over what stands behind one.

use std::borrow::Cow;
use std::sync::Arc;

use tokenhouse_model::decide::{Ask, Facts, Reason, decide};
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Account, Millis, Org, PermissionSet, Policy, Scopes, Surface, Token, Uuid};

use super::memory::{Holder, Known};
use super::signed::Checked;

/// A good credential.
#[derive(Clone, Debug)]
pub struct Good {
    pub(super) known: Arc<Known>,
    pub(super) holder: Arc<Holder>,
    /// The access token that was presented; `None` where it was the secret itself.
    pub(super) access: Option<Arc<Checked>>,
    /// What it may do.
    pub effective: PermissionSet,
    /// When it ends by itself, as far as is known now.
    pub ends_at: Millis,
    /// How old the answer may be, in milliseconds, where it was given without the database, as [`crate::Settings`]
    /// allows; such an answer stands outside the guarantee.
    pub stale: Option<Millis>,
}

impl Good {
    /// The digest under which the secret that was presented is stored.
    pub(crate) fn stored(&self) -> Digest {
        self.known.secret.digest
    }

    /// The access token that was presented, as it was checked; `None` where it was the secret itself.
    pub(crate) fn checked(&self) -> Option<&Arc<Checked>> {
        self.access.as_ref()
    }

    /// What tells an access token from the token that it came from; `None` where the secret itself was presented.
    pub fn access(&self) -> Option<AccessToken<'_>> {
        self.access.as_deref().map(|checked| AccessToken {
            id: checked.id,
            audience: &checked.audience,
            issued_at: checked.derived.issued_at,
        })
    }

    /// The secret that was presented, or that the presented access token came from.
    pub fn secret_id(&self) -> Uuid {
        self.known.secret.id
    }

    /// Its token, without the texts that are only searched and shown.
    pub fn token(&self) -> &Token {
        &self.known.token
    }

    /// Its token, as narrow as the access token that was presented, if it was one: what makes others must be no less.
    pub(crate) fn as_presented(&self) -> Cow<'_, Token> {
        match &self.access {
            None => Cow::Borrowed(self.token()),
            Some(checked) => {
                Cow::Owned(Token { scopes: Scopes::Only(checked.derived.permissions.clone()), ..self.token().clone() })
            }
        }
    }

    /// The token's owner; `None` for an org token.
    pub fn account(&self) -> Option<&Account> {
        self.holder.account.as_ref()
    }

    /// How long the access tokens of the app live whose secret it is, in milliseconds; 0 of anybody else.
    pub(crate) fn life(&self) -> Millis {
        self.holder.life
    }

    /// Whether it is an api token that may tell who its owner is.
    pub(crate) fn openid(&self) -> bool {
        self.known.openid
    }

    /// The org in which it acts.
    pub fn org(&self) -> &Org {
        &self.holder.domain.org
    }

    /// The org's rules.
    pub fn policy(&self) -> &Policy {
        &self.holder.domain.policy
    }
}

/// An access token, beside what it shares with its token.
#[derive(Clone, Copy, Debug)]
pub struct AccessToken<'a> {
    /// Its own id.
    pub id: Uuid,
    /// Where it is to be good.
    pub audience: &'a str,
    /// When it was signed, in epoch milliseconds.
    pub issued_at: Millis,
}

/// What stands behind a credential.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    /// The secret and its token.
    pub(super) known: Arc<Known>,
    /// Whose it is.
    pub(super) holder: Arc<Holder>,
    /// Who that is in another org, where it acts there: an app that was added to it.
    pub(super) guest: Option<Arc<Holder>>,
}

impl Behind {
    /// Whether the token rested too long as far as this node knows.
    pub(super) fn seems_idle(&self, now: Millis) -> bool {
        let mut holders = [Some(&self.holder), self.guest.as_ref()].into_iter().flatten();
        holders.any(|holder| self.known.seems_idle(&holder.domain.policy, now))
    }
}

/// Decides over what was read or remembered. What acts as a guest must be good at home and where it acts.
pub(crate) fn decide_over(
    behind: Behind,
    access: Option<Arc<Checked>>,
    ask: &Ask<'_>,
    now: Millis,
) -> Result<Good, (Reason, Arc<Known>)> {
    let Behind { known, holder, guest } = behind;
    let Some(guest) = guest else { return decide_one(known, holder, access, ask, now) };
    let identity = holder.account.as_ref().map_or(Uuid::nil(), |account| account.identity_id);
    let same = |account: &&Account| !identity.is_nil() && account.identity_id == identity;
    let Some(account) = guest.account.as_ref().filter(same) else { return Err((Reason::Unknown, known)) };
    let there = Arc::new(known.of_guest(account));
    // Where it may be used is decided where it acts.
    let home = Ask { surface: Surface::Verify, org: None, permission: None, ..*ask };
    let at_home = decide_one(known, holder, access.clone(), &home, now);
    let at_home = at_home.map_err(|(reason, _)| (reason, there.clone()))?;
    let good = decide_one(there, guest, access, ask, now)?;
    Ok(Good { ends_at: good.ends_at.min(at_home.ends_at), ..good })
}

fn decide_one(
    known: Arc<Known>,
    holder: Arc<Holder>,
    access: Option<Arc<Checked>>,
    ask: &Ask<'_>,
    now: Millis,
) -> Result<Good, (Reason, Arc<Known>)> {
    let facts = Facts {
        token: &known.token,
        secret: &known.secret,
        last_used_at: known.last_used_at(),
        account: holder.account.as_ref(),
        held: &holder.held,
        org: &holder.domain.org,
        policy: &holder.domain.policy,
        derived: access.as_deref().map(|checked| &checked.derived),
    };
    match decide(&facts, ask, now) {
        Ok(effective) => {
            let ends_at = known.token.ends_at(&holder.domain.policy).min(known.secret.good_until);
            let ends_at = access.as_deref().map_or(ends_at, |checked| ends_at.min(checked.derived.expires_at));
            Ok(Good { known, holder, access, effective, ends_at, stale: None })
        }
        Err(reason) => Err((reason, known)),
    }
}
