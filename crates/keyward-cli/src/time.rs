//! Times as people write and read them.

use std::time::{Duration, SystemTime};

use keyward::UnixTime;

/// A time in RFC 3339, such as `2026-11-21T04:00:00Z` or `2026-11-21T05:00:00+01:00`.
pub(crate) fn parse_rfc3339(text: &str) -> Result<UnixTime, String> {
    let bad = || format!("{text:?} is no time in RFC 3339; write one such as 2026-11-21T04:00:00Z");
    let (local, offset) = split_offset(text).ok_or_else(bad)?;
    let time = humantime::parse_rfc3339(&format!("{local}Z")).map_err(|_| bad())?;
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| bad())?.as_secs();
    let seconds = i64::try_from(seconds).map_err(|_| bad())?;
    Ok(UnixTime(seconds - offset))
}

/// The time without its zone, and the zone's seconds ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return Some((local, 0));
    }
    let (local, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, zone) = match zone.split_at_checked(1)? {
        ("+", zone) => (1, zone),
        ("-", zone) => (-1, zone),
        _ => return None,
    };
    let (hours, minutes) = zone.split_once(':')?;
    let digits = |text: &str, most: i64| -> Option<i64> {
        let is_number = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse().ok().filter(|number| is_number && *number <= most)
    };
    Some((local, sign * (digits(hours, 23)? * 3600 + digits(minutes, 59)? * 60)))
}

/// RFC 3339 in UTC, to the second; a number of seconds where the calendar does not reach.
pub(crate) fn format_rfc3339(time: UnixTime) -> String {
    keyward_doctor::moment(time.0)
}

/// `time` as seen from `now`: `in 5m`, `3h 20m ago`, `now`.
pub(crate) fn relative(time: UnixTime, now: UnixTime) -> String {
    let in_words = |duration: Duration| {
        let words = humantime::format_duration(duration).to_string();
        words.split(' ').take(2).collect::<Vec<_>>().join(" ")
    };
    match time.cmp(&now) {
        std::cmp::Ordering::Greater => format!("in {}", in_words(time.saturating_since(now))),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Less => format!("{} ago", in_words(now.saturating_since(time))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc_3339_with_every_zone() {
        for (text, seconds) in [
            ("2026-11-21T04:00:00Z", 1_795_233_600),
            ("2026-11-21T04:00:00z", 1_795_233_600),
            ("2026-11-21T04:00:00.5Z", 1_795_233_600),
            ("2026-11-21T05:30:00+01:30", 1_795_233_600),
            ("2026-11-20T23:00:00-05:00", 1_795_233_600),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(parse_rfc3339(text), Ok(UnixTime(seconds)), "{text}");
        }
        for text in
            ["", "Z", "now", "2026-11-21", "2026-11-21T04:00:00", "2026-11-21T04:00:00+1:00", "é+01:00"]
        {
            assert!(parse_rfc3339(text).is_err(), "{text}");
        }
    }

    #[test]
    fn says_how_far_away_a_time_is() {
        let now = UnixTime(1_000_000);
        assert_eq!(relative(UnixTime(1_000_300), now), "in 5m");
        assert_eq!(relative(UnixTime(1_000_000 - 12_034), now), "3h 20m ago");
        assert_eq!(relative(now, now), "now");
    }
}
