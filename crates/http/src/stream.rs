//! Answers without an end in sight: read page by page and sent as they are read (design 6). No more than a page is in
//! memory, and a client that reads slowly makes the reading slow.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream;
use tokenhouse_model::cursor::{Cursor, Listed, Page};
use tokenhouse_model::{Error, Result};

/// A page that was read, as bytes, and where the next one begins.
pub(crate) struct Part<N> {
    /// Its items, with what stands between them.
    pub(crate) items: Vec<u8>,
    /// Where the next page begins; `None` after the last.
    pub(crate) next: Option<N>,
}

/// What stands around the items.
pub(crate) struct Around {
    /// The content type.
    pub(crate) kind: &'static str,
    /// Before the first page.
    pub(crate) before: String,
    /// Between two pages that are not empty.
    pub(crate) between: &'static str,
    /// After the last page.
    pub(crate) after: &'static str,
    /// What is said where reading fails half-way, before the connection is cut.
    pub(crate) broken: Option<fn(&Error) -> String>,
}

/// As many as one page holds: the most that is in memory at once.
const PAGE: u32 = 500;

/// The first page of a list.
pub(crate) fn first() -> Page {
    Page { cursor: Cursor::START, limit: PAGE }
}

/// The page after this one.
pub(crate) fn then<T>(listed: &Listed<T>) -> Option<Page> {
    listed.next.map(|cursor| Page { cursor, limit: PAGE })
}

/// How far an answer is.
enum At<N> {
    /// A page was read.
    Read(Part<N>),
    /// The next page is to be read.
    Next(N),
    /// It is told that reading failed; the connection is still to be cut.
    Cut(Error),
    Over,
}

/// Before the connection is cut, what was said gets so long to leave.
const LEAVING: Duration = Duration::from_millis(50);

/// Sends a list from its first page on. The first page is read before the answer begins, so that a refusal has its
/// status. A failure later cuts the connection: half a list must not look like a whole one.
pub(crate) async fn send<N, F, R>(around: Around, first: N, read: F) -> Result<Response>
where
    N: Send + 'static,
    F: Fn(N) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Part<N>>> + Send,
{
    let part = read(first).await?;
    let Around { kind, before, between, after, broken } = around;
    let chunks =
        stream::try_unfold((At::Read(part), before, false, read), move |(at, before, sent, read)| async move {
            let part = match at {
                At::Read(part) => part,
                At::Next(next) => match (read(next).await, broken) {
                    (Ok(part), _) => part,
                    (Err(error), None) => return Err(error),
                    (Err(error), Some(broken)) => {
                        let said = Bytes::from(broken(&error));
                        return Ok(Some((said, (At::Cut(error), before, sent, read))));
                    }
                },
                At::Cut(error) => {
                    tokio::time::sleep(LEAVING).await;
                    return Err(error);
                }
                At::Over => return Ok(None),
            };
            let mut chunk = before.into_bytes();
            // A page may come to nothing, as what is not shown is left out: then nothing stands for it.
            if sent && !part.items.is_empty() {
                chunk.extend(between.as_bytes());
            }
            let sent = sent || !part.items.is_empty();
            chunk.extend(part.items);
            let at = match part.next {
                Some(next) => At::Next(next),
                None => {
                    chunk.extend(after.as_bytes());
                    At::Over
                }
            };
            Ok(Some((Bytes::from(chunk), (at, String::new(), sent, read))))
        });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
