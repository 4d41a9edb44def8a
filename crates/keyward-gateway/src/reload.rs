//! Takes a changed configuration in while requests flow, or refuses it and goes on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyward_server::WatchedFiles;
use tokio::signal::unix::{SignalKind, signal};

use crate::authorize::Authorizer;
use crate::config::{Config, Limits, LogFormat, LogLevel, RecorderSettings, TracesSettings};
use crate::events;
use crate::live::Live;
use crate::observers::Observers;
use crate::server::RunError;

/// Reloads on SIGHUP and on a change of any file that the configuration names.
#[derive(Debug)]
pub struct Reloader {
    path: PathBuf,
    lasting: Lasting,
    authorizer: Arc<Authorizer>,
    files: WatchedFiles,
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

impl Reloader {
    pub(crate) fn new(
        path: &Path,
        files: Vec<PathBuf>,
        lasting: Lasting,
        authorizer: Arc<Authorizer>,
    ) -> Self {
        let (files, look_interval) = (WatchedFiles::new(files), WatchedFiles::LOOK_INTERVAL);
        Self { path: path.to_owned(), lasting, authorizer, files, look_interval }
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
            self.files.changed(&mut hang_up, self.look_interval).await;
            // What came of it is in the log and counted.
            let _ = self.reload();
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

    fn take_in(&mut self) -> Result<(), RunError> {
        // What is there before it is read counts as seen, even if it is refused: it is not tried again until
        // it changes, and a change while it is read is seen at the next look.
        self.files.seen_now();
        let config = match Config::load(&self.path) {
            Ok(config) => config,
            Err(error) => {
                self.files.watch_too(error.files());
                return Err(error.into());
            }
        };
        self.files.watch(&config.files);
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
