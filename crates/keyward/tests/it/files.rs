//! Keys in a file.

use std::io;
use std::path::Path;
use std::time::Duration;

use keyward::{IssuerSettings, Reason};

use crate::support::{Bench, KEYS, Outcome, jwks, pass};

const ISSUER: &str = "https://idp.example";

#[tokio::test]
async fn a_file_that_was_rewritten_is_read_by_the_first_request_with_a_new_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, jwks(&KEYS[..1])).unwrap();
    let bench = Bench::ready(IssuerSettings::jwks_file(ISSUER, &path).named("idp")).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], ISSUER)), Outcome::Accept);
    std::fs::write(&path, jwks(&KEYS[1..2])).unwrap();
    assert_eq!(bench.outcome(&bench.token(&KEYS[1], ISSUER)).await, Outcome::Accept);
    assert_eq!(bench.outcome(&bench.token(&KEYS[0], ISSUER)).await, Outcome::Reject(Reason::UnknownKid));
}

#[tokio::test]
async fn a_file_that_is_gone_or_bad_removes_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let breakages = [
        (remove as Break, "failed: file"),
        (|path| std::fs::write(path, "{"), "failed: malformed"),
        (|path| std::fs::write(path, r#"{"keys":[]}"#), "failed: no_usable_key"),
        (|path| std::fs::File::create(path)?.set_len(1 << 40), "failed: malformed"),
    ];
    for (break_it, event) in breakages {
        std::fs::write(&path, jwks(&KEYS[..1])).unwrap();
        let bench = Bench::ready(IssuerSettings::jwks_file(ISSUER, &path).named("idp")).await;
        break_it(&path).unwrap();
        pass(Duration::from_secs(301)).await;
        bench.seen(event, 1).await;
        assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], ISSUER)), Outcome::Accept);
    }
}

#[tokio::test]
async fn what_is_no_plain_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [fifo.as_path(), "/dev/zero".as_ref(), folder.path()] {
        let bench = Bench::new(IssuerSettings::jwks_file(ISSUER, path).named("idp"));
        bench.seen("failed: file", 1).await;
    }
}

type Break = fn(&Path) -> io::Result<()>;

fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}
