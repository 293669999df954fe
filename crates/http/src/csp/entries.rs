//! The JSON of members, of groups, and of the roles that they have (csp.md 6).

use serde::Serialize;
use serde_json::Value;
use tokenhouse_authority::views::{AccountView, Given, GroupView};
use tokenhouse_model::account::AccountState;
use tokenhouse_model::named::{self, Named};
use tokenhouse_model::role::{self, Builtin, Namespace, OPERATIONS, RoleKind};
use tokenhouse_model::{Account, Group, NEVER, Org, Uuid};

use super::shapes::Person;

/// A role that somebody has. Who gave it stands in the ledger and not here.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    name: String,
    role_name: String,
    display_name: String,
    /// To which part of its service it is bound.
    resource: Option<String>,
    membership_type: &'static str,
    /// In milliseconds since the epoch; null for one that does not end.
    expires_at: Option<i64>,
    created_by: Value,
    created_date: Option<String>,
    last_updated_by: Value,
    last_updated_date: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visible: Option<bool>,
    /// The group that gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_ids: Option<[Uuid; 1]>,
}

impl Entry {
    fn new(name: &str, title: &str, given: &Given, group: Option<&Group>) -> Self {
        Self {
            name: name.to_owned(),
            role_name: name.to_owned(),
            display_name: title.to_owned(),
            resource: None,
            membership_type: if group.is_some() { "GROUP" } else { "DIRECT" },
            expires_at: (given.expires_at != NEVER).then_some(given.expires_at),
            created_by: Value::Null,
            created_date: Some(given.created_at.to_string()),
            last_updated_by: Value::Null,
            last_updated_date: Value::Null,
            organization_link: None,
            visible: None,
            group_ids: group.map(|group| [group.id]),
        }
    }

    fn of_org(role: &Builtin, given: &Given, group: Option<&Group>, org: Uuid) -> Self {
        let organization_link = Some(link(org));
        Self { organization_link, visible: Some(true), ..Self::new(role.name, role.title(), given, group) }
    }
}

/// The roles of one service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfService {
    service_definition_id: String,
    service_definition_link: String,
    service_role_names: Vec<String>,
    service_roles: Vec<Entry>,
}

/// All roles of one holder, as far as this dialect has words for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    pub(super) organization: Vec<Entry>,
    pub(super) services: Vec<OfService>,
    pub(super) custom: Vec<Entry>,
}

impl Roles {
    /// Those of an account, its own and those that its groups give it.
    pub(super) fn of_account(view: &AccountView) -> Self {
        let mut roles = Self::default();
        view.given.iter().for_each(|given| roles.add(given, None, view.account.org_id));
        for group in &view.groups {
            group.given.iter().for_each(|given| roles.add(given, Some(&group.group), view.account.org_id));
        }
        roles
    }

    /// Those that a group gives.
    pub(super) fn of_group(view: &GroupView) -> Self {
        let mut roles = Self::default();
        view.given.iter().for_each(|given| roles.add(given, None, view.group.org_id));
        roles
    }

    fn add(&mut self, given: &Given, group: Option<&Group>, org: Uuid) {
        match &given.role {
            Some(role) if role.namespace != Namespace::Csp => {}
            Some(role) => match (role.kind, role::builtin(&role.name)) {
                (RoleKind::Custom, _) => self.custom.push(Entry::new(&role.name, &role.name, given, group)),
                (RoleKind::Organization, Some(role)) => self.organization.push(Entry::of_org(role, given, group, org)),
                (RoleKind::Service, Some(role)) => {
                    self.of_service(OPERATIONS, Entry::new(role.name, role.title(), given, group));
                }
                _ => {}
            },
            // What is held as a permission is a rank all the same, or the word of a service.
            None => {
                for permission in given.permissions.iter() {
                    if let Some(role) = named::organization(permission).filter(|_| permission.starts_with("csp:")) {
                        self.organization.push(Entry::of_org(role, given, group, org));
                    } else if let Some(Named::Service { service, resource, role }) = Named::of_word(permission) {
                        self.of_service(&service, Entry { resource, ..Entry::new(&role, &role, given, group) });
                    }
                }
            }
        }
    }

    fn of_service(&mut self, service: &str, entry: Entry) {
        let at = self.services.iter().position(|known| known.service_definition_id == service);
        let at = at.unwrap_or_else(|| {
            self.services.push(OfService {
                service_definition_id: service.to_owned(),
                service_definition_link: format!("/csp/gateway/slc/api/definitions/external/{service}"),
                service_role_names: Vec::new(),
                service_roles: Vec::new(),
            });
            self.services.len() - 1
        });
        let Some(known) = self.services.get_mut(at) else { return };
        if !known.service_role_names.contains(&entry.name) {
            known.service_role_names.push(entry.name.clone());
        }
        known.service_roles.push(entry);
    }
}

/// The link of an organization.
pub(super) fn link(org: Uuid) -> String {
    format!("/csp/gateway/am/api/orgs/{org}")
}

/// A person, and whether he can sign in.
#[derive(Debug, Serialize)]
pub(super) struct User {
    #[serde(flatten)]
    person: Person,
    accessible: bool,
}

impl User {
    pub(super) fn of(account: &Account) -> Self {
        Self { person: Person::of(account), accessible: account.state == AccountState::Active }
    }
}

/// A member of an organization with his roles.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    user: User,
    org_id: Uuid,
    organization_roles: Vec<Entry>,
    service_roles: Vec<OfService>,
    custom_roles: Vec<Entry>,
}

impl Member {
    pub(super) fn of(view: &AccountView) -> Self {
        let Roles { organization, services, custom } = Roles::of_account(view);
        Self {
            user: User::of(&view.account),
            org_id: view.account.org_id,
            organization_roles: organization,
            service_roles: services,
            custom_roles: custom,
        }
    }
}

/// A member with all that is known of him in an organization.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Info {
    user: User,
    user_org_info: [OrgInfo; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OrgInfo {
    name: String,
    display_name: String,
    org_roles: Vec<Entry>,
    services_def: Vec<ServiceInfo>,
    custom_roles: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceInfo {
    ref_link: String,
    /// Of other services we know no name.
    service_name: Option<&'static str>,
    service_display_name: Option<&'static str>,
    service_roles: Vec<String>,
    roles: Vec<Entry>,
}

impl Info {
    pub(super) fn of(view: &AccountView, org: &Org) -> Self {
        let Roles { organization, services, custom } = Roles::of_account(view);
        let service = |of: OfService| {
            let title = (of.service_definition_id == OPERATIONS).then_some("Operations for Applications");
            ServiceInfo {
                ref_link: of.service_definition_link,
                service_name: title,
                service_display_name: title,
                service_roles: of.service_role_names,
                roles: of.service_roles,
            }
        };
        let info = OrgInfo {
            name: org.name.clone(),
            display_name: org.name.clone(),
            org_roles: organization,
            services_def: services.into_iter().map(service).collect(),
            custom_roles: custom,
        };
        Self { user: User::of(&view.account), user_org_info: [info] }
    }
}

/// A group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupEntry {
    id: Uuid,
    display_name: String,
    description: String,
    domain: Value,
    /// All groups are the org's own; none comes from an identity provider.
    group_type: &'static str,
    owner_org_id: Uuid,
    shared_org_ids: [(); 0],
    users_count: i64,
}

impl GroupEntry {
    pub(super) fn of(view: &GroupView) -> Self {
        Self {
            id: view.group.id,
            display_name: view.group.name.clone(),
            description: view.group.description.clone(),
            domain: Value::Null,
            group_type: "USER_GROUP",
            owner_org_id: view.group.org_id,
            shared_org_ids: [],
            users_count: view.members,
        }
    }
}

/// A group with the roles that it gives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupWithRoles {
    #[serde(flatten)]
    group: GroupEntry,
    organization_roles: Vec<Entry>,
    service_roles: Vec<OfService>,
    custom_roles: Vec<Entry>,
}

impl GroupWithRoles {
    pub(super) fn of(view: &GroupView) -> Self {
        let Roles { organization, services, custom } = Roles::of_group(view);
        Self {
            group: GroupEntry::of(view),
            organization_roles: organization,
            service_roles: services,
            custom_roles: custom,
        }
    }
}
