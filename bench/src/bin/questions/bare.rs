//! The server beside which ours is measured: the same axum, runtime and allocator; it reads and parses what ours does,
//! and answers with a body of the same size. It looks nothing up, and has no layers.

use axum::body::Bytes;
use axum::extract::{Form, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde::Deserialize;

use crate::grpc;

#[derive(Deserialize)]
struct Asked {
    token: String,
}

/// The body of its answers, of the size that ours have.
#[derive(Clone)]
struct Body(Bytes);

fn answer(Body(body): Body) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}

async fn form(State(body): State<Body>, Form(asked): Form<Asked>) -> impl IntoResponse {
    std::hint::black_box(asked.token);
    answer(body)
}

async fn json(State(body): State<Body>, Json(asked): Json<Asked>) -> impl IntoResponse {
    std::hint::black_box(asked.token);
    answer(body)
}

async fn plain(State(body): State<Body>) -> impl IntoResponse {
    answer(body)
}

async fn grpc(State(body): State<Body>, request: Request) -> Response {
    grpc::bare(request, body.0.len()).await
}

/// Serves until the process is ended, with answers of this size.
pub fn serve(listen: &str, size: usize) {
    let router = Router::new()
        .route("/form", post(form))
        .route("/json", post(json))
        .route("/get", get(plain))
        .route(grpc::CHECK, post(grpc))
        .with_state(Body(vec![b' '; size].into()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen).await.expect("the address");
        // As ours: else the system holds small packets back until those before are acknowledged.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("no delay"));
        axum::serve(listener, router).await.expect("serving");
    });
}
