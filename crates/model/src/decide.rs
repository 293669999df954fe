//! The question behind every API: is this credential good for this, right now?

use std::net::IpAddr;

use crate::account::{Account, AccountState};
use crate::macros::words;
use crate::org::{Org, OrgState};
use crate::permission::PermissionSet;
use crate::policy::Policy;
use crate::reach::Surface;
use crate::secret::Proof;
use crate::token::{Kinds, Token, TokenState};
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
        /// A token of another kind was asked for.
        OtherKind = "other_kind",
        /// The permission that was asked for is missing.
        PermissionMissing = "permission_missing",
    }
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
}

impl Ask<'_> {
    /// Any good credential on this surface.
    pub fn on(surface: Surface, address: Option<IpAddr>) -> Self {
        Self { surface, address, org: None, permission: None, kinds: Kinds::ANY }
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
}

/// Decides: the effective permissions of a good credential, or why it is refused.
///
/// # Errors
/// The first reason, in the order from the secret outwards: who holds a dead secret learns nothing about the org.
pub fn decide(facts: &Facts<'_>, ask: &Ask<'_>, now: Millis) -> Result<PermissionSet, Reason> {
    let Facts { token, secret, last_used_at, account, held, org, policy } = *facts;
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
    if now >= token.ends_at(policy) {
        return Err(Reason::Expired);
    }
    if now >= token.idles_at(policy, last_used_at) {
        return Err(Reason::Idle);
    }
    if now < token.not_before {
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
    if !token.kind.bearer() {
        return Err(Reason::WrongKind);
    }
    if !token.reach.has(ask.surface) {
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
    let effective = token.scopes.of(held);
    if ask.permission.is_some_and(|permission| !effective.contains(permission)) {
        return Err(Reason::PermissionMissing);
    }
    Ok(effective)
}
