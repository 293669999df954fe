//! Where a list goes on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::{Error, Result};

/// A list's items are in the order of their ids, which is the order of their making; a cursor is the last one seen.
/// It is opaque to callers, so that another order can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last item seen; nil at the start.
    pub after: Uuid,
}

/// The version of the cursor's form.
const VERSION: u8 = 1;

impl Cursor {
    /// The start of a list.
    pub const START: Self = Self { after: Uuid::nil() };

    /// As text for a query parameter.
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.after.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// From text that a caller sent back.
    ///
    /// # Errors
    /// `invalid_field` for anything that we did not make.
    pub fn decode(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("cursor", "must be the `next` of an earlier answer");
        if text.len() > 64 {
            return Err(wrong());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        match bytes.split_first() {
            Some((&VERSION, id)) => Uuid::from_slice(id).map(|after| Self { after }).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// The most items of one page.
pub const LARGEST_PAGE: u32 = 1000;

/// One page of a list that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Where it begins.
    pub cursor: Cursor,
    /// At most so many items.
    pub limit: u32,
}

impl Page {
    /// A page from query parameters; 100 items unless told.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn ask(cursor: Option<&str>, limit: Option<u32>) -> Result<Self> {
        let limit = limit.unwrap_or(100);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Error::invalid("limit", format_args!("must be between 1 and {LARGEST_PAGE}")));
        }
        let cursor = cursor.map(Cursor::decode).transpose()?.unwrap_or(Cursor::START);
        Ok(Self { cursor, limit })
    }

    /// Cuts what was read (one more than the page) to the page and says where the next begins.
    pub fn cut<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> Listed<T> {
        let more = items.len() > self.limit as usize;
        items.truncate(self.limit as usize);
        let next = items.last().filter(|_| more).map(|last| Cursor { after: id(last) });
        Listed { items, next }
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl<T> Listed<T> {
    /// The same page of other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}
