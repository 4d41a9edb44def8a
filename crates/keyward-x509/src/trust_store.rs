//! The certificates that chains may end at, and those that they may lead through.

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::TrustAnchor;

use crate::sorting::trust_anchor;
use crate::{Certificate, NoAnchor, Role, Sorted};

/// Trust anchors and intermediates, sorted by what they are at one moment. It never changes; whoever has other
/// certificates, or another moment, makes another.
///
/// An anchor is a certificate that is declared as one, self-signed with a signature that verifies, a CA's that may
/// sign certificates, and within its validity. Everything else is an intermediate, however it was delivered. Nothing
/// that a verification finds ever becomes an anchor.
#[derive(Clone, Debug)]
pub struct TrustStore {
    sorted: Vec<Sorted>,
    unmatched_pins: Vec<[u8; 32]>,
    /// Beside each of `sorted` what rustls-webpki starts from, where it is an anchor.
    anchors: Vec<Option<TrustAnchor<'static>>>,
    /// The places in `sorted` of those that have this subject.
    by_subject: BTreeMap<Box<[u8]>, Vec<usize>>,
}

/// The certificates of a store to be.
#[derive(Clone, Debug, Default)]
pub struct TrustStoreBuilder {
    certificates: Vec<(Certificate, bool)>,
    pins: BTreeSet<[u8; 32]>,
}

impl TrustStoreBuilder {
    /// Declares these certificates to be anchors. Which of them can be is seen when the store is built.
    #[must_use]
    pub fn anchors(mut self, certificates: impl IntoIterator<Item = Certificate>) -> Self {
        self.certificates.extend(certificates.into_iter().map(|certificate| (certificate, true)));
        self
    }

    /// Adds certificates that chains may lead through. One of them is an anchor only where it is declared as one
    /// elsewhere.
    #[must_use]
    pub fn intermediates(mut self, certificates: impl IntoIterator<Item = Certificate>) -> Self {
        self.certificates.extend(certificates.into_iter().map(|certificate| (certificate, false)));
        self
    }

    /// Declares the certificate whose SHA-256 this is to be an anchor, in whichever bundle it comes.
    #[must_use]
    pub fn pin(mut self, fingerprint: [u8; 32]) -> Self {
        self.pins.insert(fingerprint);
        self
    }

    /// Sorts the certificates as of `now`. A certificate that comes twice is taken once, in its first place, and is
    /// declared if one of both is.
    pub fn build(self, now: i64) -> TrustStore {
        let Self { certificates, mut pins } = self;
        let mut places = BTreeMap::<[u8; 32], usize>::new();
        let mut declared = Vec::<(Certificate, bool)>::new();
        let pinned = pins.clone();
        for (certificate, is_declared) in certificates {
            let fingerprint = *certificate.thumbprint_sha256();
            pins.remove(&fingerprint);
            let is_declared = is_declared || pinned.contains(&fingerprint);
            match places.get(&fingerprint).and_then(|place| declared.get_mut(*place)) {
                Some(known) => known.1 |= is_declared,
                None => {
                    places.insert(fingerprint, declared.len());
                    declared.push((certificate, is_declared));
                }
            }
        }
        TrustStore::sort(declared, pins.into_iter().collect(), now)
    }
}

impl TrustStore {
    /// A store without certificates, to be filled.
    pub fn builder() -> TrustStoreBuilder {
        TrustStoreBuilder::default()
    }

    fn sort(declared: Vec<(Certificate, bool)>, unmatched_pins: Vec<[u8; 32]>, now: i64) -> Self {
        let mut store =
            Self { sorted: Vec::new(), unmatched_pins, anchors: Vec::new(), by_subject: BTreeMap::new() };
        for (place, (certificate, is_declared)) in declared.into_iter().enumerate() {
            let anchor =
                if is_declared { trust_anchor(&certificate, now) } else { Err(NoAnchor::NotDeclared) };
            let role = anchor.as_ref().err().map_or(Role::Anchor, |why| Role::Intermediate(*why));
            store.anchors.push(anchor.ok());
            store.by_subject.entry(certificate.subject_der().into()).or_default().push(place);
            store.sorted.push(Sorted { certificate, is_declared, role });
        }
        store
    }

    /// The same certificates, sorted as of `now`.
    #[must_use]
    pub fn resorted(&self, now: i64) -> Self {
        let declared = self.sorted.iter().map(|sorted| (sorted.certificate.clone(), sorted.is_declared));
        Self::sort(declared.collect(), self.unmatched_pins.clone(), now)
    }

    /// The next moment at which [`resorted`](Self::resorted) makes a store with other anchors, where there is one: an
    /// anchor is over, or one that was declared ahead of its time becomes valid. An anchor that is over is refused
    /// by [`verify`](crate::verify) without it; one that is still to come only counts after it.
    pub fn changes_at(&self) -> Option<i64> {
        let moments = self.sorted.iter().filter_map(|sorted| match sorted.role {
            Role::Anchor => Some(sorted.certificate.not_after().saturating_add(1)),
            Role::Intermediate(NoAnchor::NotYetValid { not_before, .. }) => Some(not_before),
            Role::Intermediate(_) => None,
        });
        moments.min()
    }

    /// Every certificate, in the order of delivery, and what it is.
    pub fn sorted(&self) -> &[Sorted] {
        &self.sorted
    }

    /// The anchors, in the order of delivery.
    pub fn anchors(&self) -> impl Iterator<Item = &Certificate> {
        let anchors = self.sorted.iter().filter(|sorted| sorted.role == Role::Anchor);
        anchors.map(|sorted| &sorted.certificate)
    }

    /// The pinned fingerprints that no certificate has.
    pub fn unmatched_pins(&self) -> &[[u8; 32]] {
        &self.unmatched_pins
    }

    /// The certificates of this subject, in the order of delivery, and what rustls-webpki starts from where one is an
    /// anchor.
    pub(crate) fn of_subject<'a>(
        &'a self,
        subject_der: &[u8],
    ) -> impl Iterator<Item = (&'a Sorted, Option<&'a TrustAnchor<'static>>)> {
        let places = self.by_subject.get(subject_der).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| Some((self.sorted.get(*place)?, self.anchors.get(*place)?.as_ref())))
    }
}
