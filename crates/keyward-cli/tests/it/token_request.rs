//! `keyward token request`, against `keyward up`'s issuer in `up.rs`, and where there is nobody to ask.

use crate::support::*;

#[test]
fn nothing_is_sent_where_it_must_not_go() {
    let folder = Folder::new();
    let secret = folder.write("secret", "hunter2\n");
    for (endpoint, words) in
        [("http://idp.example/token", "refused"), ("http://127.0.0.1:1/token", "cannot be asked")]
    {
        let run = keyward(
            &[
                "token",
                "request",
                "--token-endpoint",
                endpoint,
                "--client-id",
                "a",
                "--client-secret-file",
                &secret,
            ],
            "",
        );
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.contains(words) && !run.stderr.contains("hunter2"), "{}", run.stderr);
    }
}
