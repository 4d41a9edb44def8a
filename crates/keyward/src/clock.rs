//! The clocks of this machine. Nothing else in Keyward reads them.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

use keyward_verify::{MonoTime, Now, UnixTime};

/// Where the time comes from.
pub trait Clock: Send + Sync + Debug {
    /// Both clocks, at this moment.
    fn now(&self) -> Now;

    /// The monotonic one alone, where that is less work.
    fn mono(&self) -> MonoTime {
        self.now().mono
    }

    /// Wall time since 1970 as finely as the clock knows it, for what is laid beside the times of other machines. By default
    /// whole seconds.
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.now().wall.0).unwrap_or_default())
    }
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Monotonic time counts from this call.
    #[expect(clippy::disallowed_methods, reason = "this is where the monotonic clock is read")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where both clocks are read")]
    fn now(&self) -> Now {
        let wall = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |secs| -secs),
        };
        Now { wall: UnixTime(wall), mono: self.mono() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the monotonic clock is read")]
    fn mono(&self) -> MonoTime {
        MonoTime(0).saturating_add(Instant::now() - self.origin)
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the wall clock is read to the nanosecond")]
    fn since_epoch(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// A time as machines read it: RFC 3339 in UTC, to the second. What lies before 1970 is told as its beginning.
pub fn rfc3339(time: UnixTime) -> String {
    let since = Duration::from_secs(u64::try_from(time.0).unwrap_or(0));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
}

/// The wait from now until `deadline`.
pub(crate) fn until(clock: &dyn Clock, deadline: MonoTime) -> Duration {
    deadline.saturating_since(clock.mono())
}
