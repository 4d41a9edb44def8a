//! Until when a key or a secret is taken.

use std::time::Duration;

use clap::Args;
use keyward::UnixTime;
use keyward::clock::{Clock as _, SystemClock};
use serde_json::Value;

use crate::time::parse_rfc3339;

/// Until when something new is taken; without either of them for ever.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct Expiry {
    /// Take it until then, such as 2027-06-30T00:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = parse_rfc3339)]
    expires_at: Option<UnixTime>,
    /// Take it for so long from now on, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    expires_in: Option<Duration>,
}

/// Until when something is taken that is there.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct NewExpiry {
    /// Take it until then, such as 2027-06-30T00:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = parse_rfc3339)]
    expires_at: Option<UnixTime>,
    /// Take it for so long from now on, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    expires_in: Option<Duration>,
    /// Take it for ever
    #[arg(long)]
    never_expires: bool,
}

impl Expiry {
    /// In seconds since 1970.
    pub(super) fn at(&self) -> Option<i64> {
        at(self.expires_at, self.expires_in)
    }
}

impl NewExpiry {
    /// In seconds since 1970; null for ever.
    pub(super) fn at(&self) -> Value {
        at(self.expires_at, self.expires_in).into()
    }
}

fn at(at: Option<UnixTime>, duration: Option<Duration>) -> Option<i64> {
    let later = duration.map(|duration| SystemClock::new().now().wall.saturating_add(duration));
    at.or(later).map(|time| time.0)
}
