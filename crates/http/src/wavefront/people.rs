//! The JSON of accounts, groups and roles (wavefront.md 7.2). Lists are always there, never null: a client asks them
//! whether they are empty.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokenhouse_authority::views::{AccountView, Given, GroupView, RoleView, TokenView};
use tokenhouse_model::account::AccountState;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{Error, GroupKind, Millis, Org, PermissionSet, Result, Role, Uuid};

use super::permissions::own;
use super::shapes::{UserToken, text, time};
use super::words::Status;

/// `RoleDTO`. The counts and samples stand in answers about roles, not in those about whoever holds them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleDto {
    id: Uuid,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    customer: String,
    permissions: Vec<&'static str>,
    created_epoch_millis: Millis,
    last_updated_ms: Millis,
    #[serde(flatten)]
    linked: Option<Linked>,
}

/// Who holds a role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Linked {
    linked_accounts_count: i64,
    linked_groups_count: i64,
    sample_linked_accounts: Vec<String>,
    sample_linked_groups: Vec<UserGroup>,
}

impl RoleDto {
    fn brief(role: &Role, org: &Org) -> Self {
        Self {
            id: role.id,
            name: role.name.clone(),
            description: text(role.description.clone()),
            customer: org.name.clone(),
            permissions: own(&role.permissions),
            created_epoch_millis: role.created_at,
            last_updated_ms: role.updated_at,
            linked: None,
        }
    }

    /// A role with who holds it.
    pub(super) fn new(view: &RoleView, org: &Org) -> Self {
        let linked = Linked {
            linked_accounts_count: view.accounts,
            linked_groups_count: view.groups,
            sample_linked_accounts: view.sample_accounts.clone(),
            sample_linked_groups: view.sample_groups.iter().map(|group| UserGroup::new(group, org)).collect(),
        };
        Self { linked: Some(linked), ..Self::brief(&view.role, org) }
    }
}

/// The dialect's own roles of what was given (design 5.2).
fn roles(given: &[Given]) -> impl Iterator<Item = &Arc<Role>> {
    given.iter().filter_map(|given| given.role.as_ref()).filter(|role| role.namespace == Namespace::Wavefront)
}

/// The dialect's own permissions that were given directly.
fn permissions(given: &[Given]) -> Vec<&'static str> {
    let mut set = PermissionSet::none();
    given.iter().filter(|given| given.role.is_none()).for_each(|given| set.extend(&given.permissions));
    own(&set)
}

/// What can be changed about a group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    name_editable: bool,
    users_editable: bool,
    roles_editable: bool,
}

/// `UserGroup` and `UserGroupModel` in one: the second has two more members.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserGroup {
    id: Uuid,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    customer: String,
    created_epoch_millis: Millis,
    /// Some of the members: the clients know that it may not be all.
    users: Vec<String>,
    user_count: i64,
    roles: Vec<RoleDto>,
    role_count: usize,
    /// Older clients read it; permissions come through roles.
    permissions: Vec<&'static str>,
    properties: Properties,
}

impl UserGroup {
    /// A group.
    pub(super) fn new(view: &GroupView, org: &Org) -> Self {
        let group = &view.group;
        let roles: Vec<RoleDto> = roles(&view.given).map(|role| RoleDto::brief(role, org)).collect();
        Self {
            id: group.id,
            name: group.name.clone(),
            description: text(group.description.clone()),
            customer: org.name.clone(),
            created_epoch_millis: group.created_at,
            users: view.sample.clone(),
            user_count: view.members,
            role_count: roles.len(),
            roles,
            permissions: permissions(&view.given),
            properties: Properties {
                name_editable: !group.kind.system(),
                users_editable: group.kind != GroupKind::Everyone,
                roles_editable: true,
            },
        }
    }
}

fn groups(view: &AccountView, org: &Org) -> Vec<UserGroup> {
    view.groups.iter().map(|group| UserGroup::new(group, org)).collect()
}

fn united_roles(view: &AccountView) -> Vec<Uuid> {
    view.held_roles.iter().filter(|role| role.namespace == Namespace::Wavefront).map(|role| role.id).collect()
}

/// `ServiceAccount`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceAccount {
    identifier: String,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    groups: Vec<&'static str>,
    roles: Vec<RoleDto>,
    user_groups: Vec<UserGroup>,
    tokens: Vec<UserToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<Millis>,
    united_roles: Vec<Uuid>,
    united_permissions: Vec<&'static str>,
}

impl ServiceAccount {
    /// A service account with its living tokens.
    pub(super) fn new(view: &AccountView, tokens: Vec<TokenView>, org: &Org) -> Self {
        Self {
            identifier: view.account.identifier.clone(),
            active: view.account.state == AccountState::Active,
            description: text(view.account.description.clone()),
            groups: permissions(&view.given),
            roles: roles(&view.given).map(|role| RoleDto::brief(role, org)).collect(),
            user_groups: groups(view, org),
            tokens: tokens.into_iter().map(UserToken::from).collect(),
            last_used: time(view.last_used_at),
            united_roles: united_roles(view),
            united_permissions: own(&view.held),
        }
    }
}

/// `Account`: a user or service account with ids where the others have objects.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    identifier: String,
    groups: Vec<&'static str>,
    roles: Vec<Uuid>,
    user_groups: Vec<Uuid>,
    united_roles: Vec<Uuid>,
    united_permissions: Vec<&'static str>,
}

impl Account {
    /// An account.
    pub(super) fn new(view: &AccountView) -> Self {
        Self {
            identifier: view.account.identifier.clone(),
            groups: permissions(&view.given),
            roles: roles(&view.given).map(|role| role.id).collect(),
            user_groups: view.groups.iter().map(|group| group.group.id).collect(),
            united_roles: united_roles(view),
            united_permissions: own(&view.held),
        }
    }
}

/// `UserModel` and `UserDTO`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    identifier: String,
    customer: String,
    groups: Vec<&'static str>,
    roles: Vec<RoleDto>,
    user_groups: Vec<UserGroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_successful_login: Option<Millis>,
}

impl User {
    /// An account as a user. A service account has the same members where it is asked for as one.
    pub(super) fn new(view: &AccountView, org: &Org) -> Self {
        Self {
            identifier: view.account.identifier.clone(),
            customer: org.name.clone(),
            groups: permissions(&view.given),
            roles: roles(&view.given).map(|role| RoleDto::brief(role, org)).collect(),
            user_groups: groups(view, org),
            last_successful_login: time(view.last_login_at),
        }
    }
}

/// The union body: a user's own members at the top, and the envelope around the same user. Some clients want the one,
/// some the other, and each raises or shows nothing at the other's (wavefront.md 7.1).
#[derive(Debug, Serialize)]
pub(super) struct Union {
    #[serde(flatten)]
    bare: Value,
    status: Status,
    response: Value,
}

impl Union {
    /// A user in both forms.
    ///
    /// # Errors
    /// `internal`.
    pub(super) fn new(status: Status, user: &User) -> Result<Self> {
        let user = serde_json::to_value(user).map_err(Error::internal)?;
        Ok(Self { bare: user.clone(), status, response: user })
    }
}

/// `CustomerFacingUserObject`: what a search for users finds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FoundUser {
    identifier: String,
    id: String,
    escaped_identifier: String,
    customer: String,
    #[serde(rename = "self")]
    oneself: bool,
    groups: Vec<&'static str>,
    user_groups: Vec<Uuid>,
    united_permissions: Vec<&'static str>,
    united_roles: Vec<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_successful_login: Option<Millis>,
}

impl FoundUser {
    /// A user as this account finds him.
    pub(super) fn new(view: &AccountView, org: &Org, finder: Uuid) -> Self {
        let identifier = view.account.identifier.clone();
        Self {
            id: identifier.clone(),
            escaped_identifier: escaped(&identifier),
            identifier,
            customer: org.name.clone(),
            oneself: view.account.id == finder,
            groups: permissions(&view.given),
            user_groups: view.groups.iter().map(|group| group.group.id).collect(),
            united_permissions: own(&view.held),
            united_roles: united_roles(view),
            last_successful_login: time(view.last_login_at),
        }
    }
}

/// Percent-encoded, as a segment of a path: all but RFC 3986's unreserved characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
