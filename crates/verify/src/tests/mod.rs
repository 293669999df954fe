//! What happens when Tokenhouse is slow, dead, strange or behind: against a stand-in that answers as a test says. The
//! real one is in `tests/e2e/verifier.rs`.

mod answers;
mod layer;
mod sharing;
mod trouble;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use crate::{Builder, Credential, Refusal, Verified, Verifier, VerifyLayer};

/// A question that came: its form, with the calling credential as `authorization`.
type Question = HashMap<String, String>;
type Script = Arc<dyn Fn(Question) -> futures::future::BoxFuture<'static, Response<Body>> + Send + Sync>;

/// Answers introspection as it was told to, on a real socket.
struct StandIn {
    url: String,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl StandIn {
    async fn new<F>(script: impl Fn(Question) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Script = Arc::new(move |question| Box::pin(script(question)));
        let app = Router::new().route("/oauth2/introspect", post(answer)).with_state((asked.clone(), script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, asked }
    }

    /// One that answers this to everything.
    async fn saying(answer: Value) -> Self {
        Self::new(move |_| std::future::ready(Json(answer.clone()).into_response())).await
    }

    fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }

    fn builder(&self) -> Builder {
        Verifier::builder(&self.url, Credential::text("own-credential"))
    }
}

async fn answer(
    State((asked, script)): State<(Arc<Mutex<Vec<Question>>>, Script)>,
    headers: HeaderMap,
    body: String,
) -> Response<Body> {
    let mut question: Question = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    question.insert("authorization".to_owned(), headers["authorization"].to_str().unwrap().to_owned());
    asked.lock().unwrap().push(question.clone());
    script(question).await
}

/// A good answer.
fn good() -> Value {
    json!({
        "active": true, "scope": "orders.read orders.write", "client_id": "account", "username": "sa::ci",
        "token_type": "Bearer", "iat": 1, "sub": "account", "iss": "https://tokens.example", "jti": "token",
        "org_id": "org", "kind": "service", "name": "deploy", "revision": 7, "epoch": 1,
    })
}

/// A good answer with these members changed.
fn good_but(members: Value) -> Value {
    let mut answer = good();
    answer.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    answer
}

fn bad(reason: &str) -> Value {
    json!({"active": false, "reason": reason, "revision": 7, "epoch": 1})
}

async fn ask(verifier: &Verifier) -> Result<Verified, Refusal> {
    verifier.verify("a-credential", None, None).await
}

const UNKNOWN: Result<Verified, Refusal> = Err(Refusal::Unknown(Duration::from_secs(1)));

/// Sends a request through a layer to a service that says whom it saw.
async fn through(layer: VerifyLayer, request: Request<Body>) -> Response<Body> {
    let inner = service_fn(async |request: Request<Body>| {
        let who = request.extensions().get::<Verified>().expect("it runs with a verdict only");
        assert!(!format!("{request:?}").contains("a-credential"), "{request:?}");
        Ok::<_, Infallible>(Response::new(Body::from(who.token.clone())))
    });
    ServiceBuilder::new().layer(layer).service(inner).oneshot(request).await.unwrap()
}
