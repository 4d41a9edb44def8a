//! Keys from certificates in a file, in place of a JWK Set.

use std::path::Path;
use std::time::Duration;

use keyward::{Algorithm, IssuerSettings, KeySource, KeyStatus, Reason, WrapperPolicy};
use keyward_jose::{LocalSigner, Signer};

use crate::certificates::{authority, issued, self_signed};
use crate::support::{Bench, Outcome, START, TestClock, pass, token, token_with_kid};

const ISSUER: &str = "https://idp.example";
const DAY: i64 = 86_400;

fn signers() -> Vec<LocalSigner> {
    let algorithms = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    algorithms.map(|algorithm| LocalSigner::generate(algorithm, None).unwrap()).into()
}

fn pem(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", der))
}

/// A certificate of the key with itself, for a month from [`START`] on.
fn month(signer: &LocalSigner) -> Vec<u8> {
    self_signed(signer, START - DAY, START + 30 * DAY)
}

fn settings(path: &Path) -> IssuerSettings {
    IssuerSettings::certificate_file(ISSUER, path).named("idp").audience("api")
}

fn states(keys: &[KeyStatus]) -> Vec<&'static str> {
    keys.iter().map(|key| key.wrapper.as_ref().unwrap().state).collect()
}

#[tokio::test]
async fn each_certificate_is_a_key_by_its_thumbprint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signers.pem");
    let signers = signers();
    std::fs::write(&path, signers.iter().map(|signer| pem(&month(signer))).collect::<String>()).unwrap();
    let bench = Bench::ready(settings(&path)).await;
    for signer in &signers {
        // An absent kid of a signer is the thumbprint, too.
        assert_eq!(bench.outcome_at_once(&bench.token(signer, ISSUER)), Outcome::Accept);
    }
    let status = bench.status();
    let kids: Vec<_> = status.keys.iter().map(|key| key.kid.as_deref()).collect();
    assert_eq!(kids, signers.iter().map(|signer| signer.kid()).collect::<Vec<_>>());
    assert_eq!(states(&status.keys), ["valid"; 3]);
    let unknown = bench.outcome(&token_with_kid("other", ISSUER, START)).await;
    assert_eq!(unknown, Outcome::Reject(Reason::UnknownKid));
}

#[tokio::test]
async fn a_certificate_that_issued_another_one_is_its_chain_and_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer.pem");
    let (root, signers) = (authority("root"), signers());
    let leaf = issued(&signers[0], START - DAY, START + DAY, &root);
    std::fs::write(&path, [root.pem(), pem(&leaf)].concat()).unwrap();
    let mut settings = settings(&path).wrapper(WrapperPolicy::Enforce);
    settings.wrapper_anchors = root.pem().into_bytes();
    let bench = Bench::ready(settings).await;
    assert_eq!(states(&bench.status().keys), ["valid"]);
    assert_eq!(bench.outcome_at_once(&bench.token(&signers[0], ISSUER)), Outcome::Accept);
}

#[tokio::test]
async fn a_kid_can_be_given_and_the_file_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer.der");
    let [old, new] = [(); 2].map(|()| LocalSigner::generate(Algorithm::EdDsa, Some("signer-1")).unwrap());
    std::fs::write(&path, month(&old)).unwrap();
    let source = KeySource::Certificates { path: path.clone(), kid: Some("signer-1".into()) };
    let bench = Bench::ready(IssuerSettings { source: Some(source), ..settings(&path) }).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&old, ISSUER)), Outcome::Accept);
    std::fs::write(&path, month(&new)).unwrap();
    pass(Duration::from_secs(301)).await;
    bench.seen("refreshed", 2).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&new, ISSUER)), Outcome::Accept);
    let rejected = Outcome::Reject(Reason::InvalidSignature);
    assert_eq!(bench.outcome_at_once(&bench.token(&old, ISSUER)), rejected);
    // What is no certificate takes nothing away.
    std::fs::write(&path, "no certificate").unwrap();
    pass(Duration::from_secs(301)).await;
    bench.seen("failed: certificate", 1).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&new, ISSUER)), Outcome::Accept);
}

#[tokio::test]
async fn a_certificate_that_is_over_is_a_key_all_the_same_unless_that_is_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer.pem");
    let signer = &signers()[0];
    std::fs::write(&path, pem(&self_signed(signer, START - 2 * DAY, START - DAY))).unwrap();
    for (policy, expected) in [
        (WrapperPolicy::Warn, Outcome::Accept),
        (WrapperPolicy::Enforce, Outcome::Reject(Reason::WrapperCertificateExpired)),
    ] {
        let snapshots = folder.path().join("snapshots");
        let build = |settings: IssuerSettings| {
            Bench::with(TestClock::new(), |builder| builder.issuer(settings).snapshots(&snapshots))
        };
        let bench = build(settings(&path).wrapper(policy));
        bench.seen("refreshed", 1).await;
        assert_eq!(states(&bench.status().keys), ["expired"]);
        assert_eq!(bench.outcome_at_once(&token(signer, ISSUER, START)), expected);
    }
}

#[tokio::test]
async fn a_key_of_a_kind_that_signs_no_token_costs_its_neighbours_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signers.pem");
    let signers = signers();
    let broken = pem(b"not a certificate");
    std::fs::write(&path, [broken, pem(&month(&signers[0]))].concat()).unwrap();
    let bench = Bench::ready(settings(&path)).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&signers[0], ISSUER)), Outcome::Accept);
    let status = bench.status();
    assert_eq!((status.keys.len(), status.skipped.len()), (1, 1));
}
