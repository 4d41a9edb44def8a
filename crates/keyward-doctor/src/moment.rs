//! Times as a person reads them.

use std::time::{Duration, SystemTime};

/// RFC 3339 in UTC, to the second, of seconds since 1970; a number of seconds where the calendar does not reach.
pub fn moment(seconds: i64) -> String {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds < 253_402_300_800 => {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => format!("{seconds} s since 1970"),
    }
}
