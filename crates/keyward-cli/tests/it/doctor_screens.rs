//! What whoever is paged sees in the incidents that the project was founded on.
//!
//! The bundles under tests/vectors/doctor were collected in the incidents themselves, played by the lab, with addresses and
//! times put in place of those of that day: `cargo test -p keyward-cli --test it -- --ignored collected_anew`. The page on the
//! doctor shows the same screens: `-- --ignored shown_anew` writes them there.

use std::path::{Path, PathBuf};

use keyward_lab::client::KeyFileForm;
use serde_json::Value;

use crate::doctor::{Site, codes};
use crate::support::*;

const LOOPBACK: &str = "127.0.0.1:";
const ADMIN: &str = "127.0.0.1:9080";
const INCIDENTS: [&str; 3] = ["a1", "a3", "a5"];

fn bundle(incident: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/doctor/{incident}.json"))
}

/// A1: an application's key is used for the service-account grant.
async fn a1() -> Site {
    let provider = "errors = \"zitadel\"\ntoken_lifetime = \"2s\"\n\
        client.robot = { kind = \"service_account\", keys = [{ kid = \"robot-1\", algorithm = \"RS256\" }] }\n";
    let settings = "strategy = \"introspection_then_key_set\"\nfallback = { gives_up = [\"revocation\"] }\n\
        [issuer.introspection]\nactive_for = \"0s\"\n[issuer.introspection.credential]\nmethod = \"bearer\"\n\
        grant = \"jwt_bearer\"\nkey_file = \"key.json\"\n";
    let site = Site::new(provider, settings).await;
    let key = |site: &Site, form| site.lab.key_file(None, "robot", None, form).unwrap();
    site.write("key.json", &key(&site, KeyFileForm::ServiceAccount));
    let site = site.with_gateway().await;
    let keys = r#"[{"kid": "robot-1", "algorithm": "RS256"}]"#;
    site.tell(&format!(r#"{{"register": {{"robot": {{"kind": "application", "keys": {keys}}}}}}}"#)).await;
    site.write("key.json", &key(&site, KeyFileForm::Application));
    let token = site.token("{}");
    site.until(async |site| {
        assert_eq!(site.ask(&token).await, Some(200));
        let run = site.doctor(&["--json"], "").await;
        run.stdout.contains("KW2101") && run.stdout.contains("KW2307")
    })
    .await;
    site
}

/// A3 (a): the endpoint of the keys is not reached.
async fn a3() -> Site {
    let site = Site::new("", "[issuer.key_set]\nttl = \"1s\"\n").await.with_gateway().await;
    site.tell(r#"{"fault": {"all": "refuse"}}"#).await;
    site.until(async |site| {
        site.ask(&site.token("{}")).await;
        let run = site.doctor(&["--json"], "").await;
        run.stdout.contains("KW1301")
    })
    .await;
    site
}

/// A5: the certificate around a key has expired, and a third of the tokens are signed with that key.
async fn a5() -> Site {
    let provider =
        "keys = [{ kid = \"realm-key-v2\", wrapper = {} }, { kid = \"realm-key-v1\", wrapper = {} }]\n";
    let settings = "wrapper = { policy = \"enforce\" }\n[issuer.key_set]\nttl = \"1s\"\n";
    let site = Site::new(provider, settings).await.with_gateway().await;
    site.tell(r#"{"wrapper": {"realm-key-v1": {"not_after": "-7h 55m"}}}"#).await;
    let old = site.token(r#"{"key": "realm-key-v1"}"#);
    site.until(async |site| site.ask(&old).await == Some(401)).await;
    for number in 0..300 {
        let token = if number % 3 == 0 { old.clone() } else { site.token("{}") };
        site.ask(&token).await;
    }
    site
}

async fn found(site: &Site) -> Vec<String> {
    let run = site.doctor(&["--json"], "").await;
    codes(&run.objects()[0]).into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_incident_is_named_first_while_it_lasts() {
    let (a1, a3, a5) = tokio::join!(a1(), a3(), a5());
    for (site, code) in [(a1, "KW2101"), (a3, "KW1102"), (a5, "KW5101")] {
        let found = found(&site).await;
        assert_eq!(found.first().map(String::as_str), Some(code), "{found:?}");
    }
}

#[test]
fn the_screens_are_those_of_the_page_on_the_doctor() {
    let page = std::fs::read_to_string(page()).unwrap();
    for incident in INCIDENTS {
        insta::assert_snapshot!(format!("screen_{incident}"), screen(incident));
        assert!(
            page == with_screen(&page, incident),
            "docs/how-to/doctor.md shows another screen of {incident}"
        );
        let run = keyward(&["doctor", "--facts", &bundle(incident).display().to_string(), "--markdown"], "");
        insta::assert_snapshot!(format!("markdown_{incident}"), run.stdout);
    }
}

#[test]
#[ignore = "writes the screens into the page on the doctor"]
fn shown_anew() {
    let written = std::fs::read_to_string(page()).unwrap();
    let shown = INCIDENTS.into_iter().fold(written, |page, incident| with_screen(&page, incident));
    std::fs::write(page(), shown).unwrap();
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/doctor.md")
}

/// What a terminal of 80 columns shows of an incident.
fn screen(incident: &str) -> String {
    let bundle = bundle(incident).display().to_string();
    let output = command(&["doctor", "--facts", &bundle]).env("COLUMNS", "80").output();
    let run = Run::of(output.unwrap());
    assert_eq!(run.code, 1, "{}", run.stderr);
    run.stdout
}

/// The page with this screen in place of the one that it has of the incident.
fn with_screen(page: &str, incident: &str) -> String {
    let mark = format!("<!-- screen of {incident} -->\n```text\n");
    let (before, rest) = page.split_once(&mark).unwrap();
    let (_, after) = rest.split_once("```\n").unwrap();
    format!("{before}{mark}{}```\n{after}", screen(incident))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the bundles that the screens are made of"]
async fn collected_anew() {
    let (a1, a3, a5) = tokio::join!(a1(), a3(), a5());
    for (site, incident) in [a1, a3, a5].into_iter().zip(INCIDENTS) {
        let run = site.doctor(&["collect"], "").await;
        let folder = site.path("").trim_end_matches('/').to_owned();
        let text = run.stdout.replace(&folder, "/etc/keyward").replace(&site.admin.to_string(), ADMIN);
        let mut facts = serde_json::from_str(&text).unwrap();
        put_elsewhere(&mut facts, "");
        std::fs::write(bundle(incident), serde_json::to_string_pretty(&facts).unwrap() + "\n").unwrap();
    }
}

/// Puts the lab's addresses, and the times of a test, as they may be elsewhere.
fn put_elsewhere(value: &mut Value, name: &str) {
    let seconds = match name {
        "up_seconds" => Some(266_413),
        "since_seconds" => Some(300),
        "took_ms" => Some(41),
        "connect_ms" | "first_octet_ms" => Some(12),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| put_elsewhere(value, name)),
        Value::Object(members) => {
            if members.get("literal").is_some_and(|literal| literal == "127.0.0.1") {
                *members = serde_json::from_str(r#"{"found": ["192.0.2.1"]}"#).unwrap();
            }
            // The outage has been for twelve minutes.
            if members.get("state").is_some_and(|state| state == "stale") {
                members.insert("age_seconds".to_owned(), 734.into());
                members.insert("usable_for_seconds".to_owned(), (3600 - 734).into());
            }
            members.iter_mut().for_each(|(name, value)| put_elsewhere(value, name));
        }
        Value::String(text) => *text = of_example(text),
        Value::Number(number) => {
            if let Some(seconds) = seconds {
                *number = seconds.into();
            }
        }
        Value::Bool(_) | Value::Null => {}
    }
}

/// The lab has a port for each endpoint; the provider has one for all.
fn of_example(text: &str) -> String {
    let mut parts = text.split(LOOPBACK);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        if format!("{LOOPBACK}{}", &part[..part.len() - rest.len()]) == ADMIN {
            told.push_str(LOOPBACK);
            told.push_str(part);
        } else if let Some(before) = told.strip_suffix("http://") {
            told = format!("{before}https://idp.example{rest}");
        } else {
            told.push_str("192.0.2.1:443");
            told.push_str(rest);
        }
    }
    told
}
