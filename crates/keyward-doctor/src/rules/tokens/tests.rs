use super::*;
use crate::facts::{
    AnsweredKeySet, ClockFacts, Configured, GatewayFacts, KeySetFacts, PublishedKey, Reach, RecorderFacts,
    UnknownKids, VerdictCount,
};

/// The verdicts of a minute at a gateway with one issuer whose keys are in order.
fn counted(verdicts: &[(&str, u64)]) -> Facts {
    let row = |(reason, count): &(&str, u64)| {
        let reason = Some((*reason).to_owned()).filter(|reason| reason != "accept");
        let verdict = match reason.as_deref() {
            None => "accept",
            Some("keys_unavailable" | "key_refresh_limited") => "undecided",
            Some(_) => "reject",
        };
        VerdictCount { verdict: verdict.to_owned(), reason, count: *count }
    };
    let recorder = RecorderFacts {
        since_seconds: 60,
        verdicts: verdicts.iter().map(row).collect(),
        ..RecorderFacts::default()
    };
    let held = GatewayIssuer { name: "idp".to_owned(), usable: true, ..GatewayIssuer::default() };
    let reach = serde_json::from_value(
        serde_json::json!({ "url": "", "lookup": { "literal": "127.0.0.1" }, "attempts": [] }),
    );
    let reach: Reach = reach.expect("a way");
    let configured = Configured {
        name: "idp".to_owned(),
        issuer: "https://idp.example".to_owned(),
        audiences: vec!["api".to_owned()],
        algorithms: vec!["RS256".to_owned()],
        leeway_s: 60,
        ..Configured::default()
    };
    Facts {
        issuers: vec![IssuerFacts { configured, ..IssuerFacts::default() }],
        gateway: Some(GatewayFacts {
            reach,
            readiness: Some("ready".to_owned()),
            issuers: Some(vec![held]),
            recorder: Some(recorder),
        }),
        ..Facts::default()
    }
}

fn found(facts: &Facts) -> Vec<(Code, Certainty)> {
    let mut found = Found::default();
    look(facts, &mut found);
    for finding in &found.findings {
        assert!(!finding.evidence.is_empty() && !finding.fix.is_empty(), "{finding:?}");
    }
    found.findings.into_iter().map(|finding| (finding.code, finding.certainty)).collect()
}

fn codes(verdicts: &[(&str, u64)]) -> Vec<Code> {
    found(&counted(verdicts)).into_iter().map(|(code, _)| code).collect()
}

fn with_kids(mut facts: Facts, kids: UnknownKids) -> Facts {
    let recorder = facts.gateway.as_mut().and_then(|gateway| gateway.recorder.as_mut());
    recorder.expect("a recorder").unknown_kids = Some(kids);
    facts
}

#[test]
fn each_reason_that_is_frequent_is_one_finding() {
    for (reason, code) in [
        ("expired", Code::TokenExpired),
        ("not_yet_valid", Code::TokenNotYetValid),
        ("issued_in_future", Code::TokenNotYetValid),
        ("wrong_audience", Code::AudienceWrong),
        ("wrong_token_type", Code::TokenTypeWrong),
        ("invalid_signature", Code::SignatureForged),
        ("unknown_kid", Code::KidUnknown),
        ("unknown_issuer", Code::IssuerUnknown),
        ("wrong_issuer", Code::IssuerNotAllowed),
        ("malformed_token", Code::TokenMalformed),
        ("token_too_large", Code::TokenTooLarge),
        ("insufficient_scope", Code::ScopeMissing),
        ("missing_claim", Code::ScopeMissing),
        ("inactive", Code::TokenRevoked),
        ("revoked", Code::TokenRevoked),
        ("binding_missing", Code::BindingMissing),
        ("binding_mismatch", Code::BindingMismatch),
        ("proof_invalid", Code::ProofRefused),
        ("proof_replayed", Code::ProofReplayed),
        ("several_tokens", Code::HeaderDoubled),
        ("unsupported_algorithm", Code::AlgorithmRefused),
        ("critical_header_unsupported", Code::CriticalHeader),
    ] {
        assert_eq!(codes(&[("accept", 900), (reason, 100)]), [code], "{reason}");
        assert_eq!(
            codes(&[("accept", 5_000), (reason, 20)]),
            [],
            "a handful of {reason} among many good ones"
        );
        assert_eq!(codes(&[("accept", 20), (reason, 4)]), [], "four {reason} say nothing");
    }
}

#[test]
fn a_nonce_that_is_asked_for_and_visitors_without_a_token_are_no_incident() {
    assert_eq!(codes(&[("accept", 100), ("proof_nonce_required", 50), ("missing_token", 300)]), []);
}

#[test]
fn what_nobody_gets_past_is_ours() {
    assert_eq!(codes(&[("missing_token", 50)]), [Code::HeaderStripped]);
    assert_eq!(codes(&[("wrong_audience", 50), ("expired", 2)]), [Code::AudienceConfiguredWrong]);
    assert_eq!(codes(&[("unknown_issuer", 50)]), [Code::IssuerMismatch]);
    assert_eq!(
        codes(&[("accept", 3), ("missing_token", 80)]),
        [Code::HeaderStripped],
        "a few from before it began"
    );
    assert_eq!(codes(&[("missing_token", 4)]), []);
    assert_eq!(found(&counted(&[("invalid_signature", 50)])), [(Code::SignatureForged, Certainty::Possible)]);
}

#[test]
fn an_issuer_that_says_what_is_configured_is_not_what_is_wrong() {
    let mut facts = counted(&[("unknown_issuer", 50)]);
    let reach = facts.gateway.as_ref().expect("a gateway").reach.clone();
    let issuer = facts.issuers.first_mut().expect("one");
    issuer.discovery = Some(crate::facts::DiscoveryFacts {
        reach,
        issuer: Some(issuer.configured.issuer.clone()),
        jwks_uri: None,
        introspection_endpoint: None,
        token_endpoint: None,
        auth_methods: Vec::new(),
        signing_algorithms: Vec::new(),
    });
    assert_eq!(found(&facts), [(Code::IssuerUnknown, Certainty::Likely)]);
}

#[test]
fn a_clock_that_explains_the_times_makes_the_client_only_a_possible_cause() {
    for (reason, ahead_s, certainty) in [
        ("expired", 0.2, Certainty::Likely),
        ("expired", -90.0, Certainty::Possible),
        ("expired", 90.0, Certainty::Likely),
        ("issued_in_future", 120.0, Certainty::Possible),
        ("issued_in_future", -120.0, Certainty::Likely),
    ] {
        let mut facts = counted(&[("accept", 10), (reason, 100)]);
        facts.issuers.first_mut().expect("one").clock =
            Some(ClockFacts { ahead_s, uncertainty_s: 0.6, answers: 2 });
        assert_eq!(
            found(&facts).first().map(|(_, certainty)| *certainty),
            Some(certainty),
            "{reason} {ahead_s}"
        );
    }
}

#[test]
fn how_many_different_kids_there_were_tells_junk_from_a_key_that_is_not_published() {
    let limited = [("accept", 500), ("unknown_kid", 300), ("key_refresh_limited", 200)];
    assert_eq!(codes(&limited), [Code::JunkKids]);
    for (kids, code) in [
        (UnknownKids { verdicts: 500, different: 64, of_withdrawn_keys: 0 }, Code::JunkKids),
        (UnknownKids { verdicts: 500, different: 1, of_withdrawn_keys: 0 }, Code::SignsWithUnpublishedKey),
        (UnknownKids { verdicts: 500, different: 1, of_withdrawn_keys: 480 }, Code::KeyWithdrawn),
    ] {
        let facts = with_kids(counted(&limited), kids);
        assert_eq!(found(&facts).first().map(|(code, _)| *code), Some(code), "{kids:?}");
    }
    let few = counted(&[("accept", 900), ("unknown_kid", 100)]);
    let facts = with_kids(few, UnknownKids { verdicts: 100, different: 1, of_withdrawn_keys: 0 });
    assert_eq!(found(&facts), [(Code::KidUnknown, Certainty::Likely)]);
}

#[test]
fn keys_that_cannot_be_fetched_are_no_news_of_the_tokens() {
    let mut facts = counted(&[("accept", 100), ("keys_unavailable", 100), ("key_refresh_limited", 50)]);
    assert_eq!(found(&facts).first().map(|(code, _)| *code), Some(Code::JunkKids));
    let issuers = facts.gateway.as_mut().and_then(|gateway| gateway.issuers.as_mut()).expect("issuers");
    issuers.first_mut().expect("one").failures = 3;
    assert_eq!(found(&facts), []);
    let junk = with_kids(facts, UnknownKids { verdicts: 64, different: 60, of_withdrawn_keys: 0 });
    assert_eq!(found(&junk), [(Code::JunkKids, Certainty::Certain)]);
}

#[test]
fn a_denied_key_and_a_new_algorithm_are_told_from_what_clients_do() {
    let mut facts = counted(&[("accept", 100), ("revoked", 50)]);
    facts.issuers.first_mut().expect("one").configured.denied_kids = vec!["key-2".to_owned()];
    assert_eq!(found(&facts), [(Code::KeyDenied, Certainty::Certain)]);

    let mut facts = counted(&[("accept", 100), ("unsupported_algorithm", 50)]);
    let key = |kid: &str, algorithm: &str| PublishedKey {
        kid: Some(kid.to_owned()),
        algorithms: vec![algorithm.to_owned()],
        ..PublishedKey::default()
    };
    let set = |keys| KeySetFacts {
        place: "https://idp.example/jwks".to_owned(),
        reach: None,
        answers: vec![AnsweredKeySet {
            address: None,
            keys,
            skipped: Vec::new(),
            age_s: None,
            max_age_s: None,
        }],
        again: None,
        trouble: None,
        elsewhere: Vec::new(),
    };
    facts.issuers.first_mut().expect("one").key_set = Some(set(vec![key("key-1", "RS256")]));
    assert_eq!(found(&facts), [(Code::AlgorithmRefused, Certainty::Likely)]);
    facts.issuers.first_mut().expect("one").key_set =
        Some(set(vec![key("key-1", "RS256"), key("key-2", "ES256")]));
    assert_eq!(found(&facts), [(Code::AlgorithmChanged, Certainty::Likely)]);
}

#[test]
fn a_proxy_that_does_not_tell_the_request_is_named() {
    let mut facts = counted(&[("accept", 100)]);
    facts.gateway.as_mut().and_then(|gateway| gateway.recorder.as_mut()).expect("a recorder").unclear = 30;
    assert_eq!(found(&facts), [(Code::RouteUnclear, Certainty::Certain)]);
}

#[test]
fn without_a_gateway_nothing_is_said() {
    assert_eq!(found(&Facts::default()), []);
}
