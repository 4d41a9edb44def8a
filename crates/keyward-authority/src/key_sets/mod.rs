//! The JWK Sets of clients and service accounts that have them at an address (`jwks_uri`, RFC 7591 §2).
//!
//! Each is kept by itself, as an issuer's keys are ([`KeptSet`]), under its realm and its address: who has the same address in a
//! realm has the same set. A set is fetched when an assertion needs it, and forgotten when none has for a while. Strangers name
//! clients: a set that has verified nothing yet takes no place from one that has.

mod key_set;
mod told;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use keyward::clock::Clock;
use keyward::fetch::{NetworkTransport, Transport};
use keyward::{KeptSet, KeptSetSettings, KeySetSettings, MonoTime};
use url::Url;

use crate::observer::{Observer, Unobserved};
pub(crate) use key_set::{KeySet, Shown};
use told::Told;

/// How many sets a node keeps at most.
const LIMIT: usize = 1000;

/// For how long a set is kept after it last verified something.
const IDLE: Duration = Duration::from_secs(3600);

/// For how long one is kept that has verified nothing.
const UNPROVED: Duration = Duration::from_secs(600);

/// For how long one keeps its place whoever else wants it: how often an address is asked must not be for strangers to say.
const SETTLED: Duration = Duration::from_secs(60);

/// The longest set, in octets. A few keys and the certificates around them are a tenth of this.
const OCTETS: usize = 64 * 1024;

/// How long one fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The sets that a node keeps. Clones are the same.
#[derive(Clone, Debug)]
pub struct KeySets {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    /// Made when it is needed first; none where it cannot be made.
    transport: OnceLock<Option<Arc<dyn Transport>>>,
    kept: Mutex<Kept>,
}

type Kept = HashMap<Place, Arc<KeySet>>;

/// Where a set is, and whose it is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Place {
    realm: String,
    jwks_uri: String,
}

impl KeySets {
    /// None yet; addresses are reached by this machine's network.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, Arc::new(Unobserved), OnceLock::new())
    }

    pub(crate) fn with_observer(&self, observer: Arc<dyn Observer>) -> Self {
        Self::with(Arc::clone(&self.inner.clock), observer, self.inner.transport.clone())
    }

    pub(crate) fn with_transport(&self, transport: Arc<dyn Transport>) -> Self {
        let Inner { clock, observer, .. } = &*self.inner;
        Self::with(Arc::clone(clock), Arc::clone(observer), OnceLock::from(Some(transport)))
    }

    fn with(
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        transport: OnceLock<Option<Arc<dyn Transport>>>,
    ) -> Self {
        Self { inner: Arc::new(Inner { clock, observer, transport, kept: Mutex::default() }) }
    }

    /// The set at an address, where it is kept.
    pub(crate) fn kept(&self, realm: &str, jwks_uri: &str) -> Option<Arc<KeySet>> {
        let place = Place { realm: realm.to_owned(), jwks_uri: jwks_uri.to_owned() };
        self.inner.lock().get(&place).cloned()
    }

    /// The set at an address, which is kept from now on; none where it cannot be: there is no room, or no such address.
    pub(crate) fn keep(&self, realm: &str, jwks_uri: &str) -> Option<Arc<KeySet>> {
        if let Some(kept) = self.kept(realm, jwks_uri) {
            return Some(kept);
        }
        let transport = self.inner.transport()?;
        let url = Url::parse(jwks_uri).ok()?;
        let place = Place { realm: realm.to_owned(), jwks_uri: jwks_uri.to_owned() };
        let now = self.inner.clock.mono();
        let mut kept = self.inner.lock();
        let forgotten = make_room(&mut kept, now);
        let set = if kept.len() < LIMIT {
            let start = || self.start(&place, url, transport, now);
            Some(Arc::clone(kept.entry(place.clone()).or_insert_with(start)))
        } else {
            tracing::warn!(event = "key_sets_full", realm, "no more sets of keys are fetched for now");
            None
        };
        drop(kept);
        drop(forgotten);
        set
    }

    fn start(&self, place: &Place, url: Url, transport: Arc<dyn Transport>, now: MonoTime) -> Arc<KeySet> {
        let settings = KeptSetSettings {
            key_set: KeySetSettings::default(),
            fetch_timeout: FETCH_TIMEOUT,
            octets: OCTETS,
            allowed_hosts: Vec::new(),
        };
        let told = Told::new(&self.inner, &place.realm, &url);
        let clock = Arc::clone(&self.inner.clock);
        KeySet::new(KeptSet::start(url, settings, transport, Arc::clone(&clock), Arc::new(told)), clock, now)
    }
}

impl Inner {
    fn transport(&self) -> Option<Arc<dyn Transport>> {
        let made = self.transport.get_or_init(|| match NetworkTransport::new(&[], &[]) {
            Ok(transport) => Some(Arc::new(transport)),
            Err(error) => {
                tracing::error!(event = "key_sets_unusable", "no set of keys can be fetched: {error}");
                None
            }
        });
        made.clone()
    }

    /// Lets go of those that nobody needed for a while, so that their addresses are not asked for ever.
    fn forget_idle(&self) {
        let now = self.clock.mono();
        let forgotten = take(&mut self.lock(), |set| set.is_idle(now));
        // The lock is not held any more.
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of the idle ones, and where that leaves no room of the one that is missed least: one that has verified nothing, or not
/// for the longest time.
fn make_room(kept: &mut Kept, now: MonoTime) -> Vec<Arc<KeySet>> {
    let mut forgotten = take(kept, |set| set.is_idle(now));
    if kept.len() >= LIMIT {
        let settled = kept.iter().filter(|(_, set)| set.is_settled(now));
        let least = settled.min_by_key(|(_, set)| set.worth()).map(|(place, _)| place.clone());
        forgotten.extend(least.and_then(|place| kept.remove(&place)));
    }
    forgotten
}

fn take(kept: &mut Kept, is_over: impl Fn(&KeySet) -> bool) -> Vec<Arc<KeySet>> {
    kept.extract_if(|_, set| is_over(set)).map(|(_, set)| set).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use http::Response;
    use keyward::fetch::{Exchange, FetchError, OutgoingRequest};
    use keyward::{Now, UnixTime};

    use super::*;

    #[derive(Debug, Default)]
    struct Hand(AtomicU64);

    impl Hand {
        fn advance(&self, by: Duration) {
            self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::Relaxed);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Now {
            Now { wall: UnixTime(0), mono: MonoTime(self.0.load(Ordering::Relaxed)) }
        }
    }

    /// A network in which nothing answers.
    #[derive(Debug)]
    struct Silence;

    impl Transport for Silence {
        fn send<'a>(&'a self, _: &'a OutgoingRequest) -> Exchange<'a> {
            Box::pin(std::future::pending::<Result<Response<keyward::fetch::Body>, FetchError>>())
        }
    }

    fn sets() -> (KeySets, Arc<Hand>) {
        let clock = Arc::new(Hand::default());
        clock.advance(Duration::from_secs(1));
        (KeySets::new(Arc::clone(&clock) as _).with_transport(Arc::new(Silence)), clock)
    }

    fn address(number: usize) -> String {
        format!("https://client-{number}.example/jwks")
    }

    fn len(sets: &KeySets) -> usize {
        sets.inner.lock().len()
    }

    #[tokio::test]
    async fn no_more_are_kept_than_there_is_room_for_and_those_that_verified_something_stay() {
        let (sets, clock) = sets();
        for number in 0..LIMIT {
            let set = sets.keep("main", &address(number)).unwrap();
            if number > 0 {
                set.proved();
            }
        }
        assert!(sets.keep("main", &address(LIMIT)).is_none(), "all of them were begun a moment ago");
        clock.advance(SETTLED);
        for number in LIMIT..LIMIT + 5 {
            assert!(sets.keep("main", &address(number)).is_some());
            clock.advance(SETTLED);
        }
        assert_eq!(len(&sets), LIMIT);
        assert!(sets.kept("main", &address(0)).is_none());
        assert!((1..LIMIT).all(|number| sets.kept("main", &address(number)).is_some()));
    }

    #[tokio::test]
    async fn a_set_that_nobody_needs_is_forgotten() {
        let (sets, clock) = sets();
        sets.keep("main", &address(1)).unwrap();
        sets.keep("main", &address(2)).unwrap().proved();
        clock.advance(UNPROVED);
        sets.inner.forget_idle();
        assert_eq!(len(&sets), 2);
        clock.advance(Duration::from_secs(1));
        sets.inner.forget_idle();
        assert!(sets.kept("main", &address(1)).is_none() && sets.kept("main", &address(2)).is_some());
        clock.advance(IDLE);
        sets.inner.forget_idle();
        assert_eq!(len(&sets), 0);
    }

    #[tokio::test]
    async fn a_set_is_shared_by_address_within_a_realm_and_not_beyond() {
        let (sets, _clock) = sets();
        let set = sets.keep("main", &address(1)).unwrap();
        assert!(Arc::ptr_eq(&set, &sets.keep("main", &address(1)).unwrap()));
        assert!(!Arc::ptr_eq(&set, &sets.keep("other", &address(1)).unwrap()));
        assert!(sets.keep("main", "no address").is_none());
    }
}
