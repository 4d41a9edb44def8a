//! Replays the corpus: each file of fuzz/corpus/NAME goes through the target NAME.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test says on which file it failed")]

use std::fs;
use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus is in the repository")
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{} holds only {} files", folder.display(), files.len());
    for file in files {
        let data = fs::read(&file).expect("a file");
        // A panic says which promise broke; this says on what.
        println!("{}", file.display());
        target(&data);
    }
}

#[test]
fn the_corpus_breaks_no_promise_of_assertions() {
    replay("assertion", keyward_fuzz::assertion);
}

#[test]
fn the_corpus_breaks_no_promise_of_basic() {
    replay("basic", keyward_fuzz::basic);
}

#[test]
fn the_corpus_breaks_no_promise_of_claims() {
    replay("claims", keyward_fuzz::claims);
}

#[test]
fn the_corpus_breaks_no_promise_of_dpop() {
    replay("dpop", keyward_fuzz::dpop);
}

#[test]
fn the_corpus_breaks_no_promise_of_forms() {
    replay("form", keyward_fuzz::form);
}

#[test]
fn the_corpus_breaks_no_promise_of_introspection() {
    replay("introspection", keyward_fuzz::introspection);
}

#[test]
fn the_corpus_breaks_no_promise_of_jwk_sets() {
    replay("jwk_set", keyward_fuzz::jwk_set);
}

#[test]
fn the_corpus_breaks_no_promise_of_key_files() {
    replay("key_file", keyward_fuzz::key_file);
}

#[test]
fn the_corpus_breaks_no_promise_of_realm_files() {
    replay("realm_file", keyward_fuzz::realm_file);
}

#[test]
fn the_corpus_breaks_no_promise_of_tokens() {
    replay("token", keyward_fuzz::token);
}

#[test]
fn the_corpus_breaks_no_promise_of_trace_contexts() {
    replay("trace_context", keyward_fuzz::trace_context);
}

#[test]
fn the_corpus_breaks_no_promise_of_uploaded_keys() {
    replay("uploaded_key", keyward_fuzz::uploaded_key);
}

#[test]
fn the_corpus_breaks_no_promise_of_certificates() {
    replay("x509", keyward_fuzz::x509);
}
