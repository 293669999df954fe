//! Reading members, their roles and groups (csp.md 6).

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokenhouse_authority::views::{AccountView, GroupView};
use tokenhouse_authority::{Caller, Ctx, accounts, groups, members, roles};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::cursor::Page;
use tokenhouse_model::id::parse;
use tokenhouse_model::named;
use tokenhouse_model::role::{self, Builtin, Namespace, RoleKind};
use tokenhouse_model::search::{AccountField, Condition, Field, Match, On, Search, Sort, Test};
use tokenhouse_model::{Error, Result, Role, Uuid};

use super::Csp;
use super::apps::within;
use super::entries::{Entry, GroupEntry, GroupWithRoles, Info, Member, OfService, Roles, User, link};
use super::shapes::{Paged, Paging};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Path, Query};

/// Whom a path names, and in which organization; whoever is signed in where it names nobody.
#[derive(Deserialize)]
pub(super) struct Who {
    pub(super) org: String,
    pub(super) acct: Option<String>,
}

async fn found(ctx: &Ctx, caller: &Caller, who: &Who) -> Result<AccountView> {
    within(caller, &who.org)?;
    members::get(ctx, caller, who.acct.as_deref()).await
}

/// Who he is in the organization, and what he has there.
pub(super) async fn info(State(ctx): House, As(caller, _): Csp, Path(who): Path<Who>) -> Reply<Json<Info>> {
    Ok(Json(Info::of(&found(&ctx, &caller, &who).await?, caller.org())))
}

/// His roles of the organization.
pub(super) async fn roles(State(ctx): House, As(caller, _): Csp, Path(who): Path<Who>) -> Reply<Json<Vec<Entry>>> {
    Ok(Json(Roles::of_account(&found(&ctx, &caller, &who).await?).organization))
}

/// His roles of services.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceRoles {
    service_roles: Vec<OfService>,
}

/// His roles of services, by service.
pub(super) async fn service_roles(
    State(ctx): House,
    As(caller, _): Csp,
    Path(who): Path<Who>,
) -> Reply<Json<ServiceRoles>> {
    Ok(Json(ServiceRoles { service_roles: Roles::of_account(&found(&ctx, &caller, &who).await?).services }))
}

/// His roles that the organization made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomRoles {
    custom_roles: Vec<Entry>,
}

/// His roles that the organization made.
pub(super) async fn custom_roles(
    State(ctx): House,
    As(caller, _): Csp,
    Path(who): Path<Who>,
) -> Reply<Json<CustomRoles>> {
    Ok(Json(CustomRoles { custom_roles: Roles::of_account(&found(&ctx, &caller, &who).await?).custom }))
}

/// The groups that he is in.
#[derive(Serialize)]
pub(super) struct Groups {
    groups: Vec<GroupEntry>,
}

/// The groups that he is in.
pub(super) async fn groups(State(ctx): House, As(caller, _): Csp, Path(who): Path<Who>) -> Reply<Json<Groups>> {
    let view = found(&ctx, &caller, &who).await?;
    Ok(Json(Groups { groups: view.groups.iter().map(|group| GroupEntry::of(group)).collect() }))
}

/// One of the people of the caller's organization.
pub(super) async fn user(State(ctx): House, As(caller, _): Csp, Path(acct): Path<String>) -> Reply<Json<User>> {
    Ok(Json(User::of(&members::get(&ctx, &caller, Some(&acct)).await?.account)))
}

/// The people.
const USERS: &[AccountKind] = &[AccountKind::User];

/// Which of the members are meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Which {
    service_definition_id: Option<String>,
}

/// The members of the organization, the oldest first: all of them, or those who have a role of a service.
pub(super) async fn users(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Query(paging): Query<Paging>,
    Query(which): Query<Which>,
) -> Reply<Json<Paged<Member>>> {
    within(&caller, &org)?;
    let mut search = oldest_first(&paging)?;
    let mut path = format!("{}/users", link(caller.org().id));
    if let Some(service) = which.service_definition_id.filter(|id| !id.is_empty()) {
        if !service.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c)) {
            return Err(Error::invalid("serviceDefinitionId", "is no id of a service").into());
        }
        let start = tokenhouse_model::asked::external(&service, "");
        search.conditions.push(has(AccountField::Held, Match::Prefix, start));
        path = format!("{path}?serviceDefinitionId={service}");
    }
    let page = accounts::search(&ctx, &caller, USERS, search).await?;
    Ok(Json(paging.of(page, &path)?.map(|view| Member::of(&view))))
}

pub(super) fn oldest_first<F: Field>(paging: &Paging) -> Result<Search<F>> {
    let (start, limit) = paging.bounds()?;
    let offset = u32::try_from(start - 1).map_err(|_| Error::invalid("pageStart", "is too large"))?;
    Ok(Search { offset, sort: Some(Sort { field: F::MADE, ascending: true }), ..Search::everything(limit) })
}

/// The condition that a field has a text.
fn has(field: AccountField, how: Match, text: String) -> Condition<AccountField> {
    Condition { on: On::Field(field), test: Test::Text { how, any_of: vec![text] }, negated: false }
}

/// The most that a search by a term finds.
const MOST_FOUND: u32 = 20;

async fn looked_up(ctx: &Ctx, caller: &Caller, term: Option<String>, field: &'static str) -> Result<Vec<AccountView>> {
    let term = term.filter(|term| !term.trim().is_empty()).ok_or_else(|| Error::invalid(field, "is missing"))?;
    let condition = has(AccountField::Identifier, Match::Contains, term);
    let search = Search { conditions: vec![condition], ..Search::everything(MOST_FOUND) };
    Ok(accounts::search(ctx, caller, USERS, search).await?.items)
}

/// What is looked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Term {
    user_search_term: Option<String>,
}

/// Looks members up by a part of their e-mail address.
pub(super) async fn search(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Query(term): Query<Term>,
) -> Reply<Json<Paged<Member>>> {
    within(&caller, &org)?;
    let found = looked_up(&ctx, &caller, term.user_search_term, "userSearchTerm").await?;
    Ok(Json(Paged::whole(found.iter().map(Member::of).collect())))
}

/// What is looked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TermRequest {
    search_term: Option<String>,
}

/// Looks people up by a part of their e-mail address: those of the caller's organization.
pub(super) async fn search_users(
    State(ctx): House,
    As(caller, _): Csp,
    Body(ask): Body<TermRequest>,
) -> Reply<Json<Paged<User>>> {
    let found = looked_up(&ctx, &caller, ask.search_term, "searchTerm").await?;
    Ok(Json(Paged::whole(found.iter().map(|view| User::of(&view.account)).collect())))
}

/// The groups of the organization, the oldest first.
pub(super) async fn org_groups(
    State(ctx): House,
    As(caller, _): Csp,
    Path(org): Path<String>,
    Query(paging): Query<Paging>,
) -> Reply<Json<Paged<GroupWithRoles>>> {
    within(&caller, &org)?;
    let page = groups::search(&ctx, &caller, oldest_first(&paging)?).await?;
    let path = format!("{}/groups", link(caller.org().id));
    Ok(Json(paging.of(page, &path)?.map(|view| GroupWithRoles::of(&view))))
}

async fn group(ctx: &Ctx, caller: &Caller, org: &str, id: &str) -> Result<GroupView> {
    within(caller, org)?;
    groups::get(ctx, caller, parse("group", id)?).await
}

/// One group.
pub(super) async fn org_group(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
) -> Reply<Json<GroupWithRoles>> {
    Ok(Json(GroupWithRoles::of(&group(&ctx, &caller, &org, &id).await?)))
}

/// The people in a group, the oldest first.
pub(super) async fn group_users(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, id)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Reply<Json<Paged<User>>> {
    let id = group(&ctx, &caller, &org, &id).await?.group.id;
    let mut search = oldest_first(&paging)?;
    search.conditions.push(has(AccountField::Group, Match::Exact, id.to_string()));
    let page = accounts::search(&ctx, &caller, USERS, search).await?;
    let path = format!("{}/groups/{id}/users", link(caller.org().id));
    Ok(Json(paging.of(page, &path)?.map(|view| User::of(&view.account))))
}

/// A role that the organization can give.
fn shown_role(one: &Role, org: Uuid) -> Value {
    let title = role::builtin(&one.name).map(Builtin::title);
    json!({
        "name": one.name,
        "displayName": title,
        "visible": true,
        "organizationLink": link(org),
        "refLink": format!("{}/roles/{}", link(org), one.name),
        "resource": null,
        "expiresAt": null,
        "createdBy": null,
        "createdDate": null,
        "lastUpdatedBy": null,
        "lastUpdatedDate": null,
    })
}

/// The roles of the organization. They come with the program, so they stand on the first page of all roles.
pub(super) async fn org_roles(State(ctx): House, As(caller, _): Csp, Path(org): Path<String>) -> Reply<Json<Value>> {
    within(&caller, &org)?;
    let page = Page::ask(None, None)?;
    let mut all = roles::list(&ctx, &caller, page, Some(Namespace::Csp)).await?.items;
    all.retain(|role| role.kind == RoleKind::Organization);
    let all: Vec<Value> = all.iter().map(|role| shown_role(role, caller.org().id)).collect();
    let links: Vec<&Value> = all.iter().filter_map(|role| role.get("refLink")).collect();
    Ok(Json(json!({ "refLinks": links, "orgRolesData": all })))
}

/// One role of the organization.
pub(super) async fn org_role(
    State(ctx): House,
    As(caller, _): Csp,
    Path((org, name)): Path<(String, String)>,
) -> Reply<Json<Value>> {
    within(&caller, &org)?;
    let id = named::organization(&name).ok_or_else(|| Error::not_found("role"))?.id();
    let one = roles::get(&ctx, &caller, id, Some(Namespace::Csp)).await?;
    Ok(Json(shown_role(&one, caller.org().id)))
}
