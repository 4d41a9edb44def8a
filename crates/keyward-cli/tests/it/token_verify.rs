//! `keyward token verify`.

use keyward_jose::Signer;
use serde_json::{Value, json};

use crate::support::*;

fn verify(folder: &Folder, more: &[&str], stdin: impl AsRef<[u8]>) -> Run {
    let keys = folder.path("keys.json");
    let arguments = [&["token", "verify", "--jwks", &keys, "--at", AT][..], more].concat();
    keyward(&arguments, stdin)
}

fn reasons(run: &Run) -> Vec<Option<String>> {
    run.objects().iter().map(|object| object["reason"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_verdict_a_line_in_the_order_of_the_tokens() {
    let folder = Folder::new();
    let good = sign(&KEY, &good_claims());
    let expired = sign(&KEY, &with(good_claims(), "exp", AT_SECONDS - 61));
    let forged = sign(&OTHER_KEY, &good_claims());
    let run = verify(&folder, &["--issuer", ISSUER], format!("{good}\n\r\n{expired}\r\n{forged}\n\n{good}"));
    assert_eq!(run.code, 1);
    assert_eq!(run.stderr, "");
    let objects = run.objects();
    assert_eq!(
        objects[0],
        json!({ "verdict": "accept", "reason": null, "kid": "first", "claims": good_claims() })
    );
    assert_eq!(objects[1], json!({ "verdict": "reject", "reason": "expired", "kid": null }));
    assert_eq!(objects[2], json!({ "verdict": "reject", "reason": "invalid_signature", "kid": null }));
    assert_eq!(objects[3], objects[0]);
    assert_eq!(objects.len(), 4);
}

#[test]
fn each_option_demands_what_it_says() {
    let folder = Folder::new();
    let token = sign(&KEY, &good_claims());
    for (options, reason) in [
        (&[][..], None),
        (&["--issuer", ISSUER, "--audience", "other", "--audience", "api", "--type", "at+jwt"], None),
        (&["--issuer", "https://idp.example/"], Some("unknown_issuer")),
        (&["--audience", "other"], Some("wrong_audience")),
        (&["--type", "JWT"], Some("wrong_token_type")),
        (&["--algorithms", "RS256,ES256"], Some("unsupported_algorithm")),
        (&["--algorithms", "RS256,EdDSA"], None),
    ] {
        let run = verify(&folder, options, &token);
        assert_eq!(reasons(&run), [reason.map(str::to_owned)], "{options:?}");
        assert_eq!(run.code, i32::from(reason.is_some()), "{options:?}");
    }
    let late = sign(&KEY, &with(good_claims(), "exp", AT_SECONDS - 90));
    assert_eq!(verify(&folder, &[], &late).code, 1);
    assert_eq!(verify(&folder, &["--leeway", "2m"], &late).code, 0);
}

#[test]
fn without_an_issuer_any_is_accepted_and_nothing_else_is() {
    let folder = Folder::new();
    let mut nameless = good_claims();
    nameless.as_object_mut().unwrap().remove("iss");
    assert_eq!(verify(&folder, &[], sign(&KEY, &nameless)).code, 0);
    assert_eq!(verify(&folder, &[], sign(&OTHER_KEY, &nameless)).code, 1);
}

#[test]
fn hostile_input_stays_one_line_and_stops_nothing() {
    let folder = Folder::new();
    let good = sign(&KEY, &good_claims());
    let mut input = Vec::new();
    for bad in
        [&vec![b'x'; 1 << 20][..], b"a\0b", b"\xff\xfe\xfd", b" ", b"..", b".....", &good.as_bytes()[1..]]
    {
        input.extend_from_slice(bad);
        input.push(b'\n');
    }
    input.extend_from_slice(good.as_bytes());
    let run = verify(&folder, &[], &input);
    let malformed = || Some("malformed_token".to_owned());
    assert_eq!(
        reasons(&run),
        [
            Some("token_too_large".to_owned()),
            malformed(),
            malformed(),
            malformed(),
            malformed(),
            malformed(),
            malformed(),
            None
        ]
    );
    assert_eq!(run.code, 1);
    assert_eq!((run.stderr.as_str(), verify(&folder, &[], "").code), ("", 0));
}

#[test]
fn nothing_of_an_unverified_token_is_printed() {
    let folder = Folder::new();
    let claims = with(good_claims(), "secret", "SECRET");
    for token in [sign(&OTHER_KEY, &claims), sign(&KEY, &with(claims.clone(), "exp", 1))] {
        let run = verify(&folder, &[], &token);
        assert!(!run.stdout.contains("SECRET") && !run.stdout.contains("first"), "{}", run.stdout);
    }
}

#[test]
fn claims_over_several_lines_come_on_one() {
    let folder = Folder::new();
    let claims = serde_json::to_string_pretty(&good_claims()).unwrap().replace('\n', "\r\n");
    let run = verify(&folder, &[], sign_octets(&KEY, claims.as_bytes()));
    assert_eq!(run.objects()[0]["claims"], good_claims());
}

#[test]
fn any_payload_is_accepted_by_its_signature_only_where_it_is_asked_for() {
    let folder = Folder::new();
    let payload = sign_octets(&KEY, b"\xffno JSON");
    assert_eq!(reasons(&verify(&folder, &[], &payload)), [Some("malformed_token".to_owned())]);
    let run = verify(&folder, &["--payload-any"], &payload);
    let kid = "first";
    let expected = json!({ "verdict": "accept", "reason": null, "kid": kid, "payload": "_25vIEpTT04" });
    assert_eq!((run.objects(), run.code), (vec![expected], 0));
    for (token, reason) in [
        (sign_octets(&OTHER_KEY, b"no JSON"), "invalid_signature"),
        (sign_octets(&KEY, br#"{"exp":"soon"}"#), "malformed_token"),
        (sign_octets(&KEY, br#"{"exp":1,"exp":9999999999}"#), "malformed_token"),
        (sign_octets(&KEY, br#"{"exp":1}"#), "expired"),
        ("a.b.c".to_owned(), "malformed_token"),
    ] {
        let run = verify(&folder, &["--payload-any"], &token);
        assert_eq!(reasons(&run), [Some(reason.to_owned())], "{token}");
    }
}

#[test]
fn keys_that_are_not_there_are_nobodys_fault() {
    let folder = Folder::new();
    let token = sign(&KEY, &good_claims());
    // Nobody listens on port 1.
    let url = "http://127.0.0.1:1/jwks";
    let run = keyward(&["token", "verify", "--jwks", url, "--at", AT], format!("{token}\n{token}"));
    assert_eq!(reasons(&run), vec![Some("keys_unavailable".to_owned()); 2]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("Connection refused"), "{}", run.stderr);
    // A rejection is known whatever the others are.
    let run = keyward(&["token", "verify", "--jwks", url, "--at", AT], format!("{token}\nx"));
    assert_eq!(run.code, 1);
    for (name, text) in [("none.json", None), ("bad.json", Some("[]"))] {
        if let Some(text) = text {
            folder.write(name, text);
        }
        let run = keyward(&["token", "verify", "--jwks", &folder.path(name)], &token);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.contains(name), "{}", run.stderr);
    }
}

#[test]
fn an_unknown_kid_in_a_file_is_known_to_be_unknown() {
    let folder = Folder::new();
    let mut jwk = serde_json::to_value(KEY.public_jwk().unwrap()).unwrap();
    jwk["kid"] = "second".into();
    folder.write("keys.json", &set(&[jwk]));
    let token = sign(&KEY, &with(good_claims(), "iat", Value::from(AT_SECONDS)));
    let run = verify(&folder, &[], [token.as_str(); 20].join("\n"));
    assert_eq!(reasons(&run), vec![Some("unknown_kid".to_owned()); 20]);
}

#[test]
fn a_configuration_gives_keys_and_policy() {
    let folder = Folder::new();
    let config = folder.write(
        "keyward.toml",
        &format!(
            "[[issuer]]\nname = \"a\"\nissuer = \"{ISSUER}\"\njwks_file = \"keys.json\"\naudiences = [\"api\"]\n\
             [[issuer]]\nname = \"b\"\nissuer = \"https://b.example\"\njwks_file = \"keys.json\"\n"
        ),
    );
    let run = |more: &[&str], token: &str| {
        keyward(&[&["token", "verify", "--config", &config, "--at", AT][..], more].concat(), token)
    };
    let token = sign(&KEY, &good_claims());
    assert_eq!(run(&["--issuer-name", "a"], &token).code, 0);
    assert_eq!(reasons(&run(&["--issuer-name", "b"], &token)), [Some("unknown_issuer".to_owned())]);
    let other = sign(&KEY, &with(good_claims(), "aud", "other"));
    assert_eq!(reasons(&run(&["--issuer-name", "a"], &other)), [Some("wrong_audience".to_owned())]);
    let several = run(&[], &token);
    assert_eq!(several.code, 2);
    assert!(several.stderr.contains("--issuer-name, of a, b"), "{}", several.stderr);
    assert_eq!(run(&["--issuer-name", "c"], &token).code, 2);
    let kid = KEY.kid().unwrap();
    assert_eq!(run(&["--issuer-name", "a"], &token).objects()[0]["kid"], kid);
}

/// Whoever sends a token only after the last verdict must not wait for ever.
#[test]
fn an_answer_comes_before_the_next_question() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let folder = Folder::new();
    let keys = folder.path("keys.json");
    let mut child = command(&["token", "verify", "--jwks", &keys, "--at", AT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let token = sign(&KEY, &good_claims());
    for _ in 0..3 {
        writeln!(input, "{token}").unwrap();
        assert!(answers.next().unwrap().unwrap().contains("accept"));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
