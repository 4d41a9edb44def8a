//! `keyward token inspect`.

use serde_json::json;

use crate::support::*;

fn inspect(more: &[&str], stdin: impl AsRef<[u8]>) -> Run {
    keyward(&[&["token", "inspect", "--at", AT][..], more].concat(), stdin)
}

#[test]
fn without_keys_it_shows_and_verifies_nothing() {
    let token = sign(&KEY, &with(good_claims(), "note", "\u{202e}reversed"));
    let run = inspect(&[], &token);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(!run.stdout.contains(token.rsplit('.').next().unwrap()), "the signature is not shown");
    insta::assert_snapshot!(run.stdout, @r#"
    header:
      alg  "EdDSA"
      kid  "first"
      typ  "at+jwt"
    claims:
      aud   "api"
      exp   1795233900  (2026-11-21T04:05:00Z, in 5m)
      iat   1795233300  (2026-11-21T03:55:00Z, 5m ago)
      iss   "https://idp.example"
      note  "\u202ereversed"
      sub   "alice"
    signature: 64 octets, not shown
    verdict: none. NOTHING OF THIS IS VERIFIED: anybody can write it. Give --jwks or --config.
    "#);
}

#[test]
fn with_keys_each_check_has_a_line() {
    let folder = Folder::new();
    let keys = folder.path("keys.json");
    let token = sign(&OTHER_KEY, &with(good_claims(), "exp", AT_SECONDS - 3600));
    let run = inspect(&["--jwks", &keys, "--audience", "api"], &token);
    assert_eq!(run.code, 1);
    let checks = run.stdout.split_once("checks:\n").unwrap().1;
    insta::assert_snapshot!(checks, @r"
      form       yes
      claims     yes
      issuer     not asked
      header     yes
      times      no: expired: the token has expired
      audience   yes
      signature  no: invalid_signature: the token's signature is not valid
    verdict: reject, expired
    ");
    let run = inspect(&["--jwks", &keys, "--json"], sign(&KEY, &good_claims()));
    let report = &run.objects()[0];
    assert_eq!((run.code, &report["verdict"], &report["claims"]), (0, &json!("accept"), &good_claims()));
}

#[test]
fn what_is_no_token_is_told_apart() {
    for (text, words) in [
        ("opaque", "an opaque token"),
        ("a.b.c.d.e", "encrypted"),
        ("a.b", "not three parts"),
        ("eyJhbGciOiJub25lIn0.e30.", "algorithm is not supported"),
    ] {
        let run = inspect(&[], text);
        assert_eq!(run.code, 1, "{text}");
        assert!(run.stdout.contains(words), "{text}: {}", run.stdout);
    }
    assert_eq!(inspect(&[], "\n\n").code, 2);
    assert_eq!(inspect(&[], "a\nb").code, 2);
}
