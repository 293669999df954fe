//! What may still happen to a token, by kind and standing: one table.

use crate::macros::words;
use crate::token::{Standing, TokenKind};
use crate::{Error, Result};

words! {
    /// Something that is done to a token.
    pub enum Move ("move") {
        /// Change its name.
        Rename = "rename",
        /// Change when it ends.
        ChangeExpiry = "change the expiry of",
        /// Switch it off.
        Deactivate = "deactivate",
        /// Switch it on again.
        Reactivate = "reactivate",
        /// Give it a new secret; the old one may live on for an overlap.
        Rotate = "rotate",
        /// End it for good.
        Revoke = "revoke",
    }
}

use Move::{ChangeExpiry, Deactivate, Reactivate, Rename, Revoke, Rotate};
use Standing::{Active, Expired, Inactive, Revoked};
use TokenKind::{Api, ClientSecret, Org, Service, Session, User};

/// Which moves are lawful. Repeating the move that led to the present standing is lawful and changes nothing
/// (revoking what is revoked, deactivating what is inactive), so that a caller whose answer was lost may repeat it.
const LAWFUL: &[(&[TokenKind], Standing, &[Move])] = &[
    (&[User, Service], Active, &[Rename, ChangeExpiry, Deactivate, Reactivate, Rotate, Revoke]),
    (&[User, Service], Inactive, &[Rename, ChangeExpiry, Deactivate, Reactivate, Revoke]),
    (&[User, Service], Expired, &[Rename, Revoke]),
    // csp.md 4: regenerating is also the way to prolong an expired api token.
    (&[Api], Active, &[Rename, Deactivate, Reactivate, Rotate, Revoke]),
    (&[Api], Inactive, &[Rename, Deactivate, Reactivate, Revoke]),
    (&[Api], Expired, &[Rename, Rotate, Revoke]),
    (&[ClientSecret], Active, &[Deactivate, Reactivate, Rotate, Revoke]),
    (&[ClientSecret], Inactive, &[Deactivate, Reactivate, Revoke]),
    (&[ClientSecret], Expired, &[Revoke]),
    (&[Session], Active, &[Deactivate, Reactivate, Revoke]),
    (&[Session], Inactive, &[Deactivate, Reactivate, Revoke]),
    (&[Session], Expired, &[Revoke]),
    // splunk.md 2: an expired org token can't be rotated; a deactivated one keeps its name.
    (&[Org], Active, &[Rename, ChangeExpiry, Deactivate, Reactivate, Rotate, Revoke]),
    (&[Org], Inactive, &[Rename, ChangeExpiry, Deactivate, Reactivate, Revoke]),
    (&[Org], Expired, &[Rename, Revoke]),
    (&[User, Service, Api, ClientSecret, Session, Org], Revoked, &[Revoke]),
];

/// Whether this move is lawful for a token of this kind and standing.
///
/// # Errors
/// `unlawful_state` saying what the token is.
pub fn check(kind: TokenKind, standing: Standing, wanted: Move) -> Result<()> {
    let lawful =
        LAWFUL.iter().any(|(kinds, at, moves)| kinds.contains(&kind) && *at == standing && moves.contains(&wanted));
    if lawful {
        return Ok(());
    }
    Err(Error::state(match (kind, standing, wanted) {
        (_, Revoked, _) => "the token is revoked",
        (_, Expired, _) => "the token is expired",
        (_, Inactive, _) => "the token is deactivated",
        (Session, ..) => "a session can only be deactivated or revoked",
        (Api, _, ChangeExpiry) => "an api token gets a new life by regenerating it",
        _ => "a token of this kind does not allow that",
    }))
}
