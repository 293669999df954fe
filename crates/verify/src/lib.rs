//! Verifies the bearer credentials of requests before a service's routes see them: a [`tower_layer::Layer`] for
//! [`http::Request`] that asks Tokenhouse by OAuth 2.0 token introspection (RFC 7662) and fails closed.
//!
//! ```
//! # fn make() -> Result<(), tokenhouse_verify::BuildError> {
//! use std::time::Duration;
//! use axum::{Extension, Router, routing::get};
//! use tokenhouse_verify::{Credential, Verified, Verifier};
//!
//! async fn orders(Extension(who): Extension<Verified>) -> String {
//!     format!("the orders of {}", who.org)
//! }
//!
//! let verifier = Verifier::builder("https://tokens.example.com", Credential::file("/run/secrets/tokenhouse"))
//!     .staleness(Duration::from_secs(1))
//!     .build()?;
//! let app: Router = Router::new()
//!     .route("/orders", get(orders))
//!     .layer(verifier.layer().permission("external/shop/orders.read")?);
//! # drop(app);
//! # Ok(())
//! # }
//! # make().unwrap();
//! ```
//!
//! What a request gets:
//!
//! | the credential | answer |
//! |---|---|
//! | good | the service runs, with [`Verified`] in the request's extensions |
//! | missing, unknown, expired, revoked, of another org ... | 401 |
//! | good, but without the permission | 403 |
//! | more than one, or a header that can't be read | 400 |
//! | nobody knows: Tokenhouse is away, slow or says nothing usable | 503 with `Retry-After` |
//!
//! Each refusal has a `WWW-Authenticate` as RFC 6750 wants it and no body. Why a credential is refused is for the log
//! (`tracing`, level debug), not for whoever presented it. What can't be told is logged as a warning with the cause.
//!
//! # How true an answer is
//!
//! With [`Builder::staleness`] zero, the default, every request is a question of its own, sent after the request
//! arrived: what Tokenhouse confirmed as revoked before is refused. With a staleness of S an answer, good or bad, is
//! used for S from when its question was *sent*, and never beyond the token's end. Requests that arrive at once share a
//! question under the same rule. [`Receipts`] shortens that: a service that revokes something notes the receipt, and
//! nothing older than it counts any more.

mod answer;
mod builder;
mod credential;
mod layer;
mod memory;
mod question;
mod receipts;
mod refusal;
#[cfg(test)]
mod tests;
mod verified;
mod verifier;

pub use builder::{BuildError, Builder};
pub use credential::Credential;
pub use layer::{Verify, VerifyLayer};
pub use receipts::Receipts;
pub use refusal::Refusal;
pub use verified::{Facts, Verified};
pub use verifier::Verifier;
