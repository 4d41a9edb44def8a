//! What the command says about itself, and how it takes nonsense.

use crate::support::*;

#[test]
fn help_of_every_command() {
    for arguments in [
        &[][..],
        &["up"],
        &["gateway"],
        &["authority"],
        &["authority", "serve"],
        &["authority", "bootstrap"],
        &["authority", "apply"],
        &["authority", "export"],
        &["authority", "config"],
        &["authority", "config", "check"],
        &["authority", "storage"],
        &["authority", "storage", "backup"],
        &["authority", "storage", "export"],
        &["authority", "storage", "restore"],
        &["authority", "storage", "verify"],
        &["authority", "storage", "rebuild"],
        &["authority", "storage", "reseal"],
        &["authority", "realm"],
        &["authority", "realm", "create"],
        &["authority", "realm", "change"],
        &["authority", "client", "create"],
        &["authority", "client", "change"],
        &["authority", "client", "list"],
        &["authority", "service-account", "create"],
        &["authority", "resource-server", "create"],
        &["authority", "signer", "create"],
        &["authority", "identity"],
        &["authority", "identity", "create"],
        &["authority", "key"],
        &["authority", "key", "upload"],
        &["authority", "key", "change"],
        &["authority", "key", "generate"],
        &["authority", "secret"],
        &["authority", "secret", "create"],
        &["authority", "signing-key"],
        &["authority", "events"],
        &["token"],
        &["token", "verify"],
        &["token", "inspect"],
        &["token", "request"],
        &["keys"],
        &["keys", "check"],
        &["chain"],
        &["chain", "show"],
        &["chain", "verify"],
        &["config"],
        &["config", "check"],
        &["config", "default"],
        &["doctor"],
        &["doctor", "collect"],
        &["doctor", "explain"],
        &["drill"],
        &["drill", "lab"],
        &["drill", "list"],
        &["drill", "random"],
        &["drill", "record"],
        &["drill", "run"],
        &["drill", "show"],
        &["completions"],
        &["man"],
    ] {
        let run = keyward(&[arguments, &["--help"]].concat(), "");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
        let name = [&["help"][..], arguments].concat().join("_");
        insta::assert_snapshot!(name, run.stdout);
    }
}

#[test]
fn wrong_usage_is_64_and_says_what_is_wrong() {
    for (arguments, words) in [
        (&[][..], "Usage"),
        (&["nonsense"], "unrecognized subcommand"),
        (&["token", "verify"], "--jwks"),
        (&["token", "verify", "--jwks", "a", "--config", "b"], "cannot be used with"),
        (&["token", "verify", "--jwks", "a", "--at", "tomorrow"], "RFC 3339"),
        (&["token", "verify", "--jwks", "a", "--algorithms", "none"], "no such algorithm"),
        (&["token", "verify", "--jwks", "http://["], "invalid"),
        (&["token", "inspect", "--audience", "api"], "--jwks"),
        (&["token", "request", "--client-id", "a"], "--issuer"),
        (&["keys", "check"], "<FILE_OR_URL>"),
        (&["chain", "show"], "<BUNDLE>"),
        (&["chain", "show", "a", "--pin", "ab:cd"], "64 hexadecimal digits"),
        (&["chain", "verify", "a"], "--anchors"),
        (&["chain", "verify", "--anchors", "a", "--name", "*.example", "b"], "DNS name"),
        (&["chain", "verify", "--anchors", "a", "--usage", "email", "b"], "invalid value"),
        (&["doctor"], "--config"),
        (&["doctor", "--config", "a", "--issuer", "https://b"], "cannot be used with"),
        (&["doctor", "--facts", "a", "--since", "1m"], "cannot be used with"),
        (&["doctor", "--issuer", "idp.example"], "this is no address"),
        (&["doctor", "--issuer", "https://a", "--token", "eyJ"], "standard input only"),
        (&["doctor", "--issuer", "https://a", "--admin", "127.0.0.1:9080"], "no address by http"),
        (&["doctor", "--issuer", "https://a", "--timeout", "1h"], "from 1s to 10m"),
        (&["doctor", "--config", "a", "--audience", "b"], "cannot be used with"),
        (&["doctor", "collect"], "--config"),
        (&["doctor", "explain", "KW9999"], "no code of a finding"),
        (&["gateway"], "--config"),
        (&["authority", "serve"], "--config"),
        (&["authority", "apply", "--config", "a"], "--file"),
        (&["authority", "realm", "list", "--server", "https://a.example"], "--key-file"),
        (&["authority", "client", "list", "--server", "https://a.example", "--token-file", "a"], "--realm"),
        (
            &["authority", "key", "list", "--realm", "a", "--server", "https://a", "--token-file", "a"],
            "--client",
        ),
        (&["completions", "csh"], "invalid value"),
    ] {
        let run = keyward(arguments, "");
        assert_eq!(run.code, 64, "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn the_version_and_what_is_made_of_the_command_line() {
    let run = keyward(&["--version"], "");
    assert_eq!((run.code, run.stdout.as_str()), (0, concat!("keyward ", env!("CARGO_PKG_VERSION"), "\n")));
    for shell in ["bash", "zsh", "fish"] {
        assert!(keyward(&["completions", shell], "").stdout.contains("keyward"));
    }
    assert!(keyward(&["man"], "").stdout.contains(".TH keyward 1"));
    let folder = Folder::new();
    assert_eq!(keyward(&["man", "--out", &folder.path("man")], "").code, 0);
    assert!(std::fs::read_to_string(folder.path("man/keyward-token-verify.1")).unwrap().contains("payload"));
}
