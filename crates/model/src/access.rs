//! Who may do what: each act of management and the permissions of which one is enough (design 5).

use crate::permission::Permission::{self, *};
use crate::permission::PermissionSet;
use crate::{Error, Result};

/// An act of management.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Make, list, rename, suspend and resume orgs.
    ManageOrgs,
    /// See accounts, groups and roles.
    SeePeople,
    /// Make, change, switch and delete accounts; set their passwords.
    ManageAccounts,
    /// Make, change, fill and delete groups.
    ManageGroups,
    /// Make, change and delete custom roles.
    ManageRoles,
    /// Assign roles and grant permissions.
    GiveRoles,
    /// Issue a token of one's own account.
    IssueOwn,
    /// Issue a token of one's own account, as a service account (wavefront.md 8: it can't have API Tokens).
    IssueOwnService,
    /// Issue and rotate tokens of service accounts.
    IssueForService,
    /// Import tokens whose secrets were made elsewhere.
    ImportTokens,
    /// See every token of the org.
    SeeTokens,
    /// Change and revoke every token of the org.
    ManageTokens,
    /// Change the org's policy.
    ChangePolicy,
    /// Read the org's ledger.
    ReadLedger,
    /// Ask about other people's credentials.
    Verify,
    /// Send data to the service behind us (wavefront.md 8: Direct Data Ingestion).
    SendData,
    /// Be a proxy of the service behind us (wavefront.md 8: Proxies).
    BeProxy,
    /// See the nodes of the installation.
    SeeNodes,
    /// Set what the nodes go by.
    ManageNodes,
    /// See, replace and end the keys that access tokens are signed with.
    ManageKeys,
    /// Make, change and delete apps, and replace their secrets (csp.md 5).
    ManageApps,
    /// See the house's jobs, and let those go on that are held.
    ManageJobs,
}

impl Act {
    /// The permissions of which one is enough; the first is the native one, and the one that a refusal names.
    pub const fn allowed_by(self) -> &'static [Permission] {
        match self {
            Self::ManageOrgs | Self::ManageJobs | Self::ManageKeys | Self::SeeNodes | Self::ManageNodes => &[Orgs],
            Self::SeePeople => &[
                Read,
                Accounts,
                Groups,
                Roles,
                Tokens,
                UserManagement,
                CspOrgOwner,
                CspOrgAdmin,
                CspOrgMember,
                SplunkAdmin,
                SplunkPower,
                SplunkUsage,
                SplunkReadOnly,
            ],
            Self::ManageAccounts => &[Accounts, UserManagement, CspOrgOwner, CspOrgAdmin, SplunkAdmin],
            Self::ManageApps => &[Accounts, CspDeveloper, CspOrgOwner, CspOrgAdmin],
            Self::ManageGroups => &[Groups, UserManagement, CspOrgOwner, CspOrgAdmin],
            Self::ManageRoles => &[Roles, UserManagement, CspOrgOwner],
            Self::GiveRoles => &[Roles, UserManagement, CspOrgOwner, CspOrgAdmin, SplunkAdmin],
            Self::IssueOwn => &[IssueTokens, TokenManagement],
            Self::IssueOwnService => &[IssueTokens],
            Self::ImportTokens => &[ImportTokens],
            Self::IssueForService | Self::SeeTokens | Self::ManageTokens => &[Tokens, UserManagement],
            Self::ChangePolicy => &[Policy, CspOrgOwner],
            Self::ReadLedger => &[Ledger],
            Self::Verify => &[Verify],
            Self::SendData => &[Ingestion],
            Self::BeProxy => &[AgentManagement],
        }
    }

    /// Whether these permissions allow it.
    pub fn allowed(self, held: &PermissionSet) -> bool {
        self.allowed_by().iter().any(|permission| held.has(*permission))
    }

    /// Refuses a caller whose permissions do not allow it.
    ///
    /// # Errors
    /// `missing_permission` naming the native permission.
    pub fn check(self, held: &PermissionSet) -> Result<()> {
        match self.allowed_by() {
            [first, ..] if !self.allowed(held) => Err(Error::missing(*first)),
            _ => Ok(()),
        }
    }
}
