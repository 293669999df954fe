//! Permissions: a closed set for management, opaque strings for the services behind us, and sets of both.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::macros::words;
use crate::role::Namespace;
use crate::{Error, Result, name};

words! {
    /// A management permission: what may be done to Tokenhouse itself, in the words of each dialect.
    pub enum Permission ("permission") {
        /// Create, list, rename, suspend and resume every org of this installation.
        Orgs = "house:orgs",
        /// Create, change, activate, deactivate and delete accounts.
        Accounts = "house:accounts",
        /// Create, change, delete and fill groups.
        Groups = "house:groups",
        /// Make custom roles, assign roles and grant permissions.
        Roles = "house:roles",
        /// See, change and revoke every token of the org; issue tokens of service accounts.
        Tokens = "house:tokens",
        /// Issue tokens of one's own account.
        IssueTokens = "house:tokens.issue",
        /// Import tokens whose secrets were made elsewhere, also for other people.
        ImportTokens = "house:tokens.import",
        /// Change the org's policy.
        Policy = "house:policy",
        /// Read the org's ledger.
        Ledger = "house:ledger",
        /// Ask about other people's credentials.
        Verify = "house:verify",
        /// See accounts, groups and roles.
        Read = "house:read",
        /// wavefront: API Tokens (wavefront.md 8).
        TokenManagement = "token_management",
        /// wavefront: Accounts.
        UserManagement = "user_management",
        /// wavefront: Proxies.
        AgentManagement = "agent_management",
        /// wavefront: Source Tags.
        HostTagManagement = "host_tag_management",
        /// wavefront: Integrations.
        MonitoredApplicationServiceManagement = "monitored_application_service_management",
        /// wavefront: Applications.
        ApplicationManagement = "application_management",
        /// wavefront: Direct Data Ingestion.
        Ingestion = "ingestion",
        /// wavefront: Chart Embedding.
        EmbeddedCharts = "embedded_charts",
        /// wavefront: Batch Query Priority.
        BatchQueryPriority = "batch_query_priority",
        /// wavefront: SAML IdP Admin.
        SamlSsoManagement = "saml_sso_management",
        /// wavefront: Logs.
        LogManagement = "log_management",
        /// wavefront: Dashboards.
        DashboardManagement = "dashboard_management",
        /// wavefront: Alerts.
        AlertsManagement = "alerts_management",
        /// wavefront: Events.
        EventsManagement = "events_management",
        /// wavefront: Derived Metrics.
        DerivedMetricsManagement = "derived_metrics_management",
        /// wavefront: Metrics.
        MetricsManagement = "metrics_management",
        /// wavefront: External Links.
        ExternalLinksManagement = "external_links_management",
        /// wavefront: Ingestion Policies.
        IngestionPolicyManagement = "ingestion_policy_management",
        /// csp: Organization Owner (csp.md 3.1).
        CspOrgOwner = "csp:org_owner",
        /// csp: Organization Administrator.
        CspOrgAdmin = "csp:org_admin",
        /// csp: Organization Member.
        CspOrgMember = "csp:org_member",
        /// csp: Developer.
        CspDeveloper = "csp:developer",
        /// splunk: admin (splunk.md 3.1).
        SplunkAdmin = "splunk:admin",
        /// splunk: power.
        SplunkPower = "splunk:power",
        /// splunk: usage.
        SplunkUsage = "splunk:usage",
        /// splunk: read_only.
        SplunkReadOnly = "splunk:read_only",
    }
}

impl Permission {
    const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// Every one of wavefront's.
    pub const WAVEFRONT: &'static [Self] = &[
        Self::TokenManagement,
        Self::UserManagement,
        Self::AgentManagement,
        Self::HostTagManagement,
        Self::MonitoredApplicationServiceManagement,
        Self::ApplicationManagement,
        Self::Ingestion,
        Self::EmbeddedCharts,
        Self::BatchQueryPriority,
        Self::SamlSsoManagement,
        Self::LogManagement,
        Self::DashboardManagement,
        Self::AlertsManagement,
        Self::EventsManagement,
        Self::DerivedMetricsManagement,
        Self::MetricsManagement,
        Self::ExternalLinksManagement,
        Self::IngestionPolicyManagement,
    ];

    /// Whose word it is.
    pub fn namespace(self) -> Namespace {
        match self.as_str().split_once(':') {
            Some(("house", _)) => Namespace::House,
            Some(("csp", _)) => Namespace::Csp,
            Some(("splunk", _)) => Namespace::Splunk,
            _ => Namespace::Wavefront,
        }
    }
}

/// Checks a permission string: a management permission, or a service's own `external/<id>/<role>` (csp.md 3.2).
///
/// # Errors
/// `invalid_field`.
pub fn check(text: &str) -> Result<()> {
    if Permission::parse(text).is_ok() {
        return Ok(());
    }
    name::check("permission", text, name::PERMISSION)?;
    let mut parts = text.split('/');
    let service = parts.next() == Some("external")
        && text.split('/').count() >= 3
        && parts.all(|part| !part.is_empty())
        && !text.contains(char::is_whitespace);
    if service {
        Ok(())
    } else {
        Err(Error::invalid("permission", "must be a known permission or external/<service>/<role>"))
    }
}

/// A set of permissions. Management permissions are bits, so that the common question costs one instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet {
    managed: u64,
    /// `None` while there are none, so that the common set needs no allocation.
    services: Option<Arc<BTreeSet<String>>>,
}

impl PermissionSet {
    /// The empty set.
    pub fn none() -> Self {
        Self::default()
    }

    /// The set of these management permissions.
    pub fn of(permissions: &[Permission]) -> Self {
        Self { managed: permissions.iter().fold(0, |bits, p| bits | p.bit()), services: None }
    }

    /// Every management permission of one namespace.
    pub fn whole(namespace: Namespace) -> Self {
        let bits = Permission::ALL.iter().filter(|p| p.namespace() == namespace).fold(0, |bits, p| bits | p.bit());
        Self { managed: bits, services: None }
    }

    /// Reads a set from permission strings.
    ///
    /// # Errors
    /// `invalid_field` for a string that is no permission.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut set = Self::none();
        for text in texts {
            check(text)?;
            set.insert(text);
        }
        Ok(set)
    }

    /// Adds one permission by its string.
    pub fn insert(&mut self, text: &str) {
        match Permission::parse(text) {
            Ok(permission) => self.managed |= permission.bit(),
            Err(_) => {
                Arc::make_mut(self.services.get_or_insert_default()).insert(text.to_owned());
            }
        }
    }

    /// Takes one permission out by its string.
    pub fn remove(&mut self, text: &str) {
        match Permission::parse(text) {
            Ok(permission) => self.managed &= !permission.bit(),
            Err(_) => {
                let Some(services) = &mut self.services else { return };
                Arc::make_mut(services).remove(text);
                if services.is_empty() {
                    self.services = None;
                }
            }
        }
    }

    /// Whether it holds this management permission.
    pub const fn has(&self, permission: Permission) -> bool {
        self.managed & permission.bit() != 0
    }

    /// Whether it holds the permission of this string.
    pub fn contains(&self, text: &str) -> bool {
        match Permission::parse(text) {
            Ok(permission) => self.has(permission),
            Err(_) => self.services.as_ref().is_some_and(|services| services.contains(text)),
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.managed == 0 && self.services.is_none()
    }

    /// Adds everything of another set.
    pub fn extend(&mut self, other: &Self) {
        self.managed |= other.managed;
        if let Some(services) = &other.services {
            Arc::make_mut(self.services.get_or_insert_default()).extend(services.iter().cloned());
        }
    }

    /// What both hold.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let services = match (&self.services, &other.services) {
            (Some(one), Some(all)) if one.is_subset(all) => Some(one.clone()),
            (Some(one), Some(other)) => {
                let both: BTreeSet<String> = one.intersection(other).cloned().collect();
                (!both.is_empty()).then(|| Arc::new(both))
            }
            _ => None,
        };
        Self { managed: self.managed & other.managed, services }
    }

    /// The first permission that `self` lacks of `wanted`, if any.
    pub fn lacks(&self, wanted: &Self) -> Option<String> {
        let bits = wanted.managed & !self.managed;
        Permission::ALL
            .iter()
            .find(|p| bits & p.bit() != 0)
            .map(|p| p.as_str().to_owned())
            .or_else(|| wanted.services().find(|service| !self.contains(service)).map(str::to_owned))
    }

    /// What of it is management permissions.
    #[must_use]
    pub fn management(&self) -> Self {
        Self { managed: self.managed, services: None }
    }

    /// Whether everything in it is a management permission of this namespace.
    pub fn within(&self, namespace: Namespace) -> bool {
        self.services.is_none() && self.managed & !Self::whole(namespace).managed == 0
    }

    /// The strings, management permissions first, in a stable order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let managed = Permission::ALL.iter().filter(|p| self.has(**p)).map(|p| p.as_str());
        managed.chain(self.services())
    }

    /// Those of the services behind us.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().flat_map(|services| services.iter()).map(String::as_str)
    }

    /// The strings as a list.
    pub fn names(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }
}

impl fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl Serialize for PermissionSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        Self::parse(texts.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}
