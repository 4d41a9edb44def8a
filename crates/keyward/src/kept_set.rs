//! One JWK Set, kept as an issuer's is, for who holds other things than tokens against it.

use std::sync::Arc;
use std::time::Duration;

use keyward_jose::{Jws, Thumbprint, UnusableKey};
use keyward_verify::key_set::{KeySetSettings, KeySetState, LiveKey, PublishedKeys, WrapperPolicy};
use keyward_verify::{
    Issuer, IssuerPolicy, MonoTime, Now, Reason, Stop, UnixTime, key_with_thumbprint, signing_key,
};
use url::Url;

use crate::IssuerSettings;
use crate::address::AllowedHost;
use crate::clock::Clock;
use crate::entropy;
use crate::event::Observer;
use crate::fetch::{Fetcher, Transport, shown};
use crate::issuer_settings::KeySource;
use crate::keeper::{Keeper, Lines, NewKeeper, Surroundings};
use crate::source::Source;

/// A JWK Set at an address: fetched at once and then over and over, until this is dropped, in a task of the runtime in which it was
/// started. It is kept as the keys of a [`Verifier`](crate::Verifier)'s issuer are: failures remove no key before the stale limit,
/// and keys that it lacks cause fetches out of a budget.
///
/// Nothing of it is written into the log: the observer is told, and says what it likes.
#[derive(Debug)]
pub struct KeptSet {
    issuer: Issuer,
    keeper: Keeper,
    clock: Arc<dyn Clock>,
}

/// How a [`KeptSet`] is kept.
#[derive(Clone, Debug)]
pub struct KeptSetSettings {
    /// When it is fetched, and for how long it serves.
    pub key_set: KeySetSettings,
    /// How long one fetch may take, DNS, connection, TLS and body included.
    pub fetch_timeout: Duration,
    /// The most octets that are read.
    pub octets: usize,
    /// Hosts that may have any address, and that redirects may lead to.
    pub allowed_hosts: Vec<AllowedHost>,
}

impl KeptSet {
    /// Begins to fetch the set at `jwks_uri`. Whether that may be asked is looked at with each fetch
    /// ([`vet`](crate::fetch::vet)).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(
        jwks_uri: Url,
        settings: KeptSetSettings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let KeptSetSettings { key_set, fetch_timeout, octets, allowed_hosts } = settings;
        let name = shown(&jwks_uri).to_string();
        let mut settings = IssuerSettings::jwks_uri(&name, jwks_uri.clone()).wrapper(WrapperPolicy::Ignore);
        settings.key_set = key_set;
        let fetcher = Fetcher::with_transport(transport, fetch_timeout, octets, &allowed_hosts);
        let source = Source { issuer: name.clone().into(), place: KeySource::JwksUri(jwks_uri), fetcher };
        let policy = IssuerPolicy { wrapper: WrapperPolicy::Ignore, ..IssuerPolicy::new(&name, &name) };
        let published = Arc::new(PublishedKeys::default());
        let issuer = Issuer { policy: Arc::new(policy), keys: Arc::clone(&published) };
        let new =
            NewKeeper { settings, published, source: Some(source), snapshot: None, wrapper_anchors: None };
        let surroundings = Surroundings { clock: Arc::clone(&clock), observer, lines: Lines::Observers };
        Self { issuer, keeper: Keeper::start(new, surroundings, entropy::seed()), clock }
    }

    /// The key that signed `jws`, without waiting. `arrived` is when it came in, and `issued_at` what its claims say.
    ///
    /// # Errors
    /// [`Stop`]: the key that the set lacks, or why there is none.
    pub fn try_signing_key(
        &self,
        arrived: MonoTime,
        jws: &Jws<'_>,
        issued_at: Option<UnixTime>,
    ) -> Result<Arc<LiveKey>, Stop> {
        signing_key(self.clock.now(), arrived, &self.issuer, jws, issued_at)
    }

    /// The key with this thumbprint (RFC 7638), without waiting.
    ///
    /// # Errors
    /// [`Stop`]: the key that the set lacks, or why there is none.
    pub fn try_key_with_thumbprint(
        &self,
        arrived: MonoTime,
        thumbprint: &Thumbprint,
    ) -> Result<Arc<LiveKey>, Stop> {
        key_with_thumbprint(self.clock.now(), arrived, &self.issuer, thumbprint)
    }

    /// The key that signed `jws`. Where the set lacks it, a fetch may be waited for, until `patience` is over.
    ///
    /// # Errors
    /// [`NoSigningKey`].
    pub async fn signing_key(
        &self,
        arrived: MonoTime,
        jws: &Jws<'_>,
        issued_at: Option<UnixTime>,
        patience: Duration,
    ) -> Result<Arc<LiveKey>, NoSigningKey> {
        let found = self.found(patience, |now| signing_key(now, arrived, &self.issuer, jws, issued_at)).await;
        found.map_err(|stopped| match stopped {
            Stopped::Decided(Reason::InvalidSignature | Reason::AlgorithmMismatch) => NoSigningKey::Invalid,
            Stopped::Decided(reason) => match jws.header().kid().and_then(|kid| self.skipped(kid)) {
                Some(why) => NoSigningKey::Unusable(why),
                None => NoSigningKey::decided(reason),
            },
            Stopped::Undecided(reason) => NoSigningKey::Unavailable(reason),
        })
    }

    /// The key with this thumbprint (RFC 7638), likewise.
    ///
    /// # Errors
    /// [`NoSigningKey::Unavailable`], [`NoSigningKey::Unknown`].
    pub async fn key_with_thumbprint(
        &self,
        arrived: MonoTime,
        thumbprint: &Thumbprint,
        patience: Duration,
    ) -> Result<Arc<LiveKey>, NoSigningKey> {
        let found =
            self.found(patience, |now| key_with_thumbprint(now, arrived, &self.issuer, thumbprint)).await;
        found.map_err(|stopped| match stopped {
            Stopped::Decided(reason) => NoSigningKey::decided(reason),
            Stopped::Undecided(reason) => NoSigningKey::Unavailable(reason),
        })
    }

    async fn found(
        &self,
        patience: Duration,
        find: impl Fn(Now) -> Result<Arc<LiveKey>, Stop>,
    ) -> Result<Arc<LiveKey>, Stopped> {
        let deadline = self.clock.mono().saturating_add(patience);
        loop {
            let now = self.clock.now();
            match find(now) {
                Ok(key) => return Ok(key),
                Err(Stop::Reason(reason)) => return Err(Stopped::Decided(reason)),
                Err(Stop::NeedsKey(wanted)) => {
                    self.keeper.want(now, wanted, deadline).await.map_err(Stopped::Undecided)?;
                }
            }
        }
    }

    /// Why the key of this name cannot be used, where the set has one that cannot.
    fn skipped(&self, kid: &str) -> Option<UnusableKey> {
        let current = self.issuer.keys.current();
        let skipped = current.as_deref()?.skipped();
        skipped.iter().find(|jwk| jwk.kid.as_deref() == Some(kid)).map(|jwk| jwk.reason)
    }

    /// How far along its life the set is.
    pub fn state(&self) -> KeySetState {
        self.issuer.keys.state(self.clock.mono())
    }
}

/// Why there is no key.
enum Stopped {
    /// The set says so, and is recent enough to.
    Decided(Reason),
    /// It cannot be told.
    Undecided(Reason),
}

/// Why a set has no key for what somebody shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSigningKey {
    /// The key of this name did not sign it, or cannot by this `alg`.
    #[error("the key of this name did not sign it")]
    Invalid,
    /// Nobody can tell: the set cannot be had, or not so soon again.
    #[error("the set cannot tell: {0}")]
    Unavailable(Reason),
    /// A set that was fetched since has no such key.
    #[error("the set has no such key")]
    Unknown,
    /// The set has it, and it verifies nothing.
    #[error("the set's key of this name cannot be used: {0}")]
    Unusable(UnusableKey),
}

impl NoSigningKey {
    fn decided(reason: Reason) -> Self {
        if reason == Reason::UnknownKid { Self::Unknown } else { Self::Unavailable(reason) }
    }
}
