//! The authority to act: kinds, states, scopes, lifetimes. A token contains no secret.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::address::AddressRules;
use crate::macros::words;
use crate::permission::PermissionSet;
use crate::policy::Policy;
use crate::reach::Reach;
use crate::{Millis, NEVER};

words! {
    /// What kind of token it is; it decides owner, limits and lawful moves, never the look of the secret.
    pub enum TokenKind ("kind") {
        /// A person's own.
        User = "user",
        /// A service account's.
        Service = "service",
        /// csp: only exchangeable for access tokens.
        Api = "api",
        /// csp: an app's client secret.
        ClientSecret = "client_secret",
        /// A signed-in person's.
        Session = "session",
        /// splunk: the org's own.
        Org = "org",
    }
}

impl TokenKind {
    /// The letter in the `th_` form.
    pub const fn letter(self) -> u8 {
        match self {
            Self::User => b'u',
            Self::Service => b's',
            Self::Api => b'a',
            Self::ClientSecret => b'c',
            Self::Session => b'e',
            Self::Org => b'o',
        }
    }

    /// The kind of this letter.
    pub fn of_letter(letter: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.letter() == letter)
    }

    /// Whether it works as a bearer credential by itself. Client secrets are looked up by client id, never by digest
    /// alone, and api tokens are exchanged first (design 1, 4).
    pub const fn bearer(self) -> bool {
        !matches!(self, Self::ClientSecret | Self::Api)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Every kind.
    pub const ANY: Self = Self(u8::MAX);

    /// No kind yet, to be added to.
    pub const NONE: Self = Self(0);

    /// This set and one more kind.
    #[must_use]
    pub const fn and(self, kind: TokenKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether it holds this kind.
    pub const fn has(self, kind: TokenKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether all of the other is in this one.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

words! {
    /// The stored state. Expiry and idleness are computed, never stored.
    pub enum TokenState ("state") {
        /// It works, unless something else says no.
        Active = "active",
        /// Switched off; can be switched on again.
        Inactive = "inactive",
        /// Over for good.
        Revoked = "revoked",
    }
}

words! {
    /// The state as it is at some moment.
    pub enum Standing ("state") {
        /// Works.
        Active = "active",
        /// Switched off.
        Inactive = "inactive",
        /// Its time is over.
        Expired = "expired",
        /// Over for good.
        Revoked = "revoked",
    }
}

/// What of its owner's permissions a token carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scopes {
    /// At most these.
    Only(PermissionSet),
    /// All that the owner has, whatever that is at the time.
    All,
}

impl Scopes {
    /// What is left of the owner's permissions.
    pub fn of(&self, owner: &PermissionSet) -> PermissionSet {
        match self {
            Self::All => owner.clone(),
            Self::Only(scopes) => scopes.intersection(owner),
        }
    }

    /// The set, unless it is all.
    pub fn only(&self) -> Option<&PermissionSet> {
        match self {
            Self::All => None,
            Self::Only(set) => Some(set),
        }
    }
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Public id.
    pub id: Uuid,
    /// The random 63-bit id that splunk shows.
    pub short_id: String,
    /// The org in which it acts.
    pub org_id: Uuid,
    /// The account that owns it; nil for an org token.
    pub owner_id: Uuid,
    /// Its kind.
    pub kind: TokenKind,
    /// Its name; may be empty.
    pub name: String,
    /// The name folded for comparing.
    pub name_fold: String,
    /// The stored state.
    pub state: TokenState,
    /// What of the owner's permissions it carries.
    pub scopes: Scopes,
    /// Where it works.
    pub reach: Reach,
    /// From which addresses it works.
    pub addresses: AddressRules,
    /// When it was made.
    pub created_at: Millis,
    /// The account that made it; nil for the system.
    pub created_by: Uuid,
    /// The token with which it was made; nil for the system.
    pub created_through: Uuid,
    /// When it was last changed.
    pub updated_at: Millis,
    /// It does not work before; 0 if from the start.
    pub not_before: Millis,
    /// It does not work from then on; `NEVER` if it does not end.
    pub expires_at: Millis,
    /// It stops working when unused for so long, in milliseconds; `NEVER` if it may rest.
    pub idle_limit: Millis,
    /// When it was last used; 0 if never.
    pub last_used_at: Millis,
    /// From where it was last used; empty if unknown.
    pub last_used_address: String,
    /// When it was revoked; 0 if it was not.
    pub revoked_at: Millis,
}

impl Token {
    /// When it really ends: its own expiry, or its age under the org's policy, whichever is earlier.
    pub fn ends_at(&self, policy: &Policy) -> Millis {
        self.expires_at.min(self.created_at.saturating_add(policy.of(self.kind).max_lifetime))
    }

    /// When it falls asleep if it is not used again after `last_used_at`; `NEVER` if it may rest.
    pub fn idles_at(&self, policy: &Policy, last_used_at: Millis) -> Millis {
        let limit = self.idle_limit.min(policy.of(self.kind).max_idle);
        if limit == NEVER { NEVER } else { last_used_at.max(self.created_at).saturating_add(limit) }
    }

    /// The state as it is at `now`.
    pub fn standing(&self, policy: &Policy, now: Millis) -> Standing {
        match self.state {
            TokenState::Revoked => Standing::Revoked,
            _ if now >= self.ends_at(policy) => Standing::Expired,
            TokenState::Inactive => Standing::Inactive,
            TokenState::Active => Standing::Active,
        }
    }
}
