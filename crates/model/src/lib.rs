//! The rules: types and pure decisions of Tokenhouse.
//!
//! Nothing here does I/O, awaits, or knows a database or a protocol. Time and randomness come in as values
//! ([`env`]), so every rule can be tested in microseconds. The words are those of the design: an [`Org`] has
//! [`Account`]s, accounts own [`Token`]s, a token is proved by [`Secret`]s.

pub mod access;
pub mod account;
pub mod address;
pub mod app;
pub mod asked;
pub mod chain;
pub mod credential;
pub mod cursor;
pub mod decide;
pub mod env;
pub mod error;
pub mod event;
pub mod follow;
pub mod form;
pub mod gate;
pub mod grafana;
pub mod grant;
pub mod group;
pub mod hex;
pub mod id;
pub mod import;
pub mod integration;
pub mod job;
pub mod jwt;
mod macros;
pub mod moves;
pub mod moving;
pub mod name;
pub mod named;
pub mod org;
pub mod permission;
pub mod policy;
pub mod rate;
pub mod reach;
pub mod receipt;
pub mod request_id;
pub mod role;
pub mod saved;
pub mod search;
pub mod secret;
pub mod signing;
pub mod strength;
pub mod token;

#[cfg(test)]
mod tests;

pub use account::{Account, Identity};
pub use error::{Error, Kind as ErrorKind, Refusal};
pub use group::{Group, GroupKind};
pub use org::Org;
pub use permission::{Permission, PermissionSet};
pub use policy::Policy;
pub use reach::{Reach, Surface};
pub use receipt::{Confirmation, Confirmed, Done, Receipt, Witness};
pub use role::{Assignment, Role};
pub use secret::{Secret, SecretText};
pub use token::{Kinds, Scopes, Token, TokenKind, TokenState};

pub use uuid::Uuid;

/// A point in time: milliseconds since the Unix epoch.
pub type Millis = i64;

/// The end of time, used where something has no end, so that no stored column is ever NULL.
pub const NEVER: Millis = i64::MAX;

/// The result of everything that can be refused or fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;
