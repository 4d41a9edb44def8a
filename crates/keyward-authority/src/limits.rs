//! How often somebody may fail to authenticate.
//!
//! A success costs nothing. Failures are counted by client and address together, so that no stranger locks a client out by failing
//! in its name, and by address alone, so that no address tries one name after the other.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use keyward::MonoTime;
use keyward::clock::Clock;
use quick_cache::sync::Cache;

use crate::cause::{Cause, OAuthError};

/// Of each sort, how many are counted at a time. Those that failed least lately are forgotten first.
const COUNTED: usize = 16 * 1024;

/// For how long nobody's keys are asked for again that could not be fetched: what that costs the database is bounded.
const OUTAGE: Duration = Duration::from_secs(1);

/// Failures of clients and addresses, on this node.
pub struct Limits {
    clock: Arc<dyn Clock>,
    rates: FailureLimits,
    clients: Cache<ClientName, Arc<Failures>>,
    addresses: Cache<IpAddr, Arc<Failures>>,
    /// Whose keys could not be fetched, and until when that is gone by.
    outages: Cache<ClientName, MonoTime>,
    /// Digests of tokens that were good when they were last looked at.
    tokens: Cache<Box<str>, ()>,
}

/// Who tries to be which client, or service account, from where.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// In which realm.
    pub realm: &'a str,
    /// As whom: what they say.
    pub subject: &'a str,
    /// From where.
    pub address: IpAddr,
}

type ClientName = (Box<str>, Box<str>, IpAddr);

/// How often somebody may fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailureLimits {
    /// One client from one address.
    pub per_client: FailureRate,
    /// One address, whoever it says to be: many clients may share one.
    pub per_address: FailureRate,
}

/// So many at once, and then one in each period.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailureRate {
    /// How many at once.
    pub burst: NonZeroU32,
    /// After which another one is allowed; longer than zero.
    pub period: Duration,
}

impl Default for FailureLimits {
    /// Of a client ten, then one in five seconds; of an address a hundred, then five a second.
    fn default() -> Self {
        let rate =
            |burst: u32, period| FailureRate { burst: NonZeroU32::MIN.saturating_add(burst - 1), period };
        Self {
            per_client: rate(10, Duration::from_secs(5)),
            per_address: rate(100, Duration::from_millis(200)),
        }
    }
}

/// The failures of one.
struct Failures {
    counted: RateLimiter<NotKeyed, InMemoryState, Time, NoOpMiddleware<Duration>>,
    /// Until when it is refused, in nanoseconds of the monotonic clock.
    refused_until: AtomicU64,
}

/// The monotonic clock, for governor.
struct Time(Arc<dyn Clock>);

impl clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.mono().0)
    }
}

impl Limits {
    /// Nobody has failed.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let rates = FailureLimits::default();
        let (clients, addresses, tokens) = (Cache::new(COUNTED), Cache::new(COUNTED), Cache::new(COUNTED));
        Self { clock, rates, clients, addresses, outages: Cache::new(COUNTED), tokens }
    }

    /// The same, and so many may fail.
    #[must_use]
    pub fn with_rates(self, rates: FailureLimits) -> Self {
        Self { rates, ..self }
    }

    /// Whether they may try. To be asked before anything is looked up, hashed or verified.
    ///
    /// # Errors
    /// [`Cause::RateLimited`].
    pub fn admit(&self, attempt: &Attempt<'_>) -> Result<(), Cause> {
        let now = self.clock.mono();
        let (client, address) = attempt.names();
        let failures = [self.clients.get(&client), self.addresses.get(&address)];
        if failures.iter().flatten().any(|failures| failures.is_refused(now)) {
            return Err(Cause::RateLimited);
        }
        Ok(())
    }

    /// Whether their keys could be fetched when they tried a moment ago. To be asked where what is remembered does not do, before the
    /// database is read for more. An attempt from elsewhere changes nothing.
    ///
    /// # Errors
    /// [`Cause::KeySetUnavailable`].
    pub(crate) fn admit_fetch(&self, attempt: &Attempt<'_>) -> Result<(), Cause> {
        if self.is_outage(&attempt.names().0) { Err(Cause::KeySetUnavailable) } else { Ok(()) }
    }

    /// Counts it if they failed to authenticate, and hands on what was decided. That their keys cannot be fetched is no failure of
    /// theirs.
    ///
    /// # Errors
    /// `decided`, as it is.
    pub fn settle<T>(&self, attempt: &Attempt<'_>, decided: Result<T, Cause>) -> Result<T, Cause> {
        if let Err(cause) = &decided
            && cause.of_authentication() == OAuthError::InvalidClient
        {
            self.failed(attempt);
        }
        if matches!(decided, Err(Cause::KeySetUnavailable)) {
            let (client, _) = attempt.names();
            // One that was refused by this does not make it last longer.
            if !self.is_outage(&client) {
                self.outages.insert(client, self.clock.mono().saturating_add(OUTAGE));
            }
        }
        decided
    }

    fn is_outage(&self, client: &ClientName) -> bool {
        self.outages.get(client).is_some_and(|until| self.clock.mono() < until)
    }

    /// The same of somebody who shows a token, whose digest is the subject: one that was good is looked at whatever others of
    /// that address failed at.
    ///
    /// # Errors
    /// [`Cause::RateLimited`].
    pub(crate) fn admit_token(&self, attempt: &Attempt<'_>) -> Result<(), Cause> {
        if self.tokens.get(attempt.subject).is_some() { Ok(()) } else { self.admit(attempt) }
    }

    /// Whether the token is good.
    pub(crate) fn settle_token(&self, attempt: &Attempt<'_>, is_good: bool) {
        if is_good {
            self.tokens.insert(attempt.subject.into(), ());
        } else {
            self.tokens.remove(attempt.subject);
            self.failed(attempt);
        }
    }

    /// They failed. From the first failure over the limit on they are refused, until one more would be within it.
    fn failed(&self, attempt: &Attempt<'_>) {
        let (client, address) = attempt.names();
        if let Ok(failures) =
            self.clients.get_or_insert_with(&client, || self.failures(self.rates.per_client))
        {
            failures.count();
        }
        if let Ok(failures) =
            self.addresses.get_or_insert_with(&address, || self.failures(self.rates.per_address))
        {
            failures.count();
        }
    }

    fn failures(&self, rate: FailureRate) -> Result<Arc<Failures>, NoQuota> {
        let quota = Quota::with_period(rate.period).ok_or(NoQuota)?.allow_burst(rate.burst);
        let counted = RateLimiter::direct_with_clock(quota, Time(Arc::clone(&self.clock)));
        Ok(Arc::new(Failures { counted, refused_until: AtomicU64::new(0) }))
    }
}

/// A period of nothing, which no configuration gets as far as here.
struct NoQuota;

impl Failures {
    fn count(&self) {
        if let Err(refused) = self.counted.check() {
            let until = u64::try_from(refused.earliest_possible().as_nanos()).unwrap_or(u64::MAX);
            self.refused_until.fetch_max(until, Ordering::Relaxed);
        }
    }

    fn is_refused(&self, now: MonoTime) -> bool {
        now.0 < self.refused_until.load(Ordering::Relaxed)
    }
}

impl Attempt<'_> {
    fn names(&self) -> (ClientName, IpAddr) {
        let address = network(self.address);
        ((self.realm.into(), self.subject.into(), address), address)
    }
}

/// An IPv6 address stands for its /64: whoever has one has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        },
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (clients, addresses) = (self.clients.len(), self.addresses.len());
        f.debug_struct("Limits")
            .field("clients", &clients)
            .field("addresses", &addresses)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

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

    fn attempt<'a>(subject: &'a str, address: &str) -> Attempt<'a> {
        Attempt { realm: "main", subject, address: address.parse().unwrap() }
    }

    #[test]
    fn who_fails_too_often_is_refused_until_one_more_would_be_within_the_limit() {
        let clock = Arc::new(Hand::default());
        let limits = Limits::new(Arc::clone(&clock) as _);
        let client = attempt("a", "192.0.2.1");
        for _ in 0..=FailureLimits::default().per_client.burst.get() {
            assert_eq!(limits.admit(&client), Ok(()));
            limits.failed(&client);
        }
        assert_eq!(limits.admit(&client), Err(Cause::RateLimited));
        clock.advance(FailureLimits::default().per_client.period);
        assert_eq!(limits.admit(&client), Ok(()));
        limits.failed(&client);
        limits.failed(&client);
        assert_eq!(limits.admit(&client), Err(Cause::RateLimited));
    }

    #[test]
    fn nobody_locks_a_client_out_from_elsewhere_and_no_other_client_of_its_own_address() {
        let limits = Limits::new(Arc::new(Hand::default()));
        for _ in 0..50 {
            limits.failed(&attempt("a", "192.0.2.1"));
        }
        assert_eq!(limits.admit(&attempt("a", "192.0.2.1")), Err(Cause::RateLimited));
        assert_eq!(limits.admit(&attempt("a", "192.0.2.2")), Ok(()));
        assert_eq!(limits.admit(&attempt("b", "192.0.2.1")), Ok(()));
        assert_eq!(limits.admit(&Attempt { realm: "other", ..attempt("a", "192.0.2.1") }), Ok(()));
    }

    #[test]
    fn an_address_that_tries_one_name_after_the_other_is_refused_with_all_of_its_network() {
        let limits = Limits::new(Arc::new(Hand::default()));
        for number in 0..=FailureLimits::default().per_address.burst.get() {
            limits.failed(&attempt(&format!("client-{number}"), &format!("2001:db8::{number:x}")));
        }
        assert_eq!(limits.admit(&attempt("new", "2001:db8::ffff:1")), Err(Cause::RateLimited));
        assert_eq!(limits.admit(&attempt("new", "2001:db8:0:1::1")), Ok(()));
        assert_eq!(limits.admit(&attempt("new", "::ffff:192.0.2.1")), Ok(()));
    }

    #[test]
    fn junk_does_not_grow_what_is_remembered() {
        let limits = Limits::new(Arc::new(Hand::default()));
        for number in 0..3 * u32::try_from(COUNTED).unwrap() {
            let address = IpAddr::V4(number.into());
            limits.failed(&Attempt { realm: "main", subject: "a", address });
        }
        assert!(limits.clients.len() <= COUNTED && limits.addresses.len() <= COUNTED);
    }
}
