//! Where every request comes in.
//!
//! Questions about credentials are asked before each request of somebody's API, so they go straight to the function
//! that answers them. Everything else goes through the router and its layers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use tower::Service as _;

use crate::gate::{self, envoy};
use crate::record::{Record, Served};
use crate::{App, extract, native, oauth};

/// Everything that is served. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Entrance(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    app: App,
    router: Router,
}

impl Entrance {
    pub(crate) fn new(app: App, router: Router) -> Self {
        Self(Arc::new(Inside { app, router }))
    }

    /// Answers a request that comes from this peer.
    pub async fn answer<B>(&self, peer: SocketAddr, request: axum::http::Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let Inside { app, router } = &*self.0;
        let (head, body) = request.into_parts();
        let Some(question) = Question::of(app, &head) else {
            let mut request = Request::from_parts(head, Body::new(body));
            request.extensions_mut().insert(ConnectInfo(peer));
            // In a box, so that it does not make the way of a question longer.
            return Box::pin(router.clone().call(request)).await.unwrap_or_else(|never| match never {});
        };
        let record = Record::of_question(app, peer.ip(), &head, question.route());
        let answer = async |served: &Served| {
            let limit = app.wire.body_limit;
            match question {
                Question::Introspection => {
                    oauth::introspect(app, served, &head, &extract::read(body, limit).await?).await
                }
                Question::Verify => native::ask(app, served, &head, &extract::read(body, limit).await?).await,
                Question::Gate(_) => {
                    extract::past_small(app, body).await?;
                    gate::answer(app, served, &head).await
                }
                Question::Envoy => envoy::check(app, served, Request::from_parts(head, Body::new(body))).await,
            }
        };
        record.answered(app, answer).await
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

impl Question {
    fn of(app: &App, head: &Parts) -> Option<Self> {
        let post = head.method == Method::POST;
        match head.uri.path() {
            gate::GATE => Some(Self::Gate(gate::GATE)),
            envoy::CHECK if post => Some(Self::Envoy),
            path if path.strip_prefix(gate::ENVOY).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) => {
                Some(Self::Gate(gate::ENVOY))
            }
            // A private listener has the gate and nothing else.
            _ if app.listener.is_some() => None,
            oauth::INTROSPECT if post => Some(Self::Introspection),
            native::VERIFY if post => Some(Self::Verify),
            _ => None,
        }
    }

    fn route(&self) -> &'static str {
        match self {
            Self::Introspection => oauth::INTROSPECT,
            Self::Verify => native::VERIFY,
            Self::Envoy => envoy::CHECK,
            Self::Gate(route) => route,
        }
    }
}
