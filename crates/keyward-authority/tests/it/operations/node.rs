//! A node whose clock stands still, and what tests make on it.

use std::sync::Arc;

use keyward::clock::Clock;
use keyward::{MonoTime, Now, UnixTime};
use keyward_authority::authority::Authority;
use keyward_authority::entity::{
    Client, ClientAuthMethod, ClientKind, ExternalSigner, GrantType, Identity, Realm, ResourceServer,
    ServiceAccount, SignerKeys, TokenFormat,
};
use keyward_authority::operations::{self, Current, Managed, OperationError};
use keyward_authority::signing::{LocalKeys, MasterKey};
use keyward_authority::storage::{Actor, Event, Position, Store};
use keyward_authority::view::View;

use crate::bench::Bench;

/// When every test is, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Now {
        Now { wall: UnixTime(NOW), mono: MonoTime(1) }
    }
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) authority: Authority,
}

impl Node {
    pub(crate) fn new(store: Store) -> Self {
        // Nobody follows the log for it, so that each look is at the database.
        let view = View::new(store, Arc::new(Still), 1000);
        let keys = LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap());
        let origin = "https://id.example".parse().unwrap();
        Self { authority: Authority::new(view, Arc::new(Still), &origin, Arc::new(keys)) }
    }

    /// With a realm, `main`.
    pub(crate) async fn of(bench: &Bench) -> Self {
        let node = Self::new(bench.open().await);
        node.create("main", Realm::new("main")).await.unwrap();
        node
    }

    /// Two that share a database: with SQLite they are one.
    pub(crate) async fn two_of(bench: &Bench) -> [Self; 2] {
        let one = Self::of(bench).await;
        let other = if bench.is_shared() { Self::new(bench.open().await) } else { one.clone() };
        [one, other]
    }

    pub(crate) fn store(&self) -> &Store {
        self.authority.view().store()
    }

    pub(crate) async fn create<K: Managed>(
        &self,
        realm: &str,
        kept: K,
    ) -> Result<Current<K>, OperationError> {
        operations::create(&self.authority, &actor(), realm, kept).await
    }

    /// The events behind `after`.
    pub(crate) async fn events(&self, after: Position) -> Vec<Event> {
        self.store().events(after, 1000).await.unwrap()
    }

    pub(crate) async fn head(&self) -> Position {
        self.store().head().await.unwrap()
    }

    /// All that is in the log, as text: what must not be in it is not in it.
    pub(crate) async fn log(&self) -> String {
        format!("{:?}", self.events(Position(0)).await)
    }
}

pub(crate) fn actor() -> Actor {
    Actor("alice".to_owned())
}

pub(crate) fn client(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        description: "a client".to_owned(),
        enabled: true,
        kind: ClientKind::Confidential,
        auth_methods: vec![ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::PrivateKeyJwt],
        grant_types: vec![GrantType::ClientCredentials],
        audiences: vec!["https://api.example/v1".to_owned()],
        scopes: vec!["read".to_owned()],
        requires_dpop: false,
        requires_certificate: false,
        tls_subject: None,
        jwks_uri: None,
    }
}

pub(crate) fn account(id: &str) -> ServiceAccount {
    ServiceAccount {
        id: id.to_owned(),
        description: String::new(),
        enabled: true,
        audiences: vec!["https://api.example/v1".to_owned()],
        scopes: vec!["read".to_owned()],
        jwks_uri: Some("https://robot.example/jwks.json".to_owned()),
    }
}

pub(crate) fn server(audience: &str) -> ResourceServer {
    ResourceServer {
        audience: audience.to_owned(),
        description: String::new(),
        enabled: true,
        scopes: vec!["read".to_owned()],
        token_format: TokenFormat::Jwt,
        access_token_lifetime: Some(60),
        algorithm: None,
        introspected_by: None,
    }
}

pub(crate) fn signer(name: &str) -> ExternalSigner {
    ExternalSigner {
        name: name.to_owned(),
        issuer: "https://idp.example".to_owned(),
        enabled: true,
        audience: "https://id.example/realms/main".to_owned(),
        keys: SignerKeys::JwksUri("https://idp.example/jwks".to_owned()),
        id_claim: "sub".to_owned(),
        audiences: vec![],
        scopes: vec![],
    }
}

pub(crate) fn identity(signer: &str, external_id: &str) -> Identity {
    Identity {
        signer: signer.to_owned(),
        external_id: external_id.to_owned(),
        subject: format!("{signer}:{external_id}"),
        enabled: true,
        just_in_time: false,
        audiences: vec![],
        scopes: vec![],
    }
}
