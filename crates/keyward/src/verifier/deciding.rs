//! How a token gets its verdict: by calls that do not wait, and by waiting between them where that is needed.

use std::cell::RefCell;

use keyward_jose::DecodeBuffer;
use keyward_verify::binding::{BindingCheck, BindingError, Checked, Once, Presented};
use keyward_verify::strategy::{Advance, Flow, Grounds};
use keyward_verify::{Decision, MonoTime, Now, Reason, Verdict, Verified, WantedKey, decide};
use std::time::Duration;

use super::requirement_settings::Held;
use super::shared::Shared;
use super::{Inner, RequirementId, Verifier};

/// The longest that a request waits for a key that is not known yet.
const KEY_WAIT: Duration = Duration::from_secs(1);

thread_local! {
    static BUFFER: RefCell<DecodeBuffer> = RefCell::default();
}

/// What a request shows, held against its token.
enum Shown {
    Decided(Verdict),
    /// This verdict, unless the proof was used before.
    Once(Verdict, Once),
}

impl Verifier {
    /// Decides on a token, as one that was sent with nothing else: one that is bound to a certificate or a key is
    /// refused.
    ///
    /// Where its key is known, or it was seen before, this does not wait. Otherwise it waits at most 1 s for
    /// a fetch of the issuer's keys, which is shared by all who wait and limited by a budget, and where its issuer's
    /// introspection endpoint is asked, at most for the time that a call may take.
    pub async fn verify(&self, token: &[u8]) -> Verdict {
        self.verify_for(RequirementId::default(), token).await
    }

    /// Decides on a token under one of the requirements that the verifier was built with, as [`verify`](Self::verify).
    pub async fn verify_for(&self, requirement: RequirementId, token: &[u8]) -> Verdict {
        self.verify_presented_for(requirement, token, &Presented::NOTHING).await
    }

    /// Decides on a token and on what its request shows beside it: see [`BindingCheck::check`]. It waits as
    /// [`verify`](Self::verify), and about a DPoP proof for a memory of used proofs that is
    /// [shared](super::VerifierBuilder::shared_replay).
    ///
    /// A DPoP proof is used up by this, where it holds: ask once for each request. It is not where the shared memory cannot
    /// tell and the verdict is [`Reason::ProofMemoryUnavailable`], unless that learned of it without our knowing.
    ///
    /// [`BindingCheck::check`]: keyward_verify::binding::BindingCheck::check
    pub async fn verify_presented_for(
        &self,
        requirement: RequirementId,
        token: &[u8],
        presented: &Presented<'_>,
    ) -> Verdict {
        let Some(held) = self.held(requirement) else {
            // An id of another verifier: nothing is known of what it demands.
            return Reason::WrongIssuer.into();
        };
        let now = self.inner.clock.now();
        let verdict = if held.plan.is_keys_only() {
            match self.by_keys(now, now.mono, requirement, held, token) {
                Decision::Decided(verdict) => verdict,
                Decision::NeedsKey(wanted) => {
                    self.wait_and_decide(now, requirement, held, token, wanted).await
                }
            }
        } else {
            self.by_flow(Flow::new(self.grounds(held, requirement), token, now.mono)).await
        };
        match self.shown(held, token, presented, verdict) {
            Shown::Decided(verdict) => verdict,
            Shown::Once(verdict, once) => self.used_once(verdict, &once).await,
        }
    }

    /// Decides on a token without waiting, as one that was sent with nothing else; [`None`] where its key would have to be
    /// fetched first, or an endpoint asked.
    pub fn try_verify_for(&self, requirement: RequirementId, token: &[u8]) -> Option<Verdict> {
        self.try_verify_presented_for(requirement, token, &Presented::NOTHING)
    }

    /// Decides on a token and on what its request shows beside it, without waiting; [`None`] also where a shared memory would
    /// have to be asked about its proof. Where this is [`None`], no proof was used up.
    pub fn try_verify_presented_for(
        &self,
        requirement: RequirementId,
        token: &[u8],
        presented: &Presented<'_>,
    ) -> Option<Verdict> {
        let Some(held) = self.held(requirement) else {
            return Some(Reason::WrongIssuer.into());
        };
        let now = self.inner.clock.now();
        let verdict = if held.plan.is_keys_only() {
            match self.by_keys(now, now.mono, requirement, held, token) {
                Decision::Decided(verdict) => verdict,
                Decision::NeedsKey(_) => return None,
            }
        } else {
            self.try_by_flow(now, Flow::new(self.grounds(held, requirement), token, now.mono))?
        };
        match self.shown(held, token, presented, verdict) {
            Shown::Decided(verdict) => Some(verdict),
            Shown::Once(..) if self.inner.binding.shared.is_some() => None,
            Shown::Once(verdict, once) => {
                Some(self.used_here(&once).map_or_else(Verdict::from, |()| verdict))
            }
        }
    }

    /// What a verdict comes to by what its request shows: what was not accepted stays so.
    #[inline]
    fn shown(&self, held: &Held, token: &[u8], presented: &Presented<'_>, verdict: Verdict) -> Shown {
        match &verdict {
            Verdict::Accept(verified)
                if BindingCheck::concerns(held.requirement.binding, verified, presented) =>
            {
                match self.check_binding(held, token, presented, verified) {
                    Ok(Checked::Holds) => Shown::Decided(verdict),
                    Ok(Checked::Once(once)) => Shown::Once(verdict, once),
                    Err(error) => Shown::Decided(error.reason().into()),
                }
            }
            _ => Shown::Decided(verdict),
        }
    }

    #[inline(never)]
    fn check_binding(
        &self,
        held: &Held,
        token: &[u8],
        presented: &Presented<'_>,
        verified: &Verified,
    ) -> Result<Checked, BindingError> {
        let check = &self.inner.binding.check;
        let demanded = held.requirement.binding;
        // Later than the token came in, where it waited: the proof may be too old by now.
        let now = self.inner.clock.now();
        BUFFER.with_borrow_mut(|buffer| check.check(now, demanded, token, verified, presented, buffer))
    }

    /// Uses a proof up, here and wherever else one is remembered.
    async fn used_once(&self, verdict: Verdict, once: &Once) -> Verdict {
        let used = match (self.used_here(once), &self.inner.binding.shared) {
            // The requests of others are to take no more room for it.
            (Ok(()), Some(shared)) => Box::pin(self.used_elsewhere(shared, once)).await,
            (used, _) => used,
        };
        used.map_or_else(Verdict::from, |()| verdict)
    }

    fn used_here(&self, once: &Once) -> Result<(), Reason> {
        self.inner.binding.used.remember(self.inner.clock.now(), once)
    }

    async fn used_elsewhere(&self, shared: &Shared, once: &Once) -> Result<(), Reason> {
        let Inner { clock, observer, binding, .. } = &*self.inner;
        let left = once.until.saturating_since(clock.now().wall);
        // Others' clocks may differ from ours as clients' may.
        let time = left.saturating_add(binding.check.settings().leeway);
        let admitted = shared.admits(&**clock, &**observer, &once.key, time).await;
        if admitted == Err(Reason::ProofMemoryUnavailable) {
            // It did not pass: whoever shows it again did nothing wrong.
            binding.used.release(once);
        }
        admitted
    }

    async fn wait_and_decide(
        &self,
        arrived: Now,
        requirement: RequirementId,
        held: &Held,
        token: &[u8],
        mut wanted: WantedKey,
    ) -> Verdict {
        let deadline = arrived.mono.saturating_add(KEY_WAIT);
        loop {
            if let Err(reason) = self.want(wanted, deadline).await {
                return reason.into();
            }
            match self.by_keys(self.inner.clock.now(), arrived.mono, requirement, held, token) {
                Decision::Decided(verdict) => return verdict,
                Decision::NeedsKey(still) => wanted = still,
            }
        }
    }

    fn by_keys(
        &self,
        now: Now,
        arrived: MonoTime,
        RequirementId(number): RequirementId,
        held: &Held,
        token: &[u8],
    ) -> Decision {
        let cache = &self.inner.cache;
        if let Some(verified) = cache.get(now, number, token) {
            verified.count(now);
            return Decision::Decided(Verdict::Accept(verified));
        }
        let decision = BUFFER.with_borrow_mut(|buffer| {
            decide(now, arrived, &self.inner.issuers, &held.requirement, token, buffer)
        });
        if let Decision::Decided(Verdict::Accept(verified)) = &decision {
            verified.count(now);
            cache.insert(number, token, verified.clone());
        }
        decision
    }

    fn try_by_flow(&self, now: Now, mut flow: Flow<'_>) -> Option<Verdict> {
        loop {
            match BUFFER.with_borrow_mut(|buffer| flow.advance(now, buffer)) {
                Advance::Decided(verdict) => {
                    self.note_both_failed(&flow);
                    return Some(counted(now, verdict));
                }
                Advance::NeedsKey(_) => return None,
                Advance::NeedsAnswer { place, .. } => {
                    let failure = self.introspector(place)?.refusal()?;
                    flow.answered(now, Err(failure));
                }
            }
        }
    }

    async fn by_flow(&self, mut flow: Flow<'_>) -> Verdict {
        let clock = &self.inner.clock;
        let mut key_deadline = None;
        loop {
            let advance = BUFFER.with_borrow_mut(|buffer| flow.advance(clock.now(), buffer));
            match advance {
                Advance::Decided(verdict) => {
                    self.note_both_failed(&flow);
                    return counted(clock.now(), verdict);
                }
                Advance::NeedsAnswer { place, unasked } => {
                    let Some(introspector) = self.introspector(place) else {
                        return Reason::IntrospectionUnavailable.into();
                    };
                    let outcome = introspector.ask(unasked).await;
                    flow.answered(clock.now(), outcome.as_ref().map_err(|failure| *failure));
                }
                Advance::NeedsKey(wanted) => {
                    let deadline = *key_deadline.get_or_insert_with(|| clock.mono().saturating_add(KEY_WAIT));
                    if let Err(reason) = self.want(wanted, deadline).await {
                        flow.without_key(clock.now(), reason);
                    }
                }
            }
        }
    }

    fn note_both_failed(&self, flow: &Flow<'_>) {
        if let Some(introspector) = flow.both_failed().and_then(|place| self.introspector(place)) {
            introspector.fallback_failed();
        }
    }

    async fn want(&self, wanted: WantedKey, deadline: MonoTime) -> Result<(), Reason> {
        let keeper = self.inner.keepers.get(wanted.issuer).ok_or(Reason::KeysUnavailable)?;
        keeper.want(self.inner.clock.now(), wanted, deadline).await
    }

    fn held(&self, RequirementId(number): RequirementId) -> Option<&Held> {
        self.inner.requirements.get(number as usize)
    }

    fn grounds<'a>(&'a self, held: &'a Held, RequirementId(number): RequirementId) -> Grounds<'a> {
        let Inner { issuers, answers, cache, .. } = &*self.inner;
        let Held { requirement, plan } = held;
        Grounds { issuers, answers, verdicts: cache, requirement, number, plan }
    }
}

/// A verdict to answer by, counted with those of the key that it rests on.
fn counted(now: Now, verdict: Verdict) -> Verdict {
    if let Verdict::Accept(verified) = &verdict {
        verified.count(now);
    }
    verdict
}
