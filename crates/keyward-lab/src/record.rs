//! A real provider's discovery document and JWK Set, fetched now and then and written down.

use std::io;
use std::time::Duration;

use reqwest::{Client, Response, redirect};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use url::Url;

use crate::exchange::{Exchange, Failure, Outcome, Recorded};
use crate::fault::Endpoint;

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest body that is recorded, in octets.
const BODY_LIMIT: usize = 4 << 20;

/// The headers that are recorded. No other is: a cookie or a challenge has no business in a file.
const HEADERS: [&str; 4] = ["age", "cache-control", "content-type", "retry-after"];

/// A provider that is being recorded.
///
/// Only its discovery document and its JWK Set are ever fetched, without credentials. Redirects are not followed: what
/// is written is the status.
#[derive(Debug)]
pub struct Recording {
    client: Client,
    discovery: Url,
    jwks_uri: Option<Url>,
    started: Instant,
}

/// Why a provider cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// No discovery document is below this address.
    #[error("{issuer:?} is no issuer's address")]
    Address {
        /// What was given.
        issuer: String,
        /// Why.
        source: url::ParseError,
    },
    /// The certificates that were given cannot be used.
    #[error("the HTTP client cannot be made")]
    Client {
        /// Why.
        #[from]
        source: reqwest::Error,
    },
    /// The recording cannot be written.
    #[error("the recording cannot be written")]
    Write {
        /// Why.
        #[from]
        source: io::Error,
    },
}

impl Recording {
    /// Of the provider that is this issuer, from now on. `anchors` are further authorities to trust, in PEM; empty
    /// where the system's suffice.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn start(issuer: &str, anchors: &[u8]) -> Result<Self, RecordError> {
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery = Url::parse(&discovery)
            .map_err(|source| RecordError::Address { issuer: issuer.to_owned(), source })?;
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .tls_certs_merge(reqwest::Certificate::from_pem_bundle(anchors)?)
            .build()?;
        Ok(Self { client, discovery, jwks_uri: None, started: Instant::now() })
    }

    /// Fetches both `times` times with `every` between them, and writes each exchange as a line as soon as it is known.
    ///
    /// # Errors
    /// [`RecordError::Write`]. A provider that fails is no error: it is what is recorded.
    pub async fn run(
        &mut self,
        times: u64,
        every: Duration,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), RecordError> {
        let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
        for _ in 0..times {
            ticks.tick().await;
            for exchange in self.fetch().await {
                let mut line = serde_json::to_vec(&exchange).map_err(io::Error::from)?;
                line.push(b'\n');
                to.write_all(&line).await?;
            }
            to.flush().await?;
        }
        Ok(())
    }

    /// Fetches both once. The JWK Set is where the last discovery document that could be read says.
    pub async fn fetch(&mut self) -> Vec<Exchange> {
        let discovered = self.exchange(Endpoint::Discovery, &self.discovery).await;
        if let Outcome::Answer(answer) = &discovered.outcome
            && let Some(found) = jwks_uri(&answer.body)
        {
            self.jwks_uri = Some(found);
        }
        let mut exchanges = vec![discovered];
        if let Some(jwks_uri) = &self.jwks_uri {
            exchanges.push(self.exchange(Endpoint::Jwks, jwks_uri).await);
        }
        exchanges
    }

    async fn exchange(&self, endpoint: Endpoint, url: &Url) -> Exchange {
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = match self.answer(url).await {
            Ok(answer) => Outcome::Answer(answer),
            Err(failure) => Outcome::Failure(failure),
        };
        Exchange { at_ms, endpoint, path: url.path().to_owned(), outcome }
    }

    async fn answer(&self, url: &Url) -> Result<Recorded, Failure> {
        let mut answer = self.client.get(url.clone()).send().await.map_err(|error| failure(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failure(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                return Err(Failure::Body);
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Recorded { status: answer.status().as_u16(), headers: headers(&answer), body })
    }
}

fn jwks_uri(discovery: &str) -> Option<Url> {
    let metadata: Value = serde_json::from_str(discovery).ok()?;
    Url::parse(metadata.get("jwks_uri")?.as_str()?).ok()
}

fn headers(answer: &Response) -> Vec<(String, String)> {
    let value = |name: &str| Some((name.to_owned(), answer.headers().get(name)?.to_str().ok()?.to_owned()));
    HEADERS.iter().filter_map(|name| value(name)).collect()
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        Failure::Timeout
    } else if error.is_connect() {
        Failure::Connect
    } else if error.is_body() || error.is_decode() {
        Failure::Body
    } else {
        Failure::Request
    }
}
