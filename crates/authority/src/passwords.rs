//! Passwords: hashed by argon2id, checked with growing delays, at most two at once.
//!
//! Limits change only failures (design 5.11): a wrong password's answer is held back, longer each time; a right one is
//! answered at once, however many wrong ones came before it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash as Phc};
use argon2::{Algorithm, Argon2, Params, Version};
use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, PasswordHash, check_password};
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::secret::{Digest, Form, make as make_secret};
use tokenhouse_model::{Account, Done, Error, Identity, Millis, Result, SecretText, TokenKind, Uuid, grant, name};
use tokenhouse_store::{Tx, accounts, roles};
use tokio::sync::Semaphore;

use crate::caller::{Caller, Fresh, change};
use crate::tokens::ending;
use crate::{Ctx, Outcome};

/// Computations at once: each takes 19 MiB and a core for tens of milliseconds.
const AT_ONCE: usize = 2;
/// Checks that may wait for their turn.
const WAITING: usize = 64;
/// Failures that cost nothing: people mistype.
const FREE_FAILURES: u32 = 3;
/// The first delay; it doubles with each failure.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// A key without failures for so long is forgotten, in milliseconds.
const FORGOTTEN: Millis = 900_000;
/// The most keys that are remembered.
const MOST_KEYS: usize = 10_000;

/// The bounds on guessing, per process.
#[derive(Debug)]
pub(crate) struct Guard {
    turns: Semaphore,
    waiting: Semaphore,
    failures: Mutex<HashMap<String, (u32, Millis)>>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), waiting: Semaphore::new(WAITING), failures: Mutex::default() }
    }
}

impl Guard {
    /// Notes a failure under each key and tells how long its answer is to be held back.
    fn failed(&self, keys: &[String], now: Millis) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST_KEYS {
            failures.retain(|_, (_, at)| now - *at < FORGOTTEN);
        }
        let mut worst = 0;
        for key in keys {
            if failures.len() >= MOST_KEYS && !failures.contains_key(key) {
                // Full of recent failures: someone is guessing widely, so everybody's failures wait longest.
                worst = u32::MAX;
                continue;
            }
            let entry = failures.entry(key.clone()).or_insert((0, now));
            *entry = if now - entry.1 >= FORGOTTEN { (1, now) } else { (entry.0.saturating_add(1), now) };
            worst = worst.max(entry.0);
        }
        match worst.checked_sub(FREE_FAILURES) {
            None | Some(0) => Duration::ZERO,
            Some(over) => FIRST_DELAY.saturating_mul(1 << over.min(16)).min(LONGEST_DELAY),
        }
    }

    fn passed(&self, key: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A password that we make: 128 random bits.
pub(crate) fn make(ctx: &Ctx) -> SecretText {
    make_secret(Form::Short, TokenKind::Session, &ctx.random)
}

async fn turn(ctx: &Ctx) -> Result<(tokio::sync::SemaphorePermit<'_>, tokio::sync::SemaphorePermit<'_>)> {
    let busy = || Error::unavailable("too many passwords are being checked");
    let place = ctx.guard.waiting.try_acquire().map_err(|_| busy())?;
    Ok((place, ctx.guard.turns.acquire().await.map_err(|_| busy())?))
}

/// Hashes a password.
pub(crate) async fn hash(ctx: &Ctx, password: SecretText) -> Result<PasswordHash> {
    let salt: [u8; 16] = ctx.random.bytes();
    let _turn = turn(ctx).await?;
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt).map(|hash| hash.to_string())
    });
    hashed.await.map_err(Error::internal)?.map(PasswordHash).map_err(|error| Error::internal(error.to_string()))
}

/// The digest under which an app's secret is stored that its maker chose: argon2id, salted by the id of its row. What it is
/// made with stays as it is, or nobody's would be found again.
pub(crate) async fn slow_digest(ctx: &Ctx, secret: SecretText, salt: Uuid) -> Result<Digest> {
    let _turn = turn(ctx).await?;
    let hashed = tokio::task::spawn_blocking(move || {
        let params = Params::new(19_456, 2, 1, Some(32)).map_err(|error| error.to_string())?;
        let mut digest = [0; 32];
        let made = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let made = made.hash_password_into(secret.expose().as_bytes(), salt.as_bytes(), &mut digest);
        made.map(|()| Digest(digest)).map_err(|error| error.to_string())
    });
    hashed.await.map_err(Error::internal)?.map_err(Error::internal)
}

/// Holds a refusal back, longer each time.
pub(crate) async fn hold_back(ctx: &Ctx, who: &str) {
    tokio::time::sleep(ctx.guard.failed(&[who.to_owned()], ctx.now())).await;
}

/// What is hashed against where there is no such person, so that both answers take as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Checks a password. `who` and `address` are the keys under which failures are counted.
///
/// # Errors
/// `unauthenticated`, after the delay; `unavailable` when too many wait.
async fn check(ctx: &Ctx, stored: &PasswordHash, given: &SecretText, who: &str, address: &str) -> Result<()> {
    let (stored, given) = (stored.0.clone(), given.clone());
    let right = if given.expose().len() > tokenhouse_model::account::PASSWORD_LONGEST {
        false
    } else {
        let _turn = turn(ctx).await?;
        let checked = tokio::task::spawn_blocking(move || {
            let known = !stored.is_empty();
            let text = if known { stored.as_str() } else { NOBODY };
            let matches = Phc::new(text)
                .is_ok_and(|hash| Argon2::default().verify_password(given.expose().as_bytes(), &hash).is_ok());
            known && matches
        });
        checked.await.map_err(Error::internal)?
    };
    if right {
        ctx.guard.passed(&format!("who {who}"));
        return Ok(());
    }
    let mut keys = vec![format!("who {who}")];
    if !address.is_empty() {
        keys.push(format!("from {address}"));
    }
    tokio::time::sleep(ctx.guard.failed(&keys, ctx.now())).await;
    Err(wrong())
}

/// The one answer to whoever can't sign in, whatever the reason.
pub(crate) fn wrong() -> Error {
    let message = "the e-mail address or the password is wrong";
    Error::new(tokenhouse_model::ErrorKind::Unauthenticated, tokenhouse_model::Refusal::Plain, message)
}

/// The person of this e-mail address and password.
///
/// # Errors
/// `unauthenticated`, the same and as slow for an unknown address as for a wrong password.
pub(crate) async fn person(ctx: &Ctx, email: &str, password: &SecretText, address: &str) -> Result<Identity> {
    let folded = name::findable(email, name::IDENTIFIER).unwrap_or_default();
    let identity = accounts::identity_by_login(&mut ctx.store.read().await?.conn(), &folded).await?;
    let stored = identity.as_ref().map(|identity| identity.password.clone()).unwrap_or_default();
    check(ctx, &stored, password, &folded, address).await?;
    identity.ok_or_else(|| Error::not_found("account"))
}

/// A password to set.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// Whose.
    pub account: Uuid,
    /// The new one.
    pub password: SecretText,
    /// The present one, which whoever changes his own must know.
    pub current: Option<SecretText>,
}

/// Sets the password of an account's person. Sessions that the old one opened end.
///
/// A password opens every org of its person. So an administrator sets it only for someone who is in no other org, and
/// only where his own permissions cover that person's; everyone sets his own, knowing the present one.
///
/// # Errors
/// `missing_permission`, `not_covered`, `invalid_field`, `not_found`, `unauthenticated` for a wrong present password.
pub async fn set(ctx: &Arc<Ctx>, caller: &Caller, new: NewPassword) -> Result<Done<Outcome>> {
    check_password(new.password.expose())?;
    let own = caller.account_id() == new.account;
    if own {
        let current = new.current.as_ref().ok_or_else(|| Error::invalid("current", "must be your present password"))?;
        let identity = caller.account().map(|account| account.identity_id).unwrap_or_default();
        let identity = accounts::identity(&mut ctx.store.read().await?.conn(), identity).await?;
        let stored = identity.map(|identity| identity.password).unwrap_or_default();
        let address = caller.address.map(|address| address.to_string()).unwrap_or_default();
        check(ctx, &stored, current, &caller.account_id().to_string(), &address).await?;
    }
    let hashed = hash(ctx, new.password).await?;
    change(ctx, caller, async move |tx, fresh| {
        let account = crate::accounts::of_org(tx.conn(), fresh.org.id, new.account).await?;
        if account.kind != AccountKind::User {
            return Err(Error::invalid("account", "has no password: it is no person's"));
        }
        if !own {
            may_set(tx, fresh, &account).await?;
        }
        let touched = store(tx, &fresh.actor, &account, &hashed, fresh.token.id).await?;
        Ok(Outcome { touched, ..Outcome::of(account.id) })
    })
    .await
}

async fn may_set(tx: &mut Tx<'_>, fresh: &Fresh, account: &Account) -> Result<()> {
    fresh.may(Act::ManageAccounts)?;
    if accounts::of_identity(tx.conn(), account.identity_id).await?.iter().any(|other| other.org_id != fresh.org.id) {
        return Err(Error::forbidden(
            "this person belongs to another org too, so only he himself can change his password",
        ));
    }
    let now = tx.now();
    let held = roles::held(tx.conn(), account.id, now).await?;
    grant::cover(&fresh.effective, &held, &held)
}

/// Writes a password and ends the sessions of its person, other than the one that changes it.
async fn store(tx: &mut Tx<'_>, actor: &Actor, account: &Account, hash: &PasswordHash, keep: Uuid) -> Result<i64> {
    let now = tx.now();
    accounts::set_password(tx.conn(), account.identity_id, hash, now).await?;
    let mut event = Event::new(EventKind::PasswordChanged, account.org_id, account.identity_id)
        .with("account", account.id.to_string())
        .removing(Removal::Password { id: account.identity_id });
    let mut ended = 0;
    for member in accounts::of_identity(tx.conn(), account.identity_id).await? {
        for id in ending::sessions(tx, member.id, keep, usize::MAX).await? {
            event = event.removing(Removal::Token { id });
            ended += 1;
        }
    }
    tx.record(actor, event.with("sessions_ended", ended));
    Ok(ended)
}

/// Sets a person's password from the machine itself, and switches his accounts on: for the administrator who is locked
/// out. Who can do that holds the database and its master key anyway.
///
/// # Errors
/// `not_found`, `invalid_field`.
pub async fn reset_offline(ctx: &Arc<Ctx>, email: &str, password: Option<SecretText>) -> Result<Done<Outcome>> {
    let login = name::email("email", email)?;
    let given = password.is_some();
    let password = password.unwrap_or_else(|| make(ctx));
    check_password(password.expose())?;
    let hashed = hash(ctx, password.clone()).await?;
    ctx.store
        .write(async move |tx: &mut Tx<'_>| {
            let person = accounts::identity_by_login(tx.conn(), &login).await?;
            let person = person.ok_or_else(|| Error::not_found("person of this e-mail address"))?;
            let actor = Actor::default();
            let memberships = accounts::of_identity(tx.conn(), person.id).await?;
            let first = memberships.first().ok_or_else(|| Error::not_found("account of this person"))?.clone();
            for account in memberships {
                crate::accounts::switch_on(tx, &actor, account).await?;
            }
            let touched = store(tx, &actor, &first, &hashed, Uuid::nil()).await?;
            let secret = (!given).then(|| password.clone());
            Ok(Outcome { touched, secret, ..Outcome::of(first.id) })
        })
        .await
}
