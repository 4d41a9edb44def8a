//! `keyward keys check`.

use serde_json::json;

use crate::support::*;

const GOOD: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn mixed() -> String {
    set(&[
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": GOOD }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "b\u{1b}[31m", "pub": "AA" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": GOOD }),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
    ])
}

#[test]
fn each_key_is_usable_or_has_its_reason() {
    let folder = Folder::new();
    let mixed = folder.write("mixed.json", &mixed());
    let run = keyward(&["keys", "check", &mixed], "");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(run.stdout, @r"
    key 0 a: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
    key 1 b\u001b[31m: UNUSABLE, type_unsupported: its key type is not supported
    key 2 a: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
    key 3 without kid: UNUSABLE, symmetric_in_public_set: it is a symmetric key in a public set and must be taken for leaked
    2 usable, 2 unusable
    several keys have the kid a: each is tried, in this order
    ");
    let run = keyward(&["keys", "check", &mixed, "--json"], "");
    let report = &run.objects()[0];
    assert_eq!(run.code, 1);
    assert_eq!(report["duplicate_kids"], json!(["a"]));
    assert_eq!(report["keys"][1]["reason"], "type_unsupported");
    assert_eq!(report["keys"][2]["index"], 2);
    assert!(!run.stdout.contains("c2VjcmV0"));
}

#[test]
fn exit_codes() {
    let folder = Folder::new();
    assert_eq!(keyward(&["keys", "check", &folder.path("keys.json")], "").code, 0);
    let empty = folder.write("empty.json", r#"{"keys":[]}"#);
    assert_eq!(keyward(&["keys", "check", &empty], "").code, 1);
    let bad = folder.write("bad.json", "<html>");
    for place in [&*bad, "/nowhere/keys.json", "http://127.0.0.1:1/jwks", "http://idp.example/jwks"] {
        let run = keyward(&["keys", "check", place], "");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{place}");
        assert!(run.stderr.contains(place), "{}", run.stderr);
    }
}

#[test]
fn an_allowed_host_is_a_host() {
    for host in ["https://www.googleapis.com", "*.googleapis.com", ""] {
        let run = keyward(&["keys", "check", "--issuer", "https://idp.example", "--allow-host", host], "");
        assert_eq!((run.code, run.stdout.as_str()), (64, ""), "{host}");
        assert!(run.stderr.contains("keys.example"), "{}", run.stderr);
    }
}

#[test]
fn what_is_typed_is_meant() {
    // Nothing is at either, and that is what it says: it was asked.
    for place in ["https://127.0.0.1:1/jwks", "https://localhost:1/jwks", "https://[::ffff:127.0.0.1]:1/jwks"]
    {
        let run = keyward(&["keys", "check", place], "");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{place}");
        assert!(run.stderr.contains("the connection to"), "{}", run.stderr);
    }
}

/// Of the key [`GOOD`] with itself, until 2027-11-21T14:44:20Z.
const CERTIFICATE: &str = "MIIBMDCB46ADAgECAgJaFzAFBgMrZXAwFzEVMBMGA1UEAwwMcmVhbG0ta2V5LXYxMB4XDTI2MTEyMTE0NDQyMFoXDTI3\
    MTEyMTE0NDQyMFowFzEVMBMGA1UEAwwMcmVhbG0ta2V5LXYxMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURqjUzBR\
    MB0GA1UdDgQWBBRbJ6pViReXcOR1dbFiod7Ze4v8bTAfBgNVHSMEGDAWgBRbJ6pViReXcOR1dbFiod7Ze4v8bTAPBgNVHRMBAf8EBTADAQH/MAUG\
    AytlcANBAC4jQU+BLaOQFrD977rhyMMG/cZ7ZBORL31BfRb1XZm5wOS+/YL5dAJQrNw+5+H80JxvEsLN0SRnDVDayapjQAc=";

/// A week before its end, and 7 h 55 min after it.
const TIMES: [&str; 2] = ["2027-11-14T14:44:21Z", "2027-11-21T22:39:21Z"];

#[test]
fn what_is_wrong_with_a_certificate_is_shown_and_the_key_can_be_used() {
    let folder = Folder::new();
    let key = |kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": GOOD });
    let with = |kid: &str, member: &str, content: serde_json::Value| {
        let mut key = key(kid);
        key[member] = content;
        key
    };
    let keys = folder.write(
        "wrapped.json",
        &set(&[
            with("realm-key-v1", "x5c", json!([CERTIFICATE])),
            with("malformed", "x5c", json!("\u{1b}[31m")),
            key("bare"),
        ]),
    );
    let check = |at: &str| keyward(&["keys", "check", &keys, "--at", at], "");
    insta::assert_snapshot!(check(TIMES[0]).stdout, @r"
    key 0 realm-key-v1: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
      certificate CN=realm-key-v1, serial 5a17, until 2027-11-21T14:44:20Z (in 7days)
    key 1 malformed: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
      certificate: WRONG, malformed: it cannot be read: x5c is not an array of strings
    key 2 bare: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
    3 usable, 0 unusable
    ");
    insta::assert_snapshot!(check(TIMES[1]).stdout, @r"
    key 0 realm-key-v1: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
      certificate CN=realm-key-v1, serial 5a17: EXPIRED with 2027-11-21T14:44:20Z (7h 55m ago)
    key 1 malformed: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
      certificate: WRONG, malformed: it cannot be read: x5c is not an array of strings
    key 2 bare: usable, OKP, 256 bits, EdDSA
      thumbprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
    3 usable, 0 unusable
    ");
    assert_eq!(check(TIMES[1]).code, 0);
    let run = keyward(&["keys", "check", &keys, "--at", TIMES[1], "--json"], "");
    let wrapper = &run.objects()[0]["keys"][0]["wrapper"];
    assert_eq!((&wrapper["state"], &wrapper["serial"]), (&json!("expired"), &json!("5a17")));
    assert_eq!(wrapper["expires_in_seconds"], -28_500);
    // It calls itself a CA's, as self-signed ones often do, so that it can be what it has to lead to.
    let lines = CERTIFICATE.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
    let lines: Vec<_> = lines.collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    let anchors = folder.write("anchors.pem", &pem);
    let run = keyward(&["keys", "check", &keys, "--at", TIMES[0], "--anchors", &anchors, "--json"], "");
    let states: Vec<_> =
        (0..3).map(|key| run.objects()[0]["keys"][key]["wrapper"]["state"].clone()).collect();
    assert_eq!(states, ["valid", "malformed", "absent"]);
    // The same certificate in place of a JWK Set.
    let run = keyward(&["keys", "check", "--certificate", &anchors, "--at", TIMES[0], "--json"], "");
    assert_eq!(run.objects()[0]["keys"][0]["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(run.objects()[0]["keys"][0]["wrapper"]["state"], "valid");
}
