//! Each ground for a cause: where it speaks, and where it does not.

use crate::authority::AuthorityCause;
use crate::diagnosis::Certainty;
use crate::facts::{
    AuthorityLine, Call, CallResult, CredentialFacts, CredentialFileFault, Facts, KeyFileFacts,
    ProviderLogCause, ProviderLogFacts, ProviderLogLine, Spoken, Variation,
};
use crate::rules::diagnose;
use crate::rules::fixture::{NOW, changed, found, with};

fn spoken(status: u16, error: &str, description: &str) -> CallResult {
    let description = (!description.is_empty()).then(|| description.to_owned());
    CallResult::Refused(Spoken { status, error: Some(error.to_owned()), description, ..Spoken::default() })
}

fn refused(description: &str) -> CallResult {
    spoken(401, "invalid_client", description)
}

fn call(endpoint: &str, variation: Variation, result: CallResult) -> Call {
    Call { endpoint: endpoint.to_owned(), method: "m".to_owned(), variation, result, took_ms: 3 }
}

/// A secret that is refused, and what else was tried.
fn secret(tried: &[(Variation, CallResult)]) -> Facts {
    with(|facts| {
        let introspection = facts.only().introspection.as_mut().expect("one");
        introspection.calls = vec![call("introspection", Variation::Configured, refused(""))];
        let calls = tried.iter().map(|(variation, result)| call("introspection", *variation, result.clone()));
        introspection.calls.extend(calls);
    })
}

/// A key of a kind, that is refused as a client's.
fn key(tried: &[(Variation, CallResult)]) -> Facts {
    let mut facts = secret(tried);
    facts.only().introspection.as_mut().expect("one").credential = CredentialFacts {
        method: "private_key_jwt".to_owned(),
        client_id: Some("gateway".to_owned()),
        key_file: Some(KeyFileFacts {
            path: "/etc/key.json".to_owned(),
            kid: Some("gateway-1".to_owned()),
            ..KeyFileFacts::default()
        }),
        ..CredentialFacts::default()
    };
    facts
}

/// A key whose grant is answered by an opaque 500.
fn grant(change: impl FnOnce(&mut KeyFileFacts)) -> Facts {
    let mut facts = key(&[]);
    let introspection = facts.only().introspection.as_mut().expect("one");
    introspection.calls = vec![
        call("token", Variation::Configured, spoken(500, "server_error", "Errors.Internal")),
        call("token", Variation::NoCredential, spoken(400, "invalid_request", "")),
    ];
    let credential = &mut introspection.credential;
    (credential.method, credential.client_id) = ("bearer_jwt".to_owned(), None);
    credential.subject = Some("robot".to_owned());
    let file = credential.key_file.as_mut().expect("one");
    (file.kind, file.owner) = (Some("serviceaccount".to_owned()), Some("robot".to_owned()));
    change(file);
    facts
}

fn logged(mut facts: Facts, cause: ProviderLogCause, code: &str, last_at: i64) -> Facts {
    let line = ProviderLogLine {
        cause,
        count: 312,
        code: (!code.is_empty()).then(|| code.to_owned()),
        first_at: Some(last_at - 3_120),
        last_at: Some(last_at),
        authority: None,
    };
    facts.provider_log.get_or_insert_with(ProviderLogFacts::default).recognised.push(line);
    facts
}

#[track_caller]
fn first(facts: &Facts, code: &str, certainty: Certainty) -> String {
    let diagnosis = diagnose(facts);
    assert_eq!(found(facts), code);
    assert_eq!(diagnosis.findings[0].certainty, certainty);
    format!("{:?}", diagnosis.findings[0])
}

#[test]
fn what_a_client_that_does_not_exist_is_told_says_whether_ours_is_known() {
    let other = refused("something else");
    first(&secret(&[(Variation::NobodysName, other.clone())]), "KW2201", Certainty::Likely);
    first(&secret(&[(Variation::NobodysName, refused(""))]), "KW2207", Certainty::Likely);
    first(&secret(&[]), "KW2207", Certainty::Likely);
    let controls = |name: &CallResult, key_: &CallResult| {
        key(&[(Variation::NobodysName, name.clone()), (Variation::NobodysKey, key_.clone())])
    };
    first(&controls(&other, &refused("")), "KW2202", Certainty::Likely);
    first(&controls(&refused(""), &other), "KW2203", Certainty::Likely);
    first(&controls(&refused(""), &refused("")), "KW2207", Certainty::Likely);
    first(&controls(&other, &other), "KW2207", Certainty::Likely);
}

#[test]
fn a_secret_that_was_changed_after_the_last_call_that_worked_is_likely_wrong() {
    let mut facts = secret(&[]);
    facts.only().introspection.as_mut().expect("one").credential.modified_at = Some(NOW - 60);
    facts.held().introspection.as_mut().expect("one").last_success_seconds = Some(90);
    let said = first(&facts, "KW2201", Certainty::Likely);
    assert!(said.contains("changed 60 s ago") && said.contains("was 90 s ago"), "{said}");
    facts.held().introspection.as_mut().expect("one").last_success_seconds = Some(30);
    first(&facts, "KW2207", Certainty::Likely);
}

#[test]
fn a_method_that_the_provider_does_not_advertise_is_likely_the_wrong_one() {
    let mut facts = secret(&[]);
    facts.only().introspection.as_mut().expect("one").credential.method = "client_secret_post".to_owned();
    let said = first(&facts, "KW2206", Certainty::Likely);
    assert!(said.contains("client_secret_basic, private_key_jwt"), "{said}");
    facts.only().discovery.as_mut().expect("one").auth_methods = Vec::new();
    first(&facts, "KW2207", Certainty::Likely);
}

#[test]
fn a_log_is_believed_while_it_is_fresh_and_where_it_can_be_ours() {
    let wrong = ProviderLogCause::SecretWrong;
    let log = |facts, at| logged(facts, wrong, "invalid_client_credentials", at);
    let said = first(&log(secret(&[]), NOW - 10), "KW2201", Certainty::Certain);
    assert!(said.contains("invalid_client_credentials, 312 lines"), "{said}");
    first(&log(secret(&[]), NOW - 7_200), "KW2201", Certainty::Likely);
    // Keycloak says so of keys, too.
    first(&log(key(&[]), NOW - 10), "KW2207", Certainty::Likely);
    // What the provider says to us counts more than what it once wrote down.
    let mut named = log(secret(&[]), NOW - 10);
    let introspection = named.only().introspection.as_mut().expect("one");
    introspection.calls[0].result = refused("the client is disabled");
    first(&named, "KW2208", Certainty::Certain);
    // Where nobody refuses us, old lines are of something that is over.
    assert_eq!(found(&logged(with(|_| ()), wrong, "", NOW - 10)), "");
}

/// A line of our own authority's log, of the token endpoint.
fn at_authority(mut facts: Facts, code: &str, count: u64, names_us: bool) -> Facts {
    let known = AuthorityCause::of(code).expect("a cause");
    let endpoint = if code.starts_with("secret") { "introspection" } else { "token" };
    facts.provider_log.get_or_insert_with(ProviderLogFacts::default).recognised.push(ProviderLogLine {
        cause: known.cause,
        count,
        code: Some(code.to_owned()),
        first_at: None,
        last_at: Some(NOW - 10),
        authority: Some(AuthorityLine { endpoint: endpoint.to_owned(), realm: "main".to_owned(), names_us }),
    });
    facts
}

/// A grant that our own authority refuses with this description.
fn refused_there(description: &str) -> Facts {
    let mut facts = grant(|_| ());
    facts.only().introspection.as_mut().expect("one").calls =
        vec![call("token", Variation::Configured, spoken(400, "invalid_grant", description))];
    facts
}

const ALIKE: &str = "the assertion's key is not accepted";

#[test]
fn our_authority_says_what_it_may_and_its_log_the_rest() {
    for (description, code) in [
        ("the assertion's header must have a kid", "KW2105"),
        ("the assertion was used before", "KW2215"),
        (
            "the assertion's exp must be at most five minutes ahead, or an hour for the jwt-bearer grant",
            "KW2214",
        ),
        ("a scope is not granted to this client", "KW2216"),
        ("the assertion's iss and sub must both be the client or the service account", "KW2106"),
    ] {
        first(&refused_there(description), code, Certainty::Certain);
    }
    let said = first(&refused_there(ALIKE), "KW2207", Certainty::Likely);
    assert!(said.contains("--provider-log authority.log"), "{said}");
    for (label, code) in [
        ("assertion_key_disabled", "KW2103"),
        ("assertion_key_expired", "KW2104"),
        ("assertion_key_unknown", "KW2202"),
        ("assertion_key_of_another", "KW2106"),
        ("assertion_signature_wrong", "KW2209"),
        ("service_account_disabled", "KW2208"),
        ("service_account_unknown", "KW2203"),
    ] {
        let said = first(&at_authority(refused_there(ALIKE), label, 7, false), code, Certainty::Certain);
        assert!(said.contains(label) && said.contains("--server"), "{said}");
    }
}

#[test]
fn a_line_of_the_authority_counts_where_it_is_told_so_and_one_that_names_us_before_all() {
    // Told otherwise, and of another endpoint.
    let others = at_authority(refused_there(ALIKE), "assertion_expired", 900, false);
    first(&at_authority(others.clone(), "secret_wrong", 900, false), "KW2207", Certainty::Likely);
    let ours = at_authority(others, "assertion_key_disabled", 3, true);
    first(&at_authority(ours, "assertion_key_unknown", 900, false), "KW2103", Certainty::Certain);
    let several = at_authority(refused_there(ALIKE), "assertion_key_unknown", 90, false);
    let said =
        first(&at_authority(several, "assertion_key_of_another", 3, false), "KW2202", Certainty::Likely);
    assert!(said.contains("several causes"), "{said}");
    // Another realm's.
    let mut facts = at_authority(refused_there(ALIKE), "assertion_key_unknown", 90, false);
    let lines = &mut facts.provider_log.as_mut().expect("a log").recognised;
    lines[0].authority.as_mut().expect("of an authority").realm = "other".to_owned();
    first(&facts, "KW2207", Certainty::Likely);
}

#[test]
fn who_failed_too_often_is_told_what_the_log_says_of_before() {
    let mut facts = refused_there("too many failed attempts; come back later");
    let limited = spoken(429, "slow_down", "too many failed attempts; come back later");
    facts.only().introspection.as_mut().expect("one").calls =
        vec![call("token", Variation::Configured, limited)];
    first(&facts, "KW2107", Certainty::Likely);
    let facts =
        at_authority(at_authority(facts, "rate_limited", 900, false), "assertion_key_disabled", 3, true);
    first(&facts, "KW2103(KW2107)", Certainty::Certain);
}

#[test]
fn a_key_that_is_not_found_has_four_causes_and_the_file_and_the_gateway_tell_them_apart() {
    let lost = |facts| logged(facts, ProviderLogCause::KeyNotFound, "QUERY-Tha6f", NOW - 10);
    first(&lost(grant(|file| file.kid = None)), "KW2105", Certainty::Certain);
    first(&lost(grant(|file| file.kind = Some("application".to_owned()))), "KW2101", Certainty::Certain);
    first(&lost(grant(|file| file.owner = Some("somebody".to_owned()))), "KW2106", Certainty::Certain);
    // The gateway of the fixture has had answers by this key: it was there.
    let said = first(&lost(grant(|_| ())), "KW2102", Certainty::Certain);
    assert!(said.contains("QUERY-Tha6f, 312 lines, the first at 2026-11-18T10:14:30Z"), "{said}");
    let mut fresh = lost(grant(|_| ()));
    fresh.gateway = None;
    first(&fresh, "KW2102", Certainty::Likely);
    first(
        &logged(fresh, ProviderLogCause::ProjectionBehind, "authn_keys", NOW - 10),
        "KW2102",
        Certainty::Certain,
    );
}

#[test]
fn an_opaque_500_says_what_it_is_not_and_what_it_can_be() {
    let mut facts = grant(|_| ());
    facts.recorder().transitions = vec![changed("credential_failed", Some("server_error"), 1_209_600)];
    let said = first(&facts, "KW2107", Certainty::Likely);
    for part in [
        "excluded: a missing kid (our assertions name gateway-1)",
        "a key of the wrong kind (it is serviceaccount)",
        "a wrong issuer (the file says robot)",
        "the clocks (they agree)",
        "an endpoint that fails whoever asks",
        "possible: the key is disabled, has expired, was deleted, or the provider does not see it yet",
        "credential_failed since 2026-11-18T11:06:00Z (14 days ago)",
        "--provider-log",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    first(&grant(|file| file.expires_at = Some(NOW - 1)), "KW2104", Certainty::Likely);
    first(&grant(|file| file.kid = None), "KW2105", Certainty::Likely);
    first(&grant(|file| file.owner = Some("somebody".to_owned())), "KW2106", Certainty::Likely);
}

#[test]
fn files_are_told_apart_by_whether_they_can_be_used() {
    let fault = |fault: CredentialFileFault| {
        let mut facts = with(|_| ());
        let introspection = facts.only().introspection.as_mut().expect("one");
        if !matches!(fault, CredentialFileFault::Exposed(_)) {
            introspection.calls.clear();
        }
        introspection.credential.fault = Some(fault);
        found(&facts)
    };
    assert_eq!(fault(CredentialFileFault::Exposed("mode 0644".to_owned())), "KW2212");
    assert_eq!(fault(CredentialFileFault::Unusable("it is empty".to_owned())), "KW2211");
    // Whoever looks need not be the gateway's user.
    assert_eq!(fault(CredentialFileFault::Forbidden("permission denied".to_owned())), "");
}

#[test]
fn a_gateway_whose_credential_is_refused_while_ours_is_taken_holds_another_one() {
    let facts = with(|facts| {
        let credential = &mut facts.held().introspection.as_mut().expect("one").credential;
        (credential.state, credential.rejections) = ("rejected".to_owned(), 4);
    });
    first(&facts, "KW2213", Certainty::Likely);
    // Nobody looked from elsewhere: what the gateway says is all there is.
    let mut alone = facts;
    alone.issuers.clear();
    assert_eq!(found(&alone), "KW2207");
    let credential = &mut alone.held().introspection.as_mut().expect("one").credential;
    credential.last_error = Some("401 invalid_client (\"the key has expired\")".to_owned());
    assert_eq!(found(&alone), "KW2104");
}

#[test]
fn a_token_that_is_granted_and_not_taken_is_refused_as_a_bearer() {
    let mut facts = secret(&[]);
    let introspection = facts.only().introspection.as_mut().expect("one");
    introspection.credential.method = "bearer_file".to_owned();
    first(&facts, "KW2210", Certainty::Likely);
    let introspection = facts.only().introspection.as_mut().expect("one");
    introspection.credential.method = "bearer_jwt".to_owned();
    introspection.calls.insert(0, call("token", Variation::Configured, CallResult::Accepted));
    first(&facts, "KW2210", Certainty::Certain);
}

#[test]
fn what_was_tried_and_refused_is_no_advice_to_begin_with() {
    let fix = |result: CallResult| {
        let mut facts = grant(|file| (file.kind, file.unfit) = (Some("application".to_owned()), true));
        facts.only().introspection.as_mut().expect("one").calls =
            vec![call("introspection", Variation::AsClientAssertion, result)];
        first(&facts, "KW2101", Certainty::Certain);
        diagnose(&facts).findings[0].fix[0].what.clone()
    };
    let taken = fix(CallResult::Accepted);
    assert!(taken.contains("method = \"private_key_jwt\""), "{taken}");
    let refused = fix(refused(""));
    assert!(refused.contains("refuses the key as a client's as well"), "{refused}");
}
