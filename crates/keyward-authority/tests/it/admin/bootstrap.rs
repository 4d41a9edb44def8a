//! The first administrator.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use keyward_authority::admin::{AUDIENCE, BootstrapError, bootstrap};
use keyward_authority::entity::{Key, Realm, ResourceServer, ServiceAccount};
use keyward_authority::operations;
use keyward_authority::storage::Position;
use serde_json::Value;

use crate::bench::{Bench, conformance};
use crate::operations::node::Node;

conformance! {
    a_first_administrator_is_made_once_and_its_key_is_in_the_file_alone
    of_two_nodes_that_begin_at_once_one_makes_the_administrator
    what_goes_wrong_leaves_nothing_behind
}

fn file(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

async fn a_first_administrator_is_made_once_and_its_key_is_in_the_file_alone(bench: Bench) {
    let (node, folder) = (Node::new(bench.open().await), tempfile::tempdir().unwrap());
    let path = file(
        folder.path(),
        "bootstrap.toml",
        "key_file = \"root.json\"\nservice_account = \"root\"\n",
        0o600,
    );
    let made = bootstrap(&node.authority, &path).await.unwrap();
    assert_eq!((made.service_account.as_str(), &made.key_file), ("root", &folder.path().join("root.json")));
    assert_eq!(fs::metadata(&made.key_file).unwrap().permissions().mode() & 0o777, 0o600);
    let key: Value = serde_json::from_str(&fs::read_to_string(&made.key_file).unwrap()).unwrap();
    assert_eq!(
        (&key["type"], &key["userId"], &key["keyId"]),
        (&"serviceaccount".into(), &"root".into(), &made.kid.as_str().into())
    );
    assert!(!node.log().await.contains("PRIVATE KEY"));

    let authority = &node.authority;
    assert!(operations::find::<Realm>(authority, "admin", "admin").await.unwrap().entity.enabled);
    let root = operations::find::<ServiceAccount>(authority, "admin", "root").await.unwrap().entity;
    assert_eq!((root.audiences, root.scopes.len()), (vec![AUDIENCE.to_owned()], 2));
    let server = operations::find::<ResourceServer>(authority, "admin", AUDIENCE).await.unwrap().entity;
    assert_eq!(server.scopes, root.scopes);
    operations::find::<Key>(authority, "admin", &format!("service_account/root/{}", made.kid)).await.unwrap();
    assert!(node.events(Position(0)).await.iter().all(|event| event.actor == "bootstrap"));

    let again = file(folder.path(), "again.toml", "key_file = \"other.json\"\n", 0o600);
    let refused = bootstrap(authority, &again).await;
    assert!(matches!(refused, Err(BootstrapError::NotEmpty { .. })), "{refused:?}");
    assert!(!folder.path().join("other.json").exists());
}

async fn of_two_nodes_that_begin_at_once_one_makes_the_administrator(bench: Bench) {
    let one = Node::new(bench.open().await);
    let other = if bench.is_shared() { Node::new(bench.open().await) } else { one.clone() };
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| {
        file(folder.path(), &format!("{name}.toml"), &format!("key_file = \"{name}.json\"\n"), 0o600)
    });
    let (first, second) =
        tokio::join!(bootstrap(&one.authority, &paths[0]), bootstrap(&other.authority, &paths[1]));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let written = ["a.json", "b.json"].map(|name| folder.path().join(name).exists());
    assert_eq!(written, [first.is_ok(), second.is_ok()]);
}

async fn what_goes_wrong_leaves_nothing_behind(bench: Bench) {
    let (node, folder) = (Node::new(bench.open().await), tempfile::tempdir().unwrap());
    let good = "key_file = \"root.json\"\n";
    let cases = [
        (good, 0o640, "0640"),
        ("key_file = 1\n", 0o600, "line 1"),
        ("key_file = \"root.json\"\npassword = \"x\"\n", 0o600, "unknown field `password`"),
        ("key_file = \"root.json\"\nservice_account = \"a/b\"\n", 0o600, "id: must be"),
        ("key_file = \"no/such/folder/root.json\"\n", 0o600, "cannot be written"),
    ];
    for (text, mode, expected) in cases {
        let path = file(folder.path(), "bootstrap.toml", text, mode);
        let error = bootstrap(&node.authority, &path).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(node.head().await, Position(0));
        assert!(!folder.path().join("root.json").exists());
    }
    let path = file(folder.path(), "bootstrap.toml", good, 0o600);
    fs::write(folder.path().join("root.json"), "somebody else's").unwrap();
    assert!(matches!(bootstrap(&node.authority, &path).await, Err(BootstrapError::KeyFile { .. })));
    assert_eq!(fs::read_to_string(folder.path().join("root.json")).unwrap(), "somebody else's");
    fs::remove_file(folder.path().join("root.json")).unwrap();
    bootstrap(&node.authority, &path).await.unwrap();
}
