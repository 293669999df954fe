//! Who: identities across orgs, accounts within one.

use uuid::Uuid;

use crate::macros::words;
use crate::{Error, Millis, Permission, Result};

words! {
    /// What an identity is.
    pub enum IdentityKind ("kind") {
        /// A person with an e-mail address.
        Person = "person",
        /// A program with a client id.
        App = "app",
    }
}

words! {
    /// What an account is.
    pub enum AccountKind ("kind") {
        /// A person's membership.
        User = "user",
        /// A robot that has no identity outside its org; `sa::name`.
        Service = "service",
        /// An app's membership.
        App = "app",
    }
}

impl AccountKind {
    /// Whether an account of this kind may be given a permission by itself.
    ///
    /// # Errors
    /// `invalid_field` for wavefront's API Tokens and a service account: it would make tokens of itself
    /// (wavefront.md 8).
    pub fn check_permission(self, text: &str) -> Result<()> {
        if self == Self::Service && text == Permission::TokenManagement.as_str() {
            return Err(Error::invalid("permission", "token_management can't be given to a service account"));
        }
        Ok(())
    }
}

words! {
    /// Whether an account's tokens work.
    pub enum AccountState ("state") {
        /// They do.
        Active = "active",
        /// None does.
        Inactive = "inactive",
    }
}

/// Someone or something that can prove itself across orgs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Row id.
    pub id: Uuid,
    /// What it is.
    pub kind: IdentityKind,
    /// E-mail address or client id as written.
    pub login: String,
    /// The login folded for comparing; unique.
    pub login_fold: String,
    /// The argon2id hash of the password as a PHC string; empty where there is none.
    pub password: PasswordHash,
    /// The org in which it acts when it names none.
    pub default_org: Uuid,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

/// A password's hash. It is no secret of ours to show: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "PasswordHash(none)" } else { "PasswordHash(..)" })
    }
}

/// An identity's membership in one org. Tokens belong to accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Row id; an identifier that is made again gets a new one.
    pub id: Uuid,
    /// The org.
    pub org_id: Uuid,
    /// Whose membership it is; nil for a service account.
    pub identity_id: Uuid,
    /// What it is.
    pub kind: AccountKind,
    /// E-mail address, `sa::name` or client id.
    pub identifier: String,
    /// The identifier folded; unique among the org's living accounts.
    pub identifier_fold: String,
    /// Free text.
    pub description: String,
    /// Whether its tokens work.
    pub state: AccountState,
    /// When it was made.
    pub created_at: Millis,
    /// The account that made it; nil for the system.
    pub created_by: Uuid,
    /// When it was last changed.
    pub updated_at: Millis,
    /// Nil while it lives, its own id once deleted: so the identifier is free again and this row stays as a tombstone.
    pub tombstone: Uuid,
}

impl Account {
    /// Whether it was deleted.
    pub fn deleted(&self) -> bool {
        !self.tombstone.is_nil()
    }
}

/// The shortest password, in characters.
pub const PASSWORD_SHORTEST: usize = 10;
/// The longest password, in bytes: a bound on the work of hashing.
pub const PASSWORD_LONGEST: usize = 1024;

/// Checks a password that someone chose.
///
/// # Errors
/// `invalid_field` naming the bound.
pub fn check_password(text: &str) -> Result<()> {
    if text.len() > PASSWORD_LONGEST {
        return Err(Error::too_long("password", PASSWORD_LONGEST));
    }
    if text.chars().count() < PASSWORD_SHORTEST {
        return Err(Error::invalid("password", format_args!("must have at least {PASSWORD_SHORTEST} characters")));
    }
    Ok(())
}
