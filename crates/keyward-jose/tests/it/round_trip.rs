//! What we sign, we verify; what we store, we read back.

use keyward_jose::{
    Algorithm, DecodeBuffer, Jws, KeyType, LocalSigner, SignatureError, Signer, SigningKeyError, UnusableKey,
    VerificationKey, sign_compact,
};

use crate::support::{KEYS, OTHER_SIGNERS, SECRET, SIGNERS, from_base64url, ready, sign, signer, verifier};

#[test]
fn each_algorithm_verifies_what_it_signed() {
    assert_eq!(SIGNERS.len(), 13);
    for signer in &*SIGNERS {
        let token = ready(sign_compact(signer, Some("at+jwt"), b"{\"sub\":\"alice\"}")).unwrap();
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
        assert_eq!(jws.header().algorithm(), signer.algorithm());
        assert_eq!(jws.header().kid(), signer.kid());
        assert!(jws.header().is_type("application/at+jwt"));
        let verified = jws.verify(&verifier(signer)).unwrap();
        assert_eq!(verified.algorithm(), signer.algorithm());
        assert_eq!(verified.payload(), b"{\"sub\":\"alice\"}");
    }
}

#[test]
fn no_key_verifies_what_another_signed() {
    for signer in &*SIGNERS {
        let signature = sign(signer, b"message");
        for other in SIGNERS.iter().chain(&*OTHER_SIGNERS) {
            if std::ptr::eq(signer, other) || (other.public_jwk().is_none() && !same_secret(other)) {
                continue;
            }
            let result = verifier(other).verify(signer.algorithm(), b"message", &signature);
            let expected = if other.algorithm() == signer.algorithm() {
                SignatureError::Invalid
            } else {
                SignatureError::AlgorithmMismatch
            };
            assert_eq!(result, Err(expected), "{} with {}", signer.algorithm(), other.algorithm());
        }
    }
}

/// Whether `verifier` would make this HMAC signer's own key: it always makes that of `SECRET`.
fn same_secret(other: &LocalSigner) -> bool {
    SIGNERS.iter().any(|signer| std::ptr::eq(signer, other))
}

#[test]
fn a_key_without_alg_serves_what_its_type_and_curve_allow_and_no_more() {
    for signer in SIGNERS.iter().filter(|signer| signer.algorithm().key_type() != KeyType::Oct) {
        let key = VerificationKey::from_jwk(crate::support::bare_jwk(signer).to_string().as_bytes()).unwrap();
        let expected: Vec<_> = match signer.algorithm().key_type() {
            KeyType::Rsa => {
                Algorithm::ALL.into_iter().filter(|served| served.key_type() == KeyType::Rsa).collect()
            }
            _ => vec![signer.algorithm()],
        };
        assert_eq!(key.algorithms().iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_private_key_survives_pkcs8() {
    for signer in SIGNERS.iter().filter(|signer| signer.algorithm().key_type() != KeyType::Oct) {
        let der = signer.to_pkcs8().unwrap();
        let again = LocalSigner::from_pkcs8(signer.algorithm(), signer.kid(), &der).unwrap();
        assert_eq!(again.public_jwk(), signer.public_jwk());
        assert_eq!(*again.to_pkcs8().unwrap(), *der, "one text for one key");
        let signature = sign(&again, b"message");
        assert_eq!(verifier(signer).verify(signer.algorithm(), b"message", &signature), Ok(()));
    }
}

#[test]
fn a_private_key_is_only_read_as_what_it_is() {
    for signer in SIGNERS.iter().filter(|signer| signer.algorithm().key_type() != KeyType::Oct) {
        let der = signer.to_pkcs8().unwrap();
        for algorithm in Algorithm::ALL {
            let same_kind = algorithm == signer.algorithm()
                || (algorithm.key_type() == KeyType::Rsa && signer.algorithm().key_type() == KeyType::Rsa);
            let expected = match algorithm.key_type() {
                KeyType::Oct => Err(SigningKeyError::AlgorithmMismatch),
                _ if same_kind => Ok(()),
                _ => Err(SigningKeyError::Pkcs8),
            };
            let result = LocalSigner::from_pkcs8(algorithm, None, &der).map(|_| ());
            assert_eq!(result, expected, "{} as {algorithm}", signer.algorithm());
        }
        for end in [0, 1, der.len() / 2, der.len() - 1] {
            assert!(LocalSigner::from_pkcs8(signer.algorithm(), None, &der[..end]).is_err());
        }
    }
}

#[test]
fn a_secret_is_neither_published_nor_exported() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let signer = signer(algorithm);
        assert_eq!(signer.public_jwk(), None);
        assert_eq!(signer.to_pkcs8().map(|_| ()), Err(SigningKeyError::AlgorithmMismatch));
        assert_eq!(verifier(signer).thumbprint(), None);
        for debug in [format!("{signer:?}"), format!("{:?}", verifier(signer))] {
            assert!(!debug.contains("public knowledge") && !debug.contains("97, 32"), "{debug}");
        }
    }
}

#[test]
fn an_hmac_key_is_made_from_a_secret_only() {
    let generated = LocalSigner::generate(Algorithm::Hs256, None).map(|_| ());
    assert_eq!(generated, Err(SigningKeyError::AlgorithmMismatch));
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_type() != KeyType::Oct) {
        let result = LocalSigner::from_secret(algorithm, None, SECRET).map(|_| ());
        assert_eq!(result, Err(UnusableKey::AlgorithmUnsupported), "{algorithm}");
    }
}

#[test]
fn a_published_key_holds_no_private_member() {
    for signer in SIGNERS.iter().filter(|signer| signer.public_jwk().is_some()) {
        let jwk = serde_json::to_value(signer.public_jwk()).unwrap();
        let mut members: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        members.retain(|member| !["kty", "kid", "alg", "use"].contains(member));
        members.sort_unstable();
        let expected: &[&str] = match signer.algorithm().key_type() {
            KeyType::Ec => &["crv", "x", "y"],
            KeyType::Okp => &["crv", "x"],
            _ => &["e", "n"],
        };
        assert_eq!(members, expected);
    }
}

#[test]
fn an_rsa_key_from_pkcs8_publishes_its_own_modulus() {
    let der = from_base64url(KEYS["rsa_2048"]["pkcs8"].as_str().unwrap());
    let signer = LocalSigner::from_pkcs8(Algorithm::Rs256, None, &der).unwrap();
    let jwk = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    let modulus = from_base64url(jwk["n"].as_str().unwrap());
    assert_eq!(modulus.len(), 256);
    assert!(der.windows(256).any(|window| window == modulus));
}
