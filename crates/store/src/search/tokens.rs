//! Tokens as they are searched: those of users and service accounts that are neither revoked nor expired.

use tokenhouse_model::search::TokenField;
use tokenhouse_model::{Millis, NEVER, Policy, Token, TokenKind, Uuid};

use super::Subject;
use super::column::{Column, Parts, Text};
use super::composed::Composed;
use crate::sql::Arg;

/// The tokens of an org.
#[derive(Debug)]
pub struct Tokens {
    org: Uuid,
    now: Millis,
    /// A kind whose longest life the policy bounds, and when the oldest that still lives was made.
    oldest: Vec<(TokenKind, Millis)>,
}

impl Tokens {
    /// Those that live now by themselves and by the org's policy.
    pub fn new(org: Uuid, now: Millis, policy: &Policy) -> Self {
        let bounded = [TokenKind::User, TokenKind::Service].into_iter().filter_map(|kind| {
            let longest = policy.of(kind).max_lifetime;
            (longest != NEVER).then(|| (kind, now.saturating_sub(longest)))
        });
        Self { org, now, oldest: bounded.collect() }
    }
}

impl Subject for Tokens {
    type Field = TokenField;
    type Row = Token;
    const FROM: &'static str = "token t";
    const COLUMNS: &'static str =
        "t.id, t.short_id, t.org_id, t.owner_id, t.kind, t.name, t.name_fold, t.state, t.scopes,
        t.reach, t.addresses, t.created_at, t.created_by, t.created_through, t.updated_at, t.not_before, t.expires_at,
        t.idle_limit, t.last_used_at, t.last_used_address, t.revoked_at";
    const ANYTHING: &'static [TokenField] = &[TokenField::Name, TokenField::Owner, TokenField::Id];

    fn statement(&self) -> Composed {
        Composed::new(self.org, self.now)
    }

    fn scope(&self, sql: &mut Composed) {
        // The words of the partial indexes, so that both databases see that they apply.
        sql.say("t.org_id = $1 AND t.state <> 'revoked' AND (t.kind = 'user' OR t.kind = 'service')");
        sql.say(" AND t.expires_at > $2");
        for (kind, oldest) in &self.oldest {
            sql.say(" AND NOT (t.kind = ").bind(Arg::Text(kind.as_str()));
            sql.say(" AND t.created_at <= ").bind(Arg::Int(*oldest)).say(")");
        }
    }

    fn column(field: TokenField) -> Column {
        let plain = |fold| Column::Text(Text { fold, shown: fold, indexed: true, parts: None });
        match field {
            TokenField::Id => Column::Id,
            TokenField::Name => Column::Text(Text {
                fold: "t.name_fold",
                shown: "t.name",
                indexed: true,
                parts: Some(Parts {
                    sqlite: "SELECT id FROM token_text WHERE token_text MATCH ",
                    postgres: None,
                    join: "t.id = c.id",
                }),
            }),
            TokenField::Owner => Column::Text(Text {
                fold: "t.owner_fold",
                shown: "t.owner_fold",
                indexed: true,
                parts: Some(Parts {
                    sqlite: "SELECT identifier AS fold FROM account_text WHERE account_text MATCH ",
                    postgres: Some((
                        "SELECT a.identifier_fold AS fold FROM account a WHERE a.org_id = $1 AND ",
                        "a.identifier_fold",
                    )),
                    join: "t.owner_fold = c.fold",
                }),
            }),
            TokenField::OwnerType => plain("t.owner_type"),
            TokenField::CreatedAt => Column::Number { expression: "t.created_at", indexed: true },
            TokenField::LastUsedAt => Column::Number { expression: "t.last_used_at", indexed: true },
        }
    }

    fn id(row: &Token) -> Uuid {
        row.id
    }
}
