use super::*;
use crate::facts::{BodyShape, TlsFacts};
use crate::rules::fixture::{NOW, addresses, answer, attempt, first, found, tls, with};

fn second_ends(ended: &Ended) -> Facts {
    with(|facts| {
        facts.attempts()[1].ended = ended.clone();
        if is_dead_end(&facts.attempts()[1]) {
            facts.attempts()[1].connect_ms = None;
            facts.attempts()[1].tls = None;
        }
    })
}

#[test]
fn a_name_that_leads_nowhere_is_told_with_how_to_look_it_up() {
    for lookup in [Lookup::Failed("NXDOMAIN".to_owned()), Lookup::TimedOut, Lookup::Found(Vec::new())] {
        let facts = with(|facts| {
            let reach = facts.keys().reach.as_mut().expect("a way");
            (reach.lookup, reach.attempts) = (lookup, Vec::new());
            facts.keys().answers.clear();
        });
        let finding = first(&facts);
        assert_eq!(
            (finding.code, finding.certainty),
            (Code::NameNotResolved, crate::diagnosis::Certainty::Certain)
        );
        let commands: Vec<_> = finding.fix.iter().filter_map(|step| step.command.as_deref()).collect();
        assert_eq!(commands, ["dig +noall +answer +comments -q idp.example", "getent ahosts idp.example"]);
    }
}

#[test]
fn one_family_that_is_blocked_is_told_from_one_that_this_machine_does_not_have() {
    assert_eq!(found(&second_ends(&Ended::TimedOut(Waited::Connection))), "KW1104");
    assert_eq!(found(&second_ends(&Ended::Unreachable("network is unreachable".to_owned()))), "");
    let finding = first(&second_ends(&Ended::TimedOut(Waited::Connection)));
    assert_eq!(finding.cause, "idp.example answers by IPv4, and by IPv6 nothing does");
}

#[test]
fn a_dead_address_beside_good_ones_of_its_family_is_no_blocked_family() {
    let facts = with(|facts| {
        let [v4, _] = addresses();
        let mut dead = attempt(v4);
        (dead.connect_ms, dead.tls, dead.ended) = (None, None, Ended::TimedOut(Waited::Connection));
        facts.attempts().push(dead);
    });
    assert_eq!(found(&facts), "KW1105");
    assert_eq!(first(&facts).cause, "1 of 3 addresses of idp.example do not answer");
}

#[test]
fn a_server_on_this_machine_may_listen_by_one_family_only() {
    let facts = with(|facts| {
        let loopback = ["127.0.0.1:443", "[::1]:443"].map(|address| address.parse().expect("an address"));
        for (attempt, address) in facts.attempts().iter_mut().zip(loopback) {
            attempt.address = address;
        }
        facts.attempts()[1].connect_ms = None;
        facts.attempts()[1].ended = Ended::ConnectRefused;
    });
    assert_eq!(found(&facts), "");
}

#[test]
fn what_some_addresses_answer_is_likely_and_says_how_many_they_are() {
    let finding = first(&second_ends(&Ended::Answered(answer(503))));
    assert_eq!((finding.code, finding.certainty), (Code::ProviderFails, crate::diagnosis::Certainty::Likely));
    assert!(finding.cause.ends_with("answers 503, at 1 of 2 addresses"), "{}", finding.cause);
    assert!(
        finding.evidence.iter().any(|fact| fact.contains("on [2001:db8::7]:443 answered 503 after 12 ms"))
    );
}

#[test]
fn two_questions_that_end_otherwise_are_a_provider_that_answers_now_and_then() {
    let asked_twice = |first: Ended, second: Ended| {
        with(|facts| {
            facts.attempts().truncate(1);
            facts.attempts()[0].ended = first;
            facts.keys().again = Some(second);
        })
    };
    let (good, bad) = (Ended::Answered(answer(200)), Ended::Answered(answer(503)));
    assert_eq!(found(&asked_twice(good.clone(), bad.clone())), "KW1122");
    assert_eq!(found(&asked_twice(bad.clone(), good.clone())), "KW1122(KW1110)");
    assert_eq!(found(&asked_twice(good.clone(), Ended::BrokeOff)), "KW1122");
    assert_eq!(found(&asked_twice(good.clone(), Ended::Answered(answer(429)))), "");
    assert_eq!(found(&asked_twice(good.clone(), Ended::OutOfTime)), "");
    assert_eq!(found(&asked_twice(good.clone(), good)), "");
    assert_eq!(found(&asked_twice(bad.clone(), bad)), "KW1110");
}

#[test]
fn whoever_asks_to_be_left_alone_after_a_failure_fails() {
    let facts = with(|facts| {
        facts.all_end(&Ended::AskedToWait(30));
        facts.attempts()[0].ended = Ended::Answered(answer(503));
    });
    assert_eq!(found(&facts), "KW1110");
    let facts = with(|facts| {
        facts.all_end(&Ended::AskedToWait(30));
        facts.attempts()[0].ended = Ended::Answered(answer(429));
    });
    assert_eq!(found(&facts), "KW1112");
}

#[test]
fn what_is_answered_in_place_of_a_key_set_is_told() {
    for (kind, over_limit, status, code) in [
        (BodyKind::Html, false, 200, Code::NoKeySet),
        (BodyKind::JsonBroken, false, 200, Code::NoKeySet),
        (BodyKind::Empty, false, 204, Code::NoKeySet),
        (BodyKind::JsonObject, true, 200, Code::KeySetTooLarge),
        (BodyKind::Html, false, 302, Code::Redirected),
        (BodyKind::Html, false, 401, Code::AccessDenied),
        (BodyKind::Html, false, 410, Code::NotFound),
        (BodyKind::Html, false, 502, Code::ProviderFails),
    ] {
        let body = BodyShape { octets: 10, kind, over_limit };
        let facts = with(|facts| facts.all_end(&Ended::Answered(Answer { body, ..answer(status) })));
        assert_eq!(found(&facts), code.to_string(), "{status} {kind:?}");
        let finding = first(&facts);
        assert_eq!(finding.certainty, crate::diagnosis::Certainty::Certain);
        assert!(!finding.cause.contains("addresses"), "{}", finding.cause);
    }
    let facts = with(|facts| {
        facts.keys().answers.clear();
        facts.keys().trouble = Some("it has no keys".to_owned());
    });
    assert_eq!(
        first(&facts).cause,
        "what https://idp.example/realms/main/keys answers is no JWK Set: it has no keys"
    );
}

#[test]
fn an_expired_certificate_says_when_and_which() {
    let facts = with(|facts| {
        facts.all_end(&Ended::TlsFailed);
        for attempt in facts.attempts() {
            let expired = Some(NOW - 28_500);
            attempt.tls = Some(TlsFacts { not_after: expired, trouble: Some(TlsTrouble::Expired), ..tls() });
        }
    });
    let finding = first(&facts);
    assert_eq!(finding.cause, "the TLS certificate of idp.example expired 8 h ago, at 2026-11-18T03:11:40Z");
    assert!(
        finding.evidence.iter().any(|fact| fact.contains("CN=idp.example, by CN=R3")),
        "{:?}",
        finding.evidence
    );
}

#[test]
fn a_certificate_is_soon_over_by_its_own_measure() {
    const DAY: i64 = 86_400;
    for (lived, left, is_soon) in
        [(80, 10, true), (60, 30, false), (4, 2, false), (6, 1, true), (350, 15, false), (351, 13, true)]
    {
        let facts = with(|facts| {
            for attempt in facts.attempts() {
                let (not_before, not_after) = (Some(NOW - lived * DAY), Some(NOW + left * DAY));
                attempt.tls = Some(TlsFacts { not_before, not_after, ..tls() });
            }
        });
        assert_eq!(found(&facts), if is_soon { "KW1119" } else { "" }, "{lived} days lived, {left} left");
    }
}

#[test]
fn a_place_that_the_gateway_would_not_ask_is_told_as_its_own_doing() {
    for (label, code) in [("foreign_host", "KW4105"), ("insecure_address", "KW4106")] {
        let facts = with(|facts| {
            facts.keys().answers.clear();
            let reach = facts.keys().reach.as_mut().expect("a way");
            (reach.lookup, reach.attempts, reach.refused) =
                (Lookup::NotTried, Vec::new(), Some(label.to_owned()));
        });
        assert_eq!(found(&facts), code);
    }
    assert_eq!(found(&with(|facts| facts.all_end(&Ended::Forbidden("link-local".to_owned())))), "KW4104");
}

#[test]
fn a_discovery_document_that_cannot_be_used_is_one_only_where_it_is_used() {
    let broken = |discovers: bool| {
        with(|facts| {
            facts.only().configured.discovers = discovers;
            let discovery = facts.only().discovery.as_mut().expect("discovery");
            (discovery.issuer, discovery.jwks_uri) = (None, None);
        })
    };
    assert_eq!(found(&broken(true)), "KW1120");
    assert_eq!(found(&broken(false)), "");
}

#[test]
fn a_key_file_that_cannot_be_read_is_ours() {
    let facts = with(|facts| {
        facts.only().discovery = None;
        let set = facts.keys();
        (set.place, set.reach, set.answers) = ("/etc/keyward/-rf keys.json".to_owned(), None, Vec::new());
        set.trouble = Some("no such file".to_owned());
    });
    let finding = first(&facts);
    assert_eq!(finding.code, Code::KeyFileUnreadable);
    assert_eq!(finding.fix[0].command.as_deref(), Some("ls -l -- '/etc/keyward/-rf keys.json'"));
}

#[test]
fn what_there_was_no_time_for_is_neither_found_nor_healthy() {
    let facts = with(|facts| facts.all_end(&Ended::OutOfTime));
    let diagnosis = crate::rules::diagnose(&facts);
    assert_eq!(diagnosis.findings, []);
    assert!(diagnosis.unseen.iter().any(|what| what.contains("key set of main")), "{:?}", diagnosis.unseen);
    assert!(!diagnosis.healthy.iter().any(|healthy| healthy.what.contains("way to the key set")));
}
