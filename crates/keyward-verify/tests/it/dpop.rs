//! DPoP proofs (RFC 9449 §4.3): each check, what tries to get around it, and what it is answered with.

use std::sync::LazyLock;
use std::time::Duration;

use keyward_jose::{Algorithm, AlgorithmSet, DecodeBuffer, JwsError, LocalSigner, UnusableKey};
use keyward_verify::binding::{
    BindingError, BindingSettings, Checked, DpopProof, Presented, ProofError, Proofs, Scheme,
};
use keyward_verify::{Reason, UnixTime};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::proofs::*;
use crate::support::*;

/// What a proof comes to, by default settings at [`START`], for a token that is bound to the client's key.
fn came(jws: &str) -> Result<(), BindingError> {
    let (token, verified) = &*BOUND;
    check_proof_at(START, BindingSettings::default(), token, verified, jws).map(drop)
}

static BOUND: LazyLock<(String, keyward_verify::Verified)> = LazyLock::new(dpop_bound);

fn header() -> Value {
    proof_header(&CLIENT)
}

fn claims() -> Value {
    proof_claims(&BOUND.0)
}

fn by_header(header: &Value) -> Result<(), BindingError> {
    came(&sign_proof(&CLIENT, header, &claims()))
}

fn by_claims(claims: &Value) -> Result<(), BindingError> {
    came(&sign_proof(&CLIENT, &header(), claims))
}

fn by_text(header: &str, claims: &str) -> Result<(), BindingError> {
    came(&sign_parts(&CLIENT, header.as_bytes(), claims.as_bytes()))
}

/// The client's JWK with a member more, or another.
fn jwk_with(name: &str, value: impl Into<Value>) -> Value {
    with(header(), "jwk", with(header()["jwk"].clone(), name, value))
}

#[test]
fn a_good_proof_is_one_in_every_spelling_that_its_rfc_allows() {
    let good = proof(&BOUND.0);
    assert_eq!(came(&good), Ok(()));
    for typ in ["DPOP+JWT", "application/dpop+jwt"] {
        assert_eq!(by_header(&with(header(), "typ", typ)), Ok(()), "{typ}");
    }
    for extra in ["kid", "x5t", "x5c", "jku", "x"] {
        assert_eq!(by_header(&with(header(), extra, "anything")), Ok(()), "{extra} chooses no key");
    }
    for claims in [
        with(claims(), "htu", "HTTPS://api.EXAMPLE:443/orders"),
        with(claims(), "htu", format!("{URI}?page=2#end")),
        with(claims(), "iat", START.wall.0 as f64 + 0.5),
        with(claims(), "jti", "x".repeat(256)),
        with(claims(), "exp", START.wall.0 + 1),
        with(claims(), "nbf", START.wall.0),
        with(claims(), "nonce", "nobody asked for it"),
        with(claims(), "anything", json!({ "else": [1] })),
    ] {
        assert_eq!(by_claims(&claims), Ok(()), "{claims}");
    }
}

#[test]
fn every_algorithm_that_is_asymmetric_serves() {
    for algorithm in AlgorithmSet::asymmetric().iter() {
        let signer = LocalSigner::generate(algorithm, None).unwrap();
        let (token, verified) = verified(&bound_claims(json!({ "jkt": jkt(&signer) })));
        let jws = sign_proof(&signer, &proof_header(&signer), &proof_claims(&token));
        let came = check_proof_at(START, BindingSettings::default(), &token, &verified, &jws);
        assert!(came.is_ok(), "{algorithm}: {came:?}");
        let others = AlgorithmSet::asymmetric().iter().filter(|other| *other != algorithm).collect();
        let settings = BindingSettings { algorithms: others, ..BindingSettings::default() };
        let came = check_proof_at(START, settings, &token, &verified, &jws);
        assert_eq!(came, Err(ProofError::Algorithm.into()), "{algorithm} is not allowed");
    }
}

#[test]
fn a_header_that_is_none_of_a_proof_is_refused() {
    let form = |error: JwsError| BindingError::from(ProofError::Form(error));
    let key = |error: UnusableKey| BindingError::from(ProofError::Key(error));
    let is = |error: ProofError| BindingError::from(error);
    let ours = json!({ "kty": "oct", "k": base64url(SECRET) });
    let rsa = json!({ "kty": "RSA", "e": "AQAB", "n": base64url(&[0xd3; 128]) });
    for (header, error) in [
        (with(header(), "typ", "JWT"), is(ProofError::Type)),
        (with(header(), "typ", "at+jwt"), is(ProofError::Type)),
        (with(header(), "typ", "dpop+jwt "), is(ProofError::Type)),
        (without(header(), "typ"), is(ProofError::Type)),
        (with(header(), "typ", json!(["dpop+jwt"])), form(JwsError::MalformedHeader)),
        (with(header(), "alg", "none"), form(JwsError::UnsupportedAlgorithm)),
        (with(header(), "alg", "ES256K"), form(JwsError::UnsupportedAlgorithm)),
        (with(header(), "alg", "HS256"), is(ProofError::Algorithm)),
        (with(with(header(), "alg", "HS256"), "jwk", ours.clone()), is(ProofError::Algorithm)),
        (with(header(), "alg", "RS256"), is(ProofError::Signature)),
        (with(header(), "alg", "ES384"), is(ProofError::Signature)),
        (without(header(), "alg"), form(JwsError::MalformedHeader)),
        (with(header(), "crit", json!(["jwk"])), form(JwsError::CriticalHeaderUnsupported)),
        (with(header(), "b64", false), form(JwsError::CriticalHeaderUnsupported)),
        (without(header(), "jwk"), is(ProofError::MemberMissing { member: "jwk" })),
        (with(header(), "jwk", Value::Null), is(ProofError::MemberMissing { member: "jwk" })),
        (with(header(), "jwk", "x"), key(UnusableKey::Malformed)),
        (with(header(), "jwk", json!([])), key(UnusableKey::Malformed)),
        (with(header(), "jwk", json!({})), key(UnusableKey::MemberMissing { member: "kty" })),
        (with(header(), "jwk", ours), key(UnusableKey::SymmetricInPublicSet)),
        (with(header(), "jwk", rsa), key(UnusableKey::ModulusSize { bits: 1024 })),
        (jwk_with("d", "AA"), key(UnusableKey::PrivateMembers)),
        (jwk_with("d", Value::Bool(false)), key(UnusableKey::PrivateMembers)),
        (jwk_with("k", "AA"), key(UnusableKey::PrivateMembers)),
        (jwk_with("oth", json!([])), key(UnusableKey::PrivateMembers)),
        (jwk_with("use", "enc"), key(UnusableKey::NotForVerification)),
        (jwk_with("alg", "ES384"), key(UnusableKey::AlgorithmUnsupported)),
        (jwk_with("crv", "secp256k1"), key(UnusableKey::CurveUnsupported)),
        (jwk_with("x", base64url(&[7; 32])), key(UnusableKey::PointInvalid)),
        (with(header(), "jwk", jwk(&THIEF, None)), BindingError::Mismatch),
        (with(header(), "jwk", jwk(&EC_KEY, None)), BindingError::Mismatch),
    ] {
        assert_eq!(by_header(&header), Err(error), "{header}");
    }
    // The token's own key, by name: `kid` and `x5c` choose none.
    let by_name = with(without(header(), "jwk"), "kid", jkt(&CLIENT));
    assert_eq!(by_header(&by_name), Err(is(ProofError::MemberMissing { member: "jwk" })));
}

#[test]
fn a_proof_by_another_key_is_refused_whatever_it_says_of_itself() {
    // The thief has the token and a key of its own.
    let theirs = sign_proof(&THIEF, &proof_header(&THIEF), &claims());
    assert_eq!(came(&theirs), Err(BindingError::Mismatch));
    // It names the client's key, and cannot sign by it.
    let named = sign_proof(&THIEF, &header(), &claims());
    assert_eq!(came(&named), Err(ProofError::Signature.into()));
    // A key pair whose JWK has both keys' members is the one that they spell.
    let mixed = with(header(), "jwk", with(header()["jwk"].clone(), "y", jwk(&THIEF, None)["y"].clone()));
    let came = came(&sign_proof(&THIEF, &mixed, &claims()));
    assert_eq!(came, Err(ProofError::Key(UnusableKey::PointInvalid).into()));
}

#[test]
fn claims_that_are_not_of_this_request_are_refused() {
    let now = START.wall.0;
    let missing = |member| ProofError::MemberMissing { member };
    for (claims, error) in [
        (without(claims(), "jti"), missing("jti")),
        (without(claims(), "htm"), missing("htm")),
        (without(claims(), "htu"), missing("htu")),
        (without(claims(), "iat"), missing("iat")),
        (without(claims(), "ath"), missing("ath")),
        (with(claims(), "jti", ""), ProofError::Id),
        (with(claims(), "jti", "x".repeat(257)), ProofError::Id),
        (with(claims(), "jti", 7), ProofError::Claims),
        (with(claims(), "jti", json!(["a"])), ProofError::Claims),
        (with(claims(), "htm", "POST"), ProofError::Method),
        (with(claims(), "htm", "get"), ProofError::Method),
        (with(claims(), "htm", "GET "), ProofError::Method),
        (with(claims(), "htm", ""), ProofError::Method),
        (with(claims(), "htm", json!(["GET"])), ProofError::Claims),
        (with(claims(), "htu", "https://api.example/"), ProofError::Uri),
        (with(claims(), "htu", "https://api.example/orders/"), ProofError::Uri),
        (with(claims(), "htu", "https://api.example/Orders"), ProofError::Uri),
        (with(claims(), "htu", "http://api.example/orders"), ProofError::Uri),
        (with(claims(), "htu", "https://api.example:8443/orders"), ProofError::Uri),
        (with(claims(), "htu", "https://api.example.evil/orders"), ProofError::Uri),
        (with(claims(), "htu", "https://evil.example/orders"), ProofError::Uri),
        (with(claims(), "htu", "https://api.example@evil.example/orders"), ProofError::Uri),
        (with(claims(), "htu", "https://x@api.example/orders"), ProofError::Uri),
        (with(claims(), "htu", "/orders"), ProofError::Uri),
        (with(claims(), "htu", ""), ProofError::Uri),
        (with(claims(), "htu", json!([URI])), ProofError::Claims),
        (with(claims(), "iat", now - 120), ProofError::Time),
        (with(claims(), "iat", now + 61), ProofError::Time),
        (with(claims(), "iat", now as f64 + 60.5), ProofError::Time),
        (with(claims(), "iat", 0), ProofError::Time),
        (with(claims(), "iat", -1), ProofError::Time),
        (with(claims(), "iat", now * 1000), ProofError::Claims),
        (with(claims(), "iat", now.to_string()), ProofError::Claims),
        (with(claims(), "iat", Value::Null), ProofError::Claims),
        (with(claims(), "exp", now - 60), ProofError::Time),
        (with(claims(), "nbf", now + 61), ProofError::Time),
        (with(claims(), "ath", base64url(&[0; 32])), ProofError::Token),
        (with(claims(), "ath", ""), ProofError::Token),
        (with(claims(), "ath", format!("{}=", claims()["ath"].as_str().unwrap())), ProofError::Token),
        (with(claims(), "ath", &claims()["ath"].as_str().unwrap()[1..]), ProofError::Token),
        (with(claims(), "ath", Value::Null), ProofError::Claims),
        (with(claims(), "nonce", 7), ProofError::Claims),
    ] {
        assert_eq!(by_claims(&claims), Err(error.into()), "{claims}");
    }
    for claims in [with(claims(), "iat", now - 119), with(claims(), "iat", now + 60)] {
        assert_eq!(by_claims(&claims), Ok(()), "{claims}");
    }
}

#[test]
fn a_name_that_stands_twice_is_refused_wherever_it_stands() {
    let (header, claims) = (header().to_string(), claims().to_string());
    let twice = |json: &str, member: &str| json.replacen('{', &format!("{{{member},"), 1);
    assert_eq!(by_text(&header, &claims), Ok(()));
    for member in
        [r#""htu":"https://evil.example/""#, r#""jti":"other""#, r#""\u006ati":"other""#, r#""x":1,"x":1"#]
    {
        assert_eq!(by_text(&header, &twice(&claims, member)), Err(ProofError::Claims.into()), "{member}");
    }
    let duplicate = ProofError::Form(JwsError::DuplicateHeaderName);
    for member in [r#""alg":"none""#, r#""jwk":{}"#, r#""typ":"JWT""#, r#""x":{"y":1,"y":1}"#] {
        assert_eq!(by_text(&twice(&header, member), &claims), Err(duplicate.into()), "{member}");
    }
    let in_jwk = header.replacen(r#""kty""#, r#""kty":"EC","kty""#, 1);
    assert_eq!(by_text(&in_jwk, &claims), Err(duplicate.into()));
}

#[test]
fn what_is_no_jws_of_claims_is_refused() {
    let good = proof(&BOUND.0);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    for (jws, error) in [
        (String::new(), JwsError::NotThreeParts),
        ("x".to_owned(), JwsError::NotThreeParts),
        (format!("{good}.x"), JwsError::NotThreeParts),
        (format!("{good}, {good}"), JwsError::NotThreeParts),
        (format!("{good} "), JwsError::NotBase64Url),
        (format!("{good}="), JwsError::NotBase64Url),
        (format!("\"{good}\""), JwsError::NotBase64Url),
    ] {
        assert_eq!(came(&jws), Err(ProofError::Form(error).into()), "{jws}");
    }
    for jws in [
        format!("{signed}."),
        format!("{signed}.{}", &signature[..84]),
        format!("{signed}.{}", base64url(&[0; 64])),
    ] {
        assert_eq!(came(&jws), Err(ProofError::Signature.into()), "{jws}");
    }
    for payload in ["", "null", "[]", "7", "\"x\"", "{} {}", "{", "{\"iat\":1e999}"] {
        assert_eq!(by_text(&header().to_string(), payload), Err(ProofError::Claims.into()), "{payload}");
    }
    let limit = BindingSettings::default().proof_size_limit;
    let padding = |length: usize| with(claims(), "x", "x".repeat(length));
    let fits = (0..).map(|length| sign_proof(&CLIENT, &header(), &padding(length * 64)));
    let largest = fits.take_while(|jws| jws.len() <= limit).last().unwrap();
    assert_eq!(came(&largest), Ok(()));
    let octets = sign_proof(&CLIENT, &header(), &padding(limit)).len();
    let came = by_claims(&padding(limit));
    assert_eq!(came, Err(ProofError::Form(JwsError::TooLarge { octets, limit }).into()));
}

#[test]
fn a_proof_of_the_largest_key_fits() {
    // An RSA key of 8192 bits takes minutes to make: this is how long its proof would be.
    let modulus = base64url(&[0xff; 1024]);
    let header = json!({ "typ": "dpop+jwt", "alg": "PS512",
        "jwk": { "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS512", "use": "sig", "kid": jkt(&CLIENT) } });
    let claims = with(with(claims(), "jti", "x".repeat(64)), "nonce", "x".repeat(64));
    let claims = with(claims, "htu", format!("{URI}/{}", "x".repeat(1024)));
    let parts = [header.to_string(), claims.to_string()].map(|part| base64url(part.as_bytes()).len());
    let octets = parts.iter().sum::<usize>() + base64url(&[0; 1024]).len() + 2;
    assert!(octets < BindingSettings::default().proof_size_limit, "{octets}");
}

#[test]
fn the_request_is_what_it_is_and_not_what_the_proof_says() {
    let (token, verified) = &*BOUND;
    let jws = proof(token);
    let came = |method: &str, uri: &str| {
        let proofs = Proofs::One(DpopProof { jws: jws.as_bytes(), method, uri });
        let presented = Presented { scheme: Scheme::Dpop, certificate: None, proofs };
        check(token, verified, &presented)
    };
    for uri in [URI, "https://api.example/orders?page=2", "https://API.example:443/./orders#x"] {
        assert!(matches!(came("GET", uri), Ok(Checked::Once(_))), "{uri}");
    }
    for uri in [
        "",
        "/orders",
        "https://api.example/orders/7",
        "http://api.example/orders",
        "https://evil.example/orders",
    ] {
        assert_eq!(came("GET", uri), Err(ProofError::Uri.into()), "{uri}");
    }
    for method in ["", "get", "POST", "GETS"] {
        assert_eq!(came(method, URI), Err(ProofError::Method.into()), "{method}");
    }
    // The same client's proof for its other token.
    let (other, other_verified) =
        crate::proofs::verified(&with(bound_claims(json!({ "jkt": jkt(&CLIENT) })), "sub", "bob"));
    assert_eq!(check(&other, &other_verified, &with_proof(&jws)), Err(ProofError::Token.into()));
}

#[test]
fn the_times_are_settings() {
    let (token, verified) = &*BOUND;
    let jws = proof(token);
    let settings = BindingSettings {
        age: Duration::from_secs(10),
        leeway: Duration::from_secs(3),
        ..BindingSettings::default()
    };
    for (late, holds) in [(-4, false), (-3, true), (0, true), (12, true), (13, false)] {
        let now = keyward_verify::Now { wall: UnixTime(START.wall.0 + late), ..START };
        let came = check_proof_at(now, settings.clone(), token, verified, &jws);
        assert_eq!(came.is_ok(), holds, "{late} s late");
    }
}

#[test]
fn a_nonce_that_is_demanded_must_be_one_that_was_given_lately() {
    let (token, verified) = &*BOUND;
    let slot = Duration::from_secs(60);
    let settings = BindingSettings { nonce_slot: Some(slot), ..BindingSettings::default() };
    let check = checker(settings.clone());
    let given = check.nonce(START).expect("one is demanded");
    assert_eq!(checker(BindingSettings::default()).nonce(START), None);
    let came_at = |late: u64, nonce: Option<&str>| {
        let now = later(START, Duration::from_secs(late));
        let claims = with(proof_claims(token), "iat", now.wall.0);
        let claims = nonce.map_or(claims.clone(), |nonce| with(claims, "nonce", nonce));
        let jws = sign_proof(&CLIENT, &header(), &claims);
        check_proof_at(now, settings.clone(), token, verified, &jws).map(drop)
    };
    // START begins a slot.
    assert_eq!(START.wall.0 % 60, 0);
    for late in [0, 59, 60, 119] {
        assert_eq!(came_at(late, Some(&given)), Ok(()), "{late} s");
    }
    for (late, nonce) in
        [(120, Some(given.as_str())), (0, None), (0, Some("")), (0, Some("x")), (0, Some(&given[1..]))]
    {
        assert_eq!(came_at(late, nonce), Err(BindingError::Nonce), "{late} s {nonce:?}");
    }
    let foreign = keyward_verify::binding::BindingCheck::new(settings.clone(), &[8; 32]).nonce(START);
    assert_eq!(came_at(0, foreign.as_deref()), Err(BindingError::Nonce));
    // What is wrong otherwise is told first: the client need not ask again to learn it.
    let jws = sign_proof(&CLIENT, &header(), &with(proof_claims(token), "htm", "POST"));
    let came =
        check.check(START, None, token.as_bytes(), verified, &with_proof(&jws), &mut DecodeBuffer::new());
    assert_eq!(came, Err(ProofError::Method.into()));
    assert_eq!(BindingError::Nonce.reason(), Reason::ProofNonceRequired);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whichever bit of a proof is another, it is none.
    #[test]
    fn a_proof_with_any_one_bit_changed_is_refused(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (token, verified) = &*BOUND;
        let mut jws = proof(token).into_bytes();
        let place = place.index(jws.len());
        jws[place] ^= 1 << bit;
        let proofs = Proofs::One(DpopProof { jws: &jws, method: METHOD, uri: URI });
        let presented = Presented { scheme: Scheme::Dpop, certificate: None, proofs };
        prop_assert!(check(token, verified, &presented).is_err(), "octet {place} bit {bit}");
    }

    /// No octets that a stranger sends are a proof, or a fault of the program's.
    #[test]
    fn no_octets_of_a_stranger_are_a_proof(jws in prop::collection::vec(any::<u8>(), 0..300)) {
        let (token, verified) = &*BOUND;
        let proofs = Proofs::One(DpopProof { jws: &jws, method: METHOD, uri: URI });
        let presented = Presented { scheme: Scheme::Dpop, certificate: None, proofs };
        prop_assert!(check(token, verified, &presented).is_err());
    }

    /// Nor is a proof that the client itself signs over any other claims.
    #[test]
    fn no_claims_but_those_of_the_request_pass(
        name in prop::sample::select(vec!["jti", "htm", "htu", "iat", "ath"]),
        value in prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!([])),
        ],
    ) {
        let is_jti = name == "jti" && value.as_str().is_some_and(|jti| !jti.is_empty() && jti.len() <= 256);
        prop_assert_eq!(by_claims(&with(claims(), name, value)).is_ok(), is_jti);
    }
}

#[test]
fn algorithms_that_are_symmetric_cannot_be_allowed() {
    let settings =
        BindingSettings { algorithms: Algorithm::ALL.into_iter().collect(), ..BindingSettings::default() };
    let (token, verified) = &*BOUND;
    for alg in ["HS256", "HS384", "HS512"] {
        let header = with(with(header(), "alg", alg), "jwk", json!({ "kty": "oct", "k": base64url(SECRET) }));
        let input = format!(
            "{}.{}",
            base64url(header.to_string().as_bytes()),
            base64url(claims().to_string().as_bytes())
        );
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET);
        let jws = format!("{input}.{}", base64url(aws_lc_rs::hmac::sign(&key, input.as_bytes()).as_ref()));
        let came = check_proof_at(START, settings.clone(), token, verified, &jws);
        assert_eq!(came, Err(ProofError::Algorithm.into()), "{alg}");
    }
}

#[test]
fn a_proof_alone_proves_its_key_and_names_a_token_only_where_there_is_one() {
    let prove = |proofs: &Proofs<'_>, token: Option<&[u8]>| {
        let proved =
            checker(BindingSettings::default()).prove(START, proofs, token, &mut DecodeBuffer::new());
        proved.map(|proved| proved.key)
    };
    let at_the_token_endpoint = sign_proof(&CLIENT, &header(), &without(claims(), "ath"));
    let key = thumbprint(&CLIENT);
    assert_eq!(prove(&one(&at_the_token_endpoint), None), Ok(key));
    assert_eq!(prove(&one(&proof(&BOUND.0)), Some(BOUND.0.as_bytes())), Ok(key));
    let missing = ProofError::MemberMissing { member: "ath" };
    assert_eq!(prove(&one(&at_the_token_endpoint), Some(BOUND.0.as_bytes())), Err(missing.into()));
    assert_eq!(prove(&one(&proof(&BOUND.0)), Some(b"another")), Err(ProofError::Token.into()));
    assert_eq!(prove(&Proofs::Absent, None), Err(BindingError::Missing));
    assert_eq!(prove(&Proofs::Several, None), Err(ProofError::Several.into()));
    let by_another = sign_proof(&THIEF, &header(), &claims());
    assert_eq!(prove(&one(&by_another), None), Err(ProofError::Signature.into()));
}
