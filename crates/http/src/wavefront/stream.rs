//! Lists without paging, however long: read page by page and sent as they are read (design 6).

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream;
use serde::Serialize;
use tokenhouse_authority::accounts::Filter;
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::{Ctx, accounts, tokens};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::cursor::{Cursor, Listed, Page};
use tokenhouse_model::{Error, Result};

use super::people::User;
use super::search::services_of;
use super::shapes::CustomerToken;
use super::words::Status;

/// A page as JSON items with commas between them, and where the next one begins.
struct Part {
    items: Vec<u8>,
    next: Option<Page>,
}

impl Part {
    fn new<T: Serialize>(items: impl Iterator<Item = T>, next: Option<Page>) -> Result<Self> {
        let items: Vec<_> =
            items.map(|item| serde_json::to_vec(&item)).collect::<Result<_, _>>().map_err(Error::internal)?;
        Ok(Self { items: items.join(&b","[..]), next })
    }
}

/// What stands around the items.
#[derive(Clone, Copy, Debug)]
pub(super) enum Around {
    /// The envelope.
    Wrapped,
    /// A bare array.
    Nothing,
}

/// Sends a list from its first page on. The first page is read before the answer begins, so that a refusal has its
/// status. A failure later cuts the connection: half a list must not look like a whole one.
async fn send<F, R>(around: Around, first: Page, read: F) -> Result<Response>
where
    F: Fn(Page) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Part>> + Send,
{
    let part = read(first).await?;
    let (before, after) = match around {
        Around::Nothing => ("[".to_owned(), "]"),
        Around::Wrapped => {
            let status = serde_json::to_string(&Status::ok()).map_err(Error::internal)?;
            (format!("{{\"status\":{status},\"response\":["), "]}")
        }
    };
    // What is still to be sent: a page that was read, or the one that is to be read next; and whether an item was sent.
    let begun = (Some(part), None, false, before, read);
    let chunks = stream::try_unfold(begun, move |(part, next, sent, before, read)| async move {
        let part = match (part, next) {
            (Some(part), _) => part,
            (None, Some(page)) => read(page).await?,
            (None, None) => return Ok::<_, Error>(None),
        };
        let mut chunk = before.into_bytes();
        // A page may come to nothing, as what is not shown is left out: then no comma stands for it.
        if sent && !part.items.is_empty() {
            chunk.push(b',');
        }
        chunk.extend(&part.items);
        if part.next.is_none() {
            chunk.extend(after.as_bytes());
        }
        let sent = sent || !part.items.is_empty();
        Ok(Some((Bytes::from(chunk), (None, part.next, sent, String::new(), read))))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// As many as one page holds: the most that is in memory at once.
const PAGE: u32 = 500;

fn first() -> Page {
    Page { cursor: Cursor::START, limit: PAGE }
}

fn then<T>(listed: &Listed<T>) -> Option<Page> {
    listed.next.map(|cursor| Page { cursor, limit: PAGE })
}

/// Every living token of the org's people and service accounts.
pub(super) async fn everyones_tokens(ctx: Arc<Ctx>, caller: Caller) -> Result<Response> {
    let caller = Arc::new(caller);
    send(Around::Wrapped, first(), move |page| {
        let (ctx, caller) = (ctx.clone(), caller.clone());
        async move {
            let listed = tokens::everyones(&ctx, &caller, page).await?;
            let next = then(&listed);
            Part::new(listed.items.into_iter().map(|view| CustomerToken::new(view, caller.org())), next)
        }
    })
    .await
}

/// Every service account with its living tokens.
pub(super) async fn service_accounts(ctx: Arc<Ctx>, caller: Caller) -> Result<Response> {
    let caller = Arc::new(caller);
    send(Around::Wrapped, first(), move |page| {
        let (ctx, caller) = (ctx.clone(), caller.clone());
        async move {
            let filter = Filter { kind: Some(AccountKind::Service), ..Filter::default() };
            let listed = accounts::list(&ctx, &caller, filter, page).await?;
            let next = then(&listed);
            Part::new(services_of(&ctx, &caller, &listed.items).await?.into_iter(), next)
        }
    })
    .await
}

/// Every user.
pub(super) async fn users(ctx: Arc<Ctx>, caller: Caller, around: Around) -> Result<Response> {
    let caller = Arc::new(caller);
    send(around, first(), move |page| {
        let (ctx, caller) = (ctx.clone(), caller.clone());
        async move {
            let filter = Filter { kind: Some(AccountKind::User), ..Filter::default() };
            let listed = accounts::list(&ctx, &caller, filter, page).await?;
            let next = then(&listed);
            Part::new(listed.items.iter().map(|view| User::new(view, caller.org())), next)
        }
    })
    .await
}
