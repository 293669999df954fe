//! The layer before a service's routes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::builder::BuildError;
use crate::refusal::Refusal;
use crate::verifier::Verifier;

/// Puts [`Verify`] before a service.
#[derive(Clone, Debug)]
pub struct VerifyLayer {
    verifier: Verifier,
    permission: Option<Arc<str>>,
}

impl VerifyLayer {
    pub(crate) fn new(verifier: Verifier) -> Self {
        Self { verifier, permission: None }
    }

    /// Lets only credentials through that carry this permission.
    ///
    /// # Errors
    /// It is empty or has white space or control characters: no permission looks like that.
    pub fn permission(mut self, permission: &str) -> Result<Self, BuildError> {
        if permission.is_empty() || permission.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(BuildError::new("a permission has no white space and no control characters"));
        }
        self.permission = Some(permission.into());
        Ok(self)
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { inner, layer: self.clone() }
    }
}

/// Lets a request through to the service behind once its credential is known to be good.
#[derive(Clone, Debug)]
pub struct Verify<S> {
    inner: S,
    layer: VerifyLayer,
}

impl<S, Body, Answer> Service<Request<Body>> for Verify<S>
where
    S: Service<Request<Body>, Response = Response<Answer>> + Clone + Send + 'static,
    S::Future: Send,
    Body: Send + 'static,
    Answer: Default,
{
    type Response = Response<Answer>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready answers; its clone need not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let VerifyLayer { verifier, permission } = self.layer.clone();
        Box::pin(async move {
            let settings = verifier.settings();
            let (mut parts, body) = request.into_parts();
            let address = settings.address.as_ref().and_then(|of| of(&parts));
            let verdict = match presented(&parts.headers, &settings.header) {
                Ok(credential) => verifier.verify(&credential, permission.as_deref(), address).await,
                Err(refusal) => Err(refusal),
            };
            match verdict {
                Ok(verified) => {
                    if let Some(value) = parts.headers.get_mut(&settings.header) {
                        value.set_sensitive(true);
                    }
                    parts.extensions.insert(verified);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(refusal) => {
                    tracing::debug!(%refusal, "a request was refused");
                    Ok(refusal.answer(&settings.realm, permission.as_deref()))
                }
            }
        })
    }
}

/// The one credential that a request carries.
fn presented(headers: &HeaderMap, name: &HeaderName) -> Result<String, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Err(Refusal::Missing) };
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let value = value.to_str().map_err(|_| Refusal::Malformed)?.trim();
    if name != AUTHORIZATION {
        return Ok(value.to_owned());
    }
    let (scheme, credential) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        // Another scheme's credential is none for us.
        return Err(Refusal::Missing);
    }
    match credential.trim_start() {
        "" => Err(Refusal::Malformed),
        credential if credential.contains(' ') => Err(Refusal::Malformed),
        credential => Ok(credential.to_owned()),
    }
}
