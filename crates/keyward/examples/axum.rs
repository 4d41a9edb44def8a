//! An axum service that only lets verified requests through.
//!
//! `cargo run -p keyward --example axum -- https://idp.example/realms/main api`, then
//! `curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/`.

use axum::routing::get;
use axum::{Extension, Router};
use keyward::{IssuerSettings, Verified, Verifier, VerifyLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(issuer), Some(audience)) = (arguments.next(), arguments.next()) else {
        return Err("usage: axum ISSUER AUDIENCE".into());
    };
    let verifier =
        Verifier::builder().issuer(IssuerSettings::discover(&issuer).audience(&audience)).start()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, router(verifier)).await?;
    Ok(())
}

/// `/` is for callers with a good token, `/healthz` for everybody.
pub(crate) fn router(verifier: Verifier) -> Router {
    Router::new()
        .route("/", get(hello))
        .layer(VerifyLayer::new(verifier))
        // What is added below the layer does not pass through it.
        .route("/healthz", get(async || "ok"))
}

/// The layer has put the token that it verified into the request.
async fn hello(Extension(token): Extension<Verified>) -> String {
    format!("hello {}", token.subject().unwrap_or("nobody"))
}
