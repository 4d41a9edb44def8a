//! `keyward chain`.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::*;

/// Certificates that are valid from 2026-11-21T14:40:20Z on. Nobody has their keys.
const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/chain");
const LATER: &str = "2026-12-01T00:00:00Z";

/// Runs it among the vectors, nothing on its standard input.
fn chain(arguments: &[&str]) -> Run {
    let mut command = command(&[&["chain"], arguments].concat());
    Run::of(command.current_dir(VECTORS).stdin(Stdio::null()).output().unwrap())
}

fn verify(arguments: &[&str]) -> (i32, Value) {
    let run = chain(&[&["verify", "--json", "--at", LATER], arguments].concat());
    (run.code, run.objects().remove(0))
}

/// The common names of these certificates.
fn subjects(certificates: &Value) -> Vec<&str> {
    let subjects = certificates.as_array().unwrap().iter().map(|one| one["subject"].as_str().unwrap());
    subjects.map(|subject| subject.strip_prefix("O=Example, CN=").unwrap()).collect()
}

/// The page's commands with what they print: each `console` block, a command a `$`.
fn examples(page: &str) -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => examples.push((command.to_owned(), String::new())),
            None => {
                let (_, output) = examples.last_mut().expect("a command before its output");
                output.push_str(line);
                output.push('\n');
            }
        }
    }
    examples
}

#[test]
fn the_examples_of_the_how_to_print_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/certificate-chains.md");
    let page = std::fs::read_to_string(path).unwrap();
    let examples = examples(&page);
    assert!(examples.len() >= 10, "{} examples", examples.len());
    let mut code = 0;
    for (command, expected) in examples {
        let output = match command.strip_prefix("keyward chain ") {
            Some(arguments) => {
                let run = chain(&arguments.split(' ').collect::<Vec<_>>());
                assert_eq!(run.stderr, "", "{command}");
                code = run.code;
                run.stdout
            }
            None => {
                assert_eq!(command, "echo $?");
                format!("{code}\n")
            }
        };
        assert_eq!(output, expected, "{command}");
    }
}

#[test]
fn show_says_whether_what_was_declared_is_an_anchor() {
    for (arguments, code, anchors) in [
        (&["bundle.pem"][..], 0, 0),
        (&["--anchors", "bundle.pem"], 0, 1),
        (&["--anchors", "root.pem", "controllers.pem", "session.der"], 0, 1),
        (&["--anchors", "controllers.pem"], 1, 0),
        (&["--anchors", "self-signed.pem"], 1, 0),
        (&["--anchors", "root.pem", "--pin", &"ab".repeat(32)], 1, 1),
        (&["--pin", ROOT, "bundle.pem"], 0, 1),
        (&["--pin", &ROOT.to_uppercase(), "."], 0, 1),
        (&["--pin", CONTROLLER, "bundle.pem"], 1, 0),
    ] {
        let run = chain(&[&["show", "--json", "--at", LATER], arguments].concat());
        let report = &run.objects()[0];
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert_eq!(report["anchors"], anchors, "{arguments:?}");
    }
    // Before they are valid, and after.
    for (at, reason) in [("2026-11-21T14:40:19Z", "not_yet_valid"), ("2036-11-20T14:40:21Z", "expired")] {
        let run = chain(&["show", "--anchors", "root.pem", "--json", "--at", at]);
        assert_eq!((run.code, &run.objects()[0]["certificates"][0]["reason"]), (1, &reason.into()));
    }
}

const ROOT: &str = "b16f90a0953d4c2c54f73c4273ca525eef285fd0352e295450bccdc21cee7c5c";
const CONTROLLER: &str = "1dfc1c9a76a887cf5698b5b1b597dfccf5b52006b15fe63ce5bb81feeb6cc134";

#[test]
fn a_folder_is_read_file_by_file_and_a_broken_certificate_costs_no_other() {
    let folder = Folder::new();
    let text = |name: &str| std::fs::read_to_string(format!("{VECTORS}/{name}")).unwrap();
    folder.write("b-root.pem", &text("root.pem"));
    folder.write("a-rest.pem", &text("controllers.pem"));
    folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n");
    // The folder holds keys.json as well, in which there is no certificate.
    let run = chain(&["show", &folder.path(""), "--at", LATER, "--json"]);
    let report = &run.objects()[0];
    assert_eq!(run.code, 1);
    let names = ["Controller 1", "Controller 2", "Controller 3", "Network Root"];
    assert_eq!(subjects(&report["certificates"]), names);
    assert_eq!(report["skipped"][0]["index"], 0);
    let run = chain(&["show", &folder.path(""), "--at", LATER]);
    assert!(
        run.stdout.contains("SKIPPED: certificate 0 of") && run.stdout.contains("broken.pem"),
        "{}",
        run.stdout
    );
    // A file that is named has to hold one.
    for file in ["keys.json", "nothing.pem"] {
        let run = chain(&["show", &folder.path(file)]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.contains(file), "{}", run.stderr);
    }
}

#[test]
fn verify_says_yes_or_names_the_certificate() {
    let (code, accepted) = verify(&["--anchors", "root.pem", "--usage", "client", "session.pem"]);
    assert_eq!((code, &accepted["verdict"], &accepted["reason"]), (0, &"accept".into(), &Value::Null));
    assert_eq!(subjects(&accepted["chain"]), ["session", "Controller 2", "Network Root"]);
    for (arguments, reason, subject) in [
        (&["--anchors", "root.pem", "short.pem"][..], "expired", "short"),
        (&["--anchors", "root.pem", "session.der"], "unknown_issuer", "session"),
        (&["--anchors", "root.pem", "--usage", "server", "session.pem"], "not_for_purpose", "session"),
        (&["--anchors", "root.pem", "--purpose", "server", "session.pem"], "not_for_purpose", "session"),
        (&["--anchors", "root.pem", "--name", "example.org", "session.pem"], "name_mismatch", "session"),
        (&["--anchors", "root.pem", "bundle.pem"], "ca_as_leaf", "Network Root"),
        (&["--anchors", "controllers.pem", "session.pem"], "unknown_issuer", "Controller 2"),
        (&["--anchors", "another-root.pem", "session.pem"], "unknown_issuer", "Controller 2"),
        (
            &["--anchors", "another-root.pem", "--intermediates", "root.pem", "session.pem"],
            "untrusted_root",
            "Network Root",
        ),
        (&["--anchors", "self-signed.pem", "self-signed.pem"], "untrusted_root", "realm-key-v1"),
        (&["--anchors", "root.pem", "--crl", "lists.pem", "revoked.pem"], "revoked", "revoked"),
        (&["--anchors", "root.pem", "--revocation", "hard", "session.pem"], "revocation_unknown", "session"),
    ] {
        let (code, refused) = verify(arguments);
        assert_eq!(
            (code, &refused["verdict"], &refused["reason"]),
            (1, &"reject".into(), &reason.into()),
            "{arguments:?}"
        );
        assert_eq!(refused["certificate"]["subject"], format!("O=Example, CN={subject}"), "{arguments:?}");
        assert_ne!(refused["fix"], "", "{arguments:?}");
    }
    for arguments in [
        &["--anchors", "root.pem", "--intermediates", "controllers.pem", "session.der"][..],
        &["--anchors", "bundle.pem", "session.der"],
        &["--pin", ROOT, "--intermediates", ".", "session.der"],
        &["--anchors", "root.pem", "--name", "session-7.example.org", "session.pem"],
        &["--anchors", "root.pem", "--name", "spiffe://example.org/session/7", "session.pem"],
        &["--anchors", "root.pem", "--crl", "lists.pem", "session.pem"],
        &["--anchors", "root.pem", "--revocation", "soft", "revoked.pem"],
    ] {
        assert_eq!(verify(arguments).0, 0, "{arguments:?}");
    }
}

#[test]
fn a_chain_may_come_by_standard_input_and_one_that_cannot_be_read_is_refused() {
    let text = std::fs::read_to_string(format!("{VECTORS}/session.pem")).unwrap();
    let anchors = format!("{VECTORS}/root.pem");
    let verify =
        |stdin: &str| keyward(&["chain", "verify", "--anchors", &anchors, "--at", LATER, "-"], stdin);
    assert_eq!(verify(&format!("depth=1 O=Example\n{text}")).code, 0);
    let broken = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
    let run = verify(&format!("{broken}{text}"));
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert!(run.stdout.starts_with("REJECTED, malformed:"), "{}", run.stdout);
    // Behind the leaf it is told, and passed by.
    let run = verify(&format!("{text}{broken}"));
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("certificate 2 is skipped"), "{}", run.stderr);
    let run = verify("no certificate");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
}
