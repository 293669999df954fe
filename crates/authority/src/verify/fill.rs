//! Reading what is not remembered: one reading for everybody who asks for the same, under the fill rule (design 4).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenhouse_model::account::AccountKind;
use tokenhouse_model::follow::Tag;
use tokenhouse_model::grafana::Parts;
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{Account, Error, Millis, NEVER, PermissionSet, Result, Token, TokenKind, Uuid};
use tokenhouse_store::{Conn, accounts, api_tokens, apps, ledger, moved, orgs, roles, tokens};
use tokio::sync::{AcquireError, Semaphore, watch};

use super::Behind;
use super::memory::{Domain, Holder, Known, Missing, Recalled, Slowly};
use super::slow::Slow;
use crate::{Ctx, once};

/// How many may wait for their turn to read; beyond it the node says that it is busy.
const QUEUE: usize = 256;
/// How long one waits for his turn.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a reading may take.
const READING: Duration = Duration::from_secs(2);
/// How often something is read again because it was touched while it was read.
const ATTEMPTS: usize = 8;

/// What a reading came to, for everybody who waits for it.
type Outcome = Result<Recalled, Arc<Error>>;

/// Readings under way, and the turns to read.
#[derive(Debug)]
pub(crate) struct Fills {
    flights: Mutex<HashMap<Digest, watch::Receiver<Option<Outcome>>>>,
    turns: Semaphore,
    slow: Slow,
    waiting: AtomicUsize,
    /// Readings begun since the start.
    pub(crate) readings: AtomicU64,
    /// Those that had to be repeated because something was touched meanwhile.
    pub(crate) repeated: AtomicU64,
    /// Questions that were sent away because too many were waiting.
    pub(crate) refused: AtomicU64,
}

/// Takes a flight off the list when it ends, however that is.
struct Landing<'a>(&'a Fills, Digest);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.flights().remove(&self.1);
    }
}

impl Fills {
    /// So many readings at once.
    pub(crate) fn new(turns: usize) -> Self {
        Self {
            flights: Mutex::default(),
            turns: Semaphore::new(turns),
            slow: Slow::default(),
            waiting: AtomicUsize::new(0),
            readings: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Digest, watch::Receiver<Option<Outcome>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn to read one row of which nothing is remembered.
    pub(crate) async fn one(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        self.turn(self.turns.acquire()).await
    }

    /// Waits for a turn, with not too many others and not too long.
    pub(super) async fn turn<T>(&self, turn: impl Future<Output = Result<T, AcquireError>>) -> Result<T> {
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let busy = || {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Error::unavailable("too many unknown credentials are being looked up; try again")
        };
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        if before >= QUEUE {
            return Err(busy());
        }
        match tokio::time::timeout(PATIENCE, turn).await {
            Ok(permit) => permit.map_err(Error::internal),
            Err(_) => Err(busy()),
        }
    }
}

/// What is true of a digest: read, remembered if that is still true, and answered only then.
///
/// `foreign` are the bytes of a credential that is of no form of ours: it may be looked up in another way as well.
pub(crate) async fn fill(ctx: &Ctx, digest: &Digest, foreign: Option<&[u8]>) -> Result<Recalled> {
    for _ in 0..ATTEMPTS {
        let recalled = fly(ctx, digest, foreign).await?;
        // Whoever joined a reading that began before an event asks the same question of it as whoever began it.
        if recalled.holds(digest, &ctx.truth.board, ctx.clock.now()) {
            return Ok(recalled);
        }
        ctx.fills.repeated.fetch_add(1, Ordering::Relaxed);
    }
    Err(changing())
}

fn changing() -> Error {
    Error::unavailable("what was asked about changes all the time; try again")
}

/// Joins the reading of a digest that is under way, or begins one.
async fn fly(ctx: &Ctx, digest: &Digest, foreign: Option<&[u8]>) -> Result<Recalled> {
    loop {
        let (sender, mut receiver) = watch::channel(None);
        let joined = {
            let mut flights = ctx.fills.flights();
            match flights.get(digest) {
                Some(flight) => Some(flight.clone()),
                None => {
                    flights.insert(*digest, receiver.clone());
                    None
                }
            }
        };
        if let Some(flight) = joined {
            receiver = flight;
        } else {
            let _landing = Landing(&ctx.fills, *digest);
            let outcome = read(ctx, digest, foreign).await.map_err(Arc::new);
            sender.send_replace(Some(outcome.clone()));
            return outcome.map_err(|error| error.again());
        }
        if let Ok(landed) = receiver.wait_for(Option::is_some).await
            && let Some(outcome) = &*landed
        {
            return outcome.clone().map_err(|error| error.again());
        }
        // Whoever was reading hung up.
    }
}

/// Reads everything about a digest and the head's revision in one snapshot, and remembers it if it is still true.
async fn read(ctx: &Ctx, digest: &Digest, foreign: Option<&[u8]>) -> Result<Recalled> {
    // Before the snapshot: what was begun in another life of the memory is not good in this one.
    let era = ctx.truth.board.era();
    let parts = foreign.and_then(Parts::of);
    let (mut recalled, slower) = look_up(ctx, digest, era, parts.is_some()).await?;
    if let (Recalled::Unknown(missing), Some(parts), true) = (&recalled, parts, slower) {
        let tag = missing.tag;
        let derived = ctx.fills.slow.digest(&ctx.fills, parts).await?;
        recalled = match look_up(ctx, &derived, era, false).await?.0 {
            // It is not there as of the earlier of the two readings.
            Recalled::Unknown(_) => Recalled::Unknown(Missing { tag, slow: Slowly::Grafana }),
            known @ Recalled::Known(..) => known,
        };
    }
    if recalled.holds(digest, &ctx.truth.board, ctx.clock.now()) {
        ctx.truth.memory.remember(digest, &recalled);
    }
    Ok(recalled)
}

/// Looks a digest up; and whether the house has secrets of Grafana's at all, where it may be one of them.
async fn look_up(ctx: &Ctx, digest: &Digest, era: u64, grafana: bool) -> Result<(Recalled, bool)> {
    in_snapshot(ctx, async |conn: &mut Conn<'_>| look_up_in(ctx, conn, digest, era, grafana).await).await
}

/// Reads in one snapshot, when it is this reading's turn.
async fn in_snapshot<T>(ctx: &Ctx, read: impl AsyncFnOnce(&mut Conn<'_>) -> Result<T>) -> Result<T> {
    let _turn = ctx.fills.one().await?;
    ctx.fills.readings.fetch_add(1, Ordering::Relaxed);
    let reading = async {
        let mut snapshot = ctx.store.snapshot().await?;
        let read = read(&mut snapshot.conn()).await;
        snapshot.end(read).await
    };
    let read = tokio::time::timeout(READING, reading).await;
    read.map_err(|_| Error::unavailable("the database does not answer; try again"))?
}

async fn look_up_in(
    ctx: &Ctx,
    conn: &mut Conn<'_>,
    digest: &Digest,
    era: u64,
    grafana: bool,
) -> Result<(Recalled, bool)> {
    let tag = Tag { era, revision: ledger::head(conn).await?.revision };
    if let Some((known, joined)) = join(ctx, conn, digest, tag, true).await? {
        return Ok((Recalled::Known(known, joined), false));
    }
    let slower = grafana && moved::any_of_grafana(conn).await?;
    let slow = if grafana { Slowly::Grafana } else { Slowly::No };
    Ok((Recalled::Unknown(Missing { tag, slow }), slower))
}

/// Reads secret, token, holder and org as they are in this transaction; and the account that is named, where it is not the
/// token's owner.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn fresh(
    ctx: &Ctx,
    conn: &mut Conn<'_>,
    digest: &Digest,
    account: Option<Uuid>,
) -> Result<Option<Behind>> {
    let tag = Tag { era: 0, revision: 0 };
    let Some((known, holder)) = join(ctx, conn, digest, tag, false).await? else { return Ok(None) };
    let guest = match account.filter(|id| *id != known.token.owner_id) {
        None => None,
        Some(id) => match stay(ctx, conn, id, tag, false).await? {
            None => return Ok(None),
            guest => guest,
        },
    };
    Ok(Some(Behind { known, holder, guest }))
}

/// Who an app is in an org that it was added to: read, remembered if that is still true, and answered only then; `None` if
/// there is no such account.
pub(super) async fn guest(ctx: &Ctx, id: Uuid) -> Result<Option<Arc<Holder>>> {
    for _ in 0..ATTEMPTS {
        let era = ctx.truth.board.era();
        let read = in_snapshot(ctx, async |conn: &mut Conn<'_>| {
            let tag = Tag { era, revision: ledger::head(conn).await?.revision };
            stay(ctx, conn, id, tag, true).await
        });
        let Some(holder) = read.await? else { return Ok(None) };
        if holder.holds(&ctx.truth.board, ctx.clock.now()) {
            ctx.truth.memory.remember_holder(&holder);
            return Ok(Some(holder));
        }
        ctx.fills.repeated.fetch_add(1, Ordering::Relaxed);
    }
    Err(changing())
}

/// Reads an account with what it holds and its org.
async fn stay(ctx: &Ctx, conn: &mut Conn<'_>, id: Uuid, tag: Tag, recall: bool) -> Result<Option<Arc<Holder>>> {
    let Some(account) = accounts::by_id(conn, id).await? else { return Ok(None) };
    let Some(domain) = domain(ctx, conn, account.org_id, tag, recall).await? else { return Ok(None) };
    hold(conn, id, Some(account), domain, ctx.clock.now(), tag).await.map(|holder| Some(Arc::new(holder)))
}

/// An org and its rules: what is remembered is as true as what is read now, as the same rule was asked of it.
async fn domain(ctx: &Ctx, conn: &mut Conn<'_>, org: Uuid, tag: Tag, recall: bool) -> Result<Option<Arc<Domain>>> {
    if recall && let Some(domain) = ctx.truth.memory.domain(org, &ctx.truth.board) {
        return Ok(Some(domain));
    }
    let Some(row) = orgs::by_id(conn, org).await? else { return Ok(None) };
    Ok(Some(Arc::new(Domain { org: row, policy: orgs::policy(conn, org).await?, tag })))
}

async fn join(
    ctx: &Ctx,
    conn: &mut Conn<'_>,
    digest: &Digest,
    tag: Tag,
    recall: bool,
) -> Result<Option<(Arc<Known>, Arc<Holder>)>> {
    let now = ctx.clock.now();
    let Some(secret) = tokens::secret(conn, digest).await? else { return Ok(None) };
    let Some(token) = tokens::by_id(conn, secret.token_id).await? else { return Ok(None) };
    // What is decided anew for a change needs all of it, what is remembered does not.
    let token = if recall { lean(token) } else { token };
    let young = AtomicBool::new(secret.created_at + once::KEPT > now);
    let terms = if recall && token.kind == TokenKind::Api {
        api_tokens::of_tokens(conn, &[token.id]).await?
    } else {
        Vec::new()
    };
    let openid = terms.iter().any(|terms| terms.asked.openid());
    let known = Known { tally: ctx.uses.tally(token.id), secret: secret.proof(), token, young, openid, tag };
    let (id, org) = (known.holder_id(), known.token.org_id);
    // As true as what is read now: the same rule was asked of it.
    if recall && let Some(holder) = ctx.truth.memory.holder(id, &ctx.truth.board, now) {
        return Ok(Some((Arc::new(known), holder)));
    }
    let Some(domain) = domain(ctx, conn, org, tag, recall).await? else { return Ok(None) };
    let account = if known.token.owner_id.is_nil() { None } else { accounts::by_id(conn, id).await? };
    let holder = hold(conn, id, account, domain, now, tag).await?;
    Ok(Some((Arc::new(known), Arc::new(holder))))
}

/// Without the texts that are only searched or shown: nobody asks a remembered token for them, and they would take a fifth
/// of its memory.
fn lean(mut token: Token) -> Token {
    for text in [&mut token.short_id, &mut token.name_fold, &mut token.last_used_address] {
        *text = String::new();
    }
    token.name.shrink_to_fit();
    token
}

async fn hold(
    conn: &mut Conn<'_>,
    id: Uuid,
    account: Option<Account>,
    domain: Arc<Domain>,
    now: Millis,
    tag: Tag,
) -> Result<Holder> {
    let (mut held, mut good_until) = (PermissionSet::none(), NEVER);
    for source in roles::sources(conn, id, now).await? {
        held.extend(&source.permissions);
        good_until = good_until.min(source.expires_at);
    }
    let app = match &account {
        Some(account) if account.kind == AccountKind::App => apps::by_account(conn, id).await?,
        _ => None,
    };
    let life = app.map_or(0, |app| app.terms.life);
    Ok(Holder { id, account, held, life, good_until, domain, tag })
}
