//! The JSON of the native API. Times are epoch milliseconds, durations whole seconds; what is absent is left out.

use serde::{Deserialize, Serialize};
use tokenhouse_authority::views::{AccountView, Given, GroupView, TokenView};
use tokenhouse_model::follow::By;
use tokenhouse_model::{Confirmation, Confirmed, Done, Millis, NEVER, Receipt, SecretText, Uuid, Witness};
use utoipa::ToSchema;

/// A time that may be without end.
pub(crate) fn time(at: Millis) -> Option<Millis> {
    (at != NEVER && at != 0).then_some(at)
}

/// A duration that may be without end, in seconds.
pub(crate) fn seconds(millis: Millis) -> Option<i64> {
    (millis != NEVER).then_some(millis / 1000)
}

/// Seconds as milliseconds; none is without end.
pub(crate) fn millis(seconds: Option<i64>) -> Millis {
    seconds.map_or(NEVER, |seconds| seconds.saturating_mul(1000))
}

/// An id that may be nobody's.
pub(crate) fn somebody(id: Uuid) -> Option<Uuid> {
    (!id.is_nil()).then_some(id)
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The items, oldest first.
    pub(crate) items: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub(crate) next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// The `next` of the page before.
    pub(crate) cursor: Option<String>,
    /// At most so many items, 1 to 1000; 100 unless told.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
}

/// Where a change stands in the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Where {
    /// Raised when history was lost and authority taken away in it was taken away again.
    epoch: i64,
    /// The position of the change's last event.
    revision: i64,
    /// False when authority was taken away and the journal outside the database could not be written.
    journaled: bool,
    /// With `wait=nodes`: that it is confirmed, or null where that could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<Option<Proof>>,
}

impl Where {
    /// Where a change stands.
    pub(crate) fn of<T>(done: &Done<T>) -> Self {
        let Receipt { epoch, revision, journaled } = done.receipt;
        let confirmed = match &done.confirmed {
            Confirmed::NotAsked => None,
            Confirmed::Unknown => Some(None),
            Confirmed::Yes(confirmation) => Some(Some(confirmation.into())),
        };
        Self { epoch, revision, journaled, confirmed }
    }
}

/// That no request that arrives from now on, at any node, is answered from before the change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Proof {
    /// `nodes`: every node has applied it. `time`: so much time went by that no node can answer from before it.
    #[schema(value_type = String)]
    by: By,
    /// How long after the commit, in milliseconds.
    milliseconds: i64,
    /// Every node that was registered meanwhile.
    nodes: Vec<Seen>,
}

/// A node that was asked to confirm.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Seen {
    node_id: Uuid,
    name: String,
    epoch: i64,
    /// The revision up to which it had applied the ledger.
    applied: i64,
    /// How long after the commit its acknowledgement was seen; null if it was not.
    milliseconds: Option<i64>,
}

impl From<&Confirmation> for Proof {
    fn from(confirmation: &Confirmation) -> Self {
        let seen = |node: &Witness| Seen {
            node_id: node.id,
            name: node.name.clone(),
            epoch: node.epoch,
            applied: node.applied,
            milliseconds: node.milliseconds,
        };
        let nodes = confirmation.nodes.iter().map(seen).collect();
        Self { by: confirmation.by, milliseconds: confirmation.milliseconds, nodes }
    }
}

/// A thing as it is after a change, and the change's receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed<T> {
    #[serde(flatten)]
    pub(crate) value: T,
    /// Where the change stands in the ledger.
    pub(crate) receipt: Where,
}

/// A thing that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gone {
    /// Its id.
    pub(crate) id: Uuid,
    /// How many other things went or changed with it: tokens of an account, holders of a role.
    pub(crate) touched: i64,
}

/// An org.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Org {
    id: Uuid,
    name: String,
    #[schema(example = "active")]
    state: &'static str,
    created_at: i64,
    /// Whether it is onboarded in the sense of VMware Cloud Services.
    onboarded: bool,
}

impl From<tokenhouse_model::Org> for Org {
    fn from(org: tokenhouse_model::Org) -> Self {
        Self {
            id: org.id,
            name: org.name,
            state: org.state.as_str(),
            created_at: org.created_at,
            onboarded: org.onboarded,
        }
    }
}

/// A role that someone has.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeldRole {
    id: Uuid,
    name: String,
    /// Until when; absent for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

/// A permission that someone has directly.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeldPermission {
    permission: String,
    /// Until when; absent for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

fn given(all: Vec<Given>) -> (Vec<HeldRole>, Vec<HeldPermission>) {
    let (mut roles, mut permissions) = (Vec::new(), Vec::new());
    for one in all {
        let expires_at = time(one.expires_at);
        match one.role {
            Some(role) => roles.push(HeldRole { id: role.id, name: role.name.clone(), expires_at }),
            None => permissions.extend(
                one.permissions.names().into_iter().map(|permission| HeldPermission { permission, expires_at }),
            ),
        }
    }
    (roles, permissions)
}

/// Something with an id and a name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Named {
    id: Uuid,
    name: String,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    id: Uuid,
    org_id: Uuid,
    #[schema(example = "service")]
    kind: &'static str,
    /// E-mail address or `sa::name`.
    #[schema(example = "sa::deployer")]
    identifier: String,
    description: String,
    /// `active`, `inactive` or `deleted`.
    #[schema(example = "active")]
    state: &'static str,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Uuid>,
    /// When one of its tokens was last used; absent if none ever was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    /// How many tokens it has that are not revoked.
    tokens: i64,
    /// Roles given directly.
    roles: Vec<HeldRole>,
    /// Permissions given directly.
    permissions: Vec<HeldPermission>,
    groups: Vec<Named>,
}

impl From<AccountView> for Account {
    fn from(view: AccountView) -> Self {
        let deleted = view.account.deleted();
        let (roles, permissions) = given(view.given);
        let account = view.account;
        Self {
            id: account.id,
            org_id: account.org_id,
            kind: account.kind.as_str(),
            identifier: account.identifier,
            description: account.description,
            state: if deleted { "deleted" } else { account.state.as_str() },
            created_at: account.created_at,
            created_by: somebody(account.created_by),
            last_used_at: time(view.last_used_at),
            tokens: view.tokens,
            roles,
            permissions,
            groups: view.groups.iter().map(|view| Named { id: view.group.id, name: view.group.name.clone() }).collect(),
        }
    }
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    id: Uuid,
    org_id: Uuid,
    /// `custom`, or of the groups that every org has: `everyone`, `service_accounts`.
    #[schema(example = "custom")]
    kind: &'static str,
    name: String,
    description: String,
    created_at: i64,
    /// How many members it has.
    members: i64,
    /// Roles that it gives to its members.
    roles: Vec<HeldRole>,
    /// Permissions that it gives to its members.
    permissions: Vec<HeldPermission>,
}

impl From<GroupView> for Group {
    fn from(view: GroupView) -> Self {
        let (roles, permissions) = given(view.given);
        let group = view.group;
        Self {
            id: group.id,
            org_id: group.org_id,
            kind: group.kind.as_str(),
            name: group.name,
            description: group.description,
            created_at: group.created_at,
            members: view.members,
            roles,
            permissions,
        }
    }
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Role {
    id: Uuid,
    name: String,
    /// `organization`, `service` or `custom`.
    kind: &'static str,
    /// Whose word it is: `house`, `wavefront`, `csp` or `splunk`.
    namespace: &'static str,
    description: String,
    permissions: Vec<String>,
    /// Whether it came with the program and can't be changed.
    builtin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
}

impl From<tokenhouse_model::Role> for Role {
    fn from(role: tokenhouse_model::Role) -> Self {
        Self {
            id: role.id,
            builtin: role.builtin(),
            kind: role.kind.as_str(),
            namespace: role.namespace.as_str(),
            permissions: role.permissions.names(),
            created_at: time(role.created_at),
            name: role.name,
            description: role.description,
        }
    }
}

/// What is known of a token's secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KnownSecret {
    id: Uuid,
    /// Its last four characters.
    last4: String,
    created_at: i64,
    /// Until when it is good, during an overlap; absent for the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    good_until: Option<i64>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    id: Uuid,
    org_id: Uuid,
    #[schema(example = "user")]
    kind: &'static str,
    /// The account that owns it; absent for an org token.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_identifier: Option<String>,
    name: String,
    /// `active`, `inactive`, `expired` or `revoked`, as it is now.
    #[schema(example = "active")]
    state: &'static str,
    /// The permissions to which it is limited; null for all of its owner's.
    scopes: Option<Vec<String>>,
    /// The surfaces on which it works.
    reach: Vec<&'static str>,
    /// The integration whose proxies it is for; absent for a token that is not for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    integration: Option<String>,
    /// The address ranges from which it works; empty for anywhere.
    cidrs: Vec<String>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Uuid>,
    /// The token with which it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_through: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<i64>,
    /// When it ends, by itself or by the org's policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// It stops working when unused for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
    /// The secrets that are good now: one, or two during an overlap.
    secrets: Vec<KnownSecret>,
}

impl From<TokenView> for Token {
    fn from(view: TokenView) -> Self {
        let token = view.token;
        Self {
            id: token.id,
            org_id: token.org_id,
            kind: token.kind.as_str(),
            owner: somebody(token.owner_id),
            owner_identifier: view.owner.map(|owner| owner.identifier),
            name: token.name,
            state: view.standing.as_str(),
            scopes: token.scopes.only().map(tokenhouse_model::PermissionSet::names),
            reach: token.reach.surfaces().into_iter().map(tokenhouse_model::Surface::as_str).collect(),
            integration: view.integration,
            cidrs: token.addresses.texts(),
            created_at: token.created_at,
            created_by: somebody(token.created_by),
            created_through: somebody(token.created_through),
            not_before: time(token.not_before),
            expires_at: time(view.ends_at),
            idle_seconds: seconds(token.idle_limit),
            last_used_at: time(token.last_used_at),
            last_used_address: Some(token.last_used_address).filter(|address| !address.is_empty()),
            revoked_at: time(token.revoked_at),
            secrets: view
                .secrets
                .into_iter()
                .map(|secret| KnownSecret {
                    id: secret.id,
                    last4: secret.last4,
                    created_at: secret.created_at,
                    good_until: time(secret.good_until),
                })
                .collect(),
        }
    }
}

/// A token with the secret that was just made: it is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Issued {
    /// The secret. Keep it now; it is not shown again.
    #[schema(value_type = String, example = "th_u_...")]
    pub(crate) secret: SecretText,
    #[serde(flatten)]
    pub(crate) token: Token,
}
