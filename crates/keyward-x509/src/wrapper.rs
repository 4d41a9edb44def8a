//! The certificate that wraps a key: the `x5c`, `x5t` and `x5t#S256` of a JWK (RFC 7517 §4.7 to 4.9).
//!
//! A key is not its certificate. What is found here is told to whoever keeps the key; what follows from it is a
//! policy of theirs. That the certificate is expired is no trouble of the wrapper: it is a matter of the hour, and
//! can be asked at any later one.

use crate::chain::verify;
use crate::der::PublicKeyDer;
use crate::{Certificate, ChainError, PRESENTED_LIMIT, Purpose, Revocation, TrustStore, Validity};

/// The members of a JWK that wrap its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrapperMembers {
    /// `x5c`: DER, the key's own certificate first.
    pub x5c: Vec<Vec<u8>>,
    /// `x5t`: the SHA-1 of that certificate.
    pub x5t: Option<[u8; 20]>,
    /// `x5t#S256`: its SHA-256.
    pub x5t_s256: Option<[u8; 32]>,
}

/// What the certificate says that wraps a key, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapper {
    certificate: Option<Certificate>,
    trouble: Option<WrapperTrouble>,
}

/// What is wrong with a wrapper, whatever the time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrapperTrouble {
    /// The certificate is about another key.
    #[error("its certificate is about another key")]
    KeyMismatch,
    /// `x5c`, `x5t` or `x5t#S256` cannot be read, or there are more than [`PRESENTED_LIMIT`] certificates.
    #[error("its x5c, x5t or x5t#S256 cannot be read")]
    Malformed,
    /// `x5t` or `x5t#S256` is not that of the certificate.
    #[error("its thumbprint is that of another certificate")]
    ThumbprintMismatch,
    /// The chain does not lead to a declared anchor.
    #[error("its certificate does not lead to a declared anchor: {0}")]
    Untrusted(ChainError),
}

impl WrapperTrouble {
    /// The label of this trouble in metrics, logs and reports.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::KeyMismatch => "key_mismatch",
            Self::Malformed => "malformed",
            Self::ThumbprintMismatch => "thumbprint_mismatch",
            Self::Untrusted(_) => "untrusted",
        }
    }
}

impl Wrapper {
    /// Looks at the certificate that wraps the key whose SubjectPublicKeyInfo, DER, is `spki`.
    ///
    /// None where no certificate is there: a thumbprint alone tells nothing of a key. Where `anchors` are given, the
    /// chain has to lead to one of them, or the certificate has to be one. Whether it does is looked at as of `now`,
    /// or, where the certificate is not valid at `now`, as of its last or first second: an expired wrapper of a known
    /// authority is expired, not untrusted.
    pub fn inspect(
        members: &WrapperMembers,
        spki: &[u8],
        anchors: Option<&TrustStore>,
        now: i64,
    ) -> Option<Self> {
        let first = members.x5c.first()?;
        let Ok(certificate) = Certificate::from_der(first) else {
            return Some(Self::malformed());
        };
        let trouble = trouble(&certificate, members, spki, anchors, now).err();
        Some(Self { certificate: Some(certificate), trouble })
    }

    /// One of which nothing can be read: what its members' base64 is to whoever could not decode it.
    pub fn malformed() -> Self {
        Self { certificate: None, trouble: Some(WrapperTrouble::Malformed) }
    }

    /// The key's certificate; None where it cannot be read.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// What is wrong with it, beside its validity.
    pub fn trouble(&self) -> Option<&WrapperTrouble> {
        self.trouble.as_ref()
    }

    /// Where `now` stands to the certificate's times; None where it cannot be read.
    pub fn validity(&self, now: i64) -> Option<Validity> {
        Some(self.certificate()?.validity(now))
    }
}

fn trouble(
    certificate: &Certificate,
    members: &WrapperMembers,
    spki: &[u8],
    anchors: Option<&TrustStore>,
    now: i64,
) -> Result<(), WrapperTrouble> {
    if members.x5c.len() > PRESENTED_LIMIT {
        return Err(WrapperTrouble::Malformed);
    }
    let chain: Vec<_> = members
        .x5c
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<Result<_, _>>()
        .map_err(|_| WrapperTrouble::Malformed)?;
    let keys = (PublicKeyDer::of(certificate.spki()), PublicKeyDer::of(spki));
    if !matches!(keys, (Some(wrapped), Some(key)) if wrapped.is(&key)) {
        return Err(WrapperTrouble::KeyMismatch);
    }
    let is_sha1 = members.x5t.is_none_or(|x5t| x5t == certificate.thumbprint_sha1());
    let is_sha256 = members.x5t_s256.is_none_or(|x5t| x5t == *certificate.thumbprint_sha256());
    if !(is_sha1 && is_sha256) {
        return Err(WrapperTrouble::ThumbprintMismatch);
    }
    match anchors {
        Some(anchors) => check_trust(certificate, &chain, anchors, now).map_err(WrapperTrouble::Untrusted),
        None => Ok(()),
    }
}

fn check_trust(
    certificate: &Certificate,
    chain: &[Certificate],
    anchors: &TrustStore,
    now: i64,
) -> Result<(), ChainError> {
    // A certificate that is valid at no time at all is refused as one.
    let at = match certificate.validity(now) {
        Validity::Expired => certificate.not_after(),
        Validity::NotYetValid => certificate.not_before(),
        Validity::Valid => now,
    };
    if anchors.anchors().any(|anchor| anchor == certificate) {
        return Ok(());
    }
    verify(anchors, chain, Purpose::Any, at, &Revocation::none()).map(drop)
}
