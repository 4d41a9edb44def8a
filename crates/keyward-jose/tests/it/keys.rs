//! JWKs that must not become keys, each with its reason, and sets of them.

use keyward_jose::{
    Algorithm, AlgorithmSet, JwkSet, JwkSetError, JwkSetLimits, KeyType, LocalSigner, SignatureError, Signer,
    SigningKeyError, UnusableKey, VerificationKey,
};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::support::{
    KEYS, Noise, OTHER_SIGNERS, SECRET, SIGNERS, bare_jwk, from_base64url, sign, signer, to_base64url, with,
    without,
};

use UnusableKey::*;

fn rsa() -> Value {
    bare_jwk(signer(Algorithm::Rs256))
}

fn p256() -> Value {
    bare_jwk(signer(Algorithm::Es256))
}

fn ed25519() -> Value {
    bare_jwk(signer(Algorithm::EdDsa))
}

fn from_jwk(jwk: &Value) -> Result<VerificationKey, UnusableKey> {
    VerificationKey::from_jwk(jwk.to_string().as_bytes())
}

/// An RSA JWK of these numbers.
fn rsa_of(n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "n": to_base64url(n), "e": to_base64url(e)})
}

/// An odd number of exactly so many bits.
fn number(bits: usize, noise: &mut Noise) -> Vec<u8> {
    let mut octets = noise.octets(bits.div_ceil(8));
    let top = (bits - 1) % 8;
    octets[0] = octets[0] & ((1 << top) - 1) | 1 << top;
    *octets.last_mut().unwrap() |= 1;
    octets
}

/// Jwks that are spoiled, with a name and what must be said of them.
fn bad_jwks() -> Vec<(&'static str, String, UnusableKey)> {
    let noise = &mut Noise(7);
    let n = from_base64url(rsa()["n"].as_str().unwrap());
    let x = from_base64url(p256()["x"].as_str().unwrap());
    let y = from_base64url(p256()["y"].as_str().unwrap());
    let okp = from_base64url(ed25519()["x"].as_str().unwrap());
    let f3 = [1, 0, 1];
    let off = |octets: &[u8]| {
        let mut octets = octets.to_vec();
        octets[5] ^= 1;
        to_base64url(&octets)
    };
    let zero_before = |octets: &[u8]| to_base64url(&[&[0], octets].concat());
    let mut bad: Vec<(&str, Value, UnusableKey)> = vec![
        ("no kty", without(rsa(), "kty"), MemberMissing { member: "kty" }),
        ("kty empty", with(rsa(), "kty", ""), TypeUnsupported),
        ("kty in another case", with(rsa(), "kty", "rsa"), TypeUnsupported),
        ("kty AKP", json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA"}), TypeUnsupported),
        ("kty of the future", json!({"kty": "XYZ"}), TypeUnsupported),
        ("kty a number", with(rsa(), "kty", 1), Malformed),
        ("kty null", with(rsa(), "kty", Value::Null), MemberMissing { member: "kty" }),
        ("oct", json!({"kty": "oct", "k": to_base64url(SECRET)}), SymmetricInPublicSet),
        ("oct without k", json!({"kty": "oct"}), SymmetricInPublicSet),
        ("a string", json!("RSA"), Malformed),
        ("a number", json!(7), Malformed),
        ("null", Value::Null, Malformed),
        ("an empty array", json!([]), Malformed),
        ("a key in an array", json!([rsa()]), Malformed),
        ("an empty object", json!({}), MemberMissing { member: "kty" }),
        // RSA
        ("no n", without(rsa(), "n"), MemberMissing { member: "n" }),
        ("no e", without(rsa(), "e"), MemberMissing { member: "e" }),
        ("n empty", with(rsa(), "n", ""), ModulusSize { bits: 0 }),
        ("n zero", rsa_of(&[0; 256], &f3), ModulusSize { bits: 0 }),
        ("n a number", with(rsa(), "n", 65_537), Malformed),
        ("n an array", with(rsa(), "n", json!(["AQAB"])), Malformed),
        ("n padded", with(rsa(), "n", format!("{}==", rsa()["n"].as_str().unwrap())), bad_text("n")),
        ("n in base64", with(rsa(), "n", base64_simd::STANDARD.encode_to_string(&n)), bad_text("n")),
        ("n in lines", with(rsa(), "n", rsa()["n"].as_str().unwrap().replacen('-', "-\n", 1)), bad_text("n")),
        ("n with bits left over", with(rsa(), "n", bits_left_over(&n)), bad_text("n")),
        ("e with bits left over", with(rsa(), "e", "Ax"), bad_text("e")),
        ("512 bits", rsa_of(&number(512, noise), &f3), ModulusSize { bits: 512 }),
        ("1024 bits", rsa_of(&number(1_024, noise), &f3), ModulusSize { bits: 1_024 }),
        ("2047 bits", rsa_of(&number(2_047, noise), &f3), ModulusSize { bits: 2_047 }),
        (
            "2047 bits with zeros before",
            rsa_of(&[&[0; 8], number(2_047, noise).as_slice()].concat(), &f3),
            ModulusSize { bits: 2_047 },
        ),
        ("8193 bits", rsa_of(&number(8_193, noise), &f3), ModulusSize { bits: 8_193 }),
        ("100,000 bits", rsa_of(&number(100_000, noise), &f3), ModulusSize { bits: 100_000 }),
        ("e empty", rsa_of(&n, &[]), ExponentInvalid),
        ("e 0", rsa_of(&n, &[0]), ExponentInvalid),
        ("e 1", rsa_of(&n, &[1]), ExponentInvalid),
        ("e 1 with zeros before", rsa_of(&n, &[0, 0, 0, 1]), ExponentInvalid),
        ("e 2", rsa_of(&n, &[2]), ExponentInvalid),
        ("e 65536", rsa_of(&n, &[1, 0, 0]), ExponentInvalid),
        ("e of 34 bits", rsa_of(&n, &[2, 0, 0, 0, 1]), ExponentInvalid),
        ("e of 64 bits", rsa_of(&n, &number(64, noise)), ExponentInvalid),
        ("e as large as n", rsa_of(&n, &n), ExponentInvalid),
        ("n and e swapped", rsa_of(&f3, &n), ModulusSize { bits: 17 }),
        ("an even modulus", rsa_of(&[&n[..255], &[2]].concat(), &f3), ModulusEven),
        ("ROCA", with(rsa(), "n", KEYS["rsa_2048_roca"]["n"].clone()), RocaModulus),
        // EC
        ("no crv", without(p256(), "crv"), MemberMissing { member: "crv" }),
        ("no x", without(p256(), "x"), MemberMissing { member: "x" }),
        ("no y", without(p256(), "y"), MemberMissing { member: "y" }),
        ("secp256k1", with(p256(), "crv", "secp256k1"), CurveUnsupported),
        ("P-256K", with(p256(), "crv", "P-256K"), CurveUnsupported),
        ("P-192", with(p256(), "crv", "P-192"), CurveUnsupported),
        ("p-256", with(p256(), "crv", "p-256"), CurveUnsupported),
        ("Ed25519 under EC", with(p256(), "crv", "Ed25519"), CurveUnsupported),
        ("crv null", with(p256(), "crv", Value::Null), MemberMissing { member: "crv" }),
        ("x a number", with(p256(), "x", 4), Malformed),
        ("x not on the curve", with(p256(), "x", off(&x)), PointInvalid),
        ("y not on the curve", with(p256(), "y", off(&y)), PointInvalid),
        ("x and y swapped", with(with(p256(), "x", to_base64url(&y)), "y", to_base64url(&x)), PointInvalid),
        (
            "the origin",
            with(with(p256(), "x", to_base64url(&[0; 32])), "y", to_base64url(&[0; 32])),
            PointInvalid,
        ),
        ("x empty", with(p256(), "x", ""), PointInvalid),
        ("x too short", with(p256(), "x", to_base64url(&x[1..])), PointInvalid),
        ("x too long", with(p256(), "x", zero_before(&x)), PointInvalid),
        ("y too long", with(p256(), "y", zero_before(&y)), PointInvalid),
        ("x with the first octet of y", moved(&x, &y, 1), PointInvalid),
        ("y with the last octet of x", moved(&x, &y, -1), PointInvalid),
        ("x at least the prime", with(p256(), "x", to_base64url(&[0xff; 32])), PointInvalid),
        ("x compressed, no y", with(p256(), "y", ""), PointInvalid),
        ("P-256 as P-384", with(p256(), "crv", "P-384"), PointInvalid),
        ("P-384 as P-256", with(bare_jwk(signer(Algorithm::Es384)), "crv", "P-256"), PointInvalid),
        ("x padded", with(p256(), "x", format!("{}=", to_base64url(&x))), bad_text("x")),
        ("x with bits left over", with(p256(), "x", bits_left_over(&x)), bad_text("x")),
        ("y in hex and dashes", with(p256(), "y", "00:11"), bad_text("y")),
        // OKP
        ("no x of Ed25519", without(ed25519(), "x"), MemberMissing { member: "x" }),
        ("X25519", with(ed25519(), "crv", "X25519"), CurveUnsupported),
        ("Ed448", with(ed25519(), "crv", "Ed448"), CurveUnsupported),
        ("P-256 under OKP", with(p256(), "kty", "OKP"), CurveUnsupported),
        ("Ed25519 too short", with(ed25519(), "x", to_base64url(&okp[1..])), PointInvalid),
        ("Ed25519 too long", with(ed25519(), "x", zero_before(&okp)), PointInvalid),
        ("Ed25519 empty", with(ed25519(), "x", ""), PointInvalid),
        ("Ed25519 with bits left over", with(ed25519(), "x", bits_left_over(&okp)), bad_text("x")),
        // Purpose
        ("use enc", with(rsa(), "use", "enc"), NotForVerification),
        ("use Sig", with(rsa(), "use", "Sig"), NotForVerification),
        ("use empty", with(rsa(), "use", ""), NotForVerification),
        ("use an array", with(rsa(), "use", json!(["sig"])), Malformed),
        ("key_ops empty", with(rsa(), "key_ops", json!([])), NotForVerification),
        ("key_ops sign", with(rsa(), "key_ops", json!(["sign"])), NotForVerification),
        (
            "key_ops encrypt, wrapKey",
            with(rsa(), "key_ops", json!(["encrypt", "wrapKey"])),
            NotForVerification,
        ),
        ("key_ops Verify", with(rsa(), "key_ops", json!(["Verify"])), NotForVerification),
        ("key_ops a text", with(rsa(), "key_ops", "verify"), Malformed),
        ("key_ops of numbers", with(rsa(), "key_ops", json!([1])), Malformed),
        (
            "use sig, key_ops encrypt",
            with(with(rsa(), "use", "sig"), "key_ops", json!(["encrypt"])),
            NotForVerification,
        ),
        // Algorithm
        ("alg unknown", with(rsa(), "alg", "RS257"), AlgorithmUnsupported),
        ("alg none", with(rsa(), "alg", "none"), AlgorithmUnsupported),
        ("alg empty", with(rsa(), "alg", ""), AlgorithmUnsupported),
        ("alg of encryption", with(rsa(), "alg", "RSA-OAEP-256"), AlgorithmUnsupported),
        ("alg HS256 for RSA", with(rsa(), "alg", "HS256"), AlgorithmUnsupported),
        ("alg ES256 for RSA", with(rsa(), "alg", "ES256"), AlgorithmUnsupported),
        ("alg HS256 for P-256", with(p256(), "alg", "HS256"), AlgorithmUnsupported),
        ("alg ES384 for P-256", with(p256(), "alg", "ES384"), AlgorithmUnsupported),
        ("alg ES256 for Ed25519", with(ed25519(), "alg", "ES256"), AlgorithmUnsupported),
        ("alg EdDSA for P-256", with(p256(), "alg", "EdDSA"), AlgorithmUnsupported),
        ("alg a number", with(rsa(), "alg", 256), Malformed),
        ("kid a number", with(rsa(), "kid", 1), Malformed),
    ];
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        bad.push(("a private member", with(rsa(), member, "AQAB"), PrivateMembers));
        bad.push(("a private member of any type", with(p256(), member, json!([1])), PrivateMembers));
        bad.push(("an empty private member", with(ed25519(), member, ""), PrivateMembers));
    }
    let mut bad: Vec<_> =
        bad.into_iter().map(|(name, jwk, reason)| (name, jwk.to_string(), reason)).collect();
    let n = rsa()["n"].to_string();
    bad.extend([
        ("n twice", format!(r#"{{"kty":"RSA","n":{n},"e":"AQAB","n":{n}}}"#), DuplicateMember),
        ("kty twice", format!(r#"{{"kty":"oct","kty":"RSA","n":{n},"e":"AQAB"}}"#), DuplicateMember),
        ("kty twice by escape", format!(r#"{{"kty":"RSA","n":{n},"e":"AQAB","\u006bty":"RSA"}}"#), DuplicateMember),
        ("unknown twice", format!(r#"{{"kty":"RSA","n":{n},"e":"AQAB","z":0,"z":0}}"#), DuplicateMember),
        ("twice inside", format!(r#"{{"kty":"RSA","n":{n},"e":"AQAB","z":{{"a":0,"a":0}}}}"#), DuplicateMember),
        ("d twice, null last", format!(r#"{{"kty":"RSA","n":{n},"e":"AQAB","d":"","d":null}}"#), DuplicateMember),
        ("lone surrogate", format!(r#"{{"kty":"RSA","n":{n},"e":"AQAB","kid":"\ud800"}}"#), Malformed),
        ("too deep", format!(r#"{{"z":{}0{}}}"#, "[".repeat(200), "]".repeat(200)), Malformed),
        (
            "the members as an array",
            format!(
                r#"["RSA",null,null,null,null,null,null,null,{n},"AQAB",null,null,null,null,null,null,null,null]"#
            ),
            Malformed,
        ),
    ]);
    bad
}

/// A P-256 key whose coordinates are right side by side, and cut an octet too far right or left.
fn moved(x: &[u8], y: &[u8], by: isize) -> Value {
    let point = [x, y].concat();
    let (x, y) = point.split_at(x.len().checked_add_signed(by).unwrap());
    with(with(p256(), "x", to_base64url(x)), "y", to_base64url(y))
}

fn bad_text(member: &'static str) -> UnusableKey {
    BadBase64Url { member }
}

/// The text of `octets` with one of the bits that stand for nothing set.
fn bits_left_over(octets: &[u8]) -> String {
    assert_ne!(octets.len() % 3, 0);
    let mut text = to_base64url(octets).into_bytes();
    // A canonical text ends on a letter whose value is a multiple of 4: the next one is its neighbour.
    *text.last_mut().unwrap() += 1;
    String::from_utf8(text).unwrap()
}

#[test]
fn a_bad_jwk_is_refused_with_its_reason() {
    for (name, jwk, reason) in bad_jwks() {
        let result = VerificationKey::from_jwk(jwk.as_bytes()).map(|key| format!("{key:?}"));
        assert_eq!(result, Err(reason), "{name}");
    }
}

#[test]
fn a_reason_says_nothing_of_the_key() {
    for (_, jwk, reason) in bad_jwks() {
        for text in [reason.to_string(), format!("{reason:?}"), reason.label().to_owned()] {
            assert!(text.len() < 80 && !jwk.contains(&text), "{text}");
        }
    }
}

#[test]
fn what_is_odd_and_harmless_is_a_key() {
    let n = from_base64url(rsa()["n"].as_str().unwrap());
    let odd = [
        ("a leading zero in n and e", rsa_of(&[&[0], n.as_slice()].concat(), &[0, 1, 0, 1])),
        ("e 3", rsa_of(&n, &[3])),
        ("e of 33 bits", rsa_of(&n, &[1, 0, 0, 0, 1])),
        ("key_ops verify among others", with(rsa(), "key_ops", json!(["encrypt", "verify"]))),
        ("use and key_ops", with(with(rsa(), "use", "sig"), "key_ops", json!(["verify"]))),
        ("certificates and other members", with(with(rsa(), "x5c", json!(["AAAA"])), "x5u", 7)),
        ("optional members null", {
            ["kid", "alg", "use", "key_ops", "d"].into_iter().fold(rsa(), |jwk, m| with(jwk, m, Value::Null))
        }),
        ("members of another type", with(with(rsa(), "crv", "P-256"), "x", "AAAA")),
        ("Ed25519 under its newer name", with(ed25519(), "alg", "Ed25519")),
        ("Ed25519 under its older name", with(ed25519(), "alg", "EdDSA")),
    ];
    for (name, jwk) in odd {
        assert!(from_jwk(&jwk).is_ok(), "{name}: {:?}", from_jwk(&jwk));
    }
    let leading = from_jwk(&rsa_of(&[&[0], n.as_slice()].concat(), &[0, 1, 0, 1])).unwrap();
    assert_eq!(leading.thumbprint(), from_jwk(&rsa()).unwrap().thumbprint());
    assert_eq!(leading.bits(), 2048);
}

/// Points of order 1, 2, 4 and 8, in every encoding: with such a key R = A, S = 0 or the like would sign
/// every message.
#[test]
fn an_ed25519_key_of_small_order_is_refused() {
    let mut checked = 0;
    for low in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        for sign in [0, 0x80] {
            let mut point: Vec<_> =
                (0..32).map(|at| u8::from_str_radix(&low[at * 2..at * 2 + 2], 16).unwrap()).collect();
            point[31] |= sign;
            let jwk = with(ed25519(), "x", to_base64url(&point));
            assert_eq!(from_jwk(&jwk).map(|_| ()), Err(PointInvalid), "{low} {sign:x}");
            checked += 1;
        }
    }
    assert_eq!(checked, 14);
}

/// aws-lc does not look whether an Ed25519 key is on the curve before it checks a signature. It then refuses
/// all of them, so such a key is dead weight in a set, not a danger.
#[test]
fn an_ed25519_key_off_the_curve_verifies_nothing() {
    for y in [2, 7, 8, 11, 12, 13, 17] {
        let mut point = [0; 32];
        point[0] = y;
        let Ok(key) = from_jwk(&with(ed25519(), "x", to_base64url(&point))) else { continue };
        let low = [[1].as_slice(), &[0; 63]].concat();
        for signature in
            [[0; 64].to_vec(), [point, point].concat(), low, sign(signer(Algorithm::EdDsa), b"m")]
        {
            assert_eq!(key.verify(Algorithm::EdDsa, b"m", &signature), Err(SignatureError::Invalid));
        }
    }
}

#[test]
fn the_roca_check_finds_the_flawed_and_passes_thousands_of_sound_moduli() {
    // 65537^128 is the simplest number of the form k*M + (65537^a mod M): a 1, then 2^16 shifts of rows of
    // Pascal's triangle. Its powers are not products of two primes, but the fingerprint does not ask.
    for power in [128, 200, 384] {
        let n = power_of_65537(power);
        assert_eq!(from_jwk(&rsa_of(&n, &[1, 0, 1])).map(|_| ()), Err(RocaModulus), "65537^{power}");
    }
    let der = from_base64url(KEYS["rsa_2048_roca"]["pkcs8"].as_str().unwrap());
    let flawed = LocalSigner::from_pkcs8(Algorithm::Rs256, None, &der);
    assert_eq!(flawed.map(|_| ()), Err(SigningKeyError::Unusable(RocaModulus)));

    let noise = &mut Noise(1);
    for round in 0..3_000 {
        let n = number(if round % 2 == 0 { 2_048 } else { 3_072 }, noise);
        assert!(from_jwk(&rsa_of(&n, &[1, 0, 1])).is_ok(), "{n:x?}");
    }
}

/// 65537^power, big-endian: multiplying by 65537 adds the number to itself, shifted by two octets.
fn power_of_65537(power: usize) -> Vec<u8> {
    let mut number = vec![1_u8];
    for _ in 0..power {
        let shifted = [number.as_slice(), &[0, 0]].concat();
        let aligned = [&[0, 0], number.as_slice()].concat();
        let mut carry = 0;
        number = shifted
            .iter()
            .zip(&aligned)
            .rev()
            .map(|(a, b)| {
                let sum = u16::from(*a) + u16::from(*b) + carry;
                carry = sum >> 8;
                sum as u8
            })
            .collect();
        number.extend((carry > 0).then_some(carry as u8));
        number.reverse();
    }
    number
}

#[test]
fn a_secret_is_at_least_as_long_as_its_hash() {
    for (algorithm, octets) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        let only = AlgorithmSet::from_iter([algorithm]);
        for short in [0, 1, 16, octets - 1] {
            let result = VerificationKey::from_secret(&SECRET[..short], only, None);
            assert_eq!(result.map(|_| ()), Err(SecretTooShort), "{algorithm}, {short} octets");
            let result = LocalSigner::from_secret(algorithm, None, &SECRET[..short]);
            assert_eq!(result.map(|_| ()), Err(SecretTooShort), "{algorithm}, {short} octets");
        }
        let key = VerificationKey::from_secret(&SECRET[..octets], only, Some("kid")).unwrap();
        assert_eq!((key.bits(), key.kid(), key.key_type()), (octets * 8, Some("kid"), KeyType::Oct));
    }
    let all = [Algorithm::Hs256, Algorithm::Hs512].into_iter().collect();
    let result = VerificationKey::from_secret(&SECRET[..63], all, None).map(|_| ());
    assert_eq!(result, Err(SecretTooShort), "the longest hash asked for counts");
    for mixed in [AlgorithmSet::EMPTY, [Algorithm::Hs256, Algorithm::Rs256].into_iter().collect()] {
        let result = VerificationKey::from_secret(SECRET, mixed, None).map(|_| ());
        assert_eq!(result, Err(AlgorithmUnsupported));
    }
}

fn parse(json: &str) -> Result<JwkSet, JwkSetError> {
    JwkSet::parse(json.as_bytes(), JwkSetLimits::default())
}

#[test]
fn what_is_no_set_is_refused() {
    let key = rsa().to_string();
    for (name, text) in [
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("an array of keys", format!("[{key}]")),
        ("an array that holds an array of keys", format!("[[{key}]]")),
        ("a key", key.clone()),
        ("keys null", r#"{"keys":null}"#.to_owned()),
        ("keys an object", format!(r#"{{"keys":{{"a":{key}}}}}"#)),
        ("keys a text", r#"{"keys":"[]"}"#.to_owned()),
        ("Keys", format!(r#"{{"Keys":[{key}]}}"#)),
        ("keys twice", format!(r#"{{"keys":[],"keys":[{key}]}}"#)),
        ("keys twice by escape", format!(r#"{{"keys":[],"\u006beys":[{key}]}}"#)),
        ("cut off", format!(r#"{{"keys":[{key}"#)),
        ("something behind", format!(r#"{{"keys":[{key}]}}]"#)),
        ("a second set behind", format!(r#"{{"keys":[]}}{{"keys":[{key}]}}"#)),
        ("a byte order mark before", format!("\u{feff}{{\"keys\":[{key}]}}")),
        ("a web page", "<!DOCTYPE html><title>502 Bad Gateway</title>".to_owned()),
    ] {
        assert_eq!(parse(&text).map(|_| ()), Err(JwkSetError::Malformed), "{name}");
    }
    let latin1 = [b"{\"keys\":[{\"kid\":\"schl\xfcssel\"}]}".as_slice(), b"{\"\xff\":0,\"keys\":[]}"];
    for text in latin1 {
        let result = JwkSet::parse(text, JwkSetLimits::default());
        assert_eq!(result.map(|_| ()), Err(JwkSetError::Malformed), "not UTF-8, so not JSON");
    }
}

#[test]
fn what_is_around_the_keys_does_not_matter() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let key = rsa();
    for text in [
        format!("\n {{ \"keys\" : [ {key} ] }}\r\n"),
        format!(r#"{{"issuer":"x","keys":[{key}],"expires":1e400}}"#),
        format!(r#"{{"deep":{deep},"keys":[{key}]}}"#),
    ] {
        assert_eq!(parse(&text).unwrap().keys().len(), 1);
    }
    let empty = parse(r#"{"keys":[]}"#).unwrap();
    assert!(empty.keys().is_empty() && empty.skipped().is_empty());
}

#[test]
fn a_set_is_bounded_in_keys_and_octets() {
    let set = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; count].join(","));
    assert_eq!(parse(&set(256)).unwrap().skipped().len(), 256);
    assert_eq!(parse(&set(257)).err(), Some(JwkSetError::TooManyKeys { keys: 257, limit: 256 }));
    assert_eq!(parse(&set(100_000)).err(), Some(JwkSetError::TooManyKeys { keys: 100_000, limit: 256 }));

    let padded = |octets: usize| {
        let set = r#"{"keys":[{}]}"#;
        format!("{set}{}", " ".repeat(octets - set.len()))
    };
    assert!(parse(&padded(512 * 1024)).is_ok());
    for octets in [512 * 1024 + 1, 600 * 1024] {
        let expected = JwkSetError::TooLarge { octets, limit: 512 * 1024 };
        assert_eq!(parse(&padded(octets)).err(), Some(expected));
    }
    let limits = JwkSetLimits { octets: 20, keys: 1 };
    assert!(JwkSet::parse(br#"{"keys":[0]}"#, limits).is_ok());
    assert!(JwkSet::parse(br#"{"keys":[0,0]}"#, limits).is_err());
    assert!(JwkSet::parse(br#"{"keys":[0]         }"#, limits).is_err());
}

#[test]
fn a_full_set_of_the_largest_keys_is_read_in_reasonable_time() {
    let noise = &mut Noise(3);
    let keys: Vec<_> =
        (0..256).map(|_| rsa_of(&number(8_192, noise), &[1, 0, 0, 0, 1]).to_string()).collect();
    let text = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    assert_eq!(parse(&text).unwrap().keys().len(), 256);
}

#[test]
fn keys_of_one_kid_are_all_kept_in_order_and_a_key_needs_none() {
    let first = with(rsa(), "kid", "same");
    let second = with(p256(), "kid", "same");
    let text = json!({"keys": [first, second, ed25519(), first]}).to_string();
    let set = parse(&text).unwrap();
    let kids: Vec<_> = set.keys().iter().map(VerificationKey::kid).collect();
    assert_eq!(kids, [Some("same"), Some("same"), None, Some("same")]);
    let types: Vec<_> = set.keys().iter().map(VerificationKey::key_type).collect();
    assert_eq!(types, [KeyType::Rsa, KeyType::Ec, KeyType::Okp, KeyType::Rsa]);
    assert!(set.skipped().is_empty());
}

#[test]
fn a_skipped_key_is_named_where_it_can_be() {
    let text = json!({"keys": [rsa(), with(with(p256(), "kid", "broken"), "crv", "P-000"), "?"]}).to_string();
    let (keys, skipped) = parse(&text).unwrap().into_parts();
    assert_eq!(keys.len(), 1);
    assert_eq!((skipped[0].index, skipped[0].kid.as_deref()), (1, Some("broken")));
    assert_eq!((skipped[0].reason, skipped[1].index, skipped[1].kid.as_deref()), (CurveUnsupported, 2, None));
}

proptest! {
    /// Promise 6: one bad key never costs its neighbours. Any mixture keeps exactly the good ones, in order,
    /// and accounts for each of the others with its reason.
    #[test]
    fn one_bad_key_never_costs_its_neighbours(picks in prop::collection::vec((any::<bool>(), any::<Index>()), 0..30)) {
        let good: Vec<_> = SIGNERS.iter().chain(&*OTHER_SIGNERS).filter_map(Signer::public_jwk).collect();
        let bad = bad_jwks();
        let mut texts = Vec::new();
        let mut expected_keys = Vec::new();
        let mut expected_skipped = Vec::new();
        for (place, (is_good, index)) in picks.into_iter().enumerate() {
            if is_good {
                let jwk = index.get(&good);
                texts.push(serde_json::to_string(jwk).unwrap());
                expected_keys.push((jwk.thumbprint(), jwk.algorithm()));
            } else {
                let (_, text, reason) = index.get(&bad);
                texts.push(text.clone());
                expected_skipped.push((place, *reason));
            }
        }
        let set = parse(&format!(r#"{{"keys":[{}]}}"#, texts.join(","))).unwrap();
        let keys: Vec<_> = set
            .keys()
            .iter()
            .map(|key| (key.thumbprint().unwrap(), key.algorithms().iter().next().unwrap()))
            .collect();
        let skipped: Vec<_> = set.skipped().iter().map(|skipped| (skipped.index, skipped.reason)).collect();
        prop_assert_eq!(keys, expected_keys);
        prop_assert_eq!(skipped, expected_skipped);
    }
}
