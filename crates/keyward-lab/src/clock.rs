//! The lab's wall clock: one origin, and from there on tokio's monotonic clock, which a test may pause.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A wall clock that goes as tokio's clock does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabClock {
    origin: Instant,
    origin_ms: i64,
}

impl LabClock {
    /// The machine's.
    pub(crate) fn machine() -> Self {
        Self { origin: Instant::now(), origin_ms: machine_ms() }
    }

    /// One on which it is now `wall`, in Unix seconds.
    pub(crate) fn starting_at(wall: i64) -> Self {
        Self { origin: Instant::now(), origin_ms: wall.saturating_mul(1000) }
    }

    /// Unix seconds, whole ones.
    pub(crate) fn wall(&self) -> i64 {
        let elapsed = i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.origin_ms.saturating_add(elapsed).div_euclid(1000)
    }

    /// Since the lab started.
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }
}

/// `wall` ahead by so many seconds, as an HTTP date (RFC 9110 §5.6.7).
pub(crate) fn http_date(wall: i64) -> String {
    let since = Duration::from_secs(u64::try_from(wall).unwrap_or(0).min(LAST_HTTP_DATE));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
}

/// `wall` as RFC 3339 has it.
pub(crate) fn rfc3339(wall: i64) -> String {
    let since = Duration::from_secs(u64::try_from(wall).unwrap_or(0).min(LAST_HTTP_DATE));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
}

/// The end of the year 9999, after which an HTTP date has no form.
const LAST_HTTP_DATE: u64 = 253_402_300_799;

/// Whole seconds of a duration, for arithmetic with Unix times.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the lab reads the wall clock, once when it starts"
)]
fn machine_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
