//! Tokens: seeing and changing them. Making them and their secrets is in [`issue`] and [`rotate`].

pub(crate) mod bulk;
pub(crate) mod ending;
mod held;
mod import;
mod issue;
mod rotate;
pub(crate) mod sealed;

use std::borrow::Cow;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::decide;
use tokenhouse_model::event::{Event, EventKind, Removal};
use tokenhouse_model::jwt::Compact;
use tokenhouse_model::moves::{self, Move};
use tokenhouse_model::secret::{Digest, Shape};
use tokenhouse_model::{
    Done, Error, ErrorKind, Millis, NEVER, PermissionSet, Policy, Reach, Refusal, Result, Scopes, Token, TokenKind,
    TokenState, Uuid, grant, name,
};
use tokenhouse_store::{Conn, Tx, tokens, usage};

pub use bulk::{Preview, preview, revoke_found};
pub use held::{Shown, Whose, everyones, held, issue_among, named, of_accounts, revoke_among};
pub use import::{Import, import};
pub use issue::{Ends, Issue, issue};
pub(crate) use issue::{Mint, Proof, draft, mint, new_secret, within_limit};
pub(crate) use rotate::supersede;
pub use rotate::{Rotate, rotate};
pub use sealed::wipe_left;

pub use crate::search::tokens::{search, values};

use crate::caller::{Caller, Fresh, change};
use crate::views::{self, TokenView};
use crate::{Ctx, Outcome, accounts};

/// What a list of tokens is narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only of this account.
    pub owner: Option<Uuid>,
    /// Only of this kind.
    pub kind: Option<TokenKind>,
    /// Only in this stored state.
    pub state: Option<TokenState>,
}

/// Tokens: one's own, or with the permission all of the org.
///
/// # Errors
/// `missing_permission` for another's.
pub async fn list(ctx: &Ctx, caller: &Caller, filter: Filter, page: Page) -> Result<Listed<TokenView>> {
    let everyones = Act::SeeTokens.allowed(&caller.effective);
    let owner = match filter.owner {
        Some(owner) if owner == caller.account_id() || everyones => Some(owner),
        Some(_) => return Err(caller.may(Act::SeeTokens).err().unwrap_or_else(|| Error::not_found("account"))),
        None if everyones => None,
        None => Some(caller.account_id()),
    };
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    if let Some(owner) = owner {
        // An id from elsewhere shows nothing of elsewhere.
        accounts::of_org(&mut conn, caller.org().id, owner).await?;
    }
    let stored = tokens::Filter { owner, kind: filter.kind, state: filter.state };
    let limit = i64::from(page.limit) + 1;
    let listed = tokens::list(&mut conn, caller.org().id, stored, page.cursor.after, limit).await?;
    views::tokens(&mut conn, caller.policy(), page.cut(listed, |token| token.id), ctx.now()).await
}

/// One token: one's own, or with the permission any of the org.
///
/// # Errors
/// `not_found`, also for another's that one may not see.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<TokenView> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let page = views::one(visible(&mut conn, caller, id).await?);
    views::single(views::tokens(&mut conn, caller.policy(), page, ctx.now()).await?, "token")
}

/// Finds the token that a caller names: `self` is the one he came with.
///
/// # Errors
/// `not_found`.
pub fn find(caller: &Caller, text: &str) -> Result<Uuid> {
    if text == "self" { Ok(caller.token().id) } else { tokenhouse_model::id::parse("token", text) }
}

/// The token of the caller's org that a secret proves; `None` where it proves none, or not any more.
///
/// # Errors
/// `unavailable`.
pub async fn proven(ctx: &Ctx, caller: &Caller, presented: &Presented) -> Result<Option<Uuid>> {
    if Shape::of(presented.bytes()).is_err() {
        return Ok(None);
    }
    let mut reader = ctx.store.read().await?;
    let secret = tokens::secret(&mut reader.conn(), &Digest::of(presented.bytes())).await?;
    let good = secret.filter(|secret| secret.org_id == caller.org().id && secret.good_until > ctx.now());
    Ok(good.map(|secret| secret.token_id))
}

/// A token as it is now, for the answer to whoever just changed it: that he may was decided with the change.
///
/// # Errors
/// `not_found`.
pub async fn just_changed(ctx: &Ctx, id: Uuid) -> Result<TokenView> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let token = tokens::by_id(&mut conn, id).await?.ok_or_else(|| Error::not_found("token"))?;
    let policy = tokenhouse_store::orgs::policy(&mut conn, token.org_id).await?;
    views::single(views::tokens(&mut conn, &policy, views::one(token), ctx.now()).await?, "token")
}

async fn visible(conn: &mut Conn<'_>, caller: &Caller, id: Uuid) -> Result<Token> {
    if id == caller.token().id {
        // Also that of an app in another org than the one that owns it.
        return tokens::by_id(conn, id).await?.ok_or_else(|| Error::not_found("token"));
    }
    let token = of_org(conn, caller.org().id, id).await?;
    if token.owner_id != caller.account_id() && !Act::SeeTokens.allowed(&caller.effective) {
        return Err(Error::not_found("token"));
    }
    Ok(token)
}

/// A day's use of a token.
#[derive(Clone, Debug)]
pub struct DayOfUse {
    /// Days since the epoch, UTC.
    pub day: i64,
    /// `good`, or the reason of a refusal.
    pub outcome: String,
    /// How often.
    pub uses: i64,
    /// When last, in epoch milliseconds.
    pub last_at: Millis,
    /// From where, at most eight.
    pub addresses: Vec<String>,
}

/// How a token was used, day by day, as far as that was flushed.
///
/// # Errors
/// `not_found`.
pub async fn use_by_day(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Vec<DayOfUse>> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    visible(&mut conn, caller, id).await?;
    let days = usage::of_token(&mut conn, id).await?;
    let split = |text: String| text.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    Ok(days
        .into_iter()
        .map(|day| DayOfUse {
            day: day.day,
            outcome: day.outcome,
            uses: day.uses,
            last_at: day.last_at,
            addresses: split(day.addresses),
        })
        .collect())
}

async fn of_org(conn: &mut Conn<'_>, org: Uuid, id: Uuid) -> Result<Token> {
    let token = tokens::by_id(conn, id).await?;
    token.filter(|token| token.org_id == org).ok_or_else(|| Error::not_found("token"))
}

/// The token that is to be changed, if the caller may and its state allows the move.
async fn movable(tx: &mut Tx<'_>, fresh: &Fresh, id: Uuid, wanted: Move) -> Result<Token> {
    let token = of_org(tx.conn(), fresh.org.id, id).await?;
    let own = !token.owner_id.is_nil() && token.owner_id == fresh.account_id();
    if !own && !Act::SeeTokens.allowed(&fresh.effective) {
        return Err(Error::not_found("token"));
    }
    if !own {
        fresh.may(Act::ManageTokens)?;
    }
    moves::check(token.kind, token.standing(&fresh.policy, tx.now()), wanted)?;
    Ok(token)
}

/// What a token's owner holds, of which the token carries its scopes.
async fn owner_holds(tx: &mut Tx<'_>, token: &Token) -> Result<PermissionSet> {
    let holder = if token.owner_id.is_nil() { token.id } else { token.owner_id };
    accounts::held(tx, holder).await
}

/// What decides whether somebody could issue a token, as far as it is his own doing.
pub(crate) struct Maker<'a> {
    with: Cow<'a, Token>,
    /// Whether he came with an access token: it does not stand for the token that it came from.
    derived: bool,
    reach: Reach,
    effective: &'a PermissionSet,
    policy: &'a Policy,
}

impl<'a> Maker<'a> {
    fn of(caller: &'a Caller) -> Self {
        let (with, derived) = (caller.good().as_presented(), caller.good().checked().is_some());
        let reach = decide::reach(caller.token(), caller.org(), derived);
        Self { with, derived, reach, effective: &caller.effective, policy: caller.policy() }
    }

    fn fresh(fresh: &'a Fresh) -> Self {
        let with = Cow::Borrowed(&fresh.token);
        let (derived, reach) = (fresh.derived, fresh.reach);
        Self { with, derived, reach, effective: &fresh.effective, policy: &fresh.policy }
    }
}

/// Whether somebody could issue what this token is, whose owner holds `held`: who prolongs or re-awakens a token, takes
/// a new secret of it or is shown its secret gains that.
fn covers(maker: &Maker<'_>, token: &Token, held: &PermissionSet) -> Result<()> {
    let with = &*maker.with;
    if token.id == with.id && !maker.derived {
        return Ok(());
    }
    if token.owner_id == with.owner_id && token.scopes == Scopes::All && with.scopes != Scopes::All {
        return Err(Error::forbidden("a token with limited scopes can't do that to one with all scopes"));
    }
    if !maker.policy.widen_reach && !maker.reach.covers(token.reach) {
        return Err(Error::forbidden("a token can't do that to one with more reach than its own"));
    }
    if !with.addresses.cover(&token.addresses) {
        return Err(Error::forbidden("a token that is bound to addresses can't do that to one for others"));
    }
    grant::cover(maker.effective, &token.scopes.of(held), held)
}

/// Refuses a caller who could not issue what this token is.
pub(crate) async fn must_cover(tx: &mut Tx<'_>, fresh: &Fresh, token: &Token) -> Result<()> {
    let held = owner_holds(tx, token).await?;
    covers(&Maker::fresh(fresh), token, &held)
}

/// What is to change of a token.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Its name; `None` leaves it.
    pub name: Option<String>,
    /// Its end in epoch milliseconds, `NEVER` for none; `None` leaves it.
    pub expires_at: Option<Millis>,
}

/// Renames a token, changes when it ends, or both at once. A later end is as good as a new token, so it needs what
/// issuing needs.
///
/// # Errors
/// `not_found`, `missing_permission`, `not_covered`, `invalid_field`, `unlawful_state`.
pub async fn update(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid, update: Update) -> Result<Done<Outcome>> {
    if let Some(text) = &update.name {
        name::check_optional("name", text, name::NAME)?;
    }
    change(ctx, caller, async move |tx, fresh| {
        let wanted = if update.expires_at.is_some() { Move::ChangeExpiry } else { Move::Rename };
        let mut token = movable(tx, fresh, id, wanted).await?;
        let now = tx.now();
        let mut events = Vec::new();
        if let Some(text) = update.name.as_ref().filter(|text| **text != token.name) {
            let event = Event::new(EventKind::TokenRenamed, token.org_id, token.id);
            events.push(event.with("from", token.name.as_str()).with("name", text.as_str()));
            token.name.clone_from(text);
            token.name_fold = name::fold(text);
        }
        if let Some(at) = update.expires_at.filter(|at| *at != token.expires_at) {
            events.push(new_end(tx, fresh, &token, at, now).await?);
            token.expires_at = at;
        }
        if !events.is_empty() {
            token.updated_at = now;
            tokens::update(tx.conn(), &token).await?;
            events.into_iter().for_each(|event| tx.record(&fresh.actor, event));
        }
        Ok(Outcome::of(token.id))
    })
    .await
}

async fn new_end(tx: &mut Tx<'_>, fresh: &Fresh, token: &Token, at: Millis, now: Millis) -> Result<Event> {
    if at <= now {
        return Err(Error::invalid("expires_at", "must be in the future; to end a token now, revoke it"));
    }
    issue::within_policy(&fresh.policy, token.kind, token.created_at, at)?;
    let event = Event::new(EventKind::TokenExpiryChanged, token.org_id, token.id);
    let event = if token.expires_at == NEVER { event } else { event.with("from", token.expires_at) };
    let event = if at == NEVER { event } else { event.with("expires_at", at) };
    if at < token.expires_at {
        return Ok(event.removing(Removal::TokenEnds { id: token.id, at }));
    }
    if token.owner_id == fresh.account_id() {
        fresh.may(Act::IssueOwn)?;
    }
    must_cover(tx, fresh, token).await?;
    Ok(event)
}

/// Switches a token off.
///
/// # Errors
/// `not_found`, `missing_permission`, `unlawful_state`.
pub async fn deactivate(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        let token = movable(tx, fresh, id, Move::Deactivate).await?;
        let event = Event::new(EventKind::TokenDeactivated, token.org_id, token.id);
        switch(tx, fresh, token, TokenState::Inactive, event.removing(Removal::TokenInactive { id })).await
    })
    .await
}

/// Switches a token on again. That is as good as a new token, so it needs what issuing needs.
///
/// # Errors
/// `not_found`, `missing_permission`, `not_covered`, `unlawful_state`.
pub async fn reactivate(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        let token = movable(tx, fresh, id, Move::Reactivate).await?;
        if token.owner_id == fresh.account_id() {
            fresh.may(Act::IssueOwn)?;
        }
        must_cover(tx, fresh, &token).await?;
        let event = Event::new(EventKind::TokenReactivated, token.org_id, token.id);
        switch(tx, fresh, token, TokenState::Active, event).await
    })
    .await
}

async fn switch(tx: &mut Tx<'_>, fresh: &Fresh, mut token: Token, to: TokenState, event: Event) -> Result<Outcome> {
    let id = token.id;
    if token.state != to {
        token.state = to;
        token.updated_at = tx.now();
        tokens::update(tx.conn(), &token).await?;
        tx.record(&fresh.actor, event);
    }
    Ok(Outcome::of(id))
}

/// Ends the token of a secret: one's own, or with the permission any of the org. One that is not good any more, or never was,
/// is ended already (RFC 7009 2.2), as is another org's: `None`.
///
/// # Errors
/// As [`revoke`]; a refusal for access tokens, which end with what they came from.
pub async fn revoke_presented(ctx: &Arc<Ctx>, caller: &Caller, presented: &Presented) -> Result<Option<Done<Outcome>>> {
    if Compact::read(presented.bytes()).is_ok() {
        let message = "an access token ends with the token that it came from: revoke that one";
        return Err(Error::new(ErrorKind::Invalid, Refusal::TokenType, message));
    }
    match proven(ctx, caller, presented).await? {
        Some(id) => revoke(ctx, caller, id).await.map(Some),
        None => Ok(None),
    }
}

/// Ends a token for good. Repeating it changes nothing.
///
/// # Errors
/// `not_found`, `missing_permission`.
pub async fn revoke(ctx: &Arc<Ctx>, caller: &Caller, id: Uuid) -> Result<Done<Outcome>> {
    change(ctx, caller, async move |tx, fresh| {
        let token = movable(tx, fresh, id, Move::Revoke).await?;
        if token.state != TokenState::Revoked {
            let now = tx.now();
            let secrets = tokens::secrets(tx.conn(), token.id, now).await?;
            let event = Event::new(EventKind::TokenRevoked, token.org_id, token.id)
                .with("kind", token.kind.as_str())
                .with("owner", token.owner_id.to_string())
                .with("name", token.name.as_str())
                .removing_all(ending::removals(token.id, &secrets, now));
            ending::revoke(tx, token).await?;
            tx.record(&fresh.actor, event);
        }
        Ok(Outcome::of(id))
    })
    .await
}
