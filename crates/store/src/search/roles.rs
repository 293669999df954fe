//! Roles as they are searched: built-in ones and the org's own.

use tokenhouse_model::role::Namespace;
use tokenhouse_model::search::RoleField;
use tokenhouse_model::{Millis, Role, Uuid};

use super::Subject;
use super::column::{Column, Several, Text};
use super::composed::Composed;
use crate::sql::Arg;

/// The roles that an org can use.
#[derive(Debug)]
pub struct Roles {
    org: Uuid,
    now: Millis,
    namespace: Option<Namespace>,
}

impl Roles {
    /// All of them, or those of one namespace.
    pub fn new(org: Uuid, now: Millis, namespace: Option<Namespace>) -> Self {
        Self { org, now, namespace }
    }
}

const PERMISSIONS: &str = "SELECT r.id AS id,
    REPLACE(SUBSTR(LOWER(r.permissions), 2, LENGTH(r.permissions) - 2), '\",\"', '\"\n\"') AS fold, r.permissions AS shown
    FROM role r WHERE LENGTH(r.permissions) > 2 AND (r.org_id = $1 OR r.org_id = $3)";

const ACCOUNTS: &str = "SELECT x.role_id AS id, a.identifier_fold AS fold, a.identifier AS shown, a.id AS key
    FROM role_assignment x JOIN account a ON a.id = x.holder_id
    WHERE x.org_id = $1 AND x.holder_kind = 'account' AND x.expires_at > $2";

const GROUPS: &str = "SELECT x.role_id AS id, g.name_fold AS fold, g.name AS shown, g.id AS key
    FROM role_assignment x JOIN account_group g ON g.id = x.holder_id
    WHERE x.org_id = $1 AND x.holder_kind = 'group' AND x.expires_at > $2";

impl Subject for Roles {
    type Field = RoleField;
    type Row = Role;
    const FROM: &'static str = "role t";
    const COLUMNS: &'static str =
        "t.id, t.org_id, t.kind, t.namespace, t.name, t.name_fold, t.description, t.permissions,
        t.created_at, t.updated_at";
    const ANYTHING: &'static [RoleField] = &[RoleField::Name, RoleField::Description];

    fn statement(&self) -> Composed {
        Composed::new(self.org, self.now)
    }

    fn scope(&self, sql: &mut Composed) {
        sql.say("(t.org_id = $1 OR t.org_id = $3)");
        if let Some(namespace) = self.namespace {
            sql.say(" AND t.namespace = ").bind(Arg::Text(namespace.as_str()));
        }
    }

    fn column(field: RoleField) -> Column {
        let text = |fold, shown, indexed| Column::Text(Text { fold, shown, indexed, parts: None });
        let number = |expression| Column::Number { expression, indexed: false };
        let several = |source| Column::Several(Several { source, lists: false });
        match field {
            RoleField::Id => Column::Id,
            RoleField::Name => text("t.name_fold", "t.name", true),
            RoleField::Description => text("t.description_fold", "t.description", false),
            RoleField::CreatedAt => number("t.created_at"),
            RoleField::UpdatedAt => number("t.updated_at"),
            RoleField::Accounts => number(
                "(SELECT COUNT(*) FROM role_assignment x WHERE x.role_id = t.id AND x.org_id = $1
                    AND x.holder_kind = 'account' AND x.expires_at > $2)",
            ),
            RoleField::Groups => number(
                "(SELECT COUNT(*) FROM role_assignment x WHERE x.role_id = t.id AND x.org_id = $1
                    AND x.holder_kind = 'group' AND x.expires_at > $2)",
            ),
            RoleField::Permission => Column::Several(Several { source: PERMISSIONS, lists: true }),
            RoleField::Account => several(ACCOUNTS),
            RoleField::Group => several(GROUPS),
        }
    }

    fn id(row: &Role) -> Uuid {
        row.id
    }
}
