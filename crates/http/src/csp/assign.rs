//! Giving members roles and taking them, and inviting people (csp.md 6).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokenhouse_authority::members::{self, Invitation, NewRole, RoleChange};
use tokenhouse_authority::{Caller, Ctx, accounts};
use tokenhouse_model::named::Named;
use tokenhouse_model::{Error, Millis, Result, Uuid};

use super::Csp;
use super::api_tokens::done;
use super::apps::within;
use super::entries::Member;
use super::members::Who;
use super::shapes::service_id;
use crate::House;
use crate::dialect::{Reply, shown};
use crate::extract::{As, Body, Path};

/// A role by its name, and until when. What else is told of one is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleRequest {
    name: String,
    resource: Option<String>,
    expires_at: Option<i64>,
}

/// Below it a time is in seconds: in milliseconds it would be 1973.
const SECONDS: i64 = 100_000_000_000;

/// Until when something is held: the reference says seconds, the other times of this dialect are milliseconds, and no time
/// can be both.
fn until(at: Option<i64>) -> Option<Millis> {
    at.filter(|at| !matches!(at, 0 | -1)).map(|at| if at < SECONDS { at.saturating_mul(1000) } else { at })
}

/// Whose roles are named.
#[derive(Clone)]
enum Of {
    Organization,
    Service(String),
    Custom,
}

impl Of {
    fn named(&self, name: String, resource: Option<String>) -> Result<Named> {
        let resource = resource.filter(|text| !text.is_empty());
        match self {
            Self::Service(service) => Ok(Named::Service { service: service.clone(), resource, role: name }),
            // To pass over what binds a role would give more than was asked for.
            _ if resource.is_some() => {
                Err(Error::invalid("resource", "must be left out: such a role is bound to none"))
            }
            Self::Organization => Ok(Named::Organization(name)),
            Self::Custom => Ok(Named::Custom(name)),
        }
    }

    fn given(&self, role: RoleRequest) -> Result<NewRole> {
        Ok(NewRole { role: self.named(role.name, role.resource)?, until: until(role.expires_at) })
    }
}

/// What is to be given and taken.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lists {
    roles_to_add: Option<Vec<RoleRequest>>,
    roles_to_remove: Option<Vec<RoleRequest>>,
}

impl Lists {
    fn put(self, of: &Of, into: &mut RoleChange) -> Result<()> {
        for role in self.roles_to_remove.into_iter().flatten() {
            into.take.push(of.named(role.name, role.resource)?);
        }
        for role in self.roles_to_add.into_iter().flatten() {
            into.give.push(of.given(role)?);
        }
        Ok(())
    }
}

/// The same of a service, which is named by its id or its link.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceLists {
    service_definition_id: Option<String>,
    service_definition_link: Option<String>,
    #[serde(flatten)]
    lists: Lists,
}

/// What is to become of somebody's roles: of one kind, or of all kinds at once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeRequest {
    #[serde(flatten)]
    own: ServiceLists,
    organization_roles: Option<Lists>,
    service_roles: Option<Vec<ServiceLists>>,
    custom_roles: Option<Lists>,
}

fn service(id: Option<String>, link: Option<String>) -> Result<Of> {
    let id = id.or(link).map(service_id).filter(|id| !id.is_empty());
    id.map(Of::Service).ok_or_else(|| Error::invalid("serviceDefinitionId", "is missing"))
}

impl ChangeRequest {
    /// In our words; `of` says whose roles those are that stand bare in it, where it is not those of a service.
    fn read(self, of: Option<Of>) -> Result<RoleChange> {
        let mut change = RoleChange::default();
        let ServiceLists { service_definition_id, service_definition_link, lists } = self.own;
        if lists.roles_to_add.is_some() || lists.roles_to_remove.is_some() {
            let of = of.map_or_else(|| service(service_definition_id, service_definition_link), Ok)?;
            lists.put(&of, &mut change)?;
        }
        self.organization_roles.unwrap_or_default().put(&Of::Organization, &mut change)?;
        for one in self.service_roles.into_iter().flatten() {
            one.lists.put(&service(one.service_definition_id, one.service_definition_link)?, &mut change)?;
        }
        self.custom_roles.unwrap_or_default().put(&Of::Custom, &mut change)?;
        Ok(change)
    }
}

async fn change(ctx: &Arc<Ctx>, caller: &Caller, who: &Who, to: Result<RoleChange>) -> Result<Response> {
    within(caller, &who.org)?;
    let acct = who.acct.as_deref().ok_or_else(|| Error::not_found("user"))?;
    let changed = members::reassign(ctx, caller, acct, to?).await?;
    Ok(done(&changed, Member::of(&shown(accounts::just_changed(ctx, changed.value.id).await)?)))
}

/// Changes roles of the organization, or roles of all kinds.
pub(super) async fn organization(
    State(ctx): House,
    As(caller, _): Csp,
    Path(who): Path<Who>,
    Body(ask): Body<ChangeRequest>,
) -> Reply<Response> {
    Ok(change(&ctx, &caller, &who, ask.read(Some(Of::Organization))).await?)
}

/// Changes roles of services.
pub(super) async fn services(
    State(ctx): House,
    As(caller, _): Csp,
    Path(who): Path<Who>,
    Body(ask): Body<ChangeRequest>,
) -> Reply<Response> {
    Ok(change(&ctx, &caller, &who, ask.read(None)).await?)
}

/// Changes roles that the organization made.
pub(super) async fn custom(
    State(ctx): House,
    As(caller, _): Csp,
    Path(who): Path<Who>,
    Body(ask): Body<ChangeRequest>,
) -> Reply<Response> {
    Ok(change(&ctx, &caller, &who, ask.read(Some(Of::Custom))).await?)
}

/// Roles of a service that people are invited to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvitedService {
    service_definition_id: Option<String>,
    service_definition_link: Option<String>,
    service_role_names: Option<Vec<String>>,
    service_roles: Option<Vec<RoleRequest>>,
}

/// Who is invited, and to what. Roles of the organization come in three spellings, those of services in two.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InvitationRequest {
    usernames: Option<Vec<String>>,
    org_role_name: Option<String>,
    org_role_names: Option<Vec<String>>,
    organization_roles: Option<Vec<RoleRequest>>,
    service_roles_dtos: Option<Vec<InvitedService>>,
    custom_roles: Option<Vec<RoleRequest>>,
    custom_groups_ids: Option<Vec<Uuid>>,
}

/// Roles that are told with more than their names, then those by name alone.
fn each_given(of: &Of, roles: Option<Vec<RoleRequest>>, names: Option<Vec<String>>) -> Result<Vec<NewRole>> {
    let bare = |name| RoleRequest { name, resource: None, expires_at: None };
    let mut named: Vec<RoleRequest> = roles.unwrap_or_default();
    for name in names.unwrap_or_default() {
        // Some say both, and what says more counts.
        if !named.iter().any(|role| role.name == name) {
            named.push(bare(name));
        }
    }
    named.into_iter().map(|role| of.given(role)).collect()
}

impl InvitationRequest {
    fn read(self) -> Result<Invitation> {
        let names: Vec<String> =
            self.org_role_name.into_iter().chain(self.org_role_names.unwrap_or_default()).collect();
        let mut give = each_given(&Of::Organization, self.organization_roles, Some(names))?;
        for one in self.service_roles_dtos.into_iter().flatten() {
            let of = service(one.service_definition_id, one.service_definition_link)?;
            give.extend(each_given(&of, one.service_roles, one.service_role_names)?);
        }
        give.extend(each_given(&Of::Custom, self.custom_roles, None)?);
        let (emails, groups) = (self.usernames.unwrap_or_default(), self.custom_groups_ids.unwrap_or_default());
        Ok(Invitation { emails, give, groups })
    }
}

/// Takes people in at once: nobody is sent a mail, and nobody has to accept.
pub(super) async fn invite(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Body(ask): Body<InvitationRequest>,
) -> Reply<Response> {
    within(&caller, &org)?;
    let invited = members::invite(&ctx, &caller, ask.read()?).await?;
    let ids = invited.value.ids.iter().map(Uuid::to_string).collect();
    let people = shown(accounts::resolve(&ctx, &caller, ids).await)?;
    let people = people.iter().filter_map(|(_, view)| view.as_ref()).map(|view| {
        let link = format!("/csp/gateway/am/api/users/{}", view.account.id);
        json!({ "username": view.account.identifier, "userId": view.account.id, "refLink": link })
    });
    let results: Vec<Value> = people.collect();
    let links: Vec<&Value> = results.iter().filter_map(|person| person.get("refLink")).collect();
    let mut response = done(&invited, json!({ "refLinks": links, "results": results }));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
