//! Fetches an issuer's set from wherever it is, once: what [`Verifier`](crate::Verifier) does over and over.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyward_jose::{JwkSet, JwkSetLimits};
use keyward_verify::UnixTime;
use keyward_verify::key_set::Fetched;
use tokio::io::AsyncReadExt;
use url::Url;

use crate::SettingsError;
use crate::certificate_keys;
use crate::discovery;
use crate::fetch::{Document, FetchError, Fetcher, NetworkTransport, Transport, shown};
use crate::issuer_settings::{IssuerSettings, KeySource};

/// A place to fetch one issuer's set from.
#[derive(Debug)]
pub struct Source {
    pub(crate) issuer: Box<str>,
    pub(crate) place: KeySource,
    pub(crate) fetcher: Fetcher,
}

/// A set as it was read, and the text that it was read from.
#[derive(Debug)]
pub struct FetchedText {
    /// The set.
    pub fetched: Fetched,
    /// The text.
    pub text: Vec<u8>,
    /// What the provider's clock said as it answered, where it told.
    pub date: Option<UnixTime>,
}

impl Source {
    /// Where the settings say that the keys are; none where there is only a secret.
    ///
    /// # Errors
    /// [`SettingsError::HttpClient`].
    pub fn new(settings: &IssuerSettings) -> Result<Option<Self>, SettingsError> {
        if settings.source.is_none() {
            return Ok(None);
        }
        let transport = NetworkTransport::new(&settings.extra_anchors, &settings.allowed_hosts)
            .map_err(|cause| SettingsError::HttpClient { issuer: settings.policy.name.to_string(), cause })?;
        Ok(Self::with_transport(settings, Arc::new(transport)))
    }

    /// The same by another way than this machine's network.
    pub fn with_transport(settings: &IssuerSettings, transport: Arc<dyn Transport>) -> Option<Self> {
        let place = settings.source.clone()?;
        let limit = JwkSetLimits::default().octets;
        let fetcher =
            Fetcher::with_transport(transport, settings.fetch_timeout, limit, &settings.allowed_hosts);
        Some(Self { issuer: settings.policy.issuer.clone(), place, fetcher })
    }

    /// Fetches the set, discovery included: a provider may move its keys at any time.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(&self) -> Result<FetchedText, FetchError> {
        let (place, document) = match &self.place {
            KeySource::Discovery => {
                // Two or three requests, which share the time of one fetch.
                let fetching = tokio::time::timeout(self.fetcher.timeout(), self.fetch_discovered());
                let (url, document) = fetching.await.map_err(|_| self.too_slow())??;
                (shown(&url).into(), document)
            }
            KeySource::JwksUri(url) => (shown(url).into(), self.fetcher.get(url).await?),
            KeySource::Certificates { path, kid } => {
                let (place, octets) = self.read(path).await?;
                let body = certificate_keys::jwk_set(&octets, self.fetcher.body_limit(), kid.as_deref())
                    .map_err(|cause| FetchError::Certificate { path: place.clone(), cause })?;
                (place, Document { body, max_age: None, age: Duration::ZERO, date: None })
            }
            KeySource::File(path) => {
                let (place, body) = self.read(path).await?;
                (place, Document { body, max_age: None, age: Duration::ZERO, date: None })
            }
        };
        let limits = JwkSetLimits { octets: self.fetcher.body_limit(), ..JwkSetLimits::default() };
        let Document { body: text, max_age, age, date } = document;
        let set = JwkSet::parse(&text, limits).map_err(|cause| FetchError::JwkSet { place, cause })?;
        // What a cache on the way kept was made earlier.
        let date = date.filter(|_| age.is_zero());
        Ok(FetchedText { fetched: Fetched { set, max_age, age }, text, date })
    }

    /// A file's name and content.
    async fn read(&self, path: &Path) -> Result<(String, Vec<u8>), FetchError> {
        let place = path.display().to_string();
        match read_file(path, self.fetcher.body_limit()).await {
            Ok(content) => Ok((place, content)),
            Err(cause) => Err(FetchError::File { path: place, cause }),
        }
    }

    async fn fetch_discovered(&self) -> Result<(Url, Document), FetchError> {
        let (named, url) = discovery::jwks_uri(&self.fetcher, &self.issuer).await?;
        let document = self.fetcher.get_named_by(&named, &url).await?;
        Ok((url, document))
    }

    fn too_slow(&self) -> FetchError {
        match Url::parse(&self.issuer) {
            Ok(url) => FetchError::Timeout { url: shown(&url) },
            Err(_) => {
                FetchError::File { path: self.issuer.to_string(), cause: io::ErrorKind::TimedOut.into() }
            }
        }
    }
}

/// Reads a file, no further than one octet past `limit`: by that the reader of the set sees that it is too
/// large. What is no plain file might never end, or never begin.
async fn read_file(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    if !tokio::fs::metadata(path).await?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    let mut text = Vec::new();
    tokio::fs::File::open(path).await?.take(limit as u64 + 1).read_to_end(&mut text).await?;
    Ok(text)
}
