//! How a provider takes a credential that cannot be obtained anew: a secret, a key, a certificate.

use std::time::Duration;

use keyward_verify::MonoTime;

use super::back_off::Spread;

/// Whether a credential may be shown. While the provider refuses it, one request after each back-off tries it.
#[derive(Debug)]
pub(super) struct Standing {
    spread: Spread,
    refusal: Option<Refusal>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    count: u32,
    /// Nobody tries it before this time.
    until: MonoTime,
    is_tried: bool,
}

/// How long the one who tries it has for that.
const TRIAL: Duration = Duration::from_secs(5);

impl Standing {
    /// A credential against which nothing is known.
    pub(super) fn new(seed: u64) -> Self {
        Self { spread: Spread::new(seed), refusal: None }
    }

    /// Whether somebody may show it now.
    ///
    /// # Errors
    /// For how long not.
    pub(super) fn ask(&mut self, now: MonoTime) -> Result<(), Duration> {
        match &mut self.refusal {
            None => Ok(()),
            Some(refusal) if refusal.until > now => Err(refusal.until.saturating_since(now)),
            Some(refusal) => {
                refusal.until = now.saturating_add(TRIAL);
                refusal.is_tried = true;
                Ok(())
            }
        }
    }

    /// Whether [`ask`](Self::ask) would refuse now.
    pub(super) fn refuses(&self, now: MonoTime) -> bool {
        self.refusal.is_some_and(|refusal| refusal.until > now)
    }

    /// The provider refused it. For how long nobody shows it, and how often it was refused, unless that was known.
    pub(super) fn refused(&mut self, now: MonoTime) -> (Duration, Option<u32>) {
        if let Some(known) = self.refusal.filter(|refusal| refusal.until > now && !refusal.is_tried) {
            return (known.until.saturating_since(now), None);
        }
        let count = self.count().saturating_add(1);
        let retry_in = self.spread.back_off(count, None);
        self.refusal = Some(Refusal { count, until: now.saturating_add(retry_in), is_tried: false });
        (retry_in, Some(count))
    }

    /// Who tried it learnt nothing: another may.
    pub(super) fn untold(&mut self, now: MonoTime) {
        if let Some(refusal) = self.refusal.as_mut().filter(|refusal| refusal.is_tried) {
            (refusal.until, refusal.is_tried) = (now, false);
        }
    }

    /// The provider took it. Whether it had refused it before.
    pub(super) fn accepted(&mut self) -> bool {
        self.refusal.take().is_some()
    }

    /// Another one counts from now on.
    pub(super) fn replaced(&mut self) {
        self.refusal = None;
    }

    /// How often in a row it was refused.
    pub(super) fn count(&self) -> u32 {
        self.refusal.map_or(0, |refusal| refusal.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: MonoTime = MonoTime(86_400_000_000_000);

    #[test]
    fn one_tries_it_after_each_back_off() {
        let mut standing = Standing::new(1);
        assert_eq!(standing.ask(START), Ok(()));
        let (first, count) = standing.refused(START);
        assert_eq!(count, Some(1));
        // Those that were under way learn nothing new.
        assert_eq!(standing.refused(START), (first, None));
        assert_eq!(standing.ask(START), Err(first));
        let later = START.saturating_add(first);
        assert_eq!((standing.ask(later), standing.ask(later)), (Ok(()), Err(TRIAL)));
        let (second, count) = standing.refused(later);
        assert_eq!(count, Some(2));
        assert!(second >= Duration::from_secs(1), "{second:?}");
        // Who tried it never came back: another does.
        let later = later.saturating_add(second);
        assert_eq!(standing.ask(later), Ok(()));
        assert_eq!(standing.ask(later.saturating_add(TRIAL)), Ok(()));
        // Who tried it was told of something else: another does, and its refusal counts.
        let later = later.saturating_add(TRIAL).saturating_add(TRIAL);
        assert_eq!(standing.ask(later), Ok(()));
        standing.untold(later);
        assert!(!standing.refuses(later));
        assert_eq!(standing.ask(later), Ok(()));
        assert_eq!(standing.refused(later).1, Some(3));
        assert!(standing.accepted() && !standing.accepted());
        assert_eq!((standing.ask(later), standing.count()), (Ok(()), 0));
    }

    proptest! {
        #[test]
        fn a_refused_credential_is_tried_no_faster_than_its_back_off(
            seed: u64,
            history in proptest::collection::vec((0..20_000_u64, any::<bool>()), 1..200),
        ) {
            let mut standing = Standing::new(seed);
            let mut now = START;
            let mut quiet_until = START;
            for (millis, comes_back) in history {
                now = now.saturating_add(Duration::from_millis(millis));
                if standing.ask(now).is_err() {
                    continue;
                }
                prop_assert!(now >= quiet_until, "too soon");
                if comes_back {
                    let (retry_in, count) = standing.refused(now);
                    prop_assert!(count.is_some() && retry_in <= Duration::from_secs(60));
                    prop_assert_eq!(standing.ask(now), Err(retry_in));
                    quiet_until = now.saturating_add(retry_in);
                }
            }
            prop_assert!(standing.ask(now.saturating_add(Duration::from_secs(60))).is_ok());
        }
    }
}
