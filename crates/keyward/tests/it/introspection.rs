//! Introspection over real sockets: what is asked, how often, what its failures come to, and what is told of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keyward::credentials::{BearerSettings, ClientSettings, CredentialSettings, Grant};
use keyward::endpoint::EndpointPlace;
use keyward::{
    AnswerForm, Failure, Fallback, FallbackCause, FallbackSettings, Forget, GivenUp, IntrospectionSettings,
    IssuerSettings, Reason, Requirement, RequirementSettings, SettingsError, Strategy, Verdict, Verifier,
};
use keyward_jose::{Algorithm, LocalSigner, sign_compact};
use serde_json::json;
use tokio::task::JoinSet;

use crate::credentials_methods::file;
use crate::credentials_provider::{Endpoint, INTROSPECT, Received, TOKEN, json as reply};
use crate::support::{
    Outcome, Record, Reply, START, TestClock, at_once, jwks, outcome, pass, patiently, until,
};

const JWKS: &str = "/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A verifier of one issuer whose endpoint answers as a function says.
struct Desk {
    verifier: Verifier,
    endpoint: Endpoint,
    clock: Arc<TestClock>,
    record: Arc<Record>,
    signer: LocalSigner,
    _folder: tempfile::TempDir,
}

fn signer() -> LocalSigner {
    LocalSigner::generate(Algorithm::EdDsa, Some("key-1")).unwrap()
}

/// What every endpoint here answers to all but introspection: discovery, the signer's key, a bearer.
fn provider(
    issuer: String,
    signer: &LocalSigner,
    introspect: impl Fn(&Received) -> Reply + Send + 'static,
) -> impl Fn(&Received) -> Reply + Send + 'static {
    let keys = jwks([signer]);
    move |received| match received.path.as_str() {
        DISCOVERY => reply(
            200,
            json!({ "issuer": issuer, "jwks_uri": format!("{issuer}{JWKS}"), "token_endpoint": format!("{issuer}{TOKEN}"),
                    "introspection_endpoint": format!("{issuer}{INTROSPECT}") }),
        ),
        JWKS => Reply::ok(keys.clone()),
        TOKEN => reply(200, json!({ "access_token": "ours", "token_type": "Bearer", "expires_in": 600 })),
        _ => introspect(received),
    }
}

fn basic(secret_file: &std::path::Path) -> CredentialSettings {
    let (client_id, secret_file) = ("gateway".to_owned(), secret_file.to_owned());
    CredentialSettings::Client(ClientSettings::ClientSecretBasic { client_id, secret_file })
}

fn revocation() -> Option<FallbackSettings> {
    Some(FallbackSettings { gives_up: vec![GivenUp::Revocation], fallback: Fallback::default() })
}

impl Desk {
    async fn new(strategy: Strategy, introspect: impl Fn(&Received) -> Reply + Send + 'static) -> Self {
        Self::with(introspect, |settings| settings.strategy = strategy).await
    }

    async fn with(
        introspect: impl Fn(&Received) -> Reply + Send + 'static,
        change: impl FnOnce(&mut IssuerSettings),
    ) -> Self {
        let signer = signer();
        let endpoint = Endpoint::start(|_| Reply::Hang).await;
        endpoint.answers(provider(endpoint.issuer(), &signer, introspect));
        let (folder, secret_file) = file("secret");
        let mut settings = IssuerSettings::discover(&endpoint.issuer()).named("idp").audience("api");
        settings.introspection = Some(IntrospectionSettings::new(basic(&secret_file)));
        change(&mut settings);
        let (clock, record) = (TestClock::new(), Record::new());
        let builder = Verifier::builder().clock(clock.clone()).observer(record.clone()).issuer(settings);
        let verifier = builder.start().unwrap();
        if verifier.status().remove(0).state != "fixed" {
            record.seen("idp", "refreshed", 1).await;
        }
        Self { verifier, endpoint, clock, record, signer, _folder: folder }
    }

    fn token(&self) -> String {
        crate::support::token(&self.signer, &self.endpoint.issuer(), self.clock.wall())
    }

    async fn verdict(&self, token: &str) -> Verdict {
        patiently(self.verifier.verify(token.as_bytes())).await
    }

    async fn outcome(&self, token: &str) -> Outcome {
        outcome(&self.verdict(token).await)
    }

    fn asked(&self) -> usize {
        self.endpoint.received(INTROSPECT).len()
    }

    fn status(&self) -> keyward::IntrospectionStatus {
        self.verifier.status().remove(0).introspection.unwrap()
    }

    fn events(&self) -> Vec<String> {
        let mut events = self.record.events("idp");
        events.retain(|event| event.starts_with("introspection_") && event != "introspection_called");
        events
    }
}

fn active() -> Reply {
    reply(200, json!({ "active": true, "aud": "api", "sub": "alice", "scope": "read", "exp": START + 3600 }))
}

fn inactive() -> Reply {
    reply(200, json!({ "active": false }))
}

fn fallback(verdict: &Verdict) -> Option<FallbackCause> {
    match verdict {
        Verdict::Accept(verified) => verified.fallback(),
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test]
async fn the_endpoint_is_found_by_discovery_and_asked_in_our_name() {
    let desk = Desk::new(Strategy::Introspection, |_| active()).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    let asked = desk.endpoint.received(INTROSPECT).remove(0);
    assert_eq!(asked.field("token").as_deref(), Some("opaque"));
    assert_eq!(asked.field("token_type_hint").as_deref(), Some("access_token"));
    assert_eq!(asked.header("accept").as_deref(), Some("application/json"));
    assert_eq!(asked.header("authorization").as_deref(), Some("Basic Z2F0ZXdheTpzZWNyZXQ="));
    let status = desk.status();
    assert_eq!(status.endpoint, Some(desk.endpoint.url(INTROSPECT).to_string()));
    assert_eq!((status.breaker, status.last_success_seconds, status.failing), ("closed", Some(0), None));
}

#[tokio::test]
async fn an_answer_is_remembered_for_a_moment_and_forgotten_at_once() {
    let is_active = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&is_active);
    let answer = move |_: &Received| if seen.load(Ordering::SeqCst) { active() } else { inactive() };
    let desk = Desk::new(Strategy::Introspection, answer).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    is_active.store(false, Ordering::SeqCst);
    // From memory: it does not even wait.
    pass(Duration::from_secs(29)).await;
    assert_eq!(outcome(&at_once(desk.verifier.verify(b"opaque"))), Outcome::Accept);
    assert_eq!((desk.asked(), desk.status().active_hits), (1, 1));
    pass(Duration::from_secs(1)).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Reject(Reason::Inactive));
    is_active.store(true, Ordering::SeqCst);
    assert_eq!(desk.outcome("opaque").await, Outcome::Reject(Reason::Inactive));
    pass(Duration::from_secs(5)).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    is_active.store(false, Ordering::SeqCst);
    assert_eq!(desk.verifier.forget(Forget::Subject("bob")), 0);
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    assert_eq!(desk.verifier.forget(Forget::Subject("alice")), 1);
    assert_eq!(desk.outcome("opaque").await, Outcome::Reject(Reason::Inactive));
}

#[tokio::test]
async fn where_no_key_is_ever_looked_at_none_is_fetched() {
    let endpoint = Endpoint::start(|_| active()).await;
    let (_folder, secret_file) = file("secret");
    let mut settings = IssuerSettings::discover(&endpoint.issuer()).named("idp").audience("api");
    let mut introspection = IntrospectionSettings::new(basic(&secret_file));
    introspection.endpoint = EndpointPlace::Url(endpoint.url(INTROSPECT));
    settings.introspection = Some(introspection);
    settings.strategy = Strategy::Introspection;
    let clock = TestClock::new();
    let start = |requirement: Option<RequirementSettings>, settings: &IssuerSettings| {
        let mut builder = Verifier::builder().clock(clock.clone()).issuer(settings.clone());
        requirement.map(|requirement| builder.requirement(requirement));
        builder.start().unwrap()
    };
    let verifier = start(None, &settings);
    assert_eq!(outcome(&patiently(verifier.verify(b"opaque")).await), Outcome::Accept);
    let status = verifier.status().remove(0);
    assert_eq!((status.state, status.usable, status.failures), ("fixed", true, 0));
    assert!(endpoint.received(DISCOVERY).is_empty());
    // A JWT is asked about as well: its algorithm has keys, which just nobody looks at.
    let jwt = crate::support::token(&signer(), &endpoint.issuer(), clock.wall());
    assert_eq!(outcome(&patiently(verifier.verify(jwt.as_bytes())).await), Outcome::Accept);
    // A route that looks at them, or an answer that they have to check, is reason enough.
    let by_keys = RequirementSettings { strategy: Some(Strategy::KeySet), ..Default::default() };
    assert_eq!(start(Some(by_keys), &settings).status().remove(0).state, "empty");
    settings.introspection.as_mut().unwrap().form = AnswerForm::Signed { audience: "gateway".into() };
    assert_eq!(start(None, &settings).status().remove(0).state, "empty");
}

#[tokio::test]
async fn a_hundred_who_ask_the_same_make_one_call() {
    let desk = Arc::new(Desk::new(Strategy::Introspection, |_| active()).await);
    let mut askers = JoinSet::new();
    for _ in 0..100 {
        let desk = Arc::clone(&desk);
        askers.spawn(async move { desk.outcome("opaque").await });
    }
    let outcomes = askers.join_all().await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accept));
    assert_eq!(desk.asked(), 1);
}

#[tokio::test]
async fn who_gives_up_waiting_does_not_break_the_call_of_others() {
    let desk = Arc::new(Desk::new(Strategy::Introspection, |_| active()).await);
    // It begins, and goes away before the answer comes.
    let begun = tokio::time::timeout(Duration::ZERO, desk.verifier.verify(b"opaque")).await;
    assert!(begun.is_err());
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    assert_eq!(desk.asked(), 1);
}

#[tokio::test]
async fn each_failure_is_undecided_and_says_whose_matter_it_is() {
    let html = || Reply::Whole(200, "Content-Type: text/html\r\n".to_owned(), b"<html>".to_vec());
    let cases: Vec<(Reply, Failure, Reason)> = vec![
        (reply(500, json!({})), Failure::Unavailable, Reason::IntrospectionUnavailable),
        (reply(401, json!({})), Failure::CredentialsRejected, Reason::IntrospectionCredentialsRejected),
        (reply(403, json!({})), Failure::CredentialsRejected, Reason::IntrospectionCredentialsRejected),
        (reply(404, json!({})), Failure::Malformed, Reason::IntrospectionMalformed),
        (Reply::redirect("https://elsewhere.example/"), Failure::Malformed, Reason::IntrospectionMalformed),
        (html(), Failure::Malformed, Reason::IntrospectionMalformed),
        (reply(200, json!({ "active": "true" })), Failure::Malformed, Reason::IntrospectionMalformed),
        (
            Reply::Cut(b"{\"active\": true, \"aud\": \"api\"}".to_vec()),
            Failure::Transport,
            Reason::IntrospectionUnavailable,
        ),
        (Reply::Chunked(vec![b' '; 100_000]), Failure::Malformed, Reason::IntrospectionMalformed),
        (
            reply(400, json!({ "error": "invalid_request" })),
            Failure::QuestionRefused,
            Reason::IntrospectionMalformed,
        ),
    ];
    for (answer, failure, reason) in cases {
        let shown = format!("{failure} {reason}");
        let answer = move |_: &Received| answer.clone();
        let desk = Desk::with(answer, |settings| {
            settings.strategy = Strategy::IntrospectionThenKeySet;
            settings.fallback = revocation();
        })
        .await;
        assert_eq!(desk.outcome("opaque").await, Outcome::Undecided(reason), "{shown}");
        // A JWT has its keys.
        let verdict = desk.verdict(&desk.token()).await;
        assert_eq!(fallback(&verdict), Some(FallbackCause::Introspection(failure)), "{shown}");
        // Nothing of it is remembered.
        assert_eq!(desk.status().remembered, 0);
    }
}

#[tokio::test]
async fn an_endpoint_that_hangs_costs_its_time_and_no_more() {
    let desk = Desk::new(Strategy::Introspection, |_| Reply::Hang).await;
    let verifying = tokio::spawn({
        let verifier = desk.verifier.clone();
        async move { outcome(&verifier.verify(b"opaque").await) }
    });
    desk.endpoint.hit(INTROSPECT, 0).await;
    until(|| desk.status().calls == 1).await;
    pass(Duration::from_millis(2_001)).await;
    assert_eq!(patiently(verifying).await.unwrap(), Outcome::Undecided(Reason::IntrospectionUnavailable));
    assert_eq!(desk.events(), ["introspection_failed"]);
    assert_eq!(desk.status().failing, Some("timed_out"));
}

#[tokio::test]
async fn the_breaker_opens_and_a_fallback_waits_for_nobody() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let answer =
        move |_: &Received| if down.load(Ordering::SeqCst) { reply(500, json!({})) } else { active() };
    let desk = Desk::with(answer, |settings| {
        settings.strategy = Strategy::IntrospectionThenKeySet;
        settings.fallback = revocation();
    })
    .await;
    let token = desk.token();
    for _ in 0..20 {
        let verdict = desk.verdict(&token).await;
        assert_eq!(fallback(&verdict), Some(FallbackCause::Introspection(Failure::Unavailable)));
    }
    assert_eq!(desk.events(), ["introspection_failed", "introspection_circuit_opened"]);
    let verdict = at_once(desk.verifier.verify(token.as_bytes()));
    assert_eq!(fallback(&verdict), Some(FallbackCause::Introspection(Failure::CircuitOpen)));
    assert!(desk.verifier.try_verify_for(Default::default(), token.as_bytes()).is_some());
    assert_eq!(
        outcome(&at_once(desk.verifier.verify(b"opaque"))),
        Outcome::Undecided(Reason::IntrospectionCircuitOpen)
    );
    assert_eq!(desk.asked(), 20);
    is_down.store(false, Ordering::SeqCst);
    pass(Duration::from_secs(6)).await;
    assert_eq!(fallback(&desk.verdict(&token).await), None);
    assert_eq!(
        desk.events()[2..],
        ["introspection_circuit_half_opened", "introspection_recovered", "introspection_circuit_closed"]
    );
    assert_eq!(desk.asked(), 21);
}

#[tokio::test]
async fn a_flood_of_distinct_tokens_is_bounded_and_the_rest_is_told_so_at_once() {
    let desk = Desk::with(
        |_| Reply::Hang,
        |settings| {
            settings.strategy = Strategy::Introspection;
            settings.introspection.as_mut().unwrap().concurrency = 4;
        },
    )
    .await;
    let mut askers = JoinSet::new();
    for number in 0..4 {
        let verifier = desk.verifier.clone();
        askers.spawn(async move { verifier.verify(format!("opaque-{number}").as_bytes()).await });
    }
    until(|| desk.status().calls == 4).await;
    assert_eq!(outcome(&at_once(desk.verifier.verify(b"one-more"))), Outcome::Undecided(Reason::Overloaded));
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answer = move |_: &Received| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::with_header(429, "Retry-After: 30"),
        _ => active(),
    };
    let desk = Desk::new(Strategy::Introspection, answer).await;
    for _ in 0..2 {
        assert_eq!(desk.outcome("opaque").await, Outcome::Undecided(Reason::IntrospectionUnavailable));
    }
    pass(Duration::from_secs(29)).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Undecided(Reason::IntrospectionUnavailable));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(desk.status().retry_in_seconds, Some(0));
    pass(Duration::from_secs(1)).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
}

#[tokio::test]
async fn our_refused_secret_never_blames_a_token_and_is_tried_again_when_it_is_mended() {
    let answer = |received: &Received| match received.header("authorization").as_deref() {
        Some("Basic Z2F0ZXdheTpzZWNyZXQ=") => active(),
        _ => Reply::with_header(401, "WWW-Authenticate: Basic"),
    };
    let (folder, secret_file) = file("wrong");
    let path = secret_file.clone();
    let desk = Desk::with(answer, |settings| {
        settings.strategy = Strategy::Introspection;
        settings.introspection = Some(IntrospectionSettings::new(basic(&path)));
    })
    .await;
    let rejected = Outcome::Undecided(Reason::IntrospectionCredentialsRejected);
    for _ in 0..50 {
        assert_eq!(desk.outcome("opaque").await, rejected);
    }
    let asked = desk.asked();
    assert!(asked <= 2, "{asked}");
    assert_eq!((desk.status().credential.state, desk.status().breaker), ("rejected", "closed"));
    desk.record.seen("idp", "credential_rejected", 1).await;
    std::fs::write(&secret_file, "secret").unwrap();
    pass(Duration::from_secs(2)).await;
    desk.record.seen("idp", "credential_reloaded", 1).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    desk.record.seen("idp", "credential_accepted", 1).await;
    assert_eq!((desk.status().credential.state, desk.status().credential.last_error), ("usable", None));
    drop(folder);
}

#[tokio::test]
async fn a_trial_that_meets_another_failure_is_no_word_on_our_credential() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answer = move |_: &Received| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::with_header(401, "WWW-Authenticate: Basic"),
        1 => reply(500, json!({})),
        _ => active(),
    };
    let desk = Desk::new(Strategy::Introspection, answer).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Undecided(Reason::IntrospectionCredentialsRejected));
    pass(Duration::from_secs(2)).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Undecided(Reason::IntrospectionUnavailable));
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    desk.record.seen("idp", "credential_accepted", 1).await;
}

#[tokio::test]
async fn a_bearer_that_cannot_be_obtained_is_our_matter_and_delays_nobody() {
    let is_down = Arc::new(AtomicBool::new(true));
    let (_folder, secret_file) = file("secret");
    let desk = Desk::with(
        |_| active(),
        |settings| {
            let client = ClientSettings::ClientSecretBasic {
                client_id: "gateway".to_owned(),
                secret_file: secret_file.clone(),
            };
            let bearer = BearerSettings {
                token_endpoint: EndpointPlace::Discovery,
                grant: Grant::ClientCredentials(client),
                scope: None,
            };
            settings.strategy = Strategy::IntrospectionThenKeySet;
            settings.fallback = revocation();
            let credential = CredentialSettings::Bearer(Box::new(bearer));
            settings.introspection = Some(IntrospectionSettings::new(credential));
        },
    )
    .await;
    desk.record.seen("idp", "credential_obtained", 1).await;
    let (down, inner) = (Arc::clone(&is_down), provider(desk.endpoint.issuer(), &desk.signer, |_| active()));
    desk.endpoint.answers(move |received| {
        if received.path == TOKEN && down.load(Ordering::SeqCst) {
            return reply(500, json!({ "error": "server_error", "error_description": "Errors.Internal" }));
        }
        inner(received)
    });
    let token = desk.token();
    assert_eq!(fallback(&desk.verdict(&token).await), None);
    // The bearer is over, and nothing takes its place.
    pass(Duration::from_secs(601)).await;
    desk.record.seen("idp", "credential_failed", 1).await;
    let verdict = desk.verdict(&token).await;
    assert_eq!(fallback(&verdict), Some(FallbackCause::Introspection(Failure::CredentialsUnavailable)));
    let verdict = at_once(desk.verifier.verify(token.as_bytes()));
    assert_eq!(fallback(&verdict), Some(FallbackCause::Introspection(Failure::CredentialsUnavailable)));
    assert_eq!(
        outcome(&at_once(desk.verifier.verify(b"opaque"))),
        Outcome::Undecided(Reason::IntrospectionUnavailable)
    );
}

#[tokio::test]
async fn a_signed_answer_is_believed_by_its_signature() {
    let other = signer();
    let answer_with = move |signer: &LocalSigner, issuer: &str, wall: i64, audience: &str| {
        let payload = json!({ "iss": issuer, "aud": audience, "iat": wall,
                              "token_introspection": { "active": true, "aud": "api", "exp": wall + 3600 } });
        at_once(sign_compact(signer, Some("token-introspection+jwt"), payload.to_string().as_bytes()))
            .unwrap()
    };
    let jwt = |text: String| {
        let header = "Content-Type: application/token-introspection+jwt\r\n";
        Reply::Whole(200, header.to_owned(), text.into_bytes())
    };
    let desk = Desk::with(
        |_| active(),
        |settings| {
            settings.strategy = Strategy::Introspection;
            settings.introspection.as_mut().unwrap().form = AnswerForm::Signed { audience: "gateway".into() };
        },
    )
    .await;
    let issuer = desk.endpoint.issuer();
    let malformed = Outcome::Undecided(Reason::IntrospectionMalformed);
    // Unsigned.
    assert_eq!(desk.outcome("plain").await, malformed);
    for (token, answer, expected) in [
        ("good", answer_with(&desk.signer, &issuer, START, "gateway"), Outcome::Accept),
        ("of-another-key", answer_with(&other, &issuer, START, "gateway"), malformed),
        ("for-another", answer_with(&desk.signer, &issuer, START, "someone"), malformed),
        ("of-another", answer_with(&desk.signer, "https://other.example", START, "gateway"), malformed),
        ("old", answer_with(&desk.signer, &issuer, START - 3600, "gateway"), malformed),
    ] {
        let inner = provider(issuer.clone(), &desk.signer, |_| active());
        desk.endpoint.answers(move |received| match received.path.as_str() {
            INTROSPECT => jwt(answer.clone()),
            _ => inner(received),
        });
        assert_eq!(desk.outcome(token).await, expected, "{token}");
    }
    let accept = desk.endpoint.received(INTROSPECT).remove(0).header("accept");
    assert_eq!(accept.as_deref(), Some("application/token-introspection+jwt"));
}

#[tokio::test]
async fn a_hedge_overtakes_an_answer_that_is_late() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    // The thirty-first call hangs; the one that overtakes it does not.
    let answer = move |_: &Received| match counted.fetch_add(1, Ordering::SeqCst) {
        30 => Reply::Hang,
        _ => active(),
    };
    let desk = Desk::with(answer, |settings| {
        settings.strategy = Strategy::Introspection;
        settings.introspection.as_mut().unwrap().hedge = true;
    })
    .await;
    for number in 0..30 {
        assert_eq!(desk.outcome(&format!("opaque-{number}")).await, Outcome::Accept);
    }
    assert_eq!(desk.outcome("late").await, Outcome::Accept);
    assert!(calls.load(Ordering::SeqCst) >= 32);
    assert!(desk.events().is_empty());
}

#[tokio::test]
async fn a_reload_keeps_the_bearer_the_breaker_and_what_is_remembered_where_nothing_changed() {
    let desk = Desk::new(Strategy::Introspection, |_| active()).await;
    assert_eq!(desk.outcome("opaque").await, Outcome::Accept);
    let (_folder, secret_file) = file("secret");
    let settings = |secret: &std::path::Path, audience: &str| {
        let mut settings = IssuerSettings::discover(&desk.endpoint.issuer()).named("idp").audience(audience);
        settings.strategy = Strategy::Introspection;
        settings.introspection = Some(IntrospectionSettings::new(basic(secret)));
        settings
    };
    let next = |settings| Verifier::builder().issuer(settings).previous(&desk.verifier).start().unwrap();
    // Another file: another credential, and nothing of the old one.
    let other = next(settings(&secret_file, "api"));
    assert_eq!(other.status().remove(0).introspection.unwrap().remembered, 0);
    let same_file = std::path::PathBuf::from(desk_secret(&desk));
    let same = next(settings(&same_file, "api"));
    assert_eq!(same.status().remove(0).introspection.unwrap().remembered, 1);
    // Another policy: what was accepted under the old one is asked for again.
    let stricter = next(settings(&same_file, "elsewhere"));
    assert_eq!(outcome(&patiently(stricter.verify(b"opaque")).await), Outcome::Reject(Reason::WrongAudience));
}

/// The file that the desk's credential is in.
fn desk_secret(desk: &Desk) -> String {
    let mut files = std::fs::read_dir(desk._folder.path()).unwrap();
    files.next().unwrap().unwrap().path().display().to_string()
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_starts() {
    let issuer = "https://idp.example";
    let (_folder, secret_file) = file("secret");
    let introspection = || Some(IntrospectionSettings::new(basic(&secret_file)));
    let start = |settings: IssuerSettings, requirement: RequirementSettings| {
        let mut builder = Verifier::builder().issuer(settings);
        builder.requirement(requirement);
        builder.start().map(drop)
    };
    let none = RequirementSettings::default;
    let mut settings = IssuerSettings::discover(issuer);
    settings.strategy = Strategy::Introspection;
    assert!(matches!(start(settings.clone(), none()), Err(SettingsError::NoIntrospection { .. })));
    settings.introspection = introspection();
    settings.strategy = Strategy::IntrospectionThenKeySet;
    assert!(matches!(
        start(settings.clone(), none()),
        Err(SettingsError::FallbackNotDeclared { gives_up: GivenUp::Revocation, .. })
    ));
    settings.fallback = revocation();
    assert!(start(settings.clone(), none()).is_ok());
    let route = RequirementSettings { strategy: Some(Strategy::KeySetThenIntrospection), ..none() };
    assert!(matches!(
        start(settings.clone(), route),
        Err(SettingsError::FallbackNotDeclared { gives_up: GivenUp::Signature, .. })
    ));
    let route = RequirementSettings { opaque_issuer: Some(7), ..none() };
    assert!(matches!(start(settings.clone(), route), Err(SettingsError::OpaqueTokens { .. })));
    std::fs::remove_file(&secret_file).unwrap();
    let error = start(settings, none()).unwrap_err();
    assert!(matches!(error, SettingsError::Credential { .. }), "{error}");
}

#[tokio::test]
async fn a_route_may_decide_another_way_and_without_a_fallback() {
    let desk = Desk::new(Strategy::Introspection, |_| reply(500, json!({}))).await;
    let mut settings = IssuerSettings::discover(&desk.endpoint.issuer()).named("idp").audience("api");
    settings.introspection = Some(IntrospectionSettings::new(basic(desk_secret(&desk).as_ref())));
    settings.strategy = Strategy::IntrospectionThenKeySet;
    settings.fallback = revocation();
    let mut builder = Verifier::builder().issuer(settings).previous(&desk.verifier);
    let by_keys =
        builder.requirement(RequirementSettings { strategy: Some(Strategy::KeySet), ..Default::default() });
    let strict = builder.requirement(RequirementSettings { without_fallback: vec![0], ..Default::default() });
    let usual = builder.requirement(Requirement::default());
    let verifier = builder.start().unwrap();
    let token = desk.token();
    let came = |requirement| {
        let (verifier, token) = (verifier.clone(), token.clone());
        async move { patiently(verifier.verify_for(requirement, token.as_bytes())).await }
    };
    assert_eq!(fallback(&came(by_keys).await), None);
    assert_eq!(desk.asked(), 0);
    assert_eq!(outcome(&came(strict).await), Outcome::Undecided(Reason::IntrospectionUnavailable));
    assert_eq!(fallback(&came(usual).await), Some(FallbackCause::Introspection(Failure::Unavailable)));
}
