//! Lists without paging, however long, in the dialect's envelope.

use std::sync::Arc;

use axum::response::Response;
use serde::Serialize;
use tokenhouse_authority::accounts::Filter;
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::{Ctx, accounts, tokens};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::cursor::Page;
use tokenhouse_model::{Error, Result};

use super::people::User;
use super::search::services_of;
use super::shapes::CustomerToken;
use super::words::Status;
use crate::stream::{self, Part, first, then};

/// What stands around the items.
#[derive(Clone, Copy, Debug)]
pub(super) enum Around {
    /// The envelope.
    Wrapped,
    /// A bare array.
    Nothing,
}

/// A page as JSON items with commas between them.
fn part<T: Serialize>(items: impl Iterator<Item = T>, next: Option<Page>) -> Result<Part<Page>> {
    let items: Vec<_> =
        items.map(|item| serde_json::to_vec(&item)).collect::<Result<_, _>>().map_err(Error::internal)?;
    Ok(Part { items: items.join(&b","[..]), next })
}

async fn send<F, R>(around: Around, read: F) -> Result<Response>
where
    F: Fn(Page) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Part<Page>>> + Send,
{
    let (before, after) = match around {
        Around::Nothing => ("[".to_owned(), "]"),
        Around::Wrapped => {
            let status = serde_json::to_string(&Status::ok()).map_err(Error::internal)?;
            (format!("{{\"status\":{status},\"response\":["), "]}")
        }
    };
    let around = stream::Around { kind: "application/json", before, between: ",", after, broken: None };
    stream::send(around, first(), read).await
}

/// Every living token of the org's people and service accounts.
pub(super) async fn everyones_tokens(ctx: Arc<Ctx>, caller: Caller) -> Result<Response> {
    let caller = Arc::new(caller);
    send(Around::Wrapped, move |page| {
        let (ctx, caller) = (ctx.clone(), caller.clone());
        async move {
            let listed = tokens::everyones(&ctx, &caller, page).await?;
            let next = then(&listed);
            part(listed.items.into_iter().map(|view| CustomerToken::new(view, caller.org())), next)
        }
    })
    .await
}

/// Every service account with its living tokens.
pub(super) async fn service_accounts(ctx: Arc<Ctx>, caller: Caller) -> Result<Response> {
    let caller = Arc::new(caller);
    send(Around::Wrapped, move |page| {
        let (ctx, caller) = (ctx.clone(), caller.clone());
        async move {
            let filter = Filter { kind: Some(AccountKind::Service), ..Filter::default() };
            let listed = accounts::list(&ctx, &caller, filter, page).await?;
            let next = then(&listed);
            part(services_of(&ctx, &caller, &listed.items).await?.into_iter(), next)
        }
    })
    .await
}

/// Every user.
pub(super) async fn users(ctx: Arc<Ctx>, caller: Caller, around: Around) -> Result<Response> {
    let caller = Arc::new(caller);
    send(around, move |page| {
        let (ctx, caller) = (ctx.clone(), caller.clone());
        async move {
            let filter = Filter { kind: Some(AccountKind::User), ..Filter::default() };
            let listed = accounts::list(&ctx, &caller, filter, page).await?;
            let next = then(&listed);
            part(listed.items.iter().map(|view| User::new(view, caller.org())), next)
        }
    })
    .await
}
