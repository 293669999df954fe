//! Issuing a token.

use std::borrow::Cow;
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::address::AddressRules;
use tokenhouse_model::event::{Actor, Event, EventKind};
use tokenhouse_model::grant::{self, Minting};
use tokenhouse_model::policy::{SHORTEST_IDLE, SHORTEST_LIFETIME};
use tokenhouse_model::secret::{Digest, Form, make};
use tokenhouse_model::{
    Account, Done, Error, Millis, NEVER, PermissionSet, Policy, Reach, Result, Scopes, Secret, SecretText, Surface,
    Token, TokenKind, TokenState, Uuid, id, name,
};
use tokenhouse_store::{Tx, integrations as named, tokens};

use super::sealed::Seal;
use crate::caller::{Caller, Fresh, change};
use crate::{Ctx, Outcome, accounts, integrations};

/// What is asked of a new token.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Its owner: a service account, or the caller himself.
    pub owner: Option<Uuid>,
    /// Its name; may be empty.
    pub name: String,
    /// What of its owner's permissions it carries.
    pub scopes: Scopes,
    /// Where it works; `None` for what its surface gives.
    pub reach: Option<Reach>,
    /// From where it works.
    pub addresses: AddressRules,
    /// It does not work before, in epoch milliseconds; 0 for from the start.
    pub not_before: Millis,
    /// When it ends.
    pub ends: Ends,
    /// It stops working when unused for so long, in milliseconds; `NEVER` if it may rest.
    pub idle_limit: Millis,
    /// The integration whose proxies it is for, which decides scopes and reach; for tokens of service accounts.
    pub integration: Option<String>,
    /// The form of its secret.
    pub form: Form,
}

/// When a new token ends.
#[derive(Clone, Copy, Debug)]
pub enum Ends {
    /// As the org's policy has it.
    Default,
    /// Then, in epoch milliseconds; `NEVER` for never.
    At(Millis),
    /// After so many milliseconds.
    After(Millis),
}

impl Issue {
    /// A token of one's own with nothing special.
    pub fn own() -> Self {
        Self {
            owner: None,
            name: String::new(),
            scopes: Scopes::All,
            reach: None,
            addresses: AddressRules::default(),
            not_before: 0,
            ends: Ends::Default,
            idle_limit: NEVER,
            integration: None,
            form: Form::House,
        }
    }

    fn check(&self) -> Result<()> {
        name::check_optional("name", &self.name, name::NAME)?;
        if self.idle_limit < SHORTEST_IDLE {
            return Err(Error::invalid("idle_seconds", "must be at least 3600"));
        }
        if matches!(self.ends, Ends::After(life) if life < SHORTEST_LIFETIME) {
            return Err(Error::invalid("lifetime_seconds", "must be at least 1"));
        }
        if self.not_before < 0 {
            return Err(Error::invalid("not_before", "must be a time in epoch milliseconds"));
        }
        self.reach.map_or(Ok(Reach::ALL), Reach::not_empty).map(|_| ())
    }
}

/// Refuses an end that is later than the org's policy allows for a token made then.
pub(super) fn within_policy(policy: &Policy, kind: TokenKind, made: Millis, ends: Millis) -> Result<()> {
    let longest = policy.of(kind).max_lifetime;
    if ends > made.saturating_add(longest) {
        let seconds = longest / 1000;
        return Err(Error::invalid(
            "expires_at",
            format_args!("must be within {seconds} s of the making: the org's policy"),
        ));
    }
    Ok(())
}

/// Everything random about a new token, made before the transaction, which may run more than once.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    token: Uuid,
    secret: Uuid,
    short: String,
    /// The kind is part of the secret's text, and known only once the owner is read: one text for each.
    texts: Vec<(TokenKind, SecretText)>,
    /// The slow digest of a secret that its maker chose.
    slow: Option<Digest>,
}

/// Makes a draft for a token that will be of one of these kinds.
pub(crate) fn draft(ctx: &Ctx, form: Form, kinds: &[TokenKind]) -> Draft {
    let (now, random) = (ctx.now(), &ctx.random);
    let texts = kinds.iter().map(|kind| (*kind, make(form, *kind, random))).collect();
    Draft { token: id::new(now, random), secret: id::new(now, random), short: id::short(random), texts, slow: None }
}

impl Draft {
    /// With this secret instead of the one that was made.
    pub(crate) fn with_secret(self, id: Uuid, kind: TokenKind, text: SecretText, slow: Option<Digest>) -> Self {
        Self { secret: id, texts: vec![(kind, text)], slow, ..self }
    }

    fn text(&self, kind: TokenKind) -> Result<SecretText> {
        let text = self.texts.iter().find(|(made, _)| *made == kind).map(|(_, text)| text.clone());
        text.ok_or_else(|| Error::internal("no secret was made for this kind"))
    }
}

/// What proves that someone may issue a token.
#[derive(Debug)]
pub(crate) enum Proof<'a> {
    /// A credential.
    Token(&'a Fresh),
    /// His password: he is there himself, so nothing is above him.
    Password,
    /// The machine itself, at its making.
    System,
}

/// Issues a token: one's own, or a service account's. Nobody issues one for another person.
///
/// # Errors
/// `missing_permission`, `not_covered`, `forbidden`, `limit_reached`, `invalid_field`, `not_found`.
pub async fn issue(ctx: &Arc<Ctx>, caller: &Caller, ask: Issue) -> Result<Done<Outcome>> {
    ask.check()?;
    let draft = draft(ctx, ask.form, &[TokenKind::User, TokenKind::Service]);
    let ctx_then = ctx.clone();
    change(ctx, caller, async move |tx, fresh| {
        let owner = ask.owner.unwrap_or(fresh.account_id());
        let owner = accounts::of_org(tx.conn(), fresh.org.id, owner).await?;
        let kind = may_issue(fresh, &owner)?;
        let ask = integrations::narrowed(tx, fresh, kind, &ask).await?;
        let (proof, actor, policy, surface) = (Proof::Token(fresh), &fresh.actor, &fresh.policy, fresh.surface);
        let seal = Seal::new(&ctx_then, fresh)?;
        mint(tx, Mint { proof, actor, policy, surface, owner: &owner, kind, ask: &ask, draft: &draft, seal }).await
    })
    .await
}

/// Who may issue for whom, and what kind of token that is.
fn may_issue(fresh: &Fresh, owner: &Account) -> Result<TokenKind> {
    let own = owner.id == fresh.account_id();
    match owner.kind {
        AccountKind::Service => {
            fresh.may(if own { Act::IssueOwnService } else { Act::IssueForService })?;
            Ok(TokenKind::Service)
        }
        AccountKind::User if own => {
            fresh.may(Act::IssueOwn)?;
            Ok(TokenKind::User)
        }
        AccountKind::User => Err(Error::forbidden("nobody can issue a token for another person")),
        AccountKind::App => Err(Error::forbidden("an app gets client secrets, not tokens")),
    }
}

/// A token that is to be made.
#[derive(Debug)]
pub(crate) struct Mint<'a> {
    pub(crate) proof: Proof<'a>,
    pub(crate) actor: &'a Actor,
    pub(crate) policy: &'a Policy,
    /// The surface on which it is asked for.
    pub(crate) surface: Surface,
    pub(crate) owner: &'a Account,
    pub(crate) kind: TokenKind,
    pub(crate) ask: &'a Issue,
    pub(crate) draft: &'a Draft,
    /// With what its secret is kept, where it can be shown again; else it is told once.
    pub(crate) seal: Option<Seal<'a>>,
}

/// Makes a token within a transaction, under every rule but the one about who may ask.
pub(crate) async fn mint(tx: &mut Tx<'_>, mint: Mint<'_>) -> Result<Outcome> {
    let Mint { proof, actor, policy, surface, owner, kind, ask, draft, seal } = mint;
    let now = tx.now();
    if owner.state != AccountState::Active {
        return Err(Error::state("the account is deactivated"));
    }
    let held = accounts::held(tx, owner.id).await?;
    let (reach, addresses) = bounds(&proof, ask, surface)?;
    check_mint(&proof, policy, owner, &held, ask, reach)?;
    let rules = policy.of(kind);
    within_limit(tx, owner.id, kind, policy).await?;
    let expires_at = match ask.ends {
        Ends::At(at) => at,
        Ends::After(life) => now.saturating_add(life),
        Ends::Default => now.saturating_add(rules.default_lifetime.min(rules.max_lifetime)),
    };
    if expires_at <= now || expires_at <= ask.not_before {
        return Err(Error::invalid("expires_at", "must be in the future and after not_before"));
    }
    if !matches!(ask.ends, Ends::Default) && rules.max_lifetime != NEVER {
        within_policy(policy, kind, now, expires_at)?;
    }
    let token = Token {
        id: draft.token,
        short_id: draft.short.clone(),
        org_id: owner.org_id,
        owner_id: owner.id,
        kind,
        name: ask.name.clone(),
        name_fold: name::fold(&ask.name),
        state: TokenState::Active,
        scopes: ask.scopes.clone(),
        reach,
        addresses,
        created_at: now,
        created_by: actor.account,
        created_through: actor.token,
        updated_at: now,
        not_before: ask.not_before,
        expires_at,
        idle_limit: ask.idle_limit,
        last_used_at: 0,
        last_used_address: String::new(),
        revoked_at: 0,
    };
    tokens::insert(tx.conn(), &token).await?;
    let text = draft.text(kind)?;
    let mut secret = new_secret(draft.secret, &token, &text, draft.slow, now);
    if let Some(seal) = seal {
        secret.sealed = seal.close(secret.id, &text)?;
    }
    tokens::insert_secret(tx.conn(), &secret).await?;
    let event = Event::new(EventKind::TokenIssued, token.org_id, token.id)
        .with("kind", kind.as_str())
        .with("owner", owner.id.to_string())
        .with("name", token.name.as_str())
        .with("reach", serde_json::to_value(token.reach).unwrap_or_default())
        .with("secret", draft.secret.to_string())
        .making(&secret.digest);
    let event = match &ask.integration {
        Some(integration) => {
            named::insert_for(tx.conn(), token.id, integration).await?;
            event.with("integration", integration.as_str())
        }
        None => event,
    };
    tx.record(actor, if expires_at == NEVER { event } else { event.with("expires_at", expires_at) });
    Ok(Outcome { secret_id: draft.secret, secret: Some(text), ..Outcome::of(token.id) })
}

/// Refuses one more living token than the policy allows to an owner.
pub(crate) async fn within_limit(tx: &mut Tx<'_>, owner: Uuid, kind: TokenKind, policy: &Policy) -> Result<()> {
    let (now, rules) = (tx.now(), policy.of(kind));
    let count = tokens::count_live(tx.conn(), owner, kind, now, now.saturating_sub(rules.max_lifetime)).await?;
    if count >= rules.limit {
        return Err(Error::limit(&format!("{kind} tokens per account"), rules.limit));
    }
    Ok(())
}

/// Where and from where the new token works: never more than the one that makes it, unless the policy says so.
fn bounds(proof: &Proof<'_>, ask: &Issue, surface: Surface) -> Result<(Reach, AddressRules)> {
    let default = Reach::default_of(surface);
    let Proof::Token(fresh) = proof else { return Ok((ask.reach.unwrap_or(default), ask.addresses.clone())) };
    let reach = ask.reach.unwrap_or_else(|| default.intersection(fresh.token.reach)).not_empty()?;
    if ask.addresses.anywhere() {
        return Ok((reach, fresh.token.addresses.clone()));
    }
    if !fresh.token.addresses.cover(&ask.addresses) {
        return Err(Error::forbidden("a token that is bound to addresses can't issue one for others"));
    }
    Ok((reach, ask.addresses.clone()))
}

fn check_mint(
    proof: &Proof<'_>,
    policy: &Policy,
    owner: &Account,
    held: &PermissionSet,
    ask: &Issue,
    reach: Reach,
) -> Result<()> {
    let (with, own, effective) = match proof {
        Proof::Token(fresh) => (Some(*fresh), fresh.account_id() == owner.id, &fresh.effective),
        Proof::Password | Proof::System => (None, true, held),
    };
    // What the account is given later counts for an integration, but for nobody's detour around limits of his own.
    if own
        && ask.integration.is_some()
        && let Some(limits) = with.and_then(|fresh| fresh.token.scopes.only())
        && let Some(lacking) = ask.scopes.only().and_then(|needed| limits.lacks(needed))
    {
        return Err(Error::not_covered(&lacking));
    }
    let (with, scopes) = match ask.integration {
        // What its proxies need may be given to the account later, and an access token makes what it reaches itself.
        Some(_) => (with.map(Fresh::reaching), Scopes::Only(ask.scopes.of(held))),
        None => (with.map(|fresh| Cow::Borrowed(&fresh.token)), ask.scopes.clone()),
    };
    let (with, scopes) = (with.as_deref(), &scopes);
    grant::mint(&Minting { with, own, effective, held, scopes, reach, widen_reach: policy.widen_reach })
}

/// A current secret of a token; `slow` is the digest of one that its maker chose.
pub(crate) fn new_secret(id: Uuid, token: &Token, text: &SecretText, slow: Option<Digest>, now: Millis) -> Secret {
    // Of one that may be short not even the end is shown.
    let last4 = if slow.is_some() { String::new() } else { text.last4() };
    Secret {
        id,
        token_id: token.id,
        org_id: token.org_id,
        digest: slow.unwrap_or_else(|| text.digest()),
        last4,
        created_at: now,
        good_until: NEVER,
        sealed: Vec::new(),
    }
}
