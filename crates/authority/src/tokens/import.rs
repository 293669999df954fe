//! Tokens that move in from elsewhere, with the secrets that their holders have already.
//!
//! Each row is decided by itself: what is refused is told and changes nothing, and does not stop the others. A row that
//! is there already is told as present, so whoever was interrupted runs the same import again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokenhouse_model::access::Act;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::event::{Event, EventKind};
use tokenhouse_model::grant::{self, Minting};
use tokenhouse_model::import::{MOST_ROWS, No, Owner, Proof, Row, Told};
use tokenhouse_model::role::{Grant, HolderKind};
use tokenhouse_model::secret::Digest;
use tokenhouse_model::{
    Account, Done, Error, Millis, NEVER, PermissionSet, Result, Scopes, Secret, Token, TokenKind, TokenState, Uuid,
    grafana, id, name,
};
use tokenhouse_store::{Tx, accounts, moved, roles, tokens};

use super::sealed::Seal;
use crate::caller::{Caller, Fresh, change};
use crate::{Ctx, Outcome};

/// What is to be imported.
#[derive(Clone, Debug)]
pub struct Import {
    /// The rows, in their order; one that could not be read stands with the reason.
    pub rows: Vec<Result<Row, No>>,
    /// Whether all is decided and nothing is changed.
    pub dry_run: bool,
    /// Whether a token that would live longer than the org's policy allows ends when the policy says, instead of being
    /// refused.
    pub cap_lifetimes: bool,
}

/// Everything random about a new token, made before the transaction, which may run more than once.
#[derive(Clone, Debug)]
struct Made {
    token: Uuid,
    secret: Uuid,
    short: String,
}

/// Imports tokens. The outcome's `rows` tell what became of each.
///
/// # Errors
/// `missing_permission`, `invalid_field` for too many rows, `unavailable`. What is wrong with a row is told with it.
pub async fn import(ctx: &Arc<Ctx>, caller: &Caller, ask: Import) -> Result<Done<Outcome>> {
    if ask.rows.len() > MOST_ROWS {
        return Err(Error::invalid("tokens", format_args!("must be at most {MOST_ROWS}")));
    }
    let (now, random) = (ctx.now(), &ctx.random);
    let one = |_: &_| Made { token: id::new(now, random), secret: id::new(now, random), short: id::short(random) };
    let made: Vec<Made> = ask.rows.iter().map(one).collect();
    let ctx_then = ctx.clone();
    change(ctx, caller, async move |tx, fresh| {
        fresh.may(Act::ImportTokens)?;
        let mut desk = Desk::open(tx, fresh, &ask).await?;
        let mut told = Vec::with_capacity(ask.rows.len());
        let mut moved_in = MovedIn::default();
        for (row, made) in ask.rows.iter().zip(&made) {
            told.push(match row {
                Err(no) => Told::Refused(no.clone()),
                Ok(row) => match desk.decide(tx, row, made).await {
                    Ok(Decided::Present(id)) => Told::Present { id },
                    Ok(Decided::New(_)) if ask.dry_run => Told::Imported { id: None },
                    Ok(Decided::New(token)) => {
                        let seal = Seal::moved(&ctx_then, fresh, &token)?;
                        let secret = put(tx, &token, row, made, seal).await?;
                        moved_in.add(&token, &secret, &row.proof);
                        Told::Imported { id: Some(token.id) }
                    }
                    Err(error) => Told::Refused(refusal(error)?),
                },
            });
        }
        moved_in.record(tx, fresh).await?;
        Ok(Outcome { rows: told, ..Outcome::default() })
    })
    .await
}

/// Why one row is refused.
enum Refused {
    No(No),
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn no(code: &'static str, message: &str) -> Refused {
    Refused::No(No::new(code, message))
}

fn refusal(refused: Refused) -> Result<No> {
    match refused {
        Refused::No(no) => Ok(no),
        Refused::Error(error) => No::of(error),
    }
}

enum Decided {
    New(Box<Token>),
    Present(Uuid),
}

/// What the rows of one import are decided by: read at once for all of them.
struct Desk<'a> {
    fresh: &'a Fresh,
    cap_lifetimes: bool,
    now: Millis,
    by_id: HashMap<Uuid, Account>,
    by_name: HashMap<String, Uuid>,
    secrets: HashMap<Digest, Secret>,
    tokens: HashMap<Uuid, Token>,
    dead: HashSet<Digest>,
    /// Digests of the rows that were taken so far.
    seen: HashSet<Digest>,
    /// What owners hold, and how many tokens they have with those of the rows so far.
    held: HashMap<Uuid, PermissionSet>,
    counts: HashMap<(Uuid, TokenKind), i64>,
}

impl<'a> Desk<'a> {
    async fn open(tx: &mut Tx<'_>, fresh: &'a Fresh, ask: &Import) -> Result<Self> {
        let rows = || ask.rows.iter().flatten();
        let digests: Vec<Digest> = rows().map(|row| row.proof.digest()).collect::<BTreeSet<_>>().into_iter().collect();
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        for row in rows() {
            match &row.owner {
                Owner::Id(id) => drop(ids.insert(*id)),
                Owner::Named(folded) => drop(names.insert(folded.clone())),
                Owner::Org => {}
            }
        }
        let (now, org) = (tx.now(), fresh.org.id);
        let conn = tx.conn();
        let mut owners = accounts::by_identifiers(conn, org, &names.into_iter().collect::<Vec<_>>()).await?;
        owners.extend(accounts::by_ids(conn, &ids.into_iter().collect::<Vec<_>>()).await?);
        let owners = owners.into_iter().filter(|account| account.org_id == org && !account.deleted());
        let by_id: HashMap<Uuid, Account> = owners.map(|account| (account.id, account)).collect();
        let by_name = by_id.values().map(|account| (account.identifier_fold.clone(), account.id)).collect();
        let secrets = tokens::secrets_by_digest(conn, &digests).await?;
        let ids: BTreeSet<Uuid> = secrets.iter().map(|secret| secret.token_id).collect();
        let there = tokens::by_ids(conn, &ids.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self {
            fresh,
            cap_lifetimes: ask.cap_lifetimes,
            now,
            by_id,
            by_name,
            secrets: secrets.into_iter().map(|secret| (secret.digest, secret)).collect(),
            tokens: there.into_iter().map(|token| (token.id, token)).collect(),
            dead: moved::dead(conn, &digests).await?.into_iter().collect(),
            seen: HashSet::new(),
            held: HashMap::new(),
            counts: HashMap::new(),
        })
    }

    /// The row's owner; `None` for the org itself.
    fn owner(&self, row: &Row) -> Result<Option<Account>, Refused> {
        let id = match &row.owner {
            Owner::Org => return Ok(None),
            Owner::Id(id) => Some(id),
            Owner::Named(folded) => self.by_name.get(folded),
        };
        let account = id.and_then(|id| self.by_id.get(id)).cloned();
        account.map(Some).ok_or_else(|| no("unknown_owner", "there is no account of this name or id"))
    }

    async fn decide(&mut self, tx: &mut Tx<'_>, row: &Row, made: &Made) -> Result<Decided, Refused> {
        let digest = row.proof.digest();
        if self.seen.contains(&digest) {
            return Err(no("duplicate", "an earlier row has the same secret"));
        }
        let owner = self.owner(row)?;
        let kind = kind(owner.as_ref())?;
        if let Some(id) = self.present(row, digest, owner.as_ref(), kind)? {
            self.seen.insert(digest);
            return Ok(Decided::Present(id));
        }
        self.may_bring(owner.as_ref())?;
        let held = self.holds(tx, row, owner.as_ref()).await?;
        let scopes = if owner.is_some() { row.scopes.clone() } else { Scopes::All };
        self.covers(row, owner.as_ref(), &held, &scopes)?;
        let (created_at, expires_at) = self.times(row, kind)?;
        let (fresh, now) = (self.fresh, self.now);
        let token = Token {
            id: made.token,
            short_id: made.short.clone(),
            org_id: fresh.org.id,
            owner_id: owner.as_ref().map_or(Uuid::nil(), |owner| owner.id),
            kind,
            name: row.name.clone(),
            name_fold: name::fold(&row.name),
            state: if row.disabled { TokenState::Inactive } else { TokenState::Active },
            scopes,
            reach: row.reach(),
            addresses: row.addresses.clone(),
            created_at,
            created_by: fresh.actor.account,
            created_through: fresh.actor.token,
            updated_at: now,
            not_before: 0,
            expires_at,
            idle_limit: NEVER,
            last_used_at: row.last_used_at.min(now),
            last_used_address: String::new(),
            revoked_at: 0,
        };
        if now >= token.idles_at(&fresh.policy, token.last_used_at) {
            return Err(no("idle", "last_used_at is longer ago than the org's policy lets a token rest"));
        }
        self.within_limit(tx, owner.as_ref(), kind).await?;
        self.seen.insert(digest);
        Ok(Decided::New(Box::new(token)))
    }

    /// The token of the same secret, if it is this row's.
    fn present(
        &self,
        row: &Row,
        digest: Digest,
        owner: Option<&Account>,
        kind: TokenKind,
    ) -> Result<Option<Uuid>, Refused> {
        let gone = || no("dead", "this secret was revoked or replaced here; it is not taken in again");
        let Some(secret) = self.secrets.get(&digest) else {
            return if self.dead.contains(&digest) { Err(gone()) } else { Ok(None) };
        };
        let owner = owner.map_or(Uuid::nil(), |owner| owner.id);
        let same = |token: &&Token| {
            token.org_id == self.fresh.org.id && token.owner_id == owner && token.kind == kind && token.name == row.name
        };
        match self.tokens.get(&secret.token_id).filter(same) {
            None => Err(no("duplicate", "this secret is in use for another token")),
            Some(token) if token.state == TokenState::Revoked || secret.good_until <= self.now => Err(gone()),
            Some(token) => Ok(Some(token.id)),
        }
    }

    /// Beyond the permission to import: whatever issuing this token would need, but that the person must do it himself.
    fn may_bring(&self, owner: Option<&Account>) -> Result<(), Refused> {
        let Some(owner) = owner else { return Ok(self.fresh.may(Act::ManageTokens)?) };
        if owner.state != AccountState::Active {
            return Err(no("unlawful_state", "the owner's account is deactivated"));
        }
        let own = owner.id == self.fresh.account_id();
        match owner.kind {
            AccountKind::Service if own => Ok(self.fresh.may(Act::IssueOwnService)?),
            AccountKind::Service => Ok(self.fresh.may(Act::IssueForService)?),
            AccountKind::User if own => Ok(self.fresh.may(Act::IssueOwn)?),
            AccountKind::User | AccountKind::App => Ok(()),
        }
    }

    /// What the token's owner holds; of the org's own token, what the token itself is to hold.
    async fn holds(&mut self, tx: &mut Tx<'_>, row: &Row, owner: Option<&Account>) -> Result<PermissionSet, Refused> {
        let Some(owner) = owner else {
            let set = row.scopes.only().cloned().unwrap_or_default();
            if !set.management().is_empty() {
                return Err(no("forbidden", "an org token can't hold a management permission"));
            }
            return Ok(set);
        };
        if let Some(held) = self.held.get(&owner.id) {
            return Ok(held.clone());
        }
        let held = crate::accounts::held(tx, owner.id).await?;
        self.held.insert(owner.id, held.clone());
        Ok(held)
    }

    /// Nobody brings what he could not give.
    fn covers(&self, row: &Row, owner: Option<&Account>, held: &PermissionSet, scopes: &Scopes) -> Result<(), Refused> {
        let fresh = self.fresh;
        grant::mint(&Minting {
            with: Some(&fresh.token),
            own: owner.is_some_and(|owner| owner.id == fresh.account_id()),
            effective: &fresh.effective,
            held,
            scopes,
            reach: row.reach(),
            widen_reach: fresh.policy.widen_reach,
        })?;
        if !fresh.token.addresses.cover(&row.addresses) {
            return Err(no("forbidden", "a token that is bound to addresses can't import one for others"));
        }
        Ok(())
    }

    /// When the token was made and when it ends, as far as the org's policy lets it.
    fn times(&self, row: &Row, kind: TokenKind) -> Result<(Millis, Millis), Refused> {
        let created_at = row.created_at.unwrap_or(self.now);
        if created_at > self.now {
            return Err(no("malformed", "created_at must not be in the future"));
        }
        let longest = self.fresh.policy.of(kind).max_lifetime;
        let latest = created_at.saturating_add(longest);
        let expires_at = if self.cap_lifetimes { row.expires_at.min(latest) } else { row.expires_at };
        if expires_at <= self.now {
            return Err(no("expired", "the token's time is over"));
        }
        if expires_at > latest {
            let days = longest / tokenhouse_model::policy::DAY;
            let message = format!("the org's policy lets a token live {days} days from its making at most");
            return Err(Refused::No(No::new("lifetime", message)));
        }
        Ok((created_at, expires_at))
    }

    async fn within_limit(&mut self, tx: &mut Tx<'_>, owner: Option<&Account>, kind: TokenKind) -> Result<(), Refused> {
        let rules = self.fresh.policy.of(kind);
        let oldest = self.now.saturating_sub(rules.max_lifetime);
        let key = (owner.map_or(Uuid::nil(), |owner| owner.id), kind);
        let count = match (self.counts.get(&key), owner) {
            (Some(count), _) => *count,
            (None, Some(owner)) => tokens::count_live(tx.conn(), owner.id, kind, self.now, oldest).await?,
            (None, None) => tokens::count_live_of_org(tx.conn(), self.fresh.org.id, kind, self.now, oldest).await?,
        };
        if count >= rules.limit {
            self.counts.insert(key, count);
            return Err(Error::limit(&format!("{kind} tokens per owner"), rules.limit).into());
        }
        self.counts.insert(key, count + 1);
        Ok(())
    }
}

fn kind(owner: Option<&Account>) -> Result<TokenKind, Refused> {
    match owner.map(|owner| owner.kind) {
        None => Ok(TokenKind::Org),
        Some(AccountKind::User) => Ok(TokenKind::User),
        Some(AccountKind::Service) => Ok(TokenKind::Service),
        Some(AccountKind::App) => Err(no("forbidden", "an app gets client secrets, not tokens")),
    }
}

/// Writes a token with its secret.
async fn put(tx: &mut Tx<'_>, token: &Token, row: &Row, made: &Made, seal: Option<Seal<'_>>) -> Result<Digest> {
    let now = tx.now();
    tokens::insert(tx.conn(), token).await?;
    let digest = row.proof.digest();
    let sealed = match (&row.proof, seal) {
        (Proof::Text(text), Some(seal)) => seal.close(made.secret, text)?,
        _ => Vec::new(),
    };
    let secret = Secret {
        id: made.secret,
        token_id: token.id,
        org_id: token.org_id,
        digest,
        last4: row.last4.clone(),
        created_at: token.created_at,
        good_until: NEVER,
        sealed,
    };
    tokens::insert_secret(tx.conn(), &secret).await?;
    if token.owner_id.is_nil() {
        for permission in row.scopes.only().into_iter().flat_map(PermissionSet::iter) {
            let grant = Grant {
                holder_id: token.id,
                holder_kind: HolderKind::Token,
                permission: permission.to_owned(),
                org_id: token.org_id,
                expires_at: NEVER,
                created_at: now,
            };
            roles::grant(tx.conn(), &grant).await?;
        }
    }
    Ok(digest)
}

/// What the ledger is told of the tokens that moved in.
#[derive(Default)]
struct MovedIn {
    /// Ids of tokens by those of their owners.
    owners: BTreeMap<String, Vec<String>>,
    digests: Vec<Digest>,
    grafana: bool,
}

impl MovedIn {
    fn add(&mut self, token: &Token, digest: &Digest, proof: &Proof) {
        self.owners.entry(token.owner_id.to_string()).or_default().push(token.id.to_string());
        self.digests.push(*digest);
        self.grafana |= matches!(proof, Proof::Grafana(_));
    }

    async fn record(self, tx: &mut Tx<'_>, fresh: &Fresh) -> Result<()> {
        if self.digests.is_empty() {
            return Ok(());
        }
        let tokens = serde_json::to_value(&self.owners).map_err(Error::internal)?;
        let event = Event::new(EventKind::TokensImported, fresh.org.id, Uuid::nil())
            .with("count", self.digests.len())
            .with("tokens", tokens);
        let mut event = self.digests.iter().fold(event, Event::making);
        if self.grafana {
            moved::note_grafana(tx.conn()).await?;
            event = event.making(&grafana::ANY);
        }
        tx.record(&fresh.actor, event);
        Ok(())
    }
}
