//! Fetches an issuer's set from wherever it is.

use keyward_jose::{JwkSet, JwkSetLimits};
use keyward_verify::key_set::Fetched;

use crate::discovery;
use crate::fetch::{FetchError, Fetcher};
use crate::issuer_settings::KeySource;

/// A place to fetch one issuer's set from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) issuer: Box<str>,
    pub(crate) place: KeySource,
    pub(crate) fetcher: Fetcher,
}

/// A set as it was read, and the text that it was read from.
#[derive(Debug)]
pub(crate) struct FetchedText {
    pub(crate) fetched: Fetched,
    pub(crate) text: Vec<u8>,
}

impl Source {
    /// Fetches the set, discovery included: a provider may move its keys at any time.
    pub(crate) async fn fetch(&self) -> Result<FetchedText, FetchError> {
        let (place, text, max_age) = match &self.place {
            KeySource::Discovery => {
                let url = discovery::jwks_uri(&self.fetcher, &self.issuer).await?;
                let document = self.fetcher.get(&url).await?;
                (url.to_string(), document.body, document.max_age)
            }
            KeySource::JwksUri(url) => {
                let document = self.fetcher.get(url).await?;
                (url.to_string(), document.body, document.max_age)
            }
            KeySource::File(path) => {
                let place = path.display().to_string();
                let text = tokio::fs::read(path)
                    .await
                    .map_err(|cause| FetchError::File { path: place.clone(), cause })?;
                (place, text, None)
            }
        };
        let limits = JwkSetLimits { octets: self.fetcher.body_limit(), ..JwkSetLimits::default() };
        let set = JwkSet::parse(&text, limits).map_err(|cause| FetchError::JwkSet { place, cause })?;
        Ok(FetchedText { fetched: Fetched { set, max_age }, text })
    }
}
