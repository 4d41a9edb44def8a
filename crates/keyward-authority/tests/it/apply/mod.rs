//! A realm becomes what a file says.

mod random;

use keyward_authority::apply::{RealmFile, apply, current, export, plan};
use keyward_authority::client_auth::key_files::KeyFileForm;
use keyward_authority::entity::{Client, Key, Secret};
use keyward_authority::operations::{self, Expected, KeyOwner, OperationError};
use keyward_jose::Algorithm;

use crate::bench::{Bench, conformance};
use crate::operations::node::{Node, account, actor, client, server, signer};

conformance! {
    what_is_exported_is_written_again_to_the_byte_and_changes_nothing
    a_realm_that_is_not_there_comes_with_its_keys_from_a_file
    a_plan_that_is_no_longer_true_does_nothing
    what_cannot_be_done_as_a_whole_is_not_done_in_part
    secrets_of_clients_that_stay_are_left_alone
}

async fn planned(node: &Node, file: &RealmFile) -> Vec<keyward_authority::apply::Step> {
    plan(current(&node.authority, &file.realm.name).await.unwrap().as_ref(), file)
}

/// Plans and applies, and says what was done.
async fn make_so(node: &Node, file: &RealmFile) -> Result<Vec<String>, OperationError> {
    let steps = planned(node, file).await;
    apply(&node.authority, &actor(), file, &steps).await?;
    Ok(steps.iter().map(ToString::to_string).collect())
}

/// A node whose realm `main` has one of each.
async fn furnished(bench: &Bench) -> Node {
    let node = Node::of(bench).await;
    node.create("main", server("https://api.example/v1")).await.unwrap();
    node.create("main", signer("idp")).await.unwrap();
    node.create("main", account("robot")).await.unwrap();
    node.create("main", client("web")).await.unwrap();
    for owner in [KeyOwner::Client("web".to_owned()), KeyOwner::ServiceAccount("robot".to_owned())] {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            operations::generate_key(
                &node.authority,
                &actor(),
                "main",
                &owner,
                algorithm,
                KeyFileForm::Jwk,
                Some(1_900_000_000),
            )
            .await
            .unwrap();
        }
    }
    node
}

async fn what_is_exported_is_written_again_to_the_byte_and_changes_nothing(bench: Bench) {
    let node = furnished(&bench).await;
    let text = export(&node.authority, "main").await.unwrap();
    let file = RealmFile::parse(&text).unwrap();
    let head = node.head().await;
    assert_eq!(make_so(&node, &file).await.unwrap(), Vec::<String>::new());
    assert_eq!(node.head().await, head, "a plan without steps is no event");

    let changed = text.replace("a client", "the client").replacen("enabled = true", "enabled = false", 1);
    let file = RealmFile::parse(&changed).unwrap();
    assert_eq!(make_so(&node, &file).await.unwrap(), ["~ realm main: enabled", "~ client web: description"]);
    assert_eq!(export(&node.authority, "main").await.unwrap(), changed);
    assert_eq!(make_so(&node, &file).await.unwrap(), Vec::<String>::new());
    assert!(matches!(export(&node.authority, "nobody").await, Err(OperationError::NotFound { .. })));
    assert!(matches!(export(&node.authority, "no\0body").await, Err(OperationError::NotFound { .. })));
}

async fn a_realm_that_is_not_there_comes_with_its_keys_from_a_file(bench: Bench) {
    let node = furnished(&bench).await;
    let text = export(&node.authority, "main").await.unwrap().replace("name = \"main\"", "name = \"second\"");
    let file = RealmFile::parse(&text).unwrap();
    let done = make_so(&node, &file).await.unwrap();
    assert_eq!(
        done[..5],
        [
            "+ realm second",
            "+ resource server https://api.example/v1",
            "+ external signer idp",
            "+ service account robot",
            "+ client web",
        ]
    );
    assert_eq!(done.len(), 9);
    assert_eq!(export(&node.authority, "second").await.unwrap(), text);
    let ring = node.authority.ring("second").await.unwrap();
    assert!(ring.sign("at+jwt", b"{}", None).await.is_ok());

    // A file without anything else empties it, owners after what is theirs.
    let empty = RealmFile {
        realm: file.realm.clone(),
        resource_servers: vec![],
        external_signers: vec![],
        service_accounts: vec![],
        clients: vec![],
        keys: vec![],
    };
    assert_eq!(make_so(&node, &empty).await.unwrap().len(), 8);
    assert_eq!(current(&node.authority, "second").await.unwrap(), Some(empty));
    assert_eq!(node.store().verify().await.unwrap(), []);
}

async fn a_plan_that_is_no_longer_true_does_nothing(bench: Bench) {
    let node = furnished(&bench).await;
    let text = export(&node.authority, "main").await.unwrap();
    let file = RealmFile::parse(&text.replace("a client", "the client")).unwrap();
    let steps = planned(&node, &file).await;
    operations::remove::<Client>(&node.authority, &actor(), "main", "web", Expected::Any).await.unwrap();
    let head = node.head().await;
    let refused = apply(&node.authority, &actor(), &file, &steps).await;
    assert!(matches!(refused, Err(OperationError::Outdated { .. })), "{refused:?}");
    assert_eq!(node.head().await, head);
    make_so(&node, &file).await.unwrap();
}

async fn what_cannot_be_done_as_a_whole_is_not_done_in_part(bench: Bench) {
    let node = furnished(&bench).await;
    let text = export(&node.authority, "main").await.unwrap();
    for (from, to) in [
        ("id = \"web\"", "id = \"w/b\""),
        ("issuer = \"https://idp.example\"", "issuer = \"https://other.example\""),
        ("owner = \"client/web\"", "owner = \"client/nobody\""),
        ("kty = \"EC\"", "kty = \"oct\""),
        ("publish_for = 7200", "publish_for = 1"),
    ] {
        let head = node.head().await;
        let changed = text.replace("a client", "the client").replace(from, to);
        assert_ne!(changed, text.replace("a client", "the client"), "{from}");
        let refused = make_so(&node, &RealmFile::parse(&changed).unwrap()).await;
        assert!(
            matches!(refused, Err(OperationError::Invalid { .. } | OperationError::NotFound { .. })),
            "{to}: {refused:?}"
        );
        assert_eq!(node.head().await, head, "{to}");
    }
}

async fn secrets_of_clients_that_stay_are_left_alone(bench: Bench) {
    let node = furnished(&bench).await;
    let (authority, by) = (&node.authority, actor());
    operations::add_secret(authority, &by, "main", "web", "first", None).await.unwrap();
    let text = export(authority, "main").await.unwrap();
    assert!(!text.contains("argon2") && !text.contains("sealed"));
    let mut file = RealmFile::parse(&text).unwrap();
    file.clients[0].description = "otherwise".to_owned();
    file.keys.retain(|key| key.owner != "client/web");
    make_so(&node, &file).await.unwrap();
    assert_eq!(operations::list::<Secret>(authority, "main", "web/", "", 9).await.unwrap().len(), 1);
    assert_eq!(operations::list::<Key>(authority, "main", "client/web/", "", 9).await.unwrap().len(), 0);
    assert_eq!(operations::list::<Key>(authority, "main", "", "", 9).await.unwrap().len(), 2);
}
