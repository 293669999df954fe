//! The server beside which ours is measured: the same axum, runtime and allocator; it reads and parses what ours does,
//! and answers with a body of the same size. It looks nothing up, and has no layers.

use axum::body::Bytes;
use axum::extract::{Form, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

#[derive(Deserialize)]
struct Asked {
    token: String,
}

/// The bodies of its answers, each of the size that ours have.
#[derive(Clone)]
struct Bodies {
    form: Bytes,
    json: Bytes,
    get: Bytes,
}

fn answer(body: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}

async fn form(State(bodies): State<Bodies>, Form(asked): Form<Asked>) -> impl IntoResponse {
    std::hint::black_box(asked.token);
    answer(bodies.form)
}

async fn json(State(bodies): State<Bodies>, Json(asked): Json<Asked>) -> impl IntoResponse {
    std::hint::black_box(asked.token);
    answer(bodies.json)
}

async fn plain(State(bodies): State<Bodies>) -> impl IntoResponse {
    answer(bodies.get)
}

/// Serves until the process is ended: `SIZES` are those of the answers to a form, to JSON, and to a GET.
pub fn serve(listen: &str, sizes: [usize; 3]) {
    let [form_size, json_size, get_size] = sizes;
    let body = |size: usize| Bytes::from(vec![b' '; size]);
    let bodies = Bodies { form: body(form_size), json: body(json_size), get: body(get_size) };
    let router = Router::new()
        .route("/form", post(form))
        .route("/json", post(json))
        .route("/get", get(plain))
        .with_state(bodies);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen).await.expect("the address");
        axum::serve(listener, router).await.expect("serving");
    });
}
