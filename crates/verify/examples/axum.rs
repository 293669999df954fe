//! A service whose routes want a good credential, and one of them a permission.
//!
//! ```sh
//! tokenhouse quickstart &    # prints a token; one that may verify is better: tokenhouse token issue ...
//! echo th_u_... > verifier.token
//! cargo run -p tokenhouse-verify --example axum -- http://127.0.0.1:8080 verifier.token
//! curl -i -H 'Authorization: Bearer th_u_...' http://127.0.0.1:3000/whoami
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::{Extension, Router};
use tokenhouse_verify::{Credential, Verified, Verifier};

async fn whoami(Extension(who): Extension<Verified>) -> String {
    format!("{} in {}\n", who.identifier.as_deref().unwrap_or("a token of the org"), who.org)
}

async fn settings() -> &'static str {
    "only for those who may change the policy\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("say where Tokenhouse is")?;
    let file = arguments.next().ok_or("say in which file the service's own token is")?;

    let verifier = Verifier::builder(url, Credential::file(file))
        // Revocations count within a second. Without this line every request asks.
        .staleness(Duration::from_secs(1))
        // No proxy is before this service, so the client's address is the peer's.
        .client_address(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.ip()))
        .build()?;
    let app = Router::new()
        .route("/settings", get(settings))
        .route_layer(verifier.layer().permission("house:policy")?)
        .merge(Router::new().route("/whoami", get(whoami)).route_layer(verifier.layer()))
        // What is before the layers is open to everybody.
        .route("/health", get(|| async { "alive\n" }));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
