//! Each kind is made, changed and deleted, and the log says by whom.

use std::fmt::Debug;

use keyward_authority::entity::{FormerHolder, Kept as _, Realm};
use keyward_authority::operations::{self, Expected, Managed, OperationError};
use keyward_authority::storage::Position;

use super::node::{NOW, Node, account, actor, client, identity, server, signer};
use crate::bench::{Bench, conformance};

conformance! {
    each_kind_comes_changes_and_goes_and_the_log_says_by_whom
    a_realm_comes_with_its_keys_and_goes_when_it_is_disabled_and_empty
    of_two_who_change_the_same_the_second_is_told_so
    of_two_nodes_that_make_the_same_client_one_does
}

/// Makes it, changes it, disables it, enables it and deletes it.
async fn live<K: Managed + Debug>(node: &Node, kept: K, changed: K, disabled: K, name: &str) {
    let begin = node.head().await;
    let (id, authority) = (kept.id(), &node.authority);
    let made = node.create("main", kept.clone()).await.unwrap();
    assert_eq!(operations::find::<K>(authority, "main", &id).await.unwrap(), made);
    assert!(matches!(node.create("main", kept.clone()).await, Err(OperationError::Exists { .. })));
    let mut position = made.position;
    for next in [changed.clone(), disabled, changed] {
        let now = operations::change(authority, &actor(), "main", next.clone(), Expected::At(position))
            .await
            .unwrap();
        assert!(now.position > position && now.entity == next);
        let again =
            operations::change(authority, &actor(), "main", next, Expected::At(now.position)).await.unwrap();
        assert_eq!(again.position, now.position, "what is so already is no event");
        position = now.position;
    }
    operations::remove::<K>(authority, &actor(), "main", &id, Expected::At(position)).await.unwrap();
    let gone = operations::find::<K>(authority, "main", &id).await;
    assert!(matches!(gone, Err(OperationError::NotFound { .. })));
    let mut events = node.events(begin).await;
    events.retain(|event| event.kind != FormerHolder::KIND.0);
    let done: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    let expected = ["created", "changed", "disabled", "enabled", "deleted"].map(|it| format!("{name}.{it}"));
    assert_eq!(done, expected);
    for event in &events {
        assert_eq!(
            (event.actor.as_str(), event.at_ms, event.id.as_str()),
            ("alice", NOW * 1000, id.as_str())
        );
    }
}

async fn each_kind_comes_changes_and_goes_and_the_log_says_by_whom(bench: Bench) {
    let node = Node::of(&bench).await;
    let mut changed = client("web");
    changed.scopes.push("write".to_owned());
    let mut disabled = changed.clone();
    disabled.enabled = false;
    live(&node, client("web"), changed, disabled, "client").await;

    let mut changed = account("robot");
    changed.description = "of the warehouse".to_owned();
    let mut disabled = changed.clone();
    disabled.enabled = false;
    live(&node, account("robot"), changed, disabled, "service_account").await;

    let mut changed = server("https://api.example/v1");
    changed.access_token_lifetime = None;
    let mut disabled = changed.clone();
    disabled.enabled = false;
    live(&node, server("https://api.example/v1"), changed, disabled, "resource_server").await;

    let mut changed = signer("idp");
    changed.scopes = vec!["read".to_owned()];
    let mut disabled = changed.clone();
    disabled.enabled = false;
    live(&node, signer("idp"), changed, disabled, "external_signer").await;

    node.create("main", signer("idp")).await.unwrap();
    let mut changed = identity("idp", "person/1");
    changed.scopes = vec!["read".to_owned()];
    let mut disabled = changed.clone();
    disabled.enabled = false;
    live(&node, identity("idp", "person/1"), changed, disabled, "identity").await;
    assert_eq!(node.store().verify().await.unwrap(), []);
}

async fn a_realm_comes_with_its_keys_and_goes_when_it_is_disabled_and_empty(bench: Bench) {
    let node = Node::of(&bench).await;
    let (authority, begin) = (&node.authority, node.head().await);
    let mut realm = Realm::new("second");
    realm.rotation.algorithms = vec!["ES256".to_owned(), "EdDSA".to_owned()];
    let made = node.create("second", realm.clone()).await.unwrap();
    let actions: Vec<_> = node.events(begin).await.into_iter().map(|event| event.action).collect();
    assert_eq!(
        actions,
        [
            "realm.created",
            "signing_key.generated",
            "signing_key.generated",
            "signing_key.activated",
            "signing_key.activated",
        ]
    );
    let ring = authority.ring("second").await.unwrap();
    assert!(ring.sign("at+jwt", b"{}", Some("EdDSA")).await.is_ok());

    let by = actor();
    let remove = |expected| operations::remove::<Realm>(authority, &by, "second", "second", expected);
    let names = operations::list_realms(authority, "", 10).await.unwrap();
    assert_eq!(names.iter().map(|found| found.entity.name.as_str()).collect::<Vec<_>>(), ["main", "second"]);
    assert!(matches!(remove(Expected::At(made.position)).await, Err(OperationError::InUse { .. })));
    node.create("second", client("web")).await.unwrap();
    realm.enabled = false;
    operations::change(authority, &actor(), "second", realm, Expected::At(made.position)).await.unwrap();
    assert!(matches!(remove(Expected::Any).await, Err(OperationError::InUse { .. })));
    operations::remove::<keyward_authority::entity::Client>(
        authority,
        &actor(),
        "second",
        "web",
        Expected::Any,
    )
    .await
    .unwrap();
    remove(Expected::Any).await.unwrap();
    let names = operations::list_realms(authority, "", 10).await.unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!(node.store().verify().await.unwrap(), []);
    node.create("second", Realm::new("second")).await.unwrap();
}

async fn of_two_who_change_the_same_the_second_is_told_so(bench: Bench) {
    let [one, other] = Node::two_of(&bench).await;
    let seen = one.create("main", client("web")).await.unwrap();
    let change = |node: &Node, description: &str| {
        let (node, mut client) = (node.clone(), seen.entity.clone());
        client.description = description.to_owned();
        let expected = Expected::At(seen.position);
        async move { operations::change(&node.authority, &actor(), "main", client, expected).await }
    };
    let (first, second) = tokio::join!(change(&one, "one"), change(&other, "other"));
    let refused = match (first, second) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("one, and only one: {both:?}"),
    };
    let OperationError::Conflict { expected, found, .. } = refused else { panic!("{refused}") };
    assert_eq!((expected, found), (seen.position, Position(seen.position.0 + 1)));
}

async fn of_two_nodes_that_make_the_same_client_one_does(bench: Bench) {
    let nodes = Node::two_of(&bench).await;
    for turn in 0..10 {
        let id = format!("web-{turn}");
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let (node, id) = (nodes[number % 2].clone(), id.clone());
                tokio::spawn(async move { node.create("main", client(&id)).await })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => made += 1,
                Err(OperationError::Exists { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(made, 1);
    }
}
