//! Where an issuer's endpoints are: as the operator says, or as its discovery document does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use keyward_verify::MonoTime;
use tokio::sync::OnceCell;
use url::Url;

use crate::clock::Clock;
use crate::discovery::{self, Metadata};
use crate::fetch::{FetchError, Fetcher, shown};

/// Where one of an issuer's endpoints is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EndpointPlace {
    /// Where its discovery document says, which must be on the issuer's host or on one that is allowed.
    #[default]
    Discovery,
    /// At this address.
    Url(Url),
}

/// An endpoint that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// What named it: the discovery document, or the operator, and then this is its own address.
    pub named: Url,
    /// Its address.
    pub url: Url,
}

/// Which endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Introspection,
    Token,
}

/// After an endpoint failed, its address is looked up again; no more often than this.
const DOUBT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(60);

/// An issuer's endpoints. The discovery document is fetched when the first of them is needed, by one for all who
/// wait, and kept; it is fetched again after an endpoint failed, and what it said before counts until then.
#[derive(Debug)]
pub(crate) struct Endpoints {
    issuer: Box<str>,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    first: OnceCell<()>,
    found: ArcSwapOption<Found>,
    is_looking: AtomicBool,
}

#[derive(Debug)]
struct Found {
    document: Url,
    metadata: Metadata,
    at: MonoTime,
}

impl Endpoints {
    pub(crate) fn new(issuer: &str, fetcher: Fetcher, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            issuer: issuer.into(),
            fetcher,
            clock,
            first: OnceCell::new(),
            found: ArcSwapOption::empty(),
            is_looking: AtomicBool::new(false),
        })
    }

    /// Where the endpoint is.
    pub(crate) async fn locate(&self, place: &EndpointPlace, kind: Kind) -> Result<Located, FetchError> {
        match place {
            EndpointPlace::Url(url) => Ok(Located { named: url.clone(), url: url.clone() }),
            EndpointPlace::Discovery => {
                self.first.get_or_try_init(|| self.look()).await?;
                let found = self.found.load();
                let named = found.as_ref().and_then(|found| found.located(kind));
                named.ok_or_else(|| FetchError::NotNamed {
                    issuer: self.issuer.to_string(),
                    member: kind.member(),
                })
            }
        }
    }

    /// Where the endpoint is, as far as that is known.
    pub(crate) fn known(&self, place: &EndpointPlace, kind: Kind) -> Option<Url> {
        match place {
            EndpointPlace::Url(url) => Some(url.clone()),
            EndpointPlace::Discovery => self.found.load().as_ref()?.located(kind).map(|located| located.url),
        }
    }

    /// The endpoint failed: it may have moved. Nobody waits for that.
    pub(crate) fn doubt(self: &Arc<Self>) {
        let is_recent = |found: &Arc<Found>| self.clock.mono() < found.at.saturating_add(DOUBT_INTERVAL);
        if self.found.load().as_ref().is_none_or(is_recent) || self.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let endpoints = Arc::clone(self);
        tokio::spawn(async move {
            // Where it fails as well, the old addresses are all there is.
            let _ = endpoints.look().await;
            endpoints.is_looking.store(false, Ordering::Release);
        });
    }

    async fn look(&self) -> Result<(), FetchError> {
        let looking = discovery::find(&self.fetcher, &self.issuer);
        let found = tokio::time::timeout(self.fetcher.timeout(), looking).await;
        let (document, metadata) = match found {
            Ok(found) => found?,
            Err(_) => return Err(self.too_slow()),
        };
        self.found.store(Some(Arc::new(Found { document, metadata, at: self.clock.mono() })));
        Ok(())
    }

    pub(crate) fn too_slow(&self) -> FetchError {
        match Url::parse(&self.issuer) {
            Ok(url) => FetchError::Timeout { url: shown(&url) },
            Err(_) => FetchError::NotNamed { issuer: self.issuer.to_string(), member: "issuer" },
        }
    }
}

impl Found {
    fn located(&self, kind: Kind) -> Option<Located> {
        let url = match kind {
            Kind::Introspection => self.metadata.introspection_endpoint.clone(),
            Kind::Token => self.metadata.token_endpoint.clone(),
        }?;
        Some(Located { named: self.document.clone(), url })
    }
}

impl Kind {
    /// What the document calls it (RFC 8414 §2).
    const fn member(self) -> &'static str {
        match self {
            Self::Introspection => "introspection_endpoint",
            Self::Token => "token_endpoint",
        }
    }
}
