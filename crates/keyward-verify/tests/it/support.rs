//! What several topics need: keys, tokens signed by hand, sets, an issuer, and a driver of the machine.

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::{
    Algorithm, AlgorithmSet, DecodeBuffer, JwkSet, JwkSetLimits, LocalSigner, Signer, VerificationKey,
};
use keyward_verify::introspection::{
    Active, Answer, AnswerCache, AnswerCacheSettings, Endpoint, Found, Question, Received,
};
use keyward_verify::key_set::{
    Fetched, KeySetMachine, KeySetSettings, LiveKey, PublishedKeys, Refresh, Step,
};
use keyward_verify::{
    Decision, Issuer, IssuerPolicy, MonoTime, Now, Reason, Requirement, UnixTime, Verdict, Verified,
    WantedKey, decide,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const SECRET: &[u8; 32] = b"thirty-two octets known to all..";

/// When tests happen: a wall clock at a round number, a monotonic one a day old.
pub(crate) const START: Now = Now { wall: UnixTime(1_800_000_000), mono: MonoTime(86_400_000_000_000) };

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Six Ed25519 keys: the quickest to sign and to verify.
pub(crate) static KEYS: LazyLock<Vec<LocalSigner>> =
    LazyLock::new(|| (0..6).map(|_| LocalSigner::generate(Algorithm::EdDsa, None).unwrap()).collect());

pub(crate) static EC_KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::Es256, Some("ec")).unwrap());

pub(crate) static RSA_KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::Rs256, Some("rsa")).unwrap());

/// Both clocks, `duration` later than `now`, the wall clock in whole seconds.
pub(crate) fn later(now: Now, duration: Duration) -> Now {
    Now { wall: now.wall.saturating_add(duration), mono: now.mono.saturating_add(duration) }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The result of a future that a local signer returns: it never waits.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a local signer has nothing to wait for"),
    }
}

pub(crate) fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

/// A token of exactly this header and payload, well signed.
pub(crate) fn sign_parts(signer: &LocalSigner, header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", base64url(header), base64url(payload));
    let signature = ready(signer.sign(input.as_bytes())).unwrap();
    format!("{input}.{}", base64url(&signature))
}

/// A token of these claims with the signer's `alg`, this `kid` or none, and no `typ`.
pub(crate) fn sign_as(signer: &LocalSigner, kid: Option<&str>, claims: &Value) -> String {
    let mut header = json!({ "alg": signer.algorithm().name() });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    sign_parts(signer, header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// A token of these claims with the signer's own `kid`.
pub(crate) fn sign(signer: &LocalSigner, claims: &Value) -> String {
    sign_as(signer, signer.kid(), claims)
}

/// Claims that pass at [`START`]: issued then, good for an hour.
pub(crate) fn good_claims() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": "api", "iat": START.wall.0, "exp": START.wall.0 + 3600,
            "scope": "read write", "roles": ["admin", 7], "realm_access": { "roles": ["auditor"] } })
}

/// `claims` with `name` set to something else.
pub(crate) fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

/// `claims` without `name`.
pub(crate) fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

/// The public JWK of `signer` under this `kid`, or under none.
pub(crate) fn jwk(signer: &LocalSigner, kid: Option<&str>) -> Value {
    let mut jwk = serde_json::to_value(signer.public_jwk().unwrap()).unwrap();
    match kid {
        Some(kid) => jwk["kid"] = kid.into(),
        None => jwk = without(jwk, "kid"),
    }
    jwk
}

/// The public JWK of `signer` under its own `kid`.
pub(crate) fn own_jwk(signer: &LocalSigner) -> Value {
    jwk(signer, signer.kid())
}

/// A JWK that is skipped, of a key type that is to come.
pub(crate) fn unusable_jwk() -> Value {
    json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "post-quantum", "pub": "AA" })
}

pub(crate) fn jwk_set(keys: &[Value]) -> JwkSet {
    JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes(), JwkSetLimits::default()).unwrap()
}

pub(crate) fn answer(keys: &[Value]) -> Fetched {
    Fetched { set: jwk_set(keys), max_age: None, age: Duration::ZERO }
}

/// A machine with default settings that has fetched nothing.
pub(crate) fn machine(now: Now) -> KeySetMachine {
    KeySetMachine::new(KeySetSettings::default(), Arc::new(PublishedKeys::new(Vec::new())), now, 7)
}

/// A machine that fetched these keys at `now`.
pub(crate) fn machine_with(now: Now, keys: &[Value]) -> KeySetMachine {
    let mut machine = machine(now);
    fetch(&mut machine, now, keys);
    machine
}

/// One fetch that is due, begins and succeeds at `now`.
pub(crate) fn fetch(machine: &mut KeySetMachine, now: Now, keys: &[Value]) {
    assert_eq!(machine.poll(now), Step::Fetch);
    assert!(matches!(machine.fetched(now, Ok(answer(keys))), Refresh::Refreshed(_)));
}

/// One fetch that begins and succeeds when it is next due; returns that time.
pub(crate) fn next_fetch(machine: &mut KeySetMachine, now: Now, keys: &[Value]) -> Now {
    let due = machine.next_fetch().expect("none is under way");
    // The wall clock shows whole seconds: up, so that it is never behind the other.
    let wait = due.saturating_since(now.mono).as_secs_f64().ceil();
    let now = later(now, Duration::from_secs_f64(wait));
    fetch(machine, now, keys);
    now
}

/// The fixed keys of an issuer whose tokens are signed with [`SECRET`].
pub(crate) fn fixed_keys() -> Arc<PublishedKeys> {
    let key =
        VerificationKey::from_secret(SECRET, AlgorithmSet::from_iter([Algorithm::Hs256]), None).unwrap();
    Arc::new(PublishedKeys::new(vec![LiveKey::fixed(key, START.wall)]))
}

pub(crate) fn issuer(keys: &Arc<PublishedKeys>) -> Issuer {
    Issuer { policy: Arc::new(IssuerPolicy::new("idp", ISSUER)), keys: Arc::clone(keys) }
}

/// One issuer with default policy and the machine's keys.
pub(crate) fn issuer_of(machine: &KeySetMachine) -> Issuer {
    issuer(machine.published())
}

/// What became of a token, in a form that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accept,
    Reject(Reason),
    Undecided(Reason),
    NeedsKey,
}

/// Decides on a token that arrived at `arrived` and demands nothing beyond its being good.
pub(crate) fn judge(now: Now, arrived: MonoTime, issuer: &Issuer, token: &str) -> Decision {
    decide(
        now,
        arrived,
        std::slice::from_ref(issuer),
        &Requirement::default(),
        token.as_bytes(),
        &mut DecodeBuffer::new(),
    )
}

pub(crate) fn outcome(decision: &Decision) -> Outcome {
    match decision {
        Decision::Decided(Verdict::Accept(_)) => Outcome::Accept,
        Decision::Decided(Verdict::Reject(reason)) => Outcome::Reject(*reason),
        Decision::Decided(Verdict::Undecided(reason)) => Outcome::Undecided(*reason),
        Decision::NeedsKey(_) => Outcome::NeedsKey,
    }
}

/// As [`judge`], for a token that arrives now.
pub(crate) fn outcome_now(now: Now, issuer: &Issuer, token: &str) -> Outcome {
    outcome(&judge(now, now.mono, issuer, token))
}

pub(crate) fn accepted(decision: Decision) -> Verified {
    match decision {
        Decision::Decided(Verdict::Accept(verified)) => verified,
        other => panic!("not accepted: {other:?}"),
    }
}

pub(crate) fn wanted(decision: Decision) -> WantedKey {
    match decision {
        Decision::NeedsKey(wanted) => wanted,
        other => panic!("no key is wanted: {other:?}"),
    }
}

/// An introspection endpoint of the issuer with default policy and these keys.
pub(crate) fn endpoint(keys: &Arc<PublishedKeys>) -> Endpoint {
    Endpoint::new(issuer(keys), 0)
}

/// A memory of answers with default settings.
pub(crate) fn answers() -> AnswerCache {
    AnswerCache::new(AnswerCacheSettings::default(), [7; 32])
}

/// The question about a token that `cache` knows nothing of.
pub(crate) fn question(cache: &AnswerCache, now: Now, token: &str) -> Question {
    match cache.look(now, token.as_bytes()) {
        Found::Unknown(unasked) => cache.question(unasked),
        found => panic!("known already: {found:?}"),
    }
}

/// 200 with this JSON.
pub(crate) fn received(body: &[u8]) -> Received<'_> {
    let content_type = Some("application/json");
    Received { arrived: START.mono, status: 200, content_type, retry_after: None, body }
}

/// What an endpoint with default policy says that answers this.
pub(crate) fn answered(question: &Question, response: &Value) -> Answer {
    let (keys, body) = (Arc::default(), response.to_string());
    endpoint(&keys)
        .read(question.asked(), question, &received(body.as_bytes()), &mut DecodeBuffer::new())
        .unwrap()
}

/// The same where it is active.
pub(crate) fn active(question: &Question, response: &Value) -> Active {
    match answered(question, response) {
        Answer::Active(active) => active,
        Answer::Inactive(_) => panic!("inactive"),
    }
}

/// What an endpoint says of a token with [`good_claims`].
pub(crate) fn good_response() -> Value {
    with(good_claims(), "active", true)
}
