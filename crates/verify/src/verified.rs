//! Who stands behind a request.

use std::sync::Arc;

/// What Tokenhouse said of a good credential. It is in the extensions of every request that the service gets to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified(Arc<Facts>);

/// What [`Verified`] shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// The id of the account that owns the token; `None` for a token of the org itself.
    pub account: Option<String>,
    /// The owner's e-mail address or `sa::name`, where there is an owner.
    pub identifier: Option<String>,
    /// The id of the org in which the token acts.
    pub org: String,
    /// The token's id, which is no secret.
    pub token: String,
    /// `user`, `service`, `session`, `org` ...
    pub kind: String,
    /// The token's name; empty if it has none.
    pub name: String,
    /// Everything that it may do.
    pub permissions: Vec<String>,
    /// When it ends by itself, in seconds since 1970.
    pub expires_at: Option<i64>,
}

impl Verified {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// Whether it may do this.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| held == permission)
    }
}

impl std::ops::Deref for Verified {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}
