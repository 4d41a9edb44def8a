//! JWK thumbprints (RFC 7638).

use std::fmt;

use aws_lc_rs::digest;

use crate::base64url;
use crate::jwk::PublicMembers;

/// The SHA-256 thumbprint of a public key: the same for every JWK that holds this key. It displays as
/// unpadded base64url, as RFC 7638 §3.1 prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    pub(crate) fn of(members: &PublicMembers) -> Self {
        // The required members in lexicographic order, without white space (RFC 7638 §3.2). The values are
        // base64url or a curve's name, so nothing needs an escape. They are joined by
        // one allocation: a key comes with each DPoP proof.
        let canonical = match members {
            PublicMembers::Ec { crv, x, y } => {
                [r#"{"crv":""#, crv, r#"","kty":"EC","x":""#, x, r#"","y":""#, y, r#""}"#].concat()
            }
            PublicMembers::Okp { crv, x } => {
                [r#"{"crv":""#, crv, r#"","kty":"OKP","x":""#, x, r#""}"#].concat()
            }
            PublicMembers::Rsa { n, e } => [r#"{"e":""#, e, r#"","kty":"RSA","n":""#, n, r#""}"#].concat(),
        };
        let digest = digest::digest(&digest::SHA256, canonical.as_bytes());
        let mut octets = [0; 32];
        octets.copy_from_slice(digest.as_ref());
        Self(octets)
    }

    /// The 32 octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}
