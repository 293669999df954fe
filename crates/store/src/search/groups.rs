//! Groups as they are searched.

use tokenhouse_model::search::GroupField;
use tokenhouse_model::{Group, Millis, Uuid};

use super::Subject;
use super::column::{Column, Several, Text};
use super::composed::Composed;

/// The groups of an org.
#[derive(Debug)]
pub struct Groups {
    org: Uuid,
    now: Millis,
}

impl Groups {
    /// All of them.
    pub fn new(org: Uuid, now: Millis) -> Self {
        Self { org, now }
    }
}

const MEMBERS: &str = "SELECT m.group_id AS id, a.identifier_fold AS fold, a.identifier AS shown, a.id AS key
    FROM account_group g JOIN group_member m ON m.group_id = g.id JOIN account a ON a.id = m.account_id
    WHERE g.org_id = $1";

const ROLES: &str = "SELECT x.holder_id AS id, r.name_fold AS fold, r.name AS shown, r.id AS key
    FROM role r JOIN role_assignment x ON x.role_id = r.id
    WHERE x.org_id = $1 AND x.holder_kind = 'group' AND x.expires_at > $2";

impl Subject for Groups {
    type Field = GroupField;
    type Row = Group;
    const FROM: &'static str = "account_group t";
    const COLUMNS: &'static str = "t.id, t.org_id, t.name, t.name_fold, t.description, t.created_at, t.updated_at";
    const ANYTHING: &'static [GroupField] = &[GroupField::Name, GroupField::Description];

    fn statement(&self) -> Composed {
        Composed::new(self.org, self.now)
    }

    fn scope(&self, sql: &mut Composed) {
        sql.say("t.org_id = $1");
    }

    fn column(field: GroupField) -> Column {
        let text = |fold, shown, indexed| Column::Text(Text { fold, shown, indexed, parts: None });
        let number = |expression| Column::Number { expression, indexed: false };
        let several = |source| Column::Several(Several { source, lists: false });
        match field {
            GroupField::Id => Column::Id,
            GroupField::Name => text("t.name_fold", "t.name", true),
            GroupField::Description => text("t.description_fold", "t.description", false),
            GroupField::CreatedAt => number("t.created_at"),
            GroupField::Members => number("(SELECT COUNT(*) FROM group_member m WHERE m.group_id = t.id)"),
            GroupField::Roles => {
                number("(SELECT COUNT(*) FROM role_assignment x WHERE x.holder_id = t.id AND x.expires_at > $2)")
            }
            GroupField::Member => several(MEMBERS),
            GroupField::Role => several(ROLES),
        }
    }

    fn id(row: &Group) -> Uuid {
        row.id
    }
}
