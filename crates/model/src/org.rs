//! The tenant.

use uuid::Uuid;

use crate::Millis;
use crate::macros::words;

words! {
    /// Whether the org's credentials work.
    pub enum OrgState ("state") {
        /// They do.
        Active = "active",
        /// None does.
        Suspended = "suspended",
    }
}

/// A tenant: "customer" in wavefront, "organization" in csp and splunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Row id.
    pub id: Uuid,
    /// Its name, unique in the installation.
    pub name: String,
    /// The name folded for comparing.
    pub name_fold: String,
    /// Whether its credentials work.
    pub state: OrgState,
    /// Whether it is onboarded in csp's sense; an org starts as original.
    pub onboarded: bool,
    /// Its data key, wrapped by the master key.
    pub data_key: Vec<u8>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}
