//! Who is calling: as they were on arrival, and as they are in the transaction that changes something.

use std::borrow::Cow;
use std::net::IpAddr;

use tokenhouse_model::access::Act;
use tokenhouse_model::decide::{self, Ask, Reason};
use tokenhouse_model::event::Actor;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{
    Account, Confirmed, Done, Error, Org, PermissionSet, Policy, Reach, Result, Surface, Token, Uuid,
};
use tokenhouse_store::{Conn, Tx};

use crate::once::{Outcome, Repeat};
use crate::verify::{self, Good};
use crate::{Ctx, keys, nodes};

/// Who is calling, as decided when the request arrived. Reading stands on it; changes decide again.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(crate) digest: Digest,
    pub(crate) surface: Surface,
    pub(crate) address: Option<IpAddr>,
    pub(crate) request_id: String,
    pub(crate) once: Option<Once>,
    wait: bool,
    good: Good,
    /// The effective permissions: the token's scopes of what its owner holds.
    pub effective: PermissionSet,
}

/// An `Idempotency-Key` and what it is bound to.
#[derive(Clone, Debug)]
pub struct Once {
    /// The key as sent.
    pub key: String,
    /// What was asked: method and path as resolved, no query.
    pub operation: String,
    /// SHA-256 of the request's body.
    pub body: [u8; 32],
}

/// The longest idempotency key, in bytes.
pub const LONGEST_KEY: usize = 128;

impl Once {
    /// Checks a key.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn check(key: &str) -> Result<()> {
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            let why = format_args!("must be 1 to {LONGEST_KEY} visible ASCII characters");
            return Err(Error::invalid("Idempotency-Key", why));
        }
        Ok(())
    }
}

impl Caller {
    pub(crate) fn new(good: Good, digest: Digest, surface: Surface, address: Option<IpAddr>, request_id: &str) -> Self {
        let (request_id, effective) = (request_id.to_owned(), good.effective.clone());
        Self { digest, surface, address, request_id, once: None, wait: false, good, effective }
    }

    /// His credential.
    pub fn good(&self) -> &Good {
        &self.good
    }

    /// The token that was presented.
    pub fn token(&self) -> &Token {
        self.good.token()
    }

    /// Its owner; `None` for an org token.
    pub fn account(&self) -> Option<&Account> {
        self.good.account()
    }

    /// The org in which it acts.
    pub fn org(&self) -> &Org {
        self.good.org()
    }

    /// The org's rules.
    pub fn policy(&self) -> &Policy {
        self.good.policy()
    }

    /// The id of the account that acts; nil for an org token.
    pub fn account_id(&self) -> Uuid {
        self.token().owner_id
    }

    /// The same caller, whose changes are answered only when their receipts are confirmed by all nodes.
    #[must_use]
    pub fn waiting(mut self) -> Self {
        self.wait = true;
        self
    }

    /// The same caller with an idempotency key.
    #[must_use]
    pub fn once(mut self, once: Once) -> Self {
        self.once = Some(once);
        self
    }

    /// Refuses a caller whose effective permissions do not allow an act.
    pub(crate) fn may(&self, act: Act) -> Result<()> {
        act.check(&self.effective)
    }

    fn actor(&self) -> Actor {
        Actor {
            account: self.token().owner_id,
            token: self.token().id,
            address: self.address.map(|address| address.to_string()).unwrap_or_default(),
            request_id: self.request_id.clone(),
        }
    }
}

/// Refuses a caller whose effective permissions do not allow an act, for what is nothing but that: data that is passed on
/// to the service behind us.
///
/// # Errors
/// `missing_permission`.
pub fn permitted(caller: &Caller, act: Act) -> Result<()> {
    caller.may(act)
}

/// A caller as he is in this very transaction.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) actor: Actor,
    pub(crate) surface: Surface,
    /// His token; of an access token's only what that carries of it.
    pub(crate) token: Token,
    /// Whether he came with an access token, which is less than the token that it came from.
    pub(crate) derived: bool,
    /// Where his credential works: in an onboarded org an access token's beyond its token's.
    pub(crate) reach: Reach,
    pub(crate) org: Org,
    pub(crate) policy: Policy,
    pub(crate) effective: PermissionSet,
}

impl Fresh {
    /// The id of the account that acts; nil for an org token.
    pub(crate) fn account_id(&self) -> Uuid {
        self.token.owner_id
    }

    pub(crate) fn may(&self, act: Act) -> Result<()> {
        act.check(&self.effective)
    }

    /// His token with all that his credential reaches.
    pub(crate) fn reaching(&self) -> Cow<'_, Token> {
        Cow::Owned(Token { reach: self.reach, ..self.token.clone() })
    }
}

/// The caller as he is now, for an answer that takes long to give.
///
/// # Errors
/// `unauthenticated` where his credential died since; `unavailable`.
pub async fn again(ctx: &Ctx, caller: &Caller) -> Result<Caller> {
    let good = decided(&mut ctx.store.read().await?.conn(), ctx, caller, ctx.now()).await?;
    Ok(Caller { effective: good.effective.clone(), good, ..caller.clone() })
}

/// Decides the caller again from the rows as they are now: of an access token also the key that signed it.
async fn decided(conn: &mut Conn<'_>, ctx: &Ctx, caller: &Caller, now: i64) -> Result<Good> {
    let ask = Ask::on(caller.surface, caller.address);
    let unknown = || Error::credential(Reason::Unknown);
    let access = caller.good.checked().cloned();
    let account = access.as_deref().map(|checked| checked.account);
    let behind = verify::fresh(ctx, conn, &caller.digest, account).await?.ok_or_else(unknown)?;
    if let Some(checked) = &access
        && !keys::believed(conn, checked.key, now).await?
    {
        return Err(Error::credential(Reason::Signature));
    }
    verify::decide_over(behind, access, &ask, now).map_err(|(reason, _)| Error::credential(reason))
}

/// The caller as he is in this transaction: a credential that died on the way changes nothing.
async fn fresh(conn: &mut Conn<'_>, ctx: &Ctx, caller: &Caller, now: i64) -> Result<Fresh> {
    let good = decided(conn, ctx, caller, now).await?;
    Ok(Fresh {
        actor: caller.actor(),
        surface: caller.surface,
        token: good.as_presented().into_owned(),
        derived: good.checked().is_some(),
        reach: decide::reach(good.token(), good.org(), good.checked().is_some()),
        org: good.org().clone(),
        policy: good.policy().clone(),
        effective: good.effective,
    })
}

/// Runs a change: decides the caller again, answers from what is kept under his idempotency key if he repeats
/// himself, else runs the operation and keeps its outcome.
pub(crate) async fn change<F>(ctx: &std::sync::Arc<Ctx>, caller: &Caller, operation: F) -> Result<Done<Outcome>>
where
    F: AsyncFn(&mut Tx<'_>, &Fresh) -> Result<Outcome> + Send + 'static,
{
    let (ctx_then, caller_then) = (ctx.clone(), caller.clone());
    let done = ctx.store.write(async move |tx: &mut Tx<'_>| {
        let now = tx.now();
        let fresh = fresh(tx.conn(), &ctx_then, &caller_then, now).await?;
        let Some(once) = &caller_then.once else {
            return operation(tx, &fresh).await.map(|outcome| (outcome, None));
        };
        let repeat = Repeat::new(&fresh, once, ctx_then.store.data_key(&fresh.org)?, now);
        if let Some((outcome, receipt)) = repeat.answer(tx.conn()).await? {
            return Ok((outcome, Some(receipt)));
        }
        let outcome = operation(tx, &fresh).await?;
        repeat.keep(tx, &ctx_then.random, &outcome).await?;
        Ok((outcome, None))
    });
    let done = done.await?;
    let (outcome, kept) = done.value;
    let receipt = kept.unwrap_or(done.receipt);
    let mut done = Done { value: outcome, receipt, committed: done.committed, confirmed: Confirmed::NotAsked };
    if caller.wait {
        // The change stands whether it can be confirmed or not.
        match nodes::confirm(ctx, &done.receipt, done.committed).await {
            Ok(confirmation) => done.confirmed = Confirmed::Yes(confirmation),
            Err(error) => {
                tracing::warn!(%error, revision = receipt.revision, "a receipt could not be confirmed");
                done.confirmed = Confirmed::Unknown;
            }
        }
    }
    Ok(done)
}
