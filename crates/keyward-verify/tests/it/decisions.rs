//! Tokens, what is demanded of them, and the verdict: every reason that `decide` gives, and which of several
//! it gives.

use std::sync::{Arc, LazyLock};

use keyward_jose::{Algorithm, AlgorithmSet, DecodeBuffer, LocalSigner, Signer};
use keyward_verify::key_set::PublishedKeys;
use keyward_verify::{
    ClaimRule, ClaimTest, Issuer, IssuerPolicy, MonoTime, Now, Reason, ReasonKind, Requirement, UnixTime,
    VerifiedBy, decide,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

const OTHER_ISSUER: &str = "https://other.example";

/// Two issuers, ours at place 0, whose set holds one key of each kind; another one that has no keys.
struct Scene {
    now: Now,
    arrived: MonoTime,
    issuers: Vec<Issuer>,
    requirement: Requirement,
}

impl Scene {
    fn new() -> Self {
        let machine = machine_with(START, &[own_jwk(&KEYS[0]), own_jwk(&EC_KEY), own_jwk(&RSA_KEY)]);
        let other = IssuerPolicy::new("other", OTHER_ISSUER);
        let other = Issuer { policy: Arc::new(other), keys: Arc::default() };
        Self {
            now: START,
            arrived: START.mono,
            issuers: vec![issuer_of(&machine), other],
            requirement: Requirement::default(),
        }
    }

    fn policy(mut self, change: impl FnOnce(&mut IssuerPolicy)) -> Self {
        change(Arc::make_mut(&mut self.issuers[0].policy));
        self
    }

    fn keys(mut self, keys: &Arc<PublishedKeys>) -> Self {
        self.issuers[0].keys = Arc::clone(keys);
        self
    }

    fn published(self, keys: &[Value]) -> Self {
        let machine = machine_with(START, keys);
        self.keys(machine.published())
    }

    fn demand(mut self, change: impl FnOnce(&mut Requirement)) -> Self {
        change(&mut self.requirement);
        self
    }

    /// The wall clock alone: so many seconds from [`START`].
    fn at(mut self, seconds: i64) -> Self {
        self.now.wall = UnixTime(START.wall.0 + seconds);
        self
    }

    fn outcome(&self, token: &str) -> Outcome {
        let mut buffer = DecodeBuffer::new();
        let Self { now, arrived, issuers, requirement } = self;
        outcome(&decide(*now, *arrived, issuers, requirement, token.as_bytes(), &mut buffer))
    }
}

fn texts(texts: &[&str]) -> Vec<Box<str>> {
    texts.iter().map(|text| Box::from(*text)).collect()
}

fn reject(reason: Reason) -> Outcome {
    Outcome::Reject(reason)
}

/// A good token with other claims.
fn token(claims: &Value) -> String {
    sign(&KEYS[0], claims)
}

/// A good token with another header.
fn token_with_header(header: &Value) -> String {
    sign_parts(&KEYS[0], header.to_string().as_bytes(), good_claims().to_string().as_bytes())
}

fn good_header() -> Value {
    json!({ "alg": "EdDSA", "kid": KEYS[0].kid() })
}

#[test]
fn a_good_token_passes_under_every_kind_of_key() {
    let scene = Scene::new();
    for key in [&KEYS[0], &*EC_KEY, &*RSA_KEY] {
        assert_eq!(scene.outcome(&sign(key, &good_claims())), Outcome::Accept);
        assert_eq!(scene.outcome(&sign_as(key, None, &good_claims())), Outcome::Accept, "without a kid");
    }
    let token = token_with_header(&with(good_header(), "alg", "Ed25519"));
    assert_eq!(scene.outcome(&token), Outcome::Accept, "EdDSA under its new name");
}

#[test]
fn what_is_accepted_says_what_was_signed() {
    let scene = Scene::new();
    let verified = accepted(judge(START, START.mono, &scene.issuers[0], &token(&good_claims())));
    assert_eq!(verified.subject(), Some("alice"));
    assert_eq!(verified.issuer_name(), "idp");
    assert_eq!(verified.kid(), KEYS[0].kid());
    assert_eq!(verified.algorithm(), Some(Algorithm::EdDsa));
    let VerifiedBy::KeySet { algorithm: Algorithm::EdDsa, key } = verified.verified_by() else {
        panic!("a key verified it");
    };
    assert_eq!(key.key().kid(), KEYS[0].kid());
    assert_eq!(verified.valid_until(), UnixTime(START.wall.0 + 3660));
    assert_eq!(verified.claims().json(), good_claims().to_string());
    assert!(!format!("{verified:?}").contains("alice"));
}

#[test]
fn what_is_no_token_is_malformed() {
    let good = token(&good_claims());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("Bearer {good}"),
        format!("{}.{payload}.{signature}", base64url(b"{}")),
        format!("{}.{payload}.{signature}", base64url(br#"{"alg":"EdDSA","alg":"EdDSA"}"#)),
        sign_parts(&KEYS[0], good_header().to_string().as_bytes(), b"[]"),
        sign_parts(&KEYS[0], good_header().to_string().as_bytes(), b""),
        sign_parts(&KEYS[0], good_header().to_string().as_bytes(), b"{\"iss\":\"\xff\"}"),
        token(&with(good_claims(), "iss", json!([ISSUER]))),
        token(&with(good_claims(), "exp", "1800000000")),
        token(&with(good_claims(), "exp", START.wall.0 * 1000)),
        token(&with(good_claims(), "aud", json!({ "api": true }))),
    ] {
        assert_eq!(Scene::new().outcome(&text), reject(Reason::MalformedToken), "{text}");
    }
}

#[test]
fn the_header_decides_algorithm_type_and_extensions() {
    use Reason::*;
    for (header, expected) in [
        (with(good_header(), "alg", "none"), reject(UnsupportedAlgorithm)),
        (with(good_header(), "alg", "eddsa"), reject(UnsupportedAlgorithm)),
        (with(good_header(), "alg", "HS256"), reject(UnsupportedAlgorithm)),
        (with(good_header(), "crit", json!(["exp"])), reject(CriticalHeaderUnsupported)),
        (with(good_header(), "b64", false), reject(CriticalHeaderUnsupported)),
        (with(good_header(), "typ", "JWT"), Outcome::Accept),
        (with(good_header(), "typ", "jwt"), Outcome::Accept),
        (with(good_header(), "typ", "at+jwt"), Outcome::Accept),
        (with(good_header(), "typ", "application/at+jwt"), Outcome::Accept),
        (with(good_header(), "typ", "Application/AT+JWT"), Outcome::Accept),
        (with(good_header(), "typ", "ID"), reject(WrongTokenType)),
        (with(good_header(), "typ", "logout+jwt"), reject(WrongTokenType)),
        (with(good_header(), "typ", "dpop+jwt"), reject(WrongTokenType)),
        (with(good_header(), "typ", ""), reject(WrongTokenType)),
        (with(good_header(), "jku", "http://169.254.169.254/"), Outcome::Accept),
        (with(good_header(), "jwk", own_jwk(&KEYS[5])), Outcome::Accept),
    ] {
        assert_eq!(Scene::new().outcome(&token_with_header(&header)), expected, "{header}");
    }
}

#[test]
fn an_issuer_of_access_tokens_only_takes_no_id_token() {
    let scene = Scene::new().policy(|policy| policy.token_types = texts(&["at+jwt"]));
    for (typ, expected) in [
        (Some("at+jwt"), Outcome::Accept),
        (Some("application/at+jwt"), Outcome::Accept),
        (Some("JWT"), reject(Reason::WrongTokenType)),
        (None, reject(Reason::WrongTokenType)),
    ] {
        let header = typ.map_or_else(good_header, |typ| with(good_header(), "typ", typ));
        assert_eq!(scene.outcome(&token_with_header(&header)), expected, "{typ:?}");
    }
}

#[test]
fn an_embedded_key_signs_nothing() {
    let header = with(with(good_header(), "jwk", own_jwk(&KEYS[5])), "x5c", json!(["AA"]));
    let forged = sign_parts(&KEYS[5], header.to_string().as_bytes(), good_claims().to_string().as_bytes());
    assert_eq!(Scene::new().outcome(&forged), reject(Reason::InvalidSignature));
}

#[test]
fn times_hold_to_the_second_with_the_leeway_of_60_s() {
    use Reason::*;
    let claims = without(without(good_claims(), "iat"), "exp");
    let exp = |seconds: i64| with(claims.clone(), "exp", START.wall.0 + seconds);
    let and = |name: &str, seconds: i64| with(exp(3600), name, START.wall.0 + seconds);
    for (claims, at, expected) in [
        (exp(0), 0, Outcome::Accept),
        (exp(0), 59, Outcome::Accept),
        (exp(0), 60, reject(Expired)),
        (exp(0), 61, reject(Expired)),
        (with(claims.clone(), "exp", START.wall.0 as f64 + 0.9), 59, Outcome::Accept),
        (with(claims.clone(), "exp", START.wall.0 as f64 + 0.9), 60, reject(Expired)),
        (with(claims.clone(), "exp", -1), 0, reject(Expired)),
        (with(claims.clone(), "exp", 0), 0, reject(Expired)),
        (claims.clone(), 0, reject(MissingClaim)),
        (and("nbf", 60), 0, Outcome::Accept),
        (and("nbf", 61), 0, reject(NotYetValid)),
        (and("nbf", 61), 1, Outcome::Accept),
        (with(exp(3600), "nbf", START.wall.0 as f64 + 60.5), 0, reject(NotYetValid)),
        (and("iat", 60), 0, Outcome::Accept),
        (and("iat", 61), 0, reject(IssuedInFuture)),
        (and("iat", 61), 1, Outcome::Accept),
        (and("iat", -100_000_000), 0, Outcome::Accept),
        (with(exp(3600), "iat", -1), 0, Outcome::Accept),
    ] {
        assert_eq!(Scene::new().at(at).outcome(&token(&claims)), expected, "{claims} at {at}");
    }
}

#[test]
fn without_leeway_times_hold_to_the_second() {
    let strict = |at| Scene::new().policy(|policy| policy.leeway = seconds(0)).at(at);
    let claims = with(good_claims(), "exp", START.wall.0 + 10);
    assert_eq!(strict(9).outcome(&token(&claims)), Outcome::Accept);
    assert_eq!(strict(10).outcome(&token(&claims)), reject(Reason::Expired));
    assert_eq!(strict(-1).outcome(&token(&claims)), reject(Reason::IssuedInFuture));
}

#[test]
fn the_issuer_is_compared_to_the_letter_and_to_the_route() {
    use Reason::*;
    for (claims, expected) in [
        (without(good_claims(), "iss"), MissingClaim),
        (with(good_claims(), "iss", ""), UnknownIssuer),
        (with(good_claims(), "iss", "https://idp.example/"), UnknownIssuer),
        (with(good_claims(), "iss", "https://IDP.example"), UnknownIssuer),
        (with(good_claims(), "iss", "https://evil.example"), UnknownIssuer),
    ] {
        assert_eq!(Scene::new().outcome(&token(&claims)), reject(expected), "{claims}");
    }
    let route = |places: &[usize]| Scene::new().demand(|demand| demand.issuers = places.to_vec());
    assert_eq!(route(&[0]).outcome(&token(&good_claims())), Outcome::Accept);
    assert_eq!(route(&[1, 0]).outcome(&token(&good_claims())), Outcome::Accept);
    assert_eq!(route(&[1]).outcome(&token(&good_claims())), reject(WrongIssuer));
    // Our own key, another issuer's name: that one has no keys, and ours are not tried.
    let claims = with(good_claims(), "iss", OTHER_ISSUER);
    assert_eq!(Scene::new().outcome(&token(&claims)), Outcome::NeedsKey);
}

#[test]
fn the_audience_is_the_routes_then_the_issuers_then_anybodys() {
    let aud = |aud: Value| with(good_claims(), "aud", aud);
    let wrong = reject(Reason::WrongAudience);
    for (claims, of_issuer, of_route, expected) in [
        (aud(json!("api")), &[][..], &[][..], Outcome::Accept),
        (without(good_claims(), "aud"), &[], &[], Outcome::Accept),
        (aud(json!("api")), &["api"], &[], Outcome::Accept),
        (aud(json!(["web", "api"])), &["api"], &[], Outcome::Accept),
        (aud(json!("web")), &["api"], &[], wrong),
        (aud(json!("API")), &["api"], &[], wrong),
        (aud(json!("api2")), &["api"], &[], wrong),
        (aud(json!("")), &["api"], &[], wrong),
        (aud(json!([])), &["api"], &[], wrong),
        (aud(json!("web api")), &["api"], &[], wrong),
        (without(good_claims(), "aud"), &["api"], &[], wrong),
        (aud(json!("api")), &["api"], &["admin"], wrong),
        (aud(json!("admin")), &["api"], &["admin"], Outcome::Accept),
        (aud(json!("admin")), &[], &["root", "admin"], Outcome::Accept),
        (without(good_claims(), "aud"), &[], &["admin"], wrong),
    ] {
        let scene = Scene::new()
            .policy(|policy| policy.audiences = texts(of_issuer))
            .demand(|demand| demand.audiences = texts(of_route));
        assert_eq!(scene.outcome(&token(&claims)), expected, "{claims} {of_issuer:?} {of_route:?}");
    }
}

#[test]
fn the_algorithm_is_one_that_the_issuer_and_the_key_may_use() {
    let scene = Scene::new().policy(|policy| policy.algorithms = AlgorithmSet::from_iter([Algorithm::Es256]));
    assert_eq!(scene.outcome(&sign(&EC_KEY, &good_claims())), Outcome::Accept);
    assert_eq!(scene.outcome(&token(&good_claims())), reject(Reason::UnsupportedAlgorithm));
    // The key that is named is not one for this algorithm.
    let misnamed = sign_as(&EC_KEY, RSA_KEY.kid(), &good_claims());
    assert_eq!(Scene::new().outcome(&misnamed), reject(Reason::AlgorithmMismatch));
    // RS256 and PS256 share their keys, and this JWK is for RS256 alone.
    let pss = LocalSigner::from_pkcs8(Algorithm::Ps256, Some("rsa"), &RSA_KEY.to_pkcs8().unwrap()).unwrap();
    assert_eq!(Scene::new().outcome(&sign(&pss, &good_claims())), reject(Reason::AlgorithmMismatch));
    // No kid, and no key of the set serves the algorithm: it may be a new one.
    let scene = Scene { arrived: MonoTime(START.mono.0 + 1), ..Scene::new() }.published(&[own_jwk(&RSA_KEY)]);
    assert_eq!(scene.outcome(&sign_as(&EC_KEY, None, &good_claims())), Outcome::NeedsKey);
    let scene = Scene { arrived: START.mono, ..scene };
    assert_eq!(scene.outcome(&sign_as(&EC_KEY, None, &good_claims())), reject(Reason::AlgorithmMismatch));
}

#[test]
fn a_kid_leads_to_its_keys_and_to_nameless_ones() {
    use Reason::*;
    let shared = [jwk(&KEYS[1], Some("k")), jwk(&KEYS[2], Some("k"))];
    let nameless = [jwk(&KEYS[1], None), jwk(&KEYS[2], Some("k"))];
    let kid = |key: usize, kid| sign_as(&KEYS[key], kid, &good_claims());
    for (keys, token, expected) in [
        (&shared, kid(1, Some("k")), Outcome::Accept),
        (&shared, kid(2, Some("k")), Outcome::Accept),
        (&shared, kid(3, Some("k")), reject(InvalidSignature)),
        (&shared, kid(1, Some("K")), reject(UnknownKid)),
        (&shared, kid(1, Some("")), reject(UnknownKid)),
        (&shared, kid(2, None), Outcome::Accept),
        (&shared, kid(3, None), reject(InvalidSignature)),
        (&nameless, kid(1, Some("new")), Outcome::Accept),
        (&nameless, kid(2, Some("new")), reject(UnknownKid)),
        // A name that is taken means that key and no other.
        (&nameless, kid(1, Some("k")), reject(InvalidSignature)),
        (&nameless, kid(2, Some("k")), Outcome::Accept),
        (&nameless, kid(1, None), Outcome::Accept),
    ] {
        assert_eq!(Scene::new().published(keys).outcome(&token), expected, "{token}");
    }
}

#[test]
fn a_key_that_is_not_there_is_wanted_until_a_later_fetch_lacks_it() {
    let scene = Scene { arrived: MonoTime(START.mono.0 + 1), ..Scene::new() };
    for (kid, reason) in [(Some("new"), Reason::UnknownKid), (None, Reason::InvalidSignature)] {
        let token = sign_as(&KEYS[5], kid, &good_claims());
        assert_eq!(scene.outcome(&token), Outcome::NeedsKey);
        let mut machine = machine_with(START, &[own_jwk(&KEYS[0])]);
        let now = next_fetch(&mut machine, START, &[own_jwk(&KEYS[0])]);
        let refetched = Scene { now, arrived: scene.arrived, ..Scene::new() }.keys(machine.published());
        assert_eq!(refetched.outcome(&token), reject(reason));
    }
    // A signature under a known name that is wrong is wrong now.
    let forged = sign_as(&KEYS[5], KEYS[0].kid(), &good_claims());
    assert_eq!(scene.outcome(&forged), reject(Reason::InvalidSignature));
}

/// The issuer publishes the key, and not so that it could be used: no fault of the token's.
#[test]
fn a_kid_whose_key_was_skipped_is_the_issuers_fault() {
    let broken = json!({ "kty": "RSA", "kid": "broken", "n": "AQAB", "e": "AQAB" });
    let encrypting = with(jwk(&KEYS[3], Some("encrypting")), "use", "enc");
    let scene = |keys: &[Value]| Scene::new().published(keys);
    let token = |kid| sign_as(&KEYS[1], Some(kid), &good_claims());
    let unavailable = Outcome::Undecided(Reason::KeysUnavailable);
    let keys = [own_jwk(&KEYS[0]), broken.clone(), encrypting, unusable_jwk()];
    let fetched_before = later(START, SECOND);
    // Where it may have been mended since, it is looked for as an unknown one is.
    for (now, broken, unknown) in [
        (START, unavailable, reject(Reason::UnknownKid)),
        (fetched_before, Outcome::NeedsKey, Outcome::NeedsKey),
    ] {
        let scene = Scene { now, arrived: now.mono, ..scene(&keys) };
        assert_eq!(scene.outcome(&token("broken")), broken);
        assert_eq!(scene.outcome(&token("post-quantum")), broken);
        assert_eq!(scene.outcome(&token("encrypting")), unknown, "no token is signed with it");
        assert_eq!(scene.outcome(&token("other")), unknown);
        assert_eq!(scene.outcome(&sign(&KEYS[0], &good_claims())), Outcome::Accept);
    }
    // Any key that can be used tells more: one of the same name, or one without a name.
    let twice = scene(&[broken.clone(), jwk(&KEYS[1], Some("broken"))]);
    assert_eq!(twice.outcome(&token("broken")), Outcome::Accept);
    assert_eq!(scene(&[broken.clone(), jwk(&KEYS[1], None)]).outcome(&token("broken")), Outcome::Accept);
    let other = scene(&[broken.clone(), jwk(&KEYS[0], Some("broken"))]);
    assert_eq!(other.outcome(&token("broken")), reject(Reason::InvalidSignature));
    // What no key could mend is told as ever.
    let unsupported = sign_parts(&KEYS[1], br#"{"alg":"ML-DSA-44","kid":"post-quantum"}"#, b"{}");
    assert_eq!(scene(&keys).outcome(&unsupported), reject(Reason::UnsupportedAlgorithm));
    let denied = scene(&keys).policy(|policy| policy.denied_kids = vec!["broken".into()]);
    assert_eq!(denied.outcome(&token("broken")), reject(Reason::Revoked));
}

#[test]
fn without_usable_keys_nothing_is_decided() {
    let empty = Scene::new().keys(&Arc::default());
    assert_eq!(empty.outcome(&token(&good_claims())), Outcome::NeedsKey);
    let claims = with(good_claims(), "exp", START.wall.0 + 100_000);
    let limit = later(START, seconds(3600));
    let almost = Now { mono: MonoTime(limit.mono.0 - 1), ..limit };
    for (now, expected) in [(almost, Outcome::Accept), (limit, Outcome::NeedsKey)] {
        let scene = Scene { now, arrived: now.mono, ..Scene::new() };
        assert_eq!(scene.outcome(&token(&claims)), expected);
    }
    // Neither is a forged one, nor one of an unknown key; an expired one is, which takes no key.
    let scene = Scene { now: limit, arrived: limit.mono, ..Scene::new() };
    for token in [sign_as(&KEYS[5], Some("new"), &claims), sign_as(&KEYS[5], KEYS[0].kid(), &claims)] {
        assert_eq!(scene.outcome(&token), Outcome::NeedsKey);
    }
    let expired = with(good_claims(), "exp", START.wall.0);
    assert_eq!(scene.outcome(&token(&expired)), reject(Reason::Expired));
}

/// The operator denies a key by its name, and what is meant is the key.
#[test]
fn a_denied_key_verifies_nothing_by_whatever_name() {
    let deny = |policy: &mut IssuerPolicy| policy.denied_kids = vec!["gone".into(), "leaked".into()];
    let token = |key: usize, kid| sign_as(&KEYS[key], kid, &good_claims());
    let named = Scene::new().published(&[jwk(&KEYS[0], Some("leaked")), jwk(&KEYS[1], Some("good"))]);
    assert_eq!(named.outcome(&token(0, Some("leaked"))), Outcome::Accept);
    let named = named.policy(deny);
    for (token, expected) in [
        (token(0, Some("leaked")), reject(Reason::Revoked)),
        // Even one of another key, whose signature is not looked at.
        (token(1, Some("leaked")), reject(Reason::Revoked)),
        (token(0, None), reject(Reason::Revoked)),
        (token(0, Some("good")), reject(Reason::InvalidSignature)),
        (token(1, Some("good")), Outcome::Accept),
        (token(1, None), Outcome::Accept),
        // Nobody publishes it, and nobody has to look for it.
        (token(2, Some("gone")), reject(Reason::Revoked)),
    ] {
        assert_eq!(named.outcome(&token), expected);
    }

    let leaked = jwk(&KEYS[0], Some("leaked"));
    for (other, kid) in [(Some("again"), Some("again")), (None, Some("any")), (None, None)] {
        for keys in [[leaked.clone(), jwk(&KEYS[0], other)], [jwk(&KEYS[0], other), leaked.clone()]] {
            let twice = Scene::new().published(&keys);
            assert_eq!(twice.outcome(&token(0, kid)), Outcome::Accept);
            assert_eq!(twice.policy(deny).outcome(&token(0, kid)), reject(Reason::Revoked));
        }
    }
}

/// Two verifiers share the keys for a moment when the configuration changes.
#[test]
fn a_key_is_denied_by_a_policy_and_not_in_the_set() {
    let lenient = Scene::new();
    let strict = Scene { issuers: lenient.issuers.clone(), ..Scene::new() };
    let strict = strict.policy(|policy| policy.denied_kids = vec![KEYS[0].kid().unwrap().into()]);
    let token = token(&good_claims());
    assert_eq!(strict.outcome(&token), reject(Reason::Revoked));
    assert_eq!(lenient.outcome(&token), Outcome::Accept);
}

#[test]
fn secrets_verify_only_where_they_are_configured() {
    let secret = LocalSigner::from_secret(Algorithm::Hs256, None, SECRET).unwrap();
    let allow = |policy: &mut IssuerPolicy| {
        policy.algorithms = AlgorithmSet::asymmetric().iter().chain([Algorithm::Hs256]).collect();
    };
    let good = sign(&secret, &good_claims());
    let fixed = || Scene::new().keys(&fixed_keys());
    assert_eq!(fixed().policy(allow).outcome(&good), Outcome::Accept);
    assert_eq!(
        fixed().outcome(&good),
        reject(Reason::UnsupportedAlgorithm),
        "a secret, and HS256 not allowed"
    );
    assert_eq!(Scene::new().policy(allow).outcome(&good), reject(Reason::AlgorithmMismatch), "and no secret");
    let other =
        LocalSigner::from_secret(Algorithm::Hs256, None, b"another secret of 32 octets, too").unwrap();
    assert_eq!(
        fixed().policy(allow).outcome(&sign(&other, &good_claims())),
        reject(Reason::InvalidSignature)
    );
    // A kid names no secret, and a fixed one needs no fetch and never grows stale.
    let named = sign_as(&secret, Some("whatever"), &with(good_claims(), "exp", START.wall.0 + 1_000_000));
    let much_later = later(START, seconds(500_000));
    let scene = Scene { now: much_later, arrived: much_later.mono, ..fixed() }.policy(allow);
    assert_eq!(scene.outcome(&named), Outcome::Accept);
    // What is for another hash is not for this one.
    let hs512 = LocalSigner::from_secret(Algorithm::Hs512, None, &SECRET.repeat(2)).unwrap();
    let all = |policy: &mut IssuerPolicy| policy.algorithms = Algorithm::ALL.into_iter().collect();
    assert_eq!(fixed().policy(all).outcome(&sign(&hs512, &good_claims())), reject(Reason::AlgorithmMismatch));
}

/// CVE-2015-9235 and its kin: the public key, in every form that somebody may have, as an HMAC secret.
#[test]
fn a_public_key_is_never_a_secret() {
    let decode = |text: &Value| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text.as_str().unwrap()).unwrap();
    for key in [&KEYS[0], &*EC_KEY, &*RSA_KEY] {
        let jwk = own_jwk(key);
        let x = decode(if key.algorithm() == Algorithm::Rs256 { &jwk["n"] } else { &jwk["x"] });
        let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", x.as_slice()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64url(&spki));
        for secret in [jwk.to_string().into_bytes(), x, spki, pem.into_bytes()] {
            let forger = LocalSigner::from_secret(Algorithm::Hs256, key.kid(), &secret).unwrap();
            let forged = sign(&forger, &good_claims());
            let all = |policy: &mut IssuerPolicy| policy.algorithms = Algorithm::ALL.into_iter().collect();
            assert_eq!(Scene::new().outcome(&forged), reject(Reason::UnsupportedAlgorithm));
            assert_eq!(Scene::new().policy(all).outcome(&forged), reject(Reason::AlgorithmMismatch));
            let beside_a_secret = Scene::new().keys(&fixed_keys()).policy(all);
            assert_eq!(beside_a_secret.outcome(&forged), reject(Reason::InvalidSignature));
        }
    }
}

#[test]
fn scopes_must_each_be_granted_and_claims_must_hold() {
    use Reason::*;
    let scope = |scopes: &[&str]| Scene::new().demand(|demand| demand.scopes = texts(scopes));
    for (scopes, claims, expected) in [
        (&["read"][..], good_claims(), Outcome::Accept),
        (&["read", "write"], good_claims(), Outcome::Accept),
        (&["read", "admin"], good_claims(), reject(InsufficientScope)),
        (&["Read"], good_claims(), reject(InsufficientScope)),
        (&["read write"], good_claims(), reject(InsufficientScope)),
        (&["read"], with(good_claims(), "scope", json!(["read"])), Outcome::Accept),
        (&["read"], with(without(good_claims(), "scope"), "scp", "read"), Outcome::Accept),
        (&["read"], without(good_claims(), "scope"), reject(InsufficientScope)),
    ] {
        assert_eq!(scope(scopes).outcome(&token(&claims)), expected, "{scopes:?} {claims}");
    }
    let rule = |pointer: &str, test| {
        let rule = ClaimRule { pointer: pointer.into(), test };
        Scene::new().demand(|demand| demand.claims = vec![rule])
    };
    let contains = |values: &[Value]| ClaimTest::Contains(values.to_vec());
    for (scene, expected) in [
        (rule("/sub", ClaimTest::Present), Outcome::Accept),
        (rule("/nothing", ClaimTest::Present), reject(MissingClaim)),
        (rule("/null", ClaimTest::Present), reject(MissingClaim)),
        (rule("/sub", contains(&["bob".into(), "alice".into()])), Outcome::Accept),
        (rule("/sub", contains(&["ali".into()])), reject(MissingClaim)),
        (rule("/sub", contains(&[])), reject(MissingClaim)),
        (rule("/roles", contains(&["admin".into()])), Outcome::Accept),
        (rule("/roles", contains(&[7.into()])), Outcome::Accept),
        (rule("/roles", contains(&["7".into()])), reject(MissingClaim)),
        (rule("/roles/0", contains(&["admin".into()])), Outcome::Accept),
        (rule("/roles/9", ClaimTest::Present), reject(MissingClaim)),
        (rule("/realm_access/roles", contains(&["auditor".into()])), Outcome::Accept),
        (rule("/realm_access/roles", contains(&["admin".into()])), reject(MissingClaim)),
        (rule("/null", contains(&[Value::Null])), reject(MissingClaim)),
    ] {
        let claims = with(good_claims(), "null", Value::Null);
        assert_eq!(scene.outcome(&token(&claims)), expected, "{:?}", scene.requirement);
    }
}

#[test]
fn a_token_over_the_limit_is_too_large_and_at_it_is_not() {
    let token = token(&with(good_claims(), "pad", "x".repeat(2000)));
    let limit = |octets| Scene::new().policy(|policy| policy.token_size_limit = octets);
    assert_eq!(limit(token.len()).outcome(&token), Outcome::Accept);
    // The other issuer takes larger ones, so that this is known only when the issuer is.
    assert_eq!(limit(token.len() - 1).outcome(&token), reject(Reason::TokenTooLarge));
    let mut scene = limit(token.len() - 1);
    scene.issuers.truncate(1);
    assert_eq!(scene.outcome(&token), reject(Reason::TokenTooLarge));
    let huge = "a".repeat(1 << 20);
    assert_eq!(Scene::new().outcome(&huge), reject(Reason::TokenTooLarge));
}

/// What may be wrong with a token, in the order in which it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Defect {
    OverEveryLimit,
    NotBase64Url,
    Critical,
    AlgorithmNone,
    ClaimsMalformed,
    IssuerMissing,
    IssuerUnknown,
    IssuerWrong,
    OverItsLimit,
    AlgorithmNotAllowed,
    TypeWrong,
    ExpiryMissing,
    Expired,
    NotYetValid,
    IssuedInFuture,
    AudienceWrong,
    KeyUnknown,
    SignatureInvalid,
    ScopeMissing,
    ClaimMissing,
}

use Defect as D;

const DEFECTS: [(Defect, Outcome); 20] = [
    (D::OverEveryLimit, Outcome::Reject(Reason::TokenTooLarge)),
    (D::NotBase64Url, Outcome::Reject(Reason::MalformedToken)),
    (D::Critical, Outcome::Reject(Reason::CriticalHeaderUnsupported)),
    (D::AlgorithmNone, Outcome::Reject(Reason::UnsupportedAlgorithm)),
    (D::ClaimsMalformed, Outcome::Reject(Reason::MalformedToken)),
    (D::IssuerMissing, Outcome::Reject(Reason::MissingClaim)),
    (D::IssuerUnknown, Outcome::Reject(Reason::UnknownIssuer)),
    (D::IssuerWrong, Outcome::Reject(Reason::WrongIssuer)),
    (D::OverItsLimit, Outcome::Reject(Reason::TokenTooLarge)),
    (D::AlgorithmNotAllowed, Outcome::Reject(Reason::UnsupportedAlgorithm)),
    (D::TypeWrong, Outcome::Reject(Reason::WrongTokenType)),
    (D::ExpiryMissing, Outcome::Reject(Reason::MissingClaim)),
    (D::Expired, Outcome::Reject(Reason::Expired)),
    (D::NotYetValid, Outcome::Reject(Reason::NotYetValid)),
    (D::IssuedInFuture, Outcome::Reject(Reason::IssuedInFuture)),
    (D::AudienceWrong, Outcome::Reject(Reason::WrongAudience)),
    (D::KeyUnknown, Outcome::NeedsKey),
    (D::SignatureInvalid, Outcome::Reject(Reason::InvalidSignature)),
    (D::ScopeMissing, Outcome::Reject(Reason::InsufficientScope)),
    (D::ClaimMissing, Outcome::Reject(Reason::MissingClaim)),
];

/// A demanding scene whose token has these defects and no others.
fn outcome_of(defects: &[Defect]) -> Outcome {
    let has = |defect| defects.contains(&defect);
    let mut header = with(good_header(), "typ", "at+jwt");
    let mut claims = good_claims();
    let soon = START.wall.0 + 1000;
    for defect in defects {
        match defect {
            D::OverEveryLimit => header["pad"] = "x".repeat(20_000).into(),
            D::Critical => header["crit"] = json!(["x"]),
            D::AlgorithmNone => header["alg"] = "none".into(),
            D::IssuerMissing => claims = without(claims, "iss"),
            D::IssuerUnknown if !has(D::IssuerMissing) => claims["iss"] = "https://evil.example".into(),
            D::IssuerWrong if !has(D::IssuerMissing) && !has(D::IssuerUnknown) => {
                claims["iss"] = OTHER_ISSUER.into();
            }
            D::OverItsLimit => claims["pad"] = "x".repeat(5000).into(),
            D::AlgorithmNotAllowed if !has(D::AlgorithmNone) => header["alg"] = "PS512".into(),
            D::TypeWrong => header["typ"] = "secevent+jwt".into(),
            D::ExpiryMissing => claims = without(claims, "exp"),
            D::Expired if !has(D::ExpiryMissing) => claims["exp"] = (START.wall.0 - 60).into(),
            D::NotYetValid => claims["nbf"] = soon.into(),
            D::IssuedInFuture => claims["iat"] = soon.into(),
            D::AudienceWrong => claims["aud"] = "web".into(),
            D::KeyUnknown => header["kid"] = "new".into(),
            D::ScopeMissing => claims["scope"] = "write".into(),
            D::ClaimMissing => claims["realm_access"] = json!({ "roles": [] }),
            _ => {}
        }
    }
    let payload = if has(D::ClaimsMalformed) { json!([claims]) } else { claims };
    let mut token = sign_parts(&KEYS[0], header.to_string().as_bytes(), payload.to_string().as_bytes());
    if has(D::SignatureInvalid) {
        let (input, _) = token.rsplit_once('.').unwrap();
        token = format!("{input}.{}", base64url(&[7; 64]));
    }
    if has(D::NotBase64Url) {
        token.push('=');
    }
    let scene = Scene { arrived: MonoTime(START.mono.0 + 1), ..Scene::new() }
        .policy(|policy| {
            policy.token_size_limit = 4096;
            policy.algorithms = AlgorithmSet::from_iter([Algorithm::EdDsa]);
            policy.audiences = texts(&["api"]);
        })
        .demand(|demand| {
            demand.issuers = vec![0];
            demand.scopes = texts(&["read"]);
            let test = ClaimTest::Contains(vec!["auditor".into()]);
            demand.claims = vec![ClaimRule { pointer: "/realm_access/roles".into(), test }];
        });
    scene.outcome(&token)
}

#[test]
fn of_all_defects_the_first_in_order_is_told() {
    assert!(DEFECTS.is_sorted_by_key(|(defect, _)| *defect));
    let all: Vec<_> = DEFECTS.iter().map(|(defect, _)| *defect).collect();
    for (first, (defect, expected)) in DEFECTS.into_iter().enumerate() {
        assert_eq!(outcome_of(&[defect]), expected, "{defect:?} alone");
        assert_eq!(outcome_of(&all[first..]), expected, "{defect:?} and all that come after it");
    }
    assert_eq!(outcome_of(&[]), Outcome::Accept);
}

/// One token of each kind, accepted in its scene.
static ACCEPTED: LazyLock<Vec<(String, Scene)>> = LazyLock::new(|| {
    let secret = LocalSigner::from_secret(Algorithm::Hs256, None, SECRET).unwrap();
    let hs256 = |policy: &mut IssuerPolicy| policy.algorithms = AlgorithmSet::from_iter([Algorithm::Hs256]);
    let nameless = [jwk(&KEYS[0], None), jwk(&EC_KEY, None)];
    let accepted = vec![
        (token(&good_claims()), Scene::new()),
        (sign(&EC_KEY, &good_claims()), Scene::new()),
        (sign(&RSA_KEY, &good_claims()), Scene::new()),
        (sign(&EC_KEY, &good_claims()), Scene::new().published(&nameless)),
        (sign(&secret, &good_claims()), Scene::new().keys(&fixed_keys()).policy(hs256)),
    ];
    for (token, scene) in &accepted {
        assert_eq!(scene.outcome(token), Outcome::Accept);
    }
    accepted
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_any_defects_the_first_in_order_is_told(mut defects in prop::sample::subsequence(&DEFECTS, 0..=20)) {
        defects.sort_by_key(|(defect, _)| *defect);
        let names: Vec<_> = defects.iter().map(|(defect, _)| *defect).collect();
        let expected = defects.first().map_or(Outcome::Accept, |(_, outcome)| *outcome);
        prop_assert_eq!(outcome_of(&names), expected);
    }

    /// 403 tells a stranger that the token is good: only the signature can.
    #[test]
    fn nothing_is_said_of_scopes_before_the_signature_holds(
        defects in prop::sample::subsequence(&DEFECTS[..18], 1..=18),
    ) {
        let mut names: Vec<_> = defects.iter().map(|(defect, _)| *defect).collect();
        names.push(D::ScopeMissing);
        if let Outcome::Reject(reason) = outcome_of(&names) {
            prop_assert_ne!(reason.kind(), ReasonKind::Forbidden);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_good_token_with_one_character_changed_is_never_accepted(
        which in 0..5_usize,
        place in any::<prop::sample::Index>(),
        character in "[A-Za-z0-9_.=+/-]",
    ) {
        let (token, scene) = &ACCEPTED[which];
        let place = place.index(token.len());
        prop_assume!(token[place..=place] != character);
        let changed = format!("{}{character}{}", &token[..place], &token[place + 1..]);
        prop_assert_ne!(scene.outcome(&changed), Outcome::Accept);
    }

    #[test]
    fn a_good_token_with_a_character_more_or_less_is_never_accepted(
        which in 0..5_usize,
        place in any::<prop::sample::Index>(),
        character in "[A-Za-z0-9_. =-]",
    ) {
        let (token, scene) = &ACCEPTED[which];
        let place = place.index(token.len());
        let more = format!("{}{character}{}", &token[..place], &token[place..]);
        let less = format!("{}{}", &token[..place], &token[place + 1..]);
        prop_assert_ne!(scene.outcome(&more), Outcome::Accept);
        prop_assert_ne!(scene.outcome(&less), Outcome::Accept);
    }
}
