//! Which certificate an error of rustls-webpki concerns: it says what failed, and seldom where.

use rustls_pki_types::CertificateDer;
use webpki::{EndEntityCert, Error};

use crate::chain::Reach;
use crate::signature::{self, SignatureFault};
use crate::sorting::signs_certificates;
use crate::{Certificate, ChainError, NoAnchor, Purpose, Revocation, Role, TrustStore, Validity};

/// The most signatures that are checked again to find the one that is wrong.
const SIGNATURE_LIMIT: usize = 32;

/// All that a verification was made with.
pub(crate) struct Diagnosis<'a> {
    pub(crate) reach: &'a Reach<'a>,
    pub(crate) store: &'a TrustStore,
    pub(crate) purpose: Purpose,
    pub(crate) now: i64,
    pub(crate) revocation: &'a Revocation,
}

impl Diagnosis<'_> {
    /// The error in our words, with the certificate nearest to the leaf that it can be about.
    pub(crate) fn explain(&self, error: &Error) -> ChainError {
        let (leaf, purpose, now) = (self.reach.leaf.clone(), self.purpose, self.now);
        match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } | Error::InvalidCertValidity => {
                self.out_of_time().unwrap_or_else(|| self.dead_end())
            }
            Error::CaUsedAsEndEntity => ChainError::CaAsLeaf { certificate: leaf },
            Error::EndEntityUsedAsCa => match self.first_issuer(|certificate| !certificate.is_ca()) {
                Some(certificate) => ChainError::NotCa { certificate },
                None => self.dead_end(),
            },
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                let certificate = self.first(|certificate| !purpose.is_named_by(certificate));
                ChainError::NotForPurpose { certificate: certificate.unwrap_or(leaf), purpose }
            }
            Error::InvalidSignatureForPublicKey | Error::CertDistrusted => ChainError::SignatureInvalid {
                certificate: self.unsigned(SignatureFault::Invalid).unwrap_or(leaf),
            },
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                ChainError::SignatureUnsupported {
                    certificate: self.unsigned(SignatureFault::Unsupported).unwrap_or(leaf),
                }
            }
            Error::NameConstraintViolation
            | Error::MalformedNameConstraint
            | Error::InvalidNetworkMaskConstraint => ChainError::NameConstraint { certificate: leaf },
            Error::PathLenConstraintViolated => {
                let certificate = self.first_issuer(|certificate| certificate.path_length().is_some());
                ChainError::PathLength { certificate: certificate.unwrap_or(leaf) }
            }
            Error::CertRevoked => {
                self.revoked().unwrap_or(ChainError::Revoked { certificate: leaf, since: now })
            }
            Error::UnknownRevocationStatus => ChainError::RevocationUnknown {
                certificate: self.first(|certificate| self.crl_of(certificate).is_none()).unwrap_or(leaf),
            },
            Error::CrlExpired { .. } => self.crl_expired().unwrap_or_else(|| self.dead_end()),
            Error::InvalidCrlSignatureForPublicKey
            | Error::IssuerNotCrlSigner
            | Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => ChainError::CrlUntrusted {
                certificate: self.first(|certificate| self.crl_of(certificate).is_some()).unwrap_or(leaf),
            },
            Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumSignatureChecksExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => ChainError::TooComplex { certificate: leaf },
            Error::UnknownIssuer => self.dead_end(),
            _ => match self.first(is_unreadable) {
                Some(certificate) => ChainError::Malformed { certificate },
                None => self.dead_end(),
            },
        }
    }

    /// The first of those that can be part of a path, the leaf before the others.
    fn first(&self, mut concerns: impl FnMut(&Certificate) -> bool) -> Option<Certificate> {
        self.reach.certificates().find(|certificate| concerns(certificate)).cloned()
    }

    /// Likewise, without the leaf.
    fn first_issuer(&self, concerns: impl Fn(&Certificate) -> bool) -> Option<Certificate> {
        self.reach.issuers.iter().copied().find(|certificate| concerns(certificate)).cloned()
    }

    fn out_of_time(&self) -> Option<ChainError> {
        let now = self.now;
        let certificate = self.first(|certificate| certificate.validity(now) != Validity::Valid)?;
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        Some(match certificate.validity(now) {
            Validity::NotYetValid => ChainError::NotYetValid { certificate, not_before, now },
            Validity::Expired | Validity::Valid => ChainError::Expired { certificate, not_after, now },
        })
    }

    /// The certificate that none of the keys signed that have its issuer's name.
    fn unsigned(&self, fault: SignatureFault) -> Option<Certificate> {
        let mut checks = 0;
        self.first(|certificate| {
            let issuers = self.reach.issuers.iter().copied();
            let issuers = issuers.chain(self.reach.anchors.iter().map(|(_, anchor)| *anchor));
            let mut faults = issuers
                .filter(|issuer| issuer.subject_der() == certificate.issuer_der())
                .take_while(|_| {
                    checks += 1;
                    checks <= SIGNATURE_LIMIT
                })
                .map(|issuer| signature::check(certificate, issuer.spki()))
                .peekable();
            faults.peek().is_some() && faults.all(|found| found == Err(fault))
        })
    }

    fn crl_of(&self, certificate: &Certificate) -> Option<&crate::Crl> {
        self.revocation.crls().iter().find(|crl| crl.is_of_issuer(certificate))
    }

    fn crl_expired(&self) -> Option<ChainError> {
        let now = self.now;
        let is_over = |certificate: &Certificate| {
            self.crl_of(certificate).map(crate::Crl::next_update).filter(|next_update| *next_update <= now)
        };
        let certificate = self.first(|certificate| is_over(certificate).is_some())?;
        let next_update = is_over(&certificate)?;
        Some(ChainError::CrlExpired { certificate, next_update, now })
    }

    fn revoked(&self) -> Option<ChainError> {
        let since = |certificate: &Certificate| self.crl_of(certificate)?.revoked_at(certificate);
        let certificate = self.first(|certificate| since(certificate).is_some())?;
        let since = since(&certificate)?;
        Some(ChainError::Revoked { certificate, since })
    }

    /// Where all paths end, and why there: the reason that lies farthest from the leaf.
    fn dead_end(&self) -> ChainError {
        // rustls-webpki never saw those that may not sign.
        if let Some(certificate) = self.first_issuer(|certificate| !signs_certificates(certificate)) {
            return match certificate.is_ca() {
                true => ChainError::NoCertificateSigner { certificate },
                false => ChainError::NotCa { certificate },
            };
        }
        let is_known = |certificate: &&Certificate| {
            let mut issuers = self.reach.issuers.iter().copied();
            let mut anchors = self.reach.anchors.iter().map(|(_, anchor)| *anchor);
            let is_issuer = |issuer: &Certificate| issuer.subject_der() == certificate.issuer_der();
            issuers.any(is_issuer) || anchors.any(is_issuer)
        };
        let mut certificates: Vec<_> = self.reach.certificates().collect();
        certificates.reverse();
        if let Some(root) = certificates.iter().find(|certificate| certificate.is_self_issued()) {
            return ChainError::UntrustedRoot { why: self.why_no_anchor(root), certificate: (*root).clone() };
        }
        let end = certificates.iter().find(|certificate| !is_known(certificate));
        let certificate = end.map_or_else(|| self.reach.leaf.clone(), |end| (*end).clone());
        ChainError::UnknownIssuer { certificate }
    }

    fn why_no_anchor(&self, root: &Certificate) -> NoAnchor {
        let known = self.store.of_subject(root.subject_der()).find(|(sorted, _)| sorted.certificate == *root);
        match known.map(|(sorted, _)| sorted.role) {
            Some(Role::Intermediate(why)) => why,
            Some(Role::Anchor) | None => NoAnchor::NotDeclared,
        }
    }
}

/// Whether rustls-webpki, which is stricter, cannot read what we can.
fn is_unreadable(certificate: &Certificate) -> bool {
    let der = CertificateDer::from(certificate.der());
    EndEntityCert::try_from(&der).is_err()
}
