//! Groups: named sets of accounts that carry roles. Two of them every org has.

use uuid::Uuid;

use crate::account::AccountKind;
use crate::macros::words;
use crate::{Error, Millis, Result};

words! {
    /// Who is in a group.
    pub enum GroupKind ("kind") {
        /// Whoever was put into it.
        Custom = "custom",
        /// Every user account of the org, always.
        Everyone = "everyone",
        /// The service accounts; a new one joins by itself and may be taken out.
        ServiceAccounts = "service_accounts",
    }
}

/// A named set of accounts that carries roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Row id.
    pub id: Uuid,
    /// The org.
    pub org_id: Uuid,
    /// Its name, unique in the org.
    pub name: String,
    /// The name folded for comparing.
    pub name_fold: String,
    /// Free text.
    pub description: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
    /// Who is in it.
    pub kind: GroupKind,
}

impl GroupKind {
    /// The groups that every org has.
    pub const SYSTEM: [Self; 2] = [Self::Everyone, Self::ServiceAccounts];

    /// Whether it comes with the org.
    pub fn system(self) -> bool {
        self != Self::Custom
    }

    /// The group that a new account of this kind joins by itself.
    pub fn joined_by(account: AccountKind) -> Option<Self> {
        match account {
            AccountKind::User => Some(Self::Everyone),
            AccountKind::Service => Some(Self::ServiceAccounts),
            AccountKind::App => None,
        }
    }

    /// The name and the description with which it is made; empty for a custom one.
    pub fn naming(self) -> (&'static str, &'static str) {
        match self {
            Self::Custom => ("", ""),
            Self::Everyone => ("Everyone", "Every user account of the org"),
            Self::ServiceAccounts => ("Service Accounts", "The service accounts of the org"),
        }
    }

    /// Whether somebody may put this account into such a group.
    ///
    /// # Errors
    /// `unlawful_state`.
    pub fn check_joining(self, account: AccountKind) -> Result<()> {
        match (self, account) {
            (Self::Custom, _) | (Self::ServiceAccounts, AccountKind::Service) => Ok(()),
            (Self::Everyone, _) => Err(Error::state("every user account is in this group, and nobody else can be")),
            (Self::ServiceAccounts, _) => Err(Error::state("only service accounts can be in this group")),
        }
    }

    /// Whether somebody may take an account out of such a group.
    ///
    /// # Errors
    /// `unlawful_state`.
    pub fn check_leaving(self) -> Result<()> {
        match self {
            Self::Custom | Self::ServiceAccounts => Ok(()),
            Self::Everyone => Err(Error::state("every user account is in this group; nobody can leave it")),
        }
    }

    /// Whether such a group may get another name.
    ///
    /// # Errors
    /// `unlawful_state`.
    pub fn check_renaming(self) -> Result<()> {
        if self.system() { Err(Error::state("this group comes with the org; it can't be renamed")) } else { Ok(()) }
    }

    /// Whether such a group may be deleted.
    ///
    /// # Errors
    /// `unlawful_state`.
    pub fn check_deleting(self) -> Result<()> {
        if self.system() { Err(Error::state("this group comes with the org; it can't be deleted")) } else { Ok(()) }
    }
}
