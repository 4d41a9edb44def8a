//! All rules together: what is well, what is arbitrary, and each incident that the doctor exists for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::diagnose;
use super::fixture::{self, counted, first_code, found, healthy, with};
use crate::code::Code;
use crate::diagnosis::{Diagnosis, Finding};
use crate::facts::{Ended, Facts, Lookup, TlsTrouble, Waited};

#[test]
fn where_all_is_well_nothing_is_found_and_what_was_looked_at_is_listed() {
    let Diagnosis { findings, healthy, unseen } = diagnose(&healthy());
    assert_eq!(fixture::outline(&findings), "");
    assert_eq!(unseen, Vec::<String>::new());
    let told = healthy.iter().map(|healthy| healthy.what.as_str()).collect::<Vec<_>>().join("\n");
    for part in [
        "discovery document",
        "key set",
        "TLS until",
        "clock",
        "certificates around 2 keys",
        "gateway is ready",
        "fetched",
    ] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
}

#[test]
fn where_nothing_was_seen_nothing_is_found_and_nothing_is_healthy() {
    let diagnosis = diagnose(&Facts::default());
    assert_eq!((diagnosis.findings, diagnosis.healthy), (Vec::new(), Vec::new()));
    assert!(!diagnosis.unseen.is_empty());
}

#[test]
fn a_name_that_does_not_resolve_explains_all_that_its_gateway_shows() {
    let facts = with(|facts| {
        let discovery = facts.only().discovery.as_mut().expect("discovery");
        discovery.reach.lookup = Lookup::Failed("no such host".to_owned());
        discovery.reach.attempts.clear();
        discovery.issuer = None;
        facts.only().key_set = None;
        facts.only().introspection = None;
        facts.gateway_fails("dns", "expired");
    });
    assert_eq!(found(&facts), "KW1101(KW1302 KW7102 KW7103)");
}

#[test]
fn each_mode_of_an_outage_is_named_first_and_its_effects_stand_under_it() {
    let modes: [(&str, Ended, &str); 8] = [
        ("connect", Ended::ConnectRefused, "KW1102"),
        ("timeout", Ended::TimedOut(Waited::Connection), "KW1103"),
        ("status", Ended::Answered(fixture::answer(503)), "KW1110"),
        ("status", Ended::Answered(fixture::answer(404)), "KW1111"),
        ("status", Ended::Answered(fixture::answer(429)), "KW1112"),
        ("timeout", Ended::TimedOut(Waited::FirstOctet), "KW1114"),
        ("status", Ended::Answered(fixture::answer(403)), "KW1117"),
        ("connect", Ended::BrokeOff, "KW1118"),
    ];
    for (label, ended, code) in modes {
        let facts = with(|facts| {
            facts.all_end(&ended);
            facts.gateway_fails(label, "stale");
        });
        assert_eq!(found(&facts), format!("{code}(KW1301)"), "{ended:?}");
        let facts = with(|facts| {
            facts.all_end(&ended);
            facts.gateway_fails(label, "expired");
        });
        assert_eq!(found(&facts), format!("{code}(KW1302 KW7102 KW7103)"), "{ended:?}");
    }
    for (trouble, code) in [
        (TlsTrouble::Expired, "KW1106"),
        (TlsTrouble::NameMismatch, "KW1107"),
        (TlsTrouble::Untrusted, "KW1108"),
        (TlsTrouble::Other("handshake failure".to_owned()), "KW1109"),
    ] {
        let facts = with(|facts| {
            facts.no_tls(&trouble);
            facts.gateway_fails("tls", "stale");
        });
        assert_eq!(found(&facts), format!("{code}(KW1301)"), "{trouble:?}");
    }
}

#[test]
fn a_few_bad_tokens_are_no_incident() {
    for reason in [
        "expired",
        "invalid_signature",
        "unknown_kid",
        "key_refresh_limited",
        "wrong_audience",
        "missing_token",
    ] {
        let facts = with(|facts| {
            facts.recorder().verdicts =
                vec![counted("accept", None, 2_000), counted("reject", Some(reason), 15)];
        });
        assert_eq!(found(&facts), "", "{reason}");
        let facts = with(|facts| {
            facts.recorder().verdicts = vec![counted("accept", None, 10), counted("reject", Some(reason), 4)];
        });
        assert_eq!(found(&facts), "", "{reason}");
    }
}

#[test]
fn the_same_code_with_the_same_steps_is_not_told_twice() {
    let facts = with(|facts| {
        let down = Ended::Answered(fixture::answer(503));
        facts.all_end(&down);
        for attempt in &mut facts.only().discovery.as_mut().expect("discovery").reach.attempts {
            attempt.ended = down.clone();
        }
    });
    assert_eq!(found(&facts), "KW1110");
    assert_eq!(first_code(&facts).map(|code| code.to_string()).as_deref(), Some("KW1110"));
}

#[test]
fn every_code_is_said_by_some_rule() {
    fn read(folder: &Path, into: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match name.as_str() {
                "fixture.rs" | "fold.rs" | "follows.rs" | "tests.rs" => {}
                _ if entry.is_dir() => read(&entry, into),
                _ => into.push_str(&fs::read_to_string(&entry).expect("a file")),
            }
        }
    }
    let mut rules = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules"), &mut rules);
    let said: BTreeSet<&str> = rules
        .split("Code::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next())
        .collect();
    let unsaid: Vec<_> =
        Code::ALL.iter().filter(|code| !said.contains(format!("{code:?}").as_str())).collect();
    assert_eq!(unsaid, Vec::<&Code>::new());
}

/// Every finding, whatever it stands under.
fn all<'a>(findings: &'a [Finding], into: &mut Vec<&'a Finding>) {
    for finding in findings {
        into.push(finding);
        all(&finding.consequences, into);
    }
}

/// What a bundle of a stranger could hold in place of a text.
const TEXTS: &[&str] = &[
    "",
    "accept",
    "reject",
    "undecided",
    "stale",
    "fresh",
    "expired",
    "empty",
    "fixed",
    "snapshot",
    "fetched",
    "open",
    "half_open",
    "rejected",
    "unavailable",
    "no_keys",
    "starting",
    "draining",
    "degraded",
    "dns",
    "connect",
    "tls",
    "status",
    "timeout",
    "foreign_host",
    "issuer_mismatch",
    "insecure_address",
    "no_usable_key",
    "unknown_kid",
    "keys_unavailable",
    "overloaded",
    "key_mismatch",
    "untrusted",
    "not_yet_valid",
    "absent",
    "enforce",
    "ignore",
    "http://[::1",
    "http://idp.example:99999/",
    "https://other.example/keys",
    "x'; rm -rf / #\u{1b}[31m\n$(id)`id`",
    "-oProxyCommand=id",
    "proof_memory_failed",
    "config_refused",
    "snapshot_refused",
    "jwks_refresh_failed",
    "answers 503",
    "answers \u{e9}\u{e9}\u{e9}",
    "{tenantid}",
];

/// Facts in which some values are replaced by others of the same kind, or taken away, as far as they can still be read.
fn mangled(seed: &Facts, changes: &[(usize, usize, i64)]) -> Facts {
    let mut facts = seed.clone();
    for (place, kind, number) in changes {
        let mut value = serde_json::to_value(&facts).expect("facts are JSON");
        let mut places = Vec::new();
        pointers(&value, String::new(), &mut places);
        let leaf = value.pointer_mut(&places[place % places.len()]).expect("it is there");
        mangle(leaf, *kind, *number);
        facts = serde_json::from_value(value).unwrap_or(facts);
    }
    facts
}

/// Every value within one, as a JSON pointer (RFC 6901); no member's name needs an escape.
fn pointers(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Array(rows) => {
            rows.iter().enumerate().for_each(|(row, value)| pointers(value, format!("{at}/{row}"), into))
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| pointers(value, format!("{at}/{name}"), into))
        }
        _ => {}
    }
    into.push(at);
}

fn mangle(leaf: &mut Value, kind: usize, number: i64) {
    *leaf = match (&*leaf, kind % 8) {
        (_, 0) => Value::Null,
        (Value::Array(rows), 1) => Value::Array(rows.iter().chain(rows).cloned().collect()),
        (Value::Array(_), 2) => json!([]),
        (Value::Object(members), 3) if members.len() == 1 => {
            json!(TEXTS[number.unsigned_abs() as usize % TEXTS.len()])
        }
        (Value::Bool(now), _) => json!(!now),
        (Value::Number(now), 4) if now.is_f64() => json!(number as f64 * 1e9),
        (Value::Number(now), _) if now.is_u64() => json!(number.unsigned_abs()),
        (Value::Number(_), _) => json!(number),
        (Value::String(_), _) => json!(TEXTS[number.unsigned_abs() as usize % TEXTS.len()]),
        (other, _) => (*other).clone(),
    };
}

/// Facts with something wrong in most places.
fn seeds() -> Vec<Facts> {
    let refused = with(|facts| {
        facts.all_end(&Ended::ConnectRefused);
        facts.gateway_fails("connect", "expired");
        facts.recorder().transitions = vec![
            fixture::changed("jwks_refresh_failed", Some("connect"), 2),
            fixture::changed("jwks_refreshed", None, 9),
            fixture::changed("jwks_refresh_failed", Some("connect"), 20),
        ];
    });
    let tls = with(|facts| facts.no_tls(&TlsTrouble::Other("why".to_owned())));
    let wrapped = with(|facts| {
        let key = &mut facts.held().keys[0];
        let wrapper = key.wrapper.as_mut().expect("a wrapper");
        wrapper.state = "expired".to_owned();
        wrapper.expires_in_seconds = Some(-28_500);
    });
    let alone = with(|facts| {
        facts.issuers.clear();
        facts.gateway_fails("status", "stale");
    });
    vec![healthy(), refused, tls, wrapped, alone, Facts::default()]
}

/// Facts in which every part is well, and any of them may be missing.
fn well() -> impl Strategy<Value = Facts> {
    let parts = prop::collection::vec(any::<bool>(), 8);
    let counts = (10_u64..100_000, 0_u64..100, 0_usize..6);
    (parts, 0_usize..3, -20.0..20.0_f64, 0_u64..240, counts).prop_map(
        |(has, issuers, ahead, age, (accepted, bad, reason))| {
            let mut facts = healthy();
            let bad = bad.min(if accepted < 500 { 4 } else { accepted / 200 });
            let reason =
                ["expired", "unknown_kid", "wrong_audience", "keys_unavailable", "overloaded", "revoked"]
                    [reason];
            facts.recorder().verdicts =
                vec![counted("accept", None, accepted), counted("reject", Some(reason), bad)];
            facts.held().age_seconds = Some(age);
            let issuer = facts.only();
            issuer.clock.as_mut().expect("a clock").ahead_s = ahead;
            issuer.discovery = issuer.discovery.take().filter(|_| has[0]);
            issuer.key_set = issuer.key_set.take().filter(|_| has[1]);
            issuer.introspection = issuer.introspection.take().filter(|_| has[2]);
            issuer.clock = issuer.clock.take().filter(|_| has[3]);
            if has[4] {
                facts.gateway.as_mut().expect("a gateway").recorder = None;
            }
            if has[5] {
                facts.gateway.as_mut().expect("a gateway").issuers = None;
            }
            if has[6] {
                facts.gateway = None;
            }
            if has[7] {
                for attempt in facts
                    .issuers
                    .iter_mut()
                    .filter_map(|issuer| issuer.key_set.as_mut())
                    .flat_map(|set| &mut set.reach)
                    .flat_map(|reach| &mut reach.attempts)
                    .take(1)
                {
                    attempt.ended = Ended::OutOfTime;
                }
            }
            // Others of other names, and the gateway knows them not.
            for number in 1..=issuers {
                let mut other = fixture::issuer();
                other.configured.name = format!("other-{number}");
                other.configured.issuer = format!("https://other-{number}.example");
                other.configured.from_file = false;
                other.discovery.as_mut().expect("discovery").issuer = Some(other.configured.issuer.clone());
                other.discovery.as_mut().expect("discovery").jwks_uri =
                    Some(format!("https://other-{number}.example/keys"));
                facts.issuers.push(other);
            }
            if issuers > 0 {
                facts.only().configured.from_file = false;
            }
            facts
        },
    )
}

proptest! {
    #[test]
    fn whatever_the_facts_are_there_is_one_diagnosis_and_its_texts_are_fit_to_print(
        seed in 0_usize..6,
        changes in prop::collection::vec((any::<usize>(), any::<usize>(), any::<i64>()), 0..24),
    ) {
        let facts = mangled(&seeds()[seed], &changes);
        let diagnosis = diagnose(&facts);
        prop_assert_eq!(&diagnosis, &diagnose(&facts));
        let mut findings = Vec::new();
        all(&diagnosis.findings, &mut findings);
        let named: BTreeSet<_> = findings.iter().map(|finding| (finding.code, finding.issuer.as_deref())).collect();
        prop_assert_eq!(named.len(), findings.len(), "a finding stands twice");
        for finding in findings {
            prop_assert!(!finding.cause.is_empty() && !finding.evidence.is_empty(), "{:?}", finding);
            prop_assert!(!finding.fix.is_empty(), "{:?}", finding);
            let texts = finding.evidence.iter().chain([&finding.cause]).chain(finding.fix.iter().map(|step| &step.what));
            for text in texts.chain(finding.fix.iter().filter_map(|step| step.command.as_ref())) {
                prop_assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }

    #[test]
    fn nothing_is_found_where_every_part_is_well(facts in well()) {
        prop_assert_eq!(found(&facts), "");
    }
}
