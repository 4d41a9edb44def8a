//! The certificate members of a JWK: read where they can be, and never a reason to lose the key (incident B22).

use base64_simd::STANDARD;
use keyward_jose::{
    Algorithm, CertifiedJwk, JwkSet, JwkSetLimits, KeyType, LocalSigner, MalformedWrapping, UnusableKey,
    VerificationKey, Wrapping,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{SIGNERS, bare_jwk, sign, signer, to_base64url, verifier, with};

fn jwk() -> Value {
    bare_jwk(signer(Algorithm::EdDsa))
}

fn from_jwk(jwk: &Value) -> VerificationKey {
    VerificationKey::from_jwk(jwk.to_string().as_bytes()).expect("a certificate costs no key")
}

fn base64(octets: &[u8]) -> String {
    STANDARD.encode_to_string(octets)
}

#[test]
fn the_members_are_read_as_the_rfc_has_them() {
    let jwk = with(jwk(), "x5c", json!([base64(&[0xfb, 0xff]), base64(b"its issuer")]));
    let jwk = with(jwk, "x5t", to_base64url(&[1; 20]));
    let jwk = with(jwk, "x5t#S256", to_base64url(&[2; 32]));
    let key = from_jwk(&jwk);
    let wrapping = key.wrapping().expect("there is one").expect("well formed");
    assert_eq!(wrapping.chain(), [Box::from([0xfb_u8, 0xff].as_slice()), Box::from(*b"its issuer")]);
    assert_eq!(wrapping.sha1_thumbprint(), Some([1; 20]));
    assert_eq!(wrapping.sha256_thumbprint(), Some([2; 32]));
}

#[test]
fn a_key_without_a_certificate_has_no_wrapping() {
    assert!(from_jwk(&jwk()).wrapping().is_none());
    assert!(from_jwk(&with(jwk(), "x5c", Value::Null)).wrapping().is_none());
    let key = from_jwk(&with(jwk(), "x5c", json!([])));
    assert!(key.wrapping().expect("it is there").expect("well formed").chain().is_empty());
    assert!(verifier(signer(Algorithm::Hs256)).wrapping().is_none());
}

#[test]
fn what_is_wrong_with_a_certificate_costs_no_key() {
    let long = vec![base64(b"certificate"); Wrapping::CHAIN_LIMIT + 1];
    let bad = [
        ("x5c", json!("MIIB"), MalformedWrapping::NotStrings),
        ("x5c", json!({ "0": "MIIB" }), MalformedWrapping::NotStrings),
        ("x5c", json!(["MIIB", 7]), MalformedWrapping::NotStrings),
        ("x5c", json!(["MIIB", "_-8="]), MalformedWrapping::BadBase64 { index: 1 }),
        ("x5c", json!(["TQ"]), MalformedWrapping::BadBase64 { index: 0 }),
        ("x5c", json!(["TUlJ\nQg=="]), MalformedWrapping::BadBase64 { index: 0 }),
        ("x5c", json!(long), MalformedWrapping::TooLong { certificates: 11 }),
        ("x5t", json!(7), MalformedWrapping::BadThumbprint { member: "x5t" }),
        ("x5t", json!(to_base64url(&[1; 32])), MalformedWrapping::BadThumbprint { member: "x5t" }),
        ("x5t#S256", json!("not base64url!"), MalformedWrapping::BadThumbprint { member: "x5t#S256" }),
        ("x5t#S256", json!(to_base64url(&[1; 20])), MalformedWrapping::BadThumbprint { member: "x5t#S256" }),
    ];
    for (member, content, malformed) in bad {
        let jwk = with(jwk(), member, content);
        let key = from_jwk(&jwk);
        assert_eq!(key.wrapping().and_then(Result::err), Some(malformed), "{jwk}");
        let signature = sign(signer(Algorithm::EdDsa), b"message");
        assert_eq!(key.verify(Algorithm::EdDsa, b"message", &signature), Ok(()), "{jwk}");
    }
}

#[test]
fn a_certified_key_is_the_key_of_its_certificate() {
    for signer in SIGNERS.iter() {
        let key = verifier(signer);
        let Some(spki) = key.spki() else {
            assert_eq!(key.key_type(), KeyType::Oct);
            continue;
        };
        let jwk = CertifiedJwk::new(&spki, None, &[b"leaf", b"issuer"]).expect("a key");
        let certified = from_jwk(&serde_json::to_value(&jwk).expect("JSON"));
        assert_eq!(certified.thumbprint(), key.thumbprint());
        assert_eq!(certified.kid(), key.thumbprint().map(|thumbprint| thumbprint.to_string()).as_deref());
        assert_eq!(certified.spki(), Some(spki.clone()));
        assert!(certified.serves(signer_algorithm(signer)));
        let wrapping = certified.wrapping().expect("there is one").expect("well formed");
        assert_eq!(wrapping.chain(), [Box::from(*b"leaf"), Box::from(b"issuer".as_slice())]);
        assert!(wrapping.sha256_thumbprint().is_some() && wrapping.sha1_thumbprint().is_none());
        let jwk = CertifiedJwk::new(&spki, Some("signer-1"), &[b"leaf"]).expect("a key");
        assert_eq!(jwk.kid(), "signer-1");
    }
    for spki in [&b""[..], b"MIIB", &[0x30, 0]] {
        assert_eq!(CertifiedJwk::new(spki, None, &[]), Err(UnusableKey::TypeUnsupported));
    }
}

fn signer_algorithm(signer: &LocalSigner) -> Algorithm {
    use keyward_jose::Signer as _;
    signer.algorithm()
}

proptest! {
    /// Whatever JSON stands in the three members, the set has as many keys as without them.
    #[test]
    fn no_certificate_makes_a_key_vanish(
        x5c in any_json(), x5t in any_json(), x5t_s256 in any_json(),
    ) {
        let spoiled = with(with(with(jwk(), "x5c", x5c), "x5t", x5t), "x5t#S256", x5t_s256);
        let set = json!({ "keys": [spoiled, jwk()] }).to_string();
        let set = JwkSet::parse(set.as_bytes(), JwkSetLimits::default()).expect("a set");
        prop_assert_eq!(set.keys().len(), 2);
        prop_assert_eq!(set.keys()[0].thumbprint(), set.keys()[1].thumbprint());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[A-Za-z0-9+/_=-]{0,60}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                .prop_map(|members| Value::from(serde_json::Map::from_iter(members))),
        ]
    })
}
