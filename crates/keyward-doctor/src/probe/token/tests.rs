use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::{Algorithm, IssuerSettings, MonoTime, Requirement, UnixTime};
use keyward_jose::{LocalSigner, Signer, sign_compact};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::code::Code;
use crate::diagnosis::Certainty;
use crate::facts::{
    AnsweredKeySet, ClockFacts, Configured, Facts, GatewayIssuer, GatewayKey, IssuerFacts, KeySetFacts,
    PublishedKey, Reach, Signed, TokenKind,
};
use crate::probe::target::RouteTarget;

const NOW: i64 = 1_795_233_600;
const ISSUER: &str = "https://idp.example.com/realms/main";

/// What a look at a token has before it: an issuer `main` that publishes two keys, and another one.
struct World {
    keys: [LocalSigner; 2],
    other: LocalSigner,
    target: Target,
    clock: Option<ClockFacts>,
    held: Vec<GatewayKey>,
}

impl World {
    fn new() -> Self {
        let key = |kid| LocalSigner::generate(Algorithm::EdDsa, Some(kid)).expect("a key");
        let main =
            IssuerSettings::discover(ISSUER).named("main").audience("api").algorithms([Algorithm::EdDsa]);
        let other = IssuerSettings::discover("https://other.example.net").named("other");
        let issuers = [main, other].map(|settings| IssuerTarget { settings });
        Self {
            keys: [key("key-1"), key("key-2")],
            other: key("other-1"),
            target: Target { issuers: issuers.into(), ..Target::default() },
            clock: None,
            held: Vec::new(),
        }
    }

    fn key_sets(&self) -> Vec<FetchedKeySet> {
        let set = |issuer: &str, keys: &[&LocalSigner]| FetchedKeySet {
            issuer: issuer.to_owned(),
            text: json!({ "keys": keys.iter().map(|key| key.public_jwk()).collect::<Vec<_>>() })
                .to_string()
                .into(),
        };
        let [first, second] = &self.keys;
        vec![set("main", &[first, second]), set("other", &[&self.other])]
    }

    fn facts(&self, handed_in: &[u8]) -> TokenFacts {
        let now = Now { wall: UnixTime(NOW), mono: MonoTime(0) };
        token(handed_in, &self.target, &self.key_sets(), Some(&self.gateway()), now)
    }

    fn gateway(&self) -> GatewayFacts {
        let reach = serde_json::from_value(
            serde_json::json!({ "url": "", "lookup": { "literal": "127.0.0.1" }, "attempts": [] }),
        );
        let reach: Reach = reach.expect("a way");
        let held =
            GatewayIssuer { name: "main".to_owned(), keys: self.held.clone(), ..GatewayIssuer::default() };
        GatewayFacts { reach, readiness: None, issuers: Some(vec![held]), recorder: None }
    }

    /// What the rules make of it.
    fn found(&self, handed_in: &[u8]) -> Vec<(Code, Certainty)> {
        let issuers = self.target.issuers.iter().map(|issuer| self.issuer(issuer)).collect();
        let token = Some(self.facts(handed_in));
        let facts = Facts { issuers, token, gateway: Some(self.gateway()), ..Facts::default() };
        let mut found = crate::rules::diagnose(&Facts { gateway: None, ..facts }).findings;
        found.retain(|finding| {
            (3000..4000).contains(&(finding.code as u16)) || TOKENS.contains(&finding.code)
        });
        for finding in &found {
            assert!(!finding.evidence.is_empty() && !finding.fix.is_empty(), "{finding:?}");
        }
        found.into_iter().map(|finding| (finding.code, finding.certainty)).collect()
    }

    fn issuer(&self, issuer: &IssuerTarget) -> IssuerFacts {
        let policy = &issuer.settings.policy;
        let texts = |texts: &[Box<str>]| texts.iter().map(|text| text.to_string()).collect();
        let configured = Configured {
            name: policy.name.to_string(),
            issuer: policy.issuer.to_string(),
            audiences: texts(&policy.audiences),
            token_types: texts(&policy.token_types),
            algorithms: policy.algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect(),
            denied_kids: texts(&policy.denied_kids),
            leeway_s: policy.leeway.as_secs(),
            ..Configured::default()
        };
        let key = |signer: &LocalSigner| PublishedKey {
            kid: signer.kid().map(str::to_owned),
            algorithms: vec![signer.algorithm().name().to_owned()],
            ..PublishedKey::default()
        };
        let keys = self.keys.iter().map(key).collect();
        let answer =
            AnsweredKeySet { address: None, keys, skipped: Vec::new(), age_s: None, max_age_s: None };
        let key_set = KeySetFacts {
            place: "https://idp.example.com/jwks".to_owned(),
            reach: None,
            answers: vec![answer],
            again: None,
            trouble: None,
            elsewhere: Vec::new(),
        };
        let key_set = (configured.name == "main").then_some(key_set);
        IssuerFacts { configured, key_set, clock: self.clock, ..IssuerFacts::default() }
    }
}

/// What the rules of tokens say beside the codes of tokens.
const TOKENS: &[Code] = &[
    Code::KidOtherEncoding,
    Code::AlgorithmChanged,
    Code::SignsWithUnpublishedKey,
    Code::KeyDenied,
    Code::IssuerMismatch,
];

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": "api", "iat": NOW - 20, "exp": NOW + 300 })
}

fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a local signer has nothing to wait for"),
    }
}

fn signed(signer: &LocalSigner, typ: &str, claims: &Value) -> String {
    now_or_never(sign_compact(signer, Some(typ), claims.to_string().as_bytes())).expect("a signature")
}

/// The same key under another name, so that its tokens say that one.
fn renamed(signer: &LocalSigner, kid: Option<&str>) -> LocalSigner {
    let der = signer.to_pkcs8().expect("a private key");
    LocalSigner::from_pkcs8(signer.algorithm(), kid, &der).expect("the same key")
}

fn part(json: &Value) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(json.to_string())
}

#[test]
fn a_good_token_is_no_finding() {
    let world = World::new();
    let good = signed(&world.keys[0], "at+jwt", &claims());
    let facts = world.facts(good.as_bytes());
    assert_eq!(facts.issuer, IssuerMatch::Exact("main".to_owned()));
    assert_eq!((facts.kid, facts.signed), (KidMatch::Published("key-1".to_owned()), Signed::ByItsKey));
    assert_eq!((facts.audience, facts.kind), (AudiencePlace::Audience, TokenKind::AccessToken));
    assert_eq!(facts.times.expired_for_s, Some(-300));
    assert_eq!(facts.would_be.first().map(|route| route.verdict.as_str()), Some("accept"));
    assert_eq!(world.found(good.as_bytes()), []);
    assert_eq!(world.found(format!("Bearer {good}\n").as_bytes()), [], "as it stands in a header");
}

#[test]
fn each_case_has_its_finding() {
    use Certainty::{Certain, Likely};
    let world = World::new();
    let [first, _] = &world.keys;
    let stranger = LocalSigner::generate(Algorithm::EdDsa, Some("key-9")).expect("a key");
    let elliptic = LocalSigner::generate(Algorithm::Es256, Some("key-1")).expect("a key");
    let at = |claims: Value| signed(first, "at+jwt", &claims);
    let by = |signer: &LocalSigner| signed(signer, "at+jwt", &claims());
    let thumbprint = first.public_jwk().expect("a public key").thumbprint().to_string();
    let good = by(first);
    let header = |header: Value| format!("{}.{}.AAAA", part(&header), part(&claims()));
    for (what, handed_in, expected) in [
        ("expired", at(with(claims(), "exp", NOW - 3_600)), (Code::TokenExpired, Certain)),
        ("not yet valid", at(with(claims(), "nbf", NOW + 600)), (Code::TokenNotYetValid, Certain)),
        ("of the future", at(with(claims(), "iat", NOW + 600)), (Code::TokenNotYetValid, Certain)),
        ("another audience", at(with(claims(), "aud", "shop")), (Code::AudienceWrong, Certain)),
        ("no audience", at(without(claims(), "aud")), (Code::AudienceWrong, Certain)),
        ("azp", at(with(with(claims(), "aud", "account"), "azp", "api")), (Code::AudienceElsewhere, Certain)),
        (
            "client_id",
            at(with(with(claims(), "aud", "account"), "client_id", "api")),
            (Code::AudienceElsewhere, Certain),
        ),
        (
            "an ID token",
            signed(first, "JWT", &with(with(claims(), "aud", "shop"), "nonce", "n")),
            (Code::IdTokenSent, Certain),
        ),
        ("a logout token", signed(first, "logout+jwt", &claims()), (Code::TokenTypeWrong, Certain)),
        ("no exp", at(without(claims(), "exp")), (Code::ScopeMissing, Certain)),
        ("no iss", at(without(claims(), "iss")), (Code::ScopeMissing, Certain)),
        (
            "another realm of the same host",
            signed(&stranger, "at+jwt", &with(claims(), "iss", "https://idp.example.com/realms/staging")),
            (Code::OtherEnvironment, Certain),
        ),
        (
            "another host",
            signed(
                &stranger,
                "at+jwt",
                &with(claims(), "iss", "https://idp-staging.example.com/realms/main"),
            ),
            (Code::OtherEnvironment, Certain),
        ),
        (
            "the issuer with a slash",
            at(with(claims(), "iss", format!("{ISSUER}/"))),
            (Code::IssuerMismatch, Certain),
        ),
        (
            "the issuer inside the cluster",
            at(with(claims(), "iss", "http://keycloak:8080/realms/main")),
            (Code::IssuerMismatch, Certain),
        ),
        (
            "nobody's issuer",
            signed(&stranger, "at+jwt", &with(claims(), "iss", "https://accounts.google.com")),
            (Code::IssuerUnknown, Certain),
        ),
        ("another issuer's key", by(&world.other), (Code::OtherEnvironment, Certain)),
        ("another published key", by(&renamed(first, Some("key-2"))), (Code::SignedByAnotherKey, Certain)),
        ("the kid in capitals", by(&renamed(first, Some("KEY-1"))), (Code::KidOtherEncoding, Certain)),
        (
            "the kid as a thumbprint",
            by(&renamed(first, Some(&thumbprint))),
            (Code::KidOtherEncoding, Certain),
        ),
        ("a forged one", by(&renamed(&stranger, Some("key-1"))), (Code::SignatureForged, Certain)),
        ("a forged one without kid", header(json!({ "alg": "EdDSA" })), (Code::SignatureForged, Certain)),
        ("a key that is not published", by(&stranger), (Code::SignsWithUnpublishedKey, Likely)),
        (
            "an old token of nobody's key",
            signed(&stranger, "at+jwt", &with(claims(), "iat", NOW - 86_400)),
            (Code::KidUnknown, Likely),
        ),
        ("an algorithm that is not accepted", by(&elliptic), (Code::AlgorithmRefused, Certain)),
        ("alg none", header(json!({ "alg": "none" })), (Code::AlgorithmRefused, Certain)),
        (
            "an algorithm that nobody knows",
            header(json!({ "alg": "ES256K" })),
            (Code::AlgorithmRefused, Certain),
        ),
        (
            "a critical header",
            header(json!({ "alg": "EdDSA", "crit": ["exp"], "exp": 1 })),
            (Code::CriticalHeader, Certain),
        ),
        ("an opaque token", "mF_9.B5f-4.1JqM".replace('.', ""), (Code::OpaqueToken, Certain)),
        (
            "an encrypted one",
            format!("{}.a.b.c.d", part(&json!({ "alg": "dir" }))),
            (Code::EncryptedToken, Certain),
        ),
        ("half of one", good.chars().take(good.len() / 2).collect(), (Code::TokenMalformed, Certain)),
        ("nothing", String::new(), (Code::TokenMalformed, Certain)),
        (
            "a huge one",
            format!("{}.{}.AAAA", part(&json!({ "alg": "EdDSA" })), "A".repeat(20_000)),
            (Code::TokenTooLarge, Certain),
        ),
        ("a vast one", "a.".repeat(500_000), (Code::TokenTooLarge, Certain)),
        ("quotes", format!("\"{good}\""), (Code::TokenWrapped, Likely)),
        ("its scheme twice", format!("Bearer Bearer {good}"), (Code::TokenWrapped, Likely)),
    ] {
        assert_eq!(
            world.found(handed_in.as_bytes()),
            [expected],
            "{what}: {:?}",
            world.facts(handed_in.as_bytes())
        );
    }
}

#[test]
fn an_algorithm_that_the_provider_changed_to_is_told_from_one_that_nobody_uses() {
    let mut world = World::new();
    world.target.issuers[0].settings.policy.algorithms = [Algorithm::Rs256].into_iter().collect();
    let token = signed(&world.keys[0], "at+jwt", &claims());
    assert_eq!(world.found(token.as_bytes()), [(Code::AlgorithmChanged, Certainty::Certain)]);
}

#[test]
fn a_denied_key_is_named_before_all_else_of_its_key() {
    let mut world = World::new();
    world.target.issuers[0].settings.policy.denied_kids = vec!["key-1".into()];
    let token = signed(&world.keys[0], "at+jwt", &claims());
    assert_eq!(world.found(token.as_bytes()), [(Code::KeyDenied, Certainty::Certain)]);
}

#[test]
fn a_key_that_only_the_gateway_has_was_withdrawn() {
    let mut world = World::new();
    let gone = LocalSigner::generate(Algorithm::EdDsa, Some("key-0")).expect("a key");
    world.held = vec![GatewayKey { kid: Some("key-0".to_owned()), ..GatewayKey::default() }];
    let facts = world.facts(signed(&gone, "at+jwt", &claims()).as_bytes());
    assert_eq!((facts.kid, facts.signed), (KidMatch::Withdrawn("key-0".to_owned()), Signed::ByNone));
}

#[test]
fn the_providers_clock_takes_the_blame_from_the_client() {
    let mut world = World::new();
    world.target.issuers[0].settings.policy.leeway = Duration::from_secs(5);
    world.clock = Some(ClockFacts { ahead_s: 21.0, uncertainty_s: 0.6, answers: 2 });
    let token = signed(&world.keys[0], "at+jwt", &with(claims(), "iat", NOW + 20));
    let facts = world.facts(token.as_bytes());
    assert_eq!(facts.times.issued_in_s, Some(20));
    let issuers = world.target.issuers.iter().map(|issuer| world.issuer(issuer)).collect();
    let diagnosis = crate::rules::diagnose(&Facts { issuers, token: Some(facts), ..Facts::default() });
    let all = diagnosis.findings.iter().flat_map(|finding| finding.consequences.iter().chain([finding]));
    let early =
        all.clone().find(|finding| finding.code == Code::TokenNotYetValid).expect("it is not valid yet");
    assert_eq!(early.certainty, Certainty::Possible);
}

#[test]
fn each_route_says_what_it_would_say() {
    let mut world = World::new();
    let route = |name: &str, requirement: Requirement| RouteTarget {
        name: name.to_owned(),
        settings: requirement.into(),
    };
    world.target.routes = vec![
        route("route 1 (/open)", Requirement::default()),
        route("route 2 (/admin)", Requirement { scopes: vec!["admin".into()], ..Requirement::default() }),
        route("route 3 (/shop)", Requirement { audiences: vec!["shop".into()], ..Requirement::default() }),
        route("route 4 (/other)", Requirement { issuers: vec![1], ..Requirement::default() }),
    ];
    let token = signed(&world.keys[0], "at+jwt", &claims());
    let reasons: Vec<_> =
        world.facts(token.as_bytes()).would_be.into_iter().map(|route| route.reason).collect();
    let reasons: Vec<_> = reasons.iter().map(Option::as_deref).collect();
    assert_eq!(reasons, [None, Some("insufficient_scope"), Some("wrong_audience"), Some("wrong_issuer")]);
    // Nobody knows which of them the client asks.
    let found = world.found(token.as_bytes());
    assert!(
        found.iter().all(|(_, certainty)| *certainty == Certainty::Possible) && found.len() == 3,
        "{found:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_octets_are_looked_at_without_trouble(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let world = World::new();
        prop_assert_eq!(world.facts(&octets).signed, Signed::NotTried);
    }

    #[test]
    fn parts_that_are_nearly_a_token_are_looked_at_without_trouble(text in r#"("|Bearer |,| |\.|e30|eyJhbGciOiJFZERTQSJ9|[A-Za-z0-9_-]{0,20}){0,12}"#) {
        let world = World::new();
        world.found(text.as_bytes());
    }

    #[test]
    fn no_value_of_a_claim_is_in_the_facts(
        names in prop::collection::vec("(iss|sub|aud|azp|client_id|scope|nonce|jti|email|typ|events)", 1..6),
        planted in "[A-Z0-9]{24,40}",
        kid in "[A-Z0-9]{24,40}",
        is_ours in any::<bool>(),
    ) {
        let world = World::new();
        let mut claims = claims();
        for (place, name) in names.iter().enumerate() {
            claims = with(claims, name, format!("{planted}{place}"));
        }
        if is_ours {
            claims = with(claims, "iss", ISSUER);
        }
        let signer = renamed(&world.keys[0], Some(&kid));
        let text = signed(&signer, &planted, &claims);
        let facts = serde_json::to_string(&world.facts(text.as_bytes())).expect("facts are JSON");
        for secret in [&planted, &kid, &text] {
            for window in secret.as_bytes().windows(8) {
                let window = std::str::from_utf8(window).expect("ASCII");
                prop_assert!(!facts.contains(window), "{window} in {facts}");
            }
        }
    }
}
