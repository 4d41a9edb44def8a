//! A running authority's administration, over its REST API.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::header::{ACCEPT, ETAG, IF_MATCH};
use http::{Method, StatusCode};
use keyward::address::is_acceptable;
use keyward::clock::{Clock as _, SystemClock};
use keyward::credentials::{KeyFile, KeyFileKind, KeyFileSettings, SecretFile};
use keyward::entropy;
use keyward_authority::admin::{AUDIENCE, PATH};
use keyward_authority::operations::ADMIN_REALM;
use keyward_jose::sign_compact;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::output::Printable;

/// For one request: DNS, connection, TLS and body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most octets of an answer: a page of 500 entities of some kilobytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// How long an assertion counts, in seconds.
const ASSERTION_LIFETIME: i64 = 60;

/// Which authority, and who we are there.
#[derive(Args, Debug)]
pub(crate) struct ApiArgs {
    /// The authority's origin, such as https://auth.example
    #[arg(long, value_name = "URL")]
    server: Url,
    /// The key file of a service account in realm `admin`, as `bootstrap` writes one
    #[arg(long, value_name = "FILE", required_unless_present = "token_file")]
    key_file: Option<PathBuf>,
    /// The service account, where its key file does not say it
    #[arg(long, value_name = "ID", requires = "key_file")]
    administrator: Option<String>,
    /// A file with an administrator's access token in one line, in place of a key file
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    token_file: Option<PathBuf>,
    /// Trust anchors for the authority's TLS beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Why the authority did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{url} answers {status}, and nothing that this version understands")]
    Answer { url: Url, status: StatusCode },
    #[error(
        "it was changed by somebody else in between, and nothing was done: look at it, and run this again"
    )]
    Conflict,
    #[error("{url} cannot be asked: {cause}")]
    Exchange { url: Url, cause: String },
    #[error("{url} is refused: a credential is sent by https, or by http to this machine")]
    InsecureAddress { url: Url },
    #[error("the key file does not say whose it is: name the service account with --administrator")]
    NoServiceAccount,
    #[error("it is refused ({status}): {told}")]
    Refused { status: StatusCode, told: String },
    #[error("an assertion cannot be signed: {0}")]
    Sign(#[from] keyward_jose::SignError),
    #[error("the answer of {url} is over the limit of {ANSWER_LIMIT} octets")]
    TooLarge { url: Url },
}

/// A session with an authority.
pub(super) struct Api {
    client: Client,
    server: Url,
    token: Zeroizing<String>,
}

/// What was answered, and which version of the entity it is.
pub(super) struct Answered {
    pub(super) body: Value,
    pub(super) version: Option<String>,
}

/// A part of a list, and what to send as `after` to go on.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    #[serde(default)]
    pub(super) next: Option<String>,
}

impl Api {
    /// Obtains a token, or reads it.
    pub(super) async fn open(args: &ApiArgs) -> Result<Self, Failure> {
        if !is_acceptable(&args.server) {
            return Err(ApiError::InsecureAddress { url: args.server.clone() }.into());
        }
        let builder = Client::builder()
            .timeout(TIMEOUT)
            // A redirect would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none());
        let builder = match &args.ca_file {
            None => builder,
            Some(path) => {
                let file = |cause| Failure::File { path: path.display().to_string(), cause };
                let pem = std::fs::read(path).map_err(file)?;
                let anchors = reqwest::Certificate::from_pem_bundle(&pem).map_err(Failure::HttpClient)?;
                builder.tls_certs_merge(anchors)
            }
        };
        let client = builder.build().map_err(Failure::HttpClient)?;
        let mut api = Self { client, server: args.server.clone(), token: Zeroizing::default() };
        api.token = match (&args.token_file, &args.key_file) {
            (Some(path), _) => {
                let of_file = |fault| keyward::credentials::CredentialFileError { path: path.clone(), fault };
                SecretFile::read(path)?.line().map_err(of_file)?
            }
            (None, Some(path)) => api.obtain(path, args.administrator.as_deref()).await?,
            (None, None) => return Err(Failure::Usage("name --key-file or --token-file".to_owned())),
        };
        Ok(api)
    }

    /// A token by the JWT-bearer grant (RFC 7523 §2.1).
    async fn obtain(&self, path: &PathBuf, named: Option<&str>) -> Result<Zeroizing<String>, Failure> {
        let file = KeyFile::read(&KeyFileSettings::new(path))?;
        let account = match (named, &file.kind) {
            (Some(named), _) => named,
            (None, KeyFileKind::ZitadelServiceAccount { user_id }) => user_id,
            (None, _) => return Err(ApiError::NoServiceAccount.into()),
        };
        let issuer = self.url(&["realms", ADMIN_REALM]);
        let now = SystemClock::new().now().wall.0;
        let claims = json!({
            "iss": account,
            "sub": account,
            "aud": issuer.as_str(),
            "iat": now,
            "exp": now.saturating_add(ASSERTION_LIFETIME),
            "jti": base64_simd::URL_SAFE_NO_PAD.encode_to_string(entropy::secret()),
        });
        let assertion = sign_compact(&file.key, Some("JWT"), claims.to_string().as_bytes()).await;
        let assertion = Zeroizing::new(assertion.map_err(ApiError::from)?);
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.as_str()),
            ("resource", AUDIENCE),
        ];
        let url = self.url(&["realms", ADMIN_REALM, "token"]);
        let answered = self.send(url.clone(), self.client.post(url).form(&form)).await?;
        let token = answered.body.get("access_token").and_then(Value::as_str);
        let status = StatusCode::OK;
        let token = token.ok_or_else(|| ApiError::Answer { url: self.server.clone(), status })?;
        Ok(Zeroizing::new(token.to_owned()))
    }

    /// The entity at `path`.
    pub(super) async fn find(&self, path: &[&str]) -> Result<Answered, Failure> {
        self.call(Method::GET, path, None, None).await
    }

    /// All of a list, page by page.
    pub(super) async fn list(&self, path: &[&str]) -> Result<Vec<Value>, Failure> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.page(path, after.as_deref()).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// A part of a list.
    pub(super) async fn page(&self, path: &[&str], after: Option<&str>) -> Result<Page, Failure> {
        let mut url = self.admin(path);
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        let request = self.client.get(url.clone()).bearer_auth(&*self.token);
        let body = self.send(url.clone(), request).await?.body;
        let unknown = || ApiError::Answer { url, status: StatusCode::OK };
        Ok(serde_json::from_value(body).map_err(|_| unknown())?)
    }

    /// Makes something.
    pub(super) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Answered, Failure> {
        self.call(Method::POST, path, body, None).await
    }

    /// Makes it so, unless somebody else changed it since `version`.
    pub(super) async fn put(&self, path: &[&str], body: &Value, version: &str) -> Result<Answered, Failure> {
        self.call(Method::PUT, path, Some(body), Some(version)).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        self.call(Method::DELETE, path, None, None).await.map(drop)
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Answered, Failure> {
        let url = self.admin(path);
        let mut request = self.client.request(method, url.clone()).bearer_auth(&*self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(version) = version {
            request = request.header(IF_MATCH, version);
        }
        self.send(url, request).await
    }

    async fn send(&self, url: Url, request: reqwest::RequestBuilder) -> Result<Answered, Failure> {
        let failed =
            |error: reqwest::Error| ApiError::Exchange { url: url.clone(), cause: innermost(&error) };
        let mut response = request.header(ACCEPT, "application/json").send().await.map_err(failed)?;
        let status = response.status();
        let version = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let mut text = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if text.len() + chunk.len() > ANSWER_LIMIT {
                return Err(ApiError::TooLarge { url }.into());
            }
            text.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let body = if text.is_empty() { Some(Value::Null) } else { serde_json::from_slice(&text).ok() };
            let body = body.ok_or_else(|| ApiError::Answer { url: url.clone(), status })?;
            return Ok(Answered { body, version });
        }
        if status == StatusCode::PRECONDITION_FAILED {
            return Err(ApiError::Conflict.into());
        }
        // A problem of RFC 9457, or an error of RFC 6749 §5.2.
        let problem: Value = serde_json::from_slice(&text).unwrap_or_default();
        let told = ["detail", "error_description", "title", "error"];
        let told = told.iter().find_map(|name| problem.get(name).and_then(Value::as_str));
        let Some(told) = told else {
            return Err(ApiError::Answer { url, status }.into());
        };
        let told = Printable(&told.chars().take(500).collect::<String>()).to_string();
        Err(ApiError::Refused { status, told }.into())
    }

    fn admin(&self, path: &[&str]) -> Url {
        let prefix = PATH.split('/').filter(|segment| !segment.is_empty());
        self.url(&prefix.chain(path.iter().copied()).collect::<Vec<_>>())
    }

    /// The address of `path`, whatever its segments are.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        url
    }
}

/// An entity as the API takes it.
pub(super) fn body(entity: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(entity).map_err(|error| Failure::Output(error.into()))
}

fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
