//! Nobody gives what he does not have (design 5.2).

use crate::permission::{Permission, PermissionSet};
use crate::role::Namespace;
use crate::token::{Scopes, Token};
use crate::{Error, Reach, Result};

/// Whose rank covers which, where the dialect's words are ranks and not lists of permissions (csp.md 3.1, splunk.md 3.1).
const RANKS: &[(Permission, &[Permission])] = &[
    (Permission::CspOrgOwner, &[Permission::CspOrgAdmin, Permission::CspOrgMember, Permission::CspDeveloper]),
    (Permission::CspOrgAdmin, &[Permission::CspOrgMember]),
    (Permission::SplunkAdmin, &[Permission::SplunkPower, Permission::SplunkUsage, Permission::SplunkReadOnly]),
];

/// Whether a caller with these effective permissions may bring it about that someone gains `gained`.
///
/// `holds` is what the one who gains holds already. The one exception to covering is wavefront's Accounts
/// permission: within wavefront permissions, over principals that hold nothing else.
///
/// The permissions of the services behind us mean nothing here and are held by nobody at first, so whoever manages the
/// org's roles covers them all.
///
/// # Errors
/// `not_covered` naming the first permission that the caller lacks.
pub fn cover(caller: &PermissionSet, gained: &PermissionSet, holds: &PermissionSet) -> Result<()> {
    let manages_roles = caller.has(Permission::Roles) || caller.has(Permission::CspOrgOwner);
    let gained = &if manages_roles { gained.management() } else { gained.clone() };
    let Some(lacking) = with_lower_ranks(caller).lacks(gained) else { return Ok(()) };
    let wavefront_only = gained.within(Namespace::Wavefront) && holds.within(Namespace::Wavefront);
    if caller.has(Permission::UserManagement) && wavefront_only {
        return Ok(());
    }
    Err(Error::not_covered(&lacking))
}

fn with_lower_ranks(caller: &PermissionSet) -> PermissionSet {
    let mut covers = caller.clone();
    for (_, lower) in RANKS.iter().filter(|(higher, _)| caller.has(*higher)) {
        covers.extend(&PermissionSet::of(lower));
    }
    covers
}

/// Whether a caller with these effective permissions may take `lost` from somebody. Taking needs no covering but for ranks:
/// nobody takes one that he could not give. Whoever manages the org's roles stands above them all.
///
/// # Errors
/// `not_covered` naming the first that is above the caller.
pub fn demote(caller: &PermissionSet, lost: &PermissionSet) -> Result<()> {
    let mut ranks = PermissionSet::whole(Namespace::Csp);
    ranks.extend(&PermissionSet::whole(Namespace::Splunk));
    match with_lower_ranks(caller).lacks(&ranks.intersection(lost)) {
        Some(above) if !caller.has(Permission::Roles) => Err(Error::above(&above)),
        _ => Ok(()),
    }
}

/// Whether a caller with these effective permissions may switch off or delete somebody who holds `held`: nobody does that to
/// one whose rank is above his own (csp.md 3.1). Owners manage all, as do those who do it natively or by wavefront's
/// Accounts.
///
/// # Errors
/// `not_covered` naming the rank.
pub fn dismiss(caller: &PermissionSet, held: &PermissionSet) -> Result<()> {
    if [Permission::Accounts, Permission::UserManagement, Permission::CspOrgOwner].iter().any(|own| caller.has(*own)) {
        return Ok(());
    }
    let mut ranks = PermissionSet::none();
    for (higher, _) in RANKS.iter().filter(|(higher, _)| held.has(*higher)) {
        ranks.extend(&PermissionSet::of(&[*higher]));
    }
    with_lower_ranks(caller).lacks(&ranks).map_or(Ok(()), |above| Err(Error::outranked(&above)))
}

/// Whether it depends on what the one who gains holds already, whether a caller with these effective permissions may
/// bring it about: where it does not, nobody has to be looked at.
pub fn depends(caller: &PermissionSet, gained: &PermissionSet) -> bool {
    let everything = PermissionSet::of(Permission::ALL);
    caller.has(Permission::UserManagement)
        && gained.within(Namespace::Wavefront)
        && cover(caller, gained, &everything).is_err()
}

/// What a new token's maker asks for, against the token that he makes it with.
#[derive(Debug)]
pub struct Minting<'a> {
    /// The token with which it is made; `None` for someone who proved himself by his password, or the system.
    pub with: Option<&'a Token>,
    /// Whether the new token belongs to the same account as `with`.
    pub own: bool,
    /// The caller's effective permissions.
    pub effective: &'a PermissionSet,
    /// What the new token's owner holds.
    pub held: &'a PermissionSet,
    /// The scopes asked for.
    pub scopes: &'a Scopes,
    /// The reach asked for.
    pub reach: Reach,
    /// Whether the org's policy allows more reach than the maker's.
    pub widen_reach: bool,
}

/// Whether the new token would be no more than what made it.
///
/// # Errors
/// `not_covered` for permissions, `forbidden` for scopes and reach.
pub fn mint(asked: &Minting<'_>) -> Result<()> {
    if let Some(set) = asked.scopes.only()
        && let Some(lacking) = asked.held.lacks(set)
    {
        return Err(Error::invalid(
            "scopes",
            format_args!("name a permission that the owner does not hold: {lacking}"),
        ));
    }
    let gained = asked.scopes.of(asked.held);
    // For oneself nothing is an exception: a token makes no token of its own account that is more than itself.
    match asked.effective.lacks(&gained) {
        Some(lacking) if asked.own => return Err(Error::not_covered(&lacking)),
        _ => cover(asked.effective, &gained, asked.held)?,
    }
    let Some(with) = asked.with else { return Ok(()) };
    // "All" grows with the owner's roles, so covering it today is not enough when it is one's own account.
    if asked.own && *asked.scopes == Scopes::All && with.scopes != Scopes::All {
        return Err(Error::forbidden("a token with limited scopes can't issue one with all scopes"));
    }
    if !asked.widen_reach && !with.reach.covers(asked.reach) {
        return Err(Error::forbidden(
            "a token can't issue one with more reach than its own; the org's policy can allow it",
        ));
    }
    Ok(())
}
