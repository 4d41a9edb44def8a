//! Promise 4: the last good set is on the disk, and a cold start during an outage uses it within its limit.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::{IssuerSettings, Reason};
use tempfile::TempDir;

use crate::support::{Bench, JWKS, KEYS, Outcome, Provider, Reply, START, TestClock, discover, pass, until};

/// The one snapshot in the folder, once it is there.
async fn snapshot_in(folder: &Path) -> PathBuf {
    let find = || {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).find(|path| path.to_string_lossy().ends_with(".jwks.json"))
    };
    until(|| find().is_some()).await;
    find().unwrap()
}

fn start(folder: &Path, settings: IssuerSettings, wall: i64) -> Bench {
    Bench::with(TestClock::at(wall), |builder| builder.snapshots(folder).issuer(settings))
}

/// A folder with the snapshot of a provider that has gone down since, and the settings for it.
async fn outage() -> (TempDir, PathBuf, IssuerSettings, String) {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(&KEYS[..1]).await;
    let settings = discover(&provider);
    let _first = start(folder.path(), settings.clone(), START);
    let path = snapshot_in(folder.path()).await;
    (folder, path, settings, provider.issuer())
}

#[tokio::test]
async fn a_cold_start_during_an_outage_serves_from_the_disk() {
    let (folder, path, settings, issuer) = outage().await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let bench = start(folder.path(), settings, START + 1800);
    assert_eq!(bench.record.events("idp"), ["snapshot used"]);
    // Even before the first fetch has failed.
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &issuer)), Outcome::Accept);
    let status = bench.status();
    assert_eq!((status.state, status.source, status.usable), ("stale", Some("snapshot"), true));
    assert_eq!(
        (status.age_seconds, status.usable_for_seconds.map(|left| left / 10)),
        (Some(1800), Some(179))
    );

    bench.seen("failed: connect", 1).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &issuer)), Outcome::Accept);
    // The limit counts from the fetch, not from the restart.
    pass(Duration::from_secs(1801)).await;
    let late = bench.token(&KEYS[0], &issuer);
    assert_eq!(bench.outcome_at_once(&late), Outcome::Undecided(Reason::KeysStaleLimit));
}

#[tokio::test]
async fn the_first_fetch_takes_the_place_of_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(&KEYS[..1]).await;
    let first = start(folder.path(), discover(&provider), START);
    let path = snapshot_in(folder.path()).await;
    drop(first);
    let before = std::fs::read_to_string(&path).unwrap();
    provider.publish(&KEYS[1..2]);

    let bench = start(folder.path(), discover(&provider), START + 60);
    bench.seen("refreshed", 1).await;
    let status = bench.status();
    assert_eq!((status.state, status.source, status.keys.len()), ("fresh", Some("fetched"), 1));
    let old = bench.token(&KEYS[0], &provider.issuer());
    assert_eq!(bench.outcome(&old).await, Outcome::Reject(Reason::UnknownKid));
    until(|| std::fs::read_to_string(&path).unwrap() != before).await;
}

#[tokio::test]
async fn a_failed_refresh_leaves_the_snapshot_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = start(folder.path(), discover(&provider), START);
    let path = snapshot_in(folder.path()).await;
    let before = std::fs::read(&path).unwrap();
    for reply in [Reply::ok(r#"{"keys":[]}"#), Reply::ok("<html>"), Reply::status(500)] {
        provider.set(JWKS, reply);
        let failed = bench.status().failures;
        pass(Duration::from_secs(301)).await;
        until(|| bench.status().failures > failed).await;
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_snapshot_past_the_limit_is_refused() {
    for (wall, used) in [
        (START + 3500, true),
        (START + 3601, false),
        (START + 86_400, false),
        // The clock went back: by little, and by much.
        (START - 30, true),
        (START - 3600, false),
    ] {
        let (folder, _, settings, issuer) = outage().await;
        let bench = start(folder.path(), settings, wall);
        let events = bench.record.events("idp");
        let expected = if used { "snapshot used" } else { "snapshot refused: " };
        assert!(events[0].starts_with(expected), "{wall}: {events:?}");
        let outcome = bench.outcome(&bench.token(&KEYS[0], &issuer)).await;
        let expected = if used { Outcome::Accept } else { Outcome::Undecided(Reason::KeysUnavailable) };
        assert_eq!(outcome, expected, "{wall}");
        assert_eq!(bench.status().usable, used);
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_and_replaced() {
    let (folder, path, settings, issuer) = outage().await;
    let whole = std::fs::read_to_string(&path).unwrap();
    let kid = keyward_jose::Signer::kid(&KEYS[0]).unwrap();
    for damaged in [
        String::new(),
        "null".to_owned(),
        whole[..whole.len() - 40].to_owned(),
        whole.replace(kid, &kid.to_lowercase()),
        whole.replace("T", "t "),
    ] {
        std::fs::write(&path, damaged).unwrap();
        let bench = start(folder.path(), settings.clone(), START + 60);
        assert!(bench.record.events("idp")[0].starts_with("snapshot refused: "));
        let good = bench.token(&KEYS[0], &issuer);
        assert_eq!(bench.outcome(&good).await, Outcome::Undecided(Reason::KeysUnavailable));
    }
}

#[tokio::test]
async fn a_snapshot_of_another_issuer_or_another_place_is_refused() {
    let (folder, path, settings, issuer) = outage().await;
    let other = IssuerSettings::discover(&format!("{issuer}/other")).named("idp");
    // Where the other one's would be, once that one has told us by a first attempt to write there.
    let provider = Provider::start(&KEYS[1..2]).await;
    let theirs = {
        let folder = tempfile::tempdir().unwrap();
        let address = provider.url(JWKS).parse().unwrap();
        let from_there = IssuerSettings::jwks_uri(&format!("{issuer}/other"), address).named("idp");
        let _bench = start(folder.path(), from_there, START);
        snapshot_in(folder.path()).await.file_name().unwrap().to_owned()
    };
    std::fs::copy(&path, folder.path().join(theirs)).unwrap();
    let bench = start(folder.path(), other, START + 60);
    assert_eq!(bench.record.events("idp")[0], "snapshot refused: it is of another issuer");

    // The same issuer, whose keys are now said to be elsewhere: what the old place said counts no more.
    let elsewhere = IssuerSettings::jwks_uri(&issuer, provider.url("/down").parse().unwrap());
    for settings in [elsewhere, IssuerSettings::jwks_file(&issuer, "/nowhere/jwks.json")] {
        let bench = start(folder.path(), settings.named("idp"), START + 60);
        assert_eq!(bench.record.events("idp")[0], "snapshot refused: its keys came from another place");
        assert!(!bench.status().usable);
    }
    // As it was, it is used.
    assert!(start(folder.path(), settings, START + 60).status().usable);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_the_snapshot_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let not_a_folder = folder.path().join("file");
    std::fs::write(&not_a_folder, "").unwrap();
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = start(&not_a_folder, discover(&provider), START);
    bench.seen("snapshot not written", 1).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
}

#[tokio::test]
async fn a_snapshot_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(&KEYS[..1]).await;
    let address = provider.url(JWKS).replace("http://", "http://user:hunter2@") + "?apikey=hunter3";
    provider.set(&format!("{JWKS}?apikey=hunter3"), Reply::ok(crate::support::jwks(&KEYS[..1])));
    let settings = IssuerSettings {
        hmac_secret: Some(keyward::HmacSecret::new(b"a secret that is not to be on any disk".to_vec())),
        ..IssuerSettings::jwks_uri("https://idp.example", address.parse().unwrap())
    };
    let settings = settings.named("idp").algorithms([keyward::Algorithm::EdDsa, keyward::Algorithm::Hs256]);
    let _bench = start(folder.path(), settings, START);
    let text = std::fs::read_to_string(snapshot_in(folder.path()).await).unwrap();
    assert!(!text.contains("hunter") && !text.contains("not to be"), "{text}");
}

#[test]
fn a_disk_that_hangs_keeps_no_key_from_being_refreshed() {
    // One thread for whatever may block, and that one is busy: so is a disk that does not answer.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let (free, busy) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        tokio::task::spawn_blocking(move || busy.recv());
        let folder = tempfile::tempdir().unwrap();
        let provider = Provider::start(&KEYS[..1]).await;
        let bench = start(folder.path(), discover(&provider), START);
        bench.seen("refreshed", 1).await;
        for (count, signer) in KEYS[1..].iter().enumerate() {
            provider.publish([signer]);
            pass(Duration::from_secs(301)).await;
            bench.seen("refreshed", count + 2).await;
        }
        let new = bench.token(&KEYS[5], &provider.issuer());
        assert_eq!(bench.outcome_at_once(&new), Outcome::Accept);
        drop(free);
        // What was published last is what is there in the end.
        let kid = keyward_jose::Signer::kid(&KEYS[5]).unwrap();
        let path = snapshot_in(folder.path()).await;
        until(|| std::fs::read_to_string(&path).unwrap().contains(kid)).await;
    });
}
