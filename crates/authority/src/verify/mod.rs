//! Verify: is this credential good for this, right now, and who is it?
//!
//! Every way in enters here. [`Truth`] says whether this node may answer from memory, [`memory`] what it remembers,
//! [`fill`] reads what it does not, and the pulse keeps all of it true (design 4).

mod board;
mod client;
mod fill;
mod good;
mod memory;
mod signed;
mod slow;
mod sync;
mod touch;
mod truth;
pub(crate) mod uses;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokenhouse_model::access::Act;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::decide::{Ask, Reason, Way};
use tokenhouse_model::follow::{Boot, MILLISECOND};
use tokenhouse_model::secret::{Digest, Shape};
use tokenhouse_model::token::Standing;
use tokenhouse_model::{Error, Kinds, Millis, Result, Surface, TokenKind, Uuid};
use tokenhouse_store::ledger;

use crate::Ctx;
use crate::caller::Caller;
pub(crate) use board::Key;
pub(crate) use client::{Chosen, client};
pub(crate) use fill::{Fills, fresh};
pub use good::{AccessToken, Good};
pub(crate) use good::{Behind, decide_over};
pub use memory::Filled;
use memory::Recalled;
pub(crate) use signed::Checked;
pub use truth::Pulse;
pub(crate) use truth::Truth;

/// A refused credential.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// How old the answer may be, as in [`Good::stale`].
    pub stale: Option<Millis>,
    /// The org of a credential that exists.
    org: Option<Uuid>,
}

/// The answer of verify.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Good, and who it is.
    Good(Good),
    /// Refused, and why.
    Refused(Refused),
}

impl Verdict {
    /// `good`, or the reason of the refusal.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Good(_) => "good",
            Self::Refused(refused) => refused.reason.as_str(),
        }
    }

    fn refused(reason: Reason) -> Self {
        Self::Refused(Refused { reason, stale: None, org: None })
    }
}

/// Makes sure that this node may answer a request at which the boot-time clock was `read`; tells how old the answer may
/// be, in milliseconds, where it may not but is allowed to.
pub(crate) async fn sure(ctx: &Ctx, read: Boot) -> Result<Option<Millis>> {
    ctx.truth.wants_beat.notify_one();
    let pulse = ctx.truth.pulse();
    let age = read.saturating_sub(pulse.beat.unwrap_or(0)) / MILLISECOND;
    let allowed = ctx.settings.stale > 0 && pulse.following && age <= pulse.freshness + ctx.settings.stale;
    // Where heartbeats are known to fail, waiting would only make it late as well.
    if !(allowed && pulse.failing.is_some()) {
        match ctx.truth.until(|board| board.fresh(read)).await {
            Ok(()) => return Ok(None),
            Err(error) if !allowed => return Err(error),
            Err(_) => {}
        }
    }
    ctx.stale.fetch_add(1, Ordering::Relaxed);
    Ok(Some(age))
}

/// How often a request is let in again whose node dropped its memory meanwhile.
const ATTEMPTS: usize = 3;

/// What stands behind a claim, as of when; and how old that may be, in milliseconds, where the database could not be asked.
async fn recall(ctx: &Ctx, claim: &Claim<'_>) -> Result<(Option<Behind>, Millis, Option<Millis>)> {
    let (digest, foreign) = (&claim.digest, claim.foreign);
    let board = &ctx.truth.board;
    for _ in 0..ATTEMPTS {
        let (era, read) = (board.era(), ctx.clock.boot());
        let mut now = ctx.clock.at(read);
        // What seldom happens stands in a box, so that what happens always is small.
        let stale = if board.fresh(read) { None } else { Box::pin(sure(ctx, read)).await? };
        let recalled = match ctx.truth.memory.recall(digest, board, now) {
            Some(recalled) => recalled,
            None if stale.is_some() => return Err(silent()),
            None => {
                let filled = Box::pin(fill::fill(ctx, digest, foreign)).await?;
                now = ctx.clock.now();
                filled
            }
        };
        let mut behind = stands(ctx, recalled, claim.account, stale.is_some()).await?;
        if stale.is_none() && behind.as_ref().is_some_and(|behind| behind.seems_idle(now)) {
            // Another node may have used it since: its row is asked before it is refused for resting too long.
            ctx.truth.memory.forget(digest);
            let filled = Box::pin(fill::fill(ctx, digest, foreign)).await?;
            behind = stands(ctx, filled, claim.account, false).await?;
        }
        // Whoever was let in before history was lost must be let in again.
        if board.era() == era {
            return Ok((behind, now, stale));
        }
    }
    Err(Error::unavailable("this node is not sure of the present state; try again"))
}

/// Who stands behind what was recalled, where it acts as this account: its token's owner unless told.
async fn stands(ctx: &Ctx, recalled: Recalled, account: Option<Uuid>, stale: bool) -> Result<Option<Behind>> {
    let Recalled::Known(known, holder) = recalled else { return Ok(None) };
    let Some(id) = account.filter(|id| *id != known.token.owner_id) else {
        return Ok(Some(Behind { known, holder, guest: None }));
    };
    let guest = match ctx.truth.memory.holder(id, &ctx.truth.board, ctx.clock.now()) {
        None if stale => return Err(silent()),
        None => Box::pin(fill::guest(ctx, id)).await?,
        remembered => remembered,
    };
    Ok(guest.map(|guest| Behind { known, holder, guest: Some(guest) }))
}

fn silent() -> Error {
    Error::unavailable("the database does not answer; try again")
}

/// What a credential claims.
struct Claim<'a> {
    /// To be, or to come from, the secret of this digest.
    digest: Digest,
    /// The bytes of one that is of no form of ours, as [`fill::fill`] has it.
    foreign: Option<&'a [u8]>,
    /// The access token that it is.
    access: Option<Arc<Checked>>,
    /// The folded id of the client whose secret it must be.
    client: Option<&'a str>,
    /// The account as which it acts; its token's owner unless told.
    account: Option<Uuid>,
}

/// Verifies a credential. A refusal is an answer, not an error.
///
/// # Errors
/// `unavailable` where the truth can't be told now.
pub async fn verify(ctx: &Ctx, presented: &Presented, ask: &Ask<'_>) -> Result<Verdict> {
    let (foreign, access) = match Shape::of(presented.bytes()) {
        Err(reason) => return Ok(Verdict::refused(reason)),
        Ok(Shape::Jwt) => match Box::pin(signed::check(ctx, presented.bytes())).await? {
            Err(reason) => return Ok(Verdict::refused(reason)),
            Ok(checked) => (None, Some(checked)),
        },
        Ok(Shape::Foreign) => (Some(presented.bytes()), None),
        Ok(_) => (None, None),
    };
    let digest = access.as_deref().map_or_else(|| Digest::of(presented.bytes()), |checked| checked.stored);
    let account = access.as_deref().map(|checked| checked.account);
    decided(ctx, Claim { digest, foreign, access, client: None, account }, ask).await
}

/// Decides over what is claimed.
async fn decided(ctx: &Ctx, claim: Claim<'_>, ask: &Ask<'_>) -> Result<Verdict> {
    let (behind, now, stale) = recall(ctx, &claim).await?;
    let own = |behind: &Behind| claim.client.is_none_or(|client| behind.holder.is_client(client));
    let Some(behind) = behind.filter(own) else {
        return Ok(Verdict::Refused(Refused { reason: Reason::Unknown, stale, org: None }));
    };
    Ok(match decide_over(behind, claim.access, ask, now) {
        Ok(good) => {
            ctx.uses.good(&good.known.tally, now, ask.address);
            // Once, however often it is used; the first look is the common one.
            if good.known.young.load(Ordering::Relaxed) && good.known.young.swap(false, Ordering::Relaxed) {
                ctx.uses.young(good.secret_id());
            }
            Verdict::Good(Good { stale, ..good })
        }
        Err((reason, known)) => {
            ctx.uses.refused(&known.tally, now, reason);
            Verdict::Refused(Refused { reason, stale, org: Some(known.token.org_id) })
        }
    })
}

/// What a secret is as it is remembered, for whoever has it: the kind of its token and how that stands. It is no use of it.
pub(crate) async fn standing(ctx: &Ctx, presented: &Presented) -> Result<Option<(TokenKind, Standing)>> {
    let digest = Digest::of(presented.bytes());
    let claim = Claim { digest, foreign: None, access: None, client: None, account: None };
    let (behind, now, _) = recall(ctx, &claim).await?;
    let Some(Behind { known, holder, .. }) = behind else { return Ok(None) };
    let good = now < known.secret.good_until;
    Ok(good.then(|| (known.token.kind, known.token.standing(&holder.domain.policy, now))))
}

/// Verifies the credential of a request to Tokenhouse itself.
///
/// # Errors
/// `unauthenticated` with the reason, which is logged and not told; `unavailable`.
pub async fn own(
    ctx: &Ctx,
    presented: &Presented,
    surface: Surface,
    address: Option<std::net::IpAddr>,
) -> Result<Good> {
    match verify(ctx, presented, &Ask::on(surface, address)).await? {
        Verdict::Refused(refused) => Err(Error::credential(refused.reason)),
        Verdict::Good(good) => Ok(good),
    }
}

/// The same for a request that does something.
///
/// # Errors
/// As [`own`].
pub async fn caller(
    ctx: &Ctx,
    presented: &Presented,
    surface: Surface,
    address: Option<std::net::IpAddr>,
    request_id: &str,
) -> Result<Caller> {
    let good = own(ctx, presented, surface, address).await?;
    let stored = good.stored();
    Ok(Caller::new(good, stored, surface, address, request_id))
}

/// Who asks about other people's credentials, and for which org: the only one whose credentials are good there
/// (design 5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    org: Uuid,
}

impl Asker {
    /// Whose credential this is, for the org in which it acts.
    ///
    /// # Errors
    /// `missing_permission`.
    pub fn of(good: &Good) -> Result<Self> {
        Act::Verify.check(&good.effective)?;
        Ok(Self { org: good.org().id })
    }

    /// Whoever reaches a listener that its operator gave to one org.
    pub fn listener(org: Uuid) -> Self {
        Self { org }
    }

    /// The org.
    pub fn org(self) -> Uuid {
        self.org
    }
}

/// What an API server asks about a credential that was presented to it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The credential.
    pub presented: &'a Presented,
    /// Where it is to be good.
    pub surface: Surface,
    /// The end client's address, as the API server saw it.
    pub address: Option<std::net::IpAddr>,
    /// The permission that it must carry.
    pub permission: Option<&'a str>,
    /// The kinds of which its token must be.
    pub kinds: Kinds,
    /// The receipt that the answer must not be older than.
    pub at_least: Option<AtLeast>,
}

/// A place in the ledger that an answer must not be older than, from a receipt.
#[derive(Clone, Copy, Debug)]
pub struct AtLeast {
    /// The receipt's epoch; the present one unless told.
    pub epoch: Option<i64>,
    /// Its revision.
    pub revision: i64,
}

impl AtLeast {
    /// What a question says of a receipt.
    ///
    /// # Errors
    /// `invalid_field` for a negative revision, and for an epoch alone.
    pub fn of(revision: Option<i64>, epoch: Option<i64>) -> Result<Option<Self>> {
        match (revision, epoch) {
            (Some(revision), _) if revision < 0 => Err(Error::invalid("at_least", "must not be negative")),
            (Some(revision), epoch) => Ok(Some(Self { epoch, revision })),
            (None, Some(_)) => Err(Error::invalid("epoch", "goes with at_least only")),
            (None, None) => Ok(None),
        }
    }
}

/// Verifies somebody else's credential for an API server, which is told why it is refused. Another org's credential is
/// as good as unknown.
///
/// # Errors
/// `invalid_field` for a receipt from the future; `unavailable`.
pub async fn ask(ctx: &Ctx, asker: Asker, question: &Question<'_>) -> Result<Verdict> {
    if let Some(at_least) = question.at_least {
        Box::pin(reach(ctx, at_least)).await?;
    }
    let ask = Ask {
        surface: question.surface,
        address: question.address,
        org: Some(asker.org),
        permission: question.permission,
        kinds: question.kinds,
        way: Way::Bearer,
    };
    let verdict = verify(ctx, question.presented, &ask).await?;
    Ok(match verdict {
        // What another org's credential is refused for is none of the asker's business.
        Verdict::Refused(refused) if refused.org.is_some_and(|org| org != asker.org) => {
            tracing::debug!(reason = %refused.reason, "a credential of another org was asked about");
            Verdict::Refused(Refused { reason: Reason::Unknown, ..refused })
        }
        other => other,
    })
}

/// Waits until this node has applied the ledger up to a receipt.
async fn reach(ctx: &Ctx, at_least: AtLeast) -> Result<()> {
    let reached = |revision: i64| revision >= at_least.revision;
    let now = ctx.truth.position();
    if now.is_some_and(|position| at_least.epoch.is_some_and(|epoch| epoch < position.epoch)) {
        // History was lost since. What was taken away in it was taken away again before anyone was answered.
        return Ok(());
    }
    let same_epoch = |epoch: i64| at_least.epoch.is_none_or(|asked| asked <= epoch);
    if now.is_some_and(|position| reached(position.revision) && same_epoch(position.epoch)) {
        return Ok(());
    }
    ctx.truth.wants_events.notify_one();
    let there = |_: &_| {
        let position = ctx.truth.position();
        position.is_some_and(|position| reached(position.revision) && same_epoch(position.epoch))
    };
    let Err(late) = ctx.truth.until(there).await else { return Ok(()) };
    let head = ledger::head(&mut ctx.store.read().await?.conn()).await?;
    if !reached(head.revision) || !same_epoch(head.epoch) {
        return Err(Error::invalid("at_least", "is above the head of the ledger: no receipt says so"));
    }
    Err(late)
}

/// The revision up to which this node's answers are true.
pub fn applied(ctx: &Ctx) -> i64 {
    ctx.truth.board.applied()
}

/// Epoch and revision up to which this node's answers are true; `None` before it is registered.
pub fn position(ctx: &Ctx) -> Option<(i64, i64)> {
    ctx.truth.position().map(|position| (position.epoch, position.revision))
}

/// How full the memory is.
pub fn filled(ctx: &Ctx) -> Filled {
    ctx.truth.memory.filled()
}

/// How this node follows the ledger.
pub fn pulse(ctx: &Ctx) -> Pulse {
    ctx.truth.pulse()
}

/// The names of [`counters`] and what they mean.
pub const COUNTERS: [(&str, &str); 7] = [
    ("verify_readings", "Times that verify read the database"),
    ("verify_readings_repeated", "Readings that were touched meanwhile and begun again"),
    ("verify_refused_busy", "Questions sent away because too many were waiting"),
    ("stale_answers", "Answers given without the database, outside the guarantee"),
    ("history_lost", "Times that the database was found to have lost history"),
    ("heartbeats", "Heartbeats that were committed"),
    ("heartbeats_late", "Heartbeats that came more than S/2 after the one before"),
];

/// Counters since the start, in the order of [`COUNTERS`].
pub fn counters(ctx: &Ctx) -> [u64; COUNTERS.len()] {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let fills = &ctx.fills;
    let pulse = ctx.truth.pulse();
    let [read, repeated, refused] = [&fills.readings, &fills.repeated, &fills.refused].map(count);
    [read, repeated, refused, count(&ctx.stale), pulse.lost, pulse.beats, pulse.late]
}
