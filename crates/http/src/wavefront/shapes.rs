//! The JSON of tokens (wavefront.md 3). What is absent is left out: a time of 0 would read as 1970 (gotcha 8).

use serde::Serialize;
use tokenhouse_authority::tokens::Shown;
use tokenhouse_authority::views::TokenView;
use tokenhouse_model::account::{AccountKind, AccountState};
use tokenhouse_model::{Account, Millis, Org, SecretText, Uuid};

/// A time that may not have come.
pub(super) fn time(at: Millis) -> Option<Millis> {
    (at != 0).then_some(at)
}

/// A text that may be empty.
pub(super) fn text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// What an account is, in one of the three words that every client knows: on any other they raise, for the whole list
/// (gotcha 7).
pub(super) fn account_type(account: &Account) -> &'static str {
    match (account.kind, account.state) {
        (AccountKind::Service, AccountState::Inactive) => "INACTIVE_SERVICE_ACCOUNT",
        (AccountKind::Service, AccountState::Active) => "SERVICE_ACCOUNT",
        (AccountKind::User | AccountKind::App, _) => "USER_ACCOUNT",
    }
}

/// What is shown as a token's id: its handle, or where it may be told the secret itself.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Id {
    Handle(Uuid),
    Secret(SecretText),
}

/// `UserApiToken` (wavefront.md 3.1).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserToken {
    #[serde(rename = "tokenID")]
    token_id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_type: Option<&'static str>,
    date_generated: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<Millis>,
}

impl From<Shown> for UserToken {
    fn from(shown: Shown) -> Self {
        let Shown { view: TokenView { token, owner, .. }, secret } = shown;
        Self {
            token_id: secret.map_or(Id::Handle(token.id), Id::Secret),
            token_name: text(token.name),
            account_type: owner.as_ref().map(account_type),
            account: owner.map(|owner| owner.identifier),
            date_generated: token.created_at,
            last_used: time(token.last_used_at),
        }
    }
}

impl From<TokenView> for UserToken {
    fn from(view: TokenView) -> Self {
        Shown { view, secret: None }.into()
    }
}

/// `ApiTokenModel` (wavefront.md 3.2).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomerToken {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_type: Option<&'static str>,
    customer: String,
    created_epoch_millis: Millis,
    date_generated: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<Millis>,
}

impl CustomerToken {
    /// A token of this org.
    pub(super) fn new(view: TokenView, org: &Org) -> Self {
        let TokenView { token, owner, .. } = view;
        Self {
            id: token.id,
            name: text(token.name),
            account_type: owner.as_ref().map(account_type),
            account: owner.map(|owner| owner.identifier),
            customer: org.name.clone(),
            created_epoch_millis: token.created_at,
            date_generated: token.created_at,
            last_used: time(token.last_used_at),
        }
    }
}
