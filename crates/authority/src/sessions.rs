//! Sessions: tokens that a person gets for his password.

use std::net::IpAddr;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::event::{Actor, Event, EventKind, Removal};
use tokenhouse_model::org::OrgState;
use tokenhouse_model::{Done, Error, Result, SecretText, Surface, TokenKind, Uuid};
use tokenhouse_store::{Tx, accounts, orgs};

use crate::caller::{Caller, change};
use crate::tokens::{self, Issue, Mint, Proof, ending};
use crate::{Ctx, Outcome, passwords};

/// Someone who signs in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// His e-mail address.
    pub email: String,
    /// His password.
    pub password: SecretText,
    /// The org in which he wants to act; his default one unless told.
    pub org: Option<Uuid>,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request.
    pub request_id: String,
    /// The surface on which he signs in.
    pub surface: Surface,
}

/// Signs a person in: issues a session token in the org that he names.
///
/// # Errors
/// `unauthenticated`, the same for an unknown address, a wrong password, and an org that he is not in.
pub async fn sign_in(ctx: &Arc<Ctx>, ask: SignIn) -> Result<Done<Outcome>> {
    let address = ask.address.map(|address| address.to_string()).unwrap_or_default();
    let identity = passwords::person(ctx, &ask.email, &ask.password, &address).await?;
    let mut issue = Issue::own();
    "session".clone_into(&mut issue.name);
    let draft = tokens::draft(ctx, issue.form, &[TokenKind::Session]);
    let (org, surface, request_id) = (ask.org.unwrap_or(identity.default_org), ask.surface, ask.request_id);
    let password = identity.password;
    ctx.store
        .write(async move |tx: &mut Tx<'_>| {
            // A stranger learns nothing from it, not even that the password was right; the log tells.
            let refused = || passwords::wrong().because("the account or its org is gone, inactive or another");
            // Read again: the password may have been changed while it was checked.
            let person = accounts::identity(tx.conn(), identity.id).await?.ok_or_else(refused)?;
            if person.password != password {
                return Err(refused());
            }
            let members = accounts::of_identity(tx.conn(), person.id).await?;
            let account = members.into_iter().find(|account| account.org_id == org).ok_or_else(refused)?;
            let row = orgs::by_id(tx.conn(), org).await?.ok_or_else(refused)?;
            if account.kind != AccountKind::User
                || account.state != AccountState::Active
                || row.state != OrgState::Active
            {
                return Err(refused());
            }
            let policy = orgs::policy(tx.conn(), org).await?;
            let actor = Actor {
                account: account.id,
                token: Uuid::nil(),
                address: address.clone(),
                request_id: request_id.clone(),
            };
            let mint = Mint {
                proof: Proof::Password,
                actor: &actor,
                policy: &policy,
                surface,
                owner: &account,
                kind: TokenKind::Session,
                ask: &issue,
                draft: &draft,
                seal: None,
            };
            tokens::mint(tx, mint).await
        })
        .await
}

/// Signs out: revokes the session with which the caller came.
///
/// # Errors
/// `wrong_kind` for a token that is no session.
pub async fn sign_out(ctx: &Arc<Ctx>, caller: &Caller) -> Result<Done<Outcome>> {
    if caller.token().kind != TokenKind::Session {
        let refusal = tokenhouse_model::Refusal::WrongKind(caller.token().kind);
        let message = "only a session can be signed out; revoke this token instead";
        return Err(Error::new(tokenhouse_model::ErrorKind::Forbidden, refusal, message));
    }
    tokens::revoke(ctx, caller, caller.token().id).await
}

/// Sessions ended in one transaction: few, so that a revocation never waits long behind them.
const CHUNK: usize = 200;

/// Signs a person out of this org everywhere: revokes all his sessions; the outcome tells how many.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn end_all(ctx: &Arc<Ctx>, caller: &Caller, account: Uuid) -> Result<Done<Outcome>> {
    let mut ended = 0;
    loop {
        let mut done = change(ctx, caller, async move |tx, fresh| {
            fresh.may(Act::ManageAccounts)?;
            let account = crate::accounts::of_org(tx.conn(), fresh.org.id, account).await?;
            let ids = ending::sessions(tx, account.id, Uuid::nil(), CHUNK).await?;
            for id in &ids {
                let event = Event::new(EventKind::TokenRevoked, account.org_id, *id)
                    .with("kind", TokenKind::Session.as_str())
                    .with("owner", account.id.to_string())
                    .removing(Removal::Token { id: *id });
                tx.record(&fresh.actor, event);
            }
            Ok(Outcome { touched: i64::try_from(ids.len()).unwrap_or(i64::MAX), ..Outcome::of(account.id) })
        })
        .await?;
        ended += done.value.touched;
        if done.value.touched < i64::try_from(CHUNK).unwrap_or(i64::MAX) {
            done.value.touched = ended;
            return Ok(done);
        }
    }
}
