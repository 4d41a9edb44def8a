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
