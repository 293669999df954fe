//! Grants: access tokens for whoever proves himself with what lives longer.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokenhouse_model::account::AccountKind;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::decide::{Ask, Reason, Way};
use tokenhouse_model::jwt::{self, Claims, Typ};
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Error, Kinds, Millis, PermissionSet, Result, SecretText, Surface, TokenKind, Uuid, id};

use crate::verify::{self, Good, Verdict};
use crate::{Ctx, apps, keys};

/// What is asked for in exchange for a secret.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The secret.
    pub presented: &'a Presented,
    /// Where it was presented.
    pub surface: Surface,
    /// From where.
    pub address: Option<IpAddr>,
    /// The kinds of tokens that can be exchanged there.
    pub kinds: Kinds,
    /// What the access token is to be.
    pub wanted: Terms<'a>,
}

/// A client that is to prove itself.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its secret, in each way in which what it sent can be read.
    pub secrets: &'a [SecretText],
    /// Where it asks.
    pub surface: Surface,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct ClientGrant<'a> {
    /// Which one.
    pub client: Client<'a>,
    /// The org in which it wants to act; the one that owns it unless told.
    pub org: Option<Uuid>,
    /// What it wants.
    pub wanted: Terms<'a>,
}

/// What an access token is to be.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// To what it is to be narrowed; all of what the token may do unless told.
    pub scope: Option<&'a PermissionSet>,
    /// The service for which it is to be; this one unless told.
    pub audience: Option<&'a str>,
    /// How it is to be signed.
    pub algorithm: Algorithm,
    /// What it says to be.
    pub typ: Typ,
    /// Whether an id token is to come with it.
    pub id_token: IdToken,
}

/// Whether it is told who somebody is (OpenID Connect Core 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdToken {
    /// No.
    Never,
    /// Where what is exchanged may tell it.
    Allowed,
    /// It was asked for: what may not tell it is refused.
    Asked,
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Its text.
    pub text: SecretText,
    /// In how many seconds it ends.
    pub expires_in: i64,
    /// What it may do.
    pub permissions: PermissionSet,
    /// The token that it came from.
    pub token: Uuid,
    /// The account for which it acts.
    pub account: Uuid,
    /// Who that is, for the client.
    pub id_token: Option<SecretText>,
}

/// Gives an access token for a secret: what the token may do now, for half an hour, and never longer than the token lives.
///
/// # Errors
/// `unauthenticated` with the reason why the secret is refused; `invalid_field` for a scope that it does not have;
/// `unavailable`.
pub async fn exchange(ctx: &Ctx, ask: &Exchange<'_>) -> Result<Granted> {
    let question = Ask { kinds: ask.kinds, way: Way::Exchange, ..Ask::on(ask.surface, ask.address) };
    let good = match verify::verify(ctx, ask.presented, &question).await? {
        Verdict::Refused(refused) => return Err(Error::credential(refused.reason)),
        Verdict::Good(good) => good,
    };
    grant(ctx, &good, jwt::LIFE, &ask.wanted).await
}

/// Gives an access token to an app that proves itself by its secret, for as long as the app's access tokens live.
///
/// # Errors
/// `unauthenticated` for an unknown client and for a wrong secret alike; `forbidden` for an org to which the app was not
/// added; `invalid_field` for a scope that it does not have; `unavailable`.
pub async fn client(ctx: &Ctx, ask: &ClientGrant<'_>) -> Result<Granted> {
    let (good, secret) = proven(ctx, &ask.client).await?;
    let life = good.life();
    let Some(org) = ask.org.filter(|org| *org != good.org().id) else {
        return grant(ctx, &good, life, &ask.wanted).await;
    };
    let account = apps::account_in(ctx, &good, org).await?;
    let question = Ask::on(ask.client.surface, ask.client.address);
    match verify::client(ctx, ask.client.id, secret, Some(account), &question).await? {
        Verdict::Good(guest) => grant(ctx, &guest, life, &ask.wanted).await,
        Verdict::Refused(verdict) => Err(Error::credential(verdict.reason)),
    }
}

/// A client in the org that owns it, and by which of its secrets it proved itself.
async fn proven<'a>(ctx: &Ctx, client: &Client<'a>) -> Result<(Good, &'a SecretText)> {
    let question = Ask::on(client.surface, client.address);
    let mut refused = Reason::Unknown;
    for secret in client.secrets {
        match verify::client(ctx, client.id, secret, None, &question).await? {
            Verdict::Good(good) => return Ok((good, secret)),
            Verdict::Refused(verdict) => refused = verdict.reason,
        }
    }
    Err(Error::credential(refused))
}

/// Tells a client whether a token could be exchanged now: an api token of its own org, or it is as good as unknown.
///
/// # Errors
/// `unauthenticated` where the client does not prove itself; `unavailable`.
pub async fn exchangeable(ctx: &Ctx, client: &Client<'_>, presented: &Presented) -> Result<Option<Good>> {
    let (asker, _) = proven(ctx, client).await?;
    let kinds = Kinds::NONE.and(TokenKind::Api);
    let question = Ask { kinds, org: Some(asker.org().id), way: Way::Exchange, ..Ask::on(client.surface, None) };
    Ok(match verify::verify(ctx, presented, &question).await? {
        Verdict::Good(good) => Some(good),
        Verdict::Refused(_) => None,
    })
}

async fn grant(ctx: &Ctx, good: &Good, life: Millis, ask: &Terms<'_>) -> Result<Granted> {
    let mut permissions = good.effective.clone();
    if let Some(scope) = ask.scope {
        if let Some(lacking) = permissions.lacks(scope) {
            return Err(Error::invalid("scope", format_args!("is more than the token has: {lacking}")));
        }
        permissions = scope.clone();
    }
    if ask.id_token == IdToken::Asked && !good.openid() {
        return Err(Error::invalid("scope", "is more than the token has: openid"));
    }
    let ring = keys::ring(ctx).await?;
    let now = ctx.now();
    let life = jwt::life(life, good.ends_at, now).map_err(Error::credential)?;
    let account = good.account().ok_or_else(|| Error::credential(Reason::WrongKind))?;
    let client = match account.kind {
        AccountKind::App => account.identifier.clone(),
        AccountKind::User | AccountKind::Service => account.id.to_string(),
    };
    let wanted = Wanted {
        secret: good.secret_id(),
        account: account.id,
        audience: ask.audience.unwrap_or(ctx.issuer()).to_owned(),
        algorithm: ask.algorithm,
        typ: ask.typ,
        permissions,
        identity: good.openid() && ask.id_token != IdToken::Never,
    };
    let told = |made: &Made| Granted {
        text: made.text.clone(),
        expires_in: (made.expires_at - now) / 1000,
        permissions: made.wanted.permissions.clone(),
        token: good.token().id,
        account: account.id,
        id_token: made.id_token.clone(),
    };
    if let Some(made) = ctx.minted.again(&wanted, now + life, now)
        && ring.signs(made.key, now)
    {
        return Ok(told(&made));
    }
    let identifier = &account.identifier;
    let scope = wanted.permissions.to_string();
    let claims = Claims {
        iss: ctx.issuer().to_owned(),
        sub: account.id.to_string(),
        aud: wanted.audience.clone(),
        exp: (now + life) / 1000,
        iat: now / 1000,
        jti: id::new(now, &ctx.random),
        azp: client.clone(),
        client_id: client,
        acct: identifier.clone(),
        username: identifier.clone(),
        domain: identifier.split_once('@').map_or(account.kind.as_str(), |(_, domain)| domain).to_owned(),
        context: good.token().id,
        context_name: good.org().id,
        perms: wanted.permissions.clone(),
        scope,
        account_id: account.id,
        secret_id: good.secret_id(),
    };
    let (text, key) = ring.sign(ctx, ask.algorithm, ask.typ, &claims, now)?;
    let id_token = if wanted.identity {
        // By the one algorithm that every client of OpenID Connect knows.
        Some(ring.sign(ctx, Algorithm::Rs256, Typ::Jwt, &claims.identity(&text), now)?.0)
    } else {
        None
    };
    let made = Arc::new(Made { wanted, key, text, id_token, expires_at: claims.exp * 1000 });
    ctx.minted.remember(&made);
    Ok(told(&made))
}

/// All that an access token depends on beside time and keys.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    secret: Uuid,
    account: Uuid,
    audience: String,
    algorithm: Algorithm,
    typ: Typ,
    permissions: PermissionSet,
    identity: bool,
}

/// An access token that was made.
#[derive(Debug)]
struct Made {
    wanted: Wanted,
    key: Uuid,
    text: SecretText,
    id_token: Option<SecretText>,
    expires_at: Millis,
}

/// How many access tokens are kept, a place for each: a few kilobytes each, and wiped when another takes the place.
const PLACES: usize = 1024;
/// How much of its life one must have left to be given again: five sixths.
const LEFT: (Millis, Millis) = (5, 6);

/// The access tokens that were made last, to be given again to who asks for the same: a script that exchanges its token
/// before each request costs a look-up and no signature. It weakens nothing, since the state is decided each time that
/// one is used, and before one is given again.
#[derive(Debug)]
pub(crate) struct Minted {
    places: Box<[Mutex<Option<Arc<Made>>>]>,
    /// Where one has its place is nobody's to choose.
    hash: RandomState,
}

impl Default for Minted {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| Mutex::default()).collect(), hash: RandomState::new() }
    }
}

impl Minted {
    fn place(&self, of: &Wanted) -> Option<&Mutex<Option<Arc<Made>>>> {
        let at = usize::try_from(self.hash.hash_one((of.secret, of.account)) % PLACES as u64).unwrap_or(0);
        self.places.get(at)
    }

    /// One that is just what is wanted, ends no later than a new one would, and lives long enough yet.
    fn again(&self, wanted: &Wanted, ends_at: Millis, now: Millis) -> Option<Arc<Made>> {
        let kept = self.place(wanted)?.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (part, whole) = LEFT;
        let long = (kept.expires_at - now) * whole >= (ends_at - now) * part;
        (long && kept.expires_at <= ends_at && kept.wanted == *wanted).then_some(kept)
    }

    fn remember(&self, made: &Arc<Made>) {
        if let Some(place) = self.place(&made.wanted) {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        }
    }
}
