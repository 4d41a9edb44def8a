//! `keyward drill`, over real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::support::{command, keyward};

const SHORT: &str = r#"
title = "t"
about = "a"

[gateway]
ttl = "1s"

[traffic.users]
rate = 50

[traffic.forged]
rate = 20
token = { signature = "other_key" }

[[phase]]
name = "quiet"
lasts = "1s"
expect = { users = { accept = 1.0 }, forged = { invalid_signature = 1.0 } }

[[phase]]
name = "outage"
lasts = "1500ms"
steps = [{ provider = { fault = { all = "refuse" } } }]
expect = { users = { accept = 1.0 }, forged = { invalid_signature = 1.0 } }
"#;

fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A child that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_drill_of_one_s_own_passes_on_the_real_gateway_and_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "mine.toml", SHORT);
    let junit = folder.path().join("junit.xml");
    let run = keyward(&["drill", "run", &file, "--json", "--junit", junit.to_str().unwrap()], "");
    assert_eq!(run.code, 0, "{} {}", run.stdout, run.stderr);
    let report = &run.objects()[0];
    assert_eq!((&report["passed"], &report["failed"]), (&Value::from(1), &Value::from(0)));
    let outage = &report["drills"][0]["phases"][1];
    assert!(outage["streams"]["users"]["outcomes"]["accept"].as_u64().unwrap() >= 70, "{outage}");
    assert!(outage["streams"]["forged"]["outcomes"]["invalid_signature"].as_u64().unwrap() >= 25, "{outage}");
    assert!(outage["memory_mib"].as_f64().unwrap() > 1.0, "{outage}");
    assert!(std::fs::read_to_string(junit).unwrap().contains("<testcase name=\"mine\""));
    assert!(run.stderr.contains("[1/1] mine passed"), "{}", run.stderr);
}

#[test]
fn what_the_doctor_names_first_is_held_against_what_the_drill_says() {
    let folder = tempfile::tempdir().unwrap();
    let told = SHORT.replace("all = \"refuse\"", "jwks = \"refuse\"").replace(", \"forged\"", "");
    let told = told.replace("[traffic.forged]\nrate = 20\ntoken = { signature = \"other_key\" }\n", "");
    let told = told.replace(", forged = { invalid_signature = 1.0 }", "");
    let right = written(&folder, "right.toml", &format!("{told}doctor = \"KW1102\"\n"));
    let junit = folder.path().join("junit.xml");
    let run = keyward(&["drill", "run", &right, "--with-doctor", "--junit", junit.to_str().unwrap()], "");
    assert_eq!(run.code, 0, "{} {}", run.stdout, run.stderr);
    assert!(run.stdout.contains("right  -  KW1102\n"), "{}", run.stdout);
    assert!(run.stdout.ends_with("1 passed, 0 failed\n"), "{}", run.stdout);
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("quiet: the doctor finds nothing, expected nothing"), "{xml}");
    assert!(xml.contains("outage: the doctor names KW1102 first"), "{xml}");
    let wrong = written(&folder, "wrong.toml", &format!("{told}doctor = \"KW1101\"\n"));
    let run = keyward(&["drill", "run", &wrong, "--with-doctor", "--json"], "");
    assert_eq!(run.code, 1, "{} {}", run.stdout, run.stderr);
    let outage = &run.objects()[0]["drills"][0]["phases"][1];
    assert_eq!(outage["failures"][0]["about"], "doctor");
    assert_eq!(outage["doctor"]["found"][0]["code"], "KW1102");
    assert_eq!(outage["doctor"]["expected"], serde_json::json!(["KW1101"]));
    assert!(outage["doctor"]["facts"]["issuers"][0].is_object(), "{outage}");
}

#[test]
fn drills_that_measure_no_time_run_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<String> =
        (0..4).map(|number| written(&folder, &format!("mine-{number}.toml"), SHORT)).collect();
    let arguments: Vec<&str> = ["drill", "run"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let started = Instant::now();
    let run = keyward(&arguments, "");
    assert_eq!(run.code, 0, "{} {}", run.stdout, run.stderr);
    // One after the other they take 10 s.
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
}

#[test]
fn a_drill_that_fails_says_where_and_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = SHORT.replace("forged = { invalid_signature = 1.0 }", "forged = { accept = 1.0 }");
    let file = written(&folder, "wrong.toml", &wrong);
    let run = keyward(&["drill", "run", &file, "--virtual-time"], "");
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("quiet: forged: accept 0 % of 20, expected 100 %"), "{}", run.stdout);
    assert!(run.stdout.ends_with("0 passed, 1 failed\n"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_read_is_told_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "typo.toml", &SHORT.replace("lasts", "last"));
    for (arguments, code, words) in [
        (&["drill", "run", file.as_str()][..], 2, "unknown field `last`"),
        (&["drill", "run", "no-such-drill"], 2, "there is no drill \"no-such-drill\""),
        (&["drill", "show", "no-such-drill"], 2, "there is no drill"),
        (&["drill", "run"], 64, "--all"),
        (&["drill", "run", "--all", "outage"], 64, "cannot be used with"),
        (&["drill", "run", "--all", "--target", "ftp://x/"], 64, "is no address by http"),
        (&["drill", "run", "--all", "--lab-port", "1"], 64, "--target"),
        (&["drill", "run", "--all", "--with-doctor", "--virtual-time"], 64, "nothing listens"),
        (
            &["drill", "run", "--all", "--with-doctor", "--target", "http://127.0.0.1:9/"],
            64,
            "admin listener",
        ),
    ] {
        let run = keyward(arguments, "");
        assert_eq!(run.code, code, "{arguments:?} {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?} {}", run.stderr);
    }
}

#[test]
fn every_drill_is_listed_and_its_file_is_one() {
    let run = keyward(&["drill", "list", "--json"], "");
    let drills = run.objects();
    assert!(drills.len() >= 60);
    let folder = tempfile::tempdir().unwrap();
    let shown = keyward(&["drill", "show", "rotation-overlapping"], "").stdout;
    let file = written(&folder, "copied.toml", &shown);
    let run = keyward(&["drill", "run", &file, "--virtual-time"], "");
    assert_eq!(run.code, 0, "{}", run.stdout);
}

/// The first of four free ports in a row.
fn four_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let begin = 22_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    (begin..).step_by(4).find(|port| (*port..port + 4).all(is_free)).unwrap()
}

#[test]
fn a_gateway_that_somebody_else_runs_is_judged_by_status() {
    let (lab, folder) = (four_ports(), tempfile::tempdir().unwrap());
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "[gateway]\nlisten = \"{listen}\"\nadmin_listen = \"127.0.0.1:0\"\n[[issuer]]\nname = \"lab\"\n\
         issuer = \"http://127.0.0.1:{lab}\"\n[issuer.key_set]\nttl = \"1s\"\n"
    );
    let config = written(&folder, "keyward.toml", &config);
    let gateway = command(&["gateway", "--config", &config]).stderr(Stdio::null()).spawn().unwrap();
    let _gateway = Running(gateway);
    let file = written(&folder, "mine.toml", SHORT);
    let target = format!("http://{listen}/");
    let port = lab.to_string();
    let run = keyward(&["drill", "run", &file, "--target", &target, "--lab-port", &port], "");
    assert_eq!(run.code, 0, "{} {}", run.stdout, run.stderr);
    // One that would have to be restarted is left out, and said to be.
    let run =
        keyward(&["drill", "run", "restart-during-outage", "--target", &target, "--lab-port", &port], "");
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("not applicable"), "{}", run.stdout);
}

#[test]
fn the_lab_runs_by_itself_and_takes_commands() {
    let lab = command(&["drill", "lab"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lab = Running(lab);
    let mut line = String::new();
    BufReader::new(lab.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let described: Value = serde_json::from_str(&line).unwrap();
    let control = described["control"].as_str().unwrap().strip_prefix("http://").unwrap();
    let told = |path: &str, body: &str| {
        let mut stream = TcpStream::connect(control).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {control}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(told("/command", "{\"fault\": {\"jwks\": \"hang\"}}").starts_with("HTTP/1.1 204"));
    assert!(told("/command", "{\"fault\": {\"jwks\": \"sing\"}}").starts_with("HTTP/1.1 400"));
    let token = told("/token", "{}");
    assert!(token.starts_with("HTTP/1.1 200") && token.contains("eyJ"), "{token}");
}

#[test]
fn the_authority_passes_its_drills_and_what_needs_two_nodes_says_so() {
    let names = ["authority-a1", "authority-b8", "authority-b20", "authority-b21"];
    let done = command(&["drill", "run", "--json"]).args(names).output().unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{report:#}");
    let two_nodes =
        if std::env::var_os("KEYWARD_TEST_POSTGRES").is_some() { "passed" } else { "not_applicable" };
    let drills = report["drills"].as_array().unwrap();
    let results: Vec<_> =
        drills.iter().map(|drill| (drill["name"].clone(), drill["result"].clone())).collect();
    let expected = names.map(|name| {
        (Value::from(name), Value::from(if name == "authority-b20" { two_nodes } else { "passed" }))
    });
    assert_eq!(results, expected);
    for drill in drills.iter().filter(|drill| drill["result"] == "passed") {
        assert_eq!(drill["left_out"].is_null(), two_nodes == "passed", "{drill:#}");
        for phase in drill["phases"].as_array().unwrap() {
            assert!(phase["expectations"].as_u64() > Some(0), "{phase:#}");
        }
    }
}

#[test]
fn no_drill_of_the_authority_runs_in_virtual_time() {
    let run = keyward(&["drill", "run", "authority-a1", "--virtual-time", "--json"], "");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &report["not_applicable"]), (0, &Value::from(1)), "{report:#}");
}
