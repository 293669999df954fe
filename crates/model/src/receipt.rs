//! What a change answers with.

use serde::{Deserialize, Serialize};

/// Proof of a change: the ledger position at which it stands (design 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Raised when history was lost and authority removed in it was taken away again.
    pub epoch: i64,
    /// The position of the change's last event in the ledger.
    pub revision: i64,
    /// False when the change removed authority and the journal could not be written: it stands in the database alone.
    pub journaled: bool,
}

/// A change that was made: its outcome and its receipt.
#[derive(Clone, Debug)]
pub struct Done<T> {
    /// What the operation answers.
    pub value: T,
    /// Where it stands in the ledger.
    pub receipt: Receipt,
}

impl<T> Done<T> {
    /// The same receipt with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Done<U> {
        Done { value: change(self.value), receipt: self.receipt }
    }
}
