//! A node with a clock in a test's hand, and requests to it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::body::to_bytes;
use axum::response::IntoResponse;
use base64_simd::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use keyward::clock::Clock;
use keyward::{Algorithm, MonoTime, Now, UnixTime};
use keyward_authority::authority::Authority;
use keyward_authority::cause::Cause;
use keyward_authority::client_auth::{Authenticated, authenticate, secret};
use keyward_authority::entity::{
    Client, ClientAuthMethod, ClientKind, Kept, Key, KeyOrigin, Realm, Secret, ServiceAccount,
};
use keyward_authority::http::{Form, FormRequest, KnownName, Peer, Refusal};
use keyward_authority::signing::{LocalKeys, MasterKey};
use keyward_authority::storage::{Action, Actor, Change, Store};
use keyward_authority::view::{Follower, View};
use keyward_jose::{LocalSigner, Signer, sign_compact};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://id.example/realms/main";
pub(crate) const ENDPOINT: &str = "https://id.example/realms/main/token";
pub(crate) const NOW: i64 = 1_800_000_000;

/// A clock that moves when a test says so.
#[derive(Debug)]
pub(crate) struct Hand {
    wall: AtomicI64,
    mono: AtomicU64,
}

impl Hand {
    pub(crate) fn advance(&self, seconds: u32) {
        self.wall.fetch_add(seconds.into(), Ordering::Relaxed);
        self.mono.fetch_add(u64::from(seconds) * 1_000_000_000, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Now {
        let wall = UnixTime(self.wall.load(Ordering::Relaxed));
        Now { wall, mono: MonoTime(self.mono.load(Ordering::Relaxed)) }
    }
}

/// A node.
pub(crate) struct Desk {
    pub(crate) authority: Authority,
    pub(crate) clock: Arc<Hand>,
    _follower: Follower,
}

impl Desk {
    pub(crate) async fn open(store: Store) -> Self {
        let clock = Arc::new(Hand { wall: AtomicI64::new(NOW), mono: AtomicU64::new(0) });
        let view = View::new(store, Arc::clone(&clock) as _, 1000);
        let follower = Follower::start(&view).await.unwrap();
        let keys = Arc::new(LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap()));
        let origin = "https://id.example".parse().unwrap();
        let authority = Authority::new(view, Arc::clone(&clock) as _, &origin, keys);
        Self { authority, clock, _follower: follower }
    }

    pub(crate) fn store(&self) -> &Store {
        self.authority.view().store()
    }

    pub(crate) async fn put<K: Kept>(&self, kept: &K) {
        self.change(kept, Some(serde_json::to_string(kept).unwrap())).await;
    }

    pub(crate) async fn delete<K: Kept>(&self, kept: &K) {
        self.change(kept, None).await;
    }

    async fn change<K: Kept>(&self, kept: &K, body: Option<String>) {
        let mut command = self.store().command(Actor("test".to_owned()), 0).await.unwrap();
        let change = Change { action: Action("put"), entity: kept.entity("main"), body };
        command.append(&change).await.unwrap();
        command.commit().await.unwrap();
    }

    /// A request with these parameters.
    pub(crate) fn request(&self, parameters: &[(&str, &str)]) -> FormRequest {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let body: String =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        FormRequest {
            realm: Arc::new(Realm::new("main")),
            issuer: ISSUER.to_owned(),
            name: "token",
            form: Form::parse(&headers, &Bytes::from(body)).unwrap(),
            headers,
            peer: Peer::plain(Ipv4Addr::new(192, 0, 2, 1).into()),
            known: KnownName::default(),
            arrived: self.clock.now(),
        }
    }

    /// One with `Authorization: Basic`.
    pub(crate) fn basic(&self, client: &str, secret: &str) -> FormRequest {
        let mut request = self.request(&[("grant_type", "client_credentials")]);
        let value = format!("Basic {}", STANDARD.encode_to_string(format!("{client}:{secret}")));
        request.headers.insert(AUTHORIZATION, value.parse().unwrap());
        request
    }

    pub(crate) async fn authenticate(&self, request: &FormRequest) -> Result<Authenticated, Refusal> {
        authenticate(&self.authority, request).await
    }

    /// Why it is refused; none where it is not.
    pub(crate) async fn cause(&self, request: &FormRequest) -> Option<Cause> {
        self.authenticate(request).await.err().map(|refusal| refusal.cause)
    }
}

/// The same from elsewhere.
pub(crate) fn from(mut request: FormRequest, address: [u8; 4]) -> FormRequest {
    request.peer.address = IpAddr::from(address);
    request
}

/// What the client sees of a refusal.
pub(crate) async fn told(refusal: Refusal) -> String {
    let answer = refusal.into_response();
    let mut headers: Vec<_> = answer.headers().iter().map(|header| format!("{header:?}")).collect();
    headers.sort();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
    format!("{status} {headers:?} {}", str::from_utf8(&body).unwrap())
}

pub(crate) fn client(id: &str, auth_methods: &[ClientAuthMethod]) -> Client {
    let body = json!({
        "id": id, "enabled": true, "kind": ClientKind::Confidential, "auth_methods": auth_methods, "grant_types": [],
    });
    serde_json::from_value(body).unwrap()
}

pub(crate) fn account(id: &str) -> ServiceAccount {
    serde_json::from_value(json!({ "id": id, "enabled": true })).unwrap()
}

pub(crate) async fn secret_of(client: &str, name: &str, secret: &str) -> Secret {
    let hash = secret::hash(secret.to_owned().into()).await.unwrap();
    let (client, name) = (client.to_owned(), name.to_owned());
    Secret { client, name, hash, enabled: true, expires_at: None, added_at: 0 }
}

/// A pair of a client's or a service account's.
pub(crate) struct Pair {
    pub(crate) signer: LocalSigner,
    pub(crate) key: Key,
}

pub(crate) fn pair(owner: &str, kid: &str) -> Pair {
    let signer = LocalSigner::generate(Algorithm::Es256, Some(kid)).unwrap();
    let key = Key {
        owner: owner.to_owned(),
        kid: kid.to_owned(),
        jwk: serde_json::to_value(signer.public_jwk()).unwrap(),
        enabled: true,
        expires_at: None,
        added_at: 0,
        origin: KeyOrigin::Uploaded,
    };
    Pair { signer, key }
}

/// The claims of an assertion that `subject` makes now.
pub(crate) fn claims(subject: &str, jti: &str) -> Value {
    json!({ "iss": subject, "sub": subject, "aud": ISSUER, "jti": jti, "iat": NOW, "exp": NOW + 60 })
}

pub(crate) async fn signed(signer: &dyn Signer, claims: &Value) -> String {
    sign_compact(signer, Some("JWT"), claims.to_string().as_bytes()).await.unwrap()
}

/// The parameters of `private_key_jwt`.
pub(crate) fn assertion(text: &str) -> [(&str, &str); 2] {
    [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", text),
    ]
}
