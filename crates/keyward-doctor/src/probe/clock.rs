//! How the provider's clock and ours differ, from the `Date` of its answers.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::DATE;
use keyward::fetch::age;
use keyward::{MonoTime, Now};

use crate::facts::ClockFacts;

/// One answer's `Date` (RFC 9110 §6.6.1), and when it can have been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dated {
    /// The second that it names, since 1970.
    date: i64,
    /// When the request was sent: not before then.
    asked_at: MonoTime,
    /// When the answer was there: not after then.
    answered_at: MonoTime,
}

impl Dated {
    /// What an answer says of the time; none where it says nothing, or where a cache says what was so earlier.
    pub(super) fn of(headers: &HeaderMap, asked_at: MonoTime, answered_at: MonoTime) -> Option<Self> {
        let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?.trim()).ok()?;
        let since = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let date = i64::try_from(since.as_secs()).ok()?;
        age(headers).is_zero().then_some(Self { date, asked_at, answered_at })
    }
}

/// How far ahead the provider's clock is. `readings` are of both our clocks at the same moments: ours tells whole seconds, and
/// where within a second it is shows only when several are held together.
pub(super) fn ahead(dated: &[Dated], readings: &[Now]) -> Option<ClockFacts> {
    // Both sides as the difference to our monotonic clock, which is the same for all of them.
    let theirs = dated.iter().map(|dated| {
        let second = dated.date as f64;
        Span { from: second - seconds(dated.answered_at), to: second + 1.0 - seconds(dated.asked_at) }
    });
    let ours = readings.iter().map(|now| {
        let from = now.wall.0 as f64 - seconds(now.mono);
        Span { from, to: from + 1.0 }
    });
    let (theirs, ours) = (Span::agreed(theirs)?, Span::agreed(ours)?);
    let between = Span { from: theirs.from - ours.to, to: theirs.to - ours.from };
    Some(ClockFacts {
        ahead_s: between.middle_ms() / 1000.0,
        // What rounding may have moved is uncertain as well.
        uncertainty_s: (between.half_ms() + 1.0) / 1000.0,
        answers: u32::try_from(dated.len()).unwrap_or(u32::MAX),
    })
}

/// Where something lies, in seconds.
#[derive(Clone, Copy)]
struct Span {
    from: f64,
    to: f64,
}

impl Span {
    /// What all of them allow; where they contradict each other, as two servers' clocks may, what any of them allows.
    fn agreed(spans: impl Iterator<Item = Self> + Clone) -> Option<Self> {
        let narrowed = |a: Self, b: Self| Self { from: a.from.max(b.from), to: a.to.min(b.to) };
        let widened = |a: Self, b: Self| Self { from: a.from.min(b.from), to: a.to.max(b.to) };
        let all = spans.clone().reduce(narrowed)?;
        if all.from <= all.to { Some(all) } else { spans.reduce(widened) }
    }

    fn middle_ms(self) -> f64 {
        (f64::midpoint(self.from, self.to) * 1000.0).round()
    }

    fn half_ms(self) -> f64 {
        ((self.to - self.from) * 500.0).ceil()
    }
}

fn seconds(time: MonoTime) -> f64 {
    time.saturating_since(MonoTime(0)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use http::header::AGE;
    use keyward::UnixTime;

    use super::*;

    /// 2026-11-21T17:10:00Z.
    const NOON: i64 = 1_795_281_000;

    fn at(ms: u64) -> MonoTime {
        MonoTime(0).saturating_add(Duration::from_millis(ms))
    }

    /// Our wall clock is at [`NOON`] when the monotonic one is at zero.
    fn reading(ms: u64) -> Now {
        Now { wall: UnixTime(NOON + ms as i64 / 1000), mono: at(ms) }
    }

    /// An answer of a provider whose clock is ahead by so many milliseconds, written in the middle of the way.
    fn dated(asked: u64, answered: u64, ahead_ms: i64) -> Dated {
        let written = (asked + answered) as i64 / 2 + ahead_ms;
        Dated { date: NOON + written.div_euclid(1000), asked_at: at(asked), answered_at: at(answered) }
    }

    #[test]
    fn the_difference_lies_within_what_is_told() {
        for ahead_ms in [-3_600_000, -61_500, -400, 0, 300, 90_000, 86_400_000] {
            let answers: Vec<_> =
                (0..5).map(|place| dated(place * 377, place * 377 + 80, ahead_ms)).collect();
            let readings: Vec<_> = (0..5).map(|place| reading(place * 377)).collect();
            for count in 1..=5 {
                let facts = ahead(&answers[..count], &readings[..count]).expect("answers");
                let off = (facts.ahead_s - ahead_ms as f64 / 1000.0).abs();
                assert!(off <= facts.uncertainty_s + 1e-6, "{ahead_ms}: {facts:?}");
                assert!(facts.uncertainty_s <= 1.1, "{facts:?}");
                assert_eq!(facts.answers as usize, count);
            }
            let narrow = ahead(&answers, &readings).expect("answers");
            assert!(narrow.uncertainty_s < 0.5, "{narrow:?}");
        }
    }

    #[test]
    fn servers_that_contradict_each_other_make_it_uncertain() {
        let answers = [dated(0, 40, 0), dated(100, 140, 30_000)];
        let facts = ahead(&answers, &[reading(0)]).expect("answers");
        assert!(facts.uncertainty_s >= 15.0, "{facts:?}");
        assert!(facts.ahead_s - facts.uncertainty_s <= 0.0 && facts.ahead_s + facts.uncertainty_s >= 30.0);
    }

    #[test]
    fn nothing_is_known_without_an_answer_and_of_a_cache_s() {
        assert_eq!(ahead(&[], &[reading(0)]), None);
        assert_eq!(ahead(&[dated(0, 1, 0)], &[]), None);
        let date = HeaderValue::from_static("Sat, 21 Nov 2026 17:10:00 GMT");
        let mut headers = HeaderMap::from_iter([(DATE, date)]);
        assert!(Dated::of(&headers, at(0), at(1)).is_some_and(|dated| dated.date == NOON));
        headers.insert(AGE, HeaderValue::from_static("600"));
        assert_eq!(Dated::of(&headers, at(0), at(1)), None);
        headers.insert(DATE, HeaderValue::from_static("noon"));
        assert_eq!(Dated::of(&headers, at(0), at(1)), None);
    }
}
