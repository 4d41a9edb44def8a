//! Incident A4: three controllers, each with a signer of its own under one root. Whoever derives the root from what
//! one verification found refuses what the other two signed.

use std::sync::LazyLock;

use keyward_x509::{Certificate, Purpose, Revocation, TrustStore, verify};
use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::support::*;

struct World {
    root: Certificate,
    /// The root's name and key, certified by `cross_root`.
    cross: Certificate,
    cross_root: Certificate,
    unrelated: Certificate,
    signers: [Certificate; 3],
    leaves: [Certificate; 3],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let (root, cross_root) = (Party::new("Network Root"), Party::new("Corporate Root"));
    let signers = ["Controller 1", "Controller 2", "Controller 3"].map(Party::new);
    World {
        root: root.root(),
        cross: root.ca_by(&cross_root),
        cross_root: cross_root.root(),
        unrelated: Party::new("Unrelated Root").root(),
        leaves: signers.each_ref().map(|signer| Party::new("session").leaf_by(signer)),
        signers: signers.each_ref().map(|signer| signer.ca_by(&root)),
    }
});

/// How a certificate came into the bundle, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Absent,
    Declared,
    Present,
}

const DELIVERIES: [Delivery; 3] = [Delivery::Absent, Delivery::Declared, Delivery::Present];

#[derive(Clone, Debug)]
struct Bundle {
    root: Delivery,
    cross: Delivery,
    cross_root: Delivery,
    unrelated: Delivery,
    signers: [Delivery; 3],
    /// In which order of the seven.
    order: Vec<usize>,
}

impl Bundle {
    /// The certificates in their order, each declared or not.
    fn entries(&self) -> Vec<(Certificate, bool)> {
        let world = &*WORLD;
        let [first, second, third] = self.signers;
        let all = [
            (&world.root, self.root),
            (&world.cross, self.cross),
            (&world.cross_root, self.cross_root),
            (&world.unrelated, self.unrelated),
            (&world.signers[0], first),
            (&world.signers[1], second),
            (&world.signers[2], third),
        ];
        let ordered = self.order.iter().map(|place| all[*place]);
        ordered
            .filter(|(_, delivery)| *delivery != Delivery::Absent)
            .map(|(certificate, delivery)| (certificate.clone(), delivery == Delivery::Declared))
            .collect()
    }

    fn store(&self) -> TrustStore {
        let entries = self.entries();
        let builder =
            entries.into_iter().fold(TrustStore::builder(), |builder, (certificate, is_declared)| {
                if is_declared {
                    builder.anchors([certificate])
                } else {
                    builder.intermediates([certificate])
                }
            });
        builder.build(NOW)
    }

    /// The oracle: it knows who signed what, and looks at no certificate.
    fn should_verify(&self, controller: usize, presents_its_signer: bool) -> bool {
        let is_there = |delivery: Delivery| delivery != Delivery::Absent;
        let is_anchored =
            self.root == Delivery::Declared || is_there(self.cross) && self.cross_root == Delivery::Declared;
        is_anchored && (presents_its_signer || is_there(self.signers[controller]))
    }

    fn check(&self, presents_its_signer: [bool; 3]) {
        let (store, world) = (self.store(), &*WORLD);
        for (controller, presents_its_signer) in presents_its_signer.into_iter().enumerate() {
            let mut presented = vec![world.leaves[controller].clone()];
            if presents_its_signer {
                presented.push(world.signers[controller].clone());
            }
            let found = verify(&store, &presented, Purpose::ClientAuth, NOW, &Revocation::none());
            let expected = self.should_verify(controller, presents_its_signer);
            assert_eq!(found.is_ok(), expected, "controller {controller} of {self:?}: {found:?}");
        }
    }
}

fn orders_of(places: &[usize]) -> Vec<Vec<usize>> {
    if places.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |first: &usize| {
        let others: Vec<_> = places.iter().copied().filter(|place| place != first).collect();
        orders_of(&others).into_iter().map(|rest| [vec![*first], rest].concat()).collect::<Vec<_>>()
    };
    places.iter().flat_map(with_first).collect()
}

#[test]
fn whoever_signed_and_whatever_the_order_the_declared_root_decides() {
    for order in orders_of(&[0, 4, 5, 6]) {
        for root in DELIVERIES {
            for signers in 0..27 {
                let signers = [signers / 9, signers / 3 % 3, signers % 3].map(|place| DELIVERIES[place]);
                let absent = Delivery::Absent;
                let order = order.clone();
                let bundle =
                    Bundle { root, cross: absent, cross_root: absent, unrelated: absent, signers, order };
                bundle.check([false; 3]);
            }
        }
    }
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop::sample::select(&DELIVERIES[..])
}

prop_compose! {
    fn bundle()(
        root in delivery(),
        cross in delivery(),
        cross_root in delivery(),
        unrelated in delivery(),
        signers in [delivery(), delivery(), delivery()],
        order in Just((0..7).collect::<Vec<_>>()).prop_shuffle(),
    ) -> Bundle {
        Bundle { root, cross, cross_root, unrelated, signers, order }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn certificates_of_all_signers_verify_exactly_when_the_declared_anchors_say_so(
        bundle in bundle(),
        presents_its_signer in any::<[bool; 3]>(),
    ) {
        bundle.check(presents_its_signer);
    }

    #[test]
    fn nothing_but_a_declared_root_is_ever_an_anchor(bundle in bundle()) {
        let store = bundle.store();
        let world = &*WORLD;
        for anchor in store.anchors() {
            let declared = [
                (&world.root, bundle.root),
                (&world.cross_root, bundle.cross_root),
                (&world.unrelated, bundle.unrelated),
            ];
            prop_assert!(declared.contains(&(anchor, Delivery::Declared)), "{anchor}");
        }
    }
}

/// What the router of A4 did: every certificate of the bundle is an anchor, one controller's certificate is verified,
/// and whatever that path ended at is the root from then on.
struct Naive {
    root: TrustAnchor<'static>,
    bundle: Vec<Certificate>,
}

impl Naive {
    fn of(bundle: &[Certificate], first: &Certificate) -> Option<Self> {
        let ders: Vec<_> = bundle.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
        let anchors: Vec<_> = ders.iter().map(|der| anchor_from_trusted_cert(der).unwrap()).collect();
        let root = naive_path(first, &anchors, &ders)?;
        Some(Self { root, bundle: bundle.to_vec() })
    }

    fn verifies(&self, leaf: &Certificate) -> bool {
        let ders: Vec<_> =
            self.bundle.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
        naive_path(leaf, std::slice::from_ref(&self.root), &ders).is_some()
    }
}

fn naive_path(
    leaf: &Certificate,
    anchors: &[TrustAnchor<'_>],
    intermediates: &[CertificateDer<'_>],
) -> Option<TrustAnchor<'static>> {
    let der = CertificateDer::from(leaf.der());
    let end_entity = EndEntityCert::try_from(&der).unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW as u64));
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let usage = KeyUsage::client_auth();
    let path =
        end_entity.verify_for_usage(algorithms, anchors, intermediates, now, usage, None, None).ok()?;
    Some(path.anchor().to_owned())
}

#[test]
fn the_naive_derivation_is_what_fails() {
    let world = &*WORLD;
    let bundle = [&world.signers[..], std::slice::from_ref(&world.root)].concat();
    for order in orders_of(&[0, 1, 2, 3]) {
        let bundle: Vec<_> = order.iter().map(|place| bundle[*place].clone()).collect();
        let naive = Naive::of(&bundle, &world.leaves[0]).unwrap();
        // The intermediate became the only root: the first controller dies, and the others' sessions are refused.
        assert_eq!(world.leaves.each_ref().map(|leaf| naive.verifies(leaf)), [true, false, false]);
        let store = TrustStore::builder().anchors(bundle).build(NOW);
        for leaf in &world.leaves {
            let presented = [leaf.clone()];
            let chain = verify(&store, &presented, Purpose::ClientAuth, NOW, &Revocation::none()).unwrap();
            assert_eq!(chain.anchor(), &world.root);
        }
    }
    // With nothing but the root in the bundle it works, which is why nobody noticed.
    let presented = |controller: usize| {
        let anchor = [world.root.clone()];
        let ders = [CertificateDer::from(world.signers[controller].der())];
        let root = CertificateDer::from(anchor[0].der());
        naive_path(&world.leaves[controller], &[anchor_from_trusted_cert(&root).unwrap()], &ders).is_some()
    };
    assert_eq!([0, 1, 2].map(presented), [true; 3]);
}
