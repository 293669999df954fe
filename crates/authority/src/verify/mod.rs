//! Verify: is this credential good for this, right now, and who is it?
//!
//! Every way in enters here. Today the facts are read straight from the database; the cache will stand where
//! [`read`] is called in [`verify`], behind the same [`Joined`].

pub(crate) mod uses;

use tokenhouse_model::access::Act;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::decide::{Ask, Facts, Reason, decide};
use tokenhouse_model::secret::{Digest, Shape};
use tokenhouse_model::{Account, Error, Millis, Org, PermissionSet, Policy, Result, Secret, Surface, Token, Uuid};
use tokenhouse_store::{Conn, accounts, ledger, orgs, roles, tokens};

use crate::caller::Caller;
use crate::{Ctx, once};
use uses::Uses;

/// What verify remembers between calls.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    pub(crate) uses: Uses,
}

/// Everything that is known of a digest, as of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    pub(crate) secret: Secret,
    pub(crate) token: Token,
    pub(crate) account: Option<Account>,
    pub(crate) org: Org,
    pub(crate) policy: Policy,
    pub(crate) held: PermissionSet,
}

/// A good credential.
#[derive(Clone, Debug)]
pub struct Good {
    /// The secret that was presented.
    pub secret_id: Uuid,
    /// Its token.
    pub token: Token,
    /// The token's owner; `None` for an org token.
    pub account: Option<Account>,
    /// The org in which it acts.
    pub org: Org,
    /// The org's rules.
    pub policy: Policy,
    /// What it may do.
    pub effective: PermissionSet,
    /// When it ends by itself, as far as is known now.
    pub ends_at: Millis,
}

/// The answer of verify.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Good, and who it is.
    Good(Box<Good>),
    /// Refused, and why.
    Refused(Reason),
}

impl Verdict {
    /// `good`, or the reason of the refusal.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Good(_) => "good",
            Self::Refused(reason) => reason.as_str(),
        }
    }
}

/// Reads everything about a digest. The caller sees to it that it is one snapshot.
pub(crate) async fn read(conn: &mut Conn<'_>, digest: &Digest, now: Millis) -> Result<Option<Joined>> {
    let Some(secret) = tokens::secret(conn, digest).await? else { return Ok(None) };
    let Some(token) = tokens::by_id(conn, secret.token_id).await? else { return Ok(None) };
    let Some(org) = orgs::by_id(conn, token.org_id).await? else { return Ok(None) };
    let policy = orgs::policy(conn, token.org_id).await?;
    let (holder, account) = if token.owner_id.is_nil() {
        (token.id, None)
    } else {
        (token.owner_id, accounts::by_id(conn, token.owner_id).await?)
    };
    let held = roles::held(conn, holder, now).await?;
    Ok(Some(Joined { secret, token, account, org, policy, held }))
}

/// Decides over what was read.
pub(crate) fn decide_again(ctx: &Ctx, joined: Option<Joined>, ask: &Ask<'_>, now: Millis) -> Result<Good, Reason> {
    let mut joined = joined.ok_or(Reason::Unknown)?;
    // Uses that are not flushed yet keep a token awake as well.
    joined.token.last_used_at = joined.token.last_used_at.max(ctx.verifier.uses.latest(joined.token.id));
    let facts = Facts {
        token: &joined.token,
        secret: &joined.secret,
        account: joined.account.as_ref(),
        held: &joined.held,
        org: &joined.org,
        policy: &joined.policy,
    };
    let effective = decide(&facts, ask, now)?;
    let ends_at = joined.token.ends_at(&joined.policy).min(joined.secret.good_until);
    Ok(Good {
        secret_id: joined.secret.id,
        token: joined.token,
        account: joined.account,
        org: joined.org,
        policy: joined.policy,
        effective,
        ends_at,
    })
}

/// Verifies a credential. A refusal is an answer, not an error.
///
/// # Errors
/// `unavailable` where the truth can't be told now.
pub async fn verify(ctx: &Ctx, presented: &Presented, ask: &Ask<'_>) -> Result<Verdict> {
    match Shape::of(presented.bytes()) {
        Err(reason) => return Ok(Verdict::Refused(reason)),
        // No signing keys yet: nothing that looks like a signed token can be one of ours.
        Ok(Shape::Jwt) => return Ok(Verdict::Refused(Reason::Unknown)),
        Ok(_) => {}
    }
    let digest = Digest::of(presented.bytes());
    let mut snapshot = ctx.store.snapshot().await?;
    let now = ctx.clock.now();
    let joined = read(&mut snapshot.conn(), &digest, now).await;
    let joined = snapshot.end(joined).await?;
    let known = joined.as_ref().map(|joined| (joined.token.id, joined.secret.created_at));
    Ok(match decide_again(ctx, joined, ask, now) {
        Ok(good) => {
            let young = known.is_some_and(|(_, made)| made + once::KEPT > now);
            let fresh = young.then_some(good.secret_id);
            ctx.verifier.uses.good(good.token.id, now, ask.address, fresh);
            Verdict::Good(Box::new(good))
        }
        Err(reason) => {
            if let Some((token, _)) = known {
                ctx.verifier.uses.refused(token, now, reason);
            }
            Verdict::Refused(reason)
        }
    })
}

/// Verifies the credential of a request to Tokenhouse itself.
///
/// # Errors
/// `unauthenticated` with the reason, which is logged and not told; `unavailable`.
pub async fn caller(
    ctx: &Ctx,
    presented: &Presented,
    surface: Surface,
    address: Option<std::net::IpAddr>,
    request_id: &str,
) -> Result<Caller> {
    match verify(ctx, presented, &Ask::on(surface, address)).await? {
        Verdict::Refused(reason) => Err(Error::credential(reason)),
        Verdict::Good(good) => Ok(Caller {
            digest: Digest::of(presented.bytes()),
            surface,
            address,
            request_id: request_id.to_owned(),
            once: None,
            token: good.token,
            account: good.account,
            org: good.org,
            policy: good.policy,
            effective: good.effective,
        }),
    }
}

/// What an API server asks about a credential that was presented to it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The credential.
    pub presented: Presented,
    /// Where it is to be good.
    pub surface: Surface,
    /// The end client's address, as the API server saw it.
    pub address: Option<std::net::IpAddr>,
    /// The permission that it must carry.
    pub permission: Option<String>,
}

/// Verifies somebody else's credential for an API server, which is told why it is refused. Another org's credential is
/// as good as unknown.
///
/// # Errors
/// `missing_permission`, `unavailable`.
pub async fn ask(ctx: &Ctx, caller: &Caller, question: &Question) -> Result<Verdict> {
    caller.may(Act::Verify)?;
    let ask = Ask {
        surface: question.surface,
        address: question.address,
        org: Some(caller.org.id),
        permission: question.permission.as_deref(),
    };
    let verdict = verify(ctx, &question.presented, &ask).await?;
    Ok(match verdict {
        Verdict::Refused(Reason::OtherOrg) => Verdict::Refused(Reason::Unknown),
        // Junk is nobody's: it costs no look-up here either.
        Verdict::Refused(Reason::Malformed | Reason::Unknown) => verdict,
        Verdict::Refused(reason) if question_of_other_org(ctx, caller, question).await? => {
            tracing::debug!(%reason, "a credential of another org was asked about");
            Verdict::Refused(Reason::Unknown)
        }
        other => other,
    })
}

/// Whether a refused credential belongs to another org, whose reasons are none of the asker's business.
async fn question_of_other_org(ctx: &Ctx, caller: &Caller, question: &Question) -> Result<bool> {
    let mut reader = ctx.store.read().await?;
    let secret = tokens::secret(&mut reader.conn(), &Digest::of(question.presented.bytes())).await?;
    Ok(secret.is_some_and(|secret| secret.org_id != caller.org.id))
}

/// The revision up to which this node's answers are true.
///
/// # Errors
/// `unavailable`.
pub async fn revision(ctx: &Ctx) -> Result<i64> {
    ledger::head(&mut ctx.store.read().await?.conn()).await.map(|head| head.revision)
}
