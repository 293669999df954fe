//! Roles by the names that VMware Cloud Services give them (csp.md 3.1 to 3.3).

use crate::asked::external;
use crate::permission::{self, PermissionSet};
use crate::role::{self, Builtin, Namespace, OPERATIONS, RoleKind};
use crate::{Error, Permission, Result, name};

/// A role as it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Of the organization, with or without `csp:` before it.
    Organization(String),
    /// Of a service.
    Service {
        /// The service's id.
        service: String,
        /// To which part of the service it is bound, if to one.
        resource: Option<String>,
        /// Its name.
        role: String,
    },
    /// One that the org made.
    Custom(String),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Meant<'a> {
    /// A role that comes with the program.
    Builtin(&'static Builtin),
    /// A word of a service behind us, of which we know no role.
    Word(&'a Named),
    /// The org's own role of this name.
    Custom(&'a str),
}

impl Named {
    /// What it stands for.
    ///
    /// # Errors
    /// `invalid_field` for a name that is none, and naming a role that is not there.
    pub fn meant(&self) -> Result<Meant<'_>> {
        match self {
            Self::Organization(text) => organization(text).map(Meant::Builtin).ok_or_else(|| self.missing()),
            Self::Service { service, resource: None, role } if service == OPERATIONS => {
                of_operations(role).map(Meant::Builtin).ok_or_else(|| self.missing())
            }
            Self::Service { service, .. } if service == OPERATIONS => {
                Err(Error::invalid("resource", "must be left out: roles of this service are for all of it"))
            }
            Self::Service { .. } => permission::check(&self.word()).map(|()| Meant::Word(self)),
            Self::Custom(text) => name::check("name", text, name::NAME).map(|()| Meant::Custom(text)),
        }
    }

    /// The permission that is a service's own word for it.
    pub fn word(&self) -> String {
        match self {
            Self::Service { service, resource: Some(resource), role } => {
                external(service, &format!("{resource}/{role}"))
            }
            Self::Service { service, resource: None, role } => external(service, role),
            Self::Organization(text) | Self::Custom(text) => text.clone(),
        }
    }

    /// The service's role whose word a permission is; nothing for what is no such word.
    pub fn of_word(word: &str) -> Option<Self> {
        let (service, rest) = word.strip_prefix("external/")?.split_once('/')?;
        let (resource, role) = match rest.rsplit_once('/') {
            Some((resource, role)) => (Some(resource.to_owned()), role),
            None => (None, rest),
        };
        Some(Self::Service { service: service.to_owned(), resource, role: role.to_owned() })
    }

    /// What is told of one that is not there.
    pub fn missing(&self) -> Error {
        let (Self::Organization(text) | Self::Service { role: text, .. } | Self::Custom(text)) = self;
        match name::check("name", text, name::NAME) {
            Ok(()) => Error::invalid("roles", format_args!("name one that does not exist: {text}")),
            Err(error) => error,
        }
    }
}

/// The organization's role of this name, with or without `csp:` before it.
pub fn organization(text: &str) -> Option<&'static Builtin> {
    let builtin = role::builtin(text.strip_prefix("csp:").unwrap_or(text))?;
    (builtin.namespace == Namespace::Csp && builtin.kind == RoleKind::Organization).then_some(builtin)
}

/// The role of this name of the service that has built-in roles.
pub fn of_operations(text: &str) -> Option<&'static Builtin> {
    role::builtin(text).filter(|role| role.kind == RoleKind::Service)
}

/// These permissions, and what the words of the service that has built-in roles stand for among them: whoever has such a
/// word has that too.
#[must_use]
pub fn spelled_out(permissions: &PermissionSet) -> PermissionSet {
    let mut all = permissions.clone();
    for word in permissions.services() {
        if let Some(Named::Service { service, resource: None, role }) = Named::of_word(word)
            && service == OPERATIONS
            && let Some(builtin) = of_operations(&role)
        {
            all.extend(&PermissionSet::of(builtin.permissions));
        }
    }
    all
}

/// The services whose permissions these are. Wavefront's belong to the one that has built-in roles.
pub fn services(permissions: &PermissionSet) -> Vec<String> {
    let mut services: Vec<String> = Vec::new();
    if Permission::WAVEFRONT.iter().any(|permission| permissions.has(*permission)) {
        services.push(OPERATIONS.to_owned());
    }
    for word in permissions.services() {
        if let Some(Named::Service { service, .. }) = Named::of_word(word)
            && !services.contains(&service)
        {
            services.push(service);
        }
    }
    services
}
