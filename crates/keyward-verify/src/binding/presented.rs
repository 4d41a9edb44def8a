//! What a request shows beside its token.

use std::fmt;

use aws_lc_rs::digest;

/// What a request shows beside its token. What it does not show is [`Presented::NOTHING`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// How the token was sent. Default [`Scheme::Bearer`].
    pub scheme: Scheme,
    /// The client's certificate, whose key the TLS handshake proved: our own, or that of a proxy that is trusted to
    /// say so. Default none.
    pub certificate: Option<CertificateThumbprint>,
    /// What stood in `DPoP`. Default [`Proofs::Absent`].
    pub proofs: Proofs<'a>,
}

impl Presented<'_> {
    /// A bearer token and nothing else.
    pub const NOTHING: Presented<'static> =
        Presented { scheme: Scheme::Bearer, certificate: None, proofs: Proofs::Absent };
}

/// The scheme of `Authorization` by which a token was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `Bearer` (RFC 6750 §2.1), or another place where a token stands alone.
    #[default]
    Bearer,
    /// `DPoP` (RFC 9449 §7.1).
    Dpop,
}

impl Scheme {
    /// The name, whose case does not matter (RFC 9110 §11.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The `DPoP` fields of a request, of which there must be one (RFC 9449 §4.3).
#[derive(Clone, Copy, Debug, Default)]
pub enum Proofs<'a> {
    /// There is none.
    #[default]
    Absent,
    /// There is one.
    One(DpopProof<'a>),
    /// There are more.
    Several,
}

/// A DPoP proof, and the request that it must be for.
#[derive(Clone, Copy)]
pub struct DpopProof<'a> {
    /// What stood in `DPoP`: a JWS (RFC 9449 §4.1).
    pub jws: &'a [u8],
    /// The method that the client used, in its own case.
    pub method: &'a str,
    /// The URI that the client used: `https://host[:port]/path`. A query and a fragment are left out of account.
    ///
    /// It must be what this place is known by, not what the client says in `Host` unless that was checked: a proof for
    /// another service must not pass here.
    pub uri: &'a str,
}

impl fmt::Debug for DpopProof<'_> {
    /// Leaves out the proof, which is as good as the request for a while, and the URI, which may say more than it should.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopProof").field("octets", &self.jws.len()).finish_non_exhaustive()
    }
}

/// The SHA-256 of a certificate's DER: what `x5t#S256` says in base64url (RFC 8705 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateThumbprint(pub [u8; 32]);

impl CertificateThumbprint {
    /// That of this certificate.
    pub fn of_der(der: &[u8]) -> Self {
        Self(sha256(der))
    }
}

/// The binding that a place demands of every token, whatever the token says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demanded {
    /// To a certificate or to a key.
    Any,
    /// To a certificate (RFC 8705 §3).
    Certificate,
    /// To a key that DPoP proves (RFC 9449 §6).
    Dpop,
}

impl Demanded {
    /// Every binding that can be demanded, in the order of their labels.
    pub const ALL: [Self; 3] = [Self::Any, Self::Certificate, Self::Dpop];

    /// The name in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Certificate => "certificate",
            Self::Dpop => "dpop",
        }
    }
}

impl fmt::Display for Demanded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

pub(super) fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    hash
}
