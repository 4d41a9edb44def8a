//! The two clocks, handed in. Wall time decides `exp`, `nbf`, `iat` and certificates; monotonic time
//! decides caches, back-off and budgets.

use std::time::Duration;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds: the NumericDate of RFC 7519 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// This time and `duration`, in whole seconds; it stops at the end of the range.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(duration.as_secs()))
    }

    /// This time less `duration`, in whole seconds; it stops at the end of the range.
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(duration.as_secs()))
    }

    /// How long after `earlier` this is; zero where it is before.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Nanoseconds on a clock that never goes back, from an origin that the caller chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(pub u64);

impl MonoTime {
    /// Later than any time that comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// This time and `duration`; it stops at [`MonoTime::NEVER`].
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This time less `duration`; it stops at the origin.
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is before.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks, read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What a calendar says.
    pub wall: UnixTime,
    /// What a stopwatch says.
    pub mono: MonoTime,
}
