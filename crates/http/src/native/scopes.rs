//! The roles that an api token or an app is to have, as the native API asks for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenhouse_model::asked::{Asked, ServiceRoles};
use utoipa::ToSchema;

/// Roles of one kind.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Chosen {
    /// All of this kind that you hold when it is made.
    all: bool,
    /// By name.
    roles: Vec<String>,
}

/// The roles that it is to have: the least that is enough, of those that you hold.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RoleScopes {
    /// What is no role: `openid` and the like.
    general: Vec<String>,
    /// Roles of the organization; at least one is needed.
    organization: Chosen,
    /// Roles of services, by the service's id.
    services: BTreeMap<String, Chosen>,
    /// Custom roles, by name.
    custom: Vec<String>,
}

impl From<Chosen> for ServiceRoles {
    fn from(Chosen { all, roles }: Chosen) -> Self {
        Self { all, roles }
    }
}

impl From<ServiceRoles> for Chosen {
    fn from(ServiceRoles { all, roles }: ServiceRoles) -> Self {
        Self { all, roles }
    }
}

impl From<RoleScopes> for Asked {
    fn from(scopes: RoleScopes) -> Self {
        let services = scopes.services.into_iter().map(|(id, chosen)| (id, chosen.into())).collect();
        Self { general: scopes.general, organization: scopes.organization.into(), services, custom: scopes.custom }
    }
}

impl From<Asked> for RoleScopes {
    fn from(asked: Asked) -> Self {
        let services = asked.services.into_iter().map(|(id, roles)| (id, roles.into())).collect();
        Self { general: asked.general, organization: asked.organization.into(), services, custom: asked.custom }
    }
}
