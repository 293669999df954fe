//! Making an installation: its first org and administrator.

use std::sync::Arc;

use tokenhouse_model::event::{Actor, Event, EventKind};
use tokenhouse_model::{Error, Policy, Result, SecretText, Surface, TokenKind, Uuid};
use tokenhouse_store::{Tx, accounts, orgs};

use crate::orgs::{NewOrg, draft, establish};
use crate::tokens::{self, Issue, Mint, Proof};
use crate::{Ctx, Outcome};

/// The first administrator also runs the installation.
const FIRST: &[&str] = &["operator", "administrator", "org_owner", "developer", "admin"];

/// What the first administrator gets to see, once.
#[derive(Debug)]
pub struct Installed {
    /// The org.
    pub org_id: Uuid,
    /// The administrator's sign-in e-mail address.
    pub account: String,
    /// His password.
    pub password: SecretText,
    /// A native user token of his that reaches everything.
    pub token: SecretText,
}

/// Makes the first org, its administrator and his first token, all or nothing. Its policy says whether secrets are
/// `recoverable` (design 1).
///
/// # Errors
/// `unlawful_state` where there is an org already; `invalid_field`.
pub async fn install(ctx: &Arc<Ctx>, new: NewOrg, recoverable: bool) -> Result<Installed> {
    let org = draft(ctx, &new).await?;
    let mut issue = Issue::own();
    "first token".clone_into(&mut issue.name);
    let token = tokens::draft(ctx, issue.form, &[TokenKind::User]);
    let ctx_then = ctx.clone();
    let done = ctx
        .store
        .write(async move |tx: &mut Tx<'_>| {
            if orgs::count(tx.conn()).await? > 0 {
                return Err(Error::state("this database holds an installation already; nothing was changed"));
            }
            let actor = Actor::default();
            tx.record(&actor, Event::new(EventKind::HouseInitialized, Uuid::nil(), Uuid::nil()));
            let made = establish(tx, &ctx_then, &actor, &org, FIRST).await?;
            let account = accounts::by_id(tx.conn(), made.with).await?.ok_or_else(|| Error::not_found("account"))?;
            let policy = Policy { recoverable, ..Policy::default() };
            if recoverable {
                let now = tx.now();
                orgs::set_policy(tx.conn(), made.id, &policy, now).await?;
                let to = serde_json::to_value(&policy).unwrap_or_default();
                tx.record(&actor, Event::new(EventKind::PolicyChanged, made.id, made.id).with("to", to));
            }
            let mint = Mint {
                proof: Proof::System,
                actor: &actor,
                policy: &policy,
                surface: Surface::Native,
                owner: &account,
                kind: TokenKind::User,
                ask: &issue,
                draft: &token,
                seal: None,
            };
            let first = tokens::mint(tx, mint).await?;
            Ok((made, account.identifier, first))
        })
        .await?;
    let (org, account, first): (Outcome, String, Outcome) = done.value;
    let missing = || Error::internal("the installation made no secret");
    Ok(Installed {
        org_id: org.id,
        account,
        password: org.secret.ok_or_else(missing)?,
        token: first.secret.ok_or_else(missing)?,
    })
}

/// Whether there is an org yet.
///
/// # Errors
/// `unavailable`.
pub async fn installed(ctx: &Ctx) -> Result<bool> {
    Ok(orgs::count(&mut ctx.store.read().await?.conn()).await? > 0)
}
