//! When to fetch an issuer's keys, what a failure means, and what an unknown key id may ask for.

use std::sync::Arc;
use std::time::Duration;

use keyward_jose::{JwkSet, SkippedJwk};
use keyward_x509::TrustStore;

use super::absent::AbsentKids;
use super::budget::Budget;
use super::keys::aliases;
use super::{KeySet, KeySetSettings, LiveKey, PublishedKeys, Source};
use crate::decide::hash_kid;
use crate::jitter::Jitter;
use crate::{MonoTime, Now, Reason, UnixTime, WantedKey};

/// Keeps the keys of one issuer.
///
/// It does no I/O. Whoever drives it does this, over and over:
///
/// 1. [`poll`](Self::poll). On [`Step::Fetch`], fetch the set and hand in what came of it with
///    [`fetched`](Self::fetched); on [`Step::Wait`], come back at that time or when a want came.
/// 2. When a verdict lacks a key, [`want`](Self::want) it. On [`Answer::Wait`], poll, and decide again
///    when the fetch has come back.
///
/// What it guarantees (promises 3 to 6): a failure removes nothing; a successful fetch with at least one
/// usable key replaces the set and retires what it no longer holds; nothing verifies past the stale limit;
/// at most one fetch is under way; unknown key ids cause no more fetches than their budget.
#[derive(Debug)]
pub struct KeySetMachine {
    settings: KeySetSettings,
    published: Arc<PublishedKeys>,
    jitter: Jitter,
    fetch: Fetch,
    failures: u32,
    /// When the last fetch began.
    began: MonoTime,
    /// For how long the last good set was fresh, or the next one will be.
    ttl: Duration,
    budget: Budget,
    absent: AbsentKids,
    wanted: Vec<u64>,
    anchors: Option<Arc<TrustStore>>,
}

#[derive(Clone, Copy, Debug)]
enum Fetch {
    Due(MonoTime),
    /// `again`: somebody has told since it began that the keys may have changed.
    UnderWay {
        started: Now,
        again: bool,
    },
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch the set now and call [`KeySetMachine::fetched`].
    Fetch,
    /// Nothing to do before this time.
    Wait(MonoTime),
}

/// What a want comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No fetch will be made for it: this is the verdict.
    Refused(Reason),
    /// A fetch is under way or due now: decide again when it has come back.
    Wait,
}

/// A set as the provider sent it.
#[derive(Debug)]
pub struct Fetched {
    /// The keys.
    pub set: JwkSet,
    /// `Cache-Control: max-age`, where the answer had it.
    pub max_age: Option<Duration>,
    /// `Age`: how long a cache before the provider has kept the answer (RFC 9111 §5.1). Keys that the provider
    /// published since then are not in it.
    pub age: Duration,
}

/// After how long a provider that refused wants to be asked again (RFC 9110 §10.2.3). It is heeded up to a
/// tenth of the stale limit.
pub type RetryAt = Option<Duration>;

/// What came of a refresh.
#[derive(Debug)]
pub enum Refresh {
    /// The set was replaced.
    Refreshed(Refreshed),
    /// The fetch failed; what was there still serves.
    Failed,
    /// The answer held no key that can be used; what was there still serves.
    Refused(NoUsableKey),
}

/// What a refresh changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// How many usable keys there are now.
    pub key_count: usize,
    /// The `kid`s of the keys that are new.
    pub added: Vec<Option<String>>,
    /// The `kid`s of the keys that are gone and verify nothing from now on.
    pub removed: Vec<Option<String>>,
}

/// A set without a single usable key: `keys` is empty, or each of them was skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the set holds no usable key ({} skipped)", skipped.len())]
pub struct NoUsableKey {
    /// The keys that were skipped.
    pub skipped: Vec<SkippedJwk>,
}

/// Why a snapshot is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotRefused {
    /// It holds no usable key.
    #[error("it holds no usable key")]
    Empty,
    /// It is dated further ahead than a clock may be off.
    #[error("it is dated in the future")]
    FromFuture,
    /// There are keys already, and only a refresh removes a key.
    #[error("there are keys already")]
    NotNeeded,
    /// It is past the stale limit.
    #[error("it is older than the stale limit")]
    TooOld,
}

/// By how much the clock may have gone back since a snapshot was written.
const SNAPSHOT_SKEW: Duration = Duration::from_secs(60);

/// How many wants are noted for one fetch; more than these simply ask again.
const WANTED_LIMIT: usize = 256;

impl KeySetMachine {
    /// A machine whose first fetch is due at once. `seed` spreads its deadlines.
    pub fn new(settings: KeySetSettings, published: Arc<PublishedKeys>, now: Now, seed: u64) -> Self {
        Self {
            budget: Budget::new(settings.kid_burst, settings.kid_refill),
            absent: AbsentKids::new(settings.absent_memory),
            jitter: Jitter::new(seed),
            fetch: Fetch::Due(now.mono),
            failures: 0,
            began: MonoTime(0),
            ttl: settings.ttl,
            wanted: Vec::new(),
            anchors: None,
            settings,
            published,
        }
    }

    /// The same with declared anchors, which the certificates around the keys have to lead to. Default none: they are
    /// held against their keys and their times only.
    #[must_use]
    pub fn anchored(self, now: Now, anchors: Option<Arc<TrustStore>>) -> Self {
        let machine = Self { anchors, ..self };
        if let Some(set) = &*machine.published.current() {
            // A predecessor's, who may have had others.
            set.keys.iter().for_each(|live| live.wrap_again(machine.anchors.as_deref(), now.wall));
        }
        machine
    }

    /// The keys that it keeps.
    pub fn published(&self) -> &Arc<PublishedKeys> {
        &self.published
    }

    /// When the next fetch is due; none while one is under way.
    pub fn next_fetch(&self) -> Option<MonoTime> {
        match self.fetch {
            Fetch::Due(at) => Some(at),
            Fetch::UnderWay { .. } => None,
        }
    }

    /// How many fetches have failed since one last succeeded.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes in the set that an earlier process left on the disk, where there is no set yet. It serves as
    /// stale until a fetch succeeds or its stale limit, counted from its own fetch, is reached.
    ///
    /// # Errors
    /// [`SnapshotRefused`]; nothing has changed then.
    pub fn restore(&mut self, now: Now, set: JwkSet, fetched_at: UnixTime) -> Result<(), SnapshotRefused> {
        if self.published.current().is_some() {
            return Err(SnapshotRefused::NotNeeded);
        }
        if fetched_at > now.wall.saturating_add(SNAPSHOT_SKEW) {
            return Err(SnapshotRefused::FromFuture);
        }
        let left = self.settings.stale_limit.saturating_sub(now.wall.saturating_since(fetched_at));
        if left.is_zero() {
            return Err(SnapshotRefused::TooOld);
        }
        if set.keys().is_empty() {
            return Err(SnapshotRefused::Empty);
        }
        let fetch_started = Now { wall: fetched_at, mono: MonoTime(0) };
        let usable_until = now.mono.saturating_add(left);
        self.replace(now, set, Source::Snapshot, fetch_started, now.mono, usable_until);
        Ok(())
    }

    /// What to do now. [`Step::Fetch`] is said once for each fetch.
    pub fn poll(&mut self, now: Now) -> Step {
        match self.fetch {
            Fetch::Due(at) if at <= now.mono => {
                self.fetch = Fetch::UnderWay { started: now, again: false };
                self.began = now.mono;
                Step::Fetch
            }
            Fetch::Due(at) => Step::Wait(at),
            Fetch::UnderWay { .. } => Step::Wait(MonoTime::NEVER),
        }
    }

    /// Takes in what came of the fetch.
    pub fn fetched(&mut self, now: Now, result: Result<Fetched, RetryAt>) -> Refresh {
        let Fetch::UnderWay { started, again } = self.fetch else {
            // Nobody asked for this one: it changes nothing.
            return Refresh::Failed;
        };
        let wanted = std::mem::take(&mut self.wanted);
        let refresh = self.take_result(now, started, wanted, result);
        if again {
            self.fetch = Fetch::Due(now.mono);
        }
        refresh
    }

    fn take_result(
        &mut self,
        now: Now,
        started: Now,
        wanted: Vec<u64>,
        result: Result<Fetched, RetryAt>,
    ) -> Refresh {
        match result {
            Ok(Fetched { set, .. }) if set.keys().is_empty() => {
                self.schedule_retry(now, None);
                Refresh::Refused(NoUsableKey { skipped: set.into_parts().1 })
            }
            Ok(fetched) => {
                let found: Vec<u64> =
                    fetched.set.keys().iter().filter_map(|key| Some(hash_kid(Some(key.kid()?)))).collect();
                let refreshed = self.take_set(now, started, fetched);
                for kid_hash in wanted.into_iter().filter(|kid_hash| !found.contains(kid_hash)) {
                    self.absent.insert(now.mono, kid_hash);
                }
                Refresh::Refreshed(refreshed)
            }
            Err(retry_at) => {
                self.schedule_retry(now, retry_at);
                Refresh::Failed
            }
        }
    }

    /// Makes the next fetch due at once, such as when the place it comes from is known to have changed. Where one
    /// is under way it may have come too early, and another follows it.
    pub fn refresh(&mut self, now: Now) {
        self.fetch = match self.fetch {
            Fetch::Due(at) => Fetch::Due(at.min(now.mono)),
            Fetch::UnderWay { started, .. } => Fetch::UnderWay { started, again: true },
        };
    }

    /// Asks for a key that the current set does not hold, or holds past the stale limit.
    pub fn want(&mut self, now: Now, wanted: WantedKey) -> Answer {
        if self.failures > 0 {
            // It is asked at the refresher's own pace, and nobody is held up for a provider that is known to fail.
            return Answer::Refused(wanted.otherwise);
        }
        match self.fetch {
            // Its answer may lack a key that was published a moment ago; then the caller wants it again.
            Fetch::UnderWay { .. } => Answer::Wait,
            Fetch::Due(at) if at <= now.mono => self.wait_for(wanted),
            Fetch::Due(at) => {
                let paid = self.budget.next(now.mono);
                let next = if self.absent.contains(now.mono, wanted.kid_hash) {
                    // It was just looked for, and may have been published since: again, but never by the burst.
                    paid.max(self.began.saturating_add(self.settings.kid_refill))
                } else {
                    paid
                };
                // Where that is later than now it is done unasked, because somebody still wants a key.
                if next < at && self.budget.take(paid) {
                    self.fetch = Fetch::Due(next);
                }
                if next <= now.mono {
                    self.wait_for(wanted)
                } else {
                    Answer::Refused(Reason::KeyRefreshLimited)
                }
            }
        }
    }

    fn wait_for(&mut self, wanted: WantedKey) -> Answer {
        if self.wanted.len() < WANTED_LIMIT && !self.wanted.contains(&wanted.kid_hash) {
            self.wanted.push(wanted.kid_hash);
        }
        Answer::Wait
    }

    fn take_set(&mut self, now: Now, started: Now, fetched: Fetched) -> Refreshed {
        let Fetched { set, max_age, age } = fetched;
        let KeySetSettings { ttl, min_ttl, stale_limit, .. } = self.settings;
        let ttl = max_age.map_or(ttl, |age| age.max(min_ttl.min(ttl))).min(stale_limit);
        let fresh_until = started.mono.saturating_add(ttl);
        let usable_until = started.mono.saturating_add(stale_limit);
        // A cached copy knows of no key that came later, and its keys serve as long as any other's.
        let as_of = Now { wall: started.wall.saturating_sub(age), mono: started.mono.saturating_sub(age) };
        let refreshed = self.replace(now, set, Source::Fetched, as_of, fresh_until, usable_until);
        let ahead = self.jitter.between(ttl * 7 / 10, ttl * 8 / 10);
        self.failures = 0;
        self.ttl = ttl;
        self.fetch = Fetch::Due(started.mono.saturating_add(ahead).max(now.mono));
        refreshed
    }

    /// Publishes `set` and retires what it no longer holds.
    fn replace(
        &mut self,
        now: Now,
        set: JwkSet,
        source: Source,
        fetch_started: Now,
        fresh_until: MonoTime,
        usable_until: MonoTime,
    ) -> Refreshed {
        self.sort_anchors(now);
        let before = self.published.current();
        let mut gone: Vec<Arc<LiveKey>> =
            before.as_ref().map_or_else(Vec::new, |before| before.keys().to_vec());
        let mut refreshed = Refreshed { key_count: set.keys().len(), ..Refreshed::default() };
        let (keys, skipped) = set.into_parts();
        let aliases: Vec<_> = keys.iter().map(|key| aliases(key, &keys)).collect();
        let keys = keys
            .into_iter()
            .zip(aliases)
            .map(|(key, aliases)| {
                let wrapping = key.wrapping().map(|wrapping| wrapping.cloned());
                let live = match gone.iter().position(|live| live.is_same(&key)) {
                    Some(place) => {
                        let live = gone.remove(place);
                        live.extend(usable_until);
                        live
                    }
                    None => {
                        refreshed.added.push(key.kid().map(str::to_owned));
                        Arc::new(LiveKey::new(key, fetch_started.wall, usable_until))
                    }
                };
                live.set_aliases(aliases);
                live.wrap(wrapping, self.anchors.as_deref(), now.wall);
                live
            })
            .collect();
        self.published.publish(KeySet {
            keys,
            skipped: skipped.into(),
            source,
            fetch_started,
            fresh_until,
            usable_until,
        });
        for live in gone {
            live.retire();
            refreshed.removed.push(live.key().kid().map(str::to_owned));
        }
        refreshed
    }

    /// An anchor counts from its own first second on.
    fn sort_anchors(&mut self, now: Now) {
        let changed = |anchors: &&Arc<TrustStore>| anchors.changes_at().is_some_and(|at| at <= now.wall.0);
        if let Some(anchors) = self.anchors.as_ref().filter(changed) {
            self.anchors = Some(Arc::new(anchors.resorted(now.wall.0)));
        }
    }

    /// Exponential back-off with full jitter; after the last retry a rest, then all over again. None lasts longer
    /// than a set is fresh, so that a provider that works again is noticed as soon as one that changes its keys.
    fn schedule_retry(&mut self, now: Now, retry_at: RetryAt) {
        let round = self.settings.retries.saturating_add(1);
        let attempt = self.failures % round;
        self.failures = self.failures.saturating_add(1);
        let is_rest = attempt == self.settings.retries;
        let longest = if is_rest {
            self.settings.retry_rest
        } else {
            self.settings.retry_base.saturating_mul(2_u32.saturating_pow(attempt.min(16)))
        }
        .min(self.ttl);
        let shortest = if is_rest { longest / 2 } else { Duration::ZERO };
        let delay = self.jitter.between(shortest, longest);
        // What a provider asks must not outlast its keys, which have a fifth of their time left or more.
        let asked = retry_at.unwrap_or_default().min(self.settings.stale_limit / 10);
        self.fetch = Fetch::Due(now.mono.saturating_add(delay.max(asked)));
    }
}
