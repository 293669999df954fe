//! The roles that an api token or an app is to have, as options of a command.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};
use tokenhouse_model::role::OPERATIONS;

/// Roles, of those that you hold.
#[derive(Args, Debug)]
pub struct Roles {
    /// A role of the organization, org_member perhaps; repeat, or separate by commas. At least one is needed
    #[arg(long = "role", value_delimiter = ',', value_name = "ROLE")]
    roles: Vec<String>,
    /// A role of a service: aoa:viewer, or SERVICE/ROLE for another service than Operations for Applications
    #[arg(long = "service-role", value_delimiter = ',', value_name = "ROLE")]
    service_roles: Vec<String>,
    /// A custom role
    #[arg(long = "custom-role", value_name = "ROLE")]
    custom_roles: Vec<String>,
}

impl Roles {
    /// Whether none is named.
    pub fn none(&self) -> bool {
        self.roles.is_empty() && self.service_roles.is_empty() && self.custom_roles.is_empty()
    }

    /// As the API reads them.
    pub fn body(&self) -> Value {
        let mut services: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for text in &self.service_roles {
            let (service, role) = text.split_once('/').unwrap_or((OPERATIONS, text));
            services.entry(service).or_default().push(role);
        }
        let services: BTreeMap<_, _> =
            services.into_iter().map(|(id, roles)| (id, json!({ "roles": roles }))).collect();
        json!({ "organization": { "roles": self.roles }, "services": services, "custom": self.custom_roles })
    }
}
