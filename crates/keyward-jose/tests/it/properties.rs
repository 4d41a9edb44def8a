//! What holds for every input, tried on many.

use keyward_jose::{
    Algorithm, DecodeBuffer, JwkSet, JwkSetLimits, Jws, KeyType, LocalSigner, Signer, VerificationKey,
    sign_compact,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::{
    OTHER_SIGNERS, Outcome, SIGNERS, attempt, from_base64url, ready, sign, signed, signer, to_base64url,
    verifier,
};

/// Every bit of a token counts: there is no part of it that may be changed and verify still.
#[test]
fn a_token_with_any_one_bit_flipped_is_refused() {
    for signer in &*SIGNERS {
        let key = verifier(signer);
        let header = format!(r#"{{"alg":"{}"}}"#, signer.algorithm());
        let token = signed(header.as_bytes(), br#"{"sub":"a"}"#, signer).into_bytes();
        assert_eq!(attempt(&token, &key), Outcome::Verified);
        for bit in 0..token.len() * 8 {
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(attempt(&flipped, &key), Outcome::Verified, "{}, bit {bit}", signer.algorithm());
        }
    }
}

/// The same below base64: every bit of the decoded signature counts.
#[test]
fn a_signature_with_any_one_bit_flipped_is_refused() {
    for signer in &*SIGNERS {
        let key = verifier(signer);
        let good = sign(signer, b"message");
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(key.verify(signer.algorithm(), b"message", &flipped).is_err(), "{}", signer.algorithm());
        }
    }
}

/// Texts that are closer to a header than random octets are.
fn headerish() -> impl Strategy<Value = Vec<u8>> {
    let member = select(vec![
        r#""alg":"HS256""#,
        r#""alg":"none""#,
        r#""al\u0067":"RS256""#,
        r#""kid":"k""#,
        r#""kid":null"#,
        r#""typ":"JWT""#,
        r#""crit":["exp"]"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""x":{"x":[1e9,{}]}"#,
        r#""":"""#,
        r#""jwk":{"kty":"oct"}"#,
        r#""\ud83d\ude00":"é""#,
        "",
        "{",
        "0",
    ]);
    prop_oneof![
        prop::collection::vec(member, 0..5)
            .prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn any_signer() -> impl Strategy<Value = &'static LocalSigner> {
    (0..SIGNERS.len()).prop_map(|index| &SIGNERS[index])
}

proptest! {
    #[test]
    fn arbitrary_octets_never_verify(token in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_ne!(attempt(&token, &verifier(signer(Algorithm::Hs256))), Outcome::Verified);
    }

    /// What parses is what its text says: encoding the parts again gives the same token, and an independent
    /// reading of the header agrees.
    #[test]
    fn what_parses_encodes_to_the_same_token(
        header in headerish(),
        payload in prop::collection::vec(any::<u8>(), 0..40),
        signature in prop::collection::vec(any::<u8>(), 0..70),
    ) {
        let token = [&header, &payload, &signature].map(|part| to_base64url(part)).join(".");
        let mut buffer = DecodeBuffer::new();
        let independent = serde_json::from_slice::<serde_json::Value>(&header).ok();
        match Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer) {
            Ok(jws) => {
                let independent = independent.unwrap();
                prop_assert_eq!(jws.dangerous_unverified_payload(), payload);
                prop_assert_eq!(Some(jws.header().algorithm().name()), independent["alg"].as_str());
                prop_assert_eq!(jws.header().kid(), independent["kid"].as_str());
                prop_assert_eq!(jws.header().typ(), independent["typ"].as_str());
                prop_assert!(independent.get("crit").is_none());
                prop_assert!(independent["b64"] != false);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// Deleted, inserted, replaced or repeated: a token that is not the token does not verify.
    #[test]
    fn an_edited_token_is_refused(
        signer in any_signer(),
        at in any::<Index>(),
        length in 0..6_usize,
        new in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            prop::collection::vec(select(b"AQgw0-_.=+/ \n".to_vec()), 0..6),
        ],
    ) {
        let token = ready(sign_compact(signer, Some("JWT"), br#"{"sub":"a"}"#)).unwrap().into_bytes();
        let start = at.index(token.len());
        let mut edited = token.clone();
        edited.splice(start..(start + length).min(token.len()), new);
        let outcome = attempt(&edited, &verifier(signer));
        prop_assert_eq!(outcome == Outcome::Verified, edited == token);
    }

    /// Nor do parts of one token verify in another.
    #[test]
    fn parts_of_two_tokens_make_no_third(signer in any_signer(), mixture in 1..7_u8) {
        let one = signed(format!(r#"{{"alg":"{}"}}"#, signer.algorithm()).as_bytes(), b"one", signer);
        let two = signed(format!(r#"{{"alg":"{}","kid":"2"}}"#, signer.algorithm()).as_bytes(), b"two", signer);
        let parts: Vec<_> = (0..)
            .zip(one.split('.').zip(two.split('.')))
            .map(|(place, (one, two))| if mixture >> place & 1 == 1 { two } else { one })
            .collect();
        prop_assert_ne!(attempt(parts.join(".").as_bytes(), &verifier(signer)), Outcome::Verified);
    }

    #[test]
    fn what_is_signed_is_verified_with_its_header_and_payload(
        signer in any_signer(),
        typ in prop::option::of(".{0,20}"),
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let token = ready(sign_compact(signer, typ.as_deref(), &payload)).unwrap();
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
        prop_assert_eq!(jws.header().typ(), typ.as_deref());
        prop_assert_eq!(jws.header().kid(), signer.kid());
        prop_assert_eq!(jws.verify(&verifier(signer)).unwrap().payload(), payload);
        let other = OTHER_SIGNERS.iter().find(|other| other.algorithm() == signer.algorithm()).unwrap();
        if other.public_jwk().is_some() {
            prop_assert!(jws.verify(&verifier(other)).is_err());
        }
    }

    #[test]
    fn arbitrary_octets_are_no_key_and_no_set(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(VerificationKey::from_jwk(&octets).is_err());
        prop_assert!(JwkSet::parse(&octets, JwkSetLimits::default()).is_err());
    }

    /// A published key with one octet of its text replaced is the same key, another key or none, and what
    /// the first one signed only ever verifies with the same key.
    #[test]
    fn a_damaged_jwk_is_never_mistaken(signer in any_signer(), at in any::<Index>(), octet in any::<u8>()) {
        prop_assume!(signer.algorithm().key_type() != KeyType::Oct);
        let jwk = signer.public_jwk().unwrap();
        let mut text = serde_json::to_vec(jwk).unwrap();
        *at.get_mut(&mut text) = octet;
        if let Ok(key) = VerificationKey::from_jwk(&text) {
            let same = key.thumbprint() == Some(jwk.thumbprint());
            let token = ready(sign_compact(signer, None, b"")).unwrap();
            let verified = attempt(token.as_bytes(), &key) == Outcome::Verified;
            prop_assert_eq!(verified, same && key.serves(signer.algorithm()));
        }
    }

    /// RFC 7638: the thumbprint is of the required members alone, whatever their order and company.
    #[test]
    fn a_thumbprint_does_not_depend_on_order_or_company(signer in any_signer(), order in any::<u64>()) {
        prop_assume!(signer.algorithm().key_type() != KeyType::Oct);
        let value = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
        let mut members: Vec<_> = value.as_object().unwrap().iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        members.push(r#""x5t":"AAAA""#.to_owned());
        let turn = order as usize % members.len();
        members.rotate_left(turn);
        if order >> 32 & 1 == 1 {
            members.reverse();
        }
        let key = VerificationKey::from_jwk(format!("{{{}}}", members.join(", ")).as_bytes()).unwrap();
        prop_assert_eq!(key.thumbprint(), Some(signer.public_jwk().unwrap().thumbprint()));
        let thumbprint = key.thumbprint().unwrap();
        prop_assert_eq!(from_base64url(&thumbprint.to_string()), thumbprint.as_bytes());
    }
}
