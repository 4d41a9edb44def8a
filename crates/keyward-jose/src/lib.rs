//! JOSE for tokens: compact JWS, JWK, JWK Set, algorithms and signing.
//!
//! The crate knows nothing of time, network, files or policy. Whoever calls it decides which keys may be
//! tried and what the payload must say; this crate decides only whether these octets are a well-formed
//! JWS and whether this key signed them.
//!
//! ```
//! use keyward_jose::{Algorithm, DecodeBuffer, Jws, LocalSigner, Signer, VerificationKey, sign_compact};
//!
//! # futures(async {
//! let signer = LocalSigner::generate(Algorithm::Es256, Some("2026-11"))?;
//! let token = sign_compact(&signer, Some("at+jwt"), br#"{"sub":"alice"}"#).await?;
//!
//! let jwk = serde_json::to_vec(signer.public_jwk().ok_or("asymmetric")?)?;
//! let key = VerificationKey::from_jwk(&jwk)?;
//! let mut buffer = DecodeBuffer::new();
//! let jws = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer)?;
//! assert_eq!(jws.header().kid(), Some("2026-11"));
//! let verified = jws.verify(&key)?;
//! assert_eq!(verified.payload(), br#"{"sub":"alice"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # });
//! # fn futures<T>(f: impl Future<Output = Result<T, Box<dyn std::error::Error>>>) {
//! #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f).unwrap();
//! # }
//! ```

pub mod json;

mod algorithm;
mod base64url;
mod certified_jwk;
mod header;
mod jwk;
mod jwk_set;
mod jws;
mod keyed_hash;
mod local_signer;
mod roca;
mod signer;
mod small_order;
mod thumbprint;
mod unusable;
mod verification_key;
mod wrapping;

pub use algorithm::{Algorithm, AlgorithmSet, KeyType};
pub use certified_jwk::CertifiedJwk;
pub use header::Header;
pub use jwk::Jwk;
pub use jwk_set::{JwkSet, JwkSetError, JwkSetLimits, SkippedJwk};
pub use jws::{DecodeBuffer, Jws, JwsError, SignatureError, VerifiedJws};
pub use keyed_hash::KeyedHash;
pub use local_signer::{LocalSigner, SigningKeyError};
pub use signer::{SignError, Signature, Signer, sign_compact};
pub use thumbprint::Thumbprint;
pub use unusable::UnusableKey;
pub use verification_key::VerificationKey;
pub use wrapping::{MalformedWrapping, Wrapping};
