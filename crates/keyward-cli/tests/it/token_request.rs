//! `keyward token request`: at a node by every grant, at `keyward up`'s issuer in `up.rs`, and where there is nobody to ask. Key files of
//! Zitadel's are in `key_upload.rs`.

use crate::place::Place;
use crate::support::*;

#[test]
fn nothing_is_sent_where_it_must_not_go() {
    let folder = Folder::new();
    let secret = folder.write("secret", "hunter2\n");
    for (endpoint, words) in [("http://idp.example/token", "refused"), ("http://127.0.0.1:1/token", "failed")]
    {
        let client = ["--client-id", "a", "--client-secret-file", &secret];
        let run = keyward(&[&["token", "request", "--token-endpoint", endpoint], &client[..]].concat(), "");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.contains(words) && !run.stderr.contains("hunter2"), "{}", run.stderr);
    }
}

#[test]
fn what_makes_no_sense_is_said_before_anybody_is_asked() {
    let folder = Folder::new();
    let (secret, token) = (folder.write("secret", "s\n"), folder.write("token", "t\n"));
    let (empty, key) = (folder.write("empty", "\n"), folder.path("keys.json"));
    let issuer = ["token", "request", "--issuer", "https://idp.example"];
    for (arguments, code, words) in [
        (&["--client-id", "a"][..], 64, "--client-secret-file"),
        (&["--client-id", "a", "--client-secret-file", &empty], 2, "it is empty"),
        (
            &["--client-id", "a", "--client-secret-file", &secret, "--key-file", &key],
            64,
            "cannot be used with",
        ),
        (&["--client-id", "a", "--service-account", "b", "--key-file", &key], 64, "cannot be used with"),
        (&["--service-account", "b"], 64, "--key-file"),
        (&["--key-file", &key], 2, "keys.json"),
        (&["--client-id", "a", "--actor-token-file", &token], 64, "--subject-token-file"),
        (
            &["--client-id", "a", "--client-secret-file", "-", "--subject-token-file", "-"],
            64,
            "only one thing",
        ),
    ] {
        let run = keyward(&[&issuer[..], arguments].concat(), "");
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
    let endpoint = ["token", "request", "--token-endpoint", "https://idp.example/token"];
    let run = keyward(&[&endpoint[..], &["--key-file", &key, "--client-id", "a"]].concat(), "");
    assert_eq!(run.code, 64, "{}", run.stderr);
    assert!(run.stderr.contains("--assertion-audience"), "{}", run.stderr);
}

#[test]
fn a_token_of_another_is_exchanged_and_errors_say_what_the_endpoint_said() {
    let (place, _serving) = Place::served();
    place.done(&["realm", "create", "main"]);
    place.done(&["resource-server", "create", "api", "--realm", "main", "--scope", "read"]);
    place.done(&["resource-server", "create", "urn:ledger", "--realm", "main", "--scope", "book"]);
    let allowed = ["--audience", "api", "--audience", "urn:ledger", "--scope", "read", "--scope", "book"];
    let robot = ["service-account", "create", "robot", "--realm", "main"];
    place.done(&[&robot[..], &allowed].concat());
    let generate = ["key", "generate", "--realm", "main", "--service-account", "robot"];
    let key = place.folder.secret("robot.jwk", &place.done(&generate));
    let client = ["client", "create", "deploy", "--realm", "main", "--grant", "token-exchange"];
    place.done(&[&client[..], &allowed].concat());
    let secret = place.done(&["secret", "create", "--realm", "main", "--client", "deploy"]);
    let secret = place.folder.secret("deploy.secret", &secret);
    let issuer = place.issuer("main");
    let request = |arguments: &[&str], stdin: &str| {
        keyward(&[&["token", "request", "--issuer", &issuer], arguments].concat(), stdin)
    };

    let unclear = request(&["--service-account", "robot", "--key-file", &key], "");
    assert_eq!((unclear.code, unclear.stdout.as_str()), (2, ""));
    assert!(unclear.stderr.contains("invalid_target ("), "{}", unclear.stderr);
    let both = ["--resource", "urn:ledger", "--audience", "api"];
    let token = request(&[&["--service-account", "robot", "--key-file", &key], &both[..]].concat(), "");
    assert_eq!((token.code, token.stderr.as_str()), (0, ""));
    assert_eq!(token.stdout.lines().count(), 1, "the token alone");

    // Narrower, and from standard input.
    let deploy = ["--client-id", "deploy", "--client-secret-file", &secret];
    let narrower =
        [&deploy[..], &["--subject-token-file", "-", "--audience", "api", "--scope", "read"]].concat();
    let exchanged = request(&narrower, &token.stdout);
    assert_eq!((exchanged.code, exchanged.stderr.as_str()), (0, ""));
    let verify =
        ["token", "verify", "--jwks", &format!("{issuer}/jwks"), "--issuer", &issuer, "--audience", "api"];
    let verdict = keyward(&verify, &exchanged.stdout);
    assert_eq!(verdict.code, 0, "{verdict:?}");
    assert!(keyward(&["token", "inspect"], &exchanged.stdout).stdout.contains("robot"));

    let wider =
        [&deploy[..], &["--subject-token-file", "-", "--audience", "api", "--scope", "admin"]].concat();
    let refused = request(&wider, &token.stdout);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.contains("invalid_scope ("), "{}", refused.stderr);
    assert!(!refused.stderr.contains(token.stdout.trim()), "{}", refused.stderr);
    let not_its_grant = request(&[&deploy[..], &["--audience", "api"]].concat(), "");
    assert!(not_its_grant.stderr.contains("unauthorized_client"), "{}", not_its_grant.stderr);
}
