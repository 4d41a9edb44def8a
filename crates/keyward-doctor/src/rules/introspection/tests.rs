//! The endpoint, and what a gateway makes of it.

use crate::facts::{CallResult, Facts, FallbackCount, Spoken, Variation};
use crate::rules::fixture::{changed, counted, found, with};

fn answered(result: CallResult) -> Facts {
    with(|facts| facts.only().introspection.as_mut().expect("one").calls[0].result = result)
}

fn status(status: u16) -> CallResult {
    CallResult::Refused(Spoken { status, ..Spoken::default() })
}

fn unanswered(cause: &str) -> CallResult {
    CallResult::Unanswered { cause: cause.to_owned(), why: "in words".to_owned() }
}

/// The gateway leaves the endpoint alone, and accepts tokens by their keys.
fn in_gateway(facts: &mut Facts) {
    let held = facts.held().introspection.as_mut().expect("one");
    (held.breaker, held.failures) = ("open".to_owned(), 40);
    (held.failing, held.retry_in_seconds) = (Some("unavailable".to_owned()), Some(20));
    held.last_success_seconds = Some(600);
    let fallback = FallbackCount { issuer: "main".to_owned(), cause: "circuit_open".to_owned(), count: 500 };
    facts.recorder().fallbacks = vec![fallback];
}

#[test]
fn each_answer_that_is_none_has_a_name_and_what_the_gateway_shows_stands_under_it() {
    for (result, code) in [
        (status(500), "KW2302"),
        (status(404), "KW2303"),
        (status(429), "KW2310"),
        (status(302), "KW2303"),
        (CallResult::Malformed("not a JSON object".to_owned()), "KW2304"),
        (unanswered("timeout"), "KW2305"),
        (unanswered("connect"), "KW2301"),
        (unanswered("foreign_host"), "KW2303"),
    ] {
        let mut facts = answered(result.clone());
        assert_eq!(found(&facts), code, "{result:?}");
        in_gateway(&mut facts);
        assert_eq!(found(&facts), format!("{code}(KW2306 KW2307)"), "{result:?}");
    }
    assert_eq!(found(&answered(CallResult::BelievesAnything)), "KW2312");
}

#[test]
fn an_endpoint_that_fails_on_our_credential_alone_is_less_sure() {
    for (without, certainty) in [(status(401), "Likely"), (status(500), "Certain")] {
        let mut facts = answered(status(500));
        let calls = &mut facts.only().introspection.as_mut().expect("one").calls;
        let mut nothing = calls[0].clone();
        (nothing.variation, nothing.result) = (Variation::NoCredential, without);
        calls.push(nothing);
        let finding = format!("{:?}", crate::rules::diagnose(&facts).findings);
        assert!(finding.contains(&format!("certainty: {certainty}")), "{finding}");
    }
}

#[test]
fn fallback_is_a_finding_while_it_goes_on_and_healthy_when_it_is_over() {
    let mut facts = with(in_gateway);
    assert_eq!(found(&facts), "KW2306(KW2307)");
    let held = facts.held().introspection.as_mut().expect("one");
    (held.breaker, held.failing) = ("closed".to_owned(), None);
    assert_eq!(found(&facts), "");
    let told = format!("{:?}", crate::rules::diagnose(&facts).healthy);
    assert!(told.contains("500 tokens were accepted by the second way lately"), "{told}");
}

#[test]
fn without_keys_the_fallback_fails_too_and_without_a_fallback_that_is_said() {
    let mut facts = answered(unanswered("connect"));
    facts.gateway_fails("connect", "expired");
    facts.recorder().verdicts = vec![counted("undecided", Some("introspection_unavailable"), 500)];
    assert!(found(&facts).contains("KW2308"), "{}", found(&facts));
    let mut facts = answered(status(500));
    let configured = &mut facts.only().configured;
    (configured.strategy, configured.has_fallback) = ("introspection".to_owned(), false);
    facts.recorder().verdicts = vec![counted("undecided", Some("introspection_unavailable"), 500)];
    let outline = found(&facts);
    assert!(outline.starts_with("KW2302(") && outline.contains("KW2309"), "{outline}");
}

#[test]
fn failures_and_successes_by_turns_are_one_matter_and_an_outage_that_ended_is_none() {
    // The last first.
    let told = |events: &[&str], result: CallResult| {
        let mut facts = answered(result);
        let changes = events.iter().zip([5, 10, 15, 20, 25, 30]);
        facts.recorder().transitions = changes.map(|(event, ago)| changed(event, None, ago)).collect();
        found(&facts)
    };
    let (failed, recovered) = ("introspection_failed", "introspection_recovered");
    let (opened, half, closed) =
        ("introspection_circuit_opened", "introspection_circuit_half_opened", "introspection_circuit_closed");
    assert_eq!(told(&[failed, recovered, failed], status(500)), "KW2311(KW2302)");
    assert_eq!(told(&[opened, closed, half, opened], status(500)), "KW2311(KW2302)");
    assert_eq!(told(&[failed, failed, recovered, failed], CallResult::Accepted), "KW2311");
    assert_eq!(told(&[recovered, failed, failed], CallResult::Accepted), "");
    assert_eq!(told(&[closed, half, opened, half, opened], CallResult::Accepted), "");
    assert_eq!(told(&[recovered, failed], status(500)), "KW2302");
}

#[test]
fn what_only_the_gateway_saw_is_told_by_its_label() {
    for (label, code) in [
        ("timed_out", "KW2305"),
        ("transport", "KW2301"),
        ("unavailable", "KW2302"),
        ("malformed", "KW2304"),
        ("asked_to_wait", "KW2310"),
        ("credentials_unavailable", "KW2107"),
    ] {
        let mut facts = with(|facts| {
            facts.held().introspection.as_mut().expect("one").failing = Some(label.to_owned());
        });
        // From here it answers: a failure that was once is over.
        assert_eq!(found(&facts), "", "{label}");
        facts.issuers.clear();
        assert_eq!(found(&facts), code, "{label}");
    }
}

#[test]
fn an_endpoint_that_nobody_names_is_to_be_configured() {
    let facts = with(|facts| {
        let introspection = facts.only().introspection.as_mut().expect("one");
        (introspection.endpoint, introspection.calls) = (None, Vec::new());
        facts.only().discovery.as_mut().expect("one").introspection_endpoint = None;
    });
    assert_eq!(found(&facts), "KW2303");
}

#[test]
fn an_endpoint_that_refuses_a_made_up_token_is_well_where_the_gateway_gets_its_answers() {
    let mut facts = answered(status(422));
    facts.held().introspection.as_mut().expect("one").last_success_seconds = None;
    assert_eq!(found(&facts), "KW2304");
    facts.held().introspection.as_mut().expect("one").last_success_seconds = Some(3);
    assert_eq!(found(&facts), "");
    let unseen = crate::rules::diagnose(&facts).unseen;
    assert!(unseen[0].contains("422"), "{unseen:?}");
}

#[test]
fn a_token_endpoint_that_nobody_names_is_to_be_configured() {
    let facts = with(|facts| {
        let introspection = facts.only().introspection.as_mut().expect("one");
        introspection.credential.method = "bearer_jwt".to_owned();
        introspection.calls = Vec::new();
    });
    assert_eq!(found(&facts), "KW2108");
}
