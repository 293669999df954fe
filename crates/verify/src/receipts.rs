//! Receipts: places in the ledger that no answer may be older than.

use std::sync::{Arc, Mutex, PoisonError};

/// A place in the ledger: the epoch first, then the revision within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Raised when history was lost; what was revoked in it was revoked again before anybody was answered.
    pub epoch: i64,
    /// The position of an event.
    pub revision: i64,
}

/// The receipts that a service knows of, shared by all who hold a clone. A service that revokes a token notes the
/// receipt of the answer here; from then on nothing older is used, neither from memory nor from Tokenhouse.
#[derive(Clone, Debug, Default)]
pub struct Receipts(Arc<Mutex<Option<Place>>>);

impl Receipts {
    /// Notes a receipt: `epoch` and `revision` of the answer to a change. One that is older than a noted one changes
    /// nothing.
    pub fn note(&self, epoch: i64, revision: i64) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = (*noted).max(Some(Place { epoch, revision }));
    }

    /// The latest.
    pub(crate) fn latest(&self) -> Option<Place> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
