//! Rows of groups and their members.

use tokenhouse_model::{Account, Group, Millis, Result, Uuid, name};

use crate::conn::Conn;
use crate::sql::{Bind as _, Row as _, args, row, statements};

row!(Group: "account_group" { id, org_id, name, name_fold, description, created_at, updated_at });

/// An account in a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) group_id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) created_at: Millis,
}

row!(Member: "group_member" { group_id, account_id, org_id, created_at });

macro_rules! columns {
    () => {
        "id, org_id, name, name_fold, description, created_at, updated_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO account_group (", columns!(), ", description_fold)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    BY_ID = concat!("SELECT ", columns!(), " FROM account_group WHERE id = $1");
    BY_NAME = concat!("SELECT ", columns!(), " FROM account_group WHERE org_id = $1 AND name_fold = $2");
    LIST = concat!("SELECT ", columns!(), " FROM account_group WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    UPDATE = "UPDATE account_group SET name = $2, name_fold = $3, description = $4, updated_at = $5,
        description_fold = $6 WHERE id = $1";
    DELETE = "DELETE FROM account_group WHERE id = $1";
    ADD_MEMBER = "INSERT INTO group_member (group_id, account_id, org_id, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (group_id, account_id) DO NOTHING";
    REMOVE_MEMBER = "DELETE FROM group_member WHERE group_id = $1 AND account_id = $2";
    REMOVE_ALL = "DELETE FROM group_member WHERE group_id = $1";
    REMOVE_FROM_ALL = "DELETE FROM group_member WHERE account_id = $1";
    MEMBERS = "SELECT a.id, a.org_id, a.identity_id, a.kind, a.identifier, a.identifier_fold, a.description, a.state,
        a.created_at, a.created_by, a.updated_at, a.tombstone FROM account a JOIN group_member m ON m.account_id = a.id
        WHERE m.group_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $3";
    BETWEEN = "SELECT m.account_id, g.id, g.name FROM account_group g JOIN group_member m ON m.group_id = g.id
        WHERE m.account_id >= $1 AND m.account_id <= $2 ORDER BY g.id";
    COUNTS_BETWEEN = "SELECT group_id, COUNT(*) FROM group_member WHERE group_id >= $1 AND group_id <= $2 GROUP BY group_id";
}

/// Adds a group.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn insert(conn: &mut Conn<'_>, group: &Group) -> Result<()> {
    let fold = name::fold(&group.description);
    let args = [group.args(), vec![fold.bind()]].concat();
    conn.run(&INSERT, &args).await.map(|_| ())
}

/// The group of this id.
///
/// # Errors
/// `unavailable`.
pub async fn by_id(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Group>> {
    conn.one(&BY_ID, args![id]).await
}

/// The org's group of this folded name.
///
/// # Errors
/// `unavailable`.
pub async fn by_name(conn: &mut Conn<'_>, org: Uuid, name_fold: &str) -> Result<Option<Group>> {
    conn.one(&BY_NAME, args![org, name_fold]).await
}

/// The org's groups after this id.
///
/// # Errors
/// `unavailable`.
pub async fn list(conn: &mut Conn<'_>, org: Uuid, after: Uuid, limit: i64) -> Result<Vec<Group>> {
    conn.all(&LIST, args![org, after, limit]).await
}

/// Writes what can change of a group.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn update(conn: &mut Conn<'_>, group: &Group) -> Result<()> {
    let fold = name::fold(&group.description);
    let args = args![group.id, group.name, group.name_fold, group.description, group.updated_at, fold];
    conn.run(&UPDATE, args).await.map(|_| ())
}

/// Removes a group and its memberships.
///
/// # Errors
/// `unavailable`.
pub async fn delete(conn: &mut Conn<'_>, id: Uuid) -> Result<()> {
    conn.run(&REMOVE_ALL, args![id]).await?;
    conn.run(&DELETE, args![id]).await.map(|_| ())
}

/// Puts an account into a group; false if it was in it.
///
/// # Errors
/// `unavailable`.
pub async fn add(conn: &mut Conn<'_>, group: &Group, account: Uuid, now: Millis) -> Result<bool> {
    let member = Member { group_id: group.id, account_id: account, org_id: group.org_id, created_at: now };
    let args = args![member.group_id, member.account_id, member.org_id, member.created_at];
    conn.run(&ADD_MEMBER, args).await.map(|added| added > 0)
}

/// Takes an account out of a group; false if it was not in it.
///
/// # Errors
/// `unavailable`.
pub async fn remove(conn: &mut Conn<'_>, group: Uuid, account: Uuid) -> Result<bool> {
    conn.run(&REMOVE_MEMBER, args![group, account]).await.map(|removed| removed > 0)
}

/// Takes an account out of all groups.
///
/// # Errors
/// `unavailable`.
pub async fn remove_from_all(conn: &mut Conn<'_>, account: Uuid) -> Result<u64> {
    conn.run(&REMOVE_FROM_ALL, args![account]).await
}

/// A group's members after this id.
///
/// # Errors
/// `unavailable`.
pub async fn members(conn: &mut Conn<'_>, group: Uuid, after: Uuid, limit: i64) -> Result<Vec<Account>> {
    conn.all(&MEMBERS, args![group, after, limit]).await
}

/// An account's group.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The account.
    pub account_id: Uuid,
    /// The group.
    pub group_id: Uuid,
    /// The group's name.
    pub name: String,
}

row!(Membership: "" { account_id, group_id, name });

/// The groups of accounts from one id to another.
///
/// # Errors
/// `unavailable`.
pub async fn between(conn: &mut Conn<'_>, ids: (Uuid, Uuid)) -> Result<Vec<Membership>> {
    conn.all(&BETWEEN, args![ids.0, ids.1]).await
}

/// A group's size.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The group.
    pub group_id: Uuid,
    /// How many members it has.
    pub members: i64,
}

row!(Size: "" { group_id, members });

/// The sizes of groups from one id to another; empty ones are left out.
///
/// # Errors
/// `unavailable`.
pub async fn counts_between(conn: &mut Conn<'_>, ids: (Uuid, Uuid)) -> Result<Vec<Size>> {
    conn.all(&COUNTS_BETWEEN, args![ids.0, ids.1]).await
}
