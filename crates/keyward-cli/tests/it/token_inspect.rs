//! `keyward token inspect`.

use std::sync::LazyLock;

use keyward_jose::{Algorithm, LocalSigner, Signer};
use serde_json::json;

use crate::support::*;

static SECOND_KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::EdDsa, Some("second")).unwrap());

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
    insta::assert_snapshot!(checks, @r#"
      form       yes
      claims     yes
      issuer     not asked
      header     yes
      times      no: expired: the token has expired
                 exp is 2026-11-21T03:00:00Z, 1h ago; the leeway is 1m
      audience   yes: aud names "api"
      signature  no: invalid_signature: the token's signature is not valid
                 key: none; the one that its kid names does not
    verdict: reject, expired
    "#);
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

const CONFIG: &str = r#"
    [gateway.dpop]
    origins = ["https://api.example"]

    [[issuer]]
    name = "main"
    issuer = "https://idp.example"
    jwks_file = "keys.json"
    audiences = ["api"]

    [[issuer]]
    name = "other"
    issuer = "https://other.example"
    jwks_file = "keys.json"

    [[route]]
    paths = ["/health"]
    access = "public"

    [[route]]
    methods = ["POST"]
    paths = ["/api/"]
    scopes = ["write"]
    issuers = ["main"]

    [[route]]
    paths = ["/api/"]
    audiences = ["shop"]

    [[route]]
    paths = ["/other"]
    issuers = ["other"]

    [[route]]
    paths = ["/bound"]
    binding = "dpop"
"#;

/// What stands from the route's title on.
fn on_route(config: &str, more: &[&str], token: &str) -> (i32, String) {
    let run = inspect(&[&["--config", config][..], more].concat(), token);
    assert_eq!(run.stderr, "");
    let route = run.stdout.split_once("not shown\n").unwrap().1;
    (run.code, route.to_owned())
}

#[test]
fn the_route_of_a_request_says_line_by_line_what_it_makes_of_a_token() {
    let folder = Folder::new();
    let config = folder.write("keyward.toml", CONFIG);
    let token = sign(&KEY, &with(good_claims(), "scope", "read"));
    let (code, text) = on_route(&config, &["--route", "/api/orders?page=2", "--method", "POST"], &token);
    assert_eq!(code, 1);
    insta::assert_snapshot!(text, @r#"
    route 2 (POST /api/):
      access     required
      issuers    main
      audiences  api
      scopes     write
      strategy   key_set
    checks:
      form       yes
      claims     yes
      issuer     yes
      header     yes
      times      yes: exp is 2026-11-21T04:05:00Z, in 5m
      audience   yes: aud names "api"
      signature  yes: key: "first" (EdDSA), which its kid names
      granted    no: insufficient_scope: the token lacks a scope that is needed here
                 the scope "write" is demanded; it has "read"
    verdict: reject, insufficient_scope
    "#);
    let (code, text) = on_route(&config, &["--route", "/api"], &token);
    assert_eq!(code, 1);
    assert!(text.contains("aud is \"api\"; accepted are \"shop\""), "{text}");
    let (code, text) = on_route(&config, &["--route", "/other"], &token);
    assert_eq!(code, 1);
    assert!(
        text.contains("whose tokens the route does not take") && text.ends_with("reject, wrong_issuer\n"),
        "{text}"
    );
    let (code, text) = on_route(&config, &["--route", "/bound"], &token);
    assert_eq!(code, 1);
    assert!(
        text.contains("not bound as it has to be") && text.ends_with("reject, binding_missing\n"),
        "{text}"
    );
    let (code, text) = on_route(&config, &["--route", "/health"], &sign(&OTHER_KEY, &good_claims()));
    assert_eq!(code, 0);
    assert!(text.contains("its token is not looked at") && text.ends_with("verdict: accept\n"), "{text}");
    let (code, text) = on_route(&config, &["--route", "/else"], &token);
    assert!(code == 0 && text.starts_with("no route:\n"), "{text}");
    let run = inspect(&["--config", &config, "--route", "/api", "--json"], &token);
    let report = &run.objects()[0];
    assert_eq!(report["route"]["name"], "route 3 (/api/)");
    assert_eq!((&report["reason"], &report["key"]["kid"]), (&json!("wrong_audience"), &json!("first")));
    assert_eq!(report["checks"][5]["why"], "aud is \"api\"; accepted are \"shop\"");
}

#[test]
fn a_request_that_the_gateway_would_not_decide_has_no_route() {
    let folder = Folder::new();
    let config = folder.write("keyward.toml", CONFIG);
    let token = sign(&KEY, &good_claims());
    let run = inspect(&["--config", &config, "--route", "/api/../health"], &token);
    assert!(run.code == 64 && run.stderr.contains("ambiguous"), "{run:?}");
    assert_eq!(inspect(&["--route", "/api"], &token).code, 64, "a route needs a configuration");
    let foreign = sign(&KEY, &with(good_claims(), "iss", "https://nobody.example"));
    let run = inspect(&["--config", &config, "--route", "/api"], &foreign);
    assert!(run.code == 2 && run.stderr.contains("--issuer-name, of main, other"), "{run:?}");
}

#[test]
fn why_a_check_fails_is_told_from_what_stands_in_the_token() {
    let folder = Folder::new();
    let keys = folder.write("keys.json", &set(&[KEY.public_jwk().unwrap()]));
    let why = |more: &[&str], token: &str| {
        let run = inspect(&[&["--jwks", &keys][..], more].concat(), token);
        run.stdout.split_once("checks:\n").unwrap().1.to_owned()
    };
    let azp = with(with(good_claims(), "aud", "account"), "azp", "api");
    for (more, token, words) in [
        (
            &["--issuer", "https://idp"][..],
            sign(&KEY, &good_claims()),
            "iss is \"https://idp.example\"; accepted is \"https://idp\"",
        ),
        (
            &["--audience", "api"],
            sign(&KEY, &azp),
            "aud is \"account\"; accepted are \"api\"; azp has it, where it does not count",
        ),
        (&["--type", "JWT"], sign(&KEY, &good_claims()), "typ is \"at+jwt\"; accepted are \"JWT\""),
        (&["--algorithms", "RS256"], sign(&KEY, &good_claims()), "alg is EdDSA; accepted are \"RS256\""),
        (
            &[],
            sign(&KEY, &with(good_claims(), "nbf", AT_SECONDS + 600)),
            "nbf is 2026-11-21T04:10:00Z, in 10m; the leeway is 1m",
        ),
        (&[], sign(&KEY, &good_claims()), "signature  yes: key: \"first\" (EdDSA), which its kid names"),
        (&[], sign(&OTHER_KEY, &good_claims()), "key: none; the one that its kid names does not"),
        (
            &["--issuer", "https://idp\u{1b}[31m"],
            sign(&KEY, &with(good_claims(), "iss", "\u{1b}]0;x")),
            "iss is \"\\u001b]0;x\"",
        ),
    ] {
        let text = why(more, &token);
        assert!(text.contains(words), "{words}: {text}");
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn another_published_key_and_another_spelling_are_named() {
    let folder = Folder::new();
    let again = |kid| LocalSigner::from_pkcs8(Algorithm::EdDsa, Some(kid), &KEY.to_pkcs8().unwrap()).unwrap();
    let keys = folder.write("two.json", &set(&[KEY.public_jwk().unwrap(), SECOND_KEY.public_jwk().unwrap()]));
    let key = |signer: &LocalSigner| {
        inspect(&["--jwks", &keys, "--json"], sign(signer, &good_claims())).objects()[0]["key"].clone()
    };
    assert_eq!(key(&KEY)["relation"], "its_own");
    assert_eq!(
        (&key(&again("second"))["relation"], &key(&again("second"))["kid"]),
        (&json!("another"), &json!("first"))
    );
    assert_eq!(
        (&key(&again("FIRST"))["relation"], &key(&again("FIRST"))["published_as"]),
        (&json!("another"), &json!("first"))
    );
    assert_eq!(key(&OTHER_KEY)["relation"], "none");
}
