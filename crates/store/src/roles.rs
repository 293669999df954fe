//! Rows of roles, assignments and direct grants, and what they come to.

use tokenhouse_model::role::{Assignment, Grant, Namespace};
use tokenhouse_model::{Millis, PermissionSet, Result, Role, Uuid, name};

use crate::conn::Conn;
use crate::lists::{among, keys};
use crate::sql::{Bind as _, Row as _, args, row, statements};

row!(Role: "role" { id, org_id, kind, namespace, name, name_fold, description, permissions, created_at, updated_at });
row!(Assignment: "role_assignment" { holder_id, holder_kind, role_id, org_id, expires_at, created_at });
row!(Grant: "permission_grant" { holder_id, holder_kind, permission, org_id, expires_at, created_at });

/// A role's permissions as a holder has them.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) permissions: PermissionSet,
    pub(crate) expires_at: Millis,
}

row!(Held: "" { permissions, expires_at });

macro_rules! columns {
    () => {
        "id, org_id, kind, namespace, name, name_fold, description, permissions, created_at, updated_at"
    };
}

macro_rules! assignment {
    () => {
        "holder_id, holder_kind, role_id, org_id, expires_at, created_at"
    };
}

macro_rules! granted {
    () => {
        "holder_id, holder_kind, permission, org_id, expires_at, created_at"
    };
}

/// Whose own rows count for an account: its own, and those of the groups it is in.
macro_rules! holders {
    () => {
        "(x.holder_id = $1 OR x.holder_id IN (SELECT group_id FROM group_member WHERE account_id = $1))"
    };
}

statements! {
    INSERT = concat!("INSERT INTO role (", columns!(), ", description_fold)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO NOTHING");
    BY_ID = concat!("SELECT ", columns!(), " FROM role WHERE id = $1 AND (org_id = $2 OR org_id = $3)");
    BY_NAME = concat!("SELECT ", columns!(), " FROM role WHERE name_fold = $1 AND (org_id = $2 OR org_id = $3)");
    BY_IDS = concat!("SELECT ", columns!(), " FROM role WHERE id IN (", keys!(), ")");
    LIST = concat!("SELECT ", columns!(), " FROM role WHERE (org_id = $1 OR org_id = $2) AND id > $3
        AND ($4 = '' OR namespace = $4) ORDER BY id LIMIT $5");
    UPDATE = "UPDATE role SET name = $2, name_fold = $3, description = $4, permissions = $5, updated_at = $6,
        description_fold = $7 WHERE id = $1";
    DELETE = "DELETE FROM role WHERE id = $1";
    DELETE_ASSIGNMENTS = "DELETE FROM role_assignment WHERE role_id = $1";
    ASSIGN = "INSERT INTO role_assignment (holder_id, holder_kind, role_id, org_id, expires_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (holder_id, role_id) DO UPDATE SET expires_at = excluded.expires_at";
    UNASSIGN = "DELETE FROM role_assignment WHERE holder_id = $1 AND role_id = $2";
    UNASSIGN_ALL = "DELETE FROM role_assignment WHERE holder_id = $1";
    ASSIGNMENT = concat!("SELECT ", assignment!(), " FROM role_assignment WHERE holder_id = $1 AND role_id = $2");
    ASSIGNED_TO = concat!("SELECT ", assignment!(), " FROM role_assignment WHERE holder_id IN (", keys!(), ")
        AND expires_at > $65 ORDER BY role_id");
    GRANT = "INSERT INTO permission_grant (holder_id, holder_kind, permission, org_id, expires_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (holder_id, permission) DO UPDATE SET expires_at = excluded.expires_at";
    REVOKE = "DELETE FROM permission_grant WHERE holder_id = $1 AND permission = $2";
    REVOKE_ALL = "DELETE FROM permission_grant WHERE holder_id = $1";
    GRANTED = concat!("SELECT ", granted!(), " FROM permission_grant WHERE holder_id = $1 AND permission = $2");
    GRANTED_TO = concat!("SELECT ", granted!(), " FROM permission_grant WHERE holder_id IN (", keys!(), ")
        AND expires_at > $65 ORDER BY permission");
    HELD_ROLES = concat!("SELECT r.permissions, x.expires_at FROM role_assignment x
        JOIN role r ON r.id = x.role_id WHERE ", holders!(), " AND x.expires_at > $2");
    HELD_GRANTS = concat!("SELECT x.holder_id, x.holder_kind, x.permission, x.org_id, x.expires_at, x.created_at
        FROM permission_grant x WHERE ", holders!(), " AND x.expires_at > $2");
}

/// The org of built-in roles.
const BUILTIN: Uuid = Uuid::nil();

/// Adds a role; a built-in one that is there is left as it is.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn insert(conn: &mut Conn<'_>, role: &Role) -> Result<()> {
    let fold = name::fold(&role.description);
    let args = [role.args(), vec![fold.bind()]].concat();
    conn.run(&INSERT, &args).await.map(|_| ())
}

/// The role of this id, if it is built in or the org's own.
///
/// # Errors
/// `unavailable`.
pub async fn by_id(conn: &mut Conn<'_>, org: Uuid, id: Uuid) -> Result<Option<Role>> {
    conn.one(&BY_ID, args![id, org, BUILTIN]).await
}

/// The role of this folded name, if it is built in or the org's own.
///
/// # Errors
/// `unavailable`.
pub async fn by_name(conn: &mut Conn<'_>, org: Uuid, name_fold: &str) -> Result<Option<Role>> {
    conn.one(&BY_NAME, args![name_fold, org, BUILTIN]).await
}

/// The roles of these ids, in no order.
///
/// # Errors
/// `unavailable`.
pub async fn by_ids(conn: &mut Conn<'_>, ids: &[Uuid]) -> Result<Vec<Role>> {
    among(conn, &BY_IDS, ids, args![]).await
}

/// Built-in roles and the org's own after this id, of one namespace or all.
///
/// # Errors
/// `unavailable`.
pub async fn list(
    conn: &mut Conn<'_>,
    org: Uuid,
    within: Option<Namespace>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Role>> {
    let namespace = within.map_or("", Namespace::as_str);
    conn.all(&LIST, args![org, BUILTIN, after, namespace, limit]).await
}

/// Writes what can change of a role.
///
/// # Errors
/// `unavailable`, `duplicate`.
pub async fn update(conn: &mut Conn<'_>, role: &Role) -> Result<()> {
    let fold = name::fold(&role.description);
    let args = args![role.id, role.name, role.name_fold, role.description, role.permissions, role.updated_at, fold];
    conn.run(&UPDATE, args).await.map(|_| ())
}

/// Removes a role from everyone and from the table; tells how many held it.
///
/// # Errors
/// `unavailable`.
pub async fn delete(conn: &mut Conn<'_>, id: Uuid) -> Result<u64> {
    let held = conn.run(&DELETE_ASSIGNMENTS, args![id]).await?;
    conn.run(&DELETE, args![id]).await?;
    Ok(held)
}

/// Gives a role, or changes until when it is held.
///
/// # Errors
/// `unavailable`.
pub async fn assign(conn: &mut Conn<'_>, assignment: &Assignment) -> Result<()> {
    conn.insert(&ASSIGN, assignment).await
}

/// Takes a role; false if it was not held.
///
/// # Errors
/// `unavailable`.
pub async fn unassign(conn: &mut Conn<'_>, holder: Uuid, role: Uuid) -> Result<bool> {
    conn.run(&UNASSIGN, args![holder, role]).await.map(|removed| removed > 0)
}

/// Takes every role and every direct permission of a holder.
///
/// # Errors
/// `unavailable`.
pub async fn strip(conn: &mut Conn<'_>, holder: Uuid) -> Result<u64> {
    let roles = conn.run(&UNASSIGN_ALL, args![holder]).await?;
    Ok(roles + conn.run(&REVOKE_ALL, args![holder]).await?)
}

/// Until when and since when a holder has a role, if it was given to it and not taken; it may have ended.
///
/// # Errors
/// `unavailable`.
pub async fn assignment(conn: &mut Conn<'_>, holder: Uuid, role: Uuid) -> Result<Option<Assignment>> {
    conn.one(&ASSIGNMENT, args![holder, role]).await
}

/// What these holders were given of roles themselves, as it is at `now`.
///
/// # Errors
/// `unavailable`.
pub async fn assigned_to(conn: &mut Conn<'_>, holders: &[Uuid], now: Millis) -> Result<Vec<Assignment>> {
    among(conn, &ASSIGNED_TO, holders, args![now]).await
}

/// Gives a permission directly, or changes until when it is held.
///
/// # Errors
/// `unavailable`.
pub async fn grant(conn: &mut Conn<'_>, grant: &Grant) -> Result<()> {
    conn.insert(&GRANT, grant).await
}

/// Takes a direct permission; false if it was not held.
///
/// # Errors
/// `unavailable`.
pub async fn revoke(conn: &mut Conn<'_>, holder: Uuid, permission: &str) -> Result<bool> {
    conn.run(&REVOKE, args![holder, permission]).await.map(|removed| removed > 0)
}

/// Until when and since when a holder has a permission, if it was given to it and not taken; it may have ended.
///
/// # Errors
/// `unavailable`.
pub async fn granted(conn: &mut Conn<'_>, holder: Uuid, permission: &str) -> Result<Option<Grant>> {
    conn.one(&GRANTED, args![holder, permission]).await
}

/// What these holders were given of permissions themselves, as it is at `now`.
///
/// # Errors
/// `unavailable`.
pub async fn granted_to(conn: &mut Conn<'_>, holders: &[Uuid], now: Millis) -> Result<Vec<Grant>> {
    among(conn, &GRANTED_TO, holders, args![now]).await
}

/// One source of permissions: a role or a direct grant, of the holder itself or of a group.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it gives.
    pub permissions: PermissionSet,
    /// Until when.
    pub expires_at: Millis,
}

impl From<Held> for Source {
    fn from(held: Held) -> Self {
        Self { permissions: held.permissions, expires_at: held.expires_at }
    }
}

impl From<Grant> for Source {
    fn from(grant: Grant) -> Self {
        let mut permissions = PermissionSet::none();
        permissions.insert(&grant.permission);
        Self { permissions, expires_at: grant.expires_at }
    }
}

/// Everything from which a holder has permissions at `now`.
///
/// # Errors
/// `unavailable`.
pub async fn sources(conn: &mut Conn<'_>, holder: Uuid, now: Millis) -> Result<Vec<Source>> {
    let roles: Vec<Held> = conn.all(&HELD_ROLES, args![holder, now]).await?;
    let grants: Vec<Grant> = conn.all(&HELD_GRANTS, args![holder, now]).await?;
    Ok(roles.into_iter().map(Source::from).chain(grants.into_iter().map(Source::from)).collect())
}

/// What a holder has at `now`, directly and inherited.
///
/// # Errors
/// `unavailable`.
pub async fn held(conn: &mut Conn<'_>, holder: Uuid, now: Millis) -> Result<PermissionSet> {
    let mut set = PermissionSet::none();
    for source in sources(conn, holder, now).await? {
        set.extend(&source.permissions);
    }
    Ok(set)
}
