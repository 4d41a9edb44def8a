//! The administration's REST API, and its OpenAPI document.
//!
//! It is served under `/admin/v1`, to whoever has an access token of realm `admin` for [`AUDIENCE`]: [`READ`] and [`WRITE`] are for
//! all realms, and with a colon and a realm behind them for that one; only [`WRITE`] itself changes realm `admin`. A token is worth no more than its subject is at the
//! moment: one that is disabled, revoked or has lost a scope is refused within a second on every node.
//!
//! An entity's `ETag` is the position of its last event. A change demands it as `If-Match`, so that nobody overwrites what they
//! have not seen; problems are those of RFC 9457.

mod administrator;
mod bootstrap;
mod document;
mod entities;
mod events;
mod keys;
mod problem;
mod request;
mod routes;
mod secrets;
mod signing_keys;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use utoipa::openapi::HttpMethod;

use crate::authority::Authority;
use problem::{Problem, ProblemKind};
use routes::{Described, Routes};

pub use bootstrap::{BootstrapError, Bootstrapped, bootstrap};
pub use document::document;

/// What `aud` of an administrator's token has to name: a resource server of realm `admin`.
pub const AUDIENCE: &str = "urn:keyward:authority";

/// The scope of who may read everything.
pub const READ: &str = "authority.read";

/// The scope of who may change everything, and read it.
pub const WRITE: &str = "authority.write";

/// Where it is served.
pub const PATH: &str = "/admin/v1";

/// The API, to be nested at [`PATH`].
pub fn router(authority: Authority) -> Router {
    let refused =
        async || Problem::new(ProblemKind::MethodNotAllowed, "see openapi.json for what can be done");
    let missing = async || Problem::new(ProblemKind::NotFound, "there is nothing here; see openapi.json");
    routes().router.method_not_allowed_fallback(refused).fallback(missing).with_state(authority)
}

fn routes() -> Routes {
    let routes = entities::add(Routes::new());
    let routes = keys::add(routes);
    let routes = secrets::add(routes);
    let routes = signing_keys::add(routes);
    let routes = events::add(routes);
    let described = Described::new("get_document", "This document").tag("document").open();
    routes.add(HttpMethod::Get, "/openapi.json", openapi, described.gives_document())
}

/// What the API looks like tells nothing of what is in it: it needs no token.
async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], document()).into_response()
}
