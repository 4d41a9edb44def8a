//! What cannot be so is refused, says what and why, and leaves nothing behind.

use std::fmt::Debug;

use keyward_authority::apply;
use keyward_authority::client_auth::key_files::KeyFileForm;
use keyward_authority::entity::{
    Client, ClientAuthMethod, ClientKind, GrantType, Key, Realm, ResourceServer, ServiceAccount, SignerKeys,
    TlsSubject,
};
use keyward_authority::operations::{self, Expected, KeyOwner, Managed, OperationError};
use keyward_jose::Algorithm;

use super::node::{NOW, Node, account, actor, client, identity, server, signer};
use crate::bench::{Bench, conformance};

conformance! {
    what_cannot_be_so_is_refused_with_the_member_and_leaves_nothing
    what_something_depends_on_has_to_be_there
    the_administration_cannot_be_taken_away_from_itself
    the_last_administrator_stays
}

type Change = fn(&mut Client);

/// What is wrong with it.
async fn refused<K: Managed + Debug>(node: &Node, kept: K) -> &'static str {
    let head = node.head().await;
    let OperationError::Invalid { what, why } = node.create("main", kept.clone()).await.unwrap_err() else {
        panic!("{kept:?} is not refused as it should be")
    };
    assert!(!why.is_empty());
    assert_eq!(node.head().await, head, "a refusal leaves nothing behind");
    what
}

async fn what_cannot_be_so_is_refused_with_the_member_and_leaves_nothing(bench: Bench) {
    let node = Node::of(&bench).await;
    let with = |change: &dyn Fn(&mut Client)| {
        let mut client = client("web");
        change(&mut client);
        client
    };
    let long = "a".repeat(129);
    for id in ["", "a/b", "../a", "a b", "a\0b", "ä", &long] {
        assert_eq!(refused(&node, with(&|it| it.id = id.to_owned())).await, "id", "{id:?}");
        let mut account = account("robot");
        account.id = id.to_owned();
        assert_eq!(refused(&node, account).await, "id");
    }
    let changes: [(&str, Change); 11] = [
        ("description", |it| it.description = "a\u{7}".to_owned()),
        ("description", |it| it.description = "a".repeat(513)),
        ("audiences", |it| it.audiences = vec!["a b".to_owned()]),
        ("scopes", |it| it.scopes = vec!["a".to_owned(); 2]),
        ("auth_methods", |it| it.auth_methods = vec![]),
        ("auth_methods", |it| it.auth_methods = vec![ClientAuthMethod::None]),
        ("auth_methods", |it| it.kind = ClientKind::Public),
        ("tls_subject", |it| it.auth_methods = vec![ClientAuthMethod::TlsClientAuth]),
        ("tls_subject", |it| it.tls_subject = Some(TlsSubject::Dns("a".to_owned()))),
        ("grant_types", |it| it.grant_types = vec![]),
        ("jwks_uri", |it| {
            it.auth_methods = vec![ClientAuthMethod::ClientSecretPost];
            it.jwks_uri = Some("https://a.example/jwks".to_owned());
        }),
    ];
    for (what, change) in changes {
        assert_eq!(refused(&node, with(&change)).await, what);
    }
    for address in [
        "",
        "a.example/jwks",
        "http://a.example/jwks",
        "ftp://a.example/jwks",
        "file:///etc/passwd",
        "data:application/json,{}",
        "https://user@a.example/jwks",
        "https://user:word@a.example/jwks",
        "https://a.example/jwks#keys",
        "https://169.254.169.254/latest",
        "https://[::ffff:169.254.169.254]/latest",
        "http://0.0.0.0/jwks",
        "https://0/jwks",
        "https://[fe80::1]/jwks",
        "https://224.0.0.1/jwks",
        &format!("https://a.example/{}", "a".repeat(2048)),
    ] {
        let at = |it: &mut Client| it.jwks_uri = Some(address.to_owned());
        assert_eq!(refused(&node, with(&at)).await, "jwks_uri", "{address}");
        let account = ServiceAccount { jwks_uri: Some(address.to_owned()), ..account("robot") };
        assert_eq!(refused(&node, account).await, "jwks_uri", "{address}");
    }
    let public = |it: &mut Client| {
        (it.kind, it.auth_methods) = (ClientKind::Public, vec![ClientAuthMethod::None]);
        it.grant_types = vec![GrantType::ClientCredentials];
    };
    assert_eq!(refused(&node, with(&public)).await, "grant_types");

    let with = |change: &dyn Fn(&mut ResourceServer)| {
        let mut server = server("api");
        change(&mut server);
        server
    };
    assert_eq!(refused(&node, with(&|it| it.audience = "https://a/#b".to_owned())).await, "audience");
    assert_eq!(refused(&node, with(&|it| it.algorithm = Some("HS256".to_owned()))).await, "algorithm");
    assert_eq!(refused(&node, with(&|it| it.access_token_lifetime = Some(0))).await, "access_token_lifetime");
    let mut idp = signer("idp");
    idp.keys = SignerKeys::JwksUri("http://idp.example/jwks".to_owned());
    assert_eq!(refused(&node, idp).await, "keys");
    let mut idp = signer("idp");
    idp.issuer = "file:///etc/passwd".to_owned();
    assert_eq!(refused(&node, idp).await, "issuer");

    let brief = Realm { access_token_lifetime: 0, ..Realm::new("second") };
    assert_eq!(refused(&node, brief).await, "access_token_lifetime");
    let mut realm = Realm::new("second");
    realm.rotation.algorithms = vec!["none".to_owned()];
    assert_eq!(refused(&node, realm).await, "rotation");
    assert_eq!(refused(&node, Realm::new("Second")).await, "name");
}

async fn what_something_depends_on_has_to_be_there(bench: Bench) {
    let node = Node::of(&bench).await;
    let missing = |result: Result<_, _>| matches!(result.map(drop), Err(OperationError::NotFound { .. }));
    assert!(missing(node.create("nobody", client("web")).await.map(|_| ())));
    assert!(missing(node.create("main", identity("idp", "1")).await.map(|_| ())));
    let changed = operations::change(&node.authority, &actor(), "main", client("web"), Expected::Any).await;
    assert!(missing(changed.map(|_| ())));
    let removed =
        operations::remove::<Client>(&node.authority, &actor(), "main", "w\0b", Expected::Any).await;
    assert!(missing(removed));

    node.create("main", client("web")).await.unwrap();
    let same = node.create("main", account("web")).await;
    assert!(matches!(same, Err(OperationError::Exists { .. })), "a subject is one of both");
    node.create("main", signer("idp")).await.unwrap();
    let mut impostor = identity("idp", "1");
    impostor.subject = "web".to_owned();
    assert!(matches!(node.create("main", impostor).await, Err(OperationError::Exists { .. })));
    let mut other = signer("idp");
    other.issuer = "https://other.example".to_owned();
    let moved = operations::change(&node.authority, &actor(), "main", other, Expected::Any).await;
    assert!(matches!(moved, Err(OperationError::Invalid { .. })));
}

async fn the_administration_cannot_be_taken_away_from_itself(bench: Bench) {
    let node = Node::of(&bench).await;
    let (authority, by) = (&node.authority, actor());
    node.create("admin", Realm::new("admin")).await.unwrap();
    let admin = server(keyward_authority::admin::AUDIENCE);
    node.create("admin", admin.clone()).await.unwrap();
    let in_use = |result: Result<(), OperationError>| matches!(result, Err(OperationError::InUse { .. }));
    let realm = Realm { enabled: false, ..Realm::new("admin") };
    assert!(in_use(operations::change(authority, &by, "admin", realm, Expected::Any).await.map(drop)));
    assert!(in_use(operations::remove::<Realm>(authority, &by, "admin", "admin", Expected::Any).await));
    let server = ResourceServer { enabled: false, ..admin.clone() };
    assert!(in_use(operations::change(authority, &by, "admin", server, Expected::Any).await.map(drop)));
    let removed =
        operations::remove::<ResourceServer>(authority, &by, "admin", &admin.audience, Expected::Any).await;
    assert!(in_use(removed));
}

async fn the_last_administrator_stays(bench: Bench) {
    let node = Node::of(&bench).await;
    let (authority, by) = (&node.authority, actor());
    node.create("admin", Realm::new("admin")).await.unwrap();
    let write = vec!["authority.write".to_owned()];
    let audience = keyward_authority::admin::AUDIENCE.to_owned();
    let admin = ResourceServer { scopes: write.clone(), ..server(&audience) };
    node.create("admin", admin.clone()).await.unwrap();
    let root = |id: &str| {
        let (scopes, audiences) = (write.clone(), vec![audience.clone()]);
        ServiceAccount { scopes, audiences, ..account(id) }
    };
    let in_use = |result: Result<(), OperationError>| matches!(result, Err(OperationError::InUse { .. }));
    let with_key = async |id: &str| {
        node.create("admin", root(id)).await.unwrap();
        let owner = KeyOwner::ServiceAccount(id.to_owned());
        let (algorithm, form) = (Algorithm::Es256, KeyFileForm::Jwk);
        let made = operations::generate_key(authority, &by, "admin", &owner, algorithm, form, None).await;
        made.unwrap().0.entity
    };
    let removed = async |id: &str| {
        operations::remove::<ServiceAccount>(authority, &by, "admin", id, Expected::Any).await
    };
    let key = with_key("root").await;
    // Whoever has no key is none.
    node.create("admin", root("spare")).await.unwrap();
    assert!(in_use(removed("root").await));
    let disabled = ServiceAccount { enabled: false, ..root("root") };
    let changed = operations::change(authority, &by, "admin", disabled, Expected::Any).await;
    assert!(in_use(changed.map(drop)));
    let less = ServiceAccount { scopes: vec![], ..root("root") };
    assert!(in_use(operations::change(authority, &by, "admin", less, Expected::Any).await.map(drop)));
    let id = format!("service_account/root/{}", key.kid);
    assert!(in_use(operations::remove::<Key>(authority, &by, "admin", &id, Expected::Any).await));
    let over = Key { expires_at: Some(NOW), ..key };
    assert!(in_use(operations::change(authority, &by, "admin", over, Expected::Any).await.map(drop)));
    let other = ResourceServer { scopes: vec![], ..admin };
    assert!(in_use(operations::change(authority, &by, "admin", other, Expected::Any).await.map(drop)));
    let mut file = apply::current(authority, "admin").await.unwrap().unwrap();
    file.service_accounts.retain(|account| account.id != "root");
    file.keys.clear();
    let steps = apply::plan(apply::current(authority, "admin").await.unwrap().as_ref(), &file);
    assert!(!steps.is_empty() && in_use(apply::apply(authority, &by, &file, &steps).await));

    with_key("second").await;
    removed("root").await.unwrap();
    assert!(in_use(removed("second").await));
    removed("spare").await.unwrap();
    assert_eq!(node.store().verify().await.unwrap(), []);
}
