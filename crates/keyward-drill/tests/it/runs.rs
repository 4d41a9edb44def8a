//! Drills that are run, in virtual time: those that have to pass, and those that have to fail.

use std::collections::BTreeSet;

use keyward_drill::progress::Silent;
use keyward_drill::report::{About, DrillReport, Report, Result as DrillResult};
use keyward_drill::{Drill, Mode, catalogue, junit};

const VIRTUAL: Mode = Mode::VirtualTime { seed: 1 };

fn run(text: &str) -> DrillReport {
    let drills = Drill::parse("mine", text).unwrap();
    VIRTUAL.run(&drills[0], &Silent)
}

/// A drill of one phase that begins when the provider is told `provider`.
fn one_phase(provider: &str, lasts: &str, rest: &str) -> DrillReport {
    run(&format!(
        "title = \"t\"\nabout = \"a\"\n[gateway]\nttl = \"1s\"\nstale_limit = \"5s\"\n[traffic.users]\nrate = 20\n\
         [traffic.forged]\nrate = 20\ntoken = {{ signature = \"other_key\" }}\n\
         [[phase]]\nname = \"only\"\nlasts = \"{lasts}\"\nsteps = [{{ provider = {provider} }}]\n{rest}\n"
    ))
}

#[track_caller]
fn fails(report: &DrillReport, about: About, says: &str) {
    let found = report.failures().any(|(_, failure)| failure.about == about && failure.text.contains(says));
    assert!(found && report.result == DrillResult::Failed, "{report:#?}");
}

/// `cargo xtask drill` runs all variants, in a release build.
#[test]
fn of_each_drill_that_can_one_variant_passes_in_virtual_time() {
    let mut titles = BTreeSet::new();
    for drill in catalogue::all().unwrap().into_iter().filter(|drill| titles.insert(drill.title.clone())) {
        let report = VIRTUAL.run(&drill, &Silent);
        let well = matches!(report.result, DrillResult::Passed | DrillResult::NotApplicable);
        let failures: Vec<_> = report.failures().collect();
        assert!(well, "{}: {:?} {failures:#?}", drill.name, report.reason);
    }
}

#[test]
fn a_wrong_expectation_fails_and_says_what_was_seen() {
    let refuse = "{ fault = { all = \"refuse\" } }";
    let report = one_phase(refuse, "10s", "expect.users = { accept = 1.0 }");
    fails(&report, About::Verdicts, "users: accept");
    let report = one_phase(refuse, "3s", "expect.users = { reject = [0.5, 1.0] }");
    fails(&report, About::Verdicts, "users: reject 0 % of 60, expected 50 % to 100 %");
    let report = one_phase(refuse, "3s", "expect.forged = { accept = 1.0 }");
    fails(&report, About::Verdicts, "forged: accept 0 %");
    let status = "{ fault = { jwks = { status = { code = 503 } } } }";
    let report = one_phase(status, "3s", "bounds.fetches = { main = 1 }");
    fails(&report, About::Fetches, "main was asked for its keys");
    let report = one_phase(refuse, "3s", "gateway = { readiness = \"ready\" }");
    fails(&report, About::Gateway, "\"degraded\", expected \"ready\"");
    let report = one_phase(refuse, "3s", "gateway = { events = [\"jwks_refreshed\"] }");
    fails(&report, About::Gateway, "did not log jwks_refreshed");
    let report = one_phase(refuse, "3s", "gateway = { no_events = [\"jwks_refresh_failed:connect\"] }");
    fails(&report, About::Gateway, "it logged jwks_refresh_failed:connect");
    let report = one_phase(refuse, "3s", "bounds.answered_per_second = { users = 1000.0 }");
    fails(&report, About::Throughput, "20 requests/s were answered");
    let report = one_phase("{ beside = [\"akp\"] }", "3s", "gateway.skipped = { main = [] }");
    fails(&report, About::Gateway, "type_unsupported");
}

#[test]
fn what_the_gateway_says_of_certificates_is_held_against_what_is_expected() {
    let drill = |traffic: &str, expected: &str| {
        run(&format!(
            "title = \"t\"\nabout = \"a\"\n[provider.main]\nkeys = [{{ kid = \"key-1\" }}, \
             {{ kid = \"key-2\", wrapper = {{ not_after = \"-1h\" }} }}]\n[gateway]\nttl = \"1s\"\n\
             [traffic.users]\nrate = 20\n[traffic.others]\nrate = 20\ntoken = {{ key = \"key-2\" }}\n\
             [[phase]]\nname = \"only\"\nlasts = \"2s\"\ntraffic = [{traffic}]\n\
             steps = [{{ provider = {{ wrapper = {{ key-2 = {{ not_after = \"-2h\" }} }} }} }}]\n{expected}\n"
        ))
    };
    let both = "\"users\", \"others\"";
    let right = "expect = { \"*\" = { accept = 1.0 } }\n\
                 gateway.event_counts = { wrapper_certificate_expired = 1 }\n\
                 gateway.wrappers = { main = { key-1 = \"none\", key-2 = \"expired\" } }\n\
                 gateway.expired_wrapper_share = { main = [0.49, 0.51] }";
    assert_eq!(drill(both, right).result, DrillResult::Passed);
    let report = drill(both, "expect = { \"*\" = { accept = 0.5 } }");
    fails(&report, About::Verdicts, "*: accept 100 % of 80, expected 50 %");
    let report = drill(both, "gateway.event_counts = { wrapper_certificate_expired = 2 }");
    fails(&report, About::Gateway, "it logged wrapper_certificate_expired 1 times, expected 2");
    let report = drill(both, "gateway.wrappers = { main = { key-1 = \"none\" } }");
    fails(&report, About::Gateway, "the certificates around the keys of main are");
    let report = drill("\"users\"", "gateway.expired_wrapper_share = { main = 0.5 }");
    fails(&report, About::Gateway, "0 % of 40 tokens of main came with a certificate that was over");
    let report = drill("", "gateway.expired_wrapper_share = { main = 0.0 }");
    fails(&report, About::Gateway, "0 % of 0 tokens");
}

#[test]
fn a_gateway_of_somebody_elses_is_not_judged_by_a_policy_that_it_may_not_have() {
    let target = Mode::Target(keyward_drill::Target {
        address: http::Uri::from_static("http://127.0.0.1:9"),
        restart_command: None,
        sockets: keyward_lab::Sockets::default(),
        https: false,
    });
    let reason = |name: &str| target.not_applicable(&catalogue::find(name).unwrap()[0]);
    assert_eq!(reason("a5-wrapper-expired-warn"), None);
    assert!(reason("a5-wrapper-expired-enforce").unwrap().contains("refuse keys"));
}

#[test]
fn a_request_that_waits_is_seen_in_virtual_time() {
    let report = run("title = \"t\"\nabout = \"a\"\n[traffic.users]\nrate = 20\nrenew = \"0s\"\n\
         [[phase]]\nname = \"quiet\"\nlasts = \"2s\"\n\
         [[phase]]\nname = \"slow\"\nlasts = \"2s\"\n\
         steps = [{ provider = { fault = { jwks = { delay = \"200ms\" } }, generate = [{ kid = \"b\" }], \
         publish = [\"b\"], sign_with = \"b\" } }]\n\
         expect.users = { accept = 1.0 }\n\
         bounds.latency = { stream = \"users\", of = \"quiet\", within = 1.2, waits_only = true }\n");
    fails(&report, About::Latency, "p99");
    assert!(report.phases[1].streams["users"].max_ms >= 200.0, "{report:#?}");
}

#[test]
fn a_step_that_cannot_be_taken_ends_the_drill_with_its_reason() {
    let report = one_phase("{ publish = [\"none\"] }", "3s", "expect.users = { accept = 1.0 }");
    assert_eq!(report.result, DrillResult::Broken);
    let reason = report.reason.unwrap();
    assert!(reason.contains("phase \"only\"") && reason.contains("none"), "{reason}");
}

#[test]
fn the_same_seed_makes_the_same_run() {
    let drills = catalogue::find("rotation-signs-before-publishing").unwrap();
    let seen = |seed| {
        let report = Mode::VirtualTime { seed }.run(&drills[0], &Silent);
        serde_json::to_value(&report.phases).unwrap()
    };
    assert_eq!(seen(7), seen(7));
}

#[test]
fn an_hour_takes_no_hour() {
    let drills = catalogue::find("outage-of-an-hour").unwrap();
    let report = VIRTUAL.run(&drills[0], &Silent);
    assert_eq!(report.result, DrillResult::Passed);
    assert!(report.took_seconds < 60.0);
}

#[test]
fn junit_has_a_case_for_each_drill() {
    let passed = one_phase("{}", "1s", "expect.users = { accept = 1.0 }");
    let failed = one_phase("{}", "1s", "expect.users = { reject = 1.0 }");
    let broken = one_phase("{ publish = [\"<&>\"] }", "1s", "expect.users = { accept = 1.0 }");
    let report = Report::new(vec![passed, failed, broken]);
    assert_eq!((report.passed, report.failed), (1, 2));
    let mut xml = Vec::new();
    junit::write(&report, &mut xml).unwrap();
    let xml = String::from_utf8(xml).unwrap();
    assert!(xml.starts_with("<testsuite name=\"keyward drill\" tests=\"3\" failures=\"2\""), "{xml}");
    assert!(xml.contains("<failure message=\"only: users: reject 0 %"), "{xml}");
    assert!(xml.contains("&lt;&amp;&gt;"), "{xml}");
    assert!(xml.trim_end().ends_with("</testsuite>"), "{xml}");
}
