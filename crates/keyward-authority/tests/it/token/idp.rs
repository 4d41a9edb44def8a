//! An external signer, and the network between it and the authority.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use keyward::Algorithm;
use keyward::fetch::{Exchange, FetchError, OutgoingRequest, Transport};
use keyward_jose::{LocalSigner, Signer, sign_compact};
use serde_json::{Value, json};

use super::office::{NOW, ORIGIN};

pub(crate) const IDP: &str = "https://idp.example";

/// An issuer whose tokens may be exchanged, at [`IDP`].
#[derive(Debug)]
pub(crate) struct Idp {
    signer: LocalSigner,
    pub(crate) is_down: AtomicBool,
}

impl Idp {
    pub(crate) fn new() -> Self {
        let signer = LocalSigner::generate(Algorithm::Es256, Some("idp-1")).unwrap();
        Self { signer, is_down: AtomicBool::new(false) }
    }

    /// A token of these claims, beside those that each of them needs.
    pub(crate) async fn token(&self, claims: Value) -> String {
        let mut all = json!({ "iss": IDP, "aud": ORIGIN, "iat": NOW, "exp": NOW + 600 });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        sign_compact(&self.signer, Some("JWT"), all.to_string().as_bytes()).await.unwrap()
    }

    /// One of somebody.
    pub(crate) async fn token_of(&self, subject: &str) -> String {
        self.token(json!({ "sub": subject })).await
    }
}

impl Transport for Idp {
    fn send<'a>(&'a self, request: &'a OutgoingRequest) -> Exchange<'a> {
        Box::pin(async move {
            if self.is_down.load(Ordering::SeqCst) {
                return Err(FetchError::Connect { url: request.url.clone(), cause: "down".to_owned() });
            }
            assert_eq!(request.url.as_str(), "https://idp.example/jwks");
            let body = json!({ "keys": [self.signer.public_jwk().unwrap()] }).to_string();
            let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
            Ok(Response::builder().header("content-type", "application/json").body(body).unwrap())
        })
    }
}
