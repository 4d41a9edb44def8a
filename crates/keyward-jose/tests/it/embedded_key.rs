//! The key that a JWS carries itself: read as strictly as one of a set, and for one algorithm.

use keyward_jose::{
    Algorithm, AlgorithmSet, DecodeBuffer, Jws, JwsError, SignatureError, Signer, UnusableKey,
    VerificationKey,
};
use serde_json::{Value, json};

use crate::support::{signed, signer};

/// A JWS by this algorithm's key with that key, or something else, in its header.
fn carrying(algorithm: Algorithm, jwk: &Value) -> String {
    let header = json!({ "alg": algorithm.name(), "jwk": jwk });
    signed(header.to_string().as_bytes(), b"{}", signer(algorithm))
}

fn public(algorithm: Algorithm) -> Value {
    serde_json::to_value(signer(algorithm).public_jwk().unwrap()).unwrap()
}

/// A key, and what it says of the signature.
type Tried = (VerificationKey, Result<(), SignatureError>);

/// The key that `token` carries.
fn embedded(token: &str) -> Result<Option<Tried>, UnusableKey> {
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
    let key = jws.dangerous_embedded_key()?;
    Ok(key.map(|key| {
        let verified = jws.verify(&key).map(drop);
        (key, verified)
    }))
}

#[test]
fn it_verifies_by_the_headers_algorithm_and_by_no_other() {
    for algorithm in AlgorithmSet::asymmetric().iter() {
        let (key, verified) = embedded(&carrying(algorithm, &public(algorithm))).unwrap().unwrap();
        assert_eq!(verified, Ok(()), "{algorithm}");
        assert_eq!(key.algorithms(), [algorithm].into_iter().collect());
        assert_eq!(key.thumbprint(), Some(signer(algorithm).public_jwk().unwrap().thumbprint()));
    }
}

/// The members' values in an array, in the order in which they are declared: what serde derives would take it.
fn in_an_array(jwk: &Value) -> Value {
    let names = ["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq"];
    let rest = ["qi", "oth", "k", "x5c", "x5t", "x5t#S256"];
    names.into_iter().chain(rest).map(|name| jwk.get(name).cloned().unwrap_or_default()).collect()
}

#[test]
fn what_could_be_no_key_of_a_set_is_none_of_a_header() {
    let ours = || public(Algorithm::Es256);
    let with = |name: &str, value: Value| {
        let mut jwk = ours();
        jwk[name] = value;
        jwk
    };
    for (jwk, error) in [
        (json!("x"), UnusableKey::Malformed),
        (json!([ours()]), UnusableKey::Malformed),
        (in_an_array(&ours()), UnusableKey::Malformed),
        (with("d", json!("AA")), UnusableKey::PrivateMembers),
        (with("use", json!("enc")), UnusableKey::NotForVerification),
        (with("alg", json!("RS256")), UnusableKey::AlgorithmUnsupported),
        (json!({ "kty": "oct", "k": "AA" }), UnusableKey::SymmetricInPublicSet),
        (public(Algorithm::Rs256), UnusableKey::AlgorithmUnsupported),
    ] {
        assert_eq!(embedded(&carrying(Algorithm::Es256, &jwk)).err(), Some(error), "{jwk}");
    }
    for jwk in [public(Algorithm::Es384), public(Algorithm::EdDsa)] {
        let (key, verified) = embedded(&carrying(Algorithm::Es256, &jwk)).unwrap().unwrap();
        assert!(!key.serves(Algorithm::Es256));
        assert_eq!(verified, Err(SignatureError::AlgorithmMismatch));
    }
}

#[test]
fn a_member_that_stands_twice_makes_it_no_header() {
    let jwk = public(Algorithm::Es256).to_string();
    for twice in [r#""x":"AA","#, r#""\u0078":"AA","#, r#""note":{"a":1,"a":2},"#] {
        let header = format!(r#"{{"alg":"ES256","jwk":{{{twice}{}}}"#, &jwk[1..]);
        let token = signed(header.as_bytes(), b"{}", signer(Algorithm::Es256));
        let mut buffer = DecodeBuffer::new();
        let parsed = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer);
        assert_eq!(parsed.err(), Some(JwsError::DuplicateHeaderName), "{twice}");
    }
}

#[test]
fn one_that_carries_none_has_none() {
    let header = br#"{"alg":"ES256","kid":"a","x5c":[],"jku":"https://idp.example/keys"}"#;
    assert!(embedded(&signed(header, b"{}", signer(Algorithm::Es256))).unwrap().is_none());
    assert!(embedded(&carrying(Algorithm::Es256, &Value::Null)).unwrap().is_none());
}
