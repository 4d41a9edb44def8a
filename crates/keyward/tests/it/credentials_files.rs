//! Credentials that change while calls go on, and providers that refuse them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use keyward::credentials::{CallError, ClientSettings, CredentialSettings};
use serde_json::json;
use tokio::task::JoinSet;

use crate::credentials_methods::file;
use crate::credentials_provider::{Endpoint, INTROSPECT, Ours, Received, active, json as answer};
use crate::support::{Reply, pass};

fn post(secret_file: &std::path::Path) -> CredentialSettings {
    let client_id = "client".to_owned();
    CredentialSettings::Client(ClientSettings::ClientSecretPost {
        client_id,
        secret_file: secret_file.to_owned(),
    })
}

/// A provider that takes this secret and no other.
fn taking(secret: &'static str) -> impl Fn(&Received) -> Reply + Send {
    move |received| match received.field("client_secret") {
        Some(shown) if shown == secret => active(),
        _ => answer(401, json!({ "error": "invalid_client" })),
    }
}

#[tokio::test]
async fn a_changed_file_counts_and_a_bad_one_does_not() {
    let (folder, path) = file("first");
    let endpoint = Endpoint::start(|_| active()).await;
    let ours = Ours::new(&endpoint, post(&path));
    let shown = async || {
        ours.introspect().await.unwrap();
        endpoint.received(INTROSPECT).pop().unwrap().field("client_secret").unwrap()
    };
    assert_eq!(shown().await, "first");
    fs::write(&path, "second").unwrap();
    pass(Duration::from_secs(3)).await;
    ours.seen("credential_reloaded", 1).await;
    assert_eq!(shown().await, "second");
    for (count, bad) in ["", "two\nlines", "\n"].into_iter().enumerate() {
        fs::write(&path, bad).unwrap();
        pass(Duration::from_secs(3)).await;
        ours.seen("credential_reload_refused", count + 1).await;
        assert_eq!(shown().await, "second");
    }
    fs::remove_file(&path).unwrap();
    pass(Duration::from_secs(3)).await;
    ours.seen("credential_reload_refused", 4).await;
    assert_eq!(shown().await, "second");
    // As it is mounted: put beside, and renamed.
    fs::write(folder.path().join("new"), "third").unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    pass(Duration::from_secs(3)).await;
    ours.seen("credential_reloaded", 2).await;
    assert_eq!(shown().await, "third");
    // Nothing is said of what does not change.
    let events = ours.events();
    pass(Duration::from_secs(600)).await;
    assert_eq!(shown().await, "third");
    assert_eq!(ours.events(), events);
}

#[tokio::test]
async fn permissions_that_are_too_wide_are_told_at_the_start_and_after_a_change() {
    let (_folder, path) = file("first");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(post(&path).check().unwrap()[0].mode, 0o644);
    let endpoint = Endpoint::start(|_| active()).await;
    let ours = Ours::new(&endpoint, post(&path));
    assert_eq!(ours.record.events("idp"), ["credential_exposed"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    pass(Duration::from_secs(3)).await;
    ours.seen("credential_reloaded", 1).await;
    assert_eq!(ours.record.events("idp"), ["credential_exposed", "credential_reloaded"]);
}

#[tokio::test]
async fn a_refused_secret_is_shown_once_after_each_back_off() {
    let (_folder, path) = file("wrong");
    let endpoint = Endpoint::start(taking("right")).await;
    let ours = Arc::new(Ours::new(&endpoint, post(&path)));
    for attempt in 1..8 {
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let ours = Arc::clone(&ours);
            calls.spawn(async move { ours.introspect().await.unwrap_err() });
        }
        for error in calls.join_all().await {
            assert!(matches!(error, CallError::CredentialsRejected { .. }), "{error:?}");
        }
        // All of the first are under way before anything is known.
        let shown = endpoint.received(INTROSPECT).len();
        assert!(attempt + 18 >= shown - 1 && shown >= attempt, "{attempt}: {shown}");
        assert_eq!(ours.events(), vec!["credential_rejected"; attempt]);
        let status = ours.caller.status();
        assert_eq!((status.method, status.state), ("client_secret_post", "rejected"));
        assert_eq!(
            (status.rejections as usize, status.last_error.as_deref()),
            (attempt, Some("401 invalid_client"))
        );
        pass(Duration::from_secs(60)).await;
    }
    // Mended at the provider.
    endpoint.answers(taking("wrong"));
    ours.introspect().await.unwrap();
    ours.seen("credential_accepted", 1).await;
    ours.introspect().await.unwrap();
    assert_eq!((ours.caller.status().state, ours.caller.status().last_error), ("usable", None));
}

#[tokio::test]
async fn a_secret_that_was_just_changed_is_read_by_the_call_that_is_refused() {
    let (_folder, path) = file("old");
    let endpoint = Endpoint::start(taking("old")).await;
    let ours = Arc::new(Ours::new(&endpoint, post(&path)));
    ours.introspect().await.unwrap();
    endpoint.answers(taking("new"));
    fs::write(&path, "new").unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let ours = Arc::clone(&ours);
        calls.spawn(async move { ours.introspect().await.map(|answer| answer.status.as_u16()) });
    }
    for status in calls.join_all().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(ours.events(), ["credential_reloaded"]);
}

#[tokio::test]
async fn a_new_secret_ends_the_back_off() {
    let (_folder, path) = file("wrong");
    let endpoint = Endpoint::start(taking("right")).await;
    let ours = Ours::new(&endpoint, post(&path));
    for _ in 0..6 {
        ours.introspect().await.unwrap_err();
        pass(Duration::from_secs(60)).await;
    }
    ours.introspect().await.unwrap_err();
    fs::write(&path, "right").unwrap();
    pass(Duration::from_secs(3)).await;
    ours.seen("credential_reloaded", 1).await;
    ours.introspect().await.unwrap();
}
