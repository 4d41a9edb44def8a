//! Keys and secrets, and what goes where their owner goes.

use keyward_authority::client_auth::key_files::{KeyFileForm, Uploaded};
use keyward_authority::entity::{
    Client, ExternalSigner, Identity, Kept as _, Key, RefreshFamily, Secret, Subject, SubjectType,
};
use keyward_authority::operations::{self, Expected, KeyOwner, OperationError};
use keyward_authority::storage::{Action, Change, Entity};
use keyward_jose::{Algorithm, LocalSigner, Signer};
use serde_json::json;

use super::node::{Node, account, actor, client, identity, signer};
use crate::bench::{Bench, conformance};

conformance! {
    a_secret_is_shown_once_and_kept_as_a_hash_and_there_are_three_at_most
    keys_are_brought_or_made_and_no_private_half_is_kept
    what_belongs_to_a_client_goes_with_it
    what_leads_to_an_identity_goes_with_it
    signing_keys_are_replaced_on_demand_and_one_that_signs_is_not_retired
}

async fn add_secret(node: &Node, name: &str) -> Result<String, OperationError> {
    let added =
        operations::add_secret(&node.authority, &actor(), "main", "web", name, Some(2_000_000_000)).await;
    added.map(|(_, plain)| plain.to_string())
}

async fn a_secret_is_shown_once_and_kept_as_a_hash_and_there_are_three_at_most(bench: Bench) {
    let node = Node::of(&bench).await;
    assert!(matches!(add_secret(&node, "a").await, Err(OperationError::NotFound { .. })));
    node.create("main", client("web")).await.unwrap();
    let (first, second) = (add_secret(&node, "a").await.unwrap(), add_secret(&node, "b").await.unwrap());
    assert!(first.len() == 43 && first != second);
    assert!(matches!(add_secret(&node, "a").await, Err(OperationError::Exists { .. })));
    add_secret(&node, "c").await.unwrap();
    assert!(matches!(add_secret(&node, "d").await, Err(OperationError::TooMany { limit: 3, .. })));
    let log = node.log().await;
    assert!(log.contains("$argon2id$") && !log.contains(&first) && !log.contains(&second));

    let found = operations::find::<Secret>(&node.authority, "main", "web/a").await.unwrap();
    let disabled = Secret { enabled: false, ..found.entity.clone() };
    let (by, expected) = (actor(), Expected::At(found.position));
    operations::change(&node.authority, &by, "main", disabled.clone(), expected).await.unwrap();
    let hash = operations::find::<Secret>(&node.authority, "main", "web/b").await.unwrap().entity.hash;
    let other = Secret { hash, ..disabled };
    let refused = operations::change(&node.authority, &actor(), "main", other, Expected::Any).await;
    assert!(matches!(refused, Err(OperationError::Invalid { what: "hash", .. })), "{refused:?}");
}

async fn keys_are_brought_or_made_and_no_private_half_is_kept(bench: Bench) {
    let node = Node::of(&bench).await;
    let (authority, by) = (&node.authority, actor());
    node.create("main", account("robot")).await.unwrap();
    let owner = KeyOwner::ServiceAccount("robot".to_owned());
    let signer = LocalSigner::generate(Algorithm::Es256, None).unwrap();
    let mut jwk = serde_json::to_value(signer.public_jwk()).unwrap();
    jwk["comment"] = json!({"a": null});
    let uploaded = operations::upload_key(authority, &by, "main", &owner, &Uploaded::Jwk(jwk.clone()), None)
        .await
        .unwrap();
    assert_eq!(uploaded.entity.jwk.get("comment"), None, "what is no part of the key is not kept");
    let again =
        operations::upload_key(authority, &by, "main", &owner, &Uploaded::Jwk(jwk.clone()), None).await;
    assert!(matches!(again, Err(OperationError::Exists { .. })));
    jwk["d"] = "c2VjcmV0LXByaXZhdGU".into();
    let private = operations::upload_key(authority, &by, "main", &owner, &Uploaded::Jwk(jwk), None).await;
    assert!(matches!(private, Err(OperationError::Invalid { what: "key", .. })));

    for form in [KeyFileForm::Jwk, KeyFileForm::Pem, KeyFileForm::Zitadel] {
        let (made, generated) =
            operations::generate_key(authority, &by, "main", &owner, Algorithm::EdDsa, form, None)
                .await
                .unwrap();
        assert!(generated.file.contains(&made.entity.kid) || form == KeyFileForm::Pem);
        let log = node.log().await;
        assert!(!log.contains("PRIVATE") && !log.contains("\\\"d\\\""), "a private half is in the log");
    }
    let nobody = KeyOwner::Client("robot".to_owned());
    let refused =
        operations::generate_key(authority, &by, "main", &nobody, Algorithm::EdDsa, KeyFileForm::Jwk, None)
            .await;
    assert!(matches!(refused, Err(OperationError::NotFound { .. })));

    let begin = node.head().await;
    let disabled = Key { enabled: false, ..uploaded.entity.clone() };
    let id = format!("service_account/robot/{}", disabled.kid);
    operations::change(authority, &by, "main", disabled, Expected::At(uploaded.position)).await.unwrap();
    operations::remove::<Key>(authority, &by, "main", &id, Expected::Any).await.unwrap();
    let done: Vec<_> = node.events(begin).await.into_iter().map(|event| event.action).collect();
    assert_eq!(done, ["service_account_key.disabled", "service_account_key.deleted"]);
}

async fn what_belongs_to_a_client_goes_with_it(bench: Bench) {
    let node = Node::of(&bench).await;
    let authority = &node.authority;
    for id in ["web", "web2"] {
        node.create("main", client(id)).await.unwrap();
        let owner = KeyOwner::Client(id.to_owned());
        let algorithm = Algorithm::Es256;
        operations::generate_key(authority, &actor(), "main", &owner, algorithm, KeyFileForm::Jwk, None)
            .await
            .unwrap();
        operations::add_secret(authority, &actor(), "main", id, "a", None).await.unwrap();
        let family = RefreshFamily {
            id: "f1".to_owned(),
            client: id.to_owned(),
            subject: "somebody".to_owned(),
            subject_type: SubjectType::Identity,
            audiences: vec![],
            scopes: vec![],
            current: "hash".to_owned(),
            generation: 1,
            confirmation: None,
            actor: None,
            began_at: 0,
            expires_at: 2_000_000_000,
            revoked: false,
        };
        let mut command = node.store().command(actor(), 0).await.unwrap();
        let body = Some(serde_json::to_string(&family).unwrap());
        let entity = keyward_authority::entity::Kept::entity(&family, "main");
        command.append(&Change { action: Action("refresh_family.created"), entity, body }).await.unwrap();
        command.commit().await.unwrap();
    }
    operations::remove::<Client>(authority, &actor(), "main", "web", Expected::Any).await.unwrap();
    let left = |kind, prefix: &'static str| node.store().page(kind, "main", prefix, "", 10);
    for (kind, of_web, of_other) in [
        (Key::KIND, "client/web/", "client/web2/"),
        (Secret::KIND, "web/", "web2/"),
        (RefreshFamily::KIND, "web/", "web2/"),
    ] {
        assert_eq!(left(kind, of_web).await.unwrap(), []);
        assert_eq!(left(kind, of_other).await.unwrap().len(), 1);
    }
    let gone = Entity { kind: Client::KIND, realm: "main".to_owned(), id: "web".to_owned() };
    assert_eq!(node.store().read(&gone).await.unwrap(), None);
    assert_eq!(node.store().verify().await.unwrap(), []);
}

async fn what_leads_to_an_identity_goes_with_it(bench: Bench) {
    let node = Node::of(&bench).await;
    node.create("main", signer("idp")).await.unwrap();
    for id in ["a", "ab", "b", "c"] {
        let identity = identity("idp", id);
        node.create("main", identity.clone()).await.unwrap();
        let Identity { subject, signer, mut external_id, .. } = identity;
        // Somebody else had the subject of this one before.
        if id == "c" {
            "other".clone_into(&mut external_id);
        }
        let subject = Subject { subject, signer, external_id };
        let mut command = node.store().command(actor(), 0).await.unwrap();
        let body = Some(serde_json::to_string(&subject).unwrap());
        let entity = subject.entity("main");
        command.append(&Change { action: Action("subject.made"), entity, body }).await.unwrap();
        command.commit().await.unwrap();
    }
    let left = async || {
        let left = node.store().page(Subject::KIND, "main", "", "", 10).await.unwrap();
        left.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    let by = actor();
    operations::remove::<Identity>(&node.authority, &by, "main", "idp/a", Expected::Any).await.unwrap();
    assert_eq!(left().await, ["idp:ab", "idp:b", "idp:c"]);
    operations::remove::<ExternalSigner>(&node.authority, &by, "main", "idp", Expected::Any).await.unwrap();
    assert_eq!(left().await, ["idp:c"]);
    assert_eq!(node.store().verify().await.unwrap(), []);
}

async fn signing_keys_are_replaced_on_demand_and_one_that_signs_is_not_retired(bench: Bench) {
    let node = Node::of(&bench).await;
    let (authority, by) = (&node.authority, actor());
    let keys = async || {
        operations::list::<keyward_authority::entity::SigningKey>(authority, "main", "", "", 10)
            .await
            .unwrap()
    };
    let first = keys().await.remove(0).entity.kid;
    let refused = operations::retire_signing_key(authority, &by, "main", &first).await;
    assert!(matches!(refused, Err(OperationError::InUse { .. })));
    operations::rotate_signing_keys(authority, &by, "main").await.unwrap();
    assert_eq!(keys().await.len(), 2);
    operations::withdraw_signing_key(authority, &by, "main", &first).await.unwrap();
    let active = authority.ring("main").await.unwrap();
    assert!(active.sign("at+jwt", b"{}", None).await.is_ok());
    for realm in ["nobody", "no such\0realm"] {
        let missing = operations::rotate_signing_keys(authority, &by, realm).await;
        assert!(matches!(missing, Err(OperationError::NotFound { .. })), "{missing:?}");
    }
    let unknown = operations::retire_signing_key(authority, &by, "main", "no\0kid").await;
    assert!(matches!(unknown, Err(OperationError::NotFound { .. })), "{unknown:?}");
}
