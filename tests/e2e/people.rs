//! Accounts, groups and roles as a whole administration uses them: operations that no path of the native API is, asked
//! as a dialect asks them.

mod arrange;
mod create;
mod many;
mod roles;
mod set;
mod system;

use serde_json::json;
use tokenhouse_authority::accounts::{self, Holdings, Kind, NewAccount};
use tokenhouse_authority::views::AccountView;
use tokenhouse_authority::{Caller, roles as role, verify};
use tokenhouse_e2e::House;
use tokenhouse_model::credential::Presented;
use tokenhouse_model::role::Namespace;
use tokenhouse_model::{ErrorKind, Permission, Refusal, Result, Surface, Uuid};

const WAVEFRONT: Option<Namespace> = Some(Namespace::Wavefront);

/// Who comes with this token.
async fn with(house: &House, token: &str) -> Caller {
    let presented = Presented::new(token.as_bytes());
    verify::caller(&house.ctx, &presented, Surface::Native, None, "test").await.unwrap()
}

async fn admin(house: &House) -> Caller {
    with(house, &house.admin).await
}

/// Somebody who holds just these permissions.
async fn keeper(house: &House, name: &str, permissions: &[&str]) -> (Uuid, Caller) {
    let (id, token) = house.service(name, &[]).await;
    for permission in permissions {
        let path = format!("/v1/accounts/{id}/permissions/{permission}");
        house.put(&house.admin, &path, json!({})).await.expect(200);
    }
    (id.parse().unwrap(), with(house, &token).await)
}

fn robot(name: &str) -> NewAccount {
    NewAccount {
        kind: Kind::Service,
        identifier: format!("sa::{name}"),
        description: String::new(),
        password: None,
        active: true,
        holdings: Holdings::default(),
        within: None,
    }
}

fn person(email: &str) -> NewAccount {
    NewAccount { kind: Kind::User, identifier: email.to_owned(), ..robot("") }
}

async fn made(house: &House, caller: &Caller, new: NewAccount) -> Uuid {
    accounts::create(&house.ctx, caller, new).await.unwrap().value.id
}

async fn view(house: &House, id: Uuid) -> AccountView {
    accounts::get(&house.ctx, &admin(house).await, id).await.unwrap()
}

/// The names of its groups, sorted.
fn groups(view: &AccountView) -> Vec<&str> {
    let mut names: Vec<&str> = view.groups.iter().map(|group| group.group.name.as_str()).collect();
    names.sort_unstable();
    names
}

async fn group(house: &House, name: &str) -> Uuid {
    house.post(&house.admin, "/v1/groups", json!({"name": name})).await.expect(201).text("id").parse().unwrap()
}

/// The id of a group that is there.
async fn group_named(house: &House, name: &str) -> Uuid {
    house.get(&house.admin, &format!("/v1/groups/{name}")).await.expect(200).text("id").parse().unwrap()
}

async fn new_role(house: &House, name: &str, permissions: &[&str], namespace: Namespace) -> Uuid {
    let permissions = Some(permissions.iter().map(|text| (*text).to_owned()).collect());
    let new = role::RoleChange { name: Some(name.to_owned()), description: None, permissions };
    role::create(&house.ctx, &admin(house).await, new, namespace).await.unwrap().value.id
}

/// The kinds of the events after a revision.
async fn kinds(house: &House, after: i64) -> Vec<String> {
    house.events(after).await.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn not_covered<T: std::fmt::Debug>(refused: Result<T>, permission: &str) {
    assert_eq!(refused.unwrap_err().refusal(), &Refusal::NotCovered(permission.to_owned()));
}

#[track_caller]
fn missing<T: std::fmt::Debug>(refused: Result<T>, permission: Permission) {
    assert_eq!(refused.unwrap_err().refusal(), &Refusal::MissingPermission(permission));
}

#[track_caller]
fn wrong<T: std::fmt::Debug>(refused: Result<T>, field: &'static str) {
    assert_eq!(refused.unwrap_err().refusal(), &Refusal::Field(field));
}

#[track_caller]
fn gone<T: std::fmt::Debug>(refused: Result<T>) {
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

#[track_caller]
fn unlawful<T: std::fmt::Debug>(refused: Result<T>) {
    let error = refused.unwrap_err();
    assert!(matches!(error.refusal(), Refusal::State(_)), "{error}");
}
