//! What clients and verifiers have to know of a realm: its document of OpenID Connect Discovery 1.0 and RFC 8414, which is one.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use keyward_jose::Algorithm;
use serde::Serialize;

use super::abilities::{Abilities, ClientAbilities};
use super::cached::cached;
use super::refusal::Refusal;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::digest;
use crate::entity::{ClientAuthMethod, GrantType, Realm};

/// What stands in the document, in the order of RFC 8414 §2. What is empty is left out, but for what both specifications demand.
#[derive(Serialize)]
struct Document<'a> {
    issuer: &'a str,
    jwks_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint: Option<String>,
    /// Required; there is no authorization endpoint, so there is none (docs/decisions/0023).
    response_types_supported: [&'static str; 0],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    grant_types_supported: &'a [GrantType],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    token_endpoint_auth_methods_supported: &'a [ClientAuthMethod],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    revocation_endpoint_auth_methods_supported: &'a [ClientAuthMethod],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    introspection_endpoint: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    introspection_endpoint_auth_methods_supported: &'a [ClientAuthMethod],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// RFC 9701 §7.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    introspection_signing_alg_values_supported: &'a [&'static str],
    /// RFC 9449 §5.1.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    dpop_signing_alg_values_supported: Vec<&'static str>,
    /// RFC 8705 §3.3.
    tls_client_certificate_bound_access_tokens: bool,
    /// OpenID Connect Discovery 1.0 §3 demands it.
    subject_types_supported: [&'static str; 1],
    /// There are no ID tokens; verifiers of JWTs learn from this what tokens are signed with, and take RS256 alone without it.
    id_token_signing_alg_values_supported: &'a [&'static str],
}

/// The document of a realm, at both well-known addresses.
///
/// # Errors
/// [`Cause::Unavailable`] where its keys cannot be read, as for the JWK Set.
pub async fn discovery(
    authority: &Authority,
    abilities: &Abilities,
    realm: &Arc<Realm>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let ring = authority.ring_of(realm).await.map_err(Refusal::of_request)?;
    let text = document(&authority.issuer(&realm.name), abilities, ring.algorithms())?;
    Ok(cached(headers, &digest::short(text.as_bytes()), Bytes::from(text)))
}

fn document(issuer: &str, abilities: &Abilities, signed_with: &[&'static str]) -> Result<String, Refusal> {
    let Abilities { token, introspection, revocation } = abilities;
    let endpoint = |name: &str| format!("{issuer}/{name}");
    let nobody = ClientAbilities::default();
    let clients = token.as_ref().map_or(&nobody, |token| &token.clients);
    let revoking = revocation.as_ref().unwrap_or(&nobody);
    let asking = introspection.as_ref().map_or(&nobody, |introspection| &introspection.clients);
    let signs_answers = introspection.as_ref().is_some_and(|introspection| introspection.signed);
    let document = Document {
        issuer,
        jwks_uri: endpoint("jwks"),
        token_endpoint: token.is_some().then(|| endpoint("token")),
        response_types_supported: [],
        grant_types_supported: token.as_ref().map_or(&[], |token| token.grant_types.as_slice()),
        token_endpoint_auth_methods_supported: &clients.methods,
        token_endpoint_auth_signing_alg_values_supported: of_assertions(clients),
        revocation_endpoint: revocation.is_some().then(|| endpoint("revoke")),
        revocation_endpoint_auth_methods_supported: &revoking.methods,
        revocation_endpoint_auth_signing_alg_values_supported: of_assertions(revoking),
        introspection_endpoint: introspection.is_some().then(|| endpoint("introspect")),
        introspection_endpoint_auth_methods_supported: &asking.methods,
        introspection_endpoint_auth_signing_alg_values_supported: of_assertions(asking),
        introspection_signing_alg_values_supported: if signs_answers { signed_with } else { &[] },
        dpop_signing_alg_values_supported: token
            .as_ref()
            .map_or_else(Vec::new, |token| names(&token.dpop_algorithms)),
        tls_client_certificate_bound_access_tokens: token
            .as_ref()
            .is_some_and(|token| token.certificate_bound),
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: signed_with,
    };
    serde_json::to_string(&document).map_err(|_| Refusal::of_request(Cause::Unavailable))
}

/// What assertions may be signed with, where there are any (RFC 8414 §2).
fn of_assertions(clients: &ClientAbilities) -> Vec<&'static str> {
    if clients.methods.contains(&ClientAuthMethod::PrivateKeyJwt) {
        names(&clients.assertion_algorithms)
    } else {
        Vec::new()
    }
}

fn names(algorithms: &[Algorithm]) -> Vec<&'static str> {
    algorithms.iter().map(|algorithm| algorithm.name()).collect()
}

#[cfg(test)]
mod tests {
    use keyward_jose::AlgorithmSet;
    use serde_json::{Value, json};

    use super::super::abilities::ClientCertificates;
    use super::*;

    fn of(abilities: &Abilities) -> Value {
        serde_json::from_str(&document("https://a/realms/main", abilities, &["ES256"]).unwrap()).unwrap()
    }

    #[test]
    fn nothing_is_advertised_that_does_not_work() {
        assert_eq!(
            of(&Abilities::default()),
            json!({
                "issuer": "https://a/realms/main",
                "jwks_uri": "https://a/realms/main/jwks",
                "response_types_supported": [],
                "tls_client_certificate_bound_access_tokens": false,
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            })
        );
        let methods = |document: Value| document["token_endpoint_auth_methods_supported"].to_string();
        assert!(
            !methods(of(&Abilities::served(ClientCertificates::Unseen, AlgorithmSet::asymmetric())))
                .contains("tls")
        );
        assert!(
            methods(of(&Abilities::served(ClientCertificates::Seen, AlgorithmSet::asymmetric())))
                .contains("self_signed_tls_client_auth")
        );
    }

    #[test]
    fn what_works_is_said_by_its_registered_names() {
        let document = of(&Abilities::served(ClientCertificates::Seen, AlgorithmSet::asymmetric()));
        for (member, value) in [
            ("token_endpoint", json!("https://a/realms/main/token")),
            ("introspection_endpoint", json!("https://a/realms/main/introspect")),
            ("revocation_endpoint", json!("https://a/realms/main/revoke")),
            (
                "grant_types_supported",
                json!([
                    "client_credentials",
                    "urn:ietf:params:oauth:grant-type:jwt-bearer",
                    "refresh_token",
                    "urn:ietf:params:oauth:grant-type:token-exchange"
                ]),
            ),
            ("introspection_signing_alg_values_supported", json!(["ES256"])),
            ("tls_client_certificate_bound_access_tokens", json!(true)),
        ] {
            assert_eq!(document[member], value, "{member}");
        }
        let algorithms = document["dpop_signing_alg_values_supported"].to_string();
        assert!(algorithms.contains("ES256") && !algorithms.contains("HS256"), "{algorithms}");
        // A public client has nothing to ask about tokens with.
        assert!(!document["introspection_endpoint_auth_methods_supported"].to_string().contains("none"));
    }
}
