//! The keys that access tokens are signed with: one that signs for each algorithm, those that will, and those whose
//! signatures are still believed.

mod pair;
mod ring;

use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::signing::{self as rules, Algorithm, DAYS, Phase, SigningKey};
use tokenhouse_model::{Done, Error, Millis, NEVER, Result, Uuid, id};
use tokenhouse_store::{Conn, Tx, signing};

use crate::caller::{Caller, change};
use crate::{Ctx, Outcome};
use pair::Pair;
pub use ring::Published;
pub(crate) use ring::{Rings, ring};

/// A key and what follows from the others.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Its row.
    pub key: SigningKey,
    /// What it is for now.
    pub phase: Phase,
    /// When another takes over; `NEVER` while none does.
    pub signs_until: Millis,
    /// Until when what it signed is believed; `NEVER` while no other takes over.
    pub believed_until: Millis,
}

/// All keys, and what the house goes by.
#[derive(Clone, Debug)]
pub struct Keys {
    /// In the order in which they sign.
    pub keys: Vec<KeyView>,
    /// After how many days a key is replaced by itself; 0 for never.
    pub days: i64,
}

/// Every key that there is or was.
///
/// # Errors
/// `missing_permission`, `unavailable`.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Keys> {
    caller.may(Act::ManageKeys)?;
    let mut reader = ctx.store.read().await?;
    let all = signing::all(&mut reader.conn()).await?;
    let (days, now) = (signing::days(&mut reader.conn()).await?, ctx.now());
    let view = |key: &SigningKey| KeyView {
        phase: key.phase(&all, now),
        signs_until: key.signs_until(&all),
        believed_until: key.believed_until(&all),
        key: SigningKey { sealed: Vec::new(), ..key.clone() },
    };
    Ok(Keys { keys: all.iter().map(view).collect(), days })
}

/// One of them.
///
/// # Errors
/// `missing_permission`, `not_found`, `unavailable`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<KeyView> {
    let mut keys = list(ctx, caller).await?.keys.into_iter();
    keys.find(|view| view.key.id == id).ok_or_else(missing)
}

/// The keys that whoever checks signatures has to know, in the order in which they sign. Anybody may ask.
///
/// # Errors
/// `unavailable`.
pub async fn published(ctx: &Ctx) -> Result<Vec<Published>> {
    ring::ring(ctx).await?.published(ctx.now())
}

fn missing() -> Error {
    Error::not_found("signing key")
}

/// A key on its way into a row. It is made before the transaction, which may run more than once.
#[derive(Clone)]
struct Draft {
    id: Uuid,
    algorithm: Algorithm,
    public: Vec<u8>,
    sealed: Vec<u8>,
}

/// Makes a pair beside the requests: for RSA it takes long.
async fn draft(ctx: &Ctx, algorithm: Algorithm) -> Result<Draft> {
    let made = tokio::task::spawn_blocking(move || pair::make(algorithm)).await;
    let Pair { private, public } = made.map_err(Error::internal)??;
    let id = id::new(ctx.now(), &ctx.random);
    Ok(Draft { id, algorithm, public, sealed: ctx.store.seal_signing(id, &private)? })
}

impl Draft {
    /// Puts it there, to sign from then on.
    async fn insert(&self, tx: &mut Tx<'_>, actor: &Actor, signs_from: Millis) -> Result<()> {
        let Self { id, algorithm, public, sealed } = self.clone();
        let created_at = tx.now();
        let key =
            SigningKey { id, algorithm, public, sealed, created_at, signs_from, ended_at: NEVER, compromised: false };
        signing::insert(tx.conn(), &key).await?;
        let event = Event::new(EventKind::SigningKeyMade, Uuid::nil(), id);
        tx.record(actor, event.with("algorithm", algorithm.as_str()).with("signs_from", signs_from));
        Ok(())
    }
}

/// Makes a new key of this algorithm. It is published now and signs an hour later, so that whoever keeps a copy of the
/// published ones knows it by then; `at_once` for now. What the old one signed is believed until it is over.
///
/// # Errors
/// `missing_permission`; `unlawful_state` where a new one is published already that does not sign yet.
pub async fn rotate(ctx: &Arc<Ctx>, caller: &Caller, algorithm: Algorithm, at_once: bool) -> Result<Done<Outcome>> {
    caller.may(Act::ManageKeys)?;
    let draft = draft(ctx, algorithm).await?;
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageKeys)?;
        let (all, now) = (signing::all(tx.conn()).await?, tx.now());
        draft.insert(tx, &fresh.actor, rules::rotation(&all, algorithm, at_once, now)?).await?;
        Ok(Outcome::of(draft.id))
    })
    .await
}

/// Ends a key. One that signs is replaced at once, and what it signed is believed until it is over; one that would have
/// signed never will; one that signs no more stays as it is. If it is `compromised`, nothing that it signed is believed
/// from now on.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn retire(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, compromised: bool) -> Result<Done<Outcome>> {
    let algorithm = get(ctx, caller, id).await?.key.algorithm;
    let draft = draft(ctx, algorithm).await?;
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageKeys)?;
        let (all, now) = (signing::all(tx.conn()).await?, tx.now());
        let phase = all.iter().find(|key| key.id == id).ok_or_else(missing)?.phase(&all, now);
        let kind = match (phase, compromised) {
            (Phase::Compromised, _) | (Phase::Verifying | Phase::Retired, false) => return Ok(Outcome::of(id)),
            (_, true) => {
                signing::end(tx.conn(), id, now, true).await?;
                EventKind::SigningKeyCompromised
            }
            (Phase::Next, false) => {
                signing::end(tx.conn(), id, now, false).await?;
                EventKind::SigningKeyRetired
            }
            (Phase::Signing, false) => {
                signing::wipe(tx.conn(), id).await?;
                EventKind::SigningKeyRetired
            }
        };
        let event = Event::new(kind, Uuid::nil(), id).with("was", phase.as_str());
        tx.record(&fresh.actor, if compromised { event.removing(Removal::SigningKey { id }) } else { event });
        if phase == Phase::Signing {
            draft.insert(tx, &fresh.actor, rules::soonest(&all, algorithm, now)).await?;
        }
        Ok(Outcome { touched: 1, ..Outcome::of(id) })
    })
    .await
}

/// Says after how many days a key is replaced by itself; 0 for never.
///
/// # Errors
/// `missing_permission`, `invalid_field`.
pub async fn set_days(ctx: &Arc<Ctx>, caller: &Caller, days: i64) -> Result<Done<Outcome>> {
    caller.may(Act::ManageKeys)?;
    if !DAYS.contains(&days) {
        let (least, most) = (DAYS.start(), DAYS.end());
        return Err(Error::invalid("rotate_days", format_args!("must be {least} to {most}")));
    }
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ManageKeys)?;
        let from = signing::days(tx.conn()).await?;
        if from != days {
            signing::set_days(tx.conn(), days).await?;
            let event = Event::new(EventKind::SigningScheduleChanged, Uuid::nil(), Uuid::nil());
            tx.record(&fresh.actor, event.with("from", from).with("days", days));
        }
        Ok(Outcome::default())
    })
    .await
}

/// Makes the keys that are missing or old enough to be replaced, and wipes the private halves of those that sign no more.
/// To be called when a node starts and every so often; any number of nodes may.
///
/// # Errors
/// `unavailable`.
pub async fn tend(ctx: &Arc<Ctx>) -> Result<()> {
    let (all, days, issuers) = {
        let mut reader = ctx.store.read().await?;
        let mut conn = reader.conn();
        (signing::all(&mut conn).await?, signing::days(&mut conn).await?, signing::issuers(&mut conn).await?)
    };
    if !issuers.iter().any(|known| known == ctx.issuer()) {
        add_issuer(ctx).await?;
    }
    for algorithm in Algorithm::ALL.iter().copied() {
        if !rules::due(&all, algorithm, days, ctx.now()) {
            continue;
        }
        let draft = draft(ctx, algorithm).await?;
        let made = ctx.store.write(async move |tx: &mut Tx<'_>| {
            // Another node may have been first.
            let (all, now) = (signing::all(tx.conn()).await?, tx.now());
            let due = rules::due(&all, algorithm, days, now);
            if due {
                let signs_from = rules::rotation(&all, algorithm, false, now)?;
                draft.insert(tx, &Actor::default(), signs_from).await?;
            }
            Ok(due)
        });
        if made.await?.value {
            tracing::info!(%algorithm, "a new signing key was made");
        }
    }
    wipe(ctx, &all).await
}

/// How many names of this installation are known at once: each node may have its own, and what was signed under an older
/// one is over in hours.
const MOST_ISSUERS: usize = 32;

/// Lets every node know by which name this one issues.
async fn add_issuer(ctx: &Arc<Ctx>) -> Result<()> {
    let issuer = ctx.issuer().to_owned();
    let adding = ctx.store.write(async move |tx: &mut Tx<'_>| {
        let mut issuers = signing::issuers(tx.conn()).await?;
        if !issuers.contains(&issuer) {
            issuers.push(issuer.clone());
            let over = issuers.len().saturating_sub(MOST_ISSUERS);
            signing::set_issuers(tx.conn(), issuers.get(over..).unwrap_or_default()).await?;
            let event = Event::new(EventKind::IssuerAdded, Uuid::nil(), Uuid::nil());
            tx.record(&Actor::default(), event.with("issuer", issuer.as_str()));
        }
        Ok(())
    });
    adding.await.map(|_| ())
}

/// Whether a key is believed by the rows as they are now, for whoever is decided anew within a change.
pub(crate) async fn believed(conn: &mut Conn<'_>, id: Uuid, now: Millis) -> Result<bool> {
    let all = signing::all(conn).await?;
    Ok(all.iter().any(|key| key.id == id && key.phase(&all, now).published()))
}

/// Whether it can sign no more, and could still be read.
fn to_wipe(all: &[SigningKey], now: Millis) -> Vec<Uuid> {
    let done =
        |key: &&SigningKey| !key.sealed.is_empty() && !matches!(key.phase(all, now), Phase::Next | Phase::Signing);
    all.iter().filter(done).map(|key| key.id).collect()
}

async fn wipe(ctx: &Ctx, all: &[SigningKey]) -> Result<()> {
    if to_wipe(all, ctx.now()).is_empty() {
        return Ok(());
    }
    let wiping = ctx.store.write(async |tx: &mut Tx<'_>| {
        let (all, now) = (signing::all(tx.conn()).await?, tx.now());
        for id in to_wipe(&all, now) {
            signing::wipe(tx.conn(), id).await?;
        }
        Ok(())
    });
    wiping.await.map(|_| ())
}
