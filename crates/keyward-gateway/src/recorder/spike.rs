//! When a kind of verdict suddenly multiplies: what was recorded until then is worth keeping. The time is handed in.

use std::collections::VecDeque;
use std::time::Duration;

use keyward::MonoTime;
use serde::Serialize;

use super::counts::Families;

/// What is held against what came before it.
const RECENT: Duration = Duration::from_secs(10);

/// What came before it.
const BEFORE: Duration = Duration::from_secs(300);

/// The least that has to be known of it: what is usual cannot be told right after the start.
const BEFORE_LEAST: Duration = Duration::from_secs(60);

/// How many times as many a second as before.
const TIMES: f64 = 5.0;

/// How many at least: a handful is noise, whatever came before.
const LEAST: u64 = 20;

/// How long nothing is told after a spike.
const REST: Duration = Duration::from_secs(300);

/// Looks for spikes, second by second.
#[derive(Debug)]
pub(super) struct Spikes {
    begun: MonoTime,
    seconds: VecDeque<(MonoTime, Families)>,
    told: Option<MonoTime>,
}

/// How many there are of one family.
type Count = fn(&Families) -> u64;

/// That verdicts of a family multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spike {
    /// `fallback`, `reject` or `undecided`.
    pub(crate) family: &'static str,
    /// How many there were in the last 10 s.
    pub(crate) count: u64,
    /// How many a second there were in the five minutes before, or since the start.
    pub(crate) before_per_second: f64,
}

impl Spikes {
    pub(super) fn new(now: MonoTime) -> Self {
        Self { begun: now, seconds: VecDeque::new(), told: None }
    }

    /// Takes in what was counted in the second that ended now.
    pub(super) fn look(&mut self, now: MonoTime, families: Families) -> Option<Spike> {
        if families != Families::default() {
            self.seconds.push_back((now, families));
        }
        let ago = |at: MonoTime| now.saturating_since(at);
        while self.seconds.front().is_some_and(|(at, _)| ago(*at) >= RECENT + BEFORE) {
            self.seconds.pop_front();
        }
        let known = ago(self.begun).saturating_sub(RECENT).min(BEFORE);
        if known < BEFORE_LEAST || self.told.is_some_and(|told| ago(told) < REST) {
            return None;
        }
        let sum = |is_recent: bool, of: Count| {
            let of_it = self.seconds.iter().filter(|(at, _)| (ago(*at) < RECENT) == is_recent);
            of_it.map(|(_, families)| of(families)).sum::<u64>()
        };
        // What the operator has to mend comes first.
        let families: [(_, Count); 3] =
            [("undecided", |f| f.undecided), ("fallback", |f| f.fallback), ("reject", |f| f.reject)];
        let spike = families.into_iter().find_map(|(family, of)| {
            let (count, before) = (sum(true, of), sum(false, of));
            let before_per_second = before as f64 / known.as_secs_f64();
            let multiplied = count as f64 / RECENT.as_secs_f64() >= TIMES * before_per_second;
            (count >= LEAST && multiplied).then_some(Spike { family, count, before_per_second })
        });
        if spike.is_some() {
            self.told = Some(now);
        }
        spike
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> MonoTime {
        MonoTime(second * 1_000_000_000)
    }

    /// What is told if there are so many rejected, undecided and fallbacks in each of these seconds.
    fn told(seconds: impl Iterator<Item = (u64, [u64; 3])>) -> Vec<(u64, Spike)> {
        let mut spikes = Spikes::new(at(0));
        let look = |(second, [reject, undecided, fallback]): (u64, [u64; 3])| {
            Some((second, spikes.look(at(second), Families { reject, undecided, fallback })?))
        };
        seconds.filter_map(look).collect()
    }

    #[test]
    fn what_is_steady_is_none_however_much_it_is() {
        assert_eq!(told((1..2000).map(|second| (second, [1000, 50, 7]))), []);
    }

    #[test]
    fn what_multiplies_is_one_and_is_told_once_in_five_minutes() {
        let rejects = |second| if second > 400 { 50 } else { 2 };
        let told = told((1..=800).map(|second| (second, [rejects(second), 0, 0])));
        // 2 a second before, and 10 a second are five times as many: 50 + 50 + 8 × 2 in 10 s.
        let count = 50 + 50 + 8 * 2;
        assert_eq!(told, [(402, Spike { family: "reject", count, before_per_second: 2.0 })]);
    }

    #[test]
    fn a_spike_that_goes_on_is_told_again_only_where_it_multiplies_again() {
        let undecided = |second| match second {
            ..=400 => 0,
            401..=800 => 10,
            _ => 100,
        };
        let told = told((1..=1000).map(|second| (second, [0, undecided(second), 0])));
        assert_eq!(told.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [402, 805]);
        assert_eq!(told[0].1, Spike { family: "undecided", count: 20, before_per_second: 0.0 });
    }

    #[test]
    fn a_handful_is_none() {
        assert_eq!(
            told((1..=800).map(|second| (second, [0, 0, u64::from((500..519).contains(&second))]))),
            []
        );
        let twenty = told((1..=800).map(|second| (second, [0, 0, if second == 500 { 20 } else { 0 }])));
        assert_eq!(twenty.len(), 1);
        assert_eq!((twenty[0].0, twenty[0].1.family), (500, "fallback"));
    }

    #[test]
    fn what_is_usual_is_not_known_right_after_the_start() {
        let told = told((1..=69).map(|second| (second, [500, 500, 500])));
        assert_eq!(told, []);
    }

    #[test]
    fn what_has_to_be_mended_comes_first() {
        let all = |second| if second > 400 { [100, 100, 100] } else { [0, 0, 0] };
        assert_eq!(told((1..=500).map(|second| (second, all(second))))[0].1.family, "undecided");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut spikes = Spikes::new(at(0));
        for second in 1..5000 {
            spikes.look(at(second), Families { reject: 1, undecided: 0, fallback: 0 });
        }
        assert_eq!(spikes.seconds.len(), 310);
    }
}
