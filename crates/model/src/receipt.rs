//! What a change answers with.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Millis;
use crate::follow::{Boot, By};

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
    /// The boot-time clock, read after COMMIT returned.
    pub committed: Boot,
    /// Whether any node may still answer from before it.
    pub confirmed: Confirmed,
}

/// Whether a receipt was waited for, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// Nobody waited.
    NotAsked,
    /// It could not be told; the change stands all the same.
    Unknown,
    /// From now on no request that arrives anywhere is answered from before it.
    Yes(Confirmation),
}

/// That a receipt is confirmed: no verify whose request arrives from now on answers from before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// Why.
    pub by: By,
    /// How long after COMMIT returned, in milliseconds.
    pub milliseconds: Millis,
    /// Every node that was registered meanwhile.
    pub nodes: Vec<Witness>,
}

/// A node that was asked to confirm a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The epoch in which it stood when it was last heard.
    pub epoch: i64,
    /// The revision up to which it had applied the ledger then.
    pub applied: i64,
    /// How long after COMMIT returned its acknowledgement was seen, in milliseconds; `None` if it was not.
    pub milliseconds: Option<Millis>,
}

impl<T> Done<T> {
    /// The same receipt with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Done<U> {
        let Self { value, receipt, committed, confirmed } = self;
        Done { value: change(value), receipt, committed, confirmed }
    }
}
