//! Why a chain is refused.

use crate::{Certificate, NoAnchor, Purpose};

/// Why a chain does not verify, and which certificate that concerns.
///
/// The names in it are what the certificates say of themselves: a stranger's words, escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A CA's certificate was presented as a leaf.
    #[error("{certificate} is a CA's, and was presented as a leaf")]
    CaAsLeaf {
        /// The certificate.
        certificate: Certificate,
    },
    /// The list that would say whether a certificate was revoked is past its `nextUpdate`.
    #[error("the revocation list for {certificate} was due {} s ago", now.saturating_sub(*next_update))]
    CrlExpired {
        /// The certificate.
        certificate: Certificate,
        /// The list's `nextUpdate`.
        next_update: i64,
        /// When it was looked at.
        now: i64,
    },
    /// The list that would say whether a certificate was revoked is not signed by its issuer, or its issuer may not
    /// sign lists.
    #[error("the revocation list for {certificate} is not signed by its issuer")]
    CrlUntrusted {
        /// The certificate.
        certificate: Certificate,
    },
    /// No certificate was presented.
    #[error("there is no certificate")]
    Empty,
    /// A certificate is over.
    #[error("{certificate} expired {} s ago", now.saturating_sub(*not_after))]
    Expired {
        /// The certificate.
        certificate: Certificate,
        /// Its last second.
        not_after: i64,
        /// When it was looked at.
        now: i64,
    },
    /// The leaf's key usage does not go with the purpose.
    #[error("the key usage of {certificate} does not allow {}", purpose_name(*purpose))]
    KeyUsage {
        /// The leaf.
        certificate: Certificate,
        /// What it was to be used for.
        purpose: Purpose,
    },
    /// A certificate is not of a form that is supported: not version 3, a critical extension that is not known, or
    /// octets that are not DER.
    #[error("{certificate} has a form or a critical extension that is not supported")]
    Malformed {
        /// The certificate.
        certificate: Certificate,
    },
    /// A certificate has a name that a CA above it may not issue (RFC 5280 §4.2.1.10).
    #[error("{certificate} has a name that a CA above it may not issue")]
    NameConstraint {
        /// The leaf.
        certificate: Certificate,
    },
    /// The leaf is for other names.
    #[error("{certificate} is not for {wanted}")]
    NameMismatch {
        /// The leaf.
        certificate: Certificate,
        /// The name that was asked for.
        wanted: crate::Identity,
    },
    /// A CA's key usage does not hold `keyCertSign`.
    #[error("{certificate} may not sign certificates: its key usage does not hold keyCertSign")]
    NoCertificateSigner {
        /// The CA's certificate.
        certificate: Certificate,
    },
    /// A certificate that signed another is not a CA's.
    #[error("{certificate} is not a CA's, and was to have signed another")]
    NotCa {
        /// The certificate.
        certificate: Certificate,
    },
    /// The extended key usage of a certificate, the leaf's or a CA's, leaves the purpose out.
    #[error("the extended key usage of {certificate} does not allow {}", purpose_name(*purpose))]
    NotForPurpose {
        /// The certificate.
        certificate: Certificate,
        /// What the leaf was to be used for.
        purpose: Purpose,
    },
    /// A certificate is still to come.
    #[error("{certificate} is valid in {} s only", not_before.saturating_sub(*now))]
    NotYetValid {
        /// The certificate.
        certificate: Certificate,
        /// Its first second.
        not_before: i64,
        /// When it was looked at.
        now: i64,
    },
    /// More CAs follow a CA than it allows.
    #[error("more CAs follow {certificate} than its basic constraints allow")]
    PathLength {
        /// The CA's certificate.
        certificate: Certificate,
    },
    /// In hard mode: no list says whether a certificate was revoked.
    #[error("no revocation list says whether {certificate} was revoked")]
    RevocationUnknown {
        /// The certificate.
        certificate: Certificate,
    },
    /// A certificate was revoked.
    #[error("{certificate} was revoked")]
    Revoked {
        /// The certificate.
        certificate: Certificate,
        /// Since when.
        since: i64,
    },
    /// A certificate was not signed by the key of any CA that has its issuer's name.
    #[error("{certificate} was not signed by the key of any CA named {}", certificate.issuer())]
    SignatureInvalid {
        /// The certificate.
        certificate: Certificate,
    },
    /// A certificate is signed by an algorithm that is not supported.
    #[error("{certificate} is signed by an algorithm that is not supported")]
    SignatureUnsupported {
        /// The certificate.
        certificate: Certificate,
    },
    /// To look for a path takes more than is given to any.
    #[error("too many paths lead from {certificate}, or they are too long")]
    TooComplex {
        /// The leaf.
        certificate: Certificate,
    },
    /// More certificates were presented than [`PRESENTED_LIMIT`](crate::PRESENTED_LIMIT).
    #[error("{presented} certificates were presented, over the limit of {limit}")]
    TooMany {
        /// How many.
        presented: usize,
        /// The limit they were held against.
        limit: usize,
    },
    /// The path ends at a self-signed certificate that is no anchor.
    #[error("{certificate} is no trust anchor: {why}")]
    UntrustedRoot {
        /// The certificate at which the path ends.
        certificate: Certificate,
        /// Why it is none.
        why: NoAnchor,
    },
    /// The path ends at a certificate whose issuer is neither among the anchors nor among the intermediates.
    #[error("{}, the issuer of {certificate}, is not among the anchors and intermediates", certificate.issuer())]
    UnknownIssuer {
        /// The certificate at which the path ends.
        certificate: Certificate,
    },
}

impl ChainError {
    /// The label of this error in metrics, logs and reports.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::CaAsLeaf { .. } => "ca_as_leaf",
            Self::CrlExpired { .. } => "crl_expired",
            Self::CrlUntrusted { .. } => "crl_untrusted",
            Self::Empty => "empty",
            Self::Expired { .. } => "expired",
            Self::KeyUsage { .. } => "key_usage",
            Self::Malformed { .. } => "malformed",
            Self::NameConstraint { .. } => "name_constraint",
            Self::NameMismatch { .. } => "name_mismatch",
            Self::NoCertificateSigner { .. } => "no_certificate_signer",
            Self::NotCa { .. } => "not_ca",
            Self::NotForPurpose { .. } => "not_for_purpose",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::PathLength { .. } => "path_length",
            Self::RevocationUnknown { .. } => "revocation_unknown",
            Self::Revoked { .. } => "revoked",
            Self::SignatureInvalid { .. } => "signature_invalid",
            Self::SignatureUnsupported { .. } => "signature_unsupported",
            Self::TooComplex { .. } => "too_complex",
            Self::TooMany { .. } => "too_many",
            Self::UntrustedRoot { .. } => "untrusted_root",
            Self::UnknownIssuer { .. } => "unknown_issuer",
        }
    }

    /// The certificate that it concerns.
    pub const fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Empty | Self::TooMany { .. } => None,
            Self::CaAsLeaf { certificate }
            | Self::CrlExpired { certificate, .. }
            | Self::CrlUntrusted { certificate }
            | Self::Expired { certificate, .. }
            | Self::KeyUsage { certificate, .. }
            | Self::Malformed { certificate }
            | Self::NameConstraint { certificate }
            | Self::NameMismatch { certificate, .. }
            | Self::NoCertificateSigner { certificate }
            | Self::NotCa { certificate }
            | Self::NotForPurpose { certificate, .. }
            | Self::NotYetValid { certificate, .. }
            | Self::PathLength { certificate }
            | Self::RevocationUnknown { certificate }
            | Self::Revoked { certificate, .. }
            | Self::SignatureInvalid { certificate }
            | Self::SignatureUnsupported { certificate }
            | Self::TooComplex { certificate }
            | Self::UntrustedRoot { certificate, .. }
            | Self::UnknownIssuer { certificate } => Some(certificate),
        }
    }
}

const fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Any => "any use",
        Purpose::ClientAuth => "a TLS client",
        Purpose::ServerAuth => "a TLS server",
    }
}
