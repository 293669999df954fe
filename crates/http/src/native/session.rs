//! Who am I, signing in and out.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokenhouse_authority::sessions::{self, SignIn};
use tokenhouse_authority::{accounts, tokens};
use tokenhouse_model::{Error, SecretText, Surface, Uuid};
use utoipa::ToSchema;

use super::shapes::{Account, Changed, Issued, Org, Token};
use super::{Answer, Native, changed, created, found, shown};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Body, Unknown};

/// Who the caller is and what he may do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whoami {
    /// Absent for an org token.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account>,
    org: Org,
    token: Token,
    /// The effective permissions of this token.
    permissions: Vec<String>,
}

/// Tells who the caller is, and when his token ends.
#[utoipa::path(get, path = "/v1/whoami", tag = "session", responses((status = 200, description = "Who you are", body = Whoami)))]
pub(super) async fn whoami(State(ctx): House, As(caller, _): Native) -> Reply<Answer<Whoami>> {
    let account = match caller.account() {
        Some(account) => Some(accounts::get(&ctx, &caller, account.id).await?.into()),
        None => None,
    };
    let token = tokens::get(&ctx, &caller, caller.token().id).await?.into();
    let permissions = caller.effective.names();
    Ok(found(Whoami { account, org: caller.org().clone().into(), token, permissions }))
}

/// Someone who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInRequest {
    email: String,
    #[schema(value_type = String)]
    password: SecretText,
    /// The org in which to act; one's default one unless told.
    org: Option<Uuid>,
}

/// Signs in with e-mail address and password: issues a session token.
#[utoipa::path(post, path = "/v1/session", tag = "session", request_body = SignInRequest, security(()),
    responses((status = 201, description = "Signed in", body = Changed<Issued>)))]
pub(super) async fn sign_in(
    State(ctx): House,
    Unknown(served): Unknown,
    Body(ask): Body<SignInRequest>,
) -> Reply<Answer<Changed<Issued>>> {
    let SignInRequest { email, password, org } = ask;
    let (address, request_id) = (served.address, served.id.clone());
    let done =
        sessions::sign_in(&ctx, SignIn { email, password, org, address, request_id, surface: Surface::Native }).await?;
    let secret = done.value.secret.clone().ok_or_else(|| Error::internal("a session without a secret"))?;
    let token = shown(tokens::just_changed(&ctx, done.value.id).await)?.into();
    Ok(created(&done, Issued { secret, token }))
}

/// Signs out: revokes the session that asks.
#[utoipa::path(delete, path = "/v1/session", tag = "session", responses((status = 200, description = "Signed out", body = Changed<Token>)))]
pub(super) async fn sign_out(State(ctx): House, As(caller, _): Native) -> Reply<Answer<Changed<Token>>> {
    let done = sessions::sign_out(&ctx, &caller).await?;
    Ok(changed(&done, shown(tokens::get(&ctx, &caller, done.value.id).await)?.into()))
}
