//! The tasks that close the recorder's seconds and keep what it has.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::dump::{DumpedFor, Dumps};
use crate::observers::Observers;

/// How often a second is closed.
const SECOND: Duration = Duration::from_secs(1);

/// Closes seconds, and keeps what is recorded when verdicts of a family multiply. Never ends.
pub(crate) async fn watch(observers: Arc<Observers>, dumps: Arc<Dumps>) {
    loop {
        tokio::time::sleep(SECOND).await;
        if let Some(spike) = observers.recorder.tick() {
            dumps.keep(DumpedFor::Spike(spike));
        }
    }
}

/// Keeps what is recorded at each signal. Ends where signals do.
pub(crate) async fn keep_at(mut signal: Signal, dumps: Arc<Dumps>) {
    while signal.recv().await.is_some() {
        dumps.keep(DumpedFor::Signal);
    }
}

#[cfg(test)]
mod tests {
    use keyward::clock::Clock;
    use keyward::{MonoTime, Now, Reason, UnixTime};
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::Metrics;
    use crate::recorder::{Judged, Outcome, Recorder};

    /// A clock that goes with tokio's.
    #[derive(Debug)]
    struct TokioClock(Instant);

    impl Clock for TokioClock {
        fn now(&self) -> Now {
            let since = self.0.elapsed();
            let wall = UnixTime(1_800_000_000).saturating_add(since);
            Now { wall, mono: MonoTime(1).saturating_add(since) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_spike_is_kept_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(Instant::now()));
        let recorder = Recorder::new(Arc::clone(&clock), 64);
        let observers =
            Arc::new(Observers { metrics: Metrics::new("keyward", false), recorder, traces: None });
        let dumps = Arc::new(Dumps::new(Arc::clone(&observers), Some(folder.path().to_owned())));
        let watching = tokio::spawn(watch(Arc::clone(&observers), dumps));
        let outcome = Outcome::Refused(Reason::KeysUnavailable, None);
        let refuse = || {
            let at = clock.mono();
            observers.recorder.verdict(&Judged { at, took: Duration::ZERO, route: None, outcome });
        };
        let files = || std::fs::read_dir(folder.path()).expect("a folder").flatten().collect::<Vec<_>>();
        refuse();
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(files().is_empty(), "one is no spike");
        for _ in 0..30 {
            (0..5).for_each(|_| refuse());
            tokio::time::sleep(SECOND).await;
        }
        // It is written on a thread that no paused clock waits for.
        let is_kept = || files().iter().any(|file| file.file_name().to_string_lossy().ends_with(".json"));
        while !is_kept() {
            tokio::task::yield_now().await;
        }
        watching.abort();
        assert_eq!(files().len(), 1);
        let text = std::fs::read_to_string(files()[0].path()).expect("read");
        let content: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&content["dumped_for"], &content["family"]), (&"spike".into(), &"undecided".into()));
        assert!(content["count"].as_u64().is_some_and(|count| (20..=50).contains(&count)), "{content}");
    }
}
