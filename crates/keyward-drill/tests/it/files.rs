//! What a drill's file may say, and what is said of one that makes no sense.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward_doctor::code::Code;
use keyward_drill::drill::{Drill, Phase, Runs};
use keyward_drill::{catalogue, error::DrillError};

const SOUND: &str = r#"
title = "t"
about = "a"

[traffic.users]
rate = 1

[[phase]]
name = "quiet"
lasts = "1s"
expect.users = { accept = 1.0 }
"#;

fn error(text: &str) -> String {
    Drill::parse("mine", text).expect_err(text).to_string()
}

#[test]
fn every_drill_that_comes_along_makes_sense_and_has_a_name_of_its_own() {
    let drills = catalogue::all().unwrap();
    let mut names: Vec<&str> = drills.iter().map(|drill| drill.name.as_str()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 60, "{count}");
    for drill in &drills {
        assert!(!drill.title.is_empty() && !drill.about.is_empty(), "{}", drill.name);
        let judges = drill.phases.iter().any(|phase| !phase.expect.is_empty());
        assert!(judges, "{} expects nothing", drill.name);
        assert!(drill.runs == Runs::VirtualTime || drill.lasts() < Duration::from_secs(60), "{}", drill.name);
    }
}

#[test]
fn every_incident_of_this_family_has_a_drill() {
    let drills = catalogue::all().unwrap();
    for incident in [
        "A1", "A2", "A3", "A5", "B12", "B13", "B22", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9",
        "B10", "B11", "B14", "B15",
    ] {
        let has = drills.iter().any(|drill| drill.incidents.iter().any(|of| of == incident));
        assert!(has, "no drill replays {incident}");
    }
}

/// The names that stand behind `- alert:`.
const ALERTS: &str = include_str!("../../../../deploy/prometheus/alerts.yaml");

#[test]
fn every_alert_that_a_drill_names_is_one() {
    let known: Vec<&str> =
        ALERTS.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: ")).collect();
    let drills = catalogue::all().unwrap();
    let phases = || drills.iter().flat_map(|drill| drill.phases.iter().map(move |phase| (drill, phase)));
    for (drill, phase) in phases() {
        for alert in &phase.alerts {
            assert!(known.contains(&alert.as_str()), "{} {:?}: {alert}", drill.name, phase.name);
        }
    }
    assert!(phases().filter(|(_, phase)| !phase.alerts.is_empty()).count() > 100);
}

#[test]
fn every_phase_in_which_something_is_broken_says_what_the_doctor_has_to_name() {
    let drills = catalogue::all().unwrap();
    for drill in &drills {
        let names = |phase: &Phase| phase.doctor.codes().next().is_some();
        let is_undecided =
            |phase: &Phase| phase.gateway.readiness.as_deref().is_some_and(|readiness| readiness != "ready");
        for phase in drill.phases.iter().filter(|phase| is_undecided(phase)) {
            assert!(names(phase), "{} {:?}", drill.name, phase.name);
        }
    }
    let named: BTreeSet<Code> =
        drills.iter().flat_map(|drill| &drill.phases).flat_map(|phase| phase.doctor.codes()).collect();
    assert!(named.len() > 50, "{}", named.len());
}

#[test]
fn drills_are_found_by_their_names_and_by_their_file_s() {
    assert_eq!(catalogue::find("outage-hang").unwrap().len(), 1);
    assert!(catalogue::find("outage").unwrap().len() > 10);
    assert!(matches!(catalogue::find("none"), Err(DrillError::Unknown { .. })));
    assert!(matches!(catalogue::find("/none/such.toml"), Err(DrillError::File { .. })));
    assert_eq!(catalogue::text_of("outage-hang"), catalogue::text("outage"));
    assert_eq!(catalogue::text_of("outage-tls-expired"), catalogue::text("outage-tls"));
}

#[test]
fn what_is_left_out_is_as_the_reference_says() {
    let drills = Drill::parse("mine", SOUND).unwrap();
    let [drill] = drills.as_slice() else { panic!("one drill") };
    assert_eq!(drill.name, "mine");
    assert_eq!(drill.runs, Runs::Both);
    assert!(drill.warm && drill.gateway.snapshots && drill.gateway.starts);
    assert_eq!(drill.provider.issuer.keys().collect::<Vec<_>>(), ["main"]);
    assert_eq!(drill.traffic["users"].renew(), Duration::from_secs(1));
}

#[test]
fn a_file_that_makes_no_sense_is_told_why_and_where() {
    for (bad, says) in [
        ("rate = 1", "no phase"),
        ("lasts = \"1s\"\nlast = 3", "last"),
        ("lasts = \"1 parsec\"", "is no time"),
        ("lasts = \"1s\"\nsettle = \"2s\"", "line 8: it settles for longer than it lasts"),
        ("lasts = \"1s\"\ntraffic = [\"junk\"]", "there is no stream \"junk\""),
        ("lasts = \"1s\"\nexpect.junk = { accept = 1.0 }", "there is no stream \"junk\""),
        ("lasts = \"1s\"\nbounds.fetches = { other = 1 }", "there is no issuer \"other\""),
        ("lasts = \"1s\"\ngateway.wrappers = { other = {} }", "there is no issuer \"other\""),
        ("lasts = \"1s\"\ngateway.expired_wrapper_share = { other = 0.5 }", "there is no issuer \"other\""),
        (
            "lasts = \"1s\"\nsteps = [{ provider = { wrapper = { key-1 = { not_after = \"soon\" } } } }]",
            "\"soon\" is no time from now",
        ),
        ("lasts = \"1s\"\nsteps = [{ after = \"2s\", gateway = \"kill\" }]", "comes when the phase is over"),
        ("lasts = \"1s\"\nsteps = [{ gateway = \"explode\" }]", "explode"),
        ("lasts = \"1s\"\nsteps = [{ provider = { fault = { jwks = \"sleep\" } } }]", "sleep"),
        ("lasts = \"1s\"\ndoctor = \"KW9999\"", "\"KW9999\" is no code of a finding"),
        ("lasts = \"1s\"\ndoctor = []", "\"nothing\" stands for no finding"),
        ("lasts = \"1s\"\nalerts = [\"A\"]", "no finding that its doctor has to name"),
        ("lasts = \"1s\"\nhands_in.token = \"junk\"", "there is no stream \"junk\""),
        ("lasts = \"1s\"\nhands_in.secret = true", "secret"),
        (
            "lasts = \"1s\"\nbounds.latency = { stream = \"users\", of = \"quiet\", within = 1.2 }",
            "which is no earlier phase",
        ),
    ] {
        let text = SOUND.replace("lasts = \"1s\"", bad);
        let text = if says == "no phase" { text.split("[[phase]]").next().unwrap().to_owned() } else { text };
        let text = if says == "no phase" { format!("phase = []\n{text}") } else { text };
        let error = error(&text);
        assert!(error.starts_with("mine"), "{error}");
        assert!(error.contains(says), "{error}");
    }
    let says = error(&SOUND.replace("rate = 1", "rate = 1\nheader = \"doubled\""));
    assert!(says.contains("say runs = \"sockets\""), "{says}");
    let says = error(&SOUND.replace("rate = 1", "rate = 1\nissuer = \"other\""));
    assert!(says.contains("there is no issuer \"other\""), "{says}");
    let says = error(&format!("{SOUND}\n[gateway]\nissuers = [\"other\"]"));
    assert!(says.contains("there is no issuer \"other\""), "{says}");
    let says = error(&format!("{SOUND}\n[gateway]\nwrapper = {{ policy = \"strict\" }}"));
    assert!(says.contains("there is no policy \"strict\"; there are enforce, ignore, warn"), "{says}");
    for (expectation, says) in [
        ("{ accepted = 1.0 }", "is neither accept"),
        ("{ accept = 1.5 }", "no number from 0 to 1"),
        ("{ accept = [0.9, 0.1] }", "no number from 0 to 1"),
        ("{ keys_stale = 1.0 }", "is neither accept"),
    ] {
        let error = error(&SOUND.replace("{ accept = 1.0 }", expectation));
        assert!(error.contains(says), "{error}");
        assert!(error.contains("line"), "{error}");
    }
}

#[test]
fn a_phase_names_one_finding_or_several_or_none() {
    let codes = |doctor: &str| -> Vec<String> {
        let drills = Drill::parse("mine", &format!("{SOUND}{doctor}")).unwrap();
        drills[0].phases[0].doctor.codes().map(|code| code.to_string()).collect()
    };
    assert_eq!(codes(""), Vec::<String>::new());
    assert_eq!(codes("doctor = \"kw1102\""), ["KW1102"]);
    assert_eq!(codes("doctor = [\"KW3101\", \"nothing\", \"KW3107\"]"), ["KW3101", "KW3107"]);
}

#[test]
fn a_file_stands_for_its_variants() {
    let one = SOUND.replace("lasts = \"1s\"", "lasts = \"{{variant}}\"");
    let one = format!("variants = {{ short = '\"1s\"', long = '\"1h\"' }}\n{one}");
    let lasts: Vec<_> =
        Drill::parse("mine", &one).unwrap().iter().map(|drill| (drill.name.clone(), drill.lasts())).collect();
    let expected = [("mine-long", 3600), ("mine-short", 1)];
    assert_eq!(lasts, expected.map(|(name, seconds)| (name.to_owned(), Duration::from_secs(seconds))));

    let several =
        SOUND.replace("lasts = \"1s\"", "lasts = \"{{time}}\"").replace("\"quiet\"", "\"{{name}}\"");
    let several = format!("[variants.x]\ntime = '\"2s\"'\nname = '\"loud\"'\n{several}");
    let several = several.replace("[variants.x]", "title = \"t\"\nabout = \"a\"\n[variants.x]");
    let several = several.replacen("\ntitle = \"t\"\nabout = \"a\"\n\n[traffic", "\n[traffic", 1);
    let drills = Drill::parse("mine", &several).unwrap();
    assert_eq!(drills[0].name, "mine-x");
    assert_eq!(drills[0].phases[0].name, "loud");
}
