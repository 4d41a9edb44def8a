//! The API over a node, and whoever asks it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG};
use http::{Method, Request, StatusCode};
use keyward_authority::admin;
use keyward_authority::entity::{Realm, ResourceServer, ServiceAccount};
use keyward_authority::http::Peer;
use keyward_authority::operations::{self, Expected};
use serde_json::{Value, json};
use tower_service::Service;

use crate::bench::Bench;
use crate::operations::node::{NOW, Node, account, actor, server};

pub(crate) struct Api {
    pub(crate) node: Node,
    router: Router,
}

/// An answer, whose body is JSON or nothing.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) tag: Option<String>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) json: Value,
}

impl Api {
    /// Realms `admin` and `main`, and in the first `root`, who may do everything, and `clerk`, who may do it in `main`.
    pub(crate) async fn of(bench: &Bench) -> Self {
        let node = Node::of(bench).await;
        node.create("admin", Realm::new("admin")).await.unwrap();
        let scopes = [
            "authority.read",
            "authority.write",
            "authority.read:main",
            "authority.write:main",
            "authority.write:other",
        ]
        .map(str::to_owned)
        .to_vec();
        let server = ResourceServer { scopes: scopes.clone(), ..server(admin::AUDIENCE) };
        node.create("admin", server).await.unwrap();
        for id in ["root", "clerk"] {
            let audiences = vec![admin::AUDIENCE.to_owned()];
            let account = ServiceAccount { scopes: scopes.clone(), audiences, ..account(id) };
            node.create("admin", account).await.unwrap();
        }
        Self::over(node)
    }

    /// Over whatever is there.
    pub(crate) fn over(node: Node) -> Self {
        let router = admin::router(node.authority.clone());
        Self { node, router }
    }

    /// A token of realm `admin` with these claims beside, or in the place of, those of a good one.
    pub(crate) async fn token_with(&self, scope: &str, claims: Value) -> String {
        self.token_of("admin", "at+jwt", scope, claims).await
    }

    pub(crate) async fn token_of(&self, realm: &str, typ: &str, scope: &str, claims: Value) -> String {
        let mut all = json!({
            "iss": self.node.authority.issuer("admin"),
            "aud": admin::AUDIENCE,
            "sub": "root",
            "client_id": "root",
            "subject_type": "service_account",
            "scope": scope,
            "exp": NOW + 60,
            "iat": NOW,
            "jti": "j1",
        });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        let ring = self.node.authority.ring(realm).await.unwrap();
        ring.sign(typ, all.to_string().as_bytes(), None).await.unwrap()
    }

    /// A token that is good for this scope.
    pub(crate) async fn token(&self, scope: &str) -> String {
        self.token_with(scope, json!({})).await
    }

    pub(crate) async fn disable(&self, id: &str) {
        let found = operations::find::<ServiceAccount>(&self.node.authority, "admin", id).await.unwrap();
        let account = ServiceAccount { enabled: false, ..found.entity };
        operations::change(&self.node.authority, &actor(), "admin", account, Expected::Any).await.unwrap();
    }

    /// Sends a request; `path` is behind `/admin/v1`.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        version: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(version) = version {
            request = request.header("If-Match", version);
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.call(request.body(body).unwrap()).await
    }

    /// Each comes from elsewhere, unless it says where from.
    pub(crate) async fn call(&self, mut request: Request<Body>) -> Answer {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let address = Ipv4Addr::from_bits(CALLS.fetch_add(1, Ordering::Relaxed)).into();
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer::plain(address));
        }
        let answer = self.router.clone().call(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let json = if body.is_empty() {
            assert_eq!(parts.status, StatusCode::NO_CONTENT, "only a 204 says nothing");
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        let tag = parts.headers.get(ETAG).map(|tag| tag.to_str().unwrap().to_owned());
        let answer = Answer { status: parts.status.as_u16(), tag, headers: parts.headers, json };
        answer.check();
        answer
    }
}

impl Answer {
    /// What holds of every answer.
    fn check(&self) {
        assert_ne!(self.status, 500, "{self:?}");
        if self.status >= 400 {
            assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json", "{self:?}");
            assert_eq!(self.json["status"], self.status, "{self:?}");
            for member in ["type", "title", "detail"] {
                assert!(self.json[member].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
            }
        }
    }

    pub(crate) fn problem(&self) -> &str {
        self.json["type"].as_str().unwrap_or_default().trim_start_matches("urn:keyward:problem:")
    }
}
