//! The question behind every API: is this credential good for this, right now?

use std::net::IpAddr;

use crate::account::{Account, AccountState};
use crate::macros::words;
use crate::org::{Org, OrgState};
use crate::permission::PermissionSet;
use crate::policy::Policy;
use crate::reach::{Reach, Surface};
use crate::secret::Proof;
use crate::signing::SKEW;
use crate::token::{Kinds, Token, TokenKind, TokenState};
use crate::{Millis, Uuid};

words! {
    /// Why a credential is refused. The caller of an API learns only that it is; the resource server and the token's
    /// owner can learn why.
    pub enum Reason ("reason") {
        /// It has no form of ours, or a wrong checksum.
        Malformed = "malformed",
        /// No such secret.
        Unknown = "unknown",
        /// It was replaced by a newer one.
        Rotated = "rotated",
        /// The token is over for good.
        Revoked = "revoked",
        /// The token is switched off.
        Deactivated = "deactivated",
        /// Its time has not come.
        NotYetValid = "not_yet_valid",
        /// Its time is over.
        Expired = "expired",
        /// It rested too long.
        Idle = "idle",
        /// The owner's account was deleted.
        AccountDeleted = "account_deleted",
        /// The owner's account is switched off.
        AccountInactive = "account_inactive",
        /// The org is suspended.
        OrgSuspended = "org_suspended",
        /// It belongs to another org than the one that was asked about.
        OtherOrg = "other_org",
        /// A token of this kind is no bearer credential.
        WrongKind = "wrong_kind",
        /// It does not work on this surface.
        OutOfReach = "out_of_reach",
        /// It does not work from this address.
        Address = "address",
        /// It works only from certain addresses, and this one is not known.
        AddressUnknown = "address_unknown",
        /// A signed token whose signature is not right, or whose key is not one of ours that is believed.
        Signature = "signature",
        /// A signed token of another issuer.
        Issuer = "issuer",
        /// A signed token for another service.
        Audience = "audience",
        /// A token of another kind was asked for.
        OtherKind = "other_kind",
        /// The permission that was asked for is missing.
        PermissionMissing = "permission_missing",
    }
}

/// What it is presented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To act with it.
    Bearer,
    /// To get an access token for it.
    Exchange,
    /// To get an access token as the client whose secret it is.
    Client,
}

/// What a signed access token narrows the token to that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// When it was signed.
    pub issued_at: Millis,
    /// It is over from then on.
    pub expires_at: Millis,
    /// What it may do at most.
    pub permissions: PermissionSet,
    /// Whether it is for another service: good for whoever asks about it, and nothing here.
    pub elsewhere: bool,
}

/// What is asked of a credential.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Where it was presented.
    pub surface: Surface,
    /// The address from which it was presented, where known.
    pub address: Option<IpAddr>,
    /// The org to which it must belong, where one is fixed.
    pub org: Option<Uuid>,
    /// The permission that it must carry, where one is asked for.
    pub permission: Option<&'a str>,
    /// The kinds of which its token must be.
    pub kinds: Kinds,
    /// For what.
    pub way: Way,
}

impl Ask<'_> {
    /// Any good credential on this surface.
    pub fn on(surface: Surface, address: Option<IpAddr>) -> Self {
        Self { surface, address, org: None, permission: None, kinds: Kinds::ANY, way: Way::Bearer }
    }
}

/// Everything that the decision stands on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The token.
    pub token: &'a Token,
    /// The secret that was presented.
    pub secret: &'a Proof,
    /// When the token was last used, as far as anyone here knows: its row may be behind.
    pub last_used_at: Millis,
    /// The owner; `None` for an org token.
    pub account: Option<&'a Account>,
    /// What the owner holds, directly and inherited; for an org token what the token itself holds.
    pub held: &'a PermissionSet,
    /// The org.
    pub org: &'a Org,
    /// The org's rules.
    pub policy: &'a Policy,
    /// The access token that was presented; `None` where it was the secret itself.
    pub derived: Option<&'a Derived>,
}

/// Decides: the effective permissions of a good credential, or why it is refused.
///
/// # Errors
/// The first reason, in the order from the secret outwards: who holds a dead secret learns nothing about the org.
pub fn decide(facts: &Facts<'_>, ask: &Ask<'_>, now: Millis) -> Result<PermissionSet, Reason> {
    let Facts { token, secret, last_used_at, account, held, org, policy, derived } = *facts;
    if secret.token_id != token.id {
        return Err(Reason::Unknown);
    }
    match token.state {
        TokenState::Revoked => return Err(Reason::Revoked),
        TokenState::Inactive => return Err(Reason::Deactivated),
        TokenState::Active => {}
    }
    if now >= secret.good_until {
        return Err(Reason::Rotated);
    }
    if now >= token.ends_at(policy) || derived.is_some_and(|derived| now >= derived.expires_at) {
        return Err(Reason::Expired);
    }
    if now >= token.idles_at(policy, last_used_at) {
        return Err(Reason::Idle);
    }
    // Another node's clock may be a little ahead.
    if now < token.not_before || derived.is_some_and(|derived| now.saturating_add(SKEW) < derived.issued_at) {
        return Err(Reason::NotYetValid);
    }
    if account.is_none() != token.owner_id.is_nil() || account.is_some_and(|a| a.id != token.owner_id || a.deleted()) {
        return Err(Reason::AccountDeleted);
    }
    if account.is_some_and(|a| a.state != AccountState::Active) {
        return Err(Reason::AccountInactive);
    }
    if org.id != token.org_id || ask.org.is_some_and(|asked| asked != org.id) {
        return Err(Reason::OtherOrg);
    }
    if org.state != OrgState::Active {
        return Err(Reason::OrgSuspended);
    }
    if !takes(ask.way, token.kind, derived.is_some()) {
        return Err(Reason::WrongKind);
    }
    // What is for another service, that service may ask about.
    if ask.surface != Surface::Verify && derived.is_some_and(|derived| derived.elsewhere) {
        return Err(Reason::Audience);
    }
    if !reach(token, org, derived.is_some()).has(ask.surface) {
        return Err(Reason::OutOfReach);
    }
    match ask.address {
        None if !token.addresses.anywhere() => return Err(Reason::AddressUnknown),
        Some(address) if !token.addresses.allow(address) => return Err(Reason::Address),
        _ => {}
    }
    if !ask.kinds.has(token.kind) {
        return Err(Reason::OtherKind);
    }
    let mut effective = token.scopes.of(held);
    if let Some(derived) = derived {
        effective = derived.permissions.intersection(&effective);
    }
    if ask.permission.is_some_and(|permission| !effective.contains(permission)) {
        return Err(Reason::PermissionMissing);
    }
    Ok(effective)
}

/// Where a token works, or what was derived from it. In an onboarded org access tokens are the way in; but what a service
/// account has there is for what its token reaches, and no detour leads further.
pub fn reach(token: &Token, org: &Org, derived: bool) -> Reach {
    match token.kind {
        TokenKind::Service => token.reach,
        _ if derived && org.onboarded => token.reach.union(ONBOARDED),
        _ => token.reach,
    }
}

/// Where access tokens work in an onboarded org beside the reach of what they come from.
const ONBOARDED: Reach = Reach::of(&[Surface::Wavefront, Surface::Native]);

/// Whether something of this kind can be presented for that.
const fn takes(way: Way, kind: TokenKind, derived: bool) -> bool {
    match way {
        Way::Bearer => derived || kind.bearer(),
        Way::Exchange => !derived && !matches!(kind, TokenKind::ClientSecret),
        Way::Client => !derived && matches!(kind, TokenKind::ClientSecret),
    }
}
