//! `GET /realms/REALM/jwks`: the keys that the realm's tokens are verified with (RFC 7517 §5).

use std::sync::Arc;

use axum::response::Response;
use http::HeaderMap;

use super::cached::cached;
use super::refusal::Refusal;
use crate::authority::Authority;
use crate::entity::Realm;

/// The JWK Set of a realm: never an empty one (promise 10).
///
/// # Errors
/// [`Cause::Unavailable`](crate::cause::Cause::Unavailable), which is 503, where its keys cannot be read or none of them signs:
/// verifiers keep what they have.
pub async fn jwks(
    authority: &Authority,
    realm: &Arc<Realm>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let ring = authority.ring_of(realm).await.map_err(Refusal::of_request)?;
    Ok(cached(headers, ring.jwk_set_tag(), ring.jwk_set().clone()))
}
