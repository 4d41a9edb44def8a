//! An issuer for development: a key of its own, one client, and nothing that outlives the process.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64_simd::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use keyward::clock::{Clock, SystemClock};
use keyward::entropy;
use keyward_jose::{Algorithm, Jwk, LocalSigner, SignError, Signer, sign_compact};
use serde::Serialize;
use serde_json::{Value, json};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::exit::Failure;

/// The one client.
pub(super) const CLIENT_ID: &str = "development";

/// The audience of every token.
pub(super) const AUDIENCE: &str = "echo";

const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// The issuer. Cloning it copies pointers.
#[derive(Clone)]
pub(super) struct DevelopmentIssuer {
    pub(super) url: String,
    pub(super) client_secret: Arc<Zeroizing<String>>,
    signer: Arc<LocalSigner>,
}

#[derive(Serialize)]
struct PublishedKeys<'a> {
    keys: [Option<&'a Jwk>; 1],
}

/// An error of RFC 6749 §5.2.
struct TokenError {
    status: StatusCode,
    code: &'static str,
}

impl DevelopmentIssuer {
    /// An issuer at `url` with a new key and a new secret.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let secret = (0..4).fold(String::new(), |mut secret, _| {
            let _ = write!(secret, "{:016x}", entropy::seed());
            secret
        });
        Ok(Self {
            url: url.to_owned(),
            client_secret: Arc::new(Zeroizing::new(secret)),
            signer: Arc::new(LocalSigner::generate(Algorithm::Es256, None)?),
        })
    }

    pub(super) fn token_endpoint(&self) -> String {
        format!("{}/token", self.url)
    }

    pub(super) fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.url)
    }

    /// Discovery, keys and tokens.
    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/.well-known/oauth-authorization-server", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(self.clone())
    }

    /// An access token for the client (RFC 9068).
    pub(super) async fn issue(&self, scope: Option<&str>) -> Result<String, SignError> {
        let now = SystemClock::new().now().wall;
        let mut claims = json!({
            "iss": self.url,
            "sub": CLIENT_ID,
            "client_id": CLIENT_ID,
            "aud": AUDIENCE,
            "iat": now.0,
            "exp": now.saturating_add(TOKEN_LIFE).0,
            "jti": format!("{:016x}{:016x}", entropy::seed(), entropy::seed()),
        });
        if let (Some(scope), Some(claims)) = (scope, claims.as_object_mut()) {
            claims.insert("scope".to_owned(), scope.into());
        }
        sign_compact(&*self.signer, Some("at+jwt"), claims.to_string().as_bytes()).await
    }

    fn knows(&self, client: &Client<'_>) -> bool {
        // The secret is hashed by nobody: it lives as long as this process, on this machine.
        client.id == CLIENT_ID && *client.secret == **self.client_secret
    }
}

async fn discovery(State(issuer): State<DevelopmentIssuer>) -> Json<Value> {
    Json(json!({
        "issuer": issuer.url,
        "jwks_uri": issuer.jwks_uri(),
        "token_endpoint": issuer.token_endpoint(),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [issuer.signer.algorithm().name()],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }))
}

async fn jwks(State(issuer): State<DevelopmentIssuer>) -> Response {
    Json(PublishedKeys { keys: [issuer.signer.public_jwk()] }).into_response()
}

async fn token(State(issuer): State<DevelopmentIssuer>, headers: HeaderMap, body: String) -> Response {
    match grant(&issuer, &headers, &body).await {
        Ok(answer) => ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response(),
        Err(TokenError { status, code }) => {
            let body = Json(json!({ "error": code }));
            let mut response = (status, [(CACHE_CONTROL, "no-store")], body).into_response();
            if status == StatusCode::UNAUTHORIZED {
                let challenge = http::HeaderValue::from_static("Basic realm=\"keyward up\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

async fn grant(issuer: &DevelopmentIssuer, headers: &HeaderMap, body: &str) -> Result<Value, TokenError> {
    let bad_request = |code| TokenError { status: StatusCode::BAD_REQUEST, code };
    let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
    let decoded = basic_credentials(headers);
    let client = match &decoded {
        Some((id, secret)) => Some(Client { id, secret }),
        None => field("client_id").zip(field("client_secret")).map(|(id, secret)| Client { id, secret }),
    };
    if !client.is_some_and(|client| issuer.knows(&client)) {
        return Err(TokenError { status: StatusCode::UNAUTHORIZED, code: "invalid_client" });
    }
    match field("grant_type") {
        None => return Err(bad_request("invalid_request")),
        Some("client_credentials") => {}
        Some(_) => return Err(bad_request("unsupported_grant_type")),
    }
    let scope = field("scope");
    let access_token = issuer
        .issue(scope)
        .await
        .map_err(|_| TokenError { status: StatusCode::INTERNAL_SERVER_ERROR, code: "server_error" })?;
    let mut answer =
        json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": TOKEN_LIFE.as_secs() });
    if let (Some(scope), Some(answer)) = (scope, answer.as_object_mut()) {
        answer.insert("scope".to_owned(), scope.into());
    }
    Ok(answer)
}

/// Who asks for a token.
struct Client<'a> {
    id: &'a str,
    secret: &'a str,
}

/// RFC 6749 §2.3.1: both halves were form-encoded before they were joined.
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let pair =
        STANDARD.decode_to_vec(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    let pair = String::from_utf8(pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    // A form of one name without a value decodes to that name.
    let decoded = |text: &str| {
        form_urlencoded::parse(text.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
    };
    Some((decoded(id), decoded(secret)))
}
