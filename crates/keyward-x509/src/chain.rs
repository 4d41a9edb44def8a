//! From a leaf to an anchor.

use std::cell::Cell;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, VerifiedPath};

use crate::diagnosis::Diagnosis;
use crate::sorting::signs_certificates;
use crate::{Certificate, ChainError, Identity, Purpose, Revocation, TrustStore, Validity};

/// The most certificates that are looked at of those that somebody presents, leaf included. A chain has a few;
/// rustls-webpki takes six intermediates at most.
pub const PRESENTED_LIMIT: usize = 16;

/// The most looks at a certificate on the search for a path: steps, times the certificates that each step looks
/// through. rustls-webpki stops after 200 000 steps, whatever each costs; a few namesakes are enough for them.
const LOOKS_LIMIT: usize = 50_000;

/// A chain that was verified: for a purpose, at a time, up to an anchor. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChain {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
    anchor: Certificate,
}

impl VerifiedChain {
    /// The certificate that was presented first.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// From the one that signed the leaf to the one that the anchor signed.
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// The anchor.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }

    /// All of them, the leaf first.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(&self.intermediates).chain(std::iter::once(&self.anchor))
    }

    /// The last second at which each of them is valid.
    pub fn not_after(&self) -> i64 {
        self.certificates().map(Certificate::not_after).min().unwrap_or(i64::MIN)
    }

    /// Whether the leaf is for this name.
    ///
    /// # Errors
    /// [`ChainError::NameMismatch`] where it is not.
    pub fn check_identity(&self, identity: &Identity) -> Result<(), ChainError> {
        if identity.is_named_by(&self.leaf) {
            return Ok(());
        }
        Err(ChainError::NameMismatch { certificate: self.leaf.clone(), wanted: identity.clone() })
    }
}

/// Takes the first of the `presented` certificates to an anchor of `store`, through any of the others and of the
/// store's intermediates, in whatever order they come.
///
/// Beside what RFC 5280 §6 asks for and rustls-webpki checks, an anchor has to be valid at `now`, its path length and
/// extended key usage are kept to, a CA's key usage has to hold `keyCertSign` where it is there, and the leaf's has
/// to go with the `purpose`.
///
/// # Errors
/// [`ChainError`], with the certificate that it concerns.
pub fn verify(
    store: &TrustStore,
    presented: &[Certificate],
    purpose: Purpose,
    now: i64,
    revocation: &Revocation,
) -> Result<VerifiedChain, ChainError> {
    let (leaf, others) = presented.split_first().ok_or(ChainError::Empty)?;
    if presented.len() > PRESENTED_LIMIT {
        return Err(ChainError::TooMany { presented: presented.len(), limit: PRESENTED_LIMIT });
    }
    if revocation.is_hard() && revocation.crls().is_empty() {
        return Err(ChainError::RevocationUnknown { certificate: leaf.clone() });
    }
    let reach = Reach::of(leaf, others, store, purpose, now);
    let diagnosis = Diagnosis { reach: &reach, store, purpose, now, revocation };

    let der = CertificateDer::from(leaf.der());
    let end_entity = EndEntityCert::try_from(&der).map_err(|error| diagnosis.explain(&error))?;
    let anchors: Vec<_> = reach.anchors.iter().map(|(anchor, _)| borrowed(anchor)).collect();
    let signers = reach.issuers.iter().filter(|certificate| signs_certificates(certificate));
    let intermediates: Vec<_> = signers.map(|certificate| CertificateDer::from(certificate.der())).collect();
    let lists = revocation.lists();
    let too_long = Cell::new(None);
    let path = end_entity
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0))),
            Bounded { purpose, looks: Cell::new(0), each: intermediates.len() + 1 },
            revocation.options(&lists),
            Some(&|path| reach.check_path_length(&anchors, path, &too_long)),
        )
        .map_err(|error| match (error, too_long.get()) {
            (webpki::Error::PathLenConstraintViolated, Some(anchor)) => {
                ChainError::PathLength { certificate: Certificate::clone(anchor) }
            }
            (error, _) => diagnosis.explain(&error),
        })?;
    if !purpose.allows_key_usage_of(leaf) {
        return Err(ChainError::KeyUsage { certificate: leaf.clone(), purpose });
    }
    reach.verified(&anchors, &path).ok_or_else(|| ChainError::UnknownIssuer { certificate: leaf.clone() })
}

/// What can be reached from a leaf by the names of issuers: all that a path can be made of.
///
/// Nothing else is handed to rustls-webpki, so that neither the cost of a search nor its error depends on
/// certificates that have nothing to do with this leaf.
pub(crate) struct Reach<'a> {
    pub(crate) leaf: &'a Certificate,
    pub(crate) issuers: Vec<&'a Certificate>,
    pub(crate) anchors: Vec<(&'a TrustAnchor<'static>, &'a Certificate)>,
}

impl<'a> Reach<'a> {
    fn of(
        leaf: &'a Certificate,
        others: &'a [Certificate],
        store: &'a TrustStore,
        purpose: Purpose,
        now: i64,
    ) -> Self {
        let mut reach = Self { leaf, issuers: Vec::new(), anchors: Vec::new() };
        let mut names: Vec<&[u8]> = vec![leaf.issuer_der()];
        let mut looked_at = 0;
        while let Some(name) = names.get(looked_at).copied() {
            looked_at += 1;
            let is_wanted =
                |certificate: &&Certificate| certificate.subject_der() == name && *certificate != leaf;
            let mut issuers: Vec<_> = others.iter().filter(is_wanted).collect();
            for (sorted, anchor) in store.of_subject(name) {
                let certificate = &sorted.certificate;
                match anchor {
                    Some(anchor)
                        if certificate.validity(now) == Validity::Valid
                            && purpose.is_named_by(certificate) =>
                    {
                        reach.anchors.push((anchor, certificate));
                    }
                    _ if certificate == leaf || others.contains(certificate) => {}
                    _ => issuers.push(certificate),
                }
            }
            // Where many have one name, a signature is not checked against all of their keys before the right one.
            let issued: Vec<_> =
                reach.certificates().filter(|certificate| certificate.issuer_der() == name).collect();
            issuers.sort_by_cached_key(|issuer| !issued.iter().any(|issued| issuer.is_hinted_at_by(issued)));
            for issuer in &issuers {
                if !names.contains(&issuer.issuer_der()) {
                    names.push(issuer.issuer_der());
                }
            }
            reach.issuers.append(&mut issuers);
        }
        reach
    }

    /// The leaf, and all that may be above it.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &'a Certificate> {
        std::iter::once(self.leaf).chain(self.issuers.iter().copied())
    }

    fn anchor(&self, anchors: &[TrustAnchor<'_>], path: &VerifiedPath<'_>) -> Option<&'a Certificate> {
        // Several anchors may have one name and one key, and differ in what only their certificates say.
        let place = anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()))?;
        self.anchors.get(place).map(|(_, certificate)| *certificate)
    }

    /// rustls-webpki keeps to the path length of intermediates only. Self-issued ones do not count (RFC 5280 §4.2.1.9).
    fn check_path_length(
        &self,
        anchors: &[TrustAnchor<'_>],
        path: &VerifiedPath<'_>,
        too_long: &Cell<Option<&'a Certificate>>,
    ) -> Result<(), webpki::Error> {
        let anchor = self.anchor(anchors, path).ok_or(webpki::Error::UnknownIssuer)?;
        let Some(most) = anchor.path_length() else {
            return Ok(());
        };
        let follow = path.intermediate_certificates().filter(|ca| ca.subject() != ca.issuer()).count();
        if u32::try_from(follow).is_ok_and(|follow| follow <= most) {
            return Ok(());
        }
        too_long.set(Some(anchor));
        Err(webpki::Error::PathLenConstraintViolated)
    }

    fn verified(&self, anchors: &[TrustAnchor<'_>], path: &VerifiedPath<'_>) -> Option<VerifiedChain> {
        let known = |der: CertificateDer<'_>| {
            self.issuers.iter().find(|certificate| *certificate.der() == *der).copied().cloned()
        };
        Some(VerifiedChain {
            leaf: self.leaf.clone(),
            intermediates: path
                .intermediate_certificates()
                .map(|ca| known(ca.der()))
                .collect::<Option<_>>()?,
            anchor: self.anchor(anchors, path)?.clone(),
        })
    }
}

fn borrowed<'a>(anchor: &'a TrustAnchor<'static>) -> TrustAnchor<'a> {
    TrustAnchor {
        subject: Der::from_slice(&anchor.subject),
        subject_public_key_info: Der::from_slice(&anchor.subject_public_key_info),
        name_constraints: anchor.name_constraints.as_ref().map(|names| Der::from_slice(names)),
    }
}

/// A purpose, which rustls-webpki asks for at each step of its search, and an end of the search.
struct Bounded {
    purpose: Purpose,
    looks: Cell<usize>,
    each: usize,
}

impl ExtendedKeyUsageValidator for Bounded {
    fn validate(&self, ids: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        self.looks.set(self.looks.get().saturating_add(self.each));
        if self.looks.get() > LOOKS_LIMIT {
            return Err(webpki::Error::MaximumPathBuildCallsExceeded);
        }
        self.purpose.validate(ids)
    }
}
