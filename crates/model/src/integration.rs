//! Integrations: systems whose proxies know no access tokens. In an onboarded org they are what service accounts still get
//! tokens for.

use serde::{Deserialize, Serialize};

use crate::permission::{Permission, PermissionSet};
use crate::role::Namespace;
use crate::{Error, Reach, Result, Surface, name};

/// The longest name, in characters.
pub const LONGEST_NAME: usize = 64;
/// The most that an org lists.
pub const MOST: i64 = 200;
/// Where a token for an integration works.
pub const REACH: Reach = Reach::of(&[Surface::Wavefront, Surface::Verify]);

/// What nobody needs who delivers data: else the list would be a way to manage an onboarded org by tokens of the old kind.
const NOT: &[Permission] = &[Permission::UserManagement, Permission::TokenManagement, Permission::SamlSsoManagement];

/// An integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    /// Its name: lower-case letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What its proxies need, and at most what a token for it carries.
    pub permissions: PermissionSet,
}

impl Integration {
    /// Checks what an administrator wants to list.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn check(&self) -> Result<()> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        name::check("name", &self.name, LONGEST_NAME)?;
        if !self.name.chars().all(known) {
            return Err(Error::invalid("name", "must consist of lower-case letters, digits, -, _ and ."));
        }
        name::check_optional("description", &self.description, name::DESCRIPTION)?;
        if self.permissions.is_empty() {
            return Err(Error::invalid("permissions", "must name what its proxies need"));
        }
        if !self.permissions.within(Namespace::Wavefront) {
            return Err(Error::invalid("permissions", "must be Wavefront's: proxies work on its paths alone"));
        }
        if let Some(manages) = NOT.iter().find(|permission| self.permissions.has(**permission)) {
            return Err(Error::invalid("permissions", format_args!("must not manage accounts or tokens: {manages}")));
        }
        Ok(())
    }
}

/// An org's integrations, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Integrations(Vec<Integration>);

/// The list of an org that never changed it. Proxies need Proxies; a function without one delivers by itself.
const BUILTIN: &[(&str, &str, Permission)] = &[
    ("aws-lambda", "AWS Lambda functions, which send data themselves", Permission::Ingestion),
    ("kubernetes", "Kubernetes clusters, by the collector's proxy", Permission::AgentManagement),
    ("tanzu-application-service", "Tanzu Application Service, by the nozzle's proxy", Permission::AgentManagement),
    ("vsphere", "vSphere, by the proxy beside it", Permission::AgentManagement),
];

impl Default for Integrations {
    fn default() -> Self {
        let one = |(name, description, permission): &(&str, &str, Permission)| Integration {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            permissions: PermissionSet::of(&[*permission]),
        };
        Self(BUILTIN.iter().map(one).collect())
    }
}

impl Integrations {
    /// All of them.
    pub fn all(&self) -> &[Integration] {
        &self.0
    }

    /// The one of this name, in any case.
    pub fn find(&self, text: &str) -> Option<&Integration> {
        let folded = name::findable(text, LONGEST_NAME)?;
        self.0.iter().find(|known| known.name == folded)
    }

    /// Puts one in, in the place of the one of its name, which is given back.
    ///
    /// # Errors
    /// `limit_reached`.
    pub fn put(&mut self, new: Integration) -> Result<Option<Integration>> {
        match self.0.binary_search_by(|known| known.name.cmp(&new.name)) {
            Ok(at) => Ok(self.0.get_mut(at).map(|known| std::mem::replace(known, new))),
            Err(_) if i64::try_from(self.0.len()).unwrap_or(i64::MAX) >= MOST => {
                Err(Error::limit("integrations per org", MOST))
            }
            Err(at) => {
                self.0.insert(at, new);
                Ok(None)
            }
        }
    }

    /// Takes the one of this name out, in any case.
    pub fn take(&mut self, text: &str) -> Option<Integration> {
        let folded = name::findable(text, LONGEST_NAME)?;
        let at = self.0.iter().position(|known| known.name == folded)?;
        Some(self.0.remove(at))
    }

    /// Their names, for people who have to choose one.
    pub fn names(&self) -> String {
        if self.0.is_empty() {
            return "none is listed".to_owned();
        }
        self.0.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}
