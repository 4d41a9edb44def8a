//! Promise 3: whatever a provider answers, the keys that were good go on serving; and promise 4: for how long.

use std::time::Duration;

use keyward::{IssuerSettings, KeySetSettings, Reason};
use keyward_jose::LocalSigner;
use serde_json::json;

use crate::support::{Bench, JWKS, KEYS, OPENID, Outcome, Provider, Reply, discover, jwks, pass};

/// Past the TTL, long before the stale limit.
const PAST_TTL: Duration = Duration::from_secs(301);

/// What a bad day brings, and the word for it.
fn failures() -> Vec<(&'static str, Reply, &'static str)> {
    let set = jwks(KEYS.iter());
    let many: Vec<_> = (0..257).map(|_| json!({ "kty": "AKP" })).collect();
    let padded = [b"{\"keys\":[],\"pad\":\"".as_slice(), &vec![b'x'; 512 * 1024], b"\"}"].concat();
    vec![
        ("500", Reply::status(500), "failed: status"),
        ("503", Reply::status(503), "failed: status"),
        ("404", Reply::status(404), "failed: status"),
        ("204", Reply::Whole(204, String::new(), Vec::new()), "failed: status"),
        ("429", Reply::with_header(429, "Retry-After: 7"), "failed: status"),
        ("HTML with 200", Reply::ok("<!doctype html><p>We will be back soon"), "failed: malformed"),
        ("nothing with 200", Reply::ok(""), "failed: malformed"),
        ("null", Reply::ok("null"), "failed: malformed"),
        ("an array", Reply::ok("[[]]"), "failed: malformed"),
        ("keys that are no array", Reply::ok(r#"{"keys":{}}"#), "failed: malformed"),
        ("half of the JSON", Reply::ok(&set[..set.len() / 2]), "failed: malformed"),
        ("half of the body", Reply::Cut(set), "failed: connect"),
        ("an empty set", Reply::ok(r#"{"keys":[]}"#), "failed: no_usable_key"),
        ("only unusable keys", Reply::ok(r#"{"keys":[{"kty":"AKP"}]}"#), "failed: no_usable_key"),
        ("257 keys", Reply::ok(json!({ "keys": many }).to_string()), "failed: malformed"),
        ("over 512 KiB", Reply::ok(padded.clone()), "failed: too_large"),
        ("over 512 KiB, length unsaid", Reply::Chunked(padded), "failed: too_large"),
        ("a redirect elsewhere", Reply::redirect("https://idp.example/jwks"), "failed: redirect_refused"),
    ]
}

#[tokio::test]
async fn no_failure_removes_a_good_key() {
    for (what, reply, event) in failures() {
        let provider = Provider::start(&KEYS[..1]).await;
        let bench = Bench::ready(discover(&provider)).await;
        let good = bench.token(&KEYS[0], &provider.issuer());
        assert_eq!(bench.outcome_at_once(&good), Outcome::Accept);

        provider.set(JWKS, reply);
        pass(PAST_TTL).await;
        bench.seen(event, 1).await;
        let status = bench.status();
        assert_eq!((status.state, status.usable, status.keys.len()), ("stale", true, 1), "{what}");
        assert!(status.failures >= 1, "{what}");
        assert_eq!(status.failing, event.strip_prefix("failed: "), "{what}");
        assert!(status.last_error.is_some_and(|error| !error.is_empty()), "{what}");
        // Both the verdict that is remembered and one that is not.
        assert_eq!(bench.outcome_at_once(&good), Outcome::Accept, "{what}");
        assert_eq!(
            bench.outcome_at_once(&bench.token(&KEYS[0], &provider.issuer())),
            Outcome::Accept,
            "{what}"
        );

        provider.publish(&KEYS[..2]);
        pass(Duration::from_secs(30)).await;
        bench.seen("refreshed", 2).await;
        let status = bench.status();
        assert_eq!((status.state, status.failures, status.keys.len()), ("fresh", 0, 2), "{what}");
        assert_eq!((status.failing, status.last_error), (None, None), "{what}");
    }
}

#[tokio::test]
async fn a_failing_discovery_document_removes_no_key_either() {
    for (reply, event) in [
        (Reply::status(500), "failed: status"),
        (Reply::ok("<html>"), "failed: discovery_malformed"),
        (
            Reply::ok(r#"{"issuer":"https://other.example","jwks_uri":"https://other.example"}"#),
            "failed: issuer_mismatch",
        ),
    ] {
        let provider = Provider::start(&KEYS[..1]).await;
        let bench = Bench::ready(discover(&provider)).await;
        provider.set(OPENID, reply);
        pass(PAST_TTL).await;
        bench.seen(event, 1).await;
        assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    }
}

#[tokio::test]
async fn a_provider_that_is_gone_removes_no_key_until_the_stale_limit() {
    let provider = Provider::start(&KEYS[..1]).await;
    let issuer = provider.issuer();
    let bench = Bench::ready(discover(&provider)).await;
    let good = bench.token(&KEYS[0], &issuer);
    assert_eq!(bench.outcome_at_once(&good), Outcome::Accept);
    drop(provider);

    pass(PAST_TTL).await;
    bench.seen("failed: connect", 1).await;
    pass(Duration::from_secs(3590 - 301)).await;
    assert_eq!(bench.outcome_at_once(&good), Outcome::Accept);
    assert_eq!((bench.status().state, bench.status().usable_for_seconds.unwrap() < 10), ("stale", true));

    pass(Duration::from_secs(10)).await;
    let young = bench.token(&KEYS[0], &issuer);
    for token in [&good, &young] {
        assert_eq!(bench.outcome_at_once(token), Outcome::Undecided(Reason::KeysStaleLimit));
    }
    let status = bench.status();
    assert_eq!((status.state, status.usable), ("expired", false));
}

#[tokio::test]
async fn a_key_that_a_refresh_removes_verifies_nothing_from_then_on() {
    let provider = Provider::start(&KEYS[..2]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let removed = bench.token(&KEYS[0], &provider.issuer());
    assert_eq!(bench.outcome_at_once(&removed), Outcome::Accept);
    provider.publish(&KEYS[1..2]);
    pass(PAST_TTL).await;
    bench.seen("refreshed", 2).await;
    assert_eq!(bench.outcome(&removed).await, Outcome::Reject(Reason::UnknownKid));
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_a_timeout() {
    let provider = Provider::start(&KEYS[..1]).await;
    provider.set(JWKS, Reply::Hang);
    let bench = Bench::new(discover(&provider));
    provider.hit(JWKS, 1).await;
    pass(Duration::from_millis(4900)).await;
    assert!(bench.record.events("idp").is_empty());
    pass(Duration::from_millis(200)).await;
    bench.seen("failed: timeout", 1).await;
}

#[tokio::test]
async fn retry_after_is_heeded() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    provider.set(JWKS, Reply::with_header(429, "Retry-After: 90"));
    pass(PAST_TTL).await;
    bench.seen("failed: status", 1).await;
    let next = bench.status().next_refresh_seconds.unwrap();
    assert!((85..=90).contains(&next), "{next}");
    // Not even a key that nobody knows makes it ask earlier, nor does it make the request wait.
    let unknown = bench.token(&KEYS[1], &provider.issuer());
    assert_eq!(bench.outcome_at_once(&unknown), Outcome::Undecided(Reason::KeysUnavailable));
    assert_eq!(provider.hits(JWKS), 2);
}

#[tokio::test]
async fn one_bad_key_costs_its_neighbours_nothing() {
    let provider = Provider::start(&KEYS[..1]).await;
    let mut set: serde_json::Value = serde_json::from_slice(&jwks(&KEYS[..1])).unwrap();
    let keys = set["keys"].as_array_mut().unwrap();
    keys.insert(0, json!({ "kty": "AKP", "kid": "post-quantum", "alg": "ML-DSA-44" }));
    keys.insert(1, json!("no key at all"));
    keys.push(json!({ "kty": "oct", "kid": "leaked", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ" }));
    provider.set(JWKS, Reply::ok(set.to_string()));
    let bench = Bench::ready(discover(&provider)).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    let status = bench.status();
    assert_eq!((status.keys.len(), status.skipped.len()), (1, 3));
    assert_eq!(status.skipped[0].kid.as_deref(), Some("post-quantum"));
    let text = serde_json::to_string(&status).unwrap();
    assert!(!text.contains("c2VjcmV0"), "{text}");
}

#[tokio::test]
async fn max_age_moves_the_refresh_within_its_limits() {
    for (header, fresh) in [
        ("Cache-Control: public, MAX-AGE=900, must-revalidate", 900),
        ("Cache-Control: max-age=1", 60),
        ("Cache-Control: max-age=0", 60),
        ("Cache-Control: max-age=31536000", 3600),
        ("Cache-Control: max-age=99999999999999999999", 300),
        ("Cache-Control: s-maxage=900", 300),
        ("Cache-Control: no-store", 300),
        ("Cache-Control: public\r\nCache-Control: max-age=\"900\"", 900),
    ] {
        let provider = Provider::start(&KEYS[..1]).await;
        provider.set(JWKS, Reply::Whole(200, format!("{header}\r\n"), jwks(&KEYS[..1])));
        let bench = Bench::ready(discover(&provider)).await;
        let next = bench.status().next_refresh_seconds.unwrap();
        assert!((fresh * 7 / 10 - 1..=fresh * 8 / 10).contains(&next), "{header}: {next}");
    }
}

#[tokio::test]
async fn a_set_of_just_the_limits_is_taken() {
    let provider = Provider::start(&KEYS[..1]).await;
    let mut set: serde_json::Value = serde_json::from_slice(&jwks(&KEYS[..1])).unwrap();
    set["keys"].as_array_mut().unwrap().extend((0..255).map(|_| json!({ "kty": "AKP" })));
    set["pad"] = "".into();
    let length = set.to_string().len();
    set["pad"] = "x".repeat(512 * 1024 - length).into();
    assert_eq!(set.to_string().len(), 512 * 1024);
    for reply in [Reply::ok(set.to_string()), Reply::Chunked(set.to_string().into_bytes())] {
        provider.set(JWKS, reply);
        let bench = Bench::ready(discover(&provider)).await;
        assert_eq!(bench.status().skipped.len(), 255);
    }
}

#[tokio::test]
async fn a_failure_says_what_failed_and_nothing_of_the_answer() {
    let provider = Provider::start(std::iter::empty::<&LocalSigner>()).await;
    for (what, reply, _) in failures() {
        provider.set("/failing", reply);
        let settings = IssuerSettings {
            key_set: KeySetSettings { retries: 0, ..KeySetSettings::default() },
            ..IssuerSettings::jwks_uri("https://idp.example", provider.url("/failing").parse().unwrap())
        };
        let source = keyward::source::Source::new(&settings).unwrap().unwrap();
        let Err(error) = source.fetch().await else {
            assert!(what.contains("empty") || what.contains("unusable"), "{what}");
            continue;
        };
        let text = format!("{error} {error:?}");
        assert!(text.contains(&provider.url("/failing")), "{what}: {text}");
        for secret in ["explanation", "be back soon", "xxxx", "11qYAYK"] {
            assert!(!text.contains(secret), "{what}: {text}");
        }
    }
}
