//! The verifier: issuers, their keepers, and the verdicts that are remembered.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyward_jose::{DecodeBuffer, Jws};
use keyward_verify::key_set::{LiveKey, PublishedKeys};
use keyward_verify::{
    Decision, Issuer, MonoTime, Now, Requirement, Verdict, VerdictCache, WantedKey, decide,
};

use crate::clock::{Clock, SystemClock};
use crate::event::{NoObserver, Observer};
use crate::fetch::Transport;
use crate::issuer_settings::{IssuerSettings, KeySource, SettingsError};
use crate::keeper::{Keeper, NewKeeper, Surroundings};
use crate::snapshot::Snapshot;
use crate::source::Source;
use crate::{IssuerStatus, entropy};

/// The longest that a request waits for a key that is not known yet.
const KEY_WAIT: Duration = Duration::from_secs(1);

/// 32 MiB of remembered verdicts, about sixteen thousand tokens.
const DEFAULT_CACHE_OCTETS: u64 = 32 * 1024 * 1024;

/// Verifies tokens of one or more issuers.
///
/// Cloning it copies a pointer. Its keys are refreshed by tasks of the runtime in which it was started;
/// they end with the last clone.
#[derive(Clone, Debug)]
pub struct Verifier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    issuers: Vec<Issuer>,
    keepers: Vec<Arc<Keeper>>,
    requirements: Vec<Requirement>,
    cache: VerdictCache,
}

/// One of the requirements that a verifier was built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequirementId(u32);

/// Builds a [`Verifier`].
#[derive(Debug)]
pub struct VerifierBuilder {
    issuers: Vec<IssuerSettings>,
    requirements: Vec<Requirement>,
    snapshots: Option<PathBuf>,
    cache_octets: u64,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    transport: Option<Arc<dyn Transport>>,
    seed: Option<u64>,
    previous: Option<Verifier>,
}

impl Verifier {
    /// A builder with no issuer and one requirement, [`RequirementId::default`], which demands nothing
    /// beyond a good token.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder {
            issuers: Vec::new(),
            requirements: vec![Requirement::default()],
            snapshots: None,
            cache_octets: DEFAULT_CACHE_OCTETS,
            clock: Arc::new(SystemClock::new()),
            observer: None,
            transport: None,
            seed: None,
            previous: None,
        }
    }

    /// Decides on a token.
    ///
    /// Where its key is known, or it was seen before, this does not wait. Otherwise it waits at most 1 s for
    /// a fetch of the issuer's keys, which is shared by all who wait and limited by a budget.
    pub async fn verify(&self, token: &[u8]) -> Verdict {
        self.verify_for(RequirementId::default(), token).await
    }

    /// Decides on a token under one of the requirements that the verifier was built with.
    pub async fn verify_for(&self, requirement: RequirementId, token: &[u8]) -> Verdict {
        let now = self.inner.clock.now();
        match self.decide(now, now.mono, requirement, token) {
            Decision::Decided(verdict) => verdict,
            Decision::NeedsKey(wanted) => self.wait_and_decide(now, requirement, token, wanted).await,
        }
    }

    /// Decides on a token without waiting; [`None`] where its key would have to be fetched first.
    pub fn try_verify_for(&self, requirement: RequirementId, token: &[u8]) -> Option<Verdict> {
        let now = self.inner.clock.now();
        match self.decide(now, now.mono, requirement, token) {
            Decision::Decided(verdict) => Some(verdict),
            Decision::NeedsKey(_) => None,
        }
    }

    async fn wait_and_decide(
        &self,
        arrived: Now,
        requirement: RequirementId,
        token: &[u8],
        mut wanted: WantedKey,
    ) -> Verdict {
        let deadline = arrived.mono.saturating_add(KEY_WAIT);
        loop {
            let now = self.inner.clock.now();
            let Some(keeper) = self.inner.keepers.get(wanted.issuer) else {
                return keyward_verify::Reason::KeysUnavailable.into();
            };
            if let Err(reason) = keeper.want(now, wanted, deadline).await {
                return reason.into();
            }
            match self.decide(self.inner.clock.now(), arrived.mono, requirement, token) {
                Decision::Decided(verdict) => return verdict,
                Decision::NeedsKey(still) => wanted = still,
            }
        }
    }

    fn decide(&self, now: Now, arrived: MonoTime, requirement: RequirementId, token: &[u8]) -> Decision {
        thread_local! {
            static BUFFER: RefCell<DecodeBuffer> = RefCell::default();
        }
        let Inner { issuers, requirements, cache, .. } = &*self.inner;
        let RequirementId(number) = requirement;
        if let Some(verified) = cache.get(now, number, token) {
            return Decision::Decided(Verdict::Accept(verified));
        }
        let Some(demanded) = requirements.get(number as usize) else {
            // An id of another verifier: nothing is known of what it demands.
            return Decision::Decided(keyward_verify::Reason::WrongIssuer.into());
        };
        let decision =
            BUFFER.with_borrow_mut(|buffer| decide(now, arrived, issuers, demanded, token, buffer));
        if let Decision::Decided(Verdict::Accept(verified)) = &decision {
            cache.insert(number, token, verified.clone());
        }
        decision
    }

    /// What a requirement demands.
    pub fn requirement(&self, RequirementId(number): RequirementId) -> Option<&Requirement> {
        self.inner.requirements.get(number as usize)
    }

    /// The `kid` that a token names, where an issuer's set holds a key of that name: for logs, in which nothing
    /// that a stranger made up may stand.
    pub fn published_kid(&self, token: &[u8]) -> Option<String> {
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token, Jws::DEFAULT_SIZE_LIMIT, &mut buffer).ok()?;
        let kid = jws.header().kid()?;
        let is_published = |issuer: &Issuer| {
            let current = issuer.keys.current();
            current.as_ref().is_some_and(|set| set.keys().iter().any(|live| live.key().kid() == Some(kid)))
        };
        self.inner.issuers.iter().any(is_published).then(|| kid.to_owned())
    }

    /// Each issuer's keys, as they are now.
    pub fn status(&self) -> Vec<IssuerStatus> {
        let now = self.inner.clock.now();
        let kept = self.inner.keepers.iter().zip(&self.inner.issuers);
        kept.map(|(keeper, issuer)| IssuerStatus::of(keeper, &issuer.policy, now)).collect()
    }

    /// How many verdicts are remembered, and how many octets they take.
    pub fn cache_size(&self) -> (usize, u64) {
        (self.inner.cache.len(), self.inner.cache.octets())
    }

    /// The clock that it decides by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }
}

impl VerifierBuilder {
    /// Adds an issuer. Its place in [`Requirement::issuers`] is how many were added before it.
    #[must_use]
    pub fn issuer(mut self, issuer: IssuerSettings) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Adds a requirement, to be named by the id that comes back.
    pub fn requirement(&mut self, requirement: Requirement) -> RequirementId {
        let number = u32::try_from(self.requirements.len()).unwrap_or(u32::MAX);
        self.requirements.push(requirement);
        RequirementId(number)
    }

    /// Keeps each issuer's last good key set in this folder, for a start while its provider is down.
    #[must_use]
    pub fn snapshots(mut self, folder: impl Into<PathBuf>) -> Self {
        self.snapshots = Some(folder.into());
        self
    }

    /// How much memory remembered verdicts may take, in octets. Default 32 MiB.
    #[must_use]
    pub fn cache_octets(mut self, octets: u64) -> Self {
        self.cache_octets = octets;
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who is told of what happens to keys; nobody, or whom the previous verifier told.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Another way to reach providers than this machine's network, for all issuers whose keys are fetched. What
    /// may be fetched, and how much of it, stays as it is; the issuers' extra trust anchors, and what names may
    /// resolve to, are left to it. An issuer that goes on with the task of a previous verifier keeps its way.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Jitter and hashes from this instead of the machine's randomness, so that a test runs twice alike. Whoever
    /// knows it can choose tokens that collide in the memory of verdicts.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Goes on with the keys of `previous`, for each issuer whose keys come from the same place.
    /// Remembered verdicts are not taken over: they were made under another configuration.
    #[must_use]
    pub fn previous(mut self, previous: &Verifier) -> Self {
        self.clock = Arc::clone(&previous.inner.clock);
        self.previous = Some(previous.clone());
        self
    }

    /// Checks everything and starts the refresh tasks. It waits for none of them.
    ///
    /// # Errors
    /// [`SettingsError`]; nothing was started then.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Result<Verifier, SettingsError> {
        self.check()?;
        let prepared = self
            .issuers
            .iter()
            .map(|settings| self.prepare(settings))
            .collect::<Result<Vec<_>, SettingsError>>()?;
        let observer = self.observer.clone().unwrap_or_else(|| match &self.previous {
            Some(previous) => Arc::clone(&previous.inner.observer),
            None => Arc::new(NoObserver),
        });
        let surroundings = Surroundings { clock: Arc::clone(&self.clock), observer: Arc::clone(&observer) };
        let seed = self.seed.unwrap_or_else(entropy::seed);
        let keepers: Vec<_> = prepared
            .into_iter()
            .zip(1..)
            .map(|(prepared, place)| match prepared {
                Prepared::Running(keeper) => {
                    keeper.observed_by(&observer);
                    keeper
                }
                Prepared::New(new) => {
                    Arc::new(Keeper::start(*new, surroundings.clone(), entropy::derived(seed, place)))
                }
            })
            .collect();
        let issuers = self
            .issuers
            .into_iter()
            .zip(&keepers)
            .map(|(settings, keeper)| Issuer {
                policy: Arc::new(settings.decidable_policy()),
                keys: keeper.published(),
            })
            .collect();
        Ok(Verifier {
            inner: Arc::new(Inner {
                clock: self.clock,
                observer,
                issuers,
                keepers,
                requirements: self.requirements,
                cache: VerdictCache::new(self.cache_octets, entropy::derived(seed, 0)),
            }),
        })
    }

    fn check(&self) -> Result<(), SettingsError> {
        if self.issuers.is_empty() {
            return Err(SettingsError::NoIssuer);
        }
        for (place, settings) in self.issuers.iter().enumerate() {
            settings.check()?;
            let same = |other: &&IssuerSettings| {
                other.policy.name == settings.policy.name || other.policy.issuer == settings.policy.issuer
            };
            if let Some(twin) = self.issuers.iter().take(place).find(same) {
                return Err(SettingsError::DuplicateIssuer(twin.policy.name.to_string()));
            }
        }
        Ok(())
    }

    fn prepare(&self, settings: &IssuerSettings) -> Result<Prepared, SettingsError> {
        let kept = self.snapshots.as_ref().zip(settings.source.as_ref());
        let snapshot = kept.map(|(folder, place)| Snapshot::new(folder, &settings.policy.issuer, place));
        let mut running = self.previous.iter().flat_map(|previous| &previous.inner.keepers);
        let predecessor = running.find(|keeper| keeper.settings().has_same_place(settings));
        if let Some(keeper) = predecessor.filter(|keeper| keeper.keeps_alike(settings, snapshot.as_ref())) {
            // A file is mostly why a configuration is read again.
            if matches!(settings.source, Some(KeySource::File(_))) {
                keeper.refresh();
            }
            return Ok(Prepared::Running(Arc::clone(keeper)));
        }
        let fixed = settings.hmac_key()?.map(|key| LiveKey::fixed(key, self.clock.now().wall));
        let fixed = fixed.into_iter().collect();
        let source = match &self.transport {
            Some(transport) => Source::with_transport(settings, Arc::clone(transport)),
            None => Source::new(settings)?,
        };
        let published = Arc::new(match predecessor {
            // Kept in another way, and from the same place: the provider may be down just now.
            Some(keeper) => keeper.published().succeeded_by(fixed),
            None => PublishedKeys::new(fixed),
        });
        Ok(Prepared::New(Box::new(NewKeeper { settings: settings.clone(), published, source, snapshot })))
    }
}

enum Prepared {
    New(Box<NewKeeper>),
    Running(Arc<Keeper>),
}
