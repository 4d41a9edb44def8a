//! A node with one realm in which somebody of every kind is, and requests to it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::to_bytes;
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use keyward::clock::Clock;
use keyward::{Algorithm, MonoTime, Now, UnixTime};
use keyward_authority::authority::Authority;
use keyward_authority::cause::Cause;
use keyward_authority::client_auth::secret;
use keyward_authority::entity::{
    Client, ExternalSigner, Identity, Kept, Key, Realm, ResourceServer, Secret, ServiceAccount, entity,
};
use keyward_authority::http::{Form, FormRequest, KnownName, Peer, Refusal, introspect, revoke, token};
use keyward_authority::signing::{self, LocalKeys, MasterKey, NewKeys};
use keyward_authority::storage::{Action, Actor, Change, Store};
use keyward_authority::view::View;
use keyward_jose::{LocalSigner, Signer, sign_compact};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::idp::{IDP, Idp};
use crate::bench::Bench;

pub(crate) const ORIGIN: &str = "https://id.example";
pub(crate) const ISSUER: &str = "https://id.example/realms/main";
pub(crate) const API: &str = "https://api.example";
pub(crate) const OPAQUE: &str = "https://opaque.example";
pub(crate) const OTHER: &str = "https://other.example";
pub(crate) const NOW: i64 = 1_800_000_000;

/// What every confidential client shows. Hashed once: that takes its time.
pub(crate) const SECRET: &str = "correct horse battery staple";
static HASH: OnceCell<String> = OnceCell::const_new();

/// A clock that moves when a test says so.
#[derive(Debug)]
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Now {
        let wall = self.0.load(Ordering::SeqCst);
        Now { wall: UnixTime(wall), mono: MonoTime((wall - NOW).unsigned_abs() * 1_000_000_000) }
    }
}

/// A node. It remembers nothing: what a view remembers has its own tests.
pub(crate) struct Office {
    pub(crate) authority: Authority,
    pub(crate) clock: Arc<Hand>,
    pub(crate) idp: Arc<Idp>,
    robot: Arc<LocalSigner>,
    _bench: Option<Bench>,
}

impl Office {
    /// On a database of its own, with everybody in it.
    pub(crate) async fn open() -> Self {
        let bench = Bench::sqlite();
        let mut office = Self::on(bench.open().await).await;
        office._bench = Some(bench);
        office
    }

    /// The first node of a database.
    pub(crate) async fn on(store: Store) -> Self {
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let robot = LocalSigner::generate(Algorithm::Es256, Some("robot-1")).unwrap();
        let (idp, robot) = (Arc::new(Idp::new()), Arc::new(robot));
        let authority = node(store, &clock, &idp);
        let office = Self { authority, clock, idp, robot, _bench: None };
        office.begin().await;
        office
    }

    /// Another node of the same database and the same time.
    pub(crate) fn another(&self, store: Store) -> Self {
        let (clock, idp) = (Arc::clone(&self.clock), Arc::clone(&self.idp));
        let authority = node(store, &clock, &idp);
        Self { authority, clock, idp, robot: Arc::clone(&self.robot), _bench: None }
    }

    async fn begin(&self) {
        let realm = Realm::new("main");
        let keys = NewKeys::for_realm(self.authority.key_store(), &realm).await.unwrap();
        let mut command = self.store().command(Actor("test".to_owned()), 0).await.unwrap();
        append(&mut command, &realm).await;
        signing::begin(&mut command, &realm, keys, UnixTime(NOW)).await.unwrap();
        for server in [
            json!({ "audience": API, "enabled": true, "scopes": ["read", "write"], "token_format": "jwt",
                    "introspected_by": "checker" }),
            json!({ "audience": OPAQUE, "enabled": true, "scopes": ["read"], "token_format": "opaque",
                    "introspected_by": "checker", "access_token_lifetime": 60 }),
            json!({ "audience": OTHER, "enabled": true, "scopes": ["other"], "token_format": "jwt" }),
            json!({ "audience": "closed", "enabled": false, "scopes": [], "token_format": "jwt" }),
        ] {
            append(&mut command, &serde_json::from_value::<ResourceServer>(server).unwrap()).await;
        }
        for (id, audiences, scopes) in [
            ("shop", vec![API], vec!["read", "write"]),
            ("wide", vec![API, OPAQUE, OTHER, "closed", "gone"], vec!["read", "other", "nobody's"]),
            ("checker", vec![], vec![]),
            ("seer", vec![ISSUER], vec!["introspect"]),
        ] {
            append(&mut command, &confidential(id, &audiences, &scopes)).await;
            let (client, hash) = (id.to_owned(), hash().await);
            let name = "one".to_owned();
            let secret = Secret { client, name, hash, enabled: true, expires_at: None, added_at: 0 };
            append(&mut command, &secret).await;
        }
        append(&mut command, &public("app", &[API], &["read", "write"])).await;
        append(&mut command, &account()).await;
        let key = json!({
            "owner": "service_account/robot", "kid": "robot-1", "jwk": self.robot.public_jwk(), "enabled": true,
            "added_at": 0, "origin": "uploaded",
        });
        append(&mut command, &serde_json::from_value::<Key>(key).unwrap()).await;
        append(&mut command, &signer()).await;
        command.commit().await.unwrap();
    }

    pub(crate) fn store(&self) -> &Store {
        self.authority.view().store()
    }

    pub(crate) async fn put<K: Kept>(&self, kept: &K) {
        let mut command = self.store().command(Actor("test".to_owned()), 0).await.unwrap();
        append(&mut command, kept).await;
        command.commit().await.unwrap();
    }

    pub(crate) async fn kept<K: Kept>(&self, id: &str) -> Option<K> {
        let body = self.store().read(&entity::<K>("main", id)).await.unwrap();
        body.map(|body| serde_json::from_str(&body).unwrap())
    }

    /// Changes what is kept.
    pub(crate) async fn change<K: Kept>(&self, id: &str, change: impl FnOnce(&mut K)) {
        let mut kept = self.kept::<K>(id).await.unwrap();
        change(&mut kept);
        self.put(&kept).await;
    }

    /// A request with these parameters.
    pub(crate) async fn request(&self, parameters: &[(&str, &str)]) -> FormRequest {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let realm = self.authority.realm("main").await.unwrap().unwrap();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(parameters).finish();
        FormRequest {
            realm,
            issuer: ISSUER.to_owned(),
            name: "token",
            form: Form::parse(&headers, &Bytes::from(body)).unwrap(),
            headers,
            peer: Peer::plain(Ipv4Addr::new(192, 0, 2, 1).into()),
            known: KnownName::default(),
            arrived: self.clock.now(),
        }
    }

    /// The answer of the token endpoint to a request.
    pub(crate) async fn answer(&self, request: &FormRequest) -> Result<Value, Cause> {
        json_of(token(&self.authority, request).await).await
    }

    /// The same to these parameters.
    pub(crate) async fn ask(&self, parameters: &[(&str, &str)]) -> Result<Value, Cause> {
        self.answer(&self.request(parameters).await).await
    }

    /// The same as a confidential client.
    pub(crate) async fn ask_as(&self, client: &str, parameters: &[(&str, &str)]) -> Result<Value, Cause> {
        let mut all = vec![("client_id", client), ("client_secret", SECRET)];
        all.extend_from_slice(parameters);
        self.ask(&all).await
    }

    /// What is said of a token to a client that asks.
    pub(crate) async fn introspect(&self, client: &str, token: &str) -> Result<Value, Cause> {
        let shown = [("client_id", client), ("client_secret", SECRET), ("token", token)];
        json_of(introspect(&self.authority, &self.request(&shown).await).await).await
    }

    pub(crate) async fn is_active(&self, token: &str) -> bool {
        self.introspect("seer", token).await.unwrap()["active"] == true
    }

    /// The same with a token of ours in place of a client.
    pub(crate) async fn introspect_by(
        &self,
        scheme: &str,
        bearer: &str,
        token: &str,
    ) -> Result<Value, Cause> {
        let mut request = self.request(&[("token", token)]).await;
        request.headers.insert(AUTHORIZATION, format!("{scheme} {bearer}").parse().unwrap());
        json_of(introspect(&self.authority, &request).await).await
    }

    pub(crate) async fn revoke(&self, client: &str, token: &str) -> Result<Value, Cause> {
        let shown = [("client_id", client), ("client_secret", SECRET), ("token", token)];
        json_of(revoke(&self.authority, &self.request(&shown).await).await).await
    }

    /// An assertion that the robot makes now.
    pub(crate) async fn assertion(&self, jti: &str) -> String {
        let now = self.clock.now().wall.0;
        let claims =
            json!({ "iss": "robot", "sub": "robot", "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60 });
        sign_compact(&*self.robot, Some("JWT"), claims.to_string().as_bytes()).await.unwrap()
    }

    /// A token of the robot's own, with these parameters beside.
    pub(crate) async fn robot(&self, jti: &str, parameters: &[(&str, &str)]) -> Result<Value, Cause> {
        let assertion = self.assertion(jti).await;
        let mut all = vec![("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        all.extend_from_slice(parameters);
        self.ask(&all).await
    }
}

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn node(store: Store, clock: &Arc<Hand>, idp: &Arc<Idp>) -> Authority {
    let view = View::new(store, Arc::clone(clock) as _, 1000);
    let keys = Arc::new(LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap()));
    let origin = ORIGIN.parse().unwrap();
    Authority::new(view, Arc::clone(clock) as _, &origin, keys).with_transport(Arc::clone(idp) as _)
}

async fn append<K: Kept>(command: &mut keyward_authority::storage::Command, kept: &K) {
    let body = Some(serde_json::to_string(kept).unwrap());
    let change = Change { action: Action("put"), entity: kept.entity("main"), body };
    command.append(&change).await.unwrap();
}

async fn hash() -> String {
    let hashed = async || secret::hash(SECRET.to_owned().into()).await.unwrap();
    HASH.get_or_init(hashed).await.clone()
}

const ALL_GRANTS: [&str; 4] =
    ["client_credentials", "refresh_token", JWT_BEARER, "urn:ietf:params:oauth:grant-type:token-exchange"];

pub(crate) fn confidential(id: &str, audiences: &[&str], scopes: &[&str]) -> Client {
    let client = json!({
        "id": id, "enabled": true, "kind": "confidential", "auth_methods": ["client_secret_post"],
        "grant_types": ALL_GRANTS, "audiences": audiences, "scopes": scopes,
    });
    serde_json::from_value(client).unwrap()
}

pub(crate) fn public(id: &str, audiences: &[&str], scopes: &[&str]) -> Client {
    let client = json!({
        "id": id, "enabled": true, "kind": "public", "auth_methods": ["none"], "grant_types": ALL_GRANTS,
        "audiences": audiences, "scopes": scopes,
    });
    serde_json::from_value(client).unwrap()
}

fn account() -> ServiceAccount {
    let account = json!({
        "id": "robot", "enabled": true, "audiences": [API, ISSUER], "scopes": ["read", "introspect"],
    });
    serde_json::from_value(account).unwrap()
}

pub(crate) fn signer() -> ExternalSigner {
    let signer = json!({
        "name": "idp", "issuer": IDP, "enabled": true, "audience": ORIGIN,
        "keys": { "jwks_uri": format!("{IDP}/jwks") }, "id_claim": "sub", "audiences": [API],
        "scopes": ["read", "write"],
    });
    serde_json::from_value(signer).unwrap()
}

/// Somebody whom the signer calls so, and who may read.
pub(crate) fn identity(external_id: &str) -> Identity {
    let identity = json!({
        "signer": "idp", "external_id": external_id, "subject": format!("subject-of-{external_id}"),
        "enabled": true, "just_in_time": false, "audiences": [API], "scopes": ["read"],
    });
    serde_json::from_value(identity).unwrap()
}

/// What a text of a token says. Who wants to know whether it is good asks a verifier.
pub(crate) fn said(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

pub(crate) async fn json_of(answer: Result<Response, Refusal>) -> Result<Value, Cause> {
    let answer = answer.map_err(|refusal| refusal.cause)?;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["cache-control"]),
        (200, &HeaderValue::from_static("no-store"))
    );
    let body = to_bytes(answer.into_body(), 100_000).await.unwrap();
    Ok(serde_json::from_slice(&body).unwrap())
}
