//! Api tokens: a person's own, with the least of his roles that is enough, to be exchanged for access tokens
//! ([`crate::grants`]). Renaming, switching and revoking them is as of all [`tokens`].

use std::sync::Arc;

use tokenhouse_model::account::AccountKind;
use tokenhouse_model::asked::{self, Asked, Terms};
use tokenhouse_model::credential::Presented;
use tokenhouse_model::cursor::Listed;
use tokenhouse_model::moves::{self, Move};
use tokenhouse_model::role::RoleKind;
use tokenhouse_model::secret::{Digest, Form, Shape, make};
use tokenhouse_model::token::Standing;
use tokenhouse_model::{Account, Done, Error, Millis, NEVER, Result, Role, Scopes, Token, TokenKind, Uuid, id};
use tokenhouse_store::{Conn, api_tokens, orgs, roles, tokens as rows};

use crate::caller::{Caller, Fresh, change};
use crate::tokens::{self, Ends, Issue, Mint, Proof};
use crate::views::{self, TokenView};
use crate::{Ctx, Outcome, accounts, verify};

/// What is asked of a new api token.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// Its name; may be empty.
    pub name: String,
    /// Its roles.
    pub asked: Asked,
    /// How long it lives, in milliseconds; as the org's policy has it unless told.
    pub life: Option<Millis>,
    /// How many days before its end its owner wants to hear of it; 0 for not at all.
    pub notice_days: i64,
}

/// An api token with what was asked of it.
#[derive(Clone, Debug)]
pub struct ApiTokenView {
    /// The token.
    pub view: TokenView,
    /// What was asked.
    pub terms: Terms,
}

/// Makes an api token of the caller's own. Only a person has them.
///
/// # Errors
/// `forbidden` for whoever is no person; `invalid_field` naming a role that he does not hold; `limit_reached`.
pub async fn create(ctx: &Arc<Ctx>, caller: &Caller, new: NewApiToken) -> Result<Done<Outcome>> {
    asked::check_name(&new.name)?;
    asked::check_life(new.life, new.notice_days)?;
    new.asked.check()?;
    let draft = tokens::draft(ctx, Form::Api, &[TokenKind::Api]);
    change(ctx, caller, async move |tx, fresh| {
        let owner = person(tx.conn(), fresh).await?;
        let custom = named(tx.conn(), fresh.org.id, &new.asked.custom).await?;
        // What he came with counts, not only what he holds: nobody gets more by a detour.
        let held = &fresh.effective;
        let permissions = new.asked.resolve(held, &custom, |wanted| held.lacks(wanted).is_none())?.permissions;
        let rules = fresh.policy.of(TokenKind::Api);
        let life = new.life.unwrap_or(rules.default_lifetime.min(rules.max_lifetime));
        let ask = Issue {
            name: new.name.clone(),
            scopes: Scopes::Only(permissions),
            ends: if life == NEVER { Ends::At(NEVER) } else { Ends::After(life) },
            form: Form::Api,
            ..Issue::own()
        };
        let (proof, actor, policy, surface) = (Proof::Token(fresh), &fresh.actor, &fresh.policy, fresh.surface);
        let (ask, draft, kind) = (&ask, &draft, TokenKind::Api);
        let mint = Mint { proof, actor, policy, surface, owner: &owner, kind, ask, draft, seal: None };
        let outcome = tokens::mint(tx, mint).await?;
        let (asked, notice_days) = (new.asked.clone(), new.notice_days);
        api_tokens::insert(tx.conn(), &Terms { token_id: outcome.id, asked, life, notice_days }).await?;
        Ok(outcome)
    })
    .await
}

/// The person who is calling.
async fn person(conn: &mut Conn<'_>, fresh: &Fresh) -> Result<Account> {
    if fresh.account_id().is_nil() {
        return Err(Error::forbidden("an org token has no api tokens: they are for people"));
    }
    let account = accounts::of_org(conn, fresh.org.id, fresh.account_id()).await?;
    match account.kind {
        AccountKind::User => Ok(account),
        AccountKind::App => Err(Error::forbidden("an app has no api tokens: they are for people")),
        AccountKind::Service => Err(Error::forbidden("a service account has no api tokens: they are for people")),
    }
}

/// The org's custom roles of these names, as far as they are there.
pub(crate) async fn named(conn: &mut Conn<'_>, org: Uuid, names: &[String]) -> Result<Vec<Role>> {
    let mut found = Vec::new();
    for text in names {
        let folded = tokenhouse_model::name::fold(text);
        let role = roles::by_name(conn, org, &folded).await?;
        found.extend(role.filter(|role| role.kind == RoleKind::Custom));
    }
    Ok(found)
}

/// How many tokens are read at once.
const AT_ONCE: i64 = 500;

/// The caller's own api tokens that are not revoked, oldest first.
///
/// # Errors
/// `unavailable`.
pub async fn list(ctx: &Ctx, caller: &Caller) -> Result<Vec<ApiTokenView>> {
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let (mut items, mut after) = (Vec::new(), Uuid::nil());
    while !caller.account_id().is_nil() {
        let rows = rows::live_of(&mut conn, caller.account_id(), after, AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        items.extend(rows.into_iter().filter(|token| token.kind == TokenKind::Api));
    }
    let listed = Listed { items, next: None };
    let listed = views::tokens(&mut conn, caller.policy(), listed, ctx.now()).await?;
    Ok(with_terms(&mut conn, listed).await?.items)
}

async fn with_terms(conn: &mut Conn<'_>, listed: Listed<TokenView>) -> Result<Listed<ApiTokenView>> {
    let ids: Vec<Uuid> = listed.items.iter().map(|view| view.token.id).collect();
    let mut terms = api_tokens::of_tokens(conn, &ids).await?;
    Ok(listed.map(|view| {
        let id = view.token.id;
        let at = terms.iter().position(|terms| terms.token_id == id);
        // One without was made in a way that asks nothing.
        let none = || Terms { token_id: id, asked: Asked::default(), life: NEVER, notice_days: 0 };
        ApiTokenView { terms: at.map_or_else(none, |at| terms.swap_remove(at)), view }
    }))
}

/// The api token of this id: the caller's own, or with the permission any of the org.
///
/// # Errors
/// `not_found`.
pub async fn get(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<ApiTokenView> {
    let view = tokens::get(ctx, caller, id).await?;
    if view.token.kind != TokenKind::Api {
        return Err(Error::not_found("api token"));
    }
    views::single(with_terms(&mut ctx.store.read().await?.conn(), views::one(view)).await?, "api token")
}

/// The api token that a secret proves, for whoever has the secret: one that is revoked, expired or replaced proves none.
///
/// # Errors
/// `not_found`, `unavailable`.
pub async fn details(ctx: &Ctx, presented: &Presented) -> Result<ApiTokenView> {
    let missing = || Error::not_found("api token");
    if !matches!(Shape::of(presented.bytes()), Ok(Shape::Api)) {
        return Err(missing());
    }
    // Who asks again and again in vain is answered from memory.
    if !matches!(verify::standing(ctx, presented).await?, Some((TokenKind::Api, Standing::Active | Standing::Inactive)))
    {
        return Err(missing());
    }
    // Anybody may ask, so this waits its turn like every look-up of what is not known.
    let _turn = ctx.fills.one().await?;
    let now = ctx.now();
    let mut reader = ctx.store.read().await?;
    let mut conn = reader.conn();
    let secret = rows::secret(&mut conn, &Digest::of(presented.bytes())).await?;
    let secret = secret.filter(|secret| secret.good_until > now).ok_or_else(missing)?;
    let token = rows::by_id(&mut conn, secret.token_id).await?.filter(|token| token.kind == TokenKind::Api);
    let token = token.ok_or_else(missing)?;
    let policy = orgs::policy(&mut conn, token.org_id).await?;
    let view = views::single(views::tokens(&mut conn, &policy, views::one(token), now).await?, "api token")?;
    let living = view.owner.as_ref().is_some_and(|owner| !owner.deleted());
    if !living || !matches!(view.standing, Standing::Active | Standing::Inactive) {
        return Err(missing());
    }
    views::single(with_terms(&mut conn, views::one(view)).await?, "api token")
}

/// Gives an api token a new value and a new life; every earlier value is dead at once. So is an expired one prolonged.
/// Only its owner does it, with what covers it.
///
/// # Errors
/// `not_found`, `forbidden`, `not_covered`, `limit_reached`, `unlawful_state`.
pub async fn regenerate(ctx: &Arc<Ctx>, caller: &Caller, token: Uuid) -> Result<Done<Outcome>> {
    let (secret_id, text) = (id::new(ctx.now(), &ctx.random), make(Form::Api, TokenKind::Api, &ctx.random));
    change(ctx, caller, async move |tx, fresh| {
        let token = own(tx.conn(), fresh, token).await?;
        let now = tx.now();
        let standing = token.standing(&fresh.policy, now);
        moves::check(token.kind, standing, Move::Rotate)?;
        tokens::must_cover(tx, fresh, &token).await?;
        if standing == Standing::Expired {
            tokens::within_limit(tx, fresh.account_id(), TokenKind::Api, &fresh.policy).await?;
        }
        let terms = api_tokens::of_tokens(tx.conn(), &[token.id]).await?.pop();
        let life = terms.map_or(NEVER, |terms| terms.life).min(fresh.policy.api.max_lifetime);
        let expires_at = now.saturating_add(life);
        rows::renew(tx.conn(), token.id, now, expires_at).await?;
        let secret = tokens::new_secret(secret_id, &token, &text, None, now);
        let event = tokens::supersede(tx, &token, &secret, now).await?;
        tx.record(&fresh.actor, if expires_at == NEVER { event } else { event.with("expires_at", expires_at) });
        Ok(Outcome { secret_id, secret: Some(text.clone()), ..Outcome::of(token.id) })
    })
    .await
}

/// The caller's own api token of this id.
async fn own(conn: &mut Conn<'_>, fresh: &Fresh, id: Uuid) -> Result<Token> {
    let owner = person(conn, fresh).await?;
    let token = rows::by_id(conn, id).await?.filter(|token| token.org_id == fresh.org.id);
    let token = token.filter(|token| token.kind == TokenKind::Api && token.owner_id == owner.id);
    token.ok_or_else(|| Error::not_found("api token"))
}
