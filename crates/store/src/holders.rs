//! Who holds a role or a permission, and what those hold besides.

use tokenhouse_model::role::HolderKind;
use tokenhouse_model::{Account, Millis, PermissionSet, Result, Uuid};

use crate::conn::{Conn, Number};
use crate::groups::Sample;
use crate::lists::{among, each, each_of, keys};
use crate::sql::{Bind as _, args, row, statements};

/// A group, those in it, and all groups that these are in.
macro_rules! around_group {
    () => {
        "(SELECT id FROM account_group WHERE id = $1
            UNION SELECT account_id FROM group_member WHERE group_id = $1
            UNION SELECT o.group_id FROM group_member m JOIN group_member o ON o.account_id = m.account_id
                WHERE m.group_id = $1)"
    };
}

/// Who holds a role in an org, those in the groups that do, and all groups that any of these are in.
macro_rules! around_role {
    () => {
        "(SELECT holder_id FROM role_assignment WHERE role_id = $1 AND org_id = $3 AND expires_at > $2
            UNION SELECT m.account_id FROM role_assignment h JOIN group_member m ON m.group_id = h.holder_id
                WHERE h.role_id = $1 AND h.org_id = $3 AND h.expires_at > $2
            UNION SELECT m.group_id FROM role_assignment h JOIN group_member m ON m.account_id = h.holder_id
                WHERE h.role_id = $1 AND h.org_id = $3 AND h.expires_at > $2
            UNION SELECT o.group_id FROM role_assignment h JOIN group_member m ON m.group_id = h.holder_id
                JOIN group_member o ON o.account_id = m.account_id
                WHERE h.role_id = $1 AND h.org_id = $3 AND h.expires_at > $2)"
    };
}

statements! {
    COUNTS = concat!("SELECT role_id, holder_kind, COUNT(*) FROM role_assignment WHERE role_id IN (", keys!(), ")
        AND org_id = $65 AND expires_at > $66 GROUP BY role_id, holder_kind");
    SAMPLE_ACCOUNTS = each!("SELECT h.role_id, a.identifier FROM role_assignment h JOIN account a ON a.id = h.holder_id
        WHERE h.role_id = ", " AND h.org_id = $17 AND h.holder_kind = 'account' AND h.expires_at > $18
        ORDER BY h.holder_id LIMIT 10");
    SAMPLE_GROUPS = each!("SELECT role_id, holder_id FROM role_assignment
        WHERE role_id = ", " AND org_id = $17 AND holder_kind = 'group' AND expires_at > $18
        ORDER BY holder_id LIMIT 10");
    ROLES_AROUND_GROUP = concat!("SELECT r.permissions FROM role r WHERE r.id IN
        (SELECT x.role_id FROM role_assignment x WHERE x.expires_at > $2 AND x.holder_id IN ", around_group!(), ")");
    GRANTS_AROUND_GROUP = concat!("SELECT DISTINCT x.permission FROM permission_grant x
        WHERE x.expires_at > $2 AND x.holder_id IN ", around_group!());
    ROLES_AROUND_ROLE = concat!("SELECT r.permissions FROM role r WHERE r.id IN
        (SELECT x.role_id FROM role_assignment x WHERE x.expires_at > $2 AND x.holder_id IN ", around_role!(), ")");
    GRANTS_AROUND_ROLE = concat!("SELECT DISTINCT x.permission FROM permission_grant x
        WHERE x.expires_at > $2 AND x.holder_id IN ", around_role!());
    GAINING = "SELECT COUNT(*) FROM (SELECT h.holder_id FROM role_assignment h
            WHERE h.role_id = $1 AND h.org_id = $2 AND h.expires_at > $3
        UNION ALL SELECT m.account_id FROM role_assignment h JOIN group_member m ON m.group_id = h.holder_id
            WHERE h.role_id = $1 AND h.org_id = $2 AND h.expires_at > $3 LIMIT $4) AS counted";
    HOLDING = "SELECT a.id, a.org_id, a.identity_id, a.kind, a.identifier, a.identifier_fold, a.description, a.state,
        a.created_at, a.created_by, a.updated_at, a.tombstone FROM account a
        WHERE a.org_id = $1 AND a.tombstone = $2 AND a.kind = 'user' AND a.id > $3 AND a.id IN
            (SELECT holder_id FROM permission_grant WHERE org_id = $1 AND permission = $4 AND expires_at > $5
            UNION SELECT m.account_id FROM permission_grant x JOIN group_member m ON m.group_id = x.holder_id
                WHERE x.org_id = $1 AND x.permission = $4 AND x.expires_at > $5
            UNION SELECT x.holder_id FROM role r JOIN role_assignment x ON x.role_id = r.id
                WHERE (r.org_id = $1 OR r.org_id = $2) AND replace(r.permissions, $6, '') <> r.permissions
                AND x.org_id = $1 AND x.expires_at > $5
            UNION SELECT m.account_id FROM role r JOIN role_assignment x ON x.role_id = r.id
                JOIN group_member m ON m.group_id = x.holder_id
                WHERE (r.org_id = $1 OR r.org_id = $2) AND replace(r.permissions, $6, '') <> r.permissions
                AND x.org_id = $1 AND x.expires_at > $5)
        ORDER BY a.id LIMIT $7";
}

/// How many of one kind hold a role.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The role.
    pub role_id: Uuid,
    /// What they are.
    pub kind: HolderKind,
    /// How many.
    pub holders: i64,
}

row!(Count: "" { role_id, kind, holders });

/// How many of the org hold each of these roles at `now`.
///
/// # Errors
/// `unavailable`.
pub async fn counts(conn: &mut Conn<'_>, org: Uuid, roles: &[Uuid], now: Millis) -> Result<Vec<Count>> {
    among(conn, &COUNTS, roles, args![org, now]).await
}

/// Up to ten accounts of the org that hold each of these roles themselves.
///
/// # Errors
/// `unavailable`.
pub async fn sample_accounts(conn: &mut Conn<'_>, org: Uuid, roles: &[Uuid], now: Millis) -> Result<Vec<Sample>> {
    each_of(conn, &SAMPLE_ACCOUNTS, roles, args![org, now]).await
}

/// A group that holds a role.
#[derive(Clone, Copy, Debug)]
pub struct Carrier {
    /// The role.
    pub role_id: Uuid,
    /// The group.
    pub group_id: Uuid,
}

row!(Carrier: "" { role_id, group_id });

/// Up to ten groups of the org that hold each of these roles.
///
/// # Errors
/// `unavailable`.
pub async fn sample_groups(conn: &mut Conn<'_>, org: Uuid, roles: &[Uuid], now: Millis) -> Result<Vec<Carrier>> {
    each_of(conn, &SAMPLE_GROUPS, roles, args![org, now]).await
}

/// Permissions of one role.
struct Gives {
    permissions: PermissionSet,
}

row!(Gives: "" { permissions });

/// One permission.
struct Word {
    text: String,
}

row!(Word: "" { text });

fn all(roles: Vec<Gives>, grants: Vec<Word>) -> PermissionSet {
    let mut set = PermissionSet::none();
    roles.iter().for_each(|role| set.extend(&role.permissions));
    grants.iter().for_each(|grant| set.insert(&grant.text));
    set
}

/// What a group or any of its members holds at `now`, from wherever.
///
/// # Errors
/// `unavailable`.
pub async fn around_group(conn: &mut Conn<'_>, group: Uuid, now: Millis) -> Result<PermissionSet> {
    let roles = conn.all(&ROLES_AROUND_GROUP, args![group, now]).await?;
    Ok(all(roles, conn.all(&GRANTS_AROUND_GROUP, args![group, now]).await?))
}

/// What anyone of the org who has a role, himself or through a group, holds at `now`, from wherever.
///
/// # Errors
/// `unavailable`.
pub async fn around_role(conn: &mut Conn<'_>, org: Uuid, role: Uuid, now: Millis) -> Result<PermissionSet> {
    let roles = conn.all(&ROLES_AROUND_ROLE, args![role, now, org]).await?;
    Ok(all(roles, conn.all(&GRANTS_AROUND_ROLE, args![role, now, org]).await?))
}

/// How many of the org have a role, themselves or through a group, counted up to `most`; who has it twice counts twice.
///
/// # Errors
/// `unavailable`.
pub async fn gaining(conn: &mut Conn<'_>, org: Uuid, role: Uuid, now: Millis, most: i64) -> Result<i64> {
    Ok(conn.one::<Number>(&GAINING, args![role, org, now, most]).await?.map_or(0, |number| number.value))
}

/// The org's living user accounts after this id that hold a permission at `now`, from wherever.
///
/// # Errors
/// `unavailable`.
pub async fn holding(
    conn: &mut Conn<'_>,
    org: Uuid,
    permission: &str,
    now: Millis,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Account>> {
    // A role's permissions are stored as a JSON list of strings: this is the permission as it stands in one.
    let quoted = serde_json::Value::from(permission).to_string();
    // The nil id is the tombstone of the living, and the org of built-in roles.
    conn.all(&HOLDING, args![org, Uuid::nil(), after, permission, now, quoted, limit]).await
}
