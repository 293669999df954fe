//! Tests of the rules. What callers of HTTP would notice is tested end to end; here stand the tables and properties.

mod decide;
mod follow;
mod forms;
mod gate;
mod grant;
mod group;
mod import;
mod integration;
mod job;
mod jwt;
mod moves;
mod named;
mod rate;
mod search;
mod signing;

use crate::account::{AccountKind, AccountState};
use crate::address::AddressRules;
use crate::org::OrgState;
use crate::{Account, NEVER, Org, Reach, Scopes, Secret, Token, TokenKind, TokenState, Uuid};

fn org() -> Org {
    Org {
        id: Uuid::from_u128(1),
        name: "first".to_owned(),
        name_fold: "first".to_owned(),
        state: OrgState::Active,
        onboarded: false,
        data_key: Vec::new(),
        created_at: 0,
        updated_at: 0,
    }
}

fn account() -> Account {
    Account {
        id: Uuid::from_u128(2),
        org_id: org().id,
        identity_id: Uuid::from_u128(3),
        kind: AccountKind::User,
        identifier: "a@example.test".to_owned(),
        identifier_fold: "a@example.test".to_owned(),
        description: String::new(),
        state: AccountState::Active,
        created_at: 0,
        created_by: Uuid::nil(),
        updated_at: 0,
        tombstone: Uuid::nil(),
    }
}

fn token() -> Token {
    Token {
        id: Uuid::from_u128(4),
        short_id: String::new(),
        org_id: org().id,
        owner_id: account().id,
        kind: TokenKind::User,
        name: String::new(),
        name_fold: String::new(),
        state: TokenState::Active,
        scopes: Scopes::All,
        reach: Reach::ALL,
        addresses: AddressRules::default(),
        created_at: 1000,
        created_by: account().id,
        created_through: Uuid::nil(),
        updated_at: 1000,
        not_before: 0,
        expires_at: NEVER,
        idle_limit: NEVER,
        last_used_at: 0,
        last_used_address: String::new(),
        revoked_at: 0,
    }
}

fn secret() -> Secret {
    Secret {
        id: Uuid::from_u128(5),
        token_id: token().id,
        org_id: org().id,
        digest: crate::secret::Digest::of(b"x"),
        last4: "x".to_owned(),
        created_at: 1000,
        good_until: NEVER,
        sealed: Vec::new(),
    }
}
