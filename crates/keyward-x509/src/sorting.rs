//! What a certificate of a trust store is, and why.

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::signature::{self, SignatureFault};
use crate::{Certificate, Validity};

/// A certificate of a trust store, and what it was sorted as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted {
    /// The certificate.
    pub certificate: Certificate,
    /// Whether it came among the anchors, or its fingerprint is pinned.
    pub is_declared: bool,
    /// What it is.
    pub role: Role,
}

/// What a certificate of a trust store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Chains may end at it.
    Anchor,
    /// Chains may lead through it, however it was delivered.
    Intermediate(NoAnchor),
}

/// Why a certificate is no trust anchor. Where there are several reasons it is the one that no waiting mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnchor {
    /// It is over.
    #[error("it expired {} s ago", now.saturating_sub(*not_after))]
    Expired {
        /// Its last second.
        not_after: i64,
        /// When it was sorted.
        now: i64,
    },
    /// Its key usage does not hold `keyCertSign`. Without a key usage it may sign certificates: RFC 5280 §6.1.4 (n)
    /// asks for the bit only where the extension is present.
    #[error("its key usage does not hold keyCertSign")]
    NoCertificateSigner,
    /// Its basic constraints do not call it a CA.
    #[error("it is not a CA's (basic constraints)")]
    NotCa,
    /// Nobody declared it: it is not among the anchors, and its fingerprint is not pinned.
    #[error("it was not declared as an anchor")]
    NotDeclared,
    /// Another issued it: an intermediate or a leaf, or a root that is cross-signed.
    #[error("it is not self-signed: another issued it")]
    NotSelfSigned,
    /// It is still to come.
    #[error("it is valid in {} s only", not_before.saturating_sub(*now))]
    NotYetValid {
        /// Its first second.
        not_before: i64,
        /// When it was sorted.
        now: i64,
    },
    /// It calls itself its issuer, and its key did not sign it.
    #[error("it names itself as its issuer, and its own key did not sign it")]
    SignatureInvalid,
    /// Its signature is by an algorithm that is not verified here.
    #[error("its signature is by an algorithm that is not supported")]
    SignatureUnsupported,
    /// rustls-webpki cannot read it.
    #[error("its form is not supported")]
    Unsupported,
}

impl NoAnchor {
    /// The label of this reason in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Expired { .. } => "expired",
            Self::NoCertificateSigner => "no_certificate_signer",
            Self::NotCa => "not_ca",
            Self::NotDeclared => "not_declared",
            Self::NotSelfSigned => "not_self_signed",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::SignatureInvalid => "signature_invalid",
            Self::SignatureUnsupported => "signature_unsupported",
            Self::Unsupported => "unsupported",
        }
    }
}

impl Certificate {
    /// Whether this could be a trust anchor at `now` if it was declared as one.
    ///
    /// # Errors
    /// [`NoAnchor`]: why not.
    pub fn fits_as_anchor(&self, now: i64) -> Result<(), NoAnchor> {
        trust_anchor(self, now).map(drop)
    }
}

/// The certificate as a trust anchor at `now`, once it is declared.
pub(crate) fn trust_anchor(certificate: &Certificate, now: i64) -> Result<TrustAnchor<'static>, NoAnchor> {
    if !certificate.is_self_issued() {
        return Err(NoAnchor::NotSelfSigned);
    }
    if !certificate.is_ca() {
        return Err(NoAnchor::NotCa);
    }
    if !signs_certificates(certificate) {
        return Err(NoAnchor::NoCertificateSigner);
    }
    let der = CertificateDer::from(certificate.der());
    let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|_| NoAnchor::Unsupported)?;
    signature::check_own(certificate).map_err(|fault| match fault {
        SignatureFault::Invalid => NoAnchor::SignatureInvalid,
        SignatureFault::Unsupported => NoAnchor::SignatureUnsupported,
    })?;
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    match certificate.validity(now) {
        Validity::Expired => Err(NoAnchor::Expired { not_after, now }),
        Validity::NotYetValid => Err(NoAnchor::NotYetValid { not_before, now }),
        Validity::Valid => Ok(anchor.to_owned()),
    }
}

/// Whether its key may sign certificates, as far as its key usage goes (RFC 5280 §6.1.4 (n)).
pub(crate) fn signs_certificates(certificate: &Certificate) -> bool {
    certificate.key_usage().is_none_or(|usage| usage.key_cert_sign())
}
