//! The tokens that people and service accounts hold, as their dialect asks for them: by account or by whole org, by id
//! or by secret (design 5.8), with the secret where it may be shown again.

use std::collections::HashMap;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::cursor::{Listed, Page};
use tokenhouse_model::secret::{Digest, Form, Shape};
use tokenhouse_model::token::Standing;
use tokenhouse_model::{Account, Done, Error, Result, SecretText, Token, TokenKind, Uuid, name};
use tokenhouse_store::{Conn, accounts, roles, tokens};

use super::{Issue, Maker, covers, issue, revoke, sealed};
use crate::caller::Caller;
use crate::views::{self, TokenView};
use crate::{Ctx, Outcome};

/// Whose tokens are meant.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// The caller's own.
    Own,
    /// Those of the service account of this identifier.
    Service(&'a str),
    /// Anyone's in the caller's org.
    Anyones,
}

/// A token as its list shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The token.
    pub view: TokenView,
    /// Its secret, where it was just made or may be shown again.
    pub secret: Option<SecretText>,
}

fn held_by_someone(token: &Token) -> bool {
    matches!(token.kind, TokenKind::User | TokenKind::Service)
}

/// The account whose tokens are meant; `None` for anyone's. Who may not see others' learns nothing of who there is.
async fn owner(conn: &mut Conn<'_>, caller: &Caller, whose: Whose<'_>) -> Result<Option<Account>> {
    match whose {
        Whose::Anyones => caller.may(Act::SeeTokens).map(|()| None),
        Whose::Own => match caller.account() {
            Some(account) => Ok(Some(account.clone())),
            None => Err(Error::forbidden("an org token has no tokens of its own")),
        },
        Whose::Service(identifier) => {
            caller.may(Act::SeeTokens)?;
            let missing = || Error::not_found("service account");
            let folded = name::findable(identifier, name::IDENTIFIER).ok_or_else(missing)?;
            let found = accounts::by_identifier(conn, caller.org().id, &folded).await?;
            found.filter(|account| account.kind == AccountKind::Service).map(Some).ok_or_else(missing)
        }
    }
}

/// The id of the living token that a text names, by its id or by a secret that is good.
///
/// # Errors
/// `missing_permission`; `not_found` also for one that is not among those that are meant.
pub async fn named(ctx: &Ctx, caller: &Caller, whose: Whose<'_>, text: &str) -> Result<Uuid> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let owner = owner(&mut conn, caller, whose).await?;
    let missing = || Error::not_found("token");
    let id = match Shape::of(text.as_bytes()) {
        Ok(Shape::Uuid | Shape::House(TokenKind::User | TokenKind::Service)) => {
            let secret = tokens::secret(&mut conn, &Digest::of(text.as_bytes())).await?;
            secret.filter(|secret| secret.good_until > ctx.now()).map(|secret| secret.token_id)
        }
        _ => Uuid::try_parse(text).ok(),
    };
    let token = tokens::by_id(&mut conn, id.ok_or_else(missing)?).await?.ok_or_else(missing)?;
    let meant = owner.is_none_or(|owner| owner.id == token.owner_id);
    let dead = matches!(token.standing(caller.policy(), ctx.now()), Standing::Revoked | Standing::Expired);
    if token.org_id != caller.org().id || !held_by_someone(&token) || !meant || dead {
        return Err(missing());
    }
    Ok(token.id)
}

/// The living tokens of an account, oldest first. Their secrets stand beside them where the org keeps them and the
/// caller could make what they are.
///
/// # Errors
/// `missing_permission`, `not_found`.
pub async fn held(ctx: &Ctx, caller: &Caller, whose: Whose<'_>) -> Result<Vec<Shown>> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let owner = owner(&mut conn, caller, whose).await?.ok_or_else(|| Error::internal("no account was meant"))?;
    let views = living(ctx, &mut conn, caller, owner.id).await?;
    let holds = roles::held(&mut conn, owner.id, ctx.now()).await?;
    let show = |view: TokenView| {
        let may = covers(&Maker::of(caller), &view.token, &holds).is_ok();
        let secret = sealed::open(ctx, caller.org(), caller.policy(), &view.secrets);
        Ok(Shown { secret: if may { secret? } else { None }, view })
    };
    views.into_iter().map(show).collect()
}

/// A page of the living tokens that the org's people and service accounts hold, oldest first. It may have fewer than were
/// asked for, or none, and still not be the last.
///
/// # Errors
/// `missing_permission`.
pub async fn everyones(ctx: &Ctx, caller: &Caller, page: Page) -> Result<Listed<TokenView>> {
    caller.may(Act::SeeTokens)?;
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let (org, limit) = (caller.org().id, i64::from(page.limit) + 1);
    let rows = tokens::list(&mut conn, org, tokens::Filter::default(), page.cursor.after, limit).await?;
    let mut listed = page.cut(rows, |token| token.id);
    let (policy, now) = (caller.policy(), ctx.now());
    listed.items.retain(|token| {
        held_by_someone(token) && !matches!(token.standing(policy, now), Standing::Revoked | Standing::Expired)
    });
    views::tokens(&mut conn, policy, listed, now).await
}

/// The most tokens that are shown with a page of accounts, for each 64 of them: what a policy allows beyond it is in the
/// account's own list.
const MOST_SHOWN: i64 = 10_000;

/// The living tokens of several accounts, oldest first; none for a caller who may not see them.
///
/// # Errors
/// `unavailable`.
pub async fn of_accounts(ctx: &Ctx, caller: &Caller, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<TokenView>>> {
    let mut held: HashMap<Uuid, Vec<TokenView>> = HashMap::new();
    if !Act::SeeTokens.allowed(&caller.effective) {
        return Ok(held);
    }
    let (policy, now) = (caller.policy(), ctx.now());
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let mut items = tokens::live_of_owners(&mut conn, ids, now, MOST_SHOWN).await?;
    items.retain(|token| {
        token.org_id == caller.org().id && held_by_someone(token) && token.standing(policy, now) != Standing::Expired
    });
    items.sort_by_key(|token| (token.created_at, token.id));
    for view in views::tokens(&mut conn, policy, Listed { items, next: None }, now).await?.items {
        held.entry(view.token.owner_id).or_default().push(view);
    }
    Ok(held)
}

/// An account's living tokens, oldest first.
async fn living(ctx: &Ctx, conn: &mut Conn<'_>, caller: &Caller, owner: Uuid) -> Result<Vec<TokenView>> {
    const PAGE: i64 = 500;
    let (policy, now) = (caller.policy(), ctx.now());
    let (mut all, mut after) = (Vec::new(), Uuid::nil());
    loop {
        let rows = tokens::live_of(conn, owner, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        let items = rows.into_iter().filter(held_by_someone).collect();
        all.extend(views::tokens(conn, policy, Listed { items, next: None }, now).await?.items);
    }
    all.retain(|view| view.standing != Standing::Expired);
    all.sort_by_key(|view| (view.token.created_at, view.token.id));
    Ok(all)
}

/// Issues a token in the dialect's form, and gives back all living ones of its account: the new one last, and only it
/// with its secret (wavefront.md gotcha 5).
///
/// # Errors
/// As [`issue`].
pub async fn issue_among(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    whose: Whose<'_>,
    name: String,
    integration: Option<String>,
) -> Result<(Done<Outcome>, Result<Vec<Shown>>)> {
    let owner = owner(&mut ctx.store.read().await?.conn(), caller, whose).await?.map(|account| account.id);
    let done = issue(ctx, caller, Issue { owner, name, integration, form: Form::Uuid, ..Issue::own() }).await?;
    let (id, secret) = (done.value.id, done.value.secret.clone());
    let all = remaining(ctx, caller, owner.unwrap_or_default()).await.map(|mut all| {
        // By identity and not by time: another one may be made in the same instant.
        all.sort_by_key(|shown| shown.view.token.id == id);
        if let Some(new) = all.last_mut().filter(|shown| shown.view.token.id == id) {
            new.secret = secret;
        }
        all
    });
    Ok((done, all))
}

/// Revokes a token, and gives back the living ones that its account is left with.
///
/// # Errors
/// As [`named`] and [`revoke`].
pub async fn revoke_among(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    whose: Whose<'_>,
    text: &str,
) -> Result<(Done<Outcome>, Result<Vec<Shown>>)> {
    let id = named(ctx, caller, whose, text).await?;
    let owner = super::of_org(&mut ctx.store.read().await?.conn(), caller.org().id, id).await?.owner_id;
    let done = revoke(ctx, caller, id).await?;
    let left = remaining(ctx, caller, owner).await;
    Ok((done, left))
}

/// What an account has after a change that its maker was allowed.
async fn remaining(ctx: &Ctx, caller: &Caller, owner: Uuid) -> Result<Vec<Shown>> {
    let mut reader = ctx.store.read().await?;
    let views = living(ctx, &mut reader.conn(), caller, owner).await?;
    Ok(views.into_iter().map(|view| Shown { view, secret: None }).collect())
}
