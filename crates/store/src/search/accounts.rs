//! Accounts as they are searched: the living ones of some kinds.

use tokenhouse_model::account::AccountKind;
use tokenhouse_model::search::AccountField;
use tokenhouse_model::{Account, Millis, Uuid};

use super::Subject;
use super::column::{Column, Parts, Several, Text};
use super::composed::Composed;
use crate::sql::Arg;

/// The accounts of an org.
#[derive(Debug)]
pub struct Accounts {
    org: Uuid,
    now: Millis,
    kinds: Vec<AccountKind>,
}

impl Accounts {
    /// Those of these kinds.
    pub fn new(org: Uuid, now: Millis, kinds: &[AccountKind]) -> Self {
        Self { org, now, kinds: kinds.to_vec() }
    }
}

const GROUPS: &str = "SELECT m.account_id AS id, g.name_fold AS fold, g.name AS shown, g.id AS key
    FROM account_group g JOIN group_member m ON m.group_id = g.id WHERE g.org_id = $1";

const ROLES: &str = "SELECT x.holder_id AS id, r.name_fold AS fold, r.name AS shown, r.id AS key
    FROM role r JOIN role_assignment x ON x.role_id = r.id
    WHERE x.org_id = $1 AND x.holder_kind = 'account' AND x.expires_at > $2";

const HELD_ROLES: &str = "SELECT x.holder_id AS id, r.name_fold AS fold, r.name AS shown, r.id AS key
    FROM role r JOIN role_assignment x ON x.role_id = r.id
    WHERE x.org_id = $1 AND x.holder_kind = 'account' AND x.expires_at > $2
    UNION ALL SELECT m.account_id AS id, r.name_fold AS fold, r.name AS shown, r.id AS key
    FROM role r JOIN role_assignment x ON x.role_id = r.id JOIN group_member m ON m.group_id = x.holder_id
    WHERE x.org_id = $1 AND x.holder_kind = 'group' AND x.expires_at > $2";

const PERMISSIONS: &str = "SELECT x.holder_id AS id, LOWER(x.permission) AS fold, x.permission AS shown, $3 AS key
    FROM permission_grant x WHERE x.org_id = $1 AND x.holder_kind = 'account' AND x.expires_at > $2";

/// Roles hold their permissions as a list in JSON. Its brackets are taken away and its commas replaced by what no text in
/// JSON has, so that they match nothing; a single permission is made a list of one.
const HELD: &str = "SELECT x.holder_id AS id, '\"' || LOWER(x.permission) || '\"' AS fold,
    '[\"' || x.permission || '\"]' AS shown
    FROM permission_grant x WHERE x.org_id = $1 AND x.holder_kind = 'account' AND x.expires_at > $2
    UNION ALL SELECT m.account_id AS id, '\"' || LOWER(x.permission) || '\"' AS fold,
    '[\"' || x.permission || '\"]' AS shown
    FROM permission_grant x JOIN group_member m ON m.group_id = x.holder_id
    WHERE x.org_id = $1 AND x.holder_kind = 'group' AND x.expires_at > $2
    UNION ALL SELECT x.holder_id AS id,
    REPLACE(SUBSTR(LOWER(r.permissions), 2, LENGTH(r.permissions) - 2), '\",\"', '\"\n\"') AS fold, r.permissions AS shown
    FROM role r JOIN role_assignment x ON x.role_id = r.id
    WHERE LENGTH(r.permissions) > 2 AND x.org_id = $1 AND x.holder_kind = 'account' AND x.expires_at > $2
    UNION ALL SELECT m.account_id AS id,
    REPLACE(SUBSTR(LOWER(r.permissions), 2, LENGTH(r.permissions) - 2), '\",\"', '\"\n\"') AS fold, r.permissions AS shown
    FROM role r JOIN role_assignment x ON x.role_id = r.id JOIN group_member m ON m.group_id = x.holder_id
    WHERE LENGTH(r.permissions) > 2 AND x.org_id = $1 AND x.holder_kind = 'group' AND x.expires_at > $2";

impl Subject for Accounts {
    type Field = AccountField;
    type Row = Account;
    const FROM: &'static str = "account t";
    const COLUMNS: &'static str =
        "t.id, t.org_id, t.identity_id, t.kind, t.identifier, t.identifier_fold, t.description,
        t.state, t.created_at, t.created_by, t.updated_at, t.tombstone";
    const ANYTHING: &'static [AccountField] = &[AccountField::Identifier, AccountField::Description];

    fn statement(&self) -> Composed {
        Composed::new(self.org, self.now)
    }

    fn scope(&self, sql: &mut Composed) {
        sql.say("t.org_id = $1 AND t.tombstone = $3 AND t.kind").list(
            &self.kinds,
            [" IN (", ", ", ")", " IN (NULL)"],
            |sql, kind| {
                sql.bind(Arg::Text(kind.as_str()));
            },
        );
    }

    fn column(field: AccountField) -> Column {
        let word = |fold| Column::Text(Text { fold, shown: fold, indexed: false, parts: None });
        let several = |source| Column::Several(Several { source, lists: false });
        match field {
            AccountField::Id => Column::Id,
            AccountField::Identifier => Column::Text(Text {
                fold: "t.identifier_fold",
                shown: "t.identifier",
                indexed: true,
                parts: Some(Parts {
                    sqlite: "SELECT id FROM account_text WHERE account_text MATCH ",
                    postgres: None,
                    join: "t.id = c.id",
                }),
            }),
            AccountField::Description => {
                Column::Text(Text { fold: "t.description_fold", shown: "t.description", indexed: false, parts: None })
            }
            AccountField::Kind => word("t.kind"),
            AccountField::State => word("t.state"),
            AccountField::CreatedAt => Column::Number { expression: "t.created_at", indexed: true },
            AccountField::LastUsedAt => Column::Number {
                expression: "(SELECT COALESCE(MAX(x.last_used_at), 0) FROM token x WHERE x.owner_id = t.id)",
                indexed: false,
            },
            AccountField::LastLoginAt => Column::Number {
                expression: "(SELECT COALESCE(MAX(x.created_at), 0) FROM token x
                    WHERE x.owner_id = t.id AND x.kind = 'session')",
                indexed: false,
            },
            AccountField::Tokens => Column::Number {
                expression: "(SELECT COUNT(*) FROM token x WHERE x.owner_id = t.id AND x.state <> 'revoked')",
                indexed: false,
            },
            AccountField::Group => several(GROUPS),
            AccountField::Role => several(ROLES),
            AccountField::HeldRole => several(HELD_ROLES),
            AccountField::Permission => several(PERMISSIONS),
            AccountField::Held => Column::Several(Several { source: HELD, lists: true }),
        }
    }

    fn id(row: &Account) -> Uuid {
        row.id
    }
}
