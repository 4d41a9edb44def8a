//! Builds verifiers: everything is checked before anything is started.

use std::path::PathBuf;
use std::sync::Arc;

use keyward_verify::binding::BindingSettings;
use keyward_verify::introspection::AnswerForm;
use keyward_verify::key_set::{LiveKey, PublishedKeys};
use keyward_verify::{Issuer, VerdictCache};
use zeroize::Zeroizing;

use super::binding::{Binding, BindingPlan};
use super::shared::SharedPlan;
use super::{Inner, RequirementId, RequirementSettings, Verifier};
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Caller, CallerError};
use crate::entropy;
use crate::event::{NoObserver, Observer};
use crate::fetch::Transport;
use crate::introspection::{IntrospectionSettings, Introspector, NewIntrospector, caller_settings};
use crate::issuer_settings::{IssuerSettings, KeySource};
use crate::keeper::{Keeper, Lines, NewKeeper, Surroundings};
use crate::settings_error::SettingsError;
use crate::shared_replay::{SharedReplay, SharedReplaySettings};
use crate::snapshot::Snapshot;
use crate::source::Source;

/// 32 MiB of remembered verdicts, about sixteen thousand tokens.
const DEFAULT_CACHE_OCTETS: u64 = 32 * 1024 * 1024;

/// Builds a [`Verifier`].
#[derive(Debug)]
pub struct VerifierBuilder {
    issuers: Vec<IssuerSettings>,
    requirements: Vec<RequirementSettings>,
    snapshots: Option<PathBuf>,
    cache_octets: u64,
    binding: BindingPlan,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    transport: Option<Arc<dyn Transport>>,
    seed: Option<u64>,
    previous: Option<Verifier>,
}

impl VerifierBuilder {
    pub(super) fn new() -> Self {
        Self {
            issuers: Vec::new(),
            requirements: vec![RequirementSettings::default()],
            snapshots: None,
            cache_octets: DEFAULT_CACHE_OCTETS,
            binding: BindingPlan::default(),
            clock: Arc::new(SystemClock::new()),
            observer: None,
            transport: None,
            seed: None,
            previous: None,
        }
    }

    /// Adds an issuer. Its place in [`Requirement::issuers`](crate::Requirement::issuers) is how many were added before
    /// it.
    #[must_use]
    pub fn issuer(mut self, issuer: IssuerSettings) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Adds a requirement, to be named by the id that comes back.
    pub fn requirement(&mut self, requirement: impl Into<RequirementSettings>) -> RequirementId {
        let number = u32::try_from(self.requirements.len()).unwrap_or(u32::MAX);
        self.requirements.push(requirement.into());
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

    /// What DPoP proofs must be like (RFC 9449).
    #[must_use]
    pub fn binding(mut self, settings: BindingSettings) -> Self {
        self.binding.settings = settings;
        self
    }

    /// How many proofs that were used are remembered at most. Where there are more within the time that one may be used,
    /// requests with proofs are [`Reason::Overloaded`](crate::Reason::Overloaded). Default 500,000.
    #[must_use]
    pub fn replay_limit(mut self, proofs: usize) -> Self {
        self.binding.replay_limit = proofs;
        self
    }

    /// The secret that keys nonces and what is remembered of proofs, 32 random octets, in place of one of this process'
    /// own. Verifiers behind one address that demand nonces must share it, or a nonce of one is none of the next; so must
    /// those that share a [memory of used proofs](Self::shared_replay), where a proof has the same name for all who do.
    ///
    /// Where it is another than that of the [`previous`](Self::previous) verifier, what that remembered of proofs does not
    /// tell them any more: as after a restart, one that was used may pass once more while it is young enough.
    #[must_use]
    pub fn proof_secret(mut self, secret: [u8; 32]) -> Self {
        self.binding.secret = Some(Arc::new(Zeroizing::new(secret)));
        self
    }

    /// A memory of used proofs that other processes share, so that a proof passes once in all of them. It is asked about
    /// each proof that is new here, after this process' own memory, for as long as the settings say. Default: none.
    ///
    /// It needs a [`proof_secret`](Self::proof_secret) that they share, too. That of the [`previous`](Self::previous)
    /// verifier is not taken over.
    #[must_use]
    pub fn shared_replay(mut self, memory: Arc<dyn SharedReplay>, settings: SharedReplaySettings) -> Self {
        self.binding.shared = Some(SharedPlan { memory, settings });
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
    /// Remembered verdicts are not taken over: they were made under another configuration. Proofs that were used are, and
    /// nonces that were given stay good.
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
    pub fn start(mut self) -> Result<Verifier, SettingsError> {
        self.check()?;
        let requirements = std::mem::take(&mut self.requirements);
        let requirements = requirements.into_iter().map(|settings| settings.held(&self.issuers));
        let requirements = requirements.collect::<Result<Vec<_>, SettingsError>>()?;
        let prepared = self.issuers.iter().enumerate().map(|(place, settings)| {
            let by_strategy = requirements.iter().any(|held| held.plan.uses_keys(place));
            if by_strategy || settings.introspection.as_ref().is_some_and(may_be_signed) {
                return self.prepare(settings);
            }
            // Nobody looks at its keys. Its provider may not even have any, which nobody is to be told for ever.
            self.prepare(&IssuerSettings { source: None, ..settings.clone() })
        });
        let prepared = prepared.collect::<Result<Vec<_>, SettingsError>>()?;
        let observer = self.told();
        let seed = self.seed.unwrap_or_else(entropy::seed);
        // They begin to obtain what they need at once, and end where a later one cannot be made.
        let callers = self.issuers.iter().zip(1..).map(|(settings, place)| {
            self.caller(settings, &observer, entropy::derived(entropy::derived(seed, place), 1))
        });
        let callers = callers.collect::<Result<Vec<_>, SettingsError>>()?;
        let surroundings = Surroundings {
            clock: Arc::clone(&self.clock),
            observer: Arc::clone(&observer),
            lines: Lines::Own,
        };
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
        let mut issuers = Vec::with_capacity(keepers.len());
        let mut introspectors = Vec::with_capacity(keepers.len());
        for (place, (settings, (keeper, caller))) in
            self.issuers.iter().zip(keepers.iter().zip(callers)).enumerate()
        {
            let policy = Arc::new(settings.clone().decidable_policy());
            let issuer = Issuer { policy, keys: keeper.published() };
            let new =
                caller.zip(settings.introspection.clone()).map(|(caller, introspection)| NewIntrospector {
                    keeper: may_be_signed(&introspection).then(|| Arc::clone(keeper)),
                    settings: introspection,
                    caller,
                    issuer: issuer.clone(),
                    place,
                    clock: Arc::clone(&self.clock),
                    observer: Arc::clone(&observer),
                    seed: entropy::derived(entropy::derived(seed, place as u64 + 1), 2),
                    secret: self.secret(place),
                });
            introspectors.push(new.map(|new| self.introspector(new)));
            issuers.push(issuer);
        }
        let previous = self.previous.as_ref().map(|previous| &previous.inner.binding);
        let proof_seed = self.seed.map(|seed| entropy::derived(seed, u64::MAX - 1));
        let binding = Binding::new(self.binding, proof_seed, previous);
        let remembered = |introspector: &Arc<Introspector>| Arc::clone(introspector.answers());
        let answers =
            introspectors.iter().map(|introspector| introspector.as_ref().map(remembered)).collect();
        Ok(Verifier {
            inner: Arc::new(Inner {
                clock: self.clock,
                observer,
                strategies: self.issuers.iter().map(|settings| settings.strategy).collect(),
                issuers,
                keepers,
                introspectors,
                answers,
                requirements,
                cache: VerdictCache::new(self.cache_octets, entropy::derived(seed, 0)),
                binding,
            }),
        })
    }

    fn told(&self) -> Arc<dyn Observer> {
        self.observer.clone().unwrap_or_else(|| match &self.previous {
            Some(previous) => Arc::clone(&previous.inner.observer),
            None => Arc::new(NoObserver),
        })
    }

    /// Calls the issuer's endpoints; the one of the previous verifier where it would do the same.
    fn caller(
        &self,
        settings: &IssuerSettings,
        observer: &Arc<dyn Observer>,
        seed: u64,
    ) -> Result<Option<Arc<Caller>>, SettingsError> {
        let Some(introspection) = &settings.introspection else {
            return Ok(None);
        };
        let wanted = caller_settings(settings, introspection);
        if let Some(running) = self.running(observer).find(|running| *running.caller().settings() == wanted) {
            return Ok(Some(Arc::clone(running.caller())));
        }
        let (clock, observer) = (Arc::clone(&self.clock), Arc::clone(observer));
        let caller = match &self.transport {
            Some(transport) => Caller::with_transport(wanted, Arc::clone(transport), clock, observer, seed),
            None => Caller::start(wanted, clock, observer, seed),
        };
        let issuer = settings.policy.name.to_string();
        caller.map(|caller| Some(Arc::new(caller))).map_err(|error| match error {
            CallerError::File(cause) => SettingsError::Credential { issuer, cause },
            CallerError::HttpClient(cause) => SettingsError::HttpClient { issuer, cause },
        })
    }

    /// Asks the issuer's endpoint; the one of the previous verifier where it would do the same.
    fn introspector(&self, new: NewIntrospector) -> Arc<Introspector> {
        let alike = self.running(&new.observer).find(|running| running.asks_alike(&new)).cloned();
        alike.unwrap_or_else(|| Arc::new(Introspector::new(new)))
    }

    /// The introspectors of the previous verifier that tell the same observer.
    fn running<'a>(&'a self, observer: &'a Arc<dyn Observer>) -> impl Iterator<Item = &'a Arc<Introspector>> {
        let told = |previous: &&Verifier| {
            std::ptr::addr_eq(Arc::as_ptr(&previous.inner.observer), Arc::as_ptr(observer))
        };
        self.previous.iter().filter(told).flat_map(|previous| previous.inner.introspectors.iter().flatten())
    }

    /// Keys the hash of tokens.
    fn secret(&self, place: usize) -> [u8; 32] {
        match self.seed {
            Some(seed) => entropy::derived_secret(entropy::derived(seed, place as u64 + 1)),
            None => entropy::secret(),
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        if self.issuers.is_empty() {
            return Err(SettingsError::NoIssuer);
        }
        if self.binding.shared.is_some() && self.binding.secret.is_none() {
            return Err(SettingsError::SharedReplayWithoutSecret);
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
            if matches!(settings.source, Some(KeySource::Certificates { .. } | KeySource::File(_))) {
                keeper.refresh();
            }
            return Ok(Prepared::Running(Arc::clone(keeper)));
        }
        let now = self.clock.now().wall;
        let wrapper_anchors = settings.wrapper_trust(now)?.map(Arc::new);
        let fixed = settings.hmac_key()?.map(|key| LiveKey::fixed(key, now));
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
        let settings = settings.clone();
        Ok(Prepared::New(Box::new(NewKeeper { settings, published, source, snapshot, wrapper_anchors })))
    }
}

/// Whether answers are checked by the issuer's keys.
fn may_be_signed(introspection: &IntrospectionSettings) -> bool {
    introspection.form != AnswerForm::Plain
}

enum Prepared {
    New(Box<NewKeeper>),
    Running(Arc<Keeper>),
}
