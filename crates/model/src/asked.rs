//! Which roles an api token or an app is to have: the minimum that its maker chooses of what he holds (csp.md 3.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::permission::{self, PermissionSet};
use crate::role::{self, Namespace, Role, RoleKind};
use crate::{Error, Millis, Result, Uuid, name, named};

/// The roles of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRoles {
    /// Every role of it that the maker holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// What was asked for, in the words of whoever asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What is no role: `openid` and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub general: Vec<String>,
    /// Roles of the organization.
    #[serde(default)]
    pub organization: ServiceRoles,
    /// Roles of services, by the service's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, ServiceRoles>,
    /// Custom roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<String>,
}

/// The general scope by which one may be told who its maker is (csp.md 3.5).
pub const OPENID: &str = "openid";
/// The most roles and services that may be named, together.
pub const MOST_NAMED: usize = 500;
/// The most `general` scopes.
const MOST_GENERAL: usize = 20;

impl Asked {
    /// Whether it is to tell who its maker is.
    pub fn openid(&self) -> bool {
        self.general.iter().any(|text| text == OPENID)
    }

    /// Checks that it can be read at all.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn check(&self) -> Result<()> {
        let services = self.services.values().map(|service| service.roles.len() + 1).sum::<usize>();
        if self.organization.roles.len() + self.custom.len() + services > MOST_NAMED {
            return Err(Error::invalid("allowedScopes", format_args!("must name at most {MOST_NAMED} roles")));
        }
        if self.general.len() > MOST_GENERAL {
            return Err(Error::invalid("generalScopes", format_args!("must be at most {MOST_GENERAL}")));
        }
        for text in self.general.iter().chain(&self.organization.roles).chain(&self.custom) {
            name::check("allowedScopes", text, name::NAME)?;
        }
        for (service, roles) in &self.services {
            for role in &roles.roles {
                permission::check(&external(service, role))?;
            }
            permission::check(&external(service, "any"))?;
        }
        Ok(())
    }

    /// What it comes to for somebody who can give whatever `may` says, out of `held` where all roles of a kind are meant;
    /// `custom` are the roles that he may mean by the names in it.
    ///
    /// # Errors
    /// `invalid_field` naming the role that he does not hold, or saying that a role of the organization is missing.
    pub fn resolve(
        &self,
        held: &PermissionSet,
        custom: &[Role],
        may: impl Fn(&PermissionSet) -> bool,
    ) -> Result<Resolved> {
        let mut resolved = Resolved::default();
        for builtin in role::BUILTIN.iter().filter(|role| role.namespace == Namespace::Csp) {
            let own = builtin.role().permissions;
            let within = match builtin.kind {
                RoleKind::Organization => self.organization.all,
                _ => self.services.get(role::OPERATIONS).is_some_and(|service| service.all),
            };
            if within && held.lacks(&own).is_none() {
                resolved.add(Some(builtin.id()), &own);
            }
        }
        let mut add = |id: Option<Uuid>, permissions: &PermissionSet, text: &str| {
            if !may(permissions) {
                return Err(not_held(text));
            }
            resolved.add(id, permissions);
            Ok(())
        };
        for text in &self.organization.roles {
            let role = named::organization(text).ok_or_else(|| not_held(text))?;
            add(Some(role.id()), &role.role().permissions, text)?;
        }
        for (service, asked) in &self.services {
            for text in &asked.roles {
                if service == role::OPERATIONS {
                    let role = named::of_operations(text).ok_or_else(|| not_held(text))?;
                    add(Some(role.id()), &role.role().permissions, text)?;
                } else {
                    // Of other services we know no role but by its own word.
                    add(None, &PermissionSet::parse([external(service, text).as_str()])?, text)?;
                }
            }
            if asked.all && service != role::OPERATIONS {
                let start = external(service, "");
                for own in held.services().filter(|permission| permission.starts_with(&start)) {
                    add(None, &PermissionSet::parse([own])?, own)?;
                }
            }
        }
        for text in &self.custom {
            let folded = name::fold(text);
            let role = custom.iter().find(|role| role.kind == RoleKind::Custom && role.name_fold == folded);
            let role = role.ok_or_else(|| not_held(text))?;
            add(Some(role.id), &role.permissions, text)?;
            self.check_custom(&role.permissions, text, held)?;
        }
        let organization =
            role::BUILTIN.iter().filter(|role| role.namespace == Namespace::Csp && role.kind == RoleKind::Organization);
        if !organization.flat_map(|role| role.permissions).any(|permission| resolved.permissions.has(*permission)) {
            let why = "must name at least one organization role that you hold, org_member perhaps";
            return Err(Error::invalid("allowedScopes.organizationScopes.roles", why));
        }
        Ok(resolved)
    }

    /// A custom role counts for a service of which one has a role at least, as little as it may be (csp.md 3.3).
    fn check_custom(&self, permissions: &PermissionSet, text: &str, held: &PermissionSet) -> Result<()> {
        let has_one = |service: &String| {
            let start = external(service, "");
            let any = || held.services().any(|permission| permission.starts_with(&start));
            self.services.get(service).is_some_and(|asked| !asked.roles.is_empty() || asked.all && any())
        };
        match named::services(permissions).into_iter().find(|service| !has_one(service)) {
            None => Ok(()),
            Some(service) => {
                let why =
                    format_args!("must name a role of {service} too, a viewer's perhaps: {text} is for that service");
                Err(Error::invalid("allowedScopes.servicesScopes", why))
            }
        }
    }
}

impl Asked {
    /// What somebody would have asked for who was given these roles and words; what no api token or app can have is left
    /// out.
    pub fn given<'a>(roles: impl IntoIterator<Item = &'a Role>, words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut asked = Self::default();
        for role in roles {
            let name = role.name.clone();
            match (role.kind, role::BUILTIN.iter().find(|builtin| builtin.id() == role.id).map(|one| one.namespace)) {
                (RoleKind::Organization, Some(Namespace::Csp)) => asked.organization.roles.push(name),
                (RoleKind::Service, Some(Namespace::Csp)) => {
                    asked.services.entry(role::OPERATIONS.to_owned()).or_default().roles.push(name);
                }
                (RoleKind::Custom, _) => asked.custom.push(name),
                _ => {}
            }
        }
        for word in words {
            if let Some((service, role)) = word.strip_prefix("external/").and_then(|word| word.split_once('/')) {
                asked.services.entry(service.to_owned()).or_default().roles.push(role.to_owned());
            }
        }
        asked
    }
}

/// What was asked for, found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// All that it gives.
    pub permissions: PermissionSet,
    /// The roles.
    pub roles: Vec<Uuid>,
    /// What is no role of ours: words of services behind us.
    pub words: Vec<String>,
}

impl Resolved {
    fn add(&mut self, role: Option<Uuid>, permissions: &PermissionSet) {
        match role {
            Some(id) if self.roles.contains(&id) => {}
            Some(id) => self.roles.push(id),
            None => self.words.extend(permissions.names()),
        }
        self.permissions.extend(permissions);
    }
}

/// The permission that is a service's own word for a role (csp.md 3.2).
pub fn external(service: &str, role: &str) -> String {
    format!("external/{service}/{role}")
}

fn not_held(text: &str) -> Error {
    Error::invalid("allowedScopes", format_args!("name a role that you do not hold: {text}"))
}

/// What was asked of an api token, beside what decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The token.
    pub token_id: Uuid,
    /// Its roles.
    pub asked: Asked,
    /// How long it lives from its making and from each time that it is regenerated, in milliseconds.
    pub life: Millis,
    /// How many days before its end its owner wants to hear of it; 0 for not at all.
    pub notice_days: i64,
}

/// The shortest life of an api token, in milliseconds (csp.md 4.1).
pub const SHORTEST: Millis = 1_800_000;
/// The longest notice before an end, in days.
pub const LONGEST_NOTICE: i64 = 365;
/// The longest name of an api token, in characters (csp.md 4).
pub const LONGEST_NAME: usize = 64;

/// Checks an api token's name: letters and digits of any language, and a few signs (csp.md 4).
///
/// # Errors
/// `invalid_field`.
pub fn check_name(text: &str) -> Result<()> {
    name::check_optional("tokenName", text, LONGEST_NAME)?;
    if text.chars().all(|c| c.is_alphanumeric() || "-_.`':@&, ".contains(c)) {
        return Ok(());
    }
    Err(Error::invalid("tokenName", "must consist of letters, digits, spaces and -_.`':@&,"))
}

/// Checks how long an api token is to live, in milliseconds, and when its owner wants to hear of its end.
///
/// # Errors
/// `invalid_field`.
pub fn check_life(life: Option<Millis>, notice_days: i64) -> Result<()> {
    if life.is_some_and(|life| life < SHORTEST) {
        let seconds = SHORTEST / 1000;
        return Err(Error::invalid("refreshTokenTTL", format_args!("must be at least {seconds} seconds")));
    }
    if !(0..=LONGEST_NOTICE).contains(&notice_days) {
        return Err(Error::invalid("notifyBeforeExpiry", format_args!("must be 0 to {LONGEST_NOTICE} days")));
    }
    Ok(())
}
