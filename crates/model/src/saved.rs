//! Searches that somebody keeps. What is in them belongs to whoever wrote them: nothing here reads it.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::macros::words;
use crate::{Error, Millis, Result};

words! {
    /// What a kept search looks for, in the words of the wire (wavefront.md 6). Most of them name things that are not
    /// here; a search for them is kept all the same.
    pub enum Entity ("entity") {
        /// Dashboards.
        Dashboard = "DASHBOARD",
        /// Alerts.
        Alert = "ALERT",
        /// Maintenance windows.
        MaintenanceWindow = "MAINTENANCE_WINDOW",
        /// Notification targets.
        Notificant = "NOTIFICANT",
        /// Events.
        Event = "EVENT",
        /// Sources.
        Source = "SOURCE",
        /// External links.
        ExternalLink = "EXTERNAL_LINK",
        /// Proxies.
        Agent = "AGENT",
        /// Cloud integrations.
        CloudIntegration = "CLOUD_INTEGRATION",
        /// Applications.
        Application = "APPLICATION",
        /// Registered queries.
        RegisteredQuery = "REGISTERED_QUERY",
        /// Users.
        User = "USER",
        /// Groups.
        UserGroup = "USER_GROUP",
        /// Service accounts.
        ServiceAccount = "SERVICE_ACCOUNT",
        /// Ingestion policies.
        IngestionPolicy = "INGESTION_POLICY",
        /// Roles.
        Role = "ROLE",
        /// Tokens.
        Token = "TOKEN",
        /// Alert analytics.
        AlertAnalytics = "ALERT_ANALYTICS",
        /// Log alerts.
        LogAlert = "LOG_ALERT",
        /// Monitored services.
        MonitoredService = "MONITORED_SERVICE",
    }
}

/// A search that an account keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSearch {
    /// Row id.
    pub id: Uuid,
    /// The org.
    pub org_id: Uuid,
    /// Whose it is.
    pub account_id: Uuid,
    /// What it looks for.
    pub entity: Entity,
    /// The search: names and texts that are given back as they came.
    pub query: BTreeMap<String, String>,
    /// The account that made it.
    pub created_by: Uuid,
    /// When it was made.
    pub created_at: Millis,
    /// The account that changed it last.
    pub updated_by: Uuid,
    /// When it was last changed.
    pub updated_at: Millis,
}

/// The most searches that an account keeps.
pub const MOST: i64 = 1000;
/// The most names in one search.
pub const MOST_NAMES: usize = 32;
/// The most that one search holds, names and texts together, in bytes.
pub const LARGEST: usize = 64 * 1024;

/// Checks what is to be kept.
///
/// # Errors
/// `invalid_field`.
pub fn check(query: &BTreeMap<String, String>) -> Result<()> {
    if query.len() > MOST_NAMES {
        return Err(Error::invalid("query", format_args!("must have at most {MOST_NAMES} entries")));
    }
    if query.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>() > LARGEST {
        return Err(Error::invalid("query", format_args!("must have at most {LARGEST} bytes")));
    }
    Ok(())
}
