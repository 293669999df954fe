//! Rows of groups and their members.

use tokenhouse_model::{Account, Group, GroupKind, Millis, Result, Uuid, name};

use crate::conn::{Conn, Number};
use crate::lists::{among, each, each_of, keys};
use crate::schema;
use crate::sql::{Bind as _, Row as _, args, row, statements};

row!(Group: "account_group" { id, org_id, name, name_fold, description, created_at, updated_at, kind });

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
        "id, org_id, name, name_fold, description, created_at, updated_at, kind"
    };
}

statements! {
    INSERT = concat!("INSERT INTO account_group (", columns!(), ", description_fold)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    BY_ID = concat!("SELECT ", columns!(), " FROM account_group WHERE id = $1");
    BY_NAME = concat!("SELECT ", columns!(), " FROM account_group WHERE org_id = $1 AND name_fold = $2");
    BY_KIND = concat!("SELECT ", columns!(), " FROM account_group WHERE org_id = $1 AND kind = $2");
    BY_IDS = concat!("SELECT ", columns!(), " FROM account_group WHERE id IN (", keys!(), ")");
    LIST = concat!("SELECT ", columns!(), " FROM account_group WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    UPDATE = "UPDATE account_group SET name = $2, name_fold = $3, description = $4, updated_at = $5, kind = $6,
        description_fold = $7 WHERE id = $1";
    DELETE = "DELETE FROM account_group WHERE id = $1";
    ADD_MEMBER = "INSERT INTO group_member (group_id, account_id, org_id, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (group_id, account_id) DO NOTHING";
    HAS = "SELECT COUNT(*) FROM group_member WHERE group_id = $1 AND account_id = $2";
    REMOVE_MEMBER = "DELETE FROM group_member WHERE group_id = $1 AND account_id = $2";
    REMOVE_ALL = "DELETE FROM group_member WHERE group_id = $1";
    REMOVE_FROM_ALL = "DELETE FROM group_member WHERE account_id = $1";
    MEMBERS = "SELECT a.id, a.org_id, a.identity_id, a.kind, a.identifier, a.identifier_fold, a.description, a.state,
        a.created_at, a.created_by, a.updated_at, a.tombstone FROM account a JOIN group_member m ON m.account_id = a.id
        WHERE m.group_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $3";
    OF_ACCOUNTS = concat!("SELECT account_id, group_id FROM group_member WHERE account_id IN (", keys!(), ")
        ORDER BY group_id");
    SIZES = concat!("SELECT group_id, COUNT(*) FROM group_member WHERE group_id IN (", keys!(), ") GROUP BY group_id");
    SIZE_UP_TO = "SELECT COUNT(*) FROM (SELECT account_id FROM group_member WHERE group_id = $1 LIMIT $2) AS counted";
    SAMPLES = each!("SELECT m.group_id, a.identifier FROM group_member m JOIN account a ON a.id = m.account_id
        WHERE m.group_id = ", " ORDER BY m.account_id LIMIT 10");
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

/// The org's group of this kind, of which there is one at most unless it is custom.
///
/// # Errors
/// `unavailable`.
pub async fn by_kind(conn: &mut Conn<'_>, org: Uuid, kind: GroupKind) -> Result<Option<Group>> {
    conn.one(&BY_KIND, args![org, kind]).await
}

/// The groups of these ids, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn by_ids(conn: &mut Conn<'_>, ids: &[Uuid]) -> Result<Vec<Group>> {
    among(conn, &BY_IDS, ids, args![]).await
}

/// The org's groups after this id.
///
/// # Errors
/// `unavailable`.
pub async fn list(conn: &mut Conn<'_>, org: Uuid, after: Uuid, limit: i64) -> Result<Vec<Group>> {
    conn.all(&LIST, args![org, after, limit]).await
}

/// Writes what can change of a group. Its kind changes only where an org from before gets its system groups.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn update(conn: &mut Conn<'_>, group: &Group) -> Result<()> {
    let fold = name::fold(&group.description);
    let args = args![group.id, group.name, group.name_fold, group.description, group.updated_at, group.kind, fold];
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

/// Whether an account is in a group.
///
/// # Errors
/// `unavailable`.
pub async fn has(conn: &mut Conn<'_>, group: Uuid, account: Uuid) -> Result<bool> {
    Ok(conn.one::<Number>(&HAS, args![group, account]).await?.is_some_and(|number| number.value > 0))
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
#[derive(Clone, Copy, Debug)]
pub struct Membership {
    /// The account.
    pub account_id: Uuid,
    /// The group.
    pub group_id: Uuid,
}

row!(Membership: "" { account_id, group_id });

/// The groups of these accounts.
///
/// # Errors
/// `unavailable`.
pub async fn of_accounts(conn: &mut Conn<'_>, accounts: &[Uuid]) -> Result<Vec<Membership>> {
    among(conn, &OF_ACCOUNTS, accounts, args![]).await
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

/// The sizes of these groups; empty ones are left out.
///
/// # Errors
/// `unavailable`.
pub async fn sizes(conn: &mut Conn<'_>, groups: &[Uuid]) -> Result<Vec<Size>> {
    among(conn, &SIZES, groups, args![]).await
}

/// How many members a group has, counted up to `most`.
///
/// # Errors
/// `unavailable`.
pub async fn size_up_to(conn: &mut Conn<'_>, group: Uuid, most: i64) -> Result<i64> {
    Ok(conn.one::<Number>(&SIZE_UP_TO, args![group, most]).await?.map_or(0, |number| number.value))
}

/// Somebody in a group, or somebody who holds a role.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The group or the role.
    pub of: Uuid,
    /// The account's identifier.
    pub identifier: String,
}

row!(Sample: "" { of, identifier });

/// Up to ten members of each of these groups.
///
/// # Errors
/// `unavailable`.
pub async fn samples(conn: &mut Conn<'_>, groups: &[Uuid]) -> Result<Vec<Sample>> {
    each_of(conn, &SAMPLES, groups, args![]).await
}

/// The setting that says how far orgs from before have their system groups.
const SETTLED: &str = "system_groups";

/// How far orgs from before have their system groups, as it was last noted.
///
/// # Errors
/// `unavailable`.
pub async fn settled(conn: &mut Conn<'_>) -> Result<Option<String>> {
    schema::setting(conn, SETTLED).await
}

/// Notes how far orgs from before have their system groups.
///
/// # Errors
/// `unavailable`.
pub async fn note_settled(conn: &mut Conn<'_>, how_far: &str) -> Result<()> {
    schema::change(conn, SETTLED, how_far).await
}
