//! How long keys serve and how often their provider is asked.

use std::time::Duration;

/// The settings of one issuer's key set. The defaults are those of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetSettings {
    /// How long a fetched set is fresh; it is refreshed in the background at seven to eight tenths of it.
    /// Default 300 s.
    pub ttl: Duration,
    /// The shortest time that the provider's `Cache-Control: max-age` may make of it, where the TTL is not shorter
    /// itself. Default 60 s; the longest is the stale limit.
    pub min_ttl: Duration,
    /// How long after its fetch a set may still verify when no newer one can be had. Default 3600 s.
    pub stale_limit: Duration,
    /// How many times a failed refresh is tried again before it rests. Default 3.
    pub retries: u32,
    /// The longest wait before the first retry; each further one doubles it, up to the TTL. Default 500 ms.
    pub retry_base: Duration,
    /// The longest rest after the last retry, where the TTL in force is not shorter. Default 30 s.
    pub retry_rest: Duration,
    /// How many fetches unknown key ids may cause at once. Default 4.
    pub kid_burst: u32,
    /// The time after which they may cause one more. Default 1 s: under a flood of junk, a new key is found within
    /// this and the time that a fetch takes.
    pub kid_refill: Duration,
    /// How long a key id that a fetch did not find has no part in the burst: it is looked for again after
    /// `kid_refill`, no sooner. Default 2 s.
    pub absent_memory: Duration,
}

impl Default for KeySetSettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(300),
            min_ttl: Duration::from_secs(60),
            stale_limit: Duration::from_secs(3600),
            retries: 3,
            retry_base: Duration::from_millis(500),
            retry_rest: Duration::from_secs(30),
            kid_burst: 4,
            kid_refill: Duration::from_secs(1),
            absent_memory: Duration::from_secs(2),
        }
    }
}
