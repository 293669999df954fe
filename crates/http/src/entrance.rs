//! Where every request comes in.
//!
//! Questions about credentials are asked before each request of somebody's API, so they go straight to the function
//! that answers them. Everything else goes through the router and its layers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, Request};
use axum::response::Response;
use tower::Service;

use crate::gate::{self, envoy};
use crate::{App, native, oauth, record};

/// Everything that is served. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Entrance {
    app: App,
    router: Router,
}

impl Entrance {
    pub(crate) fn new(app: App, router: Router) -> Self {
        Self { app, router }
    }

    /// Answers a request. `ConnectInfo<SocketAddr>` among its extensions tells from where it comes.
    pub async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let request = request.map(Body::new);
        let app = &self.app;
        match question(request.method(), request.uri().path()) {
            Some(Question::Envoy) => record::question(app, request, envoy::CHECK, envoy::check).await,
            Some(Question::Gate(route)) => record::question(app, request, route, gate::answer).await,
            // A private listener has the gate and nothing else.
            Some(Question::Introspection) if app.listener.is_none() => {
                record::question(app, request, oauth::INTROSPECT, oauth::introspect).await
            }
            Some(Question::Verify) if app.listener.is_none() => {
                record::question(app, request, native::VERIFY, native::ask).await
            }
            _ => self.router.clone().call(request).await.unwrap_or_else(|never| match never {}),
        }
    }
}

/// A question about a credential, by the way in which it comes.
enum Question {
    Introspection,
    Verify,
    /// Envoy's over gRPC.
    Envoy,
    /// Another gateway's, with its route.
    Gate(&'static str),
}

fn question(method: &Method, path: &str) -> Option<Question> {
    match path {
        oauth::INTROSPECT if method == Method::POST => Some(Question::Introspection),
        native::VERIFY if method == Method::POST => Some(Question::Verify),
        envoy::CHECK if method == Method::POST => Some(Question::Envoy),
        gate::GATE => Some(Question::Gate(gate::GATE)),
        _ if path.strip_prefix(gate::ENVOY).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) => {
            Some(Question::Gate(gate::ENVOY))
        }
        _ => None,
    }
}

impl<B> Service<Request<B>> for Entrance
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let entrance = self.clone();
        Box::pin(async move { Ok(entrance.answer(request).await) })
    }
}
