//! Random numbers of which schedules are made.

use super::plan::Millis;

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), and whole numbers only: a seed is the same schedule on every
/// machine and for as long as nobody changes the generator.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        let above = self.number().checked_rem(span).unwrap_or(0);
        low.saturating_add_unsigned(above)
    }

    /// A time from `low` to `high`, as often short as long: each doubling is as likely as the next.
    pub(super) fn spread(&mut self, low: Millis, high: Millis) -> Millis {
        let doublings = (high / low.max(1)).max(1).ilog2();
        let shift = self.between(0, i64::from(doublings));
        let from = low << shift;
        self.between(from, (from * 2).min(high).max(from))
    }

    pub(super) fn percent(&mut self, share: i64) -> bool {
        self.between(1, 100) <= share
    }

    /// One of these; none where there is none.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let last = i64::try_from(of.len()).ok()?.checked_sub(1).filter(|last| *last >= 0)?;
        of.get(usize::try_from(self.between(0, last)).ok()?)
    }

    /// One of these, each as often as its weight says.
    pub(super) fn weighed<T: Copy, const N: usize>(&mut self, of: [(i64, T); N], otherwise: T) -> T {
        let mut left = self.between(1, of.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in of {
            left -= weight;
            if left <= 0 {
                return one;
            }
        }
        otherwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_bounds_and_reach_them() {
        let mut dice = Dice::new(1);
        let rolled: std::collections::BTreeSet<i64> = (0..1000).map(|_| dice.between(-2, 3)).collect();
        assert_eq!(rolled.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2, 3]);
        assert!((0..1000).map(|_| dice.spread(1000, 60_000)).all(|time| (1000..=60_000).contains(&time)));
        assert_eq!(dice.pick::<u8>(&[]), None);
    }

    #[test]
    fn a_seed_is_the_same_numbers_for_ever() {
        // The first outputs of the reference implementation for this seed.
        let mut dice = Dice::new(1_234_567);
        let numbers = [(); 3].map(|()| dice.number());
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
