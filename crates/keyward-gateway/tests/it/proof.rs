//! A client with a key: its tokens, and what proves that it has it (RFC 9449).

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use aws_lc_rs::digest;
use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::{Algorithm, LocalSigner, Signer as _};
use serde_json::{Value, json};

use crate::support::{KEY, claims, now, sign, with};

pub(crate) struct Prover(LocalSigner);

/// No `jti` comes twice.
static PROOFS: AtomicU64 = AtomicU64::new(0);

impl Prover {
    pub(crate) fn new() -> Self {
        Self(LocalSigner::generate(Algorithm::Es256, None).unwrap())
    }

    /// The `jkt` of its key.
    pub(crate) fn thumbprint(&self) -> String {
        self.0.public_jwk().unwrap().thumbprint().to_string()
    }

    /// A token that is bound to its key.
    pub(crate) fn token(&self) -> String {
        sign(&KEY, &with(claims(), "cnf", json!({ "jkt": self.thumbprint() })))
    }

    /// A proof for this request with this token.
    pub(crate) fn proof(&self, method: &str, uri: &str, token: &str) -> String {
        self.sign(&proof_claims(method, uri, token))
    }

    /// The same with what a server handed out.
    pub(crate) fn proof_with(&self, nonce: &str, method: &str, uri: &str, token: &str) -> String {
        self.sign(&with(proof_claims(method, uri, token), "nonce", nonce))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.0.public_jwk().unwrap() });
        let parts = [header, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode_to_string(part.to_string()));
        let message = parts.join(".");
        let mut signing = self.0.sign(message.as_bytes());
        match signing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(signature) => {
                format!("{message}.{}", URL_SAFE_NO_PAD.encode_to_string(signature.unwrap()))
            }
            Poll::Pending => panic!("a local signer has nothing to wait for"),
        }
    }
}

pub(crate) fn proof_claims(method: &str, uri: &str, token: &str) -> Value {
    let ath = digest::digest(&digest::SHA256, token.as_bytes());
    let number = PROOFS.fetch_add(1, Ordering::Relaxed);
    json!({ "jti": format!("proof-{number}"), "htm": method, "htu": uri, "iat": now(),
            "ath": URL_SAFE_NO_PAD.encode_to_string(ath) })
}
