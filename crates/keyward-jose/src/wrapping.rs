//! The certificate members of a JWK, as they stand there: decoded, and not judged (RFC 7517 §4.7 to §4.9).

use std::fmt;

use base64_simd::STANDARD;
use serde_json::value::RawValue;

use crate::base64url;
use crate::jwk::RawJwk;

/// What a JWK says of the X.509 certificate around its key.
///
/// The octets are a stranger's and were looked at no further. A JWK whose `x5c` is empty or null says nothing of a
/// certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapping {
    chain: Box<[Box<[u8]>]>,
    sha1: Option<[u8; 20]>,
    sha256: Option<[u8; 32]>,
}

/// Why the certificate members of a JWK cannot be read. Its key can be used all the same (incident B22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedWrapping {
    /// An element of `x5c` is not base64 with padding (RFC 4648 §4), which is not base64url.
    #[error("certificate {index} of x5c is not base64")]
    BadBase64 {
        /// Its place in `x5c`, from 0.
        index: usize,
    },
    /// A thumbprint is not the base64url of a hash of its length.
    #[error("member {member} is no thumbprint in base64url")]
    BadThumbprint {
        /// The member's name.
        member: &'static str,
    },
    /// `x5c` is not an array of strings.
    #[error("x5c is not an array of strings")]
    NotStrings,
    /// `x5c` holds more certificates than the limit.
    #[error("x5c holds {certificates} certificates, over the limit of {}", Wrapping::CHAIN_LIMIT)]
    TooLong {
        /// How many there are.
        certificates: usize,
    },
}

impl Wrapping {
    /// How many certificates `x5c` may hold. webpki follows no more than six intermediates.
    pub const CHAIN_LIMIT: usize = 10;

    /// What `jwk` says; none where it has none of the members.
    pub(crate) fn of(jwk: &RawJwk<'_>) -> Option<Result<Self, MalformedWrapping>> {
        let read = || {
            Ok(Self {
                chain: jwk.x5c.map_or(Ok(Box::default()), chain)?,
                sha1: jwk.x5t.map(|member| thumbprint(member, "x5t")).transpose()?,
                sha256: jwk.x5t_s256.map(|member| thumbprint(member, "x5t#S256")).transpose()?,
            })
        };
        let is_there = [jwk.x5c, jwk.x5t, jwk.x5t_s256].into_iter().any(|member| member.is_some());
        is_there.then(read)
    }

    /// `x5c`: the certificates in DER, the key's own first. Empty where there are thumbprints only.
    pub fn chain(&self) -> &[Box<[u8]>] {
        &self.chain
    }

    /// `x5t`: the SHA-1 of the key's own certificate.
    pub fn sha1_thumbprint(&self) -> Option<[u8; 20]> {
        self.sha1
    }

    /// `x5t#S256`: the SHA-256 of the key's own certificate.
    pub fn sha256_thumbprint(&self) -> Option<[u8; 32]> {
        self.sha256
    }
}

impl fmt::Debug for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrapping").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

fn chain(member: &RawValue) -> Result<Box<[Box<[u8]>]>, MalformedWrapping> {
    let texts: Vec<String> = serde_json::from_str(member.get()).map_err(|_| MalformedWrapping::NotStrings)?;
    if texts.len() > Wrapping::CHAIN_LIMIT {
        return Err(MalformedWrapping::TooLong { certificates: texts.len() });
    }
    let decode = |(index, text): (usize, &String)| {
        let der = STANDARD.decode_to_vec(text).map_err(|_| MalformedWrapping::BadBase64 { index })?;
        Ok(der.into_boxed_slice())
    };
    texts.iter().enumerate().map(decode).collect()
}

fn thumbprint<const N: usize>(member: &RawValue, name: &'static str) -> Result<[u8; N], MalformedWrapping> {
    let bad = || MalformedWrapping::BadThumbprint { member: name };
    let text: String = serde_json::from_str(member.get()).map_err(|_| bad())?;
    let octets = base64url::decode(text.as_bytes()).map_err(|_| bad())?;
    octets.try_into().map_err(|_| bad())
}
