//! Says days ahead that the certificate of the clients' listener is over.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward::clock::Clock;
use tokio::task::JoinHandle;

use crate::live::Live;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(60);

const DAY: i64 = 86_400;

/// How much is left when it is said, in seconds: once each, and once more for each certificate that takes another's place.
const STAGES: [i64; 4] = [0, DAY, 7 * DAY, 30 * DAY];

/// Looks until it is aborted.
pub(super) fn watch(live: Arc<ArcSwap<Live>>, clock: Arc<dyn Clock>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut told = Told::default();
        loop {
            if let Some(not_after) = live.load().tls_not_after() {
                told.look(not_after, clock.now().wall.0);
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// What was said: of which certificate, by its end, and at which stage.
#[derive(Debug, Default)]
struct Told(Option<(i64, i64)>);

impl Told {
    /// Says so where a stage is reached. Returns which.
    fn look(&mut self, not_after: i64, now: i64) -> Option<i64> {
        let left = not_after.saturating_sub(now);
        let stage = STAGES.into_iter().find(|stage| left < *stage)?;
        if self.0.replace((not_after, stage)) == Some((not_after, stage)) {
            return None;
        }
        let days = left.div_euclid(DAY);
        if stage == 0 {
            tracing::error!(event = "tls_certificate_expired", "the listener's certificate is over");
        } else {
            tracing::warn!(
                event = "tls_certificate_expires",
                days,
                "the listener's certificate is over in {days} days"
            );
        }
        Some(stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_is_told_once_and_of_each_certificate() {
        let (mut told, end) = (Told::default(), 100 * DAY);
        let mut at = |not_after, left: i64| told.look(not_after, not_after - left);
        assert_eq!(at(end, 30 * DAY), None);
        assert_eq!(at(end, 30 * DAY - 1), Some(30 * DAY));
        assert_eq!(at(end, 8 * DAY), None);
        assert_eq!(at(end, 6 * DAY), Some(7 * DAY));
        assert_eq!(at(end, DAY / 2), Some(DAY));
        assert_eq!(at(end, -1), Some(0));
        assert_eq!(at(end, -DAY), None);
        // A new one that is not good for long, either.
        assert_eq!(at(end + DAY, 6 * DAY), Some(7 * DAY));
        // One without an end leaves the arithmetic alone.
        assert_eq!(told.look(i64::MAX, -1), None);
    }
}
