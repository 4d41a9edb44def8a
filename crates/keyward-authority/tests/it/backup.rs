//! The log in a file, and databases made of it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use keyward_authority::storage::{
    Action, Actor, BackupError, Change, Entity, Kind, Position, Store, StoreError,
};

use crate::bench::{Bench, conformance};

conformance! {
    what_was_backed_up_is_restored_to_the_octet
    a_backup_is_taken_while_others_write_and_is_whole
    a_file_that_is_not_as_it_was_written_changes_nothing
    nothing_is_restored_over_something
    an_export_shows_everything_but_secrets
    who_only_reads_changes_nothing
}

fn change(kind: &'static str, id: &str, body: Option<&str>) -> Change {
    let entity = Entity { kind: Kind(kind), realm: "main".to_owned(), id: id.to_owned() };
    Change { action: Action("test.put"), entity, body: body.map(str::to_owned) }
}

async fn commit(store: &Store, changes: &[Change]) {
    let mut command = store.command(Actor("who \"quotes\" \u{2028}".to_owned()), 7).await.unwrap();
    for change in changes {
        command.append(change).await.unwrap();
    }
    command.commit().await.unwrap();
}

/// More than a batch of events: of kinds that this version knows, and of one that it does not.
async fn fill(store: &Store) {
    let numbered: Vec<_> = (0..1100)
        .map(|n| change("client", &format!("c{}", n % 700), Some(&format!(r#"{{ "n" : {n} }}"#))))
        .collect();
    commit(store, &numbered).await;
    commit(
        store,
        &[
            change("secret", "c1/a", Some(r#"{"client":"c1","hash":"$argon2id$HASH"}"#)),
            change("signing_key", "k", Some(r#"{"kid":"k","private":{"sealed":"SEALED"}}"#)),
            change("refresh_family", "c1/f", Some(r#"{"current":"CURRENT"}"#)),
            change("of a later version", "x", Some("\u{fe}\u{1f511}\\n{")),
            change("client", "c2", None),
        ],
    )
    .await;
}

/// A database of the other engine as well, where there is a server.
async fn empty(bench: &Bench, test: &str) -> Vec<Bench> {
    let mut benches = vec![Bench::sqlite()];
    let engine = if bench.is_shared() { "p" } else { "s" };
    benches.extend(Bench::postgres(&format!("{test}_{engine}")).await);
    benches
}

async fn what_was_backed_up_is_restored_to_the_octet(bench: Bench) {
    let store = bench.open().await;
    fill(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    let mut told = Vec::new();
    assert_eq!(store.backup(&path, |progress| told.push(progress.done.0)).await.unwrap(), Position(1105));
    assert_eq!(told, [500, 1000, 1105]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    for other in empty(&bench, "restored").await {
        let restored = other.open().await;
        assert_eq!(restored.restore(&path, |_| ()).await.unwrap(), Position(1105));
        let log = async |store: &Store| store.events(Position(0), 2000).await.unwrap();
        assert_eq!(log(&restored).await, log(&store).await);
        let again = folder.path().join("again");
        restored.backup(&again, |_| ()).await.unwrap();
        assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
        commit(&restored, &[change("client", "new", Some("{}"))]).await;
        assert_eq!(
            (restored.head().await.unwrap(), restored.verify().await.unwrap()),
            (Position(1106), vec![])
        );
        assert_eq!(exported(&restored).await.len(), exported(&store).await.len() + 1);
        fs::remove_file(&again).unwrap();
    }
}

async fn a_backup_is_taken_while_others_write_and_is_whole(bench: Bench) {
    let store = bench.open().await;
    fill(&store).await;
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                commit(&store, &[change("client", "busy", Some("{}"))]).await;
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    let reader = Store::open_to_read(&bench.address).await.unwrap();
    for _ in 0..5 {
        let head = reader.backup(&path, |_| ()).await.unwrap();
        let restored = Bench::sqlite();
        assert_eq!(restored.open().await.restore(&path, |_| ()).await.unwrap(), head);
    }
    writing.abort();
}

async fn a_file_that_is_not_as_it_was_written_changes_nothing(bench: Bench) {
    let source = Bench::sqlite();
    let store = source.open().await;
    commit(&store, &["a", "b", "c"].map(|id| change("client", id, Some("{}")))).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    store.backup(&path, |_| ()).await.unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let restored = bench.open().await;
    let refused = async |text: &[u8]| {
        fs::write(&path, text).unwrap();
        let error = restored.restore(&path, |_| ()).await.unwrap_err();
        assert_eq!((restored.head().await.unwrap(), restored.verify().await.unwrap()), (Position(0), vec![]));
        assert!(error.to_string().contains("a.backup"), "{error}");
        error
    };
    for end in 0..whole.len() {
        refused(&whole.as_bytes()[..end]).await;
    }
    assert!(matches!(
        refused(&whole.as_bytes()[..whole.len() - 1]).await,
        BackupError::Truncated { line: 4, .. }
    ));
    assert!(matches!(refused(whole.replace("\"b\"", "\"x\"").as_bytes()).await, BackupError::Damaged { .. }));
    assert!(matches!(refused(format!("{whole}\n").as_bytes()).await, BackupError::Damaged { .. }));
    let gap = joined(&[lines[0], lines[1], lines[3], lines[4]]);
    assert!(matches!(refused(gap.as_bytes()).await, BackupError::Gap { line: 3, expected: 2, .. }));
    let newer = whole.replace("\"keyward_backup\":1", "\"keyward_backup\":2");
    assert!(matches!(refused(newer.as_bytes()).await, BackupError::Format { format: 2, known: 1, .. }));
    assert!(matches!(refused(b"{}\n").await, BackupError::Line { line: 1, .. }));
    fs::write(&path, &whole).unwrap();
    assert_eq!(restored.restore(&path, |_| ()).await.unwrap(), Position(3));
}

async fn nothing_is_restored_over_something(bench: Bench) {
    let store = bench.open().await;
    fill(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    store.backup(&path, |_| ()).await.unwrap();
    let refused = store.restore(&path, |_| ()).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty { head: 1105 })), "{refused:?}");
    let nowhere = store.backup(Path::new("/nowhere/a.backup"), |_| ()).await.unwrap_err();
    assert!(nowhere.to_string().starts_with("/nowhere/a.backup: "), "{nowhere}");
}

async fn exported(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    let line = |line: &str| {
        lines.push(line.to_owned());
        Ok::<_, StoreError>(())
    };
    store.export(line).await.unwrap();
    lines
}

async fn an_export_shows_everything_but_secrets(bench: Bench) {
    let store = bench.open().await;
    fill(&store).await;
    let lines = exported(&store).await;
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), 703);
    let whole = lines.join("\n");
    for secret in ["HASH", "SEALED", "CURRENT", "\u{1f511}"] {
        assert!(!whole.contains(secret), "{secret}");
    }
    assert!(lines.contains(
        &r#"{"kind":"client","realm":"main","id":"c3","position":704,"entity":{"n":703}}"#.to_owned()
    ));
    let key = r#"{"kind":"signing_key","realm":"main","id":"k","position":1102,"entity":{"kid":"k"}}"#;
    assert!(lines.contains(&key.to_owned()));
}

async fn who_only_reads_changes_nothing(bench: Bench) {
    let missing = Store::open_to_read(&bench.address).await.map(drop);
    assert!(missing.is_err());
    let store = bench.open().await;
    fill(&store).await;
    let reader = Store::open_to_read(&bench.address).await.unwrap();
    assert_eq!((reader.head().await.unwrap(), reader.verify().await.unwrap()), (Position(1105), vec![]));
    assert!(reader.command(Actor("test".to_owned()), 0).await.is_err());
    assert!(reader.rebuild().await.is_err() && reader.use_once("jti", 1).await.is_err());
    commit(&store, &[change("client", "new", Some("{}"))]).await;
    assert_eq!(reader.head().await.unwrap(), Position(1106));
}
