//! Takes a changed configuration in while requests flow, or refuses it and goes on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};

use crate::authorize::Authorizer;
use crate::config::{Config, Limits, LogFormat, LogLevel, RecorderSettings, TracesSettings};
use crate::events;
use crate::live::Live;
use crate::observers::Observers;
use crate::server::RunError;

/// How often the files are looked at. A mounted secret changes by a symbolic link far away, which no file
/// notification follows.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Reloads on SIGHUP and on a change of any file that the configuration names.
#[derive(Debug)]
pub struct Reloader {
    path: PathBuf,
    lasting: Lasting,
    authorizer: Arc<Authorizer>,
    seen: Vec<(PathBuf, Option<Stamp>)>,
    look_interval: Duration,
}

/// What of a configuration changes with a restart only.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lasting {
    listen: SocketAddr,
    admin_listen: SocketAddr,
    limits: Limits,
    log_format: LogFormat,
    log_level: LogLevel,
    metrics_namespace: String,
    recorder: RecorderSettings,
    traces: Option<TracesSettings>,
}

/// By what a file's change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    octets: u64,
    /// Which file it is, and when that was last written or renamed: a replacement may keep time and length.
    inode: u64,
    changed: (i64, i64),
}

impl Reloader {
    pub(crate) fn new(
        path: &Path,
        files: Vec<PathBuf>,
        lasting: Lasting,
        authorizer: Arc<Authorizer>,
    ) -> Self {
        let seen = stamped(files);
        Self { path: path.to_owned(), lasting, authorizer, seen, look_interval: LOOK_INTERVAL }
    }

    /// Looks at the files this often. Default 2 s.
    #[must_use]
    pub fn look_every(self, look_interval: Duration) -> Self {
        Self { look_interval, ..self }
    }

    /// Never ends, unless SIGHUP cannot be waited for.
    pub async fn run(mut self) -> std::io::Error {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => return error,
        };
        loop {
            let asked = tokio::time::timeout(self.look_interval, hang_up.recv()).await.is_ok();
            if asked || self.has_changed() {
                // What came of it is in the log and counted.
                let _ = self.reload();
            }
        }
    }

    /// Reads the configuration again. It decides from now on, or is refused, and the old one goes on.
    ///
    /// # Errors
    /// [`RunError`], which was logged as `config_refused`.
    pub fn reload(&mut self) -> Result<(), RunError> {
        let result = self.take_in();
        let Observers { metrics, recorder, .. } = &*self.authorizer.observers;
        match &result {
            Ok(()) => {
                metrics.config_reload("reloaded");
                recorder.changed(events::CONFIG_RELOADED);
                tracing::info!(event = events::CONFIG_RELOADED, "the new configuration decides from now on");
            }
            Err(error) => {
                metrics.config_reload("refused");
                recorder.changed(events::CONFIG_REFUSED);
                tracing::error!(
                    event = events::CONFIG_REFUSED,
                    "the old configuration goes on deciding: {error}"
                );
            }
        }
        result
    }

    fn has_changed(&self) -> bool {
        self.seen.iter().any(|(path, seen)| stamp(path) != *seen)
    }

    fn take_in(&mut self) -> Result<(), RunError> {
        // What is there before it is read counts as seen, even if it is refused: it is not tried again until
        // it changes, and a change while it is read is seen at the next look.
        self.seen = stamped(self.seen.drain(..).map(|(path, _)| path).collect());
        let config = match Config::load(&self.path) {
            Ok(config) => config,
            Err(error) => {
                self.watch_too(error.files());
                return Err(error.into());
            }
        };
        self.watch(&config.files);
        if Lasting::of(&config) != self.lasting {
            tracing::warn!(
                event = events::CONFIG_NEEDS_RESTART,
                "addresses, limits, the log, the recorder, traces and the metrics' namespace change with a restart only"
            );
        }
        let live = Live::start(config, &self.authorizer.observers, Some(&self.authorizer.live.load()))?;
        self.authorizer.live.store(Arc::new(live));
        Ok(())
    }

    /// Looks at these files, too: one of them may be what was missing.
    fn watch_too(&mut self, files: &[PathBuf]) {
        let more = self.seen.iter().map(|(path, _)| path).chain(files).cloned().collect::<BTreeSet<_>>();
        self.watch(&Vec::from_iter(more));
    }

    /// Looks at these files from now on.
    fn watch(&mut self, files: &[PathBuf]) {
        let seen_before = |path: &PathBuf| self.seen.iter().find(|(seen, _)| seen == path).cloned();
        self.seen = files
            .iter()
            .map(|path| seen_before(path).unwrap_or_else(|| (path.clone(), stamp(path))))
            .collect();
    }
}

impl Lasting {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            listen: config.listen,
            admin_listen: config.admin_listen,
            limits: config.limits,
            log_format: config.log_format,
            log_level: config.log_level,
            metrics_namespace: config.metrics_namespace.clone(),
            recorder: config.recorder.clone(),
            traces: config.traces.clone(),
        }
    }
}

fn stamped(files: Vec<PathBuf>) -> Vec<(PathBuf, Option<Stamp>)> {
    files.into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok()?,
        octets: metadata.len(),
        inode: metadata.ino(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
