//! Who is signed in, and his organizations (csp.md 6).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use tokenhouse_authority::views::AccountView;
use tokenhouse_authority::{members, orgs};
use tokenhouse_model::id::parse;
use tokenhouse_model::{Org, Uuid};

use super::Csp;
use super::shapes::{Paged, Person, domain};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Path};

/// Who is signed in.
pub(super) async fn me(As(caller, _): Csp) -> Reply<Json<Person>> {
    Ok(Json(Person::of(members::own(&caller)?)))
}

/// The same in OpenID Connect's words (csp.md 1.6).
pub(super) async fn userinfo(State(ctx): House, As(caller, _): Csp) -> Reply<Json<Value>> {
    let AccountView { account, groups, .. } = members::get(&ctx, &caller, None).await?;
    let identifier = &account.identifier;
    let (group_ids, group_names): (Vec<Uuid>, Vec<&str>) =
        groups.iter().map(|view| (view.group.id, view.group.name.as_str())).unzip();
    Ok(Json(json!({
        "sub": account.id,
        "acct": identifier,
        "username": identifier,
        "domain": domain(identifier),
        "context": caller.token().id,
        "context_name": caller.org().id,
        "email": identifier,
        "email_verified": identifier.contains('@'),
        "given_name": "",
        "family_name": "",
        "group_ids": group_ids,
        "group_names": group_names,
    })))
}

/// An organization.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    id: Uuid,
    name: String,
    display_name: String,
    ref_link: String,
    parent_ref_link: Option<String>,
    metadata: Value,
    language: &'static str,
    locale: &'static str,
    is_mfa_required: bool,
    enforce_user_api_token_mfa: bool,
    onboarded: bool,
}

impl From<Org> for Organization {
    fn from(org: Org) -> Self {
        Self {
            id: org.id,
            display_name: org.name.clone(),
            name: org.name,
            ref_link: link(org.id),
            parent_ref_link: None,
            metadata: json!({}),
            language: "en",
            locale: "en",
            is_mfa_required: false,
            enforce_user_api_token_mfa: false,
            onboarded: org.onboarded,
        }
    }
}

fn link(org: Uuid) -> String {
    format!("/csp/gateway/am/api/orgs/{org}")
}

/// One organization: the caller's own.
pub(super) async fn org(State(ctx): House, As(caller, _): Csp, Path(id): Path<String>) -> Reply<Json<Organization>> {
    Ok(Json(orgs::get(&ctx, &caller, parse("org", &id)?).await?.into()))
}

/// The organizations of whoever is signed in, as older scripts read them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Items {
    items: Vec<Organization>,
    ref_links: Vec<String>,
}

/// Those that he is a member of.
pub(super) async fn orgs(State(ctx): House, As(caller, _): Csp) -> Reply<Json<Items>> {
    let items = orgs::of_caller(&ctx, &caller).await?;
    let ref_links = items.iter().map(|org| link(org.id)).collect();
    Ok(Json(Items { items: items.into_iter().map(Organization::from).collect(), ref_links }))
}

/// The same in pages.
pub(super) async fn orgs_paged(State(ctx): House, As(caller, _): Csp) -> Reply<Json<Paged<Organization>>> {
    let results: Vec<_> = orgs::of_caller(&ctx, &caller).await?.into_iter().map(Organization::from).collect();
    Ok(Json(Paged::whole(results)))
}

/// The one that he acts in when he names none.
pub(super) async fn default_org(As(caller, _): Csp) -> Reply<Json<Organization>> {
    Ok(Json(caller.org().clone().into()))
}
