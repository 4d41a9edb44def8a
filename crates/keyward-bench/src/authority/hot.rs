//! The authority's answers, one after the other in this process. Its clock stands still: what it remembers stays good, though
//! nobody follows the log meanwhile.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::response::Response;
use base64_simd::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use keyward::clock::Clock;
use keyward::{MonoTime, Now, UnixTime};
use keyward_authority::apply::{self, RealmFile};
use keyward_authority::authority::Authority;
use keyward_authority::entity::Realm;
use keyward_authority::http::{Form, FormRequest, KnownName, Peer, Refusal, introspect, jwks, token};
use keyward_authority::metrics::Metrics;
use keyward_authority::operations;
use keyward_authority::signing::{LocalKeys, MasterKey};
use keyward_authority::storage::{Actor, Store, StoreAddress};
use keyward_authority::view::{Follower, View};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{Failure, sample};

const REALM: &str = r#"
[realm]
name = "bench"
enabled = true
access_token_lifetime = 3600
refresh_token_lifetime = 3600
just_in_time = false
rotation = { algorithms = ["ES256"], publish_for = 600, sign_for = 2592000 }

[[resource_servers]]
audience = "https://api.example/jwt"
enabled = true
scopes = ["read", "write"]
token_format = "jwt"
introspected_by = "basic"

[[clients]]
id = "basic"
enabled = true
kind = "confidential"
auth_methods = ["client_secret_basic"]
grant_types = ["client_credentials"]
audiences = ["https://api.example/jwt"]
scopes = ["read", "write"]
"#;

const TOKEN_FORM: &str = "grant_type=client_credentials&scope=read&resource=https%3A%2F%2Fapi.example%2Fjwt";

/// The clock that stands still.
#[derive(Debug)]
struct Still(i64);

impl Clock for Still {
    fn now(&self) -> Now {
        Now { wall: UnixTime(self.0), mono: MonoTime(0) }
    }
}

/// An authority with a realm and a client, whose secret is remembered.
pub(crate) struct Desk {
    runtime: Runtime,
    authority: Authority,
    realm: Arc<Realm>,
    headers: HeaderMap,
    introspection: Bytes,
    _follower: Follower,
    _folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn open() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let database = StoreAddress::Sqlite(folder.path().join("authority.db"));
        let (authority, follower, realm, secret) = runtime.block_on(furnished(&database))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let credential = format!("Basic {}", STANDARD.encode_to_string(format!("basic:{secret}")));
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&credential)?);
        let mut desk = Self {
            runtime,
            authority,
            realm,
            headers,
            introspection: Bytes::new(),
            _follower: follower,
            _folder: folder,
        };
        // The first one pays for the secret's hash.
        let request = desk.request("token", &Bytes::from_static(TOKEN_FORM.as_bytes()))?;
        let issued: Value = desk.runtime.block_on(async {
            let answer = token(&desk.authority, &request).await.map_err(refused)?;
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, Failure>(serde_json::from_slice(&body)?)
        })?;
        let issued = issued.get("access_token").and_then(Value::as_str).ok_or("no token")?;
        desk.introspection = format!("token={issued}").into();
        let request = desk.request("introspect", &desk.introspection)?;
        let said = desk.runtime.block_on(introspect(&desk.authority, &request)).map_err(refused)?;
        let said = desk.runtime.block_on(said.into_body().collect())?.to_bytes();
        if !said.starts_with(br#"{"active":true"#) {
            return Err("its own token is not active".into());
        }
        Ok(desk)
    }

    /// Whether a client gets a token.
    pub(crate) fn issues(&self) -> bool {
        let request = self.request("token", &Bytes::from_static(TOKEN_FORM.as_bytes()));
        request.is_ok_and(|request| is_answered(token(&self.authority, &request)))
    }

    /// Whether a resource server is told of a token.
    pub(crate) fn introspects(&self) -> bool {
        let request = self.request("introspect", &self.introspection);
        request.is_ok_and(|request| is_answered(introspect(&self.authority, &request)))
    }

    /// Whether the keys are shown.
    pub(crate) fn publishes(&self) -> bool {
        is_answered(jwks(&self.authority, &self.realm, &self.headers))
    }

    fn request(&self, name: &'static str, form: &Bytes) -> Result<FormRequest, Failure> {
        let form = Form::parse(&self.headers, form).map_err(|cause| cause.label())?;
        Ok(FormRequest {
            realm: Arc::clone(&self.realm),
            name,
            issuer: self.authority.issuer(&self.realm.name),
            form,
            headers: self.headers.clone(),
            peer: Peer::plain(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            arrived: self.authority.clock().now(),
            known: KnownName::default(),
        })
    }
}

async fn furnished(database: &StoreAddress) -> Result<(Authority, Follower, Arc<Realm>, String), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(Still(i64::try_from(sample::now())?));
    let view = View::new(Store::open(database).await?, Arc::clone(&clock), 1000);
    let keys = Arc::new(LocalKeys::new(MasterKey::parse(&"0f".repeat(32))?));
    let authority = Authority::new(view, clock, &"http://127.0.0.1:8085".parse()?, keys)
        .with_observer(Arc::new(Metrics::new("keyward")));
    let (by, file) = (Actor("bench".to_owned()), RealmFile::parse(REALM)?);
    apply::apply(&authority, &by, &file, &apply::plan(None, &file)).await?;
    let (_, secret) = operations::add_secret(&authority, &by, "bench", "basic", "one", None).await?;
    let follower = Follower::start(authority.view()).await?;
    while !authority.view().is_current() {
        tokio::task::yield_now().await;
    }
    let realm = authority.realm("bench").await?.ok_or("no realm")?;
    Ok((authority, follower, realm, secret.to_string()))
}

/// What is remembered waits for nothing.
fn is_answered(answering: impl Future<Output = Result<Response, Refusal>>) -> bool {
    let polled = pin!(answering).poll(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Ready(Ok(answer)) if answer.status().is_success())
}

fn refused(refusal: Refusal) -> Failure {
    refusal.cause.label().into()
}
