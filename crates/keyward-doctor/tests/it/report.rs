//! What a person, a channel and a program are told, whatever a provider said.

use keyward_doctor::code::Code;
use keyward_doctor::diagnosis::{Certainty, Diagnosis, Finding, Healthy, Step};
use keyward_doctor::facts::{Facts, VERSION};
use keyward_doctor::report::{Paint, Report};
use serde_json::{Value, json};

fn facts() -> Facts {
    Facts { version: VERSION, gathered_at: 1_795_233_600, took_ms: 412, ..Facts::default() }
}

fn finding(code: Code, cause: &str) -> Finding {
    Finding {
        code,
        issuer: Some("main".to_owned()),
        cause: cause.to_owned(),
        evidence: Vec::new(),
        certainty: Certainty::Certain,
        fix: Vec::new(),
        consequences: Vec::new(),
    }
}

fn step(what: &str, command: Option<&str>) -> Step {
    Step { what: what.to_owned(), command: command.map(str::to_owned) }
}

/// An outage with much to say.
fn outage() -> Diagnosis {
    let fact = |number| {
        format!("192.0.2.{number}:443 gave no answer to a connection within 5 s of being asked for one")
    };
    let stale = finding(
        Code::KeysStale,
        "the gateway verifies with keys that it fetched 12 min ago, and they end in 48 min",
    );
    let flaps = finding(Code::ProviderFlaps, "of 20 fetches 12 have failed");
    Diagnosis {
        findings: vec![
            Finding {
                evidence: (1..=9).map(fact).collect(),
                fix: vec![
                    step(
                        "see from the gateway's machine whether the port is reached",
                        Some("nc -vz idp.example 443"),
                    ),
                    step(
                        "allow 192.0.2.1 to 192.0.2.9, port 443, in the network policy of the gateway",
                        None,
                    ),
                ],
                consequences: vec![Finding { consequences: vec![flaps], ..stale }],
                ..finding(Code::ConnectionTimedOut, "connections to idp.example by IPv4 get no answer")
            },
            Finding {
                certainty: Certainty::Possible,
                evidence: (1..=9).map(fact).collect(),
                ..finding(Code::TokenExpired, "4 % of the tokens are over, 13 s on average")
            },
        ],
        healthy: vec![
            Healthy { issuer: Some("main".to_owned()), what: "its name resolves".to_owned() },
            Healthy { issuer: None, what: "the gateway is ready".to_owned() },
            Healthy { issuer: Some("main".to_owned()), what: "its clock is right to 0.4 s".to_owned() },
        ],
        unseen: vec!["whether the key set is whole: nobody answered".to_owned()],
    }
}

fn text(diagnosis: &Diagnosis, width: usize, paint: Paint) -> String {
    Report::new(&facts(), diagnosis).text(width, paint)
}

#[test]
fn the_first_screen_has_the_root_its_fix_and_how_much_more_there_is() {
    let text = text(&outage(), 80, Paint::Plain);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("KW1103 main: connections to idp.example by IPv4"), "{text}");
    assert!(lines[1].contains("certain") && lines[1].contains("us"), "{text}");
    let screen = lines[..23].join("\n");
    for words in [
        "       nc -vz idp.example 443",
        "KW1301 the gateway",
        "KW1122 of 20",
        "1 more finding",
        "more, in --json",
    ] {
        assert!(screen.contains(words), "{words} is missing in\n{screen}");
    }
    assert!(!screen.contains("KW3101"), "{screen}");
    assert!(text.contains("KW3101 main: 4 % of the tokens"), "{text}");
    assert!(text.contains("Healthy\n  - main: its name resolves\n  - the gateway is ready\n"), "{text}");
    assert!(text.contains("Not seen\n  - whether the key set is whole"), "{text}");
    assert!(text.ends_with("Looked at nothing on 2026-11-21T04:00:00Z, in 0.4 s.\n"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 60, 80, 110] {
        for line in text(&outage(), width, Paint::Plain).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colours_are_only_told_when_asked_for_and_change_no_word() {
    let plain = text(&outage(), 80, Paint::Plain);
    assert!(!plain.contains('\u{1b}'));
    let painted = text(&outage(), 80, Paint::Colour);
    assert!(painted.contains("\u{1b}[31m"), "{painted:?}");
    let mut bare = String::new();
    for (number, part) in painted.split('\u{1b}').enumerate() {
        bare.push_str(if number == 0 { part } else { part.split_once('m').expect("an escape").1 });
    }
    assert_eq!(bare, plain);
}

#[test]
fn a_healthy_system_and_an_unseen_one_are_two_things() {
    let healthy = Diagnosis { healthy: outage().healthy, ..Diagnosis::default() };
    assert!(text(&healthy, 80, Paint::Plain).starts_with("Nothing is wrong in what was looked at.\n"));
    assert!(text(&Diagnosis::default(), 80, Paint::Plain).starts_with("Nothing could be looked at.\n"));
    let report = Report::new(&facts(), &healthy).markdown();
    assert!(report.starts_with("**Nothing is wrong in what was looked at.**\n"), "{report}");
}

/// What a provider may say to whoever reads it.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n# x\n```\n@channel <!here> <@U1> @everyone `</b>` [a](http://evil) \u{202e}";

fn hostile() -> Diagnosis {
    let text = || HOSTILE.to_owned();
    let inner = Finding { issuer: Some(text()), ..finding(Code::KeysStale, HOSTILE) };
    Diagnosis {
        findings: vec![Finding {
            issuer: Some(text()),
            evidence: vec![text()],
            fix: vec![step(HOSTILE, Some(HOSTILE))],
            consequences: vec![inner],
            ..finding(Code::NoKeySet, HOSTILE)
        }],
        healthy: vec![Healthy { issuer: Some(text()), what: text() }],
        unseen: vec![text()],
    }
}

#[test]
fn a_provider_s_text_does_nothing_to_a_terminal() {
    for line in text(&hostile(), 80, Paint::Plain).lines() {
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

#[test]
fn a_provider_s_text_does_nothing_to_a_channel() {
    let page = Report::new(&facts(), &hostile()).markdown();
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{page:?}");
    for mention in ["@channel", "@everyone", "<!here", "<@U1"] {
        assert!(!page.contains(mention), "{mention} in\n{page}");
    }
    // Each line begins as we write it, and none of the text's own is one.
    for line in page.lines() {
        assert!(!line.starts_with("# ") && !line.starts_with("```"), "{line}");
    }
    // The one block has a fence that its command does not have, and is closed.
    assert_eq!(page.lines().filter(|line| line.trim_start().starts_with("````")).count(), 2, "{page}");
    assert!(
        !page.lines().any(|line| line.contains("[a](") && !line.contains("\\[a\\]") && !line.contains('`'))
    );
}

#[test]
fn a_program_finds_the_page_of_each_finding() {
    let diagnosis = outage();
    let report = serde_json::to_value(Report::new(&facts(), &diagnosis)).expect("JSON");
    let first = &report["findings"][0];
    let named = ["code", "who", "certainty", "page", "title"].map(|name| first[name].clone());
    let wanted = [
        json!("KW1103"),
        json!("us"),
        json!("certain"),
        json!("docs/how-to/runbook/KW1103.md"),
        json!("Connections to the provider get no answer"),
    ];
    assert_eq!(named, wanted);
    assert_eq!(first["fix"][0]["command"], "nc -vz idp.example 443");
    assert_eq!(first["evidence"].as_array().map(Vec::len), Some(9), "all of it");
    let inner = &first["consequences"][0]["consequences"][0];
    assert_eq!(inner["page"], "docs/how-to/runbook/KW1122.md");
    assert_eq!((&report["version"], &report["healthy"][1]["issuer"]), (&json!(VERSION), &Value::Null));
}

#[test]
fn each_code_has_a_page_with_its_title_and_something_to_read() {
    for code in Code::ALL {
        let page = code.explanation();
        assert!(page.contains(&format!("# {code}: {}\n", code.title())), "{code}");
        let prose = page.split_once("<!-- /generated -->\n").map(|(_, prose)| prose.trim());
        assert!(prose.is_some_and(|prose| prose.len() > 40), "{code}");
    }
}
