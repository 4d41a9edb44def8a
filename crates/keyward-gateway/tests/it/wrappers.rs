//! Certificates around keys, as operators configure and see them.

use std::time::Duration;

use keyward::{KeySource, WrapperPolicy};
use keyward_gateway::Config;
use keyward_jose::{LocalSigner, Signer};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PKCS_ED25519, date_time_ymd};
use serde_json::{Value, json};

use crate::logs::Lines;
use crate::support::{Folder, KEY, OTHER_KEY, claims, config, good_token, key_set, now, sign, until};

const ISSUER: &str = "[[issuer]]\nname = \"main\"\nissuer = \"https://idp.example/realms/main\"\n";
const SEVEN_HOURS_55: i64 = 28_500;
const DAY: i64 = 86_400;

/// A certificate of the key with itself, whose last second is this.
fn certificate(signer: &LocalSigner, until: i64) -> rcgen::Certificate {
    let time = |wall: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(wall.unsigned_abs());
    let der = signer.to_pkcs8().unwrap();
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "realm key");
    (params.not_before, params.not_after) = (time(until - 365 * DAY), time(until));
    params.self_signed(&pair).unwrap()
}

/// A trust anchor, in PEM.
pub(crate) fn authority_pem() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// The set of both keys, the first with a certificate that was over this long ago.
pub(crate) fn set(ago: i64) -> String {
    let mut set: Value = serde_json::from_str(&key_set(&[&KEY, &OTHER_KEY])).unwrap();
    for (place, (signer, until)) in
        [(&*KEY, now() - 1 - ago), (&*OTHER_KEY, now() + 300 * DAY)].into_iter().enumerate()
    {
        let pem = certificate(signer, until).pem();
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        set["keys"][place]["x5c"] = json!([base64]);
    }
    set.to_string()
}

#[tokio::test]
async fn a_key_whose_certificate_is_over_can_be_read_off_with_its_share_of_the_traffic() {
    let folder = Folder::new();
    folder.write("keys.json", &set(SEVEN_HOURS_55));
    for (policy, status) in [("ignore", 200), ("warn", 200), ("enforce", 401)] {
        let running = folder.start(&config(&format!("[issuer.wrapper]\npolicy = \"{policy}\""))).await;
        let (token, of_other) = (good_token(), sign(&OTHER_KEY, &claims()));
        // What was accepted is remembered the second time.
        for (token, expected) in [(&token, status), (&token, status), (&of_other, 200)] {
            let got = running.ask_with(token).await;
            assert_eq!(got.status, expected, "{policy}");
            let reason = (expected == 401).then_some("wrapper_certificate_expired");
            assert_eq!(got.reason(), reason, "{policy}");
        }
        let metric = async |name: &str, kid: &str| {
            running.metric(&format!("keyward_{name}{{issuer=\"main\",kid=\"{kid}\"}}")).await
        };
        assert_eq!(metric("key_verdicts_total", "main-1").await, Some(2.0), "{policy}");
        assert_eq!(metric("expired_wrapper_verdicts_total", "main-1").await, Some(2.0), "{policy}");
        assert_eq!(metric("key_verdicts_total", "other-1").await, Some(1.0), "{policy}");
        assert_eq!(metric("expired_wrapper_verdicts_total", "other-1").await, Some(0.0), "{policy}");
        let over = metric("wrapper_certificate_expires_in_seconds", "main-1").await;
        let other = metric("wrapper_certificate_expires_in_seconds", "other-1").await;
        if policy == "ignore" {
            assert_eq!((over, other), (None, None));
        } else {
            assert!(over.is_some_and(|over| (-28_560.0..=-28_500.0).contains(&over)), "{over:?}");
            assert!(other > Some(299.0 * 86_400.0));
        }

        let cache = running.operator("/debug/jwks-cache").await.json();
        assert_eq!(cache[0]["wrapper_policy"], policy);
        let key = &cache[0]["keys"][0];
        assert_eq!((&key["verdicts"], &key["expired_wrapper_verdicts"]), (&json!(2), &json!(2)));
        assert_eq!(key["wrapper"]["state"], "expired");
        assert_eq!(key["wrapper"]["subject"], "CN=realm key");
        assert_eq!(cache[0]["keys"][1]["wrapper"]["state"], "valid");
        // The key is there, and the gateway is well.
        assert_eq!(running.readiness().await, (200, "ready".to_owned()));
    }
}

#[tokio::test]
async fn the_log_says_which_certificate_is_over_and_what_that_means() {
    let folder = Folder::new();
    let levels = [("ignore", None), ("warn", Some("WARN")), ("enforce", Some("ERROR"))];
    for (policy, level) in levels {
        for (ago, event) in
            [(SEVEN_HOURS_55, "wrapper_certificate_expired"), (-20 * DAY, "wrapper_certificate_expiring")]
        {
            let lines = Lines::capture();
            folder.write("keys.json", &set(ago));
            let running = folder.start(&config(&format!("[issuer.wrapper]\npolicy = \"{policy}\""))).await;
            if level.is_some() {
                until(async || !lines.of(event).is_empty()).await;
            }
            assert_eq!(running.ask_with(&sign(&OTHER_KEY, &claims())).await.status, 200);
            let told: Vec<_> = ["expired", "expiring", "mismatch", "untrusted"]
                .iter()
                .flat_map(|what| lines.of(&format!("wrapper_certificate_{what}")))
                .collect();
            assert_eq!(told.len(), usize::from(level.is_some()), "{policy} {told:?}");
            let Some(line) = told.first() else { continue };
            let expected = if ago > 0 { level.unwrap() } else { "WARN" };
            assert_eq!(line["level"], expected);
            for (field, value) in [
                ("event", event),
                ("issuer", "main"),
                ("kid", "main-1"),
                ("subject", "CN=realm key"),
                ("policy", policy),
            ] {
                assert_eq!(line[field], value, "{line}");
            }
            let seconds = line["since_s"].as_i64().or(line["left_s"].as_i64().map(|left| -left)).unwrap();
            assert!((ago..ago + 60).contains(&seconds), "{line}");
            assert!(line["serial"].is_string() && line["not_after"].is_string());
        }
    }
}

#[tokio::test]
async fn no_key_that_is_gone_stays_in_the_metrics_and_no_id_fills_them() {
    let folder = Folder::new();
    let long = "k".repeat(100_000);
    let mut keys: Value = serde_json::from_str(&key_set(&[&KEY, &OTHER_KEY])).unwrap();
    keys["keys"][1]["kid"] = long.as_str().into();
    folder.write("keys.json", &keys.to_string());
    let running = folder.start(&config("")).await;
    let metrics = running.operator("/metrics").await.body;
    assert!(metrics.contains("keyward_key_verdicts_total{issuer=\"main\",kid=\"main-1\"} 0"));
    let thumbprint = OTHER_KEY.public_jwk().unwrap().thumbprint().to_string();
    assert!(metrics.contains(&thumbprint) && !metrics.contains(&long[..1000]));
    folder.write("keys.json", &key_set(&[&OTHER_KEY]));
    assert_eq!(running.ask_with(&sign(&OTHER_KEY, &claims())).await.status, 200);
    let gone = async || !running.operator("/metrics").await.body.contains("kid=\"main-1\"");
    until(gone).await;
}

#[tokio::test]
async fn a_certificate_takes_the_place_of_a_key_set() {
    let folder = Folder::new();
    folder.write("signer.pem", &certificate(&KEY, now() + DAY).pem());
    let text = config("").replace(
        "jwks_file = \"keys.json\"",
        "certificate_file = \"signer.pem\"\ncertificate_kid = \"main-1\"",
    );
    let running = folder.start(&text).await;
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
    // A token with another key's id has it read again, as a set is fetched again.
    folder.write("signer.pem", &certificate(&OTHER_KEY, now() + DAY).pem());
    assert_eq!(running.ask_with(&sign(&OTHER_KEY, &claims())).await.reason(), Some("unknown_kid"));
    assert_eq!(running.ask_with(&good_token()).await.reason(), Some("invalid_signature"));
}

#[test]
fn what_can_be_said_of_certificates() {
    let folder = Folder::new();
    folder.write("ca.pem", &authority_pem());
    folder.write("signer.pem", "");
    let parse = |text: &str| folder.parse(&format!("{ISSUER}{text}\n")).unwrap();
    assert_eq!(parse("").issuers[0].policy.wrapper, WrapperPolicy::Warn);
    for policy in WrapperPolicy::ALL {
        let config = parse(&format!("[issuer.wrapper]\npolicy = \"{policy}\""));
        assert_eq!(config.issuers[0].policy.wrapper, policy);
        assert!(config.issuers[0].wrapper_anchors.is_empty());
    }
    let Config { issuers, files, .. } = parse("[issuer.wrapper]\nanchors_file = \"ca.pem\"");
    assert_eq!((issuers[0].policy.wrapper, files), (WrapperPolicy::Warn, vec![folder.path("ca.pem")]));
    assert!(!issuers[0].wrapper_anchors.is_empty());
    let Config { issuers, files, .. } = parse("certificate_file = \"signer.pem\"");
    let path = folder.path("signer.pem");
    assert_eq!(files, std::slice::from_ref(&path));
    assert_eq!(issuers[0].source, Some(KeySource::Certificates { path, kid: None }));
}

#[test]
fn what_cannot_be_said_of_certificates() {
    let folder = Folder::new();
    folder.write("ca.pem", &authority_pem());
    folder.write("leaf.pem", &certificate(&KEY, now()).pem());
    folder.write("empty.pem", "");
    folder.write("junk.pem", "junk");
    // Each with « where the error is said to be, and some of what it says.
    let errors = [
        (
            "certificate_file = \"ca.pem\"\njwks_file = «\"keys.json\"",
            "jwks_file and certificate_file exclude",
        ),
        ("jwks_uri = \"https://idp.example/k\"\ncertificate_file = «\"ca.pem\"", "exclude each other"),
        ("discovery = «true\ncertificate_file = \"ca.pem\"", "discovery excludes certificate_file"),
        ("certificate_file = «\"nowhere.pem\"", "cannot be read"),
        ("certificate_kid = «\"signer-1\"", "goes with certificate_file"),
        ("certificate_file = \"ca.pem\"\ncertificate_kid = «\"\"", "leave it out"),
        ("[issuer.wrapper]\npolicy = «\"strict\"", "unknown variant `strict`, expected one of `enforce`"),
        ("[issuer.wrapper]\n«anchors = \"ca.pem\"", "unknown field `anchors`"),
        (
            "[issuer.wrapper]\npolicy = «\"ignore\"\nanchors_file = \"ca.pem\"",
            "goes with \"warn\" and \"enforce\"",
        ),
        ("[issuer.wrapper]\nanchors_file = «\"nowhere.pem\"", "cannot be read"),
        ("[issuer.wrapper]\nanchors_file = «\"empty.pem\"", "is empty"),
        ("[issuer.wrapper]\nanchors_file = «\"junk.pem\"", "there is no certificate in it"),
        ("[issuer.wrapper]\nanchors_file = «\"leaf.pem\"", "none of the anchors"),
    ];
    for (text, said) in errors {
        let text = format!("{ISSUER}{text}\n");
        let (before, after) = text.split_once('«').unwrap();
        let error = folder.parse(&format!("{before}{after}")).unwrap_err();
        assert!(error.message().contains(said), "{text}: {error}");
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        let place = error.place().unwrap();
        // Of two that exclude each other the later one is named, in the order of the reference.
        if !said.contains("exclude") {
            assert_eq!((place.line, place.column), (before.matches('\n').count() + 1, column), "{text}");
        }
    }
}
