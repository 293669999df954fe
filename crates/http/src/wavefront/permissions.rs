//! The dialect's permissions, their names in the UI, and the business functions that they open (wavefront.md 8).

use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Permission, PermissionSet};

/// Permission, its name in the UI, what it lets one do.
const TITLES: &[(Permission, &str, &str)] = &[
    (Permission::TokenManagement, "API Tokens", "Generate API tokens for one's own user account"),
    (
        Permission::UserManagement,
        "Accounts",
        "Manage users, service accounts, groups, roles and permissions; see and revoke every API token",
    ),
    (Permission::AgentManagement, "Proxies", "Manage proxies"),
    (Permission::HostTagManagement, "Source Tags", "Manage source tags"),
    (Permission::MonitoredApplicationServiceManagement, "Integrations", "Manage integrations"),
    (Permission::ApplicationManagement, "Applications", "Manage applications"),
    (Permission::Ingestion, "Direct Data Ingestion", "Send data without a proxy"),
    (Permission::EmbeddedCharts, "Chart Embedding", "Embed charts"),
    (Permission::BatchQueryPriority, "Batch Query Priority", "Run queries at batch priority"),
    (Permission::SamlSsoManagement, "SAML IdP Admin", "Manage single sign-on"),
    (Permission::LogManagement, "Logs", "See and manage logs"),
    (Permission::DashboardManagement, "Dashboards", "Manage dashboards"),
    (Permission::AlertsManagement, "Alerts", "Manage alerts"),
    (Permission::EventsManagement, "Events", "Manage events"),
    (Permission::DerivedMetricsManagement, "Derived Metrics", "Manage derived metrics"),
    (Permission::MetricsManagement, "Metrics", "Manage metrics"),
    (Permission::ExternalLinksManagement, "External Links", "Manage external links"),
    (Permission::IngestionPolicyManagement, "Ingestion Policies", "Manage ingestion policies"),
];

/// The name of a permission in the UI; `None` for another dialect's.
pub(super) fn title(permission: Permission) -> Option<&'static str> {
    TITLES.iter().find(|(own, ..)| *own == permission).map(|(_, title, _)| *title)
}

/// Every permission of the dialect: its string, its name in the UI, what it lets one do.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TITLES.iter().map(|(permission, title, about)| (permission.as_str(), *title, *about))
}

/// The dialect's permissions of a set, as strings. Those of other dialects are not its business (design 5.2).
pub(super) fn own(set: &PermissionSet) -> Vec<&'static str> {
    let own = Permission::ALL.iter().filter(|p| p.namespace() == Namespace::Wavefront && set.has(**p));
    own.map(|permission| permission.as_str()).collect()
}

/// What everybody may.
const EVERYBODY: &[&str] = &["GET_TOKENS", "LOGIN", "LOGOUT", "REVOKE_TOKEN", "TOKEN"];

/// What a permission opens: words of the clients' closed list, on any other of which they raise.
const FUNCTIONS: &[(Permission, &[&str])] = &[
    (Permission::TokenManagement, &["CREATE_TOKEN"]),
    (
        Permission::UserManagement,
        &[
            "ADMINISTER_ALL_TOKENS",
            "ADMINISTER_GROUPS",
            "ADMINISTER_SERVICE_ACCOUNTS",
            "ADMINISTER_USER_GROUPS",
            "DELETE_ACCOUNT",
            "GET_ALL_ACCOUNTS",
            "GET_ALL_SERVICE_ACCOUNTS",
            "GET_ALL_USERS",
            "INVITE_USER",
            "REVOKE_ALL_TOKENS",
            "ROLES_MANAGEMENT",
        ],
    ),
];

/// The business functions of someone with these permissions, in order.
pub(super) fn functions(held: &PermissionSet) -> Vec<&'static str> {
    let opened = FUNCTIONS.iter().filter(|(permission, _)| held.has(*permission)).flat_map(|(_, opened)| *opened);
    let mut all: Vec<&str> = EVERYBODY.iter().chain(opened).copied().collect();
    all.sort_unstable();
    all
}
