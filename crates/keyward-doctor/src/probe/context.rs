//! What all probes of one look share: clocks, the time that is left, and whom to leave alone.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward::clock::Clock;
use keyward::{MonoTime, Now};
use tokio::sync::OnceCell;
use url::Url;

use super::progress::{Probe, Progress};
use super::reach::{Resolver, SystemResolver};
use super::target::{Limits, Target};
use crate::facts::Lookup;

/// By what a look is made.
#[derive(Clone)]
pub struct Means {
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Who is told what is being looked at.
    pub progress: Arc<dyn Progress>,
    /// Who resolves names.
    pub resolver: Arc<dyn Resolver>,
}

impl Means {
    /// With the resolver of this machine.
    pub fn new(clock: Arc<dyn Clock>, progress: Arc<dyn Progress>) -> Self {
        Self { clock, progress, resolver: Arc::new(SystemResolver) }
    }
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// What all probes of one look share. A clone is the same one.
#[derive(Clone)]
pub(super) struct Context {
    means: Means,
    limits: Limits,
    deadline: MonoTime,
    /// For how long a provider asked to be left alone, by host and port.
    waits: Arc<Mutex<HashMap<String, Duration>>>,
    /// What names resolve to.
    lookups: Arc<Mutex<HashMap<String, Arc<OnceCell<Lookup>>>>>,
    /// The addresses that have answered.
    answering: Arc<Mutex<HashSet<SocketAddr>>>,
}

impl Context {
    pub(super) fn new(target: &Target, means: &Means) -> Self {
        let deadline = means.clock.mono().saturating_add(target.limits.total);
        Self {
            means: means.clone(),
            limits: target.limits,
            deadline,
            waits: Arc::default(),
            lookups: Arc::default(),
            answering: Arc::default(),
        }
    }

    pub(super) fn now(&self) -> Now {
        self.means.clock.now()
    }

    pub(super) fn mono(&self) -> MonoTime {
        self.means.clock.mono()
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.means.clock
    }

    pub(super) fn resolver(&self) -> &dyn Resolver {
        &*self.means.resolver
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The time that is left for the whole look.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_since(self.mono())
    }

    /// Milliseconds since then.
    pub(super) fn ms_since(&self, earlier: MonoTime) -> u64 {
        u64::try_from(self.mono().saturating_since(earlier).as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells of a probe while it is made.
    pub(super) async fn telling<T>(&self, probe: Probe, look: impl Future<Output = T>) -> T {
        self.means.progress.begins(&probe);
        let seen = look.await;
        self.means.progress.is_over(&probe);
        seen
    }

    /// How long whoever is at `url` asked to be left alone; none where they did not. It holds for the whole look.
    pub(super) fn asked_to_wait(&self, url: &Url) -> Option<Duration> {
        locked(&self.waits).get(&place(url)).copied()
    }

    /// Takes in a `Retry-After` of whoever is at `url`.
    pub(super) fn leave_alone(&self, url: &Url, wait: Duration) {
        let mut waits = locked(&self.waits);
        let longest = waits.entry(place(url)).or_default();
        *longest = wait.max(*longest);
    }

    /// Where the lookup of a name is kept: one is made for all who ask.
    pub(super) fn lookup_of(&self, name: &str) -> Arc<OnceCell<Lookup>> {
        Arc::clone(locked(&self.lookups).entry(name.to_owned()).or_default())
    }

    /// Takes in that an address has answered.
    pub(super) fn has_answered(&self, address: SocketAddr) {
        locked(&self.answering).insert(address);
    }

    /// Whether an address has answered in this look.
    pub(super) fn is_answering(&self, address: SocketAddr) -> bool {
        locked(&self.answering).contains(&address)
    }
}

/// What a mutex guards, whatever became of who held it last.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Host and port.
fn place(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}
