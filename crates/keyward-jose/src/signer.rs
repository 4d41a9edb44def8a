//! Whoever signs: a key in this process, or one day a KMS across the network.

use std::pin::Pin;

use crate::{Algorithm, Jwk, base64url};

/// The future of a signature, in the form that a JWS carries it.
pub type Signature<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SignError>> + Send + 'a>>;

/// A key that signs.
pub trait Signer: Send + Sync {
    /// The algorithm it signs with.
    fn algorithm(&self) -> Algorithm;

    /// The `kid` that its tokens carry.
    fn kid(&self) -> Option<&str>;

    /// The public key to publish; none for an HMAC secret.
    fn public_jwk(&self) -> Option<&Jwk>;

    /// Signs `message`. For ECDSA the result is R and S side by side (RFC 7518 §3.4), not ASN.1.
    fn sign<'a>(&'a self, message: &'a [u8]) -> Signature<'a>;
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key refused to sign.
    #[error("the key could not sign")]
    Failed,
    /// Whoever keeps the key could not be asked.
    #[error("the signer is not available: {0}")]
    Unavailable(String),
}

/// Makes a compact JWS of `payload`: header with `alg`, `kid` and `typ`, then payload, then signature.
///
/// # Errors
/// What [`Signer::sign`] returns.
pub async fn sign_compact(
    signer: &dyn Signer,
    typ: Option<&str>,
    payload: &[u8],
) -> Result<String, SignError> {
    #[derive(serde::Serialize)]
    struct Header<'a> {
        alg: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        typ: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kid: Option<&'a str>,
    }
    let header = Header { alg: signer.algorithm().name(), typ, kid: signer.kid() };
    let header = serde_json::to_vec(&header).map_err(|_| SignError::Failed)?;
    // Room for all of it: the longest signatures but RSA's, which grow it once, have 132 octets.
    let mut token = String::with_capacity(base64url::encoded_length(header.len() + payload.len() + 136) + 4);
    base64url::encode_append(&header, &mut token);
    token.push('.');
    base64url::encode_append(payload, &mut token);
    let signature = signer.sign(token.as_bytes()).await?;
    token.push('.');
    base64url::encode_append(&signature, &mut token);
    Ok(token)
}
