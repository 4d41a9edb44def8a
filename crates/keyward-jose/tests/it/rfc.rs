//! The examples of the RFCs, in tests/vectors/rfc.json.

use keyward_jose::{
    Algorithm, AlgorithmSet, DecodeBuffer, Jws, JwsError, LocalSigner, Signer, VerificationKey,
};
use serde_json::Value;

use crate::support::{from_base64url, sign, signed, to_base64url, vectors};

fn rfc() -> Value {
    vectors(include_str!("../vectors/rfc.json"))
}

/// The key of an example, from its public JWK or its secret.
fn key(example: &Value, algorithm: Algorithm) -> VerificationKey {
    match example["secret"].as_str() {
        Some(secret) => {
            let secret = from_base64url(secret);
            VerificationKey::from_secret(&secret, AlgorithmSet::from_iter([algorithm]), None).unwrap()
        }
        None => VerificationKey::from_jwk(example["jwk"].to_string().as_bytes()).unwrap(),
    }
}

#[test]
fn every_signed_example_verifies_and_gives_its_payload() {
    let rfc = rfc();
    let examples = rfc["signed"].as_array().unwrap();
    for example in examples {
        let source = example["source"].as_str().unwrap();
        let algorithm = Algorithm::from_name(example["alg"].as_str().unwrap()).unwrap();
        let token = example["token"].as_str().unwrap();
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
        assert_eq!(jws.header().algorithm(), algorithm, "{source}");
        let verified =
            jws.verify(&key(example, algorithm)).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(verified.payload(), from_base64url(example["payload"].as_str().unwrap()), "{source}");
    }
    let mut sources: Vec<_> = examples.iter().map(|example| example["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    assert_eq!(
        sources,
        [
            "RFC 7515 appendix A.1",
            "RFC 7515 appendix A.2",
            "RFC 7515 appendix A.3",
            "RFC 7515 appendix A.4",
            "RFC 7520 section 4.1",
            "RFC 7520 section 4.2",
            "RFC 7520 section 4.3",
            "RFC 7520 section 4.4",
            "RFC 8037 appendix A.4 and A.5",
        ]
    );
}

#[test]
fn no_example_verifies_with_the_key_of_another() {
    let rfc = rfc();
    let examples = rfc["signed"].as_array().unwrap();
    // RFC 7520 signs its first two examples with one key, which serves RS256 and PS384.
    let key_text = |example: &Value| format!("{}{}", example["jwk"], example["secret"]);
    for (example, other) in examples.iter().flat_map(|a| examples.iter().map(move |b| (a, b))) {
        if key_text(example) == key_text(other) {
            continue;
        }
        let key = key(other, Algorithm::from_name(other["alg"].as_str().unwrap()).unwrap());
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(example["token"].as_str().unwrap().as_bytes(), 4096, &mut buffer).unwrap();
        assert!(jws.verify(&key).is_err(), "{} with the key of {}", example["source"], other["source"]);
    }
}

#[test]
fn the_unsecured_example_is_refused() {
    let rfc = rfc();
    let token = rfc["unsecured"]["token"].as_str().unwrap();
    let mut buffer = DecodeBuffer::new();
    let refusal = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer);
    assert_eq!(refusal.err(), Some(JwsError::UnsupportedAlgorithm));
}

#[test]
fn thumbprints_are_those_of_the_examples() {
    let rfc = rfc();
    let examples = rfc["thumbprints"].as_array().unwrap();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let key = VerificationKey::from_jwk(example["jwk"].to_string().as_bytes()).unwrap();
        assert_eq!(key.thumbprint().unwrap().to_string(), example["thumbprint"].as_str().unwrap());
    }
}

/// RFC 8037 appendix A.1 to A.4: the private key gives the public one, its thumbprint and, Ed25519 being
/// deterministic, the very token of the example.
#[test]
fn the_ed25519_private_key_makes_the_public_key_and_the_token_of_the_examples() {
    let rfc = rfc();
    let private = &rfc["private_ed25519"];
    // PKCS#8 of an Ed25519 seed (RFC 8410 section 7).
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend(from_base64url(private["d"].as_str().unwrap()));
    let signer = LocalSigner::from_pkcs8(Algorithm::EdDsa, None, &der).unwrap();

    let jwk = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    assert_eq!(jwk["x"], private["x"]);
    assert_eq!(signer.kid(), rfc["thumbprints"][1]["thumbprint"].as_str());

    let example = rfc["signed"].as_array().unwrap().iter().find(|example| example["alg"] == "EdDSA").unwrap();
    let token = signed(br#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing", &signer);
    assert_eq!(token, example["token"].as_str().unwrap());
}

/// HMAC is deterministic too: RFC 7515 appendix A.1.
#[test]
fn the_hmac_secret_makes_the_signature_of_the_example() {
    let rfc = rfc();
    let example = &rfc["signed"][0];
    let secret = from_base64url(example["secret"].as_str().unwrap());
    let signer = LocalSigner::from_secret(Algorithm::Hs256, None, &secret).unwrap();
    let (input, signature) = example["token"].as_str().unwrap().rsplit_once('.').unwrap();
    assert_eq!(to_base64url(&sign(&signer, input.as_bytes())), signature);
}
