//! The verifier: issuers, their keepers and introspectors, and the verdicts that are remembered.

mod binding;
mod builder;
mod deciding;
mod requirement_settings;
mod shared;

use std::sync::Arc;

use keyward_jose::{DecodeBuffer, Jws};
use keyward_verify::introspection::{AnswerCache, Forget};
use keyward_verify::strategy::Strategy;
use keyward_verify::{Issuer, Requirement, VerdictCache};

use crate::IssuerStatus;
use crate::clock::Clock;
use crate::event::Observer;
use crate::introspection::Introspector;
use crate::keeper::Keeper;

use binding::Binding;
pub use builder::VerifierBuilder;
use requirement_settings::Held;
pub use requirement_settings::RequirementSettings;

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
    /// Each issuer's own, by place.
    strategies: Vec<Strategy>,
    /// Those of the issuers that have an endpoint, by place, and what they remember.
    introspectors: Vec<Option<Arc<Introspector>>>,
    answers: Vec<Option<Arc<AnswerCache>>>,
    requirements: Vec<Held>,
    cache: VerdictCache,
    binding: Binding,
}

/// One of the requirements that a verifier was built with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequirementId(u32);

impl Verifier {
    /// A builder with no issuer and one requirement, [`RequirementId::default`], which demands nothing
    /// beyond a good token.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    /// What a requirement demands.
    pub fn requirement(&self, RequirementId(number): RequirementId) -> Option<&Requirement> {
        self.inner.requirements.get(number as usize).map(|held| &held.requirement)
    }

    /// Forgets what introspection endpoints said: the next request with such a token asks anew, and no answer counts
    /// any more whose question came up before. Returns how many answers are gone. Verdicts by keys stay, since no
    /// endpoint has a say in them.
    pub fn forget(&self, what: Forget<'_>) -> usize {
        self.inner.answers.iter().flatten().map(|answers| answers.forget(what)).sum()
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

    /// Hands `read` the `kid` that a token names, if it names one. It is a stranger's text of any length: it may be counted,
    /// and stands in no log.
    pub fn read_kid<T>(&self, token: &[u8], read: impl FnOnce(&str) -> T) -> Option<T> {
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token, Jws::DEFAULT_SIZE_LIMIT, &mut buffer).ok()?;
        jws.header().kid().map(read)
    }

    /// Each issuer's keys, as they are now.
    pub fn status(&self) -> Vec<IssuerStatus> {
        let now = self.inner.clock.now();
        let Inner { keepers, introspectors, issuers, strategies, .. } = &*self.inner;
        let kept = keepers.iter().zip(introspectors).zip(issuers.iter().zip(strategies));
        kept.map(|((keeper, introspector), (issuer, strategy))| {
            let introspection = introspector.as_ref().map(|introspector| introspector.status());
            IssuerStatus::of(keeper, &issuer.policy, now).with(*strategy, introspection)
        })
        .collect()
    }

    /// How many verdicts are remembered, and how many octets they take.
    pub fn cache_size(&self) -> (usize, u64) {
        (self.inner.cache.len(), self.inner.cache.octets())
    }

    fn introspector(&self, place: usize) -> Option<&Arc<Introspector>> {
        self.inner.introspectors.get(place)?.as_ref()
    }

    /// The clock that it decides by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }
}
