//! Sender-constrained tokens through the verifier and the layer: what was not shown is refused, a proof is used once, and
//! a new configuration forgets neither proofs nor nonces.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use axum::{Extension, Router};
use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode};
use keyward::binding::{
    BindingSettings, CertificateThumbprint, Demanded, DpopProof, Presented, Proofs, Scheme,
};
use keyward::{Algorithm, Reason, Requirement, RequirementId, Verified, Verifier, VerifyLayer};
use keyward_jose::{LocalSigner, Signer};
use serde_json::{Value, json};
use tower_service::Service;

use crate::support::{
    Bench, JWKS, KEYS, Outcome, Provider, Reply, TestClock, at_once, discover, outcome, pass, patiently, sign,
};

const URI: &str = "https://api.example/orders";
const CERTIFICATE: &[u8] = b"as if it were DER";

fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

fn sha256(octets: &[u8]) -> String {
    base64url(digest::digest(&digest::SHA256, octets).as_ref())
}

/// A client with a key of its own.
pub(crate) struct Client(LocalSigner);

impl Client {
    pub(crate) fn new() -> Self {
        Self(LocalSigner::generate(Algorithm::Es256, None).unwrap())
    }

    pub(crate) fn cnf(&self) -> Value {
        json!({ "jkt": self.0.public_jwk().unwrap().thumbprint().to_string() })
    }

    pub(crate) fn proof(&self, token: &str, jti: &str, iat: i64, nonce: Option<&str>) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.0.public_jwk().unwrap() });
        let mut claims =
            json!({ "jti": jti, "htm": "GET", "htu": URI, "iat": iat, "ath": sha256(token.as_bytes()) });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let input = [header, claims].map(|part| base64url(part.to_string().as_bytes())).join(".");
        let signature = at_once(self.0.sign(input.as_bytes())).unwrap();
        format!("{input}.{}", base64url(&signature))
    }
}

pub(crate) fn bound(bench: &Bench, issuer: &str, cnf: &Value) -> String {
    let now = bench.clock.wall();
    let claims =
        json!({ "iss": issuer, "sub": "alice", "aud": "api", "iat": now, "exp": now + 3600, "cnf": cnf });
    sign(&KEYS[0], &claims)
}

pub(crate) fn with_proof(jws: &str) -> Presented<'_> {
    let proofs = Proofs::One(DpopProof { jws: jws.as_bytes(), method: "GET", uri: URI });
    Presented { scheme: Scheme::Dpop, certificate: None, proofs }
}

pub(crate) async fn shown(verifier: &Verifier, token: &str, presented: &Presented<'_>) -> Outcome {
    let id = RequirementId::default();
    outcome(&patiently(verifier.verify_presented_for(id, token.as_bytes(), presented)).await)
}

#[tokio::test]
async fn who_shows_nothing_has_bound_tokens_refused_the_first_time_and_each_time_after() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let client = Client::new();
    let token = bound(&bench, &provider.issuer(), &client.cnf());
    let missing = Outcome::Reject(Reason::BindingMissing);
    for jti in ["a", "b"] {
        assert_eq!(bench.outcome(&token).await, missing);
        let id = RequirementId::default();
        assert_eq!(outcome(&bench.verifier.verify_for(id, token.as_bytes()).await), missing);
        assert_eq!(bench.verifier.try_verify_for(id, token.as_bytes()).as_ref().map(outcome), Some(missing));
        let jws = client.proof(&token, jti, bench.clock.wall(), None);
        assert_eq!(shown(&bench.verifier, &token, &with_proof(&jws)).await, Outcome::Accept);
        let as_bearer = Presented { scheme: Scheme::Bearer, ..with_proof(&jws) };
        assert_eq!(shown(&bench.verifier, &token, &as_bearer).await, missing, "a downgrade");
    }
    assert_eq!((bench.verifier.cache_size().0, bench.verifier.used_proofs()), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proof_that_many_requests_show_at_once_lets_one_through() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let client = Client::new();
    let token = bound(&bench, &provider.issuer(), &client.cnf());
    for jti in 0..20 {
        let jws = client.proof(&token, &jti.to_string(), bench.clock.wall(), None);
        let requests: Vec<_> = (0..8)
            .map(|_| {
                let (verifier, token, jws) = (bench.verifier.clone(), token.clone(), jws.clone());
                tokio::spawn(async move { shown(&verifier, &token, &with_proof(&jws)).await })
            })
            .collect();
        let mut passed = 0;
        for request in requests {
            match request.await.unwrap() {
                Outcome::Accept => passed += 1,
                other => assert_eq!(other, Outcome::Reject(Reason::ProofReplayed)),
            }
        }
        assert_eq!(passed, 1);
    }
}

#[tokio::test]
async fn a_proof_is_held_against_the_time_at_which_its_token_is_decided_and_not_used_up_before() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let client = Client::new();
    // A key that is not known yet: it must be fetched first.
    let now = bench.clock.wall();
    let token = sign(
        &KEYS[1],
        &json!({ "iss": provider.issuer(), "aud": "api", "iat": now, "exp": now + 3600, "cnf": client.cnf() }),
    );
    let jws = client.proof(&token, "a", now, None);
    let id = RequirementId::default();
    assert!(bench.verifier.try_verify_presented_for(id, token.as_bytes(), &with_proof(&jws)).is_none());
    assert_eq!(bench.verifier.used_proofs(), 0);
    provider.publish(&KEYS[..2]);
    assert_eq!(shown(&bench.verifier, &token, &with_proof(&jws)).await, Outcome::Accept);
    assert_eq!(bench.verifier.used_proofs(), 1);
    let late = client.proof(&token, "b", now, None);
    pass(Duration::from_secs(120)).await;
    assert_eq!(
        shown(&bench.verifier, &token, &with_proof(&late)).await,
        Outcome::Reject(Reason::ProofInvalid)
    );
    let fresh = client.proof(&token, "c", bench.clock.wall(), None);
    assert_eq!(shown(&bench.verifier, &token, &with_proof(&fresh)).await, Outcome::Accept);
}

#[tokio::test]
async fn a_full_memory_of_proofs_is_our_fault_and_not_the_clients() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::with(TestClock::new(), |builder| builder.issuer(discover(&provider)).replay_limit(2));
    bench.seen("refreshed", 1).await;
    let client = Client::new();
    let token = bound(&bench, &provider.issuer(), &client.cnf());
    let mut came = Vec::new();
    for jti in ["a", "b", "c"] {
        let jws = client.proof(&token, jti, bench.clock.wall(), None);
        came.push(shown(&bench.verifier, &token, &with_proof(&jws)).await);
    }
    assert_eq!(came, [Outcome::Accept, Outcome::Accept, Outcome::Undecided(Reason::Overloaded)]);
    // What needs no proof is not concerned.
    assert_eq!(bench.outcome(&bench.token(&KEYS[0], &provider.issuer())).await, Outcome::Accept);
}

#[tokio::test]
async fn a_new_configuration_forgets_no_used_proof_and_takes_the_nonces_of_the_old_one() {
    let provider = Provider::start(&KEYS[..1]).await;
    let settings =
        || BindingSettings { nonce_slot: Some(Duration::from_secs(60)), ..BindingSettings::default() };
    let old =
        Bench::with(TestClock::new(), |builder| builder.issuer(discover(&provider)).binding(settings()));
    old.seen("refreshed", 1).await;
    let client = Client::new();
    let token = bound(&old, &provider.issuer(), &client.cnf());
    let now = old.clock.wall();
    let without = client.proof(&token, "a", now, None);
    let came = shown(&old.verifier, &token, &with_proof(&without)).await;
    assert_eq!(came, Outcome::Reject(Reason::ProofNonceRequired));
    let nonce = old.verifier.dpop_nonce().expect("one is demanded");
    let [first, second] = ["a", "b"].map(|jti| client.proof(&token, jti, now, Some(&nonce)));
    assert_eq!(shown(&old.verifier, &token, &with_proof(&first)).await, Outcome::Accept);

    let builder = Verifier::builder().issuer(discover(&provider)).binding(settings()).replay_limit(10);
    let new = builder.previous(&old.verifier).start().unwrap();
    assert_eq!(new.used_proofs(), 1);
    let came = shown(&new, &token, &with_proof(&first)).await;
    assert_eq!(came, Outcome::Reject(Reason::ProofReplayed));
    assert_eq!(shown(&new, &token, &with_proof(&second)).await, Outcome::Accept);
    assert_eq!(
        shown(&old.verifier, &token, &with_proof(&second)).await,
        Outcome::Reject(Reason::ProofReplayed)
    );

    let stranger = Verifier::builder().issuer(discover(&provider)).start().unwrap();
    assert_eq!((stranger.dpop_nonce(), stranger.used_proofs()), (None, 0));
}

#[tokio::test]
async fn verifiers_that_share_a_secret_take_each_others_nonces_and_show_it_to_nobody() {
    let provider = Provider::start(&KEYS[..1]).await;
    let secret = *b"32 octets that two of them share";
    let start = |secret: Option<[u8; 32]>| {
        let settings =
            BindingSettings { nonce_slot: Some(Duration::from_secs(60)), ..BindingSettings::default() };
        Bench::with(TestClock::new(), |builder| {
            let builder = builder.issuer(discover(&provider)).binding(settings);
            let builder = match secret {
                Some(secret) => builder.proof_secret(secret),
                None => builder,
            };
            let shown = format!("{builder:?}");
            assert!(!shown.contains("51, 50, 32") && !shown.contains("32 octets"), "{shown}");
            builder
        })
    };
    let [one, other, stranger] = [Some(secret), Some(secret), None].map(start);
    other.seen("refreshed", 1).await;
    stranger.seen("refreshed", 1).await;
    let client = Client::new();
    let token = bound(&one, &provider.issuer(), &client.cnf());
    let nonce = one.verifier.dpop_nonce();
    let jws = client.proof(&token, "a", one.clock.wall(), nonce.as_deref());
    assert_eq!(shown(&other.verifier, &token, &with_proof(&jws)).await, Outcome::Accept);
    let came = shown(&stranger.verifier, &token, &with_proof(&jws)).await;
    assert_eq!(came, Outcome::Reject(Reason::ProofNonceRequired));
    let debug = format!("{:?} {:?}", one.verifier, one.verifier.binding_settings());
    assert!(!debug.contains("51, 50, 32"), "{debug}");
}

/// The layers of a bench: as it is, with an origin, and with an origin where this is demanded.
async fn layers(provider: &Provider, demanded: Demanded) -> (Bench, [VerifyLayer; 3]) {
    let mut id = RequirementId::default();
    let settings =
        BindingSettings { nonce_slot: Some(Duration::from_secs(60)), ..BindingSettings::default() };
    let bench = Bench::with(TestClock::new(), |mut builder| {
        id = builder.requirement(Requirement { binding: Some(demanded), ..Requirement::default() });
        builder.issuer(discover(provider)).binding(settings)
    });
    bench.seen("refreshed", 1).await;
    let plain = VerifyLayer::new(bench.verifier.clone());
    let known = plain.clone().origin("https://API.example:443").unwrap();
    (bench, [plain, known.clone(), known.requirement(id)])
}

async fn ask(
    layer: &VerifyLayer,
    headers: &[(&str, &str)],
    der: Option<&[u8]>,
) -> (StatusCode, HeaderMap, String) {
    let who = |Extension(token): Extension<Verified>| async move { token.subject().unwrap().to_owned() };
    let mut app = Router::new().route("/orders", get(who)).layer(layer.clone());
    let mut request =
        Request::get("/orders?page=2").header("host", "evil.example").body(Body::empty()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    if let Some(der) = der {
        request.extensions_mut().insert(CertificateThumbprint::of_der(der));
    }
    let (parts, body) = patiently(app.call(request)).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 16).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn challenges(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

fn reason(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_layer_that_knows_its_origin_speaks_dpop() {
    let provider = Provider::start(&KEYS[..1]).await;
    let (bench, [plain, layer, _]) = layers(&provider, Demanded::Any).await;
    let client = Client::new();
    let token = bound(&bench, &provider.issuer(), &client.cnf());
    let (bearer, dpop) = (format!("Bearer {token}"), format!("DPoP {token}"));
    let now = bench.clock.wall();

    let (status, headers, _) = ask(&layer, &[], None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let [first, second] = challenges(&headers)[..] else { panic!("two challenges") };
    assert_eq!((first, second.starts_with("DPoP algs=\"")), ("Bearer", true));

    let stale = client.proof(&token, "a", now, None);
    let (status, headers, body) = ask(&layer, &[("authorization", &dpop), ("dpop", &stale)], None).await;
    assert_eq!((status, reason(&body).as_str()), (StatusCode::UNAUTHORIZED, "proof_nonce_required"));
    assert!(challenges(&headers)[0].starts_with(r#"DPoP error="use_dpop_nonce""#));
    let nonce = headers["dpop-nonce"].to_str().unwrap();

    let jws = client.proof(&token, "a", now, Some(nonce));
    let (status, headers, body) = ask(&layer, &[("authorization", &dpop), ("dpop", &jws)], None).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "alice"));
    assert_eq!(headers["dpop-nonce"], nonce);
    let (status, headers, body) = ask(&layer, &[("authorization", &dpop), ("dpop", &jws)], None).await;
    assert_eq!((status, reason(&body).as_str()), (StatusCode::UNAUTHORIZED, "proof_replayed"));
    assert!(challenges(&headers)[0].starts_with(r#"DPoP error="invalid_dpop_proof""#));

    let other = client.proof(&token, "b", now, Some(nonce));
    for (fields, label) in [
        (vec![("authorization", dpop.as_str())], "binding_missing"),
        (vec![("authorization", bearer.as_str()), ("dpop", &other)], "binding_missing"),
        (vec![("authorization", dpop.as_str()), ("dpop", &other), ("dpop", &other)], "proof_invalid"),
        (vec![("authorization", dpop.as_str()), ("dpop", "x")], "proof_invalid"),
        (vec![("authorization", dpop.as_str()), ("authorization", bearer.as_str())], "several_tokens"),
    ] {
        let (_, headers, body) = ask(&layer, &fields, None).await;
        assert_eq!(reason(&body), label, "{fields:?}");
        assert!(!body.contains(&token) && !format!("{headers:?}").contains(&token));
    }
    // One that does not know it does not know the scheme.
    let (_, headers, body) = ask(&plain, &[("authorization", &dpop), ("dpop", &other)], None).await;
    assert_eq!((reason(&body).as_str(), challenges(&headers)), ("missing_token", vec!["Bearer"]));
    let (status, _, _) = ask(&layer, &[("authorization", &dpop), ("dpop", &other)], None).await;
    assert_eq!(status, StatusCode::OK, "it was not used up by any of them");
}

#[tokio::test]
async fn a_layer_takes_the_certificate_from_the_extensions_and_demands_what_its_requirement_says() {
    let provider = Provider::start(&KEYS[..1]).await;
    let (bench, [layer, _, demanding]) = layers(&provider, Demanded::Certificate).await;
    let token = bound(&bench, &provider.issuer(), &json!({ "x5t#S256": sha256(CERTIFICATE) }));
    let bearer = format!("Bearer {token}");
    let fields = [("authorization", bearer.as_str())];
    for layer in [&layer, &demanding] {
        let (status, headers, body) = ask(layer, &fields, Some(CERTIFICATE)).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "alice"));
        assert!(!headers.contains_key("dpop-nonce"));
        let (_, _, body) = ask(layer, &fields, Some(b"another")).await;
        assert_eq!(reason(&body), "binding_mismatch");
        let (_, headers, body) = ask(layer, &fields, None).await;
        assert_eq!((reason(&body).as_str(), challenges(&headers).len()), ("binding_missing", 1));
    }
    let plain = format!("Bearer {}", bench.token(&KEYS[0], &provider.issuer()));
    let (status, ..) = ask(&layer, &[("authorization", &plain)], None).await;
    assert_eq!(status, StatusCode::OK);
    let (_, _, body) = ask(&demanding, &[("authorization", &plain)], Some(CERTIFICATE)).await;
    assert_eq!(reason(&body), "binding_missing", "the token itself must be bound");
}

#[tokio::test]
async fn an_origin_is_a_scheme_a_host_and_a_port() {
    let provider = Provider::start(&KEYS[..1]).await;
    provider.set(JWKS, Reply::status(500));
    let bench = Bench::new(discover(&provider));
    let layer = VerifyLayer::new(bench.verifier.clone());
    for origin in
        ["https://api.example", "https://api.example/", "http://[::1]:8080", "HTTPS://api.example:443"]
    {
        assert!(layer.clone().origin(origin).is_ok(), "{origin}");
    }
    for origin in [
        "",
        "api.example",
        "https://",
        "https://api.example/v1",
        "https://api.example//",
        "https://api.example?x",
        "https://a@b",
    ] {
        assert_eq!(layer.clone().origin(origin).unwrap_err().origin, origin);
    }
}
